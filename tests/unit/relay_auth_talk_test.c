/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of relay/auth_talk.c: a worker's questions, with the auth process as a
 * thread behind a socket.
 */
#include "tests/unit/relay_auth.h"

#include <event2/event.h>
#include <pthread.h>
#include <sys/socket.h>

struct talk {
	struct world *w;
	int sock[2];
	struct event_base *base;
	struct ask *ask;
	struct auth_talks *talks;
	struct auth_talk *one;
	pthread_t thread;
	size_t answers, questions;
	struct auth_reply last;
	char text[1000];
	bool free_in_done;
};

static void *serve(void *arg)
{
	struct talk *t = arg;
	struct buf in, out, reply;
	int fds[IPC_FDS];
	struct err e;

	buf_init(&in, CAP_IPC);
	buf_init(&out, CAP_IPC);
	buf_init(&reply, CAP_IPC);
	while (ipc_recv(t->sock[1], &in, fds, &e) == 1) {
		t->questions++;
		if (auth_server_answer(t->w->server, view_sub(buf_view(&in),
		    4, in.n), &reply, &e) != 0)
			break;
		buf_put(&out, in.p, 4);
		buf_putc(&out, 0);
		buf_putv(&out, buf_view(&reply));
		if (ipc_send(t->sock[1], buf_view(&out), NULL, 0, &e) != 0)
			break;
		buf_clear(&in);
		buf_clear(&out);
		buf_clear(&reply);
	}
	buf_free(&in);
	buf_free(&out);
	buf_free(&reply);
	return NULL;
}

static void talk_start(struct talk *t, struct world *w)
{
	memset(t, 0, sizeof(*t));
	t->w = w;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, t->sock), 0);
	t->base = event_base_new();
	assert_int_equal(ask_new(&t->ask, t->base, t->sock[0], "auth", NULL),
	    0);
	assert_int_equal(auth_talks_new(&t->talks, t->ask, NULL), 0);
	assert_int_equal(pthread_create(&t->thread, NULL, serve, t), 0);
}

static void talk_end(struct talk *t)
{
	auth_free(&t->one);
	auth_talks_free(&t->talks);
	ask_free(&t->ask);
	(void)shutdown(t->sock[1], SHUT_RDWR);
	(void)pthread_join(t->thread, NULL);
	close(t->sock[1]);
	event_base_free(t->base);
	libevent_global_shutdown();
}

static void on_done(void *arg, const struct auth_reply *r)
{
	struct talk *t = arg;

	t->answers++;
	t->last = *r;
	(void)snprintf(t->text, sizeof(t->text), "%.*s", (int)r->text.n,
	    r->text.p == NULL ? "" : (const char *)r->text.p);
	if (t->free_in_done)
		auth_free(&t->one);
	(void)event_base_loopbreak(t->base);
}

static int talk_begin(struct talk *t, const char *mechanism,
    struct view initial, struct err *e)
{
	static const char *const ids[] = { "alice@a.example" };
	const struct auth_who who = {
		.listener = &t->w->listener[0], .client_ip = "192.0.2.1",
		.is_tls = true, .cert_identity = ids, .cert_identities = 1
	};

	auth_free(&t->one);
	return auth_begin(&t->one, t->talks, &who, mechanism, initial,
	    on_done, t, e);
}

static void worker_talks_with_the_process(void **state)
{
	const struct view none = view_make(NULL, 0);
	const struct view right = V("\0alice@a.example\0" GOOD);
	struct err e = { 0 };
	struct talk t;

	talk_start(&t, *state);
	assert_int_equal(talk_begin(&t, "PLAIN", right, NULL), 0);
	assert_int_equal(t.answers, 0); /* not from within the call */
	(void)event_base_dispatch(t.base);
	assert_int_equal(t.last.result, AUTH_YES);
	assert_string_equal(t.last.login, "alice@a.example");
	assert_int_equal(talk_begin(&t, "login", none, NULL), 0);
	(void)event_base_dispatch(t.base);
	assert_string_equal(t.text, "Username:");
	auth_go_on(t.one, view_of("alice@a.example"));
	(void)event_base_dispatch(t.base);
	assert_string_equal(t.text, "Password:");
	t.free_in_done = true;
	auth_go_on(t.one, view_of("wrong"));
	(void)event_base_dispatch(t.base);
	assert_int_equal(t.last.result, AUTH_NO);
	assert_true(t.last.delay_ms > 0);
	assert_null(t.one);
	t.free_in_done = false;
	assert_int_equal(talk_begin(&t, "EXTERNAL", view_make("", 0), NULL),
	    0);
	(void)event_base_dispatch(t.base);
	assert_int_equal(t.last.result, AUTH_YES);
	assert_int_equal(t.answers, 5);
	/* T21: 504 */
	assert_int_equal(talk_begin(&t, "CRAM-MD5", none, &e), -1);
	assert_int_equal(e.kind, FAIL_POLICY);
	assert_int_equal(talk_begin(&t, "", none, &e), -1);
	assert_int_equal(talk_begin(&t, "SCRAM-SHA-256-PLUS", none, &e), -1);
	talk_end(&t);
}

static void T21_process_away_is_454(void **state)
{
	struct talk t;

	talk_start(&t, *state);
	(void)shutdown(t.sock[1], SHUT_RDWR);
	assert_int_equal(talk_begin(&t, "PLAIN", view_of("x"), NULL), 0);
	(void)event_base_dispatch(t.base);
	assert_int_equal(t.last.result, AUTH_LATER);
	assert_int_equal(t.answers, 1);
	talk_end(&t);
}

static void talk_that_is_called_off(void **state)
{
	const struct view none = view_make(NULL, 0);
	struct talk t;
	size_t i;

	talk_start(&t, *state);
	/* each of them is over at the process, too: there are 32 at most */
	for (i = 0; i < 50; i++) {
		assert_int_equal(talk_begin(&t, "LOGIN", none, NULL), 0);
		(void)event_base_dispatch(t.base);
		assert_int_equal(t.last.result, AUTH_CHALLENGE);
		auth_free(&t.one);
	}
	assert_int_equal(t.answers, 50);
	/* while a question runs: no answer comes */
	assert_int_equal(talk_begin(&t, "LOGIN", none, NULL), 0);
	auth_free(&t.one);
	assert_int_equal(talk_begin(&t, "PLAIN", view_of("x"), NULL), 0);
	(void)event_base_dispatch(t.base);
	assert_int_equal(t.last.result, AUTH_MALFORMED);
	assert_int_equal(t.answers, 51);
	talk_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(worker_talks_with_the_process),
		IN_WORLD(T21_process_away_is_454),
		IN_WORLD(talk_that_is_called_off),
	};

	return cmocka_run_group_tests_name("relay_auth_talk", tests,
	    group_set_up, group_tear_down);
}
