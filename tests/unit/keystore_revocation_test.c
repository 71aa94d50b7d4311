/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Revocation: what is known of whom and when, how that reaches selection and
 * listings, what it costs; the upgrade of the store.
 */
#include "tests/unit/keystore_revocation.h"

/* ---- whose status ---- */

static void S73_S118_revoked_leaf(void **state)
{
	struct rv_entry x = { leaf.x, NOW - DAY, 1, 0, NULL };
	struct rv_crl c = crl_of(&sub, 5);
	struct revocation r;

	(void)state;
	bring_root_list();
	c.entry = &x;
	c.n = 1;
	rv_bring(ks, &c, NOW, NULL);
	r = ask_at(NOW);
	assert_int_equal(r.status, REVOCATION_REVOKED);
	assert_int_equal(r.which, 0);
	assert_int_equal(r.date, NOW - DAY);
	assert_string_equal(r.why, "keyCompromise");
	assert_string_equal(r.source, "CRL");
	assert_string_equal(r.text, "the certificate was revoked on "
	    "2027-01-14 (keyCompromise), by the CRL of 2027-01-15");
	/* another one of the same issuer is not */
	must(keystore_revocation(ks, sub.cert, NULL, 0, NOW, &r, e));
	assert_int_equal(r.status, REVOCATION_GOOD);
}

static void S73_S118_revoked_intermediate(void **state)
{
	struct rv_entry x = { sub.x, NOW - DAY, 2, 0, NULL };
	struct rv_crl c = crl_of(&root, 1);
	struct revocation r;

	(void)state;
	c.entry = &x;
	c.n = 1;
	rv_bring(ks, &c, NOW, NULL);
	r = ask_at(NOW); /* the leaf is unknown: revoked is worse */
	assert_int_equal(r.status, REVOCATION_REVOKED);
	assert_int_equal(r.which, 1);
	assert_string_equal(r.why, "cACompromise");
	assert_non_null(strstr(r.text, "CN=sub was revoked"));
	c = crl_of(&sub, 1);
	rv_bring(ks, &c, NOW, NULL);
	expect(REVOCATION_REVOKED, "CN=sub");
}

static void S73_good_needs_a_list_of_every_issuer(void **state)
{
	struct rv_crl c = crl_of(&sub, 1);
	struct revocation r;

	(void)state;
	expect(REVOCATION_UNKNOWN, "the certificate is revoked is not known: "
	    "no CRL");
	rv_bring(ks, &c, NOW, NULL);
	r = ask_at(NOW);
	assert_int_equal(r.status, REVOCATION_UNKNOWN);
	assert_int_equal(r.which, 1);
	assert_non_null(strstr(r.text, "CN=sub"));
	bring_root_list();
	expect(REVOCATION_GOOD, NULL);
	r = ask_at(NOW);
	assert_int_equal(r.which, 0);
	assert_null(r.why);
	assert_null(r.source);
}

/* Two CAs with one name, or one serial in two CAs: the key decides. */
static void S73_serial_of_another_issuer_says_nothing(void **state)
{
	struct rv_entry x = { leaf.x, NOW - DAY, 1, 0, NULL };
	struct made twin;
	struct spec s = CA_SPEC("sub");
	struct rv_crl c;

	(void)state;
	bring_root_list();
	c = crl_of(&sub, 1);
	rv_bring(ks, &c, NOW, NULL);
	s.key = "twin";
	cert_make(&twin, &s, &root);
	add_cert(ks, &twin, 0);
	add_anchor(ks, &other);
	c = crl_of(&twin, 1);
	c.entry = &x;
	c.n = 1;
	rv_bring(ks, &c, NOW, NULL);
	c = crl_of(&other, 1);
	c.entry = &x;
	c.n = 1;
	rv_bring(ks, &c, NOW, NULL);
	expect(REVOCATION_GOOD, NULL);
	made_free(&twin);
}

static void set_serial(X509 *x, const char *hex)
{
	BIGNUM *bn = NULL;

	assert_true(BN_hex2bn(&bn, hex) > 0);
	BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));
	BN_free(bn);
	assert_true(X509_sign(x, sub.key, EVP_sha256()) > 0);
}

static void S73_serial_numbers_of_all_sizes(void **state)
{
	static const char *const serials[] = { "01", "7f", "80", "ff", "0100",
		"8000", "7fffffffffffffffffffffffffffffffffffffff",
		"80ffffffffffffffffffffffffffffffffffff" };
	const struct spec s = { .san = "email:" ALICE };
	struct cert *chain[] = { sub.cert };
	struct made m[ARRAY_LEN(serials)];
	struct rv_entry x[ARRAY_LEN(serials)];
	struct rv_crl c = crl_of(&sub, 1);
	struct revocation r;
	size_t i;

	(void)state;
	bring_root_list();
	for (i = 0; i < ARRAY_LEN(m); i++) {
		cert_make(&m[i], &s, &sub);
		cert_free(&m[i].cert);
		set_serial(m[i].x, serials[i]);
		m[i].cert = parse_x509(m[i].x);
		x[i] = (struct rv_entry){ m[i].x, NOW - DAY, -1, 0, NULL };
	}
	c.entry = x;
	c.n = ARRAY_LEN(m) / 2;
	rv_bring(ks, &c, NOW, NULL);
	for (i = 0; i < ARRAY_LEN(m); i++) {
		must(keystore_revocation(ks, m[i].cert, chain, 1, NOW, &r, e));
		assert_int_equal(r.status, i < c.n ? REVOCATION_REVOKED :
		    REVOCATION_GOOD);
		if (i < c.n)
			assert_string_equal(r.why, "unspecified");
	}
	c.number = 2;
	c.n = ARRAY_LEN(m);
	rv_bring(ks, &c, NOW, NULL);
	for (i = 0; i < ARRAY_LEN(m); i++) {
		must(keystore_revocation(ks, m[i].cert, chain, 1, NOW, &r, e));
		assert_int_equal(r.status, REVOCATION_REVOKED);
		made_free(&m[i]);
	}
}

/* ---- when ---- */

static void A59_S118_stale_and_future_lists_say_nothing(void **state)
{
	struct rv_crl c = crl_of(&sub, 1);

	(void)state;
	bring_root_list();
	rv_bring(ks, &c, NOW, NULL);
	expect_at(c.until, REVOCATION_GOOD, NULL);
	expect_at(c.until + 1, REVOCATION_UNKNOWN, "is stale since 2027-01-16");
	expect_at(NOW - HOUR - 300, REVOCATION_GOOD, NULL);
	expect_at(NOW - HOUR - 301, REVOCATION_UNKNOWN, "begins only on");
}

/* Last known status: a list that is old does not give a key back. */
static void A59_S60_revoked_stays_revoked_in_a_stale_list(void **state)
{
	struct rv_entry x = { leaf.x, NOW - DAY, 4, 0, NULL };
	struct rv_crl c = crl_of(&sub, 1);

	(void)state;
	c.entry = &x;
	c.n = 1;
	rv_bring(ks, &c, NOW, NULL);
	expect_at(NOW + 90 * DAY, REVOCATION_REVOKED, "superseded");
	/* also one that was stale when it came */
	c.number = 2;
	c.until = NOW - HOUR / 2;
	rv_bring(ks, &c, NOW, NULL);
	expect(REVOCATION_REVOKED, "superseded");
}

static void S73_date_of_revocation_against_time_of_receipt(void **state)
{
	struct rv_entry x = { leaf.x, NOW + 2 * HOUR, 1, 0, NULL };
	struct rv_crl c = crl_of(&sub, 1);

	(void)state;
	bring_root_list();
	c.entry = &x;
	c.n = 1;
	rv_bring(ks, &c, NOW, NULL);
	expect(REVOCATION_GOOD, NULL);
	expect_at(x.at - 301, REVOCATION_GOOD, NULL);
	expect_at(x.at - 300, REVOCATION_REVOKED, "keyCompromise");
	/* the key was lost before anybody said so */
	x.invalid_since = NOW - 3 * DAY;
	c.number = 2;
	rv_bring(ks, &c, NOW, NULL);
	expect(REVOCATION_REVOKED, "on 2027-01-12");
}

/* ---- selection ---- */

static void select_alice(struct keystore *by, unsigned use,
    const char *passed_over)
{
	struct addr a = address(ALICE);
	struct selection s;

	must(keystore_select(by, &a, use, NOW, &s, e));
	if (passed_over == NULL) {
		assert_non_null(s.cert);
		assert_int_equal(s.over_n, 0);
	} else {
		assert_null(s.cert);
		assert_int_equal(s.over_n, 1);
		if (strstr(s.over[0].reason, passed_over) == NULL)
			fail_msg("%s", s.over[0].reason);
	}
	selection_free(&s);
}

static void S60_S102_selection_passes_over_the_revoked(void **state)
{
	struct rv_entry x = { leaf.x, NOW - DAY, 1, 0, NULL };
	struct rv_crl c = crl_of(&sub, 1);
	struct keystore *reader;

	(void)state;
	must(keystore_open(&reader, place.db, KS_READ, e));
	add_cert(ks, &leaf, KS_SIGN | KS_ENCRYPT);
	add_private(ks, &leaf);
	must(keystore_refresh(reader, e));
	/* unknown counts as good */
	select_alice(ks, KS_SIGN, NULL);
	select_alice(reader, KS_ENCRYPT, NULL);
	c.entry = &x;
	c.n = 1;
	rv_bring(ks, &c, NOW, NULL);
	select_alice(ks, KS_SIGN, "the certificate was revoked on 2027-01-14 "
	    "(keyCompromise), by the CRL of 2027-01-15");
	select_alice(ks, KS_ENCRYPT, "was revoked");
	/* others see it at their next message */
	must(keystore_refresh(reader, e));
	select_alice(reader, KS_ENCRYPT, "was revoked");
	c.number = 2;
	c.n = 0;
	rv_bring(ks, &c, NOW, NULL);
	must(keystore_refresh(reader, e));
	select_alice(reader, KS_ENCRYPT, NULL);
	/* whoever issued it is revoked */
	c = crl_of(&root, 1);
	x.x = sub.x;
	c.entry = &x;
	c.n = 1;
	rv_bring(ks, &c, NOW, NULL);
	must(keystore_refresh(reader, e));
	select_alice(reader, KS_ENCRYPT, "CN=sub was revoked");
	keystore_close(&reader);
}

static void for_listings_one_certificate_alone(void **state)
{
	struct rv_entry x = { leaf.x, NOW - DAY, 1, 0, NULL };
	struct rv_crl c = crl_of(&other, 1);
	struct revocation r;

	(void)state;
	must(keystore_revoked(ks, leaf.cert, NOW, &r, e));
	assert_int_equal(r.status, REVOCATION_UNKNOWN);
	assert_string_equal(r.text, "");
	add_anchor(ks, &other);
	c.entry = &x;
	c.n = 1;
	rv_bring(ks, &c, NOW, NULL);
	c = crl_of(&sub, 1);
	rv_bring(ks, &c, NOW, NULL);
	must(keystore_revoked(ks, leaf.cert, NOW, &r, e));
	assert_int_equal(r.status, REVOCATION_UNKNOWN);
	c.number = 2;
	c.entry = &x;
	c.n = 1;
	rv_bring(ks, &c, NOW, NULL);
	must(keystore_revoked(ks, leaf.cert, NOW, &r, e));
	assert_int_equal(r.status, REVOCATION_REVOKED);
	must(keystore_revoked(ks, root.cert, NOW, &r, e));
	assert_int_equal(r.status, REVOCATION_UNKNOWN);
}

/* ---- list, remove ---- */

struct rows {
	size_t n;
	char kind[4][8];
	char sha256[4][65];
	char serial[4][80];
	bool revoked[4];
	int64_t entries[4];
};

static int keep_row(void *arg, const struct revocation_row *r, struct err *e)
{
	struct rows *rows = arg;
	size_t i = rows->n++;

	(void)e;
	assert_true(i < 4);
	snprintf(rows->kind[i], sizeof(rows->kind[i]), "%s", r->kind);
	snprintf(rows->serial[i], sizeof(rows->serial[i]), "%s",
	    r->serial == NULL ? "" : r->serial);
	memcpy(rows->sha256[i], r->sha256, 65);
	rows->revoked[i] = r->revoked;
	rows->entries[i] = r->entries;
	return 0;
}

static int stop_at_once(void *arg, const struct revocation_row *r,
    struct err *e)
{
	(void)arg;
	(void)r;
	return err_set(e, FAIL_LIMIT, "enough");
}

static void listed_and_removed(void **state)
{
	struct rv_entry x = { leaf.x, NOW - DAY, 1, 0, NULL };
	struct rv_crl c = crl_of(&sub, 1);
	struct rv_ocsp o = ocsp_of(&sub);
	struct rows rows = { 0 };
	size_t n;

	(void)state;
	must(revocation_list(ks, keep_row, &rows, e));
	assert_int_equal(rows.n, 0);
	c.entry = &x;
	c.n = 1;
	rv_bring(ks, &c, NOW, NULL);
	bring_root_list();
	o.status = V_OCSP_CERTSTATUS_REVOKED;
	rv_bring_ocsp(ks, &o, NOW, NULL);
	must(revocation_list(ks, keep_row, &rows, e));
	assert_int_equal(rows.n, 3);
	assert_string_equal(rows.kind[1], "CRL");
	assert_int_equal(rows.entries[0] + rows.entries[1], 1);
	assert_string_equal(rows.kind[2], "OCSP");
	assert_string_equal(rows.serial[2], cert_serial_hex(leaf.cert));
	assert_true(rows.revoked[2]);
	must_fail(revocation_list(ks, stop_at_once, NULL, e), FAIL_LIMIT);
	must_fail(revocation_remove(ks, "1234567", &n, e), FAIL_INPUT);
	must_fail(revocation_remove(ks, "alice", &n, e), FAIL_INPUT);
	must(revocation_remove(ks, "0000000000", &n, e));
	assert_int_equal(n, 0);
	expect(REVOCATION_REVOKED, "CRL");
	rows.sha256[0][16] = rows.sha256[1][16] = '\0';
	must(revocation_remove(ks, rows.sha256[rows.entries[0] == 1 ? 0 : 1],
	    &n, e));
	assert_int_equal(n, 1);
	expect(REVOCATION_REVOKED, "OCSP");
	must(revocation_remove(ks, rows.sha256[2], &n, e));
	assert_int_equal(n, 1);
	expect(REVOCATION_UNKNOWN, "no CRL");
	/* and can be brought again, whatever its number */
	rv_bring(ks, &c, NOW, NULL);
	expect(REVOCATION_REVOKED, "CRL");
}

/* ---- cost ---- */

static size_t statements, scans;

static int count_statement(unsigned what, void *arg, void *st, void *text)
{
	(void)what;
	(void)arg;
	(void)text;
	statements++;
	scans += (size_t)sqlite3_stmt_status(st,
	    SQLITE_STMTSTATUS_FULLSCAN_STEP, 0) > 0;
	return 0;
}

/* A list of 200,000: read once, then a message costs what it costs with a
 * list of one. */
static void S73_A58_a_large_list_is_not_read_for_a_message(void **state)
{
	enum { MANY = 200000 };
	struct rv_crl c = crl_of(&sub, 1);
	struct rv_entry x = { leaf.x, NOW - DAY, 1, 0, NULL };
	X509_CRL *crl;
	unsigned char *der = NULL;
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	ASN1_TIME *t = ASN1_TIME_set(NULL, NOW - DAY);
	int n;

	(void)state;
	bring_root_list();
	c.entry = &x;
	c.n = 1;
	crl = rv_make(&c);
	for (int64_t i = 0; i < MANY - 1; i++) {
		X509_REVOKED *r = X509_REVOKED_new();

		ASN1_INTEGER_set_int64(number, 1000000 + i * 7);
		X509_REVOKED_set_serialNumber(r, number);
		X509_REVOKED_set_revocationDate(r, t);
		X509_CRL_add0_revoked(crl, r);
	}
	assert_true(X509_CRL_sign(crl, sub.key, EVP_sha256()) > 0);
	n = i2d_X509_CRL(crl, &der);
	rv_import(ks, view_make(der, (size_t)n), NOW, NULL);
	assert_int_equal(sqlite3_trace_v2(ks->db, SQLITE_TRACE_PROFILE,
	    count_statement, NULL), SQLITE_OK);
	statements = 0;
	expect(REVOCATION_REVOKED, "keyCompromise");
	assert_int_equal(statements, 1); /* the leaf; it is decided then */
	expect(REVOCATION_REVOKED, "keyCompromise");
	assert_int_equal(statements, 1);
	assert_int_equal(scans, 0);
	sqlite3_trace_v2(ks->db, 0, NULL, NULL);
	OPENSSL_free(der);
	X509_CRL_free(crl);
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(t);
}

static void S73_one_query_a_certificate_then_none(void **state)
{
	struct rv_crl c = crl_of(&sub, 1);

	(void)state;
	bring_root_list();
	rv_bring(ks, &c, NOW, NULL);
	assert_int_equal(sqlite3_trace_v2(ks->db, SQLITE_TRACE_PROFILE,
	    count_statement, NULL), SQLITE_OK);
	statements = scans = 0;
	expect(REVOCATION_GOOD, NULL);
	/* two certificates, and who issued the upper one */
	assert_int_equal(statements, 3);
	expect_at(NOW + 1, REVOCATION_GOOD, NULL);
	expect_at(NOW + 30 * DAY, REVOCATION_UNKNOWN, "stale");
	assert_int_equal(statements, 3);
	assert_int_equal(scans, 0);
	sqlite3_trace_v2(ks->db, 0, NULL, NULL);
}

/* ---- all or nothing, upgrade ---- */

static void exec_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(place.db, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

static void a_list_is_replaced_as_a_whole_or_not(void **state)
{
	struct rv_entry x[2] = { { leaf.x, NOW - DAY, 1, 0, NULL },
		{ sub.x, NOW - DAY, 1, 0, NULL } };
	struct rv_crl c = crl_of(&sub, 1);
	struct rv_seen seen;
	struct err e = { 0 };
	struct buf b;
	size_t good;

	(void)state;
	c.entry = x;
	c.n = 1;
	rv_bring(ks, &c, NOW, NULL);
	/* the second entry cannot be written */
	exec_sql("CREATE TRIGGER full BEFORE INSERT ON crl_entry WHEN"
	    " (SELECT COUNT(*) FROM crl_entry) >= 1"
	    " BEGIN SELECT RAISE(ABORT, 'disk full'); END");
	c.number = 2;
	c.n = 2;
	b = rv_der(&c);
	assert_int_equal(revocation_import(ks, buf_view(&b), NOW, rv_report,
	    &seen, &good, &e), -1);
	assert_int_equal(good, 0);
	expect(REVOCATION_REVOKED, "keyCompromise");
	exec_sql("DROP TRIGGER full");
	rv_import(ks, buf_view(&b), NOW, NULL);
	buf_free(&b);
}

#define TO_VERSION_1                                                       \
	"DROP TABLE held_part; DROP TABLE held; DROP TABLE held_cert;"     \
	"DROP TABLE told; DROP TABLE listed; DROP TABLE list;"             \
	"DROP TABLE journal;"                                              \
	"DROP TABLE crl_entry; DROP TABLE crl; DROP TABLE ocsp;"           \
	"DROP TABLE opened; DROP TABLE capability; DROP TABLE binding;"    \
	"DROP TABLE anchor_scope; DROP TABLE harvest; DROP TABLE request;" \
	"DROP TABLE issued; DROP TABLE change; DROP TABLE fetched;"        \
	"DROP INDEX cert_not_after;"                                       \
	"UPDATE meta SET number = 1 WHERE name = 'schema'"

static void S118_store_of_the_version_before(void **state)
{
	struct rv_entry x = { leaf.x, NOW - DAY, 1, 0, NULL };
	struct rv_crl c = crl_of(&sub, 1);
	struct cert *chain[] = { sub.cert };
	struct keystore *reader;
	struct rows rows = { 0 };
	struct revocation r;

	(void)state;
	add_cert(ks, &leaf, KS_SIGN | KS_ENCRYPT);
	keystore_close(&ks);
	exec_sql(TO_VERSION_1);
	/* who only reads, works: nothing is known of revocation */
	must(keystore_open(&reader, place.db, KS_READ, e));
	must(keystore_refresh(reader, e));
	select_alice(reader, KS_ENCRYPT, NULL);
	must(keystore_revocation(reader, leaf.cert, chain, 1, NOW, &r, e));
	assert_int_equal(r.status, REVOCATION_UNKNOWN);
	must(keystore_revoked(reader, leaf.cert, NOW, &r, e));
	assert_int_equal(r.status, REVOCATION_UNKNOWN);
	must(revocation_list(reader, keep_row, &rows, e));
	/* who may write, upgrades; nothing is lost */
	must(keystore_open(&ks, place.db, KS_WRITE, e));
	assert_int_equal(ks->schema, KS_SCHEMA);
	select_alice(ks, KS_ENCRYPT, NULL);
	c.entry = &x;
	c.n = 1;
	rv_bring(ks, &c, NOW, NULL);
	expect(REVOCATION_REVOKED, NULL);
	/* and the reader that was open notices */
	must(keystore_refresh(reader, e));
	must(keystore_revocation(reader, leaf.cert, chain, 1, NOW, &r, e));
	assert_int_equal(r.status, REVOCATION_REVOKED);
	keystore_close(&reader);
	/* once is enough */
	keystore_close(&ks);
	must(keystore_open(&ks, place.db, KS_WRITE, e));
	expect(REVOCATION_REVOKED, NULL);
}

static void an_upgrade_that_fails_changes_nothing(void **state)
{
	struct keystore *w = NULL;
	struct err why = { 0 };

	(void)state;
	keystore_close(&ks);
	exec_sql(TO_VERSION_1);
	exec_sql("CREATE TABLE ocsp (x INTEGER)"); /* in the way */
	assert_int_equal(keystore_open(&w, place.db, KS_WRITE, &why), -1);
	assert_non_null(strstr(why.msg, "upgrade to schema version 5"));
	exec_sql("DROP TABLE ocsp; SELECT * FROM cert");
	must(keystore_open(&ks, place.db, KS_READ, e));
	assert_int_equal(ks->schema, 1);
	keystore_close(&ks);
	must(keystore_open(&ks, place.db, KS_WRITE, e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(S73_S118_revoked_leaf),
		T(S73_S118_revoked_intermediate),
		T(S73_good_needs_a_list_of_every_issuer),
		T(S73_serial_of_another_issuer_says_nothing),
		T(S73_serial_numbers_of_all_sizes),
		T(A59_S118_stale_and_future_lists_say_nothing),
		T(A59_S60_revoked_stays_revoked_in_a_stale_list),
		T(S73_date_of_revocation_against_time_of_receipt),
		T(S60_S102_selection_passes_over_the_revoked),
		T(for_listings_one_certificate_alone),
		T(listed_and_removed),
		T(S73_A58_a_large_list_is_not_read_for_a_message),
		T(S73_one_query_a_certificate_then_none),
		T(a_list_is_replaced_as_a_whole_or_not),
		T(S118_store_of_the_version_before),
		T(an_upgrade_that_fails_changes_nothing),
	};

	return cmocka_run_group_tests_name("keystore_revocation", tests,
	    setup, teardown);
}
