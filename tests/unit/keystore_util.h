/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * For the keystore tests: throw-away stores, and certificates of any shape,
 * wrong ones too. Included by each, because a test is one file.
 */
#ifndef KEYSTORE_UTIL_H
#define KEYSTORE_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "keystore/ca.h"
#include "keystore/export.h"
#include "keystore/import.h"

#define DAY 86400
#define NOW ((int64_t)1800000000) /* 2027-01-15 */
#define SECRET_HEX                                                        \
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

#define must(call)                                                        \
	do {                                                              \
		struct err must_e = { 0 };                                \
		struct err *e = &must_e;                                  \
		if ((call) != 0)                                          \
			fail_msg("%s: %s", #call, must_e.msg);            \
	} while (0)

#define must_fail(call, want)                                             \
	do {                                                              \
		struct err must_e = { 0 };                                \
		struct err *e = &must_e;                                  \
		assert_int_equal((call), -1);                             \
		if (must_e.kind != (want))                                \
			fail_msg("%s: kind %d: %s", #call, must_e.kind,   \
			    must_e.msg);                                  \
	} while (0)

/* ---- folders ---- */

struct place {
	char dir[64];
	char db[96];
};

static UNUSED void place_make(struct place *p)
{
	snprintf(p->dir, sizeof(p->dir), "/tmp/keystore-test-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->db, sizeof(p->db), "%s/keystore.db", p->dir);
}

static UNUSED void place_clear(struct place *p)
{
	static const char *const also[] = { "", "-wal", "-shm" };
	char name[128];
	size_t i;

	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", p->db, also[i]);
		unlink(name);
	}
	assert_int_equal(rmdir(p->dir), 0);
}

static UNUSED struct keystore *store_make(struct place *p)
{
	struct keystore *ks;

	place_make(p);
	must(keystore_create(p->db, e));
	must(keystore_open(&ks, p->db, KS_WRITE, e));
	return ks;
}

static UNUSED void store_clear(struct place *p, struct keystore **ks)
{
	keystore_close(ks);
	place_clear(p);
}

static UNUSED struct view secret_view(void)
{
	return view_of(SECRET_HEX "\n");
}

/* ---- certificates ---- */

struct spec {
	const char *cn; /* NULL: "test" */
	const char *dn_email;
	const char *san;   /* "email:a@b,email:c@d"; NULL: none */
	const char *san_raw; /* one rfc822Name with these octets */
	size_t san_raw_n;
	const char *utf8;  /* SmtpUTF8Mailbox */
	const char *ku;	   /* NULL: no extension */
	const char *eku;   /* NULL: no extension */
	const char *bc;	   /* NULL: no extension */
	const char *nc;	   /* name constraints */
	const char *alg;   /* NULL: ec:p256 */
	const char *md;	   /* NULL: SHA256 */
	const char *key;   /* any name: the same name, the same key */
	const char *crit;  /* "oid" of an unknown critical extension */
	const char *ski;   /* hex; NULL: of the key */
	int64_t from, until; /* 0: NOW - 100 days, NOW + 100 days */
	int pad; /* octets of an opaque extension */
	const char *cdp, *aia; /* "URI:http://...", "OCSP;URI:http://..." */
};

struct made {
	struct cert *cert;
	X509 *x;
	EVP_PKEY *key;
};

/* A key whose SubjectPublicKeyInfo says id-RSASSA-PSS. */
static UNUSED EVP_PKEY *pss_key(int bits)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
	EVP_PKEY *key = NULL;

	assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits), 1);
	assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static UNUSED EVP_PKEY *key_named(const char *alg, const char *name)
{
	static struct {
		char id[64];
		EVP_PKEY *key;
	} known[32];
	char id[64];
	size_t i;

	snprintf(id, sizeof(id), "%s/%s", alg, name);
	for (i = 0; known[i].key != NULL; i++) {
		assert_true(i < 31);
		if (strcmp(known[i].id, id) == 0)
			return known[i].key;
	}
	memcpy(known[i].id, id, sizeof(id));
	if (strncmp(alg, "rsa:", 4) == 0)
		known[i].key = EVP_RSA_gen((size_t)strtol(alg + 4, NULL, 10));
	else if (strncmp(alg, "pss:", 4) == 0)
		known[i].key = pss_key((int)strtol(alg + 4, NULL, 10));
	else if (strcmp(alg, "ed25519") == 0)
		known[i].key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		known[i].key = EVP_EC_gen(strcmp(alg, "ec:p384") == 0 ?
		    "P-384" : strcmp(alg, "ec:p521") == 0 ? "P-521" :
		    strcmp(alg, "ec:k256") == 0 ? "secp256k1" : "P-256");
	assert_non_null(known[i].key);
	return known[i].key;
}

static UNUSED void ext_text(X509 *x, X509 *issuer, int nid, const char *v)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	if (v == NULL)
		return;
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, v);
	if (ext == NULL)
		fail_msg("extension %d: %s", nid, v);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

static UNUSED void ext_raw_san(X509 *x, const char *p, size_t n)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *gn = GENERAL_NAME_new();
	ASN1_IA5STRING *s = ASN1_IA5STRING_new();

	assert_int_equal(ASN1_STRING_set(s, p, (int)n), 1);
	GENERAL_NAME_set0_value(gn, GEN_EMAIL, s);
	sk_GENERAL_NAME_push(names, gn);
	assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0,
	    X509V3_ADD_DEFAULT), 1);
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
}

static UNUSED void ext_utf8_san(X509 *x, const char *p)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *gn = GENERAL_NAME_new();
	ASN1_UTF8STRING *s = ASN1_UTF8STRING_new();
	ASN1_TYPE *t = ASN1_TYPE_new();

	assert_int_equal(ASN1_STRING_set(s, p, -1), 1);
	ASN1_TYPE_set(t, V_ASN1_UTF8STRING, s);
	GENERAL_NAME_set0_othername(gn, OBJ_txt2obj("1.3.6.1.5.5.7.8.9", 1),
	    t);
	sk_GENERAL_NAME_push(names, gn);
	assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0,
	    X509V3_ADD_DEFAULT), 1);
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
}

static UNUSED void ext_opaque(X509 *x, const char *oid, int critical, int n)
{
	ASN1_OCTET_STRING *os = ASN1_OCTET_STRING_new();
	ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
	X509_EXTENSION *ext;
	char *fill = calloc(1, (size_t)n + 1);

	assert_int_equal(ASN1_OCTET_STRING_set(os,
	    (const unsigned char *)fill, n), 1);
	ext = X509_EXTENSION_create_by_OBJ(NULL, o, critical, os);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
	ASN1_OBJECT_free(o);
	ASN1_OCTET_STRING_free(os);
	free(fill);
}

static UNUSED void put_name(X509_NAME *n, const char *field, const char *v)
{
	if (v != NULL)
		assert_int_equal(X509_NAME_add_entry_by_txt(n, field,
		    MBSTRING_UTF8, (const unsigned char *)v, -1, -1, 0), 1);
}

static UNUSED void put_extensions(X509 *x, X509 *issuer,
    const struct spec *s)
{
	ext_text(x, issuer, NID_basic_constraints, s->bc);
	ext_text(x, issuer, NID_key_usage, s->ku);
	ext_text(x, issuer, NID_ext_key_usage, s->eku);
	ext_text(x, issuer, NID_subject_alt_name, s->san);
	ext_text(x, issuer, NID_name_constraints, s->nc);
	ext_text(x, issuer, NID_crl_distribution_points, s->cdp);
	ext_text(x, issuer, NID_info_access, s->aia);
	ext_text(x, issuer, NID_subject_key_identifier, s->ski != NULL ?
	    s->ski : "hash");
	if (s->san_raw != NULL)
		ext_raw_san(x, s->san_raw, s->san_raw_n);
	if (s->utf8 != NULL)
		ext_utf8_san(x, s->utf8);
	if (s->crit != NULL)
		ext_opaque(x, s->crit, 1, 3);
	if (s->pad > 0)
		ext_opaque(x, "1.3.6.1.4.1.99999.1", 0, s->pad);
}

/* Parsed again by us, so that tests see what the program would see. */
static UNUSED struct cert *parse_x509(X509 *x)
{
	unsigned char *der = NULL;
	struct cert *c = NULL;
	int n = i2d_X509(x, &der);

	assert_true(n > 0);
	must(cert_parse(&c, view_make(der, (size_t)n), e));
	OPENSSL_free(der);
	return c;
}

/* issuer NULL: self-signed. */
static UNUSED X509 *x509_make(const struct spec *s, const struct made *issuer,
    EVP_PKEY **key)
{
	static long serial = 1000;
	int64_t from = s->from != 0 ? s->from : NOW - 100 * DAY;
	int64_t until = s->until != 0 ? s->until : NOW + 100 * DAY;
	EVP_PKEY *signer;
	const EVP_MD *md;
	X509 *x = X509_new();

	*key = key_named(s->alg != NULL ? s->alg : "ec:p256",
	    s->key != NULL ? s->key : "k");
	signer = issuer != NULL ? issuer->key : *key;
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	ASN1_TIME_set(X509_getm_notBefore(x), (time_t)from);
	ASN1_TIME_set(X509_getm_notAfter(x), (time_t)until);
	X509_set_pubkey(x, *key);
	put_name(X509_get_subject_name(x), "CN",
	    s->cn != NULL ? s->cn : "test");
	put_name(X509_get_subject_name(x), "emailAddress", s->dn_email);
	X509_set_issuer_name(x, X509_get_subject_name(issuer != NULL ?
	    issuer->x : x));
	put_extensions(x, issuer != NULL ? issuer->x : x, s);
	md = EVP_PKEY_is_a(signer, "ED25519") == 1 ? NULL :
	    EVP_get_digestbyname(s->md != NULL ? s->md : "SHA256");
	assert_true(X509_sign(x, signer, md) > 0);
	return x;
}

static UNUSED void cert_make(struct made *m, const struct spec *s,
    const struct made *issuer)
{
	m->x = x509_make(s, issuer, &m->key);
	m->cert = parse_x509(m->x);
}

static UNUSED void made_free(struct made *m)
{
	cert_free(&m->cert);
	X509_free(m->x);
	m->x = NULL;
}

#define CA_SPEC(name) { .cn = (name), .bc = "critical,CA:TRUE",           \
	.ku = "critical,keyCertSign,cRLSign", .key = (name),               \
	.from = NOW - 1000 * DAY, .until = NOW + 1000 * DAY }

static UNUSED void ca_make(struct made *m, const char *name,
    const struct made *issuer)
{
	struct spec s = CA_SPEC(name);

	cert_make(m, &s, issuer);
}

static UNUSED void add_cert(struct keystore *ks, const struct made *m,
    unsigned use)
{
	bool added;

	must(keystore_add(ks, m->cert, use, KS_IMPORT, &added, e));
}

static UNUSED void add_anchor(struct keystore *ks, const struct made *m)
{
	add_cert(ks, m, 0);
	must(keystore_set_anchor(ks, cert_sha256(m->cert), true, e));
}

static UNUSED void add_private(struct keystore *ks, const struct made *m)
{
	PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(m->key);
	unsigned char *der = NULL;
	struct buf sealed;
	int n = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);

	assert_true(n > 0);
	buf_init(&sealed, 65536);
	must(keyring_seal_key(view_make(der, (size_t)n), secret_view(),
	    &sealed, e));
	must(keystore_add_key(ks, cert_spki_sha256(m->cert),
	    buf_view(&sealed), e));
	buf_free(&sealed);
	OPENSSL_free(der);
	PKCS8_PRIV_KEY_INFO_free(p8);
}

static UNUSED struct addr address(const char *text)
{
	struct addr a;

	must(addr_parse(&a, view_of(text), e));
	return a;
}

#endif
