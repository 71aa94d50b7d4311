/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The signed attributes that we make (RFC 8551 2.5, RFC 5035, RFC 6211) and
 * the algorithm identifiers around them, as DER.
 */
#ifndef SMIME_SIGNED_ATTRS_H
#define SMIME_SIGNED_ATTRS_H

#include "smime/sign.h"
#include "util/der.h"

/* What one enum sig_alg means in a SignerInfo. */
struct sign_suite {
	enum sig_alg alg;
	const char *micalg; /* "sha-256" */
	struct view digest; /* content octets of the digest's OID */
	struct view sig;    /* of the signature algorithm's OID */
	bool has_null;	    /* rsaEncryption has NULL parameters */
	int pss_salt;	    /* octets, with RSASSA-PSS; else 0 */
};

/* Never fails for a value of enum sig_alg. */
struct sign_suite sign_suite_of(enum sig_alg alg);

/* AlgorithmIdentifiers in front of what w holds. */
void sign_put_digest_alg(struct der_w *w, const struct sign_suite *s);
void sign_put_sig_alg(struct der_w *w, const struct sign_suite *s);

/*
 * The SET OF Attribute, tag 31, appended to out. who->cert and
 * who->encryption_cert, the digest of the content, the time. FAIL_TEMP,
 * FAIL_LIMIT (names that are absurdly long).
 */
int signed_attrs_make(const struct signer *who, const struct sign_suite *s,
    struct view content_digest, int64_t now, struct buf *out, struct err *e)
    MUST_CHECK;

#endif
