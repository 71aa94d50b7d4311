/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Messages that kill: identity by octets, counting, forgetting.
 */
#include "milter/poison.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void hash_of(const unsigned char *p, size_t n, size_t step,
    unsigned char out[32])
{
	struct spool *s;
	size_t at, k;

	assert_int_equal(spool_new(&s, 10u << 20, NULL), 0);
	for (at = 0; at < n; at += k) {
		k = n - at < step ? n - at : step;
		assert_int_equal(spool_write(s, p + at, k, NULL), 0);
	}
	assert_int_equal(poison_hash(s, out, NULL), 0);
	spool_free(&s);
}

static void same_octets_same_hash_however_spooled(void **state)
{
	static const size_t size[] = { 0, 1, 65535, 65536, 65537, 131072,
		700000 };
	unsigned char *p = malloc(700001), a[32], b[32], seen[7][32];
	size_t i, k;

	(void)state;
	assert_non_null(p);
	for (i = 0; i < 700001; i++)
		p[i] = (unsigned char)(i * 7 + i / 251);
	for (i = 0; i < 7; i++) {
		hash_of(p, size[i], 1000, a);
		hash_of(p, size[i], 70001, b);
		assert_memory_equal(a, b, 32);
		memcpy(seen[i], a, 32);
		for (k = 0; k < i; k++)
			assert_memory_not_equal(seen[k], a, 32);
		if (size[i] == 0)
			continue;
		p[size[i] - 1] ^= 1;
		hash_of(p, size[i], 1000, b);
		assert_memory_not_equal(a, b, 32);
		p[size[i] - 1] ^= 1;
	}
	free(p);
}

static void second_death_is_final(void **state)
{
	unsigned char h[32] = { 1 }, other[32] = { 2 };
	struct poison *p;

	(void)state;
	assert_int_equal(poison_new(&p, NULL), 0);
	assert_false(poison_is(p, h));
	assert_int_equal(poison_death(p, h, 100), 1);
	assert_false(poison_is(p, h));
	assert_false(poison_maybe(p, 100));
	assert_int_equal(poison_death(p, other, 100), 1);
	assert_int_equal(poison_death(p, h, 100), 2);
	assert_true(poison_is(p, h));
	assert_true(poison_maybe(p, 100));
	assert_false(poison_maybe(p, 101));
	assert_false(poison_is(p, other));
	poison_free(&p);
	poison_free(&p);
}

static void the_oldest_is_forgotten(void **state)
{
	unsigned char h[32] = { 0 }, first[32] = { 0 };
	struct poison *p;
	int i;

	(void)state;
	assert_int_equal(poison_new(&p, NULL), 0);
	(void)poison_death(p, first, 5);
	assert_int_equal(poison_death(p, first, 5), 2);
	for (i = 1; i <= 256; i++) {
		assert_true(i == 256 || poison_is(p, first));
		h[0] = (unsigned char)i;
		h[1] = (unsigned char)(i >> 8);
		h[2] = 1;
		assert_int_equal(poison_death(p, h, 6), 1);
	}
	assert_false(poison_is(p, first));
	poison_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_octets_same_hash_however_spooled),
		cmocka_unit_test(second_death_is_final),
		cmocka_unit_test(the_oldest_is_forgotten),
	};

	return cmocka_run_group_tests_name("milter_poison", tests, NULL,
	    NULL);
}
