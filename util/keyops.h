/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The two things that need a private key, as functions: who implements
 * them (keystore/keyring.c in the same process, milter/keys_client.c over a
 * socket) is not known to smime/. ctx carries the transaction whose login or
 * recipients give the right.
 */
#ifndef UTIL_KEYOPS_H
#define UTIL_KEYOPS_H

#include "util/buf.h"
#include "util/caps.h"

/* Signature algorithms that we make (RFC 8551 2.2). */
enum sig_alg {
	SIG_RSA_SHA256 = 1,
	SIG_RSA_SHA384,
	SIG_RSA_SHA512,
	SIG_ECDSA_SHA256,
	SIG_ECDSA_SHA384,
	SIG_ECDSA_SHA512,
	SIG_RSA_PSS_SHA256, /* salt and MGF1 of the digest (RFC 4056 3) */
	SIG_RSA_PSS_SHA384,
	SIG_RSA_PSS_SHA512
};

struct key_ops {
	void *ctx;
	/*
	 * Sign the DER of signedAttrs (tag 0x31, at most CAP_KEY_REQUEST/2
	 * octets; hashing is the implementation's) with the key of the
	 * certificate with this SHA-256. sig is appended to (ECDSA as DER).
	 * FAIL_POLICY: ctx gives no right to this key; FAIL_INPUT: no such
	 * key or wrong algorithm; FAIL_TEMP.
	 */
	int (*sign)(void *ctx, const unsigned char cert_sha256[32],
	    enum sig_alg alg, struct view attrs, struct buf *sig,
	    struct err *e);
	/*
	 * Open one RecipientInfo (whole DER/BER element): exactly cek_len
	 * (16, 24, 32; 5 and 8 for RC2 and DES) octets into cek. For
	 * KeyAgreeRecipientInfo the RecipientEncryptedKey is found by the
	 * certificate. A PKCS#1 v1.5 padding fault gives a substitute key
	 * and 0 (no oracle). FAIL_POLICY: no right, or an algorithm that is
	 * not supported, named in the text; FAIL_INPUT: not for this key,
	 * malformed, or (OAEP, ECDH) does not open; FAIL_TEMP.
	 */
	int (*open)(void *ctx, const unsigned char cert_sha256[32],
	    struct view ri, size_t cek_len, unsigned char cek[CAP_CEK],
	    struct err *e);
};

#endif
