/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Opening RecipientInfos. The good ones are made by libcrypto's CMS, as
 * others would make them; what PKCS#1 v1.5 does on a fault is tried with
 * blocks of every wrong form.
 */
#include "tests/unit/keystore_util.h"

#include <openssl/cms.h>
#include <openssl/err.h>

#include "util/der.h"
#include "util/log.h"
#include "util/ossl.h"

struct world {
	struct place p;
	struct keystore *ks;
	struct made rsa, rsa2, old, p256, p384, p521;
	struct keyring *kr;
};

static struct world w;

/* ---- making RecipientInfos ---- */

struct how {
	const struct made *to;
	bool by_ski;
	const char *oaep; /* digest, or NULL */
	const char *mgf;
	const char *label;
	const char *kdf; /* digest, or NULL */
	const char *wrap; /* NULL: of the size of the cipher's key */
	bool cofactor;
	const char *cipher;
};

static void set_oaep(EVP_PKEY_CTX *pc, const struct how *h)
{
	assert_true(EVP_PKEY_CTX_set_rsa_padding(pc,
	    RSA_PKCS1_OAEP_PADDING) > 0);
	assert_true(EVP_PKEY_CTX_set_rsa_oaep_md(pc,
	    EVP_get_digestbyname(h->oaep)) > 0);
	if (h->mgf != NULL)
		assert_true(EVP_PKEY_CTX_set_rsa_mgf1_md(pc,
		    EVP_get_digestbyname(h->mgf)) > 0);
	if (h->label != NULL)
		assert_true(EVP_PKEY_CTX_set0_rsa_oaep_label(pc,
		    OPENSSL_strdup(h->label), (int)strlen(h->label)) > 0);
}

static void set_agreement(CMS_RecipientInfo *r, EVP_PKEY_CTX *pc,
    const struct how *h)
{
	assert_true(EVP_PKEY_CTX_set_ecdh_kdf_md(pc,
	    EVP_get_digestbyname(h->kdf)) > 0);
	if (h->cofactor)
		assert_true(EVP_PKEY_CTX_set_ecdh_cofactor_mode(pc, 1) > 0);
	if (h->wrap != NULL)
		assert_int_equal(EVP_EncryptInit_ex(
		    CMS_RecipientInfo_kari_get0_ctx(r),
		    EVP_get_cipherbyname(h->wrap), NULL, NULL, NULL), 1);
}

/* The first RecipientInfo of EnvelopedData (RFC 5652 6.1). */
static void take_recipient(struct view cms, struct buf *ri)
{
	struct der d;

	assert_int_equal(der_get(&cms, DER_SEQUENCE, &d), 0);
	cms = d.val;
	assert_int_equal(der_get(&cms, DER_OID, &d), 0);
	assert_int_equal(der_get(&cms, DER_CTX0, &d), 0);
	cms = d.val;
	assert_int_equal(der_get(&cms, DER_SEQUENCE, &d), 0);
	cms = d.val;
	assert_int_equal(der_get(&cms, DER_INTEGER, &d), 0);
	assert_int_equal(der_get(&cms, DER_SET, &d), 0);
	cms = d.val;
	assert_int_equal(der_next(&cms, &d), 0);
	buf_putv(ri, d.whole);
	assert_false(ri->failed);
}

static void make_ri(const struct how *h, struct buf *ri)
{
	BIO *in = BIO_new_mem_buf("plain text", 10);
	const EVP_CIPHER *cipher = EVP_get_cipherbyname(h->cipher);
	CMS_ContentInfo *cms = CMS_encrypt(NULL, in, cipher,
	    CMS_BINARY | CMS_PARTIAL);
	CMS_RecipientInfo *r;
	EVP_PKEY_CTX *pc;
	unsigned char *der = NULL;
	int n;

	r = CMS_add1_recipient_cert(cms, h->to->x, CMS_KEY_PARAM |
	    (h->by_ski ? CMS_USE_KEYID : 0));
	assert_non_null(r);
	pc = CMS_RecipientInfo_get0_pkey_ctx(r);
	if (h->oaep != NULL)
		set_oaep(pc, h);
	if (h->kdf != NULL)
		set_agreement(r, pc, h);
	assert_int_equal(CMS_final(cms, in, NULL, CMS_BINARY), 1);
	n = i2d_CMS_ContentInfo(cms, &der);
	assert_true(n > 0);
	take_recipient(view_make(der, (size_t)n), ri);
	if (h->cofactor) /* 1.3.132.1.14.x, 1.3.133.16.840.63.0.3 */
		assert_true(memmem(ri->p, ri->n, "\x2b\x81\4\1\x0e", 5) !=
		    NULL || memmem(ri->p, ri->n, "\x86\x48\x3f\0\3", 5) !=
		    NULL);
	OPENSSL_free(der);
	CMS_ContentInfo_free(cms);
	BIO_free(in);
}

/* A KeyTransRecipientInfo with these octets as encryptedKey. */
static struct view make_ktri(const struct made *to, struct view ek,
    unsigned char *mem, size_t size)
{
	static const unsigned char rsa[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a,
		0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0 };
	static const unsigned char zero[] = { 0 };
	struct der_w d;

	der_w_init(&d, mem, size);
	der_w_tlv(&d, DER_OCTET_STRING, ek.p, ek.n);
	der_w_raw(&d, rsa, sizeof(rsa));
	der_w_view(&d, cert_ias(to->cert));
	der_w_tlv(&d, DER_INTEGER, zero, 1);
	der_w_wrap(&d, DER_SEQUENCE, 0);
	assert_false(d.failed);
	return der_w_result(&d);
}

/* Raw RSA of a block that the test made. */
static void encrypt_block(const struct made *to, const unsigned char *em,
    unsigned char *out, size_t n)
{
	EVP_PKEY_CTX *pc = EVP_PKEY_CTX_new(to->key, NULL);

	assert_int_equal(EVP_PKEY_encrypt_init(pc), 1);
	assert_true(EVP_PKEY_CTX_set_rsa_padding(pc, RSA_NO_PADDING) > 0);
	assert_int_equal(EVP_PKEY_encrypt(pc, out, &n, em, n), 1);
	EVP_PKEY_CTX_free(pc);
}

#define K 256 /* octets of an RSA-2048 block */

static void good_block(unsigned char *em, size_t cek_n)
{
	memset(em, 0xa5, K);
	em[0] = 0;
	em[1] = 2;
	em[K - cek_n - 1] = 0;
	memset(em + K - cek_n, 0x77, cek_n);
}

static int open_block(const unsigned char *em, size_t cek_n,
    unsigned char *cek)
{
	unsigned char ek[K], mem[1024];
	struct err e = { 0 };

	encrypt_block(&w.rsa, em, ek, K);
	return keyring_open(w.kr, cert_sha256(w.rsa.cert),
	    make_ktri(&w.rsa, view_make(ek, K), mem, sizeof(mem)), cek_n,
	    cek, &e);
}

/* ---- PKCS#1 v1.5 ---- */

static bool is_cek(const unsigned char *cek, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (cek[i] != 0x77)
			return false;
	return true;
}

static void S94_right_block_gives_the_key(void **state)
{
	static const size_t sizes[] = { 5, 8, 16, 24, 32 };
	unsigned char em[K], cek[CAP_CEK];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(sizes); i++) {
		good_block(em, sizes[i]);
		assert_int_equal(open_block(em, sizes[i], cek), 0);
		assert_true(is_cek(cek, sizes[i]));
	}
}

static void change(unsigned char *em, size_t at, unsigned char to)
{
	good_block(em, 32);
	em[at] = to;
}

/* attack A5: PKCS#1 v1.5 blocks of every wrong form, one after the other
 * verdict: a substitute key, always the same for the same block, so that a
 * wrong padding looks like a wrong key and repeating it tells nothing */
static void S94_A5_wrong_blocks_give_a_steady_substitute(void **state)
{
	static const struct {
		size_t at;
		unsigned char to;
	} faults[] = {
		{ 0, 1 },	    /* no leading zero (below the modulus) */
		{ 1, 1 }, { 1, 0 }, { 1, 3 }, { 1, 0x82 }, /* block type */
		{ 2, 0 }, { 3, 0 }, { 100, 0 },		 /* zero in padding */
		{ K - 34, 0 },				 /* right before it */
		{ K - 33, 1 }, { K - 33, 0x80 }, { K - 33, 0xff },
	};
	unsigned char em[K], one[CAP_CEK], two[CAP_CEK];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(faults); i++) {
		change(em, faults[i].at, faults[i].to);
		assert_int_equal(open_block(em, 32, one), 0);
		if (is_cek(one, 32))
			fail_msg("fault %zu passed", i);
		assert_int_equal(open_block(em, 32, two), 0);
		assert_memory_equal(one, two, 32);
	}
}

/* attack A5: a well-formed block with a key of another length
 * verdict: a substitute key like any other wrong block */
static void S94_A5_length_of_the_key_is_part_of_the_form(void **state)
{
	unsigned char em[K], cek[CAP_CEK];

	(void)state;
	good_block(em, 16);
	assert_int_equal(open_block(em, 32, cek), 0);
	assert_false(is_cek(cek, 32));
	assert_false(is_cek(cek + 16, 16)); /* nothing of it shows */
	good_block(em, 32);
	assert_int_equal(open_block(em, 16, cek), 0);
	assert_false(is_cek(cek, 16));
	/* relabelled as RC2 with 40 bits: no octets to be guessed */
	good_block(em, 16);
	assert_int_equal(open_block(em, 5, cek), 0);
	assert_false(is_cek(cek, 5));
}

/* The substitute depends on message and key, and survives a restart. */
/* attack A5: comparing substitutes over messages and keys
 * verdict: each message and key has its own */
static void A5_substitute_is_bound_to_message_and_key(void **state)
{
	unsigned char em[K], one[CAP_CEK], two[CAP_CEK];
	struct keyring *old = w.kr;

	(void)state;
	change(em, 1, 1);
	assert_int_equal(open_block(em, 32, one), 0);
	em[10] ^= 1;
	assert_int_equal(open_block(em, 32, two), 0);
	assert_memory_not_equal(one, two, 32);
	em[10] ^= 1;
	assert_int_equal(open_block(em, 16, two), 0);
	assert_memory_not_equal(one, two, 16);
	must(keyring_load(&w.kr, w.ks, secret_view(), e));
	assert_int_equal(open_block(em, 32, two), 0);
	assert_memory_equal(one, two, 32);
	keyring_free(&w.kr);
	w.kr = old;
}

/* attack A5: traces of a padding fault in libcrypto's error queue
 * verdict: none */
static void A5_no_trace_in_the_error_queue(void **state)
{
	unsigned char em[K], cek[CAP_CEK];

	(void)state;
	ERR_clear_error();
	change(em, 1, 1);
	assert_int_equal(open_block(em, 32, cek), 0);
	assert_int_equal(ERR_peek_error(), 0);
}

static void S94_lengths_of_the_encrypted_key(void **state)
{
	static const size_t sizes[] = { 0, 1, K - 1, K + 1, 512 };
	unsigned char ek[512], mem[2048], cek[CAP_CEK];
	size_t i;

	(void)state;
	memset(ek, 1, sizeof(ek));
	for (i = 0; i < ARRAY_LEN(sizes); i++)
		must_fail(keyring_open(w.kr, cert_sha256(w.rsa.cert),
		    make_ktri(&w.rsa, view_make(ek, sizes[i]), mem,
		    sizeof(mem)), 32, cek, e), FAIL_INPUT);
	memset(ek, 0xff, K); /* not below the modulus */
	must_fail(keyring_open(w.kr, cert_sha256(w.rsa.cert), make_ktri(
	    &w.rsa, view_make(ek, K), mem, sizeof(mem)), 32, cek, e),
	    FAIL_INPUT);
}

/* ---- what libcrypto makes ---- */

static void check_how(const struct how *h, size_t cek_n)
{
	unsigned char cek[CAP_CEK], again[CAP_CEK];
	struct buf ri;

	buf_init(&ri, 65536);
	make_ri(h, &ri);
	must(keyring_open(w.kr, cert_sha256(h->to->cert), buf_view(&ri),
	    cek_n, cek, e));
	must(keyring_open(w.kr, cert_sha256(h->to->cert), buf_view(&ri),
	    cek_n, again, e));
	assert_memory_equal(cek, again, cek_n);
	/* Of another length: a substitute, or it does not open. */
	if (h->oaep != NULL || h->kdf != NULL)
		must_fail(keyring_open(w.kr, cert_sha256(h->to->cert),
		    buf_view(&ri), cek_n == 16 ? 32 : 16, cek, e),
		    FAIL_INPUT);
	/* One octet of the encrypted key (the last) changed. */
	ri.p[ri.n - 1] ^= 1;
	if (h->oaep != NULL || h->kdf != NULL) {
		must_fail(keyring_open(w.kr, cert_sha256(h->to->cert),
		    buf_view(&ri), cek_n, cek, e), FAIL_INPUT);
	} else {
		must(keyring_open(w.kr, cert_sha256(h->to->cert),
		    buf_view(&ri), cek_n, again, e));
		assert_memory_not_equal(cek, again, cek_n);
	}
	buf_free(&ri);
}

static void S95_transport_by_both_identifiers(void **state)
{
	const struct how ias = { .to = &w.rsa, .cipher = "AES-128-CBC" };
	const struct how ski = { .to = &w.rsa, .by_ski = true,
	    .cipher = "AES-256-CBC" };

	(void)state;
	check_how(&ias, 16);
	check_how(&ski, 32);
}

static void S93_oaep_with_every_digest(void **state)
{
	static const char *const md[] = { "SHA1", "SHA224", "SHA256",
		"SHA384", "SHA512" };
	struct how h = { .to = &w.rsa, .cipher = "AES-256-CBC" };
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(md); i++)
		for (k = 0; k < ARRAY_LEN(md) + 1; k++) {
			h.oaep = md[i];
			h.mgf = k == 0 ? NULL : md[k - 1];
			h.label = k % 2 == 0 ? NULL : "a label";
			check_how(&h, 32);
		}
}

/* Reading stays possible where making is not (RFC 8551 4.3). */
static void S98_S198_short_keys_still_open(void **state)
{
	const struct how v15 = { .to = &w.old, .cipher = "AES-256-CBC" };
	const struct how oaep = { .to = &w.old, .oaep = "SHA1",
	    .cipher = "AES-128-CBC" };

	(void)state;
	assert_int_equal(cert_key_bits(w.old.cert), 1024);
	check_how(&v15, 32);
	check_how(&oaep, 16);
}

static void S91_ecdh_with_every_curve_and_digest(void **state)
{
	static const char *const md[] = { "SHA1", "SHA224", "SHA256",
		"SHA384", "SHA512" };
	static const struct {
		const char *name;
		size_t n;
	} ciphers[] = { { "AES-128-CBC", 16 }, { "AES-192-CBC", 24 },
		{ "AES-256-CBC", 32 }, { "DES-EDE3-CBC", 24 } };
	const struct made *to[] = { &w.p256, &w.p384, &w.p521 };
	size_t i, j, k;

	(void)state;
	for (i = 0; i < 3; i++)
		for (j = 0; j < ARRAY_LEN(md); j++)
			for (k = 0; k < ARRAY_LEN(ciphers); k++) {
				struct how h = { .to = to[i], .kdf = md[j],
				    .by_ski = (i + j + k) % 2 == 1,
				    .cofactor = (i + j + k) % 3 == 0,
				    .cipher = ciphers[k].name };

				check_how(&h, ciphers[k].n);
			}
}

/* What we make has the size of the content key; what others make may be
 * wrapped with more or less. */
static void S90_any_size_of_wrap_opens(void **state)
{
	static const char *const wraps[] = { "id-aes128-wrap",
		"id-aes192-wrap", "id-aes256-wrap" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(wraps); i++) {
		struct how h = { .to = &w.p256, .kdf = "SHA256", .wrap =
		    wraps[i], .cipher = "AES-256-CBC" };

		check_how(&h, 32);
		h.cipher = "AES-128-CBC";
		check_how(&h, 16);
		h.cipher = "DES-EDE3-CBC";
		check_how(&h, 24);
	}
}

/* ---- not for us, not well-formed ---- */

static void key_of_somebody_else(void **state)
{
	const struct how rsa = { .to = &w.rsa, .cipher = "AES-256-CBC" };
	const struct how ec = { .to = &w.p256, .kdf = "SHA256",
	    .cipher = "AES-256-CBC" };
	unsigned char cek[CAP_CEK], none[32] = { 0 };
	struct buf ri;

	(void)state;
	buf_init(&ri, 65536);
	make_ri(&rsa, &ri);
	must_fail(keyring_open(w.kr, cert_sha256(w.rsa2.cert), buf_view(&ri),
	    32, cek, e), FAIL_INPUT);
	must_fail(keyring_open(w.kr, cert_sha256(w.p256.cert), buf_view(&ri),
	    32, cek, e), FAIL_INPUT);
	must_fail(keyring_open(w.kr, none, buf_view(&ri), 32, cek, e),
	    FAIL_INPUT);
	must_fail(keyring_open(w.kr, cert_sha256(w.rsa.cert), buf_view(&ri),
	    20, cek, e), FAIL_INPUT);
	must_fail(keyring_open(w.kr, cert_sha256(w.rsa.cert), buf_view(&ri),
	    0, cek, e), FAIL_INPUT);
	buf_clear(&ri);
	make_ri(&ec, &ri);
	must_fail(keyring_open(w.kr, cert_sha256(w.p384.cert), buf_view(&ri),
	    32, cek, e), FAIL_INPUT);
	must_fail(keyring_open(w.kr, cert_sha256(w.rsa.cert), buf_view(&ri),
	    32, cek, e), FAIL_INPUT);
	buf_free(&ri);
}

/* Every prefix, and every octet changed in three ways: never a crash, and
 * never the right key out of a changed agreement. */
static void torture(const struct how *h)
{
	static const unsigned char flips[] = { 0x01, 0x80, 0xff };
	unsigned char right[CAP_CEK], cek[CAP_CEK], *copy;
	struct err why = { 0 };
	struct buf ri;
	size_t i, j;

	buf_init(&ri, 65536);
	make_ri(h, &ri);
	must(keyring_open(w.kr, cert_sha256(h->to->cert), buf_view(&ri), 32,
	    right, e));
	for (i = 0; i < ri.n; i++) {
		copy = malloc(i + 1); /* of exact size, for the sanitizer */
		memcpy(copy, ri.p, i);
		assert_int_equal(keyring_open(w.kr, cert_sha256(h->to->cert),
		    view_make(copy, i), 32, cek, &why), -1);
		free(copy);
	}
	for (i = 0; i < ri.n; i++)
		for (j = 0; j < ARRAY_LEN(flips); j++) {
			ri.p[i] ^= flips[j];
			(void)!keyring_open(w.kr, cert_sha256(h->to->cert),
			    buf_view(&ri), 32, cek, &why);
			ri.p[i] ^= flips[j];
		}
	buf_putc(&ri, 0);
	assert_int_equal(keyring_open(w.kr, cert_sha256(h->to->cert),
	    buf_view(&ri), 32, cek, &why), -1);
	buf_free(&ri);
}

/* attack A15: RecipientInfos cut anywhere, or with any octet changed
 * verdict: refused or opened, never a crash in the keys process */
static void A15_truncated_and_changed(void **state)
{
	const struct how oaep = { .to = &w.rsa, .oaep = "SHA256",
	    .mgf = "SHA1", .label = "l", .cipher = "AES-256-CBC" };
	const struct how ec = { .to = &w.p256, .kdf = "SHA256",
	    .cipher = "AES-256-CBC" };

	(void)state;
	torture(&oaep);
	torture(&ec);
}

static void S96_other_kinds_are_refused(void **state)
{
	static const unsigned char kek[] = { 0xa2, 0x03, 0x02, 0x01, 0x04 };
	static const unsigned char pwri[] = { 0xa3, 0x03, 0x02, 0x01, 0x00 };
	static const unsigned char ori[] = { 0xa4, 0x00 };
	unsigned char cek[CAP_CEK];

	(void)state;
	must_fail(keyring_open(w.kr, cert_sha256(w.rsa.cert),
	    view_make(kek, sizeof(kek)), 32, cek, e), FAIL_INPUT);
	must_fail(keyring_open(w.kr, cert_sha256(w.rsa.cert),
	    view_make(pwri, sizeof(pwri)), 32, cek, e), FAIL_INPUT);
	must_fail(keyring_open(w.kr, cert_sha256(w.rsa.cert),
	    view_make(ori, sizeof(ori)), 32, cek, e), FAIL_INPUT);
}

/* attack A15: an ephemeral key that is no point of our curve
 * verdict: does not open, like any other; no arithmetic with the key */
static void A15_invalid_curve_point(void **state)
{
	const struct how ec = { .to = &w.p256, .kdf = "SHA256",
	    .cipher = "AES-256-CBC" };
	unsigned char cek[CAP_CEK], *point;
	struct buf ri;

	(void)state;
	buf_init(&ri, 65536);
	make_ri(&ec, &ri);
	point = memmem(ri.p, ri.n, "\x03\x42\x00\x04", 4);
	assert_non_null(point);
	memset(point + 4, 1, 64);
	must_fail(keyring_open(w.kr, cert_sha256(w.p256.cert), buf_view(&ri),
	    32, cek, e), FAIL_INPUT);
	point[3] = 0; /* the point at infinity, with octets after it */
	must_fail(keyring_open(w.kr, cert_sha256(w.p256.cert), buf_view(&ri),
	    32, cek, e), FAIL_INPUT);
	buf_free(&ri);
}

static void add_to_world(struct made *m, const char *alg, const char *key)
{
	const struct spec s = { .san = "email:alice@example.com", .alg = alg,
	    .key = key };

	cert_make(m, &s, NULL);
	add_cert(w.ks, m, KS_ENCRYPT);
	add_private(w.ks, m);
}

static int setup(void **state)
{
	(void)state;
	w.ks = store_make(&w.p);
	add_to_world(&w.rsa, "rsa:2048", "one");
	add_to_world(&w.rsa2, "rsa:2048", "two");
	add_to_world(&w.old, "rsa:1024", "old");
	add_to_world(&w.p256, "ec:p256", "k");
	add_to_world(&w.p384, "ec:p384", "k");
	add_to_world(&w.p521, "ec:p521", "k");
	must(keyring_load(&w.kr, w.ks, secret_view(), e));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	keyring_free(&w.kr);
	made_free(&w.rsa);
	made_free(&w.rsa2);
	made_free(&w.old);
	made_free(&w.p256);
	made_free(&w.p384);
	made_free(&w.p521);
	store_clear(&w.p, &w.ks);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S94_lengths_of_the_encrypted_key),
		cmocka_unit_test(key_of_somebody_else),
		cmocka_unit_test(S96_other_kinds_are_refused),
		cmocka_unit_test(A15_truncated_and_changed),
		cmocka_unit_test(A15_invalid_curve_point),
		cmocka_unit_test(S94_right_block_gives_the_key),
		cmocka_unit_test(
		    S94_A5_wrong_blocks_give_a_steady_substitute),
		cmocka_unit_test(
		    S94_A5_length_of_the_key_is_part_of_the_form),
		cmocka_unit_test(A5_substitute_is_bound_to_message_and_key),
		cmocka_unit_test(A5_no_trace_in_the_error_queue),
		cmocka_unit_test(S95_transport_by_both_identifiers),
		cmocka_unit_test(S93_oaep_with_every_digest),
		cmocka_unit_test(S91_ecdh_with_every_curve_and_digest),
		cmocka_unit_test(S90_any_size_of_wrap_opens),
		cmocka_unit_test(S98_S198_short_keys_still_open),
	};

	return cmocka_run_group_tests_name("keystore_keyopen", tests, setup,
	    teardown);
}
