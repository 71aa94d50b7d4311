/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The Content-Type of a part with the parameters of RFC 9788. For use inside
 * smime/.
 */
#ifndef SMIME_HP_TYPE_H
#define SMIME_HP_TYPE_H

#include "smime/ctype.h"

struct hp_type {
	const char *hp;	     /* "clear", "cipher", NULL none */
	bool has_display;    /* hp-legacy-display="1" */
	const char *charset; /* instead of the part's; NULL as it is */
};

/*
 * Append the field to out. h and ct are the part's; a type that it does not
 * have is the default one's (RFC 2045 5.2). Parameters of these names that
 * are there already are not the writer's and go. *done is false, and nothing
 * appended, where that has not one reading. FAIL_TEMP.
 */
int hp_type_put(const struct header *h, const struct ctype *ct,
    const struct hp_type *add, struct buf *out, bool *done, struct err *e)
    MUST_CHECK;

#endif
