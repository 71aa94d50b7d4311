/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The front's workers: who is idle, who waits, which generation is current.
 * All functions may be called by any thread.
 */
#ifndef MILTER_POOL_H
#define MILTER_POOL_H

#include "milter/stats.h"
#include "smtp/hop.h"
#include "util/err.h"

struct pool;

/* The keys process of a generation, as the front sees it. Counted: its
 * workers hold it. */
struct pool_gen {
	uint32_t id;
	int tickets; /* socket to keys */
	uint64_t max_message;
	int waiting; /* limit */
	int refs;
	bool observe; /* the milter leaves messages as they are */
	bool can_hold;
	char reinject[HOP_SPEC_MAX + 1]; /* copies go there; "" nowhere */
	char tls_route[HOP_SPEC_MAX + 1]; /* those by verified hops alone */
};

struct pool_worker {
	int fd; /* for jobs */
	uint32_t number;
	struct pool_gen *gen;
	struct pool_worker *next; /* while idle */
};

/* st may be NULL. FAIL_TEMP. */
int pool_new(struct pool **out, struct stats *st, struct err *e) MUST_CHECK;
void pool_free(struct pool **p); /* nobody uses it any more */

/*
 * A new generation becomes current: idle workers of the old one are let go
 * (their sockets closed), busy ones after their job. Takes the socket, also
 * on failure. FAIL_TEMP.
 */
int pool_generation(struct pool *p, const struct pool_gen *g, struct err *e)
    MUST_CHECK;
/* A worker for a generation; takes fd. One of an old generation is let go. */
int pool_add(struct pool *p, uint32_t generation, uint32_t number,
    int take_fd, struct err *e) MUST_CHECK;

/* Octets that a message may have now. */
uint64_t pool_max_message(struct pool *p);
/* What may be done with copies now. */
struct pool_copies {
	bool can_hold;
	char reinject[HOP_SPEC_MAX + 1];
	char tls_route[HOP_SPEC_MAX + 1];
};
/* Without a generation: as otherwise says. */
void pool_copies(struct pool *p, const struct pool_copies *otherwise,
    struct pool_copies *out);
/* Are messages only observed now? Without a generation: as otherwise says. */
bool pool_observes(struct pool *p, bool otherwise);

/*
 * An idle worker for this thread alone. Waits; every tick_ms it calls tick
 * (which may talk to the MTA), and gives up at until_ms (clock_ms).
 * 0, or -1: FAIL_LIMIT (too many wait already), FAIL_TEMP (time is up).
 */
struct pool_wait {
	int64_t until_ms;
	int64_t tick_ms;
	void (*tick)(void *arg);
	void *arg;
};
int pool_take(struct pool *p, const struct pool_wait *w,
    struct pool_worker **out, struct err *e) MUST_CHECK;
/* Does anybody wait for a worker? */
bool pool_is_wanted(struct pool *p);
/* To the one who waits longest, or back to the idle ones. */
void pool_give(struct pool *p, struct pool_worker **w);
/* It is dead, or must not be used again: close its socket. */
void pool_drop(struct pool *p, struct pool_worker **w);

/* Wait until no worker is busy or time is up; true when none is. */
bool pool_idle(struct pool *p, int64_t until_ms);

#endif
