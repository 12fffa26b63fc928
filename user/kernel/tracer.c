// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loading and attaching. One program that the kernel refuses fails the whole
 * object, so this goes in rounds: plan, load, attach; whatever was refused is
 * struck off and the next alternative is planned, until a plan holds.
 */
#include "kernel/tracer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "kernel/missed.h"
#include "kernel/netns.h"
#include "kernel/refusal.h"
#include "synfin.skel.h"

#define LOG_BYTES 65536 /* untouched unless a program is refused */
#define LOG_LINES 40	/* of it that are shown */
/* One hook struck off per round at most, so this many always suffice. */
#define MAX_ROUNDS (SF_HOOK_NR * SF_HOOK_ALTS)

struct sf_tracer {
	struct synfin_bpf *skel;
	struct ring_buffer *ring;
	struct sf_plan plan;
	struct sf_usable usable;
	struct bpf_link *links[SF_HOOK_NR];
	uint64_t kprobes_missed; /* by those that are detached */
	int nr_cpus;
	uint64_t *percpu;	 /* scratch: one counter's value on each CPU */
	char (*logs)[LOG_BYTES]; /* the verifier's, one per program of the object */
};

static void strike_off(struct sf_usable *usable, const char *prog)
{
	for (int i = 0; i < SF_HOOK_NR; i++)
		for (int k = 0; k < SF_HOOK_ALTS; k++)
			if (sf_hooks[i].alts[k].prog && !strcmp(sf_hooks[i].alts[k].prog, prog))
				usable->alt[i][k] = false;
}

static void find_usable(const struct sf_caps *caps, struct sf_usable *ret)
{
	for (int i = 0; i < SF_HOOK_NR; i++)
		for (int k = 0; k < SF_HOOK_ALTS; k++) {
			const struct sf_hook_alt *alt = &sf_hooks[i].alts[k];

			ret->alt[i][k] = alt->prog && caps->can_attach[alt->attach] &&
					 sf_caps_has_target(caps, alt);
		}
}

/*
 * Stories move into timewait sockets if each way to their end is seen. A timer alone shows only
 * one of them: then the close event does not wait.
 */
static void set_wait_config(const struct sf_plan *plan, struct sf_config *ret)
{
	static const enum sf_hook_id hooks[] = { SF_HOOK_TIME_WAIT,	SF_HOOK_WAIT_BEGIN,
						 SF_HOOK_WAIT_FIN,	SF_HOOK_WAIT_SEGMENT,
						 SF_HOOK_WAIT_ANSWERED, SF_HOOK_WAIT_EXPIRED,
						 SF_HOOK_WAIT_END };
	bool has_all = true, has_timer = true;

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		const struct sf_hook_alt *alt = sf_plan_alt(plan, hooks[i]);

		has_all &= alt && alt->attach != SF_ATTACH_TP;
		if (hooks[i] == SF_HOOK_WAIT_BEGIN || hooks[i] == SF_HOOK_WAIT_EXPIRED)
			has_timer &= alt && alt->attach == SF_ATTACH_TP;
	}
	ret->has_wait_hooks = has_all;
	ret->has_wait_timer = has_timer;
}

static void set_config(struct synfin_bpf *skel, const struct sf_caps *caps,
		       const struct sf_plan *plan, const struct sf_tracer_opts *opts)
{
	struct sf_config *config = (struct sf_config *)&skel->rodata->config;

	config->cut = opts->cut;
	config->want_kinds = opts->want.kinds;
	config->wake_bytes = opts->ring_bytes / 4;
	config->max_seeded = opts->max_stories - opts->max_stories / 4;
	config->has_tcp_connect = plan->choice[SF_HOOK_CONNECT] >= 0;
	config->has_connect_end = plan->choice[SF_HOOK_CONNECT_END] >= 0;
	config->want_steps = opts->want.facts & SF_WANT_STEPS;
	config->has_cookie_helper = caps->has_cookie_helper;
	config->has_task_regs = caps->has_task_regs;
	config->has_retransmits = plan->choice[SF_HOOK_RETRANSMIT] >= 0;
	config->has_retransmit_err = caps->has_retransmit_err;
	set_wait_config(plan, config);
}

/*
 * TIME_WAIT lasts a minute, an orphan's FIN_WAIT2 mostly milliseconds. By its timer each wait is
 * followed to its end, whether anybody wants that or only the begin.
 */
static uint32_t max_waits(const struct sf_tracer *tracer, const struct sf_tracer_opts *opts)
{
	const struct sf_hook_alt *begin = sf_plan_alt(&tracer->plan, SF_HOOK_WAIT_BEGIN);

	if (opts->want.kinds & 1U << SF_EV_TIME_WAIT_END ||
	    (begin && begin->attach == SF_ATTACH_TP))
		return opts->max_stories;
	return opts->max_stories / 4;
}

/* Opens the object with the plan's programs on, each with a log of its own. */
static int open_object(struct sf_tracer *tracer, const struct sf_caps *caps,
		       const struct sf_tracer_opts *opts)
{
	struct bpf_program *prog;
	int r, n = 0;

	tracer->skel = synfin_bpf__open();
	if (!tracer->skel)
		return -errno;
	set_config(tracer->skel, caps, &tracer->plan, opts);
	r = bpf_map__set_max_entries(tracer->skel->maps.ring, opts->ring_bytes);
	if (!r)
		r = bpf_map__set_max_entries(tracer->skel->maps.stories, opts->max_stories);
	if (!r)
		r = bpf_map__set_max_entries(tracer->skel->maps.requests, opts->max_stories);
	if (!r)
		r = bpf_map__set_max_entries(tracer->skel->maps.listen_places, opts->max_stories);
	if (!r)
		r = bpf_map__set_max_entries(tracer->skel->maps.waits, max_waits(tracer, opts));
	if (r)
		return r;
	bpf_object__for_each_program(prog, tracer->skel->obj)
		n++;
	if (!tracer->logs)
		tracer->logs = calloc(n, LOG_BYTES);
	if (!tracer->logs)
		return -ENOMEM;
	n = 0;
	bpf_object__for_each_program(prog, tracer->skel->obj) {
		tracer->logs[n][0] = '\0';
		bpf_program__set_autoload(prog,
					  sf_plan_uses(&tracer->plan, bpf_program__name(prog)));
		bpf_program__set_log_buf(prog, tracer->logs[n++], LOG_BYTES);
	}
	return 0;
}

/* The program whose verifier log is not empty is the one that was refused. NULL: none was. */
static const char *refused_program(const struct sf_tracer *tracer)
{
	struct bpf_program *prog;
	int n = 0;

	bpf_object__for_each_program(prog, tracer->skel->obj)
		if (tracer->logs[n++][0] && bpf_program__autoload(prog))
			return bpf_program__name(prog);
	return NULL;
}

static void detach(struct sf_tracer *tracer)
{
	for (int i = 0; i < SF_HOOK_NR; i++) {
		if (!tracer->links[i])
			continue;
		tracer->kprobes_missed += sf_missed_by_kprobe(tracer->links[i]);
		bpf_link__destroy(tracer->links[i]);
		tracer->links[i] = NULL;
	}
}

static void close_object(struct sf_tracer *tracer)
{
	detach(tracer);
	synfin_bpf__destroy(tracer->skel);
	tracer->skel = NULL;
}

static struct bpf_link *attach_one(struct sf_tracer *tracer, struct bpf_program *prog, int hook)
{
	union bpf_iter_link_info info = {};
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));

	if (hook != SF_HOOK_UNTOLD)
		return bpf_program__attach(prog);
	info.map.map_fd = bpf_map__fd(tracer->skel->maps.stories);
	return bpf_program__attach_iter(prog, &opts);
}

/*
 * Attaches the plan's programs, the state hooks last: a story begins there, so
 * each that begins has all hooks. Programs on one tracepoint run in the order
 * in which they were attached (kernel/tracepoint.c func_add()). *ret_refused: the program that
 * failed.
 */
static int attach(struct sf_tracer *tracer, const char **ret_refused)
{
	const char *refused = NULL;
	int r = 0;

	for (int i = SF_HOOK_NR - 1; i >= 0 && !r; i--) {
		const struct sf_hook_alt *alt = sf_plan_alt(&tracer->plan, i);
		struct bpf_program *prog;
		bool is_attached = false;

		for (int k = SF_HOOK_NR - 1; alt && k > i; k--) {
			const struct sf_hook_alt *other = sf_plan_alt(&tracer->plan, k);

			is_attached |= other && !strcmp(other->prog, alt->prog);
		}
		if (!alt || is_attached)
			continue;
		refused = alt->prog;
		prog = bpf_object__find_program_by_name(tracer->skel->obj, alt->prog);
		if (!prog) {
			r = -ENOENT;
			break;
		}
		tracer->links[i] = attach_one(tracer, prog, i);
		if (!tracer->links[i])
			r = -errno;
	}
	if (r)
		*ret_refused = refused;
	return r;
}

/* One round: 0, or negative errno with *ret_refused set if a program is to blame. */
static int try_plan(struct sf_tracer *tracer, const struct sf_caps *caps,
		    const struct sf_tracer_opts *opts, const char **ret_refused)
{
	int r;

	*ret_refused = NULL;
	r = open_object(tracer, caps, opts);
	if (r)
		return r;
	r = synfin_bpf__load(tracer->skel);
	if (r) {
		*ret_refused = refused_program(tracer);
		return r;
	}
	return attach(tracer, ret_refused);
}

/* What the verifier found is at the end of its log. */
static void show_end(char *log)
{
	char *line = log + strlen(log), *rest;

	for (int nr = 0; line > log && nr <= LOG_LINES; line--)
		nr += line[-1] == '\n';
	for (rest = line; (line = strsep(&rest, "\n"));)
		if (*line)
			sf_dbg("%s", line);
}

/* For people who debug: why the verifier refused, as it says it. */
static void show_refusal(const struct sf_tracer *tracer, const char *refused, int r)
{
	struct bpf_program *prog;
	int n = 0;

	sf_dbg("hook program %s refused: %s", refused, strerror(-r));
	bpf_object__for_each_program(prog, tracer->skel->obj) {
		if (!strcmp(bpf_program__name(prog), refused))
			show_end(tracer->logs[n]);
		n++;
	}
}

static bool has_required_targets(const struct sf_caps *caps)
{
	for (int i = 0; i < SF_HOOK_NR; i++)
		if (sf_hooks[i].is_required && !sf_caps_has_target(caps, &sf_hooks[i].alts[0]))
			return false;
	return true;
}

static uint32_t wanted_facts(const struct sf_tracer_opts *opts)
{
	bool has_end = opts->want.kinds & 1U << SF_EV_TIME_WAIT_END;

	return opts->want.facts | (has_end ? SF_WANT_TIME_WAIT_END : 0);
}

static int load_in_rounds(struct sf_tracer *tracer, const struct sf_caps *caps,
			  const struct sf_tracer_opts *opts, char *err, size_t err_size)
{
	struct sf_refusal why = { .err = caps->attach_err[SF_ATTACH_TP],
				  .lacks_target = !has_required_targets(caps) };
	const char *refused;
	int r;

	for (int round = 0; round < MAX_ROUNDS; round++) {
		if (sf_plan_build(opts->tier, wanted_facts(opts), &tracer->usable, &tracer->plan))
			break;
		r = try_plan(tracer, caps, opts, &refused);
		if (!r)
			return 0;
		why.err = sf_caps_btf_err(r);
		snprintf(why.program, sizeof(why.program), "%s", refused ? refused : "");
		why.is_verifier = refused && !sf_is_shortage(r) &&
				  refused == refused_program(tracer);
		if (!refused || sf_is_shortage(r))
			break;
		show_refusal(tracer, refused, r);
		strike_off(&tracer->usable, refused);
		close_object(tracer);
	}
	r = sf_refusal_explain(&why, err, err_size);
	close_object(tracer);
	return r;
}

int sf_tracer_new(struct sf_tracer **ret, const struct sf_caps *caps,
		  const struct sf_tracer_opts *opts, sf_record_fn fn, void *ctx, char *err,
		  size_t err_size)
{
	struct sf_tracer *tracer = calloc(1, sizeof(*tracer));
	struct sf_refusal why = {};
	int r;

	if (!tracer)
		return -ENOMEM;
	tracer->nr_cpus = libbpf_num_possible_cpus();
	r = tracer->nr_cpus;
	if (r > 0) {
		tracer->percpu = calloc(r, sizeof(*tracer->percpu));
		r = tracer->percpu ? 0 : -ENOMEM;
	}
	if (r) {
		snprintf(err, err_size, "cannot start: %s", strerror(-r));
		goto fail;
	}
	find_usable(caps, &tracer->usable);
	r = load_in_rounds(tracer, caps, opts, err, err_size);
	if (r)
		goto fail;
	tracer->ring = ring_buffer__new(bpf_map__fd(tracer->skel->maps.ring), fn, ctx, NULL);
	if (!tracer->ring) {
		why.err = -errno;
		r = sf_refusal_explain(&why, err, err_size);
		goto fail;
	}
	*ret = tracer;
	return 0;
fail:
	sf_tracer_free(tracer);
	return r;
}

void sf_tracer_free(struct sf_tracer *tracer)
{
	if (!tracer)
		return;
	ring_buffer__free(tracer->ring);
	close_object(tracer);
	free(tracer->logs);
	free(tracer->percpu);
	free(tracer);
}

const struct sf_plan *sf_tracer_plan(const struct sf_tracer *tracer)
{
	return &tracer->plan;
}

int sf_tracer_wake_fd(const struct sf_tracer *tracer)
{
	return bpf_map__fd(tracer->skel->maps.ring);
}

/* Lets an iterator's program see all there is: it does the work, no bytes come. */
static int run_iterator(const struct bpf_link *link)
{
	char none[64];
	ssize_t n;
	int r = 0, fd;

	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return -errno;
	do
		n = read(fd, none, sizeof(none));
	while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	if (n < 0)
		r = -errno;
	close(fd);
	return r;
}

/* The iterator walks the sockets of the namespace it is made in. */
static int seed_here(void *ctx)
{
	const struct sf_tracer *tracer = ctx;
	struct synfin_bpf__bss *bss = tracer->skel->bss;

	if (!sf_netns_port_range(&bss->seed_port_min, &bss->seed_port_max))
		bss->seed_port_max = 0;
	return run_iterator(tracer->links[SF_HOOK_SEED]);
}

/* One walk for all network namespaces; it sees the processes of synfin's own pid namespace. */
static int find_holders(struct sf_tracer *tracer)
{
	int r;

	if (!tracer->links[SF_HOOK_HOLDER])
		return 0;
	r = run_iterator(tracer->links[SF_HOOK_HOLDER]);
	if (!r || sf_is_shortage(r))
		return r;
	sf_dbg("cannot walk the descriptors: %s", strerror(-r));
	tracer->plan.choice[SF_HOOK_HOLDER] = SF_CHOICE_NONE; /* as if it was not there */
	return 0;
}

int sf_tracer_seed(struct sf_tracer *tracer)
{
	size_t nr_missed;
	int r;

	if (!tracer->links[SF_HOOK_SEED])
		return -EOPNOTSUPP;
	r = sf_netns_each(seed_here, tracer, &nr_missed);
	if (r)
		return r;
	tracer->skel->bss->is_seeded = !nr_missed;
	r = find_holders(tracer);
	if (r)
		return r;
	return nr_missed ? -EPERM : 0;
}

int sf_tracer_story(const struct sf_tracer *tracer, uint64_t sk, struct sf_story *ret)
{
	struct sf_wait wait;
	int r = bpf_map_lookup_elem(bpf_map__fd(tracer->skel->maps.stories), &sk, ret);

	if (!r)
		return 0;
	r = bpf_map_lookup_elem(bpf_map__fd(tracer->skel->maps.waits), &sk, &wait);
	if (!r)
		*ret = wait.story;
	return r;
}

int sf_tracer_consume(struct sf_tracer *tracer)
{
	return ring_buffer__consume(tracer->ring);
}

void sf_tracer_detach(struct sf_tracer *tracer)
{
	if (tracer->links[SF_HOOK_UNTOLD] && run_iterator(tracer->links[SF_HOOK_UNTOLD]))
		sf_dbg("cannot walk the stories: %s", strerror(errno));
	detach(tracer);
}

int sf_tracer_waiting(struct sf_tracer *tracer, sf_record_fn fn, void *ctx)
{
	int fd = bpf_map__fd(tracer->skel->maps.waits);
	struct sf_event event = { .kind = SF_EV_CLOSE, .time_ns = sf_boottime_ns() };
	struct sf_wait wait;
	uint64_t key, *previous = NULL;
	int r = 0;

	while (!r && !bpf_map_get_next_key(fd, previous, &key)) {
		previous = &key;
		if (bpf_map_lookup_elem(fd, &key, &wait) ||
		    (wait.story.flags & (SF_F_ENDED | SF_F_MUTED)))
			continue;
		event.story = wait.story;
		event.state_prev = wait.story.state;
		event.story.cause = SF_CAUSE_FIN;
		event.story.flags |= SF_F_ENDED;
		r = fn(ctx, &event, sizeof(event));
	}
	return r;
}

static int read_counter(const struct sf_tracer *tracer, uint32_t counter, uint64_t *ret)
{
	uint64_t sum = 0;
	int r = bpf_map_lookup_elem(bpf_map__fd(tracer->skel->maps.counters), &counter,
				    tracer->percpu);

	if (r)
		return r;
	for (int i = 0; i < tracer->nr_cpus; i++)
		sum += tracer->percpu[i];
	*ret = sum;
	return 0;
}

/*
 * Of the state programs, which stand in for each other, what all of them missed is found out at the
 * next change of state (SF_CNT_LOST_STEP).
 */
static uint64_t count_nested(const struct sf_tracer *tracer)
{
	const struct synfin_bpf *skel = tracer->skel;
	struct bpf_program *prog;
	uint64_t sum = tracer->kprobes_missed;

	bpf_object__for_each_program(prog, skel->obj)
		if (prog != skel->progs.state_tp && prog != skel->progs.state_again_tp &&
		    prog != skel->progs.state_last_tp)
			sum += sf_missed_by_program(prog);
	for (int i = 0; i < SF_HOOK_NR; i++)
		if (tracer->links[i])
			sum += sf_missed_by_kprobe(tracer->links[i]);
	return sum;
}

int sf_tracer_losses(const struct sf_tracer *tracer, struct sf_losses *ret)
{
	struct sf_losses losses = {};
	int r = 0;

	for (uint32_t kind = 0; kind < SF_EV_NR && !r; kind++) {
		r = read_counter(tracer, SF_CNT_SENT + kind, &losses.sent[kind]);
		if (!r)
			r = read_counter(tracer, SF_CNT_LOST_RING + kind, &losses.lost_ring[kind]);
		losses.sent_total += losses.sent[kind];
		losses.lost_total += losses.lost_ring[kind];
	}
	if (!r)
		r = read_counter(tracer, SF_CNT_LOST_MAP, &losses.lost_map);
	if (!r)
		r = read_counter(tracer, SF_CNT_LOST_REQUEST, &losses.lost_requests);
	if (!r)
		r = read_counter(tracer, SF_CNT_LOST_STEP, &losses.lost_nested);
	if (!r)
		r = read_counter(tracer, SF_CNT_WAIT_REFUSED, &losses.waits_refused);
	if (r)
		return r;
	losses.lost_nested += count_nested(tracer);
	losses.lost_total += losses.lost_map + losses.lost_nested;
	*ret = losses;
	return 0;
}

static int try_losses(const void *ctx)
{
	struct sf_losses losses;

	return sf_tracer_losses(ctx, &losses);
}

int sf_tracer_drop_caps(const struct sf_tracer *tracer, uint64_t keep)
{
	return sf_caps_drop(keep, try_losses, tracer);
}
