/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of util/err.c: one line, no overflow, untrusted octets escaped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "util/err.h"

static void newline_in_text_is_scrubbed(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_set(&e, FAIL_INPUT, "a%sb\x7f", "\r\n"), -1);
	assert_string_equal(e.msg, "a??b?");
	assert_int_equal(e.kind, FAIL_INPUT);
}

static void long_text_is_cut(void **state)
{
	char big[2000];
	struct err e = { 0 };

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	(void)err_set(&e, FAIL_BUG, "%s", big);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	(void)err_add(&e, "front");
	assert_memory_equal(e.msg, "front: xxx", 10);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	(void)err_add(&e, "%s", big);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	assert_int_equal(e.kind, FAIL_BUG);
}

static void null_error_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, FAIL_TEMP, "x"), -1);
	assert_int_equal(err_add(NULL, "x"), -1);
	assert_int_equal(err_sys(NULL, FAIL_TEMP, "x"), -1);
	err_clear(NULL);
}

static void own_text_as_argument(void **state)
{
	struct err e = { 0 };

	(void)state;
	(void)err_set(&e, FAIL_INPUT, "inner");
	(void)err_set(&e, FAIL_TEMP, "outer (%s)", e.msg);
	assert_string_equal(e.msg, "outer (inner)");
	(void)err_add(&e, "file %d", 7);
	assert_string_equal(e.msg, "file 7: outer (inner)");
	err_clear(&e);
	assert_int_equal(e.kind, 0);
	assert_string_equal(e.msg, "");
}

static void errno_is_named(void **state)
{
	struct err e = { 0 };

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_sys(&e, FAIL_TEMP, "open %s", "f"), -1);
	assert_string_equal(e.msg, "open f: No such file or directory");
}

/* attack A42: control octets in what an error message quotes
 * verdict: escaped */
static void A42_quote_escapes_what_is_odd(void **state)
{
	char q[ERR_QUOTED];

	(void)state;
	assert_string_equal(err_quote(q, sizeof(q), "a\r\nb\0\xff\"\\'", 9),
	    "a\\x0d\\x0ab\\x00\\xff\\\"\\\\\\'");
	assert_string_equal(err_quote(q, sizeof(q), NULL, 0), "");
}

static void quote_cuts_at_80(void **state)
{
	char q[ERR_QUOTED], in[82];

	(void)state;
	memset(in, '\n', sizeof(in));
	err_quote(q, sizeof(q), in, 79);
	assert_int_equal(strlen(q), 79 * 4);
	err_quote(q, sizeof(q), in, 80);
	assert_int_equal(strlen(q), 80 * 4);
	err_quote(q, sizeof(q), in, 81);
	assert_int_equal(strlen(q), 80 * 4 + 3);
	assert_string_equal(q + 80 * 4, "...");
}

static void quote_in_small_room(void **state)
{
	char q[10];
	size_t n;

	(void)state;
	for (n = 1; n <= sizeof(q); n++) {
		memset(q, 'Z', sizeof(q));
		err_quote(q, n, "\n\n\n\n\n", 5);
		assert_true(strlen(q) < n);
	}
	assert_string_equal(err_quote(q, 0, "x", 1), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newline_in_text_is_scrubbed),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(null_error_is_allowed),
		cmocka_unit_test(own_text_as_argument),
		cmocka_unit_test(errno_is_named),
		cmocka_unit_test(A42_quote_escapes_what_is_odd),
		cmocka_unit_test(quote_cuts_at_80),
		cmocka_unit_test(quote_in_small_room),
	};

	return cmocka_run_group_tests_name("util_err", tests, NULL, NULL);
}
