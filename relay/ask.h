/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Questions of a worker to a process beside it (policy, auth), many at a time
 * over one socket: framed as util/proc.h says, a number first. Not blocking.
 */
#ifndef RELAY_ASK_H
#define RELAY_ASK_H

#include "util/buf.h"

struct event_base;
struct ask;

/* Takes sock. FAIL_TEMP. */
int ask_new(struct ask **out, struct event_base *base, int take_sock,
    const char *whom, struct err *e) MUST_CHECK;
void ask_free(struct ask **a); /* no callback comes any more */

/* reply is NULL when there is none: e says why (deadline, process away). */
typedef void ask_done(void *arg, const struct view *reply,
    const struct err *e);

/*
 * Ask; done comes later, from the loop, exactly once unless it is cancelled.
 * Returns its number, never 0. Also when the process is away: done then says
 * so.
 */
uint32_t ask_send(struct ask *a, struct view question, int64_t within_ms,
    ask_done *done, void *arg);
/* One whose answer is known: copied, done comes as for the others. */
uint32_t ask_known(struct ask *a, struct view reply, ask_done *done,
    void *arg);
void ask_cancel(struct ask *a, uint32_t number);
bool ask_is_away(const struct ask *a);

#endif
