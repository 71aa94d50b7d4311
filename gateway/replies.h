/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Answers to mail that came encrypted (S160, A8): they quote it, and should
 * not go in clear. Which mail was opened here is remembered by the hash of
 * its Message-ID, as long as audit records are kept.
 */
#ifndef GATEWAY_REPLIES_H
#define GATEWAY_REPLIES_H

#include "gateway/gateway_int.h"

/* The message was opened: put what is to be remembered into the verdict. */
void replies_note(struct txn *t);
/*
 * Does this message answer one that was opened here (In-Reply-To,
 * References)? FAIL_TEMP.
 */
int replies_is_answer(const struct txn *t, bool *is, struct err *e)
    MUST_CHECK;

#endif
