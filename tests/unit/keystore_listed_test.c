/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Lists: unknown until they were fetched, replaced as a whole.
 */
#include "tests/unit/keystore_util.h"

#include "keystore/listed.h"

static struct place p;
static struct keystore *ks;

static int make_store(void **state)
{
	(void)state;
	ks = store_make(&p);
	return 0;
}

static int clear_store(void **state)
{
	(void)state;
	store_clear(&p, &ks);
	return 0;
}

static enum listed_answer ask(const char *list, const char *what)
{
	enum listed_answer out = LISTED_NO;

	assert_int_equal(keystore_listed(ks, list, what, &out, NULL), 0);
	return out;
}

/* Pairs as "what=value", blanks between; whether it changed. */
static bool replace(const char *list, const char *text, int64_t now)
{
	struct listed_pair pair[20];
	struct listed_news news = { pair, 0, now, now + 900 };
	char copy[500], *at = copy, *word;
	bool changed = false;

	text_set(copy, sizeof(copy), text);
	while ((word = strsep(&at, " ")) != NULL && *word != '\0') {
		pair[news.n].what = strsep(&word, "=");
		pair[news.n].value = word == NULL ? "" : word;
		news.n++;
	}
	news.n = listed_sort(pair, news.n);
	assert_int_equal(listed_replace(ks, list, &news, &changed, NULL), 0);
	return changed;
}

static int add_value(void *arg, const char *value, struct err *e)
{
	struct buf *b = arg;

	(void)e;
	buf_printf(b, "%s;", value);
	return 0;
}

static const char *values(const char *list, const char *what,
    enum listed_answer wanted)
{
	static char text[500];
	enum listed_answer out;
	struct buf b;

	buf_init(&b, sizeof(text) - 1);
	assert_int_equal(keystore_listed_values(ks, list, what, add_value, &b,
	    &out, NULL), 0);
	assert_int_equal(out, wanted);
	text_set(text, sizeof(text), buf_str(&b));
	buf_free(&b);
	return text;
}

static void never_fetched_is_unknown_and_not_nobody(void **state)
{
	struct listed_state s;

	(void)state;
	assert_int_equal(ask("l", "a@b"), LISTED_UNKNOWN);
	assert_string_equal(values("l", "a@b", LISTED_UNKNOWN), "");
	/* a failure says nothing either */
	assert_int_equal(listed_failed(ks, "l", NOW + 60, "away", NULL), 0);
	assert_int_equal(ask("l", "a@b"), LISTED_UNKNOWN);
	assert_int_equal(listed_state(ks, "l", &s, NULL), 0);
	assert_int_equal(s.fetched, 0);
	assert_int_equal(s.next, NOW + 60);
	assert_string_equal(s.error, "away");
	/* an empty list is known */
	assert_true(replace("l", "", NOW));
	assert_int_equal(ask("l", "a@b"), LISTED_NO);
	assert_string_equal(values("l", "a@b", LISTED_NO), "");
	assert_int_equal(listed_state(ks, "l", &s, NULL), 0);
	assert_string_equal(s.error, "");
}

static void a_list_is_replaced_as_a_whole(void **state)
{
	struct listed_state s;

	(void)state;
	assert_true(replace("l", "b@x=2 a@x=1 b@x=1 b@x=2", NOW));
	assert_int_equal(ask("l", "a@x"), LISTED_YES);
	assert_int_equal(ask("l", "c@x"), LISTED_NO);
	assert_int_equal(ask("L", "a@x"), LISTED_UNKNOWN);
	assert_string_equal(values("l", "b@x", LISTED_YES), "1;2;");
	assert_int_equal(listed_state(ks, "l", &s, NULL), 0);
	assert_int_equal(s.pairs, 3);
	/* the same again is no change, but it was fetched */
	assert_false(replace("l", "a@x=1 b@x=1 b@x=2", NOW + 5));
	assert_int_equal(listed_state(ks, "l", &s, NULL), 0);
	assert_int_equal(s.fetched, NOW + 5);
	assert_true(replace("l", "c@x=1", NOW + 6));
	assert_int_equal(ask("l", "a@x"), LISTED_NO);
	assert_true(replace("l", "", NOW + 7));
	assert_int_equal(ask("l", "c@x"), LISTED_NO);
}

static void an_old_list_holds_while_the_directory_is_away(void **state)
{
	struct listed_state s;

	(void)state;
	(void)replace("l", "a@x", NOW);
	assert_int_equal(listed_failed(ks, "l", NOW + 60, "away", NULL), 0);
	assert_int_equal(ask("l", "a@x"), LISTED_YES);
	assert_int_equal(listed_state(ks, "l", &s, NULL), 0);
	assert_int_equal(s.fetched, NOW);
	assert_string_equal(s.error, "away");
}

static int add_state(void *arg, const char *list,
    const struct listed_state *s, struct err *e)
{
	struct buf *b = arg;

	(void)e;
	buf_printf(b, "%s %zu;", list, s->pairs);
	return 0;
}

static void lists_are_named_and_forgotten(void **state)
{
	struct buf b;

	(void)state;
	(void)replace("two", "a@x b@x", NOW);
	(void)replace("one", "a@x", NOW);
	buf_init(&b, 500);
	assert_int_equal(listed_each(ks, add_state, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "one 1;two 2;");
	assert_int_equal(listed_forget(ks, "two", NULL), 0);
	buf_clear(&b);
	assert_int_equal(listed_each(ks, add_state, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "one 1;");
	assert_int_equal(ask("two", "a@x"), LISTED_UNKNOWN);
	buf_free(&b);
}

static int stop(void *arg, const char *value, struct err *e)
{
	(void)arg;
	(void)value;
	return err_set(e, FAIL_POLICY, "enough");
}

static void a_visitor_may_stop(void **state)
{
	enum listed_answer out;
	struct err e = { 0 };

	(void)state;
	(void)replace("l", "a@x=1 a@x=2", NOW);
	assert_int_equal(keystore_listed_values(ks, "l", "a@x", stop, NULL,
	    &out, &e), -1);
	assert_int_equal(e.kind, FAIL_POLICY);
	assert_string_equal(values("l", "a@x", LISTED_YES), "1;2;");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_store, clear_store)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(never_fetched_is_unknown_and_not_nobody),
		TEST(a_list_is_replaced_as_a_whole),
		TEST(an_old_list_holds_while_the_directory_is_away),
		TEST(lists_are_named_and_forgotten),
		TEST(a_visitor_may_stop),
	};

	return cmocka_run_group_tests_name("keystore_listed", tests, NULL,
	    NULL);
}
