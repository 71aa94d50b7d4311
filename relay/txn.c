/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Recipients of a message: a route for each, next hops by route and policy,
 * and RCPT to them while the client waits. Memory of a transaction dies in
 * destroy() alone.
 */
#include "relay/txn.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "relay/txn_int.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/ossl.h"

#define TURN_MS 30000 /* by then the slow are gone (txn_time.c) */

bool txn_has_lmtp(const struct txn *t)
{
	return t->l->protocol == RELAY_LMTP;
}

/* ---- life ---- */

/* A worker has one thread. */
static size_t orphans;

size_t txn_orphans(void)
{
	return orphans;
}

static void free_rcpt(struct txn_rcpt *r)
{
	if (r->question != 0)
		routes_cancel(r->t->w->routes, r->question);
	free(r->path);
	free(r->addr);
	free(r->notify);
	free(r->orcpt);
	free(r);
}

void txn_hop_free(struct txn_hop *k)
{
	k->is_closed = true;
	if (k->h == NULL)
		return;
	hop_free(&k->h);
	k->t->hops--;
}

static void destroy(struct txn *t)
{
	struct txn_hop *k;
	size_t i;

	orphans -= t->is_orphan;
	while ((k = t->hop) != NULL) {
		t->hop = k->next;
		txn_hop_free(k);
		free(k);
	}
	for (i = 0; i < t->rcpts; i++)
		free_rcpt(t->rcpt[i]);
	free(t->rcpt);
	if (t->timer != NULL)
		event_free(t->timer);
	if (t->rcpt_timer != NULL)
		event_free(t->rcpt_timer);
	spool_free(&t->body);
	free(t->from);
	free(t->from_addr);
	free(t->ret);
	free(t->envid);
	free(t->auth);
	free(t->client_addr);
	free(t->client_name);
	free(t->client_helo);
	free(t->client_login);
	free(t);
}

/* Whoever was sent the end of the data must be heard, for the ledger. */
static bool is_needed(const struct txn *t)
{
	const struct txn_hop *k;

	if (!t->is_free || t->is_busy)
		return true;
	for (k = t->hop; k != NULL; k = k->next)
		if (k->is_sending && k->owed > 0)
			return true;
	return false;
}

void txn_settle(struct txn *t)
{
	if (!is_needed(t)) {
		destroy(t);
	} else if (t->is_free && !t->is_orphan) {
		t->is_orphan = true;
		orphans++;
	}
}

/* A copy of what may be NULL; false: memory. */
static bool copy(char **out, const char *s)
{
	*out = s == NULL ? NULL : strdup(s);
	return s == NULL || *out != NULL;
}

/* "<a@b>" without its brackets. */
static char *inner(const char *path)
{
	size_t n = strlen(path);

	return n < 2 ? NULL : view_strdup(view_make(path + 1, n - 2));
}

static bool copy_envelope(struct txn *t, const struct txn_setup *s,
    const struct smtp_server_mail *m)
{
	const char *auth = NULL;

	if (m->auth != NULL) /* RFC 4954 5: "AUTH=" in front */
		auth = s->is_trusted ? m->auth + 5 : "<>";
	t->utf8 = m->utf8;
	t->is_8bit = m->is_8bit;
	t->require_tls = m->require_tls;
	t->size = m->size;
	t->from_addr = inner(m->from);
	return t->from_addr != NULL && copy(&t->from, m->from) &&
	    copy(&t->ret, m->ret) && copy(&t->envid, m->envid) &&
	    copy(&t->auth, auth) && copy(&t->client_addr, s->client_addr) &&
	    copy(&t->client_name, s->client_name) &&
	    copy(&t->client_helo, s->client_helo) &&
	    copy(&t->client_login, s->client_login);
}

int txn_new(struct txn **out, const struct txn_setup *s,
    const struct smtp_server_mail *m, const struct txn_use *use,
    struct err *e)
{
	struct txn *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (t == NULL)
		return err_set(e, FAIL_TEMP, "transaction: out of memory");
	t->w = s->w;
	t->l = s->l;
	t->use = *use;
	text_set(t->id, sizeof(t->id), s->id);
	text_set(t->queue_id, sizeof(t->queue_id),
	    s->queue_id == NULL ? "" : s->queue_id);
	if (!copy_envelope(t, s, m)) {
		destroy(t);
		return err_set(e, FAIL_TEMP, "transaction: out of memory");
	}
	*out = t;
	return 0;
}

/* ---- before the data: what the client hears ---- */

static void tell_rcpt(struct txn_rcpt *r, enum rcpt_state state)
{
	struct txn *t = r->t;

	r->state = state;
	if (!t->is_free)
		t->use.on_rcpt(t->use.arg, r->number, &r->reply);
}

/* Is it for TLS-Required to say? Only where each recipient gets an answer of
 * his own at the end, and nothing stronger was asked for (RFC 8689 4.2.2). */
static bool may_go_without(const struct txn_rcpt *r)
{
	return txn_has_lmtp(r->t) && !r->t->require_tls &&
	    !r->t->l->verified && !r->tls_optional;
}

/* r->reply says why r goes nowhere; got NULL: no hop said it. */
static void refuse(struct txn_rcpt *r, bool is_policy,
    const struct hop_reply *got)
{
	struct txn *t = r->t;
	struct smtp_reply why;

	is_policy = is_policy && may_go_without(r);
	if (r->again && is_policy && header_watch_no_tls(&t->header)) {
		txn_route(r, true);
		return;
	}
	if (r->again) {
		txn_log(r, NULL, got);
		txn_done(r);
		return;
	}
	if (is_policy) {
		why = r->reply;
		txn_reply_set(&r->reply, 250, "2.1.5", "Ok, for the message "
		    "may say TLS-Required: No");
		r->state = RCPT_LATER;
		if (!t->is_free)
			t->use.on_rcpt(t->use.arg, r->number, &r->reply);
		r->reply = why;
		return;
	}
	txn_log(r, NULL, got);
	tell_rcpt(r, RCPT_REFUSED);
}

void txn_refuse_with(struct txn_rcpt *r, int code, const char *enhanced,
    const char *text)
{
	txn_reply_set(&r->reply, code, enhanced, text);
	refuse(r, false, NULL);
}

/* ---- hops ---- */

struct txn_rcpt *txn_rcpt_at(const struct txn_hop *k, size_t at_hop)
{
	const struct txn *t = k->t;
	size_t i;

	for (i = 0; i < t->rcpts; i++)
		if (t->rcpt[i]->hop == k && t->rcpt[i]->at_hop == at_hop)
			return t->rcpt[i];
	return NULL;
}

static void on_rcpt(void *arg, size_t at_hop, const struct hop_reply *got)
{
	struct txn_hop *k = arg;
	struct txn *t = k->t;
	struct txn_rcpt *r = txn_rcpt_at(k, at_hop);

	if (r == NULL || r->state != RCPT_SAID)
		return;
	t->is_busy = true;
	if (--k->asked == 0)
		k->since_ms = clock_ms();
	txn_reply_take(&r->reply, got);
	if (r->reply.code / 100 == 2) {
		k->taken++;
		if (r->again)
			r->state = RCPT_TAKEN;
		else
			tell_rcpt(r, RCPT_TAKEN);
	} else {
		refuse(r, got->is_tls_failure, got);
	}
	if (t->has_ended)
		txn_advance(t);
	t->is_busy = false;
	txn_settle(t);
}

/* Messages are in one connection only where route and policy agree (T61). */
static int route_key(const struct route *to, bool tls_optional,
    unsigned char key[32], struct err *e)
{
	const struct tls_want *w = to->hosts > 0 ? &to->host[0].want : NULL;
	struct buf b;
	int rc;

	buf_init(&b, 4096);
	buf_printf(&b, "%s\n%s\n%d%d%d%d\n", to->name, to->nexthop, to->lmtp,
	    to->xclient, to->sts_testing, tls_optional);
	if (w != NULL)
		buf_printf(&b, "%d %d %s", (int)w->level, (int)w->asked,
		    w->because);
	rc = buf_ok(&b, e);
	ossl_sha256(b.p, b.n, key);
	buf_free(&b);
	return rc;
}

static struct txn_hop *find_hop(const struct txn *t,
    const unsigned char key[32])
{
	struct txn_hop *k;

	for (k = t->hop; k != NULL; k = k->next)
		if (!k->is_closed && memcmp(k->key, key, 32) == 0)
			return k;
	return NULL;
}

/* Where others are in front of it: a person would see an error, and a message
 * that came here would have to come again. An MTA hears it at once: it has
 * other mail. */
static bool may_wait(const struct txn *t)
{
	return t->has_ended || t->l->protocol == RELAY_SUBMISSION;
}

static int begin_hop(struct txn *t, struct route *take_route,
    struct txn_hop **out, struct err *e)
{
	struct txn_hop *k = calloc(1, sizeof(*k));
	const struct hop_use use = { on_rcpt, txn_on_result, k };
	const struct hop_envelope env = {
		.from = t->from,
		.ret = t->ret,
		.envid = t->envid,
		.utf8 = t->utf8,
		.is_8bit = t->is_8bit,
		.require_tls = t->require_tls,
		.size = t->has_ended ? t->octets : t->size,
		.turn_ms = may_wait(t) ? TURN_MS : 0,
		.auth = t->auth,
		.id = t->id,
		.client_addr = t->client_addr,
		.client_name = t->client_name,
		.client_helo = t->client_helo,
		.client_login = t->client_login
	};

	if (k == NULL) {
		route_free(&take_route);
		return err_set(e, FAIL_TEMP, "next hop: out of memory");
	}
	k->t = t;
	if (hop_begin(&k->h, t->w->hops, take_route, &env, &use, e) != 0) {
		free(k);
		return -1;
	}
	k->next = t->hop;
	t->hop = k;
	t->hops++;
	*out = k;
	return 0;
}

/* An SMTP client gets one answer, so all of a message goes one way; who was
 * refused does not hold it up. */
static bool is_only_way(struct txn *t, const unsigned char key[32])
{
	struct txn_hop *k;

	for (k = t->hop; k != NULL; k = k->next) {
		if (k->is_closed && k->taken > 0 &&
		    memcmp(k->key, key, sizeof(k->key)) != 0)
			return false; /* they begin anew, and not with r */
		if (k->is_closed)
			continue;
		if (k->asked > 0 || k->taken > 0)
			return false;
		txn_hop_free(k);
	}
	return true;
}

/* Other ways of it; whose hop was let go, will go there again. */
static size_t ways_beside(const struct txn *t, const unsigned char key[32])
{
	const struct txn_hop *k;
	size_t n = 0;

	for (k = t->hop; k != NULL; k = k->next)
		n += (!k->is_closed || (k->taken > 0 && !k->is_old)) &&
		    memcmp(k->key, key, sizeof(k->key)) != 0;
	return n;
}

static bool has_room(struct txn *t, const unsigned char key[32])
{
	if (t->has_ended)
		return t->hops < TXN_HOPS * 2;
	return txn_has_lmtp(t) ? ways_beside(t, key) < TXN_HOPS :
	    is_only_way(t, key);
}

static void set_way(struct txn_hop *k, const unsigned char key[32])
{
	struct txn_hop *old;

	for (old = k->next; old != NULL; old = old->next)
		old->is_old |= memcmp(old->key, key, sizeof(old->key)) == 0;
	memcpy(k->key, key, sizeof(k->key));
}

static void say_rcpt(struct txn_rcpt *r, struct txn_hop *k)
{
	r->at_hop = hop_rcpt(k->h, r->path, r->notify, r->orcpt);
	if (r->at_hop == (size_t)-1) {
		txn_refuse_with(r, 452, "4.3.1", "Not enough memory");
		return;
	}
	r->hop = k;
	r->state = RCPT_SAID;
	if (k->asked++ == 0 && k->since_ms != 0)
		k->waited_ms += clock_ms() - k->since_ms;
}

static void to_hop(struct txn_rcpt *r, struct route *take_route)
{
	struct txn *t = r->t;
	unsigned char key[32];
	struct err e = { 0 };
	struct txn_hop *k = NULL;
	int rc = route_key(take_route, r->tls_optional, key, &e);

	if (rc == 0)
		k = find_hop(t, key);
	if (rc != 0 || k != NULL) {
		route_free(&take_route);
	} else if (!has_room(t, key)) {
		route_free(&take_route);
		txn_refuse_with(r, 452, "4.5.3",
		    "Send this recipient in another transaction");
		return;
	} else {
		rc = begin_hop(t, take_route, &k, &e);
		if (rc == 0)
			set_way(k, key);
	}
	if (rc != 0) {
		log_err("event=no-hop id=%s error=\"%s\"", t->id, e.msg);
		txn_refuse_with(r, 451, "4.3.0",
		    "Local fault, please try again");
		return;
	}
	say_rcpt(r, k);
}

/* ---- routes ---- */

static void on_route(void *arg, struct route *take_route)
{
	struct txn_rcpt *r = arg;
	struct txn *t = r->t;

	r->question = 0;
	if (t->is_free) {
		route_free(&take_route);
		r->state = RCPT_DONE;
		return;
	}
	t->is_busy = true;
	if (take_route->code == 0) {
		to_hop(r, take_route);
	} else {
		txn_reply_set(&r->reply, take_route->code,
		    take_route->enhanced, take_route->text);
		refuse(r, strncmp(take_route->enhanced, "4.7.", 4) == 0,
		    NULL);
		route_free(&take_route);
	}
	if (t->has_ended)
		txn_advance(t);
	t->is_busy = false;
	txn_settle(t);
}

void txn_route(struct txn_rcpt *r, bool tls_optional)
{
	struct txn *t = r->t;
	const struct route_query q = {
		.route = t->l->route,
		.rcpt = r->addr,
		.from = t->from_addr,
		.require_tls = t->require_tls,
		.tls_optional = tls_optional,
		.verified = t->l->verified
	};

	r->state = RCPT_ROUTING;
	r->hop = NULL;
	r->tls_optional = tls_optional;
	r->question = routes_ask(t->w->routes, &q, on_route, r);
}

static struct txn_rcpt *new_rcpt(struct txn *t,
    const struct smtp_server_rcpt *s)
{
	struct txn_rcpt *r, **more;
	size_t room;

	if (t->rcpts == t->room) {
		room = t->room == 0 ? 4 : t->room * 2;
		more = reallocarray(t->rcpt, room, sizeof(*more));
		if (more == NULL)
			return NULL;
		t->rcpt = more;
		t->room = room;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->t = t;
	r->number = s->number;
	r->addr = inner(s->path);
	if (r->addr == NULL || !copy(&r->path, s->path) ||
	    !copy(&r->notify, s->notify) || !copy(&r->orcpt, s->orcpt)) {
		free_rcpt(r);
		return NULL;
	}
	t->rcpt[t->rcpts++] = r;
	return r;
}

void txn_rcpt(struct txn *t, const struct smtp_server_rcpt *s)
{
	struct txn_rcpt *r = new_rcpt(t, s);
	struct smtp_reply reply;

	if (r != NULL && strrchr(r->addr, '@') != NULL) {
		txn_rcpt_wait(r);
		txn_route(r, false);
	} else if (r != NULL) {
		txn_refuse_with(r, 550, "5.1.3",
		    "An address without a domain");
	} else {
		txn_reply_set(&reply, 452, "4.3.1", "Not enough memory");
		t->use.on_rcpt(t->use.arg, s->number, &reply);
	}
}
