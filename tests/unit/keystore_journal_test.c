/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The journal of copies: what is said last counts, the first id stays, what
 * fails says so, and what a reader of an older store is told.
 */
#include "keystore/journal.h"

#include "keystore_util.h"

#include "keystore/keystore_int.h"

static struct place p;
static struct keystore *ks;
static unsigned char keys[3 * JOURNAL_KEY];
static unsigned char whole[JOURNAL_KEY];

static int setup(void **state)
{
	(void)state;
	ks = store_make(&p);
	memset(keys, 'a', JOURNAL_KEY);
	memset(keys + JOURNAL_KEY, 'b', JOURNAL_KEY);
	memset(keys + 2 * JOURNAL_KEY, 'c', JOURNAL_KEY);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	store_clear(&p, &ks);
	return 0;
}

static struct journal_keys some(size_t from, size_t n, const char *id)
{
	struct journal_keys k = { keys + from * JOURNAL_KEY, n, whole, id,
		NOW };

	return k;
}

static enum journal_state state_of(size_t i)
{
	enum journal_state s;

	must(journal_get(ks, keys + i * JOURNAL_KEY, &s, NULL, e));
	return s;
}

static void M24_what_was_said_last_counts(void **state)
{
	struct journal_keys k = some(0, 2, "first"), again = some(0, 1,
	    "second");
	enum journal_state s;
	char id[64];
	size_t n;

	(void)state;
	assert_int_equal(state_of(0), JOURNAL_NONE);
	must(journal_set(ks, &k, JOURNAL_SENT, e));
	assert_int_equal(state_of(0), JOURNAL_SENT);
	assert_int_equal(state_of(1), JOURNAL_SENT);
	assert_int_equal(state_of(2), JOURNAL_NONE);
	must(journal_set(ks, &again, JOURNAL_DONE, e));
	must(journal_get(ks, keys, &s, id, e));
	assert_int_equal(s, JOURNAL_DONE);
	assert_string_equal(id, "first"); /* held mail is found by it */
	must(journal_count(ks, JOURNAL_DONE, &n, e));
	assert_int_equal(n, 1);
	must(journal_count(ks, JOURNAL_SENT, &n, e));
	assert_int_equal(n, 1);
}

static void M24_dropping_keeps_who_has_it(void **state)
{
	struct journal_keys one = some(0, 1, "x"), all = some(0, 3, "x");

	(void)state;
	must(journal_set(ks, &all, JOURNAL_SENT, e));
	must(journal_set(ks, &one, JOURNAL_DONE, e));
	must(journal_drop(ks, &all, false, e));
	assert_int_equal(state_of(0), JOURNAL_DONE);
	assert_int_equal(state_of(1), JOURNAL_NONE);
	must(journal_drop(ks, &all, true, e));
	assert_int_equal(state_of(0), JOURNAL_NONE);
}

static void M24_it_is_there_after_a_restart(void **state)
{
	struct journal_keys k = some(0, 3, "x");

	(void)state;
	must(journal_set(ks, &k, JOURNAL_DONE, e));
	assert_true(ks->durable); /* waited for the disk */
	keystore_close(&ks);
	must(keystore_open(&ks, p.db, KS_READ, e));
	assert_int_equal(state_of(2), JOURNAL_DONE);
	must_fail(journal_set(ks, &k, JOURNAL_DONE, e), FAIL_BUG);
}

static void inside_a_transaction_nothing_is_promised(void **state)
{
	struct journal_keys k = some(0, 1, "x");

	(void)state;
	must(keystore_begin(ks, e));
	must_fail(journal_set(ks, &k, JOURNAL_SENT, e), FAIL_BUG);
	keystore_rollback(ks);
}

static void old_entries_go(void **state)
{
	struct journal_keys old = some(0, 1, "x"), young = some(1, 1, "x");
	size_t n;

	(void)state;
	old.at = NOW - 10;
	must(journal_set(ks, &old, JOURNAL_DONE, e));
	must(journal_set(ks, &young, JOURNAL_DONE, e));
	must(journal_expire(ks, NOW, &n, e));
	assert_int_equal(n, 1);
	assert_int_equal(state_of(0), JOURNAL_NONE);
	assert_int_equal(state_of(1), JOURNAL_DONE);
}

static void store_of_an_older_version_has_none(void **state)
{
	size_t n = 7;

	(void)state;
	ks->schema = KS_SCHEMA_TRAFFIC - 1;
	assert_int_equal(state_of(0), JOURNAL_NONE);
	must(journal_count(ks, JOURNAL_DONE, &n, e));
	assert_int_equal(n, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(M24_what_was_said_last_counts),
		T(M24_dropping_keeps_who_has_it),
		T(M24_it_is_there_after_a_restart),
		T(inside_a_transaction_nothing_is_promised),
		T(old_entries_go),
		T(store_of_an_older_version_has_none),
	};

	return cmocka_run_group_tests_name("keystore_journal", tests, NULL,
	    NULL);
}
