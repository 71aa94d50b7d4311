/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Selection: which certificate serves an address, why the others do not;
 * keys and certificates by identifier.
 */
#include "tests/unit/keystore_util.h"

#define E "critical,keyEncipherment"
#define A "critical,keyAgreement"
#define S "critical,digitalSignature"
#define ALICE .san = "email:alice@example.com"

/* One certificate in the store and one question about it. */
struct select_case {
	const char *name;
	struct spec spec;
	unsigned use;	    /* asked for */
	const char *want;   /* "": chosen; else in the reason; "-": silent */
	/* what most cases leave alone */
	const char *asked;  /* address; NULL: alice@example.com */
	bool no_key;
	bool untrusted;
	enum ks_state state;
	unsigned stored; /* use in the store; 0: all */
	int64_t at;	 /* 0: NOW */
};

static const struct select_case cases[] = {
	{ "encrypt, EC, no KU, no EKU", { ALICE }, KS_ENCRYPT, .want = "" },
	{ "sign, EC, no KU, no EKU", { ALICE }, KS_SIGN, .want = "" },
	{ "storage", { ALICE }, KS_STORAGE, .want = "" },
	{ "encrypt, RSA", { ALICE, .alg = "rsa:2048", .ku = E }, KS_ENCRYPT,
	    .want = "" },
	{ "sign, RSA", { ALICE, .alg = "rsa:2048", .ku = S },
	    KS_SIGN, .want = "" },
	{ "sign, nonRepudiation alone", { ALICE, .ku = "nonRepudiation" },
	    KS_SIGN, .want = "" },
	{ "encrypt, EC agreement", { ALICE, .ku = A }, KS_ENCRYPT, .want = "" },
	{ "encrypt, EC with encipherment only", { ALICE, .ku = E },
	    KS_ENCRYPT, .want = "key agreement" },
	{ "encrypt, RSA with agreement only",
	    { ALICE, .alg = "rsa:2048", .ku = A }, KS_ENCRYPT,
	    .want = "does not allow encryption" },
	{ "encrypt, sign-only KU", { ALICE, .ku = S }, KS_ENCRYPT,
	    .want = "key agreement" },
	{ "storage, sign-only KU", { ALICE, .ku = S }, KS_STORAGE,
	    .want = "key agreement" },
	{ "sign, encrypt-only KU", { ALICE, .ku = A }, KS_SIGN,
	    .want = "does not allow signatures" },
	{ "EKU emailProtection", { ALICE, .eku = "emailProtection" },
	    KS_ENCRYPT, .want = "" },
	{ "EKU any", { ALICE, .eku = "anyExtendedKeyUsage" }, KS_ENCRYPT,
	    .want = "" },
	{ "EKU server only", { ALICE, .eku = "serverAuth" }, KS_ENCRYPT,
	    .want = "8550 4.4.4" },
	{ "EKU server only, sign", { ALICE, .eku = "serverAuth" }, KS_SIGN,
	    .want = "8550 4.4.4" },
	{ "EKU server and mail", { ALICE,
	    .eku = "serverAuth,emailProtection" }, KS_ENCRYPT, .want = "" },
	{ "expired", { ALICE, .until = NOW },
	    KS_ENCRYPT, .want = "expired on" },
	{ "one second left", { ALICE, .until = NOW + 1 },
	    KS_ENCRYPT, .want = "" },
	{ "first second", { ALICE, .from = NOW }, KS_ENCRYPT, .want = "" },
	{ "not yet valid", { ALICE, .from = NOW + 1 }, KS_ENCRYPT,
	    .want = "valid only from" },
	{ "pending", { ALICE },
	    KS_ENCRYPT, .want = "pending", .state = KS_PENDING },
	{ "distrusted", { ALICE }, KS_ENCRYPT, .want = "distrusted",
	    .state = KS_DISTRUSTED },
	{ "superseded", { ALICE }, KS_SIGN, .want = "superseded",
	    .state = KS_SUPERSEDED },
	{ "narrowed to signing", { ALICE },
	    KS_ENCRYPT, .want = "for encryption here",
	    .stored = KS_SIGN },
	{ "narrowed to encryption", { ALICE },
	    KS_SIGN, .want = "for signing here",
	    .stored = KS_ENCRYPT },
	{ "narrowed to storage", { ALICE }, KS_STORAGE, .want = "",
	    .stored = KS_STORAGE },
	{ "no key, sign", { ALICE }, KS_SIGN, .want = "private key is not",
	    .no_key = true },
	{ "no key, encrypt", { ALICE },
	    KS_ENCRYPT, .want = "", .no_key = true },
	{ "untrusted", { ALICE },
	    KS_ENCRYPT, .want = "no path to a trusted root",
	    .untrusted = true },
	{ "other address", { .san = "email:bob@example.com" }, KS_ENCRYPT,
	    .want = "-" },
	{ "no address", { .cn = "alice@example.com" },
	    KS_ENCRYPT, .want = "-" },
	{ "subject's emailAddress, no SAN", { .dn_email =
	    "alice@example.com" }, KS_ENCRYPT, .want = "" },
	{ "SAN wins over subject", { .dn_email = "alice@example.com",
	    .san = "email:bob@example.com" }, KS_ENCRYPT, .want = "-" },
	{ "SAN with a host only, subject's counts",
	    { .dn_email = "alice@example.com", .san = "DNS:x.example.com" },
	    KS_ENCRYPT, .want = "" },
	{ "second address", { .san = "email:x@y.example,"
	    "email:alice@example.com" }, KS_ENCRYPT, .want = "" },
	{ "case of the domain", { .san = "email:alice@EXAMPLE.com" },
	    KS_ENCRYPT, .want = "" },
	{ "case of the local part", { .san = "email:Alice@example.com" },
	    KS_ENCRYPT, .want = "" },
	{ "asked in capitals", { ALICE }, KS_ENCRYPT, .want = "",
	    .asked = "ALICE@Example.COM" },
	{ "A25: NUL in the address", { .san_raw =
	    "alice@example.com\0.evil.example", .san_raw_n = 31 },
	    KS_ENCRYPT, .want = "-" },
	{ "A25: blank before", { .san_raw = " alice@example.com",
	    .san_raw_n = 18 }, KS_ENCRYPT, .want = "-" },
	{ "A25: comment after", { .san_raw = "alice@example.com (c)",
	    .san_raw_n = 21 }, KS_ENCRYPT, .want = "-" },
	{ "A25: wildcard", { .san_raw = "*@example.com", .san_raw_n = 13 },
	    KS_ENCRYPT, .want = "-" },
	{ "A25: angle brackets", { .san_raw = "<alice@example.com>",
	    .san_raw_n = 19 }, KS_ENCRYPT, .want = "-" },
	{ "SmtpUTF8Mailbox", { .utf8 = "j\xc3\xb6rg@example.com" },
	    KS_ENCRYPT, .want = "", .asked = "j\xc3\xb6rg@example.com" },
	{ "SmtpUTF8Mailbox, ASCII letters do not fold",
	    { .utf8 = "J\xc3\xb6rg@example.com" }, KS_ENCRYPT,
	    .want = "address differs", .asked = "j\xc3\xb6rg@example.com" },
	{ "A15: RSA-1024", { ALICE, .alg = "rsa:1024" }, KS_ENCRYPT,
	    .want = "1024" },
	{ "curve that we do not use", { ALICE, .alg = "ec:k256" },
	    KS_ENCRYPT, .want = "curve" },
	{ "Ed25519 for encryption", { ALICE, .alg = "ed25519" }, KS_ENCRYPT,
	    .want = "ed25519" },
	{ "CA certificate", { ALICE, .bc = "critical,CA:TRUE" }, KS_ENCRYPT,
	    .want = "a CA certificate" },
	{ "unknown critical extension", { ALICE,
	    .crit = "1.3.6.1.4.1.99999.7" }, KS_ENCRYPT, .want = "critical" },
	{ "SHA-1 signature", { ALICE, .md = "SHA1" },
	    KS_ENCRYPT, .want = "weak" },
	{ "valid at another time", { ALICE, .until = NOW - DAY }, KS_ENCRYPT,
	    .want = "", .at = NOW - 2 * DAY },
};

static struct made root;

static void check_case(const struct select_case *t)
{
	struct addr a = address(t->asked != NULL ? t->asked :
	    "alice@example.com");
	struct made m;
	struct keystore *ks;
	struct selection sel;
	struct place p;

	ks = store_make(&p);
	if (t->untrusted)
		add_cert(ks, &root, 0);
	else
		add_anchor(ks, &root);
	cert_make(&m, &t->spec, &root);
	add_cert(ks, &m, t->stored != 0 ? t->stored :
	    KS_SIGN | KS_ENCRYPT | KS_STORAGE);
	if (!t->no_key)
		add_private(ks, &m);
	must(keystore_set_state(ks, cert_sha256(m.cert), t->state, e));
	must(keystore_select(ks, &a, t->use, t->at != 0 ? t->at : NOW, &sel,
	    e));
	if (t->want[0] == '\0') {
		if (sel.cert == NULL)
			fail_msg("%s: none chosen: %s", t->name,
			    sel.over_n > 0 ? sel.over[0].reason : "no reason");
		assert_memory_equal(cert_sha256(sel.cert),
		    cert_sha256(m.cert), 32);
		assert_int_equal(sel.over_n, 0);
	} else {
		if (sel.cert != NULL)
			fail_msg("%s: chosen", t->name);
		if (t->want[0] == '-') {
			assert_int_equal(sel.over_n, 0);
		} else if (sel.over_n != 1 ||
		    strstr(sel.over[0].reason, t->want) == NULL) {
			fail_msg("%s: reason %s, want %s", t->name,
			    sel.over_n > 0 ? sel.over[0].reason : "(none)",
			    t->want);
		}
	}
	selection_free(&sel);
	made_free(&m);
	store_clear(&p, &ks);
}

static void S102_S60_A25_selection_table(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++)
		check_case(&cases[i]);
}

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
		cmocka_unit_test(S102_S60_A25_selection_table),
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
