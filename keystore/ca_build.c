/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Parts of a new certificate: serial, validity, extensions, signature. Knows
 * nothing of the store.
 */
#include "keystore/ca_int.h"

#include <time.h>

#include "util/ossl.h"

/* 127 random bits, never negative, never zero (RFC 5280 4.1.2.2). */
static int set_serial(X509 *x)
{
	unsigned char raw[16];
	BIGNUM *bn;
	int ok = 0;

	ossl_random(raw, sizeof(raw));
	raw[0] = (unsigned char)((raw[0] & 0x7f) | 0x40);
	bn = BN_bin2bn(raw, sizeof(raw), NULL);
	if (bn != NULL)
		ok = BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x)) != NULL;
	BN_free(bn);
	return ok;
}

static int set_times(X509 *x, int64_t from, int64_t until)
{
	ASN1_TIME *a = ASN1_TIME_set(NULL, (time_t)from);
	ASN1_TIME *b = ASN1_TIME_set(NULL, (time_t)until);
	int ok;

	ok = a != NULL && b != NULL && X509_set1_notBefore(x, a) == 1 &&
	    X509_set1_notAfter(x, b) == 1;
	ASN1_TIME_free(a);
	ASN1_TIME_free(b);
	return ok;
}

/* Extensions from constant texts only: their little language is no place
 * for what people type. */
int ca_add_ext(X509 *x, X509 *issuer, int nid, const char *constant)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;
	int ok;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, constant);
	ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

/* One URI as the full name of one distribution point; takes nothing. */
static DIST_POINT *make_point(const char *url)
{
	DIST_POINT *dp = DIST_POINT_new();
	DIST_POINT_NAME *dpn = DIST_POINT_NAME_new();
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *gn = GENERAL_NAME_new();
	ASN1_IA5STRING *s = ASN1_IA5STRING_new();

	if (dp == NULL || dpn == NULL || names == NULL || gn == NULL ||
	    s == NULL || ASN1_STRING_set(s, url, -1) != 1)
		goto fail;
	GENERAL_NAME_set0_value(gn, GEN_URI, s);
	s = NULL;
	if (sk_GENERAL_NAME_push(names, gn) <= 0)
		goto fail;
	dpn->type = 0;
	dpn->name.fullname = names;
	dp->distpoint = dpn;
	return dp;
fail:
	ASN1_IA5STRING_free(s);
	GENERAL_NAME_free(gn);
	sk_GENERAL_NAME_free(names);
	DIST_POINT_NAME_free(dpn);
	DIST_POINT_free(dp);
	return NULL;
}

int ca_add_crl_url(X509 *x, const char *url)
{
	CRL_DIST_POINTS *points = sk_DIST_POINT_new_null();
	DIST_POINT *dp = make_point(url);
	int ok = 0;

	if (points != NULL && dp != NULL && sk_DIST_POINT_push(points, dp) > 0)
	{
		dp = NULL;
		ok = X509_add1_ext_i2d(x, NID_crl_distribution_points, points,
		    0, X509V3_ADD_DEFAULT) == 1;
	}
	DIST_POINT_free(dp);
	sk_DIST_POINT_pop_free(points, DIST_POINT_free);
	return ok;
}

int ca_begin(X509 **out, EVP_PKEY *key, int64_t from, int64_t until,
    struct err *e)
{
	X509 *x;

	ossl_clear();
	x = X509_new();
	if (x == NULL || X509_set_version(x, X509_VERSION_3) != 1 ||
	    set_serial(x) != 1 || set_times(x, from, until) != 1 ||
	    X509_set_pubkey(x, key) != 1) {
		X509_free(x);
		return err_ossl(e, FAIL_TEMP, "certificate");
	}
	*out = x;
	return 0;
}

/* No certificate leaves us that our own reader would refuse. */
int ca_finish(X509 *x, EVP_PKEY *signer, struct cert **out, struct err *e)
{
	unsigned char *der = NULL;
	int n = -1, rc;

	if (X509_sign(x, signer, make_digest(signer)) > 0)
		n = i2d_X509(x, &der);
	if (n <= 0)
		return err_ossl(e, FAIL_TEMP, "certificate: signing");
	rc = cert_parse(out, view_make(der, (size_t)n), e);
	OPENSSL_free(der);
	return rc;
}
