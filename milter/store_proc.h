/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The process that writes to the store on behalf of mail.
 */
#ifndef MILTER_STORE_PROC_H
#define MILTER_STORE_PROC_H

#include "gateway/config.h"
#include "keystore/keystore.h"
#include "milter/child.h"

struct store_start {
	const struct config *config;
	struct ids ids;
	int ctl;
	int records; /* from the front, SOCK_STREAM */
};

/*
 * May: add audit records and drop old ones, remember what was opened and
 * what signers' software reads. May not: network, keys; it touches no
 * certificate. Ends when: the front closed records.
 */
void store_proc(const struct store_start *s) NORETURN;

/* The loop without the process; keep_s: age at which records are dropped.
 * 0 at the end of file, -1 FAIL_BUG. */
int store_loop(struct keystore *ks, int records, int64_t keep_s,
    struct err *e) MUST_CHECK;

#endif
