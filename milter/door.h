/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The second door: mail comes by LMTP or SMTP, goes through the same
 * pipeline as a milter's, and on to a next hop, whose answer is ours. The
 * parent makes the sockets; threads of the front serve them.
 */
#ifndef MILTER_DOOR_H
#define MILTER_DOOR_H

#include <sys/stat.h>

#include "milter/child.h"
#include "milter/front.h"

#define DOORS_MAX 16

/* Listening sockets, made by the parent so that they outlive the front. */
struct door_socks {
	size_t n;
	struct door_sock {
		int fd;
		char *listen;	  /* as configured; owned */
		struct stat made; /* of a unix socket, to remove no other */
	} sock[DOORS_MAX];
};

/* ---- door_listen.c, in the parent ---- */

/* One for each door, with mode, owner and group. FAIL_CONFIG. */
int doors_open(const struct config *c, const struct ids *ids,
    struct door_socks *out, struct err *e) MUST_CHECK;
/* Close them, and remove unix sockets that are ours still. */
void doors_remove(struct door_socks *s);
/* Could they be opened? For -n. FAIL_CONFIG. */
int doors_check(const struct config *c, struct err *e) MUST_CHECK;

/* ---- door.c, in the front ---- */

/* Start threads for every door of c that has a socket; c and s stay.
 * FAIL_TEMP. */
int doors_start(struct front *f, const struct config *c,
    const struct door_socks *s, struct err *e) MUST_CHECK;
/* No new connections and messages; true when all are done by until_ms. */
bool doors_stop(int64_t until_ms);

#endif
