/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Held mail in the keystore: its parts, the ceiling, removal, the
 * certificate that no mail ever sees, and mail to senders that waits.
 */
#include "tests/unit/keystore_util.h"

#include <sqlite3.h>

#include "keystore/held.h"
#include "keystore/life.h"
#include "keystore/rotate.h"

#define MIB ((size_t)1 << 20)

static struct place p;
static struct keystore *ks;

static int make_store(void **state)
{
	(void)state;
	ks = store_make(&p);
	return 0;
}

static int clear_store(void **state)
{
	(void)state;
	store_clear(&p, &ks);
	return 0;
}

/* n octets that differ from place to place. */
static struct spool *octets(size_t n)
{
	unsigned char chunk[4096];
	struct spool *s;
	size_t at, k;

	must(spool_new(&s, 1u << 30, e));
	for (at = 0; at < n; at += k) {
		k = n - at < sizeof(chunk) ? n - at : sizeof(chunk);
		for (size_t i = 0; i < k; i++)
			chunk[i] = (unsigned char)((at + i) * 31 >> 3);
		must(spool_write(s, chunk, k, e));
	}
	return s;
}

static const char *const two[] = { "<bob@example.net> NOTIFY=NEVER",
	"<\"c d\"@example.net>" };

static struct held_mail mail(const char *id, size_t size, int64_t at)
{
	struct held_mail m = { .id = id, .at = at, .direction = 1,
		.sender = "<alice@example.com>", .rcpt = two, .rcpts = 2,
		.login = "alice", .client = "192.0.2.1",
		.reason = "bob@example.net has no certificate",
		.size = size, .may_tell = true };

	memset(m.cert, 7, sizeof(m.cert));
	return m;
}

static void hold(const char *id, size_t size, int64_t at)
{
	struct held_mail m = mail(id, size, at);
	struct spool *s = octets(size + 100);

	must(keystore_held_add(ks, &m, s, 100, 1u << 30, e));
	spool_free(&s);
}

static bool same(const struct spool *a, uint64_t from,
    const struct spool *b, size_t n)
{
	unsigned char *x = malloc(n + 1), *y = malloc(n + 1);
	size_t i, j;
	bool is;

	assert_non_null(x);
	assert_non_null(y);
	must(spool_read(a, from, x, n, &i, e));
	must(spool_read(b, 0, y, n, &j, e));
	is = i == n && j == n && memcmp(x, y, n) == 0;
	free(x);
	free(y);
	return is;
}

/* ---- bad input first ---- */

static void what_is_not_there_is_an_error(void **state)
{
	struct spool *out = octets(0);

	(void)state;
	must_fail(keystore_held_read(ks, "none", out, e), FAIL_INPUT);
	must_fail(keystore_held_remove(ks, "none", "delete held mail", "",
	    e), FAIL_INPUT);
	spool_free(&out);
}

static void an_envelope_of_two_lines_is_refused(void **state)
{
	struct held_mail m = mail("lines", 10, NOW);
	const char *const bad[] = { "<a@example.net>\n<b@example.net>" };
	struct spool *s = octets(10);

	(void)state;
	m.rcpt = bad;
	m.rcpts = 1;
	must_fail(keystore_held_add(ks, &m, s, 0, MIB, e), FAIL_BUG);
	m = mail("lines", 10, NOW);
	m.sender = "<a@example.com>\r\n";
	must_fail(keystore_held_add(ks, &m, s, 0, MIB, e), FAIL_BUG);
	m = mail("lines", 11, NOW); /* more than there is */
	must_fail(keystore_held_add(ks, &m, s, 0, MIB, e), FAIL_BUG);
	spool_free(&s);
}

static void inside_of_a_transaction_nothing_is_on_the_disk(void **state)
{
	struct held_mail m = mail("tx", 10, NOW);
	struct spool *s = octets(10);

	(void)state;
	must(keystore_begin(ks, e));
	must_fail(keystore_held_add(ks, &m, s, 0, MIB, e), FAIL_BUG);
	keystore_rollback(ks);
	spool_free(&s);
}

static void the_quarantine_is_full_at_its_size(void **state)
{
	struct held_mail m = mail("a", 1000, NOW);
	struct spool *s = octets(1000);
	uint64_t n, all;

	(void)state;
	must_fail(keystore_held_add(ks, &m, s, 0, 999, e), FAIL_LIMIT);
	must(keystore_held_add(ks, &m, s, 0, 1000, e));
	m.id = "b";
	must_fail(keystore_held_add(ks, &m, s, 0, 1999, e), FAIL_LIMIT);
	must(keystore_held_add(ks, &m, s, 0, 2000, e));
	m.id = "c";
	must_fail(keystore_held_add(ks, &m, s, 0, 2000, e), FAIL_LIMIT);
	must_fail(keystore_held_add(ks, &m, s, 0, 500, e), FAIL_LIMIT);
	must(keystore_held_total(ks, &n, &all, e));
	assert_int_equal(n, 2);
	assert_int_equal(all, 2000);
	spool_free(&s);
}

/* ---- what is kept ---- */

static void S47_octets_come_back_whatever_their_number(void **state)
{
	static const size_t size[] = { 0, 1, MIB - 1, MIB, MIB + 1,
		3 * MIB + 17 };
	struct spool *s, *out;
	char id[20];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(size); i++) {
		snprintf(id, sizeof(id), "size%zu", i);
		hold(id, size[i], NOW);
		s = octets(size[i] + 100);
		must(spool_new(&out, 1u << 30, e));
		must(keystore_held_read(ks, id, out, e));
		assert_int_equal(spool_size(out), size[i]);
		assert_true(same(s, 100, out, size[i]));
		spool_free(&s);
		spool_free(&out);
	}
}

struct seen {
	char ids[200];
	size_t n;
	struct held_mail last;
};

static int see(void *arg, const struct held_mail *m, struct err *e)
{
	struct seen *x = arg;
	size_t used = strlen(x->ids);

	(void)e;
	snprintf(x->ids + used, sizeof(x->ids) - used, "%s ", m->id);
	x->n++;
	x->last = *m;
	if (x->n == 1 && strcmp(m->id, "old") == 0) {
		assert_int_equal(m->rcpts, 2);
		assert_string_equal(m->rcpt[0], two[0]);
		assert_string_equal(m->rcpt[1], two[1]);
		assert_string_equal(m->sender, "<alice@example.com>");
		assert_string_equal(m->login, "alice");
		assert_string_equal(m->client, "192.0.2.1");
		assert_string_equal(m->reason,
		    "bob@example.net has no certificate");
		assert_int_equal(m->size, 5);
		assert_int_equal(m->direction, 1);
		assert_int_equal(m->cert[31], 7);
		assert_true(m->may_tell);
	}
	return 0;
}

static void the_list_is_oldest_first_and_up_to_a_time(void **state)
{
	struct seen x = { .n = 0 };

	(void)state;
	hold("new", 5, NOW + 10);
	hold("old", 5, NOW);
	must(keystore_held_list(ks, NULL, INT64_MAX, see, &x, e));
	assert_string_equal(x.ids, "old new ");
	memset(&x, 0, sizeof(x));
	must(keystore_held_list(ks, NULL, NOW + 9, see, &x, e));
	assert_string_equal(x.ids, "old ");
	memset(&x, 0, sizeof(x));
	must(keystore_held_list(ks, NULL, NOW - 1, see, &x, e));
	assert_int_equal(x.n, 0);
	must(keystore_held_list(ks, "new", 0, see, &x, e));
	assert_string_equal(x.ids, "new ");
	must_fail(keystore_held_list(ks, "newer", 0, see, &x, e),
	    FAIL_INPUT);
}

static void the_same_one_again_is_kept_once(void **state)
{
	uint64_t n, all;

	(void)state;
	hold("once", 10, NOW);
	hold("once", 10, NOW);
	must(keystore_held_total(ks, &n, &all, e));
	assert_int_equal(n, 1);
	assert_int_equal(all, 10);
}

static int count_note(void *arg, const struct change *c, struct err *e)
{
	size_t *n = arg;

	(void)e;
	*n += strcmp(c->action, "delete held mail") == 0 &&
	    strcmp(c->object, "gone") == 0 &&
	    strcmp(c->detail, "why") == 0;
	return 0;
}

static void what_is_removed_is_gone_and_noted(void **state)
{
	struct change_query q = { 0, NULL, 0 };
	struct spool *out = octets(0);
	uint64_t n, all;
	size_t notes = 0;

	(void)state;
	hold("gone", 2 * MIB, NOW);
	hold("stays", 10, NOW);
	must(keystore_held_remove(ks, "gone", "delete held mail", "why", e));
	must_fail(keystore_held_read(ks, "gone", out, e), FAIL_INPUT);
	must(keystore_held_total(ks, &n, &all, e));
	assert_int_equal(n, 1);
	assert_int_equal(all, 10);
	must(keystore_changes(ks, &q, count_note, &notes, e));
	assert_int_equal(notes, 1);
	hold("gone", 1, NOW); /* no part of the old one is left */
	must(keystore_held_read(ks, "gone", out, e));
	assert_int_equal(spool_size(out), 1);
	spool_free(&out);
}

static void recipients_who_have_it_are_not_asked_again(void **state)
{
	struct seen x = { .n = 0 };
	const char *const left[] = { "<\"c d\"@example.net>" };

	(void)state;
	hold("left", 5, NOW);
	must(keystore_held_left(ks, "left", left, 1, e));
	must(keystore_held_list(ks, "left", 0, see, &x, e));
	assert_int_equal(x.last.rcpts, 1);
}

static void parts_that_are_missing_are_noticed(void **state)
{
	struct spool *out = octets(0);
	sqlite3 *db;

	(void)state;
	hold("torn", 3 * MIB, NOW);
	assert_int_equal(sqlite3_open(p.db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM held_part"
	    " WHERE held = 'torn' AND n = 2", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	must_fail(keystore_held_read(ks, "torn", out, e), FAIL_INPUT);
	spool_free(&out);
}

/* ---- the certificate ---- */

static int count_row(void *arg, const struct ks_row *r, struct err *e)
{
	(void)r;
	(void)e;
	(*(size_t *)arg)++;
	return 0;
}

/* attack A9: mail that is encrypted to the certificate of the quarantine is
 * sent in, so that the gateway opens what is held.
 * verdict: no mail finds that certificate, no keyring for mail has its
 * key. */
static void A9_no_mail_sees_the_quarantines_certificate(void **state)
{
	struct cert *cert, *newest, *found[CAP_KEY_OPS] = { NULL };
	struct keyring *kr;
	struct addr any[1];
	size_t n = 0;

	(void)state;
	must(keystore_held_cert(ks, &newest, e));
	assert_null(newest);
	must(keystore_held_make(ks, secret_view(), NOW, &cert, e));
	assert_int_equal(cert_addresses(cert), 0);
	must(keystore_held_cert(ks, &newest, e));
	assert_memory_equal(cert_sha256(cert), cert_sha256(newest), 32);

	must(keystore_list(ks, NULL, count_row, &n, e));
	assert_int_equal(n, 0);
	must(addr_parse(&any[0], view_of("alice@example.com"), e));
	must(keystore_find_key(ks, false, cert_ias(cert), any, 1, found, &n,
	    e));
	assert_int_equal(n, 0);
	must_fail(keystore_bind(ks, KS_PIN, "alice@example.com",
	    cert_sha256(cert), true, e), FAIL_INPUT);

	must(keyring_load(&kr, ks, secret_view(), e));
	assert_int_equal(keyring_keys(kr), 0);
	assert_null(keyring_cert(kr, cert_sha256(cert)));
	keyring_free(&kr);
	must(keyring_load_held(&kr, ks, secret_view(), e));
	assert_int_equal(keyring_keys(kr), 1);
	assert_non_null(keyring_cert(kr, cert_sha256(cert)));
	assert_non_null(keyring_named(kr, cert_ias(cert)));
	assert_null(keyring_named(kr, view_of("")));
	keyring_free(&kr);
	cert_free(&cert);
	cert_free(&newest);
}

static void a_new_one_follows_and_the_old_one_stays(void **state)
{
	struct cert *first, *second, *newest;
	struct keyring *kr;

	(void)state;
	must(keystore_held_make(ks, secret_view(), NOW, &first, e));
	must(keystore_held_make(ks, secret_view(), NOW, &second, e));
	must(keystore_held_cert(ks, &newest, e));
	assert_memory_equal(cert_sha256(second), cert_sha256(newest), 32);
	must(keyring_load_held(&kr, ks, secret_view(), e));
	assert_int_equal(keyring_keys(kr), 2);
	keyring_free(&kr);
	must_fail(keyring_load_held(&kr, ks, view_of("00112233445566778899aabb"
	    "ccddeeff00112233445566778899aabbccddeeff\n"), e), FAIL_CONFIG);
	cert_free(&first);
	cert_free(&second);
	cert_free(&newest);
}

/* ---- mail to senders ---- */

static const struct told_limit loose = { 100, 100 };

static void tell(const char *to, int64_t now)
{
	must(keystore_tell(ks, to, view_of("mail"), now, &loose, e));
}

static int64_t next(int64_t now, char to[100])
{
	struct buf who, text;
	int64_t id, at;

	buf_init(&who, 99);
	buf_init(&text, 1000);
	must(keystore_told_next(ks, now, &id, &at, &who, &text, e));
	text_set(to, 100, buf_str(&who));
	assert_string_equal(buf_str(&text), id == 0 ? "" : "mail");
	buf_free(&who);
	buf_free(&text);
	return id;
}

static void A49_nobody_is_told_more_often_than_allowed(void **state)
{
	const struct told_limit limit = { 2, 3 };

	(void)state;
	must(keystore_tell(ks, "a@example.com", view_of("mail"), NOW,
	    &limit, e));
	must(keystore_tell(ks, "a@example.com", view_of("mail"), NOW,
	    &limit, e));
	must_fail(keystore_tell(ks, "a@example.com", view_of("mail"), NOW,
	    &limit, e), FAIL_LIMIT);
	must(keystore_tell(ks, "b@example.com", view_of("mail"), NOW,
	    &limit, e));
	must_fail(keystore_tell(ks, "c@example.com", view_of("mail"), NOW,
	    &limit, e), FAIL_LIMIT);
	must_fail(keystore_tell(ks, "a@example.com", view_of("mail"),
	    NOW + 3599, &limit, e), FAIL_LIMIT);
	must(keystore_tell(ks, "a@example.com", view_of("mail"), NOW + 3600,
	    &limit, e));
}

static void what_was_sent_counts_and_is_not_sent_again(void **state)
{
	const struct told_limit limit = { 1, 10 };
	char to[100];
	int64_t id;
	bool lost;

	(void)state;
	tell("a@example.com", NOW);
	assert_int_equal(next(NOW - 1, to), 0);
	id = next(NOW, to);
	assert_int_not_equal(id, 0);
	assert_string_equal(to, "a@example.com");
	must(keystore_told_done(ks, id, NOW, 0, &lost, e));
	assert_false(lost);
	assert_int_equal(next(NOW + 100, to), 0);
	must_fail(keystore_tell(ks, "a@example.com", view_of("mail"),
	    NOW + 1, &limit, e), FAIL_LIMIT);
}

static void what_nobody_takes_is_given_up_in_the_end(void **state)
{
	int64_t id, now = NOW;
	bool lost = false;
	char to[100];
	int tries;

	(void)state;
	tell("a@example.com", now);
	for (tries = 0; !lost && tries < 100; tries++) {
		id = next(now, to);
		assert_int_not_equal(id, 0);
		must(keystore_told_done(ks, id, now, now + 600, &lost, e));
		if (!lost)
			assert_int_equal(next(now + (tries < TOLD_SOON
			    ? TOLD_SOON_S : 600) - 1, to), 0);
		now += 600;
	}
	assert_int_equal(tries, TOLD_TRIES);
	assert_int_equal(next(now + 100000, to), 0);
}

static void a_notice_goes_with_the_transaction(void **state)
{
	char to[100];

	(void)state;
	must(keystore_begin(ks, e));
	tell("a@example.com", NOW);
	keystore_rollback(ks);
	assert_int_equal(next(NOW, to), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_store, clear_store)
	const struct CMUnitTest tests[] = {
		T(what_is_not_there_is_an_error),
		T(an_envelope_of_two_lines_is_refused),
		T(inside_of_a_transaction_nothing_is_on_the_disk),
		T(the_quarantine_is_full_at_its_size),
		T(S47_octets_come_back_whatever_their_number),
		T(the_list_is_oldest_first_and_up_to_a_time),
		T(the_same_one_again_is_kept_once),
		T(what_is_removed_is_gone_and_noted),
		T(recipients_who_have_it_are_not_asked_again),
		T(parts_that_are_missing_are_noticed),
		T(A9_no_mail_sees_the_quarantines_certificate),
		T(a_new_one_follows_and_the_old_one_stays),
		T(A49_nobody_is_told_more_often_than_allowed),
		T(what_was_sent_counts_and_is_not_sent_again),
		T(what_nobody_takes_is_given_up_in_the_end),
		T(a_notice_goes_with_the_transaction),
	};

	return cmocka_run_group_tests_name("keystore_held", tests, NULL,
	    NULL);
}
