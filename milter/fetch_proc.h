/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The process that talks to the network on behalf of all others.
 */
#ifndef MILTER_FETCH_PROC_H
#define MILTER_FETCH_PROC_H

#include "fetch/find.h"
#include "gateway/config.h"
#include "milter/child.h"

struct fetch_start {
	const struct config *config;
	struct ids ids;
	int ctl;
};

/* Is there anything for it to do? Without, it is not started. */
bool fetch_is_wanted(const struct config *c);

/*
 * May: DNS, LDAP, HTTP, to whom the configuration names; hands back octets.
 * May not: mail, keys, the store, files but to read. What it hands back is
 * checked by who asked: one that was taken over can only withhold. Lookups
 * are made one after the other, in the order in which they came, each with
 * the deadline that it had when it was asked, so that nobody waits for
 * others beyond his own; a transfer goes on beside them. Ends when: the
 * parent closed ctl.
 */
void fetch_proc(const struct fetch_start *s) NORETURN;

/* Those of finder_find(), or a test's. */
struct finder_ops {
	void *ctx;
	int (*find)(void *ctx, const struct addr *a, int64_t until_ms,
	    struct found_certs *out, struct err *e);
	/* as finder_list(); another thread calls it; NULL: no lists */
	int (*list)(void *ctx, const char *directory,
	    const struct ldap_list *q, int64_t within_ms, struct buf *out,
	    struct err *e);
};

/* The loop without the process: until ctl is closed. find: NULL when there
 * are no directories. 1: a thread is still at work. FAIL_TEMP. */
int fetch_loop(const struct config *c, int ctl,
    const struct finder_ops *find, struct err *e) MUST_CHECK;

#endif
