/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * "encrypt or tls": whoever has no certificate gets a copy that leaves over
 * verified hops alone. Nothing that a sender writes brings it into the
 * transaction, from where it could leave over any.
 */
#include "tests/unit/gateway_split.h"

static struct world w;

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
#define CAROL "carol@partner.example"
#define NOBODY "nobody@else.example"
#define NOONE "noone@else.example"

#define FIELDS                                                              \
	"From: Alice <alice@example.com>\nSubject: Plans\n"                 \
	"Message-ID: <1@x>\nMIME-Version: 1.0\n"
#define TEXT "Content-Type: text/plain\n\nSecret plans\n"
#define CANARY "Secret plans"

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_config(&w, "quarantine {\n size 1M\n}\n");
	world_person(&w, ALICE, "rsa:2048");
	world_person(&w, BOB, "ec:p256");
	world_person(&w, CAROL, "rsa:2048");
	can_hold(&w);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

static void rules(const char *outbound)
{
	struct buf b;

	buf_init(&b, 8192);
	buf_printf(&b, "%s\ninbound : decrypt, verify\n", outbound);
	world_rules(&w, buf_str(&b));
	buf_free(&b);
}

/* As the front has it: split and hold, if so; a route there is. */
static void seal(const char *from, const char *to, const char *text,
    bool split)
{
	world_envelope(&w, from, to);
	w.env.forced = DIR_OUTBOUND;
	w.env.auth = ENV_AUTH_CALLER;
	w.env.can_split = w.env.can_hold = split;
	w.env.can_tls = true;
	world_message(&w, text);
	world_run(&w);
}

/* What the transaction goes on with has nothing of it. */
static void expect_no_leak(void)
{
	if (w.v.code != 0) {
		assert_int_equal(w.v.copy_n, 0);
		return;
	}
	/* everybody has a copy: there is nothing that goes on */
	if (w.v.here == 0) {
		assert_true(w.v.copy_n > 0);
		assert_int_equal(w.v.edits, 0);
		assert_null(w.v.body);
		return;
	}
	assert_false(buf_has(&w.out, CANARY));
}

static void expect_by_tls(const char *who, bool is_signed)
{
	const struct copy *c = copy_of(&w, group_of(&w, who));
	struct buf m;

	if (w.v.code != 0)
		fail_msg("%d %s (%s)", w.v.code, w.v.text, w.e.msg);
	assert_int_equal(w.v.action, ACT_SPLIT);
	assert_int_equal(outcome_of(&w, who), OUT_TLS_REQUIRED);
	assert_non_null(c);
	assert_true(c->by_tls);
	assert_true(c->ret_hdrs);
	assert_int_not_equal(w.v.here, c->group);
	message_of(&w, who, &m);
	assert_true(buf_has(&m, CANARY));
	assert_int_equal(buf_has(&m, "multipart/signed"), is_signed);
	buf_free(&m);
}

static void T56_who_has_no_certificate_gets_a_copy_by_tls(void **state)
{
	(void)state;
	rules("outbound : sign, encrypt or tls");
	seal(ALICE, NOBODY, FIELDS TEXT, true);
	expect_no_leak();
	expect_by_tls(NOBODY, true);
	assert_int_equal(w.v.here, 0);
	assert_int_equal(w.v.copy_n, 1);
	assert_non_null(strstr(w.v.rcpt[0].reason, "no certificate"));
	rules("outbound : encrypt or tls");
	seal(ALICE, NOBODY, FIELDS TEXT, true);
	expect_no_leak();
	expect_by_tls(NOBODY, false);
}

static void T56_who_has_one_is_encrypted_to_as_ever(void **state)
{
	(void)state;
	rules("outbound : sign, encrypt or tls");
	seal(ALICE, CAROL, FIELDS TEXT, false);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.action, ACT_REPLACED);
	assert_int_equal(outcome_of(&w, CAROL), OUT_SEALED);
	assert_int_equal(w.v.copy_n, 0);
	assert_false(buf_has(&w.out, CANARY));
}

/* attack T56: among several recipients is one with a certificate, so that
 * there is a transaction that goes on
 * verdict: the others have a copy, in whichever order they are named */
static void T56_mixed_recipients(void **state)
{
	static const char *const to[] = {
		CAROL " " NOBODY " " NOONE, NOBODY " " CAROL " " NOONE,
		NOONE " " NOBODY " " CAROL };
	size_t i, split;

	(void)state;
	rules("outbound : sign, encrypt or tls");
	for (i = 0; i < ARRAY_LEN(to); i++)
		for (split = 0; split < 2; split++) {
			seal(ALICE, to[i], FIELDS TEXT, split == 1);
			expect_no_leak();
			expect_by_tls(NOBODY, true);
			expect_by_tls(NOONE, true);
			assert_int_equal(group_of(&w, NOBODY),
			    group_of(&w, NOONE));
			assert_int_equal(w.v.copy_n, 1);
			assert_int_equal(w.v.here, group_of(&w, CAROL));
			assert_int_equal(outcome_of(&w, CAROL), OUT_SEALED);
		}
}

static void T56_another_rule_beside_it(void **state)
{
	(void)state;
	/* in clear there is a copy in the transaction: but not this one */
	rules("outbound to @else.example : sign, encrypt or tls\n"
	    "outbound : sign, encrypt or plain");
	seal(ALICE, NOBODY " dan@third.example", FIELDS TEXT, false);
	expect_by_tls(NOBODY, true);
	assert_int_equal(outcome_of(&w, "dan@third.example"), OUT_SIGNED);
	assert_int_equal(w.v.here, group_of(&w, "dan@third.example"));
	assert_int_not_equal(group_of(&w, NOBODY), w.v.here);
	/* held beside it: nobody is here, and two have copies */
	rules("outbound to @else.example : sign, encrypt or tls\n"
	    "outbound : sign, encrypt or quarantine");
	seal(ALICE, NOBODY " dan@third.example", FIELDS TEXT, true);
	expect_no_leak();
	expect_by_tls(NOBODY, true);
	assert_int_equal(w.v.here, 0);
	assert_int_equal(w.v.copy_n, 2);
	assert_int_equal(outcome_of(&w, "dan@third.example"),
	    OUT_QUARANTINED);
}

/* attack T56: the recipient is blind, or is a second time in the envelope
 * verdict: a copy by tls-route, as for any other */
static void T56_blind_recipients(void **state)
{
	(void)state;
	rules("outbound : sign, encrypt or tls");
	seal(ALICE, CAROL " " NOBODY, FIELDS "To: carol@partner.example\n"
	    "Bcc: nobody@else.example\n" TEXT, false);
	expect_no_leak();
	expect_by_tls(NOBODY, true);
	seal(ALICE, NOBODY " " NOBODY, FIELDS "To: nobody@else.example\n"
	    TEXT, false);
	expect_no_leak();
	expect_by_tls(NOBODY, true);
	assert_int_equal(w.v.rcpt[0].group, w.v.rcpt[1].group);
}

/* attack T56: the sender declares a class that is left as it is, is not
 * encrypted, or is not signed
 * verdict: by tls-route or refused; never in the transaction */
static void T56_classes_that_a_sender_declares(void **state)
{
	static const char *const text[] = {
		FIELDS "Auto-Submitted: auto-replied\n" TEXT,
		FIELDS "List-Id: <x.example.com>\n" TEXT,
		FIELDS "Resent-From: alice@example.com\n"
		    "Resent-Date: Mon, 1 Jan 2027 00:00:00 +0000\n" TEXT,
		FIELDS "Content-Type: text/calendar; method=REQUEST\n\n"
		    CANARY "\n",
		FIELDS "Content-Type: multipart/report; boundary=b;\n"
		    " report-type=disposition-notification\n\n--b\n"
		    "Content-Type: text/plain\n\n" CANARY "\n--b\n"
		    "Content-Type: message/disposition-notification\n\n"
		    "Final-Recipient: rfc822;a@b\n\n--b--\n",
		FIELDS "Content-Type: multipart/report; boundary=b;\n"
		    " report-type=delivery-status\n\n--b\n"
		    "Content-Type: text/plain\n\n" CANARY "\n--b\n"
		    "Content-Type: message/delivery-status\n\n"
		    "Reporting-MTA: dns;x\n\n--b--\n",
		FIELDS "Content-Type: multipart/encrypted; boundary=b;\n"
		    " protocol=\"application/pgp-encrypted\"\n\n--b\n"
		    "Content-Type: application/pgp-encrypted\n\nVersion: 1\n"
		    "--b\nContent-Type: application/octet-stream\n\n" CANARY
		    "\n--b--\n",
		FIELDS "Content-Type: multipart/signed; boundary=b;\n"
		    " protocol=\"application/pkcs7-signature\";"
		    " micalg=sha-256\n\n--b\n\n" CANARY "\n--b\n"
		    "Content-Type: application/pkcs7-signature\n\nMAA=\n"
		    "--b--\n",
		FIELDS "Content-Type: application/pkcs7-mime;"
		    " smime-type=enveloped-data\n\n" CANARY "\n",
	};
	size_t i, null;

	(void)state;
	rules("outbound : sign or plain, encrypt or tls");
	for (i = 0; i < ARRAY_LEN(text); i++)
		for (null = 0; null < 2; null++) {
			/* a mail server's own report, as for encrypt */
			if (null && (i == 4 || i == 5))
				continue;
			seal(null ? "<>" : ALICE, CAROL " " NOBODY, text[i],
			    false);
			if (w.v.code == 0 && w.v.here != 0 &&
			    w.v.here == group_of(&w, NOBODY))
				fail_msg("message %zu is in the transaction",
				    i);
			if (w.v.code == 0)
				assert_int_equal(outcome_of(&w, NOBODY),
				    OUT_TLS_REQUIRED);
			seal(null ? "<>" : ALICE, NOBODY, text[i], false);
			expect_no_leak();
		}
}

/* attack T56: a field of the header asks for less, or claims that somebody
 * has decided already
 * verdict: TLS-Required goes, the others are words */
static void T56_a_header_decides_nothing(void **state)
{
	struct buf m;

	(void)state;
	rules("outbound : sign, encrypt or tls");
	seal(ALICE, NOBODY, FIELDS "TLS-Required: No\ntls-required: No\n"
	    "X-Postseal: route=plain\nX-Postseal-Route: none\n"
	    "Received: by mx.example.com (postseal) with ESMTP; now\n" TEXT,
	    false);
	expect_no_leak();
	expect_by_tls(NOBODY, true);
	message_of(&w, NOBODY, &m);
	assert_false(buf_has(&m, "TLS-Required"));
	assert_false(buf_has(&m, "tls-required"));
	buf_free(&m);
	/* where any hop may take it, it is its author's to say */
	rules("outbound : sign, encrypt or plain");
	seal(ALICE, NOBODY, FIELDS "TLS-Required: No\n" TEXT, false);
	assert_true(buf_has(&w.out, "TLS-Required: No"));
}

static void T56_without_a_route_it_is_refused(void **state)
{
	(void)state;
	rules("outbound : sign, encrypt or tls");
	split_seal(&w, ALICE, NOBODY, FIELDS TEXT);
	assert_int_equal(w.v.code, 550);
	assert_non_null(strstr(w.v.text, "no tls-route"));
	assert_int_equal(w.v.copy_n, 0);
	split_seal(&w, ALICE, CAROL " " NOBODY, FIELDS TEXT);
	assert_int_equal(w.v.code, 550);
	assert_int_equal(w.v.copy_n, 0);
}

static void T56_several_signatures_are_several_copies(void **state)
{
	(void)state;
	rules("outbound to @else.example : sign, encrypt or tls\n"
	    "outbound to @third.example : encrypt or tls\n"
	    "outbound : sign, encrypt");
	seal(ALICE, "x@third.example " NOBODY " " CAROL, FIELDS TEXT, false);
	expect_no_leak();
	expect_by_tls(NOBODY, true);
	expect_by_tls("x@third.example", false);
	assert_int_equal(w.v.copy_n, 2);
	assert_int_equal(w.v.here, group_of(&w, CAROL));
}

/* attack S83: mail between our own users that is not signed is to be held
 * by the mail server, which later sends what it holds
 * verdict: what had to leave over a verified hop is refused, not held so */
static void S83_the_mail_server_holds_nothing_of_it(void **state)
{
	(void)state;
	rules("internal from bob@example.org : verify or quarantine\n"
	    "internal : encrypt or tls\noutbound : sign, encrypt");
	world_envelope(&w, ALICE, "new@example.org");
	w.env.auth = ENV_AUTH_LOGIN;
	w.env.login = ALICE;
	w.env.can_tls = true;
	/* whose rule it is cannot be told: both are */
	world_message(&w, "From: bob@example.org, alice@example.com\n"
	    "Sender: alice@example.com\n" TEXT);
	world_run(&w);
	assert_int_equal(w.v.direction, DIR_INTERNAL);
	assert_int_equal(w.v.rcpt[0].wanted.encrypt_or, OR_TLS);
	assert_int_equal(w.v.rcpt[0].wanted.verify_or, OR_QUARANTINE);
	assert_int_equal(w.v.code, 550);
	assert_string_equal(w.v.enhanced, "5.7.3");
	expect_no_leak();
}

static void T56_what_is_only_observed(void **state)
{
	(void)state;
	rules("outbound : sign, encrypt or tls");
	world_envelope(&w, ALICE, NOBODY);
	w.env.forced = DIR_OUTBOUND;
	w.env.auth = ENV_AUTH_CALLER;
	w.env.can_tls = w.env.observe = true;
	world_message(&w, FIELDS TEXT);
	world_run(&w);
	assert_int_equal(w.v.action, ACT_UNCHANGED);
	assert_int_equal(w.v.would, ACT_SPLIT);
	assert_int_equal(w.v.copy_n, 0);
	assert_int_equal(outcome_of(&w, NOBODY), OUT_TLS_REQUIRED);
}

static void the_verdict_says_the_route(void **state)
{
	struct buf b;

	(void)state;
	rules("outbound : sign, encrypt or tls");
	seal(ALICE, CAROL " " NOBODY, FIELDS TEXT, false);
	buf_init(&b, 1u << 20);
	verdict_json(&w.v, &b);
	assert_true(buf_has(&b, "\"outcome\":\"tls-required\""));
	assert_true(buf_has(&b, "\"route\":\"tls\""));
	buf_free(&b);
}

/* ---- configuration ---- */

#define DOOR(side, more) "door d {\n listen smtp \"127.0.0.1:2525\"\n"      \
	"next-hop smtp \"127.0.0.1:2526\"\ndirection " side "\n" more "}\n"
#define MILTER(more) "milter {\n listen \"unix:/tmp/x\"\n" more "}\n"
#define ROUTE "tls-route smtp \"127.0.0.1:10027\"\n"

static void T56_or_tls_needs_a_route(void **state)
{
	static const struct {
		const char *conf, *says;
	} cases[] = {
		{ MILTER(""), "milter { } in postseal.conf has no tls-route" },
		{ MILTER(ROUTE), NULL },
		{ DOOR("outbound", ""), "door d { } in postseal.conf has no" },
		{ DOOR("outbound", ROUTE), NULL },
		{ DOOR("inbound", "") MILTER(ROUTE), NULL },
		{ DOOR("outbound", ROUTE) MILTER(""), "milter { }" },
		{ DOOR("outbound", "") MILTER(ROUTE), "door d { }" },
	};
	struct rules *r = NULL;
	struct conf_errors ce;
	size_t i;
	int rc;

	(void)state;
	rules("outbound : sign, encrypt or tls");
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		world_config(&w, cases[i].conf);
		conf_errors_init(&ce);
		rc = rules_read(&r, w.rules_path, w.config, &ce);
		if (cases[i].says == NULL ? rc != 0 : rc == 0 ||
		    strstr(buf_str(&ce.text), cases[i].says) == NULL)
			fail_msg("case %zu: %s", i, buf_str(&ce.text));
		conf_errors_free(&ce);
		rules_free(&r);
	}
	world_config(&w, NULL);
}

static void T56_routes_that_are_none(void **state)
{
	static const struct {
		const char *conf, *says;
	} cases[] = {
		{ MILTER("tls-route lmtp \"127.0.0.1:10027\"\n"),
		    "tls-route: expected smtp" },
		{ MILTER("tls-route smtp \"localhost:25\"\n"),
		    "numeric address" },
		{ MILTER("tls-route smtp\n"), "tls-route" },
		{ MILTER(ROUTE ROUTE), "tls-route" },
		{ MILTER(ROUTE "reinject smtp \"127.0.0.1:10027\"\n"),
		    "the same as reinject" },
		{ DOOR("outbound", "tls-route smtp \"127.0.0.1:2526\"\n"),
		    "is its next hop" },
		{ DOOR("outbound", "tls-route smtp \"127.0.0.1:2525\"\n"),
		    "itself" },
		{ DOOR("outbound", "tls-route lmtp \"127.0.0.1:2527\"\n"),
		    "needs a tls-route smtp" },
		{ DOOR("outbound", "tls-route esmtp \"127.0.0.1:2527\"\n"),
		    "expected lmtp or smtp" },
	};
	struct config *c = NULL;
	struct conf_errors ce;
	char path[220];
	size_t i;

	(void)state;
	snprintf(path, sizeof(path), "%s/in", w.dir);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;

		buf_init(&b, 8192);
		buf_printf(&b, "local-domains example.com\nkeystore sqlite "
		    "\"%s\"\nsecret file \"%s/secret\"\nrules \"%s\"\n"
		    "authserv-id mx.example.com\n%s", w.db, w.dir,
		    w.rules_path, cases[i].conf);
		write_text(path, buf_str(&b));
		buf_free(&b);
		conf_errors_init(&ce);
		if (config_read(&c, path, &ce) == 0 ||
		    strstr(buf_str(&ce.text), cases[i].says) == NULL)
			fail_msg("case %zu: %s", i, buf_str(&ce.text));
		conf_errors_free(&ce);
		config_free(&c);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(T56_who_has_no_certificate_gets_a_copy_by_tls),
		cmocka_unit_test(T56_who_has_one_is_encrypted_to_as_ever),
		cmocka_unit_test(T56_mixed_recipients),
		cmocka_unit_test(T56_another_rule_beside_it),
		cmocka_unit_test(T56_blind_recipients),
		cmocka_unit_test(T56_classes_that_a_sender_declares),
		cmocka_unit_test(T56_a_header_decides_nothing),
		cmocka_unit_test(T56_without_a_route_it_is_refused),
		cmocka_unit_test(T56_several_signatures_are_several_copies),
		cmocka_unit_test(S83_the_mail_server_holds_nothing_of_it),
		cmocka_unit_test(T56_what_is_only_observed),
		cmocka_unit_test(the_verdict_says_the_route),
		cmocka_unit_test(T56_or_tls_needs_a_route),
		cmocka_unit_test(T56_routes_that_are_none),
	};

	return cmocka_run_group_tests_name("gateway_route", tests, make_world,
	    end_world);
}
