/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The fast way of base64 against the plain one: the same octets out, the
 * same count of odd ones, whatever comes in and however it is cut. On a CPU
 * without the fast way both are the plain one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smime/b64_bulk.h"
#include "smime/codec.h"

#define MOST 40000

static uint32_t seed = 20261121;

static uint32_t any(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(seed >> 1) * below >> 31);
}

/* Pieces of a copy that ends where its memory ends, so that a sanitizer
 * sees what is read behind it. */
static void encode(struct buf *out, const unsigned char *p, size_t n,
    size_t step)
{
	struct b64_enc x;

	buf_clear(out);
	b64_enc_init(&x, sink_to_buf(out));
	for (size_t i = 0; i < n; i += step) {
		size_t k = step < n - i ? step : n - i;
		unsigned char *piece = malloc(k);

		assert_non_null(piece);
		memcpy(piece, p + i, k);
		assert_int_equal(b64_enc_put(&x, piece, k, NULL), 0);
		free(piece);
	}
	assert_int_equal(b64_enc_end(&x, NULL), 0);
}

static size_t decode(struct buf *out, struct view in, size_t step)
{
	struct b64_dec x;

	buf_clear(out);
	b64_dec_init(&x, sink_to_buf(out));
	for (size_t i = 0; i < in.n; i += step) {
		size_t k = step < in.n - i ? step : in.n - i;
		unsigned char *piece = malloc(k);

		assert_non_null(piece);
		memcpy(piece, in.p + i, k);
		assert_int_equal(b64_dec_put(&x, piece, k, NULL), 0);
		free(piece);
	}
	assert_int_equal(b64_dec_end(&x, NULL), 0);
	return x.junk;
}

static void same(const struct buf *a, const struct buf *b)
{
	assert_int_equal(a->n, b->n);
	if (a->n > 0)
		assert_memory_equal(a->p, b->p, a->n);
}

static void both_ways(const unsigned char *p, size_t n, size_t step)
{
	struct buf plain, fast, back;

	buf_init(&plain, 2 * MOST);
	buf_init(&fast, 2 * MOST);
	buf_init(&back, 2 * MOST);
	b64_bulk_use(false);
	encode(&plain, p, n, n + 1);
	b64_bulk_use(true);
	encode(&fast, p, n, step);
	same(&plain, &fast);
	assert_int_equal(decode(&back, buf_view(&fast), step), 0);
	assert_int_equal(back.n, n);
	if (n > 0)
		assert_memory_equal(back.p, p, n);
	buf_free(&plain);
	buf_free(&fast);
	buf_free(&back);
}

static void every_length_and_cut_encodes_the_same(void **state)
{
	static unsigned char p[MOST];

	(void)state;
	for (size_t i = 0; i < sizeof(p); i++)
		p[i] = (unsigned char)any(256);
	for (size_t n = 0; n < 400; n++)
		both_ways(p + n % 7, n, 1 + any(200));
	for (int i = 0; i < 300; i++)
		both_ways(p + any(64), any(MOST - 64), 1 + any(9000));
}

static void every_value_of_every_place(void **state)
{
	unsigned char p[96];

	(void)state;
	for (size_t at = 0; at < 57; at++) {
		for (unsigned c = 0; c < 256; c++) {
			memset(p, 0, sizeof(p));
			p[at] = (unsigned char)c;
			both_ways(p, sizeof(p), sizeof(p));
		}
	}
}

/* The decoder must stop at exactly the octets that are of no alphabet. */
static void every_octet_at_every_place_decodes_the_same(void **state)
{
	char line[161];
	struct buf plain, fast;
	size_t junk;

	(void)state;
	buf_init(&plain, MOST);
	buf_init(&fast, MOST);
	for (size_t at = 0; at < 76; at++) {
		for (unsigned c = 0; c < 256; c++) {
			memset(line, 'Q', sizeof(line));
			memcpy(line + 76, "\r\n", 2);
			memcpy(line + 154, "\r\n", 2);
			line[at] = (char)c;
			b64_bulk_use(false);
			junk = decode(&plain, view_make(line, 161), 161);
			b64_bulk_use(true);
			assert_int_equal(decode(&fast, view_make(line, 161),
			    161), junk);
			same(&plain, &fast);
		}
	}
	buf_free(&plain);
	buf_free(&fast);
}

/* Text that is base64 more or less. */
static size_t make_text(char *to, size_t most)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijk"
				       "lmnopqrstuvwxyz0123456789+/";
	uint32_t line = any(4) > 0 ? 76 : 1 + any(120);
	uint32_t odd = any(3) > 0 ? 5000 : 20;
	bool is_crlf = any(4) > 0;
	size_t n = 0;

	for (uint32_t col = 0; n + 3 < most; n++) {
		if (col++ == line) {
			if (is_crlf)
				to[n++] = '\r';
			to[n] = '\n';
			col = 0;
		} else if (any(odd) == 0) {
			to[n] = (char)any(256);
		} else if (any(odd) == 0) {
			to[n] = '=';
		} else {
			to[n] = alphabet[any(64)];
		}
	}
	return n;
}

static void garbage_decodes_the_same(void **state)
{
	static char text[MOST];
	struct buf plain, fast;
	size_t junk;

	(void)state;
	buf_init(&plain, MOST);
	buf_init(&fast, MOST);
	for (int i = 0; i < 2000; i++) {
		struct view in = view_make(text, make_text(text, 8 + any(
		    i % 50 == 0 ? MOST - 8 : 2000)));

		b64_bulk_use(false);
		junk = decode(&plain, in, in.n);
		b64_bulk_use(true);
		assert_int_equal(decode(&fast, in, 1 + any(9000)), junk);
		same(&plain, &fast);
	}
	buf_free(&plain);
	buf_free(&fast);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_and_cut_encodes_the_same),
		cmocka_unit_test(every_value_of_every_place),
		cmocka_unit_test(every_octet_at_every_place_decodes_the_same),
		cmocka_unit_test(garbage_decodes_the_same),
	};

	return cmocka_run_group_tests_name("smime_b64_bulk", tests, NULL,
	    NULL);
}
