/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Remembers messages that killed a worker, by the SHA-256 of their octets,
 * so that the second death is the last. Any thread.
 */
#ifndef MILTER_POISON_H
#define MILTER_POISON_H

#include <stdbool.h>

#include "util/spool.h"

struct poison;

int poison_new(struct poison **out, struct err *e) MUST_CHECK;
void poison_free(struct poison **p);

/*
 * Identify a message: a SHA-256 chained over blocks, so that a large one is
 * never in memory as a whole. FAIL_TEMP.
 */
int poison_hash(const struct spool *msg, unsigned char out[32],
    struct err *e) MUST_CHECK;
/* The same of what is from off on. */
int poison_hash_from(const struct spool *msg, uint64_t off,
    unsigned char out[32], struct err *e) MUST_CHECK;

/* One more death: how many there were with it. */
unsigned poison_death(struct poison *p, const unsigned char hash[32],
    uint64_t size);
/* Could a message of this size be a poisoned one? Saves hashing all. */
bool poison_maybe(struct poison *p, uint64_t size);
/* Did these octets kill twice? */
bool poison_is(struct poison *p, const unsigned char hash[32]);

#endif
