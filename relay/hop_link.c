/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One connection to one host, up to where MAIL may be said: greeting, EHLO,
 * STARTTLS, EHLO again, XCLIENT. Whatever is not as it is wanted ends it
 * before MAIL.
 */
#include "relay/hop_int.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"

/* ---- its life ---- */

void link_free(struct hop_link **lp)
{
	struct hop_link *l = *lp;

	*lp = NULL;
	if (l == NULL)
		return;
	conn_free(&l->conn);
	smtp_sender_free(&l->smtp);
	free(l);
}

void link_quit(struct hop_link **lp)
{
	struct hop_link *l = *lp;

	*lp = NULL;
	if (l == NULL)
		return;
	if (l->conn != NULL && !smtp_sender_is_over(l->smtp)) {
		smtp_sender_quit(l->smtp);
		conn_write(l->conn, smtp_sender_output(l->smtp));
		conn_finish(&l->conn, HOP_QUIT_MS);
	}
	link_free(&l);
}

void link_flush(struct hop_link *l, int64_t within_ms)
{
	struct view v = smtp_sender_output(l->smtp);

	if (v.n > 0) {
		conn_write(l->conn, v);
		smtp_sender_sent(l->smtp);
	}
	conn_deadline(l->conn, smtp_sender_is_idle(l->smtp) ? 0 :
	    clock_ms() + within_ms);
}

/* ---- failures ---- */

static void fail_with(struct hop_link *l, struct hop_failure *f)
{
	struct hop *h = l->hop;

	hop_report(h, l, f);
	h->link = NULL;
	link_quit(&l);
	hop_host_failed(h, f);
}

/* TLS is not as it must be: that, whose rule it is, and never MAIL. */
static void fill_tls(const struct hop *h, struct hop_failure *f,
    const char *enhanced, const char *result, const char *reason)
{
	const struct route_host *host = hop_here(h);
	char where[400];
	struct err e;

	err_set(&e, FAIL_TEMP, "TLS with %s: %s (rule: %s)",
	    hop_where(where, sizeof(where), host), reason,
	    host->want.because[0] != '\0' ? host->want.because :
	    tls_level_str(host->want.asked));
	memset(f, 0, sizeof(*f));
	f->rank = RANK_TLS;
	f->rests = true;
	if (host->want.is_permanent)
		hop_say(&f->r, 550, enhanced[0] == '4' ? enhanced[4] == '4' ?
		    "5.7.4" : "5.7.5" : enhanced, e.msg);
	else
		hop_say(&f->r, enhanced[0] == '5' ? 550 : 451, enhanced,
		    e.msg);
	f->r.is_tls_failure = true;
	text_set(f->r.tls_result, sizeof(f->r.tls_result), result);
}

/* Level may: plaintext, but on a connection of its own. */
static void try_plain(struct hop_link *l, const struct hop_failure *f)
{
	struct hop *h = l->hop;

	hop_report(h, l, f);
	hop_log_downgrade(h, f);
	h->link = NULL;
	link_free(&l);
	h->is_plain = true;
	hop_reach(h);
}

static void fail_tls(struct hop_link *l, const char *result,
    const char *reason, bool is_attack)
{
	struct hop *h = l->hop;
	struct hop_failure f;

	fill_tls(h, &f, "4.7.5", result, reason);
	if (!hop_must_tls(h) && !is_attack) {
		try_plain(l, &f);
		return;
	}
	hop_report(h, l, &f);
	h->link = NULL;
	link_free(&l);
	hop_host_failed(h, &f);
}

static void fail_lacks(struct hop_link *l, int code, const char *enhanced,
    const char *what)
{
	struct hop_failure f = {.rank = RANK_LACKS};
	char where[400];
	struct err e;

	err_set(&e, FAIL_TEMP, "%s %s", hop_where(where, sizeof(where),
	    hop_here(l->hop)), what);
	hop_say(&f.r, code, enhanced, e.msg);
	fail_with(l, &f);
}

static void fail_config(struct hop_link *l, const char *what)
{
	struct hop_failure f = {.rank = RANK_CONFIG};

	hop_say(&f.r, 451, "4.3.5", what);
	fail_with(l, &f);
}

/* Refused before MAIL, or not SMTP: says nothing of the mail (RFC 5321 3.1),
 * but one that takes no mail at all does (RFC 7504). */
static void fail_greeting(struct hop_link *l, const struct smtp_reply *r)
{
	struct hop_failure f = {.rank = RANK_GREETING};
	char where[400];
	struct err e;

	err_set(&e, FAIL_TEMP, "%s: %d %s", hop_where(where, sizeof(where),
	    hop_here(l->hop)), r->code, r->text);
	if (r->code < 500) {
		hop_say(&f.r, 451, "4.3.2", e.msg);
	} else {
		hop_say(&f.r, 554, r->enhanced, e.msg);
		f.r.state = HOP_ANSWERED;
	}
	fail_with(l, &f);
}

static void fail_connection(struct hop_link *l, int rank,
    const char *enhanced, const char *why)
{
	struct hop_failure f = {.rank = rank, .rests = true};
	struct hop *h = l->hop;
	char where[400];
	struct err e;

	err_set(&e, FAIL_TEMP, "%s: %s", hop_where(where, sizeof(where),
	    hop_here(h)), why);
	hop_say(&f.r, 451, enhanced, e.msg);
	hop_report(h, l, &f);
	h->link = NULL;
	link_free(&l);
	hop_host_failed(h, &f);
}

static void fail_broken(struct hop_link *l, const char *why)
{
	fail_connection(l, RANK_LOST, "4.4.2", why);
}

/* ---- what must be there before MAIL ---- */

static bool wants_tls(const struct hop *h)
{
	const struct tls_want *w = &hop_here(h)->want;

	return w->level != TLS_NONE || w->implicit;
}

static bool is_requiretls(const struct hop *h)
{
	return h->env.require_tls || hop_here(h)->want.require_tls;
}

static bool is_too_large(const struct hop *h, const struct smtp_offers *o)
{
	uint64_t size = h->has_data ? h->size : h->env.size;

	return o->size_max > 0 && size + HOP_OVERHEAD > o->size_max &&
	    size > 0;
}

static void say_too_large(struct hop_link *l, const struct smtp_offers *o)
{
	struct hop *h = l->hop;
	struct hop_reply r;
	struct err e;

	err_set(&e, FAIL_TEMP, "the next hop takes %llu octets at most",
	    (unsigned long long)o->size_max);
	hop_say(&r, 552, "5.3.4", e.msg);
	hop_report(h, l, NULL);
	h->link = NULL;
	link_quit(&l);
	hop_over(h, &r);
}

/* The real client, where the route says so: without it the next hop would
 * take everybody for us. */
static void say_client(struct hop_link *l, const struct smtp_offers *o)
{
	const struct hop_envelope *env = &l->hop->env;
	const struct smtp_sender_client c = {env->client_addr,
	    env->client_name, env->client_helo, env->client_login};

	if (!o->x_addr) {
		fail_config(l, "the next hop does not offer XCLIENT, which "
		    "its route asks for");
		return;
	}
	l->has_xclient = true;
	smtp_sender_xclient(l->smtp, &c);
	link_flush(l, HOP_COMMAND_MS);
}

void link_suits(struct hop_link *l)
{
	const struct smtp_offers *o = smtp_sender_offers(l->smtp);
	struct hop *h = l->hop;

	if (is_requiretls(h) && !l->is_tls)
		fail_lacks(l, 550, "5.7.10", "has no TLS, which REQUIRETLS "
		    "asks for");
	else if (is_requiretls(h) && !o->require_tls)
		fail_lacks(l, 550, "5.7.30", "does not offer REQUIRETLS");
	else if (hop_must_tls(h) && !l->is_tls)
		fail_tls(l, "validation-failure", "there is none", true);
	else if (h->env.utf8 && !o->utf8)
		fail_lacks(l, 550, "5.6.7", "does not offer SMTPUTF8");
	else if (h->env.is_8bit && !o->mime8)
		fail_lacks(l, 554, "5.6.3", "does not offer 8BITMIME");
	else if (h->route->xclient && h->env.client_addr != NULL &&
	    !l->has_xclient)
		say_client(l, o);
	else if (is_too_large(h, o))
		say_too_large(l, o);
	else {
		l->is_ready = true;
		hop_report(h, l, NULL);
		hop_ready(h);
	}
}

/* ---- EHLO was answered ---- */

static void after_helo(struct hop_link *l)
{
	const struct smtp_offers *o = smtp_sender_offers(l->smtp);
	struct hop_failure f;
	struct hop *h = l->hop;

	if (l->is_tls || l->is_plain || !wants_tls(h)) {
		link_suits(l);
		return;
	}
	if (o->starttls) {
		l->asked_tls = true;
		smtp_sender_starttls(l->smtp);
		link_flush(l, HOP_COMMAND_MS);
		return;
	}
	text_set(l->got.result, sizeof(l->got.result),
	    "starttls-not-supported");
	if (!hop_must_tls(h)) {
		link_suits(l);
		return;
	}
	if (is_requiretls(h))
		fill_tls(h, &f, "5.7.10", l->got.result, "REQUIRETLS, but "
		    "STARTTLS is not offered");
	else
		fill_tls(h, &f, "4.7.4", l->got.result, "it is required, but "
		    "STARTTLS is not offered");
	fail_with(l, &f);
}

/* Its name is ours, and its address is: mail would go round. */
static bool is_ourself(const struct hop_link *l, const char *greeting)
{
	struct sockaddr_storage mine = {0};
	socklen_t n = sizeof(mine);
	const struct sockaddr_storage *sa = &l->key.sa;
	const struct sockaddr_in *a4 = (const void *)&mine;
	const struct sockaddr_in *b4 = (const void *)sa;
	const struct sockaddr_in6 *a6 = (const void *)&mine;
	const struct sockaddr_in6 *b6 = (const void *)sa;
	struct view v = view_of(greeting);

	/* a host that was configured is meant, and may well be beside us */
	if (l->hop->route->nexthop[0] == '[' ||
	    !view_ieq_str(view_sub(v, 0, view_chr(v, ' ', 0)),
	    l->hops->helo) ||
	    getsockname(conn_fd(l->conn), (struct sockaddr *)&mine, &n) != 0 ||
	    mine.ss_family != sa->ss_family)
		return false;
	if (sa->ss_family == AF_INET)
		return memcmp(&a4->sin_addr, &b4->sin_addr,
		    sizeof(a4->sin_addr)) == 0;
	return sa->ss_family == AF_INET6 && memcmp(&a6->sin6_addr,
	    &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

static void on_greeting(struct hop_link *l, const struct smtp_reply *r)
{
	struct hop *h = l->hop;
	struct hop_reply loop;

	if (r->code != 220) {
		fail_greeting(l, r);
		return;
	}
	if (!is_ourself(l, r->text)) {
		link_flush(l, HOP_GREETING_MS);
		return;
	}
	hop_say(&loop, 554, "5.4.6", "mail for this domain loops back to us");
	h->link = NULL;
	link_free(&l);
	hop_over(h, &loop);
}

static void begin_tls(struct hop_link *l)
{
	struct hop *h = l->hop;
	struct err e = {0};

	l->asked_tls = l->in_tls = true;
	if (conn_tls_client(l->conn, l->hops->setup.tls, &hop_here(h)->want,
	    &e) == 0)
		conn_deadline(l->conn, clock_ms() + HOP_TLS_MS);
	else
		fail_tls(l, "validation-failure", e.msg,
		    e.kind == FAIL_POLICY);
}

static void on_starttls(struct hop_link *l, const struct smtp_reply *r)
{
	struct err e;

	if (r->code == 220) {
		begin_tls(l);
		return;
	}
	err_set(&e, FAIL_TEMP, "STARTTLS was answered %d %s", r->code,
	    r->text);
	fail_tls(l, "starttls-not-supported", e.msg, false);
}

static void on_xclient(struct hop_link *l, const struct smtp_reply *r)
{
	if (r->code / 100 == 2)
		link_flush(l, HOP_GREETING_MS);
	else if (r->code / 100 == 5)
		fail_config(l, "the next hop does not take XCLIENT from us");
	else
		fail_greeting(l, r);
}

/* ---- replies ---- */

static void on_reply(struct hop_link *l, const struct sender_news *n)
{
	l->has_spoken = true;
	if (l->is_ready) {
		hop_news(l->hop, n);
		return;
	}
	switch (n->to) {
	case SENDER_GREETING:
		on_greeting(l, &n->reply);
		break;
	case SENDER_HELO:
		if (n->reply.code / 100 == 2)
			after_helo(l);
		else
			fail_greeting(l, &n->reply);
		break;
	case SENDER_STARTTLS:
		on_starttls(l, &n->reply);
		break;
	case SENDER_XCLIENT:
		on_xclient(l, &n->reply);
		break;
	default:
		fail_greeting(l, &n->reply);
		break;
	}
}

static void lost(struct hop_link *l, const char *why)
{
	struct hop *h = l->hop;
	bool had_reply = l->has_spoken || !l->is_reused;
	bool had_dot = conn_waiting(l->conn) == 0;

	h->link = NULL;
	link_free(&l);
	hop_lost(h, had_reply, had_dot, why);
}

static void on_broken(struct hop_link *l, const struct sender_news *n)
{
	if (l->is_ready)
		lost(l, n->why);
	else if (wants_tls(l->hop) && !l->is_tls && !l->is_plain)
		fail_tls(l, "validation-failure", n->why, true);
	else
		fail_broken(l, n->why);
}

static void on_input(void *arg)
{
	struct hop_link *l = arg;
	struct hop *h = l->hop;
	struct sender_news news;
	enum sender_event ev;
	struct view in;
	size_t n;

	/* the link may have gone, or on to be kept, with each reply */
	while (h != NULL && h->link == l) {
		in = conn_input(l->conn);
		n = in.n;
		if (n == 0 || (l->in_tls && !l->is_tls))
			return;
		ev = smtp_sender_next(l->smtp, &in, &news);
		conn_used(l->conn, n - in.n);
		if (ev == SENDER_BROKEN)
			on_broken(l, &news);
		else if (ev == SENDER_REPLY)
			on_reply(l, &news);
	}
	if (h == NULL) {
		pool_remove(l);
		link_free(&l);
	}
}

/* ---- the connection ---- */

static void on_connected(void *arg)
{
	struct hop_link *l = arg;

	if (hop_here(l->hop)->want.implicit && !l->is_plain)
		begin_tls(l);
	else
		conn_deadline(l->conn, clock_ms() + HOP_GREETING_MS);
}

static void on_tls(void *arg)
{
	struct hop_link *l = arg;
	const struct tls_got *got = conn_tls_got(l->conn);
	const struct tls_want *w = &hop_here(l->hop)->want;

	if (got != NULL)
		l->got = *got;
	/* it is judged where the handshake is made; this is the last door
	 * before MAIL */
	if (got == NULL || !got->is_tls || ((tls_level_is_verified(w->level) ||
	    is_requiretls(l->hop)) && !got->is_verified)) {
		fail_tls(l, "validation-failure", "who is there was not "
		    "proven", true);
		return;
	}
	l->is_tls = true;
	if (w->implicit) {
		conn_deadline(l->conn, clock_ms() + HOP_GREETING_MS);
		return;
	}
	smtp_sender_in_tls(l->smtp);
	link_flush(l, HOP_GREETING_MS);
}

static void on_drained(void *arg)
{
	struct hop_link *l = arg;

	if (l->hop != NULL && l->hop->at == HOP_BODY)
		hop_pump(l->hop);
}

static void no_connection(struct hop_link *l, const char *why)
{
	fail_connection(l, RANK_CONNECT, "4.4.1", why);
}

static void on_end(void *arg, enum conn_end how, const char *why)
{
	struct hop_link *l = arg;
	const struct tls_got *got = conn_tls_got(l->conn);

	if (l->hop == NULL) {
		pool_remove(l);
		link_free(&l);
	} else if (l->is_ready) {
		lost(l, why);
	} else if (l->asked_tls && !l->is_tls) {
		if (got != NULL)
			l->got = *got;
		fail_tls(l, l->got.result[0] != '\0' ? l->got.result :
		    "validation-failure", l->got.reason[0] != '\0' ?
		    l->got.reason : why, false);
	} else if (!l->has_spoken && how != CONN_EOF) {
		no_connection(l, why);
	} else {
		fail_broken(l, why);
	}
}

int link_open(struct hop *h, struct err *e)
{
	const struct route_host *host = hop_here(h);
	const struct smtp_sender_setup setup = {h->hops->helo,
	    h->route->lmtp, !hop_must_tls(h) || host->want.implicit};
	struct hop_link *l = calloc(1, sizeof(*l));
	const struct conn_use use = {on_connected, on_tls, on_input,
	    on_drained, on_end, l};
	int64_t now = clock_ms(), until = h->since_ms + HOP_ALL_MS;

	if (until < now + HOP_LEAST_MS)
		until = now + HOP_LEAST_MS;
	if (l == NULL || smtp_sender_new(&l->smtp, &setup, e) != 0) {
		free(l);
		return err_set(e, FAIL_TEMP, "next hop: out of memory");
	}
	l->hops = h->hops;
	l->hop = h;
	l->is_plain = h->is_plain;
	l->got.level = TLS_NONE;
	hop_key(&l->key, h, host);
	if (conn_connect(&l->conn, h->hops->setup.base,
	    (const struct sockaddr *)(const void *)&host->sa, host->sa_len,
	    &use, e) != 0) {
		link_free(&l);
		return -1;
	}
	conn_deadline(l->conn, now + HOP_CONNECT_MS < until ?
	    now + HOP_CONNECT_MS : until);
	if (h->hops->setup.stats != NULL)
		relay_stats_add(h->hops->setup.stats, COUNT_HOP_CONNECTIONS);
	h->link = l;
	return 0;
}
