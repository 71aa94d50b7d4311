/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the parent and its children say to each other over their control
 * sockets: fixed small messages, at most one descriptor each. Nothing of a
 * message travels here.
 */
#ifndef MILTER_CTL_H
#define MILTER_CTL_H

#include "smtp/hop.h"
#include "util/proc.h"

enum ctl_kind {
	CTL_READY = 1,	/* child: I can work */
	CTL_GENERATION, /* to front: new keys process; fd: its tickets */
	CTL_WORKER,	/* to front: fd for jobs; to keys: fd for requests */
	CTL_STORE,	/* to front: fd for audit records */
	CTL_STOP,	/* to front: finish what is running, then end */
	CTL_KILL,	/* from front: this worker hangs */
	CTL_FETCH,	/* to fetch and store: fd to each other */
	CTL_LISTS,	/* from store: who may sign or open has changed */
	CTL_REQUESTS	/* to front: fd for requests to the store */
};

struct ctl {
	enum ctl_kind kind;
	uint32_t generation;
	uint32_t number; /* of a worker in its generation */
	uint32_t waiting;     /* CTL_GENERATION: the limits that go with it */
	uint64_t max_message;
	bool observe;
	/* copies may be kept waiting; where they are sent, "" nowhere */
	bool can_hold;
	char reinject[HOP_SPEC_MAX + 1];
	char tls_route[HOP_SPEC_MAX + 1];
	int fd; /* -1 none; owned by the receiver */
};

/* fd of m stays the caller's. FAIL_TEMP. */
int ctl_send(int sock, const struct ctl *m, struct err *e) MUST_CHECK;
/* 1 got one, 0 the other end is gone, -1 FAIL_TEMP or FAIL_BUG. */
int ctl_recv(int sock, struct ctl *m, struct err *e) MUST_CHECK;

#endif
