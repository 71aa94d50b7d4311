/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Signing (RFC 8551 3.5, RFC 5652 5): entity in, signed entity out, with
 * our own streaming DER writer. The private key is behind key_ops.
 */
#ifndef SMIME_SIGN_H
#define SMIME_SIGN_H

#include "util/cert.h"
#include "util/keyops.h"
#include "util/spool.h"

struct signer {
	const struct cert *cert;
	const struct cert *const *chain; /* intermediates, no root */
	size_t chain_n;
	const struct cert *encryption_cert; /* for EncrypKeyPref; or NULL */
	const char *digest; /* "sha-256", "sha-384", "sha-512"; NULL: by key,
			       sha-256 but for P-384 and P-521 */
	bool pss; /* RSA keys: RSASSA-PSS (RFC 4056), else PKCS#1 v1.5 */
};

enum sign_form { SIGN_CLEAR, SIGN_OPAQUE };

/* The algorithm for the signer's certificate, digest and padding.
 * FAIL_POLICY when the key cannot sign with it (S55, S56: said by name). */
int sign_alg(const struct signer *who, enum sig_alg *alg, struct err *e)
    MUST_CHECK;

/*
 * Sign the canonical entity and write the new entity (its Content-* fields,
 * blank line, body) to out: multipart/signed, or pkcs7-mime signed-data.
 * signedAttrs of S50-S53, issuerAndSerialNumber, chain without root.
 *
 * FAIL_POLICY, FAIL_TEMP, FAIL_BUG; out is emptied on failure.
 */
int sign_entity(const struct spool *entity, const struct signer *who,
    const struct key_ops *keys, enum sign_form form, int64_t now,
    struct spool *out, struct err *e) MUST_CHECK;

/*
 * The same as SIGN_CLEAR, but the canonical entity's own spool becomes the
 * new entity: what is written is only what stands around it. It needs room
 * in front, SPOOL_RESERVE. Emptied on failure.
 */
int sign_in_place(struct spool *entity, const struct signer *who,
    const struct key_ops *keys, int64_t now, struct err *e) MUST_CHECK;

/*
 * S201: read back what sign_entity wrote and check structure, digest and
 * signature with the public certificate. FAIL_BUG names what is wrong.
 */
int sign_self_check(const struct spool *signed_entity,
    const struct signer *who, struct err *e) MUST_CHECK;

#endif
