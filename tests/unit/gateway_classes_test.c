/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Do no harm: what is done with each class of message (REQUIREMENTS A.4),
 * by default, by classes { }, and where a rule says must.
 */
#include "tests/unit/gateway_make.h"

static struct world w;

#define HEAD "From: alice@example.com\nTo: bob@else.example\n" \
	"Subject: x\nDate: Sat, 21 Nov 2026 10:00:00 +0000\n" \
	"Message-ID: <1@example.com>\nMIME-Version: 1.0\n"
#define REPORT(type, second, third)                                       \
	HEAD "Content-Type: multipart/report; report-type=" type "; "     \
	"boundary=b\n\n--b\nContent-Type: text/plain\n\nsaid\n--b\n"      \
	"Content-Type: " second "\n\nReporting-MTA: dns; example.com\n"   \
	"--b\nContent-Type: " third "\n\nSubject: secret\n\n--b--\n"
#define DSN REPORT("delivery-status", "message/delivery-status", \
	"text/rfc822-headers")
#define MDN REPORT("disposition-notification", \
	"message/disposition-notification", "text/rfc822-headers")
#define FALSE_DSN REPORT("delivery-status", "message/delivery-status", \
	"application/pdf")
#define ACME "From: alice@example.com\nTo: bob@else.example\n" \
	"Subject: Re: ACME: token\nAuto-Submitted: auto-replied\n\nx\n"
#define TLSRPT HEAD "TLS-Report-Domain: example.com\n" \
	"Content-Type: application/tlsrpt+gzip\n\nx\n"
#define PGP(inside) HEAD "Content-Type: multipart/encrypted; " \
	"protocol=\"application/pgp-encrypted\"; boundary=b\n\n--b\n" \
	"Content-Type: application/pgp-encrypted\n\nVersion: 1\n--b\n" \
	"Content-Type: application/octet-stream\n\n" inside "\n--b--\n"
#define ARMOUR "-----BEGIN PGP MESSAGE-----\n\n" \
	"hQEMA4yWxWh3QEUXAQf/abcd\n=abcd\n-----END PGP MESSAGE-----\n"
#define INVITATION HEAD "Content-Type: text/calendar; method=REQUEST\n" \
	"\nBEGIN:VCALENDAR\nEND:VCALENDAR\n"
#define TNEF HEAD "Content-Type: multipart/mixed; boundary=b\n\n--b\n" \
	"Content-Type: text/plain\n\nx\n--b\n" \
	"Content-Type: application/ms-tnef\n\nx\n--b--\n"
#define AUTO HEAD "Auto-Submitted: auto-replied\n\naway\n"
#define RESENT HEAD "Resent-From: bob@example.com\n\nx\n"
#define LIST HEAD "List-Id: <l.example.com>\n\nx\n"
#define NORMAL HEAD "\nhello\n"

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, "alice@example.com", "ec:p256");
	world_person(&w, "bob@else.example", "rsa:2048");
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

/* What becomes of it: is it signed, is it encrypted? */
enum made { AS_IT_IS, SIGNED, SEALED, SEALED_ONLY, REFUSED };

static enum made what_was_made(void)
{
	bool is_sealed = has(&w, "enveloped-data");

	if (w.v.code != 0)
		return REFUSED;
	if (is_untouched(&w))
		return AS_IT_IS;
	if (is_sealed)
		return w.key_ops > 0 ? SEALED : SEALED_ONLY;
	return w.key_ops > 0 && has(&w, "multipart/signed") ? SIGNED
							     : REFUSED;
}

static void expect(const char *name, enum made wanted)
{
	enum made made = what_was_made();

	if (made != wanted)
		fail_msg("%s: made %d, wanted %d (%d %s)", name, (int)made,
		    (int)wanted, w.v.code, w.v.text);
}

static void rules(const char *outbound)
{
	struct buf b;

	buf_init(&b, 1000);
	buf_printf(&b, "outbound : %s\ninbound : decrypt, verify\n",
	    outbound);
	world_rules(&w, buf_str(&b));
	buf_free(&b);
}

static const struct row {
	const char *name, *text;
	enum made usual;
} row[] = {
	{"dsn", DSN, AS_IT_IS},
	{"mdn", MDN, AS_IT_IS},
	{"acme", ACME, AS_IT_IS},
	{"report", TLSRPT, AS_IT_IS},
	{"pgp", PGP(ARMOUR), AS_IT_IS},
	{"calendar", INVITATION, AS_IT_IS},
	{"calendar", TNEF, AS_IT_IS},
	{"auto", AUTO, SEALED},
	{"resent", RESENT, SEALED_ONLY},
	{"list", LIST, SEALED},
	{"normal", NORMAL, SEALED},
	/* what only calls itself a report is none (S45) */
	{"normal", FALSE_DSN, SEALED},
};

static void S43_S46_each_class_has_its_default(void **state)
{
	(void)state;
	rules("sign or plain, encrypt or plain");
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		world_seal(&w, "alice@example.com", "bob@else.example",
		    row[i].text);
		assert_string_equal(class_str(w.v.class), row[i].name);
		expect(row[i].name, row[i].usual);
	}
}

static void S43_M12_mail_of_the_null_sender_passes(void **state)
{
	static const char *const text[] = {NORMAL, DSN, FALSE_DSN, AUTO};

	(void)state;
	rules("sign or plain, encrypt or plain");
	for (size_t i = 0; i < ARRAY_LEN(text); i++) {
		world_seal(&w, "<>", "bob@else.example", text[i]);
		expect("null sender", AS_IT_IS);
	}
	rules("sign, encrypt or plain");
	world_seal(&w, "<>", "bob@else.example", DSN);
	expect("null sender, sign", AS_IT_IS);
}

/* What it made last is the next message. */
static void again(void)
{
	struct buf copy;

	buf_init(&copy, 1u << 20);
	buf_putv(&copy, buf_view(&w.out));
	world_seal(&w, "alice@example.com", "bob@else.example",
	    buf_str(&copy));
	buf_free(&copy);
}

static void S43_what_is_encrypted_already_passes(void **state)
{
	(void)state;
	rules("sign, encrypt");
	world_seal(&w, "alice@example.com", "bob@else.example", NORMAL);
	expect("normal", SEALED);
	again();
	assert_int_equal(w.v.class, CLASS_ENCRYPTED);
	expect("encrypted", AS_IT_IS);
}

static void S43_what_is_signed_already_is_encrypted_as_it_is(void **state)
{
	struct buf before;

	(void)state;
	rules("sign");
	world_seal(&w, "alice@example.com", "bob@else.example", NORMAL);
	expect("normal", SIGNED);
	buf_init(&before, 1u << 20);
	buf_putv(&before, buf_view(&w.out));
	rules("sign, encrypt or plain");
	again();
	assert_int_equal(w.v.class, CLASS_SIGNED);
	expect("signed", SEALED_ONLY);
	/* inside nothing has changed: from its boundary on */
	world_config(&w, "");
	world_open_again(&w, "alice@example.com", "bob@else.example");
	assert_string_equal(w.v.dec_result, "decrypted");
	world_signature(&w, "pass", "");
	assert_non_null(strstr(buf_str(&w.out), strstr(buf_str(&before),
	    "\r\n\r\nThis is") == NULL ? "multipart/signed" :
	    strstr(buf_str(&before), "\r\n\r\nThis is")));
	buf_free(&before);
}

static void S43_signed_outside_and_encrypted_inside_passes(void **state)
{
	static const char head[] = "From: alice@example.com\r\n"
	    "To: bob@else.example\r\nMIME-Version: 1.0\r\n";
	struct buf b, text;

	(void)state;
	buf_init(&b, MAKE_MAX);
	buf_init(&text, MAKE_MAX);
	buf_puts(&b, "Content-Type: text/plain\r\n\r\nhello\r\n");
	make_sealed(&w, "bob@else.example", ENC_AES256_CBC, &b);
	make_signed(&w, "alice@example.com", SIGN_CLEAR, &b);
	buf_puts(&text, head);
	buf_putv(&text, buf_view(&b));
	rules("sign, encrypt");
	world_seal(&w, "alice@example.com", "bob@else.example",
	    buf_str(&text));
	assert_int_equal(w.v.class, CLASS_ENCRYPTED);
	expect("signed outside", AS_IT_IS);
	/* it is for somebody else: then it is not encrypted for him, and is
	 * what is signed already */
	world_person(&w, "carol@else.example", "rsa:2048");
	world_seal(&w, "alice@example.com", "carol@else.example",
	    buf_str(&text));
	assert_int_equal(w.v.class, CLASS_SIGNED);
	expect("for somebody else", SEALED_ONLY);
	buf_free(&b);
	buf_free(&text);
}

static const struct {
	const char *classes, *text;
	enum made wanted;
} switched[] = {
	{"mdn sign", MDN, SIGNED},
	{"acme normal", ACME, SEALED},
	{"report normal", TLSRPT, SEALED},
	{"calendar sign", INVITATION, SIGNED},
	{"calendar normal", TNEF, SEALED},
	{"auto pass", AUTO, AS_IT_IS},
	{"auto sign", AUTO, SIGNED},
	{"resent pass", RESENT, AS_IT_IS},
	{"resent normal", RESENT, SEALED},
	{"list pass", LIST, AS_IT_IS},
	{"list sign", LIST, SIGNED},
	{"pgp accept", PGP(ARMOUR), AS_IT_IS},
};

static void with_classes(const char *s)
{
	struct buf b;

	buf_init(&b, 1000);
	buf_printf(&b, "classes {\n%s\n}\n", s);
	world_config(&w, buf_str(&b));
	buf_free(&b);
}

static void S43_each_class_can_be_switched(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(switched); i++) {
		with_classes(switched[i].classes);
		rules("sign or plain, encrypt or plain");
		world_seal(&w, "alice@example.com", "bob@else.example",
		    switched[i].text);
		expect(switched[i].classes, switched[i].wanted);
	}
	world_config(&w, "");
}

#define RETURNED(type) REPORT("delivery-status", \
	"message/delivery-status", type)

static void S43_a_report_can_return_headers_alone(void **state)
{
	static const char back[] = HEAD "Content-Type: multipart/report; "
	    "report-type=delivery-status; boundary=b\n\n--b\n"
	    "Content-Type: text/plain\n\nsaid\n--b\n"
	    "Content-Type: message/delivery-status\n\nReporting-MTA: dns; "
	    "example.com\n--b\nContent-Type: message/rfc822\n\n"
	    "From: carol@else.example\nX-Kept: yes\n\nconfidential\n\n"
	    "--b--\n";
	const char *kept = "--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
	    "From: carol@else.example\r\nX-Kept: yes\r\n\r\n\r\n--b--\r\n";

	(void)state;
	rules("sign or plain, encrypt or plain");
	world_seal(&w, "<>", "bob@else.example", back);
	expect("by default", AS_IT_IS);
	with_classes("dsn headers");
	world_seal(&w, "<>", "bob@else.example", back);
	assert_int_equal(w.v.code, 0);
	assert_false(has(&w, "confidential"));
	assert_true(has(&w, "Reporting-MTA: dns; example.com\r\n"));
	if (!has(&w, kept))
		fail_msg("%s", buf_str(&w.out));
	assert_int_equal(w.key_ops, 0);
	/* it has no message inside */
	world_seal(&w, "<>", "bob@else.example", DSN);
	expect("headers already", AS_IT_IS);
	world_seal(&w, "<>", "bob@else.example", RETURNED("text/plain"));
	expect("no message", AS_IT_IS);
	world_config(&w, "");
}

/* attack S45: who may not send in clear calls his message a report, an
 * invitation, PGP, a list's, and sends it to where nothing can be encrypted
 * verdict: refused, whatever classes { } says */
static void S45_no_class_weakens_must_encrypt(void **state)
{
	static const char all[] = "dsn headers\nmdn sign\nacme pass\n"
	    "report pass\nsigned pass\ncalendar pass\nauto pass\n"
	    "resent pass\nlist pass\n";

	(void)state;
	for (int k = 0; k < 2; k++) {
		if (k == 1)
			with_classes(all);
		rules("sign or plain, encrypt");
		for (size_t i = 0; i < ARRAY_LEN(row); i++) {
			world_envelope(&w, "alice@example.com",
			    "nobody@must.example");
			w.env.forced = DIR_OUTBOUND;
			w.env.auth = ENV_AUTH_LOGIN;
			w.env.login = "alice";
			world_message(&w, row[i].text);
			world_run(&w);
			expect(row[i].name, REFUSED);
			assert_int_equal(w.v.code, 550);
			/* and where it can be, it is, or is refused */
			world_seal(&w, "alice@example.com",
			    "bob@else.example", row[i].text);
			if (what_was_made() != REFUSED &&
			    !has(&w, "enveloped-data"))
				fail_msg("%s went in clear", row[i].name);
		}
	}
	world_config(&w, "");
}

/* attack S45: must encrypt, or else quarantine
 * verdict: a report does not go in clear either */
static void S45_or_quarantine_is_no_plain_either(void **state)
{
	(void)state;
	rules("encrypt or plain");
	world_seal(&w, "alice@example.com", "nobody@must.example", DSN);
	expect("plain", AS_IT_IS);
	world_config(&w, "quarantine {\nsize 1G\n}\n");
	rules("encrypt or quarantine");
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		world_seal(&w, "alice@example.com", "nobody@must.example",
		    row[i].text);
		if (w.v.code == 0 && w.v.action != ACT_QUARANTINED)
			fail_msg("%s went in clear", row[i].name);
	}
	world_config(&w, "");
}

/* attack S45: clear text in the form of PGP, where PGP counts as encrypted
 * verdict: only what is nothing but armour does */
static void S45_accepted_PGP_must_be_nothing_but_armour(void **state)
{
	static const char *const bad[] = {
		PGP("the secret is out\n"),
		PGP("the secret\n" ARMOUR),
		PGP(ARMOUR "is out\n"),
		PGP("-----BEGIN PGP MESSAGE-----\nComment: secret\n\nabcd\n"
		    "-----END PGP MESSAGE-----\n"),
		PGP("-----BEGIN PGP MESSAGE-----\n\nthe secret is out\n"
		    "-----END PGP MESSAGE-----\n"),
		PGP("-----BEGIN PGP MESSAGE-----\n\nabcd\n"),
		PGP(ARMOUR "\n--b\nContent-Type: text/plain\n\nsecret\n"),
		PGP("\n--b\nContent-Type: text/plain\n\n" ARMOUR),
	};

	(void)state;
	with_classes("pgp accept");
	rules("sign or plain, encrypt");
	world_seal(&w, "alice@example.com", "nobody@must.example",
	    PGP(ARMOUR));
	expect("armour", AS_IT_IS);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		world_seal(&w, "alice@example.com", "nobody@must.example",
		    bad[i]);
		if (what_was_made() != REFUSED)
			fail_msg("%zu was accepted", i);
	}
	world_config(&w, "");
}

static void S43_a_rule_that_says_must_sign_wins(void **state)
{
	(void)state;
	rules("sign");
	world_seal(&w, "alice@example.com", "bob@else.example", INVITATION);
	expect("invitation", SIGNED);
	/* an automatic answer of one who has no certificate goes all the
	 * same */
	world_seal(&w, "info@example.com", "bob@else.example",
	    "From: info@example.com\nTo: bob@else.example\n"
	    "Auto-Submitted: auto-replied\n\naway\n");
	expect("auto", AS_IT_IS);
}

static void classes_have_their_errors(void **state)
{
	static const struct {
		const char *text, *error;
	} k[] = {
		{"dsn sign", "dsn: expected pass or headers, found sign"},
		{"pgp normal", "pgp: expected pass or accept"},
		{"encrypted pass", "unknown statement"},
		{"list pass\nlist sign", "stands in line"},
	};
	struct conf_errors ce;
	struct config *c = NULL;
	struct buf b;

	(void)state;
	buf_init(&b, 2000);
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		buf_clear(&b);
		buf_printf(&b, "local-domains example.com\nkeystore sqlite "
		    "\"x\"\nsecret file \"y\"\nrules \"z\"\n"
		    "authserv-id mx\nclasses {\n%s\n}\n", k[i].text);
		write_text(w.conf, buf_str(&b));
		conf_errors_init(&ce);
		assert_int_equal(config_read(&c, w.conf, &ce), -1);
		if (strstr(buf_str(&ce.text), k[i].error) == NULL)
			fail_msg("%s", buf_str(&ce.text));
		conf_errors_free(&ce);
	}
	buf_free(&b);
}

/* ---- incoming ---- */

static void inbound(const char *text)
{
	world_open_view(&w, "bob@else.example", "alice@example.com",
	    view_of(text));
}

static void S44_what_we_have_no_business_with_is_untouched(void **state)
{
	static const char *const text[] = {
		DSN, MDN, FALSE_DSN, ACME, TLSRPT, PGP(ARMOUR), INVITATION,
		TNEF, AUTO, RESENT, LIST, NORMAL,
		/* certs-only, in an empty shell */
		HEAD "Content-Type: application/pkcs7-mime; "
		"smime-type=certs-only\nContent-Transfer-Encoding: base64\n"
		"\nMCMGCSqGSIb3DQEHAqAWMBQCAQExADALBgkqhkiG9w0BBwGgADEA\n",
	};

	(void)state;
	world_rules(&w, "outbound : sign\ninbound : decrypt, verify\n");
	for (size_t i = 0; i < ARRAY_LEN(text); i++) {
		inbound(text[i]);
		assert_int_equal(w.v.code, 0);
		assert_null(w.v.body);
		for (size_t k = 0; k < w.v.edits; k++)
			assert_string_equal(w.v.edit[k].name,
			    "Authentication-Results");
	}
}

/* Sealed for bob, and nobody here has his key. */
static void S44_encrypted_without_a_key_here_is_untouched(void **state)
{
	(void)state;
	rules("sign or plain, encrypt");
	world_seal(&w, "alice@example.com", "bob@else.example", NORMAL);
	expect("normal", SEALED);
	world_open_again(&w, "bob@else.example", "carol@example.com");
	assert_int_equal(w.v.code, 0);
	assert_string_equal(w.v.dec_result, "no-key");
	assert_null(w.v.body);
}

/* A bounce has what we encrypted inside, as it left. */
static void S44_S47_a_bounce_of_encrypted_mail_is_untouched(void **state)
{
	static const char head[] = "From: mailer@else.example\r\n"
	    "To: alice@example.com\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; boundary=m;\r\n"
	    " report-type=delivery-status\r\n\r\n--m\r\n\r\nfailed\r\n--m\r\n"
	    "Content-Type: message/delivery-status\r\n\r\n"
	    "Reporting-MTA: dns; else.example\r\n--m\r\n"
	    "Content-Type: message/rfc822\r\n\r\n";
	struct buf b;

	(void)state;
	rules("sign or plain, encrypt");
	world_seal(&w, "alice@example.com", "bob@else.example", NORMAL);
	buf_init(&b, 1u << 20);
	buf_puts(&b, head);
	buf_putv(&b, buf_view(&w.out));
	buf_puts(&b, "\r\n--m--\r\n");
	world_open_view(&w, "<>", "alice@example.com", buf_view(&b));
	assert_int_equal(w.v.class, CLASS_DSN);
	assert_null(w.v.body);
	assert_null(strstr(buf_str(&w.out), "hello"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S43_S46_each_class_has_its_default),
		cmocka_unit_test(S43_M12_mail_of_the_null_sender_passes),
		cmocka_unit_test(S43_what_is_encrypted_already_passes),
		cmocka_unit_test(
		    S43_what_is_signed_already_is_encrypted_as_it_is),
		cmocka_unit_test(
		    S43_signed_outside_and_encrypted_inside_passes),
		cmocka_unit_test(S43_each_class_can_be_switched),
		cmocka_unit_test(S43_a_report_can_return_headers_alone),
		cmocka_unit_test(S45_no_class_weakens_must_encrypt),
		cmocka_unit_test(S45_or_quarantine_is_no_plain_either),
		cmocka_unit_test(S45_accepted_PGP_must_be_nothing_but_armour),
		cmocka_unit_test(S43_a_rule_that_says_must_sign_wins),
		cmocka_unit_test(classes_have_their_errors),
		cmocka_unit_test(
		    S44_what_we_have_no_business_with_is_untouched),
		cmocka_unit_test(
		    S44_encrypted_without_a_key_here_is_untouched),
		cmocka_unit_test(
		    S44_S47_a_bounce_of_encrypted_mail_is_untouched),
	};

	return cmocka_run_group_tests_name("gateway_classes", tests,
	    make_world, end_world);
}
