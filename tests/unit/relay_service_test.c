/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 * runner: waits
 *
 * Questions and answers between a worker and a process beside it, also when
 * one of them is broken or bad.
 */
#include "relay/service.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "relay/ask.h"
#include "util/proc.h"

/* ---- threads that cannot be had ---- */

#define NO_THREAD ((pthread_t)0xdead)

static int threads_left = -1; /* -1: as many as one likes */
static bool joined_none;

typedef int create_fn(pthread_t *t, const pthread_attr_t *a,
    void *(*f)(void *), void *arg);
typedef int join_fn(pthread_t t, void **value);

/* As glibc: what is in *t after a failure is no thread, nor NULL. */
int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *),
    void *arg)
{
	void *p = dlsym(RTLD_NEXT, "pthread_create");
	create_fn *real;

	if (threads_left == 0) {
		*t = NO_THREAD;
		return EAGAIN;
	}
	threads_left -= threads_left > 0;
	memcpy(&real, &p, sizeof(real));
	return real(t, a, f, arg);
}

int pthread_join(pthread_t t, void **value)
{
	void *p = dlsym(RTLD_NEXT, "pthread_join");
	join_fn *real;

	if (t == NO_THREAD) {
		joined_none = true;
		return ESRCH;
	}
	memcpy(&real, &p, sizeof(real));
	return real(t, value);
}

/* ---- a service and its workers ---- */

struct side {
	struct service s;
	int sock[2];
	pthread_t thread;
	int rc, retired;
};

static _Atomic bool is_over; /* nobody asks any more */

/* "wait": never in time; "fail": a failure; else "<question>!" */
static int answer(void *arg UNUSED, struct view q, struct buf *reply,
    struct err *e)
{
	while (view_eq_str(q, "wait") && !is_over)
		(void)poll(NULL, 0, 5);
	if (view_eq_str(q, "fail"))
		return err_set(e, FAIL_POLICY, "it may not be");
	buf_putv(reply, q);
	buf_putc(reply, '!');
	return 0;
}

static void *run(void *arg)
{
	struct side *s = arg;

	s->rc = service_run(&s->s, NULL);
	return NULL;
}

static void echo(void *arg UNUSED, int fd)
{
	char c;

	while (read(fd, &c, 1) == 1)
		if (write(fd, &c, 1) != 1)
			return;
}

static void fill(struct side *s, int theirs[2], size_t n)
{
	int pair[2];
	size_t i;

	memset(s, 0, sizeof(*s));
	is_over = false;
	for (i = 0; i < n; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair),
		    0);
		s->sock[i] = pair[0];
		theirs[i] = pair[1];
	}
	s->s.sock = s->sock;
	s->s.socks = n;
	s->s.threads = 4;
	s->s.waiting = 1000;
	s->s.answer = answer;
	s->s.listen[0].fd = s->s.listen[1].fd = -1;
}

/* Workers' ends are in theirs. */
static void begin(struct side *s, int theirs[2], size_t n)
{
	fill(s, theirs, n);
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

static void on_retired(void *arg)
{
	struct side *s = arg;

	s->retired++;
}

/* One worker, and a door of its own. */
static void begin_with(struct side *s, int theirs[2], int door,
    const int *ctl)
{
	fill(s, theirs, 1);
	s->s.listen[0].fd = door;
	s->s.listen[0].threads = 3;
	s->s.listen[0].talk = echo;
	s->s.ctl = ctl;
	s->s.retired = on_retired;
	s->s.arg = s;
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

static void end(struct side *s)
{
	is_over = true;
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	assert_int_equal(s->rc, 0);
}

struct wanted {
	const char *text; /* NULL: a failure with this in it */
	const char *failure;
	int *left;
	struct event_base *base;
};

static void on_done(void *arg, const struct view *reply, const struct err *e)
{
	const struct wanted *w = arg;

	if (w->text != NULL) {
		assert_non_null(reply);
		assert_true(view_eq_str(*reply, w->text));
	} else {
		assert_null(reply);
		if (strstr(e->msg, w->failure) == NULL)
			fail_msg("wanted \"%s\", found \"%s\"", w->failure,
			    e->msg);
	}
	if (--*w->left == 0)
		event_base_loopbreak(w->base);
}

static void many_questions_are_answered_each_its_own(void **state UNUSED)
{
	struct event_base *base = event_base_new();
	int theirs[2], left = 162, i;
	struct wanted plain = { "abc!", NULL, &left, base },
		failed = { NULL, "it may not be", &left, base },
		late = { NULL, "did not answer in time", &left, base },
		never = { "never", NULL, &left, base };
	struct side s;
	struct ask *a;
	uint32_t n;

	begin(&s, theirs, 1);
	assert_int_equal(ask_new(&a, base, theirs[0], "test", NULL), 0);
	for (i = 0; i < 100; i++)
		(void)ask_send(a, view_of("abc"), 10000, on_done, &plain);
	(void)ask_send(a, view_of("fail"), 10000, on_done, &failed);
	(void)ask_send(a, view_of("wait"), 50, on_done, &late);
	n = ask_send(a, view_of("x"), 10000, on_done, &never);
	assert_int_not_equal(n, 0);
	ask_cancel(a, n);
	for (i = 0; i < 60; i++)
		(void)ask_send(a, view_of("abc"), 10000, on_done, &plain);
	event_base_dispatch(base);
	assert_int_equal(left, 0);
	assert_false(ask_is_away(a));
	ask_free(&a);
	end(&s);
	event_base_free(base);
}

static void who_is_away_is_said_to_be(void **state UNUSED)
{
	struct event_base *base = event_base_new();
	int pair[2], left = 2;
	struct wanted away = { NULL, "the test process is away", &left,
		base };
	struct ask *a;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(ask_new(&a, base, pair[1], "test", NULL), 0);
	(void)ask_send(a, view_of("abc"), 10000, on_done, &away);
	close(pair[0]);
	(void)ask_send(a, view_of("abc"), 10000, on_done, &away);
	event_base_dispatch(base);
	assert_int_equal(left, 0);
	assert_true(ask_is_away(a));
	ask_free(&a);
	event_base_free(base);
}

/* An answer that is none of ours, or too long, ends it: never a wrong one. */
static void a_broken_service_is_cut_off(void **state UNUSED)
{
	static const struct view junk[] = {
		{ (const unsigned char *)"\0\0\0\2ab", 6 },
		{ (const unsigned char *)"\xff\xff\xff\xff", 4 },
		{ (const unsigned char *)"\0\0\0\6\0\0\0\1\x77x", 10 },
		{ (const unsigned char *)"\0\0\0\6\0\0\1\1\0x", 10 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(junk); i++) {
		struct event_base *base = event_base_new();
		int pair[2], left = 1;
		struct wanted away = { NULL, "away", &left, base };
		struct ask *a;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair),
		    0);
		assert_int_equal(ask_new(&a, base, pair[1], "test", NULL), 0);
		(void)ask_send(a, view_of("abc"), 10000, on_done, &away);
		assert_int_equal(io_write_all(pair[0], junk[i].p, junk[i].n,
		    NULL), 0);
		event_base_dispatch(base);
		assert_int_equal(left, 0);
		ask_free(&a);
		close(pair[0]);
		event_base_free(base);
	}
}

/* A worker that says what cannot be understood does not disturb another. */
static void a_bad_worker_harms_itself_alone(void **state UNUSED)
{
	struct event_base *base = event_base_new();
	int theirs[2], left = 1;
	struct wanted plain = { "abc!", NULL, &left, base };
	struct side s;
	struct ask *a;

	begin(&s, theirs, 2);
	assert_int_equal(io_write_all(theirs[0], "\xff\xff\xff\xff\0", 5,
	    NULL), 0);
	assert_int_equal(ask_new(&a, base, theirs[1], "test", NULL), 0);
	(void)ask_send(a, view_of("abc"), 10000, on_done, &plain);
	event_base_dispatch(base);
	assert_int_equal(left, 0);
	ask_free(&a);
	close(theirs[0]);
	end(&s);
	event_base_free(base);
}

/* attack A73: a worker that was taken over asks what takes long, more than
 * there are threads, and reads no answer
 * verdict: the others are answered meanwhile
 */
static void A73_a_worker_that_asks_too_much_keeps_nobody_waiting(
    void **state UNUSED)
{
	struct event_base *base = event_base_new();
	int theirs[2], left = 1, i;
	struct wanted plain = { "abc!", NULL, &left, base },
		never = { "never", NULL, &left, base };
	struct side s;
	struct ask *a, *bad;

	begin(&s, theirs, 2);
	assert_int_equal(ask_new(&bad, base, theirs[0], "test", NULL), 0);
	for (i = 0; i < 100; i++)
		ask_cancel(bad, ask_send(bad, view_of("wait"), 60000,
		    on_done, &never));
	(void)poll(NULL, 0, 100); /* they are read */
	assert_int_equal(ask_new(&a, base, theirs[1], "test", NULL), 0);
	(void)ask_send(a, view_of("abc"), 20000, on_done, &plain);
	event_base_dispatch(base);
	assert_int_equal(left, 0);
	ask_free(&a);
	ask_free(&bad);
	end(&s);
	event_base_free(base);
}

/* At the system's limit: it says so, whichever thread was the last. */
static void a_thread_that_cannot_be_had_is_a_failure(void **state UNUSED)
{
	int n, pair[2];

	for (n = 0; n < 5; n++) {
		const struct service s = { .sock = &pair[0], .socks = 1,
			.threads = 4, .waiting = 10, .answer = answer,
			.listen = { { .fd = -1 }, { .fd = -1 } } };
		struct err e = { 0 };

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair),
		    0);
		threads_left = n;
		assert_int_equal(service_run(&s, &e), -1);
		threads_left = -1;
		assert_int_equal(e.kind, FAIL_TEMP);
		assert_string_equal(e.msg, "service: no thread");
		close(pair[1]);
	}
	assert_false(joined_none);
}

static int reach(const struct sockaddr_un *to)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The next configuration's process has the place now, or nobody has. */
static void who_is_retired_takes_no_more_connections(void **state UNUSED)
{
	struct sockaddr_un at = { AF_UNIX, "" };
	struct event_base *base = event_base_new();
	int theirs[2], ctl[2], left = 1, old, fd, i;
	struct wanted plain = { "abc!", NULL, &left, base };
	struct side s;
	struct ask *a;
	char c = 'x';

	(void)snprintf(at.sun_path, sizeof(at.sun_path),
	    "/tmp/relay-service-%ld", (long)getpid());
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ctl), 0);
	begin_with(&s, theirs, fd, &ctl[0]);
	old = reach(&at);
	assert_int_equal(write(old, &c, 1), 1);
	assert_int_equal(read(old, &c, 1), 1);
	close(ctl[1]);
	assert_int_equal(read(old, &c, 1), 0);
	for (i = 0; i < 600 && (fd = reach(&at)) >= 0; i++) {
		close(fd);
		(void)poll(NULL, 0, 50);
	}
	assert_int_equal(fd, -1);
	/* its workers are heard to their end */
	assert_int_equal(ask_new(&a, base, theirs[0], "test", NULL), 0);
	(void)ask_send(a, view_of("abc"), 10000, on_done, &plain);
	event_base_dispatch(base);
	assert_int_equal(left, 0);
	ask_free(&a);
	end(&s);
	assert_int_equal(s.retired, 1);
	close(old);
	close(ctl[0]);
	(void)unlink(at.sun_path);
	event_base_free(base);
}

/* Two workers, two threads of which one may have one: who had to wait for his
 * share goes on when there is room again, with nobody else to wake him. */
static void no_question_is_forgotten(void **state)
{
	enum { QUESTIONS = 300 };
	int theirs[2], fds[IPC_FDS];
	struct err e = { 0 };
	struct side s;
	struct buf b;
	size_t i, k;

	(void)state;
	fill(&s, theirs, 2);
	s.s.threads = 2;
	assert_int_equal(pthread_create(&s.thread, NULL, run, &s), 0);
	buf_init(&b, 4096);
	ipc_put_u32(&b, 1);
	buf_puts(&b, "x");
	for (i = 0; i < QUESTIONS; i++)
		for (k = 0; k < 2; k++)
			assert_int_equal(ipc_send(theirs[k], buf_view(&b),
			    NULL, 0, &e), 0);
	for (i = 0; i < QUESTIONS; i++) {
		for (k = 0; k < 2; k++) {
			buf_clear(&b);
			assert_int_equal(ipc_recv(theirs[k], &b, fds, &e), 1);
			assert_int_equal(b.n, 4 + 1 + 2);
		}
	}
	buf_free(&b);
	close(theirs[0]);
	close(theirs[1]);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_questions_are_answered_each_its_own),
		cmocka_unit_test(no_question_is_forgotten),
		cmocka_unit_test(who_is_away_is_said_to_be),
		cmocka_unit_test(a_broken_service_is_cut_off),
		cmocka_unit_test(a_bad_worker_harms_itself_alone),
		cmocka_unit_test(
		    A73_a_worker_that_asks_too_much_keeps_nobody_waiting),
		cmocka_unit_test(a_thread_that_cannot_be_had_is_a_failure),
		cmocka_unit_test(who_is_retired_takes_no_more_connections),
	};

	return cmocka_run_group_tests_name("relay_service", tests, NULL,
	    NULL);
}
