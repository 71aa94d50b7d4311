/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Lines of other programs that cannot be kept: the mail they were for leaves
 * by no weaker line, a service they were of is not opened.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/relay_import.h"

typedef void reader(struct relay_import *im, struct view text);

struct done {
	struct relay_import im;
	struct buf out;
	struct tls_rules rules;
};

/* The whole file, and what our parser makes of what came out. */
static void import_text(struct done *d, reader *read, struct view text)
{
	struct conf *conf = NULL;
	struct conf_errors ce;

	memset(d, 0, sizeof(*d));
	import_init(&d->im);
	buf_init(&d->out, 1u << 24);
	read(&d->im, text);
	import_print(&d->im, "FILE", &d->out);
	assert_false(d->im.no_memory || d->out.failed);
	conf_errors_init(&ce);
	if (conf_read_text(&conf, "out", buf_view(&d->out), &ce) != 0)
		fail_msg("%s%s", buf_str(&ce.text), buf_str(&d->out));
	for (size_t i = 0; i < conf->stmts; i++)
		if (strcmp(conf->stmt[i].word[0].s, "tls-policy") == 0 &&
		    tls_rules_read(&d->rules, &conf->stmt[i], &ce) != 0)
			fail_msg("%s%s", buf_str(&ce.text), buf_str(&d->out));
	conf_errors_free(&ce);
	conf_free(&conf);
}

static void done_free(struct done *d)
{
	tls_rules_free(&d->rules);
	import_free(&d->im);
	buf_free(&d->out);
}

static bool is_held(const struct done *d, const char *dest,
    const char *sender)
{
	const struct tls_rule *r = tls_rules_find(&d->rules, dest, 25,
	    sender);

	return r != NULL && r->level == TLS_SECURE && r->matches == 1 &&
	    strcmp(r->match[0], "not-kept.invalid") == 0;
}

struct way {
	reader *read;
	const char *text;
	const char *dest, *sender;
	bool is_held;
};

static void check_ways(const struct way *w, size_t n)
{
	struct done d;

	for (size_t i = 0; i < n; i++) {
		import_text(&d, w[i].read, view_of(w[i].text));
		if (is_held(&d, w[i].dest, w[i].sender) != w[i].is_held)
			fail_msg("%s from %s: held %d\n%s\n%s", w[i].dest,
			    w[i].sender, !w[i].is_held, w[i].text,
			    buf_str(&d.out));
		done_free(&d);
	}
}

#define QMAIL import_tlsdestinations
#define POSTFIX import_tls_policy
#define ALICE "alice@a.example"
#define BOB "bob@b.example"

static void T70_what_is_not_kept_leaves_by_no_weaker_line(void **state)
{
	static const struct way way[] = {
		{ POSTFIX, ".example may\nx.example secure mtach=y\n",
		    "x.example", "", true },
		{ POSTFIX, ".example may\nx.example secure mtach=y\n",
		    "y.example", "", false },
		{ POSTFIX, "x.example fingerprint match=00\n", "x.example",
		    ALICE, true },
		{ POSTFIX, "x.example:587 secure x\n", "x.example:587", "",
		    true },
		{ POSTFIX, "x.example:587 secure x\n", "x.example", "",
		    false },
		{ POSTFIX, ".x.example secure x\n", "y.x.example", "", true },
		{ POSTFIX, "[192.0.2.1] verify x\n", "[192.0.2.1]", "",
		    true },
		{ POSTFIX, "x.example may x\n.example none\n", "x.example",
		    "", true },
		{ POSTFIX, "x.example none x\n", "x.example", "", false },
		/* of two the first one holds, lost or not */
		{ POSTFIX, "x.example secure\nx.example secure x\n",
		    "x.example", "", false },
		{ POSTFIX, "x.example secure x\nx.example may\n",
		    "x.example", "", true },
		{ QMAIL, "*:\n=x.example:;6209\n", "x.example", "", true },
		{ QMAIL, "*:\n.example:\n%x.example:=00\n", "x.example", "",
		    true },
		{ QMAIL, "*:\n==x.example:\n", "x.example", "", true },
		{ QMAIL, "*:\nx.example\n", "x.example", "", true },
		{ QMAIL, "!x.example:\n=x.example:;x\n", "x.example", "",
		    false },
		{ QMAIL, "-x.example:\n=x.example:;x\n", "x.example", "",
		    true },
		{ QMAIL, "*:\n-:;6209\n", "x.example", "", false },
		{ QMAIL, "-:\n=*:;6209\n", "x.example", "", true },
		{ QMAIL, "*:\nx.example:;6209|b.example\n", "x.example", BOB,
		    true },
		{ QMAIL, "*:\nx.example:;6209|b.example\n", "x.example",
		    ALICE, false },
		{ QMAIL, "*:\n!x.example:;6209\n", "x.example", "", false },
	};

	(void)state;
	check_ways(way, ARRAY_LEN(way));
}

/* Whom a line was for is not known, or not from whom: more is held. */
static void what_nobody_can_tell_holds_more(void **state)
{
	static const struct way way[] = {
		{ POSTFIX, "/\\.example$/ secure\n", "x.example", "", true },
		{ POSTFIX, "/\\.example$/ secure\ny.example encrypt\n",
		    "y.example", "", false },
		{ POSTFIX, "192.0.2.1 encrypt\n", "x.example", "", true },
		{ QMAIL, "*:\n=a..b:\n", "x.example", "", true },
		{ QMAIL, "=*:\n*:|||b.example\n", "x.example", "", true },
		{ QMAIL, "x.example:\nx.example:|||b.example|y\n",
		    "x.example", BOB, true },
		{ QMAIL, "x.example:\nx.example:|||b..example\n",
		    "x.example", ALICE, true },
	};

	(void)state;
	check_ways(way, ARRAY_LEN(way));
}

static void repeat(struct buf *b, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_puts(b, s);
}

/* What the lines behind the last one that is read say may be what makes the
 * ones before them strict. */
static void of_a_file_that_is_too_long_nothing_is_weaker(void **state)
{
	static const char open[] = "[pop3s]\naccept = 995\nconnect = 110\n"
	    "cert = /c.pem\n";
	struct done d;
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 22);
	repeat(&b, "#\n", IMPORT_LINES - 1);
	buf_puts(&b, "x.example encrypt\n  protocols=>=TLSv1.3\n");
	import_text(&d, POSTFIX, buf_view(&b));
	assert_true(is_held(&d, "x.example", ""));
	assert_true(is_held(&d, "y.example", ""));
	assert_int_equal(d.im.lost, 2);
	done_free(&d);

	buf_clear(&b);
	repeat(&b, "#\n", IMPORT_LINES);
	buf_puts(&b, "=x.example:\n");
	import_text(&d, QMAIL, buf_view(&b));
	assert_true(is_held(&d, "x.example", ""));
	done_free(&d);

	buf_clear(&b);
	repeat(&b, "#\n", IMPORT_LINES - 5);
	buf_puts(&b, open);
	buf_puts(&b, "CAfile = /ca.pem\n");
	import_text(&d, import_stunnel, buf_view(&b));
	assert_non_null(strstr(buf_str(&d.out), "listen pop3s"));
	done_free(&d);
	buf_puts(&b, "verifyChain = yes\n");
	import_text(&d, import_stunnel, buf_view(&b));
	assert_null(strstr(buf_str(&d.out), "listen pop3s"));
	assert_int_equal(d.im.lost, 1);
	done_free(&d);
	buf_free(&b);
}

/* A logical line of Postfix's that is longer than we read. */
static void a_line_without_its_end_is_held(void **state)
{
	struct done d;
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 22);
	buf_puts(&b, "x.example may\n");
	repeat(&b, " #\n  ,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n", 2000);
	buf_puts(&b, " mtach=y\nz.example secure\n");
	import_text(&d, POSTFIX, buf_view(&b));
	assert_true(is_held(&d, "x.example", ""));
	assert_int_equal(tls_rules_find(&d.rules, "z.example", 25, "")->level,
	    TLS_SECURE);
	assert_false(is_held(&d, "z.example", ""));
	done_free(&d);
	buf_free(&b);
}

/* What stands before the services is said of each of them. */
static void a_lost_option_of_all_services_opens_none(void **state)
{
	static const char *const lost[] = { "libwrap = yes", "CRLpath = /x",
		"OCSPaia = yes", "verifyChian = yes", "redirect = 80",
		"include = /x" };
	struct done d;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lost); i++) {
		buf_init(&b, 8192);
		buf_printf(&b, "%s\ncert = /c.pem\n[a]\naccept = 995\n"
		    "connect = 110\n[b]\naccept = 993\nconnect = 143\n",
		    lost[i]);
		import_text(&d, import_stunnel, buf_view(&b));
		if (strstr(buf_str(&d.out), "listen ") != NULL ||
		    d.im.lost != 3)
			fail_msg("%s: %zu lost\n%s", lost[i], d.im.lost,
			    buf_str(&d.out));
		done_free(&d);
		buf_free(&b);
	}
}

/* ---- what is said ---- */

static void add_line(void *arg, const char *line)
{
	struct buf *b = arg;

	buf_puts(b, line);
	buf_putc(b, '\n');
}

static void what_is_held_is_said_line_by_line(void **state)
{
	struct done d;
	struct buf said;

	(void)state;
	import_text(&d, QMAIL, view_of("*:\nx.example:;6209|b.example\n"
	    "=a..b:\n!c.example:;x\n"));
	buf_init(&said, 65536);
	import_tell(&d.im, add_line, &said);
	assert_string_equal(buf_str(&said),
	    "line 2 is NOT KEPT, mail for x.example from @b.example WAITS: "
	    "QMTPS is not spoken here\n"
	    "line 3 is NOT KEPT, mail for all that no line names WAITS: "
	    "domain \"a..b\": RFC 5321 4.1.2: an empty label in the domain\n"
	    "line 4 is NOT KEPT: a port that is none\n"
	    "3 lines could not be kept, and the mail of 2 WAITS until there "
	    "are lines of yours: ALL mail that no line names among it\n");
	assert_non_null(strstr(buf_str(&d.out), "    # line 2: its mail WAITS "
	    "(451 4.7.5; not-kept.invalid is nobody's name): write what the "
	    "line was for\n"
	    "    # line 2 IS NOT KEPT: x.example:;6209|b.example\n"
	    "    to x.example from @b.example secure match "
	    "not-kept.invalid\n"));
	assert_non_null(strstr(buf_str(&d.out), "    # line 3: all mail that "
	    "no line names WAITS"));
	assert_non_null(strstr(buf_str(&d.out), "# 3 lines are NOT KEPT, see "
	    "above: their mail WAITS until there are lines of yours: ALL mail "
	    "that no line names among it\n"));
	buf_clear(&said);
	import_print_json(&d.im, "FILE", &said);
	assert_non_null(strstr(buf_str(&said), "\"lost\":3,\"held\":2"));
	assert_non_null(strstr(buf_str(&said), "\"hold\":\"to x.example from "
	    "@b.example secure match not-kept.invalid\"}"));
	buf_free(&said);
	done_free(&d);
}

static void many_are_counted_and_some_are_said(void **state)
{
	struct done d;
	struct buf b;
	size_t n = 0;

	(void)state;
	buf_init(&b, 65536);
	for (int i = 0; i < 60; i++)
		buf_printf(&b, "x%d.example secure x\n", i);
	import_text(&d, POSTFIX, buf_view(&b));
	buf_clear(&b);
	import_tell(&d.im, add_line, &b);
	for (size_t i = 0; i < b.n; i++)
		n += b.p[i] == '\n';
	assert_int_equal(n, 51);
	assert_non_null(strstr(buf_str(&b), "60 lines could not be kept, and "
	    "the mail of 60 WAITS"));
	buf_free(&b);
	done_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    T70_what_is_not_kept_leaves_by_no_weaker_line),
		cmocka_unit_test(what_nobody_can_tell_holds_more),
		cmocka_unit_test(
		    of_a_file_that_is_too_long_nothing_is_weaker),
		cmocka_unit_test(a_line_without_its_end_is_held),
		cmocka_unit_test(a_lost_option_of_all_services_opens_none),
		cmocka_unit_test(what_is_held_is_said_line_by_line),
		cmocka_unit_test(many_are_counted_and_some_are_said),
	};

	return cmocka_run_group_tests_name("cli_relay_import_hold", tests,
	    NULL, NULL);
}
