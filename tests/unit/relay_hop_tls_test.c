/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * No MAIL command before TLS is as the policy wants it, whatever a next hop,
 * or who sits in front of it, says.
 */
#include "relay_hop.h"

static bool has(const char *text, const char *what)
{
	return strstr(text, what) != NULL;
}

static void expect_none(size_t sinks)
{
	for (size_t i = 0; i < sinks; i++) {
		until_closed(i);
		assert_false(has(seen_plain(i), "MAIL"));
		assert_false(has(seen_tls(i), "MAIL"));
		assert_false(has(seen_plain(i), "AUTH"));
	}
}

static void refused(enum tls_level level, const struct talk *t,
    const char *enhanced)
{
	struct seen s;

	sink_start(0, t, 1);
	deliver(&s, route_to(1, level), &plain_env, 1);
	expect_none(1);
	assert_int_equal(s.rcpt[0].reply.code, 451);
	assert_string_equal(s.rcpt[0].reply.enhanced, enhanced);
	assert_true(s.rcpt[0].state == HOP_FAILED);
	assert_true(s.rcpt[0].is_tls_failure);
	assert_true(s.rcpt[0].tls_result[0] != '\0');
	assert_true(has(s.rcpt[0].reply.text, "postseal.conf:12"));
	hop_free(&s.h);
	sink_stop(0);
}

/* attack A67: STARTTLS is removed from the EHLO, or garbled
 * verdict: no MAIL; 451 4.7.4, the sender keeps the mail */
static void T34_A67_STARTTLS_stripped(void **state)
{
	static const struct talk row[] = {
		{.ehlo = NO_TLS},
		{.ehlo = "250 next\r\n"},
		{.ehlo = "250-next\r\n250-XXXXXXXA\r\n250 DSN\r\n"},
		{.ehlo = "250-STARTTLS\r\n250 DSN\r\n"},
		{.ehlo = "250-next\r\n250 XSTARTTLS\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		refused(TLS_ENCRYPT, &row[i], "4.7.4");
		world_stop(NULL);
		world_start(NULL);
	}
}

/* attack A69: STARTTLS is offered, and then refused, or goes wrong
 * verdict: no MAIL in clear on any connection; 451 4.7.5 */
static void T34_T37_A69_STARTTLS_fails(void **state)
{
	static const struct talk row[] = {
		{.starttls = "454 4.7.0 not now\r\n"},
		{.starttls = "501 5.5.1 what?\r\n"},
		{.starttls = "250 ok\r\n"},
		{.starttls = "221 bye\r\n"},
		{.starttls = "421 4.3.2 away\r\n\1"},
		{.starttls = "-"},
		{.starttls = "!"},
		{.starttls = "*"},
		{.starttls = "#"},
		{.starttls = "220 go\r\n\1"},
		{.starttls = "\r\n"},
		{.starttls = "xyz\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		refused(TLS_ENCRYPT, &row[i], "4.7.5");
		world_stop(NULL);
		world_start(NULL);
	}
}

/* attack A66: octets before TLS that should count within it: behind the 220,
 *   or a 220 of several lines
 * verdict: given up; no MAIL, at no level, not even in clear at level may */
static void T36_T37_A66_response_injection(void **state)
{
	static const struct talk row[] = {
		{.starttls = "220 go\r\n250-x\r\n250 AUTH PLAIN\r\n"},
		{.starttls = "220-go\r\n220 on\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		refused(TLS_ENCRYPT, &row[i], "4.7.5");
		world_stop(NULL);
		world_start(NULL);
		refused(TLS_MAY, &row[i], "4.7.5");
		world_stop(NULL);
		world_start(NULL);
	}
}

static void T34_who_is_there_must_be_proven(void **state)
{
	static const struct talk good = {NULL};
	struct route *r;
	struct seen s;

	(void)state;
	/* self-signed, no name */
	refused(TLS_SECURE, &good, "4.7.5");
	world_stop(NULL);
	world_start(NULL);
	refused(TLS_VERIFY, &good, "4.7.5");
	world_stop(NULL);
	world_start(NULL);
	sink_start(0, &good, 1);
	r = route_to(1, TLS_FINGERPRINT);
	r->host[0].want.pin[0].sha256[7] ^= 1;
	r->host[0].want.is_permanent = true;
	deliver(&s, r, &plain_env, 1);
	expect_none(1);
	assert_int_equal(s.rcpt[0].reply.code, 550);
	assert_string_equal(s.rcpt[0].reply.enhanced, "5.7.5");
	hop_free(&s.h);
}

static void T34_the_right_one_gets_it(void **state)
{
	struct seen s;

	(void)state;
	TALK(0, {.ehlo = NO_TLS});
	TALK(1, {NULL});
	deliver(&s, route_to(2, TLS_FINGERPRINT), &plain_env, 1);
	expect_none(1);
	assert_false(has(seen_plain(1), "MAIL"));
	assert_true(has(seen_tls(1), "MAIL FROM:<a@a.example>"));
	assert_int_equal(s.result[0].reply.code, 250);
	assert_true(s.result[0].state == HOP_ANSWERED);
	assert_non_null(hop_tls(s.h));
	assert_true(hop_tls(s.h)->is_verified);
	assert_int_equal(sink[1].dots, 1);
	hop_free(&s.h);
}

static void implicit_TLS_comes_first(void **state)
{
	struct route *r;
	struct seen s;

	(void)state;
	TALK(0, {.implicit = true});
	r = route_to(1, TLS_FINGERPRINT);
	r->host[0].want.implicit = true;
	deliver(&s, r, &plain_env, 1);
	assert_int_equal(s.result[0].reply.code, 250);
	assert_string_equal(seen_plain(0), "");
	hop_free(&s.h);
}

/* attack A72: AUTH and more is offered only before TLS
 * verdict: forgotten; only what is offered within TLS is used */
static void T35_A66_A72_only_what_is_offered_in_TLS_counts(void **state)
{
	struct hop_envelope env = plain_env;
	struct seen s;

	(void)state;
	TALK(0, {.ehlo = "250-next\r\n250-AUTH PLAIN\r\n250-SIZE 9\r\n"
	    "250-DSN\r\n250-STARTTLS\r\n250 PIPELINING\r\n",
	    .ehlo_tls = "250-next\r\n250 8BITMIME\r\n"});
	env.ret = "RET=HDRS";
	env.size = 100;
	deliver(&s, route_to(1, TLS_ENCRYPT), &env, 1);
	assert_int_equal(s.result[0].reply.code, 250);
	assert_string_equal(seen_plain(0), "EHLO me.example\r\nSTARTTLS\r\n");
	assert_string_equal(seen_tls(0), "EHLO me.example\r\n"
	    "MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n");
	hop_free(&s.h);
}

static void at_level_may_in_clear_on_a_new_connection(void **state)
{
	static const struct talk row[][2] = {
		{{.starttls = "454 no\r\n"}, {NULL}},
		{{.starttls = "220 go\r\n\1"}, {NULL}},
		{{.starttls = "!"}, {NULL}},
	};
	struct seen s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		sink_start(0, row[i], 2);
		deliver(&s, route_to(1, TLS_MAY), &plain_env, 1);
		assert_int_equal(s.result[0].reply.code, 250);
		assert_int_equal(sink[0].connections, 2);
		assert_true(has(seen_plain(0), "STARTTLS\r\nEHLO me.example"
		    "\r\nMAIL"));
		assert_null(hop_tls(s.h));
		hop_free(&s.h);
		/* such a connection is not kept */
		world_stop(NULL);
		world_start(NULL);
	}
}

static void offers_that_are_not_used_are_counted(void **state)
{
	struct seen s;

	(void)state;
	TALK(0, {NULL});
	deliver(&s, route_to(1, TLS_NONE), &plain_env, 1);
	assert_int_equal(s.result[0].reply.code, 250);
	assert_int_equal(relay_stats_get(world.stats, COUNT_STARTTLS_UNUSED),
	    1);
	hop_free(&s.h);
}

static void T61_only_the_same_policy_shares_a_connection(void **state)
{
	struct route *r;
	struct seen s;

	(void)state;
	TALK(0, {NULL});
	for (int i = 0; i < 3; i++) {
		deliver(&s, route_to(1, TLS_ENCRYPT), &plain_env, 1);
		assert_int_equal(s.result[0].reply.code, 250);
		hop_free(&s.h);
	}
	assert_int_equal(sink[0].connections, 1);
	assert_int_equal(relay_stats_get(world.stats, COUNT_HOP_REUSED), 2);
	/* the same host, but it must prove itself now */
	deliver(&s, route_to(1, TLS_FINGERPRINT), &plain_env, 1);
	assert_int_equal(s.result[0].reply.code, 250);
	assert_true(hop_tls(s.h)->is_verified);
	hop_free(&s.h);
	assert_int_equal(sink[0].connections, 2);
	/* and one that cannot is not helped by the connection that is there */
	r = route_to(1, TLS_FINGERPRINT);
	r->host[0].want.pin[0].sha256[0] ^= 1;
	deliver(&s, r, &plain_env, 1);
	assert_int_equal(s.rcpt[0].reply.code, 451);
	hop_free(&s.h);
	assert_int_equal(sink[0].connections, 3);
	assert_int_equal(sink[0].dots, 4);
}

static void T54_REQUIRETLS_or_nothing(void **state)
{
	struct hop_envelope env = plain_env;
	struct route *r;
	struct seen s;

	(void)state;
	env.require_tls = true;
	TALK(0, {NULL});
	TALK(1, {.ehlo_tls = "250-next\r\n250 REQUIRETLS\r\n"});
	r = route_to(1, TLS_FINGERPRINT);
	r->host[0].want.require_tls = true;
	deliver(&s, r, &env, 1);
	assert_int_equal(s.rcpt[0].reply.code, 550);
	assert_string_equal(s.rcpt[0].reply.enhanced, "5.7.30");
	expect_none(1);
	assert_true(has(seen_tls(0), "QUIT"));
	hop_free(&s.h);
	/* the next MX has it */
	r = route_to(2, TLS_FINGERPRINT);
	r->host[0].want.require_tls = r->host[1].want.require_tls = true;
	deliver(&s, r, &env, 1);
	assert_int_equal(s.result[0].reply.code, 250);
	assert_true(has(seen_tls(1), "MAIL FROM:<a@a.example> REQUIRETLS"));
	hop_free(&s.h);
	/* in clear it is not, whatever is offered there */
	r = route_to(1, TLS_NONE);
	deliver(&s, r, &env, 1);
	assert_string_equal(s.rcpt[0].reply.enhanced, "5.7.10");
	hop_free(&s.h);
	/* and not with somebody who proved nothing */
	r = route_to(2, TLS_ENCRYPT);
	deliver(&s, r, &env, 1);
	assert_true(s.rcpt[0].reply.code / 100 != 2);
	assert_int_equal(sink[1].dots, 1);
	hop_free(&s.h);
}

static void the_connection_dies_at_each_state_in_TLS(void **state)
{
	static const struct {
		struct talk t;
		bool is_known; /* the next MX may have it */
	} row[] = {
		{{.ehlo_tls = "-"}, true}, {{.ehlo_tls = "!"}, true},
		{{.ehlo_tls = "*"}, true}, {{.mail = "-"}, true},
		{{.mail = "!"}, true}, {{.rcpt = "!"}, true},
		{{.data = "-"}, true}, {{.data = "!"}, true},
		{{.body_most = 10, .end = "!"}, true},
		{{.end = "-"}, false}, {{.end = "!"}, false},
	};
	struct seen s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		sink_start(0, &row[i].t, 1);
		TALK(1, {.end = "250 ok\r\n\1"});
		if (row[i].t.body_most > 0)
			fill("0123456789\r\n", 1000000);
		deliver(&s, route_to(2, TLS_FINGERPRINT), &plain_env, 1);
		assert_int_equal(s.result[0].reply.code, row[i].is_known ?
		    250 : 451);
		assert_int_equal(s.result[0].state, row[i].is_known ?
		    HOP_ANSWERED : HOP_UNKNOWN);
		assert_int_equal(sink[0].dots, !row[i].is_known);
		assert_int_equal(sink[1].dots, row[i].is_known);
		assert_false(has(seen_plain(0), "MAIL"));
		hop_free(&s.h);
		turn_ms(30);
		world_stop(NULL);
		world_start(NULL);
	}
}

static void a_kept_connection_ends_in_TLS(void **state)
{
	struct seen s;

	(void)state;
	TALK(0, {.end = "250 ok\r\n\1"}, {.mail = "250 ok\r\n|!"}, {NULL});
	for (int i = 0; i < 4; i++) {
		deliver(&s, route_to(1, TLS_FINGERPRINT), &plain_env, 1);
		assert_int_equal(s.result[0].reply.code, 250);
		hop_free(&s.h);
		turn_ms(30);
	}
	assert_int_equal(sink[0].dots, 4);
	assert_int_equal(sink[0].connections, 3);
}

static void barred_hosts_are_not_dialed(void **state)
{
	struct route *r;
	struct seen s;

	(void)state;
	TALK(0, {NULL});
	r = route_to(1, TLS_ENCRYPT);
	r->host[0].is_barred = true;
	text_set(r->host[0].barred_result, 40, "dnssec-invalid");
	text_set(r->host[0].barred_reason, 300, "its TLSA is bogus");
	deliver(&s, r, &plain_env, 1);
	assert_int_equal(s.rcpt[0].reply.code, 451);
	assert_string_equal(s.rcpt[0].reply.enhanced, "4.7.5");
	assert_string_equal(s.rcpt[0].tls_result, "dnssec-invalid");
	assert_true(has(s.rcpt[0].reply.text, "its TLSA is bogus"));
	assert_int_equal(sink[0].connections, 0);
	hop_free(&s.h);
}

static void HELO_does_not_help_where_TLS_is_a_must(void **state)
{
	static const struct talk old = {.ehlo = "502 what?\r\n"};
	struct seen s;

	(void)state;
	sink_start(0, &old, 1);
	deliver(&s, route_to(1, TLS_ENCRYPT), &plain_env, 1);
	assert_true(s.rcpt[0].reply.code / 100 != 2);
	assert_false(has(seen_plain(0), "HELO"));
	hop_free(&s.h);
	expect_none(1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_start, world_stop)
	const struct CMUnitTest tests[] = {
		T(T34_A67_STARTTLS_stripped),
		T(T34_T37_A69_STARTTLS_fails),
		T(T36_T37_A66_response_injection),
		T(T34_who_is_there_must_be_proven),
		T(T34_the_right_one_gets_it),
		T(implicit_TLS_comes_first),
		T(T35_A66_A72_only_what_is_offered_in_TLS_counts),
		T(at_level_may_in_clear_on_a_new_connection),
		T(offers_that_are_not_used_are_counted),
		T(T61_only_the_same_policy_shares_a_connection),
		T(T54_REQUIRETLS_or_nothing),
		T(the_connection_dies_at_each_state_in_TLS),
		T(a_kept_connection_ends_in_TLS),
		T(barred_hosts_are_not_dialed),
		T(HELO_does_not_help_where_TLS_is_a_must),
	};

	return cmocka_run_group_tests_name("relay_hop_tls", tests,
	    sinks_begin, sinks_end);
}
