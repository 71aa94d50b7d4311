/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A small CA of one's own, and export.
 */
#ifndef KEYSTORE_CA_H
#define KEYSTORE_CA_H

#include "keystore/keyring.h"

/* New self-signed root (EC P-256, 10 years) in the store, with its key,
 * as an anchor. FAIL_CONFIG when a CA is there already. */
int ca_init(struct keystore *ks, struct view secret, const char *name,
    struct err *e) MUST_CHECK;

struct ca_request {
	struct addr email;
	const char *algorithm; /* rsa:2048 rsa:3072 rsa:4096 ec:p256 ec:p384 */
	unsigned use;	       /* KS_SIGN | KS_ENCRYPT: goes into KU */
	int days;
	int64_t not_before; /* 0 = now; tests make expired ones */
};

/* Issue certificate and key into the store. *out owned; FAIL_CONFIG when
 * there is no CA, FAIL_INPUT bad algorithm or days. */
int ca_issue(struct keystore *ks, struct view secret,
    const struct ca_request *rq, struct cert **out, struct err *e) MUST_CHECK;

/* PEM of a certificate (and its chain when ks is given), appended. */
int export_pem(struct keystore *ks, const struct cert *c, bool with_chain,
    struct buf *out, struct err *e) MUST_CHECK;
/* PKCS#12 with key, certificate and chain under a password (AES-256,
 * PBKDF2, SHA-256 MAC), appended. */
int export_p12(struct keystore *ks, struct view secret, const struct cert *c,
    const char *password, struct buf *out_secret, struct err *e) MUST_CHECK;

#endif
