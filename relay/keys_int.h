/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a worker and the keys process say to each other: one packet each way.
 * Question: sequence number, operation, number of the key, and to sign the
 * algorithm (enum tls_sig) and the octets. Answer: sequence number, 0 or enum
 * fail, and the signature, the SHA-256 of the SPKI, or a text.
 */
#ifndef RELAY_KEYS_INT_H
#define RELAY_KEYS_INT_H

#include "relay/keys.h"

enum keys_op { KEYS_OP_SIGN = 1, KEYS_OP_SPKI };

/* Octets that are signed: TLS 1.2 has a client sign all that was said. */
#define KEYS_TBS_MAX 65536
#define KEYS_QUESTION_MAX (KEYS_TBS_MAX + 64)
#define KEYS_ANSWER_MAX 4096

/* Is it what a side of a TLS handshake signs (RFC 8446 4.4.3; RFC 5246 7.4.3,
 * 7.4.8; RFC 8422 5.4), and nothing else? */
bool keys_is_handshake(struct view tbs);

#endif
