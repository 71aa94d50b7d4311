/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Pins and domain certificates as rows of the store, and choosing among
 * certificates that a directory gave. What bindings mean for a choice is in
 * keystore_select_table_test.c.
 */
#include "tests/unit/keystore_util.h"

#define ALICE .san = "email:alice@example.com"

static struct made root, stranger;

static const unsigned char *sha(const struct made *m)
{
	return cert_sha256(m->cert);
}

struct seen {
	char text[1000];
};

static int see(void *arg, const struct ks_binding_row *r, struct err *e)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);

	(void)e;
	snprintf(s->text + n, sizeof(s->text) - n, "%s %s;",
	    r->kind == KS_PIN ? "pin" : "domain", r->who);
	return 0;
}

static void expect_bindings(struct keystore *ks, const struct made *m,
    const char *want)
{
	struct seen s = { "" };

	must(keystore_bindings(ks, m != NULL ? sha(m) : NULL, see, &s, e));
	assert_string_equal(s.text, want);
}

static void S126_bindings_that_are_refused(void **state)
{
	const struct spec s = { ALICE };
	struct made m, many[CAP_BINDINGS + 1];
	struct keystore *ks;
	struct place p;
	size_t i;

	(void)state;
	ks = store_make(&p);
	cert_make(&m, &s, &root);
	must_fail(keystore_bind(ks, KS_PIN, "alice@example.com", sha(&m),
	    true, e), FAIL_INPUT); /* not in the store */
	add_cert(ks, &m, KS_ENCRYPT);
	add_cert(ks, &root, 0);
	must_fail(keystore_bind(ks, KS_PIN, "alice", sha(&m), true, e),
	    FAIL_INPUT);
	must_fail(keystore_bind(ks, KS_PIN, "@example.com", sha(&m), true, e),
	    FAIL_INPUT);
	must_fail(keystore_bind(ks, KS_DOMAIN, "example.com", sha(&m), true,
	    e), FAIL_INPUT);
	must_fail(keystore_bind(ks, KS_DOMAIN, "@*.example.com", sha(&m),
	    true, e), FAIL_INPUT);
	must_fail(keystore_bind(ks, KS_DOMAIN, "@", sha(&m), true, e),
	    FAIL_INPUT);
	must_fail(keystore_bind(ks, KS_DOMAIN, "@a/../b", sha(&m), true, e),
	    FAIL_INPUT);
	must_fail(keystore_bind(ks, KS_DOMAIN, "@example.com", sha(&root),
	    true, e), FAIL_INPUT); /* a CA */
	must_fail(keystore_bind(ks, KS_PIN, "alice@example.com", sha(&m),
	    false, e), FAIL_INPUT); /* is none */
	expect_bindings(ks, NULL, "");
	for (i = 0; i < ARRAY_LEN(many); i++) {
		cert_make(&many[i], &s, &root);
		add_cert(ks, &many[i], KS_ENCRYPT);
		if (i < CAP_BINDINGS)
			must(keystore_bind(ks, KS_PIN, "alice@example.com",
			    sha(&many[i]), true, e));
		else
			must_fail(keystore_bind(ks, KS_PIN,
			    "alice@example.com", sha(&many[i]), true, e),
			    FAIL_LIMIT);
	}
	for (i = 0; i < ARRAY_LEN(many); i++)
		made_free(&many[i]);
	made_free(&m);
	store_clear(&p, &ks);
}

static void S126_bindings_come_and_go(void **state)
{
	const struct spec s = { ALICE };
	struct made m, other;
	struct keystore *ks;
	struct place p;

	(void)state;
	ks = store_make(&p);
	cert_make(&m, &s, &root);
	cert_make(&other, &s, &root);
	add_cert(ks, &m, KS_ENCRYPT);
	add_cert(ks, &other, KS_ENCRYPT);
	must(keystore_bind(ks, KS_PIN, "Alice@EXAMPLE.com", sha(&m), true, e));
	must(keystore_bind(ks, KS_PIN, "alice@example.com", sha(&m), true, e));
	must(keystore_bind(ks, KS_DOMAIN, "@M\xc3\xbcnchen.example", sha(&m),
	    true, e));
	must(keystore_bind(ks, KS_DOMAIN, "@Example.com", sha(&other), true,
	    e));
	expect_bindings(ks, &m, "pin alice@example.com;"
	    "domain @xn--mnchen-3ya.example;");
	expect_bindings(ks, NULL, "domain @example.com;"
	    "domain @xn--mnchen-3ya.example;pin alice@example.com;");
	must(keystore_bind(ks, KS_DOMAIN, "@m\xc3\xbcnchen.example", sha(&m),
	    false, e));
	expect_bindings(ks, &m, "pin alice@example.com;");
	/* they go with the certificate, and do not come back with it */
	must(keystore_remove(ks, sha(&m), e));
	expect_bindings(ks, NULL, "domain @example.com;");
	add_cert(ks, &m, KS_ENCRYPT);
	expect_bindings(ks, &m, "");
	made_free(&m);
	made_free(&other);
	store_clear(&p, &ks);
}

/* Whoever reads sees a new pin at the next message. */
static void caches_follow_bindings(void **state)
{
	const struct spec old = { ALICE, .from = NOW - 9 * DAY };
	const struct spec new = { ALICE, .from = NOW - DAY };
	struct addr a = address("alice@example.com");
	struct keystore *ks, *reader;
	struct made m[2];
	struct selection s;
	struct place p;
	int i;

	(void)state;
	ks = store_make(&p);
	must(keystore_open(&reader, p.db, KS_READ, e));
	add_anchor(ks, &root);
	cert_make(&m[0], &old, &root);
	cert_make(&m[1], &new, &root);
	add_cert(ks, &m[0], KS_ENCRYPT);
	add_cert(ks, &m[1], KS_ENCRYPT);
	for (i = 1; i >= 0; i--) {
		must(keystore_refresh(reader, e));
		must(keystore_select(reader, &a, KS_ENCRYPT, NOW, &s, e));
		assert_memory_equal(cert_sha256(s.cert), sha(&m[i]), 32);
		selection_free(&s);
		if (i == 1)
			must(keystore_bind(ks, KS_PIN, "alice@example.com",
			    sha(&m[0]), true, e));
	}
	made_free(&m[0]);
	made_free(&m[1]);
	keystore_close(&reader);
	store_clear(&p, &ks);
}

/* ---- certificates of a directory ---- */

/* "N" of the chosen one, or the first reason. */
static const char *among(struct keystore *ks, const char *who,
    const struct made *m, size_t n)
{
	static char text[200];
	struct addr a = address(who);
	struct cert *from[8];
	const struct ks_strangers given = { .from = from, .n = n };
	struct selection s;
	size_t i;

	assert_true(n <= 8);
	for (i = 0; i < n; i++)
		from[i] = m[i].cert;
	must(keystore_select_strangers(ks, &a, &given, NOW, &s, e));
	snprintf(text, sizeof(text), "%s", s.over_n > 0 ? s.over[0].reason :
	    "nothing");
	for (i = 0; i < n && s.cert != NULL; i++)
		if (memcmp(cert_sha256(s.cert), sha(&m[i]), 32) == 0)
			snprintf(text, sizeof(text), "%zu", i);
	selection_free(&s);
	return text;
}

static void S187_S102_directory_certificates_are_judged(void **state)
{
	static const struct {
		const char *name;
		struct spec spec;
		const char *want;
	} cases[] = {
		{ "good", { ALICE }, "0" },
		{ "expired", { ALICE, .until = NOW - DAY }, "expired" },
		{ "somebody else's", { .san = "email:bob@example.com" },
		    "address differs (RFC 8550 3)" },
		{ "no address", { .cn = "alice" }, "address differs" },
		{ "signature only", { ALICE, .ku = "digitalSignature" },
		    "key agreement" },
		{ "for servers", { ALICE, .eku = "serverAuth" }, "4.4.4" },
		{ "CA", { ALICE, .bc = "critical,CA:TRUE" }, "a CA" },
		{ "RSA 1024", { ALICE, .alg = "rsa:1024" }, "1024" },
	};
	struct keystore *ks;
	struct place p;
	struct made m;
	size_t i;

	(void)state;
	ks = store_make(&p);
	add_anchor(ks, &root);
	assert_string_equal(among(ks, "alice@example.com", NULL, 0),
	    "nothing");
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		cert_make(&m, &cases[i].spec, &root);
		if (strstr(among(ks, "alice@example.com", &m, 1),
		    cases[i].want) == NULL)
			fail_msg("%s", cases[i].name);
		made_free(&m);
	}
	store_clear(&p, &ks);
}

/* attack A32: a directory that lies
 * verdict: untrusted, pending or distrusted ones are not taken, and of a
 * pinned address nothing is */
static void S187_A32_the_store_has_the_last_word(void **state)
{
	const struct spec s = { ALICE };
	const struct spec newer = { ALICE, .from = NOW - DAY };
	struct keystore *ks;
	struct made m[3];
	struct place p;

	(void)state;
	ks = store_make(&p);
	add_anchor(ks, &root);
	cert_make(&m[0], &s, &root);
	cert_make(&m[1], &newer, &stranger);
	cert_make(&m[2], &newer, &root);
	assert_string_equal(among(ks, "alice@example.com", m, 2), "0");
	assert_string_equal(among(ks, "alice@example.com", m, 3), "2");
	assert_non_null(strstr(among(ks, "alice@example.com", &m[1], 1),
	    "no path"));
	add_cert(ks, &m[2], KS_ENCRYPT);
	must(keystore_set_state(ks, sha(&m[2]), KS_PENDING, e));
	assert_string_equal(among(ks, "alice@example.com", m, 3), "0");
	must(keystore_set_state(ks, sha(&m[2]), KS_DISTRUSTED, e));
	assert_non_null(strstr(among(ks, "alice@example.com", &m[2], 1),
	    "distrusted"));
	add_cert(ks, &m[1], KS_ENCRYPT);
	must(keystore_bind(ks, KS_PIN, "alice@example.com", sha(&m[1]), true,
	    e));
	assert_non_null(strstr(among(ks, "alice@example.com", m, 1),
	    "another certificate is pinned"));
	made_free(&m[0]);
	made_free(&m[1]);
	made_free(&m[2]);
	store_clear(&p, &ks);
}

/* Intermediates that came along serve, nothing of it stays. */
static void S187_their_paths_use_each_other(void **state)
{
	const struct spec s = { ALICE };
	struct addr a = address("alice@example.com");
	struct selection sel;
	struct keystore *ks;
	struct made m[2];
	struct place p;
	int i;

	(void)state;
	ks = store_make(&p);
	add_anchor(ks, &root);
	ca_make(&m[1], "sub", &root);
	cert_make(&m[0], &s, &m[1]);
	keystore_budget(ks, 1); /* of the message, not of this */
	for (i = 0; i < 4; i++)
		assert_string_equal(among(ks, "alice@example.com", m, 2),
		    "0");
	assert_non_null(strstr(among(ks, "alice@example.com", m, 1),
	    "no path"));
	must(keystore_select(ks, &a, KS_ENCRYPT, NOW, &sel, e));
	assert_null(sel.cert);
	assert_int_equal(sel.over_n, 0);
	selection_free(&sel);
	made_free(&m[0]);
	made_free(&m[1]);
	store_clear(&p, &ks);
}

/* Who vouches says whose it is, not that it is sound. */
static void S184_S115_what_is_vouched_for_is_judged_alone(void **state)
{
	static const struct {
		struct spec spec;
		const char *want; /* NULL: chosen */
	} cases[] = {
		{ { ALICE }, NULL },
		{ { ALICE, .until = NOW - DAY }, "expired" },
		{ { ALICE, .crit = "1.3.6.1.4.1.99999.7" }, "critical" },
		{ { ALICE, .alg = "rsa:1024" }, "1024" },
		{ { .san = "email:bob@example.com" }, "address differs" },
	};
	const bool vouched[] = { true };
	struct addr a = address("alice@example.com");
	struct selection s;
	struct keystore *ks;
	struct place p;
	struct made m;
	size_t i;

	(void)state;
	ks = store_make(&p);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct ks_strangers all = { .from = &m.cert,
		    .is_vouched = vouched, .n = 1 };

		cert_make(&m, &cases[i].spec, &stranger);
		must(keystore_select_strangers(ks, &a, &all, NOW, &s, e));
		if ((s.cert != NULL) != (cases[i].want == NULL) ||
		    (s.cert == NULL &&
		    strstr(s.over[0].reason, cases[i].want) == NULL))
			fail_msg("case %zu: %s", i, s.over_n > 0 ?
			    s.over[0].reason : "chosen");
		selection_free(&s);
		/* without a word of the directory there must be a path */
		all.is_vouched = NULL;
		must(keystore_select_strangers(ks, &a, &all, NOW, &s, e));
		assert_null(s.cert);
		selection_free(&s);
		made_free(&m);
	}
	store_clear(&p, &ks);
}

static int setup(void **state)
{
	(void)state;
	ca_make(&root, "root", NULL);
	ca_make(&stranger, "stranger", NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	made_free(&root);
	made_free(&stranger);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S126_bindings_that_are_refused),
		cmocka_unit_test(S126_bindings_come_and_go),
		cmocka_unit_test(caches_follow_bindings),
		cmocka_unit_test(S187_S102_directory_certificates_are_judged),
		cmocka_unit_test(S187_A32_the_store_has_the_last_word),
		cmocka_unit_test(S187_their_paths_use_each_other),
		cmocka_unit_test(
		    S184_S115_what_is_vouched_for_is_judged_alone),
	};

	return cmocka_run_group_tests_name("keystore_binding", tests, setup,
	    teardown);
}
