/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Asking directories for certificates that the keystore has not. The gateway
 * knows no network: in the milter a worker asks the fetch process, in the
 * command and in tests a finder is called directly.
 */
#ifndef GATEWAY_LOOKUP_H
#define GATEWAY_LOOKUP_H

#include "fetch/find.h"

struct lookup_ops {
	void *ctx;
	/* As finder_find(), the time limit being the other side's. */
	int (*find)(void *ctx, const struct addr *a, struct found_certs *out,
	    struct err *e);
};

/* Those of a finder in this process. */
struct lookup_ops lookup_direct(struct finder *f);

#endif
