/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Three people with fixed keys, the CMS objects that libcrypto makes for
 * and by them, and our own key operations. Random numbers are not random
 * here, so that two runs do the same.
 */
#ifndef TESTS_FUZZ_CMS_WORLD_H
#define TESTS_FUZZ_CMS_WORLD_H

#include "tests/fuzz/fuzz.h"
#include "tests/unit/testca.h"

enum { ALICE, BOB, CAROL, PEOPLE }; /* P-256, P-384, RSA-2048 */

struct world {
	struct testca_id id[PEOPLE];
	/* keystore/keyopen.c, but PKCS#1 v1.5 never opens: a substitute key
	 * makes padding that is right by chance */
	struct key_ops ops;
	/* What was signed or encrypted. */
	struct view text;
};

/* Made at the first call. */
const struct world *world(void);
/* The random numbers from their start again: before every input. */
void world_rewind(void);
/* As fuzz_seed(). */
bool world_seed(size_t i, struct buf *out);
/* A mutant with elements of the seeds, as LLVMFuzzerCustomMutator. */
size_t world_mutate(uint8_t *data, size_t n, size_t room, unsigned seed);

#endif
