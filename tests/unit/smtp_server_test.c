/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The server's side of SMTP and LMTP: bad input first, and every conversation
 * also with its octets one by one.
 */
#include "smtp/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EHLO "EHLO a.example\r\n"
#define LHLO "LHLO a.example\r\n"
#define MAIL "MAIL FROM:<alice@a.example>\r\n"
#define RCPT "RCPT TO:<bob@b.example>\r\n"

static const struct smtp_server_setup smtp = {
	.name = "mx.example", .dsn = true, .max_size = 1000, .max_rcpts = 3,
	.xforward = true
};
static const struct smtp_server_setup lmtp = {
	.name = "mx.example", .lmtp = true, .require_tls = true, .dsn = true,
	.max_size = 1000, .max_rcpts = 3, .xforward = true
};

/* A conversation; every message is answered with 250 to 2.6.0 "yes". */
struct talk {
	struct smtp_server *s;
	struct buf said; /* by the server */
	struct buf got;	 /* messages, each ended by "|" */
	struct buf who;	 /* their envelopes */
	size_t mails;
	bool is_closed;
};

static void begin(struct talk *t, const struct smtp_server_setup *setup)
{
	memset(t, 0, sizeof(*t));
	assert_int_equal(smtp_server_new(&t->s, setup, NULL), 0);
	buf_init(&t->said, 1u << 20);
	buf_init(&t->got, 1u << 20);
	buf_init(&t->who, 1u << 20);
}

static void end(struct talk *t)
{
	smtp_server_free(&t->s);
	buf_free(&t->said);
	buf_free(&t->got);
	buf_free(&t->who);
}

static void take_output(struct talk *t)
{
	buf_putv(&t->said, smtp_server_output(t->s));
	smtp_server_sent(t->s);
}

static void put_param(struct buf *b, const char *p)
{
	if (p != NULL)
		buf_printf(b, " %s", p);
}

static void take_mail(struct talk *t)
{
	const struct smtp_server_mail *m = smtp_server_mail(t->s);
	size_t owed = smtp_server_owed(t->s), i;

	buf_puts(&t->who, m->from);
	put_param(&t->who, m->ret);
	put_param(&t->who, m->envid);
	put_param(&t->who, m->utf8 ? "utf8" : NULL);
	put_param(&t->who, m->is_8bit ? "8bit" : NULL);
	put_param(&t->who, m->require_tls ? "tls" : NULL);
	for (i = 0; i < m->rcpts; i++) {
		buf_printf(&t->who, ",%s", m->rcpt[i].path);
		put_param(&t->who, m->rcpt[i].notify);
		put_param(&t->who, m->rcpt[i].orcpt);
	}
	buf_putc(&t->who, '\n');
	buf_putc(&t->got, '|');
	t->mails++;
	for (i = 0; i < owed; i++)
		smtp_server_answer(t->s, 250, "2.6.0", "yes");
	assert_int_equal(smtp_server_owed(t->s), 0);
}

static void feed_view(struct talk *t, struct view in)
{
	struct view chunk;

	while (!t->is_closed) {
		switch (smtp_server_next(t->s, &in, &chunk)) {
		case SMTP_MORE:
			assert_int_equal(in.n, 0);
			take_output(t);
			return;
		case SMTP_FLUSH:
			take_output(t);
			break;
		case SMTP_BEGIN:
			break;
		case SMTP_CHUNK:
			assert_true(chunk.n > 0);
			buf_putv(&t->got, chunk);
			break;
		case SMTP_MAIL:
			take_mail(t);
			break;
		default:
			take_output(t);
			t->is_closed = true;
			break;
		}
	}
}

static void feed(struct talk *t, const char *text)
{
	feed_view(t, view_of(text));
}

/* What one step says, on its own. */
static const char *ask(struct talk *t, const char *text)
{
	buf_clear(&t->said);
	feed(t, text);
	return buf_str(&t->said);
}

static void expect(struct talk *t, const char *text, const char *begins)
{
	const char *said = ask(t, text);

	if (strncmp(said, begins, strlen(begins)) != 0)
		fail_msg("to %s: %s, wanted %s", text, said, begins);
}

static void ready(struct talk *t, const struct smtp_server_setup *setup)
{
	begin(t, setup);
	feed(t, setup->lmtp ? LHLO : EHLO);
	buf_clear(&t->said);
}

/* ---- out of order ---- */

static void A46_bad_sequences_are_503(void **state)
{
	static const struct {
		const char *before, *line, *reply;
	} c[] = {
		{ "", MAIL, "503 5.5.1" },
		{ "", RCPT, "503 5.5.1" },
		{ "", "DATA\r\n", "503 5.5.1" },
		{ "", "XFORWARD ADDR=192.0.2.1\r\n", "503 5.5.1" },
		{ EHLO, RCPT, "503 5.5.1" },
		{ EHLO, "DATA\r\n", "503 5.5.1" },
		{ EHLO MAIL, "DATA\r\n", "554 5.5.1" },
		{ EHLO MAIL, MAIL, "503 5.5.1" },
		{ EHLO MAIL RCPT, MAIL, "503 5.5.1" },
		{ EHLO MAIL, "XFORWARD ADDR=192.0.2.1\r\n", "503 5.5.1" },
		{ EHLO MAIL RCPT "RSET\r\n", "DATA\r\n", "503 5.5.1" },
		{ EHLO MAIL RCPT EHLO, "DATA\r\n", "503 5.5.1" },
		{ EHLO, LHLO, "500 5.5.1" },
		{ EHLO, "FOO bar\r\n", "500 5.5.2" },
		{ EHLO, "\r\n", "500 5.5.2" },
		{ EHLO, "DATA now\r\n", "501 5.5.4" },
		{ EHLO, "RSET now\r\n", "501 5.5.4" },
		{ EHLO, "EHLO\r\n", "501 5.5.4" },
		{ EHLO, "VRFY bob\r\n", "252 " },
		{ EHLO, "NOOP x\r\n", "250 " },
		{ EHLO, "BDAT 10 LAST\r\n", "500 5.5.2" },
		{ EHLO, "STARTTLS\r\n", "500 5.5.2" },
	};
	struct talk t;
	size_t i;
	char line[200];
	const char *p, *nl;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		begin(&t, &smtp);
		feed(&t, "");
		for (p = c[i].before; (nl = strchr(p, '\n')) != NULL;
		    p = nl + 1) {
			memcpy(line, p, (size_t)(nl + 1 - p));
			line[nl + 1 - p] = '\0';
			feed(&t, line);
		}
		expect(&t, c[i].line, c[i].reply);
		assert_false(t.is_closed);
		assert_int_equal(t.mails, 0);
		end(&t);
	}
}

static void lmtp_wants_lhlo(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, &lmtp);
	assert_true(strncmp(buf_str(&t.said), "", 1) == 0);
	expect(&t, EHLO, "220 mx.example LMTP");
	expect(&t, "HELO a\r\n", "500 5.5.1");
	expect(&t, MAIL, "503");
	expect(&t, LHLO, "250-mx.example");
	assert_non_null(strstr(buf_str(&t.said), "\r\n250-REQUIRETLS\r\n"));
	expect(&t, MAIL, "250 2.1.0");
	expect(&t, "DATA\r\n", "503 5.5.1"); /* RFC 2033 4.2 */
	end(&t);
}

static void A46_who_speaks_before_the_greeting_is_sent_away(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, &smtp);
	smtp_server_early(t.s);
	assert_string_equal(ask(&t, EHLO MAIL),
	    "521 5.5.0 You spoke before the greeting\r\n");
	assert_true(t.is_closed);
	end(&t);
}

/* attack A46: commands behind one that has to be waited for, so that the
 *   message is taken for commands, or another protocol for this one
 * verdict: 503 5.5.0, and the connection is closed */
static void A46_only_pipelining_that_was_offered(void **state)
{
	static const char *const bad[] = {
		EHLO MAIL,
		"HELO a.example\r\n" MAIL,
		"POST / HTTP/1.1\r\nHost: x\r\n",
		"NOOP\r\n" MAIL,
		"VRFY x\r\n" MAIL,
	};
	struct talk t;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		begin(&t, &smtp);
		expect(&t, bad[i], "503 5.5.0");
		assert_true(t.is_closed);
		end(&t);
	}
	ready(&t, &smtp);
	feed(&t, MAIL RCPT "DATA\r\nSubject: x\r\n\r\n.\r\n");
	assert_true(t.is_closed);
	assert_int_equal(t.mails, 0);
	assert_non_null(strstr(buf_str(&t.said), "503 5.5.0"));
	end(&t);
	/* HELO offered none */
	begin(&t, &smtp);
	feed(&t, "HELO a.example\r\n");
	expect(&t, MAIL RCPT, "503 5.5.0");
	end(&t);
}

/* ---- lines ---- */

static void A44_odd_octets_in_commands_close(void **state)
{
	static const struct {
		const char *name, *octets;
		size_t n;
	} c[] = {
#define C(name, s) { name, s, sizeof(s) - 1 }
		C("bare LF", "NOOP\n"),
		C("bare LF in it", "NO\nOP\r\n"),
		C("bare CR", "NOOP\rRSET\r\n"),
		C("CR CR LF", "NOOP\r\r\n"),
		C("NUL", "NO\0OP\r\n"),
		C("TAB", "NOOP\tx\r\n"),
		C("ESC", "NOOP \033[2J\r\n"),
		C("DEL", "NOOP \177\r\n"),
#undef C
	};
	struct talk t;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		ready(&t, &smtp);
		feed_view(&t, view_make(c[i].octets, c[i].n));
		if (!t.is_closed || strncmp(buf_str(&t.said), "500 5.5.2", 9)
		    != 0)
			fail_msg("%s: %s", c[i].name, buf_str(&t.said));
		end(&t);
	}
}

static void T64_a_line_has_a_limit(void **state)
{
	char line[SMTP_LINE + 3];
	struct talk t;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "NOOP ", 5);
	ready(&t, &smtp);
	memcpy(line + SMTP_LINE - 2, "\r\n", 3);
	expect(&t, line, "250 ");
	assert_false(t.is_closed);
	end(&t);
	ready(&t, &smtp);
	memset(line, 'x', sizeof(line));
	memcpy(line + SMTP_LINE - 1, "\r\n", 3);
	expect(&t, line, "500 5.5.2");
	assert_true(t.is_closed);
	end(&t);
}

static void faults_and_idle_talk_have_limits(void **state)
{
	struct talk t;
	size_t i;

	(void)state;
	ready(&t, &smtp);
	for (i = 0; i < 19; i++)
		expect(&t, "FOO\r\n", "500 ");
	assert_non_null(strstr(ask(&t, "FOO\r\n"), "421 4.7.0"));
	assert_true(t.is_closed);
	end(&t);
	ready(&t, &smtp);
	for (i = 0; i < 99; i++)
		expect(&t, "NOOP\r\n", "250 ");
	expect(&t, "NOOP\r\n", "421 4.7.0");
	assert_true(t.is_closed);
	end(&t);
}

/* ---- the envelope ---- */

static void A47_addresses_that_may_not_stand_in_a_command(void **state)
{
	static const char *const bad[] = {
		"bob@b.example", "<bob@b.example", "<bob@b.example>x",
		"<bob @b.example>", "<<bob@b.example>>", "<\"bob@b.example>",
		"<a> <b>", " <bob@b.example>", "",
	};
	struct talk t;
	char line[200];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		ready(&t, &smtp);
		(void)snprintf(line, sizeof(line), "MAIL FROM:%s\r\n", bad[i]);
		expect(&t, line, "501 5.");
		feed(&t, MAIL);
		(void)snprintf(line, sizeof(line), "RCPT TO:%s\r\n", bad[i]);
		expect(&t, line, "501 5.");
		expect(&t, "DATA\r\n", "554 ");
		end(&t);
	}
	ready(&t, &smtp);
	feed(&t, MAIL);
	expect(&t, "RCPT TO:<>\r\n", "501 5.1.3");
	expect(&t, "RCPT TO:<b\303\266b@b.example>\r\n", "553 5.6.7");
	end(&t);
}

static void parameters_that_are_refused(void **state)
{
	static const struct {
		const char *mail, *reply;
	} c[] = {
		{ "FOO=1", "555 5.5.4" },
		{ "AUTH=<>", "555 5.5.4" },
		{ "BODY=BINARYMIME", "555 5.5.4" },
		{ "REQUIRETLS", "555 5.5.4" }, /* not offered */
		{ "SIZE=1001", "552 5.3.4" },
		{ "SIZE=99999999999999999999999", "552 5.3.4" },
		{ "SIZE=1x", "501 5.5.4" },
		{ "RET=NONE", "555 5.5.4" },
		{ "RET=FULL RET=HDRS", "501 5.5.4" },
		{ "ENVID=a ENVID=b", "501 5.5.4" },
		{ "ENVID=a=b", "501 5.5.4" },
		{ "ENVID=+1", "555 5.5.4" },
		{ "ENVID=+2b", "555 5.5.4" }, /* RFC 3461 4: upper case */
		{ "ENVID=", "501 5.5.4" },
		{ "BODY=7BIT  SMTPUTF8", "501 5.5.4" },
		{ "-X", "501 5.5.4" },
	};
	struct talk t;
	char line[200];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		ready(&t, &smtp);
		(void)snprintf(line, sizeof(line),
		    "MAIL FROM:<alice@a.example> %s\r\n", c[i].mail);
		expect(&t, line, c[i].reply);
		expect(&t, RCPT, "503 ");
		end(&t);
	}
	ready(&t, &smtp);
	feed(&t, MAIL);
	expect(&t, "RCPT TO:<b@b.example> NOTIFY=NEVER,DELAY\r\n", "555 ");
	expect(&t, "RCPT TO:<b@b.example> NOTIFY=DELAY,,FAILURE\r\n", "555 ");
	expect(&t, "RCPT TO:<b@b.example> ORCPT=rfc822\r\n", "555 ");
	expect(&t, "RCPT TO:<b@b.example> ORCPT=rfc822;a+0g\r\n", "555 ");
	expect(&t, "RCPT TO:<b@b.example> NOTIFY=DELAY NOTIFY=DELAY\r\n",
	    "501 ");
	expect(&t, "RCPT TO:<b@b.example> SIZE=1\r\n", "555 ");
	expect(&t, "DATA\r\n", "554 ");
	end(&t);
	/* and without extensions there are none */
	begin(&t, &smtp);
	feed(&t, "HELO a.example\r\n");
	expect(&t, "MAIL FROM:<a@a.example> SIZE=1\r\n", "501 ");
	end(&t);
}

static void S49_M22_parameters_are_kept_as_they_came(void **state)
{
	struct talk t;

	(void)state;
	ready(&t, &lmtp);
	feed(&t, "MAIL FROM:<\303\244@a.example> SMTPUTF8 BODY=8BITMIME "
	    "RET=hdrs ENVID=Q+2BQ SIZE=1000 REQUIRETLS\r\n");
	feed(&t, "rcpt to:<Bob@B.example> NOTIFY=Success,FAILURE "
	    "ORCPT=rfc822;Bob+40b\r\n");
	feed(&t, "RCPT TO:<\"a b>c\"@b.example>\r\n");
	feed(&t, "DATA\r\n");
	feed(&t, ".\r\n");
	assert_string_equal(buf_str(&t.who),
	    "<\303\244@a.example> RET=hdrs ENVID=Q+2BQ utf8 8bit tls,"
	    "<Bob@B.example> NOTIFY=Success,FAILURE ORCPT=rfc822;Bob+40b,"
	    "<\"a b>c\"@b.example>\n");
	end(&t);
}

static void parameters_of_DSN_only_where_it_is_offered(void **state)
{
	static const struct smtp_server_setup without = {
		.name = "mx.example", .max_size = 1000, .max_rcpts = 3,
		.xforward = true
	};
	struct talk t;

	(void)state;
	begin(&t, &without);
	feed(&t, EHLO);
	assert_null(strstr(buf_str(&t.said), "DSN"));
	expect(&t, "MAIL FROM:<a@a.example> RET=FULL\r\n", "555 ");
	expect(&t, "MAIL FROM:<a@a.example> ENVID=x\r\n", "555 ");
	feed(&t, MAIL);
	expect(&t, "RCPT TO:<b@b.example> NOTIFY=NEVER\r\n", "555 ");
	expect(&t, "RCPT TO:<b@b.example> ORCPT=rfc822;x\r\n", "555 ");
	end(&t);
}

static void T64_recipients_have_a_limit(void **state)
{
	struct talk t;
	size_t i;

	(void)state;
	ready(&t, &smtp);
	feed(&t, MAIL);
	for (i = 0; i < 3; i++)
		expect(&t, RCPT, "250 2.1.5");
	/* beyond the limit, and beyond that of idle talk: still 452 */
	for (i = 0; i < 300; i++)
		expect(&t, RCPT, "452 4.5.3");
	expect(&t, "DATA\r\n", "354 ");
	feed(&t, ".\r\n");
	assert_int_equal(t.mails, 1);
	end(&t);
}

static void M20_xforward_holds_for_one_message(void **state)
{
	static const char *const bad[] = {
		"XFORWARD\r\n", "XFORWARD ADDR\r\n", "XFORWARD FOO=1\r\n",
		"XFORWARD ADDR=evil.example\r\n",
		"XFORWARD ADDR=192.0.2.1  NAME=x\r\n",
		"XFORWARD HELO=a+0D+0AMAIL\r\n", "XFORWARD HELO=a+zz\r\n",
	};
	const struct smtp_forward *f;
	struct talk t;
	size_t i;

	(void)state;
	ready(&t, &smtp);
	for (i = 0; i < ARRAY_LEN(bad); i++)
		expect(&t, bad[i], "501 ");
	f = &smtp_server_mail(t.s)->forward;
	assert_string_equal(f->addr, "");
	expect(&t, "XFORWARD ADDR=IPv6:2001:db8::1 NAME=[UNAVAILABLE] "
	    "PORT=25 PROTO=ESMTP SOURCE=REMOTE\r\n"
	    "XFORWARD HELO=h+2Bx IDENT=4Fx\r\n", "250 2.0.0");
	assert_string_equal(f->addr, "IPv6:2001:db8::1");
	assert_string_equal(f->name, "");
	assert_string_equal(f->helo, "h+x");
	assert_string_equal(f->ident, "4Fx");
	feed(&t, MAIL);
	assert_string_equal(f->addr, "IPv6:2001:db8::1");
	feed(&t, "RSET\r\n");
	assert_string_equal(f->addr, "");
	end(&t);
}

/* ---- the message ---- */

static void dots_and_ends(void **state)
{
	static const struct {
		const char *in, *out;
	} c[] = {
		{ ".\r\n", "|" },
		{ "x\r\n.\r\n", "x\r\n|" },
		{ "..\r\n.\r\n", ".\r\n|" },
		{ ".x\r\n.\r\n", "x\r\n|" },
		{ "...\r\n..x\r\n.\r\n", "..\r\n.x\r\n|" },
		{ "a.\r\n.b\r\n\r\n.\r\n", "a.\r\nb\r\n\r\n|" },
		{ "x .\r\n . \r\n.\r\n", "x .\r\n . \r\n|" },
	};
	struct talk t;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		ready(&t, &smtp);
		feed(&t, MAIL RCPT "DATA\r\n");
		expect(&t, c[i].in, "250 2.6.0 yes\r\n");
		assert_string_equal(buf_str(&t.got), c[i].out);
		assert_false(t.is_closed);
		end(&t);
	}
}

/* attack A44: what other servers take for the end of a message, and a
 *   message of the attacker's behind it
 * verdict: 550 5.5.2 to all of it at the only true end, then the connection
 *   is closed: nothing of it is taken for a command or a message */
static void A44_smuggling_is_refused_and_closed(void **state)
{
	static const char smuggled[] = MAIL RCPT "DATA\r\nevil\r\n";
	static const struct {
		const char *octets;
		size_t n;
	} c[] = {
#define C(s) { s, sizeof(s) - 1 }
		C("\n.\n"), C("\n.\r\n"), C("\r.\r"), C("\r\n.\r"),
		C("\r\n.\n"), C("\r.\r\n"), C("\n.\r"), C("\r\r\n.\r\r\n"),
		C("\r\n\0.\r\n\n"), C("\r\n.\0\r\n\r"), C("\n\n.\r\n"),
		C("\n"), C("\r"), C("\r\r\n"), C("\r\n.\r\r\n"),
#undef C
	};
	struct talk t;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		ready(&t, i % 2 == 0 ? &smtp : &lmtp);
		feed(&t, MAIL RCPT RCPT "DATA\r\n");
		buf_clear(&t.said);
		feed(&t, "Subject: x\r\n\r\ntext");
		feed_view(&t, view_make(c[i].octets, c[i].n));
		assert_string_equal(buf_str(&t.said), "");
		feed(&t, smuggled);
		assert_string_equal(buf_str(&t.said), "");
		feed(&t, ".\r\n");
		if (!t.is_closed || t.mails != 0 ||
		    strncmp(buf_str(&t.said), "550 5.5.2", 9) != 0)
			fail_msg("variant %zu: %s", i, buf_str(&t.said));
		/* LMTP: one for each of two */
		assert_int_equal(strstr(buf_str(&t.said) + 1, "550 5.5.2") !=
		    NULL, i % 2 == 1);
		assert_string_equal(ask(&t, smuggled), "");
		end(&t);
	}
}

static void a_NUL_is_an_octet_like_others(void **state)
{
	struct talk t;

	(void)state;
	ready(&t, &smtp);
	feed(&t, MAIL RCPT "DATA\r\n");
	feed_view(&t, view_make("\0\r\n.\r\n", 6));
	assert_int_equal(t.mails, 1);
	assert_memory_equal(t.got.p, "\0\r\n|", 4);
	end(&t);
}

static void lmtp_has_an_answer_for_each_recipient(void **state)
{
	struct view in, chunk;
	struct talk t;

	(void)state;
	ready(&t, &lmtp);
	feed(&t, MAIL RCPT RCPT RCPT "DATA\r\n");
	buf_clear(&t.said);
	in = view_of("x\r\n.\r\nQUIT\r\n");
	assert_int_equal(smtp_server_next(t.s, &in, &chunk), SMTP_CHUNK);
	assert_int_equal(smtp_server_next(t.s, &in, &chunk), SMTP_MAIL);
	assert_int_equal(smtp_server_owed(t.s), 3);
	smtp_server_answer(t.s, 250, "2.0.0", "one");
	smtp_server_answer(t.s, 550, "5.1.1", "two\r\n250 forged\001%s");
	assert_int_equal(smtp_server_owed(t.s), 1);
	assert_int_equal(smtp_server_next(t.s, &in, &chunk), SMTP_MAIL);
	smtp_server_answer(t.s, 451, "4.0.0", "three");
	smtp_server_answer(t.s, 250, "2.0.0", "four"); /* nobody asked */
	feed_view(&t, in);
	assert_string_equal(buf_str(&t.said), "250 2.0.0 one\r\n"
	    "550 5.1.1 two??250 forged?%s\r\n451 4.0.0 three\r\n"
	    "221 2.0.0 Bye\r\n");
	assert_true(t.is_closed);
	end(&t);
}

static void a_long_answer_has_several_lines(void **state)
{
	char text[1024];
	struct talk t;
	struct view in = view_of(".\r\n"), chunk;
	size_t i;

	(void)state;
	ready(&t, &smtp);
	feed(&t, MAIL RCPT "DATA\r\n");
	for (i = 0; i < sizeof(text) - 1; i++)
		text[i] = i % 10 == 9 ? ' ' : 'x';
	text[i] = '\0';
	buf_clear(&t.said);
	assert_int_equal(smtp_server_next(t.s, &in, &chunk), SMTP_MAIL);
	smtp_server_answer(t.s, 550, "5.7.1", text);
	take_output(&t);
	assert_true(strncmp(buf_str(&t.said), "550-5.7.1 xxx", 13) == 0);
	assert_non_null(strstr(buf_str(&t.said), "\r\n550-5.7.1 xxx"));
	assert_non_null(strstr(buf_str(&t.said), "\r\n550 5.7.1 xxx"));
	end(&t);
}

static void going_away_owes_no_answers(void **state)
{
	struct view in = view_of(".\r\n"), chunk;
	struct talk t;

	(void)state;
	ready(&t, &lmtp);
	feed(&t, MAIL RCPT RCPT "DATA\r\n");
	assert_int_equal(smtp_server_next(t.s, &in, &chunk), SMTP_MAIL);
	smtp_server_answer(t.s, 250, "2.0.0", "one");
	smtp_server_quit(t.s, "away");
	smtp_server_answer(t.s, 250, "2.0.0", "two");
	assert_string_equal(ask(&t, MAIL), "250 2.0.0 one\r\n"
	    "250 2.0.0 two\r\n421 4.3.2 Going away\r\n");
	assert_true(t.is_closed);
	end(&t);
	ready(&t, &smtp);
	feed(&t, MAIL RCPT "DATA\r\n");
	feed(&t, "half");
	smtp_server_quit(t.s, "Too slow");
	assert_string_equal(ask(&t, "\r\n.\r\n"), "421 4.3.2 Too slow\r\n");
	assert_int_equal(t.mails, 0);
	end(&t);
}

static void two_messages_in_one_conversation(void **state)
{
	struct talk t;

	(void)state;
	ready(&t, &smtp);
	feed(&t, MAIL RCPT "DATA\r\n");
	/* RFC 2920 3.1: commands may follow the end of a message */
	expect(&t, "one\r\n.\r\nMAIL FROM:<> RET=HDRS\r\n" RCPT "DATA\r\n",
	    "250 2.6.0 yes\r\n250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 ");
	feed(&t, "two\r\n.\r\n");
	assert_string_equal(buf_str(&t.got), "one\r\n|two\r\n|");
	assert_string_equal(buf_str(&t.who),
	    "<alice@a.example>,<bob@b.example>\n<> RET=HDRS,<bob@b.example>\n");
	end(&t);
}

/* ---- pieces ---- */

/* A turn of the client: what he says before he waits. */
static const char *const turns[] = {
	LHLO,
	"XFORWARD ADDR=192.0.2.1\r\n" MAIL RCPT "RCPT TO:<x>y>\r\n" RCPT
	    "DATA\r\n",
	"..a\r\n\r\nb..\r\n.\r\nRSET\r\n" MAIL RCPT "DATA\r\n",
	"x\r\n.\r\n",
	"NOOP\r\n",
	"MAIL FROM:<a@a.example> RET=FULL\r\n",
	"RCPT TO:<c@c.example> NOTIFY=NEVER\r\n",
	"DATA\r\n",
	".\r\n",
	"QUIT\r\n",
};

static void run_turns(struct talk *t, size_t turn, size_t at)
{
	size_t i;

	begin(t, &lmtp);
	for (i = 0; i < ARRAY_LEN(turns); i++) {
		struct view v = view_of(turns[i]);

		if (i == turn) {
			feed_view(t, view_sub(v, 0, at));
			feed_view(t, view_sub(v, at, v.n));
		} else {
			feed_view(t, v);
		}
	}
}

static void every_split_says_and_gets_the_same(void **state)
{
	struct talk whole, t;
	size_t i, k;

	(void)state;
	run_turns(&whole, ARRAY_LEN(turns), 0);
	assert_int_equal(whole.mails, 3);
	assert_true(whole.is_closed);
	for (i = 0; i < ARRAY_LEN(turns); i++) {
		for (k = 0; k <= strlen(turns[i]); k++) {
			run_turns(&t, i, k);
			assert_string_equal(buf_str(&t.said),
			    buf_str(&whole.said));
			assert_string_equal(buf_str(&t.got),
			    buf_str(&whole.got));
			assert_string_equal(buf_str(&t.who),
			    buf_str(&whole.who));
			end(&t);
		}
	}
	/* and one by one */
	begin(&t, &lmtp);
	for (i = 0; i < ARRAY_LEN(turns); i++)
		for (k = 0; turns[i][k] != '\0'; k++)
			feed_view(&t, view_make(turns[i] + k, 1));
	assert_string_equal(buf_str(&t.said), buf_str(&whole.said));
	assert_string_equal(buf_str(&t.got), buf_str(&whole.got));
	end(&t);
	end(&whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A46_bad_sequences_are_503),
		cmocka_unit_test(lmtp_wants_lhlo),
		cmocka_unit_test(
		    A46_who_speaks_before_the_greeting_is_sent_away),
		cmocka_unit_test(A46_only_pipelining_that_was_offered),
		cmocka_unit_test(A44_odd_octets_in_commands_close),
		cmocka_unit_test(T64_a_line_has_a_limit),
		cmocka_unit_test(faults_and_idle_talk_have_limits),
		cmocka_unit_test(
		    A47_addresses_that_may_not_stand_in_a_command),
		cmocka_unit_test(parameters_that_are_refused),
		cmocka_unit_test(S49_M22_parameters_are_kept_as_they_came),
		cmocka_unit_test(parameters_of_DSN_only_where_it_is_offered),
		cmocka_unit_test(T64_recipients_have_a_limit),
		cmocka_unit_test(M20_xforward_holds_for_one_message),
		cmocka_unit_test(dots_and_ends),
		cmocka_unit_test(A44_smuggling_is_refused_and_closed),
		cmocka_unit_test(a_NUL_is_an_octet_like_others),
		cmocka_unit_test(lmtp_has_an_answer_for_each_recipient),
		cmocka_unit_test(a_long_answer_has_several_lines),
		cmocka_unit_test(going_away_owes_no_answers),
		cmocka_unit_test(two_messages_in_one_conversation),
		cmocka_unit_test(every_split_says_and_gets_the_same),
	};

	return cmocka_run_group_tests_name("smtp_server", tests, NULL, NULL);
}
