/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The author against the certificate (S79): addresses of every kind; weak
 * signatures of named authors; times, lists.
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

/* ---- addresses ---- */

struct pair {
	const char *name;
	const char *from; /* value of the field */
	struct name names[3];
	const char *signer; /* NULL: policy at S74 */
};

#define MAIL(text) { NAME(SAN_MAIL, text) }
#define UTF8(text) { NAME(SAN_UTF8, text) }

static const struct pair pair[] = {
	/* not the same */
	{ "another", "alicf@example.com", MAIL("alice@example.com"), NULL },
	{ "a subdomain", "alice@sub.example.com", MAIL("alice@example.com"),
	    NULL },
	{ "the domain above", "alice@example.com",
	    MAIL("alice@sub.example.com"), NULL },
	{ "a domain with the same end", "alice@notexample.com",
	    MAIL("alice@example.com"), NULL },
	{ "a detail", "alice+x@example.com", MAIL("alice@example.com"),
	    NULL },
	{ "a dot", "al.ice@example.com", MAIL("alice@example.com"), NULL },
	{ "a Kelvin sign", "\342\204\252ate@example.com",
	    MAIL("kate@example.com"), NULL },
	{ "a Kelvin sign in the domain", "kate@\342\204\252.example",
	    MAIL("kate@k.example"), NULL },
	{ "a Cyrillic letter", "alice@ex\320\260mple.com",
	    MAIL("alice@example.com"), NULL },
	{ "wide letters", "alice@\357\275\205xample.com",
	    MAIL("alice@example.com"), NULL },
	{ "another IDN", "alice@b\303\274cher.example",
	    MAIL("alice@xn--bcher-kvb.example"), NULL },
	{ "an address literal", "alice@[192.0.2.1]",
	    MAIL("alice@[192.0.2.1]"), NULL },
	{ "a final dot", "alice@example.com", MAIL("alice@example.com."),
	    NULL },
	{ "a final dot in From", "alice@example.com.",
	    MAIL("alice@example.com"), NULL },
	{ "a blank in quotes", "\"al ice\"@example.com",
	    MAIL("\"al ice\"@example.com"), NULL },
	/* UTF-8 local parts: octet for octet */
	{ "SmtpUTF8, capitals", "J\303\226RG@example.com",
	    UTF8("j\303\266rg@example.com"), NULL },
	{ "SmtpUTF8, an ASCII capital", "J\303\266rg@example.com",
	    UTF8("j\303\266rg@example.com"), NULL },
	{ "SmtpUTF8, decomposed", "jo\314\210rg@example.com",
	    UTF8("j\303\266rg@example.com"), NULL },
	{ "SmtpUTF8 without need", "alice@example.com",
	    UTF8("alice@example.com"), NULL },
	{ "UTF-8 in an rfc822Name", "j\303\266rg@example.com",
	    MAIL("j\303\266rg@example.com"), NULL },
	{ "SmtpUTF8 that is no UTF-8", "j\303\266rg@example.com",
	    UTF8("j\366rg@example.com"), NULL },
	{ "SmtpUTF8 with NUL", "j\303\266rg@example.com",
	    UTF8("j\303\266rg@example.com\0.evil.example"), NULL },
	/* odd addresses are none (S82) */
	{ "NUL and more", "bob@x.com", MAIL("bob@x.com\0.evil.example"),
	    NULL },
	{ "NUL at the end", "bob@x.com", MAIL("bob@x.com\0"), NULL },
	{ "NUL at the start", "bob@x.com", MAIL("\0bob@x.com"), NULL },
	{ "a blank in front", "bob@x.com", MAIL(" bob@x.com"), NULL },
	{ "a blank behind", "bob@x.com", MAIL("bob@x.com "), NULL },
	{ "a tab", "bob@x.com", MAIL("bob@x.com\t"), NULL },
	{ "a line end", "bob@x.com", MAIL("bob@x.com\r\nX: y"), NULL },
	{ "a comment", "bob@x.com", MAIL("bob@x.com (c)"), NULL },
	{ "a comment without blank", "bob@x.com", MAIL("bob(c)@x.com"),
	    NULL },
	{ "brackets", "bob@x.com", MAIL("<bob@x.com>"), NULL },
	{ "a name", "bob@x.com", MAIL("Bob<bob@x.com>"), NULL },
	{ "two in one", "bob@x.com", MAIL("bob@x.com;eve@evil.example"),
	    NULL },
	{ "two with a comma", "bob@x.com", MAIL("bob@x.com,eve@evil.example"),
	    NULL },
	{ "two @", "bob@x.com", MAIL("bob@x.com@evil.example"), NULL },
	{ "a URI", "bob@x.com", MAIL("mailto:bob@x.com"), NULL },
	{ "a pattern", "bob@x.com", MAIL("*@x.com"), NULL },
	{ "a host", "bob@x.com", MAIL("x.com"), NULL },
	{ "a domain", "bob@x.com", MAIL(".x.com"), NULL },
	{ "only @", "bob@x.com", MAIL("@x.com"), NULL },
	{ "nothing", "bob@x.com", MAIL(""), NULL },
	{ "a mailto URI in the SAN", "bob@x.com",
	    { NAME(SAN_URI, "mailto:bob@x.com") }, NULL },
	{ "DN of octets of 16 bits", "bob@x.com",
	    { NAME(DN_MAIL_BMP, "\0b\0o\0b\0@\0x\0.\0c\0o\0m") }, NULL },
	/* the subject counts only when the SAN has no address at all */
	{ "DN against SAN", "alice@example.com",
	    { NAME(SAN_MAIL, "bob@x.com"), NAME(DN_MAIL,
	    "alice@example.com") }, NULL },
	{ "DN against a bad SAN", "alice@example.com",
	    { NAME(SAN_MAIL, " bob@x.com"), NAME(DN_MAIL,
	    "alice@example.com") }, NULL },
	{ "DN against an SmtpUTF8 SAN", "alice@example.com",
	    { NAME(SAN_UTF8, "\303\266@x.com"), NAME(DN_MAIL,
	    "alice@example.com") }, NULL },
	{ "a common name is no address", "alice@example.com",
	    { NAME(DN_CN, "alice@example.com") }, NULL },
	{ "DN with NUL", "bob@x.com",
	    { NAME(DN_MAIL, "bob@x.com\0.evil.example") }, NULL },
	/* the same */
	{ "equal", "alice@example.com", MAIL("alice@example.com"),
	    "alice@example.com" },
	{ "a capital in From", "Alice@example.com",
	    MAIL("alice@example.com"), "alice@example.com" },
	{ "capitals in the certificate", "alice@example.com",
	    MAIL("ALICE@EXAMPLE.COM"), "ALICE@example.com" },
	{ "a domain in capitals", "alice@EXAMPLE.com",
	    MAIL("alice@example.COM"), "alice@example.com" },
	{ "quotes without need in From", "\"alice\"@example.com",
	    MAIL("alice@example.com"), "alice@example.com" },
	{ "quotes without need in the certificate", "alice@example.com",
	    MAIL("\"alice\"@example.com"), "alice@example.com" },
	{ "quotes with need", "\"al,ice\"@example.com",
	    MAIL("\"al,ice\"@example.com"), "\"al,ice\"@example.com" },
	{ "quotes and a capital", "\"Al@ice\"@example.com",
	    MAIL("\"al@ice\"@example.com"), "\"al@ice\"@example.com" },
	{ "a quoted pair", "\"al\\,ice\"@example.com",
	    MAIL("\"al,ice\"@example.com"), "\"al,ice\"@example.com" },
	{ "U-label", "alice@b\303\274cher.example",
	    MAIL("alice@xn--bcher-kva.example"),
	    "alice@xn--bcher-kva.example" },
	{ "U-label, decomposed", "alice@bu\314\210cher.example",
	    MAIL("alice@xn--bcher-kva.example"),
	    "alice@xn--bcher-kva.example" },
	{ "U-label in capitals", "alice@B\303\234CHER.example",
	    MAIL("alice@xn--bcher-kva.example"),
	    "alice@xn--bcher-kva.example" },
	{ "A-label", "alice@XN--bcher-KVA.example",
	    MAIL("alice@xn--bcher-kva.example"),
	    "alice@xn--bcher-kva.example" },
	{ "SmtpUTF8", "j\303\266rg@example.com",
	    UTF8("j\303\266rg@example.com"), "j\303\266rg@example.com" },
	{ "SmtpUTF8 and a U-label", "\303\266@b\303\274cher.example",
	    UTF8("\303\266@xn--bcher-kva.example"),
	    "\303\266@xn--bcher-kva.example" },
	{ "SmtpUTF8 in capitals after the @", "\303\266@EXAMPLE.com",
	    UTF8("\303\266@example.com"), "\303\266@example.com" },
	{ "the second of two", "alice@example.com",
	    { NAME(SAN_MAIL, "bob@x.com"), NAME(SAN_MAIL,
	    "alice@example.com") }, "alice@example.com" },
	{ "the good one of two", "alice@example.com",
	    { NAME(SAN_MAIL, "bob@x.com\0"), NAME(SAN_MAIL,
	    "alice@example.com") }, "alice@example.com" },
	{ "beside an SmtpUTF8", "alice@example.com",
	    { NAME(SAN_UTF8, "\303\266@example.com"), NAME(SAN_MAIL,
	    "alice@example.com") }, "alice@example.com" },
	{ "DN without SAN", "alice@example.com",
	    { NAME(DN_MAIL, "alice@example.com") }, "alice@example.com" },
	{ "DN as UTF8String", "alice@example.com",
	    { NAME(DN_MAIL8, "alice@example.com") }, "alice@example.com" },
	{ "DN, the second", "alice@example.com",
	    { NAME(DN_MAIL, "bob@x.com"), NAME(DN_MAIL,
	    "alice@example.com") }, "alice@example.com" },
	{ "DN beside a SAN of hosts", "alice@example.com",
	    { NAME(SAN_DNS, "example.com"), NAME(DN_MAIL,
	    "alice@example.com") }, "alice@example.com" },
	{ "SAN against DN", "bob@x.com",
	    { NAME(SAN_MAIL, "bob@x.com"), NAME(DN_MAIL,
	    "alice@example.com") }, "bob@x.com" },
};

/* Signed by a certificate with these names, From says from. */
static void open_as(const char *from, const struct name *names)
{
	struct cert *c = author_issue(&who, names, NULL);
	struct signature_of g = { .by = c };
	struct buf b, fields;

	buf_init(&b, BIG);
	buf_init(&fields, BIG);
	buf_puts(&b, author_text);
	author_sign(&who, &g, 1, false, &b);
	buf_printf(&fields, "From: %s\r\n", from);
	author_open(&w, buf_view(&fields), &b);
	buf_free(&b);
	buf_free(&fields);
	cert_free(&c);
}

/* attack A22 A25: a certificate with an address that some parser reads as
 * the victim's: NUL, blanks, comments, patterns, look-alikes, DN against SAN
 * verdict: policy at S74 */
static void S79_S82_A22_A25_only_an_equal_address_is_the_author(void **state)
{
	struct name names[NAMES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pair); i++) {
		const struct pair *x = &pair[i];

		memset(names, 0, sizeof(names));
		memcpy(names, x->names, sizeof(x->names));
		open_as(x->from, names);
		author_expect(&w, x->name, x->signer == NULL ? "policy"
		    : "pass", x->signer == NULL ? "S74" : "");
		if (x->signer == NULL) {
			assert_false(has(&w, "smime-identifier"));
			continue;
		}
		assert_true(w.v.sig_from_match);
		if (strcmp(w.v.sig_signer, x->signer) != 0)
			fail_msg("%s: signer %s", x->name, w.v.sig_signer);
	}
}

static void S82_odd_addresses_are_told_to_the_administrator(void **state)
{
	static const struct name names[NAMES] = {
		NAME(SAN_MAIL, "bob@x.com\0"),
		NAME(SAN_MAIL, "*@x.com"),
		NAME(SAN_MAIL, "alice@example.com"),
	};

	(void)state;
	open_as("alice@example.com", names);
	world_signature(&w, "pass", "");
	assert_non_null(strstr(buf_str(&w.v.warnings),
	    "2 addresses that are none"));
}

/* attack A26: a domain of letters that look like another's
 * verdict: pass, for the A-labels that it is in truth */
static void A26_IDN_is_shown_in_A_labels(void **state)
{
	static const struct name names[NAMES] = {
		NAME(SAN_MAIL, "alice@xn--exmple-4nf.com"),
	};

	(void)state;
	open_as("Alice <alice@ex\320\260mple.com>", names);
	world_signature(&w, "pass", "");
	assert_string_equal(w.v.sig_signer, "alice@xn--exmple-4nf.com");
	assert_true(has(&w,
	    "body.smime-identifier=alice@xn--exmple-4nf.com"));
}

static void S81_without_an_address_nobody_is_proven(void **state)
{
	static const struct name names[NAMES] = { NAME(DN_CN, "Alice") };

	(void)state;
	open_as("alice@partner.example", names);
	world_signature(&w, "policy", "S74");
	assert_non_null(strstr(w.v.sig_reason, "speaks-for"));
	assert_false(has(&w, "smime-identifier"));
}

/* ---- weak signatures ---- */

struct weak {
	const char *name;
	const char *conf;
	const char *from;
	int bits; /* of an RSA key; 0: P-256 */
	bool md5, sha1, changed;
	const char *result, *step, *piece;
};

#define OLD "old@x.example"
#define WEAK(who) "verify-policy { weak " who " }\n"

static const struct weak weak[] = {
	/* not computed: a digest that is not allowed is not even compared */
	{ "SHA-1", "", OLD, 0, false, true, true, "policy", "S68",
	    "SHA-1 not allowed" },
	{ "SHA-1 of another author", WEAK("@y.example"), OLD, 0, false, true,
	    true, "policy", "S68", "SHA-1 not allowed" },
	{ "SHA-1 of a subdomain", WEAK("@x.example"), "old@sub.x.example", 0,
	    false, true, true, "policy", "S68", "SHA-1 not allowed" },
	{ "SHA-1 of an author that cannot be read", WEAK("@x.example"),
	    OLD ", a@x.example", 0, false, true, true, "policy", "S68",
	    "SHA-1 not allowed" },
	{ "a short key", "", OLD, 1024, false, false, false, "policy", "S68",
	    "RSA key of 1024 bits, 2048" },
	{ "a key of 2040 bits", "", OLD, 2040, false, false, false, "policy",
	    "S68", "RSA key of 2040 bits, 2048" },
	{ "a key below all policy", WEAK("any"), OLD, 1016, false, false,
	    false, "policy", "S68", "RSA key of 1016 bits" },
	{ "MD5", WEAK("any"), OLD, 2048, true, false, true, "policy", "S68",
	    "digest algorithm not allowed" },
	/* computed */
	{ "SHA-1, changed", WEAK(OLD), OLD, 0, false, true, true, "fail",
	    "S70", "changed" },
	{ "SHA-1, good", WEAK(OLD), OLD, 0, false, true, false, "policy",
	    "S68", "digest SHA-1 (" },
	{ "SHA-1 by domain", WEAK("@x.example"), OLD, 0, false, true, false,
	    "policy", "S68", "digest SHA-1 (" },
	{ "SHA-1 of subdomains", WEAK("@*.x.example"), "old@a.b.x.example",
	    0, false, true, false, "policy", "S68", "digest SHA-1 (" },
	{ "SHA-1 of whoever it is", WEAK("any"), OLD ", a@b.example", 0,
	    false, true, false, "policy", "S68", "digest SHA-1 (" },
	{ "a short key, changed", WEAK("any"), OLD, 1024, false, false, true,
	    "fail", "S70", "changed" },
	{ "a short key, good", WEAK("any"), OLD, 1024, false, false, false,
	    "policy", "S68", "short key: RSA of 1024 bits (" },
	{ "a key of 2040 bits, good", WEAK("any"), OLD, 2040, false, false,
	    false, "policy", "S68", "short key: RSA of 2040 bits (" },
	{ "both", WEAK("any"), OLD, 1024, false, true, false, "policy",
	    "S68", "RSA of 1024 bits, and digest SHA-1" },
	{ "longer keys are wanted", "verify-policy { rsa-bits 3072\n weak "
	    "any }\n", OLD, 2048, false, false, false, "policy", "S68",
	    "short key: RSA of 2048 bits" },
	{ "longer keys are wanted of all", "verify-policy { rsa-bits 3072 "
	    "}\n", OLD, 2048, false, false, false, "policy", "S68",
	    "RSA key of 2048 bits, 3072" },
	/* not weak */
	{ "shorter keys are enough", "verify-policy { rsa-bits 2040 }\n", OLD,
	    2040, false, false, false, "pass", "", "" },
	{ "2048 bits", WEAK("any"), OLD, 2048, false, false, false, "pass",
	    "", "" },
	{ "P-256", WEAK("any"), OLD, 0, false, false, false, "pass", "", "" },
};

/* Keys take a while to make: one of each size. */
static const int rsa_bits[] = { 1016, 1024, 2040, 2048 };
static EVP_PKEY *rsa_key[ARRAY_LEN(rsa_bits)];

static EVP_PKEY *rsa_of(int bits)
{
	size_t i = 0;

	while (rsa_bits[i] != bits)
		i++;
	if (rsa_key[i] == NULL)
		rsa_key[i] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA",
		    (size_t)bits);
	assert_non_null(rsa_key[i]);
	return rsa_key[i];
}

static void open_weak(const struct weak *x)
{
	const struct name names[NAMES] = {
		NAME(SAN_MAIL, "old@x.example"),
		NAME(SAN_MAIL, "old@a.b.x.example"),
	};
	EVP_PKEY *key = x->bits == 0 ? who.key : rsa_of(x->bits);
	struct cert *c = author_issue(&who, names, key);
	struct signature_of g = { .by = c, .key = key, .md = x->md5 ? EVP_md5()
	    : x->sha1 ? EVP_sha1() : NULL };
	struct buf b, fields;
	unsigned char *p;

	buf_init(&b, BIG);
	buf_init(&fields, BIG);
	world_config(&w, x->conf);
	buf_puts(&b, author_text);
	author_sign(&who, &g, 1, false, &b);
	p = memmem(b.p, b.n, "Hello", 5);
	assert_non_null(p);
	if (x->changed)
		*p = 'J';
	buf_printf(&fields, "From: %s\r\n", x->from);
	author_open(&w, buf_view(&fields), &b);
	world_config(&w, NULL);
	buf_free(&b);
	buf_free(&fields);
	cert_free(&c);
}

static void S68_weak_signatures_are_computed_but_never_pass(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(weak); i++) {
		open_weak(&weak[i]);
		author_expect(&w, weak[i].name, weak[i].result,
		    weak[i].step);
		if (strstr(w.v.sig_reason, weak[i].piece) == NULL)
			fail_msg("%s: %s", weak[i].name, w.v.sig_reason);
	}
	for (size_t i = 0; i < ARRAY_LEN(rsa_key); i++)
		EVP_PKEY_free(rsa_key[i]);
}

/* ---- times, lists, countersignatures ---- */

#define HISTORY "1.2.840.113549.1.9.16.2.3"

static const struct name alice[NAMES] = {
	NAME(SAN_MAIL, "alice@example.com"),
};

static void put_date(struct buf *b, int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;
	char text[64];

	assert_non_null(gmtime_r(&t, &tm));
	assert_true(strftime(text, sizeof(text),
	    "%a, %d %b %Y %H:%M:%S +0000", &tm) > 0);
	buf_printf(b, "Date: %s\r\n", text);
}

/* Signed then, sent again with another Date. */
static void open_dated(int64_t signed_at, int64_t date)
{
	struct cert *c = author_issue(&who, alice, NULL);
	struct signature_of g = { .by = c, .time = signed_at };
	struct buf b, fields;

	buf_init(&b, BIG);
	buf_init(&fields, BIG);
	buf_puts(&b, author_text);
	author_sign(&who, &g, 1, false, &b);
	buf_puts(&fields, "From: alice@example.com\r\n");
	put_date(&fields, date);
	author_open(&w, buf_view(&fields), &b);
	buf_free(&b);
	buf_free(&fields);
	cert_free(&c);
}

/* attack A36: a genuine signed message is sent again as a new one
 * verdict: pass, with the comment that it was signed days before its Date */
static void S77_A36_an_old_message_with_a_new_date(void **state)
{
	int64_t day = 86400, now = (int64_t)time(NULL);

	(void)state;
	open_dated(now - 30 * day, now);
	world_signature(&w, "pass", "");
	assert_true(has(&w, "smime=pass (signed 30 days before its Date)"));
	open_dated(now - 7 * day - 1, now);
	assert_true(has(&w, "signed 7 days before its Date"));
	open_dated(now - 7 * day, now);
	world_signature(&w, "pass", "");
	assert_false(has(&w, "its Date"));
	open_dated(now, now - 7 * day);
	assert_false(has(&w, "its Date"));
	open_dated(now, now - 7 * day - 1);
	assert_true(has(&w, "signed 7 days after its Date"));
	open_dated(now - 7 * day, now - 14 * day);
	assert_false(has(&w, "its Date"));
	/* both: the time is outside the certificate's validity as well */
	open_dated(now - 500 * day, now);
	world_signature(&w, "pass", "");
	assert_true(has(&w, "signed 500 days before its Date; signing time "
	    "is outside"));
}

static void open_with(const char *from, const struct signature_of *how)
{
	struct cert *c = author_issue(&who, alice, NULL);
	struct signature_of g = *how;
	struct buf b, fields;

	g.by = c;
	buf_init(&b, BIG);
	buf_init(&fields, BIG);
	buf_puts(&b, author_text);
	author_sign(&who, &g, 1, false, &b);
	buf_puts(&fields, from);
	author_open(&w, buf_view(&fields), &b);
	buf_free(&b);
	buf_free(&fields);
	cert_free(&c);
}

static void A36_dates_that_cannot_be_read_say_nothing(void **state)
{
	static const char *const odd[] = {"", "Date: yesterday\r\n",
	    "Date: Mon, 1 Jan 2001 00:00:00 +0000\r\n"
	    "Date: Mon, 1 Jan 2001 00:00:00 +0000\r\n"};
	struct signature_of g = {0};
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		buf_clear(&b);
		buf_printf(&b, "From: alice@example.com\r\n%s", odd[i]);
		open_with(buf_str(&b), &g);
		world_signature(&w, "pass", "");
		assert_false(has(&w, "its Date"));
	}
	buf_free(&b);
}

static void S140_a_list_is_no_author(void **state)
{
	struct signature_of g = { .signed_attr = { EXTRA(HISTORY,
	    "\x30\x02\x30\x00") } };

	(void)state;
	open_with("From: alice@example.com\r\n", &g);
	world_signature(&w, "pass", "");
	assert_true(has(&w, "smime=pass (came through a list)"));
	open_with("From: bob@else.example\r\n", &g);
	world_signature(&w, "policy", "S74");
	assert_non_null(strstr(w.v.sig_reason, "a mailing list, not the "
	    "author"));
	assert_non_null(strstr(buf_str(&w.v.warnings),
	    "came through a list"));
	g.signed_attr[0].times = 2;
	open_with("From: alice@example.com\r\n", &g);
	world_signature(&w, "policy", "S67");
}

static void S142_countersignatures_change_nothing(void **state)
{
	static const struct signature_of g = { .unsigned_attr =
	    EXTRA("1.2.840.113549.1.9.6", "\x30\x03\x02\x01\x01") };

	(void)state;
	open_with("From: alice@example.com\r\n", &g);
	world_signature(&w, "pass", "");
	open_with("From: bob@else.example\r\n", &g);
	world_signature(&w, "policy", "S74");
}

/* ---- our own ---- */

static void S58_the_signer_is_From_not_MAIL_FROM(void **state)
{
	(void)state;
	world_person(&w, "carol@example.com", "ec:p256");
	world_person(&w, "dave@example.com", "ec:p256");
	world_seal_with(&w, "sign", "dave@example.com", "x@else.example",
	    "From: Carol <carol@example.com>\nTo: x@else.example\n"
	    "Subject: Hello\nMIME-Version: 1.0\n\nHello\n");
	assert_int_equal(w.v.rcpt[0].outcome, OUT_SIGNED);
	world_open_again(&w, "dave@example.com", "bob@example.org");
	world_signature(&w, "pass", "");
	assert_string_equal(w.v.sig_signer, "carol@example.com");
	/* no certificate of the author: none is borrowed */
	world_rules(&w, "outbound : sign\ninbound : decrypt, verify\n");
	world_seal(&w, "carol@example.com", "x@else.example",
	    "From: bob@example.com\nTo: x@else.example\nSubject: Hello\n\n"
	    "Hello\n");
	assert_int_equal(w.v.code, 550);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    S79_S82_A22_A25_only_an_equal_address_is_the_author),
		cmocka_unit_test(
		    S82_odd_addresses_are_told_to_the_administrator),
		cmocka_unit_test(A26_IDN_is_shown_in_A_labels),
		cmocka_unit_test(S81_without_an_address_nobody_is_proven),
		cmocka_unit_test(
		    S68_weak_signatures_are_computed_but_never_pass),
		cmocka_unit_test(S77_A36_an_old_message_with_a_new_date),
		cmocka_unit_test(A36_dates_that_cannot_be_read_say_nothing),
		cmocka_unit_test(S140_a_list_is_no_author),
		cmocka_unit_test(S142_countersignatures_change_nothing),
		cmocka_unit_test(S58_the_signer_is_From_not_MAIL_FROM),
	};

	return cmocka_run_group_tests_name("gateway_author", tests, make_all,
	    end_all);
}
