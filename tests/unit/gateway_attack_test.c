/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of the pipeline against people who know it: recipients spelled so
 * that no rule fits, ciphertext re-addressed, labels that lie, results
 * forged by our own users.
 */
#include "tests/unit/gateway_world.h"

#include "smime/codec.h"
#include "smime/encrypt.h"

static struct world w;

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
#define CAROL "carol@example.com"
#define DAVE "dave@partner.example"
#define MUST "outbound : sign, encrypt\ninbound : decrypt, verify\n"

#define PLAIN                                                               \
	"From: Alice <alice@example.com>\nTo: bob@example.org, "            \
	"dave@partner.example\nSubject: Plans\nMIME-Version: 1.0\n"         \
	"Content-Type: text/plain\n\nSecret plans\n"

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, ALICE, "rsa:2048");
	world_person(&w, BOB, "ec:p256");
	world_person(&w, CAROL, "rsa:2048");
	world_person(&w, DAVE, "ec:p256");
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

/* As the milter sees it. */
static void submit(const char *from, const char *to, const char *login,
    const char *text)
{
	world_envelope(&w, from, to);
	w.env.auth = login == NULL ? ENV_AUTH_NONE : ENV_AUTH_LOGIN;
	w.env.login = login;
	world_message(&w, text);
	world_run(&w);
}

static void expect_reply(int code, const char *enhanced, const char *piece)
{
	if (w.v.code != code || strcmp(w.v.enhanced, enhanced) != 0 ||
	    strstr(w.v.text, piece) == NULL)
		fail_msg("got %d %s %s; wanted %d %s ... %s", w.v.code,
		    w.v.enhanced, w.v.text, code, enhanced, piece);
	assert_true(is_untouched(&w));
	assert_int_equal(w.v.edits, 0);
}

static void expect_sealed(void)
{
	if (w.v.code != 0)
		fail_msg("%d %s (%s)", w.v.code, w.v.text, w.e.msg);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_SEALED);
	assert_false(has(&w, "Secret plans"));
}

/* ---- recipients ---- */

static const char *const unreadable[] = {
	"<dave@partner.example.>",
	"<@relay.example:dave@partner.example>",
	"<dave@[192.0.2.1]>",
	"<dave@192.0.2.1>",
	"<dave@#3221225985>",
	"<dave@my_host.partner.example>",
	"<dave@-x.partner.example>",
	"<dave..x@partner.example>",
	"<.dave@partner.example>",
	"<dave.@partner.example>",
	"<\"dave\tb\"@partner.example>",
	"<partner.example!dave>",
	"<dave%partner.example>",
	"<dave@partner.example@example.com>",
	"<dave@partner.example",
	"<dave@partner.example>>",
	"<da\\ve@partner.example>",
	"<dave;x@partner.example>",
	"<(c)dave@partner.example>",
	"<>",
	"<\"dave\">",
	"<da:ve>",
	"<d\303\244ve>",
	/* the percent hack and its sisters */
	"<dave%partner.example@example.com>",
	"<partner.example!dave@example.org>",
	"<\"dave@partner.example\"@example.com>",
	"<dave%partner.example@mx.example.com>",
};

/* attack A24: recipients spelled so that no rule fits them: routes, percent
 * hack, literals, final dots
 * verdict: refused 553 5.1.3, nothing is sent in the clear */
static void M10_A24_recipients_that_cannot_be_read_are_refused(void **state)
{
	char longer[300];

	(void)state;
	world_rules(&w, MUST);
	for (size_t i = 0; i < ARRAY_LEN(unreadable); i++) {
		submit(ALICE, unreadable[i], ALICE, PLAIN);
		if (w.v.code != 553)
			fail_msg("%s: %d %s", unreadable[i], w.v.code,
			    w.v.text);
		expect_reply(553, "5.1.3", "not understood: <");
		assert_int_equal(w.v.rcpt[0].outcome, OUT_REFUSED);
	}
	memset(longer, 'x', sizeof(longer));
	memcpy(longer + 260, "@partner.example", 17);
	submit(ALICE, longer, ALICE, PLAIN);
	expect_reply(553, "5.1.3", "xxx");
}

/* attack A24: the same from a trusted network, or one of them among readable
 * ones
 * verdict: refused 553 5.1.3 as a whole */
static void M10_A24_also_by_network_and_when_forced(void **state)
{
	(void)state;
	world_rules(&w, MUST);
	world_envelope(&w, ALICE, "<dave@partner.example.>");
	w.env.client_ip = "127.0.0.1";
	world_message(&w, PLAIN);
	world_run(&w);
	expect_reply(553, "5.1.3", "dave@partner.example.");
	world_seal(&w, ALICE, "<dave@partner.example.>", PLAIN);
	expect_reply(553, "5.1.3", "dave@partner.example.");
	/* among others: all of it, but named is only who is at fault */
	submit(ALICE, "<dave@partner.example> <x@y.z.> <a%b@example.com>",
	    ALICE, PLAIN);
	expect_reply(553, "5.1.3", "<x@y.z.>, <a%b@example.com> (id");
	assert_null(strstr(w.v.text, "dave@"));
	/* whatever its header is like */
	submit(ALICE, "<x@y.z.>", ALICE, "no header");
	expect_reply(553, "5.1.3", "x@y.z.");
}

static void A24_incoming_mail_to_them_is_not_refused(void **state)
{
	(void)state;
	world_rules(&w, MUST);
	for (size_t i = 0; i < ARRAY_LEN(unreadable); i++) {
		submit("x@else.example", unreadable[i], NULL, PLAIN);
		assert_int_equal(w.v.code, 0);
		assert_int_equal(w.v.direction, DIR_INBOUND);
		assert_true(is_untouched(&w));
	}
}

/* attack A24: a bare local part for a recipient, past the rules or to
 * somebody's key
 * verdict: the rules of our first domain; no key is used */
static void A24_a_bare_name_is_a_local_mailbox(void **state)
{
	static const char *const bare[] = {"carol", "<carol>", "<Carol>"};

	(void)state;
	world_rules(&w, "outbound : sign, encrypt\ninbound : decrypt, verify\n"
	    "internal to carol@example.com : refuse \"carol\"\n"
	    "internal : pass\n");
	for (size_t i = 0; i < ARRAY_LEN(bare); i++) {
		submit(ALICE, bare[i], ALICE, PLAIN);
		expect_reply(550, "5.7.1", "carol");
	}
	submit(ALICE, "<root>", ALICE, PLAIN);
	assert_int_equal(w.v.direction, DIR_INTERNAL);
	assert_true(is_untouched(&w));
	/* but no key is his: the mail server knows which domain it means */
	world_rules(&w, MUST);
	world_seal(&w, ALICE, CAROL, PLAIN);
	expect_sealed();
	world_open_again(&w, ALICE, "<carol>");
	assert_string_equal(w.v.dec_result, "no-key");
	assert_int_equal(w.key_ops, 0);
}

/* attack A24: a second author in From, so that a line for the first one does
 *   not fit, rule and also line
 * verdict: every line for some author is meant: encrypted, or refused */
static void A24_S45_a_second_author_is_no_way_out_of_a_line(void **state)
{
	static const char *const rules[] = {
		"outbound from " ALICE " : encrypt\n"
		"outbound : pass\ninbound : pass\n",
		"also outbound from " ALICE " : encrypt\n"
		"outbound : pass\ninbound : pass\n",
	};
	static const char two[] = "From: " ALICE ", x@example.net\nTo: "
	    DAVE "\nSubject: x\n\nsecret words\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		world_rules(&w, rules[i]);
		submit(ALICE, DAVE, ALICE, two);
		assert_int_equal(w.v.code, 0);
		expect_sealed();
		submit(ALICE, "<nobody@partner.example>", ALICE, two);
		assert_int_equal(w.v.code, 550);
		/* one author whom no line names, and none at all */
		submit(ALICE, "<nobody@partner.example>", ALICE,
		    "From: x@example.net\n\nwords\n");
		assert_int_equal(w.v.code, 0);
		submit(ALICE, "<nobody@partner.example>", ALICE,
		    "Subject: x\n\nwords\n");
		assert_int_equal(w.v.code, 0);
	}
}

static void A24_odd_but_readable_recipients_are_as_before(void **state)
{
	(void)state;
	world_rules(&w, "outbound : pass\ninbound : pass\n");
	submit(ALICE, "<a%b@partner.example> <c!d@partner.example>", ALICE,
	    PLAIN);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.direction, DIR_OUTBOUND);
	submit(ALICE, "<carol+a=b@example.com>", ALICE, PLAIN);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.direction, DIR_INTERNAL);
	/* no host of ours, though it looks like one */
	submit(ALICE, "<a%b@notexample.com>", ALICE, PLAIN);
	assert_int_equal(w.v.code, 0);
}

/* ---- ciphertext, re-addressed ---- */

static struct cert *cert_of(const char *who)
{
	struct selection s = {0};
	struct cert *c;
	struct addr a;

	assert_int_equal(addr_parse(&a, view_of(who), NULL), 0);
	assert_int_equal(keystore_select(w.ks, &a, KS_ENCRYPT, time(NULL), &s,
	    NULL), 0);
	assert_non_null(s.cert);
	c = cert_ref(s.cert);
	selection_free(&s);
	return c;
}

/* DER as a message in w.out. */
static void put_message(struct view der)
{
	struct b64_enc enc;

	buf_clear(&w.out);
	buf_puts(&w.out, "From: alice@example.com\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: application/pkcs7-mime; name=smime.p7m;\r\n"
	    "\tsmime-type=enveloped-data\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n");
	b64_enc_init(&enc, sink_to_buf(&w.out));
	assert_int_equal(b64_enc_put(&enc, der.p, der.n, NULL), 0);
	assert_int_equal(b64_enc_end(&enc, NULL), 0);
}

/* Secret plans for these people; der gets the CMS object. */
static void encrypt_for(const char *const *who, size_t n,
    enum enc_cipher cipher, struct buf *der)
{
	static const char text[] =
	    "Content-Type: text/plain\r\n\r\nSecret plans\r\n";
	struct spool *entity = NULL, *sealed = NULL;
	struct sink to = sink_to_buf(der);
	struct enc_to c[8] = {{0}};
	struct cert *own[8];
	struct header h;

	for (size_t i = 0; i < n; i++)
		c[i].cert = own[i] = cert_of(who[i]);
	assert_int_equal(spool_new(&entity, 1u << 20, NULL), 0);
	assert_int_equal(spool_new(&sealed, 1u << 20, NULL), 0);
	assert_int_equal(spool_write(entity, text, strlen(text), NULL), 0);
	assert_int_equal(encrypt_entity(entity, c, n, cipher, sealed, NULL),
	    0);
	assert_int_equal(header_read(&h, sealed, 0, spool_size(sealed),
	    NULL), 0);
	buf_clear(der);
	assert_int_equal(codec_decode(sealed, h.body_off, spool_size(sealed),
	    CTE_BASE64, &to, NULL, NULL), 0);
	header_free(&h);
	spool_free(&entity);
	spool_free(&sealed);
	for (size_t i = 0; i < n; i++)
		cert_free(&own[i]);
}

/* The encrypted key of his RecipientInfo is another one's now. */
static void spoil_key_of(struct buf *der, const char *who)
{
	struct cert *c = cert_of(who);
	struct view ias = cert_ias(c);
	unsigned char *p = memmem(der->p, der->n, ias.p, ias.n);

	assert_non_null(p);
	/* rsaEncryption, NULL, OCTET STRING of 256 octets; or of a wrapped
	 * key of 40 */
	p = memmem(p, 400, cert_key_type(c) == CERT_KEY_RSA
	    ? "\x04\x82\x01\x00" : "\x04\x28", cert_key_type(c) ==
	    CERT_KEY_RSA ? 4 : 2);
	assert_non_null(p);
	p[30] ^= 0x55;
	cert_free(&c);
}

static const char alice_and_carol[] = ALICE " " CAROL;
static const char carol_and_alice[] = CAROL " " ALICE;
static const char alice_and_bob[] = ALICE " " BOB;
static const char bob_and_alice[] = BOB " " ALICE;

struct forged {
	const char *sound; /* her RecipientInfo is, the other's is not */
	const char *spoilt;
	const char *to;
};

/* RecipientInfos have an order of their own, so both ways. */
static const struct forged forged[] = {
	{ALICE, CAROL, alice_and_carol}, {ALICE, CAROL, carol_and_alice},
	{CAROL, ALICE, alice_and_carol}, {CAROL, ALICE, carol_and_alice},
	{ALICE, BOB, alice_and_bob},	 {ALICE, BOB, bob_and_alice},
	{BOB, ALICE, alice_and_bob},	 {ALICE, CAROL, CAROL},
	{ALICE, BOB, BOB},
};

/* attack A9: captured ciphertext with a RecipientInfo added that names another
 * recipient
 * verdict: not opened: every recipient's own RecipientInfo must give the same
 * key */
static void A9_S203_to_be_named_opens_nothing(void **state)
{
	static const enum enc_cipher cipher[] = {ENC_AES256_CBC,
	    ENC_AES256_GCM};
	struct buf der;

	(void)state;
	world_rules(&w, MUST);
	buf_init(&der, 1u << 20);
	for (size_t i = 0; i < 2 * ARRAY_LEN(forged); i++) {
		const struct forged *f = &forged[i / 2];
		const char *who[] = {f->sound, f->spoilt};

		encrypt_for(who, 2, cipher[i % 2], &der);
		put_message(buf_view(&der));
		world_open_again(&w, "mallory@else.example", f->to);
		assert_string_equal(w.v.dec_result, "decrypted");
		spoil_key_of(&der, f->spoilt);
		put_message(buf_view(&der));
		world_open_again(&w, "mallory@else.example", f->to);
		if (strcmp(w.v.dec_result, "failed") != 0)
			fail_msg("case %zu: %s", i, w.v.dec_result);
		/* one outward face (A5) */
		assert_string_equal(w.v.dec_reason,
		    "the message does not open");
		assert_true(has(&w, "(encrypted, could not be opened here)"));
		assert_false(has(&w, "Secret plans"));
		assert_null(w.v.body);
		assert_int_equal(w.v.code, 0);
		/* every key was asked, whatever the first one said */
		assert_int_equal(w.key_ops, w.env.rcpts);
		/* the sound one still opens it for its owner */
		put_message(buf_view(&der));
		world_open_again(&w, "mallory@else.example", f->sound);
		assert_string_equal(w.v.dec_result, "decrypted");
	}
	buf_free(&der);
}

/* No noise in it, only the padding is none: its last block is gone. */
/* attack A2 A5: CBC ciphertext without its last block, so without noise but
 * with no padding
 * verdict: delivered as it arrived, like all that does not open */
static void A2_A5_bad_padding_is_not_delivered(void **state)
{
	static const char *const who[] = {ALICE};
	struct buf der;
	size_t at;

	(void)state;
	world_rules(&w, MUST);
	buf_init(&der, 1u << 20);
	encrypt_for(who, 1, ENC_AES256_CBC, &der);
	at = der.n - 5 * 2 - 18; /* before five end-of-contents */
	assert_memory_equal(der.p + at, "\x04\x10", 2);
	memmove(der.p + at, der.p + at + 18, 5 * 2);
	der.n -= 18;
	put_message(buf_view(&der));
	world_open_again(&w, "mallory@else.example", ALICE);
	assert_string_equal(w.v.dec_result, "failed");
	assert_null(w.v.body);
	assert_int_equal(w.key_ops, 1);
	buf_free(&der);
}

/* Opens w.out for these, with so many key operations. */
static void expect_opening(const char *to, const char *result, int key_ops)
{
	struct buf copy;

	buf_init(&copy, 1u << 20);
	buf_putv(&copy, buf_view(&w.out));
	world_open_again(&w, ALICE, to);
	if (strcmp(w.v.dec_result, result) != 0)
		fail_msg("%s: %s", to, w.v.dec_result);
	assert_int_equal(w.key_ops, key_ops);
	if (strcmp(result, "decrypted") != 0)
		assert_true(is_untouched(&w));
	buf_clear(&w.out);
	buf_putv(&w.out, buf_view(&copy));
	buf_free(&copy);
}

static void S97_S203_more_keys_than_operations_stay_sealed(void **state)
{
	static const char *const who[] = {ALICE, BOB, CAROL, DAVE,
	    "eve@example.com"};
	static const char four[] = ALICE " " BOB " " CAROL " " DAVE;
	static const char five[] =
	    ALICE " " BOB " " CAROL " " DAVE " eve@example.com";
	struct buf der;

	(void)state;
	world_person(&w, "eve@example.com", "ec:p256");
	world_config(&w, "recipient-delimiter +");
	world_rules(&w, MUST);
	buf_init(&der, 1u << 20);
	encrypt_for(who, 5, ENC_AES256_CBC, &der);
	put_message(buf_view(&der));
	expect_opening(ALICE, "decrypted", 1);
	expect_opening("alice@example.com alice+lists@example.com",
	    "decrypted", 1);
	expect_opening(four, "decrypted", 4);
	expect_opening(five, "limit", 0);
	buf_free(&der);
	world_config(&w, NULL);
}

/* ---- encrypted already, they say ---- */

/* w.out with this at its end, or before its body. */
static void seal_again(const char *rules, const char *to, const char *before,
    const char *after)
{
	unsigned char *body = memmem(w.out.p, w.out.n, "\r\n\r\n", 4);
	struct buf b;

	assert_non_null(body);
	body += 4;
	buf_init(&b, 1u << 20);
	buf_put(&b, w.out.p, (size_t)(body - w.out.p));
	buf_puts(&b, before);
	buf_put(&b, body, w.out.n - (size_t)(body - w.out.p));
	buf_puts(&b, after);
	world_rules(&w, rules);
	world_seal(&w, ALICE, to, buf_str(&b));
	buf_free(&b);
}

static void S45_text_beside_the_object_is_sealed_with_it(void **state)
{
	static const char *const junk[][2] = {
		{"", "\r\n-- \r\nSecret plans!\r\n"},
		{"", "Secretplans\r\n"},
		{"(-: \xff\r\n", ""},
	};
	struct buf der;
	const char *who[] = {DAVE};

	(void)state;
	buf_init(&der, 1u << 20);
	encrypt_for(who, 1, ENC_AES256_CBC, &der);
	for (size_t i = 0; i < ARRAY_LEN(junk); i++) {
		put_message(buf_view(&der));
		seal_again(MUST, DAVE, junk[i][0], junk[i][1]);
		assert_int_not_equal(w.v.class, CLASS_ENCRYPTED);
		expect_sealed();
		assert_false(has(&w, "Secretplans"));
		/* and refused where it cannot be */
		put_message(buf_view(&der));
		seal_again(MUST, "x@else.example", junk[i][0], junk[i][1]);
		expect_reply(550, "5.7.3", "x@else.example");
	}
	/* blanks and line ends are none */
	put_message(buf_view(&der));
	seal_again(MUST, DAVE, "", " \t\r\n\r\n");
	assert_int_equal(w.v.class, CLASS_ENCRYPTED);
	assert_int_equal(w.v.action, ACT_UNCHANGED);
	buf_free(&der);
}

/* Made for some, sent to others. */
struct sent {
	const char *made[3];
	const char *to;
	int code; /* 0: goes */
	bool is_left; /* else sealed again */
};

static const struct sent sent[] = {
	{{DAVE}, DAVE, 0, true},
	{{ALICE, DAVE}, DAVE, 0, true},
	{{ALICE, DAVE}, "dave@partner.example bob@example.org", 0, false},
	{{DAVE, BOB}, "dave@partner.example bob@example.org", 0, true},
	{{ALICE}, DAVE, 0, false},
	{{ALICE, BOB, CAROL}, DAVE, 0, false},
	/* a certificate that is not known: as many as there are people */
	{{ALICE}, "x@else.example", 0, true},
	{{ALICE}, "x@else.example y@else.example", 550, false},
	{{ALICE, CAROL}, "x@else.example y@else.example", 0, true},
	{{DAVE}, "dave@partner.example y@else.example", 550, false},
	{{DAVE, ALICE}, "dave@partner.example y@else.example", 0, true},
	{{ALICE, CAROL}, "dave@partner.example y@else.example", 550, false},
};

static void S43_encrypted_to_others_is_not_encrypted(void **state)
{
	struct buf der;
	size_t n;

	(void)state;
	buf_init(&der, 1u << 20);
	for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
		for (n = 0; n < 3 && sent[i].made[n] != NULL; n++)
			;
		encrypt_for(sent[i].made, n, ENC_AES256_CBC, &der);
		put_message(buf_view(&der));
		buf_clear(&der);
		buf_puts(&der, "To: bob@example.org, dave@partner.example\r\n");
		buf_putv(&der, buf_view(&w.out));
		world_rules(&w, MUST);
		world_seal(&w, ALICE, sent[i].to, buf_str(&der));
		if (w.v.code != sent[i].code || (w.v.action == ACT_UNCHANGED) !=
		    sent[i].is_left)
			fail_msg("case %zu: %d %s, %s", i, w.v.code, w.v.text,
			    action_str(w.v.action));
		if (w.v.code == 0 && !sent[i].is_left)
			expect_sealed();
		/* where it is no obligation it stays as it is */
		world_rules(&w, "outbound : sign or plain, encrypt or plain\n"
		    "inbound : pass\n");
		world_seal(&w, ALICE, sent[i].to, buf_str(&der));
		assert_int_equal(w.v.action, ACT_UNCHANGED);
	}
	buf_free(&der);
}

static void S43_only_certificates_that_are_believed_count(void **state)
{
	const char *who[] = {DAVE};
	struct cert *old = cert_of(DAVE), *newer;
	struct buf der;

	(void)state;
	buf_init(&der, 1u << 20);
	encrypt_for(who, 1, ENC_AES256_CBC, &der);
	newer = world_issue(&w, DAVE, "ec:p256", KS_SIGN | KS_ENCRYPT,
	    time(NULL) - 60, 300);
	/* his older one opens it just as well */
	put_message(buf_view(&der));
	seal_again(MUST, DAVE, "", "");
	assert_int_equal(w.v.action, ACT_UNCHANGED);
	assert_int_equal(keystore_set_state(w.ks, cert_sha256(old),
	    KS_SUPERSEDED, NULL), 0);
	put_message(buf_view(&der));
	seal_again(MUST, DAVE, "", "");
	assert_int_equal(w.v.action, ACT_UNCHANGED);
	assert_int_equal(keystore_set_state(w.ks, cert_sha256(old),
	    KS_DISTRUSTED, NULL), 0);
	put_message(buf_view(&der));
	seal_again(MUST, DAVE, "", "");
	expect_sealed();
	assert_int_equal(keystore_remove(w.ks, cert_sha256(newer), NULL), 0);
	assert_int_equal(keystore_set_state(w.ks, cert_sha256(old), KS_USABLE,
	    NULL), 0);
	cert_free(&old);
	cert_free(&newer);
	buf_free(&der);
}

/* ---- reports ---- */

#define REPORT                                                              \
	"From: alice@example.com\nTo: dave@partner.example\n"               \
	"MIME-Version: 1.0\nContent-Type: multipart/report;\n"              \
	" report-type=delivery-status; boundary=b\n\n--b\n"                 \
	"Content-Type: text/plain\n\nSecret plans\n--b\n"                   \
	"Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n"  \
	"\n--b--\n"

static void S45_a_login_writes_no_reports(void **state)
{
	(void)state;
	world_rules(&w, MUST);
	submit("<>", DAVE, ALICE, REPORT);
	expect_reply(550, "5.7.3", "class dsn");
	/* the mail server's own */
	world_envelope(&w, "<>", DAVE);
	w.env.client_ip = "127.0.0.1";
	world_message(&w, REPORT);
	world_run(&w);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.class, CLASS_DSN);
	assert_true(is_untouched(&w));
}

/* ---- results forged by our own users ---- */

#define FORGED "Authentication-Results: mx.example.com; smime=pass\n"

/* attack A27: our own users write Authentication-Results of ours
 * verdict: removed on every way out and inside; other methods stay */
static void S176_A27_forged_results_go_on_the_way_out(void **state)
{
	static const struct {
		const char *rules;
		const char *to;
	} k[] = {
		{"internal : sign or plain\n", CAROL},
		{"internal : sign\n", CAROL},
		{"internal : pass\n", CAROL},
		{"internal : decrypt, verify\n", CAROL},
		{"internal : sign or plain\n", CAROL " " DAVE},
		{"", DAVE},
	};
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		buf_clear(&b);
		buf_printf(&b, "outbound : sign or plain\n%s"
		    "inbound : verify\n", k[i].rules);
		world_rules(&w, buf_str(&b));
		submit(ALICE, k[i].to, ALICE, "Authentication-Results: "
		    "mx.example.com; dkim=pass\n" FORGED
		    "authentication-results: x (mx.example.com; smime=pass)\n"
		    PLAIN);
		assert_int_equal(w.v.code, 0);
		if (has(&w, "smime=pass"))
			fail_msg("case %zu: a forged field stayed", i);
		assert_true(has(&w, "dkim=pass"));
		assert_int_equal(w.v.size_out, w.out.n);
	}
	buf_free(&b);
}

/* attack A27: forged results in a message on which a worker dies
 * verdict: removed, smime=permerror */
static void S176_A27_forged_results_go_from_poisoned_mail(void **state)
{
	(void)state;
	world_rules(&w, MUST);
	world_envelope(&w, "x@else.example", CAROL);
	world_message(&w, FORGED "X: y\nauthentication-results : "
	    "mx.example.com; smime=pass\n" PLAIN FORGED);
	verdict_free(&w.v);
	world_poisoned(&w);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.edits, 3);
	assert_int_equal(w.v.edit[0].kind, EDIT_DELETE);
	assert_int_equal(w.v.edit[0].index, 2);
	assert_int_equal(w.v.edit[1].index, 1);
	assert_non_null(strstr(w.v.edit[2].value, "smime=permerror"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    M10_A24_recipients_that_cannot_be_read_are_refused),
		cmocka_unit_test(M10_A24_also_by_network_and_when_forced),
		cmocka_unit_test(A24_incoming_mail_to_them_is_not_refused),
		cmocka_unit_test(A24_a_bare_name_is_a_local_mailbox),
		cmocka_unit_test(
		    A24_S45_a_second_author_is_no_way_out_of_a_line),
		cmocka_unit_test(
		    A24_odd_but_readable_recipients_are_as_before),
		cmocka_unit_test(A9_S203_to_be_named_opens_nothing),
		cmocka_unit_test(A2_A5_bad_padding_is_not_delivered),
		cmocka_unit_test(
		    S97_S203_more_keys_than_operations_stay_sealed),
		cmocka_unit_test(
		    S45_text_beside_the_object_is_sealed_with_it),
		cmocka_unit_test(S43_encrypted_to_others_is_not_encrypted),
		cmocka_unit_test(
		    S43_only_certificates_that_are_believed_count),
		cmocka_unit_test(S45_a_login_writes_no_reports),
		cmocka_unit_test(S176_A27_forged_results_go_on_the_way_out),
		cmocka_unit_test(
		    S176_A27_forged_results_go_from_poisoned_mail),
	};

	return cmocka_run_group_tests_name("gateway_attack", tests,
	    make_world, end_world);
}
