/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The process that writes to the store on behalf of mail.
 */
#ifndef MILTER_STORE_PROC_H
#define MILTER_STORE_PROC_H

#include "gateway/rules.h"
#include "keystore/harvest.h"
#include "milter/child.h"

struct store_start {
	const struct config *config;
	const struct rules *rules;
	struct ids ids;
	int ctl;
	int records; /* from the front, SOCK_STREAM */
	int requests; /* from the front, SOCK_SEQPACKET: store_client.h */
};

/*
 * May: add audit records and drop old ones, remember what was opened and
 * what signers' software reads, if a rule says so what certificates they
 * have, and which copies of mail were sent; keep mail that is held; read the
 * next hop's answer where the front died before it did. May not: network
 * but for that, keys; it touches no certificate that it did not bring
 * itself. Ends when: the front closed records, and it is known what became
 * of its copies.
 */
void store_proc(const struct store_start *s) NORETURN;

struct keeper; /* keeper.h */
struct store_serve;
struct store_policy {
	int64_t keep_s; /* age at which records are dropped */
	int64_t fixed_time; /* of verify-policy; 0: now */
	bool may_harvest; /* a rule says so */
	const struct harvest_policy *harvest;
	struct keeper *keeper; /* NULL: nothing is fetched */
	struct store_serve *serve; /* store_serve.h; NULL: no requests */
	const struct config *config; /* NULL: nothing is held */
};

/* The loop without the process. 0 at the end of file, -1 FAIL_BUG. */
int store_loop(struct keystore *ks, int records,
    const struct store_policy *policy, struct err *e) MUST_CHECK;

#endif
