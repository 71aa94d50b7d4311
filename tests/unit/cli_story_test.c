/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of cli/story.c: records of any age, and of anybody's making, as text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/story.h"

static struct buf out;

static int tell(const char *json, struct err *e)
{
	buf_free(&out);
	buf_init(&out, 1u << 20);
	return story_print(view_of(json), false, &out, e);
}

static void says(const char *text)
{
	if (strstr(buf_str(&out), text) == NULL)
		fail_msg("not said: %s\n%s", text, buf_str(&out));
}

static void what_is_no_record_is_refused(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(tell("", &e), -1);
	assert_int_equal(e.kind, FAIL_INPUT);
	assert_int_equal(tell("{\"id\":", &e), -1);
}

/* Members missing or of other kinds: nothing said, nothing broken. */
static void odd_records_do_no_harm(void **state)
{
	static const char *const odd[] = {"1", "[]", "null", "{}",
		"{\"recipients\":7,\"layers\":{},\"signature\":[],\"would\":"
		"3,\"observed\":true,\"signed_with\":{},\"harvest\":{},"
		"\"decryption\":{},\"warnings\":[1,null,{}],\"reply\":{}}",
		"{\"recipients\":[1,null,[],{\"rule\":{},\"wanted\":[1],"
		"\"certificates\":[2],\"passed_over\":[{}],\"encryption\":{},"
		"\"group\":1},{\"group\":1}]}"};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		assert_int_equal(tell(odd[i], &e), 0);
}

/* Names come from mail: a terminal must not obey them. */
static void controls_are_masked(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(tell("{\"id\":\"\\u001b[2J\",\"sender\":"
	    "\"a\\u009b\\u202e@b\\nid x\",\"warnings\":[\"\\u001b]0;x\"],"
	    "\"recipients\":[{\"address\":\"\\r\\u0007\",\"wanted\":["
	    "\"\\u001b\"]}]}", &e), 0);
	for (size_t i = 0; i < out.n; i++)
		assert_true(out.p[i] >= 32 || out.p[i] == '\n');
	assert_null(memmem(out.p, out.n, "\xc2\x9b", 2));
	assert_null(memmem(out.p, out.n, "\xe2\x80\xae", 3));
}

static void a_failed_step_is_explained(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(tell("{\"action\":\"replaced\",\"signature\":{"
	    "\"result\":\"policy\",\"failed_step\":\"S72\",\"reason\":"
	    "\"unknown root\",\"signer\":\"bob@example.org\","
	    "\"from_match\":false}}", &e), 0);
	says("signature     policy\n");
	says("failed at   S72: a path to a root that is trusted here\n");
	says("because     unknown root\n");
	says("signer      bob@example.org\n");
	assert_null(story_step("S61"));
	assert_non_null(story_step("S77"));
}

static void groups_say_who_shares_a_copy(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(tell("{\"action\":\"split\",\"recipients\":["
	    "{\"address\":\"a@x\",\"outcome\":\"sealed\",\"group\":1,"
	    "\"passed_over\":[{\"sha256\":\"0123456789abcdef0123\","
	    "\"reason\":\"expired\"}]},"
	    "{\"address\":\"b@x\",\"outcome\":\"plain\",\"group\":2},"
	    "{\"address\":\"c@x\",\"outcome\":\"sealed\",\"group\":1,"
	    "\"also\":[{\"file\":\"rules\",\"line\":7,\"text\":\"also x\"}]"
	    "}]}", &e), 0);
	says("a@x: encrypted\n");
	says("group       1, the same copy as for c@x\n");
	says("group       2, a copy alone\n");
	says("passed over 0123456789abcdef  expired\n");
	says("also        rules:7: also x\n");
	says("b@x: in clear, not signed\n");
}

static void what_was_observed_says_so(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(tell("{\"action\":\"unchanged\",\"observed\":true,"
	    "\"would\":{\"action\":\"rejected\",\"code\":550,\"text\":"
	    "\"Not sent\"}}", &e), 0);
	says("observed      nothing was done; it would have been rejected\n");
	says("would say     550 Not sent\n");
	assert_int_equal(tell("{\"action\":\"unchanged\",\"observed\":false,"
	    "\"would\":null}", &e), 0);
	assert_null(strstr(buf_str(&out), "observed"));
}

static int end(void **state)
{
	(void)state;
	buf_free(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_record_is_refused),
		cmocka_unit_test(odd_records_do_no_harm),
		cmocka_unit_test(controls_are_masked),
		cmocka_unit_test(a_failed_step_is_explained),
		cmocka_unit_test(groups_say_who_shares_a_copy),
		cmocka_unit_test(what_was_observed_says_so),
	};

	return cmocka_run_group_tests_name("cli_story", tests, NULL, end);
}
