/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Private keys at rest. A secret file has one line, or two while the secret
 * is being changed: the new one, which seals, and the old one, which still
 * opens. What is sealed names its secret by an identifier that says nothing
 * about it.
 */
#ifndef KEYSTORE_SEALING_H
#define KEYSTORE_SEALING_H

#include "keystore/keystore_int.h"

#define SEAL_ID 8
#define SEAL_KEYS 2
#define SEAL_MAX 65536 /* PKCS#8 of RSA 8192 has some 5 kB */

struct seal_key {
	unsigned char id[SEAL_ID];
	unsigned char key[32];
};
struct seal_keys {
	struct seal_key k[SEAL_KEYS]; /* the first one seals */
	size_t n;
};

/* From the content of a secret file. FAIL_CONFIG. */
int seal_keys_read(struct seal_keys *out, struct view secret, struct err *e)
    MUST_CHECK;
void seal_keys_wipe(struct seal_keys *k);

/* HKDF-SHA256 of a random input. */
int seal_derive(const void *ikm, size_t ikm_n, const char *info,
    unsigned char out[32], struct err *e) MUST_CHECK;

/* Appended to out. */
int seal_close(const struct seal_key *k, struct view plain, struct buf *out,
    struct err *e) MUST_CHECK;
/* which (may be NULL): the secret that opened it. FAIL_CONFIG. */
int seal_open(const struct seal_keys *k, struct view sealed,
    struct buf *out_secret, size_t *which, struct err *e) MUST_CHECK;

enum seal_form {
	SEAL_UNKNOWN,
	SEAL_UNNAMED,	/* of the first version: no identifier */
	SEAL_NAMED,
	SEAL_PASSPHRASE /* a CA's key, under a passphrase of its own */
};
enum seal_form seal_form(struct view sealed);
/* The identifier in one of SEAL_NAMED; of any other, nothing. */
struct view seal_id(struct view sealed);

/*
 * May this be stored? Not when its secret was replaced meanwhile: FAIL_TEMP.
 * Inside a change.
 */
int seal_check_current(struct keystore *ks, struct view sealed, struct err *e)
    MUST_CHECK;

#endif
