/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What bounds a path: name constraints on addresses of both kinds, the
 * algorithms of a chain, the time at which it is judged.
 */
#include "tests/unit/keystore_path_help.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#define SUB(constraint) { .cn = "s", .key = "s", .bc = "critical,CA:TRUE", \
	.ku = "keyCertSign", .nc = constraint }
#define JOERG "j\xc3\xb6rg"
#define A_LABEL "xn--mnchen-3ya.example"
#define U_LABEL "m\xc3\xbcnchen.example"
#define PERMIT(x) "critical,permitted;email:" x
#define EXCLUDE(x) "critical,excluded;email:" x

/* ---- name constraints ---- */

struct constraint {
	const char *name, *nc;
	struct spec leaf;
	bool ok;
};

static const struct constraint constraints[] = {
	/* rfc822Name */
	{ "below, inside", PERMIT(".a.example"),
	    { .san = "email:alice@x.a.example" }, true },
	{ "below, another", PERMIT(".a.example"),
	    { .san = "email:alice@b.example" }, false },
	{ "below, itself", PERMIT(".a.example"),
	    { .san = "email:alice@a.example" }, false },
	{ "below, by letter", PERMIT(".a.example"),
	    { .san = "email:alice@ba.example" }, false },
	{ "host", PERMIT("a.example"),
	    { .san = "email:alice@a.example" }, true },
	{ "host in capitals", PERMIT("A.Example"),
	    { .san = "email:alice@a.EXAMPLE" }, true },
	{ "host, below it", PERMIT("a.example"),
	    { .san = "email:alice@x.a.example" }, false },
	{ "mailbox", PERMIT("alice@a.example"),
	    { .san = "email:alice@a.example" }, true },
	{ "another mailbox", PERMIT("alice@a.example"),
	    { .san = "email:bob@a.example" }, false },
	{ "one of two outside", PERMIT(".a.example"),
	    { .san = "email:alice@x.a.example,email:alice@b.example" },
	    false },
	{ "excluded", EXCLUDE("b.example"),
	    { .san = "email:alice@b.example" }, false },
	{ "not excluded", EXCLUDE("b.example"),
	    { .san = "email:alice@a.example" }, true },
	{ "subject's emailAddress", PERMIT(".a.example"),
	    { .dn_email = "alice@b.example" }, false },
	/* SmtpUTF8Mailbox (RFC 9598 6) */
	/* libcrypto knows no dot here, and refuses: too much is safe */
	{ "UTF-8, below, another domain with it inside", PERMIT(".a.example"),
	    { .utf8 = JOERG "@x.a.example.b.example" }, false },
	{ "UTF-8, below, another", PERMIT(".a.example"),
	    { .utf8 = JOERG "@b.example" }, false },
	{ "UTF-8, below, itself", PERMIT(".a.example"),
	    { .utf8 = JOERG "@a.example" }, false },
	{ "UTF-8, host", PERMIT("a.example"),
	    { .utf8 = JOERG "@a.example" }, true },
	{ "UTF-8, host in capitals", PERMIT("A.Example"),
	    { .utf8 = JOERG "@a.eXample" }, true },
	{ "UTF-8, host, below it", PERMIT("a.example"),
	    { .utf8 = JOERG "@x.a.example" }, false },
	{ "UTF-8, a mailbox of ASCII is no match", PERMIT("alice@a.example"),
	    { .utf8 = JOERG "@a.example" }, false },
	{ "UTF-8, excluded host", EXCLUDE("b.example"),
	    { .utf8 = JOERG "@b.example" }, false },
	{ "UTF-8, excluded below", EXCLUDE(".b.example"),
	    { .utf8 = JOERG "@x.b.example" }, false },
	{ "UTF-8, excluded host in capitals", EXCLUDE("B.Example"),
	    { .utf8 = JOERG "@b.example" }, false },
	{ "UTF-8, not excluded", EXCLUDE("b.example"),
	    { .utf8 = JOERG "@a.example" }, true },
	{ "UTF-8, A-label as U-label", PERMIT(A_LABEL),
	    { .utf8 = JOERG "@" U_LABEL }, true },
	{ "UTF-8, excluded A-label as A-label", EXCLUDE(A_LABEL),
	    { .utf8 = JOERG "@" A_LABEL }, false },
	{ "UTF-8, excluded A-label as U-label", EXCLUDE(A_LABEL),
	    { .utf8 = JOERG "@" U_LABEL }, false },
	{ "UTF-8, excluded A-label in capitals", EXCLUDE(A_LABEL),
	    { .utf8 = JOERG "@M\xc3\x9cNCHEN.example" }, false },
	{ "UTF-8, excluded below, A-label", EXCLUDE("." A_LABEL),
	    { .utf8 = JOERG "@x." A_LABEL }, false },
};

static void S119_name_constraints(void **state)
{
	struct made sub, leaf;
	const char *got;
	struct keystore *ks;
	struct place p;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(constraints); i++) {
		const struct constraint *t = &constraints[i];
		const struct spec s = SUB(t->nc);

		ks = trusting(&p);
		cert_make(&sub, &s, &root);
		cert_make(&leaf, &t->leaf, &sub);
		add_cert(ks, &sub, 0);
		got = try_path(ks, &leaf, NULL, 0, NOW);
		if ((got[0] == '\0') != t->ok)
			fail_msg("%s: \"%s\"", t->name, got);
		made_free(&sub);
		made_free(&leaf);
		store_clear(&p, &ks);
	}
}

/* ---- algorithms ---- */

#define CA(name, ...) { .cn = name, .key = name, .bc = "critical,CA:TRUE",    \
	.ku = "keyCertSign", __VA_ARGS__ }

static void S117_algorithms_of_a_chain(void **state)
{
	static const struct {
		const char *name;
		struct spec root, sub, leaf;
		const char *want;
	} cases[] = {
		{ "ECDSA P-256", CA("r", .alg = "ec:p256"),
		    CA("s", .alg = "ec:p256"), { MAIL }, "" },
		{ "ECDSA P-384 with SHA-384", CA("r", .alg = "ec:p384",
		    .md = "SHA384"), CA("s", .alg = "ec:p384", .md =
		    "SHA384"), { MAIL, .md = "SHA384" }, "" },
		{ "RSA PKCS #1", CA("r", .alg = "rsa:2048"), CA("s", .alg =
		    "rsa:2048"), { MAIL, .alg = "rsa:2048" }, "" },
		{ "RSA 4096", CA("r", .alg = "rsa:4096"), CA("s", .alg =
		    "rsa:2048"), { MAIL }, "" },
		{ "RSASSA-PSS", CA("r", .alg = "pss:2048"), CA("s", .alg =
		    "pss:2048"), { MAIL }, "" },
		{ "Ed25519", CA("r", .alg = "ed25519"), CA("s", .alg =
		    "ed25519"), { MAIL }, "" },
		{ "mixed", CA("r", .alg = "rsa:2048"), CA("s", .alg =
		    "ed25519"), { MAIL, .alg = "ec:p521" }, "" },
		{ "SHA-1 of the leaf", CA("r", .alg = NULL), CA("s", .alg =
		    NULL), { MAIL, .md = "SHA1" }, "weak" },
		{ "SHA-1 of the intermediate", CA("r", .alg = NULL),
		    CA("s", .md = "SHA1"), { MAIL }, "weak" },
		{ "MD5 of the leaf", CA("r", .alg = "rsa:2048"), CA("s", .alg =
		    "rsa:2048"), { MAIL, .md = "MD5" }, "weak" },
		{ "MD5 of the intermediate", CA("r", .alg = "rsa:2048"),
		    CA("s", .alg = "rsa:2048", .md = "MD5"), { MAIL },
		    "weak" },
		{ "SHA-1 of the root's own", CA("r", .md = "SHA1"),
		    CA("s", .alg = NULL), { MAIL }, "" },
		{ "RSA 1024 in the root", CA("r", .alg = "rsa:1024"),
		    CA("s", .alg = NULL), { MAIL }, "too weak" },
		{ "RSA 1024 in the intermediate", CA("r", .alg = NULL),
		    CA("s", .alg = "rsa:1024"), { MAIL }, "too weak" },
	};
	struct made r, sub, leaf;
	struct keystore *ks;
	const char *got;
	struct place p;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		ks = store_make(&p);
		cert_make(&r, &cases[i].root, NULL);
		cert_make(&sub, &cases[i].sub, &r);
		cert_make(&leaf, &cases[i].leaf, &sub);
		add_anchor(ks, &r);
		got = try_path(ks, &leaf, &sub.cert, 1, NOW);
		if (cases[i].want[0] == '\0' ? got[0] != '\0' :
		    strstr(got, cases[i].want) == NULL)
			fail_msg("%s: \"%s\"", cases[i].name, got);
		made_free(&r);
		made_free(&sub);
		made_free(&leaf);
		store_clear(&p, &ks);
	}
}

/* An RSA key that nobody could make a signature with. */
static EVP_PKEY *huge_key(size_t modulus, size_t exponent)
{
	static unsigned char n[2048], e[64];
	OSSL_PARAM param[] = {
		OSSL_PARAM_construct_BN("n", n, modulus),
		OSSL_PARAM_construct_BN("e", e, exponent),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *key = NULL;

	/* numbers of the machine's byte order: odd, and of full length */
	memset(n, 0xa5, sizeof(n));
	memset(e, 0x83, sizeof(e));
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY,
	    param), 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* attack A57: an intermediate whose key costs seconds to calculate with
 * verdict: it is no issuer; nothing is calculated */
static void S117_A57_keys_beyond_the_caps(void **state)
{
	static const struct {
		size_t modulus, exponent;
		const char *want;
	} cases[] = {
		{ 1025, 3, "RSA key of 8200 bits" },
		{ 2048, 3, "RSA key of 16384 bits" },
		{ 256, 9, "exponent of 72" },
		/* within the caps it is the signature that is wrong */
		{ 256, 3, "certificate signature failure" },
	};
	const struct spec sub_spec = CA("s", .alg = "rsa:2048");
	const struct spec s = { MAIL };
	struct made sub, leaf;
	struct keystore *ks;
	struct place p;
	EVP_PKEY *key;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		ks = trusting(&p);
		cert_make(&sub, &sub_spec, &root);
		cert_make(&leaf, &s, &sub);
		key = huge_key(cases[i].modulus, cases[i].exponent);
		assert_int_equal(X509_set_pubkey(sub.x, key), 1);
		assert_true(X509_sign(sub.x, root.key, EVP_sha256()) > 0);
		cert_free(&sub.cert);
		sub.cert = parse_x509(sub.x);
		expect(ks, &leaf, &sub.cert, 1, cases[i].want);
		EVP_PKEY_free(key);
		made_free(&sub);
		made_free(&leaf);
		store_clear(&p, &ks);
	}
}

/* ---- time ---- */

/* Now is when the mail came: what was valid when it says that it was signed
 * does not count, nor what will be. */
static void S120_validity_at_receipt(void **state)
{
	const struct spec s = { MAIL, .from = NOW - 10 * DAY,
	    .until = NOW + 10 * DAY };
	struct made leaf;
	struct keystore *ks;
	struct place p;

	(void)state;
	ks = trusting(&p);
	cert_make(&leaf, &s, &root);
	assert_string_equal(try_path(ks, &leaf, NULL, 0, NOW), "");
	assert_string_equal(try_path(ks, &leaf, NULL, 0, NOW + 10 * DAY),
	    "certificate expired on 2027-01-25");
	assert_string_equal(try_path(ks, &leaf, NULL, 0, NOW - 11 * DAY),
	    "certificate is valid only from 2027-01-05");
	assert_string_equal(try_path(ks, &leaf, NULL, 0, NOW + 9 * DAY), "");
	made_free(&leaf);
	store_clear(&p, &ks);
}

static int setup(void **state)
{
	(void)state;
	ca_make(&root, "root", NULL);
	ca_make(&other, "other", NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	made_free(&root);
	made_free(&other);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S119_name_constraints),
		cmocka_unit_test(S117_algorithms_of_a_chain),
		cmocka_unit_test(S117_A57_keys_beyond_the_caps),
		cmocka_unit_test(S120_validity_at_receipt),
	};

	return cmocka_run_group_tests_name("keystore_constraints", tests,
	    setup, teardown);
}
