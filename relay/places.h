/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Listening sockets of the parent, by where they listen: they stay open over
 * a reload that still wants them.
 */
#ifndef RELAY_PLACES_H
#define RELAY_PLACES_H

#include "relay/procs.h"
#include "util/listen.h"

struct place {
	char where[128];
	int fd;
	struct stat made; /* of a unix socket */
};

struct places {
	struct place place[RELAY_SOCKS_MAX];
	size_t n;
};

/* Open what c wants and is not open yet. FAIL_CONFIG; what was opened stays
 * until places_sweep(). */
int places_open(struct places *p, const struct relay_config *c,
    const struct ids *ids, struct err *e) MUST_CHECK;
/* Unix sockets that were there before: owner, group and mode as c has them;
 * what cannot be changed is logged. */
void places_own(struct places *p, const struct relay_config *c,
    const struct ids *ids);
/* Close what c does not want. */
void places_sweep(struct places *p, const struct relay_config *c);
/* Close all, and remove unix sockets. */
void places_close(struct places *p);
/* Descriptor of where, or -1. */
int places_fd(const struct places *p, const char *where);
/* Sockets of all listeners; how many. */
size_t places_socks(const struct places *p, const struct relay_config *c,
    struct relay_sock *out);

#endif
