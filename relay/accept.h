/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The door of a worker: connections are taken from listening sockets, their
 * clients looked at (networks, numbers, PROXY), and handed to a session or
 * tunnel.
 */
#ifndef RELAY_ACCEPT_H
#define RELAY_ACCEPT_H

#include "relay/procs.h"
#include "relay/worker.h"

struct acceptor;
/* listen: not blocking, borrowed. FAIL_TEMP. */
int acceptor_new(struct acceptor **out, struct worker *w,
    const struct relay_sock *listen, size_t n, struct err *e) MUST_CHECK;
/* No more connections. */
void acceptor_stop(struct acceptor *a);
void acceptor_free(struct acceptor **a);
/* Connections that have not ended. */
size_t acceptor_open(const struct acceptor *a);

#endif
