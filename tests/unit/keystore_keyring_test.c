/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Keys at rest and in the ring: sealing, loading, wrong secrets, signing.
 */
#include "tests/unit/keystore_util.h"

#include "util/log.h"
#include "util/ossl.h"

#define OTHER_HEX                                                         \
	"ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* ---- sealing ---- */

static void seal_and_unseal(void **state)
{
	struct view plain = view_of("some private octets");
	struct buf a, b, back;

	(void)state;
	buf_init(&a, 4096);
	buf_init(&b, 4096);
	buf_init_secret(&back, 4096);
	must(keyring_seal_key(plain, secret_view(), &a, e));
	must(keyring_seal_key(plain, secret_view(), &b, e));
	assert_false(view_eq(buf_view(&a), buf_view(&b))); /* fresh nonce */
	assert_null(memmem(a.p, a.n, plain.p, plain.n));
	must(keyring_unseal_key(buf_view(&a), secret_view(), &back, e));
	assert_true(view_eq(buf_view(&back), plain));
	buf_free(&a);
	buf_free(&b);
	buf_free(&back);
}

static void every_changed_octet_is_noticed(void **state)
{
	struct buf a, back;
	size_t i;

	(void)state;
	buf_init(&a, 4096);
	buf_init_secret(&back, 4096);
	must(keyring_seal_key(view_of("secret"), secret_view(), &a, e));
	for (i = 0; i < a.n; i++) {
		a.p[i] ^= 1;
		must_fail(keyring_unseal_key(buf_view(&a), secret_view(),
		    &back, e), FAIL_CONFIG);
		assert_int_equal(back.n, 0);
		a.p[i] ^= 1;
	}
	for (i = 0; i < a.n; i++)
		must_fail(keyring_unseal_key(view_sub(buf_view(&a), 0, i),
		    secret_view(), &back, e), FAIL_CONFIG);
	buf_free(&a);
	buf_free(&back);
}

static void malformed_secrets(void **state)
{
	static const char *const bad[] = { "", "\n", "00", SECRET_HEX "0",
		"g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c"
		"1d1e1f", SECRET_HEX " " SECRET_HEX };
	struct buf out;
	size_t i;

	(void)state;
	buf_init(&out, 4096);
	for (i = 0; i < ARRAY_LEN(bad); i++)
		must_fail(keyring_seal_key(view_of("x"), view_of(bad[i]),
		    &out, e), FAIL_CONFIG);
	must_fail(keyring_seal_key(view_of(""), secret_view(), &out, e),
	    FAIL_LIMIT);
	buf_free(&out);
}

static void new_secret_form(void **state)
{
	struct buf a, b, sealed;

	(void)state;
	buf_init_secret(&a, 256);
	buf_init_secret(&b, 256);
	buf_init(&sealed, 4096);
	keyring_new_secret(&a);
	keyring_new_secret(&b);
	assert_int_equal(a.n, 65);
	assert_int_equal(a.p[64], '\n');
	assert_false(view_eq(buf_view(&a), buf_view(&b)));
	must(keyring_seal_key(view_of("x"), buf_view(&a), &sealed, e));
	buf_free(&a);
	buf_free(&b);
	buf_free(&sealed);
}

/* ---- the ring ---- */

struct ringed {
	struct place p;
	struct keystore *ks;
	struct made rsa, ec, old;
	struct keyring *kr;
};

static void ring_make(struct ringed *r)
{
	const struct spec rsa = { .san = "email:alice@example.com",
	    .alg = "rsa:2048" };
	const struct spec ec = { .san = "email:bob@example.com" };
	const struct spec old = { .san = "email:bob@example.com",
	    .until = NOW - DAY };

	r->ks = store_make(&r->p);
	cert_make(&r->rsa, &rsa, NULL);
	cert_make(&r->ec, &ec, NULL);
	cert_make(&r->old, &old, NULL); /* the same key as ec */
	add_cert(r->ks, &r->rsa, KS_SIGN);
	add_cert(r->ks, &r->ec, KS_SIGN);
	add_cert(r->ks, &r->old, KS_SIGN);
	add_private(r->ks, &r->rsa);
	add_private(r->ks, &r->ec);
	must(keyring_load(&r->kr, r->ks, secret_view(), e));
}

static void ring_clear(struct ringed *r)
{
	keyring_free(&r->kr);
	assert_null(r->kr);
	keyring_free(&r->kr);
	made_free(&r->rsa);
	made_free(&r->ec);
	made_free(&r->old);
	store_clear(&r->p, &r->ks);
}

static void S98_load_all_keys_old_ones_too(void **state)
{
	unsigned char none[32] = { 1 };
	struct ringed r;

	(void)state;
	ring_make(&r);
	assert_int_equal(keyring_keys(r.kr), 2);
	assert_non_null(keyring_cert(r.kr, cert_sha256(r.rsa.cert)));
	assert_non_null(keyring_cert(r.kr, cert_sha256(r.ec.cert)));
	assert_non_null(keyring_cert(r.kr, cert_sha256(r.old.cert)));
	assert_null(keyring_cert(r.kr, none));
	ring_clear(&r);
}

static void empty_store_has_an_empty_ring(void **state)
{
	unsigned char none[32] = { 1 };
	struct keyring *kr;
	struct keystore *ks;
	struct place p;

	(void)state;
	ks = store_make(&p);
	must(keyring_load(&kr, ks, secret_view(), e));
	assert_int_equal(keyring_keys(kr), 0);
	assert_null(keyring_cert(kr, none));
	keyring_free(&kr);
	must_fail(keyring_load(&kr, ks, view_of("x"), e), FAIL_CONFIG);
	assert_null(kr);
	store_clear(&p, &ks);
}

static void wrong_secret_is_a_configuration_error(void **state)
{
	struct keyring *kr;
	struct ringed r;

	(void)state;
	ring_make(&r);
	must_fail(keyring_load(&kr, r.ks, view_of(OTHER_HEX), e),
	    FAIL_CONFIG);
	assert_null(kr);
	ring_clear(&r);
}

/* One damaged key costs that key only; one in the wrong row is noticed. */
static void damaged_and_swapped_keys_are_left_out(void **state)
{
	struct keyring *kr;
	struct buf ec;
	struct ringed r;

	(void)state;
	ring_make(&r);
	buf_init(&ec, 65536);
	must(keystore_get_key(r.ks, cert_spki_sha256(r.ec.cert), &ec, e));
	must(keystore_add_key(r.ks, cert_spki_sha256(r.rsa.cert),
	    buf_view(&ec), e));
	must(keyring_load(&kr, r.ks, secret_view(), e));
	assert_int_equal(keyring_keys(kr), 1);
	assert_null(keyring_cert(kr, cert_sha256(r.rsa.cert)));
	keyring_free(&kr);
	must(keystore_add_key(r.ks, cert_spki_sha256(r.rsa.cert),
	    view_of("PSK1 but nothing that was ever sealed by anybody"), e));
	must(keyring_load(&kr, r.ks, secret_view(), e));
	assert_int_equal(keyring_keys(kr), 1);
	assert_non_null(keyring_cert(kr, cert_sha256(r.ec.cert)));
	keyring_free(&kr);
	buf_free(&ec);
	ring_clear(&r);
}

static void the_key_of_the_ca_stays_out(void **state)
{
	struct keyring *kr;
	struct keystore *ks;
	struct place p;

	(void)state;
	ks = store_make(&p);
	must(ca_init(ks, secret_view(), "test", e));
	must(keyring_load(&kr, ks, secret_view(), e));
	assert_int_equal(keyring_keys(kr), 0);
	keyring_free(&kr);
	store_clear(&p, &ks);
}

/* ---- signing ---- */

/* SET { contentType, messageDigest } as small as can be. */
static const unsigned char attrs[] = {
	0x31, 0x2a,
	0x30, 0x18, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
	0x09, 0x03, 0x31, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
	0x0d, 0x01, 0x07, 0x01,
	0x30, 0x0e, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
	0x09, 0x04, 0x31, 0x01, 0x04
};

static struct view good_attrs(unsigned char *mem)
{
	/* The last attribute's value is an empty SET here. */
	memcpy(mem, attrs, sizeof(attrs));
	mem[1] = sizeof(attrs) - 2 - 1;
	mem[29] = 0x0d;
	mem[sizeof(attrs) - 2] = 0;
	return view_make(mem, sizeof(attrs) - 1);
}

static bool verifies(const struct made *m, const char *md, struct view tbs,
    const struct buf *sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok;

	ok = EVP_DigestVerifyInit(ctx, NULL, EVP_get_digestbyname(md), NULL,
	    m->key) == 1 && EVP_DigestVerify(ctx, sig->p, sig->n, tbs.p,
	    tbs.n) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

static void S55_every_algorithm_signs(void **state)
{
	static const struct {
		enum sig_alg alg;
		const char *md;
	} algs[] = {
		{ SIG_RSA_SHA256, "SHA256" }, { SIG_RSA_SHA384, "SHA384" },
		{ SIG_RSA_SHA512, "SHA512" }, { SIG_ECDSA_SHA256, "SHA256" },
		{ SIG_ECDSA_SHA384, "SHA384" }, { SIG_ECDSA_SHA512, "SHA512" },
	};
	unsigned char mem[64];
	struct view tbs = good_attrs(mem);
	struct ringed r;
	struct buf sig;
	size_t i;

	(void)state;
	ring_make(&r);
	buf_init(&sig, CAP_SIGNATURE);
	for (i = 0; i < ARRAY_LEN(algs); i++) {
		const struct made *m = i < 3 ? &r.rsa : &r.ec;
		const struct made *not = i < 3 ? &r.ec : &r.rsa;

		buf_clear(&sig);
		must(keyring_sign(r.kr, cert_sha256(m->cert), algs[i].alg,
		    tbs, &sig, e));
		assert_true(verifies(m, algs[i].md, tbs, &sig));
		must_fail(keyring_sign(r.kr, cert_sha256(not->cert),
		    algs[i].alg, tbs, &sig, e), FAIL_INPUT);
	}
	must_fail(keyring_sign(r.kr, cert_sha256(r.ec.cert),
	    (enum sig_alg)0, tbs, &sig, e), FAIL_INPUT);
	must_fail(keyring_sign(r.kr, cert_sha256(r.ec.cert),
	    (enum sig_alg)77, tbs, &sig, e), FAIL_INPUT);
	must_fail(keyring_sign(r.kr, mem, SIG_RSA_SHA256, tbs, &sig, e),
	    FAIL_INPUT);
	buf_free(&sig);
	ring_clear(&r);
}

/* attack A35 A16: a worker that was taken over lets the key sign something
 * else than signed attributes
 * verdict: refused by the keys process */
static void A35_signs_nothing_but_signed_attributes(void **state)
{
	unsigned char mem[64], big[CAP_KEY_REQUEST];
	struct view tbs = good_attrs(mem);
	struct ringed r;
	struct buf sig;
	size_t n;

	(void)state;
	ring_make(&r);
	buf_init(&sig, CAP_SIGNATURE);
	for (n = 0; n < tbs.n; n++)
		must_fail(keyring_sign(r.kr, cert_sha256(r.ec.cert),
		    SIG_ECDSA_SHA256, view_sub(tbs, 0, n), &sig, e),
		    FAIL_INPUT);
	must_fail(keyring_sign(r.kr, cert_sha256(r.ec.cert),
	    SIG_ECDSA_SHA256, view_of("a message"), &sig, e), FAIL_INPUT);
	mem[0] = 0x30;
	must_fail(keyring_sign(r.kr, cert_sha256(r.ec.cert),
	    SIG_ECDSA_SHA256, tbs, &sig, e), FAIL_INPUT);
	mem[0] = 0x31;
	mem[14] = 5; /* no contentType any more */
	must_fail(keyring_sign(r.kr, cert_sha256(r.ec.cert),
	    SIG_ECDSA_SHA256, tbs, &sig, e), FAIL_INPUT);
	memset(big, 0, sizeof(big));
	must_fail(keyring_sign(r.kr, cert_sha256(r.ec.cert),
	    SIG_ECDSA_SHA256, view_make(big, sizeof(big)), &sig, e),
	    FAIL_INPUT);
	assert_int_equal(sig.n, 0);
	buf_free(&sig);
	ring_clear(&r);
}

static int quiet(void **state)
{
	(void)state;
	log_init("test", LOG_L_ERR + 1, 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seal_and_unseal),
		cmocka_unit_test(every_changed_octet_is_noticed),
		cmocka_unit_test(malformed_secrets),
		cmocka_unit_test(new_secret_form),
		cmocka_unit_test(S98_load_all_keys_old_ones_too),
		cmocka_unit_test(empty_store_has_an_empty_ring),
		cmocka_unit_test(wrong_secret_is_a_configuration_error),
		cmocka_unit_test(damaged_and_swapped_keys_are_left_out),
		cmocka_unit_test(the_key_of_the_ca_stays_out),
		cmocka_unit_test(S55_every_algorithm_signs),
		cmocka_unit_test(A35_signs_nothing_but_signed_attributes),
	};

	return cmocka_run_group_tests_name("keystore_keyring", tests, quiet,
	    NULL);
}
