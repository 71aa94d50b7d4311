/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The store's side of store_client.h: the journal of copies, mail that is
 * held, and copies whose front is gone: their sockets are here, too, so that
 * the next hop's answer is not lost with it.
 */
#ifndef MILTER_STORE_SERVE_H
#define MILTER_STORE_SERVE_H

#include <poll.h>

#include "gateway/config.h"
#include "keystore/keystore.h"

struct store_serve;

/* requests: where lines come from; taken. FAIL_TEMP. */
int store_serve_new(struct store_serve **out, struct keystore *ks,
    const struct config *c, int take_requests, struct err *e) MUST_CHECK;
void store_serve_free(struct store_serve **s);

#define SERVE_LINES 256
#define SERVE_FDS (1 + SERVE_LINES)
/* What it waits for, and for how long at most. */
size_t store_serve_watch(const struct store_serve *s,
    struct pollfd fd[SERVE_FDS]);
int64_t store_serve_wait_ms(const struct store_serve *s);
/* Do what is to be done. Not inside a transaction. */
void store_serve_step(struct store_serve *s);
/* Are there lines, or copies nobody knows about yet? */
bool store_serve_is_busy(const struct store_serve *s);

#endif
