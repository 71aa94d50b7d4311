/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Several signers of one message, and the dates that they claim: steps 15
 * and 16 of verification on whole messages.
 */
#include "tests/unit/gateway_forge.h"

static struct world w;
static struct testca ca, stranger;
static struct testca_id alice, ec, carol, nobody, tls, unknown, self;

#define DAY 86400L

static int make_world(void **state)
{
	const struct {
		struct testca *by;
		struct testca_id *id;
		struct testca_leaf leaf;
	} rows[] = {
		{&ca, &alice, {.key = "rsa:2048",
		    .mail = "alice@example.com"}},
		{&ca, &ec, {.key = "ec:P-256", .mail = "alice@example.com"}},
		{&ca, &carol, {.key = "ec:P-256",
		    .mail = "carol@example.com"}},
		{&ca, &nobody, {.key = "ec:P-256"}},
		{&ca, &tls, {.key = "ec:P-256", .mail = "alice@example.com",
		    .eku = "serverAuth"}},
		{&stranger, &unknown, {.key = "ec:P-256",
		    .mail = "alice@example.com"}},
		{&ca, &self, {.key = "ec:P-256", .mail = "alice@example.com",
		    .self_signed = true}},
	};

	(void)state;
	world_make(&w);
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
	testca_init(&ca);
	testca_init(&stranger);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		testca_issue(rows[i].by, &rows[i].leaf, rows[i].id);
	forge_trust(&w, ca.root.cert);
	return 0;
}

static int end_world(void **state)
{
	struct testca_id *const id[] = {&alice, &ec, &carol, &nobody, &tls,
	    &unknown, &self};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		testca_id_free(id[i]);
	testca_free(&ca);
	testca_free(&stranger);
	world_end(&w);
	return 0;
}

/* ---- several signers ---- */

struct pair {
	const char *name;
	struct forge second;
	const char *result, *step;
	const char *signer;
};

static void open_pair(const struct forge *good, const struct pair *p, int how)
{
	struct forge f[2];
	int first = how % 2;

	f[first] = *good;
	f[1 - first] = p->second;
	for (int i = 0; i < 2; i++) {
		f[i].opaque = how / 2 == 1;
		if (f[i].at == 0)
			f[i].at = time(NULL);
	}
	f[0].certs[0] = good->id->cert;
	f[0].certs[1] = p->second.id->cert;
	f[0].certs[2] = ca.sub.cert;
	f[0].certs[3] = stranger.sub.cert;
	forge_open(&w, f, 2);
}

/* attack A18: a second SignerInfo beside a genuine one, Johnny C2
 * verdict: fail at S76 when the other one does not verify; else only who
 * passes is named */
static void S76_A18_two_signers_in_all_orders(void **state)
{
	const struct forge good = {.id = &alice};
	const struct pair pairs[] = {
		{"wrong signature", {.id = &carol, .wrong_signature = true},
		    "fail", "S76", ""},
		{"content", {.id = &carol, .said = "other"}, "fail", "S76",
		    ""},
		{"protection", {.id = &carol, .protect = WRONG}, "fail",
		    "S76", ""},
		{"wrong and by herself", {.id = &ec, .wrong_signature =
		    true}, "fail", "S76", ""},
		{"untrusted", {.id = &unknown}, "pass", "",
		    "alice@example.com"},
		{"self-signed", {.id = &self}, "pass", "",
		    "alice@example.com"},
		{"somebody else", {.id = &carol}, "pass", "",
		    "alice@example.com"},
		{"no attributes", {.id = &carol, .no_attrs = true}, "pass",
		    "", "alice@example.com"},
		{"SHA-1", {.id = &carol, .digest = OID_SHA1}, "pass", "",
		    "alice@example.com"},
		{"for TLS", {.id = &tls}, "pass", "", "alice@example.com"},
		{"good, too", {.id = &ec}, "pass", "", "alice@example.com"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		for (int how = 0; how < 4; how++) {
			const struct pair *p = &pairs[i];
			bool pass = strcmp(p->result, "pass") == 0;

			open_pair(&good, p, how);
			forge_expect(&w, p->name, p->result, p->step, pass ?
			    NULL : "one of several signatures fails");
			if (!pass) {
				forge_same(&w);
				continue;
			}
			assert_string_equal(w.v.sig_signer, p->signer);
			assert_false(has(&w, "carol"));
		}
}

static void S76_two_signers_neither_of_whom_is_the_author(void **state)
{
	const struct forge other = {.id = &carol};
	const struct pair pairs[] = {
		{"nobody", {.id = &nobody}, "policy", "S74", ""},
		{"herself untrusted", {.id = &unknown}, "policy", "S72", ""},
		{"herself with SHA-1", {.id = &ec, .digest = OID_SHA1},
		    "policy", "S68", ""},
		{"herself, but wrong", {.id = &ec, .wrong_signature = true},
		    "fail", "S70", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		for (int how = 0; how < 4; how++) {
			open_pair(&other, &pairs[i], how);
			if (strcmp(w.v.sig_result, pairs[i].result) != 0)
				fail_msg("%s: %s at %s", pairs[i].name,
				    w.v.sig_result, w.v.sig_step);
			assert_false(w.v.sig_from_match);
			assert_false(has(&w, "smime-identifier"));
		}
}

/* ---- signingTime ---- */

#define FUTURE "signing time is in the future"
#define OUTSIDE "signing time is outside the certificate's validity"

/* attack A36: replay of an old signature; and one dated ahead
 * verdict: pass with a comment where the date is outside of the
 * certificate's; the date is never a reason to trust */
static void S77_A36_dates_are_a_comment(void **state)
{
	const int64_t now = time(NULL);
	const struct {
		const char *name;
		int64_t at; /* -1: no signingTime */
		const char *comment;
	} rows[] = {
		{"now", now, NULL},
		{"none", -1, NULL},
		{"in an hour", now + 3600, NULL},
		{"in a day", now + DAY - 100, NULL},
		{"in two days", now + 2 * DAY, FUTURE},
		{"in ten years", now + 3650 * DAY, FUTURE},
		{"after 2050", 2600000000, FUTURE},
		{"before its birth", TESTCA_SINCE - 3 * DAY, OUTSIDE},
		{"in the last century", 1000, OUTSIDE},
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		struct forge f = {.id = &alice, .certs = {alice.cert,
		    ca.sub.cert}, .at = rows[i / 2].at,
		    .opaque = i % 2 == 1};

		if (f.at == -1) {
			f.at = now;
			f.time = LEFT_OUT;
		}
		forge_open(&w, &f, 1);
		forge_expect(&w, rows[i / 2].name, "pass", "",
		    rows[i / 2].comment);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S76_A18_two_signers_in_all_orders),
		cmocka_unit_test(
		    S76_two_signers_neither_of_whom_is_the_author),
		cmocka_unit_test(S77_A36_dates_are_a_comment),
	};

	return cmocka_run_group_tests_name("gateway_signers", tests,
	    make_world, end_world);
}
