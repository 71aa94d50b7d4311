/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A store with a root, its intermediate "sub", and a leaf of that, whose
 * revocation the tests are about; a CA "other" that has nothing to do with
 * it. For inclusion by one test program at a time.
 */
#ifndef TESTS_UNIT_KEYSTORE_REVOCATION_H
#define TESTS_UNIT_KEYSTORE_REVOCATION_H

#include "tests/unit/keystore_util.h"
#include "tests/unit/revocation_help.h"

#include "keystore/keystore_int.h"

#define HOUR 3600
#define ALICE "alice@example.com"

static struct made root, sub, other, leaf;
static struct keystore *ks;
static struct place place;

static UNUSED struct rv_crl crl_of(const struct made *ca, long number)
{
	return (struct rv_crl){ .ca = ca->x, .key = ca->key,
		.from = NOW - HOUR, .until = NOW + DAY, .number = number };
}

static UNUSED struct rv_ocsp ocsp_of(const struct made *by)
{
	return (struct rv_ocsp){ .of = leaf.x, .ca = sub.x, .by = by->x,
		.key = by->key, .status = V_OCSP_CERTSTATUS_GOOD,
		.from = NOW - HOUR, .until = NOW + DAY, .reason = -1,
		.at = NOW - 2 * DAY };
}

static UNUSED struct revocation ask_at(int64_t at)
{
	struct cert *chain[] = { sub.cert };
	struct revocation r;

	must(keystore_revocation(ks, leaf.cert, chain, 1, at, &r, e));
	return r;
}

static UNUSED void expect_at(int64_t at, enum revocation_status want,
    const char *text)
{
	struct revocation r = ask_at(at);

	if (r.status != want || (text != NULL && strstr(r.text, text) == NULL))
		fail_msg("%s \"%s\", wanted %s ... %s",
		    revocation_str(r.status), r.text, revocation_str(want),
		    text == NULL ? "" : text);
	if (want == REVOCATION_GOOD)
		assert_string_equal(r.text, "");
}

static UNUSED void expect(enum revocation_status want, const char *text)
{
	expect_at(NOW, want, text);
}

/* So that only the leaf is in question. */
static UNUSED void bring_root_list(void)
{
	struct rv_crl c = crl_of(&root, 1);

	c.until = NOW + 100 * DAY;
	rv_bring(ks, &c, NOW, NULL);
}

/* ---- setup ---- */

static UNUSED int make_store(void **state)
{
	(void)state;
	ks = store_make(&place);
	add_anchor(ks, &root);
	add_cert(ks, &sub, 0);
	return 0;
}

static UNUSED int clear_store(void **state)
{
	(void)state;
	store_clear(&place, &ks);
	return 0;
}

static UNUSED int setup(void **state)
{
	const struct spec s = { .cn = "alice", .san = "email:" ALICE,
		.ku = "digitalSignature,keyAgreement" };

	(void)state;
	ca_make(&root, "root", NULL);
	ca_make(&sub, "sub", &root);
	ca_make(&other, "other", NULL);
	cert_make(&leaf, &s, &sub);
	return 0;
}

static UNUSED int teardown(void **state)
{
	(void)state;
	made_free(&root);
	made_free(&sub);
	made_free(&other);
	made_free(&leaf);
	return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_store, clear_store)

#endif
