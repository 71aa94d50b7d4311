/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tunnels: TLS in front of a daemon that has none, or towards one that has
 * nothing else. This file begins and ends them, and takes what the loop
 * reports.
 */
#include "relay/worker.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "relay/tunnel_int.h"
#include "util/clock.h"
#include "util/log.h"

static struct tunnel *all; /* of this process, for tunnels_cut() */

void tunnel_deadline(struct tunnel *t, int64_t within_ms)
{
	struct timeval tv;

	t->deadline = clock_ms() + within_ms;
	tv.tv_sec = (time_t)(within_ms / 1000);
	tv.tv_usec = (suseconds_t)(within_ms % 1000 * 1000);
	if (evtimer_add(t->timer, &tv) != 0)
		log_warn("event=tunnel sid=%s why=\"no deadline\"", t->who.id);
}

/* ---- the end ---- */

static void log_end(const struct tunnel *t, const char *how, const char *why)
{
	int64_t ms = clock_ms() - t->began;
	char line[1200];
	size_t n = 0;

	n = log_value(line, sizeof(line), n, "listen", t->l->l->name);
	n = log_value(line, sizeof(line), n, "peer", t->who.ip);
	if (why[0] != '\0')
		(void)log_value(line, sizeof(line), n, "why", why);
	log_info("event=tunnel-end sid=%s %s port=%d backend-local-port=%d "
	    "in=%llu out=%llu seconds=%lld.%03d how=%s", t->who.id, line,
	    t->who.port, t->local_port,
	    (unsigned long long)t->client.octets,
	    (unsigned long long)t->server.octets, (long long)(ms / 1000),
	    (int)(ms % 1000), how);
}

static void forget(struct tunnel *t)
{
	if (t->at != NULL)
		*t->at = t->next;
	if (t->next != NULL)
		t->next->at = t->at;
	if (t->timer != NULL)
		event_free(t->timer);
	if (t->has_gate)
		gate_free(&t->gate);
	dial_free(&t->dial);
	free(t);
}

void tunnel_end(struct tunnel *t, const char *how, const char *why)
{
	log_end(t, how, why);
	if (t->client.c != NULL)
		conn_finish(&t->client.c, TUNNEL_FINISH_MS);
	if (t->server.c != NULL)
		conn_finish(&t->server.c, TUNNEL_FINISH_MS);
	worker_gone(t->w, t->l, &t->who);
	forget(t);
}

void tunnel_fail(struct tunnel *t, const char *how, const char *why)
{
	struct buf b;

	buf_init(&b, 1000);
	/* behind an answer of the daemon it would be taken for another one */
	if (t->state != TUNNEL_OPEN)
		gate_sorry(t->l->l->protocol, t->w->config->hostname,
		    "try again later", &b);
	if (b.n > 0 && t->state != TUNNEL_TLS)
		conn_write(t->client.c, buf_view(&b));
	buf_free(&b);
	tunnel_end(t, how, why);
}

/* Something is cut: whoever cannot see from the octets that they are not all
 * must see it from the end. */
static void cut(struct tunnel *t, const char *how, const char *why)
{
	if (t->l->l->protocol == RELAY_ANY) {
		conn_free(&t->client.c);
		conn_free(&t->server.c);
	}
	tunnel_end(t, how, why);
}

/* ---- what the loop reports ---- */

void tunnel_go_on(struct tunnel *t)
{
	enum tunnel_next next = TUNNEL_AGAIN;

	while (next == TUNNEL_AGAIN)
		switch (t->state) {
		case TUNNEL_TLS:
			next = TUNNEL_WAITS;
			break;
		case TUNNEL_DIAL:
			next = tunnel_step_dial(t);
			break;
		case TUNNEL_GATE:
			next = tunnel_step_gate(t);
			break;
		case TUNNEL_OPEN:
			next = tunnel_step_open(t);
			break;
		}
}

static void on_input(void *arg)
{
	struct side *s = arg;

	if (s->t->state == TUNNEL_OPEN || s->t->state == TUNNEL_GATE)
		s->t->deadline = clock_ms() + tunnel_idle_ms(s->t);
	tunnel_go_on(s->t);
}

static void on_drained(void *arg)
{
	struct side *s = arg;

	tunnel_drained(s);
	tunnel_go_on(s->t);
}

static const char *word_of(enum conn_end how)
{
	switch (how) {
	case CONN_EOF:
		return "end";
	case CONN_CUT:
		return "cut";
	case CONN_LATE:
		return "late";
	case CONN_NO_TLS:
		return "no-tls";
	case CONN_FAULT:
		break;
	}
	return "fault";
}

/* One direction is over, the other goes on (pitfall 25). */
static void half(struct side *s)
{
	s->has_ended = true;
	conn_half_open(s->c);
	if (s->t->state == TUNNEL_OPEN)
		tunnel_deadline(s->t, TUNNEL_HALF_MS);
	tunnel_go_on(s->t);
}

static void client_ended(void *arg, enum conn_end how, const char *why)
{
	struct tunnel *t = ((struct side *)arg)->t;

	if (how == CONN_EOF && t->state != TUNNEL_TLS) {
		half(&t->client);
		return;
	}
	if (how == CONN_NO_TLS)
		relay_stats_add(t->w->stats, COUNT_TLS_IN_FAILED);
	cut(t, how == CONN_EOF ? "client-end" : word_of(how), why);
}

static void server_ended(void *arg, enum conn_end how, const char *why)
{
	struct tunnel *t = ((struct side *)arg)->t;
	const struct tls_got *got;

	if (how == CONN_EOF) {
		half(&t->server);
		return;
	}
	if (t->state == TUNNEL_OPEN) {
		cut(t, "backend-cut", why);
		return;
	}
	got = how == CONN_NO_TLS ? conn_tls_got(t->server.c) : NULL;
	if (got != NULL && got->reason[0] != '\0')
		why = got->reason;
	tunnel_fail(t, how == CONN_NO_TLS ? "backend-tls" : "backend", why);
}

static void server_connected(void *arg)
{
	struct side *s = arg;

	tunnel_reached(s->t);
}

static void server_tls(void *arg)
{
	struct side *s = arg;

	tunnel_secured(s->t);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct tunnel *t = arg;
	int64_t left = t->deadline - clock_ms();

	(void)fd;
	(void)what;
	if (left > 0)
		tunnel_deadline(t, left);
	else if (t->state == TUNNEL_DIAL)
		tunnel_fail(t, "backend-late", "");
	else
		cut(t, "idle", "");
}

/* ---- the client's TLS ---- */

/* What this network's clients must show. */
static int wanted_cert(const struct listener *l, const char *ip)
{
	const struct source_match *m = relay_match(l, ip);

	return m != NULL && m->client_cert >= 0 ? m->client_cert :
	    (int)l->client_cert;
}

/* T6: TLS is there, but not who is wanted. */
static bool is_unwanted(const struct tunnel *t, const struct tls_facts *f)
{
	return wanted_cert(t->l->l, t->who.ip) == CLIENT_CERT_MUST &&
	    (f == NULL || !f->has_cert || !f->cert_is_good);
}

static void refuse_cert(struct tunnel *t, const struct tls_facts *f)
{
	struct buf b;

	buf_init(&b, 1000);
	gate_refuse(t->l->l->protocol, "Command refused due to lack of "
	    "security: a client certificate is required", &b);
	conn_write(t->client.c, buf_view(&b));
	buf_free(&b);
	tunnel_end(t, "client-cert", f == NULL ? "" : f->has_cert ?
	    f->cert_error : "none was sent");
}

static void note_tls(struct tunnel *t, const struct tls_facts *f)
{
	struct buf b;

	if (f == NULL)
		return;
	relay_stats_add(t->w->stats, COUNT_TLS_IN);
	if (f->is_resumed)
		relay_stats_add(t->w->stats, COUNT_TLS_IN_RESUMED);
	buf_init(&b, sizeof(t->peer_tls) - 1);
	buf_printf(&b, "%s/%s", f->version, f->cipher);
	text_set(t->peer_tls, sizeof(t->peer_tls), buf_str(&b));
	buf_free(&b);
}

static void client_tls(void *arg)
{
	struct tunnel *t = ((struct side *)arg)->t;
	const struct tls_facts *f = conn_tls(t->client.c);
	bool is_fresh = t->server.c == NULL;

	note_tls(t, f);
	conn_min_rate(t->client.c, 0, 0);
	conn_deadline(t->client.c, 0);
	if (is_unwanted(t, f)) {
		refuse_cert(t, f);
		return;
	}
	if (t->tls != LISTEN_IMPLICIT)
		gate_tls(&t->gate, is_fresh);
	if (!is_fresh) {
		t->state = TUNNEL_GATE;
		tunnel_deadline(t, tunnel_idle_ms(t));
		tunnel_go_on(t);
		return;
	}
	if (tunnel_dial(t) == 0)
		tunnel_go_on(t);
}

/* ---- the beginning ---- */

static void init_sides(struct tunnel *t)
{
	t->client.t = t->server.t = t;
	t->client.use.on_tls = client_tls;
	t->client.use.on_end = client_ended;
	t->server.use.on_connected = server_connected;
	t->server.use.on_tls = server_tls;
	t->server.use.on_end = server_ended;
	t->client.use.on_input = t->server.use.on_input = on_input;
	t->client.use.on_drained = t->server.use.on_drained = on_drained;
	t->client.use.arg = &t->client;
	t->server.use.arg = &t->server;
}

/* Could the backend take what a client says of itself for our word? One that
 * knows the client by PROXY asks whether that one may. */
static bool is_watched(const struct tunnel *t)
{
	enum backend_real real = t->l->l->backend.real;

	switch (t->l->l->protocol) {
	case RELAY_SMTP_TUNNEL:
	case RELAY_POP3:
		return t->has_gate || real == REAL_XCLIENT;
	case RELAY_IMAP:
		return t->has_gate && real == REAL_NONE;
	default:
		return false;
	}
}

static struct tunnel *make(struct worker *w, struct worker_listener *l,
    enum listen_tls tls, const struct client *who)
{
	struct tunnel *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->w = w;
	t->l = l;
	t->tls = tls;
	t->who = *who;
	t->began = clock_ms();
	init_sides(t);
	t->timer = evtimer_new(w->base, on_timer, t);
	dial_init(&t->dial, l->l, &t->who, w->config->hostname);
	if (t->timer == NULL) {
		forget(t);
		return NULL;
	}
	if (tls == LISTEN_EXTERNAL)
		t->who.proxy_tls = true;
	if (tls != LISTEN_PLAIN && l->l->protocol != RELAY_ANY) {
		t->has_gate = true;
		gate_init(&t->gate, l->l->protocol, tls,
		    w->config->hostname);
		/* T6: without TLS nobody shows a certificate */
		if (t->gate.offers && wanted_cert(l->l, who->ip) ==
		    CLIENT_CERT_MUST)
			t->gate.must = true;
		t->gate.hides_apop = t->gate.offers &&
		    tunnel_needs_fresh(l->l);
		/* T2: without a certificate there is nothing to offer */
		if (tls_server_for(l->tls, who->ip) == NULL)
			t->gate.offers = false;
	}
	t->watch.is_imap = l->l->protocol == RELAY_IMAP;
	t->is_watched = is_watched(t);
	t->next = all;
	t->at = &all;
	if (all != NULL)
		all->at = &t->next;
	all = t;
	return t;
}

void tunnel_start(struct worker *w, struct worker_listener *l,
    enum listen_tls tls, struct conn *take_conn, const struct client *who)
{
	struct tunnel *t = make(w, l, tls, who);
	struct err e;

	if (t == NULL) {
		conn_free(&take_conn);
		worker_gone(w, l, who);
		return;
	}
	t->client.c = take_conn;
	conn_use(t->client.c, &t->client.use);
	if (tls != LISTEN_PLAIN && tls != LISTEN_EXTERNAL) {
		conn_deadline(t->client.c, clock_ms() + TUNNEL_TLS_MS);
		if (l->l->min_rate > 0)
			conn_min_rate(t->client.c, l->l->min_rate,
			    TUNNEL_TLS_MS);
	}
	if (tls == LISTEN_IMPLICIT) {
		t->state = TUNNEL_TLS;
		tunnel_deadline(t, TUNNEL_TLS_MS);
		if (conn_tls_server(t->client.c, tls_server_for(l->tls,
		    who->ip), &e) != 0)
			cut(t, "no-tls", e.msg);
		return;
	}
	/* T6: no TLS of ours will come, and no certificate */
	if ((tls == LISTEN_PLAIN || tls == LISTEN_EXTERNAL) &&
	    is_unwanted(t, NULL)) {
		refuse_cert(t, NULL);
		return;
	}
	if (tunnel_dial(t) == 0)
		tunnel_go_on(t);
}

void tunnels_cut(struct worker *w)
{
	struct tunnel *t = all, *next;

	for (; t != NULL; t = next) {
		next = t->next;
		if (t->w == w)
			tunnel_end(t, "stopped", "");
	}
}
