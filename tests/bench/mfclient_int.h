/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What mfclient.c and mfanswer.c share.
 */
#ifndef TESTS_BENCH_MFCLIENT_INT_H
#define TESTS_BENCH_MFCLIENT_INT_H

#include "tests/bench/mfclient.h"

/* The next packet; the payload is good until the next call. */
int mfclient_get(struct mf_client *c, char *code, struct view *payload,
    struct err *e) MUST_CHECK;

/* Check an answer that ends a command, and keep its text. FAIL_INPUT when
 * it is none. */
int mfclient_final(struct mf_client *c, char code, struct view v,
    struct err *e) MUST_CHECK;

/* Outcome of a message from the answer that decided it. */
void mfclient_outcome(const struct mf_client *c, char code,
    struct mf_result *r);

/* All answers after the end of a message: edits, then the final one. */
int mfclient_end(struct mf_client *c, struct mf_result *r, struct err *e)
    MUST_CHECK;

#endif
