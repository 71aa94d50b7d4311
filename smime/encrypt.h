/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Encryption (RFC 8551 3.3, 3.4): canonical entity in, pkcs7-mime entity
 * out, streamed.
 */
#ifndef SMIME_ENCRYPT_H
#define SMIME_ENCRYPT_H

#include "util/cert.h"
#include "util/spool.h"

enum enc_cipher {
	ENC_AES128_CBC,
	ENC_AES256_CBC, /* default (I24) */
	ENC_AES128_GCM,
	ENC_AES256_GCM
};
#define ENC_CIPHERS 4

/* A certificate to encrypt to. */
struct enc_to {
	const struct cert *cert;
	bool oaep; /* RSA: OAEP with SHA-256 (RFC 3560), else PKCS#1 v1.5 */
};

const char *enc_cipher_str(enum enc_cipher c); /* "AES-256-CBC" */

/*
 * Encrypt to every certificate in to (1..CAP_CMS_RECIPIENTS, already judged
 * usable; the same one twice counts once; beyond: FAIL_LIMIT, for we would
 * not read it ourselves). EC: ECDH with SHA-256 KDF and a wrap as strong as
 * the cipher; issuerAndSerialNumber; fresh key and IV. RecipientInfos are in
 * an order that says nothing.
 *
 * FAIL_POLICY: a key that libcrypto would do wrong (X25519, Ed25519,
 * RSA-PSS), named; zero recipients is FAIL_BUG. FAIL_TEMP. out is emptied
 * on failure. RFC 8551 2.3, 2.7, RFC 3560, RFC 5753.
 */
int encrypt_entity(const struct spool *entity,
    const struct enc_to *to, size_t n, enum enc_cipher cipher,
    struct spool *out, struct err *e) MUST_CHECK;

/* The CMS object alone, DER or BER, of whatever octets; a part of it may have
 * been written on failure. Otherwise the same. */
int encrypt_der(const struct spool *octets, const struct enc_to *to,
    size_t n, enum enc_cipher cipher, const struct sink *out,
    struct err *e) MUST_CHECK;

/* Structure check of what encrypt_entity wrote: walks, recipients as
 * ordered, cipher as ordered. FAIL_BUG. */
int encrypt_self_check(const struct spool *out, const struct enc_to *to,
    size_t n, enum enc_cipher cipher, struct err *e) MUST_CHECK;

#endif
