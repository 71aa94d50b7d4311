/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of util/sink.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/sink.h"

static int refuse(void *arg, const void *p, size_t n, struct err *e)
{
	(void)p;
	(void)n;
	++*(int *)arg;
	return err_set(e, FAIL_TEMP, "refused");
}

static void failure_is_handed_on(void **state)
{
	int calls = 0;
	struct sink s = { refuse, &calls };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(sink_put(&s, NULL, 0, &e), 0); /* nothing to put */
	assert_int_equal(calls, 0);
	assert_int_equal(sink_puts(&s, "x", &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	assert_int_equal(calls, 1);
}

static void full_buffer_is_a_limit(void **state)
{
	struct err e = { 0 };
	struct sink s;
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	s = sink_to_buf(&b);
	assert_int_equal(sink_puts(&s, "abcd", &e), 0);
	assert_int_equal(sink_put(&s, "e", 1, &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	assert_string_equal(buf_str(&b), "abcd");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failure_is_handed_on),
		cmocka_unit_test(full_buffer_is_a_limit),
	};

	return cmocka_run_group_tests_name("util_sink", tests, NULL, NULL);
}
