/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Base64 read in place: the same octets as the decoder writes, from
 * anywhere; and whatever is not quite regular is left to the decoder.
 */
#include "smime/octets.h"

#include "smime/codec.h"
#include "smime_help.h"

static uint32_t seed = 5;

static uint32_t any(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(seed >> 1) * below >> 31);
}

static int take(struct octets *o, const struct spool *s)
{
	struct err e = { 0 };

	return octets_of_base64(o, s, 0, spool_size(s), &e);
}

/* Regular or not, what is read is what the decoder writes. */
static int compare(struct view text)
{
	struct spool *s = spool_with(text), *want = spool_empty();
	struct sink to = spool_sink(want);
	struct octets o;
	size_t junk, got, got2;
	int r = take(&o, s);

	assert_int_equal(codec_decode(s, 0, text.n, CTE_BASE64, &to, &junk,
	    NULL), 0);
	for (int i = 0; r == 1 && i < 60; i++) {
		static unsigned char a[40000], b[40000];
		uint64_t off = any((uint32_t)spool_size(want) + 2);
		size_t n = any(i % 4 == 0 ? sizeof(a) : 300);

		if (i == 0) {
			off = 0;
			n = sizeof(a);
		}
		assert_int_equal(o.size, spool_size(want));
		assert_int_equal(junk, 0);
		assert_int_equal(octets_read(&o, off, a, n, &got, NULL), 0);
		assert_int_equal(spool_read(want, off, b, n, &got2, NULL), 0);
		assert_int_equal(got, got2);
		assert_memory_equal(a, b, got);
	}
	spool_free(&s);
	spool_free(&want);
	return r;
}

static size_t make_text(char *p, size_t octets, size_t line, bool has_cr)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijk"
				       "lmnopqrstuvwxyz0123456789+/";
	size_t chars = (octets + 2) / 3 * 4, n = 0;

	for (size_t i = 0; i < chars; i++) {
		p[n++] = alphabet[any(64)];
		if ((i + 1) % line == 0 || i + 1 == chars) {
			if (has_cr)
				p[n++] = '\r';
			p[n++] = '\n';
		}
	}
	/* what the last quad has less */
	for (size_t k = (3 - octets % 3) % 3; k > 0; k--)
		p[n - (has_cr ? 2 : 1) - k] = '=';
	return n;
}

static void regular_text_is_read_in_place(void **state)
{
	static const size_t line[] = { 4, 8, 64, 72, 76, 200 };
	static char p[200000];

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(line); k++)
		for (int i = 0; i < 60; i++) {
			size_t least = line[k] / 4 * 3 * 2 + 3;
			size_t octets = least + any(i % 10 == 0 ? 60000
							       : 2000);

			assert_int_equal(compare(view_make(p, make_text(p,
			    octets, line[k], i % 3 > 0))), 1);
		}
}

/* The end may be what ends may be. */
static void ends_of_regular_text(void **state)
{
	static const char *const end[] = { "", "\r\n", "\r\n\r\n", " \r\n",
		"\t", "=", "A", "QUI", "QQ==", "=\r\nQQ" };
	char p[20000];

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(end); k++) {
		for (size_t octets = 500; octets < 700; octets++) {
			size_t n = make_text(p, octets, 76, true);

			memcpy(p + n, end[k], strlen(end[k]));
			(void)compare(view_make(p, n + strlen(end[k])));
			(void)compare(view_make(p, n - 1));
			(void)compare(view_make(p, n - 3));
		}
	}
}

/* One octet changed anywhere: never octets that the decoder has not. */
static void one_octet_that_does_not_belong(void **state)
{
	static const char odd[] = " \t\r\n=-.A\0\200";
	char p[4000], one;

	(void)state;
	for (size_t at = 0; at < 1400; at++) {
		size_t n = make_text(p, 1000, 76, true);

		for (size_t k = 0; k < sizeof(odd) - 1; k++) {
			bool is_inside = at < 1200 && odd[k] != p[at] &&
			    (odd[k] != 'A' || p[at] == '\r' || p[at] == '\n');

			if (at >= n)
				continue;
			one = p[at];
			p[at] = odd[k];
			if (is_inside)
				assert_int_equal(compare(view_make(p, n)),
				    0);
			else
				(void)compare(view_make(p, n));
			p[at] = one;
		}
	}
}

/* What one line has more another one has less: the count is right, the
 * places are not. */
static void A41_places_that_only_add_up(void **state)
{
	static char p[300000];
	size_t n = make_text(p, 150000, 76, true);

	(void)state;
	assert_int_equal(compare(view_make(p, n)), 1);
	/* where chunks meet: the CR before LF is another character, and a
	 * blank elsewhere makes up for it */
	for (size_t at = 77; at + 78 < n; at += 78) {
		p[at - 1] = 'A';
		p[at - 40] = ' ';
		if (at % 4992 == 77)
			assert_int_equal(compare(view_make(p, n)), 0);
		p[at - 1] = '\r';
		p[at - 40] = 'B';
	}
	for (size_t cut = 60000; cut < 66000; cut += 78) {
		size_t lf = cut / 78 * 78 + 77;

		/* four of them make a whole quad */
		for (size_t k = 0; k < 4; k++) {
			p[lf - 1 + 78 * k] = 'A';
			p[lf - 30 + 78 * k] = ' ';
		}
		assert_int_equal(compare(view_make(p, n)), 0);
		for (size_t k = 0; k < 4; k++) {
			p[lf - 1 + 78 * k] = '\r';
			p[lf - 30 + 78 * k] = 'C';
		}
	}
	assert_int_equal(compare(view_make(p, n)), 1);
}

static void what_is_no_text_of_lines(void **state)
{
	char p[2000];

	(void)state;
	assert_int_equal(compare(view_make("", 0)), 0);
	assert_int_equal(compare(view_of("QUJD")), 0);
	assert_int_equal(compare(view_of("QUJD\r\n")), 0);
	assert_int_equal(compare(view_of("QUJD\r\nQUJD\r\n")), 1);
	assert_int_equal(compare(view_of("\r\nQUJD\r\nQUJD\r\n")), 0);
	assert_int_equal(compare(view_of("\n\n\n\n")), 0);
	assert_int_equal(compare(view_of("QUJ\r\nQUJ\r\nQUJ\r\n")), 0);
	assert_int_equal(compare(view_of("QUJD\nQUJD\r\nQUJD\n")), 0);
	memset(p, 'Q', sizeof(p));
	assert_int_equal(compare(view_make(p, sizeof(p))), 0);
	for (size_t i = 204; i + 1 < sizeof(p); i += 206)
		memcpy(p + i, "\r\n", 2);
	assert_int_equal(compare(view_make(p, sizeof(p))), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_text_of_lines),
		cmocka_unit_test(one_octet_that_does_not_belong),
		cmocka_unit_test(A41_places_that_only_add_up),
		cmocka_unit_test(ends_of_regular_text),
		cmocka_unit_test(regular_text_is_read_in_place),
	};

	return cmocka_run_group_tests_name("smime_octets", tests, NULL,
	    NULL);
}
