/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * TLSA records and the certificates of a peer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "smtp/tls_verify_int.h"
#include "smtp_tls.h"

/* ---- DANE ---- */

static void T47_dane_ee_binds_a_key_without_name_and_date(void **state)
{
	struct tls_got got;
	struct peer old;

	(void)state;
	peer_make(&old, &(struct peer_kind){ .cn = "x", .from_days = -30,
	    .days = -1 }, NULL);
	for (uint8_t sel = 0; sel <= 1; sel++) {
		for (uint8_t type = 0; type <= 2; type++) {
			struct tls_want w = want(TLS_DANE_ONLY, "b.example");

			want_tlsa(&w, 3, sel, type, &old);
			meet_expect(&w, NULL, &old, NULL, "success", &got);
			assert_true(got.is_verified);
			assert_int_equal(got.level, TLS_DANE_ONLY);
			assert_int_equal(strncmp(got.matched, "TLSA 3 ", 7),
			    0);
			meet_expect(&w, &root, &mx, with_sub,
			    "validation-failure", &got);
			tls_want_free(&w);
		}
	}
	peer_free(&old);
}

static void T47_dane_ta_wants_a_name_and_a_date(void **state)
{
	const struct peer *const both[] = { &sub, &root, NULL };
	struct peer late, named;
	struct tls_got got;

	(void)state;
	peer_make(&late, &(struct peer_kind){ .san = "DNS:mx.a.example",
	    .from_days = -30, .days = -1 }, &sub);
	peer_make(&named, &(struct peer_kind){ .cn = "mx.a.example",
	    .san = "DNS:b.example" }, &sub);
	for (uint8_t type = 0; type <= 2; type++) {
		struct tls_want w = want(TLS_DANE_ONLY, "next.example");

		want_tlsa(&w, 2, type == 1, type, type == 1 ? &sub : &root);
		meet_expect(&w, NULL, &mx, both, "success", &got);
		assert_int_equal(strncmp(got.matched, "TLSA 2 ", 7), 0);
		meet_expect(&w, NULL, &late, both, "certificate-expired",
		    &got);
		meet_expect(&w, NULL, &named, both,
		    "certificate-host-mismatch", &got);
		meet_expect(&w, &root, &anyone, NULL, "validation-failure",
		    &got);
		/* by the CNAME-expanded next hop, say */
		text_set(w.tlsa_base, sizeof(w.tlsa_base), "c.example");
		meet_expect(&w, NULL, &mx, both, "certificate-host-mismatch",
		    &got);
		want_name(&w, "last.example");
		meet_expect(&w, NULL, &mx, both, "success", &got);
		tls_want_free(&w);
	}
	peer_free(&late);
	peer_free(&named);
}

/* The CAs would believe him; they are not asked. */
static void T47_unusable_records_never_fall_back_to_cas(void **state)
{
	static const uint8_t usage[] = { 0, 1, 4, 255 };
	struct tls_want w;
	struct tls_got got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(usage); i++) {
		w = want(TLS_DANE_ONLY, "mx.a.example");
		want_tlsa(&w, usage[i], 1, 1, &mx);
		meet_expect(&w, &root, &mx, with_sub, "tlsa-invalid", &got);
		tls_want_free(&w);
	}
	w = want(TLS_DANE_ONLY, "mx.a.example");
	meet_expect(&w, &root, &mx, with_sub, "dane-required", &got);
	/* well-formed from outside, no certificate inside */
	want_tlsa(&w, 3, 0, 0, &mx);
	w.tlsa[0].data[0] ^= 1;
	meet_expect(&w, &root, &mx, with_sub, "tlsa-invalid", &got);
	/* one that can be checked beside it decides */
	want_tlsa(&w, 3, 1, 1, &mx);
	meet_expect(&w, NULL, &mx, NULL, "success", &got);
	tls_want_free(&w);
	w = want(TLS_ENCRYPT, NULL); /* unusable ones alone: TLS is a must */
	want_tlsa(&w, 1, 1, 1, &mx);
	meet_expect(&w, NULL, &anyone, NULL, "success", &got);
	assert_false(got.is_verified);
	tls_want_free(&w);
}

/* attack T51: a certificate that a CA was talked into, for a host with TLSA
 * records, where an MTA-STS policy or a line decides
 * verdict: not enough; nor are TLSA records without what the policy asks */
static void T51_a_policy_and_dane_must_both_hold(void **state)
{
	struct tls_want w = want(TLS_SECURE, "mx.a.example");
	struct tls_got got;

	(void)state;
	want_tlsa(&w, 3, 1, 1, &mx);
	meet_expect(&w, &root, &mx, with_sub, "success", &got);
	assert_true(got.is_verified);
	assert_int_equal(got.level, TLS_SECURE);
	tls_want_free(&w);
	w = want(TLS_SECURE, "mx.a.example");
	want_tlsa(&w, 3, 1, 1, &anyone);
	meet_expect(&w, &root, &mx, with_sub, "validation-failure", &got);
	assert_false(got.is_verified);
	tls_want_free(&w);
	w = want(TLS_SECURE, "mx.b.example");
	want_tlsa(&w, 3, 1, 1, &mx);
	meet_expect(&w, &root, &mx, with_sub, "certificate-host-mismatch",
	    &got);
	tls_want_free(&w);
	w = want(TLS_FINGERPRINT, NULL);
	want_tlsa(&w, 3, 1, 1, &mx);
	meet_expect(&w, &root, &mx, with_sub, "certificate-not-trusted",
	    &got);
	tls_want_free(&w);
}

static void T50_a_policy_that_is_tested_is_only_told_of(void **state)
{
	struct tls_want w = want(TLS_MAY, NULL);
	struct tls_got got;

	(void)state;
	meet_expect(&w, &root, &mx, with_sub, "success", &got);
	assert_string_equal(got.tested, "");
	text_set(w.tested, sizeof(w.tested), "mx.a.example");
	meet_expect(&w, &root, &mx, with_sub, "success", &got);
	assert_string_equal(got.tested, "success");
	assert_false(got.is_verified);
	assert_int_equal(got.level, TLS_ENCRYPT);
	meet_expect(&w, &root, &anyone, NULL, "success", &got);
	assert_string_equal(got.tested, "certificate-not-trusted");
	text_set(w.tested, sizeof(w.tested), "mx.b.example");
	meet_expect(&w, &root, &mx, with_sub, "success", &got);
	assert_string_equal(got.tested, "certificate-host-mismatch");
	assert_string_equal(got.reason, "");
}

static void T47_records_of_strange_lengths(void **state)
{
	static const size_t length[] = { 0, 1, 2, 3, 19, 31, 33, 63 };
	struct tls_want w;
	struct tls_got got;

	(void)state;
	for (uint8_t type = 0; type <= 2; type++) {
		for (size_t i = 0; i < ARRAY_LEN(length); i++) {
			w = want(TLS_DANE_ONLY, "mx.a.example");
			want_tlsa(&w, 3, 1, type, &mx);
			w.tlsa[0].n = length[i];
			meet_expect(&w, &root, &mx, with_sub, "tlsa-invalid",
			    &got);
			tls_want_free(&w);
		}
	}
}

static void T47_digest_agility(void **state)
{
	struct tls_want w = want(TLS_DANE_ONLY, NULL);
	struct tls_got got;

	(void)state;
	/* RFC 7671 9: of a usage and selector the strongest digest counts; a
	 * right SHA-256 beside a wrong SHA-512 is not enough */
	want_tlsa(&w, 3, 1, 1, &mx);
	want_tlsa(&w, 3, 1, 2, &anyone);
	meet_expect(&w, NULL, &mx, NULL, "validation-failure", &got);
	tls_want_free(&w);
	w = want(TLS_DANE_ONLY, NULL);
	want_tlsa(&w, 3, 1, 2, &mx);
	want_tlsa(&w, 3, 1, 1, &anyone);
	meet_expect(&w, NULL, &mx, NULL, "success", &got);
	tls_want_free(&w);
	/* two keys of a roll-over */
	w = want(TLS_DANE_ONLY, NULL);
	want_tlsa(&w, 3, 1, 1, &anyone);
	want_tlsa(&w, 3, 1, 1, &mx);
	meet_expect(&w, NULL, &mx, NULL, "success", &got);
	tls_want_free(&w);
}

/* ---- chains and records that others made ---- */

/* One case of danetest.in: its head says how to read it. */
struct dane_case {
	int tlsas, certs, no_names, verdict, depth;
	struct tls_want w;
	X509 *cert;
	STACK_OF(X509) *chain;
};

static bool next_line(FILE *f, char *line, int size)
{
	while (fgets(line, size, f) != NULL)
		if (line[0] != '#' && line[strspn(line, " \t\n")] != '\0')
			return true;
	return false;
}

static void read_record(FILE *f, struct dane_case *c)
{
	static char line[32768], hex[32768];
	struct tls_tlsa *t = &c->w.tlsa[c->w.tlsas++];
	unsigned usage, selector, mtype;

	MUST(next_line(f, line, sizeof(line)));
	MUST(sscanf(line, "%u %u %u %32767s", &usage, &selector, &mtype,
	    hex) == 4);
	t->usage = (uint8_t)usage;
	t->selector = (uint8_t)selector;
	t->mtype = (uint8_t)mtype;
	t->n = strlen(hex) / 2;
	t->data = malloc(t->n + 1);
	MUST(t->data != NULL && hex_decode(t->data, t->n, hex) == 0);
}

static bool read_case(FILE *f, struct dane_case *c)
{
	static char line[32768]; /* comments are long */

	memset(c, 0, sizeof(*c));
	if (!next_line(f, line, sizeof(line)))
		return false;
	MUST(sscanf(line, "%d %d %d %d %d", &c->tlsas, &c->certs,
	    &c->no_names, &c->verdict, &c->depth) == 5);
	c->w.level = TLS_DANE_ONLY;
	text_set(c->w.tlsa_base, sizeof(c->w.tlsa_base), "example.com");
	for (int i = 0; i < c->tlsas; i++)
		read_record(f, c);
	MUST((c->chain = sk_X509_new_null()) != NULL);
	for (int i = 0; i < c->certs; i++) {
		X509 *x = PEM_read_X509(f, NULL, NULL, NULL);

		MUST(x != NULL && sk_X509_push(c->chain, x) > 0);
	}
	c->cert = sk_X509_value(c->chain, 0);
	return true;
}

/* By the rules for SMTP: usages 0 and 1 are for others, and the name of a
 * DANE-EE(3) certificate is of no interest. -1: our verdict is not that of
 * the file, and another test has it. */
static int wanted(const struct dane_case *c)
{
	bool has_ee = false, has_ta = false;

	for (size_t i = 0; i < c->w.tlsas; i++) {
		if (c->w.tlsa[i].usage < 2)
			return -1;
		has_ee = has_ee || c->w.tlsa[i].usage == 3;
		has_ta = has_ta || c->w.tlsa[i].usage == 2;
	}
	if (c->verdict == X509_V_ERR_HOSTNAME_MISMATCH && has_ee)
		return has_ta ? -1 : 1;
	return c->verdict == X509_V_OK;
}

static void judge_case(struct dane_case *c, int number, int *judged)
{
	struct tls_shown shown = { c->cert, c->chain };
	struct tls_got got = { .is_tls = false };
	struct err e = { 0 };
	SSL_CTX *ctx = NULL;
	int rc, right = wanted(c);
	SSL *s;

	MUST(tls_want_context(&ctx, &c->w, NULL, &e) == 0);
	MUST((s = SSL_new(ctx)) != NULL);
	MUST(tls_want_begin(s, &c->w, &e) == 0);
	rc = tls_judge_chain(s, &c->w, &shown, &got, &e);
	if (right != -1 && rc != (right == 1 ? 0 : -1))
		fail_msg("case %d, verdict %d: %s %s", number, c->verdict,
		    got.result, got.reason);
	*judged += right != -1;
	SSL_free(s);
	SSL_CTX_free(ctx);
}

static void T47_chains_of_danetest(void **state)
{
	const char *dir = getenv("POSTSEAL_TESTDATA");
	struct dane_case c;
	struct buf path;
	int n = 0, judged = 0;
	FILE *f;

	(void)state;
	buf_init(&path, 4096);
	buf_printf(&path, "%s/dane/danetest.in", dir != NULL ? dir :
	    "../shared/testdata");
	f = fopen(buf_str(&path), "r");
	if (f == NULL) {
		print_message("%s is not there: skipped\n", buf_str(&path));
		buf_free(&path);
		skip();
	}
	buf_free(&path);
	while (read_case(f, &c)) {
		judge_case(&c, ++n, &judged);
		tls_want_free(&c.w);
		sk_X509_pop_free(c.chain, X509_free);
	}
	fclose(f);
	print_message("%d cases, %d judged as there\n", n, judged);
	assert_true(judged > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T47_dane_ee_binds_a_key_without_name_and_date),
		cmocka_unit_test(T47_dane_ta_wants_a_name_and_a_date),
		cmocka_unit_test(
		    T47_unusable_records_never_fall_back_to_cas),
		cmocka_unit_test(T51_a_policy_and_dane_must_both_hold),
		cmocka_unit_test(T50_a_policy_that_is_tested_is_only_told_of),
		cmocka_unit_test(T47_records_of_strange_lengths),
		cmocka_unit_test(T47_digest_agility),
		cmocka_unit_test(T47_chains_of_danetest),
	};

	return cmocka_run_group_tests_name("smtp_tls_dane", tests,
	    make_peers, free_peers);
}
