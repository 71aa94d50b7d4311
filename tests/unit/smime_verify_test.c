/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Verification step by step: one crafted object for each way to fail, and
 * libcrypto's signatures of every kind that we take.
 */
#include "smime/verify.h"

#include <openssl/rsa.h>

#include "smime_forge.h"
#include "smime_help.h"
#include "testca.h"

static struct testca ca;
static struct testca_id rsa, p256, p384, weak, small, not_sign, tls, a_ca,
    any_eku, same_ski, ed, other;

static int setup(void **state)
{
	static const struct {
		struct testca_id *id;
		struct testca_leaf leaf;
	} rows[] = {
		{ &rsa, { .key = "rsa:2048", .mail = "alice@example.com" } },
		{ &p256, { .key = "ec:P-256", .mail = "bob@example.com",
		    .ku = "nonRepudiation" } },
		{ &p384, { .key = "ec:P-384", .mail = "carol@example.com",
		    .eku = "" } },
		{ &weak, { .key = "rsa:1024", .mail = "dave@example.com" } },
		{ &small, { .key = "rsa:512", .mail = "dave@example.com" } },
		{ &not_sign, { .key = "ec:P-256", .mail =
		    "bob@example.com", .ku = "keyAgreement" } },
		{ &tls, { .key = "ec:P-256", .mail = "bob@example.com",
		    .eku = "serverAuth" } },
		{ &a_ca, { .key = "ec:P-256", .mail = "bob@example.com",
		    .basic = "critical,CA:TRUE" } },
		{ &any_eku, { .key = "ec:P-256", .mail = "bob@example.com",
		    .eku = "anyExtendedKeyUsage" } },
		{ &ed, { .key = "ed25519", .mail = "bob@example.com" } },
		{ &other, { .key = "rsa:2048", .mail =
		    "carol@example.com" } },
	};

	(void)state;
	testca_init(&ca);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		testca_issue(&ca, &rows[i].leaf, rows[i].id);
	/* A38: the subject key identifier of alice, another key */
	testca_issue(&ca, &(struct testca_leaf){ .key = "rsa:2048",
	    .mail = "dave@example.com", .ski_of = rsa.key }, &same_ski);
	return 0;
}

static int teardown(void **state)
{
	struct testca_id *ids[] = { &rsa, &p256, &p384, &weak, &small,
		&not_sign, &tls, &a_ca, &any_eku, &same_ski, &ed, &other };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		testca_id_free(ids[i]);
	testca_free(&ca);
	return 0;
}

#define NO_EXTRAS .caps = LEFT_OUT, .pref = LEFT_OUT, .protect = LEFT_OUT, \
	.ess = LEFT_OUT, .ess1 = LEFT_OUT

struct row {
	const char *name;
	struct forge f;
	enum sig_result result;
	int step;
};

static void check_rows(const struct row *rows, size_t n)
{
	struct verification *v;
	struct forge f;
	struct buf der;

	buf_init(&der, BIG);
	for (size_t i = 0; i < n; i++) {
		f = rows[i].f;
		if (f.certs[0] == NULL)
			f.certs[0] = f.id->cert;
		make_signed(&f, 1, &der);
		v = verify(buf_view(&der), f.opaque ? NULL : &said);
		expect(rows[i].name, v, rows[i].result, rows[i].step);
		verification_free(&v);
	}
	buf_free(&der);
}

static void S57_S67_S70_S84_good_signatures_pass(void **state)
{
	static const struct row rows[] = {
		{ "all attributes", { .id = &rsa }, SIG_PASS, 0 },
		{ "few attributes", { .id = &rsa, NO_EXTRAS, .time =
		    LEFT_OUT }, SIG_PASS, 0 },
		{ "opaque", { .id = &rsa, .opaque = true }, SIG_PASS, 0 },
		{ "by SKI", { .id = &rsa, .by_ski = true }, SIG_PASS, 0 },
		{ "P-256", { .id = &p256 }, SIG_PASS, 0 },
		{ "P-384 with SHA-384", { .id = &p384, .digest =
		    OID_SHA384 }, SIG_PASS, 0 },
		{ "P-256 with SHA-512", { .id = &p256, .digest =
		    OID_SHA512 }, SIG_PASS, 0 },
		{ "sha256WithRSAEncryption", { .id = &rsa, .sig_alg =
		    OID_RSA_SHA256 }, SIG_PASS, 0 },
		{ "sha512WithRSAEncryption", { .id = &rsa, .sig_alg =
		    OID_RSA_SHA512, .digest = OID_SHA512 }, SIG_PASS, 0 },
		{ "digest with NULL", { .id = &rsa, .digest_null = true },
		    SIG_PASS, 0 },
		{ "64 attributes", { .id = &rsa, NO_EXTRAS, .more_attrs =
		    CAP_CMS_ATTRIBUTES - 3 }, SIG_PASS, 0 },
		{ "any EKU", { .id = &any_eku }, SIG_PASS, 0 },
		{ "S84 Ed25519", { .id = &ed, .sig_alg = OID_ED25519,
		    .digest = OID_SHA512 }, SIG_PASS, 0 },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

/* attack A17 A19: a detached signature with content of its own; no signer at
 * all
 * verdict: permerror at S64; none at S66 */
static void A17_A19_S64_S65_S66_the_object(void **state)
{
	static const struct row rows[] = {
		{ "S65 econtent", { .id = &rsa, .econtent =
		    OID_SIGNED_DATA }, SIG_POLICY, 65 },
		{ "S66 no signer, A19", { .id = &rsa, .no_signer = true },
		    SIG_NONE, 66 },
		{ "S66 no signer, opaque", { .id = &rsa, .no_signer = true,
		    .opaque = true }, SIG_NONE, 66 },
	};
	struct forge f = { .id = &rsa, .certs = { rsa.cert } };
	struct verification *v;
	struct buf der;

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
	buf_init(&der, BIG);
	/* A17: detached, but with the very content inside */
	f.opaque = true;
	make_signed(&f, 1, &der);
	v = verify(buf_view(&der), &said);
	expect("S64 eContent in detached", v, SIG_PERMERROR, 64);
	verification_free(&v);
	f.opaque = false;
	make_signed(&f, 1, &der);
	v = verify(buf_view(&der), NULL);
	expect("S64 no eContent in opaque", v, SIG_PERMERROR, 64);
	verification_free(&v);
	buf_free(&der);
}

static void S67_S112_attributes(void **state)
{
	static const struct row rows[] = {
		{ "none", { .id = &rsa, .no_attrs = true }, SIG_POLICY, 67 },
		{ "no contentType", { .id = &rsa, .type = LEFT_OUT },
		    SIG_POLICY, 67 },
		{ "contentType twice", { .id = &rsa, .type = TWICE },
		    SIG_POLICY, 67 },
		{ "contentType with two values", { .id = &rsa, .type =
		    TWO_VALUES }, SIG_POLICY, 67 },
		{ "contentType without value", { .id = &rsa, .type =
		    NO_VALUE }, SIG_POLICY, 67 },
		{ "contentType other", { .id = &rsa, .type = WRONG },
		    SIG_POLICY, 67 },
		{ "no messageDigest", { .id = &rsa, .md = LEFT_OUT },
		    SIG_POLICY, 67 },
		{ "messageDigest twice", { .id = &rsa, .md = TWICE },
		    SIG_POLICY, 67 },
		{ "messageDigest with two values", { .id = &rsa, .md =
		    TWO_VALUES }, SIG_POLICY, 67 },
		{ "messageDigest of other type", { .id = &rsa, .md = WRONG },
		    SIG_POLICY, 67 },
		{ "signingTime twice", { .id = &rsa, .time = TWICE },
		    SIG_POLICY, 67 },
		{ "signingTime unreadable", { .id = &rsa, .time = WRONG },
		    SIG_POLICY, 67 },
		{ "not DER", { .id = &rsa, .unsorted = true }, SIG_POLICY,
		    67 },
		{ "unknown one twice", { .id = &rsa, .more_attrs = 2, .ess =
		    TWICE }, SIG_POLICY, 67 },
		{ "65 attributes", { .id = &rsa, NO_EXTRAS, .more_attrs =
		    CAP_CMS_ATTRIBUTES - 2 }, SIG_NEUTRAL, 62 },
		{ "capabilities twice", { .id = &rsa, .caps = TWICE },
		    SIG_FAIL, 112 },
		{ "capabilities with two values", { .id = &rsa, .caps =
		    TWO_VALUES }, SIG_FAIL, 112 },
		{ "key preference twice", { .id = &rsa, .pref = TWICE },
		    SIG_FAIL, 112 },
		{ "key preference with two values", { .id = &rsa, .pref =
		    TWO_VALUES }, SIG_FAIL, 112 },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

/* attack A15 A37: weak digests and keys; certificates for TLS and of CAs
 * verdict: policy at S68; policy at S71 */
static void A15_A37_S53_S68_S71_algorithms_and_certificates(void **state)
{
	static const struct row rows[] = {
		{ "SHA-1", { .id = &rsa, .digest = OID_SHA1 }, SIG_POLICY,
		    68 },
		{ "MD5", { .id = &rsa, .digest = OID_MD5 }, SIG_POLICY, 68 },
		{ "MD5 by name", { .id = &rsa, .sig_alg = OID_RSA_MD5 },
		    SIG_POLICY, 68 },
		{ "RSA 1024", { .id = &weak }, SIG_POLICY, 68 },
		{ "RSA 512", { .id = &small }, SIG_POLICY, 68 },
		{ "other digest in the name", { .id = &rsa, .sig_alg =
		    OID_RSA_SHA512 }, SIG_POLICY, 68 },
		{ "not announced", { .id = &rsa, .no_digest_algs = true },
		    SIG_POLICY, 68 },
		{ "ECDSA with an RSA key", { .id = &rsa, .sig_alg =
		    OID_ECDSA_SHA256 }, SIG_POLICY, 68 },
		{ "RSA with an EC key", { .id = &p256, .sig_alg = OID_RSA },
		    SIG_POLICY, 68 },
		{ "PSS without parameters", { .id = &rsa, .sig_alg =
		    OID_RSA_PSS }, SIG_POLICY, 68 },
		{ "Ed25519 and SHA-256", { .id = &ed, .sig_alg = OID_ED25519,
		    .digest = OID_SHA256 }, SIG_POLICY, 68 },
		{ "Ed25519 with an RSA key", { .id = &rsa, .sig_alg =
		    OID_ED25519, .digest = OID_SHA512 }, SIG_POLICY, 68 },
		{ "RSA with an Ed25519 key", { .id = &ed, .sig_alg =
		    OID_RSA_SHA512, .digest = OID_SHA512 }, SIG_POLICY, 68 },
		{ "ECDSA with an Ed25519 key", { .id = &ed, .sig_alg =
		    OID_ECDSA_SHA512, .digest = OID_SHA512 }, SIG_POLICY,
		    68 },
		{ "not known", { .id = &rsa, .sig_alg = OID_ZLIB },
		    SIG_NEUTRAL, 68 },
		{ "keyUsage", { .id = &not_sign }, SIG_POLICY, 71 },
		{ "TLS certificate", { .id = &tls }, SIG_POLICY, 71 },
		{ "CA certificate", { .id = &a_ca }, SIG_POLICY, 71 },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void S69_S70_certificate_and_mathematics(void **state)
{
	const struct row rows[] = {
		{ "not there", { .id = &rsa, .certs = { p256.cert } },
		    SIG_PERMERROR, 69 },
		{ "ESS hash", { .id = &rsa, .ess = WRONG }, SIG_FAIL, 69 },
		{ "old ESS hash", { .id = &rsa, .ess1 = WRONG }, SIG_FAIL,
		    69 },
		{ "AlgorithmProtection", { .id = &rsa, .protect = WRONG },
		    SIG_FAIL, 70 },
		{ "signature", { .id = &rsa, .wrong_signature = true },
		    SIG_FAIL, 70 },
		{ "EC signature", { .id = &p256, .wrong_signature = true },
		    SIG_FAIL, 70 },
		{ "content", { .id = &rsa, .said = "other" }, SIG_FAIL,
		    70 },
		{ "content, opaque", { .id = &rsa, .said = "other", .opaque =
		    true }, SIG_FAIL, 70 },
		{ "somebody else's key", { .id = &other, .named = &rsa,
		    .certs = { rsa.cert }, NO_EXTRAS }, SIG_FAIL, 70 },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void findings_say_what_was_seen(void **state)
{
	struct forge f = { .id = &p256, .certs = { ca.sub.cert, p256.cert } };
	struct verification *v;
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	make_signed(&f, 1, &der);
	v = verify(buf_view(&der), &said);
	assert_int_equal(v->certs, 2);
	assert_int_equal(v->signers, 1);
	assert_string_equal(v->signer[0].digest, "sha-256");
	assert_string_equal(v->signer[0].algorithm, "ecdsa-p256");
	assert_int_equal(v->signer[0].signing_time, 1795255200);
	assert_false(v->signer[0].crypto_failed);
	assert_memory_equal(cert_sha256(v->signer[0].cert),
	    cert_sha256(p256.cert), 32);
	verification_free(&v);
	f.wrong_signature = true;
	make_signed(&f, 1, &der);
	v = verify(buf_view(&der), &said);
	assert_true(v->signer[0].crypto_failed);
	verification_free(&v);
	buf_free(&der);
}

static void malformed_signer_is_no_signed_data(void **state)
{
	struct forge f = { .id = &rsa, .certs = { rsa.cert }, .trailing =
	    true };
	struct cms *c = NULL;
	struct buf der;
	struct err e;

	(void)state;
	buf_init(&der, BIG);
	make_signed(&f, 1, &der);
	assert_int_equal(read_der(&c, buf_view(&der), &e), -1);
	assert_int_equal(e.kind, FAIL_INPUT);
	buf_free(&der);
}

/* S20: what an MTA does to line ends, and nothing else. */
static void S20_only_lone_line_feeds_are_forgiven(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "Content-Type: text/plain\n\nHello\n", true },
		{ "Content-Type: text/plain\r\n\nHello\r\n", true },
		{ "Content-Type: text/plain\r\r\n\r\nHello\r\n", false },
		{ "Content-Type: text/plain\r\n\r\nHello", false },
		{ "Content-Type: text/plain\r\n\r\nHello \r\n", false },
		{ "Content-Type: text/plain\r\n\rHello\r\n", false },
	};
	struct forge f = { .id = &rsa, .certs = { rsa.cert } };
	struct verification *v;
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	make_signed(&f, 1, &der);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view t = view_of(rows[i].text);

		v = verify(buf_view(&der), &t);
		expect(rows[i].text, v, rows[i].good ? SIG_PASS : SIG_FAIL,
		    rows[i].good ? 0 : 70);
		verification_free(&v);
	}
	buf_free(&der);
}

/* CR at the end of one chunk, LF at the start of the next. */
static void line_ends_across_chunks(void **state)
{
	size_t n = 3 * SPOOL_CHUNK;
	char *text = malloc(n + 1);
	struct forge f = { .id = &p256, .certs = { p256.cert } };
	struct verification *v;
	struct view t;
	struct buf der;

	(void)state;
	assert_non_null(text);
	buf_init(&der, BIG);
	for (size_t shift = 0; shift < 3; shift++) {
		for (size_t i = 0; i < n; i++)
			text[i] = (i + shift) % 3 == 0 ? 'x' : (i + shift) %
			    3 == 1 ? '\r' : '\n';
		if (text[0] == '\n') /* a lone one would gain a CR */
			text[0] = 'y';
		text[n] = '\0';
		f.said = text;
		make_signed(&f, 1, &der);
		t = view_make(text, n);
		v = verify(buf_view(&der), &t);
		expect("chunks", v, SIG_PASS, 0);
		verification_free(&v);
	}
	buf_free(&der);
	free(text);
}

/* S20: a lone LF as the first octet of a chunk has lost its CR too. */
static void S20_lone_line_feed_at_a_chunk(void **state)
{
	char *with = malloc(SPOOL_CHUNK + 3);
	struct forge f = { .id = &p256, .certs = { p256.cert } };
	struct verification *v;
	struct view t;
	struct buf der;

	(void)state;
	assert_non_null(with);
	buf_init(&der, BIG);
	memset(with, 'x', SPOOL_CHUNK);
	memcpy(with + SPOOL_CHUNK, "\r\n", 3);
	f.said = with;
	make_signed(&f, 1, &der);
	with[SPOOL_CHUNK] = '\n';
	t = view_make(with, SPOOL_CHUNK + 1);
	v = verify(buf_view(&der), &t);
	expect("lone LF", v, SIG_PASS, 0);
	verification_free(&v);
	buf_free(&der);
	free(with);
}

/* attack A16: genuine signedAttrs shown as content
 * verdict: policy at S67, where libcrypto says that it verifies */
static void A16_attributes_shown_as_content(void **state)
{
	struct forge f = { .id = &rsa, .certs = { rsa.cert } };
	struct buf der, set, sd, t, sig;
	X509_STORE *store = X509_STORE_new();
	BIO *in, *null = BIO_new(BIO_s_null());
	struct verification *v;
	CMS_ContentInfo *c;
	struct view shown;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&set, BIG);
	buf_init(&sd, BIG);
	buf_init(&t, BIG);
	buf_init(&sig, BIG);
	make_attrs(&f, &set);
	wrap_buf(&set, DER_SET);
	shown = buf_view(&set);
	make_signature(&f, shown, &sig);
	/* SignedData whose SignerInfo has that signature, no attributes */
	put_tlv(&sd, DER_INTEGER, view_make("\1", 1));
	put_alg(&t, OID_SHA256, false, DER_SEQUENCE);
	put_tlv(&sd, DER_SET, buf_view(&t));
	buf_clear(&t);
	put_oid(&t, OID_DATA);
	put_tlv(&sd, DER_SEQUENCE, buf_view(&t));
	put_tlv(&sd, DER_CTX0, cert_der(rsa.cert));
	buf_clear(&t);
	put_tlv(&t, DER_INTEGER, view_make("\1", 1));
	buf_putv(&t, cert_ias(rsa.cert));
	put_alg(&t, OID_SHA256, false, DER_SEQUENCE);
	put_alg(&t, OID_RSA, true, DER_SEQUENCE);
	put_tlv(&t, DER_OCTET_STRING, buf_view(&sig));
	wrap_buf(&t, DER_SEQUENCE);
	put_tlv(&sd, DER_SET, buf_view(&t));
	wrap_buf(&sd, DER_SEQUENCE);
	wrap_buf(&sd, DER_CTX0);
	put_oid(&der, OID_SIGNED_DATA);
	buf_putv(&der, buf_view(&sd));
	wrap_buf(&der, DER_SEQUENCE);
	c = ossl_cms(buf_view(&der));
	assert_non_null(c);
	in = BIO_new_mem_buf(shown.p, (int)shown.n);
	assert_int_equal(CMS_verify(c, NULL, store, in, null, CMS_BINARY |
	    CMS_NO_SIGNER_CERT_VERIFY), 1);
	v = verify(buf_view(&der), &shown);
	expect("A16", v, SIG_POLICY, 67);
	verification_free(&v);
	BIO_free(in);
	BIO_free(null);
	X509_STORE_free(store);
	CMS_ContentInfo_free(c);
	buf_free(&der);
	buf_free(&set);
	buf_free(&sd);
	buf_free(&t);
	buf_free(&sig);
}

/* S68: policy may allow SHA-1 and short keys; SHA-1 never passes. */
static void S68_policy_for_old_mail(void **state)
{
	struct forge f = { .id = &rsa, .certs = { rsa.cert }, .digest =
	    OID_SHA1 };
	struct verify_policy p = policy();
	struct verification *v;
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	p.allow_sha1 = true;
	p.min_rsa_bits = 1024;
	make_signed(&f, 1, &der);
	v = verify_with(&p, buf_view(&der), &said);
	expect("SHA-1 allowed", v, SIG_POLICY, 68);
	assert_false(v->signer[0].crypto_failed);
	verification_free(&v);
	f.wrong_signature = true;
	make_signed(&f, 1, &der);
	v = verify_with(&p, buf_view(&der), &said);
	expect("SHA-1 allowed, but wrong", v, SIG_FAIL, 70);
	verification_free(&v);
	f = (struct forge){ .id = &weak, .certs = { weak.cert } };
	make_signed(&f, 1, &der);
	v = verify_with(&p, buf_view(&der), &said);
	expect("RSA 1024 allowed", v, SIG_PASS, 0);
	verification_free(&v);
	p.min_rsa_bits = 256; /* not below CAP_RSA_MIN_OLD whatever it says */
	f = (struct forge){ .id = &small, .certs = { small.cert } };
	make_signed(&f, 1, &der);
	v = verify_with(&p, buf_view(&der), &said);
	expect("RSA 512 never", v, SIG_POLICY, 68);
	verification_free(&v);
	buf_free(&der);
}

/* An RSA key whose public exponent has so many bits. */
static EVP_PKEY *key_with_exponent(int bits)
{
	EVP_PKEY_CTX *x = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *e = BN_new();
	EVP_PKEY *key = NULL;

	assert_int_equal(BN_set_bit(e, bits - 1) && BN_set_bit(e, 0), 1);
	assert_int_equal(EVP_PKEY_keygen_init(x), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(x, 2048), 1);
	assert_int_equal(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(x, e), 1);
	assert_int_equal(EVP_PKEY_generate(x, &key), 1);
	BN_free(e);
	EVP_PKEY_CTX_free(x);
	return key;
}

/* attack A15: an RSA exponent that makes each verification cost a signature
 * verdict: policy at step S68; what has as many bits as the cap passes */
static void A15_S68_rsa_exponent_at_its_cap(void **state)
{
	struct verify_policy p = policy();
	struct verification *v;
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	for (int over = 0; over < 2; over++) {
		EVP_PKEY *key = key_with_exponent(CAP_RSA_EXPONENT + over);
		struct testca_id id;
		struct forge f = { .id = &id };

		testca_issue(&ca, &(struct testca_leaf){ .use_key = key,
		    .mail = "alice@example.com" }, &id);
		f.certs[0] = id.cert;
		make_signed(&f, 1, &der);
		v = verify_with(&p, buf_view(&der), &said);
		if (over == 0)
			expect("exponent at the cap", v, SIG_PASS, 0);
		else
			expect("exponent beyond it", v, SIG_POLICY, 68);
		assert_false(v->signer[0].crypto_failed);
		verification_free(&v);
		testca_id_free(&id);
		EVP_PKEY_free(key);
	}
	buf_free(&der);
}

struct asked {
	struct cert *answer;
	size_t n;
	bool by_ski;
};

static struct cert *find(void *ctx, bool by_ski, struct view id)
{
	struct asked *a = ctx;

	a->n++;
	a->by_ski = by_ski;
	assert_true(view_eq(id, by_ski ? cert_ski(rsa.cert) :
	    cert_ias(rsa.cert)));
	return a->answer == NULL ? NULL : cert_ref(a->answer);
}

static void S69_certificates_from_outside(void **state)
{
	struct forge f = { .id = &rsa, .certs = { p256.cert } };
	struct verify_policy p = policy();
	struct verification *v;
	struct asked a = { 0 };
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	p.find = find;
	p.find_ctx = &a;
	for (int ski = 0; ski < 2; ski++) {
		f.by_ski = ski == 1;
		make_signed(&f, 1, &der);
		a = (struct asked){ .answer = rsa.cert };
		v = verify_with(&p, buf_view(&der), &said);
		expect("known", v, SIG_PASS, 0);
		assert_int_equal(a.n, 1);
		assert_int_equal(a.by_ski, f.by_ski);
		verification_free(&v);
		a = (struct asked){ .answer = NULL };
		v = verify_with(&p, buf_view(&der), &said);
		expect("unknown", v, SIG_PERMERROR, 69);
		verification_free(&v);
	}
	/* what is in the message needs no question */
	f.certs[0] = rsa.cert;
	make_signed(&f, 1, &der);
	a = (struct asked){ 0 };
	v = verify_with(&p, buf_view(&der), &said);
	expect("inside", v, SIG_PASS, 0);
	assert_int_equal(a.n, 0);
	verification_free(&v);
	buf_free(&der);
}

/* attack A38: two certificates with one subject key identifier
 * verdict: the one whose key verifies is the signer's; the wrong one alone is
 * fail at S70 */
static void A38_S69_every_certificate_of_an_SKI_is_tried(void **state)
{
	struct forge f = { .id = &rsa, .by_ski = true, NO_EXTRAS,
		.certs = { same_ski.cert, rsa.cert } };
	struct verification *v;
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	make_signed(&f, 1, &der);
	v = verify(buf_view(&der), &said);
	expect("second one", v, SIG_PASS, 0);
	assert_memory_equal(cert_sha256(v->signer[0].cert),
	    cert_sha256(rsa.cert), 32);
	verification_free(&v);
	f.certs[1] = NULL;
	make_signed(&f, 1, &der);
	v = verify(buf_view(&der), &said);
	expect("only the wrong one", v, SIG_FAIL, 70);
	verification_free(&v);
	/* and with signingCertificateV2 it must be the named one */
	f = (struct forge){ .id = &rsa, .by_ski = true, .certs = {
	    same_ski.cert, rsa.cert } };
	make_signed(&f, 1, &der);
	v = verify(buf_view(&der), &said);
	expect("named", v, SIG_PASS, 0);
	verification_free(&v);
	buf_free(&der);
}

/* Opaque content goes to quarantine, whole and in order. */
static void opaque_content_is_handed_out(void **state)
{
	struct forge f = { .id = &rsa, .certs = { rsa.cert }, .opaque = true };
	struct verify_policy p = policy();
	struct spool *q = spool_empty();
	struct verification *v = NULL;
	struct cms *c = NULL;
	struct buf der, got;
	struct err e;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&got, BIG);
	make_signed(&f, 1, &der);
	assert_int_equal(read_der(&c, buf_view(&der), &e), 0);
	assert_int_equal(verify_opaque(c, &p, q, &v, &e), 0);
	spool_get(q, &got);
	assert_string_equal(buf_str(&got), content);
	verification_free(&v);
	spool_free(&q);
	/* no room: nothing stays, no result */
	assert_int_equal(spool_new(&q, 10, &e), 0);
	assert_int_equal(verify_opaque(c, &p, q, &v, &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	assert_null(v);
	assert_int_equal(spool_size(q), 0);
	spool_free(&q);
	cms_free(&c);
	buf_free(&der);
	buf_free(&got);
}

static void S63_other_types_are_no_signature(void **state)
{
	CMS_ContentInfo *c = CMS_data_create(NULL, 0);
	CMS_ContentInfo *env = CMS_encrypt(NULL, NULL, EVP_aes_128_cbc(),
	    CMS_PARTIAL);
	struct view text = view_of(content);
	struct verification *v;
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	assert_non_null(CMS_add1_recipient_cert(env, cert_x509(rsa.cert),
	    0));
	ossl_der(env, &text, &der);
	v = verify(buf_view(&der), &said);
	expect("enveloped", v, SIG_NEUTRAL, 63);
	verification_free(&v);
	CMS_ContentInfo_free(c);
	CMS_ContentInfo_free(env);
	buf_free(&der);
}

/* Every bit of SignerInfo matters; nothing crashes on the way. */
static void no_changed_octet_passes(void **state)
{
	struct forge f = { .id = &p256, .certs = { p256.cert } };
	struct verify_policy p = policy();
	struct spool *s = spool_with(said);
	struct verification *v;
	struct buf der;
	struct cms *c;
	struct err e;
	size_t passed = 0, from;

	(void)state;
	buf_init(&der, BIG);
	make_signed(&f, 1, &der);
	from = der.n - 400;
	for (size_t i = from; i < der.n; i++) {
		for (int bit = 0; bit < 8; bit++) {
			der.p[i] ^= (unsigned char)(1 << bit);
			if (read_der(&c, buf_view(&der), &e) == 0) {
				assert_int_equal(verify_detached(c, s, 0,
				    said.n, &p, &v, &e), 0);
				if (v->signers == 1 && v->signer[0].result ==
				    SIG_PASS)
					passed++;
				verification_free(&v);
				cms_free(&c);
			}
			der.p[i] ^= (unsigned char)(1 << bit);
		}
	}
	assert_int_equal(passed, 0);
	spool_free(&s);
	buf_free(&der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S57_S67_S70_S84_good_signatures_pass),
		cmocka_unit_test(A17_A19_S64_S65_S66_the_object),
		cmocka_unit_test(S67_S112_attributes),
		cmocka_unit_test(
		    A15_A37_S53_S68_S71_algorithms_and_certificates),
		cmocka_unit_test(S69_S70_certificate_and_mathematics),
		cmocka_unit_test(findings_say_what_was_seen),
		cmocka_unit_test(malformed_signer_is_no_signed_data),
		cmocka_unit_test(S20_only_lone_line_feeds_are_forgiven),
		cmocka_unit_test(line_ends_across_chunks),
		cmocka_unit_test(S20_lone_line_feed_at_a_chunk),
		cmocka_unit_test(A16_attributes_shown_as_content),
		cmocka_unit_test(S68_policy_for_old_mail),
		cmocka_unit_test(A15_S68_rsa_exponent_at_its_cap),
		cmocka_unit_test(S69_certificates_from_outside),
		cmocka_unit_test(
		    A38_S69_every_certificate_of_an_SKI_is_tried),
		cmocka_unit_test(opaque_content_is_handed_out),
		cmocka_unit_test(S63_other_types_are_no_signature),
		cmocka_unit_test(no_changed_octet_passes),
	};

	return cmocka_run_group_tests_name("smime_verify", tests, setup,
	    teardown);
}
