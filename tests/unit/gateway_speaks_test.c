/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Who may speak for another author: domain signing authorities (RFC 3183)
 * and partners, by configuration.
 */
#include "tests/unit/gateway_author.h"

static struct world w;
static struct authors who;

static int make_all(void **state)
{
	(void)state;
	world_make(&w);
	authors_make(&who, &w);
	return 0;
}

static int end_all(void **state)
{
	(void)state;
	authors_end(&who);
	world_end(&w);
	return 0;
}

/* ---- domains ---- */

#define AUTHORITY "domain-signing-authority"
#define TYPE "1.2.840.113549.1.9.16.2.28"
#define STI "\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x09"
#define TYPE_ORIGINATOR EXTRA(TYPE, "\x30\x0d" STI "\x01")
#define TYPE_DOMAIN EXTRA(TYPE, "\x30\x0d" STI "\x02")
#define TYPE_ADDITIONAL EXTRA(TYPE, "\x30\x0d" STI "\x03")
#define TYPE_REVIEW EXTRA(TYPE, "\x30\x0d" STI "\x04")

enum inside { EMPTY_SIGNATURE, SIGNATURE, NO_SIGNATURE };

/* A message from alice@dept.partner.example, or from another. */
struct spoken {
	const char *name;
	const char *conf;
	const char *from; /* NULL: her */
	struct name names[4];
	struct extra type;
	enum inside inside;
	const char *domain; /* NULL: policy at S74 */
	const char *piece;  /* of the reason, or of our field */
};

#define OF(domain) { NAME(DN_CN, AUTHORITY), \
	NAME(SAN_MAIL, AUTHORITY "@" domain) }
#define TAKEN "domain-signatures @partner.example\n"
#define ANY "domain-signatures any\n"

static const struct spoken spoken[] = {
	{ "not configured", "", NULL, OF("partner.example"), TYPE_DOMAIN,
	    EMPTY_SIGNATURE, NULL, "domain signature of partner.example, not "
	    "configured (speaks-for" },
	{ "another is configured", "domain-signatures @other.example "
	    "@*.partner.example\n", NULL, OF("partner.example"), TYPE_DOMAIN,
	    EMPTY_SIGNATURE, NULL, "not configured" },
	{ "not above", ANY, NULL, OF("other.example"), TYPE_DOMAIN,
	    EMPTY_SIGNATURE, NULL, "domain signature of other.example, which "
	    "is not above From" },
	{ "the same end, but no label", ANY, "alice@notpartner.example",
	    OF("partner.example"), TYPE_DOMAIN, EMPTY_SIGNATURE, NULL,
	    "not above" },
	{ "below", ANY, "alice@partner.example", OF("dept.partner.example"),
	    TYPE_DOMAIN, EMPTY_SIGNATURE, NULL, "not above" },
	{ "a public suffix", ANY, NULL, OF("example"), TYPE_DOMAIN,
	    EMPTY_SIGNATURE, NULL, "nobody's own domain" },
	{ "no attribute", TAKEN, NULL, OF("partner.example"), { 0 },
	    EMPTY_SIGNATURE, NULL, "signer does not match From" },
	{ "an originator's", TAKEN, NULL, OF("partner.example"),
	    TYPE_ORIGINATOR, EMPTY_SIGNATURE, NULL, "does not match From" },
	{ "a review", TAKEN, NULL, OF("partner.example"), TYPE_REVIEW,
	    EMPTY_SIGNATURE, NULL, "review" },
	{ "additional attributes", TAKEN, NULL, OF("partner.example"),
	    TYPE_ADDITIONAL, EMPTY_SIGNATURE, NULL, "additional" },
	{ "additional attributes as well", TAKEN, NULL,
	    OF("partner.example"), EXTRA(TYPE, "\x30\x1a" STI "\x02" STI
	    "\x03"), EMPTY_SIGNATURE, NULL, "additional" },
	{ "an unknown type as well", TAKEN, NULL, OF("partner.example"),
	    EXTRA(TYPE, "\x30\x1a" STI "\x02" STI "\x05"), EMPTY_SIGNATURE,
	    NULL, "additional" },
	{ "around no signature", TAKEN, NULL, OF("partner.example"),
	    TYPE_DOMAIN, NO_SIGNATURE, NULL, "around no signature" },
	{ "two common names", TAKEN, NULL, { NAME(DN_CN, AUTHORITY),
	    NAME(DN_CN, "Alice"), NAME(SAN_MAIL, AUTHORITY
	    "@partner.example") }, TYPE_DOMAIN, EMPTY_SIGNATURE, NULL,
	    "no domain-signing-authority's" },
	{ "the same name twice", TAKEN, NULL, { NAME(DN_CN, AUTHORITY),
	    NAME(DN_CN, AUTHORITY), NAME(SAN_MAIL, AUTHORITY
	    "@partner.example") }, TYPE_DOMAIN, EMPTY_SIGNATURE, NULL,
	    "no domain-signing-authority's" },
	{ "no common name", TAKEN, NULL, { NAME(SAN_MAIL, AUTHORITY
	    "@partner.example") }, TYPE_DOMAIN, EMPTY_SIGNATURE, NULL,
	    "no domain-signing-authority's" },
	{ "a name that begins so", TAKEN, NULL, { NAME(DN_CN, AUTHORITY
	    "\0x"), NAME(SAN_MAIL, AUTHORITY "@partner.example") },
	    TYPE_DOMAIN, EMPTY_SIGNATURE, NULL, "authority's" },
	{ "a name of 16-bit octets", TAKEN, NULL, { NAME(DN_CN_BMP, "\0d\0o"),
	    NAME(SAN_MAIL, AUTHORITY "@partner.example") }, TYPE_DOMAIN,
	    EMPTY_SIGNATURE, NULL, "authority's" },
	{ "an address of somebody", TAKEN, NULL, { NAME(DN_CN, AUTHORITY),
	    NAME(SAN_MAIL, "eve@partner.example") }, TYPE_DOMAIN,
	    EMPTY_SIGNATURE, NULL, "authority's" },
	{ "an address of somebody as well", TAKEN, NULL, { NAME(DN_CN,
	    AUTHORITY), NAME(SAN_MAIL, AUTHORITY "@partner.example"),
	    NAME(SAN_MAIL, "eve@partner.example") }, TYPE_DOMAIN,
	    EMPTY_SIGNATURE, NULL, "authority's" },
	{ "a bad address as well", TAKEN, NULL, { NAME(DN_CN, AUTHORITY),
	    NAME(SAN_MAIL, AUTHORITY "@partner.example"), NAME(SAN_MAIL,
	    AUTHORITY "@partner.example\0") }, TYPE_DOMAIN, EMPTY_SIGNATURE,
	    NULL, "authority's" },
	{ "of no domain", ANY, NULL, { NAME(DN_CN, AUTHORITY) }, TYPE_DOMAIN,
	    EMPTY_SIGNATURE, NULL, "of no domain" },
	{ "a domain component with a dot", ANY, NULL, { NAME(DN_DC,
	    "partner.example"), NAME(DN_CN, AUTHORITY) }, TYPE_DOMAIN,
	    EMPTY_SIGNATURE, NULL, "of no domain" },
	{ "domain components the wrong way", ANY, NULL, { NAME(DN_DC,
	    "partner"), NAME(DN_DC, "example"), NAME(DN_CN, AUTHORITY) },
	    TYPE_DOMAIN, EMPTY_SIGNATURE, NULL, "not above" },
	{ "the address counts, not the components", TAKEN, NULL,
	    { NAME(DN_DC, "example"), NAME(DN_DC, "partner"), NAME(DN_CN,
	    AUTHORITY), NAME(SAN_MAIL, AUTHORITY "@other.example") },
	    TYPE_DOMAIN, EMPTY_SIGNATURE, NULL, "not above" },
	{ "her own certificate", TAKEN, NULL, { NAME(SAN_MAIL,
	    "alice@dept.partner.example") }, TYPE_DOMAIN, EMPTY_SIGNATURE,
	    NULL, "authority's" },
	{ "her own certificate, a review", TAKEN, NULL, { NAME(SAN_MAIL,
	    "alice@dept.partner.example") }, TYPE_REVIEW, EMPTY_SIGNATURE,
	    NULL, "review" },
	/* taken */
	{ "above", TAKEN, NULL, OF("partner.example"), TYPE_DOMAIN,
	    EMPTY_SIGNATURE, "partner.example", "body.smime-identifier="
	    AUTHORITY "@partner.example" },
	{ "far above", TAKEN, "Alice@a.b.c.partner.example",
	    OF("partner.example"), TYPE_DOMAIN, EMPTY_SIGNATURE,
	    "partner.example", "signed for the domain partner.example" },
	{ "the same", TAKEN, "alice@partner.example", OF("partner.example"),
	    TYPE_DOMAIN, EMPTY_SIGNATURE, "partner.example",
	    "signed for the domain partner.example" },
	{ "any is configured", ANY, NULL, OF("partner.example"), TYPE_DOMAIN,
	    EMPTY_SIGNATURE, "partner.example",
	    "signed for the domain partner.example" },
	{ "subdomains are configured", "domain-signatures "
	    "@*.partner.example\n", NULL, OF("dept.partner.example"),
	    TYPE_DOMAIN, EMPTY_SIGNATURE, "dept.partner.example",
	    "signed for the domain dept.partner.example" },
	{ "name in capitals", TAKEN, NULL, { NAME(DN_CN,
	    "Domain-Signing-Authority"), NAME(SAN_MAIL,
	    "Domain-Signing-Authority@PARTNER.example") }, TYPE_DOMAIN,
	    EMPTY_SIGNATURE, "partner.example", "smime=pass" },
	{ "by domain components", TAKEN, NULL, { NAME(DN_DC, "example"),
	    NAME(DN_DC, "partner"), NAME(DN_CN, AUTHORITY) }, TYPE_DOMAIN,
	    EMPTY_SIGNATURE, "partner.example",
	    "signed for the domain partner.example" },
	{ "of two domains", TAKEN, NULL, { NAME(DN_CN, AUTHORITY),
	    NAME(SAN_MAIL, AUTHORITY "@other.example"), NAME(SAN_MAIL,
	    AUTHORITY "@partner.example") }, TYPE_DOMAIN, EMPTY_SIGNATURE,
	    "partner.example", "body.smime-identifier=" AUTHORITY
	    "@partner.example" },
	{ "and a review", TAKEN, NULL, OF("partner.example"), EXTRA(TYPE,
	    "\x30\x1a" STI "\x02" STI "\x04"), EMPTY_SIGNATURE,
	    "partner.example", "signed for the domain" },
};

static struct cert *issue(const struct name *names, size_t n)
{
	struct name all[NAMES];

	memset(all, 0, sizeof(all));
	memcpy(all, names, n * sizeof(*names));
	return author_issue(&who, all, NULL);
}

/* The text, inside of what the case says, signed by by. */
static void sign_around(struct buf *b, const struct signature_of *by, size_t n,
    enum inside inside)
{
	static const struct name dave[NAMES] = {
		NAME(SAN_MAIL, "dave@else.example"),
	};
	struct cert *c = author_issue(&who, dave, NULL);
	struct signature_of g = { .by = c };

	buf_clear(b);
	buf_puts(b, author_text);
	if (inside != NO_SIGNATURE)
		author_sign(&who, &g, inside == SIGNATURE ? 1 : 0, true, b);
	author_sign(&who, by, n, true, b);
	cert_free(&c);
}

static void open_spoken(const struct spoken *x)
{
	struct cert *c = issue(x->names, ARRAY_LEN(x->names));
	struct signature_of g = { .by = c, .signed_attr = { x->type } };
	struct buf b, fields;

	buf_init(&b, BIG);
	buf_init(&fields, BIG);
	world_config(&w, x->conf);
	sign_around(&b, &g, 1, x->inside);
	buf_printf(&fields, "From: %s\r\n", x->from == NULL
	    ? "Alice <alice@dept.partner.example>" : x->from);
	author_open(&w, buf_view(&fields), &b);
	buf_free(&b);
	buf_free(&fields);
	cert_free(&c);
}

/* attack A22: a domain signing authority of another domain, or what calls
 * itself one, signs for an author
 * verdict: policy at S74; pass, for the domain, only where configured */
static void
S162_S164_S165_S166_S167_A22_a_domain_speaks_only_for_itself(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(spoken); i++) {
		const struct spoken *x = &spoken[i];
		bool said;

		open_spoken(x);
		author_expect(&w, x->name, x->domain == NULL ? "policy"
		    : "pass", x->domain == NULL ? "S74" : "");
		/* never as a user's */
		assert_false(w.v.sig_from_match);
		assert_string_equal(w.v.sig_domain, x->domain == NULL ? ""
		    : x->domain);
		said = x->domain == NULL
		    ? strstr(w.v.sig_reason, x->piece) != NULL
		    : has(&w, x->piece);
		if (!said)
			fail_msg("%s: \"%s\", %.*s", x->name, w.v.sig_reason,
			    (int)w.out.n, buf_str(&w.out));
	}
	world_config(&w, NULL);
}

static void S166_the_verdict_names_the_domain(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BIG);
	for (size_t i = 0; i < ARRAY_LEN(spoken); i++) {
		if (strcmp(spoken[i].name, "above") != 0 && i != 0)
			continue;
		open_spoken(&spoken[i]);
		buf_clear(&b);
		verdict_json(&w.v, &b);
		assert_non_null(strstr(buf_str(&b), i == 0
		    ? "\"from_match\":false,\"domain\":null,"
		    : "\"from_match\":false,\"domain\":\"partner.example\","));
	}
	buf_free(&b);
	world_config(&w, NULL);
}

/* The author's own signature inside counts, whoever signed around it. */
static void S166_a_signature_inside_is_the_one_that_counts(void **state)
{
	static const struct name of[] = OF("partner.example");
	struct cert *c = issue(of, ARRAY_LEN(of));
	struct signature_of g = { .by = c, .signed_attr = { TYPE_DOMAIN } };
	struct buf b;

	(void)state;
	buf_init(&b, BIG);
	world_config(&w, TAKEN);
	sign_around(&b, &g, 1, SIGNATURE);
	author_open(&w, view_of("From: dave@else.example\r\n"), &b);
	world_signature(&w, "pass", "");
	assert_true(w.v.sig_from_match);
	assert_string_equal(w.v.sig_signer, "dave@else.example");
	author_open(&w, view_of("From: alice@dept.partner.example\r\n"), &b);
	world_signature(&w, "policy", "S74");
	world_config(&w, NULL);
	buf_free(&b);
	cert_free(&c);
}

static void S167_the_empty_signature_is_no_signature(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BIG);
	buf_puts(&b, author_text);
	author_sign(&who, NULL, 0, true, &b);
	author_open(&w, view_of("From: alice@example.com\r\n"), &b);
	world_signature(&w, "none", "S66");
	assert_true(has(&w, "\r\nHello\r\n")); /* unwrapped */
	buf_free(&b);
}

/* ---- SignatureType as an attribute ---- */

/* One authority signs, as often as there are types. */
static void open_types(const struct extra *type, size_t n)
{
	static const struct name of[] = OF("partner.example");
	struct cert *c = issue(of, ARRAY_LEN(of));
	struct signature_of g[3];
	struct buf b;

	buf_init(&b, BIG);
	memset(g, 0, sizeof(g));
	for (size_t i = 0; i < n; i++) {
		g[i].by = c;
		g[i].signed_attr[0] = type[i];
	}
	world_config(&w, TAKEN);
	sign_around(&b, g, n, EMPTY_SIGNATURE);
	author_open(&w, view_of("From: alice@partner.example\r\n"), &b);
	world_config(&w, NULL);
	buf_free(&b);
	cert_free(&c);
}

static void S165_all_signers_say_the_same(void **state)
{
	static const struct extra same[] = { TYPE_DOMAIN, TYPE_DOMAIN };
	static const struct extra differ[] = { TYPE_DOMAIN, TYPE_REVIEW };
	static const struct extra none[] = { TYPE_DOMAIN, { 0 } };

	(void)state;
	open_types(same, 2);
	world_signature(&w, "pass", "");
	assert_string_equal(w.v.sig_domain, "partner.example");
	open_types(differ, 2);
	world_signature(&w, "policy", "S74");
	assert_non_null(strstr(w.v.sig_reason, "different SignatureType"));
	open_types(none, 2);
	world_signature(&w, "policy", "S74");
}

static void S165_S67_one_instance_with_one_value(void **state)
{
	static const struct extra bad[] = {
		{ TYPE, "\x30\x0d" STI "\x02", 15, 2 }, /* two values */
		EXTRA(TYPE, "\x30\x00"),
		EXTRA(TYPE, "\x30\x02\x05\x00"),
		EXTRA(TYPE, "\x30\x0f" STI "\x02\x05\x00"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		open_types(&bad[i], 1);
		world_signature(&w, "policy", "S67");
	}
}

/* ---- partners ---- */

struct partner {
	const char *name;
	const char *conf; /* %s: the certificate's SHA-256 */
	const char *from;
	struct name names[2];
	struct extra type;
	const char *domain; /* NULL: policy at S74 */
	const char *comment;
	const char *signer; /* NULL: none is named */
};

#define GATE { NAME(SAN_MAIL, "securemail@gw.partner.example") }
#define NOBODY { NAME(DN_CN, "Gateway") }
#define BY_ADDRESS "address securemail@gw.partner.example\n"

static const struct partner partner[] = {
	{ "nothing is configured", "", "alice@partner.example", GATE, { 0 },
	    NULL, NULL, NULL },
	{ "for a third domain", "speaks-for @partner.example certificate %s\n",
	    "alice@third.example", GATE, { 0 }, NULL, NULL, NULL },
	{ "for a subdomain", "speaks-for @partner.example certificate %s\n",
	    "alice@dept.partner.example", GATE, { 0 }, NULL, NULL, NULL },
	{ "for the domain above", "speaks-for @*.partner.example "
	    BY_ADDRESS, "alice@partner.example", GATE, { 0 }, NULL, NULL,
	    NULL },
	{ "for another address", "speaks-for alice@partner.example "
	    "certificate %s\n", "carol@partner.example", NOBODY, { 0 }, NULL,
	    NULL, NULL },
	{ "another address of the certificate", "speaks-for @partner.example "
	    "address securemail@partner.example\n", "alice@partner.example",
	    GATE, { 0 }, NULL, NULL, NULL },
	{ "a review", "speaks-for @partner.example certificate %s\n",
	    "alice@partner.example", GATE, TYPE_REVIEW, NULL, NULL, NULL },
	{ "another certificate", "speaks-for @partner.example certificate "
	    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	    "\n", "alice@partner.example", GATE, { 0 }, NULL, NULL, NULL },
	{ "by certificate", "speaks-for @partner.example certificate %s\n",
	    "alice@partner.example", GATE, { 0 }, "partner.example",
	    "signed for the domain partner.example",
	    "securemail@gw.partner.example" },
	{ "by address", "speaks-for @partner.example " BY_ADDRESS,
	    "alice@partner.example", GATE, { 0 }, "partner.example",
	    "signed for the domain partner.example",
	    "securemail@gw.partner.example" },
	{ "by the second address", "speaks-for @partner.example " BY_ADDRESS,
	    "alice@partner.example", { NAME(SAN_MAIL, "info@x.example"),
	    NAME(SAN_MAIL, "securemail@gw.partner.example") }, { 0 },
	    "partner.example", "signed for the domain partner.example",
	    "securemail@gw.partner.example" },
	{ "for subdomains", "speaks-for @*.partner.example " BY_ADDRESS,
	    "alice@dept.partner.example", GATE, { 0 }, "partner.example",
	    "signed for the domain partner.example",
	    "securemail@gw.partner.example" },
	{ "without an address", "speaks-for alice@partner.example "
	    "certificate %s\n", "Alice@partner.example", NOBODY, { 0 },
	    "alice@partner.example", "signed for alice@partner.example, by "
	    "configuration", NULL },
	{ "with the domain's attribute, around nothing",
	    "speaks-for @partner.example certificate %s\n",
	    "alice@partner.example", GATE, TYPE_DOMAIN, "partner.example",
	    "signed for the domain partner.example",
	    "securemail@gw.partner.example" },
};

static void open_partner(const struct partner *x)
{
	struct cert *c = issue(x->names, ARRAY_LEN(x->names));
	struct signature_of g = { .by = c, .signed_attr = { x->type } };
	const char *hole = strstr(x->conf, "%s");
	struct buf b, text;

	buf_init(&b, BIG);
	buf_init(&text, BIG);
	if (hole != NULL)
		buf_printf(&text, "%.*s\"%s\"%s", (int)(hole - x->conf),
		    x->conf, cert_sha256_hex(c), hole + 2);
	else
		buf_puts(&text, x->conf);
	world_config(&w, buf_str(&text));
	buf_puts(&b, author_text);
	author_sign(&who, &g, 1, false, &b);
	buf_clear(&text);
	buf_printf(&text, "From: %s\r\n", x->from);
	author_open(&w, buf_view(&text), &b);
	world_config(&w, NULL);
	buf_free(&b);
	buf_free(&text);
	cert_free(&c);
}

/* attack A22: a partner's gateway certificate signs for a third domain
 * verdict: policy at S74 */
static void S81_S168_A22_a_partner_speaks_where_it_is_configured(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BIG);
	for (size_t i = 0; i < ARRAY_LEN(partner); i++) {
		const struct partner *x = &partner[i];

		open_partner(x);
		author_expect(&w, x->name, x->domain == NULL ? "policy"
		    : "pass", x->domain == NULL ? "S74" : "");
		assert_false(w.v.sig_from_match);
		assert_string_equal(w.v.sig_domain, x->domain == NULL ? ""
		    : x->domain);
		buf_clear(&b);
		buf_printf(&b, "smime-identifier=%s\r\n", x->signer == NULL
		    ? "" : x->signer);
		if (has(&w, "smime-identifier=") != (x->signer != NULL) ||
		    (x->signer != NULL && !has(&w, buf_str(&b))) ||
		    (x->comment != NULL && !has(&w, x->comment)))
			fail_msg("%s: %.*s", x->name, (int)w.out.n,
			    buf_str(&w.out));
	}
	buf_free(&b);
}

/* The line is about From, not about trust: the path is checked before. */
static void S168_a_partner_needs_a_path(void **state)
{
	(void)state;
	assert_int_equal(keystore_set_anchor(w.ks,
	    cert_sha256(who.ca.root.cert), false, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(partner); i++) {
		if (partner[i].domain == NULL)
			continue;
		open_partner(&partner[i]);
		author_expect(&w, partner[i].name, "policy", "S72");
		assert_string_equal(w.v.sig_domain, "");
	}
	assert_int_equal(keystore_set_anchor(w.ks,
	    cert_sha256(who.ca.root.cert), true, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
	S162_S164_S165_S166_S167_A22_a_domain_speaks_only_for_itself),
		cmocka_unit_test(S166_the_verdict_names_the_domain),
		cmocka_unit_test(
		    S166_a_signature_inside_is_the_one_that_counts),
		cmocka_unit_test(S167_the_empty_signature_is_no_signature),
		cmocka_unit_test(S165_all_signers_say_the_same),
		cmocka_unit_test(S165_S67_one_instance_with_one_value),
		cmocka_unit_test(
		    S81_S168_A22_a_partner_speaks_where_it_is_configured),
		cmocka_unit_test(S168_a_partner_needs_a_path),
	};

	return cmocka_run_group_tests_name("gateway_speaks", tests, make_all,
	    end_all);
}
