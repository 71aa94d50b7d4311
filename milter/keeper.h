/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The store process's other duty: it plans what is fetched, tells the fetch
 * process, and takes what comes back into the store, where it is checked. It
 * also has notices sent.
 */
#ifndef MILTER_KEEPER_H
#define MILTER_KEEPER_H

#include <poll.h>

#include "gateway/config.h"
#include "keystore/keystore.h"

struct keeper;

/* ctl: of the parent, which sends the socket to the fetch process there. All
 * borrowed. Without fetch { } and notices { } it only listens to ctl.
 * FAIL_TEMP. */
int keeper_new(struct keeper **out, const struct config *c,
    struct keystore *ks, int ctl, struct err *e) MUST_CHECK;
void keeper_free(struct keeper **k);
/* Lists of directories, too: of this plan, which it takes. Who may sign or
 * open changes with some of them: the parent is told then. */
struct lists;
void keeper_take_lists(struct keeper *k, struct lists *take);

#define KEEPER_FDS 2
/* What it waits for, and for how long at most. */
size_t keeper_watch(const struct keeper *k, struct pollfd fd[KEEPER_FDS]);
int64_t keeper_wait_ms(const struct keeper *k);
/* Do what is to be done. Not inside a transaction. */
void keeper_step(struct keeper *k);

#endif
