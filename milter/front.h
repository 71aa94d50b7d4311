/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the front's threads share, and the callbacks of libmilter: they copy
 * arguments into the transaction and return. No policy here.
 */
#ifndef MILTER_FRONT_H
#define MILTER_FRONT_H

#include <libmilter/mfapi.h>
#include <pthread.h>

#include "milter/poison.h"
#include "milter/pool.h"
#include "milter/store_client.h"
#include "milter/txn.h"
#include "milter/wire.h"

/* A socket that several threads write whole messages to; -1 when gone. */
struct front_sock {
	pthread_mutex_t lock;
	int fd;
};

struct front {
	struct pool *pool;
	struct poison *poison;
	struct stats *stats;
	pthread_mutex_t stats_lock; /* of the table of replies */
	struct front_sock store;
	struct store_client requests; /* to the store */
	atomic_int finishing; /* messages between their end and the answer */
	struct front_sock parent;
	int64_t deadline_ms; /* from the end of a message to its answer */
	int64_t progress_ms;
	bool observe; /* while there is no generation yet */
	struct pool_copies copies; /* likewise */
};

/* FAIL_TEMP. parent is the control socket. */
int front_init(struct front *f, struct stats *st, int parent, struct err *e)
    MUST_CHECK;
/* The description for smfi_register; callbacks reach f through it, so there
 * is one front in a process. */
void front_describe(struct front *f, struct smfiDesc *d);
void front_set_store(struct front *f, int take_fd);

/*
 * One message through a worker (job.c): ticket, job, answer. Always gives an
 * answer; a worker's death or silence is a 451, the second time on the same
 * octets it is final. tick is called about every progress_ms.
 */
void front_run(struct front *f, const struct envelope *env, struct txn *t,
    void (*tick)(void *arg), void *arg, struct answer *a);
/* What became of it, for log, audit and metrics. start_us: of clock_us(). */
void front_report(struct front *f, const struct envelope *env,
    const struct answer *a, int64_t start_us);

#endif
