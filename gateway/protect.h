/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Header protection of outgoing mail: between the canonical form and the
 * signature. What goes inside, smime/hp_write.h says; here is when, and the
 * edits of the message's own header.
 */
#ifndef GATEWAY_PROTECT_H
#define GATEWAY_PROTECT_H

#include "gateway/gateway_int.h"
#include "smime/hp_write.h"

/*
 * Replace *entity, the canonical one, by the one with protected fields, and
 * note in the verdict what becomes of those outside. Nothing is done with
 * HP_OFF, or without a signature (RFC 9788 1.8.2 leaves encryption alone
 * out). *is_7bit becomes false when only the opaque form can carry the fields
 * (RFC 6532), else it stays.
 *
 * Where no rule asks for it, it is done only if nothing outside has to change
 * and the form stays the same; else a warning says why not.
 * FAIL_INPUT, FAIL_LIMIT: of the message, with the field named; FAIL_TEMP.
 */
int protect_run(struct txn *t, const struct plan *p, struct spool **entity,
    bool *is_7bit, struct err *e) MUST_CHECK;

/* The words of rules for them, as messages list them. */
#define PROTECT_POLICIES "off, copy, baseline, shy"
/* The policy of a rule's word; of none, what everybody gets. */
enum hp_policy protect_policy(const char *word);

#endif
