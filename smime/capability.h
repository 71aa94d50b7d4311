/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a recipient's software says that it can read (SMIMECapabilities, RFC
 * 8551 2.5.2), and the cipher that follows from it (RFC 8551 2.7.1). Reads
 * and chooses; where a list comes from, and whether it is to be believed,
 * is the caller's.
 */
#ifndef SMIME_CAPABILITY_H
#define SMIME_CAPABILITY_H

#include "smime/encrypt.h"

struct capabilities {
	bool is_known; /* there is a list; else all below is empty */
	/* Those that we write, in the list's order, none twice. None of a
	 * known list: it names only what nobody should use (S111). */
	enum enc_cipher cipher[ENC_CIPHERS];
	size_t ciphers;
	bool oaep; /* id-RSAES-OAEP with SHA-256 (RFC 4055 4.1) */
	bool has_cek_hkdf; /* RFC 9709: seen, not used (S113) */
};

/*
 * Read one attribute value (DER of SEQUENCE OF SMIMECapability). Unknown
 * OIDs are skipped, and known ones whose parameters are not those of what we
 * write. FAIL_INPUT: malformed; FAIL_LIMIT: more than CAP_CAPABILITIES
 * octets. *out is unknown on failure.
 */
int capabilities_read(struct capabilities *out, struct view der,
    struct err *e) MUST_CHECK;

struct cipher_policy {
	enum enc_cipher unknown; /* for who has said nothing (S108) */
	enum enc_cipher floor;   /* never less (S105, S111) */
	bool is_fixed; /* unknown is for everybody: lists do not count */
};

/* Is a at least as strong as b: key length, and authenticated if b is? */
bool cipher_at_least(enum enc_cipher a, enum enc_cipher b);
/* The same of any cipher, as one that others wrote with. */
bool cipher_meets(size_t key_len, bool is_authenticated, enum enc_cipher b);

/*
 * The cipher for one copy that all n read (S107 to S111): the first of the
 * list for one recipient, or for several whose first is the same; else the
 * strongest that all of them list. Who has said nothing reads p->unknown and
 * CBC; who lists nothing of ours reads AES-128-CBC, as RFC 8551 2.7 asks of
 * everybody. -1: none is common to all and at least the floor (S110).
 */
int capabilities_choose(const struct capabilities *c, size_t n,
    const struct cipher_policy *p, enum enc_cipher *out) MUST_CHECK;

#endif
