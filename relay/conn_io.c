/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Octets of a connection. Input waits in a room that all share while its
 * owner looks at it, and takes memory of its own only if something is left.
 */
#include "relay/conn_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "util/clock.h"
#include "util/ossl.h"

#define AT_ONCE 1024	/* octets worth a call of the kernel of their own */
#define COMPACT 65536	/* sent octets that are moved away */
#define TURN 131072	/* octets read before others get their turn */
#define ROOM_LEAST 2048	/* octets for one look at a socket */
#define WIPED 16384	/* what may be a command; more is a message's */
#define LINGER_MS 2000	/* for the peer to read what was sent last */

/* A worker has one thread. */
static unsigned char shared[CONN_INPUT];

bool conn_is_reading(const struct conn *c)
{
	return c->step == STEP_OPEN && !c->is_paused && !c->has_eof &&
	    !c->is_over && !c->is_finishing && c->in.n < CONN_INPUT;
}

bool conn_has_output(const struct conn *c)
{
	return c->out.n > c->sent;
}

/* ---- output ---- */

/* As much of v as goes; more than 0 octets, or it must be waited for, or it is
 * over. */
static size_t send_some(struct conn *c, struct view v)
{
	enum tls_io_state s;
	size_t n = 0;
	ssize_t sent;

	if (c->tls != NULL && c->step != STEP_FLUSH) {
		s = tls_io_write(c->tls, v, &n);
		c->write_wants_read = s == TLS_IO_READ;
		if (s == TLS_IO_CUT || s == TLS_IO_END)
			conn_over(c, CONN_CUT, tls_io_why(c->tls));
		return n;
	}
	do
		sent = send(c->fd, v.p, v.n, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return (size_t)sent;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		conn_over(c, CONN_CUT, strerror(errno));
	return 0;
}

void conn_flush(struct conn *c)
{
	size_t n;

	c->try_write = false;
	while (conn_has_output(c) && !c->is_over) {
		n = c->step == STEP_FLUSH ? c->clear : conn_waiting(c);
		if (n > 0)
			n = send_some(c, view_make(c->out.p + c->sent, n));
		if (n == 0)
			return;
		c->sent += n;
		c->clear -= c->step == STEP_FLUSH ? n : 0;
	}
	if (!conn_has_output(c)) {
		buf_free(&c->out);
		buf_init(&c->out, CONN_OUTPUT_MAX);
		c->sent = 0;
	}
}

static void queue(struct conn *c, struct view v)
{
	if (c->sent > COMPACT && c->sent > c->out.n / 2) {
		memmove(c->out.p, c->out.p + c->sent, c->out.n - c->sent);
		c->out.n -= c->sent;
		c->sent = 0;
	}
	buf_putv(&c->out, v);
	if (buf_ok(&c->out, NULL) < 0)
		conn_over(c, CONN_FAULT, c->out.no_memory ?
		    "out of memory" : "too much output waits");
}

/* false: nothing is written any more. */
static bool begin_write(struct conn *c)
{
	if (c->is_over || c->output_ended || c->end_output)
		return false;
	c->was_busy = true;
	c->try_write = true;
	conn_soon(c);
	return true;
}

void conn_gather(struct conn *c, struct view v)
{
	if (v.n > 0 && begin_write(c))
		queue(c, v);
}

void conn_write(struct conn *c, struct view v)
{
	size_t n;

	if (v.n == 0 || !begin_write(c))
		return;
	/* Short replies gather until the turn ends; a tunnel's octets need no
	 * copy. */
	if (v.n >= AT_ONCE && !conn_has_output(c) && c->step == STEP_OPEN) {
		n = send_some(c, v);
		v = view_sub(v, n, v.n);
	}
	if (v.n > 0 && !c->is_over)
		queue(c, v);
}

bool conn_is_full(const struct conn *c)
{
	return conn_waiting(c) >= CONN_OUTPUT;
}

size_t conn_waiting(const struct conn *c)
{
	return c->out.n - c->sent;
}

void conn_end_output(struct conn *c)
{
	c->end_output = true;
	conn_soon(c);
}

/* A TLS peer may still ask for an answer below the data: its socket stays
 * open in both directions. */
static void finish_output(struct conn *c)
{
	if (c->tls != NULL && !c->output_ended)
		tls_io_close(c->tls);
	c->output_ended = true;
	if (c->tls == NULL || c->is_finishing)
		(void)shutdown(c->fd, SHUT_WR);
}

/* After what was written by callbacks. on_drained comes once a turn: who
 * writes a large file does not keep the others waiting. */
void conn_write_on(struct conn *c)
{
	conn_flush(c);
	if (c->step == STEP_OPEN && !conn_has_output(c) && !c->is_over &&
	    c->was_busy) {
		c->was_busy = false;
		if (c->use.on_drained != NULL && !c->is_mute)
			c->use.on_drained(c->use.arg);
		if (c->step == STEP_OPEN)
			conn_flush(c);
	}
	if (c->use.on_drained == NULL && !conn_has_output(c))
		c->was_busy = false;
	if (c->step != STEP_OPEN || c->is_over || !c->end_output ||
	    conn_has_output(c) || (c->output_ended && !c->is_finishing))
		return;
	finish_output(c);
	if (!c->is_finishing)
		return;
	if (c->has_eof) {
		conn_free(&c);
		return;
	}
	c->step = STEP_LINGER;
	if (c->deadline > clock_ms() + LINGER_MS)
		conn_deadline(c, clock_ms() + LINGER_MS);
}

/* ---- input ---- */

void conn_drop_input(struct conn *c)
{
	if (c->own != NULL)
		ossl_wipe(c->own, c->own_size);
	free(c->own);
	c->own = NULL;
	c->own_size = 0;
	c->in = view_make(NULL, 0);
}

struct view conn_input(const struct conn *c)
{
	return c->in;
}

void conn_used(struct conn *c, size_t n)
{
	if (n > c->in.n)
		n = c->in.n;
	if (c->in.n == CONN_INPUT && n > 0) {
		c->try_read = true;
		conn_soon(c);
	}
	c->in.p += n;
	c->in.n -= n;
	if (c->in.n == 0)
		conn_drop_input(c);
}

void conn_pause(struct conn *c)
{
	c->is_paused = true;
	conn_soon(c);
}

void conn_resume(struct conn *c)
{
	if (!c->is_paused)
		return;
	c->is_paused = false;
	c->is_resumed = true;
	c->try_read = true;
	conn_soon(c);
}

/* What is there goes to memory of its own, with room for more. */
static int keep_input(struct conn *c, size_t size)
{
	struct view v = c->in;
	unsigned char *own = malloc(size);

	if (own == NULL) {
		conn_over(c, CONN_FAULT, "out of memory");
		return -1;
	}
	memcpy(own, v.p, v.n);
	conn_drop_input(c);
	c->own = own;
	c->own_size = size;
	c->in = view_make(own, v.n);
	return 0;
}

/* Where input goes: behind what was left, or into the room of all. */
static unsigned char *make_room(struct conn *c, size_t *n)
{
	size_t size, at;

	if (c->in.n == 0) {
		*n = sizeof(shared);
		return shared;
	}
	at = c->own == NULL ? 0 : (size_t)(c->in.p - c->own) + c->in.n;
	if (c->own == NULL || c->own_size - at < ROOM_LEAST) {
		size = c->in.n * 2 + ROOM_LEAST;
		size = size > CONN_INPUT ? CONN_INPUT : size;
		if (keep_input(c, size) < 0)
			return NULL;
		at = c->in.n;
	}
	*n = c->own_size - at;
	return c->own + at;
}

static size_t read_plain(struct conn *c, unsigned char *p, size_t n)
{
	ssize_t got;

	do
		got = recv(c->fd, p, n, 0);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		c->has_eof = true;
	else if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		conn_over(c, CONN_CUT, strerror(errno));
	/* Less than asked for: that was all, the loop will say. */
	if (got < 0 || (size_t)got < n)
		c->try_read = false;
	return got < 0 ? 0 : (size_t)got;
}

static size_t read_tls(struct conn *c, unsigned char *p, size_t n)
{
	enum tls_io_state s = TLS_IO_DONE;
	size_t total = 0, got;

	while (total < n && (s = tls_io_read(c->tls, p + total, n - total,
	    &got)) == TLS_IO_DONE) {
		total += got;
		if (!tls_io_has_more(c->tls)) {
			c->try_read = false;
			break;
		}
	}
	c->read_wants_write = s == TLS_IO_WRITE;
	if (s != TLS_IO_DONE)
		c->try_read = false;
	if (s == TLS_IO_END)
		c->has_eof = true;
	else if (s == TLS_IO_CUT)
		conn_over(c, CONN_CUT, tls_io_why(c->tls));
	return total;
}

/* T11: who sends too slowly does not get more time. */
static void count_rate(struct conn *c, size_t n)
{
	int64_t limit, octet_ms;

	if (c->min_rate == 0 || c->deadline == 0)
		return;
	limit = clock_ms() + c->min_most;
	octet_ms = (int64_t)n * 1000 + c->min_rest;
	c->min_rest = octet_ms % c->min_rate;
	if (c->deadline >= limit)
		return;
	c->deadline += octet_ms / c->min_rate;
	if (c->deadline > limit)
		c->deadline = limit;
}

/* One look at the socket, and its owner's at what came. */
size_t conn_take_input(struct conn *c)
{
	size_t n, room = 0;
	unsigned char *p = make_room(c, &room);

	if (p == NULL)
		return 0;
	n = c->tls != NULL ? read_tls(c, p, room) : read_plain(c, p, room);
	if (n == 0)
		return 0;
	if (c->in.n == 0)
		c->in.p = p;
	c->in.n += n;
	count_rate(c, n);
	if (c->use.on_input != NULL && !c->is_mute)
		c->use.on_input(c->use.arg);
	if (!c->is_freed && c->own == NULL && c->in.n > 0)
		(void)keep_input(c, c->in.n);
	if (p == shared && n <= WIPED)
		ossl_wipe(shared, n); /* commands, passwords among them */
	return n;
}

void conn_read_on(struct conn *c)
{
	size_t total = 0, n;

	if (c->is_resumed && !c->is_paused && !c->is_over && c->in.n > 0) {
		c->is_resumed = false;
		if (c->use.on_input != NULL && !c->is_mute)
			c->use.on_input(c->use.arg);
	}
	c->is_resumed = c->is_resumed && c->is_paused;
	while (c->try_read && conn_is_reading(c) && total < TURN) {
		n = conn_take_input(c);
		if (n == 0)
			break;
		total += n;
	}
}

bool conn_linger(struct conn *c)
{
	ssize_t got;

	do
		got = recv(c->fd, shared, sizeof(shared), 0);
	while (got < 0 && errno == EINTR);
	return got > 0 ||
	    (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
}
