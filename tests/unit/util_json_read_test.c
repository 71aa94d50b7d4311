/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of util/json_read.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/json.h"
#include "util/json_read.h"

static int read_text(struct json_tree *t, const char *text, struct err *e)
{
	return json_read(t, view_of(text), e);
}

static void what_is_no_json_is_refused(void **state)
{
	static const char *const bad[] = {"", " ", "{", "[", "]", "}", "\"",
		"\"\\x\"", "\"\\u12g4\"", "\"\\", "\"\\u", "\"a\nb\"", "01",
		"-", "1.", "1e", "1e+", ".5", "+1", "tru", "nul", "True",
		"[1,]", "[,1]", "[1 2]", "{1:2}", "{\"a\"}", "{\"a\":}",
		"{\"a\":1,}", "{,}", "{\"a\":1 \"b\":2}", "[1}", "{\"a\":1]",
		"1 2", "[]]", "{}x", "\x01", "[\x7f]"};
	struct json_tree t = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {0};

		if (read_text(&t, bad[i], &e) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(e.kind, FAIL_INPUT);
		assert_int_equal(t.n, 0);
	}
	json_tree_free(&t);
}

static void every_cut_of_a_text_is_refused(void **state)
{
	static const char text[] = "{\"a\":[1,-2.5e3,true,null],\"b\":"
	    "{\"c\":\"x\\u00e4\\ud83d\\ude00\\n\"}}";
	struct json_tree t = {0};
	struct err e = {0};

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		assert_int_equal(json_read(&t, view_make(text, n), &e), -1);
	assert_int_equal(json_read(&t, view_make(text, sizeof(text) - 1),
	    &e), 0);
	json_tree_free(&t);
}

/* n containers, one in the other. */
static int read_deep(struct json_tree *t, size_t n, struct err *e)
{
	struct buf b;
	int rc;

	buf_init(&b, 1000);
	for (size_t i = 0; i < n; i++)
		buf_putc(&b, '[');
	for (size_t i = 0; i < n; i++)
		buf_putc(&b, ']');
	rc = json_read(t, buf_view(&b), e);
	buf_free(&b);
	return rc;
}

static void depth_ends_at_the_cap(void **state)
{
	struct json_tree t = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(read_deep(&t, JSON_DEPTH - 1, &e), 0);
	assert_int_equal(read_deep(&t, JSON_DEPTH, &e), 0);
	assert_int_equal(read_deep(&t, JSON_DEPTH + 1, &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	json_tree_free(&t);
}

static void members_are_found_where_they_are(void **state)
{
	struct json_tree t = {0};
	struct err e = {0};
	const struct json_node *x, *list;
	char text[40];

	(void)state;
	assert_int_equal(read_text(&t, " { \"a\" : [ 1 , {\"n\":-7} , \"z\" "
	    "], \"b\" : {} , \"c\":[],\"a\":2,\"t\":true,\"f\":false} ", &e),
	    0);
	list = json_get(&t, &t.node[0], "a");
	assert_true(json_is(list, JSON_ARRAY)); /* of equal ones the first */
	x = json_first(&t, list);
	assert_int_equal(json_number(x, -1), 1);
	x = json_next(&t, x);
	assert_int_equal(json_number(json_get(&t, x, "n"), 0), -7);
	x = json_next(&t, x);
	assert_string_equal(json_text(x, text, sizeof(text)), "z");
	assert_null(json_next(&t, x));
	assert_null(json_first(&t, json_get(&t, &t.node[0], "b")));
	assert_null(json_first(&t, json_get(&t, &t.node[0], "c")));
	assert_true(json_is(json_get(&t, &t.node[0], "t"), JSON_TRUE));
	assert_true(json_is(json_get(&t, &t.node[0], "f"), JSON_FALSE));
	assert_null(json_get(&t, list, "a"));
	assert_null(json_get(&t, NULL, "a"));
	assert_null(json_get(&t, &t.node[0], "n"));
	assert_string_equal(json_text(NULL, text, sizeof(text)), "");
	assert_int_equal(json_number(NULL, 5), 5);
	json_tree_free(&t);
}

static void strings_come_back_as_the_writer_got_them(void **state)
{
	static const char *const texts[] = {"", "plain", "\"\\/\b\f\n\r\t",
		"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\x01\x1f"};
	struct json_tree t = {0};
	struct err e = {0};
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct json j;
		struct buf b;

		buf_init(&b, 1000);
		json_init(&j, &b);
		json_str(&j, NULL, texts[i]);
		assert_int_equal(json_read(&t, buf_view(&b), &e), 0);
		assert_string_equal(json_text(&t.node[0], text,
		    sizeof(text)), texts[i]);
		buf_free(&b);
	}
	json_tree_free(&t);
}

static void odd_escapes_and_small_rooms(void **state)
{
	static const struct {
		const char *text;
		size_t room;
		const char *wanted;
	} cases[] = {
		{"\"\\u0000x\"", 9, "\xef\xbf\xbdx"},
		{"\"\\ud83d\\ude00\"", 5, "\xf0\x9f\x98\x80"},
		{"\"\\ud83d\\ude00\"", 4, ""}, /* never half of one */
		{"\"\\ud83dx\"", 9, "\xef\xbf\xbdx"},
		{"\"\\ud83d\\u0041\"", 9, "\xef\xbf\xbd" "A"},
		{"\"\\ude00\"", 9, "\xef\xbf\xbd"},
		{"\"abc\"", 4, "abc"},
		{"\"abc\"", 3, "ab"},
		{"\"abc\"", 1, ""},
		{"\"a\xc3\xa4\"", 3, "a"},
	};
	struct json_tree t = {0};
	struct err e = {0};
	char text[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(read_text(&t, cases[i].text, &e), 0);
		assert_string_equal(json_text(&t.node[0], text,
		    cases[i].room), cases[i].wanted);
	}
	json_tree_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_json_is_refused),
		cmocka_unit_test(every_cut_of_a_text_is_refused),
		cmocka_unit_test(depth_ends_at_the_cap),
		cmocka_unit_test(members_are_found_where_they_are),
		cmocka_unit_test(strings_come_back_as_the_writer_got_them),
		cmocka_unit_test(odd_escapes_and_small_rooms),
	};

	return cmocka_run_group_tests_name("util_json_read", tests, NULL,
	    NULL);
}
