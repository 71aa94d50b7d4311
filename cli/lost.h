/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What cannot be read any more without a private key; see lost.c.
 */
#ifndef CLI_LOST_H
#define CLI_LOST_H

#include "cli/rows.h"

/* Before these are removed: say which private keys go with them and what
 * mail becomes unreadable. 0 or an exit code. */
int lost_say(struct cli *c, const struct rows *rows);

#endif
