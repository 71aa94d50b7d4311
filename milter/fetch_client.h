/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The worker's way to directories: through the fetch process.
 */
#ifndef MILTER_FETCH_CLIENT_H
#define MILTER_FETCH_CLIENT_H

#include "gateway/lookup.h"

/* A lookup has this long, waiting for those of other workers included; the
 * worker waits a little longer for the answer. */
#define LOOKUP_MS 10000
#define LOOKUP_GRACE_MS 2000

struct fetch_client {
	int sock; /* SOCK_SEQPACKET; borrowed; -1: nobody there */
	uint32_t seq;
	int64_t lookup_ms, grace_ms;
};

void fetch_client_init(struct fetch_client *c, int sock);
/* One that is silent or gone is FAIL_TEMP, never "not found". */
struct lookup_ops fetch_client_ops(struct fetch_client *c);

#endif
