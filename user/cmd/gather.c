// SPDX-License-Identifier: GPL-2.0-or-later
/* A short trace whose events are counted, not shown. */
#include "cmd/gather.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/signals.h"
#include "cmd/start.h"
#include "story/reader.h"

#define TICK_MS 20

struct gather {
	struct sf_reader reader;
	const struct sf_gather_calls *calls;
	void *ctx;
	uint64_t begin_ns; /* before it the stories were incomplete; 0 = they need not be */
};

static int on_record(void *ctx, void *data, size_t size)
{
	struct gather *gather = ctx;
	const struct sf_event *event;

	if (!sf_reader_read(&gather->reader, data, size, &event) &&
	    event->time_ns >= gather->begin_ns)
		gather->calls->event(gather->ctx, event);
	return 0;
}

static int run(struct sf_tracer *tracer, const struct sf_options *options, int signal_fd,
	       uint64_t *ret_ns)
{
	struct pollfd fds = { .fd = signal_fd, .events = POLLIN };
	uint64_t begin_ns = sf_boottime_ns(), now_ns = begin_ns;
	int r = 0;

	while (r >= 0 && now_ns - begin_ns < options->duration_ns && !sf_signals_stop()) {
		poll(&fds, 1, TICK_MS);
		r = sf_tracer_consume(tracer);
		now_ns = sf_boottime_ns();
	}
	sf_tracer_detach(tracer);
	*ret_ns = now_ns - begin_ns;
	if (r >= 0)
		r = sf_tracer_consume(tracer);
	return r < 0 ? r : 0;
}

static bool has_hooks(const struct sf_plan *plan, enum sf_hook_id one, enum sf_hook_id other)
{
	return !sf_plan_misses(plan, one) && !sf_plan_misses(plan, other);
}

static void ask_plan(const struct sf_plan *plan, struct sf_gathered *ret)
{
	ret->tells_syn_drops = has_hooks(plan, SF_HOOK_SYN_ASKED, SF_HOOK_SYN_ANSWERED);
	ret->tells_ack_drops = has_hooks(plan, SF_HOOK_LAST_ACK4, SF_HOOK_LAST_ACK6);
	ret->tells_half_open = has_hooks(plan, SF_HOOK_REQUEST_END4, SF_HOOK_REQUEST_END6) &&
			       has_hooks(plan, SF_HOOK_SYN, SF_HOOK_REQUEST_DROP);
	/* That one has no listener at hand: bpf/open.bpf.h on_accept(). */
	ret->tells_queues = sf_plan_alt(plan, SF_HOOK_ACCEPT) &&
			    !sf_plan_uses(plan, "graft_kprobe");
}

static int seed(struct sf_tracer *tracer, struct gather *gather)
{
	int r = gather->calls->seeded ? sf_tracer_seed(tracer) : 0;

	if (r && r != -EOPNOTSUPP && r != -EPERM)
		return r;
	if (!gather->calls->seeded)
		return 0;
	gather->begin_ns = sf_boottime_ns();
	gather->calls->seeded(gather->ctx, tracer);
	return 0;
}

/* A step that the kernel skipped is one too few; what did not fit may be most of them. */
static bool tell_losses(const struct sf_losses *losses)
{
	bool is_whole = losses->lost_total == losses->lost_nested;

	if (!losses->lost_total)
		return true;
	sf_warn("%" PRIu64 " events were lost: %s", losses->lost_total,
		is_whole ? "what is counted is too low" :
			   "nothing that was counted is shown (raise --buffer or "
			   "--max-connections)");
	return is_whole;
}

int sf_gather(const struct sf_options *options, uint32_t kinds, const struct sf_gather_calls *calls,
	      void *ctx, struct sf_gathered *ret)
{
	struct gather gather = { .calls = calls, .ctx = ctx };
	const struct sf_cut cut = {};
	struct sf_losses losses;
	struct sf_tracer *tracer;
	int r, signal_fd = sf_signals_init();

	if (signal_fd < 0)
		return sf_err(SF_EXIT_FAILURE, "cannot handle signals: %s", strerror(-signal_fd));
	sf_reader_init(&gather.reader);
	r = sf_start_tracer(options, &cut, (struct sf_want){ .kinds = kinds }, on_record, &gather,
			    &tracer);
	if (r)
		return r;
	ask_plan(sf_tracer_plan(tracer), ret);
	r = seed(tracer, &gather);
	if (!r)
		r = run(tracer, options, signal_fd, &ret->ns);
	if (!r)
		r = sf_tracer_losses(tracer, &losses);
	if (!r)
		ret->is_whole = tell_losses(&losses);
	sf_tracer_free(tracer);
	return r ? sf_err(SF_EXIT_FAILURE, "tracing failed: %s", strerror(-r)) : SF_EXIT_OK;
}
