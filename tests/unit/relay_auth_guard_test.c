/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of relay/auth_guard.c: places, windows, a table that is full. The time
 * is made up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/auth_guard.h"

static int64_t fail_once(struct guard *g, const char *ip, int n, int64_t now)
{
	const struct view what = view_make(&n, sizeof(n));

	if (guard_begin(g, ip, now) != GUARD_TRY)
		return -1;
	return guard_done(g, ip, false, what, now);
}

static void prefixes_are_32_and_64(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} t[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.1", "::ffff:192.0.2.1", true },
		{ "2001:db8::1", "2001:db8::2", true },
		{ "2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff", true },
		{ "2001:db8::1", "2001:db8:0:1::1", false },
		{ "unix", "unix", true },
		{ "unix", "192.0.2.1", false },
	};
	struct guard *g = NULL;
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++) {
		assert_int_equal(guard_new(&g, NULL), 0);
		for (n = 0; n < GUARD_FAILURES; n++)
			assert_true(fail_once(g, t[i].a, n, 0) > 0);
		assert_int_equal(guard_look(g, t[i].a, 1), GUARD_THROTTLED);
		if ((guard_look(g, t[i].b, 1) == GUARD_THROTTLED) !=
		    t[i].same)
			fail_msg("%s %s", t[i].a, t[i].b);
		guard_free(&g);
	}
}

static void throttling_ends_after_its_window(void **state)
{
	struct guard *g = NULL;
	int n;

	(void)state;
	assert_int_equal(guard_new(&g, NULL), 0);
	for (n = 0; n < GUARD_FAILURES; n++)
		(void)fail_once(g, "192.0.2.1", n, 1000 * n);
	assert_int_equal(guard_begin(g, "192.0.2.1", 1000 * (n - 1) +
	    GUARD_WINDOW_MS), GUARD_THROTTLED);
	assert_int_equal(guard_begin(g, "192.0.2.1", 1000 * (n - 1) +
	    GUARD_WINDOW_MS + 1), GUARD_TRY);
	assert_int_equal(guard_done(g, "192.0.2.1", false, view_of("x"),
	    GUARD_WINDOW_MS + 60000), GUARD_DELAY_MS);
	guard_free(&g);
}

static void guesses_beside_each_other_are_counted(void **state)
{
	struct guard *g = NULL;
	int n;

	(void)state;
	assert_int_equal(guard_new(&g, NULL), 0);
	for (n = 0; n < GUARD_AT_ONCE; n++)
		assert_int_equal(guard_begin(g, "192.0.2.1", 0), GUARD_TRY);
	assert_int_equal(guard_begin(g, "192.0.2.1", 0), GUARD_BUSY);
	assert_int_equal(guard_begin(g, "192.0.2.2", 0), GUARD_TRY);
	/* as many as may be wrong run: each that was makes room for none */
	for (n = 0; n < GUARD_AT_ONCE; n++) {
		(void)guard_done(g, "192.0.2.1", false, view_make(&n,
		    sizeof(n)), 0);
		assert_int_equal(guard_begin(g, "192.0.2.1", 0),
		    GUARD_THROTTLED);
	}
	/* where one was wrong, few run beside each other */
	(void)fail_once(g, "192.0.2.3", 1, 0);
	for (n = 0; n < GUARD_AT_ONCE_BAD; n++)
		assert_int_equal(guard_begin(g, "192.0.2.3", 0), GUARD_TRY);
	assert_int_equal(guard_begin(g, "192.0.2.3", 0), GUARD_BUSY);
	/* and where nine were, one */
	for (n = 0; n < GUARD_FAILURES - 1; n++)
		(void)fail_once(g, "192.0.2.4", n, 0);
	assert_int_equal(guard_begin(g, "192.0.2.4", 0), GUARD_TRY);
	assert_int_equal(guard_begin(g, "192.0.2.4", 0), GUARD_THROTTLED);
	guard_free(&g);
}

/* Tried: so many places guess that the table is full
 * Answered: it does not grow, and the worst stay in it
 */
static void table_is_bounded_and_keeps_the_worst(void **state)
{
	struct guard *g = NULL;
	char ip[40];
	int n;

	(void)state;
	assert_int_equal(guard_new(&g, NULL), 0);
	for (n = 0; n < GUARD_FAILURES; n++)
		(void)fail_once(g, "192.0.2.1", n, 0);
	for (n = 0; n < 5 * GUARD_PREFIXES; n++) {
		(void)snprintf(ip, sizeof(ip), "10.%d.%d.%d", n >> 16,
		    n >> 8 & 255, n & 255);
		assert_true(fail_once(g, ip, n, 1 + n) > 0);
	}
	assert_int_equal(guard_look(g, "192.0.2.1", 1), GUARD_THROTTLED);
	guard_free(&g);
}

static void throttling_is_told_once_a_minute(void **state)
{
	struct guard *g = NULL;

	(void)state;
	assert_int_equal(guard_new(&g, NULL), 0);
	(void)fail_once(g, "192.0.2.1", 1, 0);
	assert_true(guard_is_news(g, "192.0.2.1", 10));
	assert_false(guard_is_news(g, "192.0.2.1", 11));
	assert_false(guard_is_news(g, "192.0.2.1", 60009));
	assert_true(guard_is_news(g, "192.0.2.1", 60010));
	guard_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_are_32_and_64),
		cmocka_unit_test(throttling_ends_after_its_window),
		cmocka_unit_test(guesses_beside_each_other_are_counted),
		cmocka_unit_test(table_is_bounded_and_keeps_the_worst),
		cmocka_unit_test(throttling_is_told_once_a_minute),
	};

	return cmocka_run_group_tests_name("relay_auth_guard", tests, NULL,
	    NULL);
}
