/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The listening socket: made by libmilter in the parent, so that it outlives
 * the front.
 */
#ifndef MILTER_LISTEN_H
#define MILTER_LISTEN_H

#include "gateway/config.h"
#include "milter/child.h"
#include "util/listen.h"

/*
 * Open c->listen with its mode, owner and group; a stale unix socket (one
 * that nobody answers) is removed first. *fd is the listening descriptor.
 * libmilter's description must be registered. FAIL_CONFIG.
 */
int listen_open(const struct config *c, const struct ids *ids, int *fd,
    struct err *e) MUST_CHECK;
/* Remove the unix socket, if it is still the one that we made. */
void listen_remove(const struct config *c);

/* Is this an inet socket that others than this host can reach? */
bool listen_is_public(const char *spec);
#endif
