// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds the command, answers --help and --version, checks standard output once at the end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/opts.h"
#include "base/util.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/stdio.h"

/* The first is the default. */
static const struct sf_cmd *const commands[] = { &sf_cmd_trace, &sf_cmd_conns,	   &sf_cmd_ladder,
						 &sf_cmd_stuck, &sf_cmd_listeners, &sf_cmd_ports,
						 &sf_cmd_top,	&sf_cmd_serve,	   &sf_cmd_doctor };

static void print_help(void)
{
	puts("Usage: synfin [OPTIONS] [COMMAND] [FILTER]\n"
	     "\n"
	     "Shows every TCP connection of this host, from SYN to FIN: who called whom,\n"
	     "how long each step took, how it ended. Needs root, or CAP_BPF and CAP_PERFMON.\n"
	     "\n"
	     "Commands:");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s %s%s\n", commands[i]->name, commands[i]->summary,
		       i ? "" : " (default)");
	puts("\n"
	     "FILTER, as in tcpdump: port 443 and not host 10.0.0.0/8; handshake > 10ms;\n"
	     "  primitives: port lport rport N, host ADDR[/BITS], pid N, comm NAME,\n"
	     "  role client|server|both|listener, state NAME, netns INODE, ip, ip6,\n"
	     "  ephemeral, failed, handshake > TIME, age > TIME; and, or, not, ( )\n");
	sf_opts_print_help(sf_option_table, stdout);
	puts("\n"
	     "Exit status: 0 ok, 1 failure, 2 wrong usage, 3 something is stuck,\n"
	     "69 the kernel lacks something, 77 no permission.");
}

static const struct sf_cmd *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

/* "trace, conns, ...": for whoever mistyped one. */
static void list_commands(char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(commands) && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? ", " : "",
					commands[i]->name);
}

/* Output that puts() left behind is checked here, so that a full disk never looks like success. */
static int check_stdout(int status)
{
	int r = sf_stdout_flush();

	if (!r || r == -EPIPE)
		return status;
	sf_err(0, "cannot write to standard output: %s", strerror(-r));
	return status ? status : SF_EXIT_FAILURE;
}

static int run(int argc, char **argv)
{
	const struct sf_cmd *cmd = NULL;
	struct sf_config_text text = { NULL };
	struct sf_options options;
	char err[512], names[256];
	int first, r;

	sf_options_init(&options);
	if (sf_opts_parse(sf_option_table, argc, argv, &options, &first, err, sizeof(err)) ||
	    sf_config_load(options.config_path, argc, argv, &options, &text, err, sizeof(err))) {
		sf_err(0, "%s", err);
		return SF_EXIT_USAGE;
	}
	sf_log_set_verbosity(options.is_quiet ? SF_QUIET : options.verbose);
	if (options.help) {
		print_help();
		return SF_EXIT_OK;
	}
	if (options.version) {
		puts("synfin " SF_VERSION);
		return SF_EXIT_OK;
	}
	if (first < argc)
		cmd = find_command(argv[first]);
	if (cmd) {
		first++;
	} else {
		list_commands(names, sizeof(names));
		options.commands = names;
		cmd = commands[0];
	}
	r = cmd->run(&options, argc - first, (const char *const *)argv + first);
	sf_config_clear(&text);
	return r;
}

int main(int argc, char **argv)
{
	int r = sf_stdio_open();

	if (r)
		return sf_err(SF_EXIT_FAILURE, "%s",
			      r == -EBADF ? "standard output is closed: give it a terminal, a file "
					    "or a pipe" :
					    "a standard descriptor is closed, and /dev/null cannot "
					    "be opened in its place");
	signal(SIGPIPE, SIG_IGN);
	sf_clock_init();
	return check_stdout(run(argc, argv));
}
