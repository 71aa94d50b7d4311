/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Framed messages with descriptors over unix sockets, and the typed fields
 * inside them. What the fields mean is decided by the two ends.
 */
#include "util/proc.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define HEADER_N 4
#define RECV_ROOM 32000 /* what a short message takes, read at once */

/* Room for the descriptors of one message, aligned for a header. */
union control {
	struct cmsghdr align;
	unsigned char room[CMSG_SPACE(IPC_FDS * sizeof(int))];
};

static void attach(struct msghdr *m, union control *c, const int *fds,
    size_t nfds)
{
	struct cmsghdr *h;

	if (nfds == 0)
		return;
	memset(c, 0, sizeof(*c));
	m->msg_control = c->room;
	m->msg_controllen = CMSG_SPACE(nfds * sizeof(int));
	h = CMSG_FIRSTHDR(m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	memcpy(CMSG_DATA(h), fds, nfds * sizeof(int));
}

int ipc_send(int sock, struct view payload, const int *fds, size_t nfds,
    struct err *e)
{
	unsigned char head[HEADER_N];
	union control control;
	struct iovec iov[2];
	struct msghdr m;
	size_t left = HEADER_N + payload.n, k, cut;
	ssize_t n;
	int i;

	if (payload.n > CAP_IPC || nfds > IPC_FDS)
		return err_set(e, FAIL_BUG, "message to a process: %zu octets "
		    "and %zu descriptors", payload.n, nfds);
	for (i = 0; i < HEADER_N; i++)
		head[i] = (unsigned char)(payload.n >> (24 - 8 * i));
	memset(&m, 0, sizeof(m));
	iov[0].iov_base = head;
	iov[0].iov_len = sizeof(head);
	memcpy(&iov[1].iov_base, &payload.p, sizeof(payload.p));
	iov[1].iov_len = payload.n;
	m.msg_iov = iov;
	m.msg_iovlen = 2;
	attach(&m, &control, fds, nfds);
	while (left > 0) {
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, FAIL_TEMP, "message to a process");
		m.msg_control = NULL; /* they went with the first octet */
		m.msg_controllen = 0;
		left -= (size_t)n;
		for (k = (size_t)n, i = 0; i < 2; i++, k -= cut) {
			cut = k < iov[i].iov_len ? k : iov[i].iov_len;
			if (cut > 0)
				iov[i].iov_base = (char *)iov[i].iov_base +
				    cut;
			iov[i].iov_len -= cut;
		}
	}
	return 0;
}

static void close_all(int fds[IPC_FDS])
{
	int i;

	for (i = 0; i < IPC_FDS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

/* Take over the descriptors of one recvmsg; -1 when there are too many. */
static int collect(struct msghdr *m, int fds[IPC_FDS], size_t *have)
{
	struct cmsghdr *h;
	size_t n, i;
	int fd, rc = 0;

	for (h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int),
			    sizeof(fd));
			if (*have < IPC_FDS) {
				fds[(*have)++] = fd;
				continue;
			}
			close(fd);
			rc = -1;
		}
	}
	return (m->msg_flags & MSG_CTRUNC) != 0 ? -1 : rc;
}

/* What came behind the four octets in front, of the same read. */
struct behind {
	unsigned char *to;
	size_t room, got;
};

/* The four octets in front: 1, 0 at end of file before them, -1. */
static int recv_head(int sock, unsigned char head[HEADER_N],
    struct behind *more, int fds[IPC_FDS], struct err *e)
{
	union control control;
	struct iovec iov[2];
	struct msghdr m;
	size_t got = 0, have = 0;
	ssize_t n;

	while (got < HEADER_N) {
		memset(&m, 0, sizeof(m));
		iov[0].iov_base = head + got;
		iov[0].iov_len = HEADER_N - got;
		iov[1].iov_base = more->to;
		iov[1].iov_len = more->room;
		m.msg_iov = iov;
		m.msg_iovlen = more->room > 0 ? 2 : 1;
		m.msg_control = control.room;
		m.msg_controllen = sizeof(control.room);
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, FAIL_TEMP, "message of a process");
		if (collect(&m, fds, &have) != 0)
			return err_set(e, FAIL_BUG, "message of a process: "
			    "more than %d descriptors", IPC_FDS);
		if (n == 0 && got == 0)
			return 0;
		if (n == 0)
			return err_set(e, FAIL_TEMP, "message of a process: "
			    "it ended after %zu octets", got);
		got += (size_t)n;
	}
	more->got = got - HEADER_N;
	return 1;
}

static int recv_payload(int sock, unsigned char *to, size_t n, struct err *e)
{
	ssize_t k;

	while (n > 0) {
		k = recv(sock, to, n, MSG_WAITALL);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(e, FAIL_TEMP, "message of a process");
		if (k == 0)
			return err_set(e, FAIL_TEMP, "message of a process: "
			    "it ended %zu octets early", n);
		to += k;
		n -= (size_t)k;
	}
	return 0;
}

static size_t length_of(const unsigned char head[HEADER_N])
{
	return (size_t)head[0] << 24 | (size_t)head[1] << 16 |
	    (size_t)head[2] << 8 | head[3];
}

static int receive(int sock, struct buf *payload, struct behind *more,
    int fds[IPC_FDS], struct err *e)
{
	unsigned char head[HEADER_N];
	unsigned char *to;
	size_t n;
	int rc;

	rc = recv_head(sock, head, more, fds, e);
	if (rc <= 0)
		goto fail;
	n = length_of(head);
	if (n > CAP_IPC || n > payload->max) {
		rc = err_set(e, FAIL_BUG, "message of a process: %zu octets, "
		    "at most %zu allowed", n,
		    payload->max < CAP_IPC ? payload->max : (size_t)CAP_IPC);
		goto fail;
	}
	if (more->got > n) {
		rc = err_set(e, FAIL_BUG, "message of a process: %zu octets "
		    "too much", more->got - n);
		goto fail;
	}
	payload->n = more->got; /* kept when it grows */
	to = buf_room(payload, n - more->got);
	if (to == NULL) {
		rc = buf_ok(payload, e);
		goto fail;
	}
	rc = recv_payload(sock, to, n - more->got, e);
	if (rc != 0)
		goto fail;
	to -= more->got;
	payload->n = n;
	to[n] = '\0';
	return 1;
fail:
	payload->n = 0;
	close_all(fds);
	return rc;
}

static void begin_receive(struct buf *payload, int fds[IPC_FDS])
{
	int i;

	for (i = 0; i < IPC_FDS; i++)
		fds[i] = -1;
	buf_clear(payload);
}

int ipc_recv(int sock, struct buf *payload, int fds[IPC_FDS], struct err *e)
{
	struct behind none = { NULL, 0, 0 };

	begin_receive(payload, fds);
	return receive(sock, payload, &none, fds, e);
}

int ipc_recv_only(int sock, struct buf *payload, int fds[IPC_FDS],
    struct err *e)
{
	struct behind more = { NULL, RECV_ROOM, 0 };

	begin_receive(payload, fds);
	more.to = buf_room(payload, RECV_ROOM);
	if (more.to == NULL)
		return buf_ok(payload, e);
	return receive(sock, payload, &more, fds, e);
}

/* ---- many messages in a read ---- */

#define STREAM_ROOM 65536

void ipc_stream_init(struct ipc_stream *s)
{
	buf_init(&s->in, CAP_IPC + HEADER_N + STREAM_ROOM);
	s->pos = 0;
}

void ipc_stream_free(struct ipc_stream *s)
{
	buf_free(&s->in);
	s->pos = 0;
}

bool ipc_stream_has(const struct ipc_stream *s)
{
	size_t n = s->in.n - s->pos;

	return n >= HEADER_N &&
	    n - HEADER_N >= length_of(s->in.p + s->pos);
}

/* One read: as ipc_recv. */
static int read_more(int sock, struct ipc_stream *s, struct err *e)
{
	unsigned char *to;
	ssize_t n;

	if (s->pos > 0) {
		s->in.n -= s->pos;
		memmove(s->in.p, s->in.p + s->pos, s->in.n);
		s->pos = 0;
	}
	if (s->in.n >= HEADER_N && length_of(s->in.p) > CAP_IPC)
		return err_set(e, FAIL_BUG, "message of a process: %zu octets, "
		    "at most %u allowed", length_of(s->in.p), CAP_IPC);
	to = buf_room(&s->in, STREAM_ROOM);
	if (to == NULL)
		return buf_ok(&s->in, e);
	do
		n = recv(sock, to, STREAM_ROOM, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, FAIL_TEMP, "message of a process");
	if (n == 0 && s->in.n > 0)
		return err_set(e, FAIL_TEMP, "message of a process: it ended "
		    "after %zu octets", s->in.n);
	s->in.n += (size_t)n;
	return n > 0;
}

int ipc_stream_next(int sock, struct ipc_stream *s, struct view *payload,
    struct err *e)
{
	size_t n;
	int rc;

	while (!ipc_stream_has(s))
		if ((rc = read_more(sock, s, e)) <= 0)
			return rc;
	n = length_of(s->in.p + s->pos);
	*payload = view_make(s->in.p + s->pos + HEADER_N, n);
	s->pos += HEADER_N + n;
	return 1;
}

/* ---- fields ---- */

void ipc_put_u8(struct buf *b, uint8_t x)
{
	buf_putc(b, x);
}

static void put_number(struct buf *b, uint64_t x, size_t n)
{
	unsigned char o[8];
	size_t i;

	for (i = 0; i < n; i++)
		o[i] = (unsigned char)(x >> (8 * (n - 1 - i)));
	buf_put(b, o, n);
}

void ipc_put_u32(struct buf *b, uint32_t x)
{
	put_number(b, x, 4);
}

void ipc_put_u64(struct buf *b, uint64_t x)
{
	put_number(b, x, 8);
}

void ipc_put_view(struct buf *b, struct view v)
{
	if (v.n > UINT32_MAX) {
		b->failed = true;
		return;
	}
	ipc_put_u32(b, (uint32_t)v.n);
	buf_putv(b, v);
}

void ipc_put_str(struct buf *b, const char *s)
{
	ipc_put_u8(b, s != NULL);
	if (s != NULL)
		ipc_put_view(b, view_of(s));
}

int ipc_get_view(struct rd *r, struct view *v)
{
	struct rd at = *r;
	uint32_t n;

	if (rd_u32(&at, &n) != 0 || rd_take(&at, n, v) != 0)
		return -1;
	*r = at;
	return 0;
}

int ipc_get_str(struct rd *r, char **s)
{
	struct rd at = *r;
	struct view v;
	uint8_t there;

	*s = NULL;
	if (rd_u8(&at, &there) != 0 || there > 1)
		return -1;
	if (there == 1) {
		if (ipc_get_view(&at, &v) != 0 || (*s = view_strdup(v)) == NULL)
			return -1;
	}
	*r = at;
	return 0;
}
