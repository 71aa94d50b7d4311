/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Who is at the other end of a TLS connection, and whether it is whom the
 * policy asks for: names, paths and pins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "smtp_tls.h"

/* ---- names ---- */

static void T40_dns_ids_and_names_of_a_policy(void **state)
{
	static const struct {
		const char *id, *pattern;
		bool matches;
	} row[] = {
		{ "mx.a.example", "mx.a.example", true },
		{ "MX.A.example", "mx.a.example", true },
		{ "mx.a.example", "my.a.example", false },
		{ "mx.a.example", "a.example", false },
		{ "a.example", "mx.a.example", false },
		{ "mx.a.example.", "mx.a.example", false },
		{ ".mx.a.example", "mx.a.example", false },
		{ "mx..example", "mx..example", false },
		{ "", "mx.a.example", false },
		{ "", "", false },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example", true },
		{ "b\xc3\xbc" "cher.example", "b\xc3\xbc" "cher.example",
		    false },
		/* a wildcard is one whole label, the left-most one */
		{ "*.a.example", "mx.a.example", true },
		{ "*.a.example", "xn--bcher-kva.a.example", true },
		{ "*.a.example", "a.example", false },
		{ "*.a.example", "x.mx.a.example", false },
		{ "*.example", "a.example", false },
		{ "*", "example", false },
		{ "*.", "a.example", false },
		{ "m*.a.example", "mx.a.example", false },
		{ "*x.a.example", "mx.a.example", false },
		{ "mx.*.example", "mx.a.example", false },
		{ "*.*.example", "mx.a.example", false },
		{ "*.*.com", "a.b.com", false },
		{ "**.a.example", "mx.a.example", false },
		{ "*.a.example", "*.a.example", false },
		{ "*.a.example", ".a.example", true },
		/* what lies below */
		{ "mx.a.example", ".a.example", true },
		{ "x.mx.a.example", ".a.example", true },
		{ "a.example", ".a.example", false },
		{ "mxa.example", ".a.example", false },
		{ "mx.a.example", ".", false },
		{ "*.example", ".a.example", false },
		{ "mx.a.example.evil.example", ".a.example", false },
		/* an address is no name (RFC 9525 6.3) */
		{ "192.0.2.7", "192.0.2.7", false },
		{ "192.0.2.7", "[192.0.2.7]", false },
		{ "*.0.2.7", "192.0.2.7", false },
		{ "mx a.example", "mx a.example", false },
		{ "mx_a.example", "mx_a.example", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		if (tls_name_matches(view_of(row[i].id), row[i].pattern) !=
		    row[i].matches)
			fail_msg("\"%s\" and \"%s\"", row[i].id,
			    row[i].pattern);
	assert_false(tls_name_matches(view_make("mx.a.example\0.b", 15),
	    "mx.a.example"));
	assert_false(tls_name_matches(view_make(NULL, 0), ".a"));
}

static void a_label_has_at_most_63_octets(void **state)
{
	char name[300];

	(void)state;
	for (size_t n = 62; n <= 64; n++) {
		memset(name, 'x', n);
		memcpy(name + n, ".example", 9);
		assert_int_equal(tls_name_matches(view_of(name), name),
		    n <= 63);
	}
	for (size_t n = TLS_NAME_MAX - 2; n <= TLS_NAME_MAX; n++) {
		memset(name, 'x', n);
		for (size_t i = 50; i < n; i += 50)
			name[i] = '.';
		name[n] = '\0';
		assert_int_equal(tls_name_matches(view_of(name), name),
		    n < TLS_NAME_MAX);
	}
}

/* attack A70: an MX record that is forged names a host of the attacker, with
 * a good certificate for that host
 * verdict: refused: the name at level secure is not from the DNS */
static void A70_T39_a_good_certificate_of_another_host(void **state)
{
	struct tls_want w = want(TLS_SECURE, "a.example");
	struct peer evil;
	struct tls_got got;

	(void)state;
	peer_make(&evil, &(struct peer_kind){ .cn = "a.example",
	    .san = "DNS:mx.attacker.example" }, &sub);
	text_set(w.sni, sizeof(w.sni), "mx.attacker.example");
	want_name(&w, ".a.example");
	meet_expect(&w, &root, &evil, with_sub, "certificate-host-mismatch",
	    &got);
	assert_non_null(strstr(got.reason, "not for a.example"));
	peer_free(&evil);
}

struct name_case {
	const char *what;
	struct peer_kind kind;
	bool allow_cn;
	const char *result, *matched;
};

static void judge_names(const struct name_case *c)
{
	struct tls_want w = want(TLS_SECURE, "mx.a.example");
	struct peer p;
	struct tls_got got;

	print_message("%s\n", c->what);
	w.allow_cn = c->allow_cn;
	peer_make(&p, &c->kind, &sub);
	meet_expect(&w, &root, &p, with_sub, c->result, &got);
	assert_string_equal(got.matched, c->matched == NULL ? "" :
	    c->matched);
	peer_free(&p);
}

static const char BAD_NAME[] = "certificate-host-mismatch";

static void T40_names_in_certificates(void **state)
{
	static const struct name_case row[] = {
		{ "first", { .san = "DNS:mx.a.example,DNS:b.example" }, false,
		    "success", "mx.a.example" },
		{ "last", { .san = "DNS:b.example,DNS:MX.a.example" }, false,
		    "success", "MX.a.example" },
		{ "middle", { .san = "DNS:b.example,DNS:mx.a.example,"
		    "DNS:c.example" }, false, "success", "mx.a.example" },
		{ "wildcard", { .san = "DNS:*.a.example" }, false, "success",
		    "*.a.example" },
		{ "partial wildcard", { .san = "DNS:m*.a.example" }, false,
		    BAD_NAME, NULL },
		{ "two wildcards", { .san = "DNS:*.*.example" }, false,
		    BAD_NAME, NULL },
		{ "other", { .cn = "mx.a.example", .san = "DNS:b.example" },
		    true, BAD_NAME, NULL },
		{ "CN alone", { .cn = "mx.a.example" }, false, BAD_NAME,
		    NULL },
		{ "CN allowed", { .cn = "mx.a.example" }, true, "success",
		    "mx.a.example" },
		{ "CN beside an address", { .cn = "mx.a.example",
		    .san = "email:a@a.example" }, true, "success",
		    "mx.a.example" },
		{ "two CNs", { .cn = "mx.a.example", .cn2 = "b.example" },
		    true, BAD_NAME, NULL },
		{ "no name at all", { .cn = NULL }, true, BAD_NAME, NULL },
		{ "in a URI and a mailbox", {
		    .san = "URI:https://mx.a.example/,email:x@mx.a.example" },
		    false, BAD_NAME, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		judge_names(&row[i]);
}

/* A CA was made to sign "mx.a.example NUL .attacker.example". */
static void T40_a_nul_in_a_name(void **state)
{
	static const struct name_case row[] = {
		{ "NUL", { .raw_dns = "mx.a.example\0.attacker.example",
		    .raw_n = 30 }, true, BAD_NAME, NULL },
		{ "NUL at the end", { .cn = "mx.a.example",
		    .raw_dns = "mx.a.example\0", .raw_n = 13 }, true,
		    BAD_NAME, NULL },
		{ "blank", { .raw_dns = " mx.a.example", .raw_n = 13 }, false,
		    BAD_NAME, NULL },
		{ "line end", { .raw_dns = "mx.a.example\n", .raw_n = 13 },
		    false, BAD_NAME, NULL },
		{ "empty", { .raw_dns = "", .raw_n = 0 }, false, BAD_NAME,
		    NULL },
		{ "whole", { .raw_dns = "mx.a.example", .raw_n = 12 }, false,
		    "success", "mx.a.example" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		judge_names(&row[i]);
}

static void T40_an_address_is_compared_with_addresses(void **state)
{
	static const struct {
		const char *san, *name;
		bool matches;
	} row[] = {
		{ "IP:192.0.2.7", "192.0.2.7", true },
		{ "IP:192.0.2.7", "[192.0.2.7]", true },
		{ "IP:192.0.2.8", "192.0.2.7", false },
		{ "DNS:192.0.2.7", "192.0.2.7", false },
		{ "IP:2001:db8::7", "[2001:db8:0::7]", true },
		{ "IP:2001:db8::8", "[2001:db8:0::7]", false },
		{ "IP:192.0.2.7", "mx.a.example", false },
		{ "DNS:mx.a.example,IP:192.0.2.7", "192.0.2.7", true },
	};
	struct tls_got got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct tls_want w = want(TLS_VERIFY, row[i].name);
		struct peer p;

		peer_make(&p, &(struct peer_kind){ .san = row[i].san }, &sub);
		meet_expect(&w, &root, &p, with_sub, row[i].matches ?
		    "success" : BAD_NAME, &got);
		peer_free(&p);
	}
}

static void secure_without_a_name_is_never_reached(void **state)
{
	struct tls_want w = want(TLS_SECURE, NULL);
	struct tls_got got;

	(void)state;
	meet_expect(&w, &root, &mx, with_sub, BAD_NAME, &got);
	assert_non_null(strstr(got.reason, "names nobody"));
}

/* ---- paths ---- */

static void verify_and_secure_want_a_path_to_a_ca(void **state)
{
	struct tls_want w = want(TLS_SECURE, "mx.a.example");
	struct tls_got got;

	(void)state;
	meet_expect(&w, &root, &mx, with_sub, "success", &got);
	assert_true(got.is_verified);
	assert_int_equal(got.level, TLS_SECURE);
	assert_string_equal(got.version, "TLSv1.3");
	assert_true(got.cipher[0] != '\0' && got.has_cert);
	assert_string_equal(got.subject, "CN=cn.example,O=Test");
	assert_string_equal(got.matched, "mx.a.example");
	assert_true(got.not_after > (int64_t)time(NULL) + 29 * 86400L &&
	    got.not_after < (int64_t)time(NULL) + 31 * 86400L);
	w.level = TLS_VERIFY;
	meet_expect(&w, &sub, &mx, NULL, "certificate-not-trusted", &got);
	meet_expect(&w, &root, &mx, NULL, "certificate-not-trusted", &got);
	assert_int_equal(got.level, TLS_ENCRYPT);
	assert_non_null(strstr(got.reason, "CN=cn.example,O=Test"));
	meet_expect(&w, &other, &mx, with_sub, "certificate-not-trusted",
	    &got);
	meet_expect(&w, NULL, &mx, with_sub, "certificate-not-trusted",
	    &got);
	meet_expect(&w, &root, &anyone, NULL, "certificate-not-trusted",
	    &got);
	assert_non_null(strstr(got.reason, "self"));
}

static void certificates_out_of_time_or_for_something_else(void **state)
{
	static const struct {
		struct peer_kind kind;
		const char *result;
	} row[] = {
		{ { .san = "DNS:mx.a.example", .from_days = -30, .days = -1 },
		    "certificate-expired" },
		{ { .san = "DNS:mx.a.example", .from_days = 1, .days = 30 },
		    "validation-failure" },
		{ { .san = "DNS:mx.a.example", .eku = "clientAuth" },
		    "validation-failure" },
		{ { .san = "DNS:mx.a.example", .eku = "" }, "success" },
		{ { .san = "DNS:mx.a.example", .is_rsa1024 = true },
		    "validation-failure" },
	};
	struct tls_want w = want(TLS_SECURE, "mx.a.example");
	struct tls_got got;
	struct peer p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		peer_make(&p, &row[i].kind, &sub);
		meet_expect(&w, &root, &p, with_sub, row[i].result, &got);
		peer_free(&p);
	}
}

static void old_versions_of_tls_do_not_let_weak_keys_in(void **state)
{
	struct tls_want w = want(TLS_SECURE, "mx.a.example");
	struct tls_got got;
	struct peer p;

	(void)state;
	peer_make(&p, &(struct peer_kind){ .san = "DNS:mx.a.example",
	    .is_rsa1024 = true }, &sub);
	w.min = TLS_V_1_1;
	meet_expect(&w, &root, &p, with_sub, "validation-failure", &got);
	assert_non_null(strstr(got.reason, "too weak"));
	peer_free(&p);
}

static void a_leaf_is_no_ca(void **state)
{
	struct tls_want w = want(TLS_SECURE, "mx.a.example");
	const struct peer *const chain[] = { &mx, &sub, NULL };
	struct tls_got got;
	struct peer p;

	(void)state;
	peer_make(&p, &(struct peer_kind){ .san = "DNS:mx.a.example" }, &mx);
	meet_expect(&w, &root, &p, chain, "certificate-not-trusted", &got);
	assert_non_null(strstr(got.reason, "of a CA above it"));
	peer_free(&p);
}

static void encrypt_takes_anybody_or_some_certificate(void **state)
{
	struct tls_want w = want(TLS_ENCRYPT, NULL);
	struct tls_got got;

	(void)state;
	meet_expect(&w, NULL, &anyone, NULL, "success", &got);
	assert_int_equal(got.level, TLS_ENCRYPT);
	assert_false(got.is_verified);
	w.require_cert = true;
	meet_expect(&w, NULL, &anyone, NULL, "success", &got);
	text_set(w.ca, sizeof(w.ca), "corp");
	meet_expect(&w, &root, &anyone, NULL, "certificate-not-trusted",
	    &got);
	w = want(TLS_MAY, NULL);
	meet_expect(&w, NULL, &anyone, NULL, "success", &got);
	assert_int_equal(got.level, TLS_ENCRYPT);
}

static void T54_encrypt_with_a_ca_wants_a_path_but_no_name(void **state)
{
	struct tls_want w = want(TLS_ENCRYPT, NULL);
	X509_STORE *s = store_of(&root);
	struct err e = { 0 };
	struct tls_got got;
	struct meet m;

	(void)state;
	w.require_cert = true;
	text_set(w.ca, sizeof(w.ca), "corp");
	assert_true(meet_begin(&m, meet_server(&mx, with_sub, 0), &w, s,
	    NULL));
	assert_int_equal(tls_want_check(m.c, &w, &got, &e), 0);
	assert_false(got.is_verified);
	meet_end(&m);
	X509_STORE_free(s);
}

/* ---- pins ---- */

static void T42_pins_of_certificate_and_key(void **state)
{
	struct tls_want w = want(TLS_FINGERPRINT, NULL);
	unsigned char cert[32], spki[32];
	struct tls_got got;
	struct peer old;

	(void)state;
	peer_make(&old, &(struct peer_kind){ .cn = "x", .from_days = -30,
	    .days = -1 }, NULL);
	peer_pins(&old, cert, spki);
	w.pins = 2; /* the first one is of nobody */
	memcpy(w.pin[1].sha256, cert, 32);
	meet_expect(&w, NULL, &old, NULL, "success", &got);
	assert_int_equal(got.level, TLS_FINGERPRINT);
	assert_int_equal(strncmp(got.matched, "sha256:", 7), 0);
	assert_int_equal(strlen(got.matched), 71);
	assert_memory_equal(got.cert_sha256, cert, 32);
	assert_memory_equal(got.spki_sha256, spki, 32);
	memcpy(w.pin[1].sha256, spki, 32);
	meet_expect(&w, NULL, &old, NULL, "success", &got);
	w.pin[1].sha256[31] ^= 1;
	meet_expect(&w, NULL, &old, NULL, "certificate-not-trusted", &got);
	assert_non_null(strstr(got.reason, "is not pinned"));
	assert_string_equal(got.matched, "");
	w.pins = 0;
	meet_expect(&w, &root, &mx, with_sub, "certificate-not-trusted",
	    &got);
	peer_free(&old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T40_dns_ids_and_names_of_a_policy),
		cmocka_unit_test(a_label_has_at_most_63_octets),
		cmocka_unit_test(A70_T39_a_good_certificate_of_another_host),
		cmocka_unit_test(T40_names_in_certificates),
		cmocka_unit_test(T40_a_nul_in_a_name),
		cmocka_unit_test(T40_an_address_is_compared_with_addresses),
		cmocka_unit_test(secure_without_a_name_is_never_reached),
		cmocka_unit_test(verify_and_secure_want_a_path_to_a_ca),
		cmocka_unit_test(
		    certificates_out_of_time_or_for_something_else),
		cmocka_unit_test(old_versions_of_tls_do_not_let_weak_keys_in),
		cmocka_unit_test(a_leaf_is_no_ca),
		cmocka_unit_test(encrypt_takes_anybody_or_some_certificate),
		cmocka_unit_test(
		    T54_encrypt_with_a_ca_wants_a_path_but_no_name),
		cmocka_unit_test(T42_pins_of_certificate_and_key),
	};

	return cmocka_run_group_tests_name("smtp_tls_verify", tests,
	    make_peers, free_peers);
}
