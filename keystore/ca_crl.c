/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Taking back what was issued: rows marked revoked, and the list that says
 * so (RFC 5280 5), which goes into our own store by the door that everybody's
 * lists come through.
 */
#include "keystore/ca_int.h"

#include <string.h>
#include <time.h>

#include <openssl/pem.h>

#include "keystore/revocation_int.h"
#include "util/ossl.h"

#define CRL_DAYS_MAX 366

/* ---- reasons ---- */

static const struct {
	const char *name;
	int code;
} reasons[] = {
	{ "unspecified", 0 },
	{ "keyCompromise", 1 },
	{ "affiliationChanged", 3 },
	{ "superseded", 4 },
	{ "cessationOfOperation", 5 },
};

int ca_reason_parse(const char *text, int *reason, struct err *e)
{
	char quoted[ERR_QUOTED];
	size_t i;

	for (i = 0; i < ARRAY_LEN(reasons); i++)
		if (strcmp(reasons[i].name, text) == 0) {
			*reason = reasons[i].code;
			return 0;
		}
	return err_set(e, FAIL_INPUT, "reason %s: want keyCompromise, "
	    "superseded, cessationOfOperation, affiliationChanged or "
	    "unspecified (RFC 5280 5.3.1)", err_quote(quoted, sizeof(quoted),
	    text, strlen(text)));
}

/* ---- the list ---- */

static int add_reason(X509_REVOKED *r, int reason)
{
	ASN1_ENUMERATED *n;
	int ok;

	if (reason == 0)
		return 1; /* RFC 5280 5.3.1: then the extension is absent */
	n = ASN1_ENUMERATED_new();
	ok = n != NULL && ASN1_ENUMERATED_set(n, reason) == 1 &&
	    X509_REVOKED_add1_ext_i2d(r, NID_crl_reason, n, 0,
	    X509V3_ADD_DEFAULT) == 1;
	ASN1_ENUMERATED_free(n);
	return ok;
}

static int add_entry(X509_CRL *crl, struct view serial, int64_t at,
    int reason)
{
	X509_REVOKED *r = X509_REVOKED_new();
	ASN1_INTEGER *n = ASN1_INTEGER_new();
	ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)at);
	int ok;

	ok = r != NULL && n != NULL && t != NULL &&
	    ASN1_STRING_set(n, serial.p, (int)serial.n) == 1 &&
	    X509_REVOKED_set_serialNumber(r, n) == 1 &&
	    X509_REVOKED_set_revocationDate(r, t) == 1 &&
	    add_reason(r, reason) == 1 && X509_CRL_add0_revoked(crl, r) == 1;
	if (ok != 1)
		X509_REVOKED_free(r);
	ASN1_INTEGER_free(n);
	ASN1_TIME_free(t);
	return ok;
}

/* Those that have ended stay: mail that they signed does, too. */
static int add_entries(struct ca *ca, X509_CRL *crl, bool root,
    struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ca->ks, ST_ISSUED_REVOKED, e);
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int(st, 1, root ? CA_AUTHORITY : CA_MAIL);
	sqlite3_bind_int(st, 2, root ? CA_AUTHORITY : CA_TLS_CLIENT);
	while ((rc = ks_step(ca->ks, st, e)) == 1)
		if (add_entry(crl, ks_column(st, 0), sqlite3_column_int64(st,
		    1), sqlite3_column_int(st, 2)) != 1) {
			sqlite3_reset(st);
			return err_ossl(e, FAIL_TEMP, "CRL: entry");
		}
	return rc;
}

/* The key identifier of who signs (RFC 5280 5.2.1). */
static int add_akid(X509_CRL *crl, const struct cert *issuer)
{
	AUTHORITY_KEYID *akid = AUTHORITY_KEYID_new();
	struct view ski = cert_ski(issuer);
	int ok;

	if (akid != NULL)
		akid->keyid = ASN1_OCTET_STRING_new();
	ok = akid != NULL && akid->keyid != NULL &&
	    ASN1_OCTET_STRING_set(akid->keyid, ski.p, (int)ski.n) == 1 &&
	    X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, akid, 0,
	    X509V3_ADD_DEFAULT) == 1;
	AUTHORITY_KEYID_free(akid);
	return ok;
}

static int add_number(X509_CRL *crl, int64_t number)
{
	ASN1_INTEGER *n = ASN1_INTEGER_new();
	int ok;

	ok = n != NULL && ASN1_INTEGER_set_int64(n, number) == 1 &&
	    X509_CRL_add1_ext_i2d(crl, NID_crl_number, n, 0,
	    X509V3_ADD_DEFAULT) == 1;
	ASN1_INTEGER_free(n);
	return ok;
}

static int set_times(X509_CRL *crl, int64_t from, int64_t until)
{
	ASN1_TIME *a = ASN1_TIME_set(NULL, (time_t)from);
	ASN1_TIME *b = ASN1_TIME_set(NULL, (time_t)until);
	int ok;

	ok = a != NULL && b != NULL && X509_CRL_set1_lastUpdate(crl, a) == 1
	    && X509_CRL_set1_nextUpdate(crl, b) == 1;
	ASN1_TIME_free(a);
	ASN1_TIME_free(b);
	return ok;
}

/* What is signed, but for the signature. */
struct crl_plan {
	const struct cert *issuer;
	EVP_PKEY *key; /* borrowed */
	bool root;
	int64_t number;
	int64_t from, until;
};

static int sign_list(X509_CRL *crl, EVP_PKEY *key, struct buf *der,
    struct err *e)
{
	unsigned char *p = NULL;
	int n = -1;

	if (X509_CRL_sort(crl) == 1 &&
	    X509_CRL_sign(crl, key, make_digest(key)) > 0)
		n = i2d_X509_CRL(crl, &p);
	if (n <= 0)
		return err_ossl(e, FAIL_TEMP, "CRL: signing");
	buf_put(der, p, (size_t)n);
	OPENSSL_free(p);
	return buf_ok(der, e);
}

static int build(struct ca *ca, const struct crl_plan *p, struct buf *der,
    struct err *e)
{
	X509_CRL *crl;
	int rc = -1;

	ossl_clear();
	crl = X509_CRL_new();
	if (crl == NULL || X509_CRL_set_version(crl, X509_CRL_VERSION_2) != 1
	    || X509_CRL_set_issuer_name(crl,
	    X509_get_subject_name(cert_x509(p->issuer))) != 1 ||
	    set_times(crl, p->from, p->until) != 1 ||
	    add_akid(crl, p->issuer) != 1 || add_number(crl, p->number) != 1)
		(void)err_ossl(e, FAIL_TEMP, "CRL");
	else if (add_entries(ca, crl, p->root, e) == 0)
		rc = sign_list(crl, p->key, der, e);
	X509_CRL_free(crl);
	return rc;
}

/* ---- into the store ---- */

static void keep_refusal(void *arg, const struct revocation_item *it)
{
	struct err *why = arg;

	if (it->refused[0] != '\0')
		(void)err_set(why, FAIL_CONFIG, "our own CRL: %s",
		    it->refused);
}

static int import(struct ca *ca, const struct buf *der, int64_t now,
    struct err *e)
{
	struct err why = { 0 };
	size_t good = 0;

	if (revocation_import(ca->ks, buf_view(der), now, keep_refusal, &why,
	    &good, e) != 0)
		return -1;
	if (good == 1)
		return 0;
	return err_set(e, why.kind != 0 ? why.kind : FAIL_BUG, "%s",
	    why.kind != 0 ? why.msg : "our own CRL was not taken");
}

/*
 * At least the time: a store that was restored from a backup does not know
 * the lists that came after it, and numbers that were there already would be
 * passed over by all who have those (RFC 5280 5.2.3).
 */
static int next_number(struct ca *ca, bool root, int64_t now, int64_t *number,
    struct err *e)
{
	const char *name = root ? CA_META_ROOT_CRL : CA_META_CRL;
	bool found;

	*number = 0;
	if (ks_meta_get(ca->ks, name, number, NULL, &found, e) != 0)
		return -1;
	++*number;
	if (*number < now)
		*number = now;
	return ks_meta_set(ca->ks, name, *number, "", e);
}

static int make_list(struct ca *ca, struct crl_plan *p, struct buf *der,
    struct err *e)
{
	struct buf mine, detail;
	int rc;

	buf_init(&mine, CAP_CRL);
	buf_init(&detail, 256);
	rc = next_number(ca, p->root, p->from, &p->number, e);
	if (rc == 0)
		rc = build(ca, p, &mine, e);
	if (rc == 0)
		rc = import(ca, &mine, p->from, e);
	buf_printf(&detail, "number %lld", (long long)p->number);
	if (rc == 0)
		rc = ks_note(ca->ks, "make CRL", cert_sha256_hex(p->issuer),
		    buf_str(&detail), e);
	if (rc == 0 && der != NULL) {
		buf_putv(der, buf_view(&mine));
		rc = buf_ok(der, e);
	}
	buf_free(&mine);
	buf_free(&detail);
	return rc;
}

int ca_crl_make(struct ca *ca, bool root, int days, struct buf *der,
    struct err *e)
{
	struct crl_plan p = { .from = (int64_t)time(NULL) };
	EVP_PKEY *root_key = NULL;
	int rc = 0;

	if (days < 1 || days > CRL_DAYS_MAX)
		return err_set(e, FAIL_INPUT, "days of the CRL: %d, want 1 to "
		    "%d", days, CRL_DAYS_MAX);
	/* a root that issues has one list for all */
	p.root = root && ca->root != ca->cert;
	p.issuer = p.root ? ca->root : ca->cert;
	p.until = p.from + (int64_t)days * CA_DAY_S;
	p.key = ca->key;
	if (p.root) {
		rc = ca_key_load(ca->ks, ca->secret, ca->passphrase.n > 0 ?
		    buf_str(&ca->passphrase) : NULL, ca->root, &root_key, e);
		p.key = root_key;
	}
	if (rc == 0)
		rc = make_list(ca, &p, der, e);
	EVP_PKEY_free(root_key);
	return rc;
}

int ca_crl(struct ca *ca, bool root, int days, struct buf *der, struct err *e)
{
	bool began;
	int rc;

	if (ks_change(ca->ks, &began, true, e) != 0)
		return -1;
	rc = ca_crl_make(ca, root, days, der, e);
	return ks_end(ca->ks, began, rc, e);
}

int ca_crl_pem(struct view der, struct buf *out, struct err *e)
{
	BIO *bio;
	char *text;
	long n = 0;

	ossl_clear();
	bio = BIO_new(BIO_s_mem());
	if (bio != NULL && PEM_write_bio(bio, PEM_STRING_X509_CRL, "", der.p,
	    (long)der.n) > 0)
		n = BIO_get_mem_data(bio, &text);
	if (n > 0)
		buf_put(out, text, (size_t)n);
	BIO_free(bio);
	return n > 0 ? buf_ok(out, e) : err_ossl(e, FAIL_TEMP, "CRL: PEM");
}

/* ---- revoking ---- */

static int mark(struct ca *ca, const struct cert *c, int reason,
    struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ca->ks, ST_ISSUED_REVOKE, e);

	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(cert_sha256(c), 32));
	sqlite3_bind_int64(st, 2, (int64_t)time(NULL));
	sqlite3_bind_int(st, 3, reason);
	if (ks_run(ca->ks, st, e) != 0)
		return -1;
	return ks_note(ca->ks, "revoke certificate", cert_sha256_hex(c),
	    rev_reason_str(reason), e);
}

static int revoke(struct ca *ca, const struct cert *c, int reason,
    struct err *e)
{
	struct ca_state st;

	if (ca_adopt(ca, c, &st, e) != 0)
		return -1;
	if (st.revoked)
		return err_set(e, FAIL_INPUT, "%s: revoked already",
		    cert_sha256_hex(c));
	if (mark(ca, c, reason, e) != 0)
		return -1;
	return ca_crl_make(ca, st.kind == CA_AUTHORITY, CA_CRL_DAYS, NULL, e);
}

int ca_revoke(struct ca *ca, const struct cert *c, int reason, struct err *e)
{
	bool began;
	int rc;

	if (ks_change(ca->ks, &began, true, e) != 0)
		return -1;
	rc = revoke(ca, c, reason, e);
	return ks_end(ca->ks, began, rc, e);
}
