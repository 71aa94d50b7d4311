/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certification paths: what is trusted, what is not and why, backtracking,
 * caps, the cache of verdicts.
 */
#include "tests/unit/keystore_path_help.h"

static void S72_direct_and_intermediate(void **state)
{
	const struct spec s = { MAIL };
	struct made sub, a, b;
	struct keystore *ks;
	struct place p;
	struct path path;

	(void)state;
	ks = trusting(&p);
	ca_make(&sub, "sub", &root);
	cert_make(&a, &s, &root);
	cert_make(&b, &s, &sub);
	must(keystore_path(ks, a.cert, NULL, 0, NOW, &path, e));
	assert_true(path.ok);
	assert_int_equal(path.chain_n, 0);
	assert_string_equal(path.anchor, "CN=root");
	path_free(&path);
	expect(ks, &b, NULL, 0, "no path to a trusted root (issuer CN=sub)");
	/* The message brings the intermediate along. */
	must(keystore_path(ks, b.cert, &sub.cert, 1, NOW, &path, e));
	assert_true(path.ok);
	assert_int_equal(path.chain_n, 1);
	path_free(&path);
	made_free(&sub);
	made_free(&a);
	made_free(&b);
	store_clear(&p, &ks);
}

static void S114_root_in_the_message_is_not_trusted(void **state)
{
	const struct spec s = { MAIL };
	struct cert *extra[2];
	struct made sub, leaf;
	struct keystore *ks;
	struct place p;

	(void)state;
	ks = trusting(&p);
	ca_make(&sub, "sub", &other);
	cert_make(&leaf, &s, &sub);
	extra[0] = other.cert;
	extra[1] = sub.cert;
	expect(ks, &leaf, extra, 2, "no path");
	/* Nor is it when the store knows it as an ordinary certificate. */
	add_cert(ks, &other, 0);
	add_cert(ks, &sub, 0);
	expect(ks, &leaf, extra, 2, "no path");
	must(keystore_set_anchor(ks, cert_sha256(other.cert), true, e));
	expect(ks, &leaf, NULL, 0, "");
	made_free(&sub);
	made_free(&leaf);
	store_clear(&p, &ks);
}

static void self_signed_leaf_is_not_trusted(void **state)
{
	const struct spec s = { MAIL, .key = "self" };
	struct made leaf;
	struct keystore *ks;
	struct place p;

	(void)state;
	ks = trusting(&p);
	cert_make(&leaf, &s, NULL);
	expect(ks, &leaf, NULL, 0, "self-signed and not a trusted root");
	add_cert(ks, &leaf, KS_ENCRYPT);
	must_fail(keystore_set_anchor(ks, cert_sha256(leaf.cert), true, e),
	    FAIL_INPUT);
	expect(ks, &leaf, NULL, 0, "self-signed");
	made_free(&leaf);
	store_clear(&p, &ks);
}

static void S115_chain_faults(void **state)
{
	const struct {
		const char *name;
		struct spec sub, leaf;
		const char *want;
	} cases[] = {
		{ "no basicConstraints in the issuer",
		    { .cn = "s", .key = "s", .ku = "keyCertSign" },
		    { MAIL }, "invalid CA certificate" },
		{ "issuer may not sign certificates",
		    { .cn = "s", .key = "s", .bc = "critical,CA:TRUE",
		    .ku = "digitalSignature" }, { MAIL }, "no path" },
		{ "expired intermediate",
		    { .cn = "s", .key = "s", .bc = "critical,CA:TRUE",
		    .ku = "keyCertSign", .until = NOW - DAY }, { MAIL },
		    "CN=s expired on 2027-01-14" },
		{ "expired leaf",
		    { .cn = "s", .key = "s", .bc = "critical,CA:TRUE",
		    .ku = "keyCertSign" }, { MAIL, .until = NOW - DAY },
		    "certificate expired on 2027-01-14" },
		{ "leaf of tomorrow",
		    { .cn = "s", .key = "s", .bc = "critical,CA:TRUE",
		    .ku = "keyCertSign" }, { MAIL, .from = NOW + DAY },
		    "valid only from 2027-01-16" },
		{ "SHA-1", { .cn = "s", .key = "s", .bc = "critical,CA:TRUE",
		    .ku = "keyCertSign" }, { MAIL, .md = "SHA1" }, "weak" },
		{ "RSA-1024 issuer",
		    { .cn = "s", .key = "s", .bc = "critical,CA:TRUE",
		    .ku = "keyCertSign", .alg = "rsa:1024" }, { MAIL },
		    "too weak" },
		{ "unknown critical extension",
		    { .cn = "s", .key = "s", .bc = "critical,CA:TRUE",
		    .ku = "keyCertSign", .crit = "1.3.6.1.4.1.99999.7" },
		    { MAIL }, "critical" },
		{ "S119: name constraints, outside",
		    { .cn = "s", .key = "s", .bc = "critical,CA:TRUE",
		    .ku = "keyCertSign",
		    .nc = "critical,permitted;email:.a.example" },
		    { .san = "email:alice@x.b.example" }, "permitted" },
		{ "S119: name constraints, inside",
		    { .cn = "s", .key = "s", .bc = "critical,CA:TRUE",
		    .ku = "keyCertSign",
		    .nc = "critical,permitted;email:.a.example" },
		    { .san = "email:alice@x.a.example" }, "" },
		{ "S119: name constraints, SmtpUTF8Mailbox outside",
		    { .cn = "s", .key = "s", .bc = "critical,CA:TRUE",
		    .ku = "keyCertSign",
		    .nc = "critical,permitted;email:.a.example" },
		    { .utf8 = "j\xc3\xb6rg@x.b.example" }, "permitted" },
		{ "sound", { .cn = "s", .key = "s", .bc = "critical,CA:TRUE",
		    .ku = "keyCertSign" }, { MAIL }, "" },
	};
	struct made sub, leaf;
	struct keystore *ks;
	struct place p;
	const char *got;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		ks = trusting(&p);
		cert_make(&sub, &cases[i].sub, &root);
		cert_make(&leaf, &cases[i].leaf, &sub);
		add_cert(ks, &sub, 0);
		got = try_path(ks, &leaf, &sub.cert, 1, NOW);
		if (cases[i].want[0] == '\0' ? got[0] != '\0' :
		    strstr(got, cases[i].want) == NULL)
			fail_msg("%s: got \"%s\", want \"%s\"", cases[i].name,
			    got, cases[i].want);
		made_free(&sub);
		made_free(&leaf);
		store_clear(&p, &ks);
	}
}

/* pathlen:0 in the root leaves no room for an intermediate. */
static void path_length_constraint(void **state)
{
	const struct spec tight = { .cn = "tight", .key = "tight",
	    .bc = "critical,CA:TRUE,pathlen:0", .ku = "keyCertSign",
	    .from = NOW - 1000 * DAY, .until = NOW + 1000 * DAY };
	const struct spec s = { MAIL };
	struct made anchor, sub, leaf;
	struct keystore *ks;
	struct place p;

	(void)state;
	ks = store_make(&p);
	cert_make(&anchor, &tight, NULL);
	ca_make(&sub, "sub", &anchor);
	cert_make(&leaf, &s, &sub);
	add_anchor(ks, &anchor);
	expect(ks, &leaf, &sub.cert, 1, "path length");
	made_free(&anchor);
	made_free(&sub);
	made_free(&leaf);
	store_clear(&p, &ks);
}

/* n intermediates between leaf and root. */
static void check_depth(int n, const char *want)
{
	const struct spec s = { MAIL };
	struct made ca[CAP_PATH_DEPTH + 2], leaf;
	struct keystore *ks;
	struct place p;
	char name[32];
	int i;

	ks = trusting(&p);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "depth %d", i);
		ca_make(&ca[i], name, i == 0 ? &root : &ca[i - 1]);
		add_cert(ks, &ca[i], 0);
	}
	cert_make(&leaf, &s, &ca[n - 1]);
	expect(ks, &leaf, NULL, 0, want);
	made_free(&leaf);
	for (i = 0; i < n; i++)
		made_free(&ca[i]);
	store_clear(&p, &ks);
}

/* attack A57: a chain longer than any
 * verdict: no path beyond 8 intermediates */
static void A57_depth_cap(void **state)
{
	(void)state;
	check_depth(CAP_PATH_DEPTH - 1, "");
	check_depth(CAP_PATH_DEPTH, "");
	check_depth(CAP_PATH_DEPTH + 1, "no path");
}

/*
 * Two CAs with one name and key: one under the anchor, one under somebody
 * else. libcrypto alone takes whichever comes first.
 */
static void S114_cross_certificates_backtrack(void **state)
{
	const struct spec s = { MAIL };
	struct cert *extra[3];
	struct made good, bad, loop, leaf;
	struct keystore *ks;
	struct place p;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		ks = trusting(&p);
		ca_make(&good, "cross", &root);
		ca_make(&bad, "cross", &other);
		ca_make(&loop, "other", &good); /* other, by cross */
		cert_make(&leaf, &s, &good);
		extra[0] = i == 0 ? bad.cert : good.cert;
		extra[1] = loop.cert;
		extra[2] = i == 0 ? good.cert : bad.cert;
		expect(ks, &leaf, extra, 3, "");
		made_free(&good);
		made_free(&bad);
		made_free(&loop);
		made_free(&leaf);
		store_clear(&p, &ks);
	}
}

/* Two names whose CAs issue each other, many times over: a bounded search. */
/* attack A57: two names whose CAs issue each other, 64 times
 * verdict: no path after 100 attempts */
static void A57_attempts_are_bounded(void **state)
{
	struct spec name[2] = { CA_SPEC("maze"), CA_SPEC("maze") };
	const struct spec s = { MAIL };
	struct cert *extra[CAP_CMS_CERTS];
	struct made ca[CAP_CMS_CERTS], leaf, base[2];
	struct keystore *ks;
	struct place p;
	size_t i;

	(void)state;
	ks = trusting(&p);
	name[1].cn = "zeam"; /* another name, the same key */
	cert_make(&base[0], &name[0], NULL);
	cert_make(&base[1], &name[1], NULL);
	for (i = 0; i < CAP_CMS_CERTS; i++) {
		cert_make(&ca[i], &name[i % 2], &base[(i + 1) % 2]);
		extra[i] = ca[i].cert;
	}
	cert_make(&leaf, &s, &base[0]);
	expect(ks, &leaf, extra, CAP_CMS_CERTS, "not found in 100 attempts");
	for (i = 0; i < CAP_CMS_CERTS; i++)
		made_free(&ca[i]);
	made_free(&leaf);
	made_free(&base[0]);
	made_free(&base[1]);
	store_clear(&p, &ks);
}

static void distrusted_here(void **state)
{
	const struct spec s = { MAIL };
	struct made sub, leaf;
	struct keystore *ks;
	struct place p;

	(void)state;
	ks = trusting(&p);
	ca_make(&sub, "sub", &root);
	cert_make(&leaf, &s, &sub);
	add_cert(ks, &sub, 0);
	add_cert(ks, &leaf, KS_ENCRYPT);
	expect(ks, &leaf, NULL, 0, "");
	must(keystore_set_state(ks, cert_sha256(sub.cert), KS_DISTRUSTED, e));
	/* Not even when the message brings it. */
	expect(ks, &leaf, &sub.cert, 1, "no path");
	must(keystore_set_state(ks, cert_sha256(sub.cert), KS_USABLE, e));
	expect(ks, &leaf, NULL, 0, "");
	must(keystore_set_state(ks, cert_sha256(leaf.cert), KS_DISTRUSTED,
	    e));
	expect(ks, &leaf, NULL, 0, "distrusted");
	made_free(&sub);
	made_free(&leaf);
	store_clear(&p, &ks);
}

/* A failure is not remembered against a message that brings what was
 * missing, and a success only for the time it holds. */
static void verdicts_in_the_cache(void **state)
{
	const struct spec s = { MAIL, .from = NOW, .until = NOW + DAY };
	struct made sub, leaf;
	struct keystore *ks;
	struct place p;

	(void)state;
	ks = trusting(&p);
	ca_make(&sub, "sub", &root);
	cert_make(&leaf, &s, &sub);
	expect(ks, &leaf, NULL, 0, "no path");
	expect(ks, &leaf, &sub.cert, 1, "");
	assert_non_null(strstr(try_path(ks, &leaf, &sub.cert, 1,
	    NOW + DAY), "expired"));
	assert_non_null(strstr(try_path(ks, &leaf, &sub.cert, 1,
	    NOW - 1), "valid only from"));
	assert_string_equal(try_path(ks, &leaf, &sub.cert, 1,
	    NOW + DAY - 1), "");
	made_free(&sub);
	made_free(&leaf);
	store_clear(&p, &ks);
}

/* The same name and key identifier, another key: not its issuer. */
/* attack A38: a CA of the attacker's with our root's name and key identifier
 * verdict: no path: its signature does not verify */
static void A38_forged_issuer_name(void **state)
{
	const struct spec s = { MAIL };
	const struct spec false_root = { .cn = "root", .key = "mallory",
	    .bc = "critical,CA:TRUE", .ku = "keyCertSign" };
	struct made mallory, leaf;
	struct keystore *ks;
	struct place p;

	(void)state;
	ks = trusting(&p);
	cert_make(&mallory, &false_root, NULL);
	cert_make(&leaf, &s, &mallory);
	expect(ks, &leaf, &mallory.cert, 1, "signature failure");
	made_free(&mallory);
	made_free(&leaf);
	store_clear(&p, &ks);
}

/*
 * An issuer's extended key usage bounds what it may issue for (RFC 8550
 * 4.4.4, RFC 5280 4.2.1.12); that of a root is for whoever trusts it.
 */
static void S72_intermediate_for_tls_only_is_not_used(void **state)
{
	const struct {
		const char *eku;
		const char *want;
	} cases[] = {
		{ "serverAuth", "CN=s may not issue for e-mail: its extended "
		    "key usage" },
		{ "serverAuth,clientAuth", "CN=s may not issue" },
		{ "emailProtection", "" },
		{ "serverAuth,emailProtection", "" },
		{ "anyExtendedKeyUsage", "" },
		{ NULL, "" },
	};
	struct spec sub_spec = CA_SPEC("s"), root_spec = CA_SPEC("tls root");
	const struct spec s = { MAIL };
	struct made sub, tls, leaf;
	struct keystore *ks;
	struct place p;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		sub_spec.eku = cases[i].eku;
		cert_make(&sub, &sub_spec, &root);
		cert_make(&leaf, &s, &sub);
		ks = trusting(&p);
		expect(ks, &leaf, &sub.cert, 1, cases[i].want);
		add_cert(ks, &sub, 0);
		expect(ks, &leaf, NULL, 0, cases[i].want);
		made_free(&leaf);
		made_free(&sub);
		store_clear(&p, &ks);
	}
	ks = store_make(&p);
	root_spec.eku = "serverAuth";
	cert_make(&tls, &root_spec, NULL);
	cert_make(&leaf, &s, &tls);
	add_anchor(ks, &tls);
	expect(ks, &leaf, NULL, 0, "");
	made_free(&leaf);
	made_free(&tls);
	store_clear(&p, &ks);
}

/* One of the same name and key that may, although another may not. */
static void S116_another_issuer_is_tried(void **state)
{
	struct spec tls_spec = CA_SPEC("s"), mail_spec = CA_SPEC("s");
	const struct spec s = { MAIL };
	struct made tls, mail, leaf;
	struct cert *extra[2];
	struct keystore *ks;
	struct place p;
	int i;

	(void)state;
	tls_spec.eku = "serverAuth";
	mail_spec.eku = "emailProtection";
	for (i = 0; i < 2; i++) {
		ks = trusting(&p);
		cert_make(&tls, &tls_spec, &root);
		cert_make(&mail, &mail_spec, &root);
		cert_make(&leaf, &s, &mail);
		extra[0] = i == 0 ? tls.cert : mail.cert;
		extra[1] = i == 0 ? mail.cert : tls.cert;
		expect(ks, &leaf, extra, 2, "");
		made_free(&tls);
		made_free(&mail);
		made_free(&leaf);
		store_clear(&p, &ks);
	}
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
		cmocka_unit_test(S72_direct_and_intermediate),
		cmocka_unit_test(S114_root_in_the_message_is_not_trusted),
		cmocka_unit_test(self_signed_leaf_is_not_trusted),
		cmocka_unit_test(S115_chain_faults),
		cmocka_unit_test(path_length_constraint),
		cmocka_unit_test(A57_depth_cap),
		cmocka_unit_test(S114_cross_certificates_backtrack),
		cmocka_unit_test(A57_attempts_are_bounded),
		cmocka_unit_test(distrusted_here),
		cmocka_unit_test(verdicts_in_the_cache),
		cmocka_unit_test(A38_forged_issuer_name),
		cmocka_unit_test(S72_intermediate_for_tls_only_is_not_used),
		cmocka_unit_test(S116_another_issuer_is_tried),
	};

	return cmocka_run_group_tests_name("keystore_path", tests, setup,
	    teardown);
}
