/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Counts, ends, changes: each by a store made for it.
 */
#include "tests/unit/keystore_util.h"

#include "keystore/life.h"

static struct made root, alice, old_bob, new_bob, carol, dave;
static struct place p;
static struct keystore *ks;

static void person(struct made *m, const char *san, const char *key,
    int64_t until)
{
	struct spec s = { .cn = san, .san = san, .key = key,
		.eku = "emailProtection", .until = until };

	cert_make(m, &s, &root);
}

static int make_store(void **state)
{
	(void)state;
	ca_make(&root, "root", NULL);
	person(&alice, "email:alice@example.com", "a", NOW + 10 * DAY);
	person(&old_bob, "email:bob@example.org", "b", NOW + 5 * DAY);
	person(&new_bob, "email:bob@example.org", "b", NOW + 90 * DAY);
	person(&carol, "email:carol@example.org", "c", NOW + 20 * DAY);
	person(&dave, "email:dave@example.net", "d", NOW - 3 * DAY);
	ks = store_make(&p);
	add_anchor(ks, &root);
	add_cert(ks, &alice, KS_SIGN | KS_ENCRYPT);
	add_private(ks, &alice);
	add_cert(ks, &old_bob, KS_SIGN | KS_ENCRYPT);
	add_cert(ks, &new_bob, KS_SIGN | KS_ENCRYPT);
	add_cert(ks, &carol, KS_SIGN | KS_ENCRYPT);
	add_cert(ks, &dave, KS_SIGN | KS_ENCRYPT);
	return 0;
}

static int clear_store(void **state)
{
	(void)state;
	store_clear(&p, &ks);
	made_free(&root);
	made_free(&alice);
	made_free(&old_bob);
	made_free(&new_bob);
	made_free(&carol);
	made_free(&dave);
	return 0;
}

static void counts_are_those_of_the_rows(void **state)
{
	struct life_counts n;

	(void)state;
	must(life_count(ks, NOW, &n, e));
	assert_int_equal(n.certs, 6);
	assert_int_equal(n.with_key, 1);
	assert_int_equal(n.anchors, 1);
	assert_int_equal(n.expired, 1);
	assert_int_equal(n.pending, 0);
	assert_int_equal(n.harvested, 0);
	assert_int_equal(n.requests, 0);
	assert_int_equal(n.crls, 0);
	assert_int_equal(n.next_crl, 0);
	must(keystore_set_state(ks, cert_sha256(carol.cert), KS_PENDING, e));
	must(life_count(ks, NOW + 6 * DAY, &n, e));
	assert_int_equal(n.pending, 1);
	assert_int_equal(n.expired, 2);
	must(keystore_set_state(ks, cert_sha256(carol.cert), KS_USABLE, e));
}

static void counts_of_an_empty_store(void **state)
{
	struct life_partners partners;
	struct life_counts n;
	struct place q;
	struct keystore *empty = store_make(&q);

	(void)state;
	must(life_count(empty, NOW, &n, e));
	assert_int_equal(n.certs + n.with_key + n.anchors + n.expired, 0);
	must(life_partners(empty, NOW, 30 * DAY, &partners, e));
	assert_int_equal(partners.valid + partners.soon + partners.expired,
	    0);
	assert_int_equal(partners.next, 0);
	store_clear(&q, &empty);
}

/* bob's certificate that ends in five days has a successor. */
static void a_partner_with_a_successor_does_not_end(void **state)
{
	struct life_partners n;

	(void)state;
	must(life_partners(ks, NOW, 30 * DAY, &n, e));
	assert_int_equal(n.valid, 1);
	assert_int_equal(n.soon, 1);
	assert_int_equal(n.expired, 1);
	assert_int_equal(n.next, NOW + 20 * DAY);
}

struct seen {
	char text[1000];
	size_t n;
};

static int on_end(void *arg, const char *what, int64_t ends, struct err *e)
{
	struct seen *s = arg;
	size_t used = strlen(s->text);

	(void)e;
	snprintf(s->text + used, sizeof(s->text) - used, "%s %lld\n", what,
	    (long long)((ends - NOW) / DAY));
	s->n++;
	return 0;
}

static void ends_come_in_order_and_within_bounds(void **state)
{
	struct seen s = { "", 0 }, few = { "", 0 }, cas = { "", 0 };

	(void)state;
	must(life_partners_ending(ks, NOW - 10 * DAY, NOW + 30 * DAY, 100,
	    on_end, &s, e));
	assert_string_equal(s.text, "dave@example.net -3\n"
	    "carol@example.org 20\n");
	must(life_partners_ending(ks, NOW - 10 * DAY, NOW + 30 * DAY, 1,
	    on_end, &few, e));
	assert_string_equal(few.text, "dave@example.net -3\n");
	must(life_cas_ending(ks, NOW, NOW + 999 * DAY, on_end, &cas, e));
	assert_int_equal(cas.n, 0);
	must(life_cas_ending(ks, NOW, NOW + 1001 * DAY, on_end, &cas, e));
	assert_string_equal(cas.text, "CN=root 1000\n");
}

static int on_own(void *arg, const struct ks_row *r, struct err *e)
{
	(void)e;
	assert_string_equal(cert_address(r->cert, 0)->text,
	    "alice@example.com");
	++*(int *)arg;
	return 0;
}

static void own_are_those_with_a_key(void **state)
{
	int n = 0;

	(void)state;
	must(life_own(ks, on_own, &n, e));
	assert_int_equal(n, 1);
}

static void a_notice_is_remembered(void **state)
{
	struct life_notice n = { .sent = NOW }, back;

	(void)state;
	must(life_notice_get(ks, &back, e));
	assert_int_equal(back.sent, 0);
	assert_string_equal(back.hash, "");
	memset(n.hash, 'a', 64);
	must(life_notice_set(ks, &n, e));
	must(life_notice_get(ks, &back, e));
	assert_int_equal(back.sent, NOW);
	assert_string_equal(back.hash, n.hash);
}

/* ---- changes ---- */

struct changes {
	char text[4000];
	size_t n;
};

static int on_change(void *arg, const struct change *c, struct err *e)
{
	struct changes *s = arg;
	size_t used = strlen(s->text);

	(void)e;
	assert_true(c->at > 0);
	snprintf(s->text + used, sizeof(s->text) - used, "%s|%s|%s|%.8s|%s\n",
	    c->who, c->origin, c->action, c->object, c->detail);
	s->n++;
	return 0;
}

static void changes_say_who_what_and_from_where(void **state)
{
	struct change_query q = { .about = "carol@", .most = 2 };
	struct changes s = { "", 0 };
	char want[400];

	(void)state;
	keystore_set_actor(ks, "root (uid 0)", "postseal cert distrust");
	must(keystore_set_state(ks, cert_sha256(carol.cert), KS_DISTRUSTED,
	    e));
	must(keystore_set_state(ks, cert_sha256(carol.cert), KS_USABLE, e));
	must(keystore_changes(ks, &q, on_change, &s, e));
	snprintf(want, sizeof(want), "root (uid 0)|postseal cert distrust|"
	    "change state|%.8s|carol@example.org: usable\n"
	    "root (uid 0)|postseal cert distrust|"
	    "change state|%.8s|carol@example.org: distrusted\n",
	    cert_sha256_hex(carol.cert), cert_sha256_hex(carol.cert));
	assert_string_equal(s.text, want);
}

static void what_was_taken_back_was_not_changed(void **state)
{
	struct change_query q = { .about = "dave@" };
	struct changes before = { "", 0 }, after = { "", 0 };

	(void)state;
	must(keystore_changes(ks, &q, on_change, &before, e));
	must(keystore_begin(ks, e));
	must(keystore_remove(ks, cert_sha256(dave.cert), e));
	keystore_rollback(ks);
	must(keystore_changes(ks, &q, on_change, &after, e));
	assert_int_equal(before.n, 1);
	assert_string_equal(after.text, before.text);
}

static void every_kind_of_change_is_noted(void **state)
{
	struct change_query all = { 0 };
	struct changes *s = calloc(1, sizeof(*s));
	struct place q;
	struct keystore *other = store_make(&q);

	(void)state;
	assert_non_null(s);
	keystore_set_actor(other, "w", "o");
	add_anchor(other, &root);
	add_cert(other, &alice, KS_SIGN);
	add_cert(other, &alice, KS_SIGN | KS_ENCRYPT);
	add_private(other, &alice);
	must(keystore_set_anchor(other, cert_sha256(root.cert), false, e));
	must(keystore_remove(other, cert_sha256(alice.cert), e));
	must(keystore_changes(other, &all, on_change, s, e));
	assert_non_null(strstr(s->text, "|remove certificate and key|"));
	assert_non_null(strstr(s->text, "|distrust|"));
	assert_non_null(strstr(s->text, "|add private key|"));
	assert_non_null(strstr(s->text, "|change use|"));
	assert_non_null(strstr(s->text, "|add certificate|"));
	assert_non_null(strstr(s->text, "|trust|"));
	assert_int_equal(s->n, 7);
	free(s);
	store_clear(&q, &other);
}

/* The environment and arguments of whoever calls may be long and odd. */
static void an_actor_is_cut_to_fit(void **state)
{
	char longer[500];
	struct changes s = { "", 0 };
	struct change_query q = { .most = 1 };

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	keystore_set_actor(ks, longer, longer);
	must(keystore_set_state(ks, cert_sha256(carol.cert), KS_USABLE, e));
	must(keystore_changes(ks, &q, on_change, &s, e));
	assert_int_equal(strchr(s.text, '|') - s.text, 63);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_those_of_the_rows),
		cmocka_unit_test(counts_of_an_empty_store),
		cmocka_unit_test(a_partner_with_a_successor_does_not_end),
		cmocka_unit_test(ends_come_in_order_and_within_bounds),
		cmocka_unit_test(own_are_those_with_a_key),
		cmocka_unit_test(a_notice_is_remembered),
		cmocka_unit_test(changes_say_who_what_and_from_where),
		cmocka_unit_test(what_was_taken_back_was_not_changed),
		cmocka_unit_test(every_kind_of_change_is_noted),
		cmocka_unit_test(an_actor_is_cut_to_fit),
	};

	return cmocka_run_group_tests_name("keystore_life", tests, make_store,
	    clear_store);
}
