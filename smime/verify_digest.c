/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Digests of the signed octets, all at once in one pass.
 */
#include "smime/verify_int.h"

#include <string.h>

#include <openssl/evp.h>

#include "util/find.h"
#include "util/ossl.h"

static const EVP_MD *md_of(enum oid o, bool allow_sha1)
{
	switch (o) {
	case OID_SHA1:
		return allow_sha1 ? EVP_sha1() : NULL;
	case OID_SHA256:
		return EVP_sha256();
	case OID_SHA384:
		return EVP_sha384();
	case OID_SHA512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

static int start_one(struct digests *d, enum oid o, bool allow_sha1,
    struct err *e)
{
	const EVP_MD *md = md_of(o, allow_sha1);

	if (md == NULL)
		return 0; /* step S68 will say so */
	for (size_t i = 0; i < VERIFY_DIGESTS; i++) {
		if (d->d[i].ctx != NULL && d->d[i].oid == o)
			return 0;
		if (d->d[i].ctx != NULL)
			continue;
		d->d[i].oid = o;
		d->d[i].ctx = EVP_MD_CTX_new();
		if (d->d[i].ctx == NULL ||
		    EVP_DigestInit_ex(d->d[i].ctx, md, NULL) != 1)
			return err_ossl(e, FAIL_TEMP, "cannot digest");
		return 0;
	}
	return err_set(e, FAIL_BUG, "more digests than there are");
}

int digests_start(struct digests *d, const struct cms *c, bool allow_sha1,
    struct err *e)
{
	memset(d, 0, sizeof(*d));
	for (size_t i = 0; i < c->signers; i++)
		if (start_one(d, oid_find(c->signer[i].digest.oid),
		    allow_sha1, e) == -1)
			return -1;
	return 0;
}

static int put_all(struct digests *d, const void *p, size_t n, struct err *e)
{
	for (size_t i = 0; i < VERIFY_DIGESTS; i++)
		if (d->d[i].ctx != NULL && n > 0 &&
		    EVP_DigestUpdate(d->d[i].ctx, p, n) != 1)
			return err_ossl(e, FAIL_TEMP, "cannot digest");
	return 0;
}

int digests_put(struct digests *d, struct view v, struct err *e)
{
	unsigned char before = d->last_cr ? '\r' : 0;
	size_t from = 0, lf = 0;

	if (!d->normalise || v.n == 0)
		return put_all(d, v.p, v.n, e);
	while ((lf = find_bare_lf(v, lf, before)) < v.n) {
		if (put_all(d, v.p + from, lf - from, e) == -1 ||
		    put_all(d, "\r", 1, e) == -1)
			return -1;
		from = lf++;
	}
	d->last_cr = v.p[v.n - 1] == '\r';
	return put_all(d, v.p + from, v.n - from, e);
}

int digests_end(struct digests *d, struct err *e)
{
	unsigned n;

	for (size_t i = 0; i < VERIFY_DIGESTS; i++) {
		if (d->d[i].ctx == NULL)
			continue;
		if (EVP_DigestFinal_ex(d->d[i].ctx, d->d[i].md, &n) != 1)
			return err_ossl(e, FAIL_TEMP, "cannot digest");
		d->d[i].n = n;
	}
	return 0;
}

void digests_free(struct digests *d)
{
	for (size_t i = 0; i < VERIFY_DIGESTS; i++) {
		EVP_MD_CTX_free(d->d[i].ctx);
		d->d[i].ctx = NULL;
	}
}

struct view digests_get(const struct digests *d, enum oid oid)
{
	for (size_t i = 0; i < VERIFY_DIGESTS; i++)
		if (d->d[i].ctx != NULL && d->d[i].oid == oid)
			return view_make(d->d[i].md, d->d[i].n);
	return view_make(NULL, 0);
}
