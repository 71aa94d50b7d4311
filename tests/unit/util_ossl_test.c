/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of util/ossl.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "util/ossl.h"

static void hex_that_is_none(void **state)
{
	unsigned char o[2] = { 9, 9 };

	(void)state;
	assert_int_equal(hex_decode(o, 2, ""), -1);
	assert_int_equal(hex_decode(o, 2, "abc"), -1);
	assert_int_equal(hex_decode(o, 2, "abcde"), -1);
	assert_int_equal(hex_decode(o, 2, "abcg"), -1);
	assert_int_equal(hex_decode(o, 2, " abc"), -1);
	assert_int_equal(hex_decode(o, 0, ""), 0);
	assert_int_equal(hex_decode(o, 2, "0aF9"), 0);
	assert_int_equal(o[0], 0x0a);
	assert_int_equal(o[1], 0xf9);
}

static void a_fingerprint_as_people_write_it(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} row[] = { { "", 0 }, { ":", 0 }, { "0", 0 }, { "0a", 1 },
		{ "0A:f9", 2 }, { "0aF9", 2 }, { "0:a:f:9:", 2 },
		{ "0aF", 0 }, { "0a F9", 0 }, { "0aF9g", 0 }, { "0aF900", 3 },
		{ "0aF9000", 0 }, { "0aF90000", 0 }, { "0x0a", 0 } };
	unsigned char o[4] = { 0 };

	(void)state;
	o[3] = 7;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		assert_int_equal(hex_fingerprint(o, 3, view_of(row[i].text)),
		    row[i].n);
		assert_int_equal(o[3], 7);
	}
	assert_int_equal(hex_fingerprint(o, 3, view_make("0a\0", 3)), 0);
	assert_int_equal(hex_fingerprint(o, 3, view_of("0aF900")), 3);
	assert_memory_equal(o, "\x0a\xf9\0", 3);
}

static void error_queue_becomes_text(void **state)
{
	static const unsigned char junk[] = { 0x30, 0x05, 0x02 };
	const unsigned char *p = junk;
	struct err e = { 0 };

	(void)state;
	ossl_clear();
	assert_null(d2i_ASN1_INTEGER(NULL, &p, sizeof(junk)));
	assert_int_equal(err_ossl(&e, FAIL_INPUT, "object %d", 1), -1);
	assert_int_equal(e.kind, FAIL_INPUT);
	assert_memory_equal(e.msg, "object 1: ", 10);
	assert_true(strlen(e.msg) > 10);
	assert_int_equal(ERR_peek_error(), 0);
	assert_int_equal(err_ossl(&e, FAIL_INPUT, "again"), -1);
	assert_string_equal(e.msg, "again");
	assert_int_equal(err_ossl(NULL, FAIL_INPUT, "x"), -1);
}

static void too_long_for_an_int(void **state)
{
	struct err e = { 0 };
	int n = -5;

	(void)state;
	assert_int_equal(ossl_len((size_t)INT32_MAX + 1, &n, &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	assert_int_equal(n, -5);
	assert_int_equal(ossl_len(INT32_MAX, &n, &e), 0);
	assert_int_equal(n, INT32_MAX);
}

static void sha256_of_abc(void **state)
{
	unsigned char h[32];
	char hex[65];

	(void)state;
	ossl_sha256("abc", 3, h);
	assert_string_equal(hex_encode(hex, h, 32), "ba7816bf8f01cfea414140de"
	    "5dae2223b00361a396177a9cb410ff61f20015ad");
	ossl_sha256(NULL, 0, h);
	assert_memory_equal(hex_encode(hex, h, 32), "e3b0c44298fc1c14", 16);
}

static void random_wipe_same(void **state)
{
	unsigned char a[100] = { 0 }, b[100] = { 0 };

	(void)state;
	assert_true(ossl_same(a, b, sizeof(a)));
	ossl_random(a, sizeof(a));
	ossl_random(b, sizeof(b));
	assert_false(ossl_same(a, b, sizeof(a)));
	ossl_wipe(a, sizeof(a));
	ossl_wipe(b, sizeof(b));
	ossl_wipe(NULL, 0);
	assert_true(ossl_same(a, b, sizeof(a)));
	assert_int_equal(a[50], 0);
	ossl_random(NULL, 0);
}

/* attack A60: known faults of an old libcrypto
 * verdict: start and doctor warn when the library may lack their fixes; what
 * CMS it sees was walked by our own reader before */
static void A60_version_is_named(void **state)
{
	static const struct {
		unsigned v[3];
		bool is_good;
	} rows[] = {{{3, 0, 20}, false}, {{3, 0, 21}, false},
		{{3, 0, 22}, true}, {{3, 1, 9}, false}, {{3, 4, 9}, false},
		{{3, 5, 6}, false}, {{3, 5, 7}, true}, {{3, 6, 2}, false},
		{{3, 6, 3}, true}, {{4, 0, 1}, false}, {{4, 0, 2}, true},
		{{4, 1, 0}, true}, {{5, 0, 0}, true}};

	(void)state;
	assert_true(ossl_version()[0] >= '3' && ossl_version()[1] == '.');
	assert_ptr_equal(ossl_version_warning(), ossl_version_judge(
	    OPENSSL_VERSION_MAJOR, OPENSSL_VERSION_MINOR,
	    (unsigned)strtoul(ossl_version() + 4, NULL, 10)));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if ((ossl_version_judge(rows[i].v[0], rows[i].v[1],
		    rows[i].v[2]) == NULL) != rows[i].is_good)
			fail_msg("row %zu", i);
}

static void S100_old_algorithms_stay_in_their_own_place(void **state)
{
	struct err e = { 0 };
	EVP_CIPHER *k;

	(void)state;
	assert_null(ossl_legacy());
	if (ossl_legacy_load(&e) == -1) {
		assert_int_equal(e.kind, FAIL_CONFIG);
		assert_non_null(strstr(e.msg, "openssl-provider-legacy"));
		assert_null(ossl_legacy());
		skip(); /* that package */
	}
	assert_non_null(ossl_legacy());
	assert_int_equal(ossl_legacy_load(&e), 0);
	k = EVP_CIPHER_fetch(ossl_legacy(), "RC2-40-CBC", NULL);
	assert_non_null(k);
	EVP_CIPHER_free(k);
	k = EVP_CIPHER_fetch(ossl_legacy(), "AES-128-CBC", NULL);
	assert_non_null(k);
	EVP_CIPHER_free(k);
	/* nobody else has them */
	assert_null(EVP_CIPHER_fetch(NULL, "RC2-40-CBC", NULL));
	assert_null(EVP_CIPHER_fetch(NULL, "DES-CBC", NULL));
	ossl_clear();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex_that_is_none),
		cmocka_unit_test(a_fingerprint_as_people_write_it),
		cmocka_unit_test(error_queue_becomes_text),
		cmocka_unit_test(too_long_for_an_int),
		cmocka_unit_test(sha256_of_abc),
		cmocka_unit_test(random_wipe_same),
		cmocka_unit_test(A60_version_is_named),
		cmocka_unit_test(
		    S100_old_algorithms_stay_in_their_own_place),
	};

	return cmocka_run_group_tests_name("util_ossl", tests, NULL, NULL);
}
