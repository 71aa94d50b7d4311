/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * AUTH and XCLIENT at the server's side: what is asked about and what is
 * refused before anybody is asked; and random conversations beside a model
 * of what may hold in them.
 */
#include "smtp/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "smtp/base64.h"
#include "smtp_talk.h"

static void begin_inside(struct talk *t)
{
	talk_begin(t, &relay_smtp);
	talk_lines(t, EHLO "STARTTLS\r\n" EHLO);
	buf_clear(&t->said);
	buf_clear(&t->seen);
}

/* ---- base64 ---- */

static void T22_base64_is_strict(void **state)
{
	static const struct {
		const char *text, *octets; /* NULL: it is none */
	} c[] = {
		{ "", "" }, { "QQ==", "A" }, { "QUI=", "AB" },
		{ "QUJD", "ABC" }, { "QUJDRA==", "ABCD" },
		{ "+/+/", "\373\377\277" },
		{ "=AAA", NULL }, { "AAA=BBB", NULL }, { "AAA=BBBB", NULL },
		{ "A", NULL }, { "AA", NULL }, { "AAA", NULL },
		{ "A===", NULL }, { "====", NULL }, { "QQ==QQ==", NULL },
		{ "QQ=A", NULL }, { "QR==", NULL }, { "QUJ=", NULL },
		{ "QU I=", NULL }, { "QUI=\n", NULL }, { "QU-_", NULL },
		{ " QUI", NULL }, { "QUI ", NULL }, { "Q\303\204I=", NULL },
	};
	struct buf b;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		buf_init(&b, 100);
		rc = base64_decode(&b, view_of(c[i].text));
		if ((rc == 0) != (c[i].octets != NULL))
			fail_msg("%s: %d", c[i].text, rc);
		if (rc == 0) {
			assert_string_equal(buf_str(&b), c[i].octets);
			buf_clear(&b);
			base64_encode(&b, view_of(c[i].octets));
			assert_string_equal(buf_str(&b), c[i].text);
		}
		buf_free(&b);
	}
}

/* ---- AUTH ---- */

/* attack A72: credentials are asked for in the clear, or guessed there
 * verdict: the same refusal for all of them, and nobody looks at them */
static void T19_T20_AUTH_before_TLS_is_the_same_whatever_it_says(
    void **state)
{
	static const char *const line[] = {
		"AUTH PLAIN\r\n", "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n",
		"AUTH PLAIN AGFsaWNlAHdyb25n\r\n", "AUTH PLAIN =AAA\r\n",
		"AUTH LOGIN\r\n", "AUTH FOO\r\n", "AUTH\r\n",
	};
	struct smtp_server_setup must = relay_smtp;
	struct talk t;
	size_t i, k;

	(void)state;
	must.starttls_must = true;
	for (i = 0; i < ARRAY_LEN(line); i++) {
		for (k = 0; k < 2; k++) {
			talk_begin(&t, k == 0 ? &relay_smtp : &must);
			talk_feed(&t, EHLO);
			assert_null(strstr(buf_str(&t.said), "AUTH"));
			buf_clear(&t.said);
			talk_feed(&t, line[i]);
			assert_string_equal(buf_str(&t.said), "530 5.7.0 "
			    "Must issue a STARTTLS command first\r\n");
			assert_string_equal(buf_str(&t.seen), "");
			talk_end(&t);
		}
	}
}

static void T21_T22_table_of_AUTH(void **state)
{
	static const struct {
		const char *lines, *reply, *seen;
	} c[] = {
		{ "AUTH\r\n", "501 5.5.4", "" },
		{ "AUTH FOO\r\n", "504 5.5.4", "" },
		{ "AUTH PLAI\r\n", "504 5.5.4", "" },
		{ "AUTH PLAINX\r\n", "504 5.5.4", "" },
		{ "AUTH SCRAM-SHA-256 AAAA\r\n", "504 5.5.4", "" },
		{ "AUTH PLAIN =AAA\r\n", "501 5.5.2", "" },
		{ "AUTH PLAIN AAA=BBB\r\n", "501 5.5.2", "" },
		{ "AUTH PLAIN AAAA AAAA\r\n", "501 5.5.2", "" },
		{ "AUTH PLAIN  AAAA\r\n", "501 5.5.2", "" },
		{ "AUTH PLAIN A*AA\r\n", "501 5.5.2", "" },
		{ "AUTH PLAIN *\r\n", "501 5.5.2", "" },
		{ "auth plain QUJD\r\n", "235 2.7.0",
		    "auth PLAIN first [ABC];" },
		{ "AUTH PLAIN =\r\n", "235 2.7.0", "auth PLAIN first [];" },
		{ "AUTH PLAIN\r\n", "235 2.7.0", "auth PLAIN first [none];" },
		{ "AUTH PLAIN \r\n", "235 2.7.0", "auth PLAIN first [none];" },
		{ MAIL "AUTH PLAIN QUJD\r\n", "530 ", NULL },
	};
	struct talk t;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		begin_inside(&t);
		talk_lines(&t, c[i].lines);
		if (strncmp(buf_str(&t.said), c[i].reply, strlen(c[i].reply))
		    != 0)
			fail_msg("%s: %s", c[i].lines, buf_str(&t.said));
		if (c[i].seen != NULL)
			assert_string_equal(buf_str(&t.seen), c[i].seen);
		talk_end(&t);
	}
}

static void T21_an_exchange_of_several_steps(void **state)
{
	struct talk t;

	(void)state;
	begin_inside(&t);
	t.challenge = "Username:";
	talk_expect(&t, "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n");
	talk_expect(&t, "*\r\n", "501 5.7.0");
	t.challenge = "";
	talk_expect(&t, "AUTH LOGIN\r\n", "334 \r\n");
	talk_expect(&t, "NOOP\r\n", "235 "); /* base64 of something */
	assert_true(smtp_server_is_authenticated(t.s));
	talk_expect(&t, "AUTH PLAIN QUJD\r\n", "503 5.5.1");
	talk_end(&t);
	begin_inside(&t);
	t.challenge = "x";
	talk_feed(&t, "AUTH LOGIN\r\n");
	talk_expect(&t, "=AAA\r\n", "501 5.5.2");
	talk_expect(&t, "NOOP\r\n", "250 ");
	t.challenge = "x";
	buf_clear(&t.seen);
	talk_feed(&t, "AUTH LOGIN QUJD\r\n");
	talk_feed(&t, "\r\n");
	assert_string_equal(buf_str(&t.seen),
	    "auth LOGIN first [ABC];auth LOGIN [];");
	talk_end(&t);
}

static void T21_AUTH_out_of_order(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, &relay_smtp);
	t.inside.auth_must = false;
	talk_lines(&t, EHLO "STARTTLS\r\n");
	talk_expect(&t, "AUTH PLAIN QUJD\r\n", "503 5.5.1");
	talk_feed(&t, "HELO a.example\r\n");
	talk_expect(&t, "AUTH PLAIN QUJD\r\n", "503 5.5.1");
	talk_feed(&t, EHLO);
	talk_feed(&t, MAIL);
	talk_expect(&t, "AUTH PLAIN QUJD\r\n", "503 5.5.1");
	talk_feed(&t, "RSET\r\n");
	/* nobody may stand behind it */
	talk_expect(&t, "AUTH PLAIN QUJD\r\nNOOP\r\n", "503 5.5.0");
	assert_true(t.is_closed);
	assert_string_equal(buf_str(&t.seen), "mail <alice@a.example>;");
	talk_end(&t);
	/* where there is none at all */
	talk_begin(&t, &relay_smtp);
	t.inside.mechanisms = "";
	talk_lines(&t, EHLO "STARTTLS\r\n" EHLO);
	talk_expect(&t, "AUTH PLAIN QUJD\r\n", "503 5.5.1");
	talk_end(&t);
}

static void T23_the_third_failure_is_the_last(void **state)
{
	struct talk t;

	(void)state;
	begin_inside(&t);
	t.auth_code = 535;
	talk_expect(&t, "AUTH PLAIN QUJD\r\n", "535 5.7.8");
	assert_false(smtp_server_is_authenticated(t.s));
	talk_expect(&t, MAIL, "530 5.7.0 Authentication required\r\n");
	talk_expect(&t, "AUTH PLAIN QUJD\r\n", "535 5.7.8");
	assert_false(t.is_closed);
	talk_expect(&t, "AUTH PLAIN QUJD\r\n", "535 5.7.8 no\r\n421 4.7.0");
	assert_true(t.is_closed);
	talk_end(&t);
	begin_inside(&t);
	t.auth_code = 454;
	talk_expect(&t, "AUTH PLAIN QUJD\r\n", "454 ");
	assert_false(smtp_server_is_authenticated(t.s));
	talk_end(&t);
}

static void T11_T21_AUTH_lines_have_their_own_limit(void **state)
{
	char line[12288 + 3];
	struct talk t;

	(void)state;
	memset(line, 'A', sizeof(line));
	memcpy(line, "AUTH PLAIN ", 11);
	memcpy(line + 11 + 12264, "\r\n", 3); /* a multiple of four */
	begin_inside(&t);
	talk_expect(&t, line, "235 ");
	talk_end(&t);
	memset(line, 'A', sizeof(line));
	memcpy(line, "AUTH PLAIN ", 11);
	memcpy(line + 12288, "\r\n", 3);
	begin_inside(&t);
	talk_expect(&t, line, "500 5.5.6");
	assert_true(t.is_closed);
	assert_string_equal(buf_str(&t.seen), "");
	talk_end(&t);
	begin_inside(&t);
	t.challenge = "x";
	talk_feed(&t, "AUTH PLAIN\r\n");
	memset(line, 'A', 11);
	talk_expect(&t, line, "500 5.5.6");
	assert_true(t.is_closed);
	talk_end(&t);
	begin_inside(&t); /* others have not */
	memcpy(line, "NOOP AAAAAA", 11);
	talk_expect(&t, line, "500 5.5.2");
	talk_end(&t);
}

static void T25_MAIL_needs_AUTH_where_it_is_demanded(void **state)
{
	struct talk t;

	(void)state;
	begin_inside(&t);
	talk_expect(&t, MAIL, "530 5.7.0 Authentication required\r\n");
	talk_expect(&t, RCPT, "503 ");
	talk_feed(&t, "AUTH PLAIN QUJD\r\n");
	talk_expect(&t, MAIL, "250 ");
	talk_feed(&t, "RSET\r\n");
	talk_feed(&t, EHLO); /* says nothing about who it is */
	talk_expect(&t, MAIL, "250 ");
	talk_end(&t);
}

static void T24_AUTH_of_MAIL_is_xtext(void **state)
{
	static const struct {
		const char *param, *reply;
	} c[] = {
		{ "AUTH=<>", "250 " }, { "AUTH=alice@a.example", "250 " },
		{ "AUTH=a+2Bb@a.example", "250 " }, { "AUTH=", "501 " },
		{ "AUTH=a+2", "555 " }, { "AUTH=a+zz", "555 " },
		{ "AUTH=a=b", "501 " }, { "AUTH=<> AUTH=<>", "501 " },
		{ "AUTH", "555 " },
	};
	struct talk t;
	char line[200];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		begin_inside(&t);
		talk_feed(&t, "AUTH PLAIN QUJD\r\n");
		(void)snprintf(line, sizeof(line),
		    "MAIL FROM:<a@a.example> %s\r\n", c[i].param);
		talk_expect(&t, line, c[i].reply);
		if (c[i].reply[0] == '2')
			assert_string_equal(smtp_server_mail(t.s)->auth,
			    c[i].param);
		talk_end(&t);
	}
}

/* ---- XCLIENT ---- */

/* attack A73: a client says that it stands in for another
 * verdict: 550 5.7.0, unless it was told to be one that may */
static void T67_A73_XCLIENT(void **state)
{
	static const char *const bad[] = {
		"XCLIENT\r\n", "XCLIENT ADDR\r\n", "XCLIENT FOO=1\r\n",
		"XCLIENT ADDR=evil.example\r\n", "XCLIENT PORT=x\r\n",
		"XCLIENT LOGIN=a+0D+0AMAIL\r\n", "XCLIENT NAME=a  ADDR=1\r\n",
		"XCLIENT PORT=123456789\r\n",
	};
	struct smtp_server_setup s = relay_smtp;
	const struct smtp_xclient *x;
	struct talk t;
	size_t i;

	(void)state;
	begin_inside(&t);
	talk_expect(&t, "XCLIENT ADDR=192.0.2.1\r\n", "550 5.7.0");
	assert_string_equal(smtp_server_xclient(t.s)->addr, "");
	talk_end(&t);
	s.xclient = true;
	s.starttls = false;
	talk_begin(&t, &s);
	talk_feed(&t, EHLO);
	for (i = 0; i < ARRAY_LEN(bad); i++)
		talk_expect(&t, bad[i], "501 5.5.4");
	talk_feed(&t, MAIL);
	talk_expect(&t, "XCLIENT ADDR=192.0.2.1\r\n", "503 5.5.1");
	talk_feed(&t, "RSET\r\n");
	talk_expect(&t, "XCLIENT ADDR=IPv6:2001:db8::1 PORT=4711 "
	    "NAME=[UNAVAILABLE] LOGIN=alice+40a.example PROTO=ESMTP\r\n",
	    "220 mx.example");
	talk_expect(&t, MAIL, "503 5.5.1"); /* as after the greeting */
	talk_feed(&t, EHLO);
	talk_expect(&t, "XCLIENT HELO=h.example DESTADDR=192.0.2.9 "
	    "DESTPORT=25\r\n", "220 ");
	x = smtp_server_xclient(t.s);
	assert_string_equal(x->addr, "IPv6:2001:db8::1");
	assert_string_equal(x->login, "alice@a.example");
	assert_string_equal(x->name, "");
	assert_string_equal(x->helo, "h.example");
	assert_string_equal(x->dest_port, "25");
	assert_non_null(strstr(buf_str(&t.seen), "xclient IPv6:2001:db8::1;"));
	talk_end(&t);
}

static void T67_XCLIENT_ends_what_AUTH_began(void **state)
{
	struct smtp_server_setup s = relay_smtp;
	struct talk t;

	(void)state;
	s.xclient = true;
	talk_begin(&t, &s);
	talk_lines(&t, EHLO "STARTTLS\r\n" EHLO "AUTH PLAIN QUJD\r\n");
	assert_true(smtp_server_is_authenticated(t.s));
	talk_lines(&t, "XCLIENT ADDR=192.0.2.1\r\n" EHLO);
	assert_false(smtp_server_is_authenticated(t.s));
	talk_expect(&t, MAIL, "530 ");
	talk_expect(&t, "STARTTLS\r\n", "554 "); /* still TLS */
	smtp_server_demand_auth(t.s, false);
	talk_expect(&t, MAIL, "250 ");
	talk_end(&t);
}

/* ---- a model ---- */

/* What may hold after each command; nothing else is kept anywhere. */
struct model {
	bool tls, hello, esmtp, mail;
	size_t rcpts;
};

enum { M_EHLO, M_HELO, M_MAIL, M_BADMAIL, M_RCPT, M_BADRCPT, M_DATA, M_RSET,
	M_NOOP, M_STARTTLS, M_JUNK, M_LARGE, M_COMMANDS };

static const char *const model_line[M_COMMANDS] = {
	EHLO, "HELO a.example\r\n", MAIL, "MAIL FROM:<bad@a.example>\r\n",
	RCPT, "RCPT TO:<bad@b.example>\r\n", "DATA\r\n", "RSET\r\n",
	"NOOP\r\n", "STARTTLS\r\n", "RCPT FROM:<x@y>\r\n",
	"MAIL FROM:<alice@a.example> SIZE=1001\r\n"
};

/* The code that must come; m is as it is afterwards. */
static int model_step(struct model *m, int what)
{
	bool was = m->mail;

	switch (what) {
	case M_EHLO:
	case M_HELO:
		*m = (struct model){ m->tls, true, what == M_EHLO, false, 0 };
		return 250;
	case M_MAIL:
	case M_BADMAIL:
	case M_LARGE:
		if (!m->hello || was)
			return 503;
		m->mail = what == M_MAIL;
		if (what == M_LARGE)
			return m->esmtp ? 552 : 501;
		return m->mail ? 250 : 550;
	case M_RCPT:
	case M_BADRCPT:
	case M_JUNK:
		if (!was)
			return 503;
		if (what == M_RCPT && m->rcpts == 5)
			return 452;
		m->rcpts += what == M_RCPT;
		return what == M_RCPT ? 250 : what == M_JUNK ? 501 : 550;
	case M_DATA:
		return !was ? 503 : m->rcpts == 0 ? 554 : 354;
	case M_STARTTLS:
		if (m->tls)
			return 554;
		*m = (struct model){ .tls = true };
		return 220;
	case M_RSET:
		m->mail = false;
		m->rcpts = 0;
		return 250;
	default:
		return 250;
	}
}

static uint64_t random_next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x >> 11;
}

static void model_check(const struct talk *t, const struct model *m)
{
	const struct smtp_server_mail *mail = smtp_server_mail(t->s);

	assert_int_equal(mail->from != NULL, m->mail);
	assert_int_equal(mail->rcpts, m->rcpts);
	assert_int_equal(t->tls, m->tls);
	if (!m->mail)
		assert_null(mail->rcpt);
}

static void model_talk(uint64_t *seed)
{
	struct model m = { .tls = false };
	unsigned faults = 0, i;
	char want[8];
	struct talk t;
	int what, code;

	talk_begin(&t, &relay_smtp);
	t.inside.auth_must = false;
	talk_feed(&t, "");
	for (i = 0; i < 60 && faults < 18; i++) {
		what = (int)(random_next(seed) % M_COMMANDS);
		code = model_step(&m, what);
		faults += code >= 500;
		(void)snprintf(want, sizeof(want), "%d", code);
		talk_expect(&t, model_line[what], want);
		if (what == M_STARTTLS && code == 220)
			faults = 0;
		if (code == 354) {
			assert_int_equal(smtp_server_mail(t.s)->rcpts,
			    m.rcpts);
			talk_expect(&t, "x\r\n.\r\n", "250 2.6.0");
			m.mail = false;
			m.rcpts = 0;
		}
		model_check(&t, &m);
	}
	talk_end(&t);
}

/* Pitfall 17: state that outlives a refusal, a RSET, an EHLO or a message is
 * what lets the next one past the checks. */
static void T8_random_conversations_keep_no_old_state(void **state)
{
	uint64_t seed = 4711;
	size_t i;

	(void)state;
	for (i = 0; i < 2000; i++)
		model_talk(&seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T22_base64_is_strict),
		cmocka_unit_test(
		    T19_T20_AUTH_before_TLS_is_the_same_whatever_it_says),
		cmocka_unit_test(T21_T22_table_of_AUTH),
		cmocka_unit_test(T21_an_exchange_of_several_steps),
		cmocka_unit_test(T21_AUTH_out_of_order),
		cmocka_unit_test(T23_the_third_failure_is_the_last),
		cmocka_unit_test(T11_T21_AUTH_lines_have_their_own_limit),
		cmocka_unit_test(T25_MAIL_needs_AUTH_where_it_is_demanded),
		cmocka_unit_test(T24_AUTH_of_MAIL_is_xtext),
		cmocka_unit_test(T67_A73_XCLIENT),
		cmocka_unit_test(T67_XCLIENT_ends_what_AUTH_began),
		cmocka_unit_test(T8_random_conversations_keep_no_old_state),
	};

	return cmocka_run_group_tests_name("smtp_server_auth", tests, NULL,
	    NULL);
}
