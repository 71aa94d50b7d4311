/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The server's side as a relay uses it: STARTTLS, what may be said before it,
 * what is announced, decisions about MAIL and RCPT.
 */
#include "smtp/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "smtp_talk.h"

static struct smtp_server_setup must_tls(void)
{
	struct smtp_server_setup s = relay_smtp;

	s.starttls_must = true;
	return s;
}

static void begin_inside(struct talk *t)
{
	talk_begin(t, &relay_smtp);
	t->inside.auth_must = false;
	talk_lines(t, EHLO "STARTTLS\r\n" EHLO);
	assert_int_equal(t->tls, 1);
	buf_clear(&t->said);
	buf_clear(&t->seen);
}

/* ---- before TLS ---- */

#define MUST "530 5.7.0 Must issue a STARTTLS command first\r\n"

static void T4_nothing_but_these_verbs_before_TLS(void **state)
{
	static const struct {
		const char *line, *reply;
	} c[] = {
		{ "EHLO a.example\r\n", "250-" },
		{ "HELO a.example\r\n", "250 " },
		{ "NOOP\r\n", "250 2.0.0" },
		{ "HELP\r\n", "214 2.0.0" },
		{ "help\r\n", "214 2.0.0" },
		{ "QUIT\r\n", "221 2.0.0" },
		{ "starttls\r\n", "220 2.0.0" },
		{ MAIL, MUST }, { RCPT, MUST }, { "DATA\r\n", MUST },
		{ "BDAT 10 LAST\r\n", MUST }, { "RSET\r\n", MUST },
		{ "VRFY bob\r\n", MUST }, { "EXPN x\r\n", MUST },
		{ "ETRN x\r\n", MUST }, { "TURN\r\n", MUST },
		{ "AUTH PLAIN\r\n", MUST },
		{ "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n", MUST },
		{ "XCLIENT ADDR=192.0.2.1\r\n", MUST },
		{ "XFORWARD ADDR=192.0.2.1\r\n", MUST },
		{ "FOO\r\n", MUST }, { "\r\n", MUST },
	};
	const struct smtp_server_setup setup = must_tls();
	struct talk t;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		for (k = 0; k < 2; k++) { /* after EHLO, too */
			talk_begin(&t, &setup);
			talk_feed(&t, k == 0 ? "" : EHLO);
			talk_expect(&t, c[i].line, c[i].reply);
			if (strcmp(c[i].reply, MUST) == 0)
				assert_string_equal(buf_str(&t.seen), "");
			assert_int_equal(t.mails, 0);
			talk_end(&t);
		}
	}
}

static void T4_T67_who_may_say_XCLIENT_may_before_TLS(void **state)
{
	struct smtp_server_setup setup = must_tls();
	struct talk t;

	(void)state;
	setup.xclient = true;
	talk_begin(&t, &setup);
	talk_expect(&t, "", "220 ");
	talk_expect(&t, "XCLIENT ADDR=192.0.2.1\r\n", "220 ");
	talk_expect(&t, MAIL, MUST);
	talk_end(&t);
}

/* attack A69: commands in a group, in the hope that only the first of them is
 *   looked at
 * verdict: 530 to each, and none of it is a transaction */
static void T4_a_group_is_refused_as_well(void **state)
{
	const struct smtp_server_setup setup = must_tls();
	struct talk t;

	(void)state;
	talk_begin(&t, &setup);
	talk_feed(&t, EHLO);
	buf_clear(&t.said);
	talk_feed(&t, MAIL RCPT "RSET\r\n" MAIL "DATA\r\n");
	assert_string_equal(buf_str(&t.said), MUST MUST MUST MUST MUST);
	assert_string_equal(buf_str(&t.seen), "");
	talk_end(&t);
}

static void T11_twenty_commands_before_TLS(void **state)
{
	const struct smtp_server_setup setup = must_tls();
	struct talk t;
	size_t i;

	(void)state;
	talk_begin(&t, &setup);
	talk_feed(&t, "");
	for (i = 0; i < 20; i++)
		talk_expect(&t, "NOOP\r\n", "250 ");
	talk_expect(&t, "NOOP\r\n", "421 4.7.0");
	assert_true(t.is_closed);
	talk_end(&t);
}

/* ---- STARTTLS ---- */

static void T1_T2_T3_what_STARTTLS_is_answered(void **state)
{
	struct smtp_server_setup setup = relay_smtp;
	struct talk t;

	(void)state;
	begin_inside(&t);
	talk_expect(&t, "STARTTLS\r\n", "554 5.5.1 Error: TLS already active");
	talk_end(&t);
	talk_begin(&t, &setup);
	talk_feed(&t, EHLO);
	talk_expect(&t, "STARTTLS foo\r\n", "501 5.5.4");
	talk_expect(&t, "STARTTLS \r\n", "220 2.0.0");
	talk_end(&t);
	setup.starttls_away = true;
	talk_begin(&t, &setup);
	talk_feed(&t, EHLO);
	assert_null(strstr(buf_str(&t.said), "STARTTLS"));
	talk_expect(&t, "STARTTLS\r\n", "454 4.7.0 TLS not available");
	assert_int_equal(t.tls, 0);
	smtp_server_starttls_away(t.s, false); /* it works again */
	talk_expect(&t, "STARTTLS\r\n", "220 2.0.0");
	talk_end(&t);
	setup.starttls_away = setup.starttls = false;
	talk_begin(&t, &setup);
	talk_feed(&t, EHLO);
	talk_expect(&t, "STARTTLS\r\n", "502 5.5.1");
	talk_end(&t);
}

#define INJECTED "EHLO evil.example\r\nMAIL FROM:<evil@evil.example>\r\n"

/* attack A65: commands behind STARTTLS in the clear, to be carried out as if
 *   they had come inside TLS (CVE-2011-0411)
 * verdict: 501 5.5.0 and the connection is closed: no TLS begins */
static void T7_A65_what_stands_behind_STARTTLS_closes(void **state)
{
	static const char all[] = "STARTTLS\r\n" INJECTED;
	const size_t end = strlen("STARTTLS\r\n");
	struct talk t;
	size_t k;

	(void)state;
	for (k = 0; k < sizeof(all) - 1; k++) {
		talk_begin(&t, &relay_smtp);
		talk_feed(&t, EHLO);
		buf_clear(&t.said);
		(void)talk_feed_view(&t, view_make(all, k));
		if (k < end) {
			assert_int_equal(t.tls, 0);
			(void)talk_feed_view(&t, view_make(all + k,
			    sizeof(all) - 1 - k));
		}
		if (k == end) {
			/* nothing yet: what comes now is TLS, or is not */
			assert_int_equal(t.tls, 1);
			assert_string_equal(buf_str(&t.seen), "");
			talk_end(&t);
			continue;
		}
		assert_string_equal(buf_str(&t.said),
		    "501 5.5.0 Pipelining after STARTTLS\r\n");
		assert_true(t.is_closed);
		assert_int_equal(t.tls, 0);
		assert_string_equal(buf_str(&t.seen), "");
		talk_end(&t);
	}
}

/* The user of the engine begins TLS; until then nothing is read. */
static void T7_nothing_is_read_before_TLS_is_there(void **state)
{
	struct view in = view_of("STARTTLS\r\n"), chunk;
	struct talk t;

	(void)state;
	talk_begin(&t, &relay_smtp);
	talk_feed(&t, EHLO);
	assert_int_equal(smtp_server_next(t.s, &in, &chunk), SMTP_STARTTLS);
	in = view_of(INJECTED);
	assert_int_equal(smtp_server_next(t.s, &in, &chunk), SMTP_WAIT);
	assert_int_equal(in.n, strlen(INJECTED));
	talk_end(&t);
}

static void T8_T9_inside_TLS_all_is_new(void **state)
{
	static const char *const before[] = {
		EHLO, EHLO MAIL, EHLO MAIL RCPT,
		"HELO a.example\r\n" MAIL RCPT, "",
	};
	struct talk t;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(before); i++) {
		talk_begin(&t, &relay_smtp);
		t.inside.auth_must = false;
		talk_lines(&t, before[i]);
		talk_expect(&t, "STARTTLS\r\n", "220 ");
		assert_string_equal(smtp_server_helo(t.s), "");
		assert_false(smtp_server_is_esmtp(t.s));
		assert_null(smtp_server_mail(t.s)->from);
		talk_expect(&t, RCPT, "503 5.5.1");
		talk_expect(&t, "DATA\r\n", "503 5.5.1");
		talk_expect(&t, MAIL, "503 5.5.1");
		talk_expect(&t, EHLO, "250-mx.example");
		assert_null(strstr(buf_str(&t.said), "STARTTLS"));
		talk_expect(&t, MAIL, "250 2.1.0");
		talk_end(&t);
	}
	/* T9: in a message it is text */
	talk_begin(&t, &relay_smtp);
	talk_lines(&t, EHLO MAIL RCPT "DATA\r\nSTARTTLS\r\n.\r\n");
	assert_string_equal(buf_str(&t.got), "STARTTLS\r\n|");
	assert_int_equal(t.tls, 0);
	talk_end(&t);
}

static void T9_STARTTLS_may_end_a_group(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, &relay_smtp);
	talk_feed(&t, EHLO);
	talk_feed(&t, "RSET\r\nSTARTTLS\r\n");
	assert_int_equal(t.tls, 1);
	talk_end(&t);
}

static void T6_too_weak_a_channel_refuses_all_but_QUIT(void **state)
{
	static const char *const all[] = { EHLO, "HELO a.example\r\n", MAIL,
		RCPT, "DATA\r\n", "NOOP\r\n", "RSET\r\n", "VRFY x\r\n",
		"AUTH PLAIN AGEAYQ==\r\n", "STARTTLS\r\n", "FOO\r\n" };
	struct talk t;
	size_t i;

	(void)state;
	talk_begin(&t, &relay_smtp);
	t.inside.is_weak = true;
	talk_lines(&t, EHLO "STARTTLS\r\n");
	for (i = 0; i < ARRAY_LEN(all); i++)
		talk_expect(&t, all[i], "554 5.7.0 Command refused due to "
		    "lack of security\r\n");
	assert_string_equal(buf_str(&t.seen), "");
	talk_expect(&t, "QUIT\r\n", "221 ");
	talk_end(&t);
}

/* ---- other protocols ---- */

/* attack A46: a browser is made to send a mail's commands in a request
 *   (ALPACA), or a proxy's header comes to a listener that knows none
 * verdict: 500 at the first line, and the connection is closed */
static void T66_A46_other_protocols_are_closed(void **state)
{
	static const char *const first[] = {
		"GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nHost: x\r\n" EHLO,
		"Host: mx.example\r\n", "PUT x\r\n", "OPTIONS * x\r\n",
		"CONNECT a:25 HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n" EHLO,
		"user-agent: x\r\n", "get /\r\n",
	};
	const struct smtp_server_setup must = must_tls();
	struct talk t;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(first); i++) {
		talk_begin(&t, i % 2 == 0 ? &relay_smtp : &must);
		talk_feed(&t, "");
		talk_expect(&t, first[i], i == 1 || i == 6 || i == 7 ? "50" :
		    "500 5.5.1");
		assert_true(t.is_closed);
		assert_string_equal(buf_str(&t.seen), "");
		talk_end(&t);
	}
}

/* ---- what is announced ---- */

#define ALWAYS "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n"
#define LATER "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n"

static void expect_hello(struct talk *t, const char *hello, const char *all)
{
	buf_clear(&t->said);
	talk_feed(t, hello);
	assert_string_equal(buf_str(&t->said), all);
}

static void T29_golden_EHLO_of_each_listener(void **state)
{
	struct smtp_server_setup s = relay_smtp;
	struct talk t;

	(void)state;
	talk_begin(&t, &s); /* submission */
	t.inside.require_tls = true;
	talk_feed(&t, "");
	expect_hello(&t, EHLO, ALWAYS "250-STARTTLS\r\n" LATER
	    "250 SMTPUTF8\r\n");
	talk_feed(&t, "STARTTLS\r\n");
	expect_hello(&t, EHLO, ALWAYS "250-AUTH PLAIN LOGIN\r\n"
	    "250-REQUIRETLS\r\n" LATER "250 SMTPUTF8\r\n");
	talk_feed(&t, "AUTH PLAIN AGEAYQ==\r\n");
	assert_true(smtp_server_is_authenticated(t.s));
	expect_hello(&t, EHLO, ALWAYS "250-REQUIRETLS\r\n" LATER
	    "250 SMTPUTF8\r\n");
	talk_end(&t);
	s.starttls = false; /* SMTP for MTAs */
	s.one_domain = true;
	s.xclient = s.xforward = true;
	talk_begin(&t, &s);
	talk_feed(&t, "");
	expect_hello(&t, EHLO, ALWAYS
	    "250-LIMITS RCPTMAX=5 RCPTDOMAINMAX=1\r\n" LATER
	    "250-SMTPUTF8\r\n"
	    "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
	    "\r\n250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n");
	talk_end(&t);
	s.one_domain = s.xclient = false; /* LMTP on a unix socket */
	s.lmtp = true;
	talk_begin(&t, &s);
	talk_feed(&t, "");
	expect_hello(&t, LHLO, ALWAYS LATER "250-SMTPUTF8\r\n"
	    "250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n");
	talk_end(&t);
}

static void T29_what_is_not_offered_is_refused(void **state)
{
	static const struct {
		const char *line, *reply;
	} c[] = {
		{ "ETRN b.example\r\n", "502 5.5.1" },
		{ "BDAT 10 LAST\r\n", "502 5.5.1" },
		{ "EXPN list\r\n", "502 5.5.1" },
		{ "TURN\r\n", "502 5.5.1" },
		{ "VRFY bob\r\n", "252 2.5.0" },
		{ "XFORWARD ADDR=192.0.2.1\r\n", "550 5.7.0" },
		{ "MAIL FROM:<a@a.example> BODY=BINARYMIME\r\n", "555 5.5.4" },
		{ "MAIL FROM:<a@a.example> REQUIRETLS\r\n", "555 5.5.4" },
		{ LHLO, "500 5.5.1" },
	};
	struct smtp_server_setup s = relay_smtp;
	struct talk t;
	size_t i;

	(void)state;
	begin_inside(&t);
	for (i = 0; i < ARRAY_LEN(c); i++)
		talk_expect(&t, c[i].line, c[i].reply);
	talk_end(&t);
	s.require_tls_known = true; /* T54: inside TLS alone */
	talk_begin(&t, &s);
	talk_feed(&t, EHLO);
	assert_null(strstr(buf_str(&t.said), "REQUIRETLS"));
	talk_expect(&t, "MAIL FROM:<a@a.example> REQUIRETLS\r\n",
	    "550 5.7.10");
	talk_end(&t);
}

static void T28_T27_domains_must_be_whole(void **state)
{
	static const char *const bad[] = { "<bob@host>", "<bob>", "<bob@>",
		"<bob@b.>", "<bob@.b>", "<bob@[]>", "<\"a@b.example\"@host>" };
	struct talk t;
	char line[200];
	size_t i;

	(void)state;
	begin_inside(&t);
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		(void)snprintf(line, sizeof(line), "MAIL FROM:%s\r\n", bad[i]);
		talk_expect(&t, line, "550 5.1.8");
	}
	talk_expect(&t, "MAIL FROM:<>\r\n", "250 ");
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		(void)snprintf(line, sizeof(line), "RCPT TO:%s\r\n", bad[i]);
		talk_expect(&t, line, "550 5.1.2");
	}
	talk_expect(&t, "RCPT TO:<bob@[192.0.2.1]>\r\n", "250 ");
	assert_string_equal(buf_str(&t.seen),
	    "mail <>;rcpt 0 <bob@[192.0.2.1]>;");
	talk_end(&t);
}

/* ---- decisions ---- */

static void what_is_refused_is_no_part_of_the_message(void **state)
{
	struct talk t;

	(void)state;
	begin_inside(&t);
	talk_expect(&t, "MAIL FROM:<bad@a.example>\r\n" RCPT "DATA\r\n",
	    "550 5.7.1 bad\r\n503 5.5.1 Bad sequence of commands\r\n503 ");
	talk_expect(&t, MAIL "RCPT TO:<bad@b.example>\r\nDATA\r\n",
	    "250 2.1.0 Ok\r\n550 5.1.1 bad\r\n554 5.5.1");
	talk_feed(&t, RCPT "RCPT TO:<bad@b.example>\r\n"
	    "RCPT TO:<carol@c.example>\r\nDATA\r\n");
	assert_string_equal(smtp_server_mail(t.s)->rcpt[1].path,
	    "<carol@c.example>");
	assert_int_equal(smtp_server_mail(t.s)->rcpt[1].number, 3);
	talk_feed(&t, ".\r\n");
	assert_non_null(strstr(buf_str(&t.seen), "begin 2;"));
	talk_end(&t);
}

static void RCPT_in_a_group_are_asked_at_once_and_answered_in_order(
    void **state)
{
	static const char group[] = MAIL RCPT "RCPT TO:<c@c.example>\r\n"
	    "RCPT TO:<x>y>\r\nRCPT TO:<d@d.example>\r\nDATA\r\n";
	struct talk t;
	size_t used;

	(void)state;
	begin_inside(&t);
	t.is_slow = true;
	used = talk_feed_view(&t, view_of(group));
	assert_true(t.is_waiting);
	assert_int_equal(used, sizeof(group) - 1);
	assert_int_equal(smtp_server_asked(t.s), 4);
	assert_string_equal(buf_str(&t.seen), "mail <alice@a.example>;"
	    "rcpt 0 <bob@b.example>;rcpt 1 <c@c.example>;"
	    "rcpt 2 <d@d.example>;");
	assert_string_equal(buf_str(&t.said), "250 2.1.0 Ok\r\n");
	smtp_server_answer_rcpt(t.s, 2, 250, "2.1.5", "two");
	smtp_server_answer_rcpt(t.s, 1, 450, "4.2.1", "one");
	assert_string_equal(talk_say(&t, ""), "");
	smtp_server_answer_rcpt(t.s, 1, 250, "2.1.5", "twice");
	smtp_server_answer_rcpt(t.s, 0, 250, "2.1.5", "zero");
	talk_feed(&t, "");
	talk_feed(&t, "x\r\n.\r\n");
	assert_string_equal(buf_str(&t.said), "250 2.1.5 zero\r\n"
	    "450 4.2.1 one\r\n501 5.1.3 Bad address syntax\r\n"
	    "250 2.1.5 two\r\n354 End with CRLF.CRLF\r\n250 2.6.0 yes\r\n");
	assert_non_null(strstr(buf_str(&t.seen), "begin 2;"));
	talk_end(&t);
}

static void a_command_waits_for_the_answers_before_it(void **state)
{
	static const char *const behind[] = { "RSET\r\n", "QUIT\r\n",
		"NOOP\r\n", EHLO, "FOO\r\n" };
	struct talk t;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(behind); i++) {
		begin_inside(&t);
		t.is_slow = true;
		talk_feed(&t, MAIL RCPT);
		assert_string_equal(talk_say(&t, behind[i]), "");
		assert_true(t.is_waiting);
		assert_false(t.is_closed);
		smtp_server_answer_rcpt(t.s, 0, 250, "2.1.5", "Ok");
		talk_expect(&t, "", "250 2.1.5 Ok\r\n");
		assert_true(strlen(buf_str(&t.said)) > 20);
		talk_end(&t);
	}
}

static void too_many_RCPT_at_once_wait(void **state)
{
	struct smtp_server_setup setup = relay_smtp;
	struct buf b;
	struct talk t;
	size_t i, used;

	(void)state;
	setup.max_rcpts = 200;
	setup.starttls = false;
	talk_begin(&t, &setup);
	talk_lines(&t, EHLO MAIL);
	t.is_slow = true;
	buf_init(&b, 1u << 20);
	for (i = 0; i < 101; i++)
		buf_puts(&b, RCPT);
	used = talk_feed_view(&t, buf_view(&b));
	assert_int_equal(used, 100 * strlen(RCPT));
	assert_int_equal(smtp_server_asked(t.s), 100);
	smtp_server_answer_rcpt(t.s, 0, 250, "2.1.5", "Ok");
	(void)talk_feed_view(&t, view_sub(buf_view(&b), used, b.n));
	assert_int_equal(smtp_server_asked(t.s), 100);
	buf_free(&b);
	talk_end(&t);
}

static void going_away_waits_for_answers_to_RCPT(void **state)
{
	struct talk t;

	(void)state;
	begin_inside(&t);
	t.is_slow = true;
	talk_feed(&t, MAIL RCPT);
	smtp_server_quit(t.s, "away");
	assert_string_equal(talk_say(&t, ""), "");
	smtp_server_answer_rcpt(t.s, 0, 250, "2.1.5", "Ok");
	talk_expect(&t, "", "250 2.1.5 Ok\r\n421 4.3.2");
	assert_true(t.is_closed);
	smtp_server_answer_rcpt(t.s, 0, 250, "2.1.5", "late");
	talk_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T4_nothing_but_these_verbs_before_TLS),
		cmocka_unit_test(T4_T67_who_may_say_XCLIENT_may_before_TLS),
		cmocka_unit_test(T4_a_group_is_refused_as_well),
		cmocka_unit_test(T11_twenty_commands_before_TLS),
		cmocka_unit_test(T1_T2_T3_what_STARTTLS_is_answered),
		cmocka_unit_test(T7_A65_what_stands_behind_STARTTLS_closes),
		cmocka_unit_test(T7_nothing_is_read_before_TLS_is_there),
		cmocka_unit_test(T8_T9_inside_TLS_all_is_new),
		cmocka_unit_test(T9_STARTTLS_may_end_a_group),
		cmocka_unit_test(T6_too_weak_a_channel_refuses_all_but_QUIT),
		cmocka_unit_test(T66_A46_other_protocols_are_closed),
		cmocka_unit_test(T29_golden_EHLO_of_each_listener),
		cmocka_unit_test(T29_what_is_not_offered_is_refused),
		cmocka_unit_test(T28_T27_domains_must_be_whole),
		cmocka_unit_test(what_is_refused_is_no_part_of_the_message),
		cmocka_unit_test(
		    RCPT_in_a_group_are_asked_at_once_and_answered_in_order),
		cmocka_unit_test(a_command_waits_for_the_answers_before_it),
		cmocka_unit_test(too_many_RCPT_at_once_wait),
		cmocka_unit_test(going_away_waits_for_answers_to_RCPT),
	};

	return cmocka_run_group_tests_name("smtp_server_relay", tests, NULL,
	    NULL);
}
