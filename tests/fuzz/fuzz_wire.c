/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: what the processes of the relay say to each other, of whom one
 * may be in wrong hands; and Postfix's socketmap. The first octet chooses. A
 * message that is read can be written, and is then what it was.
 */
#include "relay/auth_int.h"
#include "relay/keys_int.h"
#include "relay/route.h"
#include "relay/socketmap.h"
#include "tests/fuzz/fuzz.h"
#include "util/proc.h"

#define ROOM (256u << 10)

static void run_route(struct view v)
{
	struct route *r = NULL, *again = NULL;
	struct buf b, c;
	struct err e;

	if (route_get(&r, v, &e) != 0)
		return;
	MUST(r->hosts <= ROUTE_HOSTS && (r->code == 0 || (r->code >= 400 &&
	    r->code <= 599)));
	buf_init(&b, ROOM);
	buf_init(&c, ROOM);
	MUST(route_put(&b, r) == 0);
	MUST(route_get(&again, buf_view(&b), &e) == 0);
	MUST(route_put(&c, again) == 0);
	MUST(view_eq(buf_view(&b), buf_view(&c)));
	buf_free(&b);
	buf_free(&c);
	route_free(&r);
	route_free(&again);
}

static void run_message(struct view v)
{
	static struct route_asked asked;
	static struct route_seen seen;
	enum route_message kind;
	struct buf b;

	memset(&asked, 0, sizeof(asked));
	memset(&seen, 0, sizeof(seen));
	if (route_message_get(&kind, &asked, &seen, v, NULL) != 0 ||
	    kind != ROUTE_QUERY)
		return;
	buf_init(&b, ROOM);
	MUST(route_query_put(&b, &asked.q) == 0);
	MUST(view_eq(buf_view(&b), v));
	buf_free(&b);
}

static void run_question(struct view v)
{
	struct auth_question q;
	struct buf b;

	if (auth_question_get(&q, v, NULL) == 0) {
		MUST(q.identities <= AUTH_IDENTITIES);
		buf_init(&b, ROOM);
		auth_question_put(&b, &q);
		MUST(view_eq(buf_view(&b), v));
		buf_free(&b);
	}
	auth_question_free(&q);
}

static void run_answer(struct view v)
{
	struct auth_answer a;
	struct buf b;

	auth_answer_init(&a);
	if (auth_answer_get(&a, v, NULL) == 0) {
		buf_init(&b, ROOM);
		auth_answer_put(&b, &a);
		MUST(view_eq(buf_view(&b), v));
		buf_free(&b);
	}
	auth_answer_free(&a);
}

static void run_socketmap(struct view v)
{
	struct view request;
	size_t used = 0;

	if (socketmap_read(v, &request, &used, NULL) != 1)
		return;
	MUST(used <= v.n && v.p[used - 1] == ',');
	MUST(request.n < used && request.p > v.p &&
	    request.p + request.n < v.p + used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static void (*const run[])(struct view v) = { run_route, run_message,
		run_question, run_answer, run_socketmap };
	struct view v;

	if (n == 0 || n > ROOM / 4)
		return 0;
	v = view_make(data + 1, n - 1);
	run[data[0] % ARRAY_LEN(run)](v);
	(void)keys_is_handshake(v);
	return 0;
}

/* ---- seeds ---- */

static void put_route(struct buf *b)
{
	struct route *r = route_answer(451, "4.7.5", "why");
	struct route_host *h;

	MUST(r != NULL);
	r->code = 0;
	r->host = calloc(2, sizeof(*r->host));
	MUST(r->host != NULL);
	r->hosts = 2;
	h = &r->host[0];
	text_set(h->name, sizeof(h->name), "mx.b.example");
	h->sa.ss_family = AF_INET;
	text_set(h->want.name[h->want.names++], TLS_NAME_MAX, ".b.example");
	h->want.tlsa[0] = (struct tls_tlsa){ 3, 1, 1, calloc(1, 32), 32 };
	MUST(h->want.tlsa[0].data != NULL);
	h->want.tlsas = h->want.pins = 1;
	r->host[1].is_barred = true;
	MUST(route_put(b, r) == 0);
	route_free(&r);
}

static void put_question(struct buf *b)
{
	char ip[] = "192.0.2.7", who[] = "alice@a.example";
	const struct auth_question q = { .op = AUTH_OP_BEGIN, .number = 7,
		.has_input = true, .input = view_of("abc"), .is_tls = true,
		.ip = ip, .local_ip = ip, .identity = { who },
		.identities = 1 };

	auth_question_put(b, &q);
}

bool fuzz_seed(size_t i, struct buf *out)
{
	const struct route_query q = { .route = "egress",
	    .rcpt = "bob@b.example", .from = "", .verified = true };
	struct auth_answer a;

	buf_putc(out, (int)i);
	switch (i) {
	case 0:
		put_route(out);
		return true;
	case 1:
		MUST(route_query_put(out, &q) == 0);
		return true;
	case 2:
		put_question(out);
		return true;
	case 3:
		auth_answer_init(&a);
		text_set(a.login, sizeof(a.login), "alice");
		auth_answer_put(out, &a);
		auth_answer_free(&a);
		return true;
	case 4:
		buf_puts(out, "13:tls b.example,");
		return true;
	default:
		return false;
	}
}
