/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A transaction as its owner sees it. He is called from an event of its own,
 * never from within a call, and a hop is freed there or by him, nowhere else.
 */
#include "relay/hop_int.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"

/* ---- what is told ---- */

void hop_tell_soon(struct hop *h)
{
	event_active(h->soon, EV_TIMEOUT, 0);
}

static void tell_late(struct hop_rcpt *r)
{
	bool accepted = r->result.reply.code / 100 == 2;

	if (!r->has_late)
		return;
	r->has_late = false;
	r->late(r->late_arg, r->late_key, accepted);
}

bool hop_is_taken(const struct hop_rcpt *r)
{
	return r->has_reply && r->reply.reply.code / 100 == 2;
}

/* Nobody listens any more: what became of it goes to the log. */
static void tell_nobody(struct hop *h)
{
	for (size_t i = 0; i < h->rcpts; i++) {
		struct hop_rcpt *r = &h->rcpt[i];

		if (!hop_is_taken(r) || !r->has_result || r->told_result)
			continue;
		r->told_result = true;
		if (r->result.state == HOP_ANSWERED)
			hop_log_late(h, r, r->result.reply.code / 100 == 2 ?
			    "accepted-orphan" : "refused-orphan");
		else if (r->result.state == HOP_UNKNOWN)
			hop_log_late(h, r, "unknown-orphan");
		if (r->result.state == HOP_ANSWERED)
			tell_late(r);
	}
}

static void tell(struct hop *h)
{
	for (size_t i = 0; i < h->rcpts && !h->is_freed; i++) {
		struct hop_rcpt *r = &h->rcpt[i];

		if (!r->has_reply || r->told_reply)
			continue;
		r->told_reply = true;
		h->use.on_rcpt(h->use.arg, i, &r->reply);
	}
	for (size_t i = 0; h->has_data && i < h->rcpts && !h->is_freed; i++) {
		struct hop_rcpt *r = &h->rcpt[i];

		if (!hop_is_taken(r) || !r->has_result || r->told_result)
			continue;
		r->told_result = true;
		h->use.on_result(h->use.arg, i, &r->result);
	}
}

void hop_destroy(struct hop *h)
{
	LIST_REMOVE(h, all);
	dest_leave(h);
	if (h->link != NULL)
		link_free(&h->link);
	for (size_t i = 0; i < h->rcpts; i++) {
		free(h->rcpt[i].path);
		free(h->rcpt[i].notify);
		free(h->rcpt[i].orcpt);
	}
	free(h->rcpt);
	for (size_t i = 0; i < ARRAY_LEN(h->owned); i++)
		free(h->owned[i]);
	route_free(&h->route);
	if (h->soon != NULL)
		event_free(h->soon);
	if (h->timer != NULL)
		event_free(h->timer);
	free(h);
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct hop *h = arg;

	(void)fd;
	(void)what;
	if (h->has_turn) {
		h->has_turn = false;
		if (h->at == HOP_REACHING)
			hop_reach(h);
	}
	h->is_telling = true;
	tell(h);
	h->is_telling = false;
	if (!h->is_freed)
		return;
	tell_nobody(h);
	if (h->at == HOP_OVER && h->link == NULL)
		hop_destroy(h);
}

/* ---- the end ---- */

void hop_result(struct hop *h, struct hop_rcpt *r,
    const struct hop_reply *result)
{
	bool was_unknown = r->has_result;

	if (was_unknown && (r->result.state != HOP_UNKNOWN ||
	    result->state == HOP_UNKNOWN))
		return;
	r->has_result = true;
	r->result = *result;
	if (!was_unknown || !r->told_result) {
		hop_tell_soon(h);
		return;
	}
	/* the truth, after it was told that nobody knows */
	hop_log_late(h, r, result->reply.code / 100 == 2 ? "accepted-late" :
	    "refused-late");
	tell_late(r);
}

static void stop_timer(struct hop *h)
{
	evtimer_del(h->timer);
}

void hop_start_timer(struct hop *h, int64_t ms)
{
	struct timeval tv = {(time_t)(ms / 1000),
	    (suseconds_t)(ms % 1000 * 1000)};

	evtimer_add(h->timer, &tv);
}

void hop_has_turn(struct hop *h)
{
	if (!h->has_data)
		stop_timer(h);
	h->since_ms = clock_ms();
	h->has_turn = true;
	hop_tell_soon(h);
}

void hop_over(struct hop *h, const struct hop_reply *verdict)
{
	h->at = HOP_OVER;
	h->verdict = *verdict;
	stop_timer(h);
	dest_leave(h);
	for (size_t i = 0; i < h->rcpts; i++) {
		struct hop_rcpt *r = &h->rcpt[i];

		if (!r->has_reply) {
			r->has_reply = true;
			r->reply = *verdict;
		} else if (hop_is_taken(r) && !r->has_result) {
			hop_result(h, r, verdict);
		}
	}
	hop_tell_soon(h);
}

/* All is said with this connection: MAIL may be said again on it. */
void hop_let_go(struct hop *h, bool is_kept)
{
	struct hop_link *l = h->link;

	h->link = NULL;
	if (l == NULL)
		return;
	l->messages++;
	if (is_kept && smtp_sender_is_idle(l->smtp))
		pool_keep(l);
	else
		link_quit(&l);
}

/* No answer in time; it may still come. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct hop *h = arg;
	struct hop_reply r;

	(void)fd;
	(void)what;
	if (h->at == HOP_OVER)
		return;
	if (h->at != HOP_END) {
		if (h->waits)
			hop_say(&r, 451, "4.3.2", "destination busy");
		else
			hop_say(&r, 451, "4.4.2", "the message could not be "
			    "sent in time");
		if (h->link != NULL)
			link_free(&h->link);
		hop_over(h, &r);
		return;
	}
	hop_unknown(&r, "no answer in time");
	for (size_t i = 0; i < h->rcpts; i++)
		if (h->rcpt[i].is_taken)
			hop_result(h, &h->rcpt[i], &r);
	conn_deadline(h->link->conn, clock_ms() + HOP_LATE_MS);
}

/* ---- the outside ---- */

static int copy_string(struct hop *h, size_t i, const char **s)
{
	if (*s == NULL)
		return 0;
	h->owned[i] = strdup(*s);
	*s = h->owned[i];
	return *s == NULL ? -1 : 0;
}

static int copy_envelope(struct hop *h)
{
	struct hop_envelope *e = &h->env;
	const char **const s[] = {&e->from, &e->ret, &e->envid, &e->auth,
	    &e->id, &e->client_addr, &e->client_name, &e->client_helo,
	    &e->client_login};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(s); i++)
		rc |= copy_string(h, i, s[i]);
	return rc;
}

static struct hop *make(struct hops *hs, struct route *take_route,
    const struct hop_envelope *env, const struct hop_use *use)
{
	struct hop *h = calloc(1, sizeof(*h));

	if (h == NULL) {
		route_free(&take_route);
		return NULL;
	}
	h->hops = hs;
	h->route = take_route;
	h->env = *env;
	h->use = *use;
	h->since_ms = clock_ms();
	LIST_INSERT_HEAD(&hs->all, h, all);
	h->soon = event_new(hs->setup.base, -1, 0, on_soon, h);
	h->timer = evtimer_new(hs->setup.base, on_timer, h);
	if (copy_envelope(h) != 0 || h->soon == NULL || h->timer == NULL) {
		hop_destroy(h);
		return NULL;
	}
	if (h->env.id == NULL)
		h->env.id = "-";
	return h;
}

int hop_begin(struct hop **out, struct hops *hs, struct route *take_route,
    const struct hop_envelope *env, const struct hop_use *use,
    struct err *e)
{
	struct hop_reply r;
	struct hop *h;

	*out = NULL;
	if (hs->is_stopping) {
		route_free(&take_route);
		return err_set(e, FAIL_TEMP, "next hop: we are going away");
	}
	h = make(hs, take_route, env, use);
	if (h == NULL)
		return err_set(e, FAIL_TEMP, "next hop: out of memory");
	if (!dest_enter(h)) {
		hop_say(&r, 451, "4.3.2", "destination busy");
		hop_over(h, &r);
	} else if (h->waits) {
		hop_start_timer(h, env->turn_ms);
	} else {
		hop_reach(h);
	}
	*out = h;
	return 0;
}

static struct hop_rcpt *add_rcpt(struct hop *h)
{
	if (h->rcpts == h->room) {
		size_t room = h->room == 0 ? 4 : 2 * h->room;
		struct hop_rcpt *p = realloc(h->rcpt, room * sizeof(*p));

		if (p == NULL)
			return NULL;
		h->rcpt = p;
		h->room = room;
	}
	memset(&h->rcpt[h->rcpts], 0, sizeof(*h->rcpt));
	return &h->rcpt[h->rcpts];
}

size_t hop_rcpt(struct hop *h, const char *path, const char *notify,
    const char *orcpt)
{
	struct hop_rcpt *r = add_rcpt(h);

	if (r == NULL)
		return (size_t)-1;
	r->path = strdup(path);
	r->notify = notify == NULL ? NULL : strdup(notify);
	r->orcpt = orcpt == NULL ? NULL : strdup(orcpt);
	if (r->path == NULL || (notify != NULL && r->notify == NULL) ||
	    (orcpt != NULL && r->orcpt == NULL)) {
		free(r->path);
		free(r->notify);
		free(r->orcpt);
		return (size_t)-1;
	}
	h->rcpts++;
	if (h->at > HOP_ENVELOPE) {
		if (h->at != HOP_OVER)
			hop_say(&h->verdict, 451, "4.5.0", "it is too late "
			    "for another recipient");
		r->has_reply = true;
		r->reply = h->verdict;
		hop_tell_soon(h);
	} else if (h->at == HOP_ENVELOPE) {
		hop_send_rcpt(h, h->rcpts - 1);
		link_flush(h->link, HOP_COMMAND_MS);
	}
	return h->rcpts - 1;
}

void hop_data(struct hop *h, const struct spool *s, uint64_t off,
    uint64_t size, int64_t until_ms)
{
	int64_t left = until_ms - clock_ms();

	h->s = s;
	h->off = off;
	h->size = size;
	h->until_ms = until_ms;
	h->has_data = true;
	hop_tell_soon(h);
	if (h->at == HOP_OVER)
		return;
	hop_start_timer(h, left > 0 ? left : 0);
	hop_step(h);
}

void hop_on_late(struct hop *h, size_t rcpt, const unsigned char key[32],
    hop_late *f, void *arg)
{
	struct hop_rcpt *r = &h->rcpt[rcpt];

	memcpy(r->late_key, key, sizeof(r->late_key));
	r->late = f;
	r->late_arg = arg;
	r->has_late = true;
}

/* Nothing is on its way: QUIT will be heard, and there is no DATA yet. */
static bool may_quit(const struct hop *h)
{
	return h->at == HOP_ENVELOPE && h->link != NULL &&
	    smtp_sender_is_idle(h->link->smtp);
}

void hop_free(struct hop **hp)
{
	struct hop *h = *hp;
	struct hop_reply gone;

	*hp = NULL;
	if (h == NULL)
		return;
	h->is_freed = true;
	if (h->at != HOP_END && h->at != HOP_OVER) {
		if (may_quit(h))
			hop_let_go(h, false);
		else if (h->link != NULL)
			link_free(&h->link);
		hop_say(&gone, 451, "4.4.2", "given up");
		hop_over(h, &gone);
	}
	if (h->is_telling || h->at == HOP_END)
		return;
	/* the ledger is told from an event, too */
	for (size_t i = 0; i < h->rcpts; i++) {
		const struct hop_rcpt *r = &h->rcpt[i];

		if (r->has_late && r->has_result && !r->told_result) {
			hop_tell_soon(h);
			return;
		}
	}
	tell_nobody(h);
	hop_destroy(h);
}

const struct route *hop_route(const struct hop *h)
{
	return h->route;
}

const struct route_host *hop_host(const struct hop *h)
{
	size_t n = h->route->hosts;

	return n == 0 ? NULL : &h->route->host[h->host < n ? h->host : n - 1];
}

const struct tls_got *hop_tls(const struct hop *h)
{
	return h->has_tls ? &h->got : NULL;
}
