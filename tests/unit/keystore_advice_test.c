/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What others would refuse: one certificate for each kind of warning, that
 * differs in one thing from one that nobody has anything against.
 */
#include "tests/unit/keystore_util.h"

#include "keystore/advice.h"

#define SAN "email:alice@example.com"
#define KU "critical,digitalSignature,keyEncipherment"
#define CRL "URI:http://pki.example.com/ca.crl"

struct shape {
	struct spec s;
	const char *crl;
	bool pss;	 /* a key of type id-RSASSA-PSS */
};

#define NONE "-" /* left out; NULL: as in one that is good */

/* root -> issuing -> leaf */
struct family {
	struct made root, issuing;
};

static void family_make(struct family *f)
{
	ca_make(&f->root, "root", NULL);
	ca_make(&f->issuing, "issuing", &f->root);
}

static void family_free(struct family *f)
{
	made_free(&f->root);
	made_free(&f->issuing);
}

static const char *pick(const char *given, const char *usual)
{
	if (given == NULL)
		return usual;
	return strcmp(given, NONE) == 0 ? NULL : given;
}

static EVP_PKEY *make_pss(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
	EVP_PKEY *key = NULL;

	assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048), 1);
	assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static struct cert *leaf_make(const struct family *f, const struct shape *w)
{
	EVP_PKEY *key = NULL, *pss = NULL;
	struct spec s = w->s;
	struct cert *c;
	X509 *x;

	s.san = pick(s.san, SAN);
	s.ku = pick(s.ku, KU);
	s.eku = pick(s.eku, "emailProtection");
	s.alg = pick(s.alg, "rsa:2048");
	x = x509_make(&s, &f->issuing, &key);
	ext_text(x, f->issuing.x, NID_crl_distribution_points,
	    pick(w->crl, CRL));
	if (w->pss) {
		pss = make_pss();
		assert_int_equal(X509_set_pubkey(x, pss), 1);
	}
	assert_true(X509_sign(x, f->issuing.key, w->s.md != NULL ?
	    EVP_get_digestbyname(w->s.md) : EVP_sha256()) > 0);
	c = parse_x509(x);
	EVP_PKEY_free(pss);
	X509_free(x);
	return c;
}

static struct path path_of(const struct family *f, struct cert **room,
    size_t n)
{
	struct path p = { .ok = true, .chain = room, .chain_n = n };

	room[0] = f->issuing.cert;
	return p;
}

static void said(const struct family *f, const struct shape *w,
    const char *code, const char *who)
{
	struct cert *room[1], *c = leaf_make(f, w);
	struct path p = path_of(f, room, 1);
	struct advice a[ADVICE_MAX];
	size_t n = advice_find(c, &p, a), i;

	for (i = 0; i < n; i++) {
		assert_true(a[i].text[0] != '\0' &&
		    a[i].text[strlen(a[i].text) - 1] != '.');
		if (strcmp(a[i].code, code) != 0)
			fail_msg("wanted %s, got %s: %s", code, a[i].code,
			    a[i].text);
		if (strstr(a[i].who, who) == NULL)
			fail_msg("%s: %s, wanted %s", code, a[i].who, who);
	}
	if (n != (code[0] != '\0'))
		fail_msg("%s: %zu warnings", code, n);
	cert_free(&c);
}

static void S125_baseline_requirements(void **state)
{
	static const struct {
		struct shape w;
		const char *code;
		const char *who;
	} rows[] = {
		{ { .s.ku = KU }, "", "" },
		{ { .s.alg = "rsa:3072" }, "", "" },
		{ { .s.alg = "rsa:1024" }, "rsa-size", "Outlook" },
		{ { .s.alg = "rsa:2050" }, "rsa-size", "Gmail" },
		{ { .s.alg = "ec:p256",
		    .s.ku = "digitalSignature,keyAgreement" }, "", "" },
		{ { .s.alg = "ec:p384", .s.ku = "keyAgreement" }, "",
		    "" },
		{ { .s.alg = "ec:p521", .s.ku = "digitalSignature" },
		    "", "" },
		{ { .s.alg = "ec:k256", .s.ku = "digitalSignature" },
		    "ec-curve", "Apple Mail" },
		{ { .s.alg = "ed25519", .s.ku = "digitalSignature" },
		    "edwards-key", "Thunderbird" },
		{ { .pss = true, .s.ku = "digitalSignature" },
		    "pss-key", "Outlook" },
		{ { .s.eku = NONE }, "no-extended-key-usage",
		    "Gmail" },
		{ { .s.eku = "clientAuth" }, "not-for-mail",
		    "Outlook" },
		{ { .s.eku = "emailProtection,clientAuth" }, "", "" },
		{ { .s.eku = "emailProtection,anyExtendedKeyUsage" },
		    "any-extended-key-usage", "Gmail" },
		{ { .s.eku = "emailProtection,serverAuth" }, "tls-key",
		    "Gmail" },
		{ { .s.san = NONE, .s.dn_email = "alice@example.com" },
		    "no-address", "Thunderbird" },
		{ { .s.san = "DNS:example.com",
		    .s.dn_email = "alice@example.com" }, "no-address",
		    "Gmail" },
		{ { .s.san = NONE, .s.utf8 = "\xc3\xa4@example.com" },
		    "utf8-address-only", "Outlook" },
		{ { .crl = NONE }, "no-crl-url", "Gmail" },
		{ { .crl = "URI:ldap://pki.example.com/cn=ca" },
		    "no-crl-url", "Gmail" },
		{ { .crl = "URI:ldap://pki.example.com/cn=ca," CRL },
		    "", "" },
		{ { .s.from = NOW, .s.until = NOW + 825 * DAY }, "",
		    "" },
		{ { .s.from = NOW, .s.until = NOW + 826 * DAY },
		    "long-validity", "Gmail" },
		{ { .s.md = "SHA1" }, "weak-signature", "Outlook" },
		{ { .s.ku = "keyAgreement" }, "useless-key-usage",
		    "Outlook" },
		{ { .s.san = "email:Alice@example.com" },
		    "capital-letters", "Apple Mail" },
	};
	struct family f;
	size_t i;

	(void)state;
	family_make(&f);
	for (i = 0; i < ARRAY_LEN(rows); i++)
		said(&f, &rows[i].w, rows[i].code, rows[i].who);
	family_free(&f);
}

static void S126_certificates_of_domains(void **state)
{
	static const struct shape rows[] = {
		{ .s.san = "email:domain-signing-authority@"
		    "example.com" },
		{ .s.san = "email:Domain-Confidentiality-Authority@"
		    "example.com" },
		{ .s.san = "email:*@example.com" },
		{ .s.san = "email:@example.com" },
	};
	struct family f;
	struct advice a[ADVICE_MAX];
	struct cert *c;
	size_t i, k, n;
	bool found;

	(void)state;
	family_make(&f);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		c = leaf_make(&f, &rows[i]);
		n = advice_find(c, NULL, a);
		found = false;
		for (k = 0; k < n; k++)
			found = found || strcmp(a[k].code,
			    "domain-certificate") == 0;
		if (!found)
			fail_msg("%s", rows[i].s.san);
		cert_free(&c);
	}
	family_free(&f);
}

static void S127_without_key_usage(void **state)
{
	static const struct shape w = { .s.ku = NONE };
	struct family f;

	(void)state;
	family_make(&f);
	said(&f, &w, "no-key-usage", "Apple Mail");
	family_free(&f);
}

/* Below the root itself; and name constraints above. */
static void S128_without_an_intermediate(void **state)
{
	static const struct shape w = { .s.cn = "x" };
	static const struct spec bound = { .cn = "bound",
	    .bc = "critical,CA:TRUE", .ku = "critical,keyCertSign,cRLSign",
	    .nc = "critical,permitted;email:example.com", .key = "bound" };
	struct cert *room[1], *c;
	struct advice a[ADVICE_MAX];
	struct family f;
	struct made b;
	struct path p;

	(void)state;
	family_make(&f);
	c = leaf_make(&f, &w);
	p = path_of(&f, room, 0);
	assert_int_equal(advice_find(c, &p, a), 1);
	assert_string_equal(a[0].code, "no-intermediate");
	assert_non_null(strstr(a[0].text, "Google"));
	/* nothing is known of its chain: nothing is said of it */
	p.ok = false;
	assert_int_equal(advice_find(c, &p, a), 0);
	assert_int_equal(advice_find(c, NULL, a), 0);
	cert_make(&b, &bound, &f.root);
	p = path_of(&f, room, 1);
	room[0] = b.cert;
	assert_int_equal(advice_find(c, &p, a), 1);
	assert_string_equal(a[0].code, "name-constraints");
	cert_free(&c);
	made_free(&b);
	family_free(&f);
}

static void of_a_ca_only_what_concerns_cas(void **state)
{
	static const struct spec weak = { .cn = "weak",
	    .bc = "critical,CA:TRUE", .ku = "critical,keyCertSign,cRLSign",
	    .alg = "rsa:1024", .key = "weak" };
	struct advice a[ADVICE_MAX];
	struct family f;
	struct made m;

	(void)state;
	family_make(&f);
	assert_int_equal(advice_find(f.root.cert, NULL, a), 0);
	assert_int_equal(advice_find(f.issuing.cert, NULL, a), 0);
	cert_make(&m, &weak, NULL);
	assert_int_equal(advice_find(m.cert, NULL, a), 1);
	assert_string_equal(a[0].code, "rsa-size");
	made_free(&m);
	family_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S125_baseline_requirements),
		cmocka_unit_test(S126_certificates_of_domains),
		cmocka_unit_test(S127_without_key_usage),
		cmocka_unit_test(S128_without_an_intermediate),
		cmocka_unit_test(of_a_ca_only_what_concerns_cas),
	};

	return cmocka_run_group_tests_name("keystore_advice", tests, NULL,
	    NULL);
}
