/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Outgoing mail whose recipients need different copies: who shares one with
 * whom, what is in each, what one recipient's refusal does to the others.
 */
#include "tests/unit/gateway_split.h"

static struct world w;

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
#define CAROL "carol@partner.example"
#define DAVE "dave@partner.example"
#define NOBODY "nobody@else.example"

#define FIELDS                                                              \
	"From: Alice <alice@example.com>\nSubject: Plans\n"                 \
	"Message-ID: <1@x>\nMIME-Version: 1.0\nContent-Type: text/plain\n"

#define QUARANTINE "quarantine {\n size 1M\n}\n"

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_config(&w, QUARANTINE);
	world_person(&w, ALICE, "rsa:2048");
	world_person(&w, BOB, "ec:p256");
	world_person(&w, CAROL, "rsa:2048");
	world_person(&w, DAVE, "rsa:2048");
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

static void expect_split(int copies, int key_ops)
{
	if (w.v.code != 0)
		fail_msg("%d %s (%s)", w.v.code, w.v.text, w.e.msg);
	assert_int_equal(w.v.action, copies == 0 ? ACT_REPLACED : ACT_SPLIT);
	assert_int_equal(w.v.copy_n, copies);
	assert_int_equal(w.key_ops, key_ops);
	for (size_t i = 0; i < w.v.rcpts; i++)
		assert_true(w.v.rcpt[i].group >= 1 &&
		    w.v.rcpt[i].group <= copies + 1);
}

static void expect_reply(int code, const char *enhanced, const char *piece)
{
	if (w.v.code != code || strcmp(w.v.enhanced, enhanced) != 0 ||
	    strstr(w.v.text, piece) == NULL)
		fail_msg("got %d %s %s; wanted %d %s ... %s", w.v.code,
		    w.v.enhanced, w.v.text, code, enhanced, piece);
	/* nothing leaves, for nobody */
	assert_int_equal(w.v.copy_n, 0);
	assert_null(w.v.copies);
	assert_null(w.v.body);
	assert_int_equal(w.v.edits, 0);
	for (size_t i = 0; i < w.v.rcpts; i++)
		assert_int_equal(w.v.rcpt[i].outcome,
		    code < 500 ? OUT_DEFERRED : OUT_REFUSED);
}

/* Sealed, by alice, and nothing of it is outside. */
static void expect_sealed(const char *who)
{
	struct buf m;

	assert_int_equal(outcome_of(&w, who), OUT_SEALED);
	message_of(&w, who, &m);
	assert_false(buf_has(&m, "Secret plans"));
	world_open_view(&w, ALICE, who, buf_view(&m));
	assert_string_equal(w.v.dec_result, "decrypted");
	assert_string_equal(w.v.sig_result, "pass");
	assert_true(has(&w, "Secret plans"));
	buf_free(&m);
}

/* ---- the blind ---- */

#define TO_CAROL                                                            \
	FIELDS "To: carol@partner.example\nBcc: dave@partner.example\n"     \
	"Resent-Bcc: bob@example.org\n\nSecret plans\n"

static int find_in(struct view v, const char *s)
{
	const unsigned char *p = memmem(v.p, v.n, s, strlen(s));

	return p == NULL ? -1 : (int)(p - v.p);
}

static void S129_a_blind_recipient_is_alone_and_looks_like_the_others(
    void **state)
{
	struct buf carol, dave;

	(void)state;
	rules("outbound : sign, encrypt");
	split_seal(&w, ALICE, CAROL " " DAVE, TO_CAROL);
	expect_split(1, 1); /* signed once */
	assert_int_not_equal(group_of(&w, CAROL), group_of(&w, DAVE));
	message_of(&w, CAROL, &carol);
	message_of(&w, DAVE, &dave);
	assert_int_equal(rids_of(&carol, NULL), 1);
	assert_int_equal(rids_of(&dave, NULL), 1);
	assert_true(view_eq(header_of(&carol), header_of(&dave)));
	assert_int_equal(find_in(header_of(&carol), "Bcc"), -1);
	assert_int_equal(find_in(header_of(&dave), "Bcc"), -1);
	assert_false(buf_has(&carol, "dave@"));
	assert_false(buf_has(&dave, "dave@"));
	buf_free(&carol);
	buf_free(&dave);
	expect_sealed(CAROL);
	split_seal(&w, ALICE, CAROL " " DAVE, TO_CAROL);
	expect_sealed(DAVE);
	/* each copy is for its own only */
	split_seal(&w, ALICE, CAROL " " DAVE, TO_CAROL);
	message_of(&w, CAROL, &carol);
	world_open_view(&w, ALICE, DAVE, buf_view(&carol));
	assert_string_equal(w.v.dec_result, "no-key");
	buf_free(&carol);
}

static void S129_every_blind_one_is_alone(void **state)
{
	(void)state;
	rules("outbound : sign, encrypt");
	split_seal(&w, ALICE, CAROL " " DAVE " " BOB, FIELDS
	    "To: undisclosed-recipients:;\n\nSecret plans\n");
	expect_split(2, 1);
	/* but a signed one that is not encrypted names nobody */
	rules("outbound : sign");
	split_seal(&w, ALICE, CAROL " " DAVE " " BOB, FIELDS
	    "To: undisclosed-recipients:;\n\nSecret plans\n");
	expect_split(0, 1);
	assert_int_equal(w.v.here, 1);
	assert_null(w.v.copies);
}

static void S130_a_blind_recipient_changes_nothing_for_others(void **state)
{
	struct buf with, without;

	(void)state;
	rules("outbound to " DAVE " : sign, encrypt, cipher aes-128-cbc\n"
	    "outbound : sign, encrypt, cipher aes-256-gcm");
	split_seal(&w, ALICE, CAROL, TO_CAROL);
	message_of(&w, CAROL, &without);
	split_seal(&w, ALICE, CAROL " " DAVE, TO_CAROL);
	expect_split(1, 1);
	message_of(&w, CAROL, &with);
	assert_string_equal(w.v.rcpt[0].cipher, "AES-256-GCM");
	assert_string_equal(w.v.rcpt[1].cipher, "AES-128-CBC");
	assert_true(view_eq(header_of(&with), header_of(&without)));
	assert_int_equal(with.n, without.n);
	buf_free(&with);
	buf_free(&without);
}

static void S131_visible_ones_share_unless_a_rule_parts_them(void **state)
{
	static const char text[] = FIELDS "To: carol@partner.example\n"
	    "Cc: dave@partner.example\n\nSecret plans\n";
	struct buf m;

	(void)state;
	rules("outbound : sign, encrypt");
	split_seal(&w, ALICE, CAROL " " DAVE, text);
	expect_split(0, 1);
	message_of(&w, CAROL, &m);
	assert_int_equal(rids_of(&m, NULL), 2);
	buf_free(&m);
	rules("outbound : sign, encrypt, per-recipient");
	split_seal(&w, ALICE, CAROL " " DAVE, text);
	expect_split(1, 1);
	message_of(&w, CAROL, &m);
	assert_int_equal(rids_of(&m, NULL), 1);
	buf_free(&m);
}

static void S132_the_order_says_nothing_of_the_envelope(void **state)
{
	static const char text[] = FIELDS "To: carol@partner.example, "
	    "dave@partner.example, alice@example.com\n\nSecret plans\n";
	struct buf m, one, other;

	(void)state;
	buf_init(&one, 4096);
	buf_init(&other, 4096);
	rules("outbound : sign, encrypt");
	split_seal(&w, ALICE, CAROL " " DAVE " " ALICE, text);
	message_of(&w, CAROL, &m);
	assert_int_equal(rids_of(&m, &one), 3);
	buf_free(&m);
	split_seal(&w, ALICE, ALICE " " DAVE " " CAROL, text);
	message_of(&w, CAROL, &m);
	assert_int_equal(rids_of(&m, &other), 3);
	assert_true(view_eq(buf_view(&one), buf_view(&other)));
	buf_free(&m);
	buf_free(&one);
	buf_free(&other);
}

/* To names an alias of somebody else; the certificate is the recipient's. */
static void S133_certificates_are_those_of_rcpt_to(void **state)
{
	(void)state;
	rules("outbound : sign, encrypt");
	split_seal(&w, ALICE, DAVE, FIELDS "To: carol@partner.example\n\n"
	    "Secret plans\n");
	expect_split(0, 1);
	expect_sealed(DAVE);
}

/* ---- forms ---- */

static void RSA_and_EC_do_not_share(void **state)
{
	static const char text[] = FIELDS "To: carol@partner.example, "
	    "bob@example.org, dave@partner.example\n\nSecret plans\n";

	(void)state;
	rules("outbound : sign, encrypt");
	split_seal(&w, ALICE, CAROL " " BOB " " DAVE, text);
	expect_split(1, 1);
	assert_int_equal(group_of(&w, CAROL), group_of(&w, DAVE));
	assert_int_not_equal(group_of(&w, CAROL), group_of(&w, BOB));
	expect_sealed(BOB);
	/* where there is one body, they do */
	world_seal(&w, ALICE, CAROL " " BOB " " DAVE, text);
	expect_split(0, 1);
}

/* His software reads this cipher only: AES-256, of RFC 8551 2.5.2. */
static void reads_only(const char *who, unsigned char arc)
{
	const unsigned char list[] = {0x30, 0x0d, 0x30, 0x0b, 0x06, 0x09, 0x60,
	    0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, arc};
	static int64_t later;
	struct selection s = {0};
	struct addr a;

	assert_int_equal(addr_parse(&a, view_of(who), NULL), 0);
	assert_int_equal(keystore_select(w.ks, &a, KS_ENCRYPT, time(NULL), &s,
	    NULL), 0);
	if (keystore_caps_learn(w.ks, &a, cert_sha256(s.cert), ++later,
	    view_make(list, sizeof(list)), &w.e) != 0)
		fail_msg("%s", w.e.msg);
	selection_free(&s);
}

static void S107_S110_who_has_no_cipher_in_common_is_parted(void **state)
{
	static const char text[] = FIELDS "To: carol@partner.example, "
	    "dave@partner.example, alice@example.com\n\nSecret plans\n";

	(void)state;
	reads_only(CAROL, 0x2e); /* GCM */
	reads_only(DAVE, 0x2a);  /* CBC, as who has said nothing */
	rules("outbound : sign, encrypt");
	split_seal(&w, ALICE, CAROL " " DAVE " " ALICE, text);
	expect_split(1, 1);
	assert_string_equal(w.v.rcpt[0].cipher, "AES-256-GCM");
	assert_string_equal(w.v.rcpt[1].cipher, "AES-256-CBC");
	assert_int_equal(group_of(&w, DAVE), group_of(&w, ALICE));
	expect_sealed(CAROL);
	world_seal(&w, ALICE, CAROL " " DAVE, text);
	expect_reply(550, "5.7.3", DAVE);
	/* one whom the rule leaves nothing is refused, and with him all */
	rules("outbound to " DAVE " : sign, encrypt, min-cipher aes-256-gcm\n"
	    "outbound : sign, encrypt");
	split_seal(&w, ALICE, CAROL " " DAVE " " ALICE, text);
	expect_reply(550, "5.7.6", DAVE " (known to read nothing as strong");
	reads_only(CAROL, 0x2a);
}

#define THREE                                                               \
	"outbound to carol@partner.example : sign, encrypt\n"               \
	"outbound to bob@example.org : sign\n"                              \
	"outbound : pass"
#define TO_THREE                                                            \
	FIELDS "To: carol@partner.example, bob@example.org, "               \
	"nobody@else.example\n\nSecret plans\n"

static void M23_A19_three_rules_are_three_copies(void **state)
{
	struct buf m;

	(void)state;
	rules(THREE);
	split_seal(&w, ALICE, CAROL " " BOB " " NOBODY, TO_THREE);
	expect_split(2, 2); /* hp="cipher" and hp="clear" are signed */
	assert_int_equal(outcome_of(&w, BOB), OUT_SIGNED);
	assert_int_equal(outcome_of(&w, NOBODY), OUT_PASSED);
	message_of(&w, NOBODY, &m);
	assert_true(buf_has(&m, "Secret plans"));
	assert_false(buf_has(&m, "pkcs7"));
	assert_false(buf_has(&m, "MIME-Version: 1.0\r\nMIME-Version"));
	buf_free(&m);
	message_of(&w, BOB, &m);
	assert_true(buf_has(&m, "multipart/signed"));
	buf_free(&m);
	expect_sealed(CAROL);
	split_seal(&w, ALICE, CAROL " " BOB " " NOBODY, TO_THREE);
	read_as(&w, ALICE, BOB);
	assert_string_equal(w.v.sig_result, "pass");
	/* one body cannot be three */
	world_seal(&w, ALICE, CAROL " " BOB " " NOBODY, TO_THREE);
	expect_reply(550, "5.7.3", NOBODY);
}

/* The one in place is as an MTA has it; the others have our trace field. */
static void M23_copies_have_a_trace_field_without_recipients(void **state)
{
	static const char *const ip[] = {"192.0.2.1", "2001:db8::1", "unix",
	    NULL};
	static const char *const trace[] = {
	    "Received: from [192.0.2.1] by mx.example.com (postseal)\r\n",
	    "Received: from [IPv6:2001:db8::1] by mx.example.com (",
	    "Received: by mx.example.com (postseal)\r\n\twith ESMTP id "
	    "testid;\r\n\t",
	    "Received: by mx.example.com (postseal)\r\n\twith ESMTP id "
	    "testid;\r\n\t"};
	struct buf m;

	(void)state;
	rules(THREE);
	for (size_t i = 0; i < ARRAY_LEN(ip); i++) {
		world_envelope(&w, ALICE, CAROL " " NOBODY);
		w.env.forced = DIR_OUTBOUND;
		w.env.auth = ENV_AUTH_CALLER;
		w.env.client_ip = ip[i];
		w.env.can_split = true;
		world_message(&w, TO_THREE);
		world_run(&w);
		expect_split(1, 1);
		assert_false(has(&w, "Received"));
		message_of(&w, copy_of(&w, group_of(&w, CAROL)) != NULL
		    ? CAROL
		    : NOBODY, &m);
		assert_true(m.n > strlen(trace[i]));
		if (memcmp(m.p, trace[i], strlen(trace[i])) != 0)
			fail_msg("%.80s", buf_str(&m));
		assert_false(buf_has(&m, "\tfor "));
		buf_free(&m);
	}
}

static void S97_one_signature_for_all_groups_of_a_form(void **state)
{
	(void)state;
	rules("outbound to bob@example.org : sign, encrypt, opaque\n"
	    "outbound to carol@partner.example : sign\n"
	    "outbound : sign, encrypt");
	split_seal(&w, ALICE, "alice@example.com " BOB " " DAVE " " CAROL,
	    FIELDS "To: bob@example.org\n\nSecret plans\n");
	expect_split(3, 3);
	expect_sealed(BOB);
	split_seal(&w, ALICE, "alice@example.com " BOB " " DAVE " " CAROL,
	    FIELDS "To: bob@example.org\n\nSecret plans\n");
	expect_sealed(DAVE);
}

static void S97_more_forms_than_operations_are_refused(void **state)
{
	static const char five[] = "outbound to " CAROL " : sign, encrypt\n"
	    "outbound to " DAVE " : sign, encrypt, opaque\n"
	    "outbound to " BOB " : sign, opaque\n"
	    "outbound to " ALICE " : sign, digest sha-512\n"
	    "outbound : sign";
	static const char text[] = FIELDS "To: carol@partner.example, "
	    "dave@partner.example\n\nSecret plans\n";

	(void)state;
	rules(five);
	split_seal(&w, ALICE, CAROL " " DAVE " " BOB " " ALICE, text);
	expect_split(3, 4);
	split_seal(&w, ALICE, CAROL " " DAVE " " BOB " " ALICE " " NOBODY,
	    text);
	expect_reply(550, "5.7.3", NOBODY);
	assert_non_null(strstr(w.v.rcpt[0].reason, "different signatures"));
}

/* ---- one is refused ---- */

static void S202_one_refused_refuses_all_with_every_reason(void **state)
{
	(void)state;
	rules(THREE "\n");
	rules("outbound to bob@example.org : sign\noutbound : sign, encrypt");
	split_seal(&w, ALICE, CAROL " " BOB " " NOBODY " x@else.example",
	    TO_THREE);
	expect_reply(550, "5.7.3", NOBODY " (no certificate is known)");
	expect_reply(550, "5.7.3", "x@else.example (no certificate");
	assert_int_equal(w.key_ops, 0); /* nothing was begun */
}

/* attack A50: a fault while one of several copies is made
 * verdict: 451, no copy leaves, neither the one before nor the one after */
static void S201_S202_A50_a_fault_in_one_copy_keeps_all_back(void **state)
{
	(void)state;
	rules("outbound to dave@partner.example : sign, encrypt, opaque\n"
	    THREE);
	for (int fault = 1; fault <= 3; fault++) {
		world_envelope(&w, ALICE, DAVE " " CAROL " " BOB " " NOBODY);
		w.env.forced = DIR_OUTBOUND;
		w.env.auth = ENV_AUTH_CALLER;
		w.env.can_split = true;
		world_message(&w, TO_THREE);
		w.spoil = fault;
		world_run(&w);
		w.spoil = 0;
		assert_int_equal(w.key_ops, fault);
		expect_reply(451, "4.3.0", "Internal fault");
		assert_true(is_untouched(&w));
		assert_int_equal(w.e.kind, FAIL_BUG);
	}
}

/* ---- held ---- */

#define HOLDING                                                             \
	"outbound to carol@partner.example : sign, encrypt\n"               \
	"outbound to bob@example.org : pass\n"                              \
	"outbound : sign, encrypt or quarantine"

static void some_are_held_some_get_it(void **state)
{
	const struct copy *c;
	struct buf m;

	(void)state;
	rules(HOLDING);
	split_seal(&w, ALICE, NOBODY " " CAROL " x@else.example " BOB,
	    TO_THREE);
	expect_split(2, 1);
	assert_int_equal(outcome_of(&w, NOBODY), OUT_QUARANTINED);
	assert_int_equal(outcome_of(&w, "x@else.example"), OUT_QUARANTINED);
	assert_string_equal(w.v.rcpt[0].reason, "no certificate is known");
	assert_int_equal(group_of(&w, NOBODY), group_of(&w,
	    "x@else.example"));
	assert_int_equal(outcome_of(&w, BOB), OUT_PASSED);
	c = copy_of(&w, group_of(&w, NOBODY));
	assert_non_null(c);
	assert_int_equal(c->kind, COPY_HELD);
	message_of(&w, BOB, &m);
	assert_true(buf_has(&m, "Secret plans"));
	buf_free(&m);
	expect_sealed(CAROL);
}

static void all_are_held(void **state)
{
	struct buf b;
	struct sink to;

	(void)state;
	rules(HOLDING);
	split_seal(&w, ALICE, NOBODY " x@else.example", TO_THREE);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.action, ACT_QUARANTINED);
	assert_int_equal(w.v.here, 0);
	assert_int_equal(w.v.copy_n, 1);
	assert_int_equal(w.v.copy[0].kind, COPY_HELD);
	assert_int_equal(w.v.copy[0].group, 1);
	assert_int_equal(w.v.rcpt[1].group, 1);
	assert_int_equal(w.key_ops, 0);
	buf_init(&b, 1u << 20);
	to = sink_to_buf(&b);
	assert_int_equal(spool_copy(w.v.copies, 0, spool_size(w.v.copies),
	    &to, NULL), 0);
	assert_true(b.n > 100);
	assert_false(buf_has(&b, "Secret plans"));
	buf_free(&b);
}

/* Nowhere to keep it: refused; and not split: one by one. */
static void M10_without_a_place_to_hold_it_is_refused(void **state)
{
	(void)state;
	rules(HOLDING);
	for (int can_hold_it = 0; can_hold_it <= 1; can_hold_it++) {
		world_envelope(&w, ALICE, NOBODY " " BOB);
		w.env.forced = DIR_OUTBOUND;
		w.env.auth = ENV_AUTH_CALLER;
		w.env.can_split = can_hold_it == 0;
		w.env.can_hold = can_hold_it == 1;
		world_message(&w, TO_THREE);
		world_run(&w);
		expect_reply(550, "5.7.3", NOBODY);
	}
}

/* ---- the same message again ---- */

static void identify(const char *to, const char *text, unsigned char id[32])
{
	split_seal(&w, ALICE, to, text);
	expect_split(1, 1);
	memcpy(id, w.v.content, 32);
}

static void M24_what_makes_a_message_the_same(void **state)
{
	static const char to[] = CAROL " " NOBODY;
	static const struct {
		const char *text;
		bool same, has_id;
	} again[] = {
		{FIELDS "To: a@b.example\n\nSecret plans\n", true, true},
		{"Received: by x; Sat, 21 Nov 2026 10:00:00 +0000\n"
		 "X-Spam: no\n" FIELDS "To: a@b.example\n\nSecret plans\n",
		    true, true},
		{FIELDS "To: a@b.example\n\nSecret plan\n", false, true},
		{FIELDS "To: a@b.example\nCc: x@y.example\n\nSecret plans\n",
		    false, true},
		{FIELDS "To: a@b.example\nContent-Language: de\n\n"
		 "Secret plans\n", false, true},
		{"From: alice@example.com\nTo: a@b.example\n\nSecret plans\n",
		    false, false},
	};
	unsigned char first[32], other[32];

	(void)state;
	rules("outbound to " CAROL " : sign, encrypt\noutbound : pass");
	identify(to, again[0].text, first);
	for (size_t i = 0; i < ARRAY_LEN(again); i++) {
		identify(to, again[i].text, other);
		if ((memcmp(first, other, 32) == 0) != again[i].same ||
		    w.v.has_message_id != again[i].has_id)
			fail_msg("case %zu", i);
	}
	/* not by whom it is for: that is the copy's */
	identify(NOBODY " " CAROL, again[0].text, other);
	assert_memory_equal(first, other, 32);
}

#define BEFORE "Received: from a.example\n\tby postseal.mx.example " \
	"(postseal) with ESMTP id abc;\n\tSat, 21 Nov 2026 10:00:00 +0000\n"
#define AGAIN "Received: from a.example\n\tby postseal.mx.example " \
	"(postseal) with ESMTP id xyz;\n\tSat, 21 Nov 2026 11:00:00 +0000\n"
#define PLANS FIELDS "To: a@b.example\n\nSecret plans\n"

static void identify_whole(const char *text, unsigned char id[32])
{
	world_envelope(&w, ALICE, NOBODY);
	w.env.forced = DIR_OUTBOUND;
	w.env.whole = true;
	world_message(&w, text);
	world_run(&w);
	memcpy(id, w.v.content, 32);
}

/* attack M24: the next hop hands a mail back to us, or to another door
 * verdict: it is not the same mail tried again, which would be answered with
 * 250 and be nowhere; what a door puts on top itself is no difference */
static void M24_what_passed_us_before_is_another(void **state)
{
	unsigned char first[32], other[32];

	(void)state;
	rules("outbound to " CAROL " : sign, encrypt\noutbound : pass");
	identify(CAROL " " NOBODY, PLANS, first);
	identify(CAROL " " NOBODY, BEFORE PLANS, other);
	assert_memory_not_equal(first, other, 32);
	identify_whole(BEFORE PLANS, first);
	identify_whole(AGAIN PLANS, other); /* tried again */
	assert_memory_equal(first, other, 32);
	identify_whole(AGAIN BEFORE PLANS, other); /* went in a circle */
	assert_memory_not_equal(first, other, 32);
}

static void verdict_names_the_copies(void **state)
{
	struct buf b;

	(void)state;
	rules(HOLDING);
	split_seal(&w, ALICE, NOBODY " " CAROL " " BOB, TO_THREE);
	buf_init(&b, 1u << 20);
	verdict_json(&w.v, &b);
	assert_non_null(strstr(buf_str(&b), "\"action\":\"split\""));
	assert_non_null(strstr(buf_str(&b), "\"here\":1"));
	assert_non_null(strstr(buf_str(&b), "\"kind\":\"sent\",\"group\":2"));
	assert_non_null(strstr(buf_str(&b), "\"kind\":\"held\",\"group\":3"));
	buf_clear(&b);
	verdict_log_line(&w.v, "Q1", &b);
	assert_non_null(strstr(buf_str(&b), "groups=3"));
	assert_non_null(strstr(buf_str(&b), "outcome=quarantined"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    S129_a_blind_recipient_is_alone_and_looks_like_the_others),
		cmocka_unit_test(S129_every_blind_one_is_alone),
		cmocka_unit_test(
		    S130_a_blind_recipient_changes_nothing_for_others),
		cmocka_unit_test(
		    S131_visible_ones_share_unless_a_rule_parts_them),
		cmocka_unit_test(S132_the_order_says_nothing_of_the_envelope),
		cmocka_unit_test(S133_certificates_are_those_of_rcpt_to),
		cmocka_unit_test(RSA_and_EC_do_not_share),
		cmocka_unit_test(
		    S107_S110_who_has_no_cipher_in_common_is_parted),
		cmocka_unit_test(M23_A19_three_rules_are_three_copies),
		cmocka_unit_test(
		    M23_copies_have_a_trace_field_without_recipients),
		cmocka_unit_test(S97_one_signature_for_all_groups_of_a_form),
		cmocka_unit_test(S97_more_forms_than_operations_are_refused),
		cmocka_unit_test(
		    S202_one_refused_refuses_all_with_every_reason),
		cmocka_unit_test(
		    S201_S202_A50_a_fault_in_one_copy_keeps_all_back),
		cmocka_unit_test(some_are_held_some_get_it),
		cmocka_unit_test(all_are_held),
		cmocka_unit_test(M10_without_a_place_to_hold_it_is_refused),
		cmocka_unit_test(M24_what_makes_a_message_the_same),
		cmocka_unit_test(M24_what_passed_us_before_is_another),
		cmocka_unit_test(verdict_names_the_copies),
	};

	return cmocka_run_group_tests_name("gateway_groups", tests,
	    make_world, end_world);
}
