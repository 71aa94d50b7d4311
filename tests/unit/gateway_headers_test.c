/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of the delivered header: fields hidden by the author come back (RFC
 * 9788), and nothing else that stands inside comes out.
 */
#include "tests/unit/gateway_make.h"

static struct world w;
static struct buf b; /* the entity in the making */

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
#define CAROL "carol@example.com"
#define DEFAULT "outbound : sign, encrypt\ninbound : decrypt, verify\n"

#define OUTER                                                               \
	"Received: by mx.example.com\r\nFrom: Alice <alice@example.com>"    \
	"\r\nTo: bob@example.org\r\nSubject: [...]\r\nMessage-ID: <1@x>"    \
	"\r\nMIME-Version: 1.0\r\n"
#define INNER                                                               \
	"From: Alice <alice@example.com>\r\nTo: bob@example.org\r\n"        \
	"Subject: Plans\r\nMessage-ID: <1@x>\r\n"
#define CIPHER "Content-Type: text/plain; hp=\"cipher\"\r\n"
#define CLEAR "Content-Type: text/plain; hp=\"clear\"\r\n"
#define TEXT "\r\nSecret plans\r\n"

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, ALICE, "rsa:2048");
	world_person(&w, BOB, "ec:p256");
	world_person(&w, CAROL, "ec:p256");
	buf_init(&b, MAKE_MAX);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	buf_free(&b);
	world_end(&w);
	return 0;
}

static void entity(const char *text)
{
	buf_clear(&b);
	buf_puts(&b, text);
}

/* What is in b arrives under this header. */
static void arrive(const char *outer, const char *to)
{
	make_between(&b, outer, "");
	world_open_view(&w, ALICE, to, buf_view(&b));
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.size_out, w.out.n);
}

static void arrive_sealed(const char *outer)
{
	make_sealed(&w, BOB, ENC_AES256_GCM, &b);
	arrive(outer, BOB);
}

static void arrive_signed_and_sealed(const char *who, const char *outer)
{
	make_signed(&w, who, SIGN_CLEAR, &b);
	arrive_sealed(outer);
}

/* Of the delivered message: all up to the blank line. */
static struct view header(void)
{
	struct view v = buf_view(&w.out);

	v.n -= make_body(&w).n;
	return v;
}

static bool header_has(const char *s)
{
	struct view v = header();

	return memmem(v.p, v.n, s, strlen(s)) != NULL;
}

static void expect_header(const char *s)
{
	if (!header_has(s))
		fail_msg("\"%s\" is not in:\n%.*s", s, (int)header().n,
		    (const char *)header().p);
}

static void expect_not(const char *s)
{
	if (header_has(s))
		fail_msg("\"%s\" is in:\n%.*s", s, (int)header().n,
		    (const char *)header().p);
}

/* names: "Subject\nTo\n" */
static void expect_restored(const char *names)
{
	if (strcmp(buf_str(&w.v.restored), names) != 0)
		fail_msg("restored \"%s\", wanted \"%s\" (%s)",
		    buf_str(&w.v.restored), names, buf_str(&w.v.warnings));
}

static void expect_warning(const char *s)
{
	if (strstr(buf_str(&w.v.warnings), s) == NULL)
		fail_msg("warnings \"%s\", wanted \"%s\"",
		    buf_str(&w.v.warnings), s);
}

static void expect_no_warning(const char *s)
{
	if (strstr(buf_str(&w.v.warnings), s) != NULL)
		fail_msg("warnings \"%s\", not wanted \"%s\"",
		    buf_str(&w.v.warnings), s);
}

/* ---- what the author hid comes back ---- */

static void S154_a_hidden_subject_is_restored(void **state)
{
	struct buf json;

	(void)state;
	world_rules(&w, DEFAULT);
	entity(CIPHER INNER "HP-Outer: Subject: [...]\r\n"
	    "HP-Outer: From: Alice <alice@example.com>\r\n"
	    "HP-Outer: To: bob@example.org\r\n"
	    "HP-Outer: Message-ID: <1@x>\r\n" TEXT);
	arrive_signed_and_sealed(ALICE, OUTER);
	world_signature(&w, "pass", "");
	expect_restored("Subject\n");
	expect_header("\r\nSubject: Plans\r\n");
	expect_not("[...]");
	expect_not("HP-Outer");
	expect_no_warning("inside");
	expect_no_warning("outside");
	buf_init(&json, 1u << 20);
	verdict_json(&w.v, &json);
	assert_non_null(strstr(buf_str(&json),
	    "\"headers_restored\":[\"Subject\"],\"warnings\":["));
	buf_free(&json);
}

static void S40_the_others_keep_their_order(void **state)
{
	static const char before[] = "\r\nReceived: by mx.example.com\r\n"
	    "From: Alice <alice@example.com>\r\nTo: bob@example.org\r\n"
	    "Message-ID: <1@x>\r\nMIME-Version: 1.0\r\n";

	(void)state;
	world_rules(&w, DEFAULT);
	entity(CIPHER INNER TEXT);
	arrive_signed_and_sealed(ALICE, OUTER);
	assert_true(view_istarts(header(), "Authentication-Results:"));
	expect_header(before);
	assert_int_equal(count_of(&w, "\r\nMessage-ID:"), 2); /* and inside */
}

static void S154_removed_fields_are_added(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity(CIPHER INNER "Keywords: one\r\nKeywords: two\r\n"
	    "Comments: folded\r\n\tonce\r\nReply-To: " CAROL "\r\n"
	    "Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nCc: " CAROL "\r\n"
	    "References: <a@x>\r\n <b@x>\r\nIn-Reply-To: <b@x>\r\n" TEXT);
	arrive_sealed(OUTER);
	expect_restored("Cc\nReply-To\nSubject\nDate\nIn-Reply-To\n"
	    "References\nComments\nKeywords\n");
	expect_header("\r\nCc: " CAROL "\r\nReply-To: " CAROL "\r\n"
	    "Subject: Plans\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
	    "In-Reply-To: <b@x>\r\nReferences: <a@x>\r\n <b@x>\r\n"
	    "Comments: folded\r\n\tonce\r\nKeywords: one\r\n"
	    "Keywords: two\r\n");
	assert_string_equal(w.v.sig_result, "none");
	expect_header("smime=none (was encrypted)");
}

static void S154_all_outer_ones_of_a_name_go(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity(CIPHER INNER TEXT);
	arrive_sealed(OUTER "subject: two\r\nHP-Outer: Subject: x\r\n"
	    "SUBJECT: three\r\nhp-outer: x\r\n");
	expect_restored("Subject\n");
	expect_header("\r\nSubject: Plans\r\n");
	expect_not("two");
	expect_not("three");
	expect_not("x\r\n\r\n");
	expect_not("uter:");
}

static void S154_what_is_the_same_stays_where_it_is(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity(CIPHER "Subject: Plans of\r\n mine\r\n" TEXT);
	arrive_sealed("Subject:  Plans of mine\r\nFrom: " ALICE "\r\n");
	expect_restored("");
	expect_header("\r\nSubject:  Plans of mine\r\nFrom:");
	expect_warning("From stands outside only");
}

static void S204_a_second_time_changes_nothing(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity(CIPHER INNER TEXT);
	arrive_signed_and_sealed(ALICE, OUTER);
	expect_restored("Subject\n");
	world_open_again(&w, ALICE, BOB);
	world_signature(&w, "pass", "");
	expect_restored("");
	assert_int_equal(count_of(&w, "Subject:"), 2); /* one is signed */
	assert_null(w.v.body);
	expect_warning("hp=\"cipher\" in a message that was not encrypted");
}

static void S157_the_wrong_mode_is_said(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity(CLEAR INNER TEXT);
	arrive_sealed(OUTER);
	expect_restored("Subject\n");
	expect_warning("hp=\"clear\" in a message that was encrypted");
	entity(CIPHER INNER TEXT);
	make_signed(&w, ALICE, SIGN_OPAQUE, &b);
	arrive(OUTER, BOB);
	world_signature(&w, "pass", "");
	expect_restored("Subject\n");
	expect_warning("hp=\"cipher\" in a message that was not encrypted");
}

static void S158_results_of_others_stay(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity(CIPHER INNER TEXT);
	arrive_sealed("Authentication-Results: mx.example.com; dkim=pass "
	    "header.d=example.com\r\nDKIM-Signature: v=1; h=subject\r\n"
	    OUTER);
	expect_restored("Subject\n");
	expect_header("\r\nAuthentication-Results: mx.example.com; dkim=pass "
	    "header.d=example.com\r\nDKIM-Signature: v=1; h=subject\r\n");
}

static void S151_legacy_display_stays_in_the_body(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity("Content-Type: text/plain; hp-legacy-display=\"1\";\r\n"
	    "\thp=\"cipher\"\r\n" INNER "\r\nSubject: Plans\r\n\r\nText\r\n");
	arrive_sealed(OUTER);
	expect_restored("Subject\n");
	assert_true(view_eq_str(make_body(&w),
	    "Subject: Plans\r\n\r\nText\r\n"));
}

/* ---- nothing else comes out ---- */

#define HOSTILE                                                             \
	"X-Spam: no\r\nX-Spam-Status: No\r\nX-Virus-Scanned: evil\r\n"      \
	"Authentication-Results: mx.example.com; smime=pass evil=1\r\n"     \
	"ARC-Seal: i=1; evil\r\nARC-Authentication-Results: i=1; evil\r\n"  \
	"DKIM-Signature: v=1; d=evil\r\nReceived: by evil\r\n"              \
	"Received-SPF: pass evil\r\nReturn-Path: <evil@x.example>\r\n"      \
	"Delivered-To: evil@x.example\r\nX-Postseal-Verified: evil\r\n"     \
	"X-Postseal-Signature: evil\r\nX-Gateway-Verified: yes evil\r\n"    \
	"List-Unsubscribe: <mailto:evil@x>\r\nList-Id: <evil.x>\r\n"        \
	"Sender: evil@x.example\r\nBcc: evil@x.example\r\n"                 \
	"Resent-From: evil@x.example\r\nMessage-ID: <evil@x>\r\n"           \
	"Disposition-Notification-To: evil@x.example\r\n"                   \
	"Auto-Submitted: evil\r\nHP-Outer: X-Spam: evil\r\n"                \
	"From: ceo@evil.example\r\nMIME-Version: 2.0\r\n"

/* attack A28: 25 fields that somebody trusts inside an encrypted entity, with
 * hp= and without
 * verdict: none is delivered; with hp= only Subject is */
static void A28_S39_S156_S180_hostile_fields_stay_inside(void **state)
{
	static const struct {
		const char *entity, *subject;
	} c[] = {
	    {"Content-Type: text/plain\r\n" HOSTILE "Subject: evil\r\n" TEXT,
	     "Subject: [...]\r\n"},
	    {CIPHER HOSTILE "Subject: Plans\r\n" TEXT, "Subject: Plans\r\n"},
	    {HOSTILE CLEAR "Subject: Plans\r\n" TEXT, "Subject: Plans\r\n"},
	};

	(void)state;
	world_rules(&w, DEFAULT);
	for (size_t i = 0; i < 2 * ARRAY_LEN(c); i++) {
		entity(c[i / 2].entity);
		if (i % 2 == 1) /* so that nothing is signed or sealed */
			make_signed(&w, ALICE, SIGN_OPAQUE, &b);
		arrive_sealed(OUTER);
		assert_string_equal(w.v.dec_result, "decrypted");
		expect_not("evil");
		expect_not("X-");
		expect_not("2.0");
		expect_header(c[i / 2].subject);
		assert_true(view_eq_str(make_body(&w), "Secret plans\r\n"));
	}
	/* the same, clear-signed: they are in the part, not in the header */
	entity(CLEAR HOSTILE "Subject: Plans\r\n" TEXT);
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	arrive(OUTER, BOB);
	world_signature(&w, "pass", "");
	expect_not("evil");
	expect_header("Subject: Plans\r\n");
}

/* attack A28: hp= where no payload begins: a nested part, the signature's
 * own multipart, the message itself, an attached or encrypted message below
 * the root
 * verdict: no effect, the fields outside stay */
static void S154_S161_hp_below_or_above_the_root_has_no_effect(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	    CIPHER "Subject: evil\r\n" TEXT "--b--\r\n");
	arrive_sealed(OUTER);
	assert_string_equal(w.v.dec_result, "decrypted");
	expect_restored("");
	expect_header("Subject: [...]\r\n");
	/* on the multipart/signed within the encryption */
	entity("Content-Type: text/plain\r\nSubject: evil\r\n" TEXT);
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	make_edit(&b, "multipart/signed;", "multipart/signed; hp=cipher;");
	make_between(&b, "Subject: evil\r\n", "");
	arrive_sealed(OUTER);
	world_signature(&w, "pass", "");
	expect_restored("");
	expect_header("Subject: [...]\r\n");
	/* on the message itself, where nothing protects it */
	entity(CIPHER "HP-Outer: Subject: x\r\n" TEXT);
	arrive(OUTER, BOB);
	expect_restored("");
	assert_true(is_untouched(&w));
	expect_no_warning("header fields");
	/* on a signature within a signature */
	entity("Content-Type: text/plain\r\n" TEXT);
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	make_edit(&b, "multipart/signed;", "multipart/signed; hp=clear;");
	make_between(&b, "Subject: evil\r\n", "");
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	arrive(OUTER, BOB);
	world_signature(&w, "pass", "");
	expect_restored("");
	/* on the outermost layer */
	entity("Content-Type: text/plain\r\n" TEXT);
	make_sealed(&w, BOB, ENC_AES256_GCM, &b);
	make_edit(&b, "application/pkcs7-mime;",
	    "application/pkcs7-mime; hp=cipher;");
	arrive(OUTER, BOB);
	assert_string_equal(w.v.dec_result, "decrypted");
	expect_restored("");
}

static void S161_an_encrypted_part_below_the_root_gives_nothing(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity(CIPHER "Subject: evil\r\n" TEXT);
	make_sealed(&w, BOB, ENC_AES256_GCM, &b);
	make_between(&b, "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	    "--b\r\n", "\r\n--b--\r\n");
	arrive(OUTER, BOB);
	assert_string_equal(w.v.dec_result, "none");
	expect_restored("");
	expect_header("Subject: [...]\r\n");
}

/* attack A43: a whole message as the content, its fields for our header
 * verdict: delivered as an attachment, nothing merged */
static void S41_A43_a_message_as_content_is_never_merged(void **state)
{
	static const char *const type[] = {"message/rfc822",
	    "message/rfc822; forwarded=no", "message/rfc822; hp=\"cipher\""};

	(void)state;
	world_rules(&w, DEFAULT);
	for (size_t i = 0; i < ARRAY_LEN(type); i++) {
		buf_clear(&b);
		buf_printf(&b, "Content-Type: %s\r\n\r\nFrom: ceo@x.example"
		    "\r\nSubject: evil\r\n" CIPHER TEXT, type[i]);
		arrive_sealed(OUTER);
		assert_string_equal(w.v.dec_result, "decrypted");
		expect_restored("");
		expect_header("Subject: [...]\r\n");
		expect_not("evil");
		assert_true(view_istarts(make_body(&w), "From: ceo@"));
	}
}

/* attack A30 A31 A42: line ends and control octets in protected values
 * verdict: the value is not restored; with a lone CR nothing is opened */
static void A30_A31_A42_values_with_controls_stay_inside(void **state)
{
	static const struct {
		const char *value, *warning;
	} c[] = {
	    /* a lone CR: some read it as a line end, of any field */
	    {"a\rX-Evil: 1", "delivered as it arrived"},
	    {"a\r\r\n X-Evil: 1", "delivered as it arrived"},
	    {"a\r\n \r\n X-Evil: 1", "Subject inside cannot stand"},
	    {"a\033[2J", "Subject inside cannot stand"},
	    {"a\177", "Subject inside cannot stand"},
	    {"a\b\b", "Subject inside cannot stand"},
	    {"\303\244", "Subject inside cannot stand"},
	    {"a\x80", "Subject inside cannot stand"},
	};

	(void)state;
	world_rules(&w, DEFAULT);
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		buf_clear(&b);
		buf_printf(&b, CIPHER "Subject: %s\r\n" TEXT, c[i].value);
		arrive_sealed(OUTER);
		expect_not("Evil");
		expect_not("\033");
		expect_header("\r\nSubject: [...]\r\n");
		expect_restored("");
		expect_warning(c[i].warning);
	}
}

static void S38_two_subjects_inside_restore_none(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity(CIPHER INNER "Subject: other\r\n" TEXT);
	arrive_signed_and_sealed(ALICE, OUTER);
	expect_restored("");
	expect_header("Subject: [...]\r\n");
	expect_warning("Subject is given too often inside");
}

static void nothing_of_what_stays_sealed(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity(CIPHER INNER TEXT);
	make_sealed(&w, BOB, ENC_AES256_GCM, &b);
	arrive(OUTER, CAROL);
	assert_string_equal(w.v.dec_result, "no-key");
	assert_true(is_untouched(&w));
	expect_restored("");
	/* and not when the rule leaves it, or the signature around it */
	world_rules(&w, "outbound : pass\ninbound : verify\n");
	entity(CIPHER INNER TEXT);
	make_sealed(&w, BOB, ENC_AES256_GCM, &b);
	make_edit(&b, "application/pkcs7-mime;",
	    "application/pkcs7-mime; hp=clear;");
	make_between(&b, "Subject: evil\r\n", "");
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	arrive(OUTER, BOB);
	expect_restored("");
	expect_header("Subject: [...]\r\n");
}

/* ---- the author ---- */

/* attack A28: encrypted mail whose inner From is somebody of ours, signed
 * by nobody, by another, or badly
 * verdict: From outside stays, "From inside differs" is said */
static void S155_inner_From_without_its_signature_stays(void **state)
{
	static const char inside[] = CIPHER "From: Carol <" CAROL ">\r\n"
	    "To: " BOB "\r\nSubject: Plans\r\n" TEXT;

	(void)state;
	world_rules(&w, DEFAULT);
	entity(inside);
	arrive_sealed(OUTER);
	expect_restored("Subject\n");
	expect_header("\r\nFrom: Alice <alice@example.com>\r\n");
	expect_not("Carol");
	expect_header("smime=none (From inside differs; was encrypted)");
	/* alice signs for carol */
	entity(inside);
	arrive_signed_and_sealed(ALICE, OUTER);
	world_signature(&w, "pass", "");
	expect_not("Carol");
	expect_header("smime=pass (From inside differs; was encrypted)\r\n"
	    "\tbody.smime-identifier=alice@example.com");
	/* carol's, damaged */
	entity(inside);
	make_signed(&w, CAROL, SIGN_CLEAR, &b);
	make_edit(&b, "Secret plans", "Secret plaNs");
	arrive_sealed(OUTER);
	world_signature(&w, "fail", "S70");
	expect_not("Carol");
	/* carol's, but outside of the encryption */
	entity(inside);
	make_sealed(&w, BOB, ENC_AES256_GCM, &b);
	make_signed(&w, CAROL, SIGN_CLEAR, &b);
	arrive(OUTER, BOB);
	assert_string_equal(w.v.dec_result, "decrypted");
	assert_string_not_equal(w.v.sig_result, "pass");
	expect_not("Carol");
}

static void S155_inner_From_with_its_signature_is_restored(void **state)
{
	static const char list[] = "From: Alice via list <list@x.example>"
	    "\r\nTo: bob@example.org\r\nSubject: [list] Plans\r\n";
	static const bool sealed[] = {true, false};

	(void)state;
	world_rules(&w, DEFAULT);
	for (size_t i = 0; i < ARRAY_LEN(sealed); i++) {
		entity(CLEAR INNER TEXT);
		make_signed(&w, ALICE, SIGN_CLEAR, &b);
		if (sealed[i])
			arrive_sealed(list);
		else
			arrive(list, BOB);
		world_signature(&w, "pass", "");
		assert_string_equal(w.v.sig_signer, ALICE);
		assert_true(w.v.sig_from_match);
		expect_restored("From\nSubject\n");
		expect_header("\r\nFrom: Alice <alice@example.com>\r\n");
		expect_header("smime-identifier=alice@example.com");
		expect_header("\r\nSubject: Plans\r\n");
		expect_not("list");
		expect_warning("Subject outside was changed on its way");
	}
	/* an author who cannot be read strictly outside */
	entity(CLEAR INNER TEXT);
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	arrive("From: list@x.example, <alice@\r\n", BOB);
	world_signature(&w, "pass", "");
	expect_header("\r\nFrom: Alice <alice@example.com>\r\n");
}

/* attack A22: From inside is carol's, the signature mallory's own, From
 * outside mallory's or carol's
 * verdict: never a pass for carol, From outside stays */
static void A22_another_signer_is_no_author(void **state)
{
	static const char inside[] = CLEAR "From: " CAROL "\r\nTo: " BOB
	    "\r\nSubject: Plans\r\n" TEXT;

	(void)state;
	world_rules(&w, DEFAULT);
	entity(inside);
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	arrive("From: m@x.example\r\nTo: " BOB "\r\n", BOB);
	world_signature(&w, "policy", "S74");
	expect_restored("");
	expect_header("\r\nFrom: m@x.example\r\n");
	entity(inside);
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	arrive("From: " CAROL "\r\nTo: " BOB "\r\n", BOB);
	world_signature(&w, "policy", "S74");
	expect_restored("");
}

/* attack A23: two From fields outside, one inside
 * verdict: permerror at S62, both stay */
static void A23_two_From_fields_outside_are_not_repaired(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity(CLEAR INNER TEXT);
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	arrive("From: " ALICE "\r\nFrom: " CAROL "\r\nSubject: x\r\n", BOB);
	world_signature(&w, "permerror", "S62");
	expect_restored("");
	expect_header("From: " ALICE "\r\nFrom: " CAROL "\r\nSubject: x\r\n");
}

/* ---- signed only ---- */

static void S154_clear_signed_mail_keeps_its_signature(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity(CLEAR INNER TEXT);
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	arrive(OUTER, BOB);
	world_signature(&w, "pass", "");
	expect_restored("Subject\n");
	expect_header("\r\nSubject: Plans\r\n");
	assert_null(w.v.body);
	assert_false(w.v.ret_hdrs);
	world_open_again(&w, ALICE, BOB);
	world_signature(&w, "pass", "");
	expect_restored("");
}

static void S154_opaque_signed_mail_loses_it(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity(CLEAR INNER TEXT);
	make_signed(&w, ALICE, SIGN_OPAQUE, &b);
	arrive(OUTER, BOB);
	world_signature(&w, "pass", "");
	expect_restored("Subject\n");
	assert_true(view_eq_str(make_body(&w), "Secret plans\r\n"));
}

static void S154_a_signature_that_is_not_valid_restores_nothing(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity(CLEAR INNER TEXT);
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	make_edit(&b, "Subject: Plans", "Subject: plans");
	arrive(OUTER, BOB);
	world_signature(&w, "fail", "S70");
	expect_restored("");
	expect_header("Subject: [...]\r\n");
	expect_warning("no valid signature covers them");
	/* nor when nobody is to look at it */
	world_rules(&w, "outbound : pass\ninbound : decrypt\n");
	entity(CLEAR INNER TEXT);
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	arrive(OUTER, BOB);
	expect_restored("");
	expect_header("Subject: [...]\r\n");
}

/* Sealed for storage: the header of the stored copy is not sealed. */
static void S154_nothing_comes_out_of_what_is_stored_encrypted(void **state)
{
	(void)state;
	world_rules(&w, "outbound : pass\n"
	    "inbound : verify, store-encrypted\n");
	entity(CLEAR INNER TEXT);
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	arrive(OUTER, BOB);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_STORE_ENCRYPTED);
	expect_restored("");
	expect_header("Subject: [...]\r\n");
	expect_not("Plans");
}

/* ---- recipients, tags ---- */

/* attack A10: alice's signed message to carol, sealed again by carol for
 * bob
 * verdict: pass, with "not addressed to this recipient inside" */
static void A10_sealed_again_for_somebody_else(void **state)
{
	static const char inside[] = CIPHER "From: " ALICE "\r\nTo: " CAROL
	    "\r\nSubject: Plans\r\n" TEXT;

	(void)state;
	world_rules(&w, DEFAULT);
	entity(inside);
	arrive_signed_and_sealed(ALICE, "From: " ALICE "\r\nTo: " BOB "\r\n");
	world_signature(&w, "pass", "");
	expect_header("smime=pass (not addressed to this recipient inside; "
	    "was encrypted)");
	expect_header("\r\nTo: " CAROL "\r\n");
	/* details of a local address are not another address */
	world_config(&w, "recipient-delimiter +");
	world_rules(&w, DEFAULT);
	entity(CIPHER "From: " ALICE "\r\nTo: " BOB "\r\n" TEXT);
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	make_sealed(&w, BOB, ENC_AES256_GCM, &b);
	arrive(OUTER, "bob+list@example.org");
	world_signature(&w, "pass", "");
	expect_header("smime=pass (was encrypted)");
	world_config(&w, NULL);
}

/* attack A29: a subject that says "[signed OK]" itself
 * verdict: delivered as it is; no subject says anything on our part */
static void A29_no_subject_is_tagged(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity(CIPHER "Subject: [signed OK] Plans\r\n" TEXT);
	arrive_sealed(OUTER);
	expect_header("\r\nSubject: [signed OK] Plans\r\n");
	assert_string_equal(w.v.sig_result, "none");
	expect_header("smime=none");
	/* neither for a good signature nor for a bad one */
	entity("Content-Type: text/plain\r\n" TEXT);
	arrive_signed_and_sealed(ALICE, OUTER);
	world_signature(&w, "pass", "");
	assert_int_equal(count_of(&w, "\r\nSubject: [...]\r\n"), 1);
	entity("Content-Type: text/plain\r\n" TEXT);
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	make_edit(&b, "Secret", "secret");
	arrive(OUTER, BOB);
	world_signature(&w, "fail", "S70");
	assert_int_equal(count_of(&w, "\r\nSubject: [...]\r\n"), 1);
}

/* Results are in Authentication-Results alone. */
static void A27_S180_no_field_of_our_own_name(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	entity(CIPHER INNER "X-Postseal-Result: pass\r\n" TEXT);
	arrive_signed_and_sealed(ALICE, OUTER);
	expect_not("ostseal");
	entity(CIPHER INNER TEXT);
	arrive_sealed(OUTER);
	expect_not("ostseal");
	expect_not("X-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(S154_a_hidden_subject_is_restored),
	    cmocka_unit_test(S40_the_others_keep_their_order),
	    cmocka_unit_test(S154_removed_fields_are_added),
	    cmocka_unit_test(S154_all_outer_ones_of_a_name_go),
	    cmocka_unit_test(S154_what_is_the_same_stays_where_it_is),
	    cmocka_unit_test(S204_a_second_time_changes_nothing),
	    cmocka_unit_test(S157_the_wrong_mode_is_said),
	    cmocka_unit_test(S158_results_of_others_stay),
	    cmocka_unit_test(S151_legacy_display_stays_in_the_body),
	    cmocka_unit_test(A28_S39_S156_S180_hostile_fields_stay_inside),
	    cmocka_unit_test(
		S154_S161_hp_below_or_above_the_root_has_no_effect),
	    cmocka_unit_test(
		S161_an_encrypted_part_below_the_root_gives_nothing),
	    cmocka_unit_test(S41_A43_a_message_as_content_is_never_merged),
	    cmocka_unit_test(A30_A31_A42_values_with_controls_stay_inside),
	    cmocka_unit_test(S38_two_subjects_inside_restore_none),
	    cmocka_unit_test(nothing_of_what_stays_sealed),
	    cmocka_unit_test(S155_inner_From_without_its_signature_stays),
	    cmocka_unit_test(S155_inner_From_with_its_signature_is_restored),
	    cmocka_unit_test(A22_another_signer_is_no_author),
	    cmocka_unit_test(A23_two_From_fields_outside_are_not_repaired),
	    cmocka_unit_test(S154_clear_signed_mail_keeps_its_signature),
	    cmocka_unit_test(S154_opaque_signed_mail_loses_it),
	    cmocka_unit_test(
		S154_a_signature_that_is_not_valid_restores_nothing),
	    cmocka_unit_test(
		S154_nothing_comes_out_of_what_is_stored_encrypted),
	    cmocka_unit_test(A10_sealed_again_for_somebody_else),
	    cmocka_unit_test(A29_no_subject_is_tagged),
	    cmocka_unit_test(A27_S180_no_field_of_our_own_name),
	};

	return cmocka_run_group_tests_name("gateway_headers", tests,
	    make_world, end_world);
}
