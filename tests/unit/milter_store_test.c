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

#include "caps_list.h"
#include "milter/child.h"
#include "milter/wire.h"

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

static void record_of(const char *id, int64_t when,
    const struct learned *learned)
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
	wire_put_learned(&b, learned);
	assert_int_equal(ipc_send(sock[0], buf_view(&b), NULL, 0, NULL), 0);
	buf_free(&json);
	buf_free(&b);
}

static void record(const char *id, int64_t when)
{
	const struct learned nothing = {0};

	record_of(id, when, &nothing);
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

/* ---- capabilities ---- */

static struct learned learned(const char *who, int64_t at, struct view list)
{
	struct learned l = {.signed_at = at, .list_n = list.n};

	text_set(l.address, sizeof(l.address), who);
	memcpy(l.list, list.p, list.n);
	return l;
}

/* NULL: nothing is known. */
static void expect_list(const char *who, const char *list)
{
	const unsigned char cert[32] = {0};
	struct ks_caps k;
	struct addr a;
	bool found;

	assert_int_equal(addr_parse(&a, view_of(who), NULL), 0);
	assert_int_equal(keystore_caps_get(w.ks, &a, cert, &k, &found, &w.e),
	    0);
	assert_int_equal(found, list != NULL);
	if (list != NULL && !view_eq(view_make(k.list, k.n),
	    caps_list(list)))
		fail_msg("%s: another list", who);
}

static void S106_lists_are_there_at_the_end(void **state)
{
	int64_t now = time(NULL);
	struct learned l;

	(void)state;
	l = learned("alice@example.com", now - 10, caps_list(GCM256));
	record_of("first", now, &l);
	record("second", now);
	l = learned("alice@example.com", now - 11, caps_list(CBC128));
	record_of("older", now, &l);
	l = learned("bob@example.org", now - 5, caps_list(CBC256));
	record_of("bob", now, &l);
	assert_int_equal(loop(1000), 0);
	expect_list("alice@example.com", GCM256);
	expect_list("bob@example.org", CBC256);
	assert_true(is_there("first") && is_there("older"));
}

/* attack A32: a process that mail broke makes lists up
 * verdict: what no mail can say is not kept; audit records are */
static void S106_A32_lists_that_nobody_signed(void **state)
{
	int64_t now = time(NULL);
	const struct learned l[] = {
		learned("carol@example.com", now + 86401, caps_list(GCM256)),
		learned("carol@example.com", INT64_MAX, caps_list(GCM256)),
		learned("no address", now, caps_list(GCM256)),
		learned("carol@example.com", now, view_of("garbage")),
		learned("carol@example.com", now, view_of("")),
	};
	struct buf b;

	(void)state;
	buf_init(&b, 32);
	for (size_t i = 0; i < ARRAY_LEN(l); i++) {
		buf_clear(&b);
		buf_printf(&b, "made-up-%zu", i);
		record_of(buf_str(&b), now, &l[i]);
	}
	record("last", now);
	assert_int_equal(loop(1000), 0);
	expect_list("carol@example.com", NULL);
	for (size_t i = 0; i < ARRAY_LEN(l); i++) {
		buf_clear(&b);
		buf_printf(&b, "made-up-%zu", i);
		assert_true(is_there(buf_str(&b)));
	}
	assert_true(is_there("last"));
	buf_free(&b);
}

static void S106_a_day_ahead_is_taken(void **state)
{
	int64_t now = time(NULL);
	struct learned l = learned("dave@example.com", now + 86400,
	    caps_list(GCM128));

	(void)state;
	record_of("ahead", now, &l);
	assert_int_equal(loop(1000), 0);
	expect_list("dave@example.com", GCM128);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(malformed_record_ends_it_and_keeps_the_others),
		T(records_are_there_at_the_end),
		T(old_records_are_dropped),
		T(S106_lists_are_there_at_the_end),
		T(S106_A32_lists_that_nobody_signed),
		T(S106_a_day_ahead_is_taken),
	};

	return cmocka_run_group_tests_name("milter_store", tests, NULL, NULL);
}
