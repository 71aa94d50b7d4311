/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Audit records through the store's loop: what comes in can be read later,
 * what is malformed ends the loop.
 */
#include "milter/store_proc.h"

#include "gateway_world.h"

#include <pthread.h>
#include <sys/socket.h>

#include "milter/child.h"

static struct world w;
static int sock[2];

static int setup(void **state)
{
	(void)state;
	world_make(&w);
	return child_pair(SOCK_STREAM, sock, NULL);
}

static int teardown(void **state)
{
	(void)state;
	close(sock[1]);
	world_end(&w);
	return 0;
}

static void record(const char *id, int64_t when)
{
	struct buf b, json;

	buf_init(&b, CAP_IPC);
	buf_init(&json, 100);
	buf_printf(&json, "{\"id\":\"%s\"}", id);
	ipc_put_str(&b, id);
	ipc_put_str(&b, NULL);
	ipc_put_u64(&b, (uint64_t)when);
	ipc_put_view(&b, buf_view(&json));
	ipc_put_view(&b, view_of(""));
	assert_int_equal(ipc_send(sock[0], buf_view(&b), NULL, 0, NULL), 0);
	buf_free(&json);
	buf_free(&b);
}

/* Everything that was sent, then the end. */
static int loop(int64_t keep_s)
{
	close(sock[0]);
	return store_loop(w.ks, sock[1], keep_s, &w.e);
}

static bool is_there(const char *id)
{
	struct buf b;
	int rc;

	buf_init(&b, 1000);
	rc = keystore_audit_get(w.ks, id, &b, NULL);
	if (rc == 0)
		assert_non_null(strstr(buf_str(&b), id));
	buf_free(&b);
	return rc == 0;
}

static void malformed_record_ends_it_and_keeps_the_others(void **state)
{
	(void)state;
	record("first", time(NULL));
	assert_int_equal(ipc_send(sock[0], view_of("nonsense"), NULL, 0,
	    NULL), 0);
	assert_int_equal(loop(1000), -1);
	assert_int_equal(w.e.kind, FAIL_BUG);
	assert_true(is_there("first"));
}

/* More than a socket holds: from a thread of its own. */
static void *send_many(void *arg)
{
	struct buf b;
	int i;

	(void)arg;
	buf_init(&b, 32);
	for (i = 0; i < 450; i++) { /* three batches, the last not full */
		buf_clear(&b);
		buf_printf(&b, "id%d", i);
		record(buf_str(&b), time(NULL));
	}
	buf_free(&b);
	close(sock[0]);
	return NULL;
}

static void records_are_there_at_the_end(void **state)
{
	pthread_t t;
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, 32);
	assert_int_equal(pthread_create(&t, NULL, send_many, NULL), 0);
	assert_int_equal(store_loop(w.ks, sock[1], 1000, &w.e), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	for (i = 0; i < 450; i++) {
		buf_clear(&b);
		buf_printf(&b, "id%d", i);
		assert_true(is_there(buf_str(&b)));
	}
	buf_free(&b);
}

static void old_records_are_dropped(void **state)
{
	struct err e = { 0 };

	(void)state;
	if (keystore_audit_add(w.ks, "old", time(NULL) - 5000, NULL,
	    view_of("{\"id\":\"old\"}"), &e) != 0)
		fail_msg("%s", e.msg);
	assert_true(is_there("old"));
	record("new", time(NULL));
	assert_int_equal(loop(1000), 0);
	assert_false(is_there("old"));
	assert_true(is_there("new"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(malformed_record_ends_it_and_keeps_the_others),
		T(records_are_there_at_the_end),
		T(old_records_are_dropped),
	};

	return cmocka_run_group_tests_name("milter_store", tests, NULL, NULL);
}
