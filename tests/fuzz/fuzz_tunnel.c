/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: the gate of a tunnel between a client and a daemon that say
 * what they like. The first octet chooses protocol and listener; then pieces,
 * each with a length in front: of the client, or of the daemon (bit 7).
 * Where TLS is a must nothing but questions for capabilities reaches the
 * daemon before it, and TLS never begins with octets behind the command.
 */
#include "relay/tunnel_gate.h"
#include "tests/fuzz/fuzz.h"

#define ROOM (64u << 10)

struct talk {
	enum relay_protocol p;
	struct gate g;
	struct buf client, server; /* not used yet */
	struct buf to_client, to_server;
	bool is_over;
};

static void drop(struct buf *b, size_t n)
{
	MUST(n <= b->n);
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

static bool starts(struct view v, const char *what)
{
	return view_istarts(view_trim(v), what);
}

/* A question for capabilities, in the words of the protocol. */
static bool is_question(enum relay_protocol p, struct view line)
{
	size_t blank;

	if (p == RELAY_POP3)
		return view_ieq_str(view_trim(line), "CAPA");
	if (p == RELAY_SMTP_TUNNEL)
		return starts(line, "EHLO") || starts(line, "HELO");
	line = view_trim(line);
	for (blank = 0; blank < line.n && line.p[blank] != ' ' &&
	    line.p[blank] != '\t'; blank++)
		;
	return view_ieq_str(view_trim(view_sub(line, blank, line.n)),
	    "CAPABILITY");
}

/* Lines that reached the daemon before TLS. */
static void check_asked(enum relay_protocol p, struct view v)
{
	while (v.n > 0) {
		size_t lf = view_chr(v, '\n', 0);
		struct view line;

		MUST(lf != (size_t)-1 && lf > 0 && v.p[lf - 1] == '\r');
		line = view_sub(v, 0, lf - 1);
		MUST(view_chr(line, '\r', 0) == (size_t)-1);
		MUST(view_chr(line, '\0', 0) == (size_t)-1);
		MUST(is_question(p, line));
		v = view_sub(v, lf + 1, v.n - lf - 1);
	}
}

/* What the gate passes on itself is one line for every daemon: what else may
 * stand in it would not be looked at by anybody. */
static void check_line(struct view v)
{
	size_t cr = view_chr(v, '\r', 0), lf = view_chr(v, '\n', 0);

	MUST(v.n == 0 || lf + 1 == v.n);
	MUST(cr == (size_t)-1 || cr + 2 == v.n);
}

static void judge(struct talk *t, enum gate_step step, bool is_client)
{
	bool is_clear = t->g.must && !t->g.is_tls;

	MUST(!t->to_client.failed && !t->to_server.failed);
	check_line(buf_view(&t->to_server));
	if (is_clear)
		check_asked(t->p, buf_view(&t->to_server));
	switch (step) {
	case GATE_MORE:
	case GATE_AGAIN:
		break;
	case GATE_TLS:
		MUST(is_client && t->client.n == 0 && !t->g.is_tls &&
		    t->g.offers);
		gate_tls(&t->g, t->to_client.n % 2 == 0);
		break;
	case GATE_OPEN:
		MUST(is_client && !is_clear);
		t->is_over = true;
		break;
	case GATE_CLOSE:
		MUST(t->g.why != NULL);
		t->is_over = true;
		break;
	}
}

static bool one_step(struct talk *t)
{
	enum gate_step step;
	size_t used;

	buf_clear(&t->to_client);
	buf_clear(&t->to_server);
	step = gate_server(&t->g, buf_view(&t->server), &used,
	    &t->to_client);
	drop(&t->server, used);
	judge(t, step, false);
	if (t->is_over || step == GATE_AGAIN)
		return !t->is_over;
	step = gate_client(&t->g, buf_view(&t->client), &used,
	    &t->to_client, &t->to_server);
	drop(&t->client, used);
	judge(t, step, true);
	return !t->is_over && step != GATE_MORE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum relay_protocol of[] = { RELAY_POP3, RELAY_IMAP,
		RELAY_SMTP_TUNNEL };
	struct talk t;
	size_t at = 1, k;

	if (n == 0 || n > ROOM)
		return 0;
	memset(&t, 0, sizeof(t));
	t.p = of[data[0] % 3];
	gate_init(&t.g, t.p,
	    (enum listen_tls)(LISTEN_STARTTLS + data[0] / 3 % 4), "r.example");
	t.g.hides_apop = data[0] >= 128;
	buf_init(&t.client, ROOM);
	buf_init(&t.server, ROOM);
	buf_init(&t.to_client, ROOM);
	buf_init(&t.to_server, ROOM);
	while (at < n && !t.is_over) {
		struct buf *to = data[at] >= 128 ? &t.server : &t.client;

		k = data[at++] & 127;
		k = k > n - at ? n - at : k;
		buf_put(to, data + at, k);
		at += k;
		while (one_step(&t))
			;
	}
	gate_free(&t.g);
	buf_free(&t.client);
	buf_free(&t.server);
	buf_free(&t.to_client);
	buf_free(&t.to_server);
	return 0;
}
