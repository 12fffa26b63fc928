/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of all commands: one struct, one table, shared checks. */
#ifndef SF_CMD_OPTIONS_H
#define SF_CMD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/opts.h"
#include "diagnose/diagnose.h"

struct sf_filter;

#define SF_SINKS_MAX 16

/* Exit statuses: part of the interface, see the man page. 69 and 77 as in sysexits.h. */
enum sf_exit {
	SF_EXIT_OK = 0,
	SF_EXIT_FAILURE = 1,
	SF_EXIT_USAGE = 2,
	SF_EXIT_STUCK = 3, /* stuck found something */
	SF_EXIT_UNSUPPORTED = 69,
	SF_EXIT_NO_PERMISSION = 77,
};

/* Given as text on the command line; checked by the filter room. */
struct sf_filter_options {
	uint64_t pid;
	const char *comm;
	const char *role;
	const char *state;
	const char *host;
	const char *netns;
	uint64_t port;
	uint64_t local_port;
	uint64_t peer_port;
	uint64_t min_handshake_ns;
	uint64_t min_age_ns;
	bool v4;
	bool v6;
};

/* Where serve sends its lines; checked by the sink room. */
struct sf_sink_options {
	const char *specs[SF_SINKS_MAX];
	uint64_t nr;
};

struct sf_options {
	struct sf_filter_options filter;
	struct sf_sink_options sinks;
	int format;	 /* enum sf_format */
	int time_format; /* enum sf_time_format */
	int color;	 /* enum sf_color */
	int tier;	 /* enum sf_tier */
	int verbose;
	uint64_t duration_ns; /* 0 = until stopped */
	uint64_t count;	      /* lines to print, 0 = no limit */
	uint64_t buffer_bytes;
	uint64_t max_connections;
	uint64_t interval_ns; /* between two looks, 0 = the command's default */
	struct sf_thresholds thresholds;
	const char *write_path; /* record there, "-" = standard output; NULL: show */
	const char *read_path;	/* a recording, "-" = standard input; NULL: trace */
	const char *config_path;
	int log_choice;	      /* enum sf_log_choice */
	uint64_t sample;      /* one connection of so many is logged, 0 = each */
	uint64_t queue_bytes; /* per sink, 0 = default */
	int argc;	      /* as main() has them, for who reads the configuration again */
	char **argv;
	const char *commands; /* their names, if the operands name none: they may have meant to */
	bool first_byte;      /* tell when programs first sent and read data */
	bool is_watch;
	bool no_bpf; /* look at sockets without it */
	bool is_quiet;
	bool no_header;
	bool numeric; /* the default and the only way: accepted as a habit */
	bool version;
	bool help;
};

/* What serve logs. */
enum sf_log_choice {
	SF_LOG_CONNS,	 /* a line per connection, when it has ended */
	SF_LOG_STEPS,	 /* a line per step */
	SF_LOG_FAILURES, /* a line per connection that did not end in an orderly way */
};

enum sf_color {
	SF_COLOR_AUTO,
	SF_COLOR_ALWAYS,
	SF_COLOR_NEVER,
};

extern const struct sf_opt sf_option_table[];

void sf_options_init(struct sf_options *options);
/*
 * After parsing: defaults of what was not given. 0, or -EINVAL with one line in err: options that
 * exclude each other.
 */
int sf_options_settle(struct sf_options *options, char *err, size_t err_size);
/* Between two looks; default_ns: of this command. */
uint64_t sf_options_interval_ns(const struct sf_options *options, uint64_t default_ns);
/* Is there an option that keeps connections out? */
bool sf_options_has_filter(const struct sf_options *options);
/*
 * The filter that options and operands ask for together. 0, or -EINVAL with
 * one line in err. The caller frees *ret.
 */
int sf_options_filter(const struct sf_options *options, int argc, const char *const *argv,
		      struct sf_filter **ret, char *err, size_t err_size);

#endif
