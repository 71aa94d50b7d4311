/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the policy process answered a moment ago, kept in the worker that
 * asked: recipients of one domain come in a row. Only ways to go are kept,
 * never an answer that says no, and never longer than a second, which is what
 * a TTL is counted in.
 */
#ifndef RELAY_KEPT_H
#define RELAY_KEPT_H

#include "relay/route.h"

#define KEPT_MS 1000
#define KEPT_PLACES 256
#define KEPT_REPLY 8192 /* octets of one */

struct kept;
/* c: that of the policy process, which outlives it. FAIL_TEMP. */
int kept_new(struct kept **out, const struct relay_config *c, struct err *e)
    MUST_CHECK;
void kept_free(struct kept **k);

/* All of a question that its answer can depend on. -1: it is not for keeping
 * (an address that is none is the policy process's to refuse). */
int kept_key(const struct kept *k, const struct route_query *q,
    struct buf *key) MUST_CHECK;
/* The reply as it came, until the next kept_put(); false: there is none. */
bool kept_find(const struct kept *k, struct view key, int64_t now_ms,
    struct view *reply);
/* r is what reply says. */
void kept_put(struct kept *k, struct view key, const struct route *r,
    struct view reply, int64_t now_ms);

#endif
