/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The keyed hashes of SCRAM-SHA-256 (RFC 5802 2.2), by libcrypto; its
 * messages are in relay/scram.c.
 */
#ifndef RELAY_TLS_SCRAM_H
#define RELAY_TLS_SCRAM_H

#include "util/buf.h"

#define SCRAM_HASH 32

/* FAIL_TEMP: memory. */
int tls_scram_hmac(const void *key, size_t key_n, struct view text,
    unsigned char out[SCRAM_HASH], struct err *e) MUST_CHECK;
/* Hi() of RFC 5802: PBKDF2. */
int tls_scram_salted(struct view password, struct view salt,
    unsigned iterations, unsigned char out[SCRAM_HASH], struct err *e)
    MUST_CHECK;

#endif
