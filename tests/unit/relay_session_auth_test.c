/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Sessions of people and of those who stand in for them: AUTH, certificates,
 * XCLIENT.
 */
#include "relay_session.h"

/* ---- submission ---- */

static void submission(void)
{
	x.l.protocol = RELAY_SUBMISSION;
	x.l.auth.kind = AUTH_PASSWD;
	x.l.ledger = false;
}

static void verdict(enum auth_result r, int64_t delay_ms)
{
	struct auth_reply v = { .result = r, .delay_ms = delay_ms };

	text_set(v.login, sizeof(v.login), "alice");
	v.text = view_of(r == AUTH_CHALLENGE ? "more" : "");
	x.done(x.done_arg, &v);
}

static void T13_T25_T26_submission_with_a_password(void **state)
{
	(void)state;
	submission();
	text_set(x.may_send, sizeof(x.may_send), "alice@a.example");
	connect_as(LISTEN_IMPLICIT, "2001:db8::1");
	use_tls(NULL);
	greeted();
	say(EHLO, "250-");
	assert_non_null(strstr(buf_str(&x.p.in), "250-AUTH PLAIN\r\n"));
	say(MAIL, "530 5.7.0 Authentication required\r\n");
	peer_say(&x.p, "AUTH PLAIN QUJD\r\n");
	run();
	assert_string_equal(buf_str(&x.asked), "2001:db8::1 PLAIN[ABC]");
	verdict(AUTH_CHALLENGE, 0);
	say("", "334 bW9yZQ==\r\n");
	peer_say(&x.p, "QQ==\r\n");
	run();
	assert_non_null(strstr(buf_str(&x.asked), "[A]"));
	verdict(AUTH_NO, 20);
	buf_clear(&x.p.in);
	say("", "535 5.7.8 Authentication credentials invalid\r\n");
	peer_say(&x.p, "AUTH PLAIN =\r\n");
	run();
	verdict(AUTH_LATER, 0);
	say("", "454 4.7.0");
	peer_say(&x.p, "AUTH PLAIN QUJD\r\n");
	run();
	verdict(AUTH_YES, 0);
	say("", "235 2.7.0");
	say("MAIL FROM:<bob@a.example>\r\n", "550 5.7.1");
	say("MAIL FROM:<>\r\n", "250 "); /* T27 */
	say("RSET\r\n", "250 ");
	say(MAIL, "250 ");
	peer_say(&x.p, RCPT);
	run();
	fake_answer_routes();
	fake_take_all();
	say("", "250 ");
	say("DATA\r\n", "354 ");
	peer_say(&x.p, TEXT ".\r\n");
	run();
	assert_non_null(strstr(fake_hop[0]->body,
	    "([IPv6:2001:db8::1])\r\n\tby mx.a.example (postseal) with "
	    "ESMTPSA id "));
	fake_result(0, 0, HOP_ANSWERED, 250);
	say("", "250 ");
}

static void T31_T26_a_pinned_certificate_is_somebody(void **state)
{
	static char as[] = "alice@a.example";
	struct client_pin pin = { .as = as };

	(void)state;
	submission();
	peer_sha256(alice.x, pin.sha256);
	x.l.client_cert = CLIENT_CERT_OPTIONAL;
	x.l.pin = &pin;
	x.l.pins = 1;
	connect_as(LISTEN_IMPLICIT, "192.0.2.1");
	use_tls(&alice);
	greeted();
	say(EHLO, "250-");
	assert_non_null(strstr(buf_str(&x.p.in), "AUTH PLAIN EXTERNAL\r\n"));
	say("MAIL FROM:<bob@a.example>\r\n", "550 5.7.1");
	say(MAIL, "250 ");
}

static void T6_T31_without_the_certificate_that_must_be_there(void **state)
{
	struct client_pin pin = { .as = NULL };

	(void)state;
	submission();
	peer_sha256(alice.x, pin.sha256);
	x.l.client_cert = CLIENT_CERT_MUST;
	x.l.pin = &pin;
	x.l.pins = 1;
	connect_as(LISTEN_STARTTLS, "192.0.2.1");
	say("", "220 ");
	say(EHLO, "250-");
	say(MAIL, "530 5.7.0 Must issue"); /* it can only be shown there */
	say("STARTTLS\r\n", "220 ");
	use_tls(NULL);
	run();
	if (!x.p.is_over) { /* or it was refused by the handshake */
		say(EHLO, "554 5.7.0 Command refused due to lack of security");
		say("QUIT\r\n", "221 ");
	}
	is_closed();
}

static void T31_a_pin_without_a_name_may_relay(void **state)
{
	struct client_pin pin = { .as = NULL };

	(void)state;
	submission();
	peer_sha256(alice.x, pin.sha256);
	x.l.client_cert = CLIENT_CERT_MUST;
	x.l.pin = &pin;
	x.l.pins = 1;
	connect_as(LISTEN_IMPLICIT, "192.0.2.1");
	use_tls(&alice);
	greeted();
	say(EHLO, "250-");
	say("MAIL FROM:<bob@b.example>\r\n", "250 ");
}

static void auth_that_outlives_its_client_is_called_off(void **state)
{
	(void)state;
	submission();
	connect_as(LISTEN_EXTERNAL, "192.0.2.1"); /* T68: TLS of another */
	say("", "220 ");
	say(EHLO, "250-");
	say("STARTTLS\r\n", "554 5.5.1 Error: TLS already active");
	peer_say(&x.p, "AUTH PLAIN QUJD\r\n");
	run();
	verdict(AUTH_NO, 60000);
	(void)close(x.p.fd);
	x.p.fd = -1;
	x.p.is_over = true;
	run();
	assert_int_equal(x.gone, 1);
	assert_int_equal(x.talks, 0);
}

static void T67_XCLIENT_stands_in(void **state)
{
	struct net any;

	(void)state;
	assert_int_equal(net_parse(&any, "127.0.0.0/8", NULL), 0);
	submission();
	x.l.xclient = &any;
	x.l.xclients = 1;
	x.l.xclient_login = true;
	text_set(x.may_send, sizeof(x.may_send), "alice@a.example");
	connect_as(LISTEN_EXTERNAL, "127.0.0.1");
	say("", "220 ");
	say(EHLO, "250-");
	say(MAIL, "530 ");
	say("XCLIENT ADDR=192.0.2.7 LOGIN=alice\r\n", "220 ");
	say(EHLO, "250-");
	say("MAIL FROM:<bob@a.example>\r\n", "550 5.7.1");
	say(MAIL, "250 ");
	peer_say(&x.p, RCPT);
	run();
	fake_answer_routes();
	assert_string_equal(fake_hop[0]->env.client_addr, "192.0.2.7");
	fake_take_all();
	say("", "250 ");
	/* and goes again */
	say("RSET\r\n", "250 ");
	say("XCLIENT LOGIN=[UNAVAILABLE]\r\n", "220 ");
	say(EHLO, "250-");
	say(MAIL, "530 ");
}

static void T8_T67_who_XCLIENT_named_is_gone_inside_TLS(void **state)
{
	struct net any;

	(void)state;
	assert_int_equal(net_parse(&any, "127.0.0.0/8", NULL), 0);
	submission();
	x.l.xclient = &any;
	x.l.xclients = 1;
	x.l.xclient_login = true;
	connect_as(LISTEN_STARTTLS, "127.0.0.1");
	say("", "220 ");
	say("XCLIENT ADDR=192.0.2.7 LOGIN=alice\r\n", "220 ");
	say("STARTTLS\r\n", "220 ");
	use_tls(NULL);
	say(EHLO, "250-");
	say(MAIL, "530 5.7.0 Authentication required\r\n");
	peer_say(&x.p, "AUTH PLAIN QUJD\r\n");
	run();
	assert_string_equal(buf_str(&x.asked), "127.0.0.1 PLAIN[ABC]");
}

/* attack A73: a front with a certificate stands in for a stranger, who finds
 * the door open that the certificate opened
 * verdict: who is stood in for has no certificate: 530, and no EXTERNAL
 */
static void T67_A73_a_certificate_is_nobody_elses(void **state)
{
	static char as[] = "alice@a.example";
	struct client_pin pin[2] = { { .as = as }, { .as = NULL } };
	struct net any;
	size_t i;

	(void)state;
	assert_int_equal(net_parse(&any, "127.0.0.0/8", NULL), 0);
	for (i = 0; i < 2; i++) {
		submission();
		peer_sha256(alice.x, pin[i].sha256);
		x.l.client_cert = CLIENT_CERT_OPTIONAL;
		x.l.pin = &pin[i];
		x.l.pins = 1;
		x.l.xclient = &any;
		x.l.xclients = 1;
		connect_as(LISTEN_IMPLICIT, "127.0.0.1");
		use_tls(&alice);
		greeted();
		say(EHLO, "250-");
		say(MAIL, "250 ");
		say("RSET\r\n", "250 ");
		say("XCLIENT ADDR=192.0.2.7\r\n", "220 ");
		say(EHLO, "250-");
		assert_null(strstr(buf_str(&x.p.in), "EXTERNAL"));
		say(MAIL, "530 ");
		if (i == 0) {
			(void)teardown(state);
			(void)setup(state);
		}
	}
}

/* attack A73: a front that may send anywhere stands in for somebody whose
 * address it does not know, or was made to lose
 * verdict: whoever that is has not the front's rights: 530; a next hop hears
 * that nobody knows the address
 */
static void T67_A73_an_unknown_client_is_no_neighbour(void **state)
{
	static const char *const said[] = { "ADDR=[UNAVAILABLE] NAME=h.example",
		"ADDR=[TEMPUNAVAIL]", "ADDR=192.0.2.7 ADDR=[UNAVAILABLE]" };
	struct net any;
	char line[100];

	(void)state;
	assert_int_equal(net_parse(&any, "127.0.0.0/8", NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		submission();
		x.l.xclient = x.l.trusted = &any;
		x.l.xclients = x.l.trusteds = 1;
		x.l.xclient_login = x.l.auth.any_sender = true;
		connect_as(LISTEN_EXTERNAL, "127.0.0.1");
		say("", "220 ");
		say(EHLO, "250-");
		say(MAIL, "250 ");
		say("RSET\r\n", "250 ");
		(void)snprintf(line, sizeof(line), "XCLIENT %s\r\n", said[i]);
		say(line, "220 ");
		say(EHLO, "250-");
		say(MAIL, "530 ");
		/* what came later adds to it */
		say("XCLIENT LOGIN=alice\r\n", "220 ");
		say(EHLO, "250-");
		say(MAIL, "250 ");
		peer_say(&x.p, RCPT);
		run();
		fake_answer_routes();
		assert_string_equal(fake_hop[0]->env.client_addr, "");
		if (i + 1 < ARRAY_LEN(said)) {
			(void)teardown(state);
			(void)setup(state);
		}
	}
}

static void an_exchange_that_was_called_off_is_over(void **state)
{
	struct net any;

	(void)state;
	assert_int_equal(net_parse(&any, "192.0.2.0/24", NULL), 0);
	submission();
	x.l.trusted = &any;
	x.l.trusteds = 1;
	connect_as(LISTEN_EXTERNAL, "192.0.2.1");
	say("", "220 ");
	say(EHLO, "250-");
	peer_say(&x.p, "AUTH PLAIN\r\n");
	run();
	verdict(AUTH_CHALLENGE, 0);
	say("", "334 ");
	say("*\r\n", "501 5.7.0");
	say(MAIL, "250 ");
	assert_int_equal(x.talks, 0);
}

/* RFC 5321 3.8: also who is asked for his password may hear why it ends. */
static void who_is_too_slow_with_his_password_is_told(void **state)
{
	(void)state;
	submission();
	connect_as(LISTEN_IMPLICIT, "192.0.2.1");
	use_tls(NULL);
	greeted();
	say(EHLO, "250-");
	peer_say(&x.p, "AUTH PLAIN\r\n");
	run();
	verdict(AUTH_CHALLENGE, 0);
	say("", "334 ");
	x.w.is_stopping = true;
	sessions_stop(&x.w);
	say("", "421 4.3.2 Service is going away");
	is_closed();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(T13_T25_T26_submission_with_a_password),
		T(T31_T26_a_pinned_certificate_is_somebody),
		T(T6_T31_without_the_certificate_that_must_be_there),
		T(T31_a_pin_without_a_name_may_relay),
		T(auth_that_outlives_its_client_is_called_off),
		T(T67_XCLIENT_stands_in),
		T(T8_T67_who_XCLIENT_named_is_gone_inside_TLS),
		T(T67_A73_a_certificate_is_nobody_elses),
		T(T67_A73_an_unknown_client_is_no_neighbour),
		T(an_exchange_that_was_called_off_is_over),
		T(who_is_too_slow_with_his_password_is_told),
	};

	return cmocka_run_group_tests_name("relay_session_auth", tests, once,
	    at_end);
}
