/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One message over SMTP and LMTP against written conversations, each
 * played with the server's octets cut at every place.
 */
#include "smtp/single.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/sender.h"
#include "smtp/stuff.h"

#define MAX 8

/* What the server says, reply by reply, and what the client said in all. */
struct play {
	const char *const *says;
	size_t n;
	struct buf said;
	int rc; /* of the last input */
	struct err e;
};

static struct smtp_rcpt rcpt[MAX];

static struct smtp_mail mail_to(size_t n)
{
	static const char *const path[MAX] = {"<a@x.example>",
	    "<B.C@x.example>", "<c@y.example>", "<d@y.example>",
	    "<e@y.example>", "<f@y.example>", "<g@y.example>",
	    "<h@y.example>"};
	struct smtp_mail m = {.from = "<s@z.example>", .rcpt = rcpt,
	    .rcpts = n};

	memset(rcpt, 0, sizeof(rcpt));
	for (size_t i = 0; i < n; i++)
		rcpt[i].path = path[i];
	return m;
}

static int feed(struct smtp_single *c, const char *s, size_t cut,
    struct err *e)
{
	struct view v = view_of(s);

	if (cut >= v.n)
		return smtp_single_input(c, v, e);
	if (smtp_single_input(c, view_sub(v, 0, cut), e) != 0)
		return -1;
	return smtp_single_input(c, view_sub(v, cut, v.n), e);
}

/* Every reply cut at this octet. */
static void run_play(struct play *p, struct smtp_mail *m, bool lmtp,
    size_t cut)
{
	struct smtp_single *c = NULL;
	size_t next = 0;

	buf_init(&p->said, 1u << 20);
	memset(&p->e, 0, sizeof(p->e));
	p->rc = smtp_single_new(&c, m, "me.example", lmtp, &p->e);
	if (p->rc != 0)
		return;
	while (p->rc == 0 && smtp_single_step(c) != SMTP_END) {
		switch (smtp_single_step(c)) {
		case SMTP_READ:
			if (next == p->n)
				goto out; /* it hangs up */
			p->rc = feed(c, p->says[next++], cut, &p->e);
			break;
		case SMTP_WRITE:
			buf_putv(&p->said, smtp_single_output(c));
			smtp_single_sent(c);
			break;
		case SMTP_DATA:
			buf_puts(&p->said, "(data)");
			smtp_single_data_sent(c);
			break;
		case SMTP_END:
			break;
		}
	}
out:
	smtp_single_free(&c);
}

static void play(struct play *p, struct smtp_mail *m, bool lmtp)
{
	size_t longest = 0;

	for (size_t i = 0; i < p->n; i++)
		if (strlen(p->says[i]) > longest)
			longest = strlen(p->says[i]);
	for (size_t cut = 1; cut < longest; cut++) {
		run_play(p, m, lmtp, cut);
		buf_free(&p->said);
	}
	run_play(p, m, lmtp, (size_t)-1);
}

#define PLAY(...)                                                         \
	static const char *const says[] = {__VA_ARGS__};                  \
	struct play p = {.says = says, .n = ARRAY_LEN(says)}

#define HELLO "220 hi\r\n"
#define ALL                                                               \
	"250-next\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"    \
	"250-REQUIRETLS\r\n250 DSN\r\n"

static void M22_S49_all_is_passed_on_in_one_go(void **state)
{
	struct smtp_mail m = mail_to(2);
	PLAY(HELLO, ALL, "250 2.1.0 ok\r\n250 ok\r\n250 ok\r\n",
	    "354 go\r\n", "250 2.0.0 queued as 7\r\n");

	(void)state;
	m.ret = "RET=HDRS";
	m.envid = "ENVID=QQ+2B1";
	m.utf8 = m.require_tls = m.is_8bit = true;
	rcpt[0].notify = "NOTIFY=SUCCESS,FAILURE";
	rcpt[0].orcpt = "ORCPT=rfc822;A.b@X.example";
	play(&p, &m, false);
	assert_string_equal(buf_str(&p.said),
	    "EHLO me.example\r\n"
	    "MAIL FROM:<s@z.example> BODY=8BITMIME SMTPUTF8 REQUIRETLS "
	    "RET=HDRS ENVID=QQ+2B1\r\n"
	    "RCPT TO:<a@x.example> NOTIFY=SUCCESS,FAILURE "
	    "ORCPT=rfc822;A.b@X.example\r\n"
	    "RCPT TO:<B.C@x.example>\r\n"
	    "DATA\r\n(data).\r\n");
	assert_int_equal(m.reply.code, 250);
	assert_string_equal(m.reply.enhanced, "2.0.0");
	assert_string_equal(m.reply.text, "queued as 7");
	assert_true(rcpt[0].accepted && rcpt[1].accepted);
	assert_false(m.is_unknown);
	assert_false(m.lacks_dsn);
	buf_free(&p.said);
}

static void without_pipelining_one_by_one(void **state)
{
	struct smtp_mail m = mail_to(2);
	PLAY(HELLO, "250 next\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n",
	    "354 go\r\n", "250 ok\r\n");

	(void)state;
	rcpt[0].notify = "NOTIFY=NEVER";
	play(&p, &m, false);
	assert_string_equal(buf_str(&p.said), "EHLO me.example\r\n"
	    "MAIL FROM:<s@z.example>\r\nRCPT TO:<a@x.example>\r\n"
	    "RCPT TO:<B.C@x.example>\r\nDATA\r\n(data).\r\n");
	assert_true(m.lacks_dsn);
	assert_true(rcpt[0].accepted && rcpt[1].accepted);
	buf_free(&p.said);
}

static void one_refused_recipient_and_nothing_is_sent(void **state)
{
	struct smtp_mail m = mail_to(3);
	PLAY(HELLO, ALL, "250 ok\r\n250 ok\r\n550-5.1.1 no\r\n"
	    "550 5.1.1 such\x01 user\r\n250 ok\r\n");

	(void)state;
	play(&p, &m, false);
	assert_null(strstr(buf_str(&p.said), "DATA"));
	assert_int_equal(m.reply.code, 550);
	assert_string_equal(m.reply.enhanced, "5.1.1");
	assert_int_equal(rcpt[1].reply.code, 550);
	assert_non_null(strstr(rcpt[1].reply.text, "such? user"));
	assert_false(rcpt[0].accepted || rcpt[2].accepted || m.is_unknown);
	buf_free(&p.said);
}

static void LMTP_has_a_reply_for_each_that_was_taken(void **state)
{
	struct smtp_mail m = mail_to(4);
	PLAY(HELLO, ALL, "250 ok\r\n250 a\r\n550 b\r\n250 c\r\n250 d\r\n",
	    "354 go\r\n", "250 2.0.0 a\r\n452 4.2.2 c is full\r\n",
	    "250 2.0.0 d\r\n");

	(void)state;
	play(&p, &m, true);
	assert_true(strncmp(buf_str(&p.said), "LHLO me.example\r\n", 17) ==
	    0);
	assert_true(rcpt[0].accepted && rcpt[3].accepted);
	assert_false(rcpt[1].accepted || rcpt[2].accepted);
	assert_int_equal(rcpt[1].reply.code, 550);
	assert_int_equal(rcpt[2].reply.code, 452);
	assert_string_equal(rcpt[2].reply.enhanced, "4.2.2");
	assert_false(m.is_unknown);
	buf_free(&p.said);
}

static void LMTP_that_takes_nobody_gets_no_data(void **state)
{
	struct smtp_mail m = mail_to(2);
	PLAY(HELLO, ALL, "250 ok\r\n550 a\r\n450 b\r\n");

	(void)state;
	play(&p, &m, true);
	assert_null(strstr(buf_str(&p.said), "DATA"));
	assert_int_equal(rcpt[1].reply.code, 450);
	assert_int_equal(m.reply.code, 550);
	buf_free(&p.said);
}

static void M24_silence_after_the_end_is_not_known(void **state)
{
	struct smtp_mail m = mail_to(1);
	PLAY(HELLO, ALL, "250 ok\r\n250 ok\r\n", "354 go\r\n");

	(void)state;
	play(&p, &m, false);
	assert_true(m.is_unknown);
	assert_false(rcpt[0].accepted);
	assert_int_equal(m.reply.code, 0);
	buf_free(&p.said);
}

static void M24_LMTP_silence_for_some_is_not_known(void **state)
{
	struct smtp_mail m = mail_to(2);
	PLAY(HELLO, ALL, "250 ok\r\n250 ok\r\n250 ok\r\n", "354 go\r\n",
	    "250 first\r\n");

	(void)state;
	play(&p, &m, true);
	assert_true(m.is_unknown);
	assert_true(rcpt[0].accepted);
	assert_false(rcpt[1].accepted);
	buf_free(&p.said);
}

static void refusals_end_it(void **state)
{
	static const struct {
		const char *name;
		const char *says[6];
		size_t n;
		int code;
	} row[] = {
		{"greeting", {"554 5.3.2 no\r\n"}, 1, 554},
		{"too busy", {"421 4.3.2 later\r\n"}, 1, 421},
		{"EHLO", {HELLO, "502 no\r\n"}, 2, 502},
		{"MAIL", {HELLO, ALL, "451 later\r\n503 no\r\n503 no\r\n"}, 3,
		    451},
		{"DATA", {HELLO, ALL, "250 a\r\n250 b\r\n250 c\r\n",
		    "451 later\r\n"}, 4, 451},
		{"DATA taken for good", {HELLO, ALL,
		    "250 a\r\n250 b\r\n250 c\r\n", "250 ok\r\n"}, 4, 250},
		{"end", {HELLO, ALL, "250 a\r\n250 b\r\n250 c\r\n",
		    "354 go\r\n", "552 5.3.4 too large\r\n"}, 5, 552},
		{"an answer before the data", {HELLO, ALL,
		    "250 a\r\n250 b\r\n250 c\r\n", "354 go\r\n250 ok\r\n"}, 4,
		    250},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct play p = {.says = row[i].says, .n = row[i].n};
		struct smtp_mail m = mail_to(2);

		play(&p, &m, false);
		if (m.reply.code != row[i].code || rcpt[0].accepted ||
		    rcpt[1].accepted || m.is_unknown)
			fail_msg("%s: code %d", row[i].name, m.reply.code);
		buf_free(&p.said);
	}
}

static void M28_M29_what_is_not_offered_is_said_before_anything(void **state)
{
	static const struct {
		bool utf8, tls, eight;
		const char *word;
	} row[] = {{true, false, false, "SMTPUTF8"},
	    {false, true, false, "REQUIRETLS"}, {false, false, true,
	    "8BITMIME"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct smtp_mail m = mail_to(1);
		PLAY(HELLO, "250-next\r\n250 DSN\r\n");

		m.utf8 = row[i].utf8;
		m.require_tls = row[i].tls;
		m.is_8bit = row[i].eight;
		play(&p, &m, false);
		assert_int_equal(p.rc, -1);
		assert_int_equal(p.e.kind, FAIL_INPUT);
		assert_non_null(strstr(p.e.msg, row[i].word));
		assert_null(strstr(buf_str(&p.said), "MAIL"));
		buf_free(&p.said);
	}
}

static void nonsense_is_no_answer(void **state)
{
	static const char *const nonsense[] = {"hello\r\n", "99 x\r\n",
	    "650 x\r\n", "250x\r\n", "150 x\r\n", "\r\n",
	    "250-a\r\n251 b\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(nonsense); i++) {
		const char *const says[] = {HELLO, nonsense[i]};
		struct play p = {.says = says, .n = 2};
		struct smtp_mail m = mail_to(1);

		play(&p, &m, false);
		if (p.rc != -1 || p.e.kind != FAIL_TEMP)
			fail_msg("taken: %s", nonsense[i]);
		buf_free(&p.said);
	}
}

/* The last line of a reply is the limit-th: it counts, the next one not. */
static void replies_have_a_limit(void **state)
{
	struct buf lines;

	(void)state;
	buf_init(&lines, 65536);
	for (int n = SENDER_LINES; n <= SENDER_LINES + 1; n++) {
		const char *says[2] = {HELLO, NULL};
		struct play p = {.says = says, .n = 2};
		struct smtp_mail m = mail_to(1);

		buf_clear(&lines);
		for (int i = 1; i < n; i++)
			buf_puts(&lines, "250-x\r\n");
		buf_puts(&lines, "250 x\r\n");
		says[1] = buf_str(&lines);
		run_play(&p, &m, false, (size_t)-1);
		assert_int_equal(p.rc, n == SENDER_LINES ? 0 : -1);
		buf_free(&p.said);
	}
	buf_clear(&lines);
	buf_puts(&lines, "250 ");
	while (lines.n < SMTP_LINE + 1)
		buf_putc(&lines, 'x');
	{
		const char *says[2] = {HELLO, buf_str(&lines)};
		struct play p = {.says = says, .n = 2};
		struct smtp_mail m = mail_to(1);

		run_play(&p, &m, false, (size_t)-1);
		assert_int_equal(p.rc, -1);
		buf_free(&p.said);
	}
	buf_free(&lines);
}

/* attack A47: a recipient that has commands in it is to be sent on
 * verdict: refused before a connection is opened; nothing is sent */
static void A47_addresses_cannot_be_commands(void **state)
{
	static const struct {
		const char *path;
		bool ok;
	} row[] = {
		{"<a@b.example>", true},
		{"<>", true},
		{"<\"a b\"@b.example>", true},
		{"<\"a>b\"@b.example>", true},
		{"<\"a\\\"b\"@b.example>", true},
		{"<-rf@b.example>", true},
		{"<a|b@b.example>", true},
		{"<\xc3\xa9@b.example>", true},
		{"a@b.example", false},
		{"<a@b.example", false},
		{"<a@b.example>>", false},
		{"<a@b.example> NOTIFY=NEVER", false},
		{"<a b@b.example>", false},
		{"<a@b.example>\r\nDATA", false},
		{"<\"a\r\nDATA\"@x.example>", false},
		{"<\"a\\\r\nDATA\"@x.example>", false},
		{"<\"a\nb\"@x.example>", false},
		{"<a\tb@x.example>", false},
		{"<\"a@x.example>", false},
		{"<\"a\\\">", false},
		{"<a\x7f@x.example>", false},
		{"", false},
		{"<", false},
	};
	char path[1010];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct smtp_mail m = mail_to(2);
		struct smtp_single *c = NULL;
		struct err e = {0};

		rcpt[1].path = row[i].path;
		if (smtp_path_ok(row[i].path) != row[i].ok ||
		    (smtp_single_new(&c, &m, "me", false, &e) == 0) !=
		    row[i].ok)
			fail_msg("row %zu: %s", i, row[i].path);
		assert_true(row[i].ok || e.kind == FAIL_INPUT);
		smtp_single_free(&c);
	}
	memset(path, 'a', sizeof(path));
	path[0] = '<';
	path[999] = '>';
	path[1000] = '\0';
	assert_true(smtp_path_ok(path));
	path[999] = 'a';
	path[1000] = '>';
	path[1001] = '\0';
	assert_false(smtp_path_ok(path));
}

/* attack A47: an envelope parameter that has commands in it
 * verdict: refused before a connection is opened */
static void A47_parameters_cannot_be_commands(void **state)
{
	static const struct {
		const char *param;
		bool ok;
	} row[] = {
		{"SMTPUTF8", true},
		{"NOTIFY=SUCCESS,DELAY", true},
		{"ORCPT=rfc822;a+2Bb@x.example", true},
		{"X-Y=1", true},
		{"ENVID=", false},
		{"", false},
		{"=x", false},
		{"-X=1", false},
		{"ENVID=a b", false},
		{"ENVID=a=b", false},
		{"ENVID=a\r\nDATA", false},
		{"RET HDRS", false},
		{"A_B=1", false},
	};
	struct smtp_mail m = mail_to(1);
	struct smtp_single *c = NULL;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		if (smtp_param_ok(row[i].param) != row[i].ok)
			fail_msg("%s", row[i].param);
	m.envid = "ENVID=a\r\nDATA";
	assert_int_equal(smtp_single_new(&c, &m, "me", false, &e), -1);
	assert_int_equal(e.kind, FAIL_INPUT);
	m.envid = NULL;
	rcpt[0].orcpt = "ORCPT=x y";
	assert_int_equal(smtp_single_new(&c, &m, "me", false, &e), -1);
	m.rcpts = 0;
	assert_int_equal(smtp_single_new(&c, &m, "me", false, &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
}

/* In pieces cut at every place: the same octets. */
static void stuffed(const char *in, const char *wanted)
{
	size_t n = strlen(in);

	for (size_t cut = 0; cut <= n; cut++) {
		struct smtp_stuff s;
		struct buf out;

		buf_init(&out, 65536);
		smtp_stuff_init(&s);
		assert_int_equal(smtp_stuff_put(&s, view_make(in, cut), &out,
		    NULL), 0);
		assert_int_equal(smtp_stuff_put(&s, view_make(in + cut,
		    n - cut), &out, NULL), 0);
		smtp_stuff_end(&s, &out);
		assert_string_equal(buf_str(&out), wanted);
		buf_free(&out);
	}
}

static void A45_dots_are_stuffed(void **state)
{
	(void)state;
	stuffed("", "");
	stuffed("a\r\n", "a\r\n");
	stuffed("a", "a\r\n");
	stuffed("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n");
	stuffed(".\r\n", "..\r\n");
	stuffed("..a\r\n.", "...a\r\n..\r\n");
	stuffed("a.b\r\n\r\n.c\r\n", "a.b\r\n\r\n..c\r\n");
}

/* attack A45: a message with a bare CR or LF, which another server may take
 *   for the end of a line, and so for the end of the message
 * verdict: it is not sent (FAIL_BUG: our own output has none) */
static void A45_bare_line_ends_are_never_sent(void **state)
{
	static const char *const bad[] = {"a\n.\nMAIL FROM:<x@y>\r\n",
	    "\n", "a\rb\r\n", "a\r\r\n", "a\r\n\n", "a\r\n.\r.\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct smtp_stuff s;
		struct err e = {0};
		struct buf out;
		int rc = 0;

		buf_init(&out, 65536);
		smtp_stuff_init(&s);
		for (const char *p = bad[i]; rc == 0 && *p != '\0'; p++)
			rc = smtp_stuff_put(&s, view_make(p, 1), &out, &e);
		if (rc != -1 || e.kind != FAIL_BUG)
			fail_msg("sent: %s", bad[i]);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(M22_S49_all_is_passed_on_in_one_go),
		cmocka_unit_test(without_pipelining_one_by_one),
		cmocka_unit_test(one_refused_recipient_and_nothing_is_sent),
		cmocka_unit_test(LMTP_has_a_reply_for_each_that_was_taken),
		cmocka_unit_test(LMTP_that_takes_nobody_gets_no_data),
		cmocka_unit_test(M24_silence_after_the_end_is_not_known),
		cmocka_unit_test(M24_LMTP_silence_for_some_is_not_known),
		cmocka_unit_test(refusals_end_it),
		cmocka_unit_test(
		    M28_M29_what_is_not_offered_is_said_before_anything),
		cmocka_unit_test(nonsense_is_no_answer),
		cmocka_unit_test(replies_have_a_limit),
		cmocka_unit_test(A47_addresses_cannot_be_commands),
		cmocka_unit_test(A47_parameters_cannot_be_commands),
		cmocka_unit_test(A45_dots_are_stuffed),
		cmocka_unit_test(A45_bare_line_ends_are_never_sent),
	};

	return cmocka_run_group_tests_name("smtp_single", tests, NULL, NULL);
}
