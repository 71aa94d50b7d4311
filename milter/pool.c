/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Idle workers are a stack: the one that worked last has warm caches.
 */
#include "milter/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/caps.h"

/*
 * A thread that waits for a worker: served in the order of coming. It is
 * woken after the lock is given up, else it would wake to wait for the lock;
 * so its memory must last longer than its waiting, and goes to the spare
 * ones. Who is woken for nothing waits on.
 */
struct waiter {
	pthread_cond_t served;
	struct pool_worker *got;
	struct waiter *next; /* in line, or spare */
};

struct pool {
	pthread_mutex_t lock;
	pthread_condattr_t clock;
	struct pool_worker *idle;
	struct waiter *first, *last, *spare;
	struct pool_gen *current; /* NULL before the first */
	int busy;
	int waiting;
	struct stats *stats;
};

int pool_new(struct pool **out, struct stats *st, struct err *e)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	(*out)->stats = st;
	(void)pthread_mutex_init(&(*out)->lock, NULL);
	(void)pthread_condattr_init(&(*out)->clock);
	(void)pthread_condattr_setclock(&(*out)->clock, CLOCK_MONOTONIC);
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

static struct waiter *new_waiter(struct pool *p)
{
	struct waiter *x = p->spare;

	if (x != NULL) {
		p->spare = x->next;
	} else {
		x = malloc(sizeof(*x));
		if (x == NULL)
			return NULL;
		(void)pthread_cond_init(&x->served, &p->clock);
	}
	x->got = NULL;
	x->next = NULL;
	return x;
}

static void free_spare(struct pool *p)
{
	struct waiter *x;

	while ((x = p->spare) != NULL) {
		p->spare = x->next;
		(void)pthread_cond_destroy(&x->served);
		free(x);
	}
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
	free_spare(*p);
	(void)pthread_condattr_destroy(&(*p)->clock);
	(void)pthread_mutex_destroy(&(*p)->lock);
	free(*p);
	*p = NULL;
}

/* To the one that waits longest, who is then to be woken, or to the idle
 * ones. */
static struct waiter *hand_on(struct pool *p, struct pool_worker *w)
{
	struct waiter *x = p->first;

	if (x == NULL) {
		w->next = p->idle;
		p->idle = w;
		return NULL;
	}
	p->first = x->next;
	if (p->first == NULL)
		p->last = NULL;
	w->next = NULL;
	x->got = w;
	return x;
}

static void unlock_and_wake(struct pool *p, struct waiter *x)
{
	(void)pthread_mutex_unlock(&p->lock);
	if (x != NULL)
		(void)pthread_cond_signal(&x->served);
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
	struct waiter *wake = NULL;

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
		wake = hand_on(p, w);
		if (p->stats != NULL)
			atomic_fetch_add(&p->stats->workers, 1);
	}
	unlock_and_wake(p, wake);
	return 0;
}

bool pool_observes(struct pool *p, bool otherwise)
{
	bool is;

	(void)pthread_mutex_lock(&p->lock);
	is = p->current == NULL ? otherwise : p->current->observe;
	(void)pthread_mutex_unlock(&p->lock);
	return is;
}

void pool_copies(struct pool *p, const struct pool_copies *otherwise,
    struct pool_copies *out)
{
	*out = *otherwise;
	(void)pthread_mutex_lock(&p->lock);
	if (p->current != NULL) {
		out->can_hold = p->current->can_hold;
		memcpy(out->reinject, p->current->reinject,
		    sizeof(out->reinject));
		memcpy(out->tls_route, p->current->tls_route,
		    sizeof(out->tls_route));
	}
	(void)pthread_mutex_unlock(&p->lock);
}

uint64_t pool_max_message(struct pool *p)
{
	uint64_t n;

	(void)pthread_mutex_lock(&p->lock);
	n = p->current == NULL ? CAP_MESSAGE_DEFAULT : p->current->max_message;
	(void)pthread_mutex_unlock(&p->lock);
	return n;
}

static void wait_until(struct pool *p, struct waiter *x, int64_t ms)
{
	struct timespec t;

	t.tv_sec = (time_t)(ms / 1000);
	t.tv_nsec = (long)(ms % 1000) * 1000000;
	(void)pthread_cond_timedwait(&x->served, &p->lock, &t);
}

static void count_waiting(struct pool *p, int change)
{
	p->waiting += change;
	if (p->stats != NULL)
		atomic_store(&p->stats->waiting, p->waiting);
}

static void append(struct pool *p, struct waiter *x)
{
	if (p->last == NULL)
		p->first = x;
	else
		p->last->next = x;
	p->last = x;
	count_waiting(p, 1);
}

/* Gives up: no longer one of those who wait. */
static void leave(struct pool *p, const struct waiter *x)
{
	struct waiter **at = &p->first, *before = NULL;

	while (*at != NULL && *at != x) {
		before = *at;
		at = &before->next;
	}
	if (*at == NULL)
		return;
	*at = x->next;
	if (p->last == x)
		p->last = before;
}

/* Under the lock, which is released while ticking. */
static int wait_for(struct pool *p, const struct pool_wait *w,
    struct waiter *x, struct err *e)
{
	int64_t next_tick = clock_ms() + w->tick_ms, now;

	while (x->got == NULL) {
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
		wait_until(p, x, next_tick < w->until_ms ? next_tick :
		    w->until_ms);
	}
	return 0;
}

static int wait_in_line(struct pool *p, const struct pool_wait *w,
    struct pool_worker **out, struct err *e)
{
	struct waiter *x;
	int rc;

	if (p->current != NULL && p->waiting >= p->current->waiting)
		return err_set(e, FAIL_LIMIT, "%d messages wait already",
		    p->waiting);
	x = new_waiter(p);
	if (x == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	append(p, x);
	rc = wait_for(p, w, x, e);
	leave(p, x);
	count_waiting(p, -1);
	*out = x->got;
	x->next = p->spare;
	p->spare = x;
	return rc;
}

int pool_take(struct pool *p, const struct pool_wait *w,
    struct pool_worker **out, struct err *e)
{
	int rc = 0;

	(void)pthread_mutex_lock(&p->lock);
	*out = p->idle;
	if (*out != NULL)
		p->idle = (*out)->next;
	else
		rc = wait_in_line(p, w, out, e);
	if (rc == 0) {
		(*out)->next = NULL;
		p->busy++;
		if (p->stats != NULL)
			atomic_store(&p->stats->busy, p->busy);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return rc;
}

bool pool_is_wanted(struct pool *p)
{
	bool is;

	(void)pthread_mutex_lock(&p->lock);
	is = p->first != NULL;
	(void)pthread_mutex_unlock(&p->lock);
	return is;
}

static void finish(struct pool *p, struct pool_worker **w, bool usable)
{
	struct waiter *wake = NULL;

	(void)pthread_mutex_lock(&p->lock);
	p->busy--;
	if (p->stats != NULL)
		atomic_store(&p->stats->busy, p->busy);
	if (usable && (*w)->gen == p->current)
		wake = hand_on(p, *w);
	else
		let_go(p, *w);
	*w = NULL;
	unlock_and_wake(p, wake);
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
