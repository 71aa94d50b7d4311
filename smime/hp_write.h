/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Header protection on writing (RFC 9788 5.2): the message's own fields in
 * the root of what is signed, and what is left of them outside. Reading is
 * in smime/hp.h. Knows no rules and edits no message.
 */
#ifndef SMIME_HP_WRITE_H
#define SMIME_HP_WRITE_H

#include "smime/hp_table.h"

/* The fields of that name outside have to go; then, unless value is NULL,
 * there is one with this value, or as many as changes of that name follow
 * each other. */
struct hp_change {
	char *name;
	char *value; /* " text", folds as LF, fit for a header (M4) */
};

struct hp_outer {
	struct hp_change *change;
	size_t n;
	/* False: an address in UTF-8 is among the fields (RFC 6532 3.2), for
	 * which there is no 7-bit form: sign opaque. */
	bool is_7bit;
};

/*
 * Write the canonical entity (smime/canon.h) with the fields of the message's
 * header h in front of its own, and hp= in its Content-Type, to out. encrypts:
 * it will be signed and then encrypted (p says what is hidden), else signed
 * only (nothing is, RFC 9788 5.2.1; changes are then only of form: a value
 * that transit would break is encoded inside and outside alike). With
 * HP_OFF out is a copy.
 * outer is initialised by this and freed by hp_outer_free even on failure.
 * FAIL_INPUT: a field that cannot be signed so that it survives transit, by
 * its name; FAIL_LIMIT; FAIL_TEMP.
 */
int hp_write(const struct spool *entity, const struct header *h,
    enum hp_policy p, bool encrypts, struct spool *out,
    struct hp_outer *outer, struct err *e) MUST_CHECK;
void hp_outer_free(struct hp_outer *outer);

#endif
