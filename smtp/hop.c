/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Octets between the conversation (single.c) and a socket, until a deadline.
 */
#include "smtp/hop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "smtp/stuff.h"
#include "util/clock.h"

#define PIECE 65536
#define PEEK_MAX 65536 /* of an answer; what is more is taken */
#define PEEK_MS 10

/* ---- where to ---- */

struct where {
	bool lmtp;
	struct sockaddr_storage addr;
	socklen_t addr_n;
};

static int read_unix(struct where *w, const char *path)
{
	struct sockaddr_un *u = (struct sockaddr_un *)(void *)&w->addr;
	size_t n = strlen(path);

	if (path[0] != '/' || n >= sizeof(u->sun_path))
		return -1;
	u->sun_family = AF_UNIX;
	memcpy(u->sun_path, path, n + 1);
	w->addr_n = sizeof(*u);
	return 0;
}

static int read_port(const char *s, in_port_t *out)
{
	unsigned port = 0;

	for (; *s >= '0' && *s <= '9' && port <= 65535; s++)
		port = port * 10 + (unsigned)(*s - '0');
	if (*s != '\0' || port < 1 || port > 65535)
		return -1;
	*out = htons((uint16_t)port);
	return 0;
}

/* "127.0.0.1:25", "[::1]:25" */
static int read_inet(struct where *w, const char *s)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&w->addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&w->addr;
	const char *colon = strrchr(s, ':');
	char host[INET6_ADDRSTRLEN];
	struct view h;

	if (colon == NULL)
		return -1;
	h = view_make(s, (size_t)(colon - s));
	if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']') {
		w->addr_n = sizeof(*v6);
		v6->sin6_family = AF_INET6;
		return view_cstr(view_sub(h, 1, h.n - 2), host,
		    sizeof(host)) != 0 || inet_pton(AF_INET6, host,
		    &v6->sin6_addr) != 1 ? -1 : read_port(colon + 1,
		    &v6->sin6_port);
	}
	w->addr_n = sizeof(*v4);
	v4->sin_family = AF_INET;
	return view_cstr(h, host, sizeof(host)) != 0 || inet_pton(AF_INET,
	    host, &v4->sin_addr) != 1 ? -1 : read_port(colon + 1,
	    &v4->sin_port);
}

static int read_spec(struct where *w, const char *spec)
{
	memset(w, 0, sizeof(*w));
	w->lmtp = strncmp(spec, "lmtp:", 5) == 0;
	if (!w->lmtp && strncmp(spec, "smtp:", 5) != 0)
		return -1;
	spec += 5;
	if (strncmp(spec, "unix:", 5) == 0)
		return read_unix(w, spec + 5);
	return read_inet(w, spec);
}

bool hop_spec_ok(const char *spec)
{
	struct where w;

	return read_spec(&w, spec) == 0;
}

/* ---- the socket ---- */

struct line {
	const struct hop_call *call;
	int fd;
	/* what was looked at and left in the socket; NULL: all is taken */
	unsigned char *peek;
	size_t peeked;
	int64_t quiet_ms; /* of looking at nothing new */
};

static int wait_for(const struct line *l, short events, struct err *e)
{
	const struct hop_call *c = l->call;
	struct pollfd p = {l->fd, events, 0};
	int64_t left;

	while ((left = c->until_ms - clock_ms()) > 0) {
		int n;

		if (c->tick != NULL && left > c->tick_ms)
			left = c->tick_ms;
		n = poll(&p, 1, left > 3600000 ? 3600000 : (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_sys(e, FAIL_TEMP, "%s", c->spec);
		if (c->tick != NULL)
			c->tick(c->arg);
	}
	return err_set(e, FAIL_TEMP, "%s: no answer in time", c->spec);
}

static int finish_connect(const struct line *l, struct err *e)
{
	socklen_t n = sizeof(errno);
	int why = 0;

	if (wait_for(l, POLLOUT, e) != 0)
		return -1;
	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &why, &n) != 0)
		why = errno;
	if (why == 0)
		return 0;
	errno = why;
	return err_sys(e, FAIL_TEMP, "%s: connect", l->call->spec);
}

static int connect_to(struct line *l, const struct where *w, struct err *e)
{
	l->fd = socket(w->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return err_sys(e, FAIL_TEMP, "%s: socket", l->call->spec);
	if (connect(l->fd, (const struct sockaddr *)(const void *)&w->addr,
	    w->addr_n) == 0)
		return 0;
	if (errno != EINPROGRESS && errno != EINTR)
		return err_sys(e, FAIL_TEMP, "%s: connect", l->call->spec);
	return finish_connect(l, e);
}

static int put(const struct line *l, struct view v, struct err *e)
{
	while (v.n > 0) {
		ssize_t n = send(l->fd, v.p, v.n, MSG_NOSIGNAL);

		if (n > 0)
			v = view_sub(v, (size_t)n, v.n);
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			if (wait_for(l, POLLOUT, e) != 0)
				return -1;
		} else
			return err_sys(e, FAIL_TEMP, "%s: it broke while "
			    "sending", l->call->spec);
	}
	return 0;
}

static int get(const struct line *l, struct smtp_single *c, struct err *e)
{
	unsigned char p[4096];
	ssize_t n;

	for (;;) {
		if (wait_for(l, POLLIN, e) != 0)
			return -1;
		n = recv(l->fd, p, sizeof(p), 0);
		if (n > 0)
			return smtp_single_input(c, view_make(p, (size_t)n),
			    e);
		if (n == 0)
			return err_set(e, FAIL_TEMP, "%s: it closed the "
			    "connection", l->call->spec);
		if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
			return err_sys(e, FAIL_TEMP, "%s: it broke while "
			    "receiving", l->call->spec);
	}
}

static int broke(const struct line *l, ssize_t n, struct err *e)
{
	return n == 0 ? err_set(e, FAIL_TEMP, "%s: it closed the connection",
	    l->call->spec) : err_sys(e, FAIL_TEMP, "%s: it broke while "
	    "receiving", l->call->spec);
}

static int quiet(struct line *l)
{
	const struct hop_call *c = l->call;

	l->quiet_ms += PEEK_MS;
	if (c->tick != NULL && l->quiet_ms >= c->tick_ms) {
		l->quiet_ms = 0;
		c->tick(c->arg);
	}
	return 0;
}

/* What came since the last look. A full buffer is taken, and then there is
 * nothing any more to be read by others. */
static int look(struct line *l, struct smtp_single *c, struct err *e)
{
	struct pollfd p = {l->fd, POLLRDHUP, 0};
	size_t old = l->peeked;
	ssize_t n;

	if (wait_for(l, POLLIN, e) != 0)
		return -1;
	n = recv(l->fd, l->peek, PEEK_MAX, MSG_PEEK);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return broke(l, n, e);
	if ((size_t)n == old)
		return poll(&p, 1, PEEK_MS) > 0 ? broke(l, 0, e) : quiet(l);
	l->peeked = (size_t)n;
	if (n == PEEK_MAX) {
		if (recv(l->fd, l->peek, PEEK_MAX, 0) != n)
			return broke(l, 0, e);
		l->peeked = 0;
	}
	return smtp_single_input(c, view_make(l->peek + old, (size_t)n - old),
	    e);
}

/* ---- the message ---- */

struct body {
	const struct spool *s;
	uint64_t off, size;
};

static int put_pieces(const struct line *l, const struct body *b,
    unsigned char *p, struct buf *out, struct err *e)
{
	struct smtp_stuff st;
	uint64_t left = b->size;

	smtp_stuff_init(&st);
	while (left > 0) {
		size_t want = left < PIECE ? (size_t)left : PIECE, got;

		if (spool_read(b->s, b->off + (b->size - left), p, want, &got,
		    e) != 0)
			return -1;
		if (got == 0)
			return err_set(e, FAIL_BUG, "a copy ends before its "
			    "size");
		buf_clear(out);
		if (smtp_stuff_put(&st, view_make(p, got), out, e) != 0 ||
		    put(l, buf_view(out), e) != 0)
			return -1;
		left -= got;
	}
	buf_clear(out);
	smtp_stuff_end(&st, out);
	return put(l, buf_view(out), e);
}

static int put_message(const struct line *l, const struct body *b,
    struct err *e)
{
	unsigned char *p = malloc(PIECE);
	struct buf out;
	int rc;

	if (p == NULL)
		return err_set(e, FAIL_TEMP, "%s: out of memory",
		    l->call->spec);
	buf_init(&out, 2 * PIECE + 2);
	rc = put_pieces(l, b, p, &out, e);
	buf_free(&out);
	free(p);
	return rc;
}

static int send_data(struct line *l, struct smtp_single *c,
    const struct body *b, struct err *e)
{
	if (put_message(l, b, e) != 0)
		return -1;
	if (l->call->before_end != NULL) {
		l->peek = malloc(PEEK_MAX);
		if (l->peek == NULL)
			return err_set(e, FAIL_TEMP, "%s: out of memory",
			    l->call->spec);
		if (l->call->before_end(l->call->arg, l->fd, e) != 0)
			return -1;
	}
	smtp_single_data_sent(c);
	return 0;
}

static int converse(struct line *l, struct smtp_single *c,
    const struct body *b, struct err *e)
{
	enum smtp_step step;
	int rc = 0;

	while (rc == 0 && (step = smtp_single_step(c)) != SMTP_END) {
		switch (step) {
		case SMTP_READ:
			rc = l->peek != NULL ? look(l, c, e) : get(l, c, e);
			break;
		case SMTP_WRITE:
			rc = put(l, smtp_single_output(c), e);
			smtp_single_sent(c);
			break;
		case SMTP_DATA:
			rc = send_data(l, c, b, e);
			break;
		case SMTP_END:
			break;
		}
	}
	return rc;
}

int hop_send(const struct hop_call *call, struct smtp_mail *m,
    const struct spool *s, uint64_t off, uint64_t size, struct err *e)
{
	struct line l = {call, -1, NULL, 0, 0};
	const struct body b = {s, off, size};
	struct smtp_single *c = NULL;
	struct where w;
	int rc = -1;

	if (read_spec(&w, call->spec) != 0)
		return err_set(e, FAIL_BUG, "next hop %s: not understood",
		    call->spec);
	if (smtp_single_new(&c, m, call->helo, w.lmtp, e) != 0)
		return -1;
	if (connect_to(&l, &w, e) != 0)
		goto out;
	rc = converse(&l, c, &b, e);
	/* whatever comes of it, everything is known by now */
	if (rc == 0)
		(void)!send(l.fd, "QUIT\r\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT);
out:
	if (l.fd >= 0)
		close(l.fd);
	free(l.peek);
	smtp_single_free(&c);
	return rc;
}
