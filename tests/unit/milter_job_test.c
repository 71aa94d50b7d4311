/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One message through a worker, as the front sees it: workers here are
 * threads that die, hang or lie.
 */
#include "milter/front.h"

#include "gateway_world.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "milter/child.h"
#include "util/clock.h"
#include "milter/ctl.h"
#include "milter/parcel.h"
#include "milter/ticket.h"
#include "util/log.h"

enum behaviour {
	GOOD,	 /* passes it untouched */
	DIES,	 /* takes the job and closes */
	HANGS,	 /* takes the job and says nothing */
	BABBLES, /* answers with nonsense */
	NO_BODY, /* announces a body and sends none */
	EXTRA_BODY, /* sends a body that was not announced */
	BY_TLS	 /* has a copy sent by tls-route, and nobody here */
};

static struct front front;
static struct stats stats;
static int parent[2], tickets[2];
static struct txn txn;
static struct envelope env;
static struct answer answer;
static int ticks;
static atomic_int last_kind; /* enum job_kind of the last job */

struct fake {
	pthread_t thread;
	int sock;
	enum behaviour how;
};

static void tick(void *arg)
{
	(void)arg;
	ticks++;
}

static void add_copy(struct verdict *v)
{
	v->action = ACT_SPLIT;
	v->copy = calloc(1, sizeof(*v->copy));
	v->rcpt = calloc(1, sizeof(*v->rcpt));
	if (v->copy == NULL || v->rcpt == NULL ||
	    spool_new(&v->copies, 10, NULL) != 0 ||
	    spool_write(v->copies, "x\r\n", 3, NULL) != 0)
		abort();
	v->copy[0] = (struct copy){ COPY_SENT, 1, 0, 3, true, true };
	v->copy_n = v->rcpts = 1;
	v->rcpt[0].group = 1;
}

static void answer_job(struct fake *f, const struct job *j)
{
	int fd = -1, fds[1];
	struct verdict v;
	struct buf b;

	verdict_init(&v);
	v.direction = DIR_INBOUND;
	v.action = j->kind == JOB_POISONED || f->how == NO_BODY ?
	    ACT_REPLACED : ACT_UNCHANGED;
	if (v.action == ACT_REPLACED &&
	    verdict_insert(&v, "A", " poisoned", NULL) != 0)
		abort();
	if (f->how == BY_TLS)
		add_copy(&v);
	if (f->how == NO_BODY && spool_new(&v.body, 10, NULL) != 0)
		abort();
	buf_init(&b, CAP_IPC);
	if (parcel_put(&b, v.copies, &fd, NULL) != 0)
		abort();
	if (f->how == BABBLES)
		buf_puts(&b, "nonsense");
	else
		wire_put_answer(&b, &v, NULL);
	if (f->how == EXTRA_BODY)
		fd = open("/dev/zero", 0);
	fds[0] = fd;
	(void)!ipc_send(f->sock, buf_view(&b), fds, fd >= 0, NULL);
	if (fd >= 0)
		close(fd);
	buf_free(&b);
	verdict_free(&v);
}

static void *work(void *arg)
{
	struct fake *f = arg;
	struct buf in;
	struct view payload;
	struct spool *msg;
	int fds[IPC_FDS];
	struct job j;

	buf_init(&in, CAP_IPC);
	while (ipc_recv(f->sock, &in, fds, NULL) == 1) {
		if (parcel_get(buf_view(&in), fds, &payload, &msg, NULL) != 0)
			abort();
		spool_free(&msg);
		if (wire_get_job(&j, payload, NULL) != 0)
			break;
		atomic_store(&last_kind, (int)j.kind);
		if (f->how == DIES) {
			job_free(&j);
			break;
		}
		if (f->how != HANGS)
			answer_job(f, &j);
		job_free(&j);
	}
	buf_free(&in);
	close(f->sock);
	return NULL;
}

static void start(struct fake *f, uint32_t number, enum behaviour how)
{
	int s[2];

	assert_int_equal(child_pair(SOCK_STREAM, s, NULL), 0);
	f->sock = s[1];
	f->how = how;
	assert_int_equal(pthread_create(&f->thread, NULL, work, f), 0);
	assert_int_equal(pool_add(front.pool, 1, number, s[0], NULL), 0);
}

static void end(struct fake *f)
{
	(void)shutdown(f->sock, SHUT_RDWR);
	assert_int_equal(pthread_join(f->thread, NULL), 0);
}

static void message(const char *text)
{
	char from[] = "<alice@a.example>";
	char *argv[] = { from, NULL };

	txn_begin(&txn, argv, 100000);
	txn_add_rcpt(&txn, "<bob@b.example>");
	txn_put_body(&txn, text, strlen(text));
	txn_envelope(&txn, "testid", NULL, &env);
}

static int setup(void **state)
{
	struct pool_gen g = { .id = 1, .max_message = 1000, .waiting = 1 };

	(void)state;
	log_init("milter_job", LOG_L_ERR + 1, 0); /* deaths are expected */
	memset(&stats, 0, sizeof(stats));
	memset(&txn, 0, sizeof(txn));
	ticks = 0;
	assert_int_equal(child_pair(SOCK_STREAM, parent, NULL), 0);
	assert_int_equal(child_pair(SOCK_SEQPACKET, tickets, NULL), 0);
	assert_int_equal(front_init(&front, &stats, parent[0], NULL), 0);
	front.deadline_ms = 60000;
	front.progress_ms = 60000;
	g.tickets = tickets[0];
	assert_int_equal(pool_generation(front.pool, &g, NULL), 0);
	answer_init(&answer);
	message("a message\r\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	answer_free(&answer);
	txn_reset(&txn);
	pool_free(&front.pool);
	poison_free(&front.poison);
	close(parent[0]);
	close(parent[1]);
	close(tickets[1]);
	return 0;
}

static void run(void)
{
	front_run(&front, &env, &txn, tick, NULL, &answer);
}

/* Did the front ask the parent to kill this worker? */
static bool was_reported(uint32_t number)
{
	struct ctl m;

	if (recv(parent[1], &m, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
		return false;
	assert_int_equal(ctl_recv(parent[1], &m, NULL), 1);
	return m.kind == CTL_KILL && m.number == number;
}

static void expect_deferred(const char *enhanced)
{
	assert_int_equal(answer.action, ACT_DEFERRED);
	assert_int_equal(answer.code, 451);
	assert_string_equal(answer.enhanced, enhanced);
	assert_null(answer.body);
	assert_int_equal(answer.edits, 0);
}

static void empty_pool(void)
{
	struct pool_wait now = { 0, 1, tick, NULL };
	struct pool_worker *w;

	while (pool_take(front.pool, &now, &w, NULL) == 0)
		pool_drop(front.pool, &w);
}

static void death_costs_a_451_and_the_second_is_final(void **state)
{
	struct fake f[3];

	(void)state;
	start(&f[0], 1, DIES);
	run();
	expect_deferred("4.3.0");
	assert_int_equal(atomic_load(&stats.worker_deaths), 1);
	end(&f[0]);
	/* another message is no reason for anything */
	start(&f[1], 2, GOOD);
	message("another\r\n");
	run();
	assert_int_equal(answer.action, ACT_UNCHANGED);
	end(&f[1]);
	(void)was_reported(0);
	message("a message\r\n");
	empty_pool();
	start(&f[2], 4, GOOD);	/* for the poisoned job */
	start(&f[0], 3, DIES);	/* taken first: the last one added */
	run();
	assert_int_equal(atomic_load(&stats.worker_deaths), 2);
	assert_int_equal(atomic_load(&stats.poisoned), 1);
	assert_int_equal(atomic_load(&last_kind), JOB_POISONED);
	assert_int_equal(answer.action, ACT_REPLACED);
	/* the third time nobody dies any more */
	run();
	assert_int_equal(atomic_load(&stats.worker_deaths), 2);
	assert_int_equal(atomic_load(&last_kind), JOB_POISONED);
	end(&f[0]);
	end(&f[2]);
}

static void M13_worker_that_hangs(void **state)
{
	struct fake f;

	(void)state;
	start(&f, 9, HANGS);
	front.deadline_ms = 2000;
	front.progress_ms = 20;
	run();
	expect_deferred("4.3.0");
	assert_true(ticks >= 2);
	assert_int_equal(atomic_load(&stats.worker_timeouts), 1);
	assert_true(was_reported(9));
	end(&f);
}

static void worker_that_talks_nonsense(void **state)
{
	static const enum behaviour how[] = { BABBLES, NO_BODY, EXTRA_BODY };
	uint32_t i;

	for (i = 0; i < 3; i++) {
		struct fake f;

		start(&f, i + 1, how[i]);
		run();
		expect_deferred("4.3.0");
		assert_true(was_reported(i + 1));
		end(&f);
		teardown(state);
		setup(state);
	}
}

/* attack T56: a worker that was taken over has copies sent by a route that
 * there is none of
 * verdict: it is ended; with one they are believed */
static void T56_copies_by_a_route_that_there_is(void **state)
{
	struct fake f;

	env.can_split = true;
	start(&f, 1, BY_TLS);
	run();
	expect_deferred("4.3.0");
	assert_true(was_reported(1));
	end(&f);
	teardown(state);
	setup(state);
	env.can_split = false;
	env.can_tls = true;
	start(&f, 1, BY_TLS);
	run();
	assert_int_equal(answer.action, ACT_SPLIT);
	assert_int_equal(answer.here, 0);
	assert_true(answer.copies == 1 && answer.copy[0].copy.by_tls);
	end(&f);
}

/* It was dead before: that is no fault of the message. */
static void idle_worker_that_died_is_passed_over(void **state)
{
	struct fake good;
	int s[2];

	(void)state;
	start(&good, 1, GOOD);
	assert_int_equal(child_pair(SOCK_STREAM, s, NULL), 0);
	close(s[1]);
	assert_int_equal(pool_add(front.pool, 1, 2, s[0], NULL), 0);
	run();
	assert_int_equal(answer.action, ACT_UNCHANGED);
	assert_int_equal(atomic_load(&stats.worker_deaths), 0);
	end(&good);
}

static void M45_overload_is_a_451_4_3_2(void **state)
{
	struct pool_gen g = { .id = 2, .waiting = 0 };
	int s[2];

	(void)state;
	assert_int_equal(child_pair(SOCK_SEQPACKET, s, NULL), 0);
	g.tickets = s[0];
	assert_int_equal(pool_generation(front.pool, &g, NULL), 0);
	run();
	expect_deferred("4.3.2");
	close(s[1]);
}

static void no_worker_at_all(void **state)
{
	(void)state;
	front.deadline_ms = 100;
	run();
	expect_deferred("4.3.0");
	assert_int_equal(atomic_load(&stats.worker_deaths), 0);
}

static void A35_ticket_is_there_before_the_job_and_gone_after(void **state)
{
	unsigned char p[TICKET_PACKET];
	struct tickets *t;
	struct fake f;
	ssize_t n;
	int kinds[8], k = 0;

	(void)state;
	start(&f, 5, GOOD);
	run();
	assert_int_equal(tickets_new(&t, NULL), 0);
	while ((n = recv(tickets[1], p, sizeof(p), MSG_DONTWAIT)) > 0) {
		assert_true(k < 8);
		kinds[k++] = p[0];
		tickets_packet(t, view_make(p, (size_t)n), 1);
		if (k == 1) /* worker number after kind and id */
			assert_int_equal(p[20], 5);
	}
	assert_int_equal(k, 2); /* open with recipients, close */
	assert_int_equal(kinds[0], 1);
	assert_int_equal(kinds[1], 3);
	assert_int_equal(tickets_alive(t), 0);
	tickets_free(&t);
	end(&f);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(death_costs_a_451_and_the_second_is_final),
		T(M13_worker_that_hangs),
		T(worker_that_talks_nonsense),
		T(T56_copies_by_a_route_that_there_is),
		T(idle_worker_that_died_is_passed_over),
		T(M45_overload_is_a_451_4_3_2),
		T(no_worker_at_all),
		T(A35_ticket_is_there_before_the_job_and_gone_after),
	};

	return cmocka_run_group_tests_name("milter_job", tests, NULL, NULL);
}
