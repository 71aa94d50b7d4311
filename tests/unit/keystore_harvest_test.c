/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates out of mail in the store: what is never taken, from which day
 * on one is used, what another key does, for whom it is used.
 */
#include "tests/unit/keystore_harvest.h"

/* ---- what is never taken ---- */

/* attack A32: mail proves the address, but the certificate is not one that
 * mail could be encrypted with
 * verdict: refused with the reason, nothing is stored */
static void S123_S102_A32_what_is_not_fit_is_not_taken(void **state)
{
	static const char both[] = "critical,digitalSignature,keyAgreement";
	const struct {
		const char *name;
		struct spec s;
		const struct made *by;
		const char *reason;
	} row[] = {
		{ "signs only", { .ku = "digitalSignature",
		    .eku = "emailProtection" }, &root, "key agreement" },
		{ "for servers", { .ku = both, .eku = "serverAuth" }, &root,
		    "e-mail protection" },
		{ "expired", { .ku = both, .until = NOW - DAY }, &root,
		    "expired" },
		{ "tomorrow's", { .ku = both, .from = NOW + DAY,
		    .until = NOW + 2 * DAY }, &root, "valid only from" },
		{ "a CA's", { .bc = "CA:TRUE", .ku = "keyCertSign" }, &root,
		    "a CA certificate" },
		{ "somebody else's", { .ku = both,
		    .san = "email:" CAROL }, &root, "address differs" },
		{ "name in the subject only", { .ku = both,
		    .dn_email = ALICE, .san = "email:" CAROL }, &root,
		    "address differs" },
		{ "wildcard", { .ku = both, .san = "email:*@example.com" },
		    &root, "address differs" },
		{ "short key", { .alg = "rsa:1024", .ku = "keyEncipherment" },
		    &root, "1024" },
		{ "not trusted", { .ku = both }, &stranger, "no path" },
		{ "self-signed", { .ku = both }, NULL, "self-signed" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		struct spec s = row[i].s;
		struct made m;

		if (s.san == NULL)
			s.san = "email:" ALICE;
		s.key = "alice";
		cert_make(&m, &s, row[i].by);
		see(m.cert, ALICE, NOW);
		if (out.state != HARVEST_REFUSED || out.has_news ||
		    strstr(out.reason, row[i].reason) == NULL)
			fail_msg("%s: %s (%s)", row[i].name,
			    harvest_state_str(out.state), out.reason);
		expect_gone(m.cert);
		made_free(&m);
	}
	expect_counts(0, 0);
}

/* The store process may not touch keys: one that mail named would be loaded
 * with them, and removed with it. */
static void S123_our_own_keys_are_not_harvested(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");
	struct buf key;

	(void)state;
	add_private(ks, &made[0]);
	expect(c, ALICE, NOW, HARVEST_REFUSED, "its private key is here");
	expect_gone(c);
	buf_init(&key, 65536);
	must(keystore_get_key(ks, cert_spki_sha256(c), &key, e));
	buf_free(&key);
}

static void S123_distrusted_stays_so(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");
	bool added;

	(void)state;
	must(keystore_add(ks, c, KS_ENCRYPT, KS_IMPORT, &added, e));
	must(keystore_set_state(ks, cert_sha256(c), KS_DISTRUSTED, e));
	expect(c, ALICE, NOW, HARVEST_REFUSED, "distrusted here");
	must(keystore_set_state(ks, cert_sha256(c), KS_SUPERSEDED, e));
	expect(c, ALICE, NOW, HARVEST_REFUSED, "superseded here");
	must(keystore_set_state(ks, cert_sha256(c), KS_USABLE, e));
	expect(c, ALICE, NOW, HARVEST_USABLE, "the administrator's");
	assert_false(out.has_news);
	assert_int_equal(listed(ALICE).source, KS_IMPORT);
}

/* ---- days ---- */

static void S123_used_after_three_days(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");

	(void)state;
	expect_used(ALICE, NOW, NULL);
	expect(c, ALICE, NOW, HARVEST_PENDING, "seen on 1 of 3 days");
	expect_used(ALICE, NOW, NULL);
	expect_state(c, KS_PENDING);
	assert_int_equal(listed(ALICE).source, KS_HARVEST);
	expect(c, ALICE, NOW + 5 * DAY, HARVEST_PENDING,
	    "seen on 2 of 3 days");
	expect_used(ALICE, NOW + 5 * DAY, NULL);
	expect(c, ALICE, NOW + 6 * DAY, HARVEST_USABLE, "");
	assert_true(out.has_news);
	expect_used(ALICE, NOW + 6 * DAY, c);
	expect_state(c, KS_USABLE);
	expect(c, ALICE, NOW + 6 * DAY + 1, HARVEST_USABLE, "");
	assert_false(out.has_news);
	expect_counts(0, 1);
}

static void S123_one_day_is_at_once(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");

	(void)state;
	policy.days = 1;
	expect(c, ALICE, NOW, HARVEST_USABLE, "");
	expect_used(ALICE, NOW, c);
}

/* attack A32: a thousand messages in one day, to be known at once
 * verdict: it is one day; nothing is written but the first time */
static void S123_A32_a_thousand_messages_are_one_day(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");
	int64_t midnight = NOW / DAY * DAY;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		expect(c, ALICE, midnight + i * 86, HARVEST_PENDING,
		    "seen on 1 of 3 days");
		assert_int_equal(out.has_news, i == 0);
	}
	assert_int_equal(days_of(c), 1);
	expect_used(ALICE, NOW, NULL);
	/* the last second, and the first of the next day */
	see(c, ALICE, midnight + DAY - 1);
	assert_int_equal(days_of(c), 1);
	see(c, ALICE, midnight + DAY);
	assert_int_equal(days_of(c), 2);
}

/* attack A32: mail at a time when the clock is wrong, there and back
 * verdict: a day that was is none twice, and a clock that was years ahead
 * does not stop the days */
static void S123_A32_clocks_that_jump_make_no_days(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");
	int i;

	(void)state;
	see(c, ALICE, NOW);
	see(c, ALICE, NOW - DAY); /* the midnight before: no day */
	assert_false(out.has_news);
	for (i = 1; i <= 20; i++)
		see(c, ALICE, NOW - i * DAY);
	assert_int_equal(days_of(c), 1);
	see(c, ALICE, NOW + 50 * DAY);
	assert_int_equal(days_of(c), 2);
	see(c, ALICE, NOW);
	assert_int_equal(days_of(c), 2);
	assert_true(out.has_news); /* put right */
	see(c, ALICE, NOW + DAY);
	assert_int_equal(days_of(c), 3);
	expect_state(c, KS_USABLE);
}

static void S123_looking_changes_nothing(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");
	struct addr a = address(ALICE);
	const struct sighting s = { &a, c, NOW };

	(void)state;
	must(harvest_look(ks, &s, &policy, &out, e));
	assert_int_equal(out.state, HARVEST_PENDING);
	assert_string_equal(out.reason, "seen on 1 of 3 days");
	assert_true(out.has_news);
	expect_gone(c);
	expect_counts(0, 0);
}

/* ---- another key ---- */

/* attack A32: "Mailto: me your secrets": after alice, somebody signs as her
 * with a certificate that another trusted CA issued, for weeks
 * verdict: pending with the reason, the one in use stays so */
static void S123_A32_a_second_certificate_from_another_CA_waits(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");
	const struct cert *evil = cert_of(&other, ALICE, "evil");
	struct addr a = address(ALICE);
	struct selection sel;
	int i;

	(void)state;
	policy.same_ca = true;
	see_days(c, ALICE, 3);
	expect_used(ALICE, NOW + 2 * DAY, c);
	for (i = 3; i < 60; i++) {
		expect(evil, ALICE, NOW + i * DAY, HARVEST_PENDING,
		    OTHER_KEY);
		assert_true(out.is_conflict && out.has_news);
	}
	assert_int_equal(days_of(evil), 57);
	expect_state(evil, KS_PENDING);
	expect_state(c, KS_USABLE);
	expect_used(ALICE, NOW + 60 * DAY, c);
	must(keystore_select(ks, &a, KS_ENCRYPT, NOW + 60 * DAY, &sel, e));
	assert_int_equal(sel.over_n, 1);
	assert_string_equal(sel.over[0].sha256, cert_sha256_hex(evil));
	assert_non_null(strstr(sel.over[0].reason, "pending"));
	selection_free(&sel);
	/* hers goes on */
	expect(c, ALICE, NOW + 60 * DAY, HARVEST_USABLE, "");
}

/* attack A32: the other one comes before hers has its days
 * verdict: both wait for a person */
static void S123_A32_two_keys_from_the_start_both_wait(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");
	const struct cert *evil = cert_of(&other, ALICE, "evil");
	int i;

	(void)state;
	see(c, ALICE, NOW);
	for (i = 0; i < 10; i++)
		expect(evil, ALICE, NOW + i * DAY, HARVEST_PENDING,
		    OTHER_KEY);
	expect(c, ALICE, NOW + 10 * DAY, HARVEST_PENDING, OTHER_KEY);
	expect_used(ALICE, NOW + 10 * DAY, NULL);
	expect_counts(2, 0);
}

/* attack A32: a certificate with alice's address, in use, and a second key
 * after hers ran out
 * verdict: waits still, if not the same CA says so */
static void S123_A32_expired_is_no_open_door(void **state)
{
	const struct spec s = { .san = "email:" ALICE, .key = "alice",
		.ku = "keyAgreement", .until = NOW + 3 * DAY };
	const struct cert *c, *evil = cert_of(&other, ALICE, "evil");

	(void)state;
	policy.same_ca = true;
	cert_make(&made[mades], &s, &root);
	c = made[mades++].cert;
	see_days(c, ALICE, 3);
	expect_state(c, KS_USABLE);
	expect(evil, ALICE, NOW + 20 * DAY, HARVEST_PENDING, OTHER_KEY);
	expect_used(ALICE, NOW + 20 * DAY, NULL);
}

static void S123_a_new_key_of_the_same_CA(void **state)
{
	const struct {
		bool same_ca;
		int64_t old_until, new_from;
		bool same_issuer;
		bool counts;
	} row[] = {
		{ true, NOW + 80 * DAY, NOW - 50 * DAY, true, true },
		{ false, NOW + 80 * DAY, NOW - 50 * DAY, true, false },
		{ true, NOW + 80 * DAY, NOW - 50 * DAY, false, false },
		/* no newer, but the old one ends in 30 days; or in 31 at
		 * the second look */
		{ true, NOW + 30 * DAY, NOW - 100 * DAY, true, true },
		{ true, NOW + 32 * DAY, NOW - 100 * DAY, true, false },
		/* older */
		{ true, NOW + 80 * DAY, NOW - 101 * DAY, true, false },
		/* expired */
		{ true, NOW - 1, NOW - 101 * DAY, true, true },
		{ false, NOW - 1, NOW - 50 * DAY, true, false },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(row); i++) {
		const struct spec s = { .san = "email:" ALICE,
			.key = "alice", .ku = "keyAgreement",
			.until = row[i].old_until };
		const struct cert *old, *new;

		cert_make(&made[mades], &s, &root);
		old = made[mades++].cert;
		policy.same_ca = row[i].same_ca;
		policy.days = 1;
		see(old, ALICE, NOW - 2 * DAY);
		assert_int_equal(out.state, HARVEST_USABLE);
		policy.days = 2;
		new = issue(row[i].same_issuer ? &root : &other,
		    "email:" ALICE, "second", row[i].new_from);
		see(new, ALICE, NOW);
		assert_int_equal(out.state, HARVEST_PENDING);
		if (out.is_conflict == row[i].counts)
			fail_msg("row %zu: %s", i, out.reason);
		see(new, ALICE, NOW + DAY);
		assert_int_equal(out.state, row[i].counts ? HARVEST_USABLE :
		    HARVEST_PENDING);
		/* nothing is overwritten */
		expect_state(old, KS_USABLE);
		teardown(state);
		setup(state);
	}
}

/* Below one root there may be another CA with a key of its own; and one key
 * may be certified by two roots. Neither is the same CA (same-ca auto). */
static void S123_A32_the_same_CA_is_one_key_under_one_root(void **state)
{
	struct spec s = CA_SPEC("issuing");
	struct made sub[3];
	size_t i;

	(void)state;
	policy.same_ca = true;
	policy.days = 1;
	s.cn = "first";
	cert_make(&sub[0], &s, &root);
	s.cn = "second";
	cert_make(&sub[1], &s, &other); /* the same key */
	ca_make(&sub[2], "third", &root);
	for (i = 0; i < 3; i++)
		add_cert(ks, &sub[i], 0);
	see(cert_of(&sub[0], ALICE, "alice"), ALICE, NOW);
	assert_int_equal(out.state, HARVEST_USABLE);
	for (i = 1; i < 3; i++) {
		const struct cert *c = issue(&sub[i], "email:" ALICE,
		    i == 1 ? "b" : "c", NOW - DAY);

		see(c, ALICE, NOW);
		assert_int_equal(out.state, HARVEST_PENDING);
		assert_true(out.is_conflict);
		must(harvest_reject(ks, cert_sha256(c), e));
	}
	for (i = 0; i < 3; i++)
		made_free(&sub[i]);
}

static void S123_days_of_a_key_go_with_it(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");
	const struct cert *next = cert_of(&root, ALICE, "alice");

	(void)state;
	see_days(c, ALICE, 2);
	expect(next, ALICE, NOW + 2 * DAY, HARVEST_USABLE, "");
	assert_int_equal(days_of(next), 3);
	expect_state(c, KS_PENDING);
}

static void S123_a_known_key_does_not_wait_for_a_stranger(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");
	const struct cert *evil = cert_of(&other, ALICE, "evil");
	const struct cert *next = issue(&root, "email:" ALICE, "alice",
	    NOW - DAY);

	(void)state;
	see_days(c, ALICE, 3);
	expect(evil, ALICE, NOW + 2 * DAY, HARVEST_PENDING, OTHER_KEY);
	expect(next, ALICE, NOW + 2 * DAY, HARVEST_USABLE, "");
	expect_used(ALICE, NOW + 2 * DAY, next);
}

static void S123_the_same_key_is_known(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");
	const struct cert *next = cert_of(&other, ALICE, "alice");
	const struct cert *last = issue(&root, "email:" ALICE, "alice",
	    NOW - DAY);

	(void)state;
	see(c, ALICE, NOW);
	/* still waiting: its days count for both */
	expect(next, ALICE, NOW, HARVEST_PENDING, "seen on 1 of 3 days");
	expect(next, ALICE, NOW + DAY, HARVEST_PENDING,
	    "seen on 2 of 3 days");
	see(c, ALICE, NOW + DAY);
	see(c, ALICE, NOW + 2 * DAY);
	expect_used(ALICE, NOW + 2 * DAY, c);
	expect(last, ALICE, NOW + 2 * DAY, HARVEST_USABLE, "");
	expect_used(ALICE, NOW + 2 * DAY, last);
	expect_state(c, KS_USABLE);
}

/* Signing and encryption with two keys (S122): the one for signing, which
 * somebody imported, is in nobody's way. */
static void S122_S123_a_key_that_only_signs_is_no_other_key(void **state)
{
	const struct spec s = { .san = "email:" ALICE, .key = "signs",
		.ku = "digitalSignature" };
	const struct cert *c = cert_of(&root, ALICE, "alice");

	(void)state;
	cert_make(&made[mades++], &s, &root);
	add_cert(ks, &made[mades - 1], KS_SIGN | KS_ENCRYPT);
	see_days(c, ALICE, 3);
	assert_int_equal(out.state, HARVEST_USABLE);
	expect_used(ALICE, NOW + 2 * DAY, c);
}

/* ---- whose address ---- */

/* attack A32: a certificate that names carol, too, or an attacker's own that
 * a careless CA put alice into
 * verdict: it serves the address that was proven, no other */
static void S123_A32_serves_the_proven_address_only(void **state)
{
	const struct cert *c = issue(&root, "email:" ALICE ",email:" CAROL,
	    "alice", 0);

	(void)state;
	see_days(c, ALICE, 3);
	expect_used(ALICE, NOW + 2 * DAY, c);
	expect_used(CAROL, NOW + 2 * DAY, NULL);
	assert_int_equal(listed(CAROL).n, 0);
	/* carol's days are her own */
	expect(c, CAROL, NOW + 3 * DAY, HARVEST_PENDING,
	    "seen on 1 of 3 days");
	expect_used(CAROL, NOW + 3 * DAY, NULL);
	expect_used(ALICE, NOW + 3 * DAY, c);
	see(c, CAROL, NOW + 4 * DAY);
	expect_used(CAROL, NOW + 4 * DAY, NULL);
	see(c, CAROL, NOW + 5 * DAY);
	expect_used(CAROL, NOW + 5 * DAY, c);
	expect_used(ALICE, NOW + 5 * DAY, c);
	expect_counts(0, 2);
}

/* attack A32: while it waits for both, one address gets its days
 * verdict: the other one waits on */
static void S123_A32_days_of_one_address_are_not_the_others(void **state)
{
	const struct cert *c = issue(&root, "email:" ALICE ",email:" CAROL,
	    "alice", 0);

	(void)state;
	see(c, CAROL, NOW);
	see_days(c, ALICE, 3);
	expect_state(c, KS_USABLE);
	expect_used(ALICE, NOW + 2 * DAY, c);
	expect_used(CAROL, NOW + 2 * DAY, NULL);
	expect_counts(1, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(S123_S102_A32_what_is_not_fit_is_not_taken),
		T(S123_our_own_keys_are_not_harvested),
		T(S123_distrusted_stays_so),
		T(S123_used_after_three_days),
		T(S123_one_day_is_at_once),
		T(S123_A32_a_thousand_messages_are_one_day),
		T(S123_A32_clocks_that_jump_make_no_days),
		T(S123_looking_changes_nothing),
		T(S123_A32_a_second_certificate_from_another_CA_waits),
		T(S123_A32_two_keys_from_the_start_both_wait),
		T(S123_A32_expired_is_no_open_door),
		T(S123_a_new_key_of_the_same_CA),
		T(S123_A32_the_same_CA_is_one_key_under_one_root),
		T(S123_days_of_a_key_go_with_it),
		T(S123_a_known_key_does_not_wait_for_a_stranger),
		T(S123_the_same_key_is_known),
		T(S122_S123_a_key_that_only_signs_is_no_other_key),
		T(S123_A32_serves_the_proven_address_only),
		T(S123_A32_days_of_one_address_are_not_the_others),
	};

	return cmocka_run_group_tests_name("keystore_harvest", tests, NULL,
	    NULL);
}
