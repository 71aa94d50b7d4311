/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The front's end of a line to the store process.
 */
#include "milter/store_client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "milter/child.h"
#include "util/clock.h"

/* For a store that died and is being started again. */
#define STORE_WAIT_MS 10000
#define RETRY_MS 50
/* For the answer to one request; a slow disk is waited for. */
#define ANSWER_MS 30000
#define SOCKET_S 5 /* for the rest of what has begun */

void store_client_init(struct store_client *c)
{
	(void)pthread_mutex_init(&c->lock, NULL);
	c->fd = -1;
}

void store_client_free(struct store_client *c)
{
	store_client_set(c, -1);
	(void)pthread_mutex_destroy(&c->lock);
}

void store_client_set(struct store_client *c, int take_fd)
{
	(void)pthread_mutex_lock(&c->lock);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = take_fd;
	(void)pthread_mutex_unlock(&c->lock);
}

/* ---- the line ---- */

/* Hand the other end over; a store that does not take it is let go. */
static int hand_over(struct store_client *c, int fd, struct err *e)
{
	int rc;

	(void)pthread_mutex_lock(&c->lock);
	if (c->fd < 0) {
		rc = err_set(e, FAIL_TEMP, "the store process is away");
	} else {
		rc = ipc_send(c->fd, view_of("l"), &fd, 1, e);
		if (rc != 0) {
			close(c->fd);
			c->fd = -1;
		}
	}
	(void)pthread_mutex_unlock(&c->lock);
	return rc;
}

static int make_pair(int pair[2], struct err *e)
{
	const struct timeval limit = { SOCKET_S, 0 };
	int i;

	if (child_pair(SOCK_STREAM, pair, e) != 0)
		return -1;
	for (i = 0; i < 2; i++) {
		(void)setsockopt(pair[i], SOL_SOCKET, SO_SNDTIMEO, &limit,
		    sizeof(limit));
		(void)setsockopt(pair[i], SOL_SOCKET, SO_RCVTIMEO, &limit,
		    sizeof(limit));
	}
	return 0;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int store_line_open(struct store_line *l, struct err *e)
{
	int64_t until = earlier(clock_ms() + STORE_WAIT_MS, l->wait.until_ms);
	int pair[2], rc;

	l->fd = -1;
	if (make_pair(pair, e) != 0)
		return -1;
	while ((rc = hand_over(l->client, pair[1], e)) != 0 &&
	    clock_ms() < until) {
		(void)poll(NULL, 0, RETRY_MS);
		l->wait.tick(l->wait.arg);
	}
	close(pair[1]);
	if (rc != 0) {
		close(pair[0]);
		return -1;
	}
	err_clear(e);
	l->fd = pair[0];
	return 0;
}

void store_line_close(struct store_line *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

/* ---- requests ---- */

static int wait_answer(const struct store_line *l, struct err *e)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	int64_t until = clock_ms() + ANSWER_MS, left;
	int n;

	while ((left = until - clock_ms()) > 0) {
		n = poll(&p, 1, (int)earlier(left, l->wait.tick_ms));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_sys(e, FAIL_TEMP, "store process");
		l->wait.tick(l->wait.arg);
	}
	return err_set(e, FAIL_TEMP, "no answer of the store process");
}

static int read_answer(struct view v, const struct store_keys *k,
    unsigned char *said, struct err *e)
{
	struct view text, states;
	struct rd r;
	uint8_t kind;
	char msg[200];

	rd_init(&r, v);
	if (rd_u8(&r, &kind) != 0 || ipc_get_view(&r, &text) != 0 ||
	    ipc_get_view(&r, &states) != 0 || rd_left(&r) != 0 ||
	    view_cstr(view_sub(text, 0, sizeof(msg) - 1), msg,
	    sizeof(msg)) != 0)
		return err_set(e, FAIL_TEMP, "answer of the store process: "
		    "malformed");
	if (kind != 0)
		return err_set(e, kind == FAIL_LIMIT ? FAIL_LIMIT : FAIL_TEMP,
		    "%s", msg);
	if (said == NULL)
		return 0;
	if (states.n != k->n)
		return err_set(e, FAIL_TEMP, "answer of the store process: "
		    "malformed");
	for (size_t i = 0; i < k->n; i++)
		said[i] = states.p[i];
	return 0;
}

/* After a fault the line says nothing any more: closed, what was begun on it
 * is the store's. */
static int ask(struct store_line *l, struct buf *b, int fd, struct err *e)
{
	int rc = -1;

	if (l->fd < 0)
		(void)err_set(e, FAIL_TEMP, "the store process is away");
	else if (buf_ok(b, e) == 0 && ipc_send(l->fd, buf_view(b), &fd,
	    fd >= 0, e) == 0)
		rc = wait_answer(l, e);
	if (rc != 0)
		store_line_close(l);
	return rc;
}

static int converse(struct store_line *l, struct buf *b, int fd,
    const struct store_keys *k, unsigned char *said, struct err *e)
{
	int fds[IPC_FDS], rc;

	rc = ask(l, b, fd, e);
	buf_free(b);
	if (rc != 0)
		return -1;
	buf_init(b, CAP_IPC);
	rc = ipc_recv(l->fd, b, fds, e);
	for (int i = 0; i < IPC_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (rc == 1) {
		rc = read_answer(buf_view(b), k, said, e);
	} else {
		store_line_close(l);
		rc = rc == 0 ? err_set(e, FAIL_TEMP, "the store process "
		    "ended") : -1;
	}
	buf_free(b);
	return rc;
}

static void begin(struct buf *b, enum store_ask kind,
    const struct store_line *l, const struct store_keys *k)
{
	buf_init(b, CAP_IPC);
	ipc_put_u8(b, (uint8_t)kind);
	ipc_put_str(b, l->id);
	buf_put(b, l->whole, sizeof(l->whole));
	ipc_put_view(b, view_make(k->key, k->n * JOURNAL_KEY));
}

static int ask_plain(struct store_line *l, enum store_ask kind,
    const struct store_keys *k, unsigned char *said, struct err *e)
{
	struct buf b;

	begin(&b, kind, l, k);
	return converse(l, &b, -1, k, said, e);
}

int store_line_claim(struct store_line *l, const struct store_keys *k,
    unsigned char *said, struct err *e)
{
	return ask_plain(l, STORE_CLAIM, k, said, e);
}

int store_line_sent(struct store_line *l, const struct store_keys *k, bool lmtp,
    int sock, struct err *e)
{
	struct buf b;

	begin(&b, STORE_SENT, l, k);
	ipc_put_u8(&b, lmtp);
	return converse(l, &b, sock, k, NULL, e);
}

/* If need be once more, to the store that follows the one that died. */
static int ask_surely(struct store_line *l, enum store_ask kind,
    const struct store_keys *k, struct err *e)
{
	if (ask_plain(l, kind, k, NULL, e) == 0)
		return 0;
	err_clear(e);
	store_line_close(l);
	if (store_line_open(l, e) != 0)
		return -1;
	return ask_plain(l, kind, k, NULL, e);
}

int store_line_done(struct store_line *l, const struct store_keys *k,
    struct err *e)
{
	return ask_surely(l, STORE_DONE, k, e);
}

int store_line_failed(struct store_line *l, const struct store_keys *k,
    struct err *e)
{
	return ask_plain(l, STORE_FAILED, k, NULL, e);
}

int store_line_forget(struct store_line *l, const struct store_keys *k,
    struct err *e)
{
	return ask_surely(l, STORE_FORGET, k, e);
}

int store_line_hold(struct store_line *l, const struct store_keys *k,
    const struct held_mail *m, struct spool *s, uint64_t off, struct err *e)
{
	struct buf b;
	int fd;

	if (spool_fd(s, &fd, e) != 0)
		return -1;
	begin(&b, STORE_HOLD, l, k);
	ipc_put_str(&b, m->id);
	ipc_put_u64(&b, (uint64_t)m->at);
	ipc_put_u8(&b, (uint8_t)m->direction);
	ipc_put_u8(&b, m->may_tell);
	ipc_put_str(&b, m->sender);
	ipc_put_str(&b, m->login);
	ipc_put_str(&b, m->client);
	ipc_put_str(&b, m->reason);
	ipc_put_u64(&b, m->size);
	ipc_put_u64(&b, spool_fd_start(s) + off);
	ipc_put_u32(&b, (uint32_t)m->rcpts);
	for (size_t i = 0; i < m->rcpts; i++)
		ipc_put_str(&b, m->rcpt[i]);
	return converse(l, &b, fd, k, NULL, e);
}
