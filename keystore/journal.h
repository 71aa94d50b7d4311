/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What became of copies that were sent on by themselves: for each recipient
 * of one, so that a message tried again is not sent twice to whom has it,
 * however its recipients are grouped then (M24). A key says what the message
 * is, from whom and to whom.
 */
#ifndef KEYSTORE_JOURNAL_H
#define KEYSTORE_JOURNAL_H

#include "keystore/keystore.h"

#define JOURNAL_KEY 32

enum journal_state {
	JOURNAL_NONE,
	JOURNAL_SENT = 1, /* it was about to be sent; nobody knows more */
	JOURNAL_DONE = 2  /* the next hop has it */
};

/* One message's; n keys one after the other. */
struct journal_keys {
	const unsigned char *key;
	size_t n;
	const unsigned char *whole; /* JOURNAL_KEY octets, of the message */
	const char *id;		    /* of ours, kept from the first time on */
	int64_t at;
};

/* *state, and in id (or NULL, else of 64 octets) who wrote it first. */
int journal_get(struct keystore *ks, const unsigned char key[JOURNAL_KEY],
    enum journal_state *state, char *id, struct err *e) MUST_CHECK;
/* On the disk when it returns 0. */
int journal_set(struct keystore *ks, const struct journal_keys *k,
    enum journal_state state, struct err *e) MUST_CHECK;
/* They certainly have nothing (with_done: whatever is said of them). */
int journal_drop(struct keystore *ks, const struct journal_keys *k,
    bool with_done, struct err *e) MUST_CHECK;
int journal_expire(struct keystore *ks, int64_t before, size_t *n,
    struct err *e) MUST_CHECK;
/* How many are in a state. */
int journal_count(struct keystore *ks, enum journal_state state, size_t *n,
    struct err *e) MUST_CHECK;

#endif
