/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates out of mail: those that wait, and what is known of one.
 */
#ifndef CLI_PENDING_H
#define CLI_PENDING_H

#include "cli/cli.h"
#include "util/json.h"

/* Verbs of cert. */
cli_function pending_verb, approve_verb, reject_verb;

/* How a certificate came out of mail, a line for each address, appended;
 * nothing for one that did not. */
int pending_show(struct keystore *ks, const struct cert *c, struct buf *b,
    struct err *e) MUST_CHECK;
/* The same as the array "harvested". */
int pending_json(struct keystore *ks, const struct cert *c, struct json *j,
    struct err *e) MUST_CHECK;

#endif
