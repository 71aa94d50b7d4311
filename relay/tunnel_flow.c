/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a tunnel carries: through its gate first, then octets both ways, with
 * back-pressure, and each direction with its own end.
 */
#include "relay/tunnel_int.h"

#include <string.h>

#define GATE_IDLE_MS (5 * 60 * 1000)	/* before a login, all of them */
#define POP3_IDLE_MS (10 * 60 * 1000)	/* RFC 1939 3 */
#define IMAP_IDLE_MS (30 * 60 * 1000)	/* RFC 9051 5.4 */
#define SMTP_IDLE_MS (10 * 60 * 1000)	/* RFC 5321 4.5.3.2 */

int64_t tunnel_idle_ms(const struct tunnel *t)
{
	if (t->state != TUNNEL_OPEN)
		return GATE_IDLE_MS;
	if (t->client.has_ended || t->server.has_ended)
		return TUNNEL_HALF_MS;
	switch (t->l->l->protocol) {
	case RELAY_POP3:
		return POP3_IDLE_MS;
	case RELAY_SMTP_TUNNEL:
		return SMTP_IDLE_MS;
	default:
		return IMAP_IDLE_MS;
	}
}

/* ---- the gate ---- */

static enum tunnel_next open_up(struct tunnel *t)
{
	t->state = TUNNEL_OPEN;
	tunnel_log(t);
	gate_free(&t->gate);
	dial_free(&t->dial);
	conn_min_rate(t->client.c, 0, 0);
	conn_deadline(t->client.c, 0);
	tunnel_deadline(t, tunnel_idle_ms(t));
	return TUNNEL_AGAIN;
}

/* What was shown to a backend before TLS (address, TLS, certificate) is not so
 * any more: PROXY and the environment say it once. And an smtpd remembers
 * EHLO. */
bool tunnel_needs_fresh(const struct listener *l)
{
	return l->backend.argv != NULL || l->backend.real == REAL_PROXY_V2 ||
	    l->protocol == RELAY_SMTP_TUNNEL;
}

static enum tunnel_next begin_tls(struct tunnel *t)
{
	struct err e;

	t->state = TUNNEL_TLS;
	if (tunnel_needs_fresh(t->l->l))
		conn_free(&t->server.c);
	tunnel_deadline(t, TUNNEL_TLS_MS);
	if (conn_tls_server(t->client.c, tls_server_for(t->l->tls, t->who.ip),
	    &e) == 0)
		return TUNNEL_WAITS;
	tunnel_end(t, "no-tls", e.msg); /* no word in clear (T10) */
	return TUNNEL_GONE;
}

static enum tunnel_next after(struct tunnel *t, enum gate_step step,
    const char *whose)
{
	switch (step) {
	case GATE_AGAIN:
		return TUNNEL_AGAIN;
	case GATE_TLS:
		return begin_tls(t);
	case GATE_OPEN:
		return open_up(t);
	case GATE_CLOSE:
		tunnel_end(t, whose, t->gate.why == NULL ? "" : t->gate.why);
		return TUNNEL_GONE;
	case GATE_MORE:
		break;
	}
	return TUNNEL_WAITS;
}

static void flush(struct side *to, struct buf *b)
{
	if (b->n > 0)
		conn_write(to->c, buf_view(b));
	buf_free(b);
}

static enum tunnel_next gate_from_client(struct tunnel *t)
{
	struct buf to_client, to_server;
	enum gate_step step;
	size_t used;

	buf_init(&to_client, GATE_REPLY);
	buf_init(&to_server, GATE_REPLY);
	step = gate_client(&t->gate, conn_input(t->client.c), &used,
	    &to_client, &to_server);
	conn_used(t->client.c, used);
	t->client.octets += used;
	flush(&t->client, &to_client);
	flush(&t->server, &to_server);
	return after(t, step, "client");
}

/* The greeting that the way to the backend ended with, then what it says. */
static enum tunnel_next gate_from_server(struct tunnel *t)
{
	struct view made = buf_view(&t->dial.greeting);
	enum gate_step step;
	struct buf to_client;
	size_t used;

	buf_init(&to_client, 2 * GATE_REPLY);
	if (made.n > 0) {
		step = gate_server(&t->gate, made, &used, &to_client);
		memmove(t->dial.greeting.p, made.p + used, made.n - used);
		t->dial.greeting.n -= used;
	} else {
		step = gate_server(&t->gate, conn_input(t->server.c), &used,
		    &to_client);
		conn_used(t->server.c, used);
		t->server.octets += used;
	}
	flush(&t->client, &to_client);
	return after(t, step, "backend");
}

/* A side is over, and what it said was not enough to go on. */
static enum tunnel_next gate_is_over(struct tunnel *t)
{
	if (t->server.has_ended) {
		if (t->gate.asks == ASKS_NOTHING)
			tunnel_end(t, "backend-end", "");
		else
			tunnel_fail(t, "backend", "it ended without an "
			    "answer");
		return TUNNEL_GONE;
	}
	if (!t->client.has_ended || t->gate.asks != ASKS_NOTHING)
		return TUNNEL_WAITS;
	if (gate_may_open(&t->gate))
		return open_up(t);
	tunnel_end(t, "client-end", "");
	return TUNNEL_GONE;
}

enum tunnel_next tunnel_step_gate(struct tunnel *t)
{
	enum tunnel_next next = gate_from_server(t);

	if (next == TUNNEL_WAITS && t->state == TUNNEL_GATE)
		next = gate_from_client(t);
	if (next == TUNNEL_WAITS && t->state == TUNNEL_GATE)
		next = gate_is_over(t);
	return next;
}

/* ---- octets ---- */

/* How much of v may pass. */
static size_t look(struct side *from, struct view v)
{
	struct tunnel *t = from->t;

	if (!t->is_watched)
		return v.n;
	if (from == &t->client)
		return watch_client(&t->watch, v);
	watch_server(&t->watch, v);
	return v.n;
}

/* false: what comes must not pass. */
static bool carry(struct side *from, struct side *to)
{
	struct view v = conn_input(from->c);
	size_t n;

	if (v.n > 0 && conn_is_full(to->c)) {
		if (!from->is_paused)
			conn_pause(from->c);
		from->is_paused = true;
		return true;
	}
	n = look(from, v);
	if (n < v.n)
		return false;
	if (v.n > 0) {
		conn_write(to->c, v);
		conn_used(from->c, v.n);
		from->octets += v.n;
	}
	if (from->has_ended && !to->was_told) {
		to->was_told = true;
		conn_end_output(to->c);
	}
	return true;
}

/* T67: the gate is open, but not for this. */
static enum tunnel_next refuse(struct tunnel *t)
{
	struct buf b;

	buf_init(&b, 1000);
	gate_refuse(t->l->l->protocol, "Error: insufficient authorization",
	    &b);
	conn_write(t->client.c, buf_view(&b));
	buf_free(&b);
	tunnel_end(t, "client", "what only a proxy says, or "
	    "TLS within TLS");
	return TUNNEL_GONE;
}

void tunnel_drained(struct side *s)
{
	struct side *from = s == &s->t->client ? &s->t->server :
	    &s->t->client;

	if (!from->is_paused || conn_is_full(s->c))
		return;
	from->is_paused = false;
	conn_resume(from->c);
}

enum tunnel_next tunnel_step_open(struct tunnel *t)
{
	/* first what the daemon said: it tells a command from a message */
	(void)carry(&t->server, &t->client);
	if (!carry(&t->client, &t->server))
		return refuse(t);
	/* a daemon of a mail protocol that ends its side has ended both */
	if (t->client.was_told && (t->server.was_told ||
	    t->l->l->protocol != RELAY_ANY)) {
		tunnel_end(t, "end", "");
		return TUNNEL_GONE;
	}
	return TUNNEL_WAITS;
}
