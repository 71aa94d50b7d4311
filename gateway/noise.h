/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Does decrypted content look as if somebody wrote it?
 */
#ifndef GATEWAY_NOISE_H
#define GATEWAY_NOISE_H

#include "util/spool.h"

/*
 * Altered CBC ciphertext decrypts to blocks of noise (A2). *is_noise when
 * the entity in s has octets that no composer writes: controls anywhere but
 * in parts that announce binary; what is no UTF-8 in header fields and in
 * parts that announce no 8-bit text (RFC 2045 2.7; UTF-8 without a word of
 * it is met). A random block passes by chance once in 10^5, under "8bit" once
 * in five. FAIL_TEMP; what is no MIME is not noise.
 */
int noise_look(const struct spool *s, bool *is_noise, struct err *e)
    MUST_CHECK;

#endif
