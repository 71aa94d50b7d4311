/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Searches against loops that look at one octet after the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/find.h"

static size_t plain_pair(struct view v, size_t off, unsigned char a,
    unsigned char b)
{
	for (size_t i = off; i + 1 < v.n; i++)
		if (v.p[i] == a && v.p[i + 1] == b)
			return i;
	return v.n;
}

/* One pair in every place of every length, in memory that ends there. */
static void a_pair_is_found_in_every_place(void **state)
{
	(void)state;
	for (size_t n = 1; n < 200; n++) {
		unsigned char *p = calloc(1, n);
		struct view v = view_make(p, n);

		assert_non_null(p);
		for (size_t at = 0; at < n; at++) {
			memset(p, '\r', n);
			p[at] = '-';
			assert_int_equal(find_pair(v, 0, '\r', '-'),
			    at == 0 ? n : at - 1);
			assert_int_equal(find_pair(v, at, '\r', '-'), n);
			memset(p, '-', n);
			p[at] = '\n';
			assert_int_equal(find_pair(v, 0, '\n', '-'),
			    at == n - 1 ? n : at);
		}
		free(p);
	}
}

static void pairs_of_random_octets(void **state)
{
	unsigned char p[1000] = { 0 };
	struct view v = view_make(p, sizeof(p));
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < sizeof(p); i++) {
			seed = seed * 1664525 + 1013904223;
			p[i] = (seed >> 24) % 16 == 0 ? '\r' : '-';
			if ((seed >> 16) % 3 > 0)
				p[i] = 'x';
		}
		for (size_t off = 0; off <= v.n; off++)
			assert_int_equal(find_pair(v, off, '\r', '-'),
			    plain_pair(v, off, '\r', '-'));
	}
}

static void nothing_has_no_pair(void **state)
{
	(void)state;
	assert_int_equal(find_pair(view_make("", 0), 0, 'a', 'b'), 0);
	assert_int_equal(find_pair(view_make("a", 1), 0, 'a', 'b'), 1);
	assert_int_equal(find_pair(view_make("ab", 2), 5, 'a', 'b'), 2);
	assert_int_equal(find_text_end(view_make("", 0)), 0);
}

static bool is_text(unsigned char c)
{
	return (c >= '\b' && c <= '\r') || (c >= 32 && c < 127);
}

static void text_ends_before_the_octet_that_is_none(void **state)
{
	unsigned char p[64] = { 0 };
	struct view v = view_make(p, sizeof(p));

	(void)state;
	memset(p, 'x', sizeof(p));
	assert_int_equal(find_text_end(v), sizeof(p));
	for (size_t at = 0; at < sizeof(p); at++) {
		for (unsigned c = 0; c < 256; c++) {
			memset(p, 'x', sizeof(p));
			p[at] = (unsigned char)c;
			if (is_text((unsigned char)c))
				assert_int_equal(find_text_end(v), v.n);
			else
				assert_int_equal(find_text_end(v),
				    at / 16 * 16);
		}
	}
	for (size_t n = 0; n < sizeof(p); n++) {
		memset(p, ' ', sizeof(p));
		assert_int_equal(find_text_end(view_make(p, n)), n / 16 * 16);
	}
}

static void bare_line_ends_in_every_place(void **state)
{
	(void)state;
	assert_int_equal(find_bare_lf(view_make("", 0), 0, 0), 0);
	for (size_t n = 1; n < 200; n++) {
		unsigned char *p = calloc(1, n);
		struct view v = view_make(p, n);

		assert_non_null(p);
		for (size_t at = 0; at < n; at++) {
			memset(p, '\r', n);
			p[at] = '\n';
			assert_int_equal(find_bare_lf(v, 0, '\r'), n);
			assert_int_equal(find_bare_lf(v, 0, 'x'),
			    at == 0 ? 0 : n);
			memset(p, 'x', n);
			p[at] = '\n';
			assert_int_equal(find_bare_lf(v, 0, 'x'), at);
			assert_int_equal(find_bare_lf(v, at, 'x'), at);
			assert_int_equal(find_bare_lf(v, at + 1, '\r'), n);
		}
		memset(p, '\n', n);
		for (size_t at = 1; at < n; at++)
			assert_int_equal(find_bare_lf(v, at, '\r'), at);
		free(p);
	}
}

/* What the header says, one octet after the other. */
static bool is_plain(struct view v, size_t most)
{
	size_t line = 0;

	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = v.p[i], before = i > 0 ? v.p[i - 1] : 0;

		if (!is_text(c) || (before == '\r') != (c == '\n') ||
		    (c == '\r' && (before == ' ' || before == '\t')))
			return false;
		if (i == line && (c == '.' || c == '>' || c == 'F'))
			return false;
		if (c == '\n' && i + 1 - line > most)
			return false;
		if (c == '\n')
			line = i + 1;
	}
	return line == v.n;
}

static void plain_lines_are_plain(void **state)
{
	static const char odd[] = "\r\n \t.>F\0\177\200-";
	unsigned char p[3000];
	uint32_t seed = 3;
	size_t plain = 0;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		size_t line = 1 + (size_t)round % 300, n;

		for (size_t i = 0; i < sizeof(p); i++)
			p[i] = i % line == line - 1 ? '\n' :
			    i % line == line - 2 ? '\r' : 'x';
		for (int k = round % 4; k > 0; k--) {
			seed = seed * 1664525 + 1013904223;
			p[(seed >> 8) % sizeof(p)] =
			    (unsigned char)odd[seed % (sizeof(odd) - 1)];
		}
		n = find_plain_lines(view_make(p, sizeof(p)), 200);
		assert_true(is_plain(view_make(p, n), 200));
		plain += n;
	}
	assert_true(plain > 1000000);
}

/* One odd octet anywhere ends them before its line. */
static void plain_lines_end_before_an_odd_one(void **state)
{
	static const struct {
		const char *what;
		size_t n;
	} odd[] = {
		{ "\r", 1 }, { "\n", 1 }, { " \r\n", 3 }, { "\t\r\n", 3 },
		{ "\r\n.", 3 }, { "\r\n>", 3 }, { "\r\nF", 3 },
		{ "\0", 1 }, { "\33", 1 }, { "\177", 1 }, { "\200", 1 },
		{ "\377", 1 }, { "\r\r\n", 3 }, { "\r\n\n", 3 },
	};
	unsigned char p[400];

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(odd); k++) {
		for (size_t at = 0; at + 8 < sizeof(p); at++) {
			size_t n;

			if (at % 50 > 44) /* there are line ends */
				continue;
			memset(p, 'x', sizeof(p));
			for (size_t i = 48; i < sizeof(p); i += 50)
				memcpy(p + i, "\r\n", 2);
			memcpy(p + at, odd[k].what, odd[k].n);
			n = find_plain_lines(view_make(p, sizeof(p)), 200);
			assert_true(n <= at + 2);
			assert_true(is_plain(view_make(p, n), 200));
		}
	}
}

/* What the header says, one octet after the other. */
static bool are_smtp_lines(struct view v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((v.p[i] == '\r') != (v.p[i + 1] == '\n') ||
		    (v.p[i] == '\n' && v.p[i + 1] == '.'))
			return false;
	return true;
}

/* One odd pair in every place of every length, in memory that ends there. */
static void smtp_lines_end_before_an_odd_pair(void **state)
{
	static const char *const odd[] = { "\rx", "x\n", "\n.", "\r\r",
		"\n\n" };

	(void)state;
	assert_int_equal(find_smtp_lines(view_make("", 0)), 0);
	for (size_t n = 1; n < 300; n++) {
		unsigned char *p = malloc(n);
		struct view v = view_make(p, n);
		size_t all = (n - 1) / FIND_STEP * FIND_STEP, got;

		assert_non_null(p);
		for (size_t i = 0; i < n; i++)
			p[i] = i % 50 == 48 ? '\r' : i % 50 == 49 ? '\n' :
			    i % 9 == 8 ? '.' : 'x';
		assert_int_equal(find_smtp_lines(v), all);
		for (size_t at = 0; at + 1 < n; at++) {
			unsigned char was[2] = { p[at], p[at + 1] };

			memcpy(p + at, odd[at % ARRAY_LEN(odd)], 2);
			got = find_smtp_lines(v);
			assert_int_equal(got % FIND_STEP, 0);
			assert_true(got <= at && got <= all);
			assert_true(are_smtp_lines(v, got));
			memcpy(p + at, was, 2);
		}
		free(p);
	}
}

static void first_octets_and_long_lines(void **state)
{
	unsigned char p[600] = { 0 };
	struct view v = view_make(p, sizeof(p));

	(void)state;
	memset(p, 'x', sizeof(p));
	for (size_t i = 48; i < sizeof(p); i += 50)
		memcpy(p + i, "\r\n", 2);
	assert_true(find_plain_lines(v, 200) >= 400);
	assert_int_equal(find_plain_lines(view_make(p, 0), 200), 0);
	for (const char *s = ".>F\n"; *s != '\0'; s++) {
		p[0] = (unsigned char)*s;
		assert_int_equal(find_plain_lines(v, 200), 0);
	}
	for (size_t n = 150; n < 500; n++) {
		memset(p, 'x', sizeof(p));
		memcpy(p + n - 2, "\r\n", 2);
		assert_int_equal(find_plain_lines(v, 200) <= 200, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_has_no_pair),
		cmocka_unit_test(a_pair_is_found_in_every_place),
		cmocka_unit_test(pairs_of_random_octets),
		cmocka_unit_test(text_ends_before_the_octet_that_is_none),
		cmocka_unit_test(bare_line_ends_in_every_place),
		cmocka_unit_test(plain_lines_are_plain),
		cmocka_unit_test(plain_lines_end_before_an_odd_one),
		cmocka_unit_test(smtp_lines_end_before_an_odd_pair),
		cmocka_unit_test(first_octets_and_long_lines),
	};

	return cmocka_run_group_tests_name("util_find", tests, NULL, NULL);
}
