/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Selection among several: which certificate serves an address, how the
 * cache follows; keys and certificates by identifier. What single
 * certificates are passed over for is in keystore_select_table_test.c.
 */
#include "tests/unit/keystore_util.h"

#define A "critical,keyAgreement"
#define S "critical,digitalSignature"
#define ALICE .san = "email:alice@example.com"

static struct made root;

static void S103_newest_not_before_wins(void **state)
{
	const struct spec old = { ALICE, .from = NOW - 50 * DAY };
	const struct spec newest = { ALICE, .from = NOW - 10 * DAY };
	const struct spec newer_expired = { ALICE, .from = NOW - 5 * DAY,
	    .until = NOW - DAY };
	struct addr a = address("alice@example.com");
	struct made m[3];
	struct keystore *ks;
	struct selection sel;
	struct place p;
	int i;

	(void)state;
	ks = store_make(&p);
	add_anchor(ks, &root);
	cert_make(&m[0], &newest, &root);
	cert_make(&m[1], &old, &root);
	cert_make(&m[2], &newer_expired, &root);
	for (i = 0; i < 3; i++)
		add_cert(ks, &m[i], KS_ENCRYPT);
	must(keystore_select(ks, &a, KS_ENCRYPT, NOW, &sel, e));
	assert_non_null(sel.cert);
	assert_string_equal(cert_sha256_hex(sel.cert),
	    cert_sha256_hex(m[0].cert));
	assert_int_equal(sel.over_n, 2);
	assert_string_equal(sel.over[0].sha256, cert_sha256_hex(m[2].cert));
	assert_non_null(strstr(sel.over[0].reason, "expired"));
	assert_string_equal(sel.over[1].sha256, cert_sha256_hex(m[1].cert));
	assert_non_null(strstr(sel.over[1].reason, "newer"));
	selection_free(&sel);
	for (i = 0; i < 3; i++)
		made_free(&m[i]);
	store_clear(&p, &ks);
}

static void S122_separate_sign_and_encrypt_certificates(void **state)
{
	const struct spec sign = { ALICE, .ku = S };
	const struct spec encrypt = { ALICE, .ku = A, .from = NOW - DAY };
	struct addr a = address("alice@example.com");
	struct made m[2];
	struct keystore *ks;
	struct selection sel;
	struct place p;

	(void)state;
	ks = store_make(&p);
	add_anchor(ks, &root);
	cert_make(&m[0], &sign, &root);
	cert_make(&m[1], &encrypt, &root);
	add_cert(ks, &m[0], KS_SIGN | KS_ENCRYPT);
	add_cert(ks, &m[1], KS_SIGN | KS_ENCRYPT);
	add_private(ks, &m[0]);
	must(keystore_select(ks, &a, KS_SIGN, NOW, &sel, e));
	assert_string_equal(cert_sha256_hex(sel.cert),
	    cert_sha256_hex(m[0].cert));
	selection_free(&sel);
	must(keystore_select(ks, &a, KS_ENCRYPT, NOW, &sel, e));
	assert_string_equal(cert_sha256_hex(sel.cert),
	    cert_sha256_hex(m[1].cert));
	selection_free(&sel);
	made_free(&m[0]);
	made_free(&m[1]);
	store_clear(&p, &ks);
}

static void S54_chain_without_root(void **state)
{
	const struct spec leaf = { ALICE };
	struct addr a = address("alice@example.com");
	struct made sub, m;
	struct keystore *ks;
	struct selection sel;
	struct place p;
	int i;

	(void)state;
	ks = store_make(&p);
	ca_make(&sub, "sub", &root);
	cert_make(&m, &leaf, &sub);
	add_anchor(ks, &root);
	add_cert(ks, &sub, 0);
	add_cert(ks, &m, KS_ENCRYPT);
	for (i = 0; i < 2; i++) { /* the second is from the cache */
		must(keystore_select(ks, &a, KS_ENCRYPT, NOW, &sel, e));
		assert_non_null(sel.cert);
		assert_int_equal(sel.chain_n, 1);
		assert_string_equal(cert_sha256_hex(sel.chain[0]),
		    cert_sha256_hex(sub.cert));
		selection_free(&sel);
	}
	made_free(&sub);
	made_free(&m);
	store_clear(&p, &ks);
}

/* The answer of keystore_select for alice: "" or the first reason. */
static const char *ask(struct keystore *ks, int64_t at)
{
	static char text[200];
	struct addr a = address("alice@example.com");
	struct selection sel;

	must(keystore_select(ks, &a, KS_ENCRYPT, at, &sel, e));
	snprintf(text, sizeof(text), "%s", sel.cert != NULL ? "" :
	    sel.over_n > 0 ? sel.over[0].reason : "nothing");
	selection_free(&sel);
	return text;
}

static void cache_follows_time(void **state)
{
	const struct spec s = { ALICE, .from = NOW + 10, .until = NOW + 30 };
	struct made m;
	struct keystore *ks;
	struct place p;

	(void)state;
	ks = store_make(&p);
	add_anchor(ks, &root);
	cert_make(&m, &s, &root);
	add_cert(ks, &m, KS_ENCRYPT);
	assert_non_null(strstr(ask(ks, NOW), "valid only from"));
	assert_non_null(strstr(ask(ks, NOW + 9), "valid only from"));
	assert_string_equal(ask(ks, NOW + 10), "");
	assert_string_equal(ask(ks, NOW + 29), "");
	assert_non_null(strstr(ask(ks, NOW + 30), "expired"));
	assert_string_equal(ask(ks, NOW + 20), ""); /* and back */
	made_free(&m);
	store_clear(&p, &ks);
}

static void cache_follows_changes_of_others(void **state)
{
	const struct spec s = { ALICE };
	struct made m;
	struct keystore *writer, *reader;
	struct place p;
	bool added;

	(void)state;
	writer = store_make(&p);
	must(keystore_open(&reader, p.db, KS_READ, e));
	cert_make(&m, &s, &root);
	must(keystore_refresh(reader, e));
	assert_string_equal(ask(reader, NOW), "nothing");
	must(keystore_add(writer, m.cert, KS_ENCRYPT, KS_IMPORT, &added, e));
	assert_true(added);
	/* Until the refresh that the next message begins with. */
	assert_string_equal(ask(reader, NOW), "nothing");
	must(keystore_refresh(reader, e));
	assert_non_null(strstr(ask(reader, NOW), "no path"));
	add_anchor(writer, &root);
	must(keystore_refresh(reader, e));
	assert_string_equal(ask(reader, NOW), "");
	must(keystore_set_anchor(writer, cert_sha256(root.cert), false, e));
	must(keystore_refresh(reader, e));
	assert_non_null(strstr(ask(reader, NOW), "no path"));
	/* Who changes sees it without asking. */
	assert_non_null(strstr(ask(writer, NOW), "no path"));
	must(keystore_set_anchor(writer, cert_sha256(root.cert), true, e));
	assert_string_equal(ask(writer, NOW), "");
	must(keystore_remove(writer, cert_sha256(m.cert), e));
	assert_string_equal(ask(writer, NOW), "nothing");
	must(keystore_refresh(reader, e));
	assert_string_equal(ask(reader, NOW), "nothing");
	made_free(&m);
	keystore_close(&reader);
	store_clear(&p, &writer);
}

/* ---- by identifier ---- */

static size_t find_key(struct keystore *ks, bool by_ski, struct view id,
    const char *for_whom, struct cert **out)
{
	struct addr a = address(for_whom);
	size_t n;

	must(keystore_find_key(ks, by_ski, id, &a, 1, out, &n, e));
	return n;
}

static void drop(struct cert **c, size_t n)
{
	while (n > 0)
		cert_free(&c[--n]);
}

/* attack A9: ciphertext for one key sent to another mailbox
 * verdict: a key is found for its own addresses only */
static void A9_S98_key_only_for_its_address(void **state)
{
	const struct spec s = { ALICE, .until = NOW - DAY };
	struct cert *out[CAP_KEY_OPS];
	struct made m;
	struct keystore *ks;
	struct place p;
	size_t n;

	(void)state;
	ks = store_make(&p);
	cert_make(&m, &s, &root); /* expired, untrusted: still opens */
	add_cert(ks, &m, KS_ENCRYPT);
	must(keystore_set_state(ks, cert_sha256(m.cert), KS_SUPERSEDED, e));
	assert_int_equal(find_key(ks, false, cert_ias(m.cert),
	    "alice@example.com", out), 0); /* no key yet */
	add_private(ks, &m);
	n = find_key(ks, false, cert_ias(m.cert), "Alice@example.com", out);
	assert_int_equal(n, 1);
	drop(out, n);
	n = find_key(ks, true, cert_ski(m.cert), "alice@example.com", out);
	assert_int_equal(n, 1);
	drop(out, n);
	assert_int_equal(find_key(ks, false, cert_ias(m.cert),
	    "mallory@example.com", out), 0);
	must(keystore_find_key(ks, false, cert_ias(m.cert), NULL, 0, out, &n,
	    e));
	assert_int_equal(n, 0);
	assert_int_equal(find_key(ks, true, view_of("other"),
	    "alice@example.com", out), 0);
	assert_int_equal(find_key(ks, false, view_of("junk"),
	    "alice@example.com", out), 0);
	assert_int_equal(find_key(ks, false, view_make(NULL, 0),
	    "alice@example.com", out), 0);
	made_free(&m);
	store_clear(&p, &ks);
}

static void S97_at_most_four_keys_with_one_ski(void **state)
{
	const struct spec s = { ALICE };
	struct cert *out[CAP_KEY_OPS + 1];
	struct made m[CAP_KEY_OPS + 1];
	struct keystore *ks;
	struct place p;
	size_t i, n;

	(void)state;
	ks = store_make(&p);
	/* One key, so one SKI, in several certificates. */
	for (i = 0; i < ARRAY_LEN(m); i++) {
		cert_make(&m[i], &s, &root);
		add_cert(ks, &m[i], KS_ENCRYPT);
		if (i == 0)
			add_private(ks, &m[i]);
		if (i + 1 >= CAP_KEY_OPS) {
			n = find_key(ks, true, cert_ski(m[i].cert),
			    "alice@example.com", out);
			assert_int_equal(n, CAP_KEY_OPS);
			drop(out, n);
		}
	}
	for (i = 0; i < ARRAY_LEN(m); i++)
		made_free(&m[i]);
	store_clear(&p, &ks);
}

/* The issuer as another encoder would write it: PrintableString instead of
 * UTF8String, same name by RFC 5280 7.1. */
static struct view reencoded_ias(const struct cert *c, unsigned char *mem)
{
	struct view v = cert_ias(c);
	size_t i, hits = 0;

	memcpy(mem, v.p, v.n);
	for (i = 2; i + 6 < v.n; i++)
		if (mem[i] == 0x0c && memcmp(mem + i + 2, "root", 4) == 0) {
			mem[i] = 0x13;
			memcpy(mem + i + 2, "ROOT", 4);
			hits++;
		}
	assert_int_equal(hits, 1);
	return view_make(mem, v.n);
}

static void S95_issuer_in_another_encoding_is_found(void **state)
{
	const struct spec s = { ALICE };
	unsigned char mem[512];
	struct cert *out[CAP_KEY_OPS], *c;
	struct view ias;
	struct made m;
	struct keystore *ks;
	struct place p;
	size_t n;

	(void)state;
	ks = store_make(&p);
	cert_make(&m, &s, &root);
	add_cert(ks, &m, KS_ENCRYPT);
	add_private(ks, &m);
	ias = reencoded_ias(m.cert, mem);
	n = find_key(ks, false, ias, "alice@example.com", out);
	assert_int_equal(n, 1);
	drop(out, n);
	must(keystore_find_cert(ks, false, ias, &c, e));
	assert_non_null(c);
	cert_free(&c);
	mem[ias.n - 1] ^= 1; /* another serial */
	must(keystore_find_cert(ks, false, ias, &c, e));
	assert_null(c);
	must(keystore_find_cert(ks, true, cert_ski(m.cert), &c, e));
	assert_non_null(c);
	cert_free(&c);
	made_free(&m);
	store_clear(&p, &ks);
}

static int setup(void **state)
{
	(void)state;
	ca_make(&root, "root", NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	made_free(&root);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S103_newest_not_before_wins),
		cmocka_unit_test(S122_separate_sign_and_encrypt_certificates),
		cmocka_unit_test(S54_chain_without_root),
		cmocka_unit_test(cache_follows_time),
		cmocka_unit_test(cache_follows_changes_of_others),
		cmocka_unit_test(A9_S98_key_only_for_its_address),
		cmocka_unit_test(S97_at_most_four_keys_with_one_ski),
		cmocka_unit_test(S95_issuer_in_another_encoding_is_found),
	};

	return cmocka_run_group_tests_name("keystore_select", tests, setup,
	    teardown);
}
