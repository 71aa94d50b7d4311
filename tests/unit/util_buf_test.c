/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of util/buf.c: ceilings, sticky failure, readers that end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/buf.h"

static void ceiling_is_a_sticky_failure(void **state)
{
	struct err e = { 0 };
	struct buf b;
	size_t n;

	(void)state;
	for (n = 9; n <= 11; n++) {
		buf_init(&b, 10);
		buf_put(&b, "0123456789a", n);
		assert_int_equal(buf_ok(&b, &e), n <= 10 ? 0 : -1);
		buf_put(&b, "x", n == 9 ? 1 : 0);
		assert_int_equal(buf_view(&b).n, n <= 10 ? 10 : 0);
		buf_free(&b);
	}
	assert_int_equal(e.kind, FAIL_LIMIT);
	buf_init(&b, 3);
	buf_puts(&b, "abcd");
	buf_putc(&b, 'x');
	assert_int_equal(b.n, 0); /* nothing after the failure */
	assert_int_equal(buf_ok(&b, NULL), -1);
	buf_clear(&b);
	buf_puts(&b, "abc");
	assert_int_equal(buf_ok(&b, NULL), 0);
	buf_putc(&b, 'd');
	assert_int_equal(buf_ok(&b, NULL), -1);
	assert_string_equal(buf_str(&b), "abc");
	buf_free(&b);
	buf_free(&b);
}

static void huge_room_is_refused(void **state)
{
	struct err e = { 0 };
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	buf_putc(&b, 'x');
	assert_null(buf_room(&b, SIZE_MAX));
	assert_int_equal(buf_ok(&b, &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	b.no_memory = true;
	assert_int_equal(buf_ok(&b, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	buf_free(&b);
}

static void printf_at_the_ceiling(void **state)
{
	struct err e = { 0 };
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	buf_printf(&b, "%s", "12345");
	assert_int_equal(buf_ok(&b, &e), 0);
	assert_string_equal(buf_str(&b), "12345");
	buf_printf(&b, "%s", "");
	assert_int_equal(buf_ok(&b, &e), 0);
	buf_printf(&b, "%d", 6);
	assert_int_equal(buf_ok(&b, &e), -1);
	assert_string_equal(buf_str(&b), "12345");
	buf_free(&b);
}

static void grows_and_keeps(void **state)
{
	struct buf b;
	size_t i;

	(void)state;
	buf_init_secret(&b, 100000);
	for (i = 0; i < 100000; i++)
		buf_putc(&b, (int)('a' + i % 26));
	assert_int_equal(buf_ok(&b, NULL), 0);
	for (i = 0; i < 100000; i++)
		assert_int_equal(b.p[i], 'a' + i % 26);
	assert_int_equal(b.p[b.n], '\0');
	buf_putc(&b, 'x');
	assert_int_equal(buf_ok(&b, NULL), -1);
	buf_free(&b);
	buf_init(&b, 1000);
	for (i = 0; i < 100; i++)
		buf_printf(&b, "%zu,", i);
	assert_int_equal(b.n, 10 * 2 + 90 * 3);
	assert_memory_equal(b.p + b.n - 6, "98,99,", 7);
	buf_free(&b);
}

static void secret_is_wiped_by_clear(void **state)
{
	struct buf b;

	(void)state;
	buf_init_secret(&b, 100);
	buf_puts(&b, "secret");
	buf_clear(&b);
	assert_int_equal(b.p[3], 0);
	buf_free(&b);
}

static void empty_is_a_string(void **state)
{
	struct buf b;
	unsigned char *p;

	(void)state;
	buf_init(&b, 10);
	assert_string_equal(buf_str(&b), "");
	p = buf_room(&b, 4);
	memcpy(p, "abcd", 4);
	b.n += 3;
	assert_string_equal(buf_str(&b), "abc");
	buf_free(&b);
}

static void views(void **state)
{
	struct view v = view_make("ab\0c", 4);
	char s[5];

	(void)state;
	assert_int_equal(view_sub(v, 9, 1).n, 0);
	assert_int_equal(view_sub(v, 2, SIZE_MAX).n, 2);
	assert_int_equal(view_sub(view_make(NULL, 0), 3, 3).n, 0);
	assert_int_equal(view_cstr(v, s, sizeof(s)), -1); /* NUL inside */
	assert_string_equal(s, "");
	assert_int_equal(view_cstr(view_of("abcde"), s, sizeof(s)), -1);
	assert_int_equal(view_cstr(view_of("abcd"), s, sizeof(s)), 0);
	assert_string_equal(s, "abcd");
	assert_null(view_strdup(v));
	assert_true(view_eq(view_make(NULL, 0), view_of("")));
	assert_false(view_eq_str(v, "ab"));
	assert_true(view_ieq_str(view_of("AbZ["), "aBz["));
	assert_false(view_ieq_str(view_of("["), "{"));
	assert_false(view_ieq_str(view_of("@"), "`"));
	assert_true(view_istarts(view_of("Content-Type"), "content-"));
	assert_false(view_istarts(view_of("Con"), "content-"));
	assert_true(view_istarts(view_of("Con"), ""));
	assert_false(view_ieq_str(view_of("Con"), "content"));
	assert_false(view_ieq_str(view_of("content"), "Con"));
	assert_false(view_ieq_str(view_make("Con", 4), "con"));
	assert_false(view_istarts(view_make("C\0n", 3), "con"));
	assert_true(view_ieq_str(view_make(NULL, 0), ""));
	assert_true(view_ieq_str(view_make(NULL, 0), NULL));
	assert_false(view_ieq_str(view_make(NULL, 0), "x"));
	assert_true(view_eq_str(view_trim(view_of(" \r\n\t a b \t\n")),
	    "a b"));
	assert_int_equal(view_trim(view_of(" \n")).n, 0);
	assert_int_equal(view_chr(v, 'c', 0), 3);
	assert_int_equal(view_chr(v, 'a', 1), (size_t)-1);
	assert_int_equal(view_chr(v, 'a', 100), (size_t)-1);
}

static void reader_takes_nothing_beyond_the_end(void **state)
{
	static const unsigned char o[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	struct view v;
	struct rd r;
	uint8_t a;
	uint32_t b;
	uint64_t c;

	(void)state;
	rd_init(&r, view_make(o, 3));
	assert_int_equal(rd_u32(&r, &b), -1);
	assert_int_equal(rd_u64(&r, &c), -1);
	assert_int_equal(rd_take(&r, 4, &v), -1);
	assert_int_equal(rd_take(&r, SIZE_MAX, &v), -1);
	assert_int_equal(rd_left(&r), 3);
	rd_init(&r, view_make(o, 9));
	assert_int_equal(rd_u8(&r, &a), 0);
	assert_int_equal(a, 1);
	assert_int_equal(rd_u64(&r, &c), 0);
	assert_true(c == 0x0203040506070809);
	assert_int_equal(rd_u8(&r, &a), -1);
	rd_init(&r, view_make(o, 5));
	assert_int_equal(rd_u32(&r, &b), 0);
	assert_int_equal(b, 0x01020304);
	assert_int_equal(rd_take(&r, 1, &v), 0);
	assert_int_equal(rd_left(&r), 0);
}

static void sizes_do_not_wrap(void **state)
{
	size_t x = 7;

	(void)state;
	assert_int_equal(size_add(SIZE_MAX, 1, &x), -1);
	assert_int_equal(size_mul(SIZE_MAX / 2 + 1, 2, &x), -1);
	assert_int_equal(x, 7);
	assert_int_equal(size_add(SIZE_MAX, 0, &x), 0);
	assert_int_equal(size_mul(SIZE_MAX, 1, &x), 0);
	assert_int_equal(size_mul(SIZE_MAX, 0, &x), 0);
	assert_int_equal(x, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ceiling_is_a_sticky_failure),
		cmocka_unit_test(huge_room_is_refused),
		cmocka_unit_test(printf_at_the_ceiling),
		cmocka_unit_test(grows_and_keeps),
		cmocka_unit_test(secret_is_wiped_by_clear),
		cmocka_unit_test(empty_is_a_string),
		cmocka_unit_test(views),
		cmocka_unit_test(reader_takes_nothing_beyond_the_end),
		cmocka_unit_test(sizes_do_not_wrap),
	};

	return cmocka_run_group_tests_name("util_buf", tests, NULL, NULL);
}
