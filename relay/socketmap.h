/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Postfix's socketmap protocol; engine_socketmap() of relay/engine.h is the
 * connection.
 */
#ifndef RELAY_SOCKETMAP_H
#define RELAY_SOCKETMAP_H

#include "util/buf.h"

struct engine;

/* The first netstring of in: 1 it is there, *used octets with its length and
 * comma; 0 more is needed; FAIL_INPUT. */
int socketmap_read(struct view in, struct view *request, size_t *used,
    struct err *e) MUST_CHECK;
/* "tls example.com" -> "OK secure match=...", "NOTFOUND ", "TEMP why". */
void socketmap_answer(struct engine *g, struct view request,
    struct buf *reply);

#endif
