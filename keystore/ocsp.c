/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Stored OCSP responses (RFC 6960) into the store: one certificate's status
 * a row. A response is believed of the issuer's key, or of a delegate that
 * the issuer itself made one, while it is fresh (A59). Our requests have no
 * nonce, which few responders answer, so one means nothing.
 */
#include "keystore/revocation_int.h"

#include <string.h>
#include <time.h>

#include "util/ossl.h"
#include "util/when.h"

#define RESPONSES_MAX 100 /* statuses in one response */
#define CERTS_MAX 8	  /* certificates in one response */

struct response {
	struct rev_signed s;
	struct view name;     /* responder: whole Name, or empty */
	struct view key_hash; /* or SHA-1 of its key */
	struct view list;     /* of SingleResponse */
	struct view certs;
};

struct single {
	const EVP_MD *md;
	struct view name_hash, key_hash, serial;
	bool revoked;
	int64_t at;
	int reason;
	int64_t this_update;
	int64_t until; /* it is believed until then */
};

static int malformed(const char *what, struct err *e)
{
	return err_set(e, FAIL_INPUT, "RFC 6960 4.2.1: malformed %s", what);
}

/* ---- reading ---- */

static int check_status(const struct der *d, struct err *e)
{
	static const char *const name[] = { "successful", "malformedRequest",
		"internalError", "tryLater", "4", "sigRequired",
		"unauthorized" };

	if (d->val.n != 1 || d->val.p[0] >= ARRAY_LEN(name))
		return malformed("responseStatus", e);
	return d->val.p[0] == 0 ? 0 : err_set(e, FAIL_INPUT, "RFC 6960 4.2.1: "
	    "the responder answered %s", name[d->val.p[0]]);
}

/* Down to BasicOCSPResponse. */
static int enter_basic(struct view in, struct view *basic, struct err *e)
{
	/* 1.3.6.1.5.5.7.48.1.1 */
	static const unsigned char oid_basic[] = { 0x2b, 0x06, 0x01, 0x05,
		0x05, 0x07, 0x30, 0x01, 0x01 };
	struct der d, type;

	if (der_get(&in, DER_SEQUENCE, &d) != 0)
		return malformed("OCSPResponse", e);
	in = d.val;
	if (der_get(&in, DER_ENUMERATED, &d) != 0)
		return malformed("OCSPResponse", e);
	if (check_status(&d, e) != 0)
		return -1;
	if (der_get(&in, DER_CTX0, &d) != 0 || in.n != 0 ||
	    der_get(&d.val, DER_SEQUENCE, &d) != 0 ||
	    der_get(&d.val, DER_OID, &type) != 0)
		return malformed("responseBytes", e);
	if (!view_eq(type.val, view_make(oid_basic, sizeof(oid_basic))))
		return err_set(e, FAIL_INPUT, "RFC 6960 4.2.1: not a basic "
		    "response");
	if (der_get(&d.val, DER_OCTET_STRING, &type) != 0 || d.val.n != 0 ||
	    der_get(&type.val, DER_SEQUENCE, &d) != 0 || type.val.n != 0)
		return malformed("BasicOCSPResponse", e);
	*basic = d.val;
	return 0;
}

static int read_responder(struct response *r, struct view *in, struct err *e)
{
	struct der d, x;

	if (der_next(in, &d) == 0 && d.tag == DER_CTX0 + 1 &&
	    der_get(&d.val, DER_SEQUENCE, &x) == 0 && d.val.n == 0) {
		r->name = x.whole;
		return 0;
	}
	if (d.tag == DER_CTX0 + 2 &&
	    der_get(&d.val, DER_OCTET_STRING, &x) == 0 && d.val.n == 0) {
		r->key_hash = x.val;
		return 0;
	}
	return malformed("responderID", e);
}

/* A nonce, or what else is not critical, changes nothing. */
static int skip_exts(struct view in, struct err *e)
{
	struct rev_ext x;
	struct der list;

	if (der_get(&in, DER_SEQUENCE, &list) != 0 || in.n != 0)
		return malformed("extensions", e);
	while (list.val.n > 0) {
		if (rev_next_ext(&list.val, &x) != 0)
			return malformed("extensions", e);
		if (x.critical)
			return rev_refuse_ext(&x, NULL, e);
	}
	return 0;
}

/* ResponseData */
static int read_data(struct response *r, struct view in, struct err *e)
{
	struct der d, version;
	uint32_t v = 0;
	int rc;

	if (der_get(&in, DER_SEQUENCE, &d) != 0)
		return malformed("ResponseData", e);
	in = d.val;
	rc = der_opt(&in, DER_CTX0, &d);
	if (rc < 0 || (rc == 1 && (der_get(&d.val, DER_INTEGER, &version) !=
	    0 || der_uint(&version, &v) != 0 || v != 0)))
		return malformed("version", e);
	if (read_responder(r, &in, e) != 0)
		return -1;
	if (der_get(&in, DER_GENTIME, &d) != 0 ||
	    der_get(&in, DER_SEQUENCE, &d) != 0)
		return malformed("ResponseData", e);
	r->list = d.val;
	rc = der_opt(&in, DER_CTX0 + 1, &d);
	if (rc < 0 || in.n != 0)
		return malformed("ResponseData", e);
	return rc == 1 ? skip_exts(d.val, e) : 0;
}

static int read_response(struct response *r, struct view der, struct err *e)
{
	struct view basic;
	struct der d, certs;
	int rc;

	memset(r, 0, sizeof(*r));
	if (enter_basic(der, &basic, e) != 0)
		return -1;
	if (rev_split(&r->s, basic) != 0)
		return malformed("BasicOCSPResponse", e);
	rc = der_opt(&r->s.rest, DER_CTX0, &d);
	if (rc < 0 || r->s.rest.n != 0 || (rc == 1 &&
	    (der_get(&d.val, DER_SEQUENCE, &certs) != 0 || d.val.n != 0)))
		return malformed("certs", e);
	if (rc == 1)
		r->certs = certs.val;
	return read_data(r, r->s.tbs, e);
}

/* ---- one status ---- */

static const EVP_MD *digest_of(struct view oid)
{
	/* 1.3.14.3.2.26; 2.16.840.1.101.3.4.2.n */
	static const unsigned char sha1[] = { 0x2b, 0x0e, 0x03, 0x02, 0x1a };
	static const unsigned char sha2[] = { 0x60, 0x86, 0x48, 0x01, 0x65,
		0x03, 0x04, 0x02 };

	if (view_eq(oid, view_make(sha1, sizeof(sha1))))
		return EVP_sha1();
	if (oid.n != sizeof(sha2) + 1 ||
	    memcmp(oid.p, sha2, sizeof(sha2)) != 0)
		return NULL;
	switch (oid.p[sizeof(sha2)]) {
	case 1:
		return EVP_sha256();
	case 2:
		return EVP_sha384();
	case 3:
		return EVP_sha512();
	default:
		return NULL;
	}
}

static int read_cert_id(struct single *x, struct view in, struct err *e)
{
	struct der alg, oid, name, key, serial;

	if (der_get(&in, DER_SEQUENCE, &alg) != 0 ||
	    der_get(&alg.val, DER_OID, &oid) != 0 ||
	    der_get(&in, DER_OCTET_STRING, &name) != 0 ||
	    der_get(&in, DER_OCTET_STRING, &key) != 0 ||
	    der_get(&in, DER_INTEGER, &serial) != 0 || in.n != 0 ||
	    serial.val.n == 0 || serial.val.n > REV_SERIAL_MAX)
		return malformed("CertID", e);
	x->md = digest_of(oid.val);
	if (x->md == NULL)
		return err_set(e, FAIL_INPUT, "CertID: hash is not SHA-1 or "
		    "SHA-2");
	x->name_hash = name.val;
	x->key_hash = key.val;
	x->serial = rev_integer(serial.val);
	return 0;
}

/* CertStatus */
static int read_cert_status(struct single *x, const struct der *d,
    struct err *e)
{
	struct view in = d->val;
	struct der at, reason;
	int rc;

	if (d->tag == DER_CTX0_PRIM && d->val.n == 0)
		return 0;
	if (d->tag == DER_CTX0_PRIM + 2)
		return err_set(e, FAIL_INPUT, "RFC 6960 2.2: the responder "
		    "does not know the certificate");
	if (d->tag != DER_CTX0 + 1 || der_get(&in, DER_GENTIME, &at) != 0 ||
	    der_time(&at, &x->at) != 0 ||
	    (rc = der_opt(&in, DER_CTX0, &reason)) < 0 || in.n != 0)
		return malformed("certStatus", e);
	x->revoked = true;
	if (rc == 0)
		return 0;
	if (der_get(&reason.val, DER_ENUMERATED, &at) != 0 || at.val.n != 1)
		return malformed("revocationReason", e);
	x->reason = at.val.p[0];
	return 0;
}

static int read_times(struct single *x, struct view *in, struct err *e)
{
	struct der d, next;
	int64_t t;
	int rc;

	if (der_get(in, DER_GENTIME, &d) != 0 ||
	    der_time(&d, &x->this_update) != 0)
		return malformed("thisUpdate", e);
	x->until = x->this_update + REV_OCSP_AGE_S;
	rc = der_opt(in, DER_CTX0, &next);
	if (rc == 0)
		return 0;
	if (rc < 0 || der_get(&next.val, DER_GENTIME, &d) != 0 ||
	    next.val.n != 0 || der_time(&d, &t) != 0 || t < x->this_update)
		return malformed("nextUpdate", e);
	if (t < x->until)
		x->until = t;
	return 0;
}

static int read_single(struct single *x, struct view *list, struct err *e)
{
	struct der seq, id, status, exts;
	int rc;

	memset(x, 0, sizeof(*x));
	if (der_get(list, DER_SEQUENCE, &seq) != 0 ||
	    der_get(&seq.val, DER_SEQUENCE, &id) != 0 ||
	    der_next(&seq.val, &status) != 0)
		return malformed("SingleResponse", e);
	if (read_cert_id(x, id.val, e) != 0 ||
	    read_cert_status(x, &status, e) != 0 ||
	    read_times(x, &seq.val, e) != 0)
		return -1;
	rc = der_opt(&seq.val, DER_CTX0 + 1, &exts);
	if (rc < 0 || seq.val.n != 0)
		return malformed("SingleResponse", e);
	return rc == 1 ? skip_exts(exts.val, e) : 0;
}

static int check_fresh(const struct rev_import *im, const struct single *x,
    struct err *e)
{
	char date[32];

	if (rev_check_time(im, x->this_update, e) != 0)
		return -1;
	if (x->until >= im->now)
		return 0;
	return err_set(e, FAIL_INPUT, "stale: it was to be believed until %s, "
	    "%d days at most", when_date(date, x->until),
	    REV_OCSP_AGE_S / 86400);
}

/* ---- whose certificate, and who may say so ---- */

static bool is_issuer(const struct single *x, const struct cert *ca)
{
	unsigned char name[EVP_MAX_MD_SIZE], key[EVP_MAX_MD_SIZE];
	unsigned name_n = 0, key_n = 0;

	return X509_NAME_digest(X509_get_subject_name(cert_x509(ca)), x->md,
	    name, &name_n) == 1 &&
	    view_eq(x->name_hash, view_make(name, name_n)) &&
	    X509_pubkey_digest(cert_x509(ca), x->md, key, &key_n) == 1 &&
	    view_eq(x->key_hash, view_make(key, key_n));
}

static int find_issuer(struct keystore *ks, const struct single *x,
    struct cert **ca, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_CAS, e);
	struct ks_row r;
	int rc = 0;

	*ca = NULL;
	if (st == NULL)
		return -1;
	while (*ca == NULL && (rc = ks_step(ks, st, e)) == 1) {
		rc = ks_row_read(ks, st, &r, e);
		if (rc == 0 && r.state == KS_USABLE && is_issuer(x, r.cert))
			*ca = cert_ref(r.cert);
		ks_row_free(&r);
		if (rc != 0)
			break;
	}
	sqlite3_reset(st);
	ossl_clear();
	if (*ca != NULL)
		return 0;
	return rc != 0 ? -1 : err_set(e, FAIL_POLICY, "no CA certificate that "
	    "its CertID names is in the keystore; \"postseal cert import\" "
	    "it first");
}

static bool is_responder(const struct response *r, const struct cert *c)
{
	const unsigned char *p = r->name.p;
	unsigned char key[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	X509_NAME *name;
	bool same;

	if (r->name.n == 0)
		return X509_pubkey_digest(cert_x509(c), EVP_sha1(), key,
		    &n) == 1 && view_eq(r->key_hash, view_make(key, n));
	name = d2i_X509_NAME(NULL, &p, (long)r->name.n);
	same = name != NULL && X509_NAME_cmp(name,
	    X509_get_subject_name(cert_x509(c))) == 0;
	X509_NAME_free(name);
	ossl_clear();
	return same;
}

/* RFC 6960 4.2.2.2: made a responder by the very CA, in its own
 * certificate; any purpose is not this purpose. */
static int check_delegate(struct rev_import *im, const struct cert *c,
    const struct cert *ca, struct err *e)
{
	X509 *x = cert_x509(c);
	struct view der = cert_der(c);
	struct revocation known;
	struct rev_signed s;
	struct der d;

	if ((X509_get_extension_flags(x) & EXFLAG_XKUSAGE) == 0 ||
	    (X509_get_extended_key_usage(x) & XKU_OCSP_SIGN) == 0)
		return err_set(e, FAIL_POLICY, "RFC 6960 4.2.2.2: %s signed "
		    "it, whose extended key usage does not say OCSPSigning",
		    cert_subject(c));
	if ((cert_ku(c) & CERT_KU_SIGN) == 0)
		return err_set(e, FAIL_POLICY, "key usage of %s does not allow "
		    "signatures", cert_subject(c));
	if (im->now < cert_not_before(c) || im->now >= cert_not_after(c))
		return err_set(e, FAIL_POLICY, "%s signed it, whose "
		    "certificate is not valid now", cert_subject(c));
	if (X509_check_issued(cert_x509(ca), x) != X509_V_OK ||
	    der_get(&der, DER_SEQUENCE, &d) != 0 ||
	    rev_split(&s, d.val) != 0)
		return err_set(e, FAIL_POLICY, "RFC 6960 4.2.2.2: %s signed "
		    "it, who is not the CA's delegate", cert_subject(c));
	if (rev_verify(&s, ca, "certificate of the responder", e) != 0)
		return -1;
	if (keystore_revoked(im->ks, c, im->now, &known, e) != 0)
		return -1;
	return known.status != REVOCATION_REVOKED ? 0 : err_set(e,
	    FAIL_POLICY, "responder %s: %s", cert_subject(c), known.text);
}

/* A certificate that came with the response: 1 it vouches, 0, -1. */
static int try_delegate(struct rev_import *im, const struct response *r,
    struct view der, const struct cert *ca, struct err *why)
{
	struct cert *c = NULL;
	struct err mine = { 0 };
	int rc = 0;

	if (cert_parse(&c, der, &mine) != 0)
		return mine.kind == FAIL_TEMP ?
		    err_set(why, FAIL_TEMP, "%s", mine.msg) : 0;
	if (is_responder(r, c)) {
		rc = check_delegate(im, c, ca, why) == 0 &&
		    rev_verify(&r->s, c, NULL, why) == 0 ? 1 : 0;
		if (rc == 0 && why->kind == FAIL_TEMP)
			rc = -1;
	}
	cert_free(&c);
	return rc;
}

static int check_signature(struct rev_import *im, const struct response *r,
    const struct cert *ca, struct err *e)
{
	struct view certs = r->certs;
	struct err why = { 0 };
	struct der d;
	size_t n;
	int rc = 0;

	if (is_responder(r, ca))
		return rev_verify(&r->s, ca, NULL, e);
	for (n = 0; rc == 0 && n < CERTS_MAX && certs.n > 0; n++) {
		if (der_get(&certs, DER_SEQUENCE, &d) != 0)
			return malformed("certs", e);
		rc = try_delegate(im, r, d.whole, ca, &why);
	}
	if (rc == 1)
		return 0;
	if (why.kind != 0)
		return err_set(e, why.kind, "%s", why.msg);
	return err_set(e, FAIL_POLICY, "RFC 6960 4.2.2.2: signed neither by "
	    "the CA nor by a delegate whose certificate is in it");
}

/* ---- storing ---- */

static void bind_id(sqlite3_stmt *st, const struct single *x,
    const struct cert *ca)
{
	sqlite3_bind_int64(st, 1, ks_name_hash(ca, false));
	ks_bind_view(st, 2, x->serial);
	ks_bind_view(st, 3, view_make(cert_spki_sha256(ca), 32));
}

/* A59: an older answer does not come back. *is_known when it is this one. */
static int check_replay(const struct rev_import *im, const struct single *x,
    const struct cert *ca, bool *is_known, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(im->ks, ST_OCSP_GET, e);
	int64_t this_update;
	char date[32];
	int rc;

	*is_known = false;
	if (st == NULL)
		return -1;
	bind_id(st, x, ca);
	rc = ks_step(im->ks, st, e);
	if (rc <= 0)
		return rc;
	this_update = sqlite3_column_int64(st, 0);
	*is_known = view_eq(ks_column(st, 1), view_make(im->sha256, 32));
	sqlite3_reset(st);
	if (*is_known || x->this_update > this_update)
		return 0;
	return err_set(e, FAIL_POLICY, "not newer than the one in the "
	    "keystore (of %s)", when_date(date, this_update));
}

static int insert_status(const struct rev_import *im, const struct single *x,
    const struct cert *ca, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(im->ks, ST_OCSP_ADD, e);
	struct err text = { 0 };
	char subject[200];

	if (st == NULL)
		return -1;
	(void)err_set(&text, FAIL_INPUT, "%s", cert_subject(ca));
	ks_text(subject, sizeof(subject), &text);
	bind_id(st, x, ca);
	sqlite3_bind_text(st, 4, subject, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 5, x->this_update);
	sqlite3_bind_int64(st, 6, x->until);
	ks_bind_view(st, 7, view_make(im->sha256, 32));
	sqlite3_bind_int64(st, 8, (int64_t)time(NULL));
	if (x->revoked)
		sqlite3_bind_int64(st, 9, x->at);
	sqlite3_bind_int(st, 10, x->reason);
	return ks_run(im->ks, st, e);
}

/* What a response says in all. */
struct tally {
	size_t n, revoked;
	int64_t until; /* the earliest */
};

/* Whose status is at hand: said of a refusal, too. */
static void name_status(struct rev_import *im, const struct single *x,
    const struct cert *ca)
{
	char hex[2 * REV_SERIAL_MAX + 1];
	struct err text = { 0 };

	(void)err_set(&text, FAIL_INPUT, "%s%s%s",
	    hex_encode(hex, x->serial.p, x->serial.n), ca != NULL ? " of " :
	    "", ca != NULL ? cert_subject(ca) : "");
	ks_text(im->item->what, sizeof(im->item->what), &text);
}

/* The last one stands for all, with their number. */
static void describe(struct rev_import *im, const struct single *x,
    const struct tally *all)
{
	char from[WHEN_SIZE], until[WHEN_SIZE];
	struct err text = { 0 };

	if (all->n > 1)
		(void)err_set(&text, FAIL_INPUT, "and %zu more; %zu revoked, "
		    "%zu good, until %s", all->n - 1, all->revoked, all->n -
		    all->revoked, when_date(until, all->until));
	else
		(void)err_set(&text, FAIL_INPUT, "%s%s, of %s, until %s",
		    x->revoked ? "revoked, " : "", x->revoked ?
		    rev_reason_str(x->reason) : "good",
		    when_date(from, x->this_update),
		    when_date(until, x->until));
	ks_text(im->item->text, sizeof(im->item->text), &text);
	im->item->until = all->until;
}

static void count_status(struct tally *all, const struct single *x)
{
	if (all->n == 0 || x->until < all->until)
		all->until = x->until;
	all->n++;
	all->revoked += x->revoked;
}

static int check_single(struct rev_import *im, const struct response *r,
    const struct single *x, struct tally *all, struct err *e)
{
	struct cert *ca = NULL;
	bool is_known;
	int rc;

	name_status(im, x, NULL);
	if (check_fresh(im, x, e) != 0 || find_issuer(im->ks, x, &ca, e) != 0)
		return -1;
	count_status(all, x);
	name_status(im, x, ca);
	describe(im, x, all);
	rc = check_signature(im, r, ca, e);
	if (rc == 0)
		rc = check_replay(im, x, ca, &is_known, e);
	cert_free(&ca);
	return rc;
}

static int store_single(struct rev_import *im, const struct single *x,
    struct err *e)
{
	struct cert *ca = NULL;
	bool is_known;
	int rc;

	if (find_issuer(im->ks, x, &ca, e) != 0)
		return -1;
	rc = check_replay(im, x, ca, &is_known, e);
	if (rc == 0 && !is_known) {
		rc = insert_status(im, x, ca, e);
		im->item->added = true;
	}
	cert_free(&ca);
	return rc;
}

/* All are right before the first is stored. */
static int check_all(struct rev_import *im, const struct response *r,
    struct err *e)
{
	struct view list = r->list;
	struct tally all = { 0 };
	struct single x;
	size_t n;

	if (list.n == 0)
		return malformed("responses: none", e);
	for (n = 0; list.n > 0; n++) {
		im->item->what[0] = '\0';
		if (n == RESPONSES_MAX)
			return err_set(e, FAIL_LIMIT, "more than %d statuses "
			    "in one response", RESPONSES_MAX);
		if (read_single(&x, &list, e) != 0 ||
		    check_single(im, r, &x, &all, e) != 0)
			return -1;
	}
	return 0;
}

static int store_all(struct rev_import *im, const struct response *r,
    struct err *e)
{
	struct view list = r->list;
	struct single x;

	while (list.n > 0)
		if (read_single(&x, &list, e) != 0 ||
		    store_single(im, &x, e) != 0)
			return -1;
	return im->item->added ? ks_bump(im->ks, false, e) : 0;
}

int ocsp_import(struct rev_import *im, struct err *e)
{
	struct response r;
	bool began;
	int rc;

	if (read_response(&r, im->der, e) != 0)
		return -1;
	/* The writer's lock comes first: what was newest stays newest. */
	if (ks_change(im->ks, &began, true, e) != 0)
		return -1;
	rc = check_all(im, &r, e);
	if (rc == 0)
		rc = store_all(im, &r, e);
	return ks_end(im->ks, began, rc, e);
}
