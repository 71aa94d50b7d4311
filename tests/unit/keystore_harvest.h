/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * For the tests of what was harvested: a store with two CAs that are trusted
 * and one that is not, certificates by them, sightings. For inclusion by one
 * test program at a time.
 */
#ifndef TESTS_UNIT_KEYSTORE_HARVEST_H
#define TESTS_UNIT_KEYSTORE_HARVEST_H

#include "tests/unit/keystore_util.h"

#include "keystore/harvest.h"

#define ALICE "alice@example.com"
#define CAROL "carol@example.com"
#define OTHER_KEY "another key is in use for this address"

static struct place place;
static struct keystore *ks;
static struct made root, other, stranger;
static struct made made[32];
static size_t mades;
static struct harvest_policy policy;
static struct harvest_outcome out;

static UNUSED int setup(void **state)
{
	(void)state;
	ks = store_make(&place);
	ca_make(&root, "root", NULL);
	ca_make(&other, "other", NULL);
	ca_make(&stranger, "stranger", NULL);
	add_anchor(ks, &root);
	add_anchor(ks, &other);
	policy = (struct harvest_policy){ .days = 3, .expire_s = 90 * DAY,
		.max_per_address = 4, .max = 100 };
	return 0;
}

static UNUSED int teardown(void **state)
{
	(void)state;
	while (mades > 0)
		made_free(&made[--mades]);
	made_free(&root);
	made_free(&other);
	made_free(&stranger);
	store_clear(&place, &ks);
	return 0;
}

/* ---- helpers ---- */

/* For mail, by an issuer, with a key of that name. */
static UNUSED const struct cert *issue(const struct made *by, const char *san,
    const char *key, int64_t from)
{
	const struct spec s = { .san = san, .key = key, .from = from,
		.ku = "critical,digitalSignature,keyAgreement",
		.eku = "emailProtection" };

	assert_true(mades < 32);
	cert_make(&made[mades], &s, by);
	return made[mades++].cert;
}

static UNUSED const struct cert *cert_of(const struct made *by, const char *who,
    const char *key)
{
	char san[200];

	snprintf(san, sizeof(san), "email:%s", who);
	return issue(by, san, key, 0);
}

static UNUSED enum harvest_state see(const struct cert *c, const char *who,
    int64_t at)
{
	struct addr a = address(who);
	const struct sighting s = { &a, c, at };

	must(harvest_keep(ks, &s, &policy, &out, e));
	return out.state;
}

static UNUSED void expect(const struct cert *c, const char *who, int64_t at,
    enum harvest_state state, const char *reason)
{
	see(c, who, at);
	if (out.state != state || strcmp(out.reason, reason) != 0)
		fail_msg("%s (%s), wanted %s (%s)",
		    harvest_state_str(out.state), out.reason,
		    harvest_state_str(state), reason);
}

/* On so many days from NOW on. */
static UNUSED void see_days(const struct cert *c, const char *who, int days)
{
	int i;

	for (i = 0; i < days; i++)
		see(c, who, NOW + i * DAY);
}

static UNUSED void expect_used(const char *who, int64_t at,
    const struct cert *want)
{
	struct addr a = address(who);
	struct selection sel;

	must(keystore_select(ks, &a, KS_ENCRYPT, at, &sel, e));
	if (want == NULL)
		assert_null(sel.cert);
	else if (sel.cert == NULL)
		fail_msg("%s: none, wanted %s (%s)", who,
		    cert_sha256_hex(want), sel.over_n > 0 ?
		    sel.over[0].reason : "");
	else
		assert_string_equal(cert_sha256_hex(sel.cert),
		    cert_sha256_hex(want));
	selection_free(&sel);
}

struct counted {
	size_t n;
	enum ks_state state;
	enum ks_source source;
};

static UNUSED int count_row(void *arg, const struct ks_row *r, struct err *e)
{
	struct counted *c = arg;

	(void)e;
	c->n++;
	c->state = r->state;
	c->source = r->source;
	return 0;
}

static UNUSED struct counted listed(const char *what)
{
	struct counted c = { .n = 0 };

	must(keystore_list(ks, what, count_row, &c, e));
	return c;
}

static UNUSED void expect_state(const struct cert *c, enum ks_state state)
{
	struct counted k = listed(cert_sha256_hex(c));

	assert_int_equal(k.n, 1);
	assert_string_equal(ks_state_str(k.state), ks_state_str(state));
}

static UNUSED void expect_gone(const struct cert *c)
{
	assert_int_equal(listed(cert_sha256_hex(c)).n, 0);
}

static UNUSED int keep_row(void *arg, const struct harvest_row *h,
    struct err *e)
{
	struct harvest_row *to = arg;

	(void)e;
	*to = *h;
	to->address = to->reason = NULL; /* borrowed */
	return 0;
}

static UNUSED int days_of(const struct cert *c)
{
	struct harvest_row h = { .days = 0 };

	must(harvest_list_of(ks, cert_sha256(c), keep_row, &h, e));
	return h.days;
}

static UNUSED void expect_counts(size_t pending, size_t used)
{
	size_t p, u;

	must(harvest_count(ks, &p, &u, e));
	assert_int_equal(p, pending);
	assert_int_equal(u, used);
}

#endif
