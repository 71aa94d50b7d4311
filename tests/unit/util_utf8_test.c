/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of util/utf8.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/utf8.h"

static void malformed_is_no_utf8(void **state)
{
	static const char *const bad[] = {
		"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe0\x80\x80",
		"\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
		"\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
		"\xe2\x82", "\xc3\x28", "a\xff", "\xfe",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		if (utf8_is_valid(view_of(bad[i])))
			fail_msg("case %zu is valid", i);
}

static void characters_are_decoded(void **state)
{
	static const struct {
		const char *s;
		uint32_t cp;
	} good[] = {
		{ "a", 'a' }, { "\x7f", 0x7f }, { "\xc2\x80", 0x80 },
		{ "\xdf\xbf", 0x7ff }, { "\xe0\xa0\x80", 0x800 },
		{ "\xed\x9f\xbf", 0xd7ff }, { "\xee\x80\x80", 0xe000 },
		{ "\xef\xbf\xbf", 0xffff }, { "\xf0\x90\x80\x80", 0x10000 },
		{ "\xf4\x8f\xbf\xbf", 0x10ffff },
	};
	uint32_t cp;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(utf8_first(view_of(good[i].s), &cp),
		    strlen(good[i].s));
		assert_int_equal(cp, good[i].cp);
	}
	assert_int_equal(utf8_first(view_make("\0", 1), &cp), 1);
	assert_int_equal(cp, 0);
	assert_int_equal(utf8_first(view_of(""), &cp), 0);
}

/* attack A48: names with controls of a terminal in two octets (C1), with
 * marks that turn the direction of what follows, with line ends
 * verdict: shown as question marks, the rest as it is */
static void A48_what_is_unsafe_is_masked(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" },
		{ "plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91",
		    "plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91" },
		{ "\x1b[2J\r\n\t\x7f", "?[2J????" },
		{ "a\xc2\x9b" "2Jb", "a??2Jb" },
		{ "\xc2\x80\xc2\x9f\xc2\xa0", "????\xc2\xa0" },
		{ "\x9b" "2J\xff\xc3", "?2J??" },
		{ "exe\xe2\x80\xae" "gpj", "exe???gpj" },
		{ "\xe2\x80\xa7\xe2\x80\xa8\xe2\x81\xa6\xe2\x81\xaa",
		    "\xe2\x80\xa7??????\xe2\x81\xaa" },
	};
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		memset(text, 'x', sizeof(text));
		memcpy(text, cases[i].in, strlen(cases[i].in) + 1);
		utf8_mask(text);
		assert_string_equal(text, cases[i].out);
		assert_int_equal(text[strlen(text) + 1], 'x');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_is_no_utf8),
		cmocka_unit_test(characters_are_decoded),
		cmocka_unit_test(A48_what_is_unsafe_is_masked),
	};

	return cmocka_run_group_tests_name("util_utf8", tests, NULL, NULL);
}
