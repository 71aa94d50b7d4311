/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Signed messages made to cost: numbers at and beyond every cap, keys that
 * take long to compute with, certificates that make a search explode. What
 * is asserted is where the procedure stops, not how long it took.
 */
#include "tests/unit/gateway_forge.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>

static struct world w;
static struct testca ca;
static struct testca_id alice;

#define NOW ((int64_t)time(NULL))
#define MAIL "email:alice@example.com"

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
	testca_init(&ca);
	testca_issue(&ca, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = "alice@example.com"}, &alice);
	forge_trust(&w, ca.root.cert);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	testca_id_free(&alice);
	testca_free(&ca);
	world_end(&w);
	return 0;
}

static void expect_result(const char *name, const char *result,
    const char *step)
{
	if (strcmp(w.v.sig_result, result) != 0 ||
	    strcmp(w.v.sig_step, step) != 0)
		fail_msg("%s: %s at %s (%s), wanted %s at %s", name,
		    w.v.sig_result, w.v.sig_step, w.v.sig_reason, result,
		    step);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.key_ops, 0);
}

/* ---- numbers ---- */

/* attack A15: more signers than anybody needs
 * verdict: 16 are verified; with 17 neutral at S63, none is looked at */
static void A15_S114_signers(void **state)
{
	struct forge f[CAP_CMS_SIGNERS + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(f); i++)
		f[i] = (struct forge){.id = &alice, .certs = {alice.cert,
		    ca.sub.cert}, .at = NOW - (int64_t)i};
	for (int opaque = 0; opaque < 2; opaque++) {
		f[0].opaque = opaque == 1;
		forge_open(&w, f, CAP_CMS_SIGNERS - 1);
		expect_result("15", "pass", "");
		forge_open(&w, f, CAP_CMS_SIGNERS);
		expect_result("16", "pass", "");
		forge_open(&w, f, CAP_CMS_SIGNERS + 1);
		expect_result("17", "neutral", "S63");
		forge_same(&w);
	}
}

/* attack A15: a crowd of certificates
 * verdict: 64 in any order pass; 65 are neutral at S63 */
static void A15_S114_certificates(void **state)
{
	const struct cert *more[CAP_CMS_CERTS];
	struct testca_id id[4];
	struct forge f = {.id = &alice, .at = NOW};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		testca_issue(&ca, &(struct testca_leaf){.key = "ec:P-256",
		    .mail = "x@example.com"}, &id[i]);
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		more[i] = id[i % ARRAY_LEN(id)].cert;
	f.more_certs = more;
	for (size_t n = CAP_CMS_CERTS - 3; n <= CAP_CMS_CERTS - 1; n++) {
		f.certs[0] = ca.sub.cert;
		f.more_n = n;
		more[n - 1] = alice.cert; /* the last of them */
		forge_open(&w, &f, 1);
		expect_result("64", n + 1 <= CAP_CMS_CERTS ? "pass" : "neutral",
		    n + 1 <= CAP_CMS_CERTS ? "" : "S63");
		more[n - 1] = id[0].cert;
	}
	f.more_n = CAP_CMS_CERTS;
	more[0] = alice.cert;
	forge_open(&w, &f, 1);
	expect_result("65", "neutral", "S63");
	forge_same(&w);
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		testca_id_free(&id[i]);
}

/* attack A15: a crowd of signed attributes, and an unsigned one without end
 * verdict: 64 pass; 65 are neutral at S62; beyond 8 MiB neutral at S63 */
static void A15_attributes(void **state)
{
	struct forge f = {.id = &alice, .certs = {alice.cert, ca.sub.cert},
	    .at = NOW, FEW};
	struct buf big;

	(void)state;
	f.more_attrs = CAP_CMS_ATTRIBUTES - 3;
	forge_open(&w, &f, 1);
	expect_result("64", "pass", "");
	f.more_attrs++;
	forge_open(&w, &f, 1);
	expect_result("65", "neutral", "S62");
	/* among the unsigned ones, one without end */
	buf_init(&big, BIG);
	assert_non_null(buf_room(&big, CAP_CMS_SKELETON));
	memset(big.p, 'x', CAP_CMS_SKELETON);
	big.n = CAP_CMS_SKELETON;
	wrap_buf(&big, DER_OCTET_STRING);
	f.more_attrs = 0;
	f.unsigned_attrs = buf_view(&big);
	forge_open(&w, &f, 1);
	expect_result("8 MiB", "neutral", "S63");
	forge_same(&w);
	buf_free(&big);
}

/* ---- keys ---- */

/* An RSA public key of these sizes, with no private one to it. */
static EVP_PKEY *rsa_public(int bits, int e_bits)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_new(), *e = BN_new();
	OSSL_PARAM *p;
	EVP_PKEY *k = NULL;

	assert_int_equal(BN_rand(n, bits, BN_RAND_TOP_ONE,
	    BN_RAND_BOTTOM_ODD), 1);
	assert_int_equal(BN_rand(e, e_bits, BN_RAND_TOP_ONE,
	    BN_RAND_BOTTOM_ODD), 1);
	assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N,
	    n), 1);
	assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E,
	    e), 1);
	p = OSSL_PARAM_BLD_to_param(bld);
	assert_int_equal(EVP_PKEY_fromdata_init(c), 1);
	assert_int_equal(EVP_PKEY_fromdata(c, &k, EVP_PKEY_PUBLIC_KEY, p),
	    1);
	OSSL_PARAM_free(p);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(c);
	BN_free(n);
	BN_free(e);
	return k;
}

/* A mailbox's certificate by our CA for any key. */
static void certify(EVP_PKEY *key, struct testca_id *out)
{
	X509 *x = forge_x509(key, view_of("Alice"));

	forge_extend(x, NID_basic_constraints, "CA:FALSE");
	forge_extend(x, NID_subject_alt_name, MAIL);
	forge_issue(x, &ca.sub, key, out);
}

static size_t signature_n;

static void sign_rubbish(const struct forge *f, struct view tbs,
    struct buf *sig)
{
	unsigned char *to = buf_room(sig, signature_n);

	(void)f;
	(void)tbs;
	assert_int_equal(RAND_bytes(to, (int)signature_n), 1);
	to[0] = 0;
	sig->n += signature_n;
}

/* attack A15: keys that cost: RSA of 16384 bits, exponents of thousands
 * verdict: policy at S68 before any arithmetic; at the cap it is computed,
 * and fails at S70 */
static void A15_S68_rsa_sizes(void **state)
{
	static const struct {
		int bits, e_bits;
		const char *result, *step, *why;
	} k[] = {
		{16384, 17, "policy", "S68", "RSA key of 16384 bits"},
		{CAP_RSA_MAX + 8, 17, "policy", "S68", "RSA key of 8200"},
		{CAP_RSA_MAX, 17, "fail", "S70", "does not verify"},
		{2048, CAP_RSA_EXPONENT + 1, "policy", "S68",
		    "exponent too large"},
		{2048, 2047, "policy", "S68", "exponent too large"},
		{2048, CAP_RSA_EXPONENT, "fail", "S70", "does not verify"},
		{1016, 17, "policy", "S68", "RSA key of 1016 bits"},
		{512, 17, "policy", "S68", "RSA key of 512 bits"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		struct testca_id id;
		struct forge f = {.id = &id, .sig_alg = OID_RSA,
		    .sign = sign_rubbish, .at = NOW};

		certify(rsa_public(k[i].bits, k[i].e_bits), &id);
		f.certs[0] = id.cert;
		f.certs[1] = ca.sub.cert;
		signature_n = (size_t)k[i].bits / 8;
		f.opaque = i % 2 == 1;
		forge_open(&w, &f, 1);
		expect_result(k[i].why, k[i].result, k[i].step);
		if (strstr(w.v.sig_reason, k[i].why) == NULL)
			fail_msg("%s: %s", k[i].why, w.v.sig_reason);
		testca_id_free(&id);
	}
}

/* attack A15: an elliptic curve that has a name, but none that we know
 * verdict: policy at S68 */
static void A15_S68_curves(void **state)
{
	static const char *const curve[] = {"P-224", "secp256k1",
	    "brainpoolP256r1", "P-521"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(curve); i++) {
		EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC",
		    curve[i]);
		bool known = i == ARRAY_LEN(curve) - 1;
		struct testca_id id;
		struct forge f = {.id = &id, .at = NOW};

		certify(key, &id);
		f.certs[0] = id.cert;
		f.certs[1] = ca.sub.cert;
		forge_open(&w, &f, 1);
		expect_result(curve[i], known ? "pass" : "policy", known ?
		    "" : "S68");
		testca_id_free(&id);
	}
}

/* The same certificate, but with the numbers of its curve for its name. */
static void write_curve(X509 *x, EVP_PKEY *key, struct buf *out)
{
	EVP_PKEY *written = EVP_PKEY_dup(key);
	unsigned char *der = NULL;
	int n;

	assert_int_equal(EVP_PKEY_set_utf8_string_param(written,
	    OSSL_PKEY_PARAM_EC_ENCODING, "explicit"), 1);
	assert_int_equal(X509_set_pubkey(x, written), 1);
	assert_int_equal(X509_set_issuer_name(x,
	    X509_get_subject_name(cert_x509(ca.sub.cert))), 1);
	assert_true(X509_sign(x, ca.sub.key, EVP_sha256()) > 0);
	n = i2d_X509(x, &der);
	assert_true(n > 0);
	buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	EVP_PKEY_free(written);
}

/* attack A15: the parameters of an elliptic curve written out in the
 * certificate (CVE-2020-0601, CVE-2022-0778)
 * verdict: permerror at S69: libcrypto never sees such a certificate */
static void A15_S69_a_curve_of_his_own(void **state)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509 *x = forge_x509(key, view_of("Alice"));
	X509 *y = forge_x509(key, view_of("Alice"));
	struct testca_id id;
	struct forge f = {.id = &id, .at = NOW, .certs = {ca.sub.cert}, FEW};
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	forge_extend(x, NID_basic_constraints, "CA:FALSE");
	forge_extend(x, NID_subject_alt_name, MAIL);
	forge_extend(y, NID_subject_alt_name, MAIL);
	assert_int_equal(X509_set_serialNumber(y,
	    X509_get_serialNumber(x)), 1);
	write_curve(y, key, &der);
	forge_issue(x, &ca.sub, key, &id);
	f.raw_cert = cert_der(id.cert);
	forge_open(&w, &f, 1);
	expect_result("named", "pass", "");
	f.raw_cert = buf_view(&der);
	forge_open(&w, &f, 1);
	expect_result("written out", "permerror", "S69");
	X509_free(y);
	testca_id_free(&id);
	buf_free(&der);
}

/* ---- paths ---- */

static struct testca_id *make_ca(const char *name, EVP_PKEY *key,
    const struct testca_id *by, const char *const *more)
{
	struct testca_id *id = calloc(1, sizeof(*id));
	X509 *x = forge_x509(key, view_of(name));

	forge_extend(x, NID_basic_constraints, "critical,CA:TRUE");
	forge_extend(x, NID_key_usage, "critical,keyCertSign");
	for (; more != NULL && more[0] != NULL; more += 2)
		forge_extend(x, OBJ_sn2nid(more[0]), more[1]);
	forge_issue(x, by, key, id);
	return id;
}

static void free_ca(struct testca_id *id)
{
	testca_id_free(id);
	free(id);
}

static EVP_PKEY *new_key(void)
{
	EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

	assert_non_null(k);
	return k;
}

/* attack A57: two names whose CAs issue each other, 62 of them in the
 * message, none of them ever leading to a root
 * verdict: policy at S72 after 100 attempts */
static void A57_a_maze_of_names(void **state)
{
	static const char *const name[] = {"maze", "zeam"};
	struct testca_id *c[62], *base[2], leaf;
	const struct cert *more[62];
	struct forge f = {.id = &leaf, .at = NOW, .more_certs = more,
	    .more_n = 62};
	EVP_PKEY *key = new_key();
	X509 *x;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		EVP_PKEY_up_ref(key);
		base[i] = make_ca(name[i], key, NULL, NULL);
	}
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		EVP_PKEY_up_ref(key);
		c[i] = make_ca(name[i % 2], key, base[1 - i % 2], NULL);
		more[i] = c[i]->cert;
	}
	EVP_PKEY_free(key);
	key = new_key();
	x = forge_x509(key, view_of("Alice"));
	forge_extend(x, NID_basic_constraints, "CA:FALSE");
	forge_extend(x, NID_subject_alt_name, MAIL);
	forge_issue(x, base[0], key, &leaf);
	f.certs[0] = leaf.cert;
	forge_open(&w, &f, 1);
	expect_result("maze", "policy", "S72");
	assert_non_null(strstr(w.v.sig_reason, "in 100 attempts"));
	for (size_t i = 0; i < ARRAY_LEN(c); i++)
		free_ca(c[i]);
	free_ca(base[0]);
	free_ca(base[1]);
	testca_id_free(&leaf);
}

/* CAs below our root, each below the last, and a mailbox at the end. */
struct chain {
	struct testca_id *ca[16];
	size_t n;
	struct testca_id leaf;
};

static void make_chain(struct chain *ch, size_t n, const char *const *more)
{
	char name[] = "Level A";
	EVP_PKEY *key;
	X509 *x;

	ch->n = n;
	for (size_t i = 0; i < n; i++) {
		name[6] = (char)('A' + i);
		ch->ca[i] = make_ca(name, new_key(), i == 0 ? &ca.root :
		    ch->ca[i - 1], more);
	}
	key = new_key();
	x = forge_x509(key, view_of("Alice"));
	forge_extend(x, NID_basic_constraints, "CA:FALSE");
	forge_extend(x, NID_subject_alt_name, MAIL);
	if (more != NULL)
		forge_extend(x, NID_certificate_policies, "1.3.6.1.4.1.1.1");
	forge_issue(x, ch->ca[n - 1], key, &ch->leaf);
}

static void open_chain(struct chain *ch)
{
	const struct cert *more[16];
	struct forge f = {.id = &ch->leaf, .at = NOW, .certs =
	    {ch->leaf.cert}, .more_certs = more, .more_n = ch->n};

	/* in an order that helps nobody */
	for (size_t i = 0; i < ch->n; i++)
		more[i] = ch->ca[(i * 7 + 3) % ch->n]->cert;
	if (ch->n % 7 == 0)
		for (size_t i = 0; i < ch->n; i++)
			more[i] = ch->ca[i]->cert;
	forge_open(&w, &f, 1);
	for (size_t i = 0; i < ch->n; i++)
		free_ca(ch->ca[i]);
	testca_id_free(&ch->leaf);
}

/* attack A57: chains without end
 * verdict: 8 intermediates pass, 9 are policy at S72 */
static void A57_deep_chains(void **state)
{
	struct chain ch;

	(void)state;
	for (size_t n = CAP_PATH_DEPTH - 1; n <= CAP_PATH_DEPTH + 1; n++) {
		make_chain(&ch, n, NULL);
		open_chain(&ch);
		expect_result("chain", n <= CAP_PATH_DEPTH ? "pass" : "policy",
		    n <= CAP_PATH_DEPTH ? "" : "S72");
	}
}

/* attack A57: policies that map onto each other at every level, so that the
 * tree of RFC 5280 6.1 doubles with each (RFC 9618)
 * verdict: policies are not processed: pass like any other chain */
static void A57_S121_policy_trees(void **state)
{
	static const char *const more[] = {
		"certificatePolicies", "1.3.6.1.4.1.1.1,1.3.6.1.4.1.1.2,"
		    "1.3.6.1.4.1.1.3,1.3.6.1.4.1.1.4",
		"policyMappings", "1.3.6.1.4.1.1.1:1.3.6.1.4.1.1.1,"
		    "1.3.6.1.4.1.1.1:1.3.6.1.4.1.1.2,"
		    "1.3.6.1.4.1.1.2:1.3.6.1.4.1.1.1,"
		    "1.3.6.1.4.1.1.2:1.3.6.1.4.1.1.2,"
		    "1.3.6.1.4.1.1.3:1.3.6.1.4.1.1.4,"
		    "1.3.6.1.4.1.1.4:1.3.6.1.4.1.1.3",
		"policyConstraints", "requireExplicitPolicy:0", NULL};
	struct chain ch;

	(void)state;
	make_chain(&ch, CAP_PATH_DEPTH, more);
	open_chain(&ch);
	expect_result("policies", "pass", "");
}

/* ---- names ---- */

/* A list of names "NAME" with numbers in front, for an extension. */
static void list_names(struct buf *b, const char *how, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s%s%zu@%zu.example", i == 0 ? "" : ",", how,
		    i, i);
}

/* attack A57: thousands of names under thousands of constraints
 * verdict: policy at S72: libcrypto stops at 2^20 comparisons */
static void A57_S119_name_constraints(void **state)
{
	struct testca_id *sub, leaf;
	struct forge f = {.id = &leaf, .at = NOW};
	EVP_PKEY *key = new_key();
	const char *more[] = {"nameConstraints", NULL, NULL};
	struct buf b;
	X509 *x;

	(void)state;
	buf_init(&b, BIG);
	list_names(&b, "excluded;email:", 1500);
	more[1] = buf_str(&b);
	sub = make_ca("Strict", new_key(), &ca.root, more);
	x = forge_x509(key, view_of("Alice"));
	forge_extend(x, NID_basic_constraints, "CA:FALSE");
	buf_clear(&b);
	buf_puts(&b, MAIL ",");
	list_names(&b, "email:x", 1500);
	forge_extend(x, NID_subject_alt_name, buf_str(&b));
	forge_issue(x, sub, key, &leaf);
	f.certs[0] = leaf.cert;
	f.certs[1] = sub->cert;
	forge_open(&w, &f, 1);
	expect_result("constraints", "policy", "S72");
	/* addresses beyond the cap are not taken, either */
	assert_int_equal(cert_addresses(leaf.cert), CAP_CERT_ADDRESSES);
	free_ca(sub);
	testca_id_free(&leaf);
	buf_free(&b);
}

/* attack A15: a certificate larger than any is
 * verdict: neutral at S63 */
static void A15_a_large_certificate(void **state)
{
	struct forge f = {.id = &alice, .at = NOW, .certs = {alice.cert,
	    ca.sub.cert}};
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	for (size_t over = 0; over < 2; over++) {
		/* twice four octets of tag and length; what it is does not
		 * count */
		buf_clear(&der);
		assert_non_null(buf_room(&der, CAP_CMS_CERT_SIZE));
		memset(der.p, 'x', CAP_CMS_CERT_SIZE);
		der.n = CAP_CMS_CERT_SIZE - 8 + over;
		wrap_buf(&der, DER_OCTET_STRING);
		wrap_buf(&der, DER_SEQUENCE);
		f.raw_cert = buf_view(&der);
		forge_open(&w, &f, 1);
		expect_result("large", over == 0 ? "pass" : "neutral",
		    over == 0 ? "" : "S63");
	}
	buf_free(&der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A15_S114_signers),
		cmocka_unit_test(A15_S114_certificates),
		cmocka_unit_test(A15_attributes),
		cmocka_unit_test(A15_S68_rsa_sizes),
		cmocka_unit_test(A15_S68_curves),
		cmocka_unit_test(A15_S69_a_curve_of_his_own),
		cmocka_unit_test(A57_a_maze_of_names),
		cmocka_unit_test(A57_deep_chains),
		cmocka_unit_test(A57_S121_policy_trees),
		cmocka_unit_test(A57_S119_name_constraints),
		cmocka_unit_test(A15_a_large_certificate),
	};

	return cmocka_run_group_tests_name("gateway_bounds", tests,
	    make_world, end_world);
}
