/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Files with CRLs and OCSP responses: told apart, taken one by one, and what
 * both kinds share: signature, extensions, names.
 */
#include "keystore/revocation_int.h"

#include <string.h>

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "keystore/import.h"
#include "util/ossl.h"
#include "util/when.h"

/* ---- signatures ---- */

int rev_split(struct rev_signed *s, struct view content)
{
	struct der tbs, alg, signature;

	if (der_get(&content, DER_SEQUENCE, &tbs) != 0 ||
	    der_get(&content, DER_SEQUENCE, &alg) != 0 ||
	    der_get(&content, DER_BIT_STRING, &signature) != 0)
		return -1;
	s->tbs = tbs.whole;
	s->alg = alg.whole;
	s->signature = signature.whole;
	s->rest = content;
	return 0;
}

/* The digest of RSASSA-PSS-params, SHA-1 when it is not said (RFC 8017
 * A.2.3). */
static int pss_digest(struct view alg)
{
	const unsigned char *p;
	struct der seq, oid, params, hash;
	ASN1_OBJECT *obj;
	int nid = NID_undef;

	if (der_get(&alg, DER_SEQUENCE, &seq) != 0 ||
	    der_get(&seq.val, DER_OID, &oid) != 0 ||
	    der_get(&seq.val, DER_SEQUENCE, &params) != 0 ||
	    der_get(&params.val, DER_CTX0, &hash) != 0 ||
	    der_get(&hash.val, DER_SEQUENCE, &seq) != 0 ||
	    der_get(&seq.val, DER_OID, &oid) != 0)
		return NID_sha1;
	p = oid.whole.p;
	obj = d2i_ASN1_OBJECT(NULL, &p, (long)oid.whole.n);
	if (obj != NULL)
		nid = OBJ_obj2nid(obj);
	ASN1_OBJECT_free(obj);
	return nid;
}

/* As level 2 of the path has it: a forged list would take away, or give
 * back, everything that the CA issued. */
static bool is_strong(const X509_ALGOR *alg, struct view der)
{
	const ASN1_OBJECT *obj = NULL;
	int md = NID_undef, key = NID_undef;

	X509_ALGOR_get0(&obj, NULL, NULL, alg);
	if (OBJ_find_sigid_algs(OBJ_obj2nid(obj), &md, &key) != 1)
		return false;
	if (key == NID_rsassaPss)
		md = pss_digest(der);
	switch (md) {
	case NID_undef: /* the digest is part of the algorithm */
		return key == NID_ED25519 || key == NID_ED448;
	case NID_sha256:
	case NID_sha384:
	case NID_sha512:
	case NID_sha3_256:
	case NID_sha3_384:
	case NID_sha3_512:
		return true;
	default:
		return false;
	}
}

static bool is_key_fit(const struct cert *c)
{
	EVP_PKEY *key;

	if (cert_key_type(c) == CERT_KEY_RSA)
		return cert_key_check(c, NULL) == 0;
	key = X509_get0_pubkey(cert_x509(c));
	return key != NULL && EVP_PKEY_get_security_bits(key) >= 112;
}

/* 1 verifies, 0 not, -1 no memory. The octets as they came are what is
 * verified: parsing them into objects would need ten times the memory. */
static int verify_octets(const struct rev_signed *s, const X509_ALGOR *alg,
    EVP_PKEY *key)
{
	const unsigned char *p = s->signature.p;
	ASN1_BIT_STRING *bits = d2i_ASN1_BIT_STRING(NULL, &p,
	    (long)s->signature.n);
	ASN1_STRING *tbs = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
	int rc = -1, n;

	if (bits == NULL)
		rc = 0;
	else if (tbs != NULL && ossl_len(s->tbs.n, &n, NULL) == 0 &&
	    ASN1_STRING_set(tbs, s->tbs.p, n) == 1)
		rc = ASN1_item_verify(ASN1_ITEM_rptr(ASN1_SEQUENCE), alg,
		    bits, tbs, key) == 1;
	ASN1_BIT_STRING_free(bits);
	ASN1_STRING_free(tbs);
	return rc;
}

static int verify_by(const struct rev_signed *s, const struct cert *signer,
    struct err *e)
{
	const unsigned char *p = s->alg.p;
	X509_ALGOR *alg = d2i_X509_ALGOR(NULL, &p, (long)s->alg.n);
	int rc = 0;

	if (alg == NULL || !is_strong(alg, s->alg))
		(void)err_set(e, FAIL_POLICY, "its signature algorithm is not "
		    "known or too weak, SHA-256 or better is wanted (RFC 8550 "
		    "4.3)");
	else if (!is_key_fit(signer))
		(void)err_set(e, FAIL_POLICY, "the key of %s is too weak or "
		    "too large", cert_subject(signer));
	else if ((rc = verify_octets(s, alg,
	    X509_get0_pubkey(cert_x509(signer)))) < 0)
		(void)err_set(e, FAIL_TEMP, "signature: out of memory");
	else if (rc == 0)
		(void)err_set(e, FAIL_POLICY, "signature does not verify with "
		    "the key of %s", cert_subject(signer));
	X509_ALGOR_free(alg);
	ossl_clear();
	return rc == 1 ? 0 : -1;
}

int rev_verify(const struct rev_signed *s, const struct cert *signer,
    const char *what, struct err *e)
{
	if (verify_by(s, signer, e) == 0)
		return 0;
	return what != NULL ? err_add(e, "%s", what) : -1;
}

/* ---- parts ---- */

int rev_next_ext(struct view *list, struct rev_ext *x)
{
	struct der seq, oid, critical, value;
	int rc;

	if (der_get(list, DER_SEQUENCE, &seq) != 0 ||
	    der_get(&seq.val, DER_OID, &oid) != 0 ||
	    (rc = der_opt(&seq.val, DER_BOOLEAN, &critical)) < 0 ||
	    der_get(&seq.val, DER_OCTET_STRING, &value) != 0 ||
	    seq.val.n != 0 || (rc == 1 && critical.val.n != 1))
		return -1;
	x->oid = oid.val;
	x->critical = rc == 1 && critical.val.p[0] != 0;
	x->value = value.val;
	return 0;
}

int rev_id_ce(struct view oid)
{
	return oid.n == 3 && oid.p[0] == 0x55 && oid.p[1] == 0x1d ?
	    oid.p[2] : -1;
}

int rev_refuse_ext(const struct rev_ext *x, const char *what, struct err *e)
{
	char oid[80];

	return err_set(e, FAIL_INPUT, "%s%scritical extension %s is not known "
	    "(RFC 5280 5.2)", what != NULL ? what : "", what != NULL ? ": " :
	    "", der_oid_str(x->oid, oid, sizeof(oid)));
}

struct view rev_integer(struct view v)
{
	while (v.n > 1 && v.p[0] == 0 && (v.p[1] & 0x80) == 0)
		v = view_sub(v, 1, v.n);
	return v;
}

int rev_check_time(const struct rev_import *im, int64_t this_update,
    struct err *e)
{
	char date[32];

	if (this_update <= im->now + REV_SKEW_S)
		return 0;
	return err_set(e, FAIL_INPUT, "thisUpdate is in the future (%s)",
	    when_date(date, this_update));
}

void rev_name_text(const X509_NAME *name, char *dst, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct err text = { 0 };
	char *p = NULL;
	long n = 0;

	if (bio != NULL && X509_NAME_print_ex(bio, name, 0,
	    XN_FLAG_RFC2253) >= 0)
		n = BIO_get_mem_data(bio, &p);
	(void)err_set(&text, FAIL_INPUT, "%.*s", n > 0 && n < 400 ? (int)n : 1,
	    n > 0 && n < 400 ? p : "?");
	ks_text(dst, size, &text);
	BIO_free(bio);
	ossl_clear();
}

/* RFC 5280 5.3.1. */
const char *rev_reason_str(int reason)
{
	static const char *const name[] = {
		"unspecified", "keyCompromise", "cACompromise",
		"affiliationChanged", "superseded", "cessationOfOperation",
		"certificateHold", "unspecified", "removeFromCRL",
		"privilegeWithdrawn", "aACompromise",
	};

	return reason >= 0 && (size_t)reason < ARRAY_LEN(name) ?
	    name[reason] : name[0];
}

/* ---- files ---- */

struct reading {
	struct keystore *ks;
	int64_t now;
	revocation_report *report;
	void *arg;
	size_t good;
	size_t seen;
};

/* A refusal is an item; anything else ends the run. */
static int finish_item(struct reading *r, struct revocation_item *it, int rc,
    struct err *e)
{
	if (rc != 0 && e->kind != FAIL_INPUT && e->kind != FAIL_POLICY &&
	    e->kind != FAIL_LIMIT)
		return -1;
	if (rc != 0)
		ks_text(it->refused, sizeof(it->refused), e);
	else
		r->good++;
	err_clear(e);
	r->seen++;
	r->report(r->arg, it);
	return 0;
}

static int skip_object(struct reading *r, const char *kind, const char *why,
    struct err *e)
{
	struct revocation_item it = { .kind = kind };

	return finish_item(r, &it, err_set(e, FAIL_INPUT, "%s", why), e);
}

static int import_one(struct reading *r, struct view der, bool is_crl,
    struct err *e)
{
	struct revocation_item it = { 0 };
	struct rev_import im = { .ks = r->ks, .now = r->now, .der = der,
	    .item = &it };
	size_t most = is_crl ? CAP_CRL : CAP_OCSP;
	int rc;

	it.kind = is_crl ? "CRL" : "OCSP response";
	if (der.n > most) {
		rc = err_set(e, FAIL_LIMIT, "%zu octets, at most %zu are taken",
		    der.n, most);
		return finish_item(r, &it, rc, e);
	}
	ossl_sha256(der.p, der.n, im.sha256);
	rc = is_crl ? crl_import(&im, e) : ocsp_import(&im, e);
	return finish_item(r, &it, rc, e);
}

#define NO_CERT "no CRL; \"postseal cert import\" takes certificates"
#define NO_KEY "no CRL; \"postseal key import\" takes private keys"

/* CertificateList and Certificate begin alike; a CRL has a time where a
 * certificate has a second SEQUENCE of its name's kind. */
static bool looks_like_crl(struct view content)
{
	struct der tbs, d;

	if (der_get(&content, DER_SEQUENCE, &tbs) != 0 ||
	    der_opt(&tbs.val, DER_INTEGER, &d) < 0 ||
	    der_get(&tbs.val, DER_SEQUENCE, &d) != 0 ||
	    der_get(&tbs.val, DER_SEQUENCE, &d) != 0 ||
	    der_next(&tbs.val, &d) != 0)
		return false;
	return d.tag == DER_UTCTIME || d.tag == DER_GENTIME;
}

static bool is_certificate(struct view der)
{
	struct cert *c = NULL;
	bool is = cert_parse(&c, der, NULL) == 0;

	cert_free(&c);
	return is;
}

static int import_der_object(struct reading *r, struct view der,
    struct err *e)
{
	struct view rest = der, content;
	struct der d, first;

	if (der_get(&rest, DER_SEQUENCE, &d) != 0)
		return 0; /* nothing seen: libmagic says what it is */
	content = d.val;
	if (rest.n != 0)
		return skip_object(r, "object", "octets after the "
		    "object", e);
	if (looks_like_crl(content))
		return import_one(r, der, true, e);
	if (der_get(&content, DER_ENUMERATED, &first) == 0)
		return import_one(r, der, false, e);
	if (is_certificate(der))
		return skip_object(r, "certificate", NO_CERT, e);
	return skip_object(r, "object", "neither a CRL nor an OCSP response",
	    e);
}

static int import_pem_object(struct reading *r, const char *name,
    struct view der, struct err *e)
{
	if (strcmp(name, PEM_STRING_X509_CRL) == 0)
		return import_one(r, der, true, e);
	if (strcmp(name, PEM_STRING_X509) == 0 ||
	    strcmp(name, PEM_STRING_X509_OLD) == 0 ||
	    strcmp(name, PEM_STRING_X509_TRUSTED) == 0)
		return skip_object(r, "certificate", NO_CERT, e);
	if (strstr(name, "PRIVATE KEY") != NULL)
		return skip_object(r, "private key", NO_KEY, e);
	return skip_object(r, "object", "neither a CRL nor an OCSP response",
	    e);
}

static int import_pem_objects(struct reading *r, struct view text,
    struct err *e)
{
	char *name = NULL, *header = NULL;
	unsigned char *der = NULL;
	BIO *bio;
	long n;
	int rc = 0, len;

	if (ossl_len(text.n, &len, e) != 0)
		return -1;
	bio = BIO_new_mem_buf(text.p, len);
	if (bio == NULL)
		return err_set(e, FAIL_TEMP, "PEM: out of memory");
	ossl_clear();
	while (rc == 0 && PEM_read_bio(bio, &name, &header, &der, &n) == 1) {
		rc = import_pem_object(r, name, view_make(der, (size_t)n), e);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	if (rc == 0 &&
	    ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		rc = skip_object(r, "object", "malformed PEM (RFC 7468)",
		    e);
	BIO_free(bio);
	ossl_clear();
	return rc;
}

int revocation_import(struct keystore *ks, struct view data, int64_t now,
    revocation_report *report, void *arg, size_t *good, struct err *e)
{
	struct reading r = { ks, now, report, arg, 0, 0 };
	char magic[120];
	int rc;

	*good = 0;
	if (data.n > 0 && data.p[0] != DER_SEQUENCE &&
	    memmem(data.p, data.n, "-----BEGIN ", 11) != NULL)
		rc = import_pem_objects(&r, data, e);
	else
		rc = import_der_object(&r, data, e);
	*good = r.good;
	if (rc == 0 && r.seen == 0)
		return err_set(e, FAIL_INPUT, "no CRL and no OCSP response, "
		    "but %s", import_magic(data, magic, sizeof(magic)));
	return rc;
}
