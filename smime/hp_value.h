/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One header field for header protection: its value in a form that a
 * signature over it survives transit, and what is left of it outside. For
 * use inside smime/.
 */
#ifndef SMIME_HP_VALUE_H
#define SMIME_HP_VALUE_H

#include "smime/hp_table.h"

/* Values are " text", folds as CRLF; "" for an empty one. */
struct hp_value {
	struct buf inner;
	struct buf outer; /* as inner, if nothing is hidden */
	bool is_removed;  /* there is none outside */
	bool is_hidden;	  /* outer says less than inner */
	bool is_changed;  /* outer is not what the message has */
	bool is_utf8;	  /* not ASCII, and cannot be */
};

/*
 * v is initialised by this and freed by hp_value_free even on failure.
 * FAIL_INPUT and FAIL_LIMIT name the field; FAIL_TEMP.
 */
int hp_value_make(struct hp_value *v, const struct field *f,
    enum hp_hide hide, struct err *e) MUST_CHECK;
void hp_value_free(struct hp_value *v);

#endif
