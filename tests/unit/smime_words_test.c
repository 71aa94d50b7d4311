/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of smime/words.c: what people see, what is read where the charset is
 * not known, and the way back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "smime/words.h"

static const struct {
	const char *raw, *text, *any; /* any NULL: the same */
} sample[] = {
	{"", "", NULL},
	{"plain", "plain", NULL},
	{"=?utf-8?Q?gr=C3=BC=C3=9Fe?=", "grüße", NULL},
	{"=?UTF-8?b?Z3LDvMOfZQ==?=", "grüße", NULL},
	{"=?utf-8*de?Q?a_b?=", "a b", NULL},
	/* a character cut in two, blanks between words */
	{"=?utf-8?Q?gr=C3?=  =?utf-8?B?vGU=?=", "grüe", NULL},
	{"a =?utf-8?Q?b?= c", "a b c", NULL},
	{"=?iso-8859-1?Q?gr=FC?= =?windows-1252?Q?=80?=", "grü€", NULL},
	/* hidden controls */
	{"=?utf-8?Q?a=0D=0AX:=20b=00c?=", "a X: b c", NULL},
	/* charsets that nobody here knows */
	{"=?iso-8859-2?Q?[secure]_=B3=F3d=BC?=",
	    "=?iso-8859-2?Q?[secure]_=B3=F3d=BC?=", "[secure] ??d?"},
	{"=?koi8-r?B?W3NlY3VyZV0=?= x", "=?koi8-r?B?W3NlY3VyZV0=?= x",
	    "[secure] x"},
	{"=?koi8-r?Q?[sec?= =?iso-8859-2?Q?ure]?=",
	    "=?koi8-r?Q?[sec?= =?iso-8859-2?Q?ure]?=", "[secure]"},
	/* no words */
	{"=?utf-8?X?a?=", "=?utf-8?X?a?=", NULL},
	{"=?utf-8?Q?a b?=", "=?utf-8?Q?a b?=", NULL},
	{"=?utf-8?Q?a", "=?utf-8?Q?a", NULL},
	{"=?", "=?", NULL},
};

static void words_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sample); i++) {
		struct buf b;

		buf_init(&b, 1000);
		words_decode(view_of(sample[i].raw), &b);
		assert_string_equal(buf_str(&b), sample[i].text);
		buf_clear(&b);
		words_decode_any(view_of(sample[i].raw), &b);
		assert_string_equal(buf_str(&b), sample[i].any == NULL
		    ? sample[i].text : sample[i].any);
		buf_free(&b);
	}
}

static void what_is_encoded_is_read_again(void **state)
{
	struct buf text, raw, again;

	(void)state;
	buf_init(&text, 100000);
	for (int i = 0; i < 300; i++)
		buf_puts(&text, i % 3 == 0 ? "ü" : i % 3 == 1 ? "=?" : "x y");
	buf_init(&raw, 100000);
	words_encode(buf_view(&text), &raw);
	buf_init(&again, 100000);
	for (size_t i = 0; i < raw.n; i++)
		if (raw.p[i] != '\r' && raw.p[i] != '\n')
			buf_putc(&again, raw.p[i]);
	buf_clear(&raw);
	words_decode(buf_view(&again), &raw);
	assert_string_equal(buf_str(&raw), buf_str(&text));
	buf_free(&text);
	buf_free(&raw);
	buf_free(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_read),
		cmocka_unit_test(what_is_encoded_is_read_again),
	};

	return cmocka_run_group_tests_name("smime_words", tests, NULL, NULL);
}
