/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Decryption with plain EVP from the skeleton's parameters (RFC 5652 6,
 * RFC 5083, RFC 5084); the content key comes from key_ops.
 */
#ifndef SMIME_DECRYPT_H
#define SMIME_DECRYPT_H

#include "smime/cms.h"
#include "util/keyops.h"

/*
 * The content key as the recipient rid gets it, whose key belongs to the
 * certificate with this SHA-256: cek_len octets, then zeros. The caller
 * wipes it. A key that only stands in for one (PKCS#1 v1.5) looks like any
 * other.
 *
 * FAIL_INPUT (does not open; content cipher unsupported), FAIL_POLICY (no
 * right to the key, or its encryption is of an unsupported kind, named in
 * the text, S196), FAIL_CONFIG (no legacy provider), FAIL_TEMP. The text of
 * a key that does not open is the same as that of a content that does not
 * decrypt (A5).
 */
int cms_open_key(const struct cms *c, const struct cms_rid *rid,
    const unsigned char cert_sha256[32], const struct key_ops *keys,
    unsigned char cek[CAP_CEK], struct err *e) MUST_CHECK;

/*
 * Decrypt c with its content key; the plaintext goes to quarantine. Bad
 * padding (CBC) is 0 with *is_sound false: what came before it is then in
 * the quarantine, so that the caller can take the time that he would take
 * over good padding (A5), and is never to be delivered. On any failure the
 * quarantine is emptied. FAIL_INPUT, FAIL_TEMP.
 */
int cms_decrypt_content(const struct cms *c,
    const unsigned char cek[CAP_CEK], struct spool *quarantine,
    bool *is_sound, struct err *e) MUST_CHECK;

/*
 * Both of them; bad padding is a failure like any other. The error texts of
 * a wrong key, bad padding and a bad tag are the same (A5).
 */
int cms_decrypt(const struct cms *c, const struct cms_rid *rid,
    const unsigned char cert_sha256[32], const struct key_ops *keys,
    struct spool *quarantine, struct err *e) MUST_CHECK;

#endif
