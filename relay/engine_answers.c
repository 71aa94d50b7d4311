/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Answers that are kept for their time, in a fixed number of places: a new
 * one takes the place of an old one. Who asks what somebody else is asking
 * waits for that answer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/engine_int.h"
#include "util/clock.h"

#define PLACES 4096
#define KEPT_MAX 16384 /* octets of one that is kept */

struct place {
	unsigned char key[32];
	int64_t until_ms;
	struct buf reply;
};

struct flight {
	struct flight *next;
	unsigned char key[32];
	bool is_done;
	int waiting; /* for it, and who makes it */
	int rc;
	struct buf reply;
};

struct answers {
	pthread_mutex_t lock;
	pthread_cond_t landed;
	struct flight *flights;
	struct place *place;
};

int answers_new(struct answers **out, struct err *e)
{
	struct answers *a = calloc(1, sizeof(*a));
	pthread_condattr_t attr;
	size_t i;

	*out = NULL;
	if (a != NULL)
		a->place = calloc(PLACES, sizeof(*a->place));
	if (a == NULL || a->place == NULL ||
	    pthread_condattr_init(&attr) != 0) {
		free(a);
		return err_set(e, FAIL_TEMP, "engine: out of memory");
	}
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_cond_init(&a->landed, &attr);
	(void)pthread_condattr_destroy(&attr);
	for (i = 0; i < PLACES; i++)
		buf_init(&a->place[i].reply, KEPT_MAX);
	*out = a;
	return 0;
}

void answers_free(struct answers **ap)
{
	struct answers *a = *ap;
	size_t i;

	if (a == NULL)
		return;
	for (i = 0; i < PLACES; i++)
		buf_free(&a->place[i].reply);
	(void)pthread_cond_destroy(&a->landed);
	(void)pthread_mutex_destroy(&a->lock);
	free(a->place);
	free(a);
	*ap = NULL;
}

static struct place *place_of(struct answers *a, const unsigned char key[32])
{
	return &a->place[((unsigned)key[0] << 8 | key[1]) % PLACES];
}

static void keep(struct answers *a, const unsigned char key[32],
    int64_t ttl_ms, const struct buf *reply)
{
	struct place *at = place_of(a, key);

	buf_free(&at->reply);
	buf_init(&at->reply, KEPT_MAX);
	buf_putv(&at->reply, buf_view(reply));
	memcpy(at->key, key, sizeof(at->key));
	at->until_ms = at->reply.failed ? 0 : clock_ms() + ttl_ms;
}

static void leave(struct flight *f)
{
	if (--f->waiting > 0)
		return;
	buf_free(&f->reply);
	free(f);
}

/* With the lock. */
static int wait_for(struct answers *a, struct flight *f, struct buf *reply)
{
	int64_t end = clock_ms() + SEEK_MS;
	const struct timespec until = { .tv_sec = end / 1000,
	    .tv_nsec = end % 1000 * 1000000 };
	int rc = -1;

	f->waiting++;
	while (!f->is_done)
		if (pthread_cond_timedwait(&a->landed, &a->lock, &until) ==
		    ETIMEDOUT)
			break;
	if (f->is_done) {
		rc = f->rc;
		buf_putv(reply, buf_view(&f->reply));
	}
	leave(f);
	return rc;
}

/* With the lock, which is given up meanwhile. */
static int fly(struct answers *a, struct flight *f, answers_make *make,
    void *arg, struct buf *reply)
{
	struct flight **link;
	int64_t ttl_s;

	f->next = a->flights;
	a->flights = f;
	(void)pthread_mutex_unlock(&a->lock);
	ttl_s = make(arg, &f->reply);
	f->rc = f->reply.failed || f->reply.n == 0 ? -1 : 0;
	(void)pthread_mutex_lock(&a->lock);
	f->is_done = true;
	for (link = &a->flights; *link != f; link = &(*link)->next)
		continue;
	*link = f->next;
	if (f->rc == 0)
		keep(a, f->key, ttl_s * 1000, &f->reply);
	buf_putv(reply, buf_view(&f->reply));
	(void)pthread_cond_broadcast(&a->landed);
	return f->rc;
}

static struct flight *find_flight(struct answers *a,
    const unsigned char key[32])
{
	struct flight *f = a->flights;

	while (f != NULL && memcmp(f->key, key, sizeof(f->key)) != 0)
		f = f->next;
	return f;
}

static int take_off(struct answers *a, const unsigned char key[32],
    answers_make *make, void *arg, struct buf *reply)
{
	struct flight *f = calloc(1, sizeof(*f));
	int rc;

	if (f == NULL)
		return -1;
	memcpy(f->key, key, sizeof(f->key));
	buf_init(&f->reply, CAP_IPC);
	f->waiting = 1;
	rc = fly(a, f, make, arg, reply);
	leave(f);
	return rc;
}

int answers_get(struct answers *a, const unsigned char key[32],
    answers_make *make, void *arg, struct buf *reply)
{
	struct place *at = place_of(a, key);
	struct flight *f;
	int rc = 0;

	(void)pthread_mutex_lock(&a->lock);
	f = find_flight(a, key);
	if (clock_ms() < at->until_ms &&
	    memcmp(at->key, key, sizeof(at->key)) == 0)
		buf_putv(reply, buf_view(&at->reply));
	else if (f != NULL)
		rc = wait_for(a, f, reply);
	else
		rc = take_off(a, key, make, arg, reply);
	(void)pthread_mutex_unlock(&a->lock);
	return rc != 0 || reply->failed ? -1 : 0;
}
