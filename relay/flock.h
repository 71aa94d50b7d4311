/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A flock: one configuration's processes, which start together and end
 * together. A reload, or a death among them, starts the next flock; the old
 * one takes no more connections and goes when its last one has ended.
 */
#ifndef RELAY_FLOCK_H
#define RELAY_FLOCK_H

#include "relay/places.h"

struct flock_member {
	pid_t pid; /* 0: not there */
	int ctl;   /* -1: closed */
	bool is_ready;
	char what[8];
};

/* keys, policy, auth, exec, metrics, then the workers */
#define FLOCK_SERVICES 5

struct relay_flock {
	struct relay_flock *next;
	uint32_t id;
	struct relay_config *config; /* owned */
	struct ids ids;		     /* of its user */
	struct flock_member m[FLOCK_SERVICES + RELAY_WORKERS_MAX];
	size_t n;
	bool is_retired;
	int64_t kill_at_ms;
};

/* What all of them share. */
struct flock_common {
	struct relay_stats *stats;
	struct ledger *ledger;
	const struct places *places;
	unsigned char secret[32];
};

/* Fork all; takes config. FAIL_TEMP, FAIL_CONFIG: *out is then what is left,
 * killed and to be reaped, or NULL. */
int flock_start(struct relay_flock **out, struct relay_config *take_config,
    struct flock_common *c, struct err *e) MUST_CHECK;
bool flock_is_ready(const struct relay_flock *f);
bool flock_is_gone(const struct relay_flock *f);
/* No more connections; who is left in time is killed. */
void flock_retire(struct relay_flock *f, int64_t within_ms);
void flock_kill(const struct relay_flock *f);
/* A process was reaped: was it one of them? */
struct flock_member *flock_find(struct relay_flock *f, pid_t pid);
void flock_gone(struct flock_member *m);
void flock_free(struct relay_flock **f);

#endif
