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
#include "tests/unit/testca.h"

static struct world w;
static int sock[2];
/* Of the next record; what the store is told to do. */
static struct harvested harvested;
static bool may_harvest;

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
	wire_put_harvested(&b, &harvested);
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
	const struct store_policy p = {.keep_s = keep_s,
	    .may_harvest = may_harvest, .harvest = &w.config->harvest};

	close(sock[0]);
	return store_loop(w.ks, sock[1], &p, &w.e);
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
	const struct store_policy p = {.keep_s = 1000,
	    .harvest = &w.config->harvest};
	pthread_t t;
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, 32);
	assert_int_equal(pthread_create(&t, NULL, send_many, NULL), 0);
	assert_int_equal(store_loop(w.ks, sock[1], &p, &w.e), 0);
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
		learned("carol@example.com", now + 90000, caps_list(GCM256)),
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

/* ---- certificates out of mail ---- */

static void harvest_of(const struct cert *c, const char *who)
{
	buf_init(&harvested.der, CAP_CMS_CERT_SIZE);
	text_set(harvested.address, sizeof(harvested.address), who);
	buf_putv(&harvested.der, cert_der(c));
}

static void no_harvest(void)
{
	buf_free(&harvested.der);
	memset(&harvested, 0, sizeof(harvested));
}

static void waiting(size_t want)
{
	size_t n = 99;

	assert_int_equal(harvest_count(w.ks, &n, NULL, &w.e), 0);
	assert_int_equal(n, want);
}

/* A partner's: what the store's own CA issued, its key not here. */
static void partner(struct testca *ca, struct testca_id *id)
{
	bool added;

	testca_init(ca);
	testca_issue(ca, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = "carol@example.net"}, id);
	assert_int_equal(keystore_add(w.ks, ca->root.cert, 0, KS_IMPORT,
	    &added, &w.e), 0);
	assert_int_equal(keystore_set_anchor(w.ks,
	    cert_sha256(ca->root.cert), true, &w.e), 0);
	assert_int_equal(keystore_add(w.ks, ca->sub.cert, 0, KS_IMPORT,
	    &added, &w.e), 0);
}

static void end_partner(struct testca *ca, struct testca_id *id)
{
	no_harvest();
	testca_id_free(id);
	testca_free(ca);
	may_harvest = false;
}

static void S123_a_certificate_waits_in_the_store(void **state)
{
	struct testca ca;
	struct testca_id id = { NULL, NULL };
	int64_t now = time(NULL);

	(void)state;
	partner(&ca, &id);
	may_harvest = true;
	harvest_of(id.cert, "carol@example.net");
	for (int i = 0; i < 100; i++)
		record("today", now);
	no_harvest();
	record("nothing", now);
	assert_int_equal(loop(1000), 0);
	waiting(1);
	assert_true(is_there("today") && is_there("nothing"));
	end_partner(&ca, &id);
}

/* attack A32: a process that mail broke says that it is tomorrow, and the day
 * after, so that what was seen once was seen on many days
 * verdict: one day, by the clock of who keeps them */
static void S123_A32_days_that_somebody_makes_up(void **state)
{
	struct testca ca;
	struct testca_id id = { NULL, NULL };
	int64_t now = time(NULL);
	struct buf b;

	(void)state;
	partner(&ca, &id);
	may_harvest = true;
	harvest_of(id.cert, "carol@example.net");
	buf_init(&b, 32);
	for (int i = 0; i < 20; i++) {
		buf_clear(&b);
		buf_printf(&b, "day-%d", i);
		record(buf_str(&b), now + (int64_t)i * 86400);
	}
	buf_free(&b);
	no_harvest();
	assert_int_equal(loop(1000), 0);
	waiting(1);
	end_partner(&ca, &id);
}

/* attack A32: the same with a list and a time to come
 * verdict: a list of tomorrow is not kept, whatever the record says */
static void S106_A32_lists_of_a_time_to_come(void **state)
{
	int64_t now = time(NULL);
	struct learned l = learned("carol@example.com", now + 90 * 86400,
	    caps_list(CBC128));

	(void)state;
	record_of("later", now + 90 * 86400, &l);
	assert_int_equal(loop(1000), 0);
	expect_list("carol@example.com", NULL);
	assert_true(is_there("later"));
}

/* attack A32: a process that mail broke makes records up: no rule says
 * harvest, or the certificate is nobody's, or for somebody else's address
 * verdict: not kept; audit records are */
static void S123_A32_certificates_that_no_rule_lets_in(void **state)
{
	struct testca ca;
	struct testca_id id = { NULL, NULL };
	int64_t now = time(NULL);

	(void)state;
	partner(&ca, &id);
	may_harvest = *state != NULL;
	harvest_of(id.cert, may_harvest ? "alice@example.com" :
	    "carol@example.net");
	record("made-up", now);
	if (may_harvest) {
		buf_clear(&harvested.der);
		buf_puts(&harvested.der, "garbage");
		record("garbage", now);
		buf_clear(&harvested.der);
		buf_putv(&harvested.der, cert_der(ca.sub.cert));
		record("CA", now);
	}
	no_harvest();
	record("last", now);
	assert_int_equal(loop(1000), 0);
	waiting(0);
	assert_true(is_there("made-up") && is_there("last"));
	end_partner(&ca, &id);
}

static void S123_A32_certificates_of_nobody(void **state)
{
	void *yes = state;

	S123_A32_certificates_that_no_rule_lets_in(&yes);
}

static void S123_old_ones_are_forgotten(void **state)
{
	const struct harvest_policy p = { .days = 3, .max_per_address = 4,
		.max = 10 };
	struct harvest_outcome out;
	struct testca_id id = { NULL, NULL };
	struct addr who;
	struct testca ca;

	(void)state;
	partner(&ca, &id);
	assert_int_equal(addr_parse(&who, view_of("carol@example.net"),
	    NULL), 0);
	assert_int_equal(harvest_keep(w.ks, &(struct sighting){ &who,
	    id.cert, time(NULL) }, &p, &out, &w.e), 0);
	waiting(1);
	w.config->harvest.expire_s = -10;
	record("last", time(NULL));
	assert_int_equal(loop(1000), 0);
	waiting(0);
	end_partner(&ca, &id);
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
		T(S123_a_certificate_waits_in_the_store),
		T(S123_A32_days_that_somebody_makes_up),
		T(S106_A32_lists_of_a_time_to_come),
		T(S123_A32_certificates_that_no_rule_lets_in),
		T(S123_A32_certificates_of_nobody),
		T(S123_old_ones_are_forgotten),
	};

	return cmocka_run_group_tests_name("milter_store", tests, NULL, NULL);
}
