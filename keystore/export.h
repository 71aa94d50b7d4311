/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates and keys on their way out.
 */
#ifndef KEYSTORE_EXPORT_H
#define KEYSTORE_EXPORT_H

#include "keystore/keyring.h"

/* PEM of a certificate (and its chain when ks is given), appended. */
int export_pem(struct keystore *ks, const struct cert *c, bool with_chain,
    struct buf *out, struct err *e) MUST_CHECK;
/* Certificates, each once. */
struct export_set {
	struct cert **v; /* owned */
	size_t n, size;
};
/* Add a certificate, and (chain) those above it, root and all, that are not
 * in it yet. FAIL_TEMP. */
int export_collect(struct keystore *ks, const struct cert *c, bool chain,
    struct export_set *s, struct err *e) MUST_CHECK;
void export_set_free(struct export_set *s);
/* PKCS#7, as files called .p7b have it: certificates, no signer; DER,
 * appended. */
int export_p7b(struct cert *const *c, size_t n, struct buf *out,
    struct err *e) MUST_CHECK;
/* One record of LDIF (RFC 2849) with userCertificate, appended. */
int export_ldif(const struct cert *c, struct buf *out, struct err *e)
    MUST_CHECK;

/* PKCS#12 with key, certificate and chain under a password (AES-256,
 * PBKDF2, SHA-256 MAC), appended. FAIL_INPUT: no key, or an empty password. */
int export_p12(struct keystore *ks, struct view secret, const struct cert *c,
    const char *password, struct buf *out_secret, struct err *e) MUST_CHECK;
/* The same with 3DES and SHA-1, for programs that know of nothing newer. */
int export_p12_old(struct keystore *ks, struct view secret,
    const struct cert *c, const char *password, struct buf *out_secret,
    struct err *e) MUST_CHECK;

#endif
