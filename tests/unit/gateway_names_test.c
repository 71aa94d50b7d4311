/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What certificates of strangers say of names and addresses, on its way into
 * verdict, log, header and reply.
 */
#include "tests/unit/gateway_forge.h"

static struct world w;
static struct testca ca;

#define NOW ((int64_t)time(NULL))

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
	testca_init(&ca);
	forge_trust(&w, ca.root.cert);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	testca_free(&ca);
	world_end(&w);
	return 0;
}

struct odd {
	struct view name; /* commonName of the signer, or of his CA */
	const char *why;
};

#define ODD(s, why) {{(const unsigned char *)(s), sizeof(s) - 1}, (why)}

static const struct odd odd[] = {
	ODD("a\r\nX-Injected: yes\r\n", "a field"),
	ODD("a\nid=1 signature=pass", "a log line"),
	ODD("a; smime=pass", "a result"),
	ODD("a) smime=pass (", "a comment"),
	ODD("%s%n%99999999x", "a format"),
	ODD("\033]0;owned\007\033[31m", "a terminal"),
	ODD("\302\23331m", "a terminal, C1"),
	ODD("\342\200\256moc.elpmaxe", "another direction"),
	ODD("a\0b", "NUL"),
	ODD("\"quoted\\", "quotes"),
	ODD("\177\b\b\b", "rubout"),
	ODD("\377\376", "no UTF-8"),
	ODD("<script>alert(1)</script>", "a script"),
	ODD("=?utf-8?q?=0d=0aX-Injected:_yes?=", "an encoded word"),
	ODD("", "nothing"),
};

/* Octets that a terminal, a log or a header would act upon. */
static void expect_clean(const struct odd *o, const char *where,
    struct view v, bool is_header)
{
	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = v.p[i];
		bool fold = is_header && (c == '\r' || c == '\n' ||
		    c == '\t');

		if ((c < 32 && !fold) || c == 127)
			fail_msg("%s: octet %02x in the %s", o->why, c,
			    where);
		if (c == 0xc2 && i + 1 < v.n && v.p[i + 1] < 0xa0)
			fail_msg("%s: C1 in the %s", o->why, where);
	}
	if (memmem(v.p, v.n, "\342\200\256", 3) != NULL)
		fail_msg("%s: direction in the %s", o->why, where);
	if (is_header && memmem(v.p, v.n, "\nX-Injected", 11) != NULL)
		fail_msg("%s: a field of his", o->why);
}

/* An rfc822Name of these very octets. */
static void odd_address(X509 *x, struct view address)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *g = GENERAL_NAME_new();
	ASN1_IA5STRING *s = ASN1_IA5STRING_new();

	assert_int_equal(ASN1_STRING_set(s, address.p, (int)address.n), 1);
	GENERAL_NAME_set0_value(g, GEN_EMAIL, s);
	assert_true(sk_GENERAL_NAME_push(names, g) > 0);
	assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0,
	    0), 1);
	GENERAL_NAMES_free(names);
}

static void odd_person(struct view cn, struct view address,
    const struct testca_id *by, struct testca_id *out)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509 *x = forge_x509(key, cn);

	forge_extend(x, NID_basic_constraints, "CA:FALSE");
	odd_address(x, address);
	forge_issue(x, by, key, out);
}

static void odd_ca(struct view cn, struct testca_id *out)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509 *x = forge_x509(key, cn);

	forge_extend(x, NID_basic_constraints, "critical,CA:TRUE");
	forge_extend(x, NID_key_usage, "critical,keyCertSign");
	forge_issue(x, NULL, key, out);
}

/* All that leaves: for programs, the log, the header, the sender. */
static void look_at_all(const struct odd *o)
{
	struct view all = buf_view(&w.out);
	unsigned char *end = memmem(all.p, all.n, "\r\n\r\n", 4);
	struct buf b;

	buf_init(&b, 1u << 20);
	verdict_json(&w.v, &b);
	expect_clean(o, "JSON", buf_view(&b), false);
	buf_clear(&b);
	verdict_log_line(&w.v, "QID", &b);
	expect_clean(o, "log", buf_view(&b), false);
	assert_null(memmem(b.p, b.n, " signature=pass id", 18));
	expect_clean(o, "reply", view_of(w.v.text), false);
	assert_non_null(end);
	expect_clean(o, "header", view_make(all.p, (size_t)(end - all.p)),
	    true);
	for (size_t i = 0; i < w.v.edits; i++)
		if (w.v.edit[i].value != NULL &&
		    strchr(w.v.edit[i].value, '\r') != NULL)
			fail_msg("%s: CR in an edit", o->why);
	buf_free(&b);
}

static void open_odd(const struct odd *o, const struct testca_id *id,
    const struct cert *by, const char *result, const char *step)
{
	struct forge f = {.id = id, .certs = {id->cert, by}, .at = NOW};

	for (int i = 0; i < 2; i++) {
		f.opaque = i == 1;
		forge_open(&w, &f, 1);
		if (strcmp(w.v.sig_result, result) != 0 ||
		    strcmp(w.v.sig_step, step) != 0)
			fail_msg("%s: %s at %s (%s)", o->why, w.v.sig_result,
			    w.v.sig_step, w.v.sig_reason);
		look_at_all(o);
	}
}

/* attack A30: certificates whose names hold CR LF, brackets, results, log
 * pairs, formats, NUL, terminal escapes and marks of direction
 * verdict: escaped in verdict, log and reply; Authentication-Results has
 * fixed words and strict addresses only */
static void A30_names_in_certificates(void **state)
{
	const struct view mail = view_of("alice@example.com");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		struct testca_id id, root;

		/* the signer's */
		odd_person(odd[i].name, mail, &ca.sub, &id);
		open_odd(&odd[i], &id, ca.sub.cert, "pass", "");
		testca_id_free(&id);
		if (odd[i].name.n == 0)
			continue; /* a CA must have a name */
		/* his issuer's, in a reason */
		odd_ca(odd[i].name, &root);
		odd_person(view_of("Alice"), mail, &root, &id);
		open_odd(&odd[i], &id, root.cert, "policy", "S72");
		/* and once the administrator trusts it, as the chain */
		forge_trust(&w, root.cert);
		open_odd(&odd[i], &id, NULL, "pass", "");
		assert_string_not_equal(w.v.sig_chain, "");
		testca_id_free(&id);
		testca_id_free(&root);
	}
}

/* attack A25 A30: addresses in certificates with NUL, CR LF, blanks,
 * brackets, semicolons, wildcards, two of them in one
 * verdict: no address: policy at S74, never shown as a name */
static void A25_A30_S82_addresses_in_certificates(void **state)
{
	static const struct odd address[] = {
		ODD("alice@example.com\0.evil.example", "NUL"),
		ODD("alice@example.com\r\nX-Injected: yes", "a field"),
		ODD(" alice@example.com", "a blank"),
		ODD("alice@example.com ", "a blank behind"),
		ODD("alice@example.com (c)", "a comment"),
		ODD("<alice@example.com>", "brackets"),
		ODD("alice@example.com;smime=pass", "a result"),
		ODD("alice@example.com,mallory@example.com", "two"),
		ODD("*@example.com", "any"),
		ODD("@example.com", "a domain"),
		ODD("alice@example.com@example.com", "two at signs"),
		ODD("alice@\033[31mexample.com", "a terminal"),
		ODD("alice@example.com\t", "TAB"),
		ODD("alice@ex%61mple.com", "an escape"),
		ODD("\"alice\"@evil.example", "another"),
		ODD("", "nothing"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(address); i++) {
		struct testca_id id;

		odd_person(view_of("Alice"), address[i].name, &ca.sub, &id);
		open_odd(&address[i], &id, ca.sub.cert, "policy", "S74");
		assert_false(w.v.sig_from_match);
		testca_id_free(&id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A30_names_in_certificates),
		cmocka_unit_test(A25_A30_S82_addresses_in_certificates),
	};

	return cmocka_run_group_tests_name("gateway_names", tests,
	    make_world, end_world);
}
