/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Several certificates in a message that may be one signer's: which of them
 * is, and how many are looked at.
 */
#include "smime/verify.h"

#include "smime_forge.h"
#include "smime_help.h"
#include "testca.h"

#define NO_EXTRAS .caps = LEFT_OUT, .pref = LEFT_OUT, .protect = LEFT_OUT, \
	.ess = LEFT_OUT, .ess1 = LEFT_OUT

static struct testca ca;
static struct testca_id alice, bob;

static int setup(void **state)
{
	(void)state;
	testca_init(&ca);
	testca_issue(&ca, &(struct testca_leaf){ .key = "ec:P-256",
	    .mail = "alice@example.com" }, &alice);
	testca_issue(&ca, &(struct testca_leaf){ .key = "ec:P-256",
	    .mail = "bob@example.com" }, &bob);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	testca_id_free(&alice);
	testca_id_free(&bob);
	testca_free(&ca);
	return 0;
}

/* Which of two certificates of one key may be believed; counts questions. */
struct belief {
	const struct cert *in;
	size_t asked;
};

static bool believe(void *ctx, const struct cert *c,
    struct cert *const *extra, size_t n, int64_t now)
{
	struct belief *b = ctx;

	b->asked++;
	assert_non_null(extra);
	assert_true(n >= 2);
	assert_int_equal(now, policy().now);
	return b->in != NULL && memcmp(cert_sha256(b->in), cert_sha256(c),
	    32) == 0;
}

static void S69_of_one_key_the_believed_one_is_taken(void **state)
{
	struct testca_id twin;
	const struct cert *in[3], *want[3];
	struct verify_policy p = policy();
	struct verification *v;
	struct belief b;
	struct buf der;

	(void)state;
	testca_issue(&ca, &(struct testca_leaf){ .use_key = alice.key,
	    .mail = "dave@example.com" }, &twin);
	p.believe = believe;
	p.find_ctx = &b;
	buf_init(&der, BIG);
	in[0] = want[0] = twin.cert;
	in[1] = want[1] = alice.cert;
	in[2] = NULL; /* neither: the first one, for the report */
	want[2] = twin.cert;
	for (size_t i = 0; i < 3; i++) {
		struct forge f = { .id = &alice, .by_ski = true, NO_EXTRAS,
			.certs = { twin.cert, bob.cert, alice.cert } };

		b = (struct belief){ .in = in[i] };
		make_signed(&f, 1, &der);
		v = verify_with(&p, buf_view(&der), &said);
		expect("two of one key", v, SIG_PASS, 0);
		assert_memory_equal(cert_sha256(v->signer[0].cert),
		    cert_sha256(want[i]), 32);
		assert_true(b.asked >= 1 && b.asked <= 2);
		verification_free(&v);
		/* one alone is taken without a question */
		f.certs[2] = NULL;
		b.asked = 0;
		make_signed(&f, 1, &der);
		v = verify_with(&p, buf_view(&der), &said);
		expect("one", v, SIG_PASS, 0);
		assert_int_equal(b.asked, 0);
		verification_free(&v);
	}
	testca_id_free(&twin);
	buf_free(&der);
}

/* attack A57: many certificates with the signer's subject key identifier
 * verdict: fail at S70 unless the right one is among the first eight */
static void A57_S69_candidates_are_counted(void **state)
{
	struct testca_id wrong[CAP_CMS_CANDIDATES];
	const struct cert *more[CAP_CMS_CANDIDATES + 1];
	struct verification *v;
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	for (size_t i = 0; i < CAP_CMS_CANDIDATES; i++) {
		testca_issue(&ca, &(struct testca_leaf){ .key = "ec:P-256",
		    .mail = "dave@example.com", .ski_of = alice.key },
		    &wrong[i]);
		more[i] = wrong[i].cert;
	}
	for (size_t at = CAP_CMS_CANDIDATES - 2; at <= CAP_CMS_CANDIDATES;
	    at++) {
		struct forge f = { .id = &alice, .by_ski = true, NO_EXTRAS,
			.certs = { bob.cert }, .more_certs = more,
			.more_n = at + 1 };

		more[at] = alice.cert; /* behind so many others */
		make_signed(&f, 1, &der);
		v = verify(buf_view(&der), &said);
		if (at < CAP_CMS_CANDIDATES)
			expect("among them", v, SIG_PASS, 0);
		else
			expect("behind them", v, SIG_FAIL, 70);
		verification_free(&v);
		if (at < CAP_CMS_CANDIDATES)
			more[at] = wrong[at].cert;
	}
	for (size_t i = 0; i < CAP_CMS_CANDIDATES; i++)
		testca_id_free(&wrong[i]);
	buf_free(&der);
}

/* All of one key: not more of them are asked about than needed. */
static void S69_the_first_believed_ends_the_search(void **state)
{
	struct testca_id twin[CAP_CMS_CANDIDATES];
	const struct cert *more[CAP_CMS_CANDIDATES];
	struct forge f = { .id = &alice, .by_ski = true, NO_EXTRAS,
		.certs = { bob.cert }, .more_certs = more,
		.more_n = CAP_CMS_CANDIDATES };
	struct verify_policy p = policy();
	struct verification *v;
	struct belief b;
	struct buf der;

	(void)state;
	p.believe = believe;
	p.find_ctx = &b;
	buf_init(&der, BIG);
	for (size_t i = 0; i < CAP_CMS_CANDIDATES; i++) {
		testca_issue(&ca, &(struct testca_leaf){ .use_key = alice.key,
		    .mail = "dave@example.com" }, &twin[i]);
		more[i] = twin[i].cert;
	}
	make_signed(&f, 1, &der);
	for (size_t i = 0; i < CAP_CMS_CANDIDATES; i++) {
		b = (struct belief){ .in = more[i] };
		v = verify_with(&p, buf_view(&der), &said);
		expect("one of many", v, SIG_PASS, 0);
		assert_memory_equal(cert_sha256(v->signer[0].cert),
		    cert_sha256(more[i]), 32);
		assert_int_equal(b.asked, i + 1);
		verification_free(&v);
	}
	for (size_t i = 0; i < CAP_CMS_CANDIDATES; i++)
		testca_id_free(&twin[i]);
	buf_free(&der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S69_of_one_key_the_believed_one_is_taken),
		cmocka_unit_test(A57_S69_candidates_are_counted),
		cmocka_unit_test(S69_the_first_believed_ends_the_search),
	};

	return cmocka_run_group_tests_name("smime_verify_candidates", tests,
	    setup, teardown);
}
