/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Idle workers are a stack: the one that worked last has warm caches.
 */
#include "milter/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "milter/clock.h"
#include "util/caps.h"

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t change; /* there is an idle worker */
	struct pool_worker *idle;
	struct pool_gen *current; /* NULL before the first */
	int busy;
	int waiting;
	struct stats *stats;
};

int pool_new(struct pool **out, struct stats *st, struct err *e)
{
	pthread_condattr_t attr;

	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	(*out)->stats = st;
	(void)pthread_mutex_init(&(*out)->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&(*out)->change, &attr);
	(void)pthread_condattr_destroy(&attr);
	return 0;
}

static void gen_release(struct pool_gen **g)
{
	if (*g != NULL && --(*g)->refs == 0) {
		close((*g)->tickets);
		free(*g);
	}
	*g = NULL;
}

static void let_go(struct pool *p, struct pool_worker *w)
{
	close(w->fd);
	gen_release(&w->gen);
	free(w);
	if (p->stats != NULL)
		atomic_fetch_sub(&p->stats->workers, 1);
}

static void drop_idle(struct pool *p)
{
	struct pool_worker *w;

	while ((w = p->idle) != NULL) {
		p->idle = w->next;
		let_go(p, w);
	}
}

void pool_free(struct pool **p)
{
	if (*p == NULL)
		return;
	drop_idle(*p);
	gen_release(&(*p)->current);
	(void)pthread_cond_destroy(&(*p)->change);
	(void)pthread_mutex_destroy(&(*p)->lock);
	free(*p);
	*p = NULL;
}

int pool_generation(struct pool *p, const struct pool_gen *g, struct err *e)
{
	struct pool_gen *own = malloc(sizeof(*own));

	if (own == NULL) {
		close(g->tickets);
		return err_set(e, FAIL_TEMP, "out of memory");
	}
	*own = *g;
	own->refs = 1;
	(void)pthread_mutex_lock(&p->lock);
	drop_idle(p);
	gen_release(&p->current);
	p->current = own;
	(void)pthread_mutex_unlock(&p->lock);
	return 0;
}

int pool_add(struct pool *p, uint32_t generation, uint32_t number,
    int take_fd, struct err *e)
{
	struct pool_worker *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		close(take_fd);
		return err_set(e, FAIL_TEMP, "out of memory");
	}
	(void)pthread_mutex_lock(&p->lock);
	if (p->current == NULL || p->current->id != generation) {
		close(take_fd);
		free(w);
	} else {
		w->fd = take_fd;
		w->number = number;
		w->gen = p->current;
		w->gen->refs++;
		w->next = p->idle;
		p->idle = w;
		if (p->stats != NULL)
			atomic_fetch_add(&p->stats->workers, 1);
		(void)pthread_cond_broadcast(&p->change);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return 0;
}

uint64_t pool_max_message(struct pool *p)
{
	uint64_t n;

	(void)pthread_mutex_lock(&p->lock);
	n = p->current == NULL ? CAP_MESSAGE_DEFAULT : p->current->max_message;
	(void)pthread_mutex_unlock(&p->lock);
	return n;
}

static void wait_until(struct pool *p, int64_t ms)
{
	struct timespec t;

	t.tv_sec = (time_t)(ms / 1000);
	t.tv_nsec = (long)(ms % 1000) * 1000000;
	(void)pthread_cond_timedwait(&p->change, &p->lock, &t);
}

static void count_waiting(struct pool *p, int change)
{
	p->waiting += change;
	if (p->stats != NULL)
		atomic_store(&p->stats->waiting, p->waiting);
}

/* Under the lock, which is released while ticking. */
static int wait_for_idle(struct pool *p, const struct pool_wait *w,
    struct err *e)
{
	int64_t next_tick = clock_ms() + w->tick_ms, now;

	while (p->idle == NULL) {
		now = clock_ms();
		if (now >= w->until_ms)
			return err_set(e, FAIL_TEMP, "no worker became idle "
			    "in time");
		if (now >= next_tick) {
			(void)pthread_mutex_unlock(&p->lock);
			w->tick(w->arg);
			(void)pthread_mutex_lock(&p->lock);
			next_tick = now + w->tick_ms;
			continue;
		}
		wait_until(p, next_tick < w->until_ms ? next_tick :
		    w->until_ms);
	}
	return 0;
}

int pool_take(struct pool *p, const struct pool_wait *w,
    struct pool_worker **out, struct err *e)
{
	int rc = 0;

	*out = NULL;
	(void)pthread_mutex_lock(&p->lock);
	if (p->idle == NULL) {
		if (p->current != NULL &&
		    p->waiting >= p->current->waiting) {
			rc = err_set(e, FAIL_LIMIT, "%d messages wait "
			    "already", p->waiting);
			goto out;
		}
		count_waiting(p, 1);
		rc = wait_for_idle(p, w, e);
		count_waiting(p, -1);
		if (rc != 0)
			goto out;
	}
	*out = p->idle;
	p->idle = (*out)->next;
	(*out)->next = NULL;
	p->busy++;
	if (p->stats != NULL)
		atomic_store(&p->stats->busy, p->busy);
out:
	(void)pthread_mutex_unlock(&p->lock);
	return rc;
}

static void finish(struct pool *p, struct pool_worker **w, bool usable)
{
	(void)pthread_mutex_lock(&p->lock);
	p->busy--;
	if (p->stats != NULL)
		atomic_store(&p->stats->busy, p->busy);
	if (usable && (*w)->gen == p->current) {
		(*w)->next = p->idle;
		p->idle = *w;
	} else {
		let_go(p, *w);
	}
	*w = NULL;
	(void)pthread_cond_signal(&p->change);
	(void)pthread_mutex_unlock(&p->lock);
}

void pool_give(struct pool *p, struct pool_worker **w)
{
	finish(p, w, true);
}

void pool_drop(struct pool *p, struct pool_worker **w)
{
	finish(p, w, false);
}

bool pool_idle(struct pool *p, int64_t until_ms)
{
	const struct timespec pause = { 0, 20000000 };
	bool idle;

	for (;;) {
		(void)pthread_mutex_lock(&p->lock);
		idle = p->busy == 0 && p->waiting == 0;
		(void)pthread_mutex_unlock(&p->lock);
		if (idle || clock_ms() >= until_ms)
			return idle;
		(void)nanosleep(&pause, NULL);
	}
}
