/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A worker's loop with the real pipeline behind it: nonsense from the front,
 * and a message sealed with a key that only keys has.
 */
#include "milter/worker_proc.h"

#include "gateway_world.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "milter/child.h"
#include "milter/keys_serve.h"
#include "milter/wire.h"
#include "milter/parcel.h"
#include "util/log.h"

static struct world w;
static struct keys_service service;
static int jobs[2], keys[2], tickets[2];
static pthread_t worker, keyring;
static int expected_rc; /* of the loop, at the end of a test */
static atomic_int worker_rc;

static void *run_worker(void *arg)
{
	struct keystore *ks = NULL;
	struct gateway g = { w.config, w.rules, NULL, NULL, NULL };

	(void)arg;
	if (keystore_open(&ks, w.db, KS_READ, NULL) != 0)
		abort();
	g.ks = ks;
	worker_rc = worker_loop(&g, jobs[1], keys[0], NULL);
	keystore_close(&ks);
	close(jobs[1]);
	return NULL;
}

static void *run_keys(void *arg)
{
	(void)arg;
	keys_serve(&service, keys[1], 1);
	return NULL;
}

static int setup(void **state)
{
	(void)state;
	expected_rc = 0;
	log_init("milter_worker", LOG_L_ERR + 1, 0);
	world_make(&w);
	world_rules(&w, "outbound : sign\ninbound : decrypt, verify\n");
	world_person(&w, "alice@example.com", "ec:p256");
	assert_int_equal(child_pair(SOCK_STREAM, jobs, NULL), 0);
	assert_int_equal(child_pair(SOCK_SEQPACKET, keys, NULL), 0);
	assert_int_equal(child_pair(SOCK_SEQPACKET, tickets, NULL), 0);
	service.config = w.config;
	service.keyring = w.ring;
	service.ticket_sock = tickets[1];
	assert_int_equal(tickets_new(&service.tickets, NULL), 0);
	assert_int_equal(pthread_create(&keyring, NULL, run_keys, NULL), 0);
	assert_int_equal(pthread_create(&worker, NULL, run_worker, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(jobs[0]);
	assert_int_equal(pthread_join(worker, NULL), 0);
	assert_int_equal(atomic_load(&worker_rc), expected_rc);
	close(keys[0]);
	assert_int_equal(pthread_join(keyring, NULL), 0);
	close(keys[1]);
	close(tickets[0]);
	close(tickets[1]);
	tickets_free(&service.tickets);
	world_end(&w);
	return 0;
}

static const unsigned char id[WIRE_TICKET] = "a ticket's name";

/* Send a job; the answer, or -1 when the worker ended. */
static int ask(enum job_kind kind, const char *login, const char *text,
    struct answer *a)
{
	const char *rcpt[] = { "<bob@example.net>" };
	struct envelope env = { .id = "testid", .client_ip = "127.0.0.1",
		.mail_from = "<alice@example.com>", .rcpt = rcpt,
		.rcpts = 1, .now = time(NULL), .login = login,
		.auth = login == NULL ? ENV_AUTH_NONE : ENV_AUTH_LOGIN };
	int fds[IPC_FDS], fd, rc;
	struct view payload;
	struct buf b;

	world_message(&w, text);
	if (login != NULL)
		assert_int_equal(ticket_send(tickets[0], id, 1, &env, NULL),
		    0);
	buf_init(&b, CAP_IPC);
	assert_int_equal(parcel_put(&b, w.msg, &fd, NULL), 0);
	wire_put_job(&b, kind, id, &env);
	assert_int_equal(ipc_send(jobs[0], buf_view(&b), &fd, fd >= 0, NULL),
	    0);
	answer_init(a);
	rc = ipc_recv(jobs[0], &b, fds, NULL);
	if (rc == 1) {
		struct spool *body;

		assert_int_equal(parcel_get(buf_view(&b), fds, &payload,
		    &body, NULL), 0);
		assert_int_equal(wire_get_answer(a, payload, NULL), 0);
		assert_int_equal(a->has_body, body != NULL);
		a->body = body;
	}
	buf_free(&b);
	ticket_close(tickets[0], id);
	return rc == 1 ? 0 : -1;
}

static void job_without_a_message_ends_the_worker(void **state)
{
	struct envelope env = { .id = "i", .mail_from = "<>" };
	struct buf b;
	int fds[IPC_FDS], fd;

	(void)state;
	buf_init(&b, CAP_IPC);
	assert_int_equal(parcel_put(&b, NULL, &fd, NULL), 0);
	wire_put_job(&b, JOB_RUN, id, &env);
	assert_int_equal(ipc_send(jobs[0], buf_view(&b), NULL, 0, NULL), 0);
	assert_int_equal(ipc_recv(jobs[0], &b, fds, NULL), 0);
	buf_free(&b);
	expected_rc = -1;
}

static void nonsense_ends_the_worker(void **state)
{
	struct buf b;
	int fds[IPC_FDS], fd = open("/dev/null", O_RDONLY);

	(void)state;
	buf_init(&b, CAP_IPC);
	assert_int_equal(ipc_send(jobs[0], view_of("nonsense"), &fd, 1,
	    NULL), 0);
	assert_int_equal(ipc_recv(jobs[0], &b, fds, NULL), 0);
	buf_free(&b);
	close(fd);
	expected_rc = -1;
}

static const char mail[] = "From: alice@example.com\nTo: bob@example.net\n"
    "Subject: s\nDate: Sat, 21 Nov 2026 10:00:00 +0000\n"
    "Message-ID: <1@example.com>\n\nHello\n";

static void signs_through_the_socket(void **state)
{
	struct answer a;
	char text[65536];
	size_t n;

	(void)state;
	assert_int_equal(ask(JOB_RUN, "alice", mail, &a), 0);
	assert_int_equal(a.action, ACT_REPLACED);
	assert_int_equal(a.direction, DIR_OUTBOUND);
	assert_non_null(a.body);
	assert_int_equal(spool_read(a.body, 0, text, sizeof(text) - 1, &n,
	    NULL), 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "application/pkcs7-signature"));
	assert_non_null(strstr(text, "Hello"));
	answer_free(&a);
	/* the ticket is closed; a second message needs its own */
	assert_int_equal(ask(JOB_RUN, "alice", mail, &a), 0);
	assert_int_equal(a.action, ACT_REPLACED);
	answer_free(&a);
}

static void A35_other_login_is_refused(void **state)
{
	struct answer a;

	(void)state;
	assert_int_equal(ask(JOB_RUN, "mallory", mail, &a), 0);
	assert_int_equal(a.action, ACT_REJECTED);
	assert_int_equal(a.code, 550);
	assert_null(a.body);
	assert_true(a.json.n > 0);
	answer_free(&a);
}

/* A worker that claims a login without a ticket of the front gets nothing. */
static void A35_login_without_a_ticket_is_a_tempfail(void **state)
{
	struct envelope env;
	const char *rcpt[] = { "<bob@example.net>" };
	int fds[IPC_FDS], fd;
	struct view payload;
	struct spool *body;
	struct answer a;
	struct buf b;

	(void)state;
	memset(&env, 0, sizeof(env));
	env.id = "testid";
	env.mail_from = "<alice@example.com>";
	env.rcpt = rcpt;
	env.rcpts = 1;
	env.auth = ENV_AUTH_LOGIN;
	env.login = "alice";
	env.now = time(NULL);
	world_message(&w, mail);
	buf_init(&b, CAP_IPC);
	assert_int_equal(parcel_put(&b, w.msg, &fd, NULL), 0);
	wire_put_job(&b, JOB_RUN, (const unsigned char *)"a forged ticket",
	    &env);
	assert_int_equal(ipc_send(jobs[0], buf_view(&b), NULL, 0, NULL), 0);
	assert_int_equal(ipc_recv(jobs[0], &b, fds, NULL), 1);
	answer_init(&a);
	assert_int_equal(parcel_get(buf_view(&b), fds, &payload, &body, NULL),
	    0);
	assert_null(body);
	assert_int_equal(wire_get_answer(&a, payload, NULL), 0);
	assert_int_equal(a.action, ACT_DEFERRED);
	assert_string_equal(a.enhanced, "4.7.5");
	answer_free(&a);
	buf_free(&b);
}

static void poisoned_is_decided_without_looking(void **state)
{
	struct answer a;

	(void)state;
	assert_int_equal(ask(JOB_POISONED, "alice", "\nnot looked at\n", &a),
	    0);
	assert_int_equal(a.action, ACT_REJECTED);
	assert_int_equal(a.code, 554);
	answer_free(&a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(job_without_a_message_ends_the_worker),
		T(nonsense_ends_the_worker),
		T(A35_other_login_is_refused),
		T(A35_login_without_a_ticket_is_a_tempfail),
		T(signs_through_the_socket),
		T(poisoned_is_decided_without_looking),
	};

	return cmocka_run_group_tests_name("milter_worker", tests, NULL,
	    NULL);
}
