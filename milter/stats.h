/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Counters in memory that the parent, the front and the metrics process
 * share; workers and keys have no mapping of it. Writing is lock-free but
 * for the table of replies, which only the front fills.
 */
#ifndef MILTER_STATS_H
#define MILTER_STATS_H

#include <stdatomic.h>

#include "util/buf.h"

#define STATS_DIRECTIONS 4 /* 0 is mixed */
#define STATS_ACTIONS 6
#define STATS_REPLIES 32
#define STATS_BUCKETS 15

struct stats_reply {
	char name[16]; /* "550 5.7.3"; written before used grows */
	atomic_uint_fast64_t n;
};

struct stats {
	atomic_uint_fast64_t messages[STATS_DIRECTIONS][STATS_ACTIONS];
	atomic_uint_fast64_t bucket[STATS_BUCKETS]; /* not cumulative */
	atomic_uint_fast64_t latency_us;
	struct stats_reply reply[STATS_REPLIES];
	atomic_uint replies;
	atomic_uint_fast64_t worker_deaths;
	atomic_uint_fast64_t worker_timeouts;
	atomic_uint_fast64_t poisoned;
	atomic_uint_fast64_t audit_lost;
	/* of copies; the last two count recipients */
	atomic_uint_fast64_t reinjected;
	atomic_uint_fast64_t held;
	atomic_uint_fast64_t copies_failed;
	atomic_uint_fast64_t journal_skipped;
	atomic_uint_fast64_t duplicates_possible;
	atomic_uint_fast64_t keys_deaths;
	atomic_uint_fast64_t front_deaths;
	atomic_uint_fast64_t reloads;
	atomic_uint_fast64_t reloads_failed;
	atomic_int workers;
	atomic_int busy;
	atomic_int waiting;
};

/* Shared with children forked later. FAIL_TEMP. */
int stats_new(struct stats **out, struct err *e) MUST_CHECK;
/* Take the mapping away from a process that has no business with it. */
void stats_drop(struct stats **s);

void stats_add(atomic_uint_fast64_t *n);
/* One message, answered after so long. */
void stats_message(struct stats *s, int direction, int action, int64_t us);
/* Front only, one thread at a time. */
void stats_reply(struct stats *s, int code, const char *enhanced);

/* Prometheus text, appended. */
void stats_print(const struct stats *s, struct buf *out);

#endif
