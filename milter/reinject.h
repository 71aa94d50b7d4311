/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Copies of a message for recipients who do not get what goes on in the
 * transaction (M23): sent to the one configured address, or handed to the
 * store to be held, all of them before anything is answered (M24).
 */
#ifndef MILTER_REINJECT_H
#define MILTER_REINJECT_H

#include "milter/stats.h"
#include "milter/store_client.h"
#include "milter/txn.h"
#include "milter/wire.h"

struct reinject {
	struct store_client *store;
	struct stats *stats;
	const char *spec; /* of hop.h; "" none */
	const char *tls_spec; /* for copies that are by_tls; "" or NULL none */
	const struct envelope *env;
	const struct txn *txn;
	struct pool_wait wait; /* deadline of the message, and tick */
};

/*
 * Carry out the copies of a, an answer that answer_check() took. 0: each is
 * where it belongs, and whoever has the message by an earlier try is no
 * longer here in a (here is 0 if nobody is). -1: a has become the reply,
 * which is for good only if nobody got anything.
 */
int reinject_copies(const struct reinject *r, struct answer *a) MUST_CHECK;

#endif
