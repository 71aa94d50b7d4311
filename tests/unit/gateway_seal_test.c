/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of the outgoing pipeline with a real keystore: what is refused and
 * how, who gets what, what is left alone.
 */
#include "tests/unit/gateway_world.h"

static struct world w;

#define ALICE "alice@example.com"
#define BOB "bob@example.org"

#define PLAIN                                                               \
	"From: Alice <alice@example.com>\nTo: bob@example.org, "            \
	"carol@partner.example\nSubject: Plans\nMessage-ID: <1@x>\n"        \
	"MIME-Version: 1.0\nContent-Type: text/plain\n\nSecret plans\n"

static int make_world(void **state)
{
	struct cert *c;

	(void)state;
	world_make(&w);
	world_person(&w, ALICE, "rsa:2048");
	world_person(&w, BOB, "ec:p256");
	world_person(&w, "carol@partner.example", "rsa:2048");
	/* dave's ended yesterday */
	c = world_issue(&w, "dave@partner.example", "ec:p256",
	    KS_SIGN | KS_ENCRYPT, time(NULL) - 20 * 86400, 19);
	cert_free(&c);
	world_keys(&w);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

static void expect_reply(int code, const char *enhanced, const char *piece)
{
	if (w.v.code != code || strcmp(w.v.enhanced, enhanced) != 0 ||
	    strstr(w.v.text, piece) == NULL)
		fail_msg("got %d %s %s; wanted %d %s ... %s", w.v.code,
		    w.v.enhanced, w.v.text, code, enhanced, piece);
	assert_true(is_untouched(&w)); /* nothing half-done leaves */
	assert_null(w.v.body);
	assert_int_equal(w.v.edits, 0);
	assert_non_null(strstr(w.v.text, "(id testid)"));
	for (size_t i = 0; i < w.v.rcpts; i++)
		assert_int_equal(w.v.rcpt[i].outcome,
		    code < 500 ? OUT_DEFERRED : OUT_REFUSED);
}

static void sealed_for(const char *to, enum outcome o)
{
	if (w.v.code != 0)
		fail_msg("%d %s (%s)", w.v.code, w.v.text, w.e.msg);
	assert_int_equal(w.v.action, ACT_REPLACED);
	assert_string_equal(w.v.rcpt[0].address, to);
	assert_int_equal(w.v.rcpt[0].outcome, o);
	assert_int_equal(w.v.size_out, w.out.n);
}

/* ---- refusals ---- */

static void S104_missing_certificate_refuses_and_names_all(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign, encrypt\ninbound : verify\n");
	world_seal(&w, ALICE, "bob@example.org nobody@partner.example "
	    "dave@partner.example", PLAIN);
	expect_reply(550, "5.7.3", "nobody@partner.example (no certificate is "
	    "known)");
	expect_reply(550, "5.7.3", "dave@partner.example (");
	assert_null(strstr(w.v.text, "bob@"));
	assert_int_equal(w.v.rcpt[2].overs, 1); /* the expired one, why */
	assert_true(w.v.rcpt[2].over[0].reason[0] != '\0');
}

static void S38_duplicate_fields_are_refused(void **state)
{
	static const char *const name[] = {"From", "Subject", "Date", "To",
	    "Cc", "Message-ID", "Sender", "Reply-To"};
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < ARRAY_LEN(name); i++) {
		buf_clear(&b);
		buf_printf(&b, "%s: alice@example.com\n%s: x@y.example\n"
		    "%s\n", name[i], name[i],
		    i == 0 ? "\nbody" : "From: alice@example.com\n\nbody");
		world_seal(&w, ALICE, BOB, buf_str(&b));
		expect_reply(554, "5.6.0", name[i]);
	}
	buf_free(&b);
}

static void M37_broken_headers_are_refused(void **state)
{
	static const char nul[] = "From: alice@example.com\nSubject: a\0b\n\nx";

	(void)state;
	world_envelope(&w, ALICE, BOB);
	w.env.forced = DIR_OUTBOUND;
	w.env.auth = ENV_AUTH_CALLER;
	world_message_view(&w, view_make(nul, sizeof(nul) - 1));
	world_run(&w);
	expect_reply(554, "5.6.0", "NUL");
	world_seal(&w, ALICE, BOB, "From: alice@example.com\nno field\n\nx");
	expect_reply(554, "5.6.0", "no field");
	world_seal(&w, ALICE, BOB, "From: alice@example.com\nX: a\rb\n\nx");
	expect_reply(554, "5.6.0", "bare CR");
}

static void S17_ambiguous_structure_is_refused(void **state)
{
	(void)state;
	world_seal(&w, ALICE, BOB, "From: alice@example.com\n"
	    "Content-Type: text/plain\nContent-Type: text/html\n\nx\n");
	expect_reply(554, "5.6.0", "Content-Type");
	world_seal(&w, ALICE, BOB, "From: alice@example.com\n"
	    "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b;\n"
	    " boundary=c\n\n--b\n\nx\n--b--\n");
	expect_reply(554, "5.6.0", "ambiguous");
}

struct sign_case {
	const char *from; /* header */
	enum env_auth auth;
	const char *login;
	const char *rules;
	int code; /* 0: goes out */
	const char *enhanced;
	bool is_signed;
};

static const char must[] = "outbound : sign\ninbound : verify\n";
static const char may[] = "outbound : sign or plain\ninbound : verify\n";

static const struct sign_case sign_case[] = {
	{ALICE, ENV_AUTH_CALLER, NULL, must, 0, "", true},
	{ALICE, ENV_AUTH_LOGIN, "alice@example.com", must, 0, "", true},
	{ALICE, ENV_AUTH_LOGIN, "alice", must, 0, "", true},
	{ALICE, ENV_AUTH_LOGIN, "Alice", must, 550, "5.7.1", false},
	{ALICE, ENV_AUTH_LOGIN, "bob@example.org", must, 550, "5.7.1", false},
	{ALICE, ENV_AUTH_LOGIN, "bob@example.org", may, 0, "", false},
	{ALICE, ENV_AUTH_NONE, NULL, must, 550, "5.7.1", false},
	{ALICE, ENV_AUTH_NONE, NULL, may, 0, "", false},
	/* local, but without a certificate */
	{"eve@example.com", ENV_AUTH_CALLER, NULL, must, 550, "5.7.5", false},
	{"eve@example.com", ENV_AUTH_CALLER, NULL, may, 0, "", false},
	/* a certificate and key, but not ours to speak for */
	{"carol@partner.example", ENV_AUTH_CALLER, NULL, must, 550, "5.7.1",
	    false},
	{"alice@example.com, bob@example.org", ENV_AUTH_CALLER, NULL, must,
	    554, "5.6.0", false},
	{"alice@example.com, bob@example.org", ENV_AUTH_CALLER, NULL, may, 0,
	    "", false},
	{"undisclosed:;", ENV_AUTH_CALLER, NULL, must, 554, "5.6.0", false},
	{"<@x:alice@example.com>", ENV_AUTH_CALLER, NULL, must, 554, "5.6.0",
	    false},
};

/* attack A35: a login without the right signs as another author
 * verdict: refused 550 5.7.1, or unsigned where the rule allows it */
static void S58_S59_A35_signing_needs_right_and_certificate(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < ARRAY_LEN(sign_case); i++) {
		const struct sign_case *k = &sign_case[i];

		world_rules(&w, k->rules);
		world_envelope(&w, "mallory@example.com", "x@else.example");
		w.env.forced = DIR_OUTBOUND;
		w.env.auth = k->auth;
		w.env.login = k->login;
		buf_clear(&b);
		buf_printf(&b, "From: %s\nTo: x@else.example\n\nhello\n",
		    k->from);
		world_message(&w, buf_str(&b));
		world_run(&w);
		if (w.v.code != k->code ||
		    strcmp(w.v.enhanced, k->enhanced) != 0 ||
		    has(&w, "pkcs7-signature") != k->is_signed)
			fail_msg("case %zu: %d %s %s", i, w.v.code,
			    w.v.enhanced, w.v.text);
	}
	buf_free(&b);
}

/* attack A35: a worker that was taken over asks for a signature without the
 * right
 * verdict: refused 550 5.7.1: the keys process denies it */
static void A35_the_keys_process_has_the_last_word(void **state)
{
	(void)state;
	world_rules(&w, must);
	world_envelope(&w, ALICE, "x@else.example");
	w.env.forced = DIR_OUTBOUND;
	w.env.auth = ENV_AUTH_CALLER;
	world_message(&w, PLAIN);
	w.keys_fail = FAIL_POLICY;
	world_run(&w);
	expect_reply(550, "5.7.1", ALICE);
	/* a key that it has not yet loaded */
	w.keys_fail = FAIL_INPUT;
	world_run(&w);
	expect_reply(451, "4.7.5", "");
	w.keys_fail = 0;
}

static void M10_faults_are_deferred_and_nothing_leaves(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign, encrypt\ninbound : verify\n");
	world_envelope(&w, ALICE, BOB);
	w.env.forced = DIR_OUTBOUND;
	w.env.auth = ENV_AUTH_CALLER;
	world_message(&w, PLAIN);
	w.keys_fail = FAIL_TEMP;
	world_run(&w);
	w.keys_fail = 0;
	expect_reply(451, "4.7.5", "");
	assert_int_equal(w.e.kind, FAIL_TEMP);
	/* sentence of the log, not of the sender */
	assert_null(strstr(w.v.text, "as told"));
}

static void M39_too_large_is_permanent(void **state)
{
	struct buf b;

	(void)state;
	world_config(&w, "max-message-size 16K");
	world_rules(&w, "outbound : sign, encrypt\ninbound : verify\n");
	buf_init(&b, 1u << 20);
	buf_puts(&b, PLAIN);
	while (b.n < 12000)
		buf_puts(&b, "0123456789012345678901234567890123456789\n");
	world_seal(&w, ALICE, BOB, buf_str(&b)); /* too large when sealed */
	expect_reply(552, "5.3.4", "after it was signed");
	while (b.n < 20000)
		buf_puts(&b, "0123456789012345678901234567890123456789\n");
	world_seal(&w, ALICE, BOB, buf_str(&b));
	expect_reply(552, "5.3.4", "too large");
	buf_free(&b);
	world_config(&w, NULL);
}

static void header_beyond_the_cap_is_refused(void **state)
{
	struct buf b;

	(void)state;
	world_rules(&w, "outbound : encrypt or plain\ninbound : verify\n");
	buf_init(&b, 1u << 20);
	while (b.n < CAP_HEADER_SECTION)
		buf_puts(&b, "X-Long: 01234567890123456789012345678901234\n");
	buf_puts(&b, PLAIN);
	world_seal(&w, ALICE, BOB, buf_str(&b));
	expect_reply(554, "5.6.0", "");
	buf_free(&b);
}

static void refuse_says_its_text(void **state)
{
	(void)state;
	world_rules(&w, "outbound to @partner.example : refuse \"call me\"\n"
	    "outbound : pass\ninbound : pass\n");
	world_seal(&w, ALICE, "bob@example.org carol@partner.example", PLAIN);
	expect_reply(550, "5.7.1", "call me");
	world_seal(&w, ALICE, BOB, PLAIN);
	assert_int_equal(w.v.action, ACT_UNCHANGED);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_PASSED);
}

/* ---- groups ---- */

static void S129_a_hidden_recipient_needs_his_own_copy(void **state)
{
	(void)state;
	world_rules(&w, "outbound : encrypt\ninbound : verify\n");
	world_seal(&w, ALICE, "bob@example.org alice@example.com", PLAIN);
	expect_reply(550, "5.7.3", "bob@example.org, alice@example.com");
	assert_int_not_equal(w.v.rcpt[0].group, w.v.rcpt[1].group);
	/* alone, he gets one */
	world_seal(&w, ALICE, ALICE, PLAIN);
	sealed_for(ALICE, OUT_SEALED);
	/* visible ones share */
	world_seal(&w, ALICE, "bob@example.org carol@partner.example", PLAIN);
	sealed_for(BOB, OUT_SEALED);
	assert_int_equal(w.v.rcpt[0].group, w.v.rcpt[1].group);
	assert_string_equal(w.v.rcpt[1].cert[0].subject,
	    "CN=carol@partner.example");
}

static void S129_signed_only_copies_are_shared_by_all(void **state)
{
	(void)state;
	world_rules(&w, must);
	world_seal(&w, ALICE, "bob@example.org hidden@else.example", PLAIN);
	sealed_for(BOB, OUT_SIGNED);
}

static void different_treatments_are_refused_by_name(void **state)
{
	(void)state;
	world_rules(&w, "outbound to @partner.example : sign\n"
	    "outbound : encrypt or plain\ninbound : verify\n");
	world_seal(&w, ALICE, "bob@example.org carol@partner.example", PLAIN);
	expect_reply(550, "5.7.3", "bob@example.org, carol@partner.example");
	/* the same in effect: both plain */
	world_rules(&w, "outbound to @partner.example : pass\n"
	    "outbound : encrypt or plain\ninbound : verify\n");
	world_seal(&w, ALICE, "x@else.example carol@partner.example", PLAIN);
	assert_int_equal(w.v.action, ACT_UNCHANGED);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_PLAIN);
	assert_int_equal(w.v.rcpt[1].outcome, OUT_PASSED);
}

static void direction_comes_from_login_and_network(void **state)
{
	struct {
		const char *ip;
		enum env_auth auth;
		const char *to;
		enum direction want;
	} k[] = {
		{NULL, ENV_AUTH_NONE, "x@else.example", DIR_INBOUND},
		{"192.0.2.1", ENV_AUTH_NONE, "x@example.com", DIR_INBOUND},
		{"127.0.0.1", ENV_AUTH_NONE, "x@else.example", DIR_OUTBOUND},
		{"IPv6:::1", ENV_AUTH_NONE, "x@else.example", DIR_OUTBOUND},
		{"127.0.0.1", ENV_AUTH_NONE, "x@example.com", DIR_INTERNAL},
		{"192.0.2.1", ENV_AUTH_LOGIN, "x@else.example", DIR_OUTBOUND},
		{"192.0.2.1", ENV_AUTH_LOGIN, "x@example.org", DIR_INTERNAL},
		{"127.0.0.1", ENV_AUTH_NONE, "root", DIR_INTERNAL},
	};

	(void)state;
	world_rules(&w, "outbound : pass\ninbound : pass\n");
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		world_envelope(&w, ALICE, k[i].to);
		w.env.client_ip = k[i].ip;
		w.env.auth = k[i].auth;
		w.env.login = "alice";
		world_message(&w, PLAIN);
		world_run(&w);
		assert_int_equal(w.v.direction, k[i].want);
		assert_false(w.v.mixed);
	}
	world_envelope(&w, ALICE, "x@example.com y@else.example");
	w.env.auth = ENV_AUTH_LOGIN;
	w.env.login = "alice";
	world_message(&w, PLAIN);
	world_run(&w);
	assert_true(w.v.mixed);
	assert_int_equal(w.v.direction, 0);
	assert_true(is_untouched(&w));
}

static void a_sealed_and_an_opened_copy_cannot_share(void **state)
{
	static const char rules[] = "outbound : sign or plain\n"
	    "internal : decrypt, verify\ninbound : verify\n";

	(void)state;
	world_rules(&w, rules);
	world_envelope(&w, ALICE, "x@else.example bob@example.org");
	w.env.auth = ENV_AUTH_LOGIN;
	w.env.login = "alice";
	world_message(&w, PLAIN);
	world_run(&w);
	expect_reply(550, "5.7.3", "x@else.example, bob@example.org");
	/* nobody's copy is changed: then they can */
	w.env.login = "bob";
	world_run(&w);
	assert_int_equal(w.v.code, 0);
	assert_true(is_untouched(&w));
	/* a demand holds */
	world_rules(&w, "outbound : sign or plain\n"
	    "internal : verify or reject\ninbound : verify\n");
	world_run(&w);
	expect_reply(550, "5.7.1", "");
	/* but one that must not be left in clear cannot */
	world_rules(&w, "outbound : sign or plain\n"
	    "internal : store-encrypted\ninbound : verify\n");
	world_run(&w);
	expect_reply(550, "5.7.3", "");
}

/* ---- form of what goes out ---- */

static void S37_headers_stay_and_mime_fields_move(void **state)
{
	static const char *const stays[] = {"Received: by mx\r\n",
	    "From: Alice <alice@example.com>\r\n", "Subject: a\r\n b\r\n",
	    "X-Own: 1\r\n", "List-Id: <l.example>\r\n",
	    "DKIM-Signature: v=1\r\n", "Bcc-Like: x\r\n",
	    "Message-ID: <1@x>\r\n"};

	(void)state;
	world_rules(&w, "outbound : encrypt\ninbound : verify\n");
	world_seal(&w, ALICE, BOB, "Received: by mx\n"
	    "From: Alice <alice@example.com>\nSubject: a\n b\nX-Own: 1\n"
	    "List-Id: <l.example>\nDKIM-Signature: v=1\nBcc-Like: x\n"
	    "Bcc: hidden@x.example\n"
	    "Content-Language: de\ncontent-type: text/plain\n"
	    "MIME-VERSION: 1.0\nContent-ID: <c@x>\n"
	    "Content-Disposition: inline\nMessage-ID: <1@x>\n\nSecret plans\n");
	sealed_for(BOB, OUT_SEALED);
	for (size_t i = 0; i < ARRAY_LEN(stays); i++)
		assert_true(has(&w, stays[i]));
	assert_int_equal(count_of(&w, "MIME-Version: 1.0\r\n"), 1);
	assert_false(has(&w, "MIME-VERSION"));
	assert_false(has(&w, "Content-Language"));
	assert_false(has(&w, "hidden@"));
	assert_false(has(&w, "Content-ID"));
	assert_int_equal(count_of(&w, "ontent-"), 3);
	assert_false(has(&w, "Secret"));
	/* edits: deletions first, highest index first within a name */
	for (size_t i = 1; i < w.v.edits; i++) {
		assert_false(w.v.edit[i].kind == EDIT_DELETE &&
		    w.v.edit[i - 1].kind != EDIT_DELETE);
		if (w.v.edit[i].kind == EDIT_DELETE &&
		    strcasecmp(w.v.edit[i].name, w.v.edit[i - 1].name) == 0)
			assert_true(w.v.edit[i].index <
			    w.v.edit[i - 1].index);
	}
}

static void opaque_is_one_pkcs7_part(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign, opaque\ninbound : verify\n");
	world_seal(&w, ALICE, BOB, PLAIN);
	sealed_for(BOB, OUT_SIGNED);
	assert_true(has(&w, "smime-type=signed-data"));
	assert_false(has(&w, "multipart/signed"));
	assert_false(has(&w, "Secret plans"));
}

static void profile_sets_the_digest(void **state)
{
	(void)state;
	world_rules(&w, "profile long digest sha-512\n"
	    "outbound : sign, profile long\ninbound : verify\n");
	world_seal(&w, ALICE, BOB, PLAIN);
	sealed_for(BOB, OUT_SIGNED);
	assert_true(has(&w, "micalg=sha-512"));
}

static void S11_content_under_a_signature_is_not_touched(void **state)
{
	struct buf signed_once;

	(void)state;
	world_rules(&w, must);
	world_seal(&w, ALICE, BOB, PLAIN);
	sealed_for(BOB, OUT_SIGNED);
	buf_init(&signed_once, 1u << 20);
	buf_putv(&signed_once, buf_view(&w.out));
	/* no second signature */
	world_seal(&w, ALICE, BOB, buf_str(&signed_once));
	assert_int_equal(w.v.class, CLASS_SIGNED);
	assert_int_equal(w.v.action, ACT_UNCHANGED);
	/* but encrypted as it is */
	world_rules(&w, "outbound : sign, encrypt\n"
	    "inbound : decrypt, verify\n");
	world_seal(&w, ALICE, BOB, buf_str(&signed_once));
	sealed_for(BOB, OUT_SEALED);
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(w.v.sig_result, "pass");
	/* encrypted mail is left as it is, and satisfies the rule */
	world_seal(&w, ALICE, BOB, PLAIN);
	buf_clear(&signed_once);
	buf_putv(&signed_once, buf_view(&w.out));
	world_seal(&w, ALICE, "nobody@else.example", buf_str(&signed_once));
	assert_int_equal(w.v.class, CLASS_ENCRYPTED);
	assert_int_equal(w.v.action, ACT_UNCHANGED);
	assert_int_equal(w.v.code, 0);
	buf_free(&signed_once);
}

/* ---- classes ---- */

#define REPORT(type, third)                                                 \
	"From: mailer@example.com\nTo: bob@example.org\nMIME-Version: 1.0\n" \
	"Content-Type: multipart/report; report-type=" type "; boundary=b\n" \
	"\n--b\nContent-Type: text/plain\n\nSorry\n"                        \
	"--b\nContent-Type: message/" type "\n\nReporting-MTA: dns; x\n\n"  \
	"--b\nContent-Type: " third "\n\nSubject: x\n\n--b--\n"

static void S46_a_bounce_goes_out_as_it_is(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign, encrypt\ninbound : verify\n");
	world_seal(&w, "<>", BOB, REPORT("delivery-status",
	    "text/rfc822-headers"));
	assert_int_equal(w.v.class, CLASS_DSN);
	assert_int_equal(w.v.code, 0);
	assert_true(is_untouched(&w));
	world_seal(&w, "<>", BOB, REPORT("disposition-notification",
	    "text/rfc822-headers"));
	assert_int_equal(w.v.class, CLASS_MDN);
	assert_true(is_untouched(&w));
}

struct declared {
	const char *from; /* envelope */
	const char *text;
	enum msg_class class;
};

static const struct declared declared[] = {
	/* a PDF where a report has its third part */
	{"<>", REPORT("delivery-status", "application/pdf"), CLASS_DSN},
	/* sent by somebody */
	{ALICE, REPORT("delivery-status", "text/rfc822-headers"), CLASS_DSN},
	{"<>", "From: alice@example.com\nMIME-Version: 1.0\n"
	       "Content-Type: multipart/report; report-type=delivery-status; "
	       "boundary=b\n\n--b\n\nonly one part\n--b--\n", CLASS_DSN},
	{ALICE, "From: alice@example.com\nSubject: Re: ACME: x\n"
		"Auto-Submitted: auto-generated; type=acme\n\nsecret\n",
	    CLASS_ACME},
	{ALICE, "From: alice@example.com\nTLS-Report-Domain: x\n\nsecret\n",
	    CLASS_REPORT},
	{ALICE, "From: alice@example.com\nMIME-Version: 1.0\n"
		"Content-Type: multipart/encrypted; boundary=b;\n"
		" protocol=\"application/pgp-encrypted\"\n\n--b\n"
		"Content-Type: application/pgp-encrypted\n\nVersion: 1\n\n"
		"--b\nContent-Type: application/octet-stream\n\nclear!\n"
		"--b--\n", CLASS_PGP},
};

static void S45_a_declared_class_weakens_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(declared); i++) {
		world_rules(&w, "outbound : encrypt\ninbound : verify\n");
		world_seal(&w, declared[i].from, BOB, declared[i].text);
		assert_int_equal(w.v.class, declared[i].class);
		expect_reply(550, "5.7.3", class_str(declared[i].class));
		/* where it is not an obligation it passes */
		world_rules(&w, "outbound : sign or plain, encrypt or plain\n"
		    "inbound : verify\n");
		world_seal(&w, declared[i].from, BOB, declared[i].text);
		assert_int_equal(w.v.code, 0);
		assert_true(is_untouched(&w));
	}
}

static void S45_an_encrypted_label_is_not_believed(void **state)
{
	(void)state;
	world_rules(&w, "outbound : encrypt\ninbound : verify\n");
	world_seal(&w, ALICE, BOB, "From: alice@example.com\n"
	    "MIME-Version: 1.0\nContent-Type: application/pkcs7-mime;\n"
	    " smime-type=enveloped-data; name=smime.p7m\n"
	    "Content-Transfer-Encoding: base64\n\nU2VjcmV0IHBsYW5z\n");
	/* then it is mail like any other */
	assert_int_not_equal(w.v.class, CLASS_ENCRYPTED);
	sealed_for(BOB, OUT_SEALED);
	assert_false(has(&w, "U2VjcmV0IHBsYW5z"));
}

static void null_sender_is_encrypted_but_not_signed(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign, encrypt\ninbound : verify\n");
	world_seal(&w, "<>", BOB, "From: alice@example.com\n"
	    "Auto-Submitted: auto-replied\n\nOn holiday\n");
	sealed_for(BOB, OUT_SEALED);
	assert_int_equal(w.v.class, CLASS_AUTO);
	assert_int_equal(w.key_ops, 0);
	world_rules(&w, "outbound : sign, encrypt or plain\ninbound : pass\n");
	world_seal(&w, "<>", BOB, "From: alice@example.com\n\nOn holiday\n");
	assert_true(is_untouched(&w));
}

static void pgp_signed_mail_is_encrypted_as_it_is(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign, encrypt\ninbound : decrypt\n");
	world_seal(&w, ALICE, BOB, "From: alice@example.com\n"
	    "MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=b;\n"
	    " protocol=\"application/pgp-signature\"; micalg=pgp-sha256\n\n"
	    "--b\nContent-Type: text/plain\n\nhello \n--b\n"
	    "Content-Type: application/pgp-signature\n\nx\n--b--\n");
	assert_int_equal(w.v.class, CLASS_PGP);
	sealed_for(BOB, OUT_SEALED);
	assert_int_equal(w.key_ops, 0);
	world_open_again(&w, ALICE, BOB);
	assert_true(has(&w, "\r\n\r\nhello \r\n--b"));
}

static void classes_that_are_not_signed(void **state)
{
	static const char calendar[] = "From: alice@example.com\n"
	    "MIME-Version: 1.0\nContent-Type: multipart/alternative; "
	    "boundary=b\n\n--b\n\ninvitation\n--b\nContent-Type: "
	    "text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\n--b--\n";
	static const char resent[] = "From: alice@example.com\nResent-From: "
	    "bob@example.org\n\nhello\n";

	(void)state;
	world_rules(&w, "outbound : sign or plain, encrypt or plain\n"
	    "inbound : verify\n");
	world_seal(&w, ALICE, BOB, calendar);
	assert_int_equal(w.v.class, CLASS_CALENDAR);
	assert_true(is_untouched(&w));
	world_seal(&w, ALICE, BOB, resent);
	assert_int_equal(w.v.class, CLASS_RESENT);
	assert_int_equal(w.key_ops, 0);
	/* an obligation to encrypt still holds */
	world_rules(&w, "outbound : encrypt\ninbound : verify\n");
	world_seal(&w, ALICE, BOB, calendar);
	sealed_for(BOB, OUT_SEALED);
	world_seal(&w, ALICE, BOB, resent);
	sealed_for(BOB, OUT_SEALED);
}

static void poisoned_bytes_are_final(void **state)
{
	(void)state;
	world_envelope(&w, ALICE, "x@else.example");
	w.env.client_ip = "127.0.0.1";
	world_message(&w, PLAIN);
	verdict_free(&w.v);
	world_poisoned(&w);
	assert_int_equal(w.v.code, 554);
	assert_int_equal(w.v.action, ACT_REJECTED);
	verdict_free(&w.v);
	w.env.client_ip = "192.0.2.7";
	world_poisoned(&w);
	assert_int_equal(w.v.code, 0);
	assert_string_equal(w.v.sig_result, "permerror");
	assert_int_equal(w.v.edits, 1);
	assert_non_null(strstr(w.v.edit[0].value, "smime=permerror"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    S104_missing_certificate_refuses_and_names_all),
		cmocka_unit_test(S38_duplicate_fields_are_refused),
		cmocka_unit_test(M37_broken_headers_are_refused),
		cmocka_unit_test(S17_ambiguous_structure_is_refused),
		cmocka_unit_test(
		    S58_S59_A35_signing_needs_right_and_certificate),
		cmocka_unit_test(A35_the_keys_process_has_the_last_word),
		cmocka_unit_test(M10_faults_are_deferred_and_nothing_leaves),
		cmocka_unit_test(M39_too_large_is_permanent),
		cmocka_unit_test(header_beyond_the_cap_is_refused),
		cmocka_unit_test(refuse_says_its_text),
		cmocka_unit_test(S129_a_hidden_recipient_needs_his_own_copy),
		cmocka_unit_test(S129_signed_only_copies_are_shared_by_all),
		cmocka_unit_test(different_treatments_are_refused_by_name),
		cmocka_unit_test(direction_comes_from_login_and_network),
		cmocka_unit_test(a_sealed_and_an_opened_copy_cannot_share),
		cmocka_unit_test(S37_headers_stay_and_mime_fields_move),
		cmocka_unit_test(opaque_is_one_pkcs7_part),
		cmocka_unit_test(profile_sets_the_digest),
		cmocka_unit_test(S11_content_under_a_signature_is_not_touched),
		cmocka_unit_test(S46_a_bounce_goes_out_as_it_is),
		cmocka_unit_test(S45_a_declared_class_weakens_nothing),
		cmocka_unit_test(S45_an_encrypted_label_is_not_believed),
		cmocka_unit_test(null_sender_is_encrypted_but_not_signed),
		cmocka_unit_test(pgp_signed_mail_is_encrypted_as_it_is),
		cmocka_unit_test(classes_that_are_not_signed),
		cmocka_unit_test(poisoned_bytes_are_final),
	};

	return cmocka_run_group_tests_name("gateway_seal", tests, make_world,
	    end_world);
}
