/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Paths with the certificates of a message: what all searches for one message
 * may cost together, that nothing of them is kept for the next one, and
 * revoked intermediates.
 */
#include "tests/unit/keystore_path_help.h"
#include "tests/unit/revocation_help.h"

#include "keystore/keystore_int.h"

/* ---- what one message may cost ---- */

/* CAs of one name and key, all below a root that nobody trusts; and a leaf
 * of theirs. Each search for it looks at every one of them. */
struct crowd {
	struct made base, ca[CAP_CMS_CERTS], leaf;
	struct cert *extra[CAP_CMS_CERTS];
};

static void crowd_make(struct crowd *c)
{
	const struct spec s = { MAIL };
	size_t i;

	ca_make(&c->base, "crowd", NULL);
	for (i = 0; i < CAP_CMS_CERTS; i++) {
		ca_make(&c->ca[i], "crowd", &other);
		c->extra[i] = c->ca[i].cert;
	}
	cert_make(&c->leaf, &s, &c->base);
}

static void crowd_free(struct crowd *c)
{
	size_t i;

	for (i = 0; i < CAP_CMS_CERTS; i++)
		made_free(&c->ca[i]);
	made_free(&c->base);
	made_free(&c->leaf);
}

/* Executions of a statement by this handle. */
static int runs_of(struct keystore *ks, enum ks_stmt which)
{
	return ks->stmt[which] == NULL ? 0 : sqlite3_stmt_status(
	    ks->stmt[which], SQLITE_STMTSTATUS_RUN, 0);
}

/* A search costs one, and one more for each issuer tried. */
static void A57_budget_of_a_message(void **state)
{
	const struct spec s = { MAIL };
	struct made sub, a;
	struct keystore *ks;
	struct place p;
	int i;

	(void)state;
	ks = trusting(&p);
	ca_make(&sub, "sub", &root);
	cert_make(&a, &s, &sub);
	for (i = 1; i <= 4; i++) {
		keystore_budget(ks, i);
		expect(ks, &a, &sub.cert, 1, i < 3 ? "path to a trusted root "
		    "not found within " : "");
		assert_int_equal(ks->spent, i < 3 ? i : 3);
	}
	keystore_budget(ks, 2);
	expect(ks, &a, &sub.cert, 1, "within 2 attempts for one message");
	/* used up: also for another leaf, but not for what is no message's */
	expect(ks, &sub, &a.cert, 1, "within 2 attempts for one message");
	expect(ks, &sub, NULL, 0, "");
	assert_int_equal(ks->spent, 2);
	/* a failure for want of attempts is not remembered */
	keystore_budget(ks, 3);
	expect(ks, &a, &sub.cert, 1, "");
	keystore_budget(ks, 0);
	expect(ks, &a, &sub.cert, 1, "");
	assert_int_equal(ks->spent, 0);
	made_free(&sub);
	made_free(&a);
	store_clear(&p, &ks);
}

/* attack A57: the same signer over and over, with certificates that lead
 * nowhere; and each time with one less of them
 * verdict: one search each, 300 attempts for the message */
static void A57_no_search_is_made_twice(void **state)
{
	struct crowd *c = calloc(1, sizeof(*c));
	struct keystore *ks;
	struct place p;
	int i;

	(void)state;
	ks = trusting(&p);
	crowd_make(c);
	keystore_budget(ks, CAP_PATH_MESSAGE);
	for (i = 0; i < 3; i++)
		expect(ks, &c->leaf, c->extra, CAP_CMS_CERTS, "no path");
	assert_int_equal(ks->spent, 1 + CAP_CMS_CERTS);
	/* at another time it is another search */
	assert_non_null(strstr(try_path(ks, &c->leaf, c->extra,
	    CAP_CMS_CERTS, NOW + 1), "no path"));
	assert_int_equal(ks->spent, 2 * (1 + CAP_CMS_CERTS));
	for (i = 1; i < 10; i++)
		expect(ks, &c->leaf, c->extra, CAP_CMS_CERTS - (size_t)i,
		    i < 3 ? "no path" : "within 300 attempts for one");
	assert_int_equal(ks->spent, CAP_PATH_MESSAGE);
	/* the next message */
	keystore_budget(ks, CAP_PATH_MESSAGE);
	expect(ks, &c->leaf, c->extra, CAP_CMS_CERTS, "no path");
	assert_int_equal(ks->spent, 1 + CAP_CMS_CERTS);
	crowd_free(c);
	free(c);
	store_clear(&p, &ks);
}

/* A maze leads past the same ones again and again; whether we distrust them
 * is one question each, and one about the leaf. */
static void A57_distrust_is_asked_once(void **state)
{
	struct spec name[2] = { CA_SPEC("maze"), CA_SPEC("maze") };
	const struct spec s = { MAIL };
	struct made base[2], ca[8], leaf;
	struct cert *extra[8];
	struct keystore *ks;
	struct place p;
	size_t i;
	int before;

	(void)state;
	ks = trusting(&p);
	name[1].cn = "zeam"; /* another name, the same key */
	cert_make(&base[0], &name[0], NULL);
	cert_make(&base[1], &name[1], NULL);
	for (i = 0; i < ARRAY_LEN(ca); i++) {
		cert_make(&ca[i], &name[i % 2], &base[(i + 1) % 2]);
		extra[i] = ca[i].cert;
	}
	cert_make(&leaf, &s, &base[0]);
	before = runs_of(ks, ST_CERT_BY_SHA);
	expect(ks, &leaf, extra, ARRAY_LEN(ca), "not found in 100 attempts");
	assert_int_equal(runs_of(ks, ST_CERT_BY_SHA) - before,
	    1 + ARRAY_LEN(ca));
	for (i = 0; i < ARRAY_LEN(ca); i++)
		made_free(&ca[i]);
	made_free(&base[0]);
	made_free(&base[1]);
	made_free(&leaf);
	store_clear(&p, &ks);
}

/* What is known of one message goes when the store changes. */
static void a_change_is_seen_within_a_message(void **state)
{
	const struct spec s = { MAIL };
	struct made sub, a;
	struct keystore *ks;
	struct place p;

	(void)state;
	ks = trusting(&p);
	ca_make(&sub, "sub", &other);
	cert_make(&a, &s, &sub);
	keystore_budget(ks, CAP_PATH_MESSAGE);
	expect(ks, &a, &sub.cert, 1, "no path");
	add_anchor(ks, &other);
	expect(ks, &a, &sub.cert, 1, "");
	add_cert(ks, &sub, 0);
	must(keystore_set_state(ks, cert_sha256(sub.cert), KS_DISTRUSTED, e));
	expect(ks, &a, &sub.cert, 1, "no path");
	made_free(&sub);
	made_free(&a);
	store_clear(&p, &ks);
}

/* ---- whose intermediates ---- */

/* Two of one name and key, of which a list revokes the first. */
struct pair {
	struct made old, fresh, leaf;
};

static void pair_make(struct pair *t)
{
	struct spec of_old = CA_SPEC("pair"), of_fresh = CA_SPEC("pair");
	const struct spec s = { MAIL };

	of_old.until = NOW + 900 * DAY; /* the store offers it first */
	of_fresh.until = NOW + 800 * DAY;
	cert_make(&t->old, &of_old, &root);
	cert_make(&t->fresh, &of_fresh, &root);
	cert_make(&t->leaf, &s, &t->old);
}

static void pair_free(struct pair *t)
{
	made_free(&t->old);
	made_free(&t->fresh);
	made_free(&t->leaf);
}

static void bring_list(struct keystore *ks, long number, const struct made *m)
{
	const struct rv_entry x = { m != NULL ? m->x : NULL, NOW - DAY, 1, 0,
	    NULL };
	const struct rv_crl c = { .ca = root.x, .key = root.key, .from = NOW -
	    60, .until = NOW + DAY, .number = number, .entry = &x,
	    .n = m != NULL };

	rv_bring(ks, &c, NOW, NULL);
}

static void expect_by(struct keystore *ks, const struct made *leaf,
    struct cert *const *extra, size_t n, const struct made *by)
{
	struct path path;

	must(keystore_path(ks, leaf->cert, extra, n, NOW, &path, e));
	assert_true(path.ok);
	assert_int_equal(path.chain_n, 1);
	assert_memory_equal(cert_sha256(path.chain[0]),
	    cert_sha256(by->cert), 32);
	path_free(&path);
}

/* attack A57: captured mail whose intermediate was exchanged for a revoked
 * one of the same name and key
 * verdict: its path is that message's alone; later ones are not judged by it */
static void A57_a_path_of_a_message_is_not_kept(void **state)
{
	struct keystore *ks;
	struct place p;
	struct pair t;
	int i;

	(void)state;
	pair_make(&t);
	ks = trusting(&p);
	bring_list(ks, 1, &t.old);
	for (i = 0; i < 2; i++) {
		keystore_budget(ks, i == 0 ? 0 : CAP_PATH_MESSAGE);
		expect_by(ks, &t.leaf, &t.old.cert, 1, &t.old);
		expect_by(ks, &t.leaf, &t.fresh.cert, 1, &t.fresh);
		expect_by(ks, &t.leaf, &t.old.cert, 1, &t.old);
		expect(ks, &t.leaf, NULL, 0, "no path");
	}
	pair_free(&t);
	store_clear(&p, &ks);
}

static void S73_a_path_that_is_not_revoked_is_preferred(void **state)
{
	struct cert *extra[2];
	struct keystore *ks;
	struct place p;
	struct pair t;
	int i;

	(void)state;
	pair_make(&t);
	for (i = 0; i < 2; i++) {
		ks = trusting(&p);
		extra[i] = t.old.cert;
		extra[1 - i] = t.fresh.cert;
		expect_by(ks, &t.leaf, extra, 2, i == 0 ? &t.old : &t.fresh);
		bring_list(ks, 1, &t.old);
		expect_by(ks, &t.leaf, extra, 2, &t.fresh);
		/* one of the store, one of the message */
		add_cert(ks, &t.old, 0);
		expect_by(ks, &t.leaf, NULL, 0, &t.old);
		expect_by(ks, &t.leaf, &t.fresh.cert, 1, &t.fresh);
		expect_by(ks, &t.leaf, NULL, 0, &t.old);
		add_cert(ks, &t.fresh, 0);
		expect_by(ks, &t.leaf, NULL, 0, &t.fresh);
		store_clear(&p, &ks);
	}
	pair_free(&t);
}

/* Lists come while verdicts are in the cache. */
static void S73_lists_bear_on_cached_paths(void **state)
{
	struct keystore *ks;
	struct place p;
	struct pair t;

	(void)state;
	pair_make(&t);
	ks = trusting(&p);
	add_cert(ks, &t.old, 0);
	expect_by(ks, &t.leaf, NULL, 0, &t.old);
	bring_list(ks, 1, &t.old);
	keystore_budget(ks, CAP_PATH_MESSAGE);
	expect_by(ks, &t.leaf, &t.leaf.cert, 1, &t.old);
	expect_by(ks, &t.leaf, &t.leaf.cert, 1, &t.old);
	assert_int_equal(ks->spent, 3); /* once */
	add_cert(ks, &t.fresh, 0);
	expect_by(ks, &t.leaf, NULL, 0, &t.fresh);
	/* both, then only the newer one */
	bring_list(ks, 2, NULL);
	expect_by(ks, &t.leaf, NULL, 0, &t.fresh);
	bring_list(ks, 3, &t.fresh);
	expect_by(ks, &t.leaf, &t.leaf.cert, 1, &t.old);
	expect_by(ks, &t.leaf, NULL, 0, &t.old);
	pair_free(&t);
	store_clear(&p, &ks);
}

/* The common way: nothing is asked of the database. */
static void a_cached_path_costs_no_query(void **state)
{
	static const enum ks_stmt asked[] = { ST_ISSUERS, ST_CERT_BY_SHA,
	    ST_REVOKED, ST_REVOKED_QUICK };
	int before[ARRAY_LEN(asked)];
	struct keystore *ks;
	struct place p;
	struct pair t;
	size_t i;

	(void)state;
	pair_make(&t);
	ks = trusting(&p);
	add_cert(ks, &t.old, 0);
	bring_list(ks, 1, &t.fresh);
	keystore_budget(ks, CAP_PATH_MESSAGE);
	expect_by(ks, &t.leaf, &t.fresh.cert, 1, &t.old);
	assert_int_equal(ks->spent, 3);
	assert_true(runs_of(ks, ST_REVOKED) > 0);
	for (i = 0; i < ARRAY_LEN(asked); i++)
		before[i] = runs_of(ks, asked[i]);
	expect_by(ks, &t.leaf, &t.fresh.cert, 1, &t.old);
	expect_by(ks, &t.leaf, &t.leaf.cert, 1, &t.old);
	expect_by(ks, &t.leaf, NULL, 0, &t.old);
	for (i = 0; i < ARRAY_LEN(asked); i++)
		assert_int_equal(runs_of(ks, asked[i]), before[i]);
	assert_int_equal(ks->spent, 3);
	pair_free(&t);
	store_clear(&p, &ks);
}

static int setup(void **state)
{
	(void)state;
	ca_make(&root, "root", NULL);
	ca_make(&other, "other", NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	made_free(&root);
	made_free(&other);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A57_budget_of_a_message),
		cmocka_unit_test(A57_no_search_is_made_twice),
		cmocka_unit_test(A57_distrust_is_asked_once),
		cmocka_unit_test(a_change_is_seen_within_a_message),
		cmocka_unit_test(A57_a_path_of_a_message_is_not_kept),
		cmocka_unit_test(
		    S73_a_path_that_is_not_revoked_is_preferred),
		cmocka_unit_test(S73_lists_bear_on_cached_paths),
		cmocka_unit_test(a_cached_path_costs_no_query),
	};

	return cmocka_run_group_tests_name("keystore_paths", tests, setup,
	    teardown);
}
