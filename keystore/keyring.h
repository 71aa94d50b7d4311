/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Private keys in memory and the two operations on them. Lives in the keys
 * process (and in the postseal command, which plays it): nothing that parses
 * mail links a path to an EVP_PKEY with a private half.
 */
#ifndef KEYSTORE_KEYRING_H
#define KEYSTORE_KEYRING_H

#include "keystore/keystore.h"
#include "util/keyops.h"

struct keyring;

/* A fresh secret for a keystore: 64 hex digits and a newline, appended. */
void keyring_new_secret(struct buf *out);

/*
 * Load every private key of the store but those of CAs, decrypting with
 * the secret (content of the secret file; the buffer may be wiped
 * afterwards). A key that does not open is logged and left out; none at all
 * opening while some exist: FAIL_CONFIG (wrong secret). After this no file
 * is needed.
 */
int keyring_load(struct keyring **out, struct keystore *ks,
    struct view secret, struct err *e) MUST_CHECK;
void keyring_free(struct keyring **kr); /* wipes */
size_t keyring_keys(const struct keyring *kr);

/* The certificate with this SHA-256 if we hold its key, else NULL. */
const struct cert *keyring_cert(const struct keyring *kr,
    const unsigned char cert_sha256[32]);

/* The one with this IssuerAndSerialNumber. */
const struct cert *keyring_named(const struct keyring *kr, struct view ias);

/* The operations of util/keyops.h without the question of rights, which
 * the caller has answered. Safe for several threads at once. */
int keyring_sign(const struct keyring *kr, const unsigned char cert_sha256[32],
    enum sig_alg alg, struct view attrs, struct buf *sig, struct err *e)
    MUST_CHECK;
int keyring_open(const struct keyring *kr, const unsigned char cert_sha256[32],
    struct view ri, size_t cek_len, unsigned char cek[CAP_CEK],
    struct err *e) MUST_CHECK;

/*
 * Encrypt a private key (PKCS#8 DER, secret) under the secret for
 * keystore_add_key, and back.
 */
int keyring_seal_key(struct view pkcs8, struct view secret, struct buf *out,
    struct err *e) MUST_CHECK;
int keyring_unseal_key(struct view sealed, struct view secret,
    struct buf *out_secret, struct err *e) MUST_CHECK;

#endif
