/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) without I/O, and
 * its stored verifiers. Without channel binding: SCRAM-SHA-256-PLUS is never
 * offered, so that a client's "y" is the truth, and its "p" is refused.
 */
#ifndef RELAY_SCRAM_H
#define RELAY_SCRAM_H

#include "relay/tls_scram.h"

#define SCRAM_ITERATIONS_MIN 4096 /* RFC 7677 4 */
#define SCRAM_ITERATIONS_MAX 10000000
#define SCRAM_ITERATIONS 100000 /* of what we make */
#define SCRAM_SALT_MIN 8
#define SCRAM_SALT_MAX 64
#define SCRAM_NAME 256	  /* octets of a user name, with NUL */
#define SCRAM_NONCE_MAX 256 /* octets of a client's nonce */
#define SCRAM_MESSAGE 4096  /* octets of one message */

struct scram_verifier {
	unsigned iterations;
	unsigned char salt[SCRAM_SALT_MAX];
	size_t salt_n;
	unsigned char stored_key[SCRAM_HASH], server_key[SCRAM_HASH];
};

/* From a password, with a new salt. FAIL_TEMP. */
int scram_make(struct scram_verifier *v, struct view password,
    unsigned iterations, struct err *e) MUST_CHECK;
/* What is shown for somebody who is not there (RFC 5802 9): always the same
 * for a name, and no password opens it. */
int scram_mock(struct scram_verifier *v, const unsigned char seed[32],
    const char *name, unsigned iterations, struct err *e) MUST_CHECK;
/* "SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY" (RFC 5803, as
 * PostgreSQL has it). */
void scram_verifier_print(const struct scram_verifier *v, struct buf *out);
/* FAIL_INPUT. */
int scram_verifier_parse(struct scram_verifier *v, struct view text,
    struct err *e) MUST_CHECK;

struct scram;
/* nonce: the server's part, printable; NULL: a random one. FAIL_TEMP. */
int scram_new(struct scram **out, const char *nonce, struct err *e)
    MUST_CHECK;
void scram_free(struct scram **s);

/* client-first-message. FAIL_INPUT: malformed (also channel binding, which
 * was not offered); FAIL_POLICY: he wants to act for somebody else. */
int scram_first(struct scram *s, struct view message, struct err *e)
    MUST_CHECK;
/* Who he says he is; after scram_first(). */
const char *scram_name(const struct scram *s);
/* server-first-message, with what is known of him. */
int scram_challenge(struct scram *s, const struct scram_verifier *v,
    struct buf *out, struct err *e) MUST_CHECK;
/* client-final-message: 0: it is him, server-final-message is in out. -1:
 * FAIL_INPUT malformed, FAIL_POLICY not him. */
int scram_final(struct scram *s, struct view message, struct buf *out,
    struct err *e) MUST_CHECK;

#endif
