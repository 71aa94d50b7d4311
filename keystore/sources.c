/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Where the store's certificates say that their revocation is published, and
 * the question to a responder. Only what ends in an anchor is asked about.
 */
#include "keystore/fetched.h"

#include <string.h>

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "keystore/keystore_int.h"
#include "util/ossl.h"

#define URLS_MAX 8 /* of one certificate and kind */
#define URL_ROOM 2048

struct visitor {
	source_visit *visit;
	void *arg;
};

/* ---- URLs ---- */

static int visit_uri(const struct visitor *s, const struct cert *c,
    const ASN1_STRING *uri, struct err *e)
{
	char url[URL_ROOM];

	/* with a NUL in it, or longer than anybody takes: nobody's */
	if (view_cstr(view_make(ASN1_STRING_get0_data(uri),
	    (size_t)ASN1_STRING_length(uri)), url, sizeof(url)) != 0)
		return 0;
	return s->visit(s->arg, c, false, url, e);
}

static int visit_names(const struct visitor *s, const struct cert *c,
    const GENERAL_NAMES *names, struct err *e)
{
	int i;

	for (i = 0; i < sk_GENERAL_NAME_num(names) && i < URLS_MAX; i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

		if (n->type == GEN_URI && visit_uri(s, c,
		    n->d.uniformResourceIdentifier, e) != 0)
			return -1;
	}
	return 0;
}

/* Lists for some reasons only, or by another issuer, are not ours to use. */
static int visit_points(const struct visitor *s, const struct cert *c,
    struct err *e)
{
	CRL_DIST_POINTS *points = X509_get_ext_d2i(cert_x509(c),
	    NID_crl_distribution_points, NULL, NULL);
	int i, rc = 0;

	for (i = 0; rc == 0 && i < sk_DIST_POINT_num(points) && i < URLS_MAX;
	    i++) {
		const DIST_POINT *p = sk_DIST_POINT_value(points, i);

		if (p->distpoint != NULL && p->distpoint->type == 0 &&
		    p->reasons == NULL && p->CRLissuer == NULL)
			rc = visit_names(s, c, p->distpoint->name.fullname,
			    e);
	}
	CRL_DIST_POINTS_free(points);
	ossl_clear();
	return rc;
}

static int visit_responders(const struct visitor *s, const struct cert *c,
    struct err *e)
{
	STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(cert_x509(c));
	int i, rc = 0;

	for (i = 0; rc == 0 && i < sk_OPENSSL_STRING_num(urls) &&
	    i < URLS_MAX; i++)
		rc = s->visit(s->arg, c, true, sk_OPENSSL_STRING_value(urls,
		    i), e);
	X509_email_free(urls);
	ossl_clear();
	return rc;
}

static int visit_row(const struct visitor *s, const struct ks_row *r,
    struct err *e)
{
	/* nobody says of an anchor that it is revoked (RFC 5280 6.1) */
	if (r->is_anchor)
		return 0;
	if (visit_points(s, r->cert, e) != 0)
		return -1;
	return cert_is_ca(r->cert) ? 0 : visit_responders(s, r->cert, e);
}

int revocation_sources(struct keystore *ks, struct source_scan *scan,
    int64_t now, source_visit *visit, void *arg, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_SOURCES, e);
	struct visitor s = { visit, arg };
	struct ks_row r;
	size_t n = 0;
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, scan->after);
	sqlite3_bind_int64(st, 2, now);
	sqlite3_bind_int64(st, 3, (int64_t)scan->most);
	while ((rc = ks_step(ks, st, e)) == 1) {
		n++;
		scan->after = sqlite3_column_int64(st, COL_HAS_KEY + 1);
		rc = ks_row_read(ks, st, &r, e);
		if (rc == 0)
			rc = visit_row(&s, &r, e);
		ks_row_free(&r);
		if (rc != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	scan->end = n < scan->most;
	return rc;
}

/* ---- requests ---- */

/* Its issuer's certificate on a path to an anchor, owned. */
static int find_issuer(struct keystore *ks, const struct cert *c,
    int64_t now, struct cert **issuer, struct err *e)
{
	struct cert *anchor = NULL;
	struct path p;
	int rc;

	memset(&p, 0, sizeof(p));
	*issuer = NULL;
	rc = ks_path_anchor(ks, c, now, &p, &anchor, e);
	if (rc == 0 && !p.ok)
		rc = err_set(e, FAIL_POLICY, "its path ends in no anchor, so "
		    "nothing is asked about it: %s", p.reason);
	if (rc == 0 && p.chain_n > 0)
		*issuer = cert_ref(p.chain[0]);
	else if (rc == 0 && anchor != NULL)
		*issuer = cert_ref(anchor);
	else if (rc == 0)
		rc = err_set(e, FAIL_POLICY, "its issuer is not known");
	cert_free(&anchor);
	path_free(&p);
	return rc;
}

static int make_request(const struct cert *c, const struct cert *issuer,
    struct buf *out, struct err *e)
{
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), cert_x509(c),
	    cert_x509(issuer));
	unsigned char *der = NULL;
	int n = -1;

	if (req != NULL && id != NULL && OCSP_request_add0_id(req, id) !=
	    NULL) {
		id = NULL;
		n = i2d_OCSP_REQUEST(req, &der);
	}
	if (n > 0)
		buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(req);
	ossl_clear();
	return n > 0 ? buf_ok(out, e) : err_set(e, FAIL_TEMP, "OCSP request: "
	    "it cannot be made");
}

int revocation_request(struct keystore *ks, const unsigned char sha256[32],
    int64_t now, struct buf *out, struct err *e)
{
	struct cert *issuer = NULL;
	struct ks_row r;
	int rc;

	if (ks_cert_get(ks, sha256, &r, e) != 0)
		return -1;
	rc = find_issuer(ks, r.cert, now, &issuer, e);
	if (rc == 0 && out != NULL)
		rc = make_request(r.cert, issuer, out, e);
	cert_free(&issuer);
	ks_row_free(&r);
	return rc;
}

int revocation_is_anchored(struct keystore *ks,
    const unsigned char sha256[32], int64_t now, struct err *e)
{
	return revocation_request(ks, sha256, now, NULL, e);
}
