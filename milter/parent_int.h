/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the parent knows of its children. A generation is a keys process with
 * its workers: they are replaced together, because tickets, sockets and
 * configuration belong together.
 */
#ifndef MILTER_PARENT_INT_H
#define MILTER_PARENT_INT_H

#include "milter/door.h"
#include "milter/setup.h"
#include "milter/stats.h"

#define WORKERS_MAX 256

struct child {
	pid_t pid; /* 0: not running */
	int ctl;   /* -1 after it was closed */
	bool is_ready;
	int64_t born_ms;
};

struct parent_worker {
	struct child c;
	uint32_t number; /* never used twice in a generation */
	int jobs;	 /* the front's end until it has it, else -1 */
	int lookups; /* fetch's end, kept for the next one; -1: none */
	int64_t start_at_ms; /* when to start it, while pid is 0 */
};

struct generation {
	struct generation *next; /* in the list of old ones */
	uint32_t id;
	struct setup *setup; /* counted */
	struct child keys;
	int tickets; /* the front's end until it has it, else -1 */
	struct parent_worker worker[WORKERS_MAX];
	size_t workers;
	uint32_t last_number;
	bool is_live; /* the front has it */
};

struct backoff {
	int64_t delay_ms;
};

struct parent {
	const char *config_path;
	struct setup *setup; /* counted; that of the newest generation */
	struct stats *stats;
	int listen; /* -1: only doors */
	struct door_socks doors;
	int signals;
	struct child front;
	struct child store;
	/* the front's ends to the store until it has them, else -1 */
	int records, requests;
	struct child metrics;
	struct child fetch;
	struct generation *live;     /* NULL until the first is ready */
	struct generation *starting; /* NULL: none */
	struct generation *old;	     /* list; ending */
	uint32_t last_generation;
	bool has_started; /* all were ready once */
	bool wants_reload; /* told so, and not begun */
	bool is_reloading;
	bool is_stale; /* lists that keys has a copy of have changed */
	bool has_lost_socket;
	/* what is to be started again, and when; 0: nothing */
	int64_t generation_at_ms, front_at_ms, store_at_ms, metrics_at_ms,
	    fetch_at_ms;
	struct backoff generation_wait, front_wait, store_wait, metrics_wait,
	    fetch_wait, worker_wait;
};

/* ---- starting.c ---- */

void parent_log(const char *what, const struct err *e);
void close_fd(int *fd); /* and set it to -1 */
/* It was reaped. */
void child_gone(struct child *c);
/* How long to wait after a child that lived from born_ms until now. */
int64_t backoff_next(struct backoff *b, int64_t born_ms);

/* Set *at to when c, which died, may be started again. */
void again_at(int64_t *at, struct backoff *b, const struct child *c);
int start_front(struct parent *p, struct err *e) MUST_CHECK;
int start_store(struct parent *p, struct err *e) MUST_CHECK;
/* Nothing when the configuration has no metrics. */
int start_metrics(struct parent *p, struct err *e) MUST_CHECK;
/* The same for what is fetched; workers keep their sockets to it. */
int start_fetch(struct parent *p, struct err *e) MUST_CHECK;
/* Start what is due, and how long until the next one (for poll). */
void parent_start_due(struct parent *p);
int parent_next_due(const struct parent *p);

/* ---- deaths.c ---- */

/* Reap everybody. 0, or an exit code: a child died before all had started,
 * or there is no way to go on. */
int parent_reap(struct parent *p);
/* A process of an old generation, or one that we do not know. */
void on_old_death(struct parent *p, pid_t pid);

/* ---- generation.c ---- */

/* Fork with a control socket. In the child: returns 0 with *ctl its end
 * (c->pid is 0); in the parent the pid. -1 FAIL_TEMP. */
pid_t parent_fork(struct child *c, int *ctl, struct err *e);

/* Fork keys and workers; it is ready when all of them are. */
int generation_start(struct parent *p, struct setup *s, struct err *e)
    MUST_CHECK;
bool generation_is_ready(const struct generation *g);
/* Tell the front; what was live becomes old. */
int generation_go_live(struct parent *p, struct err *e) MUST_CHECK;
/* Start a worker in its place. */
int generation_worker(struct parent *p, struct generation *g,
    struct parent_worker *w, struct err *e) MUST_CHECK;
/* Hand a ready worker of the live generation to the front. */
int generation_hand_worker(struct parent *p, struct generation *g,
    struct parent_worker *w, struct err *e) MUST_CHECK;
/* Let it end: workers after their message. *g becomes NULL. */
void generation_retire(struct parent *p, struct generation **g);
/* Kill what is left of it. */
void generation_kill(const struct generation *g, int sig);
/* Forget old ones whose processes are all gone. */
void generation_sweep(struct parent *p);

#endif
