// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sfgen SCENARIO --truth FILE [options]: the table of scenarios, the options,
 * and the processes of a run. Exits 0 only if every connection went as the
 * scenario plans it; otherwise it says why and writes no truth.
 */
#define _GNU_SOURCE
#include "sfgen.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_S 60
#define BIND_PORT 20000
#define ENDS_SPARE 64

/* What a process may call itself, 15 bytes at most. */
static const char *const odd_names[] = {
	"\033[2J\033[31mred", /* clears a terminal */
	"a\"b\\c",	      /* JSON's own characters */
	"\xff\xc3(",	      /* not UTF-8 */
	"new\nline\ttab",
	/* cut inside a character */
	"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
	"\xc2\x9b"
	"31mcsi", /* C1: CSI in one code point */
	"\xe2\x80\xae"
	"evil\x7f",				  /* right-to-left override, DEL */
	"{\"x\":1}\r\b", "\xe2\x82(\xe2\x82\xac", /* a broken sequence, then a whole one */
};

#define NR_NAMES ((int)(sizeof(odd_names) / sizeof(odd_names[0])))

/* name, function, modes, count, client processes and threads, server processes and threads */
static const struct sf_scenario scenarios[] = {
	{ "pairs", sf_run_pairs, "cs", 1000, 4, 2, 1, 4, SF_F_STRAY_THREADS },
	{ "late", sf_run_pairs, "cs", 10, 1, 1, 1, 1, SF_F_LATE },
	{ "forkpass", sf_run_pairs, "cs", 20, 1, 1, 1, 1, SF_F_FORK | SF_F_PASS },
	{ "prefork", sf_run_pairs, "cs", 100, 2, 1, 4, 1, 0 },
	{ "blocked", sf_run_pairs, "cs", 20, 2, 1, 2, 5, SF_F_BLOCKED | SF_F_STRAY_THREADS },
	{ "nonblock", sf_run_pairs, "cs", 50, 2, 1, 1, 2, SF_F_NONBLOCK },
	{ "bound", sf_run_pairs, "cs", 40, 1, 1, 1, 1, SF_F_BIND },
	{ "names", sf_run_pairs, "cs", 2 * NR_NAMES, NR_NAMES, 1, NR_NAMES, 1, SF_F_NAMES },
	{ "reset", sf_run_pairs, "lu", 40, 2, 1, 1, 2, 0 },
	{ "halfclose", sf_run_pairs, "h", 10, 2, 1, 1, 2, 0 },
	{ "exit", sf_run_pairs, "x", 20, 1, 1, 1, 1, SF_F_DIE },
	{ "reuse", sf_run_pairs, "lt", 60, 1, 1, 1, 1, SF_F_SAME_PORT },
	{ "refused", sf_run_fail, "r", 10, 0, 0, 0, 0, 0 },
	{ "timeout", sf_run_fail, "t", 4, 0, 0, 0, 0, 0 },
	{ "unreachable", sf_run_fail, "u", 4, 0, 0, 0, 0, 0 },
	{ "abandoned", sf_run_fail, "a", 10, 0, 0, 0, 0, SF_F_NONBLOCK },
	{ "selfconnect", sf_run_self, "", 1, 0, 0, 0, 0, 0 },
	{ "noport", sf_run_noport, "", 4, 1, 1, 1, 1, 0 },
	{ "unaccepted", sf_run_unaccepted, "", 5, 0, 0, 0, 0, 0 },
	{ "closing", sf_run_closing, "oKRz|csbxkldaqQuhwLODANCrn", 31, 0, 0, 0, 0, SF_F_CLOSING },
	{ "relay", sf_run_relay, "", 1, 0, 0, 0, 0, SF_F_NO_TRUTH },
	{ "forbid", sf_run_forbid, "", 1, 0, 0, 0, 0, SF_F_NO_TRUTH },
	{ "storm", sf_run_storm, "", 20000, 0, 0, 0, 0, 0 },
};

#define NR_SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

void sf_die(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "sfgen[%d]: ", getpid());
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(1);
}

int sf_odd_name(int index, const char **ret_name)
{
	*ret_name = odd_names[index % NR_NAMES];
	return NR_NAMES;
}

/* What part number index of parts gets of total: shares differ by one at most. */
int sf_share(int total, int parts, int index)
{
	return total / parts + (index < total % parts);
}

/* fork(), but the child dies with its parent, or of old age. */
pid_t sf_fork(const struct sf_run *run)
{
	pid_t pid = fork();

	if (pid < 0)
		sf_die("fork: %s", strerror(errno));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm((unsigned int)run->deadline_s);
	}
	return pid;
}

pid_t sf_spawn(int (*fn)(struct sf_run *run, int index), struct sf_run *run, int index)
{
	pid_t pid = sf_fork(run);

	if (!pid)
		_exit(fn(run, index));
	return pid;
}

/* One by one and by name: wait() would also take a child that a later call waits for. */
void sf_reap(const pid_t *pids, int nr)
{
	for (int i = 0; i < nr; i++) {
		int status = 0;

		if (waitpid(pids[i], &status, 0) < 0)
			sf_die("waitpid: %s", strerror(errno));
		if (status)
			sf_die("process %d: status 0x%x", pids[i], status);
	}
}

static bool task_sleeps(int tid)
{
	char path[64], text[256] = {};
	const char *name_end;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0 || close(fd))
		sf_die("%s: %s", path, strerror(errno));
	name_end = strrchr(text, ')');
	return name_end && name_end[2] == 'S';
}

/* Creates run->ready_path when all server workers sleep in accept(), then waits for --go. */
static void wait_blocked(const struct sf_run *run)
{
	struct sf_world *world = run->world;
	unsigned int nr =
		(unsigned int)(run->scenario->server_procs * run->scenario->server_threads);
	int fd;

	while (atomic_load(&world->nr_blocked) < nr)
		usleep(1000);
	for (unsigned int i = 0; i < nr; i++)
		while (!task_sleeps(atomic_load(&world->blocked_tid[i])))
			usleep(1000);
	fd = open(run->ready_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || close(fd))
		sf_die("%s: %s", run->ready_path, strerror(errno));
	fd = open(run->go_path, O_RDONLY | O_CLOEXEC); /* a fifo: waits for a writer */
	if (fd < 0 || close(fd))
		sf_die("%s: %s", run->go_path, strerror(errno));
}

pid_t sf_start_server(struct sf_run *run, int (*server)(struct sf_run *run, int index))
{
	pid_t pid = sf_spawn(server, run, 0);

	close(run->port_pipe[1]);
	if (read(run->port_pipe[0], &run->target.port, sizeof(run->target.port)) !=
	    sizeof(run->target.port))
		sf_die("the server did not come up");
	return pid;
}

int sf_run_pairs(struct sf_run *run)
{
	int nr = run->scenario->client_procs;
	pid_t pids[SF_MAX_WORKERS + 1];

	pids[nr] = sf_start_server(run, sf_server_main);
	if (run->scenario->flags & SF_F_BLOCKED)
		wait_blocked(run);
	for (int i = 0; i < nr; i++)
		pids[i] = sf_spawn(sf_client_main, run, i);
	sf_reap(pids, nr + 1);
	return 0;
}

static int number(const char *text, int min, int max)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*end || end == text || value < min || value > max)
		sf_die("not a number from %d to %d: %s", min, max, text);
	return (int)value;
}

enum option_kind { OPT_TEXT, OPT_ADDR, OPT_INT };

/* An option: which member of struct sf_run it sets; min and max of a number. */
struct option_row {
	const char *name;
	enum option_kind kind;
	size_t offset;
	int min;
	int max;
};

#define ROW(name, kind, member, min, max)                             \
	{                                                             \
		name, kind, offsetof(struct sf_run, member), min, max \
	}

static const struct option_row rows[] = {
	ROW("netns-client", OPT_TEXT, client_netns, 0, 0),
	ROW("netns-server", OPT_TEXT, server_netns, 0, 0),
	ROW("truth", OPT_TEXT, truth_path, 0, 0),
	ROW("ready", OPT_TEXT, ready_path, 0, 0),
	ROW("go", OPT_TEXT, go_path, 0, 0),
	ROW("cgroup", OPT_TEXT, cgroup_path, 0, 0),
	ROW("label", OPT_TEXT, label, 0, 0),
	ROW("address", OPT_ADDR, target, 0, 0),
	ROW("listen", OPT_ADDR, listen_on, 0, 0),
	ROW("port", OPT_INT, port, 0, 65535),
	ROW("bind-port", OPT_INT, bind_port, 1, 65535),
	ROW("count", OPT_INT, count, 1, 100000),
	ROW("rate", OPT_INT, rate_hz, 1, 1000000),
	ROW("seconds", OPT_INT, seconds, 1, 60),
	ROW("deadline", OPT_INT, deadline_s, 1, 600),
	ROW("rtt-us", OPT_INT, rtt_us, 0, 10000000),
	ROW("syn-retransmits", OPT_INT, syn_retransmits, 0, 20),
	ROW("synack-retransmits-min", OPT_INT, synack_retransmits_min, 0, 20),
	ROW("there-us", OPT_INT, there_us, 0, 1000000),
	ROW("back-us", OPT_INT, back_us, 0, 1000000),
	ROW("lose-syn-port", OPT_INT, lose_syn_port, 0, 65535),
	ROW("lose-synack-port", OPT_INT, lose_synack_port, 0, 65535),
};

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

static void __attribute__((noreturn)) usage(void)
{
	fprintf(stderr, "usage: sfgen SCENARIO --truth FILE [options]\nscenarios:");
	for (size_t i = 0; i < NR_SCENARIOS; i++)
		fprintf(stderr, " %s", scenarios[i].name);
	fprintf(stderr, "\noptions:");
	for (size_t i = 0; i < NR_ROWS; i++)
		fprintf(stderr, " --%s", rows[i].name);
	fprintf(stderr, "\n");
	exit(2);
}

static void set_option(struct sf_run *run, const struct option_row *row, const char *arg)
{
	void *member = (char *)run + row->offset;

	switch (row->kind) {
	case OPT_TEXT:
		*(const char **)member = arg;
		break;
	case OPT_ADDR:
		sf_addr_parse(arg, member);
		break;
	case OPT_INT:
		*(int *)member = number(arg, row->min, row->max);
		break;
	}
}

static void parse_options(struct sf_run *run, int argc, char **argv)
{
	struct option options[NR_ROWS + 1] = {};
	int key;

	for (size_t i = 0; i < NR_ROWS; i++)
		options[i] = (struct option){ rows[i].name, required_argument, NULL, (int)i };
	while ((key = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (key < 0 || key >= (int)NR_ROWS)
			usage();
		set_option(run, &rows[key], optarg);
	}
}

static void check_options(const struct sf_run *run)
{
	unsigned int flags = run->scenario->flags;

	if (!run->truth_path && !(flags & SF_F_NO_TRUTH))
		sf_die("--truth is needed");
	if ((flags & SF_F_BLOCKED || run->scenario->run == sf_run_relay) && !run->ready_path)
		sf_die("--ready is needed");
	if (run->scenario->run == sf_run_forbid && !run->cgroup_path)
		sf_die("--cgroup is needed");
	if (flags & SF_F_BLOCKED && !run->go_path)
		sf_die("--go is needed");
}

static void parse(struct sf_run *run, int argc, char **argv)
{
	run->deadline_s = DEADLINE_S;
	run->bind_port = BIND_PORT;
	run->seconds = 1;
	run->syn_retransmits = -1;
	sf_addr_parse("127.0.0.1", &run->target);
	sf_addr_parse("::", &run->listen_on);
	parse_options(run, argc, argv);
	for (size_t i = 0; optind < argc && i < NR_SCENARIOS; i++)
		if (!strcmp(argv[optind], scenarios[i].name))
			run->scenario = &scenarios[i];
	if (!run->scenario || optind + 1 != argc)
		usage();
	check_options(run);
	if (!run->count)
		run->count = run->scenario->count;
	if (!run->label)
		run->label = run->scenario->name;
	run->listen_on.port = run->target.port = (uint16_t)run->port;
}

static void write_truth(const struct sf_run *run)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		sf_die("open_memstream: %s", strerror(errno));
	sf_truth_clock(out);
	sf_truth_ends(out, run);
	if (fclose(out))
		sf_die("open_memstream: %s", strerror(errno));
	sf_truth_append(run->truth_path, text, len);
	free(text);
}

int main(int argc, char **argv)
{
	struct sf_run run = {};
	int r;

	parse(&run, argc, argv);
	run.world = sf_world_new((uint32_t)(2 * run.count + ENDS_SPARE));
	if (pipe2(run.port_pipe, O_CLOEXEC) || pipe2(run.note_pipe, O_CLOEXEC))
		sf_die("pipe: %s", strerror(errno));
	signal(SIGPIPE, SIG_IGN);
	r = run.scenario->run(&run);
	if (!r && !(run.scenario->flags & SF_F_NO_TRUTH))
		write_truth(&run);
	return r;
}
