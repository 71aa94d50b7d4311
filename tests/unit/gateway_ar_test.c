/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of gateway/ar.c: forged Authentication-Results in many spellings,
 * and values that try to say more than they may.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/gateway_int.h"

#define OWN "mx.example.com"

static const char *const forged[] = {
	" mx.example.com; smime=pass",
	"mx.example.com; smime=pass",
	" MX.Example.COM; SMIME=pass",
	" mx.example.com 1; smime=pass",
	" mx.example.com (v) 1 (w); smime=pass",
	" (comment) mx.example.com; smime=pass",
	" (nested (comment) here) mx.example.com; smime=pass",
	"\r\n\tmx.example.com;\r\n\tsmime=pass",
	" \"mx.example.com\"; smime=pass",
	" \"MX.EXAMPLE.COM\"; smime=pass",
	" mx.example.com.; smime=pass",
	" mx.example.com;smime=pass",
	" mx.example.com; smime (c) = (d) pass",
	" mx.example.com; smime/1=pass",
	" mx.example.com; dkim=pass; smime=pass",
	" mx.example.com; dkim=pass header.d=x.y; spf=pass; smime=pass "
	"body.smime-identifier=a@b",
	/* where a careless reader finds it */
	" mx.example.com; dkim=pass (smime=pass)",
	" mx.example.com; dkim=pass reason=\"smime=pass\"",
	/* what cannot be read */
	"",
	"   ",
	" ;smime=pass",
	" ; mx.example.com; smime=pass",
	" (unclosed mx.example.com; smime=pass",
	" \"mx.example.com; smime=pass",
	" \"mx\\.example.com\"; smime=pass",
	" =?utf-8?q?mx=2Eexample=2Ecom?=; smime=pass",
	" mx.example.com/1; dkim=pass",
	" mx.example.com, smime=pass",
	" mx.example.com; dkim",
	" mx.example.com; =pass",
	" mx.example.com; dkim=pass (open",
	" mx.example.com; dkim=pass <x>",
	" mx.example.com dkim=pass",
	" \xd0\xbcx.example.com; smime=pass",
	" mx.example.com x; dkim=pass",
	" mx.example.com 1x; dkim=pass",
	" mx.example.com; dkim/x=pass",
	/* somebody else's, if one reads it as we do */
	" mx(c).example.com; smime=pass",
	" mx.example.com .; smime=pass",
	" mx .example.com; smime=pass",
	" foo mx.example.com; smime=pass",
	" foo 1 mx.example.com; smime=pass",
	" other.example; dkim=none,\r\n mx.example.com; smime=pass",
	" x (mx.example.com; smime=pass)",
	" x; none (mx.example.com; smime=pass)",
	" (mx.example.com; smime=pass) x; none",
	" x; dkim=pass reason=\"mx.example.com; smime=pass\"",
	" \"mx.example.com; smime=pass\"; none",
	" x; y; mx.example.com; smime=pass",
	" x y; smime=pass",
	" x@mx.example.com; smime=pass",
	" \"mx.example.com;\" 1; smime=pass",
	" \"mx .example.com\"; smime=pass",
	" x,mx.example.com; smime=pass",
	" x:mx.example.com; smime=pass",
	" mx.example.com\v; smime=pass",
	" x; smi(c)me=pass smime=pass (",
};

static const char *const kept[] = {
	" mx.example.com; dkim=pass header.d=example.net",
	" mx.example.com; none",
	" mx.example.com 1; none",
	" mx.example.com",
	" mx.example.com; spf=pass smtp.mailfrom=a@b.example; dkim=pass "
	"header.i=@b.example header.b=\"x/y\"",
	" mx.example.com; auth=pass (cram-md5) smtp.auth=a@b.example",
	" mx.example.com; dmarc=pass policy.at=12:30:00 header.from=x;",
	" mx.example.com;\r\n\tiprev=pass policy.iprev=192.0.2.1",
	" other.example; smime=pass",
	" sub.mx.example.com; smime=pass",
	" mx.example.com.evil.example; smime=pass",
	" xmx.example.com; smime=pass",
	" other.example 1; smime/1=pass (ok) body.smime-identifier=a@b.example",
	" other.example; dkim=pass (good signature); smime = fail",
	/* odd, but it says nothing that we say */
	" foo mx.example.com; dkim=pass",
	" x (mx.example.com; dkim=pass)",
};

static void S176_forged_spellings_are_found(void **state)
{
	static const char nul[] = " mx.example.com\0; smime=pass";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forged); i++)
		if (!ar_is_forged(OWN, view_of(forged[i])))
			fail_msg("kept: %s", forged[i]);
	assert_true(ar_is_forged(OWN, view_make(nul, sizeof(nul) - 1)));
}

static void S176_other_results_stay(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (ar_is_forged(OWN, view_of(kept[i])))
			fail_msg("removed: %s", kept[i]);
}

static struct txn *new_txn(void)
{
	static struct config c;
	static struct gateway g;
	static struct verdict v;
	static struct txn t;
	static char own[] = OWN;

	memset(&c, 0, sizeof(c));
	memset(&t, 0, sizeof(t));
	memset(&g, 0, sizeof(g));
	verdict_init(&v);
	c.authserv_id = own;
	g.config = &c;
	t.g = &g;
	t.v = &v;
	return &t;
}

/* attack A30: names and remarks with CR LF, brackets, quotes, terminal
 * escapes, for a header field of ours
 * verdict: escaped or replaced; no line and no bracket of theirs is left */
static void S175_A30_values_cannot_break_out(void **state)
{
	struct ar_result r = {"pass", "a) b (c \\ d\r\nX: y\033[2J\303\244",
	    "\"a\\\r\nb; dkim=pass\"@example.com", "1/1"};
	struct txn *t = new_txn();
	struct err e = {0};
	const char *value;

	(void)state;
	assert_int_equal(ar_insert(t, &r, 1, &e), 0);
	value = t->v->edit[0].value;
	assert_string_equal(value, " mx.example.com;\n\tsmime=pass "
	    "(a\\) b \\(c \\\\ d??X: y?[2J?" "?)\n"
	    "\tbody.smime-identifier=\"\\\"a\\\\??b; dkim=pass\\\""
	    "@example.com\"\n\tbody.smime-part=\"1/1\"");
	verdict_free(t->v);
}

static void S173_one_result_for_each_signature(void **state)
{
	const struct ar_result r[] = {{"pass", "", "a@b.example", "1/1"},
	    {"policy", "x", NULL, "1"}};
	struct txn *t = new_txn();
	struct err e = {0};

	(void)state;
	assert_int_equal(ar_insert(t, r, 2, &e), 0);
	assert_string_equal(t->v->edit[0].value, " mx.example.com;\n"
	    "\tsmime=pass\n\tbody.smime-identifier=a@b.example\n"
	    "\tbody.smime-part=\"1/1\";\n"
	    "\tsmime=policy (x)\n\tbody.smime-part=1");
	assert_int_equal(t->v->edit[0].kind, EDIT_INSERT_TOP);
	verdict_free(t->v);
}

static void S178_nobody_looked(void **state)
{
	const struct ar_result r = {NULL, "was encrypted", NULL, ""};
	struct txn *t = new_txn();
	struct err e = {0};

	(void)state;
	assert_int_equal(ar_insert(t, &r, 1, &e), 0);
	assert_string_equal(t->v->edit[0].value, " mx.example.com;\n"
	    "\tnone (was encrypted)");
	verdict_free(t->v);
}

static void a_long_comment_is_cut(void **state)
{
	struct ar_result r = {"fail", "", NULL, ""};
	struct txn *t = new_txn();
	struct err e = {0};

	(void)state;
	memset(r.comment, '(', sizeof(r.comment) - 1);
	assert_int_equal(ar_insert(t, &r, 1, &e), 0);
	assert_int_equal(strlen(t->v->edit[0].value), strlen(
	    " mx.example.com;\n\tsmime=fail ()") + 400);
	verdict_free(t->v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S176_forged_spellings_are_found),
		cmocka_unit_test(S176_other_results_stay),
		cmocka_unit_test(S175_A30_values_cannot_break_out),
		cmocka_unit_test(S173_one_result_for_each_signature),
		cmocka_unit_test(S178_nobody_looked),
		cmocka_unit_test(a_long_comment_is_cut),
	};

	return cmocka_run_group_tests_name("gateway_ar", tests, NULL, NULL);
}
