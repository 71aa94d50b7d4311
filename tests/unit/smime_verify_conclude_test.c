/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * From findings to one result: several signers, parts that are not the
 * whole message, remarks on the time.
 */
#include "smime/verify.h"

#include "smime_forge.h"
#include "smime_help.h"
#include "testca.h"

static struct testca ca;
static struct testca_id rsa, p256, not_sign;

static int setup(void **state)
{
	(void)state;
	testca_init(&ca);
	testca_issue(&ca, &(struct testca_leaf){ .key = "rsa:2048",
	    .mail = "alice@example.com" }, &rsa);
	testca_issue(&ca, &(struct testca_leaf){ .key = "ec:P-256",
	    .mail = "bob@example.com" }, &p256);
	testca_issue(&ca, &(struct testca_leaf){ .key = "ec:P-256",
	    .mail = "carol@example.com", .ku = "keyAgreement" }, &not_sign);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	testca_id_free(&rsa);
	testca_id_free(&p256);
	testca_id_free(&not_sign);
	testca_free(&ca);
	return 0;
}

/* attack A18: a forged SignerInfo beside a genuine one, in both orders
 * verdict: fail at S76; who only is untrusted does not spoil the other */
static void A18_S76_several_signers(void **state)
{
	static const struct {
		const char *name;
		struct forge f[2];
		bool from[2];
		enum sig_result result;
		int step;
		int best;
	} rows[] = {
		{ "both good, first matches", { { .id = &rsa },
		    { .id = &p256 } }, { true, false }, SIG_PASS, 0, 0 },
		{ "both good, second matches", { { .id = &rsa },
		    { .id = &p256 } }, { false, true }, SIG_PASS, 0, 1 },
		{ "both good, none matches", { { .id = &rsa },
		    { .id = &p256 } }, { false, false }, SIG_POLICY, 74, 0 },
		{ "one forged", { { .id = &rsa }, { .id = &p256,
		    .wrong_signature = true } }, { true, true }, SIG_FAIL,
		    76, 0 },
		{ "one forged, first", { { .id = &rsa, .wrong_signature =
		    true }, { .id = &p256 } }, { true, true }, SIG_FAIL, 76,
		    1 },
		{ "one unsuitable", { { .id = &not_sign }, { .id = &p256 } },
		    { true, true }, SIG_PASS, 0, 1 },
		{ "one unsuitable, one forged", { { .id = &not_sign },
		    { .id = &p256, .wrong_signature = true } }, { true,
		    true }, SIG_FAIL, 70, 1 },
	};
	struct verification *v;
	struct forge f[2];
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		memcpy(f, rows[i].f, sizeof(f));
		f[0].certs[0] = f[0].id->cert;
		f[0].certs[1] = f[1].id->cert;
		make_signed(f, 2, &der);
		v = verify(buf_view(&der), &said);
		assert_int_equal(v->signers, 2);
		for (size_t k = 0; k < 2; k++)
			v->signer[k].from_match = rows[i].from[k];
		verify_conclude(v, true, 1795000000);
		if (v->result != rows[i].result || v->step != rows[i].step ||
		    v->best != rows[i].best)
			fail_msg("%s: %s at S%d, best %d", rows[i].name,
			    sig_result_str(v->result), v->step, v->best);
		verification_free(&v);
	}
	buf_free(&der);
}

static void S75_S77_conclusion(void **state)
{
	struct forge f = { .id = &rsa, .certs = { rsa.cert } };
	struct verification *v;
	int64_t t = 1795255200; /* signingTime */
	struct buf der;
	struct err e;

	(void)state;
	buf_init(&der, BIG);
	make_signed(&f, 1, &der);
	v = verify(buf_view(&der), &said);
	v->signer[0].from_match = true;
	verify_conclude(v, true, t);
	assert_int_equal(v->result, SIG_PASS);
	assert_string_equal(v->comment, "");
	verify_conclude(v, true, t - 86400);
	assert_string_equal(v->comment, "");
	verify_conclude(v, true, t - 86401);
	assert_int_equal(v->result, SIG_PASS);
	assert_non_null(strstr(v->comment, "future"));
	v->signer[0].signing_time = cert_not_before(rsa.cert) - 1;
	verify_conclude(v, true, t);
	assert_int_equal(v->result, SIG_PASS);
	assert_non_null(strstr(v->comment, "validity"));
	verify_conclude(v, false, t);
	assert_int_equal(v->result, SIG_NEUTRAL);
	assert_int_equal(v->step, 75);
	v->signer[0].from_match = false;
	verify_conclude(v, true, t);
	assert_int_equal(v->result, SIG_POLICY);
	assert_int_equal(v->step, 74);
	verification_free(&v);
	/* decided before any signer */
	assert_int_equal(verification_new(&v, SIG_PERMERROR, 62, "three "
	    "parts", &e), 0);
	verify_conclude(v, true, t);
	assert_int_equal(v->result, SIG_PERMERROR);
	assert_int_equal(v->step, 62);
	assert_string_equal(v->reason, "three parts");
	assert_int_equal(v->best, -1);
	verification_free(&v);
	buf_free(&der);
}

/* Another one than the author: a pass only by an administrator's word. */
static void S166_S168_who_speaks_for_another(void **state)
{
	struct forge f = { .id = &rsa, .certs = { rsa.cert } };
	struct verification *v;
	int64_t t = 1795255200; /* signingTime */
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	make_signed(&f, 1, &der);
	v = verify(buf_view(&der), &said);
	assert_string_equal(v->signer[0].for_domain, "");
	memcpy(v->signer[0].for_domain, "partner.example", 16);
	memcpy(v->signer[0].remark, "first", 6);
	v->signer[0].has_list = true;
	verify_conclude(v, true, t - 90000);
	assert_int_equal(v->result, SIG_PASS);
	assert_false(v->signer[0].from_match);
	assert_string_equal(v->comment, "first; came through a list; signing "
	    "time is in the future");
	verify_conclude(v, false, t);
	assert_int_equal(v->result, SIG_NEUTRAL);
	v->signer[0].crypto_failed = true;
	verify_conclude(v, true, t);
	assert_int_equal(v->result, SIG_FAIL);
	v->signer[0].crypto_failed = false;
	v->signer[0].for_domain[0] = '\0';
	verify_conclude(v, true, t);
	assert_int_equal(v->result, SIG_POLICY);
	assert_int_equal(v->step, 74);
	verification_free(&v);
	buf_free(&der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A18_S76_several_signers),
		cmocka_unit_test(S75_S77_conclusion),
		cmocka_unit_test(S166_S168_who_speaks_for_another),
	};

	return cmocka_run_group_tests_name("smime_verify_conclude", tests,
	    setup, teardown);
}
