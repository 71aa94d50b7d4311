/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of util/cert*.c on certificates made here, odd ones first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "util/cert.h"
#include "util/der.h"
#include "util/ossl.h"

#include "caps_list.h"

/* What a certificate of a test shall have; NULL or 0 is left out. */
struct want {
	struct view san; /* GeneralNames content */
	const char *dn_email;
	const char *cn; /* the subject has this and nothing else */
	const char *ku;
	const char *eku;
	const char *bc;
	bool ski;
	EVP_PKEY *key; /* not the one of the issuer */
	bool san_twice;
	struct view caps[2]; /* SMIMECapabilities; p NULL: no extension */
	bool is_critical;    /* the first of them */
};

static EVP_PKEY *ec_key;

static void add_ext(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

static void add_san(X509 *x, struct view names)
{
	ASN1_OCTET_STRING *os = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext = NULL;
	unsigned char mem[70000];
	struct der_w w;
	struct view v;

	der_w_init(&w, mem, sizeof(mem));
	der_w_tlv(&w, DER_SEQUENCE, names.p, names.n);
	v = der_w_result(&w);
	assert_int_equal(ASN1_OCTET_STRING_set(os, v.p, (int)v.n), 1);
	ext = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, os);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(os);
}

static void add_caps(X509 *x, struct view list, bool is_critical)
{
	ASN1_OCTET_STRING *os = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext;

	assert_int_equal(ASN1_OCTET_STRING_set(os, list.p, (int)list.n), 1);
	ext = X509_EXTENSION_create_by_NID(NULL, NID_SMIMECapabilities,
	    is_critical, os);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(os);
}

static void set_names(X509 *x, const struct want *w)
{
	X509_NAME *n = X509_NAME_new();

	assert_int_equal(X509_NAME_add_entry_by_txt(n, w->cn == NULL ? "O" :
	    "CN", MBSTRING_UTF8, (const unsigned char *)(w->cn == NULL ?
	    "\xc3\x84\n,\xc2\x85" : w->cn), -1, -1, 0), 1);
	if (w->dn_email != NULL)
		assert_int_equal(X509_NAME_add_entry_by_txt(n, "emailAddress",
		    MBSTRING_ASC, (const unsigned char *)w->dn_email, -1, -1,
		    0), 1);
	assert_int_equal(X509_set_subject_name(x, n), 1);
	X509_NAME_free(n);
	n = X509_NAME_new();
	assert_int_equal(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC,
	    (const unsigned char *)"Test CA", -1, -1, 0), 1);
	assert_int_equal(X509_set_issuer_name(x, n), 1);
	X509_NAME_free(n);
}

/* DER of a certificate, appended to out. */
static void make(const struct want *w, struct buf *out)
{
	X509 *x = X509_new();
	ASN1_TIME *t = ASN1_TIME_new();
	unsigned char *der = NULL;
	int n;

	if (ec_key == NULL)
		ec_key = EVP_EC_gen("P-256");
	assert_int_equal(X509_set_version(x, 2), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 0xa1b2),
	    1);
	assert_int_equal(ASN1_TIME_set_string(t, "260101000000Z"), 1);
	assert_int_equal(X509_set1_notBefore(x, t), 1);
	assert_int_equal(ASN1_TIME_set_string(t, "20510101000000Z"), 1);
	assert_int_equal(X509_set1_notAfter(x, t), 1);
	ASN1_TIME_free(t);
	set_names(x, w);
	assert_int_equal(X509_set_pubkey(x, w->key == NULL ? ec_key :
	    w->key), 1);
	if (w->san.p != NULL)
		add_san(x, w->san);
	if (w->san_twice)
		add_san(x, w->san);
	if (w->ku != NULL)
		add_ext(x, NID_key_usage, w->ku);
	if (w->eku != NULL)
		add_ext(x, NID_ext_key_usage, w->eku);
	if (w->bc != NULL)
		add_ext(x, NID_basic_constraints, w->bc);
	if (w->ski)
		add_ext(x, NID_subject_key_identifier, "01:02:03");
	for (int i = 0; i < 2; i++)
		if (w->caps[i].p != NULL)
			add_caps(x, w->caps[i], i == 0 && w->is_critical);
	assert_true(X509_sign(x, ec_key, EVP_sha256()) > 0);
	n = i2d_X509(x, &der);
	assert_true(n > 0);
	buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	X509_free(x);
}

static struct cert *parsed(const struct want *w)
{
	struct err e = { 0 };
	struct cert *c;
	struct buf b;

	buf_init(&b, 100000);
	make(w, &b);
	if (cert_parse(&c, buf_view(&b), &e) != 0)
		fail_msg("%s", e.msg);
	assert_true(view_eq(cert_der(c), buf_view(&b)));
	buf_free(&b);
	return c;
}

static void malformed_certificates(void **state)
{
	struct want w = { .dn_email = "bob@example.com" };
	struct err e = { 0 };
	struct cert *c = NULL;
	struct buf b;
	size_t i, n;

	(void)state;
	assert_int_equal(cert_parse(&c, view_of(""), &e), -1);
	assert_int_equal(e.kind, FAIL_INPUT);
	assert_int_equal(cert_parse(&c, view_of("hello"), &e), -1);
	assert_int_equal(cert_parse(&c, view_of("\x30\x00"), &e), -1);
	buf_init(&b, 100000);
	make(&w, &b);
	n = b.n;
	for (i = 0; i < n; i++) {
		/* every truncation */
		assert_int_equal(cert_parse(&c, view_make(b.p, i), &e), -1);
		assert_null(c);
	}
	for (i = 0; i < n; i++) {
		/* one octet broken: refused or parsed, never worse */
		b.p[i] ^= 0x81;
		if (cert_parse(&c, buf_view(&b), NULL) == 0)
			assert_in_range(cert_key_check(c, NULL) + 1, 0, 1);
		cert_free(&c);
		b.p[i] ^= 0x81;
	}
	buf_putc(&b, 0);
	assert_int_equal(cert_parse(&c, buf_view(&b), &e), -1);
	assert_int_equal(e.kind, FAIL_INPUT);
	assert_non_null(strstr(e.msg, "1 octets after"));
	cert_free(&c);
	buf_free(&b);
}

static void size_at_its_cap(void **state)
{
	static unsigned char pad[CAP_CMS_CERT_SIZE];
	struct want w = { 0 };
	struct err e = { 0 };
	struct cert *c;
	struct der_w dw;
	size_t size, other, n = 60000;
	struct buf b;

	(void)state;
	buf_init(&b, 2 * CAP_CMS_CERT_SIZE);
	for (size = CAP_CMS_CERT_SIZE - 1; size <= CAP_CMS_CERT_SIZE + 1;
	    size++) {
		/* a directoryName-less filler: registeredID is too short, so
		 * a dNSName of the right length (ECDSA signatures vary) */
		for (;;) {
			der_w_init(&dw, pad, sizeof(pad));
			memset(pad, 'a', sizeof(pad));
			dw.pos -= n;
			der_w_wrap(&dw, 0x82, 0);
			w.san = der_w_result(&dw);
			buf_clear(&b);
			make(&w, &b);
			other = b.n - n;
			if (b.n == size)
				break;
			n = size - other;
		}
		assert_int_equal(cert_parse(&c, buf_view(&b), &e),
		    size <= CAP_CMS_CERT_SIZE ? 0 : -1);
		cert_free(&c);
	}
	buf_free(&b);
}

#define NAMES(s) { (const unsigned char *)(s), sizeof(s) - 1 }
/* OtherName SmtpUTF8Mailbox; lengths are those of the table below */
#define UTF8_OID "\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x09"

static const struct {
	const char *what;
	struct view san;
	const char *dn;
	const char *addrs;
	size_t bad;
} addr_case[] = {
	{ "none", { NULL, 0 }, NULL, "", 0 },
	{ "NUL", NAMES("\x81\x0e" "bob@x.com\0evil"), NULL, "", 1 },
	{ "blank in front", NAMES("\x81\x0a bob@x.com"), NULL, "",
	    1 },
	{ "blank behind", NAMES("\x81\x0a" "bob@x.com "), NULL, "",
	    1 },
	{ "comment", NAMES("\x81\x0d" "bob@x.com (c)"), NULL, "", 1 },
	{ "angle", NAMES("\x81\x0b<bob@x.com>"), NULL, "", 1 },
	{ "semicolon in quotes", NAMES("\x81\x0a\"b;\"@x.com"), NULL,
	    "", 1 },
	{ "newline", NAMES("\x81\x0b" "bob@x.com\r\n"), NULL, "", 1 },
	{ "two @", NAMES("\x81\x0c" "bob@y@x.com!"), NULL, "", 1 },
	{ "wildcard", NAMES("\x81\x07*@x.com"), NULL, "", 1 },
	{ "wildcard domain", NAMES("\x81\x09" "bob@*.com"), NULL, "",
	    1 },
	{ "domain only", NAMES("\x81\x05x.com"), NULL, "", 1 },
	{ "8 bit in IA5String", NAMES("\x81\x0a" "b\xc3\xbc"
	    "b@x.com"), NULL, "", 1 },
	{ "empty", NAMES("\x81\x00"), NULL, "", 1 },
	{ "ASCII SmtpUTF8Mailbox", NAMES("\xa0\x17" UTF8_OID
	    "\xa0\x0b\x0c\x09" "bob@x.com"), NULL, "", 1 },
	{ "SmtpUTF8Mailbox of another type", NAMES("\xa0\x18" UTF8_OID
	    "\xa0\x0c\x16\x0a" "b\xc3\xbc" "b@x.com"), NULL, "", 1 },
	{ "SmtpUTF8Mailbox with BOM", NAMES("\xa0\x1b" UTF8_OID
	    "\xa0\x0f\x0c\x0d\xef\xbb\xbf" "b\xc3\xbc" "b@x.com"),
	    NULL, "", 1 },
	{ "bad SAN, good DN", NAMES("\x81\x03" "bob"),
	    "bob@example.com", "", 1 },
	{ "bad DN", { NULL, 0 }, "bob@example.com (c)", "", 1 },
	{ "good and bad", NAMES("\x81\x09" "bob@x.com\x81\x03" "bob"),
	    NULL, "bob@x.com", 1 },
	{ "SAN wins over DN", NAMES("\x81\x09" "bob@x.com"),
	    "eve@example.com", "bob@x.com", 0 },
	{ "DN", { NULL, 0 }, "Bob@Example.com", "Bob@example.com",
	    0 },
	{ "DN beside a dNSName", NAMES("\x82\x05x.com"),
	    "bob@example.com", "bob@example.com", 0 },
	{ "two and one again", NAMES("\x81\x09" "bob@x.com"
	    "\x81\x07" "a@X.com\x81\x09" "bob@X.COM"), NULL,
	    "bob@x.com a@x.com", 0 },
	{ "SmtpUTF8Mailbox", NAMES("\xa0\x18" UTF8_OID
	    "\xa0\x0c\x0c\x0a" "b\xc3\xbc" "b@x.com"),
	    "eve@example.com", "b\xc3\xbc" "b@x.com", 0 },
	{ "SmtpUTF8Mailbox, U-label", NAMES("\xa0\x1e" UTF8_OID
	    "\xa0\x12\x0c\x10\xc3\xbc@b\xc3\xbc" "cher.test1"),
	    NULL, "\xc3\xbc@xn--bcher-kva.test1", 0 },
	{ "another otherName", NAMES("\xa0\x0b\x06\x03\x2a\x03\x04"
	    "\xa0\x04\x0c\x02" "ab"), "bob@example.com",
	    "bob@example.com", 0 },
};

/* attack A25: addresses in certificates with NUL, blanks, wildcards, in the
 * wrong place or type
 * verdict: ignored and counted */
static void S79_S82_S188_A25_addresses(void **state)
{
	struct want w = { 0 };
	struct cert *x;
	struct buf b;
	size_t i, j;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < ARRAY_LEN(addr_case); i++) {
		w.san = addr_case[i].san;
		w.dn_email = addr_case[i].dn;
		x = parsed(&w);
		buf_clear(&b);
		for (j = 0; j < cert_addresses(x); j++)
			buf_printf(&b, "%s%s", j == 0 ? "" : " ",
			    cert_address(x, j)->text);
		assert_null(cert_address(x, j));
		if (strcmp(buf_str(&b), addr_case[i].addrs) != 0 ||
		    cert_bad_addresses(x) != addr_case[i].bad)
			fail_msg("%s: %s and %zu bad", addr_case[i].what,
			    buf_str(&b), cert_bad_addresses(x));
		cert_free(&x);
	}
	buf_free(&b);
}

/* attack A25: two subjectAltName extensions in one certificate
 * verdict: no address at all */
static void A25_two_san_extensions_give_no_address(void **state)
{
	struct want w = { .san = NAMES("\x81\x09" "bob@x.com"),
		.dn_email = "bob@x.com", .san_twice = true };
	struct cert *c = parsed(&w);

	(void)state;
	assert_int_equal(cert_addresses(c), 0);
	assert_int_equal(cert_bad_addresses(c), 1);
	cert_free(&c);
}

static void addresses_at_their_cap(void **state)
{
	struct want w = { 0 };
	struct cert *c;
	struct buf b;
	size_t n, i;

	(void)state;
	buf_init(&b, 100000);
	for (n = CAP_CERT_ADDRESSES - 1; n <= CAP_CERT_ADDRESSES + 1; n++) {
		buf_clear(&b);
		for (i = 0; i < n; i++)
			buf_printf(&b, "\x81\x0b%05zu@x.com", i);
		w.san = buf_view(&b);
		c = parsed(&w);
		assert_int_equal(cert_addresses(c), n <= CAP_CERT_ADDRESSES ?
		    n : CAP_CERT_ADDRESSES);
		assert_int_equal(cert_bad_addresses(c),
		    n <= CAP_CERT_ADDRESSES ? 0 : 1);
		cert_free(&c);
	}
	buf_free(&b);
}

static void T32_S79_has_address(void **state)
{
	struct want w = { .san = NAMES("\x81\x09" "Bob@x.com\xa0\x18" UTF8_OID
	    "\xa0\x0c\x0c\x0a" "b\xc3\xbc" "b@x.com") };
	struct cert *c = parsed(&w);
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse(&a, view_of("bob@X.com"), NULL), 0);
	assert_false(cert_has_address(c, &a, ADDR_EXACT));
	assert_true(cert_has_address(c, &a, ADDR_FOLD_LOCAL));
	assert_int_equal(addr_parse(&a, view_of("Bob@X.com"), NULL), 0);
	assert_true(cert_has_address(c, &a, ADDR_EXACT));
	assert_int_equal(addr_parse(&a, view_of("B\xc3\xbc" "b@x.com"),
	    NULL), 0);
	assert_false(cert_has_address(c, &a, ADDR_FOLD_LOCAL));
	cert_free(&c);
}

/* A public key of any size: no arithmetic is done with it. */
static EVP_PKEY *rsa_key(int bits, int exponent_bits)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *n = BN_new(), *e = BN_new();
	OSSL_PARAM *params;
	EVP_PKEY *key = NULL;

	assert_int_equal(BN_set_bit(n, bits - 1) & BN_set_bit(n, 0), 1);
	assert_int_equal(BN_set_bit(e, exponent_bits - 1) &
	    BN_set_bit(e, 0), 1);
	OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n);
	OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e);
	params = OSSL_PARAM_BLD_to_param(bld);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY,
	    params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	BN_free(n);
	BN_free(e);
	return key;
}

/* attack A15: RSA keys of 16384 bits, exponents of more than 64
 * verdict: policy; never used for arithmetic */
static void A15_rsa_keys_at_their_caps(void **state)
{
	static const struct {
		int bits, exponent;
		bool good;
	} k[] = {
		{ CAP_RSA_MIN - 1, 17, false }, { CAP_RSA_MIN, 17, true },
		{ CAP_RSA_MAX, 17, true }, { CAP_RSA_MAX + 1, 17, false },
		{ 16384, 17, false }, { 2048, CAP_RSA_EXPONENT, true },
		{ 2048, CAP_RSA_EXPONENT + 1, false }, { 2048, 1, false },
		{ 2048, 2, true },
	};
	struct want w = { 0 };
	struct err e = { 0 };
	struct cert *c;
	struct buf name;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(k); i++) {
		w.key = rsa_key(k[i].bits, k[i].exponent);
		c = parsed(&w);
		assert_int_equal(cert_key_type(c), CERT_KEY_RSA);
		assert_int_equal(cert_key_bits(c), k[i].bits);
		assert_int_equal(cert_rsa_exponent_bits(c), k[i].exponent);
		buf_init(&name, 32);
		buf_printf(&name, "rsa:%d", k[i].bits);
		assert_string_equal(cert_key_name(c), buf_str(&name));
		buf_free(&name);
		assert_int_equal(cert_key_check(c, &e), k[i].good ? 0 : -1);
		if (!k[i].good)
			assert_int_equal(e.kind, FAIL_POLICY);
		cert_free(&c);
		EVP_PKEY_free(w.key);
	}
}

static void other_keys(void **state)
{
	static const struct {
		const char *alg, *curve, *name;
		enum cert_key type;
		int bits;
		bool good;
	} k[] = {
		{ "EC", "P-256", "ec:p256", CERT_KEY_EC, 256, true },
		{ "EC", "P-384", "ec:p384", CERT_KEY_EC, 384, true },
		{ "EC", "P-521", "ec:p521", CERT_KEY_EC, 521, true },
		{ "EC", "secp256k1", "other", CERT_KEY_EC, 0, false },
		{ "EC", "P-224", "other", CERT_KEY_EC, 0, false },
		{ "ED25519", NULL, "ed25519", CERT_KEY_OTHER, 256, false },
		{ "ED448", NULL, "other", CERT_KEY_OTHER, 0, false },
	};
	struct want w = { 0 };
	struct err e = { 0 };
	struct cert *c;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(k); i++) {
		w.key = k[i].curve != NULL ? EVP_EC_gen(k[i].curve) :
		    EVP_PKEY_Q_keygen(NULL, NULL, k[i].alg);
		assert_non_null(w.key);
		c = parsed(&w);
		assert_int_equal(cert_key_type(c), k[i].type);
		assert_string_equal(cert_key_name(c), k[i].name);
		assert_int_equal(cert_key_bits(c), k[i].bits);
		assert_int_equal(cert_rsa_exponent_bits(c), 0);
		assert_int_equal(cert_key_check(c, &e), k[i].good ? 0 : -1);
		cert_free(&c);
		EVP_PKEY_free(w.key);
	}
}

/* attack A15 A57: an elliptic curve of the sender's own making
 * verdict: the certificate is as good as not there: refused before libcrypto
 * decodes its key, which means arithmetic on that curve */
static void A15_A57_curves_written_out_as_numbers(void **state)
{
	struct want w = { .key = EVP_EC_gen("P-256") };
	struct err e = { 0 };
	struct cert *c = NULL;
	struct buf der;

	(void)state;
	buf_init(&der, 65536);
	make(&w, &der);
	assert_int_equal(cert_parse(&c, buf_view(&der), &e), 0);
	cert_free(&c);
	buf_clear(&der);
	assert_int_equal(EVP_PKEY_set_utf8_string_param(w.key,
	    OSSL_PKEY_PARAM_EC_ENCODING, "explicit"), 1);
	make(&w, &der);
	assert_true(der.n > 500); /* it has the numbers */
	assert_int_equal(cert_parse(&c, buf_view(&der), &e), -1);
	assert_int_equal(e.kind, FAIL_INPUT);
	assert_non_null(strstr(e.msg, "RFC 5480 2.1.1"));
	assert_null(c);
	EVP_PKEY_free(w.key);
	buf_free(&der);
}

static void usage(void **state)
{
	static const struct {
		const char *ku, *eku, *bc;
		unsigned bits;
		bool mail, ca;
	} u[] = {
		{ NULL, NULL, NULL, 15, true, false },
		{ "digitalSignature", "emailProtection", NULL, CERT_KU_SIGN,
		    true, false },
		{ "nonRepudiation", "anyExtendedKeyUsage", NULL,
		    CERT_KU_SIGN, true, false },
		{ "keyEncipherment", "serverAuth", NULL, CERT_KU_ENCIPHER,
		    false, false },
		{ "keyAgreement", "serverAuth,emailProtection", "CA:FALSE",
		    CERT_KU_AGREE, true, false },
		{ "dataEncipherment", "1.2.3.4", NULL, 0, false, false },
		{ "keyCertSign,cRLSign", NULL, "critical,CA:TRUE",
		    CERT_KU_CERT, true, true },
	};
	struct want w = { 0 };
	struct cert *c;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(u); i++) {
		w.ku = u[i].ku;
		w.eku = u[i].eku;
		w.bc = u[i].bc;
		c = parsed(&w);
		assert_int_equal(cert_ku(c), u[i].bits);
		assert_int_equal(cert_has_ku(c), u[i].ku != NULL);
		assert_int_equal(cert_eku_mail(c), u[i].mail);
		assert_int_equal(cert_is_ca(c), u[i].ca);
		assert_false(cert_is_self_issued(c));
		cert_free(&c);
	}
}

static void parts(void **state)
{
	struct want w = { .ski = true };
	struct cert *c = parsed(&w), *d;
	unsigned char h[32];
	unsigned char *der = NULL;
	struct der ias, part;
	struct view v;
	char hex[65];
	int n;

	(void)state;
	assert_string_equal(cert_serial_hex(c), "a1b2");
	assert_string_equal(cert_issuer(c), "CN=Test CA");
	assert_string_equal(cert_subject(c),
	    "O=\xc3\x84\\0A\\,\\C2\\85");
	assert_true(cert_not_before(c) == 1767225600);
	assert_true(cert_not_after(c) == 2556144000);
	assert_true(view_eq(cert_ski(c), view_make("\1\2\3", 3)));
	v = cert_ias(c);
	assert_int_equal(der_get(&v, DER_SEQUENCE, &ias), 0);
	assert_int_equal(v.n, 0);
	assert_int_equal(der_get(&ias.val, DER_SEQUENCE, &part), 0);
	assert_int_equal(der_get(&ias.val, DER_INTEGER, &part), 0);
	assert_true(view_eq(part.val, view_make("\0\xa1\xb2", 3)));
	ossl_sha256(cert_der(c).p, cert_der(c).n, h);
	assert_memory_equal(cert_sha256(c), h, 32);
	assert_string_equal(cert_sha256_hex(c), hex_encode(hex, h, 32));
	n = i2d_PUBKEY(ec_key, &der);
	assert_true(n > 0);
	ossl_sha256(der, (size_t)n, h);
	assert_memory_equal(cert_spki_sha256(c), h, 32);
	OPENSSL_free(der);
	d = cert_ref(c);
	cert_free(&c);
	assert_null(c);
	assert_string_equal(cert_serial_hex(d), "a1b2");
	assert_non_null(cert_x509(d));
	cert_free(&d);
	cert_free(&d);
	w.ski = false;
	c = parsed(&w);
	assert_int_equal(cert_ski(c).n, 0);
	cert_free(&c);
}

static void S175_names_cannot_turn_text_around(void **state)
{
	static const struct {
		const char *raw, *shown;
	} k[] = {
		{"a\xe2\x80\xae""b", "CN=a\\E2\\80\\AEb"},
		{"\xe2\x80\xaa", "CN=\\E2\\80\\AA"},
		{"\xe2\x81\xa6x\xe2\x81\xa9",
		    "CN=\\E2\\81\\A6x\\E2\\81\\A9"},
		{"\xe2\x80\x8e\xe2\x80\x8f",
		    "CN=\\E2\\80\\8E\\E2\\80\\8F"},
		{"\xd8\x9c", "CN=\\D8\\9C"},
		{"\xe2\x80\xa8", "CN=\\E2\\80\\A8"},
		{"\xc2\x9b", "CN=\\C2\\9B"},
		/* their neighbours are letters and marks like others */
		{"\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5",
		    "CN=\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5"},
		{"\xd8\x9b\xd8\x9d\xd7\x90", "CN=\xd8\x9b\xd8\x9d\xd7\x90"},
	};
	struct want w = { 0 };
	struct cert *c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		w.cn = k[i].raw;
		c = parsed(&w);
		assert_string_equal(cert_subject(c), k[i].shown);
		cert_free(&c);
	}
}

/* The extension is handed on as it is; who reads the list checks it. */
static void S109_extension_for_capabilities(void **state)
{
	struct view list = caps_list(GCM256), other = caps_list(RC2_40);
	const struct {
		const char *name;
		struct want w;
		struct view want;
	} rows[] = {
		{ "none", { .ski = true }, { NULL, 0 } },
		{ "critical", { .caps = { list }, .is_critical = true },
		    { NULL, 0 } },
		{ "twice", { .caps = { list, other } }, { NULL, 0 } },
		{ "twice, the first critical", { .caps = { list, other },
		    .is_critical = true }, { NULL, 0 } },
		{ "empty", { .caps = { view_of("") } }, { NULL, 0 } },
		{ "garbage", { .caps = { view_of("garbage") } },
		    view_of("garbage") },
		{ "a list", { .caps = { list } }, list },
		{ "beside others", { .caps = { list }, .ski = true,
		    .eku = "emailProtection" }, list },
	};
	struct cert *c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		c = parsed(&rows[i].w);
		if (!view_eq(cert_smime_caps(c), rows[i].want))
			fail_msg("%s: %zu octets", rows[i].name,
			    cert_smime_caps(c).n);
		cert_free(&c);
	}
}

static int free_key(void **state)
{
	(void)state;
	EVP_PKEY_free(ec_key);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_certificates),
		cmocka_unit_test(size_at_its_cap),
		cmocka_unit_test(S79_S82_S188_A25_addresses),
		cmocka_unit_test(A25_two_san_extensions_give_no_address),
		cmocka_unit_test(addresses_at_their_cap),
		cmocka_unit_test(T32_S79_has_address),
		cmocka_unit_test(A15_rsa_keys_at_their_caps),
		cmocka_unit_test(other_keys),
		cmocka_unit_test(A15_A57_curves_written_out_as_numbers),
		cmocka_unit_test(usage),
		cmocka_unit_test(parts),
		cmocka_unit_test(S175_names_cannot_turn_text_around),
		cmocka_unit_test(S109_extension_for_capabilities),
	};

	return cmocka_run_group_tests_name("util_cert", tests, NULL,
	    free_key);
}
