/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a signed message may bring in its set of certificates: things that
 * are no X.509 certificates, strangers in any order, roots.
 */
#include "tests/unit/gateway_forge.h"

static struct world w;
static struct testca ca, own; /* of them the first is trusted */
static struct testca_id alice, mallory;

#define NOW ((int64_t)time(NULL))

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
	testca_init(&ca);
	testca_init(&own);
	testca_issue(&ca, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = "alice@example.com"}, &alice);
	testca_issue(&own, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = "alice@example.com"}, &mallory);
	forge_trust(&w, ca.root.cert);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	testca_id_free(&alice);
	testca_id_free(&mallory);
	testca_free(&ca);
	testca_free(&own);
	world_end(&w);
	return 0;
}

/* CertificateChoices (RFC 5652 10.2.2) beside the certificates. */
static void S124_other_kinds_of_certificates_are_skipped(void **state)
{
	static const struct {
		const char *name;
		unsigned char der[12];
		size_t n;
	} cases[] = {
		{"[0] PKCS #6", {0xa0, 0x05, 0x30, 0x03, 0x02, 0x01, 0x00}, 7},
		{"[1] attribute certificate v1", {0xa1, 0x05, 0x30, 0x03, 0x02,
		    0x01, 0x01}, 7},
		{"[2] attribute certificate v2", {0xa2, 0x05, 0x30, 0x03, 0x02,
		    0x01, 0x02}, 7},
		{"[3] other", {0xa3, 0x07, 0x06, 0x02, 0x2a, 0x03, 0x02, 0x01,
		    0x05}, 9},
		{"[3] empty", {0xa3, 0x00}, 2},
		{"[2] and what is no certificate", {0xa2, 0x00, 0x30, 0x03,
		    0x02, 0x01, 0x07}, 7},
	};
	struct forge f = {.id = &alice, .certs = {alice.cert, ca.sub.cert}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int opaque = 0; opaque < 2; opaque++) {
			f.at = NOW;
			f.opaque = opaque == 1;
			f.raw_cert = view_make(cases[i].der, cases[i].n);
			forge_open(&w, &f, 1);
			if (strcmp(w.v.sig_result, "pass") != 0)
				fail_msg("%s: %s %s", cases[i].name,
				    w.v.sig_result, w.v.sig_reason);
		}
}

/* They count as certificates do: 64 of all kinds. */
static void S124_S114_they_count(void **state)
{
	unsigned char many[2 * CAP_CMS_CERTS];
	struct forge f = {.id = &alice, .certs = {alice.cert, ca.sub.cert}};

	(void)state;
	for (size_t i = 0; i < sizeof(many); i += 2) {
		many[i] = 0xa3;
		many[i + 1] = 0x00;
	}
	f.at = NOW;
	f.raw_cert = view_make(many, 2 * (CAP_CMS_CERTS - 2));
	forge_open(&w, &f, 1);
	world_signature(&w, "pass", "");
	f.raw_cert.n += 2;
	forge_open(&w, &f, 1);
	world_signature(&w, "neutral", "S63");
}

/* Strangers first, the chain from the root down, the signer last. */
static void S114_any_order_and_strangers(void **state)
{
	const struct cert *more[CAP_CMS_CERTS];
	struct forge f = {.id = &alice, .more_certs = more,
	    .more_n = ARRAY_LEN(more)};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		more[i] = i % 2 == 0 ? own.sub.cert : mallory.cert;
	more[ARRAY_LEN(more) - 3] = ca.root.cert;
	more[ARRAY_LEN(more) - 2] = ca.sub.cert;
	more[ARRAY_LEN(more) - 1] = alice.cert;
	f.at = NOW;
	forge_open(&w, &f, 1);
	world_signature(&w, "pass", "");
}

/* attack A32: a root of the attacker's own in the message, with its chain
 * verdict: policy, it is nobody's anchor; nor is it after a good message */
static void S114_A32_a_root_in_the_message(void **state)
{
	struct forge f = {.id = &mallory, .certs = {mallory.cert,
	    own.sub.cert, own.root.cert}};
	struct forge good = {.id = &alice, .certs = {alice.cert, ca.sub.cert,
	    own.root.cert}};

	(void)state;
	for (int i = 0; i < 2; i++) {
		f.at = good.at = NOW;
		forge_open(&w, &f, 1);
		world_signature(&w, "policy", "S72");
		forge_open(&w, &good, 1);
		world_signature(&w, "pass", "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S124_other_kinds_of_certificates_are_skipped),
		cmocka_unit_test(S124_S114_they_count),
		cmocka_unit_test(S114_any_order_and_strangers),
		cmocka_unit_test(S114_A32_a_root_in_the_message),
	};

	return cmocka_run_group_tests_name("gateway_choices", tests,
	    make_world, end_world);
}
