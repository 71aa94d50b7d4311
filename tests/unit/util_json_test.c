/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of util/json.c.
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

static void odd_strings_stay_valid(void **state)
{
	struct json j;
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	json_init(&j, &b);
	json_array(&j, NULL);
	json_view(&j, NULL, view_make("a\"\\\n\r\t\0\x1f\x7f", 9));
	json_str(&j, NULL, "\xff\xc3\xa4\xed\xa0\x80z");
	/* C1 and directions: on a terminal they would be obeyed */
	json_str(&j, NULL, "\xc2\x9b\xc2\xa0\xe2\x80\xae");
	json_str(&j, NULL, NULL);
	json_str(&j, NULL, "");
	json_end_array(&j);
	assert_string_equal(buf_str(&b),
	    "[\"a\\\"\\\\\\n\\r\\t\\u0000\\u001f\\u007f\","
	    "\"\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\","
	    "\"\\u009b\xc2\xa0\\u202e\","
	    "null,\"\"]");
	assert_int_equal(j.depth, 0);
	buf_free(&b);
}

static void commas_are_right(void **state)
{
	struct json j;
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	json_init(&j, &b);
	json_object(&j, NULL);
	json_object(&j, "a");
	json_end_object(&j);
	json_array(&j, "b");
	json_int(&j, NULL, INT64_MIN);
	json_int(&j, NULL, 7);
	json_object(&j, NULL);
	json_bool(&j, "x", true);
	json_bool(&j, "y\"", false);
	json_end_object(&j);
	json_array(&j, NULL);
	json_end_array(&j);
	json_end_array(&j);
	json_null(&j, "c");
	json_raw(&j, "d", view_of("{\"e\":1}"));
	json_end_object(&j);
	assert_string_equal(buf_str(&b), "{\"a\":{},\"b\":"
	    "[-9223372036854775808,7,{\"x\":true,\"y\\\"\":false},[]],"
	    "\"c\":null,\"d\":{\"e\":1}}");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(odd_strings_stay_valid),
		cmocka_unit_test(commas_are_right),
	};

	return cmocka_run_group_tests_name("util_json", tests, NULL, NULL);
}
