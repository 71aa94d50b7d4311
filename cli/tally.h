/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Counting by name, in bounded memory: what comes after the last name that
 * has room is counted together.
 */
#ifndef CLI_TALLY_H
#define CLI_TALLY_H

#include "util/buf.h"

#define TALLY_ROWS 50000 /* names of a tally; each below 10 MB in all */
#define TALLY_KEY 300	 /* octets of a name; longer ones are cut */
#define TALLY_COUNTS 6
#define TALLY_EXAMPLES 3

struct tally_row {
	char *key;
	uint64_t n[TALLY_COUNTS]; /* n[0] orders the rows */
	char example[TALLY_EXAMPLES][20]; /* ids, first ones first; "" none */
};

struct tally {
	struct tally_row *row; /* owned, in no order until tally_sort */
	size_t rows, size;
	uint32_t *slot; /* row + 1 of a hash; 0 empty */
	size_t slots;
	uint64_t left_out; /* that found no room */
	bool no_memory;
};

/* The row of a name, made when it is new, for the caller to count in; NULL:
 * no room, and left_out has one more. A tally is zeroed before its use. */
struct tally_row *tally_row(struct tally *t, const char *key);
/* Add id to the row's examples if there is room. */
void tally_example(struct tally_row *r, const char *id);
/* By n[0], largest first, then by name. No row is added afterwards. */
void tally_sort(struct tally *t);
void tally_free(struct tally *t);

#endif
