/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * CRLs (RFC 5280 5) into the store. A list is walked entry by entry where it
 * lies; nothing of it is parsed again when a message comes.
 */
#include "keystore/crl_int.h"

#include <string.h>
#include <time.h>

#include "util/ossl.h"
#include "util/when.h"

/* { id-ce n }, RFC 5280 4.2.1.1, 5.2, 5.3 */
enum {
	CE_ISSUER_ALT_NAME = 18,
	CE_CRL_NUMBER = 20,
	CE_REASON = 21,
	CE_INVALIDITY_DATE = 24,
	CE_DELTA = 27,
	CE_IDP = 28,
	CE_CERTIFICATE_ISSUER = 29,
	CE_AKI = 35,
	CE_FRESHEST = 46
};

static int malformed(const char *what, struct err *e)
{
	return err_set(e, FAIL_INPUT, "RFC 5280 5.1: malformed %s", what);
}

/* ---- extensions of the list ---- */

static int read_number(struct crl *c, struct view value, struct err *e)
{
	struct der d;

	if (c->number.n != 0 || der_get(&value, DER_INTEGER, &d) != 0 ||
	    value.n != 0 || d.val.n == 0 || (d.val.p[0] & 0x80) != 0)
		return malformed("cRLNumber", e);
	c->number = rev_integer(d.val);
	if (c->number.n > CRL_NUMBER_MAX + 1)
		return err_set(e, FAIL_INPUT, "RFC 5280 5.2.3: cRLNumber of "
		    "%zu octets, at most %d allowed", c->number.n,
		    CRL_NUMBER_MAX);
	return 0;
}

static int read_ext(struct crl *c, const struct rev_ext *x, struct err *e)
{
	switch (rev_id_ce(x->oid)) {
	case CE_CRL_NUMBER:
		return read_number(c, x->value, e);
	case CE_AKI:
		if (c->aki.n != 0)
			return malformed("authorityKeyIdentifier: twice", e);
		c->aki = x->value;
		return 0;
	case CE_DELTA:
		return err_set(e, FAIL_INPUT, "RFC 5280 5.2.4: a delta CRL; "
		    "wanted is the whole list");
	case CE_IDP:
		return crl_scope_read(&c->scope, x->value, e);
	case CE_ISSUER_ALT_NAME:
	case CE_FRESHEST: /* says where a delta is */
		return 0;
	default:
		return x->critical ? rev_refuse_ext(x, NULL, e) : 0;
	}
}

static int read_exts(struct crl *c, struct view in, struct err *e)
{
	struct rev_ext x;
	struct der list;

	if (der_get(&in, DER_SEQUENCE, &list) != 0 || in.n != 0)
		return malformed("crlExtensions", e);
	while (list.val.n > 0) {
		if (rev_next_ext(&list.val, &x) != 0)
			return malformed("crlExtensions", e);
		if (read_ext(c, &x, e) != 0)
			return -1;
	}
	return 0;
}

/* ---- entries ---- */

static int read_entry_ext(struct crl_entry *x, const struct rev_ext *ext,
    struct err *e)
{
	struct view v = ext->value;
	struct der d;
	int64_t t;

	switch (rev_id_ce(ext->oid)) {
	case CE_REASON:
		if (der_get(&v, DER_ENUMERATED, &d) != 0 || d.val.n != 1)
			return malformed("reasonCode", e);
		x->reason = d.val.p[0];
		if (x->reason == REASON_REMOVE)
			return err_set(e, FAIL_INPUT, "RFC 5280 5.3.1: "
			    "removeFromCRL stands in delta CRLs only");
		return 0;
	case CE_INVALIDITY_DATE:
		if (der_get(&v, DER_GENTIME, &d) != 0 || der_time(&d, &t) != 0)
			return malformed("invalidityDate", e);
		/* the key was not its owner's any more from here on */
		if (t < x->at)
			x->at = t;
		return 0;
	case CE_CERTIFICATE_ISSUER:
		return err_set(e, FAIL_INPUT, "RFC 5280 5.3.3: an indirect "
		    "CRL, with entries of other issuers");
	default:
		return ext->critical ?
		    rev_refuse_ext(ext, "entry", e) : 0;
	}
}

int crl_next_entry(struct view *list, struct crl_entry *x, struct err *e)
{
	struct der seq, serial, time_of, exts;
	struct rev_ext ext;
	int rc;

	if (der_get(list, DER_SEQUENCE, &seq) != 0 ||
	    der_get(&seq.val, DER_INTEGER, &serial) != 0 ||
	    serial.val.n == 0 || serial.val.n > REV_SERIAL_MAX ||
	    der_next(&seq.val, &time_of) != 0 ||
	    der_time(&time_of, &x->at) != 0 ||
	    (rc = der_opt(&seq.val, DER_SEQUENCE, &exts)) < 0 ||
	    seq.val.n != 0)
		return malformed("entry of revokedCertificates", e);
	x->serial = rev_integer(serial.val);
	x->reason = 0;
	while (rc == 1 && exts.val.n > 0) {
		if (rev_next_ext(&exts.val, &ext) != 0)
			return malformed("crlEntryExtensions", e);
		if (read_entry_ext(x, &ext, e) != 0)
			return -1;
	}
	return 0;
}

/* Before anything is stored: all of it is right. */
static int count_entries(struct crl *c, struct err *e)
{
	struct view list = c->entries;
	struct crl_entry x;

	for (c->n = 0; list.n > 0; c->n++)
		if (crl_next_entry(&list, &x, e) != 0)
			return -1;
	return 0;
}

/* ---- the list ---- */

static int read_times(struct crl *c, struct view *in, struct err *e)
{
	struct der d;

	if (der_next(in, &d) != 0 || der_time(&d, &c->this_update) != 0)
		return malformed("thisUpdate", e);
	if (in->n == 0 || (in->p[0] != DER_UTCTIME && in->p[0] != DER_GENTIME))
		return err_set(e, FAIL_INPUT, "RFC 5280 5.1.2.5: no "
		    "nextUpdate, so nobody can tell when it is stale");
	if (der_next(in, &d) != 0 || der_time(&d, &c->next_update) != 0)
		return malformed("nextUpdate", e);
	return 0;
}

static int read_name(struct crl *c, struct err *e)
{
	const unsigned char *p = c->issuer.p;

	c->name = d2i_X509_NAME(NULL, &p, (long)c->issuer.n);
	ossl_clear();
	return c->name != NULL && p == c->issuer.p + c->issuer.n ? 0 :
	    malformed("issuer", e);
}

/* TBSCertList, RFC 5280 5.1.2 */
static int read_tbs(struct crl *c, struct view in, struct err *e)
{
	struct der d;
	uint32_t version = 0;
	int rc;

	if (der_get(&in, DER_SEQUENCE, &d) != 0)
		return malformed("tbsCertList", e);
	in = d.val;
	rc = der_opt(&in, DER_INTEGER, &d);
	if (rc < 0 || (rc == 1 && der_uint(&d, &version) != 0) || version > 1)
		return malformed("version", e);
	if (der_get(&in, DER_SEQUENCE, &d) != 0)
		return malformed("signature", e);
	c->alg = d.whole;
	if (der_get(&in, DER_SEQUENCE, &d) != 0)
		return malformed("issuer", e);
	c->issuer = d.whole;
	if (read_name(c, e) != 0 || read_times(c, &in, e) != 0)
		return -1;
	rc = der_opt(&in, DER_SEQUENCE, &d);
	if (rc < 0)
		return malformed("revokedCertificates", e);
	if (rc == 1)
		c->entries = d.val;
	rc = der_opt(&in, DER_CTX0, &d);
	if (rc < 0 || in.n != 0)
		return malformed("tbsCertList", e);
	if (rc == 1 && read_exts(c, d.val, e) != 0)
		return -1;
	return count_entries(c, e);
}

/* ---- who vouches for it ---- */

/* Key usage and key identifier: is this the CA's key for lists? */
static int check_ca(const struct crl *c, const struct cert *ca, struct err *e)
{
	const unsigned char *p = c->aki.p;
	AUTHORITY_KEYID *akid;
	X509 *x = cert_x509(ca);
	bool same = true;

	/* all bits are set where the extension is absent */
	if ((X509_get_key_usage(x) & KU_CRL_SIGN) == 0)
		return err_set(e, FAIL_POLICY, "RFC 5280 4.2.1.3: key usage of "
		    "%s does not allow to sign CRLs", cert_subject(ca));
	if (c->aki.n == 0)
		return 0;
	akid = d2i_AUTHORITY_KEYID(NULL, &p, (long)c->aki.n);
	if (akid != NULL)
		same = X509_check_akid(x, akid) == X509_V_OK;
	AUTHORITY_KEYID_free(akid);
	ossl_clear();
	if (akid == NULL)
		return malformed("authorityKeyIdentifier", e);
	return same ? 0 : err_set(e, FAIL_POLICY, "RFC 5280 5.2.1: its "
	    "authority key identifier names another key than that of %s",
	    cert_subject(ca));
}

/* One candidate: 1 it vouches, 0 not (why says), -1. */
static int try_ca(const struct crl *c, const struct rev_signed *s,
    const struct ks_row *r, struct err *why, struct err *e)
{
	if (X509_NAME_cmp(X509_get_subject_name(cert_x509(r->cert)),
	    c->name) != 0)
		return 0;
	if (r->state != KS_USABLE) {
		(void)err_set(why, FAIL_POLICY, "CA certificate of %s is %s",
		    cert_subject(r->cert), ks_state_str(r->state));
		return 0;
	}
	if (check_ca(c, r->cert, why) == 0 &&
	    rev_verify(s, r->cert, NULL, why) == 0)
		return 1;
	return why->kind != FAIL_TEMP ? 0 :
	    err_set(e, FAIL_TEMP, "%s", why->msg);
}

static int find_ca(struct keystore *ks, const struct crl *c,
    const struct rev_signed *s, struct cert **ca, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_ISSUERS, e);
	struct err why = { 0 };
	struct ks_row r;
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, ks_hash_of_name(c->name));
	sqlite3_bind_int(st, 2, KS_PATH_ISSUERS);
	while ((rc = ks_step(ks, st, e)) == 1) {
		rc = ks_row_read(ks, st, &r, e);
		if (rc == 0)
			rc = try_ca(c, s, &r, &why, e);
		if (rc == 1)
			*ca = cert_ref(r.cert);
		ks_row_free(&r);
		if (rc != 0) {
			sqlite3_reset(st);
			return rc == 1 ? 0 : -1;
		}
	}
	if (rc != 0)
		return -1;
	if (why.kind != 0)
		return err_set(e, FAIL_POLICY, "%s", why.msg);
	return err_set(e, FAIL_POLICY, "no CA certificate with the name of its "
	    "issuer is in the keystore; \"postseal cert import\" it first");
}

/* ---- all of it ---- */

static void describe(const struct rev_import *im, const struct crl *c)
{
	static const char *const covers[] = { "", ", of end entities",
		", of CAs" };
	char hex[2 * (CRL_NUMBER_MAX + 1) + 1], date[32];
	struct err text = { 0 };

	(void)err_set(&text, FAIL_INPUT, "number %s, %s %s, %zu revoked%s%s",
	    c->number.n == 0 ? "none" :
	    hex_encode(hex, c->number.p, c->number.n),
	    c->next_update < im->now ? "STALE since" : "until",
	    when_date(date, c->next_update), c->n, covers[c->scope.covers],
	    c->scope.points.n > 0 ? ", of its distribution point" : "");
	ks_text(im->item->text, sizeof(im->item->text), &text);
	im->item->until = c->next_update;
}

static int read_list(struct rev_import *im, struct rev_signed *s,
    struct crl *c, struct err *e)
{
	struct view in = im->der;
	struct der d;

	if (der_get(&in, DER_SEQUENCE, &d) != 0 || rev_split(s, d.val) != 0 ||
	    s->rest.n != 0)
		return malformed("CertificateList", e);
	if (read_tbs(c, s->tbs, e) != 0)
		return -1;
	if (!view_eq(c->alg, s->alg))
		return err_set(e, FAIL_INPUT, "RFC 5280 5.1.1.2: two different "
		    "signature algorithms");
	return rev_check_time(im, c->this_update, e);
}

int crl_import(struct rev_import *im, struct err *e)
{
	struct crl c = { .name = NULL };
	struct cert *ca = NULL;
	struct rev_signed s;
	int rc;

	crl_scope_init(&c.scope);
	rc = read_list(im, &s, &c, e);
	if (c.name != NULL)
		rev_name_text(c.name, im->item->what, sizeof(im->item->what));
	if (rc == 0)
		describe(im, &c);
	if (rc == 0)
		rc = find_ca(im->ks, &c, &s, &ca, e);
	if (rc == 0)
		rc = crl_store(im, &c, ca, e);
	X509_NAME_free(c.name);
	crl_scope_free(&c.scope);
	cert_free(&ca);
	return rc;
}
