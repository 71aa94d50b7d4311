/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 * runner: waits
 *
 * Lists of directories between the processes: the thread that fetches one,
 * and the keeper that takes it into the store and tells the parent.
 */
#include "tests/unit/gateway_world.h"

#include <pthread.h>
#include <sys/socket.h>

#include "fetch/ldap.h"
#include "gateway/lists.h"
#include "milter/ctl.h"
#include "milter/fetch_list.h"
#include "milter/fetch_wire.h"
#include "milter/keeper.h"

#define NAME "authority staff uid mail (uid=*)"

static struct world w;
static pthread_mutex_t slow = PTHREAD_MUTEX_INITIALIZER;
static _Atomic enum fail fails;

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_config(&w, "directory {\nldap \"ldap://127.0.0.1\"\n"
	    "name staff\nlists-every 1s\n}\n"
	    "authority ldap staff \"(uid=*)\" login uid address mail\n");
	fails = 0;
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

/* A directory that answers when the test lets it. */
static int fake_list(void *ctx, const char *directory,
    const struct ldap_list *q, int64_t within_ms, struct buf *out,
    struct err *e)
{
	(void)ctx;
	assert_string_equal(directory, "staff");
	assert_string_equal(q->filter, "(uid=*)");
	assert_string_equal(q->what, "uid");
	assert_string_equal(q->value, "mail");
	assert_true(within_ms > 0);
	(void)pthread_mutex_lock(&slow);
	(void)pthread_mutex_unlock(&slow);
	if (fails != 0)
		return err_set(e, fails, "as told");
	ipc_put_view(out, view_of("bob"));
	ipc_put_view(out, view_of("alice@example.com"));
	return 0;
}

static int wait_result(struct fetch_list *l, struct view *body,
    struct err *why)
{
	struct pollfd p = { fetch_list_fd(l), POLLIN, 0 };

	assert_int_equal(poll(&p, 1, 60000), 1);
	return fetch_list_result(l, body, why);
}

static void one_list_at_a_time(void **state)
{
	struct finder_ops find = { .list = fake_list };
	struct fetch_list *l = NULL;
	struct fetch_job j;
	struct err e = { 0 }, why = { 0 };
	struct view body;

	(void)state;
	fetch_job_init(&j);
	j.kind = FETCH_LIST;
	assert_int_equal(fetch_list_new(&l, &find, NULL), 0);
	assert_int_equal(fetch_list_result(l, &body, &why), 0);
	text_set(j.url, sizeof(j.url), "what is no list");
	assert_int_equal(fetch_list_begin(l, &j, &e), -1);
	assert_int_equal(e.kind, FAIL_INPUT);
	text_set(j.url, sizeof(j.url), NAME);
	(void)pthread_mutex_lock(&slow);
	assert_int_equal(fetch_list_begin(l, &j, &e), 0);
	assert_int_equal(fetch_list_begin(l, &j, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	assert_int_equal(fetch_list_result(l, &body, &why), 0);
	assert_false(fetch_list_free(&l)); /* a thread has it */
	(void)pthread_mutex_unlock(&slow);
	assert_int_equal(wait_result(l, &body, &why), 1);
	assert_int_equal(why.kind, 0);
	assert_int_equal(body.n, 4 + 3 + 4 + 17);
	fails = FAIL_TEMP;
	assert_int_equal(fetch_list_begin(l, &j, &e), 0);
	assert_int_equal(wait_result(l, &body, &why), 1);
	assert_string_equal(why.msg, "as told");
	assert_true(fetch_list_free(&l));
	/* without directories */
	assert_int_equal(fetch_list_new(&l, NULL, NULL), 0);
	assert_int_equal(fetch_list_begin(l, &j, &e), -1);
	assert_true(fetch_list_free(&l));
	fetch_job_free(&j);
}

/* ---- the keeper ---- */

static struct keeper *k;
static int parent[2], peer[2];

static void start_keeper(void)
{
	struct ctl m = { .kind = CTL_FETCH };
	struct lists *lists;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, parent), 0);
	assert_int_equal(packet_pair(peer, NULL), 0);
	assert_int_equal(keeper_new(&k, w.config, w.ks, parent[1], NULL), 0);
	assert_int_equal(lists_new(&lists, w.config, w.rules, w.ks, NULL), 0);
	keeper_take_lists(k, lists);
	m.fd = peer[1];
	assert_int_equal(ctl_send(parent[0], &m, NULL), 0);
	close(peer[1]);
}

static void stop_keeper(void)
{
	keeper_free(&k);
	close(parent[0]);
	close(parent[1]);
	close(peer[0]);
}

static uint32_t next_job(void)
{
	struct fetch_job j;
	struct buf head;
	uint32_t seq = 0;

	for (int i = 0; i < 6000 && !packet_wait(peer[0], 0); i++) {
		keeper_step(k);
		usleep(10000);
	}
	fetch_job_init(&j);
	buf_init(&head, CAP_IPC);
	assert_int_equal(packet_recv(peer[0], &head, NULL, NULL), 1);
	assert_int_equal(wire_get_fetch(&seq, &j, buf_view(&head), NULL), 0);
	assert_int_equal(j.kind, FETCH_LIST);
	assert_string_equal(j.url, NAME);
	buf_free(&head);
	fetch_job_free(&j);
	return seq;
}

static void answer(uint32_t seq, struct view body)
{
	const struct err none = { 0 };
	struct buf head;

	buf_init(&head, CAP_IPC);
	wire_put_fetched(&head, seq, &none);
	assert_int_equal(packet_send(peer[0], buf_view(&head), body, NULL), 0);
	buf_free(&head);
	keeper_step(k);
}

static bool parent_was_told(void)
{
	struct ctl m;

	if (!packet_wait(parent[0], 0))
		return false;
	assert_int_equal(ctl_recv(parent[0], &m, NULL), 1);
	assert_int_equal(m.kind, CTL_LISTS);
	return true;
}

static bool bob_is_alice(void)
{
	enum listed_answer out;

	assert_int_equal(keystore_listed(w.ks, NAME, "bob", &out, NULL), 0);
	return out == LISTED_YES;
}

/* attack A35: who has the fetch process answers with rights of his own
 * making, malformed or for another question
 * verdict: what is no list is not taken; the parent makes new keys processes
 * only for a list that differs */
static void A35_the_parent_is_told_of_rights_that_changed(void **state)
{
	struct buf b;
	uint32_t seq;

	(void)state;
	start_keeper();
	buf_init(&b, 1000);
	ipc_put_view(&b, view_of("bob"));
	ipc_put_view(&b, view_of("alice@example.com"));
	seq = next_job();
	answer(seq + 1, buf_view(&b));
	assert_false(bob_is_alice());
	answer(seq, view_of("no list"));
	assert_false(bob_is_alice());
	assert_false(parent_was_told());
	answer(next_job(), buf_view(&b));
	assert_true(bob_is_alice());
	assert_true(parent_was_told());
	/* the same again is no news */
	answer(next_job(), buf_view(&b));
	assert_false(parent_was_told());
	/* nobody at all is believed when it is said twice */
	answer(next_job(), view_make(NULL, 0));
	assert_true(bob_is_alice());
	assert_false(parent_was_told());
	answer(next_job(), view_make(NULL, 0));
	assert_false(bob_is_alice());
	assert_true(parent_was_told());
	buf_free(&b);
	stop_keeper();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_world, end_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_list_at_a_time),
		TEST(A35_the_parent_is_told_of_rights_that_changed),
	};

	return cmocka_run_group_tests_name("milter_fetch_list", tests, NULL,
	    NULL);
}
