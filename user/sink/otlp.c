// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * OTLP logs over HTTP to an OpenTelemetry Collector: protobuf, always gzip,
 * which each server must take (OTLP specification 1.7, "Protocol Details"). A batch counts as sent
 * when the server has answered; one whose answer is lost is sent again: at
 * least once.
 *
 * Through libcurl, which is loaded when such a sink is made: linked, its thirty libraries would
 * be mapped by each run of each command, and a synfin copied to a host without it would not start.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/util.h"
#include "sink/kinds.h"
#include "sink/otlp_logs.h"

static const char form[] = "otlp:http[s]://HOST:PORT[/v1/logs]";

#ifndef WITH_CURL

static const char *otlp_lacks(void)
{
	return "this synfin was built without libcurl";
}

static int otlp_open(const char *target, void **ret_ctx, char *err, size_t err_size)
{
	(void)target;
	(void)ret_ctx;
	return snprintf(err, err_size, "%s", otlp_lacks()), -EINVAL;
}

const struct sf_sink_kind sf_sink_otlp = {
	.name = "otlp",
	.form = form,
	.lacks = otlp_lacks,
	.open = otlp_open,
};

#else

#include <curl/curl.h>
#include <dlfcn.h>
#include <zlib.h>

/* A program that is linked statically has neither, Makefile: it does without. */
#pragma weak dlopen
#pragma weak dlsym

#define DEFAULT_PATH "/v1/logs" /* "OTLP/HTTP Request" */
#define BODY_MAX (512 * 1024)
#define ANSWER_MAX 4096
#define PATIENCE_MS 10000L     /* the whole request; the default of OpenTelemetry's exporters */
#define GRACE_NS SF_NS_PER_S   /* what is under way at the end may last so much longer */
#define RETRY_AFTER_MAX_S 600U /* a server that says more is asked again all the same */

/* Of libcurl, by the names and types of its header. */
struct curl {
	__typeof__(curl_global_init) *global_init;
	__typeof__(curl_global_cleanup) *global_cleanup;
	__typeof__(curl_easy_init) *easy_init;
	__typeof__(curl_easy_setopt) *easy_setopt;
	__typeof__(curl_easy_perform) *easy_perform;
	__typeof__(curl_easy_getinfo) *easy_getinfo;
	__typeof__(curl_easy_strerror) *easy_strerror;
	__typeof__(curl_easy_cleanup) *easy_cleanup;
	__typeof__(curl_slist_append) *slist_append;
	__typeof__(curl_slist_free_all) *slist_free_all;
	__typeof__(curl_url) *url;
	__typeof__(curl_url_set) *url_set;
	__typeof__(curl_url_get) *url_get;
	__typeof__(curl_url_cleanup) *url_cleanup;
	__typeof__(curl_free) *free;
};

static const struct {
	const char *name;
	size_t at;
} functions[] = {
	{ "curl_global_init", offsetof(struct curl, global_init) },
	{ "curl_global_cleanup", offsetof(struct curl, global_cleanup) },
	{ "curl_easy_init", offsetof(struct curl, easy_init) },
	{ "curl_easy_setopt", offsetof(struct curl, easy_setopt) },
	{ "curl_easy_perform", offsetof(struct curl, easy_perform) },
	{ "curl_easy_getinfo", offsetof(struct curl, easy_getinfo) },
	{ "curl_easy_strerror", offsetof(struct curl, easy_strerror) },
	{ "curl_easy_cleanup", offsetof(struct curl, easy_cleanup) },
	{ "curl_slist_append", offsetof(struct curl, slist_append) },
	{ "curl_slist_free_all", offsetof(struct curl, slist_free_all) },
	{ "curl_url", offsetof(struct curl, url) },
	{ "curl_url_set", offsetof(struct curl, url_set) },
	{ "curl_url_get", offsetof(struct curl, url_get) },
	{ "curl_url_cleanup", offsetof(struct curl, url_cleanup) },
	{ "curl_free", offsetof(struct curl, free) },
};

struct otlp {
	struct curl curl;
	bool is_global; /* curl_global_init() was called */
	char *url;
	struct curl_slist *headers;
	CURL *handle;		 /* NULL: to be made. Keeps its connection */
	_Atomic uint64_t end_ns; /* CLOCK_MONOTONIC; 0: go on */
	z_stream gzip;
	bool has_gzip;
	uint8_t *body;
	uint8_t *packed;
	size_t packed_size;
	/* The request that is sent, or sent again; lines_len 0: there is none. */
	size_t lines_len;
	size_t nr_lines;
	size_t packed_len;
	size_t answer_len;
	char answer[ANSWER_MAX]; /* what comes behind is of no interest */
};

/* ---- libcurl ---- */

/* Stays loaded. NULL, or what is missing. */
static const char *load_curl(struct curl *ret)
{
	/* Debian has it with OpenSSL and, under another name, with GnuTLS. */
	static const char *const libraries[] = { "libcurl.so.4", "libcurl-gnutls.so.4" };
	void *library = NULL;

	if (!dlopen)
		return "a synfin that is linked statically cannot load libcurl";
	for (size_t i = 0; !library && i < ARRAY_SIZE(libraries); i++)
		library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!library)
		return "libcurl.so.4 cannot be loaded (package libcurl4, or libcurl)";
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		void *function = dlsym(library, functions[i].name);

		if (!function)
			return "libcurl.so.4 is too old, want 7.66 or newer";
		memcpy((char *)ret + functions[i].at, &function, sizeof(function));
	}
	return NULL;
}

static const char *otlp_lacks(void)
{
	struct curl curl;

	return load_curl(&curl);
}

/* One part of a URL is there. */
static bool has_part(const struct curl *curl, CURLU *url, CURLUPart what)
{
	char *text = NULL;
	bool has = !curl->url_get(url, what, &text, 0);

	if (has)
		curl->free(text);
	return has;
}

/*
 * What is "http://HOST:PORT" gets the specification's path. A password would be told in each line
 * of statistics.
 */
static int parse_url(const struct curl *curl, const char *target, char **ret)
{
	CURLU *url = curl->url();
	char *path = NULL, *whole = NULL;
	int r = url ? 0 : -ENOMEM;

	if (!r && strncmp(target, "http://", 7) != 0 && strncmp(target, "https://", 8) != 0)
		r = -EINVAL;
	if (!r &&
	    (curl->url_set(url, CURLUPART_URL, target, 0) || has_part(curl, url, CURLUPART_USER) ||
	     has_part(curl, url, CURLUPART_PASSWORD) || has_part(curl, url, CURLUPART_FRAGMENT) ||
	     curl->url_get(url, CURLUPART_PATH, &path, 0)))
		r = -EINVAL;
	if (!r && !strcmp(path, "/") && curl->url_set(url, CURLUPART_PATH, DEFAULT_PATH, 0))
		r = -ENOMEM;
	if (!r && curl->url_get(url, CURLUPART_URL, &whole, 0))
		r = -ENOMEM;
	if (!r) {
		*ret = strdup(whole);
		r = *ret ? 0 : -ENOMEM;
	}
	curl->free(path);
	curl->free(whole);
	curl->url_cleanup(url);
	return r;
}

static size_t take_answer(char *bytes, size_t size, size_t nr, void *ctx)
{
	struct otlp *o = ctx;
	size_t len = sf_min_size(size * nr, sizeof(o->answer) - o->answer_len);

	memcpy(o->answer + o->answer_len, bytes, len);
	o->answer_len += len;
	return size * nr;
}

/* libcurl asks once a second at least. Not 0: the request ends at once. */
static int must_end(void *ctx, curl_off_t down, curl_off_t down_now, curl_off_t up,
		    curl_off_t up_now)
{
	const struct otlp *o = ctx;
	uint64_t end_ns = atomic_load(&o->end_ns);

	(void)down;
	(void)down_now;
	(void)up;
	(void)up_now;
	return end_ns && sf_monotonic_ns() > end_ns + GRACE_NS;
}

static int make_handle(struct otlp *o)
{
	CURL *handle = o->curl.easy_init();
	CURLcode r;

	if (!handle)
		return -ENOMEM;
	r = o->curl.easy_setopt(handle, CURLOPT_URL, o->url);
	r |= o->curl.easy_setopt(handle, CURLOPT_POST, 1L);
	r |= o->curl.easy_setopt(handle, CURLOPT_HTTPHEADER, o->headers);
	r |= o->curl.easy_setopt(handle, CURLOPT_USERAGENT, "synfin/" SF_VERSION);
	r |= o->curl.easy_setopt(handle, CURLOPT_TIMEOUT_MS, PATIENCE_MS);
	r |= o->curl.easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
	r |= o->curl.easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_answer);
	r |= o->curl.easy_setopt(handle, CURLOPT_WRITEDATA, o);
	r |= o->curl.easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
	r |= o->curl.easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, must_end);
	r |= o->curl.easy_setopt(handle, CURLOPT_XFERINFODATA, o);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Its end does not wait for a name server. A library that is older does. */
	(void)o->curl.easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
#endif
	if (r) {
		o->curl.easy_cleanup(handle);
		return -ENOMEM;
	}
	o->handle = handle;
	return 0;
}

/* ---- a request ---- */

/* 0, or -EMSGSIZE: the first line is too long for a request. */
static int make_request(struct otlp *o, const char *lines, size_t len)
{
	struct sf_pb pb = { .buf = o->body, .size = BODY_MAX };
	size_t done = sf_otlp_encode(lines, len, sf_realtime_offset_ns() + sf_boottime_ns(), &pb);

	if (!done)
		return -EMSGSIZE;
	/* Neither can fail: the room is what deflateBound() says. */
	deflateReset(&o->gzip);
	o->gzip.next_in = o->body;
	o->gzip.avail_in = (uInt)pb.len;
	o->gzip.next_out = o->packed;
	o->gzip.avail_out = (uInt)o->packed_size;
	deflate(&o->gzip, Z_FINISH);
	o->packed_len = o->packed_size - o->gzip.avail_out;
	o->lines_len = done;
	o->nr_lines = 0;
	for (size_t i = 0; i < done; i++)
		o->nr_lines += lines[i] == '\n';
	return 0;
}

static bool is_protobuf(struct otlp *o)
{
	static const char type[] = "application/x-protobuf";
	const char *have = NULL;

	return !o->curl.easy_getinfo(o->handle, CURLINFO_CONTENT_TYPE, &have) && have &&
	       !strncmp(have, type, strlen(type));
}

/* "HTTP 400: what the server says" */
static void say(struct sf_sink_answer *ret, const char *words, const struct sf_otlp_answer *answer)
{
	char safe[128] = "";

	if (answer->message)
		sf_text_safe(safe, sizeof(safe), answer->message, answer->message_len);
	snprintf(ret->err, sizeof(ret->err), "%s%s%s", words, *safe ? ": " : "", safe);
}

/* "Full Success", "Partial Success": the latter is never sent again. */
static void take_success(struct otlp *o, struct sf_sink_answer *ret)
{
	struct sf_otlp_answer answer = { 0 };
	size_t nr_rejected;

	if (is_protobuf(o))
		sf_otlp_answer(o->answer, o->answer_len, &answer);
	nr_rejected = (size_t)sf_min_u64(answer.nr_rejected, o->nr_lines);
	ret->nr_refused += nr_rejected;
	if (nr_rejected)
		say(ret, "the server did not take some of the log records", &answer);
	else if (answer.message)
		say(ret, "the server took all, and says", &answer);
}

/* "Failures", "OTLP/HTTP Throttling": which may be sent again. */
static int take_failure(struct otlp *o, long status, struct sf_sink_answer *ret)
{
	struct sf_otlp_answer answer = { 0 };
	curl_off_t after_s = 0;
	char words[32];

	if (is_protobuf(o))
		sf_otlp_status(o->answer, o->answer_len, &answer);
	snprintf(words, sizeof(words), "HTTP %ld", status);
	say(ret, words, &answer);
	if (status != 429 && status != 502 && status != 503 && status != 504) {
		ret->nr_refused += o->nr_lines;
		return 0;
	}
	/* RFC 9110 10.2.3: seconds or a date, libcurl knows both. */
	if (!o->curl.easy_getinfo(o->handle, CURLINFO_RETRY_AFTER, &after_s) && after_s > 0)
		ret->wait_ns = sf_min_u64((uint64_t)after_s, RETRY_AFTER_MAX_S) * SF_NS_PER_S;
	return -EAGAIN;
}

/* 0: its lines need no sending any more. */
static int post(struct otlp *o, struct sf_sink_answer *ret)
{
	long status = 0;
	CURLcode code;

	if (!o->handle && make_handle(o))
		return snprintf(ret->err, sizeof(ret->err), "%s", strerror(ENOMEM)), -ENOMEM;
	o->answer_len = 0;
	o->curl.easy_setopt(o->handle, CURLOPT_POSTFIELDS, o->packed);
	o->curl.easy_setopt(o->handle, CURLOPT_POSTFIELDSIZE, (long)o->packed_len);
	code = o->curl.easy_perform(o->handle);
	if (code) {
		/* Not its longer text, which tells how many ms it took: news each time. */
		snprintf(ret->err, sizeof(ret->err), "%s",
			 code == CURLE_ABORTED_BY_CALLBACK ? "no answer before the end" :
							     o->curl.easy_strerror(code));
		return -EIO;
	}
	o->curl.easy_getinfo(o->handle, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 || status > 299)
		return take_failure(o, status, ret);
	take_success(o, ret);
	return 0;
}

static int otlp_send(void *ctx, const char *lines, size_t len, struct sf_sink_answer *ret)
{
	struct otlp *o = ctx;

	while (ret->sent < len) {
		int r = o->lines_len ? 0 : make_request(o, lines + ret->sent, len - ret->sent);

		if (r)
			return snprintf(ret->err, sizeof(ret->err), "a line is too long"), r;
		r = post(o, ret);
		if (r)
			return r; /* the request is kept, as it will be tried again */
		ret->sent += o->lines_len;
		o->lines_len = 0;
	}
	return 0;
}

/* ---- its life ---- */

static void otlp_reopen(void *ctx)
{
	struct otlp *o = ctx;

	if (o->handle)
		o->curl.easy_cleanup(o->handle);
	o->handle = NULL;
}

static void otlp_hurry(void *ctx, uint64_t end_ns)
{
	struct otlp *o = ctx;

	atomic_store(&o->end_ns, end_ns);
}

static void otlp_close(void *ctx)
{
	struct otlp *o = ctx;

	otlp_reopen(o);
	if (o->headers)
		o->curl.slist_free_all(o->headers);
	if (o->is_global)
		o->curl.global_cleanup();
	if (o->has_gzip)
		deflateEnd(&o->gzip);
	free(o->body);
	free(o->packed);
	free(o->url);
	free(o);
}

static int add_headers(struct otlp *o)
{
	static const char *const headers[] = {
		"Content-Type: application/x-protobuf", "Content-Encoding: gzip",
		"Expect:", /* a server that does not know it would cost a second */
	};

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		struct curl_slist *more = o->curl.slist_append(o->headers, headers[i]);

		if (!more)
			return -ENOMEM;
		o->headers = more;
	}
	return 0;
}

static int make_buffers(struct otlp *o)
{
	/*
	 * 16: gzip's head and sum (zlib.h, deflateInit2). The fastest level: the host has other
	 * work, and level 6 takes twice the CPU for a quarter fewer bytes (of 322 kB, 162 ends of
	 * connections, 24 kB are left).
	 */
	if (deflateInit2(&o->gzip, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + 16, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	o->has_gzip = true;
	o->packed_size = deflateBound(&o->gzip, BODY_MAX);
	o->packed = malloc(o->packed_size);
	o->body = malloc(BODY_MAX);
	return o->packed && o->body ? 0 : -ENOMEM;
}

static int otlp_open(const char *target, void **ret_ctx, char *err, size_t err_size)
{
	struct otlp *o = calloc(1, sizeof(*o));
	const char *lacks = o ? load_curl(&o->curl) : NULL;
	int r = o ? 0 : -ENOMEM;

	if (lacks) {
		free(o);
		return snprintf(err, err_size, "%s", lacks), -EINVAL;
	}
	if (!r)
		r = parse_url(&o->curl, target, &o->url);
	if (!r && o->curl.global_init(CURL_GLOBAL_DEFAULT))
		r = -ENOMEM;
	if (!r) {
		o->is_global = true;
		r = add_headers(o);
	}
	if (!r)
		r = make_buffers(o);
	if (r) {
		snprintf(err, err_size, r == -EINVAL ? "want %s, no user or password" : "%s",
			 r == -EINVAL ? form : strerror(-r));
		if (o)
			otlp_close(o);
		return r;
	}
	*ret_ctx = o;
	return 0;
}

const struct sf_sink_kind sf_sink_otlp = {
	.name = "otlp",
	.form = form,
	.lacks = otlp_lacks,
	.open = otlp_open,
	.send = otlp_send,
	.reopen = otlp_reopen,
	.hurry = otlp_hurry,
	.close = otlp_close,
};

#endif
