/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Verification beside libcrypto's: its signatures of every kind, and
 * mutants, of which we may refuse more, but never less.
 */
#include "smime/verify.h"

#include <openssl/rsa.h>

#include "smime_forge.h"
#include "smime_help.h"
#include "testca.h"

static struct testca ca;
static struct testca_id rsa, p256, p384;

static int setup(void **state)
{
	(void)state;
	testca_init(&ca);
	testca_issue(&ca, &(struct testca_leaf){ .key = "rsa:2048",
	    .mail = "alice@example.com" }, &rsa);
	testca_issue(&ca, &(struct testca_leaf){ .key = "ec:P-256",
	    .mail = "bob@example.com" }, &p256);
	testca_issue(&ca, &(struct testca_leaf){ .key = "ec:P-384",
	    .mail = "carol@example.com" }, &p384);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	testca_id_free(&rsa);
	testca_id_free(&p256);
	testca_id_free(&p384);
	testca_free(&ca);
	return 0;
}

/* libcrypto signs in some way of its own. */
static void ossl_sign(struct buf *out, const struct testca_id *id,
    const EVP_MD *md, unsigned flags, int salt)
{
	CMS_ContentInfo *c = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL |
	    CMS_BINARY | (flags & CMS_DETACHED));
	BIO *in = BIO_new_mem_buf(content, (int)sizeof(content) - 1);
	CMS_SignerInfo *si;
	EVP_PKEY_CTX *pc;

	assert_non_null(c);
	si = CMS_add1_signer(c, cert_x509(id->cert), id->key, md, flags |
	    CMS_BINARY | CMS_PARTIAL | (salt != 0 ? CMS_KEY_PARAM : 0));
	assert_non_null(si);
	if (salt != 0) {
		pc = CMS_SignerInfo_get0_pkey_ctx(si);
		assert_true(EVP_PKEY_CTX_set_rsa_padding(pc,
		    RSA_PKCS1_PSS_PADDING) > 0);
		assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(pc, salt) > 0);
	}
	assert_int_equal(CMS_final(c, in, NULL, CMS_BINARY), 1);
	buf_clear(out);
	ossl_der(c, NULL, out);
	BIO_free(in);
	CMS_ContentInfo_free(c);
}

static void libcryptos_signatures_pass(void **state)
{
	static const struct {
		const struct testca_id *id;
		const EVP_MD *(*md)(void);
		unsigned flags;
		int salt;
		enum sig_result result;
		int step;
		const char *algorithm;
	} rows[] = {
		{ &rsa, EVP_sha256, 0, 0, SIG_PASS, 0, "rsa-pkcs1-v1_5" },
		{ &rsa, EVP_sha512, CMS_DETACHED, 0, SIG_PASS, 0,
		    "rsa-pkcs1-v1_5" },
		{ &rsa, EVP_sha384, CMS_USE_KEYID, 0, SIG_PASS, 0,
		    "rsa-pkcs1-v1_5" },
		{ &rsa, EVP_sha256, CMS_CADES, 0, SIG_PASS, 0,
		    "rsa-pkcs1-v1_5" },
		{ &rsa, EVP_sha256, 0, -1, SIG_PASS, 0, "rsa-pss" },
		{ &rsa, EVP_sha384, CMS_DETACHED, -1, SIG_PASS, 0,
		    "rsa-pss" },
		{ &rsa, EVP_sha256, 0, 20, SIG_PASS, 0, "rsa-pss" },
		{ &rsa, EVP_sha256, 0, 33, SIG_POLICY, 68, "rsa-pss" },
		{ &rsa, EVP_sha1, 0, -1, SIG_POLICY, 68, "" },
		{ &p256, EVP_sha256, CMS_DETACHED, 0, SIG_PASS, 0,
		    "ecdsa-p256" },
		{ &p384, EVP_sha384, 0, 0, SIG_PASS, 0, "ecdsa-p384" },
		{ &rsa, EVP_sha256, CMS_NOATTR, 0, SIG_POLICY, 67, "" },
		{ &rsa, EVP_md5, 0, 0, SIG_POLICY, 68, "" },
	};
	struct verification *v;
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char name[] = "row  ";

		name[4] = (char)('a' + i);
		ossl_sign(&der, rows[i].id, rows[i].md(), rows[i].flags,
		    rows[i].salt);
		v = verify(buf_view(&der), (rows[i].flags & CMS_DETACHED) !=
		    0 ? &said : NULL);
		expect(name, v, rows[i].result, rows[i].step);
		assert_string_equal(v->signer[0].algorithm,
		    rows[i].algorithm);
		verification_free(&v);
	}
	buf_free(&der);
}

/* 0 and the content when the object is good to us. */
static int we_verify(struct view der, struct buf *out)
{
	struct verify_policy p = policy();
	struct spool *q = spool_empty();
	struct verification *v = NULL;
	struct cms *c = NULL;
	struct err e;
	int r = -1;

	if (read_der(&c, der, &e) == 0) {
		assert_int_equal(verify_opaque(c, &p, q, &v, &e), 0);
		if (v->signers == 1 && v->signer[0].result == SIG_PASS)
			r = 0;
	}
	spool_get(q, out);
	verification_free(&v);
	cms_free(&c);
	spool_free(&q);
	return r;
}

static int they_verify(struct view der, struct buf *out)
{
	X509_STORE *store = X509_STORE_new();
	BIO *b = BIO_new(BIO_s_mem());
	CMS_ContentInfo *c = ossl_cms(der);
	char *p = NULL;
	long n;
	int r = -1;

	if (c != NULL && CMS_verify(c, NULL, store, NULL, b, CMS_BINARY |
	    CMS_NO_SIGNER_CERT_VERIFY) == 1) {
		n = BIO_get_mem_data(b, &p);
		buf_put(out, p, (size_t)n);
		r = 0;
	}
	ERR_clear_error();
	BIO_free(b);
	X509_STORE_free(store);
	CMS_ContentInfo_free(c);
	return r;
}

/* What passes with us, passes with libcrypto and has the same content. */
static void differs_from_libcrypto_only_by_refusing(void **state)
{
	struct forge f = { .id = &p256, .certs = { p256.cert }, .opaque =
	    true };
	struct buf seed, m, ours, theirs;
	long rounds = mutants_wanted();
	uint32_t x = 0xc0ffee;
	size_t both = 0;

	(void)state;
	buf_init(&seed, BIG);
	buf_init(&m, BIG);
	buf_init(&ours, BIG);
	buf_init(&theirs, BIG);
	for (int s = 0; s < 2; s++) {
		if (s == 0)
			make_signed(&f, 1, &seed);
		else
			ossl_sign(&seed, &p256, EVP_sha256(), CMS_USE_KEYID,
			    0);
		for (long i = 0; i < rounds; i++) {
			buf_clear(&m);
			buf_clear(&ours);
			buf_clear(&theirs);
			buf_putv(&m, buf_view(&seed));
			mutate(&m, &x);
			if (we_verify(buf_view(&m), &ours) == -1)
				continue;
			both++;
			if (they_verify(buf_view(&m), &theirs) == 0 &&
			    view_eq(buf_view(&ours), buf_view(&theirs)))
				continue;
			keep_mutant(buf_view(&m));
			fail_msg("only we accept seed %d mutant %ld", s, i);
		}
	}
	print_message("mutants: %zu verified by both\n", both);
	assert_true(both > 0);
	buf_free(&seed);
	buf_free(&m);
	buf_free(&ours);
	buf_free(&theirs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libcryptos_signatures_pass),
		cmocka_unit_test(differs_from_libcrypto_only_by_refusing),
	};

	return cmocka_run_group_tests_name("smime_verify_ossl", tests, setup,
	    teardown);
}
