/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Learned capabilities in the store: what is newer counts, how many there
 * may be, when they go, and stores of older versions.
 */
#include "tests/unit/keystore_util.h"

#include <sqlite3.h>

#include "caps_list.h"
#include "keystore/keystore_int.h"

static struct place place;
static struct keystore *ks;
static const unsigned char one[32] = "first certificate", two[32] = "second";

static int setup(void **state)
{
	(void)state;
	ks = store_make(&place);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	store_clear(&place, &ks);
	return 0;
}

static void exec_sql(const char *sql)
{
	sqlite3 *db;
	char *why = NULL;

	assert_int_equal(sqlite3_open(place.db, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 1000);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	sqlite3_close(db);
}

static void learn(const char *who, const unsigned char cert[32], int64_t at,
    const char *list)
{
	struct addr a = address(who);

	must(keystore_caps_learn(ks, &a, cert, at, caps_list(list), e));
}

/* What is known is this list of this time; NULL: nothing is. */
static struct ks_caps known(const char *who, const unsigned char *cert,
    int64_t at, const char *list)
{
	struct addr a = address(who);
	struct ks_caps k;
	bool found;

	must(keystore_caps_get(ks, &a, cert, &k, &found, e));
	assert_int_equal(found, list != NULL);
	if (list != NULL && !view_eq(view_make(k.list, k.n),
	    caps_list(list)))
		fail_msg("%s: another list of %zu octets", who, k.n);
	if (list != NULL)
		assert_int_equal(k.signed_at, at);
	return k;
}

static int64_t count(void)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_CAPS_COUNT, NULL);
	int64_t n;

	assert_int_equal(ks_step(ks, st, NULL), 1);
	n = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return n;
}

#define ALICE "alice@example.com"
#define BOB "bob@example.org"

static void list_at_its_cap(void **state)
{
	struct addr a = address(ALICE);
	struct ks_caps k;
	bool found;

	(void)state;
	must_fail(keystore_caps_learn(ks, &a, one, 1,
	    caps_long(CAP_CAPABILITIES + 1), e), FAIL_LIMIT);
	known(ALICE, one, 0, NULL);
	must(keystore_caps_learn(ks, &a, one, 1,
	    caps_long(CAP_CAPABILITIES), e));
	must(keystore_caps_get(ks, &a, one, &k, &found, e));
	assert_int_equal(k.n, CAP_CAPABILITIES);
	assert_memory_equal(k.list, caps_long(CAP_CAPABILITIES).p, k.n);
}

static void damaged_row_is_said(void **state)
{
	struct addr a = address(ALICE);
	struct ks_caps k;
	bool found = true;

	(void)state;
	learn(ALICE, one, 1, GCM256);
	exec_sql("UPDATE capability SET list = zeroblob(1025)");
	must_fail(keystore_caps_get(ks, &a, one, &k, &found, e),
	    FAIL_CONFIG);
	assert_false(found);
	exec_sql("UPDATE capability SET list = x'30', cert = x'00'");
	must_fail(keystore_caps_get(ks, &a, one, &k, &found, e),
	    FAIL_CONFIG);
}

static void S106_only_what_is_newer_counts(void **state)
{
	(void)state;
	known(ALICE, one, 0, NULL);
	learn(ALICE, one, 1000, GCM256);
	known(ALICE, one, 1000, GCM256);
	learn(ALICE, one, 999, CBC128);
	known(ALICE, one, 1000, GCM256);
	learn(ALICE, one, 1000, CBC128);
	known(ALICE, one, 1000, GCM256);
	learn(ALICE, one, 1001, CBC256);
	known(ALICE, one, 1001, CBC256);
	assert_int_equal(count(), 1);
	/* one address in another spelling; another address */
	known("Alice@EXAMPLE.com", one, 1001, CBC256);
	known(BOB, one, 0, NULL);
	learn("ALICE@example.com", one, 1002, GCM128);
	known(ALICE, one, 1002, GCM128);
	assert_int_equal(count(), 1);
}

static void S106_by_certificate_else_the_newest(void **state)
{
	static const unsigned char third[32] = "third";
	struct ks_caps k;

	(void)state;
	learn(ALICE, one, 1000, GCM256);
	learn(ALICE, two, 2000, CBC128);
	learn(BOB, third, 3000, CBC256);
	k = known(ALICE, one, 1000, GCM256);
	assert_true(k.is_own);
	assert_memory_equal(k.cert, one, 32);
	assert_true(known(ALICE, two, 2000, CBC128).is_own);
	k = known(ALICE, third, 2000, CBC128);
	assert_false(k.is_own);
	assert_memory_equal(k.cert, two, 32);
	assert_false(known(ALICE, NULL, 2000, CBC128).is_own);
	/* of one time: what was written last */
	learn(BOB, one, 3000, GCM128);
	assert_memory_equal(known(BOB, NULL, 3000, GCM128).cert, one, 32);
	known(BOB, third, 3000, CBC256);
	/* older for one does not touch the other */
	learn(ALICE, one, 1500, CBC256);
	known(ALICE, one, 1500, CBC256);
	known(ALICE, NULL, 2000, CBC128);
}

/* attack A32: many certificates of one address, to fill the store
 * verdict: eight lists; what was signed first goes */
static void S106_A32_lists_of_an_address_at_their_cap(void **state)
{
	unsigned char cert[32] = { 0 };

	(void)state;
	for (int i = 0; i < CAP_CAPABILITIES_ADDRESS; i++) {
		cert[0] = (unsigned char)i;
		learn(ALICE, cert, 1000 + i, GCM256);
	}
	learn(BOB, one, 1, CBC256);
	cert[0] = 0;
	assert_true(known(ALICE, cert, 1000, GCM256).is_own);
	assert_int_equal(count(), CAP_CAPABILITIES_ADDRESS + 1);
	learn(ALICE, two, 2000, CBC128);
	assert_int_equal(count(), CAP_CAPABILITIES_ADDRESS + 1);
	assert_false(known(ALICE, cert, 2000, CBC128).is_own);
	cert[0] = 1;
	assert_true(known(ALICE, cert, 1001, GCM256).is_own);
	known(BOB, one, 1, CBC256);
	/* one that is older than all of them does not come in */
	cert[0] = 99;
	learn(ALICE, cert, 5, CBC128);
	assert_int_equal(count(), CAP_CAPABILITIES_ADDRESS + 1);
	assert_false(known(ALICE, cert, 2000, CBC128).is_own);
}

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)
#define FILL                                                               \
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"   \
	" WHERE i < " NUMBER(CAP_CAPABILITIES_STORE) " - 1)"               \
	" INSERT INTO capability (address, cert, signed_at, list)"         \
	" SELECT 'a' || i || '@x.example', zeroblob(32), 5000 + i, x'3000'" \
	" FROM n"

/* attack A32: many addresses with certificates of one authority
 * verdict: a bounded number of lists; what was signed first goes */
static void S106_A32_lists_of_all_at_their_cap(void **state)
{
	(void)state;
	exec_sql(FILL);
	assert_int_equal(count(), CAP_CAPABILITIES_STORE - 1);
	learn(ALICE, one, 9000, GCM256);
	assert_int_equal(count(), CAP_CAPABILITIES_STORE);
	known("a1@x.example", NULL, 5001, "");
	learn(BOB, one, 9000, GCM256);
	assert_int_equal(count(), CAP_CAPABILITIES_STORE);
	known("a1@x.example", NULL, 0, NULL);
	known("a2@x.example", NULL, 5002, "");
	known(ALICE, one, 9000, GCM256);
	known(BOB, one, 9000, GCM256);
	/* a newer list of who is known costs nobody his place */
	learn(BOB, one, 9001, CBC256);
	known("a2@x.example", NULL, 5002, "");
}

static void S106_they_go_with_their_certificate(void **state)
{
	static const struct spec s = { .san = "email:" ALICE,
		.ku = "digitalSignature,keyEncipherment" };
	const unsigned char *sha256;
	struct made m;

	(void)state;
	cert_make(&m, &s, NULL);
	sha256 = cert_sha256(m.cert);
	for (int i = 0; i < 2; i++) {
		add_cert(ks, &m, KS_SIGN | KS_ENCRYPT);
		learn(ALICE, sha256, 1000, GCM256);
		learn(BOB, sha256, 1000, GCM256);
		learn(ALICE, two, 500, CBC256);
		must(keystore_set_state(ks, sha256, KS_SUPERSEDED, e));
		known(ALICE, sha256, 1000, GCM256);
		if (i == 0)
			must(keystore_remove(ks, sha256, e));
		else
			must(keystore_set_state(ks, sha256, KS_DISTRUSTED,
			    e));
		known(ALICE, sha256, 500, CBC256);
		known(BOB, sha256, 0, NULL);
		assert_int_equal(count(), 1);
	}
	made_free(&m);
}

static void S106_nobody_looks_again_for_it(void **state)
{
	struct keystore *reader;
	int64_t before, after;
	bool found;

	(void)state;
	must(keystore_open(&reader, place.db, KS_READ, e));
	must(ks_meta_get(ks, "generation", &before, NULL, &found, e));
	learn(ALICE, one, 1000, GCM256);
	must(ks_meta_get(ks, "generation", &after, NULL, &found, e));
	assert_int_equal(before, after);
	/* and yet who reads sees it at once */
	keystore_close(&ks);
	ks = reader;
	known(ALICE, one, 1000, GCM256);
	must_fail(keystore_caps_learn(ks, &(struct addr){ .text = "a@b" },
	    one, 2000, caps_list(GCM256), e), FAIL_BUG);
}

static void taken_back_with_its_transaction(void **state)
{
	(void)state;
	must(keystore_begin(ks, e));
	learn(ALICE, one, 1000, GCM256);
	known(ALICE, one, 1000, GCM256);
	keystore_rollback(ks);
	known(ALICE, one, 0, NULL);
}

#define TO_VERSION_2                                                       \
	"DROP TABLE held_part; DROP TABLE held; DROP TABLE held_cert;"     \
	"DROP TABLE told; DROP TABLE listed; DROP TABLE list;"             \
	"DROP TABLE journal;"                                              \
	"DROP TABLE capability; DROP TABLE binding;"                       \
	"DROP TABLE anchor_scope; DROP TABLE harvest; DROP TABLE request;" \
	"DROP TABLE issued; DROP TABLE change; DROP TABLE fetched;"        \
	"DROP INDEX cert_not_after; ALTER TABLE crl DROP COLUMN ca;"       \
	"ALTER TABLE crl DROP COLUMN covers;"                              \
	"ALTER TABLE crl DROP COLUMN points;"                              \
	"UPDATE meta SET number = 2 WHERE name = 'schema'"

static void store_of_version_2(void **state)
{
	unsigned char hash[32] = { 1 };
	struct keystore *reader;
	bool is;

	(void)state;
	must(keystore_opened_add(ks, hash, NOW, e));
	keystore_close(&ks);
	exec_sql(TO_VERSION_2);
	/* who only reads, works: nothing is known */
	must(keystore_open(&reader, place.db, KS_READ, e));
	must(keystore_refresh(reader, e));
	assert_int_equal(reader->schema, 2);
	ks = reader;
	known(ALICE, one, 0, NULL);
	must(keystore_opened_known(ks, hash, &is, e));
	assert_true(is);
	/* who may write, upgrades; nothing is lost */
	must(keystore_open(&ks, place.db, KS_WRITE, e));
	assert_int_equal(ks->schema, KS_SCHEMA);
	must(keystore_opened_known(ks, hash, &is, e));
	assert_true(is);
	learn(ALICE, one, 1000, GCM256);
	known(ALICE, one, 1000, GCM256);
	keystore_close(&ks);
	/* and the reader that was open notices */
	ks = reader;
	must(keystore_refresh(ks, e));
	known(ALICE, one, 1000, GCM256);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(list_at_its_cap),
		T(damaged_row_is_said),
		T(S106_only_what_is_newer_counts),
		T(S106_by_certificate_else_the_newest),
		T(S106_A32_lists_of_an_address_at_their_cap),
		T(S106_A32_lists_of_all_at_their_cap),
		T(S106_they_go_with_their_certificate),
		T(S106_nobody_looks_again_for_it),
		T(taken_back_with_its_transaction),
		T(store_of_version_2),
	};

	return cmocka_run_group_tests_name("keystore_capability", tests, NULL,
	    NULL);
}
