/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The pool of workers: limits, generations, and many threads at once.
 */
#include "milter/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "milter/child.h"
#include "util/clock.h"

static struct pool *pool;
static struct stats st;
static atomic_int ticks; /* of all threads */

static void tick(void *arg)
{
	(void)arg;
	atomic_fetch_add(&ticks, 1);
}

static int setup(void **state)
{
	(void)state;
	memset(&st, 0, sizeof(st));
	atomic_store(&ticks, 0);
	return pool_new(&pool, &st, NULL);
}

static int teardown(void **state)
{
	(void)state;
	pool_free(&pool);
	return 0;
}

static int generation(uint32_t id, int waiting)
{
	struct pool_gen g = { .id = id, .max_message = 1000 + id,
		.waiting = waiting };
	int s[2];

	assert_int_equal(child_pair(SOCK_SEQPACKET, s, NULL), 0);
	g.tickets = s[0];
	assert_int_equal(pool_generation(pool, &g, NULL), 0);
	return s[1];
}

static int add(uint32_t id, uint32_t number)
{
	int s[2];

	assert_int_equal(child_pair(SOCK_STREAM, s, NULL), 0);
	assert_int_equal(pool_add(pool, id, number, s[0], NULL), 0);
	return s[1];
}

static int take(struct pool_worker **w, int64_t ms, struct err *e)
{
	struct pool_wait wait = { clock_ms() + ms, 5, tick, NULL };

	return pool_take(pool, &wait, w, e);
}

/* Has the other end of this socket been closed? */
static bool is_closed(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

static void M45_more_waiting_than_allowed(void **state)
{
	struct pool_worker *w;
	struct err e = { 0 };
	int t = generation(1, 0);

	(void)state;
	assert_int_equal(take(&w, 1000, &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	close(t);
}

static void M13_waiting_ends_and_ticks(void **state)
{
	struct pool_worker *w;
	struct err e = { 0 };
	int t = generation(1, 1);

	(void)state;
	assert_int_equal(take(&w, 1000, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	assert_true(atomic_load(&ticks) > 0);
	assert_int_equal(atomic_load(&st.waiting), 0);
	close(t);
}

static void before_the_first_generation_one_waits(void **state)
{
	struct pool_worker *w;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(pool_max_message(pool), CAP_MESSAGE_DEFAULT);
	assert_int_equal(take(&w, 10, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
}

static void give_and_take(void **state)
{
	struct pool_worker *a, *b;
	int t = generation(1, 0), s1 = add(1, 1), s2 = add(1, 2);

	(void)state;
	assert_int_equal(pool_max_message(pool), 1001);
	assert_int_equal(take(&a, 0, NULL), 0);
	assert_int_equal(take(&b, 0, NULL), 0);
	assert_int_equal(atomic_load(&st.workers), 2);
	assert_int_equal(atomic_load(&st.busy), 2);
	assert_int_not_equal(a->number, b->number);
	pool_give(pool, &a);
	assert_null(a);
	assert_false(is_closed(s1) || is_closed(s2));
	pool_drop(pool, &b);
	assert_null(b);
	assert_true(is_closed(s1) != is_closed(s2));
	assert_int_equal(atomic_load(&st.workers), 1);
	assert_int_equal(atomic_load(&st.busy), 0);
	close(s1);
	close(s2);
	close(t);
}

/* A reload: nobody is interrupted, and nothing old is used again. */
static void old_generation_ends_after_its_work(void **state)
{
	struct pool_worker *w, *n;
	int t1 = generation(1, 0), s1 = add(1, 1), s2 = add(1, 2);
	int t2, s3, late;

	(void)state;
	assert_int_equal(take(&w, 0, NULL), 0); /* number 2, the newest */
	assert_int_equal(w->number, 2);
	t2 = generation(2, 0);
	assert_true(is_closed(s1)); /* it was idle */
	assert_false(is_closed(s2));
	assert_false(is_closed(t1)); /* its tickets still have a reader */
	assert_int_equal(w->gen->id, 1);
	s3 = add(2, 1);
	late = add(1, 3); /* of the old one: not wanted */
	assert_true(is_closed(late));
	assert_int_equal(take(&n, 0, NULL), 0);
	assert_int_equal(n->gen->id, 2);
	pool_give(pool, &n);
	pool_give(pool, &w);
	assert_true(is_closed(s2));
	assert_true(is_closed(t1));
	assert_false(is_closed(s3) || is_closed(t2));
	assert_int_equal(atomic_load(&st.workers), 1);
	close(s1);
	close(s2);
	close(s3);
	close(late);
	close(t1);
	close(t2);
}

static void idle_when_all_are_back(void **state)
{
	struct pool_worker *w;
	int t = generation(1, 0), s = add(1, 1);

	(void)state;
	assert_true(pool_idle(pool, 0));
	assert_int_equal(take(&w, 0, NULL), 0);
	assert_false(pool_idle(pool, clock_ms() + 30));
	pool_give(pool, &w);
	assert_true(pool_idle(pool, 0));
	close(s);
	close(t);
}

/* ---- in line ---- */

#define LINE 5

struct waiting {
	pthread_t thread;
	int64_t ms;
	int served; /* its place, or 0 */
};

static atomic_int places;

static void *wait_in_line(void *arg)
{
	struct waiting *x = arg;
	struct pool_worker *w;

	if (take(&w, x->ms, NULL) != 0)
		return NULL;
	x->served = atomic_fetch_add(&places, 1) + 1;
	pool_give(pool, &w);
	return NULL;
}

/* They come one after the other. */
static void queue_up(struct waiting *x, size_t n)
{
	const struct timespec pause = { 0, 1000000 };
	size_t i;

	atomic_store(&places, 0);
	for (i = 0; i < n; i++) {
		assert_int_equal(pthread_create(&x[i].thread, NULL,
		    wait_in_line, &x[i]), 0);
		while (atomic_load(&st.waiting) != (int)i + 1)
			(void)nanosleep(&pause, NULL);
	}
}

static void M45_who_waits_is_served_in_order(void **state)
{
	struct waiting x[LINE];
	struct pool_worker *w;
	int t = generation(1, LINE), s = add(1, 1), i;

	(void)state;
	assert_int_equal(take(&w, 0, NULL), 0);
	assert_false(pool_is_wanted(pool));
	for (i = 0; i < LINE; i++)
		x[i] = (struct waiting){ .ms = 60000 };
	queue_up(x, LINE);
	assert_true(pool_is_wanted(pool));
	pool_give(pool, &w);
	for (i = 0; i < LINE; i++) {
		assert_int_equal(pthread_join(x[i].thread, NULL), 0);
		assert_int_equal(x[i].served, i + 1);
	}
	assert_false(pool_is_wanted(pool));
	assert_true(pool_idle(pool, 0));
	close(s);
	close(t);
}

/* The first, one in the middle and the last give up: nobody is passed over,
 * and no worker is lost. */
static void M13_who_gave_up_is_not_served(void **state)
{
	static const bool stays[LINE] = { false, true, false, true, false };
	struct waiting x[LINE];
	struct pool_worker *w;
	int t = generation(1, LINE), s = add(1, 1), place = 0, i;

	(void)state;
	assert_int_equal(take(&w, 0, NULL), 0);
	for (i = 0; i < LINE; i++)
		x[i] = (struct waiting){ .ms = stays[i] ? 60000 : 4000 };
	queue_up(x, LINE);
	for (i = 0; i < LINE; i++)
		if (!stays[i])
			assert_int_equal(pthread_join(x[i].thread, NULL), 0);
	assert_int_equal(atomic_load(&st.waiting), 2);
	pool_give(pool, &w);
	for (i = 0; i < LINE; i++) {
		if (stays[i])
			assert_int_equal(pthread_join(x[i].thread, NULL), 0);
		assert_int_equal(x[i].served, stays[i] ? ++place : 0);
	}
	assert_int_equal(take(&w, 0, NULL), 0);
	pool_give(pool, &w);
	close(s);
	close(t);
}

/* ---- many threads ---- */

#define THREADS 32
#define ROUNDS 200

static atomic_int inside[4]; /* by number of the worker */
static atomic_int overlaps;

static void *use(void *arg)
{
	struct pool_worker *w;
	int i;

	(void)arg;
	for (i = 0; i < ROUNDS; i++) {
		if (take(&w, 60000, NULL) != 0) {
			atomic_fetch_add(&overlaps, 1000);
			return NULL;
		}
		if (atomic_fetch_add(&inside[w->number], 1) != 0)
			atomic_fetch_add(&overlaps, 1);
		atomic_fetch_sub(&inside[w->number], 1);
		pool_give(pool, &w);
	}
	return NULL;
}

static void M18_a_worker_has_one_message_at_a_time(void **state)
{
	pthread_t t[THREADS];
	int g = generation(1, THREADS), s[3], i;

	(void)state;
	for (i = 0; i < 3; i++)
		s[i] = add(1, (uint32_t)i + 1);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, use, NULL), 0);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(atomic_load(&overlaps), 0);
	assert_true(pool_idle(pool, 0));
	for (i = 0; i < 3; i++)
		close(s[i]);
	close(g);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(M45_more_waiting_than_allowed),
		T(M13_waiting_ends_and_ticks),
		T(before_the_first_generation_one_waits),
		T(give_and_take),
		T(old_generation_ends_after_its_work),
		T(idle_when_all_are_back),
		T(M45_who_waits_is_served_in_order),
		T(M13_who_gave_up_is_not_served),
		T(M18_a_worker_has_one_message_at_a_time),
	};

	return cmocka_run_group_tests_name("milter_pool", tests, NULL, NULL);
}
