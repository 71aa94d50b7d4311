/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The process that looks into mail: one message at a time.
 */
#ifndef MILTER_WORKER_PROC_H
#define MILTER_WORKER_PROC_H

#include "gateway/gateway.h"
#include "milter/child.h"

/* What a worker is started with. */
struct worker_start {
	const struct config *config;
	const struct rules *rules;
	struct ids ids;
	int ctl;  /* to the parent */
	int jobs; /* to the front, SOCK_STREAM */
	int keys; /* to keys, SOCK_SEQPACKET */
	int lookups; /* to fetch, SOCK_SEQPACKET; -1: no directories */
};

/*
 * May: parse MIME and CMS, read the keystore, ask keys. May not: network,
 * processes, private keys, other tickets than its job's. Ends when: the
 * front closed jobs.
 */
void worker_proc(const struct worker_start *s) NORETURN;

/*
 * The loop without the process: jobs until end of file. 0, or -1 when the
 * front is gone or sent nonsense. g->keys is set per message.
 */
int worker_loop(struct gateway *g, int jobs, int keys, struct err *e)
    MUST_CHECK;

#endif
