/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A new process between fork and its work: what every one does first.
 */
#ifndef UTIL_CHILD_H
#define UTIL_CHILD_H

#include "util/proc.h"

/* Who we are to become; uid_t -1: stay. */
struct ids {
	uid_t uid;
	gid_t gid;
};
/* Those of a user; NULL: stay. FAIL_CONFIG: root without a user, where says
 * what to write ("milter { }"), or not root and another is asked for. */
int child_user(const char *user, const char *where, struct ids *out,
    struct err *e) MUST_CHECK;

struct child_start {
	const char *program; /* "postseal-milter" */
	const char *what;    /* "worker" */
	bool takes_signals;  /* else HUP, INT, TERM and USR1 are ignored */
	const int *keep;     /* descriptors that stay open, beside 0-2 */
	size_t keeps;
};
/* In the child, right after fork: own process group (signals for the
 * terminal's group are the parent's), signals, title, descriptors. */
void child_start(const struct child_start *s);

/*
 * Give up rights: user, core dumps, sandbox (a kernel without one is
 * logged), dies with the parent. Ends the process when that fails.
 */
void child_drop(const struct ids *ids);
/* Before that: dir becomes all that is seen of the file system. false: not
 * root, or it was refused, which is logged. */
bool child_chroot(const char *dir);
void child_sandbox(enum sandbox kind);

/* For a parent: HUP, INT, TERM and CHLD come by this descriptor (signalfd)
 * from now on. FAIL_TEMP. */
int child_signals(int *fd, struct err *e) MUST_CHECK;
/* The next of them, 0: none. */
int child_next_signal(int fd);

/* A pair of connected unix sockets, close-on-exec. FAIL_TEMP. */
int child_pair(int type, int sock[2], struct err *e) MUST_CHECK;

/* fork() with a stream socket between the two. Returns the pid, or 0 in the
 * child; *ctl is the caller's end. -1 FAIL_TEMP. */
pid_t child_fork(int *ctl, struct err *e);

#endif
