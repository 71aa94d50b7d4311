/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Anchors that are trusted for some uses and partners only: what they let
 * pass, what is said when they do not, that no cache answers for another.
 */
#include "tests/unit/keystore_path_help.h"

#include "keystore/keystore_int.h"

static const struct ks_scope partner = { "partner.example", KS_FOR_ALL };
static const struct ks_scope below = { "*.partner.example", KS_FOR_ALL };
static const struct ks_scope signatures = { "", KS_FOR_SIGN };
static const struct ks_scope encryption = { "b.example", KS_FOR_ENCRYPT };

static void trust(struct keystore *ks, const struct made *m,
    const struct ks_scope *s, size_t n)
{
	add_cert(ks, m, 0);
	must(keystore_trust(ks, cert_sha256(m->cert), s, n, e));
}

/* "" or the reason. */
static const char *ask(struct keystore *ks, const struct made *leaf,
    unsigned purpose, const char *domain)
{
	const struct path_query q = { .leaf = leaf->cert, .at = NOW,
	    .purpose = purpose, .domain = domain };
	static char text[200];
	struct path p;

	must(keystore_path_for(ks, &q, &p, e));
	snprintf(text, sizeof(text), "%s", p.reason);
	assert_int_equal(p.ok, text[0] == '\0');
	path_free(&p);
	return text;
}

static void scopes_that_are_none(void **state)
{
	static const struct ks_scope no_use = { "a.example", 0 };
	static const struct ks_scope odd_use = { "a.example", 8 };
	static struct ks_scope many[CAP_SCOPES + 1];
	const struct spec s = { MAIL };
	struct ks_scope got[CAP_SCOPES];
	struct made leaf;
	struct keystore *ks;
	struct place p;
	size_t i, n;

	(void)state;
	ks = store_make(&p);
	cert_make(&leaf, &s, &root);
	add_cert(ks, &leaf, KS_ENCRYPT);
	must_fail(keystore_trust(ks, cert_sha256(root.cert), &partner, 1, e),
	    FAIL_INPUT); /* not there */
	must_fail(keystore_trust(ks, cert_sha256(leaf.cert), &partner, 1, e),
	    FAIL_INPUT); /* no CA */
	add_cert(ks, &root, 0);
	must_fail(keystore_trust(ks, cert_sha256(root.cert), &no_use, 1, e),
	    FAIL_BUG);
	must_fail(keystore_trust(ks, cert_sha256(root.cert), &odd_use, 1, e),
	    FAIL_BUG);
	/* nothing of it was done */
	assert_non_null(strstr(ask(ks, &leaf, KS_FOR_ALL, NULL), "no path"));
	for (i = 0; i < ARRAY_LEN(many); i++) {
		snprintf(many[i].domain, sizeof(many[i].domain),
		    "d%zu.example", i);
		many[i].purpose = KS_FOR_ALL;
	}
	must_fail(keystore_trust(ks, cert_sha256(root.cert), many,
	    CAP_SCOPES + 1, e), FAIL_LIMIT);
	must(keystore_trust(ks, cert_sha256(root.cert), many, CAP_SCOPES, e));
	must(keystore_scopes(ks, cert_sha256(root.cert), got, &n, e));
	assert_int_equal(n, CAP_SCOPES);
	made_free(&leaf);
	store_clear(&p, &ks);
}

static void anchors_within_their_scope(void **state)
{
	static const struct {
		const struct ks_scope *scope;
		unsigned purpose;
		const char *domain, *want;
	} cases[] = {
		{ &partner, KS_FOR_SIGN, "partner.example", "" },
		{ &partner, KS_FOR_ENCRYPT, "partner.example", "" },
		{ &partner, KS_FOR_SIGN, NULL, "" }, /* not said whose */
		{ &partner, KS_FOR_SIGN, "example.com",
		    "its root is trusted for @partner.example only (CN=root)" },
		{ &partner, KS_FOR_SIGN, "sub.partner.example", "only" },
		{ &partner, KS_FOR_SIGN, "notpartner.example", "only" },
		{ &partner, KS_FOR_SIGN, "", "only" },
		{ &partner, 0, NULL, "only" },
		{ &below, KS_FOR_SIGN, "sub.partner.example", "" },
		{ &below, KS_FOR_SIGN, "a.b.partner.example", "" },
		{ &below, KS_FOR_SIGN, "partner.example",
		    "trusted for @*.partner.example only" },
		{ &below, KS_FOR_SIGN, "notpartner.example", "only" },
		{ &signatures, KS_FOR_SIGN, "any.example", "" },
		{ &signatures, KS_FOR_ENCRYPT, "any.example",
		    "its root is trusted for signatures only (CN=root)" },
		{ &signatures, KS_FOR_ENCRYPT | KS_FOR_SIGN, NULL, "" },
		{ &encryption, KS_FOR_ENCRYPT, "b.example", "" },
		{ &encryption, KS_FOR_SIGN, "b.example",
		    "its root is trusted for encryption of @b.example only" },
		{ &encryption, KS_FOR_TLS, "b.example", "only" },
	};
	const struct spec s = { MAIL };
	struct made leaf;
	struct keystore *ks;
	struct place p;
	const char *got;
	size_t i, k;

	(void)state;
	cert_make(&leaf, &s, &root);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		ks = store_make(&p);
		trust(ks, &root, cases[i].scope, 1);
		for (k = 0; k < 2; k++) { /* the second is from the cache */
			got = ask(ks, &leaf, cases[i].purpose,
			    cases[i].domain);
			if (cases[i].want[0] == '\0' ? got[0] != '\0' :
			    strstr(got, cases[i].want) == NULL)
				fail_msg("case %zu: \"%s\", wanted \"%s\"", i,
				    got, cases[i].want);
		}
		store_clear(&p, &ks);
	}
	made_free(&leaf);
}

/* attack: a good answer for the partner, then the same certificate for
 * somebody else */
static void no_cache_answers_for_another_domain(void **state)
{
	const struct spec s = { MAIL };
	struct made leaf;
	struct keystore *ks;
	struct place p;
	int i;

	(void)state;
	ks = store_make(&p);
	cert_make(&leaf, &s, &root);
	trust(ks, &root, &partner, 1);
	for (i = 0; i < 3; i++) {
		assert_string_equal(ask(ks, &leaf, KS_FOR_SIGN,
		    "partner.example"), "");
		assert_non_null(strstr(ask(ks, &leaf, KS_FOR_SIGN,
		    "bank.example"), "only"));
		/* any address whatever, but said so */
		assert_string_equal(ask(ks, &leaf, KS_FOR_SIGN, NULL), "");
		assert_non_null(strstr(try_path(ks, &leaf, NULL, 0, NOW),
		    "only"));
	}
	made_free(&leaf);
	store_clear(&p, &ks);
}

static void changes_are_seen_at_once(void **state)
{
	const struct spec s = { MAIL };
	struct keystore *ks, *reader;
	struct ks_scope got[CAP_SCOPES];
	struct made leaf;
	struct place p;
	size_t n;
	bool is;

	(void)state;
	ks = store_make(&p);
	must(keystore_open(&reader, p.db, KS_READ, e));
	cert_make(&leaf, &s, &root);
	trust(ks, &root, NULL, 0);
	must(keystore_refresh(reader, e));
	must(keystore_is_scoped(reader, &is, e));
	assert_false(is);
	assert_string_equal(ask(reader, &leaf, KS_FOR_SIGN, "c.example"), "");
	/* narrowed */
	must(keystore_trust(ks, cert_sha256(root.cert), &partner, 1, e));
	assert_non_null(strstr(ask(ks, &leaf, KS_FOR_SIGN, "c.example"),
	    "only"));
	must(keystore_refresh(reader, e));
	assert_non_null(strstr(ask(reader, &leaf, KS_FOR_SIGN, "c.example"),
	    "only"));
	/* another scope instead */
	must(keystore_trust(ks, cert_sha256(root.cert), &signatures, 1, e));
	must(keystore_scopes(ks, cert_sha256(root.cert), got, &n, e));
	assert_int_equal(n, 1);
	assert_string_equal(got[0].domain, "");
	assert_string_equal(ask(ks, &leaf, KS_FOR_SIGN, "c.example"), "");
	/* and wide again */
	must(keystore_set_anchor(ks, cert_sha256(root.cert), true, e));
	must(keystore_is_scoped(ks, &is, e));
	assert_false(is);
	assert_string_equal(ask(ks, &leaf, KS_FOR_ENCRYPT, "c.example"), "");
	/* scopes go with the certificate */
	must(keystore_trust(ks, cert_sha256(root.cert), &partner, 1, e));
	must(keystore_remove(ks, cert_sha256(root.cert), e));
	must(keystore_is_scoped(ks, &is, e));
	assert_false(is);
	made_free(&leaf);
	keystore_close(&reader);
	store_clear(&p, &ks);
}

/* Everything, said in many words, is no limit. */
static void everything_is_no_scope(void **state)
{
	static const struct ks_scope all = { "", KS_FOR_ALL };
	struct keystore *ks;
	struct place p;
	bool is;

	(void)state;
	ks = store_make(&p);
	trust(ks, &root, &all, 1);
	must(keystore_is_scoped(ks, &is, e));
	assert_false(is);
	store_clear(&p, &ks);
}

/*
 * attack: the limited root gets a certificate from a root that has no limits,
 * or gives one. What the wide root vouches for is its word; what the limited
 * one vouches for does not become wider.
 */
static void cross_certificates_keep_the_limit(void **state)
{
	const struct spec s = { MAIL };
	const struct spec wide_ca = CA_SPEC("other");
	struct made leaf, cross, others_leaf;
	struct keystore *ks;
	struct place p;

	(void)state;
	/* the limited root issues for the other CA's key */
	ks = store_make(&p);
	trust(ks, &root, &partner, 1);
	cert_make(&cross, &wide_ca, &root);
	add_cert(ks, &cross, 0);
	cert_make(&others_leaf, &s, &other);
	assert_non_null(strstr(ask(ks, &others_leaf, KS_FOR_SIGN,
	    "c.example"), "@partner.example only"));
	assert_string_equal(ask(ks, &others_leaf, KS_FOR_SIGN,
	    "partner.example"), "");
	/* as an anchor of its own the other CA is not bound by that */
	add_anchor(ks, &other);
	assert_string_equal(ask(ks, &others_leaf, KS_FOR_SIGN, "c.example"),
	    "");
	made_free(&cross);
	/* the wide root vouches for the limited one's key: it may */
	cert_make(&leaf, &s, &root);
	assert_non_null(strstr(ask(ks, &leaf, KS_FOR_SIGN, "c.example"),
	    "only"));
	ca_make(&cross, "root", &other);
	add_cert(ks, &cross, 0);
	assert_string_equal(ask(ks, &leaf, KS_FOR_SIGN, "c.example"), "");
	made_free(&cross);
	made_free(&leaf);
	made_free(&others_leaf);
	store_clear(&p, &ks);
}

/* The limited root itself, in the message: still no intermediate. */
static void the_root_in_the_message_does_not_help(void **state)
{
	const struct spec s = { MAIL };
	struct path_query q = { .at = NOW, .purpose = KS_FOR_SIGN,
	    .domain = "c.example" };
	struct cert *extra[1];
	struct made leaf;
	struct keystore *ks;
	struct place p;
	struct path path;

	(void)state;
	ks = store_make(&p);
	cert_make(&leaf, &s, &root);
	trust(ks, &root, &partner, 1);
	extra[0] = root.cert;
	q.leaf = leaf.cert;
	q.extra = extra;
	q.extra_n = 1;
	must(keystore_path_for(ks, &q, &path, e));
	assert_false(path.ok);
	path_free(&path);
	keystore_budget(ks, 100);
	must(keystore_path_for(ks, &q, &path, e));
	assert_false(path.ok);
	path_free(&path);
	q.domain = "partner.example"; /* asked in the same message */
	must(keystore_path_for(ks, &q, &path, e));
	assert_true(path.ok);
	path_free(&path);
	made_free(&leaf);
	store_clear(&p, &ks);
}

static void scopes_in_words(void **state)
{
	static const struct ks_scope two[] = {
		{ "*.b.example", KS_FOR_ALL }, { "a.example", KS_FOR_ALL }
	};
	static const struct ks_scope mixed[] = {
		{ "a.example", KS_FOR_SIGN | KS_FOR_ENCRYPT },
		{ "b.example", KS_FOR_TLS }
	};
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	ks_scope_text(two, 0, &b);
	assert_string_equal(buf_str(&b), "everything");
	buf_clear(&b);
	ks_scope_text(two, 2, &b);
	assert_string_equal(buf_str(&b), "@*.b.example, @a.example");
	buf_clear(&b);
	ks_scope_text(mixed, 2, &b);
	assert_string_equal(buf_str(&b), "signatures and encryption of "
	    "@a.example; TLS of @b.example");
	buf_free(&b);
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
		cmocka_unit_test(scopes_that_are_none),
		cmocka_unit_test(anchors_within_their_scope),
		cmocka_unit_test(no_cache_answers_for_another_domain),
		cmocka_unit_test(changes_are_seen_at_once),
		cmocka_unit_test(everything_is_no_scope),
		cmocka_unit_test(cross_certificates_keep_the_limit),
		cmocka_unit_test(the_root_in_the_message_does_not_help),
		cmocka_unit_test(scopes_in_words),
	};

	return cmocka_run_group_tests_name("keystore_scope", tests, setup,
	    teardown);
}
