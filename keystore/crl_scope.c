/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a CRL is about (RFC 5280 5.2.5). Most CAs say at which distribution
 * point a list lies, some have one for users and one for CAs: not to be on
 * such a list says something of those certificates alone that name the
 * point, and of that kind.
 */
#include "keystore/revocation_int.h"

#include <string.h>

#include "util/ossl.h"

static int refuse(const char *what, struct err *e)
{
	return err_set(e, FAIL_INPUT, "RFC 5280 5.2.5: this CRL is %s", what);
}

static int malformed(struct err *e)
{
	return err_set(e, FAIL_INPUT, "RFC 5280 5.1: malformed "
	    "issuingDistributionPoint");
}

/* URLs of a fullName, one a line. */
static int read_names(struct crl_scope *s, struct view names, struct err *e)
{
	struct der d;

	while (names.n > 0) {
		if (der_next(&names, &d) != 0)
			return malformed(e);
		if (d.tag != DER_CTX0_PRIM + GEN_URI)
			continue;
		if (d.val.n == 0 || memchr(d.val.p, '\n', d.val.n) != NULL ||
		    memchr(d.val.p, '\0', d.val.n) != NULL)
			return malformed(e);
		if (s->points.n > 0)
			buf_putc(&s->points, '\n');
		buf_putv(&s->points, d.val);
	}
	if (s->points.n == 0)
		return refuse("of a distribution point that has no URL", e);
	return buf_ok(&s->points, e);
}

static int read_point(struct crl_scope *s, struct view in, struct err *e)
{
	struct der d;

	if (der_next(&in, &d) != 0 || in.n != 0)
		return malformed(e);
	if (d.tag != DER_CTX0)
		return refuse("of a distribution point that is named relative "
		    "to the issuer", e);
	return read_names(s, d.val, e);
}

/* A BOOLEAN that is there as FALSE is as if it were not. */
static int read_member(struct crl_scope *s, const struct der *d,
    struct err *e)
{
	bool yes = d->val.n != 1 || d->val.p[0] != 0;

	switch (d->tag) {
	case DER_CTX0:
		return read_point(s, d->val, e);
	case DER_CTX0_PRIM + 1:
	case DER_CTX0_PRIM + 2:
		if (!yes)
			return 0;
		if (s->covers != COVERS_ALL)
			return malformed(e);
		s->covers = d->tag == DER_CTX0_PRIM + 1 ? COVERS_USERS :
		    COVERS_CAS;
		return 0;
	case DER_CTX0_PRIM + 3:
		return refuse("one for some reasons only", e);
	case DER_CTX0_PRIM + 4:
		return yes ? refuse("an indirect one, with entries of other "
		    "issuers", e) : 0;
	case DER_CTX0_PRIM + 5:
		return yes ? refuse("one for attribute certificates", e) : 0;
	default:
		return refuse("one of unknown scope", e);
	}
}

void crl_scope_init(struct crl_scope *s)
{
	s->covers = COVERS_ALL;
	buf_init(&s->points, SCOPE_POINTS);
}

void crl_scope_free(struct crl_scope *s)
{
	buf_free(&s->points);
}

int crl_scope_read(struct crl_scope *s, struct view value, struct err *e)
{
	struct der seq, d;

	if (der_get(&value, DER_SEQUENCE, &seq) != 0 || value.n != 0)
		return malformed(e);
	if (seq.val.n == 0)
		return refuse("one of unknown scope", e);
	while (seq.val.n > 0)
		if (der_next(&seq.val, &d) != 0)
			return malformed(e);
		else if (read_member(s, &d, e) != 0)
			return -1;
	return 0;
}

bool crl_scope_is_all(const struct crl_scope *s)
{
	return s->covers == COVERS_ALL && s->points.n == 0;
}

void crl_scope_key(const struct crl_scope *s, const unsigned char spki[32],
    unsigned char key[32])
{
	unsigned char all[33 + SCOPE_POINTS];

	memcpy(key, spki, 32);
	if (crl_scope_is_all(s))
		return;
	memcpy(all, spki, 32);
	all[32] = (unsigned char)s->covers;
	if (s->points.n > 0)
		memcpy(all + 33, s->points.p, s->points.n);
	ossl_sha256(all, 33 + s->points.n, key);
}

/* ---- does it speak of a certificate? ---- */

static bool has_line(struct view lines, struct view line)
{
	size_t nl;

	while (lines.n > 0) {
		nl = view_chr(lines, '\n', 0);
		if (nl == (size_t)-1)
			return view_eq(lines, line);
		if (view_eq(view_sub(lines, 0, nl), line))
			return true;
		lines = view_sub(lines, nl + 1, lines.n);
	}
	return false;
}

static bool names_point(const DIST_POINT *p, struct view points)
{
	const GENERAL_NAMES *names;
	int i;

	/* for some reasons, or of another issuer: of another list */
	if (p->distpoint == NULL || p->distpoint->type != 0 ||
	    p->reasons != NULL || p->CRLissuer != NULL)
		return false;
	names = p->distpoint->name.fullname;
	for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
		const ASN1_STRING *uri = n->d.uniformResourceIdentifier;

		if (n->type == GEN_URI && has_line(points,
		    view_make(ASN1_STRING_get0_data(uri),
		    (size_t)ASN1_STRING_length(uri))))
			return true;
	}
	return false;
}

bool crl_scope_has(int covers, struct view points, const struct cert *c)
{
	CRL_DIST_POINTS *all;
	bool found = false;
	int i;

	if ((covers == COVERS_USERS && cert_is_ca(c)) ||
	    (covers == COVERS_CAS && !cert_is_ca(c)))
		return false;
	if (points.n == 0)
		return true;
	all = X509_get_ext_d2i(cert_x509(c), NID_crl_distribution_points,
	    NULL, NULL);
	for (i = 0; !found && i < sk_DIST_POINT_num(all); i++)
		found = names_point(sk_DIST_POINT_value(all, i), points);
	CRL_DIST_POINTS_free(all);
	ossl_clear();
	return found;
}
