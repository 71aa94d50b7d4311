/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Opening the validating resolver library: its anchor, whom it asks, and how
 * much it remembers. Whoever asks it does the rest.
 */
#ifndef FETCH_RESOLVER_H
#define FETCH_RESOLVER_H

#include "util/buf.h"

struct ub_ctx;

struct resolver_setup {
	const char *anchor_file; /* of DNSSEC; NULL: the system's */
	const char *forward;	 /* "address@port", NULL: from the root */
	bool is_tcp;		 /* answers are large */
	const char *cache;	 /* "1m" */
};
/* FAIL_TEMP: also where no key is found, as nothing would be secure then. The
 * file is read when the first question comes. */
int resolver_open(struct ub_ctx **out, const struct resolver_setup *s,
    struct err *e) MUST_CHECK;

/* What resolver_open() would say of the anchor: FAIL_TEMP. */
int resolver_check_anchor(const char *file, struct err *e) MUST_CHECK;

/* Name services may be modules, which no sandbox lets in later: before it. */
void resolver_load_modules(void);

#endif
