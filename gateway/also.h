/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * also lines for a message, and the triggers that they take out of it.
 */
#ifndef GATEWAY_ALSO_H
#define GATEWAY_ALSO_H

#include "gateway/gateway_int.h"

/*
 * Every also line that holds adds to what is wanted for a recipient; the
 * verdict names it. is_unread: the message was not, or cannot be looked at:
 * then whatever a line asks of it may be so. FAIL_TEMP, FAIL_CONFIG.
 */
int also_apply(struct txn *t, bool is_unread, struct err *e) MUST_CHECK;

/* ---- trigger.c ---- */

/* Take every occurrence of a folded text out of the Subject that the rest of
 * the pipeline works with. FAIL_TEMP. */
int trigger_cut_subject(struct txn *t, const char *text, struct err *e)
    MUST_CHECK;
/* The same for all fields of a name. */
int trigger_cut_field(struct txn *t, const char *name, struct err *e)
    MUST_CHECK;
/* The edits for it, behind all others of a copy: fields that it has deleted
 * or replaced already stay so. FAIL_TEMP, FAIL_INPUT. */
int trigger_edits(struct txn *t, struct err *e) MUST_CHECK;
void trigger_free(struct txn *t);
/* Append the value of a field as it is compared: encoded words read, folded.
 * FAIL_TEMP. */
int trigger_read(const struct field *f, struct buf *out, struct err *e)
    MUST_CHECK;
/* Is text, folded, in the value of a field? Encoded words are read. -1:
 * FAIL_TEMP. */
int trigger_is_in(const struct field *f, const char *text, struct err *e)
    MUST_CHECK;

#endif
