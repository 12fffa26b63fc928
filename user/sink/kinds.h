/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of sinks, a file each. For sink.c only. */
#ifndef SF_SINK_KINDS_H
#define SF_SINK_KINDS_H

#include "sink/sink.h"

/* file:PATH[,rotate=BYTES][,keep=N] */
extern const struct sf_sink_kind sf_sink_file;
/* syslog, syslog:unix:PATH (RFC 3164's local form), syslog:tcp:ADDRESS:PORT (RFC 5424, RFC 6587) */
extern const struct sf_sink_kind sf_sink_syslog;
/* journald */
extern const struct sf_sink_kind sf_sink_journald;
/* otlp:URL: OTLP logs over HTTP */
extern const struct sf_sink_kind sf_sink_otlp;
/* prometheus:PORT (of 127.0.0.1), prometheus:ADDRESS:PORT, prometheus:unix:PATH */
extern const struct sf_sink_kind sf_sink_prometheus;

#endif
