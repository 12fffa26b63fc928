// SPDX-License-Identifier: GPL-2.0-or-later
/* A verdict as three lines of text and as JSON. */
#include "view/stuck.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "bpf/story.h"
#include "diagnose/diagnose.h"
#include "story/names.h"
#include "story/story.h"
#include "view/fields.h"

#define NS_PER_MS 1000000ULL
#define HOLDERS_SHOWN 3
#define HOLDERS_MAX 16 /* in JSON, as the schema has it */
#define COMM_STRLEN 64 /* 16 bytes of anything, made safe */

static const char *const change_names[] = { NULL, "begun", "ended" };

struct text {
	char *buf;
	size_t size;
	size_t len;
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	if (t->len >= t->size)
		return;
	va_start(args, fmt);
	n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, args);
	va_end(args);
	if (n > 0)
		t->len += (size_t)n;
	if (t->len >= t->size)
		t->len = t->size - 1;
}

static const char *duration(uint64_t ms, char buf[SF_TIME_STRLEN])
{
	return sf_duration_format(ms * NS_PER_MS, buf);
}

static void add_process(struct text *t, uint32_t pid, const uint8_t *comm)
{
	char name[COMM_STRLEN];

	add(t, "%" PRIu32, pid);
	if (!comm)
		return;
	sf_text_safe(name, sizeof(name), comm, SF_COMM_LEN);
	add(t, "/%s", name);
}

static void add_listener(struct text *t, const struct sf_who *who)
{
	add(t, "listener ");
	add_process(t, who->pid, who->comm);
	if (who->nr_processes > 1)
		add(t, ",+%" PRIu32, who->nr_processes - 1);
}

/* Every process once, as many as there is room for; first who is named. */
static void add_holders(struct text *t, const struct sf_stuck_view *view)
{
	const struct sf_case *c = view->c;
	uint32_t nr_shown = 0;

	if (c->who.pid) {
		add(t, "  ");
		add_process(t, c->who.pid, c->who.comm);
		nr_shown++;
	}
	for (size_t i = 0; i < view->nr_holders && nr_shown < HOLDERS_SHOWN; i++) {
		const struct sf_holder *holder = &view->holders[i];

		if (holder->pid == c->who.pid || (i && holder->pid == holder[-1].pid))
			continue;
		add(t, "%s", nr_shown ? "," : "  ");
		add_process(t, holder->pid, holder->comm);
		nr_shown++;
	}
	if (c->who.nr_processes > nr_shown)
		add(t, ",+%" PRIu32, c->who.nr_processes - nr_shown);
	if (nr_shown)
		return;
	if (c->sock->flags & SF_SK_ORPHAN)
		add(t, "  no process");
	else if (c->listener_who.pid && (c->sock->flags & SF_SK_UNACCEPTED)) {
		add(t, "  ");
		add_listener(t, &c->listener_who);
	}
}

static void add_ends(struct text *t, const struct sf_story *s)
{
	char buf[SF_ENDPOINT_STRLEN];

	add(t, "  %s", sf_endpoint_format(s->local_addr, s->local_port, buf));
	if (s->role == SF_ROLE_LISTENER)
		return;
	add(t, " %s", s->role == SF_ROLE_CLIENT ? "->" : s->role == SF_ROLE_SERVER ? "<-" : "--");
	add(t, " %s", sf_endpoint_format(s->peer_addr, s->peer_port, buf));
}

static void add_what(struct text *t, const struct sf_stuck_view *view)
{
	const struct sf_verdict *v = view->verdict;
	char age[SF_TIME_STRLEN];

	if (view->change)
		add(t, "%s ", view->change == SF_STUCK_BEGUN ? "+" : "-");
	/* Of a destination all sockets are meant, whatever their states. */
	add(t, "%-10s",
	    v->rule == &sf_rule_ports ? "PORTS" : sf_state_label(view->line->event->story.state));
	if (v->has_age)
		add(t, " %s%s", v->is_age_minimum ? ">" : "", duration(v->age_ms, age));
	if (v->rule->is_notice)
		add(t, "  notice");
	else
		add(t, "  %s (%s)", sf_blame_name(v->rule->blame),
		    sf_confidence_name(sf_verdict_confidence(v)));
	add_ends(t, &view->line->event->story);
	add_holders(t, view);
	if (view->nr_more)
		add(t, "  +%zu alike", view->nr_more);
	add(t, "\n");
}

static const char *number(const struct sf_evidence *e, char buf[SF_TIME_STRLEN])
{
	const char *name;

	switch (sf_evidence_kinds[e->id].unit) {
	case SF_UNIT_MS:
		return duration(e->value, buf);
	case SF_UNIT_ERRNO:
		name = sf_errno_name((unsigned int)e->value, buf);
		return name ? name : "0";
	default:
		snprintf(buf, SF_TIME_STRLEN, "%" PRIu64, e->value);
		return buf;
	}
}

_Static_assert(SF_ERRNO_STRLEN <= SF_TIME_STRLEN, "an errno's name fits where a time does");

static void add_evidence(struct text *t, const struct sf_evidence *e)
{
	const char *label = sf_evidence_kinds[e->id].label;
	const char *place = strstr(label, "%s");
	char buf[SF_TIME_STRLEN];

	if (!place) {
		add(t, "%s", label);
		return;
	}
	add(t, "%.*s%s%s", (int)(place - label), label, number(e, buf), place + 2);
}

static void add_why(struct text *t, const struct sf_stuck_view *view)
{
	const struct sf_verdict *v = view->verdict;
	const struct sf_case *c = view->c;

	add(t, "  why  %s", v->rule->what);
	for (size_t i = 0; i < v->nr_evidence; i++) {
		add(t, "%s", i ? ", " : ": ");
		add_evidence(t, &v->evidence[i]);
	}
	if (c->peer_who.pid) {
		add(t, "; other end held by ");
		add_process(t, c->peer_who.pid, c->peer_who.comm);
	}
	if (c->listener_who.pid && c->sock->state == SF_TCP_SYN_SENT) {
		add(t, "; ");
		add_listener(t, &c->listener_who);
	}
	if (v->rule->sides[0])
		add(t, "; either %s, or %s", v->rule->sides[0], v->rule->sides[1]);
	add(t, "\n");
}

size_t sf_stuck_draw(const struct sf_stuck_view *view, char *buf, size_t size)
{
	struct text t = { .buf = buf, .size = size };

	add_what(&t, view);
	if (view->change == SF_STUCK_ENDED)
		return t.len;
	add_why(&t, view);
	add(&t, "  do   %s\n", view->verdict->advice);
	return t.len;
}

static void put_comm(struct sf_json *j, const char *key, const uint8_t *comm)
{
	size_t len = comm ? strnlen((const char *)comm, SF_COMM_LEN) : 0;

	if (len)
		sf_json_strn(j, key, comm, len);
}

void sf_fields_holders(struct sf_json *j, const struct sf_holder *holders, size_t nr)
{
	/* One holder is the process_* fields. */
	if (nr < 2)
		return;
	sf_json_array_begin(j, "process_holders");
	for (size_t i = 0; i < nr && i < HOLDERS_MAX; i++) {
		sf_json_object_begin(j, NULL);
		sf_json_u64(j, "pid", holders[i].pid);
		sf_json_u64(j, "fd", holders[i].fd);
		put_comm(j, "executable_name", holders[i].comm);
		sf_json_object_end(j);
	}
	sf_json_array_end(j);
}

static void put_evidence(struct sf_json *j, const struct sf_verdict *v)
{
	char text[SF_ERRNO_STRLEN];

	sf_json_object_begin(j, "stuck_evidence");
	for (size_t i = 0; i < v->nr_evidence; i++) {
		const struct sf_evidence_kind *kind = &sf_evidence_kinds[v->evidence[i].id];

		if (kind->unit == SF_UNIT_ERRNO)
			sf_json_str(j, kind->name,
				    sf_errno_name((unsigned int)v->evidence[i].value, text));
		else if (kind->unit == SF_UNIT_FLAG)
			sf_json_bool(j, kind->name, v->evidence[i].value);
		else
			sf_json_u64(j, kind->name, v->evidence[i].value);
	}
	sf_json_object_end(j);
}

static void put_verdict(struct sf_json *j, const struct sf_stuck_view *view)
{
	const struct sf_verdict *v = view->verdict;

	sf_json_str(j, "stuck_rule", v->rule->name);
	sf_json_str(j, "stuck_blame", sf_blame_name(v->rule->blame));
	sf_json_str(j, "stuck_confidence", sf_confidence_name(sf_verdict_confidence(v)));
	if (v->rule->is_notice)
		sf_json_bool(j, "stuck_notice", true);
	sf_json_str(j, "stuck_change", change_names[view->change]);
	if (v->has_age) {
		sf_json_u64(j, "stuck_age_us", v->age_ms * 1000);
		if (v->is_age_minimum)
			sf_json_bool(j, "stuck_age_minimum", true);
	}
	put_evidence(j, v);
	if (v->rule->sides[0]) {
		sf_json_array_begin(j, "stuck_sides");
		sf_json_str(j, NULL, v->rule->sides[0]);
		sf_json_str(j, NULL, v->rule->sides[1]);
		sf_json_array_end(j);
	}
	sf_json_str(j, "stuck_advice", v->advice);
}

void sf_fields_stuck(struct sf_json *j, const struct sf_stuck_view *view)
{
	const struct sf_case *c = view->c;

	sf_json_object_begin(j, NULL);
	sf_fields_members(j, view->line);
	sf_fields_holders(j, view->holders, view->nr_holders);
	if (c->listener_who.pid) {
		sf_json_u64(j, "listener_process_pid", c->listener_who.pid);
		put_comm(j, "listener_process_executable_name", c->listener_who.comm);
		if (c->listener_who.nr_processes > 1)
			sf_json_u64(j, "listener_processes", c->listener_who.nr_processes);
	}
	put_verdict(j, view);
	sf_json_object_end(j);
}
