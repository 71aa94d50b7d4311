/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of util/fold.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/fold.h"
#include "util/utf8.h"

static const struct {
	const char *text, *folded;
} sample[] = {
	{"", ""},
	{"[Secure] MAIL 09@[`{", "[secure] mail 09@[`{"},
	{"ÀÖ×ØÞß÷ÿ", "àö×øþß÷ÿ"},
	{"ĀāĂİĲŃńŇŊŶŸŹŻŽ", "āāăiĳńńňŋŷÿźżž"},
	{"ΆΈΌΎΏΑΡΣΫάς", "άέόύώαρσϋάσ"},
	{"ЀЏАЯаяѠҀӐԮ", "ѐџаяаяѡҁӑԯ"},
	{"ẞẠỸ", "ßạỹ"},
	{"ＡＺ", "ａｚ"},
	{"日本語 😀", "日本語 😀"},
	/* no UTF-8 */
	{"A\xff\xc3" "B\xe4", "a\xff\xc3" "b\xe4"},
	{"\xed\xa0\x80Z", "\xed\xa0\x80z"},
};

static void letters_are_compared_without_case(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sample); i++) {
		struct buf b;

		buf_init(&b, 1000);
		fold_case(view_of(sample[i].text), &b);
		assert_string_equal(buf_str(&b), sample[i].folded);
		buf_free(&b);
	}
}

/* What is folded stays so, and is a character still. */
static void folding_twice_changes_nothing(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < 0x11000; c++) {
		assert_int_equal(fold_char(fold_char(c)), fold_char(c));
		assert_true(fold_char(c) < 0xd800 || c >= 0xd800);
	}
	assert_int_equal(fold_char(0x1d400), 0x1d400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_are_compared_without_case),
		cmocka_unit_test(folding_twice_changes_nothing),
	};

	return cmocka_run_group_tests_name("util_fold", tests, NULL, NULL);
}
