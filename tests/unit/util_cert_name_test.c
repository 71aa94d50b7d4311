/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Common names and domain components of subjects.
 */
#include "util/cert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define CN NID_commonName
#define DC NID_domainComponent
#define O NID_organizationName
#define ENTRIES 4

/* One attribute; more: in the same RelativeDistinguishedName as the one
 * before. */
struct entry {
	int nid;
	int type;
	const char *p;
	size_t n;
	bool more;
};
#define TEXT(nid, text) { nid, V_ASN1_UTF8STRING, text, sizeof(text) - 1, \
	false }

static struct cert *make(const struct entry *x)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509_NAME *dn = X509_NAME_new();
	X509 *c = X509_new();
	unsigned char *der = NULL;
	struct cert *out = NULL;
	int n;

	for (int i = 0; i < ENTRIES && x[i].nid != 0; i++)
		assert_int_equal(X509_NAME_add_entry_by_NID(dn, x[i].nid,
		    x[i].type, (const unsigned char *)x[i].p, (int)x[i].n,
		    -1, x[i].more ? -1 : 0), 1);
	assert_int_equal(X509_set_version(c, 2), 1);
	assert_int_equal(X509_set_subject_name(c, dn), 1);
	assert_int_equal(X509_set_issuer_name(c, dn), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(c), 1);
	X509_gmtime_adj(X509_getm_notBefore(c), 0);
	X509_gmtime_adj(X509_getm_notAfter(c), 1000);
	assert_int_equal(X509_set_pubkey(c, key), 1);
	assert_true(X509_sign(c, key, EVP_sha256()) > 0);
	n = i2d_X509(c, &der);
	assert_true(n > 0);
	assert_int_equal(cert_parse(&out, view_make(der, (size_t)n), NULL),
	    0);
	OPENSSL_free(der);
	X509_free(c);
	X509_NAME_free(dn);
	EVP_PKEY_free(key);
	return out;
}

struct row {
	const char *name;
	struct entry e[ENTRIES];
	size_t cns;
	const char *cn; /* the first */
	const char *domain; /* NULL: none */
};

static const struct row row[] = {
	{ "nothing", { { 0 } }, 0, "", NULL },
	{ "another attribute", { TEXT(O, "Test") }, 0, "", NULL },
	{ "one", { TEXT(O, "Test"), TEXT(CN, "Alice") }, 1, "Alice", NULL },
	{ "two", { TEXT(CN, "Alice"), TEXT(CN, "Bob") }, 2, "Alice", NULL },
	{ "two together", { TEXT(CN, "Alice"), { CN, V_ASN1_UTF8STRING, "Bob",
	    3, true } }, 2, "Bob", NULL }, /* sorted: a SET */
	{ "16-bit octets", { { CN, V_ASN1_BMPSTRING, "\0A", 2, false } }, 1,
	    "", NULL },
	{ "PrintableString", { { CN, V_ASN1_PRINTABLESTRING, "Alice", 5,
	    false } }, 1, "Alice", NULL },
	{ "a domain", { TEXT(DC, "example"), TEXT(DC, "Partner"), TEXT(CN,
	    "Alice") }, 1, "Alice", "partner.example" },
	{ "a top domain", { TEXT(DC, "example") }, 0, "", "example" },
	{ "a label with a dot", { TEXT(DC, "partner.example") }, 0, "",
	    NULL },
	{ "an empty label", { TEXT(DC, "example"), TEXT(DC, "") }, 0, "",
	    NULL },
	{ "a label with NUL", { TEXT(DC, "example"), TEXT(DC, "a\0b") }, 0,
	    "", NULL },
	{ "a label with a blank", { TEXT(DC, "example"), TEXT(DC, "a b") }, 0,
	    "", NULL },
	{ "two labels together", { TEXT(DC, "example"), { DC,
	    V_ASN1_UTF8STRING, "partner", 7, true } }, 0, "", NULL },
	{ "a U-label", { TEXT(DC, "example"), TEXT(DC, "b\303\274cher") }, 0,
	    "", "xn--bcher-kva.example" },
};

static void S162_S164_names_of_subjects(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct cert *c = make(row[i].e);
		char domain[256] = "";
		struct view cn;
		size_t n = cert_common_names(c, &cn);
		bool has = cert_subject_domain(c, domain, sizeof(domain));

		if (n != row[i].cns || !view_eq(cn, view_of(row[i].cn)) ||
		    has != (row[i].domain != NULL) ||
		    (has && strcmp(domain, row[i].domain) != 0))
			fail_msg("%s: %zu, \"%.*s\", %d \"%s\"", row[i].name,
			    n, (int)cn.n, (const char *)cn.p, has, domain);
		cert_free(&c);
	}
}

static void S164_a_domain_that_is_too_long(void **state)
{
	static char label[64];
	struct entry e[ENTRIES];
	char domain[256];
	struct cert *c;

	(void)state;
	memset(label, 'a', sizeof(label));
	for (int i = 0; i < ENTRIES; i++)
		e[i] = (struct entry){ DC, V_ASN1_UTF8STRING, label, 63,
		    false };
	e[0].n = 61; /* 253 octets with the dots */
	c = make(e);
	assert_true(cert_subject_domain(c, domain, sizeof(domain)));
	cert_free(&c);
	e[0].n = 62;
	c = make(e);
	assert_false(cert_subject_domain(c, domain, sizeof(domain)));
	cert_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S162_S164_names_of_subjects),
		cmocka_unit_test(S164_a_domain_that_is_too_long),
	};

	return cmocka_run_group_tests_name("util_cert_name", tests, NULL,
	    NULL);
}
