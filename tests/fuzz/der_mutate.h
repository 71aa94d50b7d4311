/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * BER as a flat list of elements that can be changed and written again with
 * lengths that fit: mutants that get past the first length octet. Not the
 * reader of the product on purpose.
 */
#ifndef TESTS_FUZZ_DER_MUTATE_H
#define TESTS_FUZZ_DER_MUTATE_H

#include "tests/fuzz/fuzz.h"

#define DER_NODES 4096
#define DER_DEPTH 40

struct der_node {
	unsigned char tag;
	unsigned char depth; /* 0: top; children follow their parent */
	bool constructed;
	bool indefinite;
	bool raw;	   /* val is the whole element, written as it is */
	unsigned char pad; /* length octets more than needed */
	signed char lie;   /* added to the length written */
	struct view val;   /* of a primitive one, borrowed */
	struct view whole; /* as it was read */
};

struct der_tree {
	struct der_node node[DER_NODES];
	size_t n;
	unsigned char own[1u << 16]; /* octets that mutation makes */
	size_t owned;
};

/* false when v is no BER to its end, or too much of it. */
bool der_tree_read(struct der_tree *t, struct view v);
/* The same, but elements of this depth are raw, octet for octet, and those
 * of definite length not even looked into. */
bool der_tree_read_flat(struct der_tree *t, struct view v, size_t depth);
/* Appended. */
void der_tree_write(const struct der_tree *t, struct buf *out);
/* One behind the last element inside element i. */
size_t der_tree_end(const struct der_tree *t, size_t i);
void der_tree_remove(struct der_tree *t, size_t i);
/* Everything constructed with indefinite length, OCTET STRINGs in chunks
 * (also the [0] IMPLICIT one of encrypted content), of n octets. */
void der_tree_to_ber(struct der_tree *t, size_t n);
/* One change; donor gives elements to be put in. */
void der_tree_change(struct der_tree *t, const struct der_tree *donor,
    struct draw *d);

/* A mutant of data in place as LLVMFuzzerCustomMutator makes one, elements
 * coming from itself and from donor. */
size_t der_mutate(uint8_t *data, size_t n, size_t room, struct view donor,
    unsigned seed);

#endif
