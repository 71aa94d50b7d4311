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
 * Open c as the recipient rid, whose key belongs to the certificate with
 * this SHA-256, and write the plaintext to quarantine. On any failure the
 * quarantine is emptied; the error texts of a wrong key, bad padding and a
 * bad tag are the same (A5).
 *
 * FAIL_INPUT (does not open, unsupported), FAIL_POLICY (no right to the
 * key), FAIL_TEMP.
 */
int cms_decrypt(const struct cms *c, const struct cms_rid *rid,
    const unsigned char cert_sha256[32], const struct key_ops *keys,
    struct spool *quarantine, struct err *e) MUST_CHECK;

#endif
