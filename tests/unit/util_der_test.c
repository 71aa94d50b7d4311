/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of util/der.c: malformed BER, strict DER, times, the writer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/caps.h"
#include "util/der.h"

#define V(s) view_make((s), sizeof(s) - 1)

static void malformed_elements(void **state)
{
	static const struct {
		const char *p;
		size_t n;
		const char *why;
	} bad[] = {
#define B(s, why) { s, sizeof(s) - 1, why }
		B("", "empty"),
		B("\x30", "no length"),
		B("\x30\x01", "content missing"),
		B("\x30\x81", "length octet missing"),
		B("\x30\x81\x01", "content missing, long form"),
		B("\x04\x80\x00\x00", "indefinite primitive"),
		B("\x30\x80", "indefinite without end"),
		B("\x30\x80\x00", "half an end"),
		B("\x30\x80\x30\x80\x00\x00", "inner end only"),
		B("\x30\x80\x04\x05\x00\x00", "child beyond the end"),
		B("\x00\x00", "end of contents alone"),
		B("\x30\x80\x00\x01x\x00\x00", "tag 0 inside"),
		B("\x1f\x81\x01\x00", "high tag"),
		B("\x30\xff\x01", "reserved length"),
		B("\x30\x89\x00\x00\x00\x00\x00\x00\x00\x00\x01z", "9 octets"),
		B("\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff", "huge"),
		B("\x30\x84\x7f\xff\xff\xff", "2 GiB"),
	};
	struct view in;
	struct der d;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		in = view_make(bad[i].p, bad[i].n);
		if (der_next(&in, &d) != -1)
			fail_msg("taken: %s", bad[i].why);
		assert_int_equal(in.n, bad[i].n); /* unchanged */
	}
}

static void depth_is_capped(void **state)
{
	unsigned char b[4 * (CAP_CMS_DEPTH + 2)];
	struct view in;
	struct der d;
	size_t n;

	(void)state;
	for (n = CAP_CMS_DEPTH - 1; n <= CAP_CMS_DEPTH + 1; n++) {
		memset(b, 0, sizeof(b));
		for (size_t i = 0; i < n; i++)
			memcpy(b + 2 * i, "\x30\x80", 2);
		in = view_make(b, 4 * n);
		assert_int_equal(der_next(&in, &d),
		    n <= CAP_CMS_DEPTH ? 0 : -1);
	}
}

static void strict_depth_is_capped(void **state)
{
	unsigned char b[2 * (CAP_CMS_DEPTH + 2)];
	size_t n, i;

	(void)state;
	for (n = CAP_CMS_DEPTH - 1; n <= CAP_CMS_DEPTH + 1; n++) {
		for (i = 0; i < n; i++) {
			b[2 * i] = 0x30;
			b[2 * i + 1] = (unsigned char)(2 * (n - 1 - i));
		}
		assert_int_equal(der_is_strict(view_make(b, 2 * n)),
		    n < CAP_CMS_DEPTH);
	}
}

static void elements_are_taken_off(void **state)
{
	struct view in = V("\x30\x80\x24\x80\x04\x01"
			   "a\x00\x00\x05\x00\x00\x00\x02\x81\x01\x07\x05");
	struct der d, c;
	uint32_t x = 0;

	(void)state;
	assert_int_equal(der_opt(&in, DER_SET, &d), 0);
	assert_int_equal(der_get(&in, DER_SET, &d), -1);
	assert_int_equal(der_get(&in, DER_SEQUENCE, &d), 0);
	assert_int_equal(d.val.n, 11 - 2);
	assert_int_equal(d.whole.n, 13);
	assert_int_equal(der_next(&d.val, &c), 0);
	assert_int_equal(c.tag, 0x24);
	assert_int_equal(c.val.n, 3);
	assert_int_equal(der_get(&d.val, DER_NULL, &c), 0);
	assert_int_equal(d.val.n, 0);
	assert_int_equal(der_get(&in, DER_INTEGER, &d), 0);
	assert_int_equal(der_uint(&d, &x), 0);
	assert_int_equal(x, 7);
	assert_int_equal(der_opt(&in, DER_NULL, &d), -1); /* broken */
	assert_int_equal(in.n, 1);
}

static void small_integers(void **state)
{
	static const struct {
		const char *p;
		size_t n;
		int rc;
		uint32_t x;
	} c[] = {
		{ "", 0, -1, 0 },
		{ "\x80", 1, -1, 0 },
		{ "\x00\x01", 2, -1, 0 },
		{ "\x00\x80\x00\x00\x00", 5, -1, 0 },
		{ "\x80\x00\x00\x00", 4, -1, 0 },
		{ "\x00", 1, 0, 0 },
		{ "\x00\x80", 2, 0, 128 },
		{ "\x7f\xff\xff\xff", 4, 0, 0x7fffffff },
	};
	struct der d = { DER_INTEGER, { NULL, 0 }, { NULL, 0 } };
	uint32_t x;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		d.val = view_make(c[i].p, c[i].n);
		x = 0;
		assert_int_equal(der_uint(&d, &x), c[i].rc);
		assert_int_equal(x, c[i].x);
	}
}

static void what_is_not_strict(void **state)
{
	static const struct {
		const char *p;
		size_t n;
		bool strict;
		const char *what;
	} c[] = {
#define S(s, strict, what) { s, sizeof(s) - 1, strict, what }
		S("", false, "nothing"),
		S("\x30\x81\x00", false, "long form for 0"),
		S("\x30\x80\x00\x00", false, "indefinite"),
		S("\x24\x03\x04\x01x", false, "constructed string"),
		S("\x10\x00", false, "primitive SEQUENCE"),
		S("\x31\x06\x02\x01\x02\x02\x01\x01", false, "SET unsorted"),
		S("\x31\x06\x02\x01\x01\x02\x01\x02", true, "SET sorted"),
		S("\x31\x07\x04\x01x\x04\x02\x01\x01", true, "shorter first"),
		S("\x30\x06\x02\x01\x02\x02\x01\x01", true, "SEQUENCE"),
		S("\x01\x01\x01", false, "BOOLEAN 1"),
		S("\x01\x01\xff", true, "BOOLEAN true"),
		S("\x02\x02\x00\x7f", false, "long INTEGER"),
		S("\x02\x02\xff\x80", false, "long negative INTEGER"),
		S("\x02\x00", false, "INTEGER without octets"),
		S("\x03\x02\x01\x01", false, "unused bit set"),
		S("\x03\x02\x01\x02", true, "unused bit clear"),
		S("\x03\x02\x08\x00", false, "8 unused bits"),
		S("\x05\x01x", false, "NULL with content"),
		S("\x06\x01\x80", false, "OID cut off"),
		S("\x02\x01\x01\x02\x01\x02", true, "two elements"),
		S("\x02\x01\x01x", false, "octets behind"),
		S("\x30\x03\x02\x02\x01", false, "child too long"),
		S("\xa0\x03\x02\x01\x01", true, "context tag"),
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++)
		if (der_is_strict(view_make(c[i].p, c[i].n)) != c[i].strict)
			fail_msg("%s", c[i].what);
}

static void length_with_a_leading_0_is_not_strict(void **state)
{
	unsigned char o[4 + 128] = { 0x04, 0x82, 0x00, 0x80 };
	unsigned char good[3 + 128] = { 0x04, 0x81, 0x80 };
	struct view in = view_make(o, sizeof(o));
	struct der d;

	(void)state;
	assert_false(der_is_strict(in));
	assert_int_equal(der_next(&in, &d), 0); /* but it is BER */
	assert_int_equal(d.val.n, 128);
	assert_true(der_is_strict(view_make(good, sizeof(good))));
}

static void times(void **state)
{
	static const struct {
		int tag;
		const char *s;
		int rc;
		int64_t t;
	} c[] = {
		{ DER_UTCTIME, "", -1, 0 },
		{ DER_UTCTIME, "7001010000Z", -1, 0 },
		{ DER_UTCTIME, "700101000000", -1, 0 },
		{ DER_UTCTIME, "700101000000+", -1, 0 },
		{ DER_UTCTIME, "701301000000Z", -1, 0 },
		{ DER_UTCTIME, "700001000000Z", -1, 0 },
		{ DER_UTCTIME, "710229000000Z", -1, 0 },
		{ DER_UTCTIME, "700100000000Z", -1, 0 },
		{ DER_UTCTIME, "700101240000Z", -1, 0 },
		{ DER_UTCTIME, "700101006000Z", -1, 0 },
		{ DER_UTCTIME, "700101000060Z", -1, 0 },
		{ DER_UTCTIME, "70010100 000Z", -1, 0 },
		{ DER_GENTIME, "19000229000000Z", -1, 0 },
		{ DER_GENTIME, "20260101000000.5Z", -1, 0 },
		{ DER_OCTET_STRING, "700101000000Z", -1, 0 },
		{ DER_UTCTIME, "700101000000Z", 0, 0 },
		{ DER_UTCTIME, "491231235959Z", 0, 2524607999 },
		{ DER_UTCTIME, "500101000000Z", 0, -631152000 },
		{ DER_UTCTIME, "720229000000Z", 0, 68169600 },
		{ DER_GENTIME, "20000229000000Z", 0, 951782400 },
		{ DER_GENTIME, "20500101000000Z", 0, 2524608000 },
		{ DER_GENTIME, "99991231235959Z", 0, 253402300799 },
	};
	unsigned char mem[40];
	struct der d, again;
	struct der_w w;
	struct view v;
	int64_t t;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		d.tag = c[i].tag;
		d.val = view_of(c[i].s);
		t = 0;
		if (der_time(&d, &t) != c[i].rc || t != c[i].t)
			fail_msg("%s", c[i].s);
		if (c[i].rc != 0)
			continue;
		der_w_init(&w, mem, sizeof(mem));
		der_w_time(&w, t);
		v = der_w_result(&w);
		assert_int_equal(der_next(&v, &again), 0);
		/* UTCTime for 1950 to 2049 only */
		assert_int_equal(again.tag, t >= -631152000 &&
		    t < 2524608000 ? DER_UTCTIME : DER_GENTIME);
		assert_int_equal(der_time(&again, &t), 0);
		assert_true(t == c[i].t);
	}
	der_w_init(&w, mem, sizeof(mem));
	der_w_time(&w, 253402300800);
	assert_true(w.failed);
}

static void oid_text(void **state)
{
	char s[64], tiny[4];

	(void)state;
	assert_string_equal(der_oid_str(V(""), s, sizeof(s)), "?");
	assert_string_equal(der_oid_str(V("\x80\x01"), s, sizeof(s)), "?");
	assert_string_equal(der_oid_str(V("\x2a\x86"), s, sizeof(s)), "?");
	assert_string_equal(der_oid_str(V("\x2a\xff\xff\xff\xff\xff\xff\xff"
	    "\xff\xff\xff\xff\x01"), s, sizeof(s)), "?");
	assert_string_equal(der_oid_str(V("\x2a\x86\x48\x86\xf7\x0d\x01\x09"
	    "\x01"), s, sizeof(s)), "1.2.840.113549.1.9.1");
	assert_string_equal(der_oid_str(V("\x88\x37\x03"), s, sizeof(s)),
	    "2.999.3");
	assert_string_equal(der_oid_str(V("\x55\x1d\x11"), tiny,
	    sizeof(tiny)), "?");
	tiny[0] = 'x';
	assert_string_equal(der_oid_str(V("\x55"), tiny, 1), "");
}

static void writer_full_is_a_failure(void **state)
{
	unsigned char mem[5];
	struct der_w w;
	size_t n;

	(void)state;
	for (n = 4; n <= 6; n++) {
		der_w_init(&w, mem, n > 5 ? 5 : n);
		der_w_tlv(&w, DER_OCTET_STRING, "xyz", n == 6 ? 4 : 3);
		if (n == 5)
			assert_int_equal(der_w_result(&w).n, 5);
		else
			assert_int_equal(der_w_result(&w).n, 0);
		assert_int_equal(w.failed, n != 5);
	}
}

static void writer_lengths(void **state)
{
	static const size_t size[] = { 0, 127, 128, 255, 256, 65535, 65536 };
	unsigned char *mem = malloc(70000);
	unsigned char *x = calloc(1, 65536);
	struct der_w w;
	struct view v;
	struct der d;
	size_t i;

	(void)state;
	assert_non_null(mem);
	assert_non_null(x);
	for (i = 0; i < ARRAY_LEN(size); i++) {
		der_w_init(&w, mem, 70000);
		der_w_tlv(&w, DER_OCTET_STRING, x, size[i]);
		der_w_wrap(&w, DER_SEQUENCE, 0);
		v = der_w_result(&w);
		assert_true(der_is_strict(v));
		assert_int_equal(der_get(&v, DER_SEQUENCE, &d), 0);
		assert_int_equal(v.n, 0);
		assert_int_equal(der_get(&d.val, DER_OCTET_STRING, &d), 0);
		assert_int_equal(d.val.n, size[i]);
	}
	free(mem);
	free(x);
}

static void set_of_is_sorted(void **state)
{
	struct view v[] = { V("\x02\x01\x05"), V("\x02\x02\x01\x00"),
		V("\x02\x01\x04"), V("\x01\x01\xff") };
	unsigned char mem[64];
	struct der_w w;

	(void)state;
	der_w_init(&w, mem, sizeof(mem));
	der_w_set_of(&w, DER_SET, v, ARRAY_LEN(v));
	assert_true(view_eq(der_w_result(&w), V("\x31\x0d\x01\x01\xff"
	    "\x02\x01\x04\x02\x01\x05\x02\x02\x01\x00")));
	assert_true(der_is_strict(der_w_result(&w)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_elements),
		cmocka_unit_test(depth_is_capped),
		cmocka_unit_test(strict_depth_is_capped),
		cmocka_unit_test(elements_are_taken_off),
		cmocka_unit_test(small_integers),
		cmocka_unit_test(what_is_not_strict),
		cmocka_unit_test(length_with_a_leading_0_is_not_strict),
		cmocka_unit_test(times),
		cmocka_unit_test(oid_text),
		cmocka_unit_test(writer_full_is_a_failure),
		cmocka_unit_test(writer_lengths),
		cmocka_unit_test(set_of_is_sorted),
	};

	return cmocka_run_group_tests_name("util_der", tests, NULL, NULL);
}
