/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The scan of whole chunks, which passes over plain lines at once, against
 * that of one octet at a time, which cannot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smime/scan.h"

static uint32_t seed = 11;

static uint32_t any(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(seed >> 1) * below >> 31);
}

static unsigned scan_by(struct view v, size_t step)
{
	struct scan s = {0};

	for (size_t i = 0; i < v.n; i += step)
		scan_put(&s, view_sub(v, i, step));
	return scan_end(&s);
}

static size_t make_text(char *p, size_t most)
{
	static const char odd[] = "\r\n \t.>F\0\177\200\33-=";
	uint32_t line = 1 + any(3) * any(500) + any(200);
	uint32_t odds = any(3) == 0 ? 100 : 3000;
	size_t n = 0;

	while (n + line + 20 < most) {
		if (any(20) == 0)
			line = 1 + any(1200);
		for (uint32_t i = 0; i < line && n + 20 < most; i++)
			p[n++] = any(odds) == 0 ? odd[any(sizeof(odd) - 1)]
						: 'x';
		if (any(odds) == 0)
			p[n++] = any(2) == 0 ? ' ' : '\t';
		if (any(odds) > 0)
			p[n++] = '\r';
		if (any(odds) > 0)
			p[n++] = '\n';
		if (any(odds) < 3) {
			memcpy(p + n, ">From ", 6);
			n += 6;
		}
	}
	return n;
}

static void flags_do_not_depend_on_chunks(void **state)
{
	static char text[20000];
	unsigned seen = 0, all = ~0u;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct view v = view_make(text, make_text(text, 100 +
		    any(sizeof(text) - 100)));
		unsigned want = scan_by(v, 1);

		assert_int_equal(scan_by(v, v.n + 1), want);
		assert_int_equal(scan_by(v, 1 + any(3000)), want);
		seen |= want;
		all &= want;
	}
	/* each of them was there, and not always */
	assert_int_equal(seen & (SCAN_FRAGILE | SCAN_LF | SCAN_CRLF),
	    SCAN_FRAGILE | SCAN_LF | SCAN_CRLF);
	assert_int_equal(all & SCAN_FRAGILE, 0);
}

static void lines_around_the_limits(void **state)
{
	static char text[4 * SCAN_LINE_MAX];

	(void)state;
	for (size_t n = SCAN_LINE_SAFE - 70; n < SCAN_LINE_MAX + 3; n++) {
		unsigned want = SCAN_CRLF;

		memset(text, 'x', sizeof(text));
		memcpy(text + n, "\r\n", 2);
		memcpy(text + 2 * n + 2, "\r\n", 2);
		if (n > SCAN_LINE_SAFE)
			want |= SCAN_WIDE;
		if (n > SCAN_LINE_MAX)
			want |= SCAN_LONG;
		assert_int_equal(scan_by(view_make(text, 2 * n + 4), 5000),
		    want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_do_not_depend_on_chunks),
		cmocka_unit_test(lines_around_the_limits),
	};

	return cmocka_run_group_tests_name("smime_scan", tests, NULL, NULL);
}
