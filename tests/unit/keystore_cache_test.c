/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The table of bounded size: what is kept, what goes, nothing leaks.
 */
#include "tests/unit/keystore_util.h"

#include "keystore/keystore_int.h"

static int dropped;

static void count_drop(void *value)
{
	dropped++;
	free(value);
}

static const unsigned char *key(int i)
{
	static unsigned char k[32];

	memset(k, 0, sizeof(k));
	memcpy(k, &i, sizeof(i));
	return k;
}

static void put(struct lru *l, int i, int value)
{
	int *v = malloc(sizeof(*v));

	*v = value;
	lru_put(l, key(i), v);
}

static int get(struct lru *l, int i)
{
	int *v = lru_get(l, key(i));

	return v != NULL ? *v : -1;
}

static void oldest_goes_at_the_cap(void **state)
{
	struct lru *l = lru_new(3, count_drop);

	(void)state;
	dropped = 0;
	assert_int_equal(get(l, 1), -1);
	put(l, 1, 10);
	put(l, 2, 20);
	assert_int_equal(dropped, 0);
	put(l, 3, 30); /* full */
	assert_int_equal(dropped, 0);
	assert_int_equal(get(l, 1), 10); /* now 2 is the oldest */
	put(l, 4, 40);
	assert_int_equal(dropped, 1);
	assert_int_equal(get(l, 2), -1);
	assert_int_equal(get(l, 1), 10);
	assert_int_equal(get(l, 3), 30);
	assert_int_equal(get(l, 4), 40);
	lru_free(&l);
	assert_null(l);
	assert_int_equal(dropped, 4);
	lru_free(&l);
}

static void same_key_replaces(void **state)
{
	struct lru *l = lru_new(2, count_drop);

	(void)state;
	dropped = 0;
	put(l, 1, 10);
	put(l, 2, 20);
	put(l, 1, 11);
	assert_int_equal(dropped, 1);
	assert_int_equal(get(l, 1), 11);
	assert_int_equal(get(l, 2), 20);
	lru_clear(l);
	assert_int_equal(dropped, 3);
	assert_int_equal(get(l, 1), -1);
	put(l, 1, 12); /* usable after */
	assert_int_equal(get(l, 1), 12);
	lru_free(&l);
}

static void many_in_random_order(void **state)
{
	enum { MAX = 100, KEYS = 300, ROUNDS = 20000 };
	struct lru *l = lru_new(MAX, count_drop);
	int last[KEYS], i, k, v, hits = 0;

	(void)state;
	memset(last, -1, sizeof(last));
	srandom(1);
	for (i = 0; i < ROUNDS; i++) {
		k = (int)(random() % KEYS);
		v = get(l, k);
		if (v != -1) {
			assert_int_equal(v, last[k]);
			hits++;
		}
		put(l, k, i);
		last[k] = i;
	}
	assert_in_range(hits, ROUNDS / 5, ROUNDS / 2);
	lru_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oldest_goes_at_the_cap),
		cmocka_unit_test(same_key_replaces),
		cmocka_unit_test(many_in_random_order),
	};

	return cmocka_run_group_tests_name("keystore_cache", tests, NULL,
	    NULL);
}
