/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * CRLs and OCSP responses of any shape, wrong ones too, made by libcrypto
 * for the tests of revocation. For inclusion after cmocka.
 */
#ifndef TESTS_UNIT_REVOCATION_HELP_H
#define TESTS_UNIT_REVOCATION_HELP_H

#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "keystore/revocation.h"

/* A revoked certificate. */
struct rv_entry {
	const X509 *x;
	int64_t at;
	int reason;	       /* -1: no extension */
	int64_t invalid_since; /* 0: no extension */
	const char *critical;  /* OID of one more extension */
};

/* A list; times are absolute. */
struct rv_crl {
	X509 *ca;
	EVP_PKEY *key;
	int64_t from, until; /* until 0: no nextUpdate */
	long number;	     /* 0: none */
	const char *md;	     /* NULL: SHA256 */
	const struct rv_entry *entry;
	size_t n;
	/* an extension more, its value in DER */
	const char *oid, *value;
	size_t value_n;
	bool critical;
	X509 *aki_of; /* authority key identifier of this one's key */
	size_t pad;   /* octets of an extension that nobody knows */
};

static UNUSED void rv_ext(X509_CRL *crl, const char *oid, bool critical,
    struct view value)
{
	ASN1_OCTET_STRING *os = ASN1_OCTET_STRING_new();
	ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
	X509_EXTENSION *ext;

	assert_int_equal(ASN1_OCTET_STRING_set(os, value.p, (int)value.n), 1);
	ext = X509_EXTENSION_create_by_OBJ(NULL, o, critical, os);
	assert_int_equal(X509_CRL_add_ext(crl, ext, -1), 1);
	X509_EXTENSION_free(ext);
	ASN1_OBJECT_free(o);
	ASN1_OCTET_STRING_free(os);
}

static UNUSED void rv_aki(X509_CRL *crl, X509 *of)
{
	AUTHORITY_KEYID *a = AUTHORITY_KEYID_new();

	a->keyid = ASN1_STRING_dup(X509_get0_subject_key_id(of));
	assert_non_null(a->keyid);
	assert_int_equal(X509_CRL_add1_ext_i2d(crl,
	    NID_authority_key_identifier, a, 0, 0), 1);
	AUTHORITY_KEYID_free(a);
}

static UNUSED void rv_entry_exts(X509_REVOKED *r, const struct rv_entry *x)
{
	ASN1_ENUMERATED *why = ASN1_ENUMERATED_new();
	ASN1_GENERALIZEDTIME *t;
	ASN1_OBJECT *o;

	if (x->reason >= 0) {
		ASN1_ENUMERATED_set(why, x->reason);
		assert_int_equal(X509_REVOKED_add1_ext_i2d(r, NID_crl_reason,
		    why, 0, 0), 1);
	}
	if (x->invalid_since != 0) {
		t = ASN1_GENERALIZEDTIME_set(NULL, (time_t)x->invalid_since);
		assert_int_equal(X509_REVOKED_add1_ext_i2d(r,
		    NID_invalidity_date, t, 0, 0), 1);
		ASN1_GENERALIZEDTIME_free(t);
	}
	if (x->critical != NULL) {
		ASN1_OCTET_STRING *os = ASN1_OCTET_STRING_new();
		X509_EXTENSION *ext;

		ASN1_OCTET_STRING_set(os, (const unsigned char *)"\5\0", 2);
		o = OBJ_txt2obj(x->critical, 1);
		ext = X509_EXTENSION_create_by_OBJ(NULL, o, 1, os);
		assert_int_equal(X509_REVOKED_add_ext(r, ext, -1), 1);
		X509_EXTENSION_free(ext);
		ASN1_OBJECT_free(o);
		ASN1_OCTET_STRING_free(os);
	}
	ASN1_ENUMERATED_free(why);
}

static UNUSED void rv_put_entries(X509_CRL *crl, const struct rv_crl *s)
{
	for (size_t i = 0; i < s->n; i++) {
		X509_REVOKED *r = X509_REVOKED_new();
		ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)s->entry[i].at);

		assert_int_equal(X509_REVOKED_set_serialNumber(r,
		    (ASN1_INTEGER *)(uintptr_t)X509_get0_serialNumber(
		    s->entry[i].x)), 1);
		assert_int_equal(X509_REVOKED_set_revocationDate(r, t), 1);
		rv_entry_exts(r, &s->entry[i]);
		assert_int_equal(X509_CRL_add0_revoked(crl, r), 1);
		ASN1_TIME_free(t);
	}
}

static UNUSED void rv_put_exts(X509_CRL *crl, const struct rv_crl *s)
{
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	unsigned char *pad;

	if (s->number != 0) {
		ASN1_INTEGER_set(number, s->number);
		assert_int_equal(X509_CRL_add1_ext_i2d(crl, NID_crl_number,
		    number, 0, 0), 1);
	}
	ASN1_INTEGER_free(number);
	if (s->aki_of != NULL)
		rv_aki(crl, s->aki_of);
	if (s->oid != NULL)
		rv_ext(crl, s->oid, s->critical, view_make(s->value,
		    s->value_n));
	if (s->pad > 0) {
		pad = calloc(1, s->pad);
		rv_ext(crl, "1.3.6.1.4.1.99999.2", false,
		    view_make(pad, s->pad));
		free(pad);
	}
}

static UNUSED X509_CRL *rv_make(const struct rv_crl *s)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)s->from);

	assert_int_equal(X509_CRL_set_version(crl, 1), 1);
	assert_int_equal(X509_CRL_set_issuer_name(crl,
	    X509_get_subject_name(s->ca)), 1);
	assert_int_equal(X509_CRL_set1_lastUpdate(crl, t), 1);
	if (s->until != 0) {
		ASN1_TIME_set(t, (time_t)s->until);
		assert_int_equal(X509_CRL_set1_nextUpdate(crl, t), 1);
	}
	ASN1_TIME_free(t);
	rv_put_entries(crl, s);
	rv_put_exts(crl, s);
	assert_true(X509_CRL_sign(crl, s->key, EVP_get_digestbyname(
	    s->md == NULL ? "SHA256" : s->md)) > 0);
	return crl;
}

/* As DER, to be freed by buf_free(). */
static UNUSED struct buf rv_der(const struct rv_crl *s)
{
	X509_CRL *crl = rv_make(s);
	unsigned char *der = NULL;
	int n = i2d_X509_CRL(crl, &der);
	struct buf b;

	assert_true(n > 0);
	buf_init(&b, 256u << 20);
	buf_put(&b, der, (size_t)n);
	OPENSSL_free(der);
	X509_CRL_free(crl);
	return b;
}

/* ---- OCSP ---- */

struct rv_ocsp {
	const X509 *of;	  /* whose status */
	const X509 *also; /* one more that is good, or NULL */
	X509 *ca;	  /* who issued it */
	X509 *by;	  /* who signs */
	EVP_PKEY *key;
	int status;	  /* V_OCSP_CERTSTATUS_* */
	int64_t at;
	int reason;
	int64_t from, until; /* until 0: no nextUpdate */
	const char *md;	  /* of the CertID; NULL: SHA1 */
	const char *sign_md; /* NULL: SHA256 */
	bool by_key;	  /* the responder is named by its key */
	bool no_certs;
	const char *critical; /* OID of a response extension */
	bool nonce;
};

static UNUSED void rv_sign(OCSP_BASICRESP *bs, const struct rv_ocsp *s)
{
	unsigned long flags = (s->by_key ? OCSP_RESPID_KEY : 0) |
	    (s->no_certs ? OCSP_NOCERTS : 0);
	unsigned char some[16] = { 1, 2, 3 };

	if (s->nonce)
		assert_int_equal(OCSP_basic_add1_nonce(bs, some,
		    sizeof(some)), 1);
	if (s->critical != NULL) {
		ASN1_OCTET_STRING *os = ASN1_OCTET_STRING_new();
		ASN1_OBJECT *o = OBJ_txt2obj(s->critical, 1);
		X509_EXTENSION *ext;

		ASN1_OCTET_STRING_set(os, (const unsigned char *)"\5\0", 2);
		ext = X509_EXTENSION_create_by_OBJ(NULL, o, 1, os);
		assert_int_equal(OCSP_BASICRESP_add_ext(bs, ext, -1), 1);
		X509_EXTENSION_free(ext);
		ASN1_OBJECT_free(o);
		ASN1_OCTET_STRING_free(os);
	}
	assert_int_equal(OCSP_basic_sign(bs, s->by, s->key,
	    EVP_get_digestbyname(s->sign_md == NULL ? "SHA256" : s->sign_md),
	    NULL, flags), 1);
}

static UNUSED struct buf rv_ocsp_der(const struct rv_ocsp *s)
{
	OCSP_BASICRESP *bs = OCSP_BASICRESP_new();
	ASN1_TIME *from = ASN1_GENERALIZEDTIME_set(NULL, (time_t)s->from);
	ASN1_TIME *until = s->until == 0 ? NULL :
	    ASN1_GENERALIZEDTIME_set(NULL, (time_t)s->until);
	ASN1_TIME *at = ASN1_GENERALIZEDTIME_set(NULL, (time_t)s->at);
	OCSP_CERTID *id = OCSP_cert_id_new(EVP_get_digestbyname(s->md == NULL ?
	    "SHA1" : s->md), X509_get_subject_name(s->ca),
	    X509_get0_pubkey_bitstr(s->ca), X509_get0_serialNumber(s->of));
	unsigned char *der = NULL;
	OCSP_CERTID *also = s->also == NULL ? NULL : OCSP_cert_id_new(
	    EVP_sha1(), X509_get_subject_name(s->ca),
	    X509_get0_pubkey_bitstr(s->ca), X509_get0_serialNumber(s->also));
	OCSP_RESPONSE *r;
	struct buf b;
	int n;

	if (also != NULL)
		assert_non_null(OCSP_basic_add1_status(bs, also,
		    V_OCSP_CERTSTATUS_GOOD, 0, NULL, from, until));
	OCSP_CERTID_free(also);
	assert_non_null(OCSP_basic_add1_status(bs, id, s->status, s->reason,
	    s->status == V_OCSP_CERTSTATUS_REVOKED ? at : NULL, from, until));
	rv_sign(bs, s);
	r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, bs);
	n = i2d_OCSP_RESPONSE(r, &der);
	assert_true(n > 0);
	buf_init(&b, 1u << 20);
	buf_put(&b, der, (size_t)n);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(r);
	OCSP_BASICRESP_free(bs);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(until);
	ASN1_TIME_free(at);
	return b;
}

/* ---- bringing them in ---- */

struct rv_seen {
	size_t n;
	struct revocation_item last;
};

static UNUSED void rv_report(void *arg, const struct revocation_item *it)
{
	struct rv_seen *s = arg;

	s->n++;
	s->last = *it;
}

/* Good: "" is no part of a refusal. */
static UNUSED void rv_import(struct keystore *ks, struct view data,
    int64_t now, const char *refused)
{
	struct rv_seen seen = { 0 };
	struct err e = { 0 };
	size_t good;

	if (revocation_import(ks, data, now, rv_report, &seen, &good, &e) != 0)
		fail_msg("%s", e.msg);
	assert_int_equal(seen.n, 1);
	if (refused == NULL) {
		if (seen.last.refused[0] != '\0')
			fail_msg("%s", seen.last.refused);
		assert_int_equal(good, 1);
		return;
	}
	if (strstr(seen.last.refused, refused) == NULL ||
	    seen.last.refused[0] == '\0')
		fail_msg("refused by \"%s\", wanted \"%s\"",
		    seen.last.refused, refused);
	assert_int_equal(good, 0);
	assert_false(seen.last.added);
}

static UNUSED void rv_bring(struct keystore *ks, const struct rv_crl *s,
    int64_t now, const char *refused)
{
	struct buf b = rv_der(s);

	rv_import(ks, buf_view(&b), now, refused);
	buf_free(&b);
}

static UNUSED void rv_bring_ocsp(struct keystore *ks, const struct rv_ocsp *s,
    int64_t now, const char *refused)
{
	struct buf b = rv_ocsp_der(s);

	rv_import(ks, buf_view(&b), now, refused);
	buf_free(&b);
}

#endif
