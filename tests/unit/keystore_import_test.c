/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Import: every shape, good and bad, told apart by content.
 */
#include "tests/unit/keystore_import.h"

#include <openssl/cms.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>

static struct made alice, bob, root;

/* ---- making files ---- */

/* The form of old: "Proc-Type: 4,ENCRYPTED". */
static void put_old_key_pem(const struct made *m, const char *password,
    struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, m->key,
	    EVP_aes_128_cbc(), (const unsigned char *)password,
	    (int)strlen(password), NULL, NULL), 1);
	bio_to_buf(bio, out);
}

static void put_key_der(const struct made *m, const char *password,
    struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(i2d_PKCS8PrivateKey_bio(bio, m->key,
	    password != NULL ? EVP_aes_256_cbc() : NULL, password,
	    password != NULL ? (int)strlen(password) : 0, NULL, NULL), 1);
	bio_to_buf(bio, out);
}

static void put_p7(struct buf *out, bool stream)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	BIO *bio = BIO_new(BIO_s_mem());
	BIO *in = BIO_new_mem_buf("content", 7);
	CMS_ContentInfo *cms;

	sk_X509_push(certs, alice.x);
	sk_X509_push(certs, root.x);
	cms = CMS_sign(bob.x, bob.key, certs, in, CMS_BINARY |
	    (stream ? CMS_STREAM : 0));
	assert_non_null(cms);
	if (stream)
		assert_int_equal(i2d_CMS_bio_stream(bio, cms, in,
		    CMS_BINARY | CMS_STREAM), 1);
	else
		assert_int_equal(i2d_CMS_bio(bio, cms), 1);
	bio_to_buf(bio, out);
	CMS_ContentInfo_free(cms);
	BIO_free(in);
	sk_X509_free(certs);
}

/* libs of their own for RC2, which the default provider has not. */
static void put_p12(const char *password, bool old, struct buf *out)
{
	STACK_OF(X509) *ca = sk_X509_new_null();
	OSSL_LIB_CTX *lib = OSSL_LIB_CTX_new();
	OSSL_PROVIDER *a = OSSL_PROVIDER_load(lib, "default");
	OSSL_PROVIDER *b = OSSL_PROVIDER_load(lib, "legacy");
	BIO *bio = BIO_new(BIO_s_mem());
	PKCS12 *p12;

	assert_non_null(a);
	if (old && b == NULL)
		skip(); /* package openssl-provider-legacy */
	sk_X509_push(ca, root.x);
	p12 = PKCS12_create_ex(password, "alice", alice.key, alice.x, ca,
	    old ? NID_pbe_WithSHA1And3_Key_TripleDES_CBC : NID_aes_256_cbc,
	    old ? NID_pbe_WithSHA1And40BitRC2_CBC : NID_aes_256_cbc, 2048,
	    old ? 1 : 2048, 0, lib, NULL);
	assert_non_null(p12);
	assert_int_equal(i2d_PKCS12_bio(bio, p12), 1);
	bio_to_buf(bio, out);
	PKCS12_free(p12);
	sk_X509_free(ca);
	OSSL_PROVIDER_unload(a);
	if (b != NULL)
		OSSL_PROVIDER_unload(b);
	OSSL_LIB_CTX_free(lib);
}

static void put_base64(struct view der, const char *newline, struct buf *out)
{
	unsigned char line[80];
	size_t off, n;

	for (off = 0; off < der.n; off += n) {
		n = der.n - off < 48 ? der.n - off : 48;
		EVP_EncodeBlock(line, der.p + off, (int)n);
		buf_puts(out, (char *)line);
		buf_puts(out, newline);
	}
}

/* ---- bad ones ---- */

static void nothing_importable_is_named(void **state)
{
	static const unsigned char jpeg[] = { 0xff, 0xd8, 0xff, 0xe0, 0, 16,
		'J', 'F', 'I', 'F', 0, 1, 1, 1, 0, 72, 0, 72, 0, 0, 0xff,
		0xdb, 0, 67, 0 };
	const struct {
		const char *name;
		struct view data;
		const char *want;
	} cases[] = {
		{ "photo", { jpeg, sizeof(jpeg) }, "file: JPEG image data" },
		{ "empty", { NULL, 0 }, "file: empty" },
		{ "text", view_of("Dear bob,\nhere is my certificate.\n"),
		    "ASCII text" },
		{ "PDF", view_of("%PDF-1.4\n"), "PDF document" },
		{ "one octet", view_of("0"), "not a certificate" },
		{ "DER of nothing", { (const unsigned char *)"0\0", 2 },
		    "ASN.1 object" },
		{ "DER that ends early",
		    view_of("0\x82\x10\x00" "abcdefgh"), "not a cert" },
		{ "PEM without end",
		    view_of("-----BEGIN CERTIFICATE-----\nMIIB\n"),
		    "has no end" },
		{ "PEM of junk", view_of("-----BEGIN CERTIFICATE-----\n"
		    "AAAA\n-----END CERTIFICATE-----\n"), "certificate" },
		{ "PEM, bad base64", view_of("-----BEGIN CERTIFICATE-----\n"
		    "!!!!\n-----END CERTIFICATE-----\n"), "damaged" },
		{ "LDIF without certificate", view_of("dn: cn=x\ncn: x\n"),
		    "not a certificate" },
		{ "LDIF, bad base64", view_of("dn: cn=x\n"
		    "userCertificate;binary:: !!!!\n"), "RFC 2849" },
	};
	struct bench b;
	size_t i;

	(void)state;
	bench_make(&b);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(run(&b, cases[i].data), -1);
		if (b.e.kind != FAIL_INPUT ||
		    strstr(b.e.msg, cases[i].want) == NULL)
			fail_msg("%s: %d %s", cases[i].name, b.e.kind,
			    b.e.msg);
		assert_int_equal(b.good, 0);
	}
	assert_int_equal(stored(&b), 0);
	bench_clear(&b);
}

static void a_request_and_a_crl_are_named(void **state)
{
	X509_REQ *req = X509_REQ_new();
	X509_CRL *crl = X509_CRL_new();
	BIO *bio = BIO_new(BIO_s_mem());
	ASN1_TIME *now = ASN1_TIME_set(NULL, (time_t)NOW);
	struct buf data;
	struct bench b;

	(void)state;
	bench_make(&b);
	buf_init(&data, 65536);
	X509_REQ_set_pubkey(req, alice.key);
	assert_true(X509_REQ_sign(req, alice.key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509_REQ(bio, req), 1);
	bio_to_buf(bio, &data);
	assert_int_equal(run(&b, buf_view(&data)), -1);
	assert_string_equal(b.seen.kind, "certificate request");
	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(root.x));
	X509_CRL_set1_lastUpdate(crl, now);
	X509_CRL_set1_nextUpdate(crl, now);
	assert_true(X509_CRL_sign(crl, root.key, EVP_sha256()) > 0);
	bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_X509_CRL(bio, crl), 1);
	buf_clear(&data);
	bio_to_buf(bio, &data);
	assert_int_equal(run(&b, buf_view(&data)), -1);
	assert_string_equal(b.seen.kind, "CRL");
	ASN1_TIME_free(now);
	X509_REQ_free(req);
	X509_CRL_free(crl);
	buf_free(&data);
	bench_clear(&b);
}

/* ---- certificates ---- */

static void der_pem_base64(void **state)
{
	struct buf data;
	struct bench b;

	(void)state;
	bench_make(&b);
	buf_init(&data, 1u << 20);
	assert_int_equal(run(&b, cert_der(alice.cert)), 0);
	assert_int_equal(b.good, 1);
	assert_int_equal(b.seen.added, 1);
	assert_string_equal(b.seen.what, "alice@example.com");
	/* Again, in other forms: known. */
	put_cert_pem(&alice, &data);
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.good, 1);
	assert_int_equal(b.seen.added, 0);
	buf_clear(&data);
	put_base64(cert_der(alice.cert), "\r\n", &data);
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.good, 1);
	/* Two in a row. */
	buf_clear(&data);
	buf_putv(&data, cert_der(alice.cert));
	buf_putv(&data, cert_der(bob.cert));
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.seen.certs, 2);
	assert_int_equal(stored(&b), 2);
	/* One and something that is none. */
	buf_clear(&data);
	buf_putv(&data, cert_der(alice.cert));
	buf_puts(&data, "and so on");
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.good, 1);
	assert_int_equal(b.seen.skipped, 1);
	buf_free(&data);
	bench_clear(&b);
}

static void A61_damaged_block_does_not_hide_the_others(void **state)
{
	struct buf data;
	struct bench b;

	(void)state;
	bench_make(&b);
	buf_init(&data, 1u << 20);
	buf_puts(&data, "Some words before\r\n-----BEGIN CERTIFICATE-----\n"
	    "@@@@\n-----END CERTIFICATE-----\n");
	put_cert_pem(&alice, &data);
	buf_puts(&data, "-----BEGIN CERTIFICATE-----\nMIIB\n"); /* no end */
	put_cert_pem(&bob, &data);
	buf_puts(&data, "-----BEGIN NONSENSE-----\nAAAA\n"
	    "-----END NONSENSE-----\n-----\n");
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.good, 2);
	assert_int_equal(b.seen.skipped, 3);
	assert_int_equal(stored(&b), 2);
	buf_free(&data);
	bench_clear(&b);
}

static void pkcs7_der_ber_pem(void **state)
{
	struct buf p7, pem;
	struct bench b;
	int i;

	(void)state;
	buf_init(&p7, 1u << 20);
	buf_init(&pem, 1u << 20);
	for (i = 0; i < 3; i++) {
		bench_make(&b);
		buf_clear(&p7);
		put_p7(&p7, i == 1); /* indefinite lengths */
		if (i == 2) {
			buf_puts(&pem, "-----BEGIN PKCS7-----\n");
			put_base64(buf_view(&p7), "\n", &pem);
			buf_puts(&pem, "-----END PKCS7-----\n");
		}
		assert_int_equal(run(&b, i == 2 ? buf_view(&pem) :
		    buf_view(&p7)), 0);
		assert_int_equal(b.good, 3);
		assert_int_equal(stored(&b), 3);
		bench_clear(&b);
	}
	buf_free(&p7);
	buf_free(&pem);
}

static void pkcs7_truncated(void **state)
{
	struct buf p7;
	struct bench b;
	unsigned char *copy;
	size_t i;

	(void)state;
	bench_make(&b);
	b.o.report = NULL;
	buf_init(&p7, 1u << 20);
	put_p7(&p7, true);
	for (i = 0; i < p7.n; i += 7) {
		copy = malloc(i + 1);
		memcpy(copy, p7.p, i);
		assert_int_equal(run(&b, view_make(copy, i)), -1);
		assert_int_equal(b.e.kind, FAIL_INPUT);
		free(copy);
	}
	assert_int_equal(stored(&b), 0);
	buf_free(&p7);
	bench_clear(&b);
}

static void ldif(void **state)
{
	struct buf data;
	struct bench b;

	(void)state;
	bench_make(&b);
	buf_init(&data, 1u << 20);
	buf_puts(&data, "version: 1\n# people\n\ndn: cn=alice,o=x\r\n"
	    "cn: alice\r\nusercertificate;binary:: ");
	put_base64(cert_der(alice.cert), "\r\n ", &data); /* folded */
	buf_puts(&data, "\r\n\r\ndn: cn=bob,o=x\nuserCertificate:: ");
	put_base64(cert_der(bob.cert), "\n ", &data);
	buf_puts(&data, "\nuserCertificate:< file:///etc/passwd\n"
	    "jpegPhoto:: AAAA\n");
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.good, 2);
	assert_int_equal(b.seen.skipped, 1);
	assert_non_null(strstr(b.seen.reason, "file:///etc/passwd"));
	assert_int_equal(stored(&b), 2);
	buf_free(&data);
	bench_clear(&b);
}

/* ---- anchors and use ---- */

static int see_row(void *arg, const struct ks_row *r, struct err *e)
{
	struct ks_row *out = arg;

	(void)e;
	*out = *r;
	out->cert = NULL;
	return 0;
}

static struct ks_row row_of(struct bench *b, const struct made *m)
{
	struct ks_row r = { 0 };

	must(keystore_list(b->ks, cert_sha256_hex(m->cert), see_row, &r, e));
	return r;
}

static void anchors_only_when_asked(void **state)
{
	struct buf data;
	struct bench b;

	(void)state;
	bench_make(&b);
	assert_int_equal(run(&b, cert_der(root.cert)), 0);
	assert_false(row_of(&b, &root).is_anchor);
	b.o.anchor = true;
	assert_int_equal(run(&b, cert_der(root.cert)), 0);
	assert_true(row_of(&b, &root).is_anchor);
	assert_int_equal(run(&b, cert_der(alice.cert)), -1);
	assert_non_null(strstr(b.e.msg, "cannot be an anchor"));
	assert_int_equal(stored(&b), 1);
	/* A bundle: the root is trusted, the rest is left out. */
	must(keystore_remove(b.ks, cert_sha256(root.cert), e));
	buf_init(&data, 1u << 20);
	put_cert_pem(&alice, &data);
	put_cert_pem(&root, &data);
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.good, 1);
	assert_int_equal(stored(&b), 1);
	assert_true(row_of(&b, &root).is_anchor);
	buf_free(&data);
	bench_clear(&b);
}

static void S102_use_by_key_usage_and_by_order(void **state)
{
	const struct spec sign = { .san = "email:a@example.com",
	    .ku = "digitalSignature" };
	const struct spec tls = { .san = "email:b@example.com",
	    .eku = "serverAuth" };
	struct made s, t;
	struct bench b;

	(void)state;
	bench_make(&b);
	cert_make(&s, &sign, NULL);
	cert_make(&t, &tls, NULL);
	assert_int_equal(run(&b, cert_der(s.cert)), 0);
	assert_int_equal(row_of(&b, &s).use, KS_SIGN);
	assert_int_equal(run(&b, cert_der(t.cert)), 0);
	assert_int_equal(row_of(&b, &t).use, 0);
	assert_int_equal(run(&b, cert_der(alice.cert)), 0);
	assert_int_equal(row_of(&b, &alice).use,
	    KS_SIGN | KS_ENCRYPT | KS_STORAGE);
	b.o.use = KS_ENCRYPT;
	assert_int_equal(run(&b, cert_der(s.cert)), -1);
	assert_int_equal(row_of(&b, &s).use, KS_SIGN);
	assert_int_equal(run(&b, cert_der(alice.cert)), 0);
	assert_int_equal(row_of(&b, &alice).use, KS_ENCRYPT);
	/* Seen again without an order: stays narrowed. */
	b.o.use = 0;
	assert_int_equal(run(&b, cert_der(alice.cert)), 0);
	assert_int_equal(row_of(&b, &alice).use, KS_ENCRYPT);
	made_free(&s);
	made_free(&t);
	bench_clear(&b);
}

/* ---- keys ---- */

enum key_form { PEM8, PEM8_LOCKED, PEM_OLD_LOCKED, DER8, DER8_LOCKED };

static void put_key(enum key_form form, struct buf *out)
{
	switch (form) {
	case PEM8:
		put_key_pem(&alice, NULL, out);
		break;
	case PEM8_LOCKED:
		put_key_pem(&alice, "pw", out);
		break;
	case PEM_OLD_LOCKED:
		put_old_key_pem(&alice, "pw", out);
		break;
	case DER8:
		put_key_der(&alice, NULL, out);
		break;
	case DER8_LOCKED:
		put_key_der(&alice, "pw", out);
		break;
	}
}

static void keys_in_every_form(void **state)
{
	static const enum key_form forms[] = { PEM8, PEM8_LOCKED,
		PEM_OLD_LOCKED, DER8, DER8_LOCKED };
	struct buf data;
	struct bench b;
	size_t i;

	(void)state;
	buf_init_secret(&data, 1u << 20);
	for (i = 0; i < ARRAY_LEN(forms); i++) {
		bool locked = forms[i] != PEM8 && forms[i] != DER8;

		bench_make(&b);
		buf_clear(&data);
		put_key(forms[i], &data);
		b.o.password = "pw";
		/* No certificate yet. */
		assert_int_equal(run(&b, buf_view(&data)), -1);
		assert_non_null(strstr(b.e.msg, "no certificate for this"));
		assert_int_equal(run(&b, cert_der(alice.cert)), 0);
		b.o.password = NULL;
		assert_int_equal(run(&b, buf_view(&data)), locked ? -1 : 0);
		if (locked)
			assert_string_equal(b.seen.reason,
			    "encrypted; give its password");
		b.o.password = "wrong";
		assert_int_equal(run(&b, buf_view(&data)), locked ? -1 : 0);
		b.o.password = "pw";
		assert_int_equal(run(&b, buf_view(&data)), 0);
		assert_int_equal(b.seen.keys, 1);
		assert_true(row_of(&b, &alice).has_key);
		bench_clear(&b);
	}
	buf_free(&data);
}

static void key_before_its_certificate_in_one_file(void **state)
{
	struct buf data;
	struct bench b;

	(void)state;
	bench_make(&b);
	buf_init_secret(&data, 1u << 20);
	put_key_pem(&alice, NULL, &data);
	put_cert_pem(&bob, &data);
	put_cert_pem(&alice, &data);
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.good, 3);
	assert_true(row_of(&b, &alice).has_key);
	assert_false(row_of(&b, &bob).has_key);
	buf_free(&data);
	bench_clear(&b);
}

static void keys_without_a_secret_or_for_another(void **state)
{
	struct buf data;
	struct bench b;

	(void)state;
	bench_make(&b);
	buf_init_secret(&data, 1u << 20);
	put_cert_pem(&alice, &data);
	put_key_pem(&alice, NULL, &data);
	b.o.secret = view_make(NULL, 0);
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.good, 1);
	assert_int_equal(b.seen.skipped, 1);
	assert_false(row_of(&b, &alice).has_key);
	b.o.secret = secret_view();
	b.o.address = "bob@example.com";
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.seen.keys, 0);
	assert_non_null(strstr(b.seen.reason, "not for bob@example.com"));
	b.o.address = "Alice@example.com";
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.seen.keys, 1);
	b.o.secret = view_of("malformed");
	assert_int_equal(run(&b, buf_view(&data)), -1);
	assert_int_equal(b.e.kind, FAIL_CONFIG);
	buf_free(&data);
	bench_clear(&b);
}

static void check_p12(const char *password, bool old)
{
	struct buf data;
	struct bench b;

	buf_init_secret(&data, 1u << 20);
	put_p12(password, old, &data);
	bench_make(&b);
	b.o.password = "wrong";
	if (password[0] != '\0') {
		assert_int_equal(run(&b, buf_view(&data)), -1);
		assert_string_equal(b.seen.reason,
		    "does not open with this password");
		assert_int_equal(stored(&b), 0);
	}
	b.o.password = password[0] != '\0' ? password : NULL;
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.good, 3);
	assert_int_equal(b.seen.keys, 1);
	assert_true(row_of(&b, &alice).has_key);
	buf_free(&data);
	bench_clear(&b);
}

static void A61_pkcs12(void **state)
{
	(void)state;
	check_p12("p\xc3\xa4ssword", false);
	check_p12("", false);
}

static void A61_pkcs12_of_old_with_rc2(void **state)
{
	(void)state;
	check_p12("old", true);
}

/* attack A61: PKCS#12 files cut anywhere, or with any octet changed
 * verdict: refused, never a crash */
static void A61_pkcs12_truncated_and_changed(void **state)
{
	struct buf data;
	struct bench b;
	unsigned char *copy;
	size_t i;

	(void)state;
	buf_init_secret(&data, 1u << 20);
	put_p12("pw", false, &data);
	bench_make(&b);
	b.o.report = NULL;
	b.o.password = "pw";
	for (i = 0; i < data.n; i += 13) {
		copy = malloc(i + 1);
		memcpy(copy, data.p, i);
		assert_int_equal(run(&b, view_make(copy, i)), -1);
		free(copy);
	}
	/* The MAC notices every change behind its own parameters. */
	for (i = 40; i < data.n - 100; i += 29) {
		data.p[i] ^= 0x41;
		(void)!run(&b, buf_view(&data));
		data.p[i] ^= 0x41;
	}
	buf_free(&data);
	bench_clear(&b);
}

/* ---- limits ---- */

static void size_of_a_file(void **state)
{
	struct bench b;
	unsigned char *p;

	(void)state;
	bench_make(&b);
	p = calloc(1, CAP_IMPORT_FILE + 1);
	assert_non_null(p);
	assert_int_equal(run(&b, view_make(p, CAP_IMPORT_FILE - 1)), -1);
	assert_int_equal(b.e.kind, FAIL_INPUT);
	assert_int_equal(run(&b, view_make(p, CAP_IMPORT_FILE)), -1);
	assert_int_equal(b.e.kind, FAIL_INPUT);
	assert_int_equal(run(&b, view_make(p, CAP_IMPORT_FILE + 1)), -1);
	assert_int_equal(b.e.kind, FAIL_LIMIT);
	free(p);
	bench_clear(&b);
}

static int stop(void *arg, const char *file, const struct import_item *it)
{
	(void)arg;
	(void)file;
	(void)it;
	return -1;
}

static void a_file_is_stored_whole_or_not(void **state)
{
	struct buf data;
	struct bench b;

	(void)state;
	bench_make(&b);
	buf_init(&data, 1u << 20);
	put_cert_pem(&alice, &data);
	put_cert_pem(&bob, &data);
	b.o.report = stop;
	assert_int_equal(run(&b, buf_view(&data)), -1);
	assert_int_equal(stored(&b), 0);
	buf_free(&data);
	bench_clear(&b);
}

static int setup(void **state)
{
	const struct spec a = { .san = "email:alice@example.com",
	    .alg = "rsa:2048" };
	const struct spec bb = { .san = "email:bob@example.com" };

	(void)state;
	ca_make(&root, "root", NULL);
	cert_make(&alice, &a, &root);
	cert_make(&bob, &bb, &root);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	made_free(&alice);
	made_free(&bob);
	made_free(&root);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_importable_is_named),
		cmocka_unit_test(a_request_and_a_crl_are_named),
		cmocka_unit_test(size_of_a_file),
		cmocka_unit_test(a_file_is_stored_whole_or_not),
		cmocka_unit_test(A61_damaged_block_does_not_hide_the_others),
		cmocka_unit_test(pkcs7_truncated),
		cmocka_unit_test(A61_pkcs12_truncated_and_changed),
		cmocka_unit_test(der_pem_base64),
		cmocka_unit_test(pkcs7_der_ber_pem),
		cmocka_unit_test(ldif),
		cmocka_unit_test(anchors_only_when_asked),
		cmocka_unit_test(S102_use_by_key_usage_and_by_order),
		cmocka_unit_test(keys_in_every_form),
		cmocka_unit_test(key_before_its_certificate_in_one_file),
		cmocka_unit_test(keys_without_a_secret_or_for_another),
		cmocka_unit_test(A61_pkcs12),
		cmocka_unit_test(A61_pkcs12_of_old_with_rc2),
	};

	return cmocka_run_group_tests_name("keystore_import", tests, setup,
	    teardown);
}
