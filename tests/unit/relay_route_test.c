/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * How routes travel between the processes: whole, or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cmocka.h>

#include "relay/route.h"
#include "util/caps.h"

static void set_want(struct tls_want *w)
{
	w->level = TLS_SECURE;
	w->asked = TLS_DANE;
	w->implicit = w->allow_cn = w->require_tls = true;
	text_set(w->sni, sizeof(w->sni), "mx.b.example");
	text_set(w->name[0], TLS_NAME_MAX, "mx.b.example");
	text_set(w->name[1], TLS_NAME_MAX, ".b.example");
	w->names = 2;
	w->tlsa[0] = (struct tls_tlsa){ 3, 1, 1, malloc(32), 32 };
	assert_non_null(w->tlsa[0].data);
	memset(w->tlsa[0].data, 0xab, 32);
	w->tlsas = 1;
	memset(w->pin[0].sha256, 0xcd, 32);
	w->pins = 1;
	text_set(w->ca, sizeof(w->ca), "corp");
	text_set(w->ciphers, sizeof(w->ciphers), "HIGH:!aNULL");
	w->min = TLS_V_1_2;
	w->max = TLS_V_1_3;
	text_set(w->because, sizeof(w->because), "postseal.conf:12");
	text_set(w->tested, sizeof(w->tested), "mx.b.example");
	w->is_unnamed = true;
}

static struct route *make_route(void)
{
	struct route *r = calloc(1, sizeof(*r));
	struct sockaddr_in *in;
	struct sockaddr_in6 *in6;
	struct sockaddr_un *un;

	assert_non_null(r);
	text_set(r->nexthop, sizeof(r->nexthop), "b.example");
	text_set(r->name, sizeof(r->name), "egress");
	r->xclient = r->sts_testing = true;
	r->concurrency = 20;
	r->rest_ms = 60000;
	r->host = calloc(4, sizeof(*r->host));
	assert_non_null(r->host);
	r->hosts = 4;
	in = (struct sockaddr_in *)&r->host[0].sa;
	in->sin_family = AF_INET;
	in->sin_port = htons(25);
	assert_int_equal(inet_pton(AF_INET, "192.0.2.1", &in->sin_addr), 1);
	in6 = (struct sockaddr_in6 *)&r->host[1].sa;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(465);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::1",
	    &in6->sin6_addr), 1);
	un = (struct sockaddr_un *)&r->host[2].sa;
	un->sun_family = AF_UNIX;
	text_set(un->sun_path, sizeof(un->sun_path), "/run/lmtp");
	r->host[3].is_barred = true;
	text_set(r->host[3].barred_result, 40, "dnssec-invalid");
	for (size_t i = 0; i < 4; i++)
		text_set(r->host[i].name, TLS_NAME_MAX, "mx.b.example");
	set_want(&r->host[1].want);
	return r;
}

static void put(struct buf *b, const struct route *r)
{
	buf_init(b, CAP_IPC);
	assert_int_equal(route_put(b, r), 0);
}

static void T38_a_route_arrives_as_it_was_sent(void **state)
{
	struct route *r = make_route(), *got = NULL;
	struct err e = {0};
	struct buf a, b;

	(void)state;
	put(&a, r);
	if (route_get(&got, buf_view(&a), &e) != 0)
		fail_msg("%s", e.msg);
	put(&b, got);
	assert_true(view_eq(buf_view(&a), buf_view(&b)));
	assert_int_equal(got->hosts, 4);
	for (size_t i = 0; i < 3; i++)
		assert_memory_equal(&got->host[i].sa, &r->host[i].sa,
		    sizeof(r->host[i].sa));
	assert_int_equal(got->host[0].sa_len, sizeof(struct sockaddr_in));
	assert_int_equal(got->host[2].sa_len, sizeof(struct sockaddr_un));
	assert_int_equal(got->host[1].want.tlsas, 1);
	assert_memory_equal(got->host[1].want.tlsa[0].data,
	    r->host[1].want.tlsa[0].data, 32);
	assert_string_equal(got->host[1].want.name[1], ".b.example");
	assert_true(got->host[1].want.require_tls);
	assert_string_equal(got->host[1].want.tested, "mx.b.example");
	assert_true(got->host[1].want.is_unnamed);
	assert_int_equal(got->rest_ms, 60000);
	route_free(&got);
	route_free(&r);
	buf_free(&a);
	buf_free(&b);
}

static void a_route_that_is_cut_is_none(void **state)
{
	struct route *r = make_route(), *got = NULL;
	struct buf b;

	(void)state;
	put(&b, r);
	for (size_t n = 0; n < b.n; n++) {
		unsigned char *p = malloc(n + 1);

		assert_non_null(p);
		memcpy(p, b.p, n);
		assert_int_equal(route_get(&got, view_make(p, n), NULL), -1);
		assert_null(got);
		free(p);
	}
	buf_putc(&b, 0);
	assert_int_equal(route_get(&got, buf_view(&b), NULL), -1);
	route_free(&r);
	buf_free(&b);
}

/* Whatever octet is another one: it is a route or it is refused, and nothing
 * is read or written beyond. */
static void a_route_with_other_octets(void **state)
{
	static const unsigned char with[] = { 0x00, 0x01, 0x7f, 0xff };
	struct route *r = make_route(), *got = NULL;
	struct buf b, again;

	(void)state;
	put(&b, r);
	for (size_t i = 0; i < b.n; i++) {
		unsigned char was = b.p[i];

		for (size_t k = 0; k < sizeof(with); k++) {
			b.p[i] = with[k];
			if (route_get(&got, buf_view(&b), NULL) != 0)
				continue;
			put(&again, got);
			buf_free(&again);
			route_free(&got);
		}
		b.p[i] = was;
	}
	route_free(&r);
	buf_free(&b);
}

static void an_answer_is_printable(void **state)
{
	struct route *r = route_answer(451, "4.7.5", "a\r\nb\x1b[0m"), *got;
	struct buf b;

	(void)state;
	assert_non_null(r);
	assert_string_equal(r->text, "a??b?[0m");
	put(&b, r);
	assert_int_equal(route_get(&got, buf_view(&b), NULL), 0);
	assert_int_equal(got->code, 451);
	assert_string_equal(got->enhanced, "4.7.5");
	route_free(&got);
	route_free(&r);
	buf_free(&b);
}

/* Neither a way nor an answer; an answer that would be a success. */
static void a_route_without_host_and_code_is_none(void **state)
{
	static const int code[] = { 0, 250, 399, 600 };
	struct route r, *got;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(code); i++) {
		memset(&r, 0, sizeof(r));
		r.code = code[i];
		put(&b, &r);
		assert_int_equal(route_get(&got, buf_view(&b), NULL), -1);
		buf_free(&b);
	}
}

static void questions_arrive(void **state)
{
	const struct route_query q = { "egress", "bob@b.example", "", true,
		false, true };
	struct route_asked asked = { .route = "" };
	struct route_seen seen = { .has_pins = false };
	enum route_message kind;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(route_query_put(&b, &q), 0);
	assert_int_equal(route_message_get(&kind, &asked, &seen,
	    buf_view(&b), NULL), 0);
	assert_int_equal(kind, ROUTE_QUERY);
	assert_string_equal(asked.q.route, "egress");
	assert_string_equal(asked.q.rcpt, "bob@b.example");
	assert_string_equal(asked.q.from, "");
	assert_true(asked.q.require_tls && !asked.q.tls_optional &&
	    asked.q.verified);
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(route_message_get(&kind, &asked, &seen,
		    view_sub(buf_view(&b), 0, n), NULL), -1);
	buf_free(&b);
}

static void a_question_too_long_is_not_asked(void **state)
{
	char long_one[ROUTE_ADDRESS + 1];
	struct route_query q = { "egress", long_one, "", false, false,
		false };
	struct buf b;

	(void)state;
	memset(long_one, 'a', sizeof(long_one));
	long_one[ROUTE_ADDRESS] = '\0';
	buf_init(&b, 4096);
	assert_int_equal(route_query_put(&b, &q), -1);
	long_one[ROUTE_ADDRESS - 1] = '\0';
	assert_int_equal(route_query_put(&b, &q), 0);
	buf_free(&b);
}

static void T42_what_was_seen_arrives(void **state)
{
	struct route *r = make_route();
	struct tls_got got = { .has_cert = true, .not_after = -5 };
	struct route_asked asked = { .route = "" };
	struct route_seen seen = { .has_pins = false };
	enum route_message kind;
	struct buf b;

	(void)state;
	memset(got.cert_sha256, 7, sizeof(got.cert_sha256));
	text_set(got.result, sizeof(got.result), "validation-failure");
	buf_init(&b, 8192);
	assert_int_equal(route_seen_put(&b, r, &r->host[1], &got), 0);
	assert_int_equal(route_message_get(&kind, &asked, &seen,
	    buf_view(&b), NULL), 0);
	assert_int_equal(kind, ROUTE_SEEN);
	assert_true(seen.has_pins);
	assert_string_equal(seen.nexthop, "b.example");
	assert_string_equal(seen.because, "postseal.conf:12");
	assert_int_equal(seen.got.not_after, -5);
	assert_memory_equal(seen.got.cert_sha256, got.cert_sha256, 32);
	buf_free(&b);
	route_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T38_a_route_arrives_as_it_was_sent),
		cmocka_unit_test(a_route_that_is_cut_is_none),
		cmocka_unit_test(a_route_with_other_octets),
		cmocka_unit_test(an_answer_is_printable),
		cmocka_unit_test(a_route_without_host_and_code_is_none),
		cmocka_unit_test(questions_arrive),
		cmocka_unit_test(a_question_too_long_is_not_asked),
		cmocka_unit_test(T42_what_was_seen_arrives),
	};

	return cmocka_run_group_tests_name("relay_route", tests, NULL, NULL);
}
