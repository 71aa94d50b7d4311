/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Starting a child process: what every one of them does first.
 */
#ifndef MILTER_CHILD_H
#define MILTER_CHILD_H

#include "gateway/config.h"
#include "util/proc.h"

enum role {
	ROLE_FRONT,
	ROLE_KEYS,
	ROLE_WORKER,
	ROLE_STORE,
	ROLE_METRICS,
	ROLE_FETCH
};
const char *role_str(enum role r);

/* Who we are to become; uid_t -1: stay. */
struct ids {
	uid_t uid;
	gid_t gid;
};

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

/*
 * Give up rights: user, core dumps, sandbox (a kernel without one is
 * logged), dies with the parent. Ends the process when that fails.
 */
void child_drop(const struct ids *ids);
void child_sandbox(enum sandbox kind);

/* Tell the parent that we can work; ends the process when it is gone. */
void child_ready(int ctl);

/* A pair of connected unix sockets, close-on-exec. FAIL_TEMP. */
int child_pair(int type, int sock[2], struct err *e) MUST_CHECK;

#endif
