/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Questions that wait for their answers, and the one socket that both take.
 * An answer: its number, whether it is one, then it, or kind and text of a
 * failure (relay/service.c).
 */
#include "relay/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "util/caps.h"
#include "util/log.h"
#include "util/proc.h"

#define OUT_MAX (16u << 20) /* octets of questions that wait to be sent */
#define READ_SIZE 65536

struct question {
	struct question *next;
	uint32_t number;
	struct event *timer;
	struct ask *ask;
	ask_done *done;
	void *arg;
	bool is_known;
	struct buf known; /* its answer */
};

struct ask {
	struct event_base *base;
	struct event *readable, *writable;
	int sock; /* -1: it is away */
	char whom[32];
	struct question *first;
	uint32_t last;
	struct buf in, out;
	size_t sent; /* of out */
};

static void forget(struct ask *a, struct question *q)
{
	struct question **at = &a->first;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	event_free(q->timer);
	buf_free(&q->known);
	free(q);
}

/* Give it what it waited for. */
static void conclude(struct question *q, const struct view *reply,
    const struct err *e)
{
	ask_done *done = q->done;
	void *arg = q->arg;

	forget(q->ask, q);
	done(arg, reply, e);
}

static void conclude_known(struct question *q)
{
	struct buf known = q->known;
	struct view v = buf_view(&known);

	memset(&q->known, 0, sizeof(q->known));
	conclude(q, &v, NULL);
	buf_free(&known);
}

/* From now on everybody is told that nobody is there, from the loop. */
static void go_away(struct ask *a)
{
	struct question *q;

	if (a->sock < 0)
		return;
	event_free(a->readable);
	event_free(a->writable);
	a->readable = a->writable = NULL;
	close(a->sock);
	a->sock = -1;
	for (q = a->first; q != NULL; q = q->next)
		event_active(q->timer, EV_TIMEOUT, 1);
}

static void on_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct question *q = arg;
	struct err e = { 0 };

	if (q->is_known) {
		conclude_known(q);
		return;
	}
	(void)err_set(&e, FAIL_TEMP, q->ask->sock < 0 ?
	    "the %s process is away" : "the %s process did not answer in time",
	    q->ask->whom);
	conclude(q, NULL, &e);
}

/* ---- what comes ---- */

static struct question *find(struct ask *a, uint32_t number)
{
	struct question *q = a->first;

	while (q != NULL && q->number != number)
		q = q->next;
	return q;
}

/* One whole message; false: it is none of ours. */
static bool take_answer(struct ask *a, struct view v)
{
	struct err e = { 0 };
	struct question *q;
	struct view text;
	uint32_t number;
	uint8_t kind;
	struct rd r;

	rd_init(&r, v);
	if (rd_u32(&r, &number) != 0 || rd_u8(&r, &kind) != 0 ||
	    rd_take(&r, rd_left(&r), &text) != 0 || kind > FAIL_BUG)
		return false;
	q = find(a, number);
	if (q == NULL)
		return number <= a->last; /* it was cancelled */
	if (kind == 0) {
		conclude(q, &text, NULL);
		return true;
	}
	(void)err_set(&e, (enum fail)kind, "%.*s", (int)text.n,
	    (const char *)text.p);
	conclude(q, NULL, &e);
	return true;
}

/* Everything that is whole; the rest stays. A callback may ask, and may
 * cancel, but not free: ask_free() is for the end of a worker. */
static bool take_answers(struct ask *a)
{
	size_t at = 0, n;
	struct view v;

	for (;;) {
		v = view_sub(buf_view(&a->in), at, a->in.n);
		if (v.n < 4)
			break;
		n = (size_t)v.p[0] << 24 | (size_t)v.p[1] << 16 |
		    (size_t)v.p[2] << 8 | v.p[3];
		if (n > CAP_IPC)
			return false;
		if (v.n - 4 < n)
			break;
		at += 4 + n;
		if (!take_answer(a, view_sub(v, 4, n)))
			return false;
	}
	memmove(a->in.p, a->in.p + at, a->in.n - at);
	a->in.n -= at;
	return true;
}

static void on_readable(evutil_socket_t fd, short what UNUSED, void *arg)
{
	struct ask *a = arg;
	unsigned char *p = buf_room(&a->in, READ_SIZE);
	ssize_t n;

	if (p == NULL) {
		go_away(a);
		return;
	}
	n = recv(fd, p, READ_SIZE, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		a->in.n += (size_t)n;
	if (n <= 0 || !take_answers(a))
		go_away(a);
}

/* ---- what goes ---- */

static void send_some(struct ask *a)
{
	ssize_t n;

	while (a->sent < a->out.n) {
		n = send(a->sock, a->out.p + a->sent, a->out.n - a->sent,
		    MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			(void)event_add(a->writable, NULL);
			return;
		}
		if (n <= 0) {
			go_away(a);
			return;
		}
		a->sent += (size_t)n;
	}
	buf_clear(&a->out);
	a->sent = 0;
}

static void on_writable(evutil_socket_t fd UNUSED, short what UNUSED,
    void *arg)
{
	send_some(arg);
}

static struct question *add(struct ask *a, ask_done *done, void *arg)
{
	struct question *q = calloc(1, sizeof(*q));

	if (q != NULL)
		q->timer = event_new(a->base, -1, 0, on_timer, q);
	if (q == NULL || q->timer == NULL)
		log_fatal("ask: out of memory");
	q->number = ++a->last == 0 ? ++a->last : a->last;
	q->ask = a;
	q->done = done;
	q->arg = arg;
	q->next = a->first;
	a->first = q;
	return q;
}

uint32_t ask_known(struct ask *a, struct view reply, ask_done *done,
    void *arg)
{
	struct question *q = add(a, done, arg);

	q->is_known = true;
	buf_init(&q->known, CAP_IPC);
	buf_putv(&q->known, reply);
	if (buf_ok(&q->known, NULL) != 0)
		log_fatal("ask: out of memory");
	event_active(q->timer, EV_TIMEOUT, 1);
	return q->number;
}

uint32_t ask_send(struct ask *a, struct view question, int64_t within_ms,
    ask_done *done, void *arg)
{
	struct timeval tv = { within_ms / 1000, within_ms % 1000 * 1000 };
	struct question *q = add(a, done, arg);

	(void)event_add(q->timer, &tv);
	if (a->sock < 0 || question.n > CAP_IPC - 4) {
		event_active(q->timer, EV_TIMEOUT, 1);
		return q->number;
	}
	ipc_put_u32(&a->out, (uint32_t)(question.n + 4));
	ipc_put_u32(&a->out, q->number);
	buf_putv(&a->out, question);
	if (buf_ok(&a->out, NULL) != 0)
		go_away(a); /* it reads nothing: it hangs */
	else
		send_some(a);
	return q->number;
}

void ask_cancel(struct ask *a, uint32_t number)
{
	struct question *q = find(a, number);

	if (q != NULL)
		forget(a, q);
}

bool ask_is_away(const struct ask *a)
{
	return a->sock < 0;
}

/* ---- life ---- */

int ask_new(struct ask **out, struct event_base *base, int take_sock,
    const char *whom, struct err *e)
{
	struct ask *a = calloc(1, sizeof(*a));

	*out = NULL;
	if (a == NULL) {
		close(take_sock);
		return err_set(e, FAIL_TEMP, "ask: out of memory");
	}
	a->base = base;
	a->sock = take_sock;
	text_set(a->whom, sizeof(a->whom), whom);
	buf_init(&a->in, CAP_IPC + 4 + READ_SIZE);
	buf_init_secret(&a->out, OUT_MAX);
	(void)evutil_make_socket_nonblocking(take_sock);
	a->readable = event_new(base, take_sock, EV_READ | EV_PERSIST,
	    on_readable, a);
	a->writable = event_new(base, take_sock, EV_WRITE, on_writable, a);
	if (a->readable == NULL || a->writable == NULL ||
	    event_add(a->readable, NULL) != 0) {
		ask_free(&a);
		return err_set(e, FAIL_TEMP, "ask: out of memory");
	}
	*out = a;
	return 0;
}

void ask_free(struct ask **a)
{
	struct ask *x = *a;

	if (x == NULL)
		return;
	while (x->first != NULL)
		forget(x, x->first);
	if (x->readable != NULL)
		event_free(x->readable);
	if (x->writable != NULL)
		event_free(x->writable);
	if (x->sock >= 0)
		close(x->sock);
	buf_free(&x->in);
	buf_free(&x->out);
	free(x);
	*a = NULL;
}
