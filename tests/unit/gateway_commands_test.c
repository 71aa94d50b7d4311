/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A message commands nothing: no field, no subject, no address of it changes
 * what the rules say, and nothing is answered.
 */
#include "tests/unit/gateway_world.h"

static struct world w;

#define ALICE "alice@example.com"
#define BOB "bob@example.org"

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, ALICE, "rsa:2048");
	world_person(&w, BOB, "ec:p256");
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

static void seal_with_fields(const char *fields, const char *to)
{
	struct buf b;

	buf_init(&b, 65536);
	buf_printf(&b, "From: %s\n%sMIME-Version: 1.0\n"
	    "Content-Type: text/plain\n\nCanary\n", ALICE, fields);
	world_rules(&w, "outbound : sign, encrypt\n"
	    "inbound : decrypt, verify\n");
	world_seal(&w, ALICE, to, buf_str(&b));
	buf_free(&b);
}

/* attack A33 A51 A52: fields and subject tags that order plaintext, claim
 * that the message was worked on already, or name files to attach
 * verdict: sealed as the rules say */
static void A33_A51_A52_words_of_the_message_command_nothing(void **state)
{
	static const char *const fields[] = {
		"X-Skip-Signing: yes\n", "X-Postseal-Sign: no\n",
		"X-Postseal-Encrypt: no\n", "X-Postseal-Loop: 1\n",
		"X-Postseal-Processed: mx.example.com\n",
		"X-Loop: postseal\n", "X-Encrypted: yes\n",
		"X-SMIME-Gateway: done\n", "Subject: [plain] hello\n",
		"Subject: [signed OK] hello\n", "Precedence: bulk\n",
		"Attach: /etc/passwd\n", "Autocrypt: prefer-encrypt=nopref\n",
		"Authentication-Results: mx.example.com; smime=pass\n",
		"X-Mailer: \"; encrypt=no\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		seal_with_fields(fields[i], BOB);
		if (w.v.code != 0 || has(&w, "Canary") ||
		    w.v.rcpt[0].outcome != OUT_SEALED)
			fail_msg("not sealed with %s", fields[i]);
	}
}

/* attack A51: a sender's class of mail (report, reply of a machine, list)
 * without its form
 * verdict: sealed as the rules say, or refused 550; never in clear */
static void A51_declared_classes_do_not_weaken(void **state)
{
	static const char *const fields[] = {
		"Auto-Submitted: auto-replied\n", "List-Id: <l.example>\n",
		"TLS-Report-Domain: example.com\n",
		"Subject: Delivery Status Notification\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		seal_with_fields(fields[i], BOB);
		if (w.v.code != 550 && (has(&w, "Canary") ||
		    w.v.rcpt[0].outcome != OUT_SEALED))
			fail_msg("not sealed with %s", fields[i]);
	}
}

/* attack A31: a display name made to be read in the reply to the sender
 * verdict: the reply names addresses only */
static void A31_replies_name_addresses_only(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign, encrypt\n"
	    "inbound : decrypt, verify\n");
	world_seal(&w, ALICE, "nobody@partner.example",
	    "From: \"Call 555 to unlock\" <alice@example.com>\n"
	    "To: \"Admin: send your password\" <nobody@partner.example>\n"
	    "Subject: Canary subject\n\nCanary\n");
	assert_int_equal(w.v.code, 550);
	assert_non_null(strstr(w.v.text, "nobody@partner.example"));
	assert_null(strstr(w.v.text, "555"));
	assert_null(strstr(w.v.text, "password"));
	assert_null(strstr(w.v.text, "Canary"));
}

/* attack A29: look-alikes of a subject tag that says "signed"
 * verdict: postseal writes no tags and nobody is told to look for one; the
 * subject is delivered as it is, the result stands in
 * Authentication-Results */
static void A29_subjects_are_no_place_for_results(void **state)
{
	static const char subject[] =
	    "Subject: [signed OK] =?utf-8?q?=5Bs=C2=A0igned_OK=5D?= pay\r\n";

	(void)state;
	world_open_view(&w, ALICE, BOB, view_of(
	    "From: alice@example.com\nSubject: [signed OK] "
	    "=?utf-8?q?=5Bs=C2=A0igned_OK=5D?= pay\n\nhello\n"));
	assert_true(has(&w, subject));
	assert_string_equal(w.v.sig_result, "none");
	seal_with_fields("Subject: pay\n", BOB);
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(w.v.sig_result, "pass");
	assert_true(has(&w, "Subject: pay\r\n"));
}

/* attack A49: mail that asks for an answer: receipts, notices, loops
 * verdict: one message in, one message out; nobody is written to */
static void S48_A49_nothing_is_answered(void **state)
{
	(void)state;
	seal_with_fields("Disposition-Notification-To: mallory@evil.example\n"
	    "Return-Receipt-To: mallory@evil.example\n"
	    "Auto-Submitted: auto-generated\n", BOB);
	assert_int_equal(w.v.rcpts, 1);
	assert_string_equal(w.v.rcpt[0].address, BOB);
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(w.v.dec_result, "decrypted");
	assert_int_equal(w.v.rcpts, 1);
	assert_string_equal(w.v.rcpt[0].address, BOB);
	assert_int_equal(w.v.code, 0);
}

/* attack A48: addresses made to be file names
 * verdict: looked up by value; no file but the keystore's own is made */
static void A48_addresses_are_no_file_names(void **state)
{
	static const char *const to[] = {"../../etc/passwd@example.org",
	    "/tmp/x@example.org", "\"a/../../b\"@example.org",
	    "con@example.org", "|sh@example.org"};
	char path[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		seal_with_fields("", to[i]);
		assert_in_range(w.v.code, 550, 553);
	}
	/* world_end() finds any file that is not its own */
	set_path(path, sizeof(path), w.dir, "passwd@example.org");
	assert_int_not_equal(access(path, F_OK), 0);
}

/* attack A8: sealed mail of a stranger under a Message-ID of somebody else's
 * thread, so that answers to that are refused
 * verdict: what is refused or held itself is not remembered */
static void S160_A8_refused_mail_is_not_remembered(void **state)
{
	static const char *const rules[] = {
		"outbound : encrypt\ninbound : decrypt, verify or reject\n",
		"outbound : encrypt\ninbound : decrypt, verify or "
		"quarantine\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		world_rules(&w, rules[i]);
		world_seal(&w, ALICE, BOB, "From: alice@example.com\n"
		    "Message-ID: <thread@example.com>\n\nCanary\n");
		world_open_again(&w, "mallory@evil.example", BOB);
		assert_int_equal(w.v.code, i == 0 ? 550 : 0);
		assert_int_equal(w.v.action, i == 0 ? ACT_REJECTED
						    : ACT_QUARANTINED);
		assert_false(w.v.has_opened);
	}
}

/* attack A12: mail sealed for many, to see by the answers who has a key
 * verdict: accepted with the same reply for everybody; nothing is sent back */
static void A12_no_answer_tells_who_has_a_key(void **state)
{
	static const char *const to[] = {BOB, ALICE, "nobody@example.org"};
	struct buf sealed;

	(void)state;
	seal_with_fields("Message-ID: <a12@example.com>\n", BOB);
	buf_init(&sealed, 1u << 20);
	buf_putv(&sealed, buf_view(&w.out));
	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		world_open_view(&w, "mallory@evil.example", to[i],
		    buf_view(&sealed));
		assert_string_equal(w.v.dec_result, i == 0 ? "decrypted"
							   : "no-key");
		assert_int_equal(w.v.code, 0);
		assert_string_equal(w.v.text, "");
		assert_int_equal(w.v.rcpts, 1);
	}
	buf_free(&sealed);
}

/* What the store process does. */
static void remember(void)
{
	if (w.v.has_opened)
		assert_int_equal(keystore_opened_add(w.ks, w.v.opened,
		    time(NULL), &w.e), 0);
}

static void answer(const char *field, const char *rules)
{
	struct buf b;

	buf_init(&b, 65536);
	buf_printf(&b, "From: bob@example.org\n%s\n> Canary\n", field);
	world_rules(&w, rules);
	world_seal(&w, BOB, ALICE, buf_str(&b));
	buf_free(&b);
}

/* attack A8: an answer in clear quotes what came encrypted
 * verdict: with clear-answers no, 550 5.7.1; encrypted it goes out */
static void S160_A8_answers_to_encrypted_mail(void **state)
{
	static const char plain[] = "outbound : pass\ninbound : decrypt\n";
	static const char seal[] = "outbound : encrypt\ninbound : decrypt\n";
	static const char *const answers[] = {
		"In-Reply-To: <secret@example.com>\n",
		"In-Reply-To: Your mail of today <secret@example.com>\n",
		"References: <secret@example.com>\n <other@example.com>\n",
		"References: <a@x>\n <b@x> <secret@example.com>\n"};
	static const char *const others[] = {
		"In-Reply-To: <other@example.com>\n", "Subject: none\n",
		"In-Reply-To: secret@example.com\n", "In-Reply-To: <>\n",
		"In-Reply-To: >\n", "References: <\n"};

	(void)state;
	world_config(&w, "decrypt-policy {\n clear-answers no\n}");
	seal_with_fields("Message-ID: <secret@example.com>\n", BOB);
	assert_false(w.v.has_opened);
	world_open_again(&w, ALICE, BOB);
	assert_true(w.v.has_opened);
	remember();
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		answer(answers[i], plain);
		if (w.v.code != 550 || strcmp(w.v.enhanced, "5.7.1") != 0)
			fail_msg("went out in clear: %s", answers[i]);
		answer(answers[i], seal);
		assert_int_equal(w.v.code, 0);
		assert_int_equal(w.v.rcpt[0].outcome, OUT_SEALED);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		answer(others[i], plain);
		if (w.v.code != 0)
			fail_msg("refused: %s", others[i]);
	}
	/* forgotten after its time, and not asked for without the word */
	world_config(&w, NULL);
	answer(answers[0], plain);
	assert_int_equal(w.v.code, 0);
	world_config(&w, "decrypt-policy {\n clear-answers no\n}");
	assert_int_equal(keystore_opened_expire(w.ks, time(NULL) + 9, &w.e),
	    0);
	answer(answers[0], plain);
	assert_int_equal(w.v.code, 0);
	world_config(&w, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    A33_A51_A52_words_of_the_message_command_nothing),
		cmocka_unit_test(A51_declared_classes_do_not_weaken),
		cmocka_unit_test(A31_replies_name_addresses_only),
		cmocka_unit_test(A29_subjects_are_no_place_for_results),
		cmocka_unit_test(S48_A49_nothing_is_answered),
		cmocka_unit_test(A48_addresses_are_no_file_names),
		cmocka_unit_test(A12_no_answer_tells_who_has_a_key),
		cmocka_unit_test(S160_A8_answers_to_encrypted_mail),
		cmocka_unit_test(S160_A8_refused_mail_is_not_remembered),
	};

	return cmocka_run_group_tests_name("gateway_commands", tests,
	    make_world, end_world);
}
