/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The client's side of a connection with many messages, against written
 * conversations, each played with the server's octets cut at every place.
 */
#include "smtp/sender.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What is done in a play, step by step; a reply is awaited before the next
 * one unless it begins with '+'. Letters: M mail, R rcpt, D data, . dot,
 * S starttls, T in tls, X xclient, Q quit. */
struct play {
	bool lmtp, no_helo;
	const char *does;
	const char *says; /* replies; '|' is where octets of one read end */
	struct smtp_sender_mail mail;
	struct smtp_sender_rcpt rcpt;
	struct smtp_sender_client client;
	/* what came of it */
	struct buf said; /* by us */
	struct buf news; /* "greeting 220, helo 250 ..." */
	char why[160];
	struct smtp_reply last;
	struct smtp_offers offers;
	bool is_idle, is_over;
	int rc;
	struct err e;
};

static const char *const to_name[] = {
	[SENDER_GREETING] = "greeting", [SENDER_HELO] = "helo",
	[SENDER_STARTTLS] = "starttls", [SENDER_XCLIENT] = "xclient",
	[SENDER_MAIL] = "mail", [SENDER_RCPT] = "rcpt",
	[SENDER_DATA] = "data", [SENDER_END] = "end",
	[SENDER_QUIT] = "quit", [SENDER_BODY] = "body",
	[SENDER_NOTHING] = "nothing",
};

static void do_one(struct play *p, struct smtp_sender *s, char what)
{
	static const struct smtp_sender_client nobody;

	switch (what) {
	case 'M':
		if (p->mail.from == NULL)
			p->mail.from = "<a@a.example>";
		p->rc = smtp_sender_mail(s, &p->mail, &p->e);
		break;
	case 'R':
		if (p->rcpt.path == NULL)
			p->rcpt.path = "<b@b.example>";
		p->rc = smtp_sender_rcpt(s, &p->rcpt, &p->e);
		p->rcpt.number++;
		break;
	case 'D':
		smtp_sender_data(s);
		break;
	case '.':
		smtp_sender_dot(s);
		break;
	case 'S':
		smtp_sender_starttls(s);
		break;
	case 'T':
		smtp_sender_in_tls(s);
		break;
	case 'X':
		smtp_sender_xclient(s, p->client.addr != NULL ? &p->client :
		    &nobody);
		break;
	case 'Q':
		smtp_sender_quit(s);
		break;
	default:
		fail_msg("what is %c?", what);
	}
}

static void do_more(struct play *p, struct smtp_sender *s, size_t *at)
{
	bool more = smtp_sender_is_idle(s) || p->does[*at] == '.';

	while (p->rc == 0 && p->does[*at] != '\0' && (more ||
	    p->does[*at] == '+')) {
		more = false;
		if (p->does[*at] == '+')
			(*at)++;
		do_one(p, s, p->does[(*at)++]);
	}
	buf_putv(&p->said, smtp_sender_output(s));
	smtp_sender_sent(s);
}

static void note(struct play *p, const struct sender_news *n)
{
	buf_printf(&p->news, "%s%s %d", p->news.n > 0 ? ", " : "",
	    to_name[n->to], n->reply.code);
	if (n->rcpt != (size_t)-1)
		buf_printf(&p->news, "#%zu", n->rcpt);
	p->last = n->reply;
}

/* false: it is over */
static bool feed(struct play *p, struct smtp_sender *s, struct view in,
    size_t *at)
{
	struct sender_news news;
	enum sender_event ev;

	for (;;) {
		ev = smtp_sender_next(s, &in, &news);
		if (ev == SENDER_MORE) {
			assert_true(in.n == 0 || smtp_sender_is_over(s));
			break;
		}
		if (ev == SENDER_BROKEN) {
			buf_puts(&p->news, ", broken");
			text_set(p->why, sizeof(p->why), news.why);
			assert_true(smtp_sender_is_over(s));
			return false;
		}
		note(p, &news);
		if (news.to == SENDER_DATA && news.reply.code == 354)
			buf_puts(&p->said, "(data)");
		if (news.to == SENDER_DATA || news.to == SENDER_HELO ||
		    smtp_sender_is_idle(s))
			do_more(p, s, at);
	}
	return !smtp_sender_is_over(s);
}

/* Each part of says is fed in pieces of so many octets. */
static void run_play(struct play *p, size_t piece)
{
	const struct smtp_sender_setup setup = {"me.example", p->lmtp,
	    !p->no_helo};
	struct smtp_sender *s = NULL;
	const char *part = p->says;
	bool is_open = true;
	size_t at = 0, n;

	p->rcpt.number = 0;
	buf_init(&p->said, 1u << 20);
	buf_init(&p->news, 1u << 20);
	p->rc = 0;
	assert_int_equal(smtp_sender_new(&s, &setup, &p->e), 0);
	while (is_open && *part != '\0') {
		size_t part_n = strcspn(part, "|");

		for (size_t i = 0; is_open && i < part_n; i += n) {
			n = piece < part_n - i ? piece : part_n - i;
			is_open = feed(p, s, view_make(part + i, n), &at);
			if (is_open && smtp_sender_is_idle(s))
				do_more(p, s, &at);
			buf_putv(&p->said, smtp_sender_output(s));
			smtp_sender_sent(s);
		}
		part += part_n + (part[part_n] == '|');
	}
	p->offers = *smtp_sender_offers(s);
	p->is_idle = smtp_sender_is_idle(s);
	p->is_over = smtp_sender_is_over(s);
	smtp_sender_free(&s);
}

/* The same whatever the pieces are; whole is left. */
static void play(struct play *p)
{
	struct play again;

	run_play(p, (size_t)-1);
	for (size_t piece = 1; piece < 40; piece++) {
		again = *p;
		run_play(&again, piece);
		assert_string_equal(buf_str(&p->said), buf_str(&again.said));
		assert_string_equal(buf_str(&p->news), buf_str(&again.news));
		buf_free(&again.said);
		buf_free(&again.news);
	}
}

static void done(struct play *p)
{
	buf_free(&p->said);
	buf_free(&p->news);
}

#define HI "220 hi\r\n"
#define ALL                                                               \
	"250-next\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"  \
	"250-REQUIRETLS\r\n250-SIZE 1000000\r\n250-AUTH PLAIN\r\n"        \
	"250-STARTTLS\r\n250-XCLIENT NAME ADDR HELO LOGIN\r\n250 DSN\r\n"
#define FEW "250 next\r\n"

/* ---- capabilities ---- */

static void T35_what_is_offered_is_whole_words_at_line_starts(void **state)
{
	static const struct {
		const char *line;
		bool starttls, pipelining;
	} row[] = {
		{"STARTTLS", true, false},
		{"starttls", true, false},
		{"STARTTLS foo", true, false},
		{"XSTARTTLS", false, false},
		{"STARTTLSX", false, false},
		{"STARTTLS=1", false, false},
		{" STARTTLS", false, false},
		{"AUTH STARTTLS", false, false},
		{"XXXXXXXA", false, false},
		{"PIPELINING", false, true},
		{"STARTTLS\rPIPELINING", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct play p = {.does = ""};
		struct buf says;

		buf_init(&says, 1000);
		/* the first line is a name */
		buf_printf(&says, HI "250-STARTTLS\r\n250 %s\r\n",
		    row[i].line);
		p.says = buf_str(&says);
		play(&p);
		if (p.offers.starttls != row[i].starttls ||
		    p.offers.pipelining != row[i].pipelining)
			fail_msg("%s", row[i].line);
		done(&p);
		buf_free(&says);
	}
}

static void sizes_and_limits_are_read(void **state)
{
	struct play p = {.does = "", .says = HI "250-next\r\n"
	    "250-SIZE 35882577\r\n250-LIMITS MAILMAX=20 RCPTMAX=100 "
	    "RCPTDOMAINMAX=1 FOO=7 BAR\r\n"
	    "250 XCLIENT NAME ADDR PORT\r\n"};

	(void)state;
	play(&p);
	assert_true(p.offers.size && p.offers.size_max == 35882577);
	assert_int_equal(p.offers.mail_max, 20);
	assert_int_equal(p.offers.rcpt_max, 100);
	assert_int_equal(p.offers.domain_max, 1);
	assert_true(p.offers.x_name && p.offers.x_addr);
	assert_false(p.offers.x_helo || p.offers.x_login);
	done(&p);
	p = (struct play){.does = "", .says = HI "250-next\r\n"
	    "250-SIZE 99999999999999999999\r\n250 LIMITS MAILMAX=x\r\n"};
	play(&p);
	assert_true(p.offers.size);
	assert_true(p.offers.size_max == 0 && p.offers.mail_max == 0);
	done(&p);
}

static void T35_all_is_forgotten_after_TLS(void **state)
{
	struct play p = {.does = "STM+R+D", .says = HI
	    ALL "|220 go\r\n|250-next\r\n250 8BITMIME\r\n|250 a\r\n|250 b\r\n"
	    "|354 go\r\n"};

	(void)state;
	p.mail.auth = "<>";
	p.mail.size = 10;
	run_play(&p, (size_t)-1);
	assert_true(p.offers.mime8);
	assert_false(p.offers.pipelining || p.offers.starttls ||
	    p.offers.auth || p.offers.size || p.offers.xclient ||
	    p.offers.dsn || p.offers.require_tls || p.offers.utf8);
	assert_string_equal(buf_str(&p.said), "EHLO me.example\r\nSTARTTLS\r\n"
	    "EHLO me.example\r\nMAIL FROM:<a@a.example>\r\n"
	    "RCPT TO:<b@b.example>\r\nDATA\r\n(data)");
	done(&p);
}

/* ---- STARTTLS ---- */

/* attack A66: replies are put behind the 220 of STARTTLS, before TLS, to be
 *   taken for what the server says within it
 * verdict: the connection is given up, TLS is not begun */
static void T36_A66_octets_behind_220_break_it(void **state)
{
	static const char *const after[] = {"220 go\r\n250 AUTH PLAIN\r\n",
	    "220 go\r\n2", "220 go\r\n\r", "220 go\r\n220 go\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(after); i++) {
		struct play p = {.does = "S"};
		struct buf says;

		buf_init(&says, 1000);
		buf_printf(&says, HI ALL "|%s", after[i]);
		p.says = buf_str(&says);
		run_play(&p, (size_t)-1);
		assert_non_null(strstr(buf_str(&p.news), "broken"));
		assert_non_null(strstr(p.why, "RFC 3207"));
		assert_true(p.is_over);
		done(&p);
		buf_free(&says);
	}
}

static void T37_only_a_220_of_one_line_starts_TLS(void **state)
{
	static const struct {
		const char *says;
		const char *news;
	} row[] = {
		{"220 go\r\n", "helo 250, starttls 220"},
		{"220\r\n", "helo 250, starttls 220"},
		{"220-go\r\n220 on\r\n", "helo 250, broken"},
		{"221 go\r\n", "helo 250, starttls 221"},
		{"250 go\r\n", "helo 250, starttls 250"},
		{"454 4.7.0 not now\r\n", "helo 250, starttls 454"},
		{"501 no\r\n", "helo 250, starttls 501"},
		{"220go\r\n", "helo 250, broken"},
		{"22 go\r\n", "helo 250, broken"},
		{"220 go\n", "helo 250, broken"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct play p = {.does = "S"};
		struct buf says;

		buf_init(&says, 1000);
		buf_printf(&says, HI ALL "|%s", row[i].says);
		p.says = buf_str(&says);
		play(&p);
		if (strstr(buf_str(&p.news), row[i].news) == NULL)
			fail_msg("%s: %s", row[i].says, buf_str(&p.news));
		done(&p);
		buf_free(&says);
	}
}

/* ---- conversations ---- */

static void many_messages_one_connection(void **state)
{
	struct play p = {.does = "M+R+RD.M+RD.Q", .says = HI ALL
	    "|250 2.1.0 a\r\n250 b\r\n550 5.1.1 no\r\n|354 go\r\n|250 ok\r\n"
	    "|250 a\r\n250 b\r\n|354 go\r\n|452 4.3.1 full\r\n"
	    "|221 bye\r\n"};

	(void)state;
	play(&p);
	assert_string_equal(buf_str(&p.news), "greeting 220, helo 250, "
	    "mail 250, rcpt 250#0, rcpt 550#1, data 354, end 250, "
	    "mail 250, rcpt 250#2, data 354, end 452, quit 221");
	assert_string_equal(buf_str(&p.said), "EHLO me.example\r\n"
	    "MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n"
	    "RCPT TO:<b@b.example>\r\nDATA\r\n(data).\r\n"
	    "MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n"
	    "DATA\r\n(data).\r\nQUIT\r\n");
	assert_true(p.is_idle);
	done(&p);
}

static void all_parameters_where_they_are_offered(void **state)
{
	struct play p = {.does = "M+R", .says = HI ALL,
	    .mail = {.ret = "RET=HDRS", .envid = "ENVID=QQ+2B1",
	    .auth = "<>", .utf8 = true, .is_8bit = true,
	    .require_tls = true, .size = 4711},
	    .rcpt = {.notify = "NOTIFY=NEVER", .orcpt = "ORCPT=rfc822;b"}};

	(void)state;
	play(&p);
	assert_string_equal(buf_str(&p.said), "EHLO me.example\r\n"
	    "MAIL FROM:<a@a.example> SIZE=4711 BODY=8BITMIME SMTPUTF8 "
	    "REQUIRETLS RET=HDRS ENVID=QQ+2B1 AUTH=<>\r\n"
	    "RCPT TO:<b@b.example> NOTIFY=NEVER ORCPT=rfc822;b\r\n");
	done(&p);
	p.says = HI FEW;
	p.mail.utf8 = p.mail.is_8bit = p.mail.require_tls = false;
	play(&p);
	assert_string_equal(buf_str(&p.said), "EHLO me.example\r\n"
	    "MAIL FROM:<a@a.example>\r\n");
	done(&p);
}

static void M28_what_is_needed_and_not_offered_is_not_said(void **state)
{
	static const struct smtp_sender_mail row[] = {{.utf8 = true},
	    {.is_8bit = true}, {.require_tls = true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct play p = {.does = "M", .says = HI FEW, .mail = row[i]};

		play(&p);
		assert_int_equal(p.rc, -1);
		assert_int_equal(p.e.kind, FAIL_INPUT);
		assert_string_equal(buf_str(&p.said), "EHLO me.example\r\n");
		done(&p);
	}
}

static void without_PIPELINING_one_by_one(void **state)
{
	struct play p = {.does = "M+R+R", .says = HI FEW "|250 a\r\n"};

	(void)state;
	run_play(&p, (size_t)-1);
	/* the second RCPT waits for the reply to the first */
	assert_string_equal(buf_str(&p.said), "EHLO me.example\r\n"
	    "MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n");
	done(&p);
	p.says = HI FEW "|550 a\r\n";
	run_play(&p, (size_t)-1);
	/* nothing behind a MAIL that was refused */
	assert_string_equal(buf_str(&p.said), "EHLO me.example\r\n"
	    "MAIL FROM:<a@a.example>\r\n");
	assert_true(p.is_idle);
	done(&p);
}

static void LMTP_has_a_reply_for_each_that_was_taken(void **state)
{
	struct play p = {.lmtp = true, .does = "M+R+R+RD.M+RD.", .says = HI
	    ALL "|250 a\r\n250 0\r\n550 1\r\n250 2\r\n|354 go\r\n"
	    "|250 first\r\n|452 4.2.2 full\r\n|250 a\r\n250 b\r\n"
	    "|354 go\r\n|250 ok\r\n"};

	(void)state;
	play(&p);
	assert_string_equal(buf_str(&p.news), "greeting 220, helo 250, "
	    "mail 250, rcpt 250#0, rcpt 550#1, rcpt 250#2, data 354, "
	    "end 250#0, end 452#2, mail 250, rcpt 250#3, data 354, "
	    "end 250#3");
	assert_int_equal(strncmp(buf_str(&p.said), "LHLO me.example\r\n",
	    17), 0);
	done(&p);
}

static void HELO_only_where_it_may_be(void **state)
{
	struct play p = {.does = "M", .says = HI "502 what?\r\n|250-x\r\n"
	    "250 STARTTLS\r\n|250 a\r\n"};

	(void)state;
	play(&p);
	assert_string_equal(buf_str(&p.news), "greeting 220, helo 250, "
	    "mail 250");
	assert_string_equal(buf_str(&p.said), "EHLO me.example\r\n"
	    "HELO me.example\r\nMAIL FROM:<a@a.example>\r\n");
	assert_false(p.offers.starttls || p.offers.esmtp);
	done(&p);
	p = (struct play){.no_helo = true, .does = "", .says = HI
	    "502 no\r\n"};
	play(&p);
	assert_string_equal(buf_str(&p.said), "EHLO me.example\r\n");
	done(&p);
	p = (struct play){.lmtp = true, .does = "", .says = HI "500 no\r\n"};
	play(&p);
	assert_string_equal(buf_str(&p.said), "LHLO me.example\r\n");
	done(&p);
}

static void XCLIENT_is_xtext_and_begins_again(void **state)
{
	struct play p = {.does = "XM", .says = HI ALL "|220 again\r\n"
	    "|250-next\r\n250 XCLIENT ADDR\r\n|250 a\r\n", .client = {
	    "2001:db8::1", "a b+c.example", "=\r\nDATA", NULL}};

	(void)state;
	play(&p);
	assert_string_equal(buf_str(&p.said), "EHLO me.example\r\n"
	    "XCLIENT NAME=a+20b+2Bc.example ADDR=IPv6:2001:db8::1 "
	    "HELO=+3D+0D+0ADATA LOGIN=[UNAVAILABLE]\r\n"
	    "EHLO me.example\r\nMAIL FROM:<a@a.example>\r\n");
	done(&p);
	p = (struct play){.does = "X", .says = HI "250-x\r\n250 XCLIENT "
	    "ADDR\r\n", .client = {.addr = "192.0.2.1", .name = "n"}};
	play(&p);
	assert_string_equal(buf_str(&p.said), "EHLO me.example\r\n"
	    "XCLIENT ADDR=192.0.2.1\r\n");
	done(&p);
	/* nobody knows it, and that is said */
	p = (struct play){.does = "X", .says = HI "250-x\r\n250 XCLIENT "
	    "ADDR\r\n", .client = {.addr = ""}};
	play(&p);
	assert_string_equal(buf_str(&p.said), "EHLO me.example\r\n"
	    "XCLIENT ADDR=[UNAVAILABLE]\r\n");
	done(&p);
}

/* ---- replies ---- */

static void enhanced_codes_are_there_always(void **state)
{
	static const struct {
		const char *reply, *enhanced, *text;
	} row[] = {
		{"250 2.1.0 ok\r\n", "2.1.0", "ok"},
		{"250 ok\r\n", "2.1.0", "ok"},
		{"250\r\n", "2.1.0", ""},
		{"550 5.7.1\r\n", "5.7.1", ""},
		{"550 no\r\n", "5.0.0", "no"},
		{"451 5.7.1 other class\r\n", "4.0.0", "5.7.1 other class"},
		{"550 5.7.1.2 x\r\n", "5.0.0", "5.7.1.2 x"},
		{"550 5.7. x\r\n", "5.0.0", "5.7. x"},
		{"550 5.7.123456789 x\r\n", "5.0.0", "5.7.123456789 x"},
		{"550-5.7.1 a\r\n550 5.7.1 b\r\n", "5.7.1", "a b"},
		{"550 5.7.1 \x1b[2J\xe2\x80\xae\r\n", "5.7.1", "?[2J???"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct play p = {.does = "M"};
		struct buf says;

		buf_init(&says, 1000);
		buf_printf(&says, HI ALL "|%s", row[i].reply);
		p.says = buf_str(&says);
		play(&p);
		assert_string_equal(p.last.enhanced, row[i].enhanced);
		assert_string_equal(p.last.text, row[i].text);
		done(&p);
		buf_free(&says);
	}
}

static void nonsense_breaks_it(void **state)
{
	static const char *const bad[] = {"hello\r\n", "99 x\r\n",
	    "650 x\r\n", "150 x\r\n", "250x\r\n", "25\r\n", "\r\n",
	    "250-a\r\n251 b\r\n", "250-a\r\nb\r\n", "250 x\n",
	    "250-a\n250 b\r\n", "25\xb0 x\r\n", "+250 x\r\n",
	    "250 a\r\n250 a\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct play p = {.does = "M"};
		struct buf says;

		buf_init(&says, 1000);
		buf_printf(&says, HI ALL "|%s", bad[i]);
		p.says = buf_str(&says);
		play(&p);
		if (strstr(buf_str(&p.news), "broken") == NULL)
			fail_msg("taken: %s", bad[i]);
		assert_true(p.is_over);
		done(&p);
		buf_free(&says);
	}
}

static void cap_of_lines(size_t n, bool is_good)
{
	struct play p = {.does = ""};
	struct buf says;

	buf_init(&says, 1u << 20);
	buf_puts(&says, HI);
	for (size_t i = 1; i < n; i++)
		buf_puts(&says, "250-x\r\n");
	buf_puts(&says, "250 x\r\n");
	p.says = buf_str(&says);
	run_play(&p, (size_t)-1);
	assert_int_equal(p.is_over, !is_good);
	done(&p);
	buf_free(&says);
}

/* Lines without end, and a line without end. */
static void replies_have_an_end(void **state)
{
	struct play p = {.does = ""};
	struct buf says;

	(void)state;
	cap_of_lines(SENDER_LINES - 1, true);
	cap_of_lines(SENDER_LINES, true);
	cap_of_lines(SENDER_LINES + 1, false);
	for (size_t n = SMTP_LINE - 1; n <= SMTP_LINE + 1; n++) {
		buf_init(&says, 1u << 20);
		buf_puts(&says, "220 ");
		/* without its LF */
		while (says.n < n - 1)
			buf_putc(&says, 'x');
		buf_puts(&says, "\r");
		p.says = buf_str(&says);
		play(&p);
		assert_int_equal(p.is_over, n > SMTP_LINE);
		done(&p);
		buf_free(&says);
	}
}

static void a_421_ends_it_everywhere(void **state)
{
	static const struct {
		const char *does, *says, *news;
	} row[] = {
		{"", "421 x\r\n", "greeting 421"},
		{"", HI "421 x\r\n", "greeting 220, helo 421"},
		{"S", HI ALL "|421 x\r\n", "starttls 421"},
		{"M+R", HI ALL "|421 x\r\n", "mail 421"},
		{"M+R", HI ALL "|250 a\r\n421 x\r\n", "rcpt 421#0"},
		{"M+RD", HI ALL "|250 a\r\n250 b\r\n|421 x\r\n", "data 421"},
		{"M+RD", HI ALL "|250 a\r\n250 b\r\n|354 x\r\n|421 x\r\n",
		    "body 421"},
		{"M+RD.", HI ALL "|250 a\r\n250 b\r\n|354 x\r\n|421 x\r\n",
		    "end 421"},
		{"", HI ALL "|421 idle\r\n", "helo 250, nothing 421"},
		{"", HI ALL "|554 idle\r\n", "helo 250, nothing 554"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct play p = {.does = row[i].does, .says = row[i].says};
		const char *news;

		run_play(&p, (size_t)-1);
		news = buf_str(&p.news);
		if (strlen(news) < strlen(row[i].news) || strcmp(news +
		    strlen(news) - strlen(row[i].news), row[i].news) != 0)
			fail_msg("row %zu: %s", i, news);
		assert_true(p.is_over);
		done(&p);
	}
}

static void an_answer_before_the_dot_is_none(void **state)
{
	struct play p = {.does = "M+RD", .says = HI ALL
	    "|250 a\r\n250 b\r\n|354 go\r\n250 taken, honestly\r\n"};

	(void)state;
	play(&p);
	assert_non_null(strstr(buf_str(&p.news), "data 354, body 250"));
	assert_true(p.is_over);
	done(&p);
}

/* ---- what may stand in a command ---- */

/* attack A47: a sender, recipient or parameter that has commands in it
 * verdict: refused; nothing of it is said */
static void A47_nothing_can_be_another_command(void **state)
{
	static const struct {
		const char *does;
		struct smtp_sender_mail mail;
		struct smtp_sender_rcpt rcpt;
	} row[] = {
		{"M", {.from = "<a@b.example>\r\nDATA"}, {NULL}},
		{"M", {.from = "<a@b.example> SIZE=1"}, {NULL}},
		{"M", {.from = "a@b.example"}, {NULL}},
		{"M", {.envid = "ENVID=a\r\nDATA"}, {NULL}},
		{"M", {.ret = "RET=HDRS X"}, {NULL}},
		{"M", {.auth = "<>\r\nDATA"}, {NULL}},
		{"M", {.auth = "a b"}, {NULL}},
		{"M", {.auth = ""}, {NULL}},
		{"R", {NULL}, {.path = "<a@b.example> NOTIFY=NEVER"}},
		{"R", {NULL}, {.path = "<\"a\r\nDATA\"@b.example>"}},
		{"R", {NULL}, {.orcpt = "ORCPT=x y"}},
		{"R", {NULL}, {.notify = "NOTIFY=\n"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct play p = {.does = row[i].does, .says = HI ALL,
		    .mail = row[i].mail, .rcpt = row[i].rcpt};

		play(&p);
		if (p.rc != -1 || p.e.kind != FAIL_INPUT)
			fail_msg("row %zu: %s", i, buf_str(&p.said));
		assert_string_equal(buf_str(&p.said), "EHLO me.example\r\n");
		done(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    T35_what_is_offered_is_whole_words_at_line_starts),
		cmocka_unit_test(sizes_and_limits_are_read),
		cmocka_unit_test(T35_all_is_forgotten_after_TLS),
		cmocka_unit_test(T36_A66_octets_behind_220_break_it),
		cmocka_unit_test(T37_only_a_220_of_one_line_starts_TLS),
		cmocka_unit_test(many_messages_one_connection),
		cmocka_unit_test(all_parameters_where_they_are_offered),
		cmocka_unit_test(
		    M28_what_is_needed_and_not_offered_is_not_said),
		cmocka_unit_test(without_PIPELINING_one_by_one),
		cmocka_unit_test(LMTP_has_a_reply_for_each_that_was_taken),
		cmocka_unit_test(HELO_only_where_it_may_be),
		cmocka_unit_test(XCLIENT_is_xtext_and_begins_again),
		cmocka_unit_test(enhanced_codes_are_there_always),
		cmocka_unit_test(nonsense_breaks_it),
		cmocka_unit_test(replies_have_an_end),
		cmocka_unit_test(a_421_ends_it_everywhere),
		cmocka_unit_test(an_answer_before_the_dot_is_none),
		cmocka_unit_test(A47_nothing_can_be_another_command),
	};

	return cmocka_run_group_tests_name("smtp_sender", tests, NULL, NULL);
}
