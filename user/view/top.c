// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rows are matched with those of the look before by their id, sorted by it for
 * that; then they are brought into the order of the screen.
 */
#include "view/top.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"

static const char *const order_names[] = {
	[SF_TOP_TRAFFIC] = "traffic",	  [SF_TOP_AGE] = "age",		[SF_TOP_STATE] = "state",
	[SF_TOP_HANDSHAKE] = "handshake", [SF_TOP_PROCESS] = "process",
};
_Static_assert(ARRAY_SIZE(order_names) == SF_TOP_ORDER_NR, "a name per order");

/* As a connection goes through them; of the wire's two names of SYN_RECV one is used. */
static const uint8_t state_order[] = {
	SF_TCP_LISTEN,	   SF_TCP_SYN_SENT,  SF_TCP_SYN_RECV,  SF_TCP_ESTABLISHED,
	SF_TCP_CLOSE_WAIT, SF_TCP_LAST_ACK,  SF_TCP_FIN_WAIT1, SF_TCP_FIN_WAIT2,
	SF_TCP_CLOSING,	   SF_TCP_TIME_WAIT, SF_TCP_CLOSE,
};

const char *sf_top_order_name(enum sf_top_order order)
{
	return order_names[order];
}

void sf_top_clear(struct sf_top *top)
{
	free(top->rows);
	*top = (struct sf_top){ .order = top->order, .is_reversed = top->is_reversed };
}

/* ---- orders ---- */

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* The largest first, what is not known last. */
static int compare_known(uint64_t a, uint64_t b)
{
	if ((a == SF_TOP_UNKNOWN) != (b == SF_TOP_UNKNOWN))
		return a == SF_TOP_UNKNOWN ? 1 : -1;
	return compare_u64(b, a);
}

static int compare_ids(const void *a, const void *b)
{
	const struct sf_top_row *x = a, *y = b;

	return compare_u64(x->id, y->id);
}

/* Ties are broken by id, or rows would dance from look to look. */
static int tie(const struct sf_top_row *x, const struct sf_top_row *y, int r)
{
	return r ? r : compare_u64(x->id, y->id);
}

static int compare_traffic(const void *a, const void *b)
{
	const struct sf_top_row *x = a, *y = b;
	int r = compare_known(x->bytes_per_s, y->bytes_per_s);

	return tie(x, y, r ? r : compare_u64(y->bytes, x->bytes));
}

static int compare_age(const void *a, const void *b)
{
	const struct sf_top_row *x = a, *y = b;

	return tie(x, y, compare_known(x->age_ns, y->age_ns));
}

static int compare_handshake(const void *a, const void *b)
{
	const struct sf_top_row *x = a, *y = b;

	return tie(x, y, compare_known(x->handshake_ns, y->handshake_ns));
}

static size_t rank_of(uint8_t state)
{
	size_t rank = 0;

	while (rank < ARRAY_SIZE(state_order) && state_order[rank] != state)
		rank++;
	return rank;
}

static int compare_state(const void *a, const void *b)
{
	const struct sf_top_row *x = a, *y = b;

	if (x->is_stuck != y->is_stuck)
		return x->is_stuck ? -1 : 1;
	return tie(x, y, compare_u64(rank_of(x->state), rank_of(y->state)));
}

static int compare_process(const void *a, const void *b)
{
	const struct sf_top_row *x = a, *y = b;
	int r;

	if (!x->pid != !y->pid)
		return x->pid ? -1 : 1;
	r = memcmp(x->comm, y->comm, sizeof(x->comm));
	return tie(x, y, r ? r : compare_u64(x->pid, y->pid));
}

static void sort(struct sf_top *top)
{
	static int (*const orders[])(const void *, const void *) = {
		[SF_TOP_TRAFFIC] = compare_traffic, [SF_TOP_AGE] = compare_age,
		[SF_TOP_STATE] = compare_state,	    [SF_TOP_HANDSHAKE] = compare_handshake,
		[SF_TOP_PROCESS] = compare_process,
	};
	_Static_assert(ARRAY_SIZE(orders) == SF_TOP_ORDER_NR, "a comparison per order");

	if (!top->nr)
		return;
	qsort(top->rows, top->nr, sizeof(*top->rows), orders[top->order]);
	for (size_t i = 0, k = top->nr - 1; top->is_reversed && i < k; i++, k--) {
		struct sf_top_row row = top->rows[i];

		top->rows[i] = top->rows[k];
		top->rows[k] = row;
	}
}

/* ---- looks ---- */

static uint64_t picked_id(const struct sf_top *top)
{
	return top->picked < top->nr ? top->rows[top->picked].id : 0;
}

static bool pick(struct sf_top *top, uint64_t id)
{
	for (size_t i = 0; i < top->nr; i++) {
		if (top->rows[i].id != id)
			continue;
		top->picked = i;
		return true;
	}
	return false;
}

/* A row that has gone leaves its place picked. */
static void keep_picked(struct sf_top *top, uint64_t id)
{
	if (!top->is_following)
		top->picked = 0;
	else if (!pick(top, id) && top->picked >= top->nr)
		top->picked = top->nr ? top->nr - 1 : 0;
}

/* A counter of 64 bits may make any leap. */
static uint64_t rate_of(uint64_t bytes, uint64_t elapsed_ns)
{
	double rate = (double)bytes * SF_NS_PER_S / (double)elapsed_ns;

	return rate < 1e19 ? (uint64_t)rate : SF_TOP_UNKNOWN - 1;
}

static void fill_rates(const struct sf_top_row *before, size_t nr_before, struct sf_top_row *rows,
		       size_t nr, uint64_t elapsed_ns)
{
	for (size_t i = 0; i < nr; i++) {
		const struct sf_top_row *old = NULL;

		rows[i].bytes_per_s = SF_TOP_UNKNOWN;
		if (nr_before)
			old = bsearch(&rows[i], before, nr_before, sizeof(*before), compare_ids);
		if (!elapsed_ns || !old || rows[i].bytes == SF_TOP_UNKNOWN ||
		    old->bytes == SF_TOP_UNKNOWN || rows[i].bytes < old->bytes)
			continue;
		rows[i].bytes_per_s = rate_of(rows[i].bytes - old->bytes, elapsed_ns);
	}
}

void sf_top_update(struct sf_top *top, struct sf_top_row *rows, size_t nr, uint64_t elapsed_ns)
{
	uint64_t id = picked_id(top);

	if (top->nr)
		qsort(top->rows, top->nr, sizeof(*top->rows), compare_ids);
	fill_rates(top->rows, top->nr, rows, nr, elapsed_ns);
	free(top->rows);
	top->rows = rows;
	top->nr = nr;
	sort(top);
	keep_picked(top, id);
}

void sf_top_reorder(struct sf_top *top, enum sf_top_order order, bool is_reversed)
{
	uint64_t id = picked_id(top);

	top->order = order;
	top->is_reversed = is_reversed;
	sort(top);
	keep_picked(top, id);
}

void sf_top_move(struct sf_top *top, long by)
{
	size_t last = top->nr ? top->nr - 1 : 0;

	top->is_following = true;
	if (by < 0)
		top->picked -= sf_min_size(top->picked, (size_t)0 - (size_t)by);
	else
		top->picked += sf_min_size(last - top->picked, (size_t)by);
}

void sf_top_home(struct sf_top *top)
{
	top->is_following = false;
	top->picked = 0;
}

void sf_top_scroll(struct sf_top *top, size_t height)
{
	size_t most = top->nr > height ? top->nr - height : 0;

	if (top->picked < top->first)
		top->first = top->picked;
	else if (height && top->picked - top->first >= height)
		top->first = top->picked - height + 1;
	top->first = sf_min_size(top->first, most);
}

/* ---- above the rows ---- */

/* Adds to a line what fits. */
__attribute__((format(printf, 2, 3))) static void put(char text[SF_TOP_LINE_SIZE], const char *fmt,
						      ...)
{
	size_t len = strlen(text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(text + len, SF_TOP_LINE_SIZE - len, fmt, args);
	va_end(args);
}

void sf_top_line_sums(const struct sf_top_sums *sums, char text[SF_TOP_LINE_SIZE])
{
	char p50[SF_TIME_STRLEN], p99[SF_TIME_STRLEN];

	text[0] = '\0';
	put(text, "%" PRIu64 " connection%s, %" PRIu64 " stuck", sums->nr_shown,
	    sums->nr_shown == 1 ? "" : "s", sums->nr_stuck);
	if (sums->nr_stuck_listeners)
		put(text, ", %" PRIu64 " stuck listener%s", sums->nr_stuck_listeners,
		    sums->nr_stuck_listeners == 1 ? "" : "s");
	if (sums->nr_lost)
		put(text, ", %" PRIu64 " LOST", sums->nr_lost);
	if (sums->closed_per_s != SF_TOP_UNKNOWN)
		put(text, " - host: %" PRIu64 " ends closed/s, %" PRIu64 " failed/s",
		    sums->closed_per_s, sums->failed_per_s);
	if (sums->handshake_p50_us != SF_TOP_UNKNOWN)
		put(text, ", handshake p50 %s p99 %s",
		    sf_duration_format(sums->handshake_p50_us * 1000, p50),
		    sf_duration_format(sums->handshake_p99_us * 1000, p99));
}

void sf_top_line_states(const struct sf_top_sums *sums, char text[SF_TOP_LINE_SIZE])
{
	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(state_order); i++)
		if (sums->nr_by_state[state_order[i]])
			put(text, "%s%s %" PRIu64, text[0] ? "  " : "",
			    sf_state_label(state_order[i]), sums->nr_by_state[state_order[i]]);
}
