/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * SMIMECapabilities: malformed lists, what is read of good ones, the choice
 * of a cipher, and what verification hands on of a signer's list.
 */
#include "smime/capability.h"

#include "smime_forge.h"
#include "smime_help.h"

#include "caps_list.h"
#include "testca.h"

static struct testca ca;
static struct testca_id alice;

static int setup(void **state)
{
	(void)state;
	testca_init(&ca);
	testca_issue(&ca, &(struct testca_leaf){ .key = "ec:P-256",
	    .mail = "alice@example.com" }, &alice);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	testca_id_free(&alice);
	testca_free(&ca);
	return 0;
}

/* ---- reading ---- */

static void malformed_lists_are_refused(void **state)
{
	static const char *const bad[] = { "", "30", "0500", "3100", "02010c",
		"3001", "300005", "30000500", "30023000", "30030201ff",
		"3004300206" "00", "300530030601" "80",
		"30073005" "0603" "2a8004",
		/* two parameters */
		"300b3009" "06032a0304" "0500" "0500",
		/* a good one, then half of one */
		"300f" GCM256 "3005",
		"300e" GCM256 "05",
		/* the capability without its SEQUENCE */
		"300b" "0609" "60864801650304012e",
	};
	struct capabilities c;
	struct err e;
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		buf_clear(&b);
		put_hex(&b, bad[i]);
		memset(&c, 0xff, sizeof(c));
		if (capabilities_read(&c, buf_view(&b), &e) != -1)
			fail_msg("%s: read", bad[i]);
		assert_int_equal(e.kind, FAIL_INPUT);
		assert_non_null(strstr(e.msg, "RFC 8551 2.5.2"));
		assert_false(c.is_known);
		assert_int_equal(c.ciphers, 0);
		assert_false(c.oaep || c.has_cek_hkdf);
	}
	buf_free(&b);
}

static void cut_and_changed_lists_do_not_crash(void **state)
{
	struct view v = caps_list(GCM256 OAEP CEK_HKDF CBC128 RC2_40);
	uint32_t x = 1;
	struct capabilities c;
	unsigned char *p;
	struct buf m;

	(void)state;
	for (size_t n = 0; n < v.n; n++) {
		p = malloc(n + 1); /* for the sanitizer to see the end */
		assert_non_null(p);
		memcpy(p, v.p, n);
		assert_int_equal(capabilities_read(&c, view_make(p, n), NULL),
		    -1);
		free(p);
	}
	buf_init(&m, 4096);
	for (long i = 0; i < mutants_wanted(); i++) {
		buf_clear(&m);
		buf_putv(&m, v);
		mutate(&m, &x);
		if (capabilities_read(&c, buf_view(&m), NULL) == 0)
			assert_in_range(c.ciphers, 0, ENC_CIPHERS);
	}
	buf_free(&m);
}

static void list_at_its_cap(void **state)
{
	struct capabilities c;
	struct err e;

	(void)state;
	assert_int_equal(capabilities_read(&c, caps_long(CAP_CAPABILITIES -
	    1), &e), 0);
	assert_int_equal(capabilities_read(&c, caps_long(CAP_CAPABILITIES),
	    &e), 0);
	assert_int_equal(c.ciphers, 1);
	assert_int_equal(capabilities_read(&c, caps_long(CAP_CAPABILITIES +
	    1), &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	assert_false(c.is_known);
}

#define NAMES_MAX 100

/* "AES-256-GCM AES-128-CBC oaep hkdf". */
static void names_of(const struct capabilities *c, char dst[NAMES_MAX])
{
	struct buf b;

	buf_init(&b, NAMES_MAX - 1);
	for (size_t i = 0; i < c->ciphers; i++)
		buf_printf(&b, "%s%s", b.n > 0 ? " " : "",
		    enc_cipher_str(c->cipher[i]));
	if (c->oaep)
		buf_printf(&b, "%soaep", b.n > 0 ? " " : "");
	if (c->has_cek_hkdf)
		buf_printf(&b, "%shkdf", b.n > 0 ? " " : "");
	text_set(dst, NAMES_MAX, buf_str(&b));
	buf_free(&b);
}

static void S107_S112_S113_what_is_read(void **state)
{
	static const struct {
		const char *list, *want;
	} rows[] = {
		{ "", "" },
		{ GCM256, "AES-256-GCM" },
		{ CBC128 CBC256 GCM128 GCM256,
		    "AES-128-CBC AES-256-CBC AES-128-GCM AES-256-GCM" },
		/* what we advertise ourselves (S52) */
		{ GCM256 GCM128 CBC256 CBC128,
		    "AES-256-GCM AES-128-GCM AES-256-CBC AES-128-CBC" },
		/* as OpenSSL and Thunderbird write it */
		{ CBC256 CBC192 CBC128 DES3 RC2_128 DES RC2_40,
		    "AES-256-CBC AES-128-CBC" },
		{ DES3 RC2_128 DES RC2_40, "" },
		{ UNKNOWN_CAP CBC256 UNKNOWN_CAP, "AES-256-CBC" },
		{ CBC256 CBC256 GCM256 CBC256, "AES-256-CBC AES-256-GCM" },
		/* NULL for what should be absent */
		{ "300d060960864801650304012a0500", "AES-256-CBC" },
		/* a parameter that says who knows what */
		{ "300e060960864801650304012a020101", "" },
		{ CEK_HKDF, "hkdf" },
		{ CEK_HKDF GCM256, "AES-256-GCM hkdf" },
		{ OAEP, "oaep" },
		{ OAEP_SHA1, "" },
		{ "300b06092a864886f70d010107", "" },
		/* SHA-256, but MGF1 left at SHA-1 */
		{ "301e06092a864886f70d0101073011a00f" SHA256_ALG, "" },
		/* MGF1 with SHA-256, but SHA-1 itself */
		{ "302b06092a864886f70d010107301ea11c" MGF1_SHA256, "" },
		/* MGF1 said to be of SHA-1 */
		{ "303806092a864886f70d010107302ba00f" SHA256_ALG "a118"
		    "301606092a864886f70d010108300906052b0e03021a0500", "" },
		/* the label said to be empty; and one that is not */
		{ "304d06092a864886f70d0101073040a00f" SHA256_ALG "a11c"
		    MGF1_SHA256 "a20f300d06092a864886f70d0101090400",
		    "oaep" },
		{ "304e06092a864886f70d0101073041a00f" SHA256_ALG "a11c"
		    MGF1_SHA256 "a210300e06092a864886f70d010109040178", "" },
	};
	struct capabilities c;
	char names[NAMES_MAX];
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (capabilities_read(&c, caps_list(rows[i].list), &e) != 0)
			fail_msg("row %zu: %s", i, e.msg);
		assert_true(c.is_known);
		names_of(&c, names);
		if (strcmp(names, rows[i].want) != 0)
			fail_msg("row %zu: \"%s\", wanted \"%s\"", i, names,
			    rows[i].want);
	}
}

/* ---- choosing ---- */

static void S105_order_of_the_ciphers(void **state)
{
	/* row: a; column: b; is a at least b? CBC-128, CBC-256, GCM-128,
	 * GCM-256 */
	static const bool want[ENC_CIPHERS][ENC_CIPHERS] = {
		{ true, false, false, false },
		{ true, true, false, false },
		{ true, false, true, false },
		{ true, true, true, true },
	};

	(void)state;
	for (int a = 0; a < ENC_CIPHERS; a++)
		for (int b = 0; b < ENC_CIPHERS; b++)
			assert_int_equal(cipher_at_least((enum enc_cipher)a,
			    (enum enc_cipher)b), want[a][b]);
}

#define NOTHING NULL /* nothing is known */

struct choice {
	const char *name;
	const char *list[3]; /* n of them */
	size_t n;
	struct cipher_policy p;
	int want; /* -1: none */
};

static void check_choices(const struct choice *rows, size_t n)
{
	struct capabilities c[3];
	enum enc_cipher got = ENC_AES128_CBC;
	int rc;

	for (size_t i = 0; i < n; i++) {
		const struct choice *x = &rows[i];

		memset(c, 0, sizeof(c));
		for (size_t k = 0; k < x->n; k++)
			if (x->list[k] != NULL)
				assert_int_equal(capabilities_read(&c[k],
				    caps_list(x->list[k]), NULL), 0);
		rc = capabilities_choose(c, x->n, &x->p, &got);
		if (rc != (x->want == -1 ? -1 : 0) ||
		    (rc == 0 && (int)got != x->want))
			fail_msg("%s: %s, wanted %s", x->name, rc != 0 ?
			    "none" : enc_cipher_str(got), x->want == -1 ?
			    "none" : enc_cipher_str((enum enc_cipher)
			    x->want));
	}
}

#define COMPAT { ENC_AES256_CBC, ENC_AES128_CBC, false }
#define MODERN { ENC_AES256_GCM, ENC_AES128_CBC, false }
#define FLOOR(f) { ENC_AES256_CBC, (f), false }
#define FIXED(u, f) { (u), (f), true }

static void S107_S108_one_recipient(void **state)
{
	static const struct choice rows[] = {
		{ "unknown", { NOTHING }, 1, COMPAT, ENC_AES256_CBC },
		{ "unknown, modern", { NOTHING }, 1, MODERN,
		    ENC_AES256_GCM },
		{ "first of the list", { CBC128 GCM256 }, 1, MODERN,
		    ENC_AES128_CBC },
		{ "first that we write", { UNKNOWN_CAP CBC192 GCM128 GCM256 },
		    1, COMPAT, ENC_AES128_GCM },
		{ "GCM", { GCM256 CBC256 }, 1, COMPAT, ENC_AES256_GCM },
		{ "fixed", { GCM256 CBC256 }, 1, FIXED(ENC_AES128_GCM,
		    ENC_AES128_CBC), ENC_AES128_GCM },
		{ "fixed, unknown", { NOTHING }, 1, FIXED(ENC_AES128_CBC,
		    ENC_AES128_CBC), ENC_AES128_CBC },
		{ "nobody", { NOTHING }, 0, COMPAT, -1 },
	};

	(void)state;
	check_choices(rows, ARRAY_LEN(rows));
}

/* attack A32: a list made to have the next mail encrypted weakly
 * verdict: never below AES-128; with a higher floor, no mail at all */
static void S105_S111_A32_never_below_the_floor(void **state)
{
	static const struct choice rows[] = {
		{ "RC2 only", { RC2_40 }, 1, COMPAT, ENC_AES128_CBC },
		{ "3DES, RC2 and DES", { DES3 RC2_128 DES RC2_40 }, 1,
		    MODERN, ENC_AES128_CBC },
		{ "nothing at all", { "" }, 1, COMPAT, ENC_AES128_CBC },
		{ "RC2 only, floor AES-256", { RC2_40 }, 1,
		    FLOOR(ENC_AES256_CBC), -1 },
		{ "RC2 first", { RC2_40 CBC256 }, 1, COMPAT,
		    ENC_AES256_CBC },
		{ "first is below", { CBC128 CBC256 }, 1,
		    FLOOR(ENC_AES256_CBC), ENC_AES256_CBC },
		{ "all are below", { CBC128 }, 1, FLOOR(ENC_AES256_CBC),
		    -1 },
		{ "floor with integrity", { CBC256 GCM128 }, 1,
		    FLOOR(ENC_AES128_GCM), ENC_AES128_GCM },
		{ "CBC, floor with integrity", { CBC256 }, 1,
		    FLOOR(ENC_AES128_GCM), -1 },
		{ "GCM-128, floor CBC-256", { GCM128 }, 1,
		    FLOOR(ENC_AES256_CBC), -1 },
		{ "GCM-256, floor CBC-256", { GCM256 }, 1,
		    FLOOR(ENC_AES256_CBC), ENC_AES256_GCM },
		{ "unknown, floor GCM", { NOTHING }, 1,
		    FLOOR(ENC_AES256_GCM), -1 },
		{ "fixed below the floor", { GCM256 }, 1,
		    FIXED(ENC_AES128_CBC, ENC_AES256_CBC), -1 },
		{ "one of two is below", { GCM256, RC2_40 }, 2,
		    FLOOR(ENC_AES256_CBC), -1 },
	};

	(void)state;
	check_choices(rows, ARRAY_LEN(rows));
}

static void S110_a_cipher_common_to_all(void **state)
{
	static const struct choice rows[] = {
		{ "same first", { CBC128 GCM256, CBC128 CBC256 }, 2, COMPAT,
		    ENC_AES128_CBC },
		{ "strongest of both", { CBC256 GCM256, GCM256 CBC256 }, 2,
		    COMPAT, ENC_AES256_GCM },
		{ "integrity before length", { CBC256 GCM128, GCM128
		    CBC256 }, 2, COMPAT, ENC_AES128_GCM },
		{ "one in common", { GCM256 CBC128, CBC256 CBC128 }, 2,
		    COMPAT, ENC_AES128_CBC },
		{ "nothing in common", { GCM256, CBC256 }, 2, COMPAT, -1 },
		{ "in common, but below", { GCM256 CBC128, CBC256 CBC128 },
		    2, FLOOR(ENC_AES256_CBC), -1 },
		{ "three", { GCM256 CBC256 CBC128, CBC128 CBC256, CBC256 }, 3,
		    COMPAT, ENC_AES256_CBC },
		{ "three, pairs only", { GCM256 CBC256, CBC256 CBC128,
		    GCM256 CBC128 }, 3, COMPAT, -1 },
		{ "unknown and GCM", { NOTHING, GCM256 CBC256 }, 2, COMPAT,
		    ENC_AES256_CBC },
		{ "unknown and GCM alone", { NOTHING, GCM256 }, 2, COMPAT,
		    -1 },
		{ "unknown and GCM alone, modern", { NOTHING, GCM256 }, 2,
		    MODERN, ENC_AES256_GCM },
		{ "unknown and AES-128, modern", { NOTHING, CBC128 }, 2,
		    MODERN, ENC_AES128_CBC },
		{ "all unknown", { NOTHING, NOTHING, NOTHING }, 3, MODERN,
		    ENC_AES256_GCM },
		{ "RC2 and GCM", { RC2_40, GCM256 CBC128 }, 2, COMPAT,
		    ENC_AES128_CBC },
		{ "fixed", { CBC128, NOTHING }, 2, FIXED(ENC_AES128_GCM,
		    ENC_AES128_CBC), ENC_AES128_GCM },
	};

	(void)state;
	check_choices(rows, ARRAY_LEN(rows));
}

/* ---- what verification hands on ---- */

static struct verification *signed_with(struct view list, struct forge f)
{
	const struct forge_attr a = { oid_view(OID_A_SMIME_CAPS), list,
		AS_IS };
	struct verification *v;
	struct buf der;

	f.id = &alice;
	f.certs[0] = alice.cert;
	f.caps = LEFT_OUT;
	f.extra = &a;
	f.extra_n = 1;
	buf_init(&der, BIG);
	make_signed(&f, 1, &der);
	v = verify(buf_view(&der), &said);
	assert_int_equal(v->signers, 1);
	buf_free(&der);
	return v;
}

static void S106_list_as_it_was_signed(void **state)
{
	struct view list = caps_list(UNKNOWN_CAP GCM256 OAEP);
	struct verification *v = signed_with(list, (struct forge){ 0 });

	(void)state;
	expect("list", v, SIG_PASS, 0);
	assert_true(v->signer[0].is_verified);
	assert_int_equal(v->signer[0].caps_n, list.n);
	assert_memory_equal(v->signer[0].caps, list.p, list.n);
	verification_free(&v);
}

/* What it holds is nobody's business when a signature is verified; beyond
 * the cap it counts as not there. */
static void S106_garbage_and_caps_in_the_attribute(void **state)
{
	struct verification *v;

	(void)state;
	v = signed_with(view_make("\x02\x01\x07", 3), (struct forge){ 0 });
	expect("an INTEGER", v, SIG_PASS, 0);
	assert_int_equal(v->signer[0].caps_n, 3);
	verification_free(&v);
	v = signed_with(caps_long(CAP_CAPABILITIES), (struct forge){ 0 });
	expect("at the cap", v, SIG_PASS, 0);
	assert_int_equal(v->signer[0].caps_n, CAP_CAPABILITIES);
	verification_free(&v);
	v = signed_with(caps_long(CAP_CAPABILITIES + 1),
	    (struct forge){ 0 });
	expect("beyond the cap", v, SIG_PASS, 0);
	assert_int_equal(v->signer[0].caps_n, 0);
	verification_free(&v);
}

static void S106_a_list_that_nobody_signed_is_not_verified(void **state)
{
	struct verification *v;

	(void)state;
	v = signed_with(caps_list(RC2_40),
	    (struct forge){ .wrong_signature = true });
	expect("wrong signature", v, SIG_FAIL, 70);
	assert_false(v->signer[0].is_verified);
	verification_free(&v);
}

/* RFC 8551 2.5.2: an unsigned attribute of that type means nothing. */
static void S106_an_unsigned_list_is_not_looked_at(void **state)
{
	struct forge f = { .id = &alice, .caps = LEFT_OUT };
	struct attr_list *l = calloc(1, sizeof(*l));
	struct verification *v;
	struct buf der;

	(void)state;
	assert_non_null(l);
	add_attr(l, oid_view(OID_A_SMIME_CAPS), caps_list(RC2_40), AS_IS);
	f.certs[0] = alice.cert;
	f.unsigned_attrs = buf_view(&l->one[0]);
	buf_init(&der, BIG);
	make_signed(&f, 1, &der);
	v = verify(buf_view(&der), &said);
	expect("unsigned", v, SIG_PASS, 0);
	assert_int_equal(v->signer[0].caps_n, 0);
	verification_free(&v);
	buf_free(&der);
	buf_free(&l->one[0]);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_lists_are_refused),
		cmocka_unit_test(cut_and_changed_lists_do_not_crash),
		cmocka_unit_test(list_at_its_cap),
		cmocka_unit_test(S107_S112_S113_what_is_read),
		cmocka_unit_test(S105_order_of_the_ciphers),
		cmocka_unit_test(S107_S108_one_recipient),
		cmocka_unit_test(S105_S111_A32_never_below_the_floor),
		cmocka_unit_test(S110_a_cipher_common_to_all),
		cmocka_unit_test(S106_list_as_it_was_signed),
		cmocka_unit_test(S106_garbage_and_caps_in_the_attribute),
		cmocka_unit_test(
		    S106_a_list_that_nobody_signed_is_not_verified),
		cmocka_unit_test(S106_an_unsigned_list_is_not_looked_at),
	};

	return cmocka_run_group_tests_name("smime_capability", tests, setup,
	    teardown);
}
