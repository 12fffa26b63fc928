// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counts events and answers GET /metrics, through libmicrohttpd, in a thread
 * of that library: who traces only counts, under a lock that a request holds no
 * longer than it takes to copy the counts. Requests are few at a time, short,
 * one per connection, and cut off after a while, whatever the other side does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "sink/kinds.h"

static const char lacked[] = "this synfin was built without libmicrohttpd";

#ifdef WITH_MICROHTTPD
#include <microhttpd.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/text.h"
#include "sink/address.h"
#include "sink/metrics.h"

/* Weak: a static program is linked without the library, which has no static one that links. */
#pragma weak MHD_start_daemon
#pragma weak MHD_stop_daemon
#pragma weak MHD_get_connection_info
#pragma weak MHD_lookup_connection_value
#pragma weak MHD_create_response_from_buffer
#pragma weak MHD_add_response_header
#pragma weak MHD_queue_response
#pragma weak MHD_destroy_response

#define CONNECTIONS_MAX 8
#define BACKLOG 8
#define CONNECTION_BYTES 16384 /* what the head of a request may take */
#define IDLE_S 5U
#define LIFE_NS (10 * SF_NS_PER_S) /* as Prometheus waits for an answer unless told otherwise */

struct visitor {
	struct MHD_Connection *connection; /* NULL: no one */
	int fd;				   /* the library's; open while it is noted here */
	uint64_t begin_ns;		   /* CLOCK_MONOTONIC */
};

struct prometheus {
	struct sf_sink_address address;
	struct MHD_Daemon *daemon; /* NULL: it does not listen */
	struct stat bound;	   /* the socket that it made */
	pthread_mutex_t lock;	   /* of all that follows */
	struct sf_metrics metrics;
	struct visitor visitors[CONNECTIONS_MAX];
};

/* ---- answers, in the library's thread ---- */

/* data: what malloc() gave if mode is MHD_RESPMEM_MUST_FREE. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status, char *data,
			      size_t len, enum MHD_ResponseMemoryMode mode, const char *type)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(len, data, mode);
	enum MHD_Result r;

	if (!response) {
		if (mode == MHD_RESPMEM_MUST_FREE)
			free(data);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	r = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned int status,
				   const char *text)
{
	return answer(connection, status, (char *)text, strlen(text), MHD_RESPMEM_PERSISTENT,
		      "text/plain; charset=utf-8");
}

static enum MHD_Result answer_metrics(struct prometheus *p, struct MHD_Connection *connection)
{
	const char *accept =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	bool is_openmetrics = sf_metrics_wants_openmetrics(accept);
	_cleanup_(sf_freep) struct sf_metrics *metrics = malloc(sizeof(*metrics));
	_cleanup_(sf_freep) char *page = malloc(SF_METRICS_PAGE_MAX);
	size_t len = 0;

	if (metrics && page) {
		pthread_mutex_lock(&p->lock);
		*metrics = p->metrics;
		pthread_mutex_unlock(&p->lock);
		len = sf_metrics_page(metrics, is_openmetrics, page, SF_METRICS_PAGE_MAX);
	}
	if (!len)
		return answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	return answer(connection, MHD_HTTP_OK, TAKE_PTR(page), len, MHD_RESPMEM_MUST_FREE,
		      sf_metrics_content_type(is_openmetrics));
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_len, void **ret_seen)
{
	(void)version;
	(void)upload;
	/* With the head alone; then with pieces of a body, which nobody reads; then at its end. */
	if (!*ret_seen || *upload_len) {
		*ret_seen = ctx;
		*upload_len = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD only\n");
	if (strcmp(url, "/metrics") != 0)
		return answer_text(connection, MHD_HTTP_NOT_FOUND, "synfin: see /metrics\n");
	return answer_metrics(ctx, connection);
}

static struct visitor *find_visitor(struct prometheus *p, const struct MHD_Connection *connection)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (p->visitors[i].connection == connection)
			return &p->visitors[i];
	return NULL;
}

/*
 * The library closes the descriptor after it has told that the connection is over: its daemon.c
 * MHD_cleanup_connections(), 0.9.75 to 1.0.1.
 */
static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_ctx,
			  enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct prometheus *p = ctx;
	struct visitor *visitor;

	(void)socket_ctx;
	pthread_mutex_lock(&p->lock);
	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		visitor = find_visitor(p, connection);
		if (visitor)
			visitor->connection = NULL;
	} else {
		visitor = find_visitor(p, NULL);
		if (visitor && info)
			*visitor =
				(struct visitor){ connection, info->connect_fd, sf_monotonic_ns() };
	}
	pthread_mutex_unlock(&p->lock);
}

/* ---- listening, in the sink's thread ---- */

/* A socket's file that nobody listens on any more was left by one that was killed. */
static void remove_stale(const struct sf_sink_address *address)
{
	_cleanup_(sf_closep) int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 || lstat(address->un.sun_path, &st) || !S_ISSOCK(st.st_mode))
		return;
	if (connect(fd, &address->any, address->len) && errno == ECONNREFUSED)
		unlink(address->un.sun_path);
}

static int listen_unix(struct prometheus *p, int fd)
{
	remove_stale(&p->address);
	/* It becomes the file's, less the umask: net/unix/af_unix.c unix_bind(). */
	if (fchmod(fd, 0660) || bind(fd, &p->address.any, p->address.len) ||
	    lstat(p->address.un.sun_path, &p->bound))
		return -errno;
	return 0;
}

static int listen_tcp(struct prometheus *p, int fd)
{
	const int yes = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    (p->address.any.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes))) ||
	    bind(fd, &p->address.any, p->address.len))
		return -errno;
	return 0;
}

/* 0 or negative errno. */
static int start(struct prometheus *p)
{
	_cleanup_(sf_closep) int fd =
		socket(p->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = sf_sink_address_is_unix(&p->address) ? listen_unix(p, fd) : listen_tcp(p, fd);
	if (!r && listen(fd, BACKLOG))
		r = -errno;
	if (r)
		return r;
	errno = 0;
	p->daemon = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, p,
				     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				     (unsigned int)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
				     IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				     (size_t)CONNECTION_BYTES, MHD_OPTION_NOTIFY_CONNECTION,
				     on_connection, p, MHD_OPTION_END);
	if (!p->daemon)
		return errno ? -errno : -EIO;
	(void)TAKE_FD(fd); /* the library closes it */
	return 0;
}

/* Takes the socket's file away, unless another one is there by now. */
static void stop(struct prometheus *p)
{
	struct stat now;

	if (!p->daemon)
		return;
	MHD_stop_daemon(p->daemon);
	p->daemon = NULL;
	if (sf_sink_address_is_unix(&p->address) && !lstat(p->address.un.sun_path, &now) &&
	    now.st_dev == p->bound.st_dev && now.st_ino == p->bound.st_ino)
		unlink(p->address.un.sun_path);
}

/* The library's own limit is for those that stand still, not for those that trickle. */
static void cut_overdue(struct prometheus *p)
{
	uint64_t now_ns = sf_monotonic_ns();

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (p->visitors[i].connection && now_ns - p->visitors[i].begin_ns > LIFE_NS)
			shutdown(p->visitors[i].fd, SHUT_RDWR);
	pthread_mutex_unlock(&p->lock);
}

static int prometheus_tend(void *ctx, char *err, size_t err_size)
{
	struct prometheus *p = ctx;
	int r = p->daemon ? 0 : start(p);

	if (r)
		return snprintf(err, err_size, "cannot listen: %s", strerror(-r)), r;
	cut_overdue(p);
	return 0;
}

static void prometheus_reopen(void *ctx)
{
	struct prometheus *p = ctx;

	if (sf_sink_address_is_unix(&p->address))
		stop(p); /* its file may have gone */
}

/* ---- from who traces ---- */

static void prometheus_event(void *ctx, const struct sf_event *event, int64_t realtime_offset_ns)
{
	struct prometheus *p = ctx;

	pthread_mutex_lock(&p->lock);
	sf_metrics_event(&p->metrics, event, realtime_offset_ns);
	pthread_mutex_unlock(&p->lock);
}

static void prometheus_loss(void *ctx, const struct sf_loss_view *loss)
{
	struct prometheus *p = ctx;

	pthread_mutex_lock(&p->lock);
	sf_metrics_loss(&p->metrics, loss);
	pthread_mutex_unlock(&p->lock);
}

/* ---- its life ---- */

/* Nothing but loopback unless it is named. */
static int parse(struct prometheus *p, const char *target)
{
	char local[32];
	uint64_t port;

	if (!strncmp(target, "unix:", 5))
		return sf_sink_address_unix(target + 5, &p->address);
	if (strchr(target, ':'))
		return sf_sink_address_tcp(target, &p->address);
	if (sf_parse_u64(target, 1, 65535, &port))
		return -EINVAL;
	snprintf(local, sizeof(local), "127.0.0.1:%u", (unsigned int)port);
	return sf_sink_address_tcp(local, &p->address);
}

static int prometheus_open(const char *target, void **ret_ctx, char *err, size_t err_size)
{
	struct prometheus *p = calloc(1, sizeof(*p));

	if (!p)
		return snprintf(err, err_size, "%s", strerror(ENOMEM)), -ENOMEM;
	if (parse(p, target)) {
		free(p);
		return snprintf(err, err_size,
				"want prometheus:PORT (of 127.0.0.1), prometheus:ADDRESS:PORT or "
				"prometheus:unix:PATH"),
		       -EINVAL;
	}
	pthread_mutex_init(&p->lock, NULL);
	*ret_ctx = p;
	return 0;
}

static void prometheus_close(void *ctx)
{
	struct prometheus *p = ctx;

	stop(p);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static const char *prometheus_lacks(void)
{
	return MHD_start_daemon ? NULL : lacked;
}

const struct sf_sink_kind sf_sink_prometheus = {
	.name = "prometheus",
	.form = "prometheus:[ADDRESS:]PORT, prometheus:unix:PATH",
	.lacks = prometheus_lacks,
	.open = prometheus_open,
	.event = prometheus_event,
	.loss = prometheus_loss,
	.tend = prometheus_tend,
	.reopen = prometheus_reopen,
	.close = prometheus_close,
};
#else

static const char *prometheus_lacks(void)
{
	return lacked;
}

const struct sf_sink_kind sf_sink_prometheus = {
	.name = "prometheus",
	.form = "prometheus:[ADDRESS:]PORT, prometheus:unix:PATH",
	.lacks = prometheus_lacks,
};
#endif
