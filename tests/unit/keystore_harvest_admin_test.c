/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates out of mail in the store: what an administrator brings and
 * decides, how many there may be, what is forgotten, what is noted.
 */
#include "tests/unit/keystore_harvest.h"

#include "keystore/life.h"

/* ---- notes ---- */

struct notes {
	const char *action;
	size_t n;
};

static int count_note(void *arg, const struct change *c, struct err *e)
{
	struct notes *n = arg;

	(void)e;
	n->n += strcmp(c->action, n->action) == 0;
	return 0;
}

static size_t notes_of(const struct cert *c, const char *action)
{
	const struct change_query q = { .about = cert_sha256_hex(c) };
	struct notes n = { action, 0 };

	must(keystore_changes(ks, &q, count_note, &n, e));
	return n.n;
}

/* ---- the administrator's ---- */

static void S123_imported_ones_win(void **state)
{
	const struct cert *mail = issue(&root, "email:" ALICE, "mail",
	    NOW - DAY);
	const struct cert *own = cert_of(&other, ALICE, "own");
	bool added;

	(void)state;
	policy.same_ca = true;
	see_days(mail, ALICE, 3);
	expect_used(ALICE, NOW + 2 * DAY, mail);
	/* older, but a person's word */
	must(keystore_add(ks, own, KS_ENCRYPT, KS_IMPORT, &added, e));
	expect_used(ALICE, NOW + 2 * DAY, own);
	expect_state(mail, KS_USABLE);
}

static void S123_an_imported_key_makes_others_wait(void **state)
{
	const struct spec s = { .san = "email:" ALICE, .key = "own",
		.ku = "keyAgreement", .until = NOW + 5 * DAY };
	const struct cert *mail = issue(&root, "email:" ALICE, "mail",
	    NOW - DAY);

	(void)state;
	policy.same_ca = true; /* newer, same CA: not even then */
	cert_make(&made[mades++], &s, &root);
	add_cert(ks, &made[mades - 1], KS_ENCRYPT);
	see_days(mail, ALICE, 4);
	assert_int_equal(out.state, HARVEST_PENDING);
	assert_true(out.is_conflict);
	assert_string_equal(out.reason, OTHER_KEY ", by the administrator's "
	    "word");
	/* until it is over, and the same CA says who follows */
	expect(mail, ALICE, NOW + 5 * DAY, HARVEST_USABLE, "");
	expect_used(ALICE, NOW + 5 * DAY, mail);
}

static void S123_importing_it_makes_it_the_administrators(void **state)
{
	const struct cert *c = issue(&root, "email:" ALICE ",email:" CAROL,
	    "alice", 0);
	bool added;

	(void)state;
	see(c, ALICE, NOW);
	must(keystore_add(ks, c, KS_SIGN | KS_ENCRYPT, KS_IMPORT, &added,
	    e));
	assert_false(added);
	expect_used(ALICE, NOW, c);
	expect_used(CAROL, NOW, c);
	assert_int_equal(listed(ALICE).source, KS_IMPORT);
	expect_counts(0, 0);
	expect(c, ALICE, NOW + DAY, HARVEST_USABLE, "the administrator's");
}

static void S123_approve(void **state)
{
	const struct cert *c = issue(&root, "email:" ALICE ",email:" CAROL,
	    "alice", 0);
	const struct cert *next = issue(&other, "email:" ALICE, "next",
	    NOW - 150 * DAY);
	size_t replaced;

	(void)state;
	must_fail(harvest_approve(ks, cert_sha256(c), false, NULL, e),
	    FAIL_INPUT);
	see_days(c, ALICE, 3);
	must_fail(harvest_approve(ks, cert_sha256(c), false, NULL, e),
	    FAIL_INPUT); /* waits for nothing */
	see(next, ALICE, NOW);
	must(harvest_approve(ks, cert_sha256(next), false, &replaced, e));
	assert_int_equal(replaced, 0);
	expect_state(next, KS_USABLE);
	expect_state(c, KS_USABLE);
	/* a person's word wins, as that of an import */
	expect_used(ALICE, NOW + 2 * DAY, next);
	expect_used(CAROL, NOW + 2 * DAY, NULL);
	expect_counts(0, 2);
}

static void S123_A32_approved_for_one_address(void **state)
{
	const struct cert *c = issue(&root, "email:" ALICE ",email:" CAROL,
	    "alice", 0);

	(void)state;
	see(c, ALICE, NOW);
	must(harvest_approve(ks, cert_sha256(c), false, NULL, e));
	expect(c, ALICE, NOW + DAY, HARVEST_USABLE, "the administrator's");
	expect(c, CAROL, NOW + DAY, HARVEST_REFUSED,
	    "approved for another address of it");
	expect_used(CAROL, NOW + DAY, NULL);
}

static void S123_approve_and_replace(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");
	const struct cert *both = issue(&root, "email:" ALICE ",email:" CAROL,
	    "both", 0);
	const struct cert *own = cert_of(&root, ALICE, "own");
	const struct cert *next = cert_of(&other, ALICE, "next");
	size_t replaced;
	bool added;

	(void)state;
	see_days(c, ALICE, 3);
	see_days(both, CAROL, 3);
	see(both, ALICE, NOW + 3 * DAY);
	must(keystore_add(ks, own, KS_ENCRYPT, KS_IMPORT, &added, e));
	see(next, ALICE, NOW + 3 * DAY);
	assert_int_equal(out.state, HARVEST_PENDING);
	must(harvest_approve(ks, cert_sha256(next), true, &replaced, e));
	assert_int_equal(replaced, 2);
	expect_state(c, KS_SUPERSEDED);
	expect_state(both, KS_USABLE); /* carol's, who changed nothing */
	expect_used(CAROL, NOW + 3 * DAY, both);
	expect_state(own, KS_USABLE); /* imported: not replaced */
	expect(c, ALICE, NOW + 4 * DAY, HARVEST_REFUSED, "superseded here");
}

/* attack A32: what was rejected comes again, and so does its key
 * verdict: refused; another certificate with that key waits */
static void S123_A32_rejected_does_not_come_again(void **state)
{
	const struct cert *evil = cert_of(&other, ALICE, "evil");
	const struct cert *again = cert_of(&root, ALICE, "evil");
	const struct cert *own = cert_of(&root, CAROL, "own");
	bool added;

	(void)state;
	see_days(evil, ALICE, 2);
	must(harvest_reject(ks, cert_sha256(evil), e));
	expect_state(evil, KS_DISTRUSTED);
	expect_counts(0, 0);
	expect(evil, ALICE, NOW + 2 * DAY, HARVEST_REFUSED,
	    "distrusted here");
	see_days(again, ALICE, 5);
	assert_int_equal(out.state, HARVEST_PENDING);
	assert_string_equal(out.reason, "another certificate with this key "
	    "was rejected");
	must(keystore_add(ks, own, KS_ENCRYPT, KS_IMPORT, &added, e));
	must_fail(harvest_reject(ks, cert_sha256(own), e), FAIL_INPUT);
	expect_state(own, KS_USABLE);
}

static void S123_rejected_and_trusted_again_is_a_persons_word(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");

	(void)state;
	see(c, ALICE, NOW);
	must(harvest_reject(ks, cert_sha256(c), e));
	must(keystore_set_state(ks, cert_sha256(c), KS_USABLE, e));
	expect_used(ALICE, NOW, c);
	expect(c, ALICE, NOW, HARVEST_USABLE, "the administrator's");
	expect_counts(0, 0);
}

static void S123_removed_can_come_again(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");

	(void)state;
	see_days(c, ALICE, 3);
	must(keystore_remove(ks, cert_sha256(c), e));
	expect_counts(0, 0);
	expect(c, ALICE, NOW + 3 * DAY, HARVEST_PENDING,
	    "seen on 1 of 3 days");
}

/* ---- how many, how long ---- */

/* attack A32: a customer of a trusted CA sends with ever new certificates
 * verdict: as many wait as may; those that were seen on more days stay */
static void S123_A32_a_flood_fills_nothing(void **state)
{
	const struct cert *known = cert_of(&root, ALICE, "alice");
	const struct cert *waits = cert_of(&root, CAROL, "carol");
	char who[32], key[32];
	int i;

	(void)state;
	policy.max = 6;
	see_days(known, ALICE, 3);
	see_days(waits, CAROL, 2);
	for (i = 0; i < 25; i++) {
		snprintf(who, sizeof(who), "x%d@evil.example", i);
		snprintf(key, sizeof(key), "evil%d", i % 7);
		expect(cert_of(&other, who, key), who, NOW + 2 * DAY + i,
		    HARVEST_PENDING, "seen on 1 of 3 days");
		assert_true(listed("@evil.example").n <= 4);
	}
	expect_counts(5, 1);
	expect_state(known, KS_USABLE);
	expect_state(waits, KS_PENDING);
	assert_int_equal(listed(who).n, 1); /* the last one */
	assert_int_equal(listed("x0@evil.example").n, 0);
}

static void S123_at_most_so_many_of_an_address(void **state)
{
	const struct cert *c[4];
	size_t i;

	(void)state;
	policy.max_per_address = 3;
	for (i = 0; i < 4; i++) {
		char key[8];

		snprintf(key, sizeof(key), "k%zu", i);
		c[i] = cert_of(&root, ALICE, key);
		see(c[i], ALICE, NOW + (int64_t)i * DAY);
	}
	expect_gone(c[0]);
	for (i = 1; i < 4; i++)
		expect_state(c[i], KS_PENDING);
	/* those in use do not give way */
	for (i = 1; i < 4; i++)
		must(harvest_approve(ks, cert_sha256(c[i]), false, NULL, e));
	see(c[0], ALICE, NOW);
	assert_int_equal(out.state, HARVEST_REFUSED);
	expect_gone(c[0]);
}

/* attack A32: one certificate more than may wait, in turns, so that each
 * message changes the store
 * verdict: those of today stay today */
static void S123_A32_certificates_in_turns_write_nothing(void **state)
{
	const struct cert *c[3];
	size_t i;

	(void)state;
	policy.max_per_address = 2;
	for (i = 0; i < 3; i++) {
		char key[8];

		snprintf(key, sizeof(key), "k%zu", i);
		c[i] = cert_of(&root, ALICE, key);
		see(c[i], ALICE, NOW);
	}
	for (i = 0; i < 30; i++) {
		see(c[i % 3], ALICE, NOW + (int64_t)i);
		assert_false(out.has_news);
	}
	assert_int_equal(out.state, HARVEST_REFUSED);
	assert_non_null(strstr(out.reason, "no room"));
	expect_gone(c[2]);
	assert_int_equal(notes_of(c[2], "harvest certificate"), 0);
	see(c[2], ALICE, NOW + DAY);
	expect_state(c[2], KS_PENDING);
	expect_counts(2, 0);
}

static void S123_a_limit_that_was_lowered(void **state)
{
	char who[32], key[32];
	int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		snprintf(who, sizeof(who), "x%d@example.com", i);
		snprintf(key, sizeof(key), "k%d", i % 5);
		see(cert_of(&root, who, key), who, NOW + i);
	}
	expect_counts(20, 0);
	policy.max = 5;
	see(cert_of(&root, ALICE, "alice"), ALICE, NOW + DAY);
	expect_counts(13, 0); /* not all at once */
	see(cert_of(&root, CAROL, "carol"), CAROL, NOW + DAY);
	expect_counts(6, 0);
	see(cert_of(&root, "y@example.com", "y"), "y@example.com",
	    NOW + DAY);
	expect_counts(5, 0);
}

static void S123_what_waits_is_forgotten(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");
	const struct cert *used = issue(&root, "email:" CAROL, "carol", 0);
	size_t n;

	(void)state;
	see(c, ALICE, NOW);
	see_days(used, CAROL, 3);
	must(harvest_expire(ks, &policy, NOW + 90 * DAY, &n, e));
	assert_int_equal(n, 0);
	must(harvest_expire(ks, &policy, NOW + 90 * DAY + 1, &n, e));
	assert_int_equal(n, 1);
	expect_gone(c);
	expect_state(used, KS_USABLE);
	/* expired on NOW + 100 days; not seen for 400 */
	must(harvest_expire(ks, &policy, NOW + 402 * DAY, &n, e));
	assert_int_equal(n, 0);
	must(harvest_expire(ks, &policy, NOW + 402 * DAY + 1, &n, e));
	assert_int_equal(n, 1);
	expect_gone(used);
	expect_counts(0, 0);
}

/* A key that waits for its certificate is no part of a certificate that mail
 * brought with the same public key. */
static void S123_forgetting_takes_no_key(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");
	struct buf key;
	size_t n;

	(void)state;
	see(c, ALICE, NOW);
	add_private(ks, &made[0]);
	must(harvest_expire(ks, &policy, NOW + 91 * DAY, &n, e));
	assert_int_equal(n, 1);
	expect_gone(c);
	buf_init(&key, 65536);
	must(keystore_get_key(ks, cert_spki_sha256(c), &key, e));
	buf_free(&key);
}

static void S123_an_anchor_that_goes_takes_it_along(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");

	(void)state;
	see_days(c, ALICE, 3);
	must(keystore_set_anchor(ks, cert_sha256(root.cert), false, e));
	expect_used(ALICE, NOW + 2 * DAY, NULL);
	see(c, ALICE, NOW + 3 * DAY);
	assert_int_equal(out.state, HARVEST_REFUSED);
}

/* ---- the audit ---- */

static void S123_every_change_is_noted(void **state)
{
	const struct cert *c = cert_of(&root, ALICE, "alice");
	const struct cert *next = cert_of(&other, ALICE, "next");
	size_t n;

	(void)state;
	see_days(c, ALICE, 3);
	see(c, ALICE, NOW + 3 * DAY);
	assert_int_equal(notes_of(c, "harvest certificate"), 1);
	assert_int_equal(notes_of(c, "use harvested certificate"), 1);
	see(next, ALICE, NOW);
	must(harvest_approve(ks, cert_sha256(next), true, NULL, e));
	assert_int_equal(notes_of(next, "approve certificate"), 1);
	assert_int_equal(notes_of(c, "replace certificate"), 1);
	must(harvest_reject(ks, cert_sha256(next), e));
	assert_int_equal(notes_of(next, "reject certificate"), 1);
	next = cert_of(&other, CAROL, "carol");
	see(next, CAROL, NOW);
	must(harvest_expire(ks, &policy, NOW + 91 * DAY, &n, e));
	assert_int_equal(notes_of(next, "forget harvested certificate"), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(S123_imported_ones_win),
		T(S123_an_imported_key_makes_others_wait),
		T(S123_importing_it_makes_it_the_administrators),
		T(S123_approve),
		T(S123_A32_approved_for_one_address),
		T(S123_approve_and_replace),
		T(S123_A32_rejected_does_not_come_again),
		T(S123_rejected_and_trusted_again_is_a_persons_word),
		T(S123_removed_can_come_again),
		T(S123_A32_a_flood_fills_nothing),
		T(S123_at_most_so_many_of_an_address),
		T(S123_A32_certificates_in_turns_write_nothing),
		T(S123_a_limit_that_was_lowered),
		T(S123_what_waits_is_forgotten),
		T(S123_forgetting_takes_no_key),
		T(S123_an_anchor_that_goes_takes_it_along),
		T(S123_every_change_is_noted),
	};

	return cmocka_run_group_tests_name("keystore_harvest_admin", tests,
	    NULL, NULL);
}
