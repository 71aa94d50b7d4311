/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * All private keys of a store at once: do they open, and under which secret;
 * seal them under another. Secrets are contents of a secret file, which has
 * one line, or the new and the old one while it is being changed.
 */
#ifndef KEYSTORE_ROTATE_H
#define KEYSTORE_ROTATE_H

#include "keystore/keystore.h"

struct key_count {
	size_t keys;	   /* all that are in the store */
	size_t current;	   /* open under the first line */
	size_t old;	   /* open under the second line */
	size_t unnamed;	   /* of those, sealed as the first version did */
	size_t passphrase; /* of CAs, under passphrases of their own */
	size_t closed;	   /* do not open */
};

/* What one key is; label: address, subject or SHA-256 of the public key. */
struct key_state {
	const char *spki;  /* SHA-256 in hex */
	const char *label;
	const char *why;   /* it does not open */
};
typedef int key_visit(void *arg, const struct key_state *k, struct err *e);

/* Visits the keys that do not open. */
int keystore_check_keys(struct keystore *ks, struct view secret,
    key_visit *visit, void *arg, struct key_count *out, struct err *e)
    MUST_CHECK;

/* done of all: for a line of progress. */
typedef void rotate_progress(void *arg, size_t done, size_t all);

/*
 * Seal every key under the first line; all or none. Those that are so
 * already, and those of CAs under a passphrase, stay as they are; one that
 * does not open is FAIL_CONFIG. Who sealed a key under the old line and has
 * not stored it yet cannot do so afterwards.
 */
int keystore_rotate(struct keystore *ks, struct view secret,
    rotate_progress *progress, void *arg, struct key_count *out,
    struct err *e) MUST_CHECK;

/* Messages to an address that were opened here, of those that the audit
 * remembers, and when the last one was. */
int keystore_opened_for(struct keystore *ks, const char *address, size_t *n,
    int64_t *last, struct err *e) MUST_CHECK;
/* How many certificates have the public key of c. */
int keystore_key_certs(struct keystore *ks, const struct cert *c, size_t *n,
    struct err *e) MUST_CHECK;

/* *fits: a key of the store is sealed under a line of the secret, or none
 * is under any that could be told. Cheap when it does. */
int keystore_secret_fits(struct keystore *ks, struct view secret, bool *fits,
    struct err *e) MUST_CHECK;

/* Content of a secret file: how many secrets, 1 or 2. FAIL_CONFIG. */
int secret_lines(struct view secret, size_t *n, struct err *e) MUST_CHECK;
/* Are these the same, by their first lines? */
bool secret_same(struct view a, struct view b);

#endif
