/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Starting a child process: what every one of them does first.
 */
#ifndef MILTER_CHILD_H
#define MILTER_CHILD_H

#include "gateway/config.h"
#include "util/child.h"

enum role {
	ROLE_FRONT,
	ROLE_KEYS,
	ROLE_WORKER,
	ROLE_STORE,
	ROLE_METRICS,
	ROLE_FETCH
};
const char *role_str(enum role r);

/* As whom a role runs. FAIL_CONFIG: started by root without a user, or not
 * started by root and asked to become another. */
int child_ids(const struct config *c, enum role r, struct ids *out,
    struct err *e) MUST_CHECK;

/*
 * In the child, right after fork: own process group (signals for the
 * terminal's group are the parent's), HUP, INT and TERM ignored but in the
 * front, title, and every descriptor closed but 0-2 and those in keep.
 */
void child_begin(enum role r, const int *keep, size_t n);

/* Tell the parent that we can work; ends the process when it is gone. */
void child_ready(int ctl);

#endif
