/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of gateway/rules_lint.c and rules_order.c: remarks on rules that are
 * allowed, and none on those that are meant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/rules_lint.h"
#include "util/proc.h"

static char dir[] = "/tmp/gateway-lint-XXXXXX";
static char path[64];

static int make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	memcpy(path, dir, sizeof(dir) - 1);
	memcpy(path + sizeof(dir) - 1, "/rules", 7);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

static void note(void *arg, const struct rules_remark *x)
{
	struct buf *b = arg;

	assert_string_equal(x->file, path);
	buf_printf(b, "%d %s %d: %s\n", x->line, x->kind, x->other, x->text);
}

/* "LINE KIND OTHER: TEXT" lines of the text, with enough lines at its end for
 * an index if padded. */
static void remarks_on(const char *text, bool is_padded, struct buf *out)
{
	char example[] = "example.com";
	char *domain[] = {example};
	struct config c = {.domain = domain, .domains = 1, .delimiter = '+'};
	struct rules *r = NULL;
	struct conf_errors ce;
	struct err e = {0};
	struct buf b;

	buf_init(&b, 8u << 20);
	buf_puts(&b, text);
	for (int i = 0; i < 12 && is_padded; i++)
		buf_printf(&b, "inbound from p%d@padding.example : verify\n",
		    i);
	buf_puts(&b, "outbound : sign or plain, encrypt or plain\n"
	    "inbound : decrypt, verify\n");
	assert_int_equal(io_write_file(path, 0600, buf_view(&b), &e), 0);
	conf_errors_init(&ce);
	if (rules_read(&r, path, &c, &ce) != 0)
		fail_msg("%s", buf_str(&ce.text));
	buf_init(out, 1u << 20);
	assert_int_equal(rules_lint(r, &c, note, out, &e), 0);
	conf_errors_free(&ce);
	rules_free(&r);
	buf_free(&b);
}

struct sample {
	const char *text, *remark; /* NULL: none */
};

#define TO "outbound to "
#define E " : encrypt\n"
#define S " : sign\n"
static const struct sample sample[] = {
	{"", NULL},
	/* never reached */
	{TO "a@x.de" S TO "a@x.de" S, "2 never-matches 1: never reached: line "
	    "1 matches all of this\n"},
	{TO "@x.de" S TO "a@x.de b@x.de" E, "2 never-matches 1:"},
	{TO "@*.de" S TO "@x.de" E, "2 never-matches 1:"},
	{TO "@*.de" S TO "a@y.x.de" E, "2 never-matches 1:"},
	{TO "@*.de" S TO "@*.x.de" E, "2 never-matches 1:"},
	{TO "@x.de @y.de" S TO "a@y.de" E, "2 never-matches 1:"},
	{"group g @x.de @y.de\n" TO "g" S TO "a@y.de" E,
	    "3 never-matches 2:"},
	{"group g a@x.de b@x.de\n" TO "@x.de" S TO "g" E,
	    "3 never-matches 2:"},
	{"group g a@x.de b@x.de\n" TO "g" S TO "g from b@example.com" E,
	    "3 never-matches 2:"},
	{TO "@x.de" S TO "@x.de authenticated bob" E, "2 never-matches 1:"},
	{"outbound authenticated" S "outbound authenticated bob" E,
	    "2 never-matches 1:"},
	{"outbound authenticated bob carol" S "outbound authenticated bob" E,
	    "2 never-matches 1:"},
	{"outbound network 10.0.0.0/8" S "outbound network 10.1.0.0/17" E,
	    "2 never-matches 1:"},
	{"outbound envelope-from @x.de" S "outbound envelope-from a@x.de" E,
	    "2 never-matches 1:"},
	/* reached */
	{TO "a@x.de" E TO "@x.de" S, NULL},
	{TO "@*.x.de" S TO "@x.de" E, NULL},
	{TO "@x.de" S TO "@xx.de" E, NULL},
	{TO "@x.de from bob@example.com" S TO "@x.de" E, NULL},
	{TO "@x.de authenticated bob" S TO "@x.de authenticated carol" E,
	    NULL},
	{"outbound authenticated bob" S "outbound authenticated" E, NULL},
	{"outbound network 10.0.0.0/9" S "outbound network 10.128.0.0/9" E,
	    NULL},
	{"outbound network 10.0.0.0/9" S "outbound network 10.0.0.0/8" E,
	    NULL},
	{TO "a@x.de" S "inbound from a@x.de : decrypt\n", NULL},
	/* somebody taken away */
	{TO "@x.de" S TO "a@x.de @y.de" E, "2 order-decides 1: a@x.de is "
	    "decided by line 1, which stands above\n"},
	{"group g a@x.de b@y.de\n" TO "@x.de" S TO "g" E,
	    "3 order-decides 2: a@x.de, of group g is decided by line 2"},
	{"group g a@x.de b@y.de\ngroup h a@x.de c@y.de\n" TO "g" S TO "h" E,
	    "4 order-decides 3: a@x.de, of group h is decided by line 3"},
	{"outbound from @x.de" S "outbound from a@x.de @y.de" E,
	    "2 order-decides 1:"},
	/* an exception, or the same anyway */
	{"group g a@x.de b@y.de\n" TO "a@x.de" S TO "g" E, NULL},
	{"group g a@x.de b@y.de\n" TO "@x.de" E TO "g" E, NULL},
	{"group g a@x.de b@y.de\ngroup h g @z.de\n" TO "g" S TO "h" E, NULL},
	/* names */
	{"group g a@x.de\n", "1 unused-group 0: group g is not used"},
	{"group g a@x.de\ngroup h g\n" TO "h" E, NULL},
	{"group g a@x.de\nalso " TO "g" E, NULL},
	{"group g a@x.de a@x.de\n" TO "g" E, "1 twice 0: a@x.de is in group "
	    "g twice\n"},
	{"profile p modern\n", "1 unused-profile 0: profile p is not used"},
	{"profile p modern\nprofile q p\n" TO "@x.de : sign, profile q\n",
	    NULL},
	{"profile p modern\nalso outbound : sign, profile p\n", NULL},
	/* also */
	{"also outbound" S "also outbound" S, "2 twice 1: line 1 says the "
	    "same\n"},
	{"also inbound subject x : verify\n", "1 adds-nothing 0: every "
	    "inbound line has all of this already\n"},
	{"also inbound subject x : verify\ninbound to a@example.com : pass\n",
	    NULL},
	{"also internal subject x" S, NULL},
	{"also outbound subject x : remove-trigger\n", NULL},
	/* whose */
	{TO "a@example.com" E, "1 unknown-domain 0: a@example.com is of "
	    "local-domains, so no outbound mail is to it\n"},
	{TO "@*.com" E, NULL},
	{"inbound to a@else.example : verify\n", "1 unknown-domain 0: a@else"
	    ".example is not of local-domains, so no inbound mail is to it\n"},
	{"inbound to @*.else.example : verify\n", "1 unknown-domain 0: "
	    "@*.else"},
	{"inbound to @*.com : verify\n", NULL},
	{"group g a@else.example\ninternal to g" E "internal : pass\n",
	    "2 unknown-domain 0: a@else.example is not"},
	{"also inbound to @else.example : verify or reject\n",
	    "1 unknown-domain 0:"},
};

static void each_remark_and_no_other(void **state)
{
	struct buf out;

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(sample); i++) {
		const struct sample *x = &sample[i / 2];
		const char *rest;

		remarks_on(x->text, i % 2 == 1, &out);
		rest = strchr(buf_str(&out), '\n');
		if (x->remark == NULL ? out.n != 0
		    : strncmp(buf_str(&out), x->remark, strlen(x->remark)) !=
			0 || rest == NULL || rest[1] != '\0')
			fail_msg("%s%swanted %s, got\n%s", x->text, i % 2 == 1
			    ? "(padded) " : "", x->remark == NULL ? "nothing"
			    : x->remark, buf_str(&out));
		buf_free(&out);
	}
}

static void what_ends_in_pass_is_said(void **state)
{
	struct rules *r = NULL;
	struct conf_errors ce;
	struct err e = {0};
	struct buf out;

	(void)state;
	assert_int_equal(io_write_file(path, 0600, view_of("outbound : pass\n"
	    "inbound : pass\n"), &e), 0);
	conf_errors_init(&ce);
	assert_int_equal(rules_read(&r, path, NULL, &ce), 0);
	buf_init(&out, 65536);
	assert_int_equal(rules_lint(r, NULL, note, &out, &e), 0);
	assert_non_null(strstr(buf_str(&out), "1 passes-all 0: whatever"));
	assert_null(strstr(buf_str(&out), "\n2 "));
	buf_free(&out);
	conf_errors_free(&ce);
	rules_free(&r);
}

/* Many lines about the same people: it ends, and finds what there is. */
static void ten_thousand_lines_are_looked_at(void **state)
{
	struct buf b, out;

	(void)state;
	buf_init(&b, 8u << 20);
	buf_puts(&b, "group g");
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, " u%d@x.de", i);
	buf_puts(&b, "\n");
	for (int i = 0; i < 9000; i++)
		buf_printf(&b, TO "@d%d.de @x%d.de" S, i, i);
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, TO "g from a%d@example.com" E, i);
	buf_puts(&b, TO "u7@d8999.de" S);
	assert_int_equal(buf_ok(&b, NULL), 0);
	remarks_on(buf_str(&b), false, &out);
	assert_string_equal(buf_str(&out), "10002 never-matches 9001: never "
	    "reached: line 9001 matches all of this\n");
	buf_free(&b);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_remark_and_no_other),
		cmocka_unit_test(what_ends_in_pass_is_said),
		cmocka_unit_test(ten_thousand_lines_are_looked_at),
	};

	return cmocka_run_group_tests_name("gateway_rules_lint", tests,
	    make_dir, remove_dir);
}
