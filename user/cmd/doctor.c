// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * synfin doctor: what this kernel allows, what is lost by what it does not,
 * and a proof: one real connection on loopback, traced and checked.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/log.h"
#include "bpf/story.h"
#include "cmd/cmd.h"
#include "cmd/selftest.h"
#include "cmd/start.h"
#include "cmd/stdio.h"
#include "sink/sink.h"
#include "view/view.h"

static void print_ways(const struct sf_caps *caps)
{
	puts("\nWays to attach, each tried:");
	for (int i = SF_ATTACH_TP; i < SF_ATTACH_NR; i++)
		printf("  %-12s %s%s%s\n", sf_attach_names[i], caps->can_attach[i] ? "yes" : "no",
		       caps->can_attach[i] ? "" : ": ",
		       caps->can_attach[i] ? "" : strerror(-caps->attach_err[i]));
}

static void print_sinks(void)
{
	const char *name, *lacks;

	puts("\nSinks of serve:");
	for (size_t i = 0; (name = sf_sink_kind_name(i, &lacks)); i++)
		printf("  %-12s %s%s\n", name, lacks ? "no: " : "yes", lacks ? lacks : "");
}

static void print_hooks(const struct sf_plan *plan)
{
	puts("\nHooks:");
	for (int i = 0; i < SF_HOOK_NR; i++) {
		const struct sf_hook_alt *alt = sf_plan_alt(plan, i);

		if (alt)
			printf("  %-14s %s %s\n                 %s\n", sf_hooks[i].name,
			       sf_attach_names[alt->attach], alt->target, sf_hooks[i].gives);
		else
			printf("  %-14s none; lost:\n                 %s\n", sf_hooks[i].name,
			       sf_hooks[i].lost);
	}
	printf("\nTier: %s\n", sf_tier_names[sf_plan_tier(plan)]);
}

static int ignore_record(void *ctx, void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
	return 0;
}

/* Loads and attaches once to see which hooks hold. */
static int check_hooks(const struct sf_options *options)
{
	const struct sf_want want = { .facts = SF_WANT_ALL };
	const struct sf_cut cut = {};
	struct sf_tracer *tracer;
	uint64_t start_ns = sf_boottime_ns();
	int r;

	r = sf_start_tracer(options, &cut, want, ignore_record, NULL, &tracer);
	if (r)
		return r;
	print_hooks(sf_tracer_plan(tracer));
	printf("Loaded and attached in %" PRIu64 " ms\n",
	       (uint64_t)((sf_boottime_ns() - start_ns) / 1000000));
	sf_tracer_free(tracer);
	return SF_EXIT_OK;
}

/* After each part, so that nothing is tried for a reader that went away or a full device. */
static int check_stdout(bool *is_gone)
{
	int r = sf_stdout_flush();

	*is_gone = r == -EPIPE;
	if (!r || *is_gone)
		return SF_EXIT_OK;
	return sf_err(SF_EXIT_FAILURE, "cannot write to standard output: %s", strerror(-r));
}

static int run(const struct sf_options *options, int argc, const char *const *argv)
{
	struct utsname uts;
	struct sf_caps caps;
	bool is_gone;
	int r;

	(void)argv;
	if (argc)
		return sf_err(SF_EXIT_USAGE, "doctor takes no operand");
	if (options->format != SF_FORMAT_TABLE || options->duration_ns || options->count ||
	    options->write_path || options->read_path || sf_options_has_filter(options))
		return sf_err(
			SF_EXIT_USAGE,
			"doctor takes no -o, -d, -C, -w, -r, and none that choose connections");
	r = sf_start_caps(&caps);
	if (r)
		return r;
	if (!uname(&uts))
		printf("Kernel: %s %s, with BTF\n", uts.release, uts.machine);
	print_ways(&caps);
	print_sinks();
	sf_caps_clear(&caps);
	r = check_stdout(&is_gone);
	if (r || is_gone)
		return r;
	r = check_hooks(options);
	if (r)
		return r;
	r = check_stdout(&is_gone);
	if (r || is_gone)
		return r;
	return sf_selftest(options);
}

const struct sf_cmd sf_cmd_doctor = {
	.name = "doctor",
	.summary = "what this kernel allows, what is lost by it, and a self-test",
	.run = run,
};
