/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Connections on libevent. All that happens to one happens in turn(), which
 * the loop calls: nobody is called back from within his own call.
 */
#include "relay/conn_int.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/clock.h"

/* A worker has one thread. */
static unsigned finishing;

static void turn(struct conn *c);

unsigned conn_finishing(void)
{
	return finishing;
}

/* ---- its end ---- */

void conn_over(struct conn *c, enum conn_end how, const char *why)
{
	if (c->is_over)
		return;
	c->is_over = true;
	c->how = how;
	text_set(c->why, sizeof(c->why), why);
}

/* All but the memory itself, which a turn may still look at. */
static void shut(struct conn *c)
{
	(void)event_del(&c->readable);
	(void)event_del(&c->writable);
	(void)event_del(&c->timer);
	(void)event_del(&c->soon);
	tls_io_free(&c->tls);
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	conn_drop_input(c);
	buf_free(&c->out);
	if (c->is_finishing)
		finishing--;
	c->step = STEP_OVER;
	c->is_freed = true;
}

void conn_free(struct conn **cp)
{
	struct conn *c = *cp;

	*cp = NULL;
	if (c == NULL || c->is_freed)
		return;
	shut(c);
	if (c->turns == 0)
		free(c);
}

/* ---- events ---- */

void conn_soon(struct conn *c)
{
	if (c->turns == 0)
		event_active(&c->soon, EV_TIMEOUT, 0);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	c->try_read = true;
	c->is_ignored = !conn_is_reading(c);
	if (c->tls != NULL)
		tls_io_ready(c->tls);
	turn(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	c->try_write = true;
	turn(c);
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	turn(arg);
}

static void arm(struct conn *c, int64_t now)
{
	int64_t ms = c->deadline > now ? c->deadline - now : 1;
	struct timeval tv;

	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	if (event_add(&c->timer, &tv) == 0)
		c->armed = c->deadline;
}

/* A deadline that moved away leaves the timer as it is: it looks again. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	int64_t now = clock_ms();

	(void)fd;
	(void)what;
	c->armed = 0;
	if (c->deadline == 0 || (c->is_mute && !c->is_finishing))
		return;
	if (now < c->deadline) {
		arm(c, now);
		return;
	}
	conn_over(c, CONN_LATE, "too slow");
	turn(c);
}

static void want_event(struct event *ev, bool *has, bool wanted)
{
	if (wanted == *has)
		return;
	if (wanted ? event_add(ev, NULL) == 0 : event_del(ev) == 0)
		*has = wanted;
}

/* A short pause does not cost two calls of the kernel: the event stays, until
 * it comes and nobody wants it. */
static bool only_rests(const struct conn *c)
{
	return (c->is_paused || c->in.n == CONN_INPUT) && c->has_readable &&
	    !c->is_ignored && !c->has_eof && !c->is_over && !c->is_finishing;
}

/* What the loop is to wait for, after a turn. */
static void settle(struct conn *c)
{
	bool r = false, w = false;

	switch (c->step) {
	case STEP_CONNECT:
		w = true;
		break;
	case STEP_OPEN:
		r = (conn_is_reading(c) && !c->read_wants_write) ||
		    c->write_wants_read || only_rests(c);
		w = ((conn_has_output(c) || c->was_busy) &&
		    !c->write_wants_read) || c->read_wants_write;
		break;
	case STEP_FLUSH:
		w = true;
		break;
	case STEP_HANDSHAKE:
		r = !c->read_wants_write;
		w = c->read_wants_write;
		break;
	case STEP_LINGER:
		r = true;
		break;
	case STEP_OVER:
		break;
	}
	want_event(&c->readable, &c->has_readable, r);
	want_event(&c->writable, &c->has_writable, w);
}

/* ---- steps ---- */

static void connect_on(struct conn *c)
{
	socklen_t n = sizeof(int);
	int error = 0;

	if (c->is_over || !c->try_write)
		return;
	c->try_write = false;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		error = errno;
	if (error != 0) {
		conn_over(c, CONN_CUT, strerror(error));
		return;
	}
	c->step = STEP_OPEN;
	if (c->use.on_connected != NULL)
		c->use.on_connected(c->use.arg);
}

static void clear_on(struct conn *c)
{
	conn_flush(c);
	if (!c->is_over && c->clear == 0)
		c->step = STEP_HANDSHAKE;
}

static void shake(struct conn *c)
{
	enum tls_io_state s;

	if (c->is_over)
		return;
	s = tls_io_handshake(c->tls);
	c->read_wants_write = s == TLS_IO_WRITE;
	if (s == TLS_IO_CUT)
		conn_over(c, CONN_NO_TLS, tls_io_why(c->tls));
	if (s != TLS_IO_DONE)
		return;
	c->step = STEP_OPEN;
	c->try_read = true; /* what came with the last flight */
	if (c->use.on_tls != NULL)
		c->use.on_tls(c->use.arg);
}

static void advance(struct conn *c)
{
	if (c->step == STEP_CONNECT)
		connect_on(c);
	if (c->step == STEP_FLUSH)
		clear_on(c);
	if (c->step == STEP_HANDSHAKE)
		shake(c);
	if (c->step == STEP_OPEN) {
		if (conn_has_output(c))
			conn_flush(c);
		conn_read_on(c);
	}
	if (c->step == STEP_LINGER && c->try_read && !conn_linger(c))
		conn_free(&c);
}

/* A peer that said something and then closed is heard, also if it did not
 * want to hear us. */
static void hear_last(struct conn *c)
{
	if (c->step != STEP_OPEN || c->how != CONN_CUT || c->has_eof ||
	    c->is_paused || c->is_finishing || c->in.n == CONN_INPUT)
		return;
	while (conn_take_input(c) > 0 && c->step == STEP_OPEN &&
	    c->in.n < CONN_INPUT)
		;
}

static void tell_end(struct conn *c)
{
	bool is_told = c->is_mute;

	if (c->step == STEP_OVER)
		return;
	if (c->is_finishing) {
		if (c->is_over)
			conn_free(&c);
		return;
	}
	if (c->is_over) {
		hear_last(c);
		if (c->is_freed)
			return;
		c->may_speak = c->how == CONN_LATE && c->step == STEP_OPEN;
		c->step = STEP_OVER;
		c->is_mute = true;
		if (!is_told && c->use.on_end != NULL)
			c->use.on_end(c->use.arg, c->how, c->why);
	} else if (c->has_eof && !c->eof_told && !c->is_paused &&
	    c->step == STEP_OPEN) {
		c->eof_told = true;
		c->is_mute = true;
		if (c->use.on_end != NULL)
			c->use.on_end(c->use.arg, CONN_EOF,
			    "the peer ended it");
	}
}

static void turn(struct conn *c)
{
	enum conn_step before;

	c->turns = 1;
	do {
		before = c->step;
		advance(c);
		if (c->step == STEP_OPEN && !c->is_freed)
			conn_write_on(c);
		tell_end(c);
	} while (c->step != before);
	/* Written, or ended, in the last callback. */
	if (c->step == STEP_OPEN && (c->try_write || c->end_output))
		conn_write_on(c);
	if (c->is_over)
		tell_end(c);
	c->turns = 0;
	if (c->is_freed) {
		free(c);
		return;
	}
	settle(c);
	/* What OpenSSL holds already, no event of the socket tells. */
	if (c->try_read && conn_is_reading(c) && c->tls != NULL &&
	    tls_io_has_more(c->tls))
		conn_soon(c);
}

/* ---- beginnings ---- */

static int make(struct conn **out, struct event_base *base, int take_fd,
    const struct conn_use *use, struct err *e)
{
	struct conn *c = calloc(1, sizeof(*c));
	int flags = fcntl(take_fd, F_GETFL);

	*out = NULL;
	if (c == NULL || flags < 0 || ((flags & O_NONBLOCK) == 0 &&
	    fcntl(take_fd, F_SETFL, flags | O_NONBLOCK) < 0)) {
		err_sys(e, FAIL_TEMP, "connection");
		free(c);
		(void)close(take_fd);
		return -1;
	}
	c->base = base;
	c->fd = take_fd;
	c->step = STEP_OPEN;
	if (use != NULL)
		c->use = *use;
	buf_init(&c->out, CONN_OUTPUT_MAX);
	if (event_assign(&c->readable, base, take_fd, EV_READ | EV_PERSIST,
	    on_readable, c) != 0 ||
	    event_assign(&c->writable, base, take_fd, EV_WRITE | EV_PERSIST,
	    on_writable, c) != 0 ||
	    event_assign(&c->timer, base, -1, 0, on_timer, c) != 0 ||
	    event_assign(&c->soon, base, -1, 0, on_soon, c) != 0) {
		conn_free(&c);
		return err_set(e, FAIL_TEMP, "connection: no event");
	}
	*out = c;
	return 0;
}

/* Nagle and delayed acknowledgements cost 40 ms a message. */
static void no_delay(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

int conn_new(struct conn **out, struct event_base *base, int take_fd,
    const struct conn_use *use, struct err *e)
{
	no_delay(take_fd);
	if (make(out, base, take_fd, use, e) < 0)
		return -1;
	settle(*out);
	return 0;
}

int conn_connect(struct conn **out, struct event_base *base,
    const struct sockaddr *sa, unsigned sa_len,
    const struct conn_use *use, struct err *e)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	struct conn *c = NULL;

	*out = NULL;
	if (fd < 0)
		return err_sys(e, FAIL_TEMP, "socket");
	if (sa->sa_family != AF_UNIX)
		no_delay(fd);
	if (make(&c, base, fd, use, e) < 0)
		return -1;
	c->step = STEP_CONNECT;
	if (connect(fd, sa, sa_len) == 0) {
		c->try_write = true;
		conn_soon(c);
	} else if (errno != EINPROGRESS) {
		conn_over(c, CONN_CUT, strerror(errno));
		conn_soon(c);
	} else
		settle(c);
	*out = c;
	return 0;
}

void conn_use(struct conn *c, const struct conn_use *use)
{
	c->use = *use;
}

void conn_finish(struct conn **cp, int64_t within_ms)
{
	static const struct conn_use nobody;
	struct conn *c = *cp;

	*cp = NULL;
	if (c == NULL || c->is_freed)
		return;
	if (c->step == STEP_FLUSH) {
		tls_io_free(&c->tls);
		c->step = STEP_OPEN;
	}
	if (c->step != STEP_OPEN || c->is_over) {
		conn_free(&c);
		return;
	}
	c->use = nobody;
	c->is_finishing = true;
	finishing++;
	c->end_output = true;
	c->min_rate = 0;
	conn_drop_input(c);
	conn_deadline(c, clock_ms() + (within_ms > 0 ? within_ms : 1));
	conn_soon(c);
}

void conn_half_open(struct conn *c)
{
	if (c->eof_told)
		c->is_mute = false;
}

void conn_last_words(struct conn *c)
{
	if (!c->may_speak)
		return;
	c->may_speak = c->is_over = false;
	c->step = STEP_OPEN;
}

void conn_deadline(struct conn *c, int64_t at_ms)
{
	c->deadline = at_ms;
	c->min_rest = 0;
	if (at_ms != 0 && (c->armed == 0 || at_ms < c->armed))
		arm(c, clock_ms());
}

void conn_min_rate(struct conn *c, unsigned octets_per_s, int64_t most_ms)
{
	c->min_rate = octets_per_s;
	c->min_most = most_ms;
	c->min_rest = 0;
}

/* ---- TLS ---- */

/* CVE-2011-0411 and its kin: octets that came before TLS are of whoever sits
 * between, and would be taken for the peer's. */
static int may_begin(const struct conn *c, struct err *e)
{
	if (c->step != STEP_OPEN || c->tls != NULL)
		return err_set(e, FAIL_BUG, "TLS: %s", c->tls != NULL ?
		    "there is TLS already" : "there is no connection");
	if (c->is_over || c->has_eof)
		return err_set(e, FAIL_TEMP, "TLS: the connection ended");
	if (c->in.n > 0)
		return err_set(e, FAIL_POLICY, "RFC 3207 4: %zu octets came "
		    "in clear before TLS began, wanted none", c->in.n);
	return 0;
}

static void begin(struct conn *c)
{
	c->step = STEP_FLUSH;
	c->clear = conn_waiting(c);
	c->try_read = false;
	conn_soon(c);
}

int conn_tls_server(struct conn *c, const struct tls_server *t,
    struct err *e)
{
	if (may_begin(c, e) < 0 || tls_io_server(&c->tls, t, c->fd, e) < 0)
		return -1;
	begin(c);
	return 0;
}

int conn_tls_client(struct conn *c, struct tls_clients *t,
    const struct tls_want *w, struct err *e)
{
	if (may_begin(c, e) < 0 || tls_io_client(&c->tls, t, w, c->fd, e) < 0)
		return -1;
	begin(c);
	return 0;
}

const struct tls_facts *conn_tls(const struct conn *c)
{
	return c->tls == NULL ? NULL : tls_io_facts(c->tls);
}

const struct tls_got *conn_tls_got(const struct conn *c)
{
	return c->tls == NULL ? NULL : tls_io_got(c->tls);
}

int conn_fd(const struct conn *c)
{
	return c->fd;
}
