/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The secret file, for verbs that need more than its content; see secret.c.
 */
#ifndef CLI_SECRET_H
#define CLI_SECRET_H

#include "cli/cli.h"

/*
 * Its content appended, checked (A64). Root also reads one that belongs to
 * the service's users. FAIL_CONFIG.
 */
int secret_read(const struct config *c, struct buf *out, struct err *e)
    MUST_CHECK;

/*
 * Run in a process of its own, which may give up root and whose memory goes
 * with it; -> its exit code, what it has to say is said.
 */
typedef int in_child(struct cli *c, void *arg);
int cli_in_child(struct cli *c, in_child *run, void *arg);

#endif
