/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Layers in each other: compression, signatures of nobody, keys that share
 * an identifier; what is delivered, and what is said of it.
 */
#include "tests/unit/gateway_forge.h"

#include <zlib.h>

static struct world w;
static struct testca ca;
static struct testca_id alice, bob, twin, third;

#define ALICE "alice@example.com"
#define TEXT "Content-Type: text/plain\r\n\r\nThe plan is this.\r\n"
#define TOP FORGE_FROM FORGE_TOP

/* What the store's command does with a key. */
static void hold_key(const struct testca_id *id)
{
	unsigned char *der = NULL;
	PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(id->key);
	int n = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
	struct buf sealed;
	bool added;

	buf_init(&sealed, 1u << 16);
	assert_true(n > 0);
	if (keyring_seal_key(view_make(der, (size_t)n), buf_view(&w.secret),
	    &sealed, &w.e) != 0 ||
	    keystore_add(w.ks, id->cert, KS_ENCRYPT, KS_IMPORT, &added,
	    &w.e) != 0 ||
	    keystore_add_key(w.ks, cert_spki_sha256(id->cert),
	    buf_view(&sealed), &w.e) != 0)
		fail_msg("%s", w.e.msg);
	buf_free(&sealed);
	OPENSSL_free(der);
	PKCS8_PRIV_KEY_INFO_free(p8);
}

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	testca_init(&ca);
	testca_issue(&ca, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = ALICE}, &alice);
	testca_issue(&ca, &(struct testca_leaf){.key = "rsa:2048",
	    .mail = FORGE_TO}, &bob);
	testca_issue(&ca, &(struct testca_leaf){.key = "rsa:2048",
	    .mail = FORGE_TO, .ski_of = bob.key}, &twin);
	testca_issue(&ca, &(struct testca_leaf){.key = "rsa:2048",
	    .mail = FORGE_TO, .ski_of = bob.key}, &third);
	forge_trust(&w, ca.root.cert);
	hold_key(&bob);
	hold_key(&twin);
	hold_key(&third);
	world_keys(&w);
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	testca_id_free(&alice);
	testca_id_free(&bob);
	testca_id_free(&twin);
	testca_id_free(&third);
	testca_free(&ca);
	world_end(&w);
	return 0;
}

/* ---- making layers: entity in, entity out ---- */

static void put_object(struct buf *b, const char *type, struct view der)
{
	struct buf body;

	buf_init(&body, BIG);
	forge_base64(&body, der);
	buf_clear(b);
	buf_printf(b, "Content-Type: application/pkcs7-mime; smime-type=%s;\r\n"
	    "\tname=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n",
	    type);
	buf_putv(b, buf_view(&body));
	buf_free(&body);
	assert_int_equal(buf_ok(b, NULL), 0);
}

static void compress_entity(struct buf *b)
{
	struct buf der, t;
	uLongf n = compressBound(b->n);
	unsigned char *z = malloc(n);

	assert_non_null(z);
	assert_int_equal(compress2(z, &n, b->p, b->n, 9), Z_OK);
	buf_init(&der, BIG);
	buf_init(&t, BIG);
	put_tlv(&der, DER_OCTET_STRING, view_make(z, n));
	wrap_buf(&der, DER_CTX0);
	put_oid(&t, OID_DATA);
	buf_putv(&t, buf_view(&der));
	wrap_buf(&t, DER_SEQUENCE);
	buf_clear(&der);
	put_tlv(&der, DER_INTEGER, view_make("", 1));
	put_alg(&der, OID_ZLIB, false, DER_SEQUENCE);
	buf_putv(&der, buf_view(&t));
	wrap_buf(&der, DER_SEQUENCE);
	wrap_buf(&der, DER_CTX0);
	buf_clear(&t);
	put_oid(&t, OID_COMPRESSED_DATA);
	buf_putv(&t, buf_view(&der));
	wrap_buf(&t, DER_SEQUENCE);
	put_object(b, "compressed-data", buf_view(&t));
	buf_free(&der);
	buf_free(&t);
	free(z);
}

static void sign_clear(struct buf *b)
{
	const struct forge f = {.id = &alice, FEW,
	    .certs = {alice.cert, ca.sub.cert}, .said = buf_str(b)};
	struct buf part, der;

	buf_init(&part, BIG);
	buf_init(&der, BIG);
	buf_putv(&part, buf_view(b));
	make_signed(&f, 1, &der);
	forge_clear(b, FORGE_CLEAR, buf_view(&part), buf_view(&der));
	buf_free(&part);
	buf_free(&der);
}

/* Encrypted by libcrypto for whom the key identifier names. */
static void encrypt_by_ski(struct buf *b, const struct testca_id *to)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	BIO *in = BIO_new_mem_buf(b->p, (int)b->n);
	unsigned char *der = NULL;
	CMS_ContentInfo *c;
	int n;

	sk_X509_push(certs, cert_x509(to->cert));
	c = CMS_encrypt(certs, in, EVP_aes_128_cbc(), CMS_BINARY |
	    CMS_USE_KEYID);
	assert_non_null(c);
	n = i2d_CMS_ContentInfo(c, &der);
	assert_true(n > 0);
	put_object(b, "enveloped-data", view_make(der, (size_t)n));
	OPENSSL_free(der);
	CMS_ContentInfo_free(c);
	BIO_free(in);
	sk_X509_free(certs);
}

static void open_entity(struct buf *b)
{
	struct buf all;

	buf_init(&all, BIG);
	buf_puts(&all, TOP);
	buf_putv(&all, buf_view(b));
	world_open_view(&w, ALICE, FORGE_TO, buf_view(&all));
	buf_free(&all);
}

static void start(struct buf *b)
{
	buf_init(b, BIG);
	buf_puts(b, TEXT);
}

static void expect_layers(const char *layers)
{
	assert_string_equal(buf_str(&w.v.layers), layers);
}

static bool is_plain(void)
{
	return has(&w, "The plan is this.\r\n") && !has(&w, "pkcs7");
}

/* ---- compression ---- */

static void S143_compressed_mail_is_expanded(void **state)
{
	struct buf b;

	(void)state;
	start(&b);
	compress_entity(&b);
	open_entity(&b);
	assert_true(is_plain());
	expect_layers("compressed 1 -\n");
	assert_string_equal(w.v.sig_result, "none");
	buf_free(&b);
}

static void S145_compressed_within_and_around_a_signature(void **state)
{
	struct buf b;

	(void)state;
	start(&b);
	compress_entity(&b);
	sign_clear(&b);
	open_entity(&b);
	assert_true(is_plain());
	expect_layers("signed 1 pass\ncompressed 1/1 -\n");
	world_signature(&w, "pass", "");
	buf_free(&b);

	start(&b);
	sign_clear(&b);
	compress_entity(&b);
	open_entity(&b);
	assert_true(has(&w, "multipart/signed"));
	expect_layers("compressed 1 -\nsigned 1/1 pass\n");
	world_signature(&w, "pass", "");
	assert_string_equal(w.v.sig_part, "2");
	buf_free(&b);
}

/* attack A13: compressed data inside of a signature that fails
 * verdict: fail; what cannot be what was signed is never expanded */
static void S145_A13_nothing_expands_under_a_broken_signature(void **state)
{
	struct buf b;

	(void)state;
	start(&b);
	compress_entity(&b);
	sign_clear(&b);
	/* another object of the same length in its place */
	*(unsigned char *)memmem(b.p, b.n, "base64\r\n\r\nM", 11) = 'B';
	open_entity(&b);
	world_signature(&w, "fail", "S70");
	assert_false(is_plain());
	assert_null(w.v.body);
	buf_free(&b);
}

/* attack A13: a compressed object in another, and 80 MB of zeros in 80 kB
 * verdict: one level is expanded; beyond 20 times its size neutral at S63,
 * delivered as it arrived */
static void S143_A13_bombs(void **state)
{
	enum { ZEROS = 80 << 20 };
	struct buf b;
	char *zeros = calloc(1, ZEROS);

	(void)state;
	start(&b);
	compress_entity(&b);
	compress_entity(&b);
	open_entity(&b);
	expect_layers("compressed 1 -\ncompressed 1/1 -\n");
	assert_true(has(&w, "compressed-data"));
	buf_free(&b);

	assert_non_null(zeros);
	buf_init(&b, 2 * (size_t)ZEROS);
	buf_puts(&b, TEXT);
	buf_put(&b, zeros, ZEROS);
	compress_entity(&b);
	open_entity(&b);
	world_signature(&w, "neutral", "S63");
	assert_null(w.v.body);
	assert_true(has(&w, "smime=neutral"));
	buf_free(&b);
	free(zeros);
}

/* Where the reader opens his mail himself, he gets it as it is. */
static void S143_left_compressed_where_mail_is_left_sealed(void **state)
{
	struct buf b;

	(void)state;
	world_rules(&w, "outbound : pass\ninbound : leave-sealed\n");
	start(&b);
	compress_entity(&b);
	open_entity(&b);
	assert_true(is_untouched(&w));
	buf_free(&b);
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
}

/* ---- signatures of nobody ---- */

/* attack A19: a SignedData that nobody signed around text
 * verdict: unwrapped, none at S66, no name */
static void S167_A19_an_empty_signature_is_unsigned(void **state)
{
	const struct forge f = {.id = &alice, FEW, .opaque = true,
	    .no_signer = true, .certs = {alice.cert}};

	(void)state;
	forge_open(&w, &f, 0);
	assert_string_equal(w.v.sig_result, "none");
	assert_false(has(&w, "pkcs7"));
	assert_false(has(&w, "smime=pass"));
	assert_false(has(&w, "smime-identifier"));
	expect_layers("signed 1 none\n");
}

/* attack A11: ciphertext in a signature in another encryption, so that it is
 * the innermost signature that is seen
 * verdict: policy at S65: it covers ciphertext all the same */
static void S134_A11_a_signature_between_two_encryptions(void **state)
{
	struct buf b;

	(void)state;
	start(&b);
	encrypt_by_ski(&b, &bob);
	sign_clear(&b);
	encrypt_by_ski(&b, &bob);
	open_entity(&b);
	assert_string_equal(w.v.dec_result, "decrypted");
	expect_layers("encrypted 1 -\nsigned 1/1 policy\n"
	    "encrypted 1/1/1 -\n");
	world_signature(&w, "policy", "S65");
	assert_false(has(&w, "smime-identifier"));
	assert_in_range(w.key_ops, 1, 3); /* his three keys, one layer */
	buf_free(&b);
}

/* ---- keys that share an identifier ---- */

static void S95_all_keys_of_one_identifier_are_tried(void **state)
{
	const struct testca_id *const to[] = {&bob, &twin, &third};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		start(&b);
		encrypt_by_ski(&b, to[i]);
		open_entity(&b);
		assert_string_equal(w.v.dec_result, "decrypted");
		assert_true(is_plain());
		assert_in_range(w.key_ops, 1, 3);
		buf_free(&b);
	}
}

/* attack A5: an identifier that several keys have, and no key that opens
 * verdict: all of them are asked, each once, then the one outward face */
static void S95_A5_none_of_them_opens(void **state)
{
	struct testca_id other;
	struct buf b;

	(void)state;
	testca_issue(&ca, &(struct testca_leaf){.key = "rsa:2048",
	    .mail = FORGE_TO, .ski_of = bob.key}, &other);
	start(&b);
	encrypt_by_ski(&b, &other);
	open_entity(&b);
	assert_string_equal(w.v.dec_result, "failed");
	assert_string_equal(w.v.dec_reason, "the message does not open");
	assert_int_equal(w.key_ops, 3);
	assert_null(w.v.body);
	buf_free(&b);
	testca_id_free(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S143_compressed_mail_is_expanded),
		cmocka_unit_test(
		    S145_compressed_within_and_around_a_signature),
		cmocka_unit_test(
		    S145_A13_nothing_expands_under_a_broken_signature),
		cmocka_unit_test(S143_A13_bombs),
		cmocka_unit_test(
		    S143_left_compressed_where_mail_is_left_sealed),
		cmocka_unit_test(S167_A19_an_empty_signature_is_unsigned),
		cmocka_unit_test(
		    S134_A11_a_signature_between_two_encryptions),
		cmocka_unit_test(S95_all_keys_of_one_identifier_are_tried),
		cmocka_unit_test(S95_A5_none_of_them_opens),
	};

	return cmocka_run_group_tests_name("gateway_layers", tests,
	    make_world, end_world);
}
