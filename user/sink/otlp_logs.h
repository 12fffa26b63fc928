/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of JSON as OTLP logs: the messages of opentelemetry-proto 1.5,
 * collector/logs/v1/logs_service.proto and what it includes. Pure: no I/O, no
 * clock, no allocation.
 */
#ifndef SF_SINK_OTLP_LOGS_H
#define SF_SINK_OTLP_LOGS_H

#include <stddef.h>
#include <stdint.h>

#include "sink/protobuf.h"

/*
 * Encodes whole lines, len bytes, as one ExportLogsServiceRequest, as many of them as there is
 * room for behind what pb holds. The resource is the host of the first line. observed_ns: when they
 * were taken, since 1970. Returns the bytes of lines that are in it; 0: not even the first has
 * room, pb holds nothing more than before then.
 */
size_t sf_otlp_encode(const char *lines, size_t len, uint64_t observed_ns, struct sf_pb *pb);

/* What a server answers. */
struct sf_otlp_answer {
	uint64_t nr_rejected; /* log records that it did not take */
	const char *message;  /* borrowed from the body, any bytes, not ended by NUL; NULL: none */
	size_t message_len;
};

/*
 * ExportLogsServiceResponse: with 200. What is no such message rejects nothing, as a body that is
 * empty (OTLP specification, "Full Success", "Partial Success").
 */
void sf_otlp_answer(const void *body, size_t len, struct sf_otlp_answer *ret);
/* google.rpc.Status: with any other ("Failures"). Rejects nothing by itself. */
void sf_otlp_status(const void *body, size_t len, struct sf_otlp_answer *ret);

#endif
