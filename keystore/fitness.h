/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Is one certificate fit to sign as, encrypt to, or open mail of an address?
 * One table of checks for all uses; which of several fit ones is taken is
 * select.c's.
 */
#ifndef KEYSTORE_FITNESS_H
#define KEYSTORE_FITNESS_H

#include "keystore/keystore_int.h"

/* Beside KS_SIGN, KS_ENCRYPT and KS_STORAGE: to open what was encrypted to
 * it. Almost nothing is asked then: expired, superseded and revoked keys
 * still open old mail (S98). */
enum { FIT_OPEN = 8 };

struct candidate {
	struct keystore *ks;
	const struct ks_row *row;
	const struct addr *any_of; /* n addresses, one of which must be its */
	size_t n;
	unsigned use;	 /* KS_* or FIT_OPEN */
	bool must_know;	 /* whether it is revoked */
	bool is_bound;	 /* tied to the address or its domain by hand */
	bool is_vouched; /* by DNSSEC: needs no path */
	bool has_pins;	 /* the address has; this one is none of them */
	bool has_better; /* one was found already */
	int64_t now;
	struct cert *const *extra; /* for the path; no part of a message */
	size_t extra_n;
	struct path path; /* found; to be freed by path_free() */
};

/*
 * 0: fit. -1 with FAIL_POLICY: why not, in one sentence; the first check of
 * the table that fails speaks. -1 with FAIL_TEMP and the like: not known.
 */
int fitness_check(struct candidate *c, struct err *e) MUST_CHECK;
/* Checks of the table, in order, for documentation and tests; NULL at the
 * end. */
const char *fitness_name(size_t i);

#endif
