// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines to a syslog daemon. On the host's own socket in the form that glibc's
 * syslog(3) writes (RFC 3164 with local time, no host), as rsyslog's imuxsock
 * parses no other by default; over TCP as RFC 5424, framed by octet counts
 * (RFC 6587 3.4.1). A batch over TCP counts as sent when the other kernel has
 * acknowledged it; one that was cut is sent again as a whole: at least once.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sink/address.h"
#include "sink/kinds.h"
#include "sink/line.h"

#define FACILITY 3 /* daemon */
#define DEFAULT_PATH "/dev/log"
#define PATIENCE_MS 1000 /* for connecting, for a write, and for acknowledgements */
#define HEAD_MAX 512

struct syslog {
	struct sf_sink_address to;
	int fd;
	char host[65];
};

static const char form[] = "syslog, syslog:unix:PATH, syslog:tcp:ADDRESS:PORT";

static int parse(struct syslog *s, const char *target)
{
	if (!*target)
		return sf_sink_address_unix(DEFAULT_PATH, &s->to);
	if (!strncmp(target, "unix:", 5))
		return sf_sink_address_unix(target + 5, &s->to);
	if (!strncmp(target, "tcp:", 4))
		return sf_sink_address_tcp(target + 4, &s->to);
	return -EINVAL;
}

static void syslog_close(void *ctx)
{
	struct syslog *s = ctx;

	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

static int syslog_open(const char *target, void **ret_ctx, char *err, size_t err_size)
{
	struct syslog *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return snprintf(err, err_size, "%s", strerror(ENOMEM)), -ENOMEM;
	s->fd = -1;
	r = parse(s, target);
	if (r) {
		snprintf(err, err_size, "want %s", form);
		syslog_close(s);
		return r;
	}
	if (gethostname(s->host, sizeof(s->host) - 1))
		snprintf(s->host, sizeof(s->host), "-");
	*ret_ctx = s;
	return 0;
}

static bool is_tcp(const struct syslog *s)
{
	return !sf_sink_address_is_unix(&s->to);
}

static int wait_connected(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int err = 0;

	if (poll(&pollfd, 1, PATIENCE_MS) != 1)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return -errno;
	return -err;
}

static int connect_now(struct syslog *s)
{
	const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	int type = (is_tcp(s) ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC;
	int fd = socket(s->to.any.sa_family, type | SOCK_NONBLOCK, 0);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, &s->to.any, s->to.len))
		r = errno == EINPROGRESS ? wait_connected(fd) : -errno;
	/* From here on it waits, but not for ever. */
	if (!r && (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
		   ioctl(fd, FIONBIO, &(int){ 0 })))
		r = -errno;
	if (r) {
		close(fd);
		return r;
	}
	s->fd = fd;
	return 0;
}

/* "<30>Nov 29 15:04:05 synfin[42]: " */
static int head_local(char head[HEAD_MAX], int severity)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	return snprintf(head, HEAD_MAX,
			"<%d>%s %2d %02d:%02d:%02d synfin[%d]: ", FACILITY * 8 + severity,
			months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
			(int)getpid());
}

/* A member's text where RFC 5424 wants one word of printable ASCII; "-" if there is none. */
static void word(const char *line, size_t len, const char *key, char *buf, size_t size)
{
	struct sf_member member;
	size_t n = 0;

	if (sf_line_find(line, len, key, &member))
		n = sf_line_text(&member, buf, size - 1);
	for (size_t i = 0; i < n; i++)
		if (buf[i] <= ' ' || buf[i] > '~')
			buf[i] = '?';
	if (!n)
		buf[n++] = '-';
	buf[n] = '\0';
}

/* RFC 5424 6.2.3: six decimals at most. */
static void shorten_time(char *time)
{
	char *point = strchr(time, '.');

	if (point && strlen(point) > 8)
		memmove(point + 7, time + strlen(time) - 1, 2); /* "Z" */
}

static int head_rfc5424(const struct syslog *s, const char *line, size_t len, int severity,
			char head[HEAD_MAX])
{
	char time[40], event[33], host[65];

	word(line, len, "time", time, sizeof(time));
	shorten_time(time);
	word(line, len, "event_name", event, sizeof(event));
	word(line, len, "host_name", host, sizeof(host));
	return snprintf(head, HEAD_MAX, "<%d>1 %s %s synfin %d %s - ", FACILITY * 8 + severity,
			time, host[0] == '-' ? s->host : host, (int)getpid(), event);
}

static int send_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_line(const struct syslog *s, const char *line, size_t len)
{
	char message[HEAD_MAX + 16384], head[HEAD_MAX], count[24];
	int severity = sf_line_severity(line, len), head_len, count_len = 0;

	head_len = is_tcp(s) ? head_rfc5424(s, line, len, severity, head) :
			       head_local(head, severity);
	if (head_len < 0 || head_len >= HEAD_MAX || len > 16000)
		return -EMSGSIZE;
	if (is_tcp(s))
		count_len = snprintf(count, sizeof(count), "%zu ", (size_t)head_len + len);
	memcpy(message, count, (size_t)count_len);
	memcpy(message + count_len, head, (size_t)head_len);
	memcpy(message + count_len + head_len, line, len);
	return send_all(s->fd, message, (size_t)(count_len + head_len) + len);
}

/* tcp(7) SIOCOUTQ: what the other kernel has not acknowledged. */
static int wait_acknowledged(int fd)
{
	for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += 5) {
		struct pollfd pollfd = { .fd = fd, .events = POLLRDHUP };
		int left;

		if (ioctl(fd, SIOCOUTQ, &left))
			return -errno;
		if (!left)
			return 0;
		if (poll(&pollfd, 1, 5) > 0)
			return -ECONNRESET;
	}
	return -ETIMEDOUT;
}

static int send_batch(struct syslog *s, const char *lines, size_t len, size_t *ret_sent)
{
	size_t done = 0;
	int r = 0;

	while (!r && done < len) {
		const char *line = lines + done;
		size_t line_len = (size_t)((const char *)memchr(line, '\n', len - done) - line);

		r = send_line(s, line, line_len);
		if (!r)
			done += line_len + 1;
	}
	if (!is_tcp(s)) {
		*ret_sent = done; /* each datagram is there, or is not */
	} else if (!r || r == -EMSGSIZE) {
		int acknowledged = wait_acknowledged(s->fd);

		if (acknowledged)
			return acknowledged;
		*ret_sent = done;
	}
	return r;
}

static int syslog_send(void *ctx, const char *lines, size_t len, struct sf_sink_answer *ret)
{
	struct syslog *s = ctx;
	int r = s->fd < 0 ? connect_now(s) : 0;

	if (!r)
		r = send_batch(s, lines, len, &ret->sent);
	if (!r)
		return 0;
	snprintf(ret->err, sizeof(ret->err), "%s", strerror(-r));
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	return r;
}

static void syslog_reopen(void *ctx)
{
	struct syslog *s = ctx;

	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

const struct sf_sink_kind sf_sink_syslog = {
	.name = "syslog",
	.form = form,
	.open = syslog_open,
	.send = syslog_send,
	.reopen = syslog_reopen,
	.close = syslog_close,
};
