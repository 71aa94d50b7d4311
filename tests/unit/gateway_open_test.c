/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of the incoming pipeline with a real keystore, and of the way there
 * and back: who may open what, what is said of signatures, what a message
 * looks like afterwards.
 */
#include "tests/unit/gateway_world.h"

#include "smime/codec.h"
#include "smime/encrypt.h"
#include "smime/sign.h"
#include "util/der.h"

static struct world w;

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
#define seal_with(...) world_seal_with(&w, __VA_ARGS__)
#define expect_signature(...) world_signature(&w, __VA_ARGS__)
#define DEFAULT "outbound : sign, encrypt\ninbound : decrypt, verify\n"

#define PLAIN                                                               \
	"From: Alice <alice@example.com>\nTo: bob@example.org\n"            \
	"Subject: Plans\nMessage-ID: <1@x>\nMIME-Version: 1.0\n"            \
	"Content-Type: text/plain\n\nSecret plans\n"

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, ALICE, "rsa:2048");
	world_person(&w, BOB, "ec:p256");
	world_person(&w, "carol@example.com", "rsa:2048");
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

/* Change the first place of what is in w.out. */
static void alter(const char *old, const char *new)
{
	unsigned char *p = memmem(w.out.p, w.out.n, old, strlen(old));

	assert_non_null(p);
	assert_int_equal(strlen(old), strlen(new));
	memcpy(p, new, strlen(new));
}

/* Put a line on top of what is in w.out. */
static void prepend(const char *line)
{
	struct buf b;

	buf_init(&b, 64u << 20);
	buf_puts(&b, line);
	buf_putv(&b, buf_view(&w.out));
	buf_clear(&w.out);
	buf_putv(&w.out, buf_view(&b));
	buf_free(&b);
}

/* An entity as a message of alice's, encrypted to bob. */
static void encrypt_entity_for_bob(struct view inside, enum enc_cipher cipher)
{
	struct spool *entity = NULL, *sealed = NULL;
	struct selection sel = {0};
	struct enc_to bobs = {0};
	struct sink to = sink_to_buf(&w.out);
	struct addr bob;

	assert_int_equal(spool_new(&entity, 1u << 20, NULL), 0);
	assert_int_equal(spool_new(&sealed, 1u << 20, NULL), 0);
	assert_int_equal(spool_write(entity, inside.p, inside.n, NULL), 0);
	assert_int_equal(addr_parse(&bob, view_of(BOB), NULL), 0);
	assert_int_equal(keystore_select(w.ks, &bob, KS_ENCRYPT, time(NULL),
	    &sel, NULL), 0);
	bobs.cert = sel.cert;
	assert_int_equal(encrypt_entity(entity, &bobs, 1, cipher, sealed,
	    NULL), 0);
	buf_clear(&w.out);
	buf_puts(&w.out, "From: alice@example.com\r\nMIME-Version: 1.0\r\n");
	assert_int_equal(spool_copy(sealed, 0, spool_size(sealed), &to, NULL),
	    0);
	spool_free(&entity);
	spool_free(&sealed);
	selection_free(&sel);
}

/* ---- what a message looks like afterwards ---- */

static void S33_S34_S39_S170_S173_S204_the_message_is_rebuilt(void **state)
{
	(void)state;
	seal_with("sign, encrypt", ALICE, BOB, PLAIN);
	/* the encryption is outside, and is the whole message */
	assert_int_equal(count_of(&w, "Content-Type:"), 1);
	assert_true(has(&w, "application/pkcs7-mime; smime-type="
	    "enveloped-data"));
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(buf_str(&w.v.layers),
	    "encrypted 1 -\nsigned 1/1 pass\n");
	assert_true(view_istarts(buf_view(&w.out), "Authentication-Results: "
	    "mx.example.com;\r\n\tsmime=pass (was encrypted)\r\n"
	    "\tbody.smime-identifier=alice@example.com\r\n"
	    "\tbody.smime-part=2\r\nFrom: Alice"));
	assert_int_equal(count_of(&w, "MIME-Version:"), 1);
	assert_false(has(&w, "application/pkcs7-mime"));
	assert_true(has(&w, "multipart/signed")); /* the signature stays */
	assert_true(has(&w, "Message-ID: <1@x>\r\n"));
	assert_true(w.v.ret_hdrs);
	assert_int_equal(w.v.size_out, w.out.n);
	/* nothing to do a second time but the result (S204) */
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(w.v.sig_result, "pass");
	assert_int_equal(count_of(&w, "Authentication-Results:"), 1);
	assert_null(w.v.body);
	assert_false(w.v.ret_hdrs);
}

static void S177_opaque_content_replaces_and_clear_stays(void **state)
{
	(void)state;
	seal_with("sign, opaque", ALICE, BOB, PLAIN);
	world_open_again(&w, ALICE, BOB);
	expect_signature("pass", "");
	assert_true(has(&w, "Content-Type: text/plain;"));
	assert_true(has(&w, "\r\n\r\nSecret plans\r\n"));
	assert_false(has(&w, "pkcs7"));
	assert_false(w.v.ret_hdrs);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_VERIFIED);
	seal_with("sign", ALICE, BOB, PLAIN);
	world_open_again(&w, ALICE, BOB);
	assert_null(w.v.body);
	assert_int_equal(w.v.edits, 1);
	assert_int_equal(w.v.size_out, w.out.n);
}

/* attack A28: trace, trust and identity fields inside the encrypted entity
 * verdict: dropped: none of them reaches the message header */
static void A28_hostile_inner_headers_are_not_promoted(void **state)
{
	static const char inside[] = "X-Spam: no\r\nFrom: ceo@example.com\r\n"
	    "Authentication-Results: mx.example.com; smime=pass\r\n"
	    "Received: by inner\r\nSubject: inner\r\nBcc: x@y\r\n"
	    "Content-Type: text/plain\r\nReturn-Path: <x@y>\r\n"
	    "DKIM-Signature: v=1\r\nMIME-Version: 2.0\r\n\r\nhello\r\n";
	static const char *const name[] = {"X-Spam", "ceo@", "smime=pass",
	    "by inner", "Subject: inner", "Bcc", "Return-Path", "DKIM",
	    "2.0"};

	(void)state;
	encrypt_entity_for_bob(view_of(inside), ENC_AES256_GCM);
	world_rules(&w, DEFAULT);
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(w.v.dec_result, "decrypted");
	assert_string_equal(w.v.dec_cipher, "AES-256-GCM");
	assert_true(w.v.dec_authenticated);
	assert_true(has(&w, "\r\n\r\nhello\r\n"));
	assert_true(has(&w, "smime=none (was encrypted)"));
	for (size_t i = 0; i < ARRAY_LEN(name); i++)
		assert_false(has(&w, name[i]));
}

/* ---- who may open ---- */

/* attack A9: captured ciphertext re-sent to somebody else in the house
 * verdict: no-key, delivered as it arrived, no private-key operation */
static void A9_ciphertext_for_one_is_not_opened_for_another(void **state)
{
	(void)state;
	seal_with("sign, encrypt", ALICE, BOB, PLAIN);
	world_open_again(&w, "mallory@else.example", "carol@example.com");
	assert_string_equal(w.v.dec_result, "no-key");
	assert_true(is_untouched(&w));
	assert_int_equal(w.key_ops, 0);
	assert_int_equal(w.v.action, ACT_UNCHANGED);
}

static void S203_every_recipient_needs_a_key(void **state)
{
	(void)state;
	seal_with("sign, encrypt", ALICE, BOB, PLAIN);
	world_open_again(&w, ALICE, "bob@example.org carol@example.com");
	assert_string_equal(w.v.dec_result, "no-key");
	assert_true(is_untouched(&w));
	/* both have one */
	seal_with("sign, encrypt", ALICE, "bob@example.org carol@example.com",
	    "From: alice@example.com\nTo: bob@example.org\n"
	    "Cc: carol@example.com\n\nhello\n");
	world_open_again(&w, ALICE, "bob@example.org carol@example.com");
	assert_string_equal(w.v.dec_result, "decrypted");
	/* and one of them alone as well */
	seal_with("sign, encrypt", ALICE, "bob@example.org carol@example.com",
	    "From: alice@example.com\nTo: bob@example.org\n"
	    "Cc: carol@example.com\n\nhello\n");
	world_open_again(&w, ALICE, "carol@example.com");
	assert_string_equal(w.v.dec_result, "decrypted");
	assert_string_equal(w.v.dec_transport, "rsa");
}

static void recipient_details_are_stripped_for_keys(void **state)
{
	(void)state;
	seal_with("encrypt", ALICE, BOB, PLAIN);
	world_open_again(&w, ALICE, "bob+lists@example.org");
	assert_string_equal(w.v.dec_result, "no-key");
	world_config(&w, "recipient-delimiter +");
	seal_with("encrypt", ALICE, BOB, PLAIN);
	world_open_again(&w, ALICE, "bob+lists@example.org");
	assert_string_equal(w.v.dec_result, "decrypted");
	world_config(&w, NULL);
	world_rules(&w, DEFAULT);
}

static void leave_sealed_is_untouched(void **state)
{
	(void)state;
	seal_with("encrypt", ALICE, BOB, PLAIN);
	world_rules(&w, "outbound : pass\n"
	    "inbound to bob@example.org : leave-sealed\n"
	    "inbound : decrypt, verify\n");
	world_open_again(&w, ALICE, BOB);
	assert_true(is_untouched(&w));
	assert_int_equal(w.key_ops, 0);
	assert_string_equal(w.v.dec_result, "none");
}

static void a_right_that_keys_denies_opens_nothing(void **state)
{
	(void)state;
	seal_with("encrypt", ALICE, BOB, PLAIN);
	w.keys_fail = FAIL_POLICY;
	world_open_again(&w, ALICE, BOB);
	w.keys_fail = 0;
	assert_string_equal(w.v.dec_result, "failed");
	assert_int_equal(w.v.code, 0);
	assert_false(has(&w, "Secret"));
	/* away for a time: later */
	seal_with("encrypt", ALICE, BOB, PLAIN);
	w.keys_fail = FAIL_TEMP;
	world_open_again(&w, ALICE, BOB);
	w.keys_fail = 0;
	assert_int_equal(w.v.code, 451);
	assert_string_equal(w.v.enhanced, "4.7.5");
	assert_true(is_untouched(&w));
}

/* ---- what does not open ---- */

/* In the base64 of the ciphertext, the n-th line from the end. */
static void damage(size_t line)
{
	size_t at = w.out.n;

	while (line > 0 && at > 0)
		line -= w.out.p[--at] == '\n';
	at += 5;
	w.out.p[at] = w.out.p[at] == 'A' ? 'B' : 'A';
}

/* attack A5: ciphertext damaged in several places
 * verdict: delivered as it arrived with one generic comment, never refused */
static void A5_damaged_mail_is_delivered_as_it_came(void **state)
{
	static const size_t line[] = {2, 3, 4, 10};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(line); i++) {
		seal_with("sign, encrypt", ALICE, BOB, PLAIN);
		damage(line[i]);
		world_open_again(&w, ALICE, BOB);
		assert_int_equal(w.v.code, 0);
		if (strcmp(w.v.dec_result, "decrypted") == 0) {
			/* CBC: then the signature says it */
			assert_string_not_equal(w.v.sig_result, "pass");
			continue;
		}
		assert_false(has(&w, "Secret plans"));
		assert_string_equal(w.v.dec_result, "failed");
		assert_null(w.v.body);
		assert_true(has(&w, "smime=none (encrypted, could not be "
		    "opened here)"));
		assert_true(has(&w, "application/pkcs7-mime"));
	}
}

static void S63_a_truncated_object_is_left(void **state)
{
	unsigned char *body;

	(void)state;
	seal_with("sign, encrypt", ALICE, BOB, PLAIN);
	body = memmem(w.out.p, w.out.n, "\r\n\r\n", 4);
	assert_non_null(body);
	w.out.n = (size_t)(body - w.out.p) + 4 + 78 * 4;
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(w.v.dec_result, "failed");
	assert_int_equal(w.v.code, 0);
	assert_null(w.v.body);
	assert_int_equal(w.key_ops, 0);
}

/* attack A2: plaintext without a sound MIME header, or with noise
 * verdict: delivered as it arrived, like all that does not open */
static void A2_plaintext_that_is_no_entity_is_not_delivered(void **state)
{
	static const char *const inside[] = {"no header at all",
	    "X-Only: other fields\r\n\r\nhello\r\n", "\r\nhello\r\n",
	    "Content-Type: text/plain\r\njunk\r\n\r\nhello\r\n",
	    "Content-Type: text/plain\r\n\r\n\001\002hello\r\n", ""};

	(void)state;
	world_rules(&w, DEFAULT);
	for (size_t i = 0; i < 2 * ARRAY_LEN(inside); i++) {
		/* Noise is looked for only where nothing is authenticated;
		 * nothing at all is not encrypted with GCM. */
		if (i == 9 || i == 11)
			continue;
		encrypt_entity_for_bob(view_of(inside[i / 2]), i % 2 == 0
		    ? ENC_AES256_CBC
		    : ENC_AES256_GCM);
		world_open_again(&w, ALICE, BOB);
		if (strcmp(w.v.dec_result, "failed") != 0)
			fail_msg("case %zu: %s", i, w.v.dec_result);
		assert_null(w.v.body);
		assert_false(has(&w, "hello"));
	}
}

/* attack A7: ciphertext of somebody else wrapped into a second layer of
 * encryption
 * verdict: one layer is opened, with one private-key operation; the inner one
 * stays sealed */
static void A7_one_encryption_layer_is_opened(void **state)
{
	struct buf b;
	unsigned char *head;

	(void)state;
	seal_with("sign, encrypt", ALICE, BOB, PLAIN);
	head = memmem(w.out.p, w.out.n, "Content-Type", 12);
	assert_non_null(head);
	buf_init(&b, 1u << 20);
	buf_put(&b, head, w.out.n - (size_t)(head - w.out.p));
	encrypt_entity_for_bob(buf_view(&b), ENC_AES256_CBC);
	buf_free(&b);
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(w.v.dec_result, "decrypted");
	assert_int_equal(w.key_ops, 1);
	assert_true(has(&w, "enveloped-data"));
	assert_false(has(&w, "Secret plans"));
	assert_string_equal(w.v.sig_result, "none");
}

/* Recipients beyond the cap, each naming nobody. */
static void many_recipients(size_t n)
{
	static const unsigned char ri[] = {0x30, 0x1d, 0x02, 0x01, 0x00, 0x30,
	    0x05, 0x30, 0x00, 0x02, 0x01, 0x01, 0x30, 0x0d, 0x06, 0x09, 0x2a,
	    0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x04,
	    0x02, 0x00, 0x00};
	static const unsigned char eci[] = {0x30, 0x3d, 0x06, 0x09, 0x2a,
	    0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01, 0x30, 0x1d, 0x06,
	    0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a, 0x04,
	    0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x11,
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	static const unsigned char oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7,
	    0x0d, 0x01, 0x07, 0x03};
	static const unsigned char zero[] = {0};
	size_t room = n * sizeof(ri) + 1000;
	unsigned char *mem = malloc(room);
	struct der_w x;
	struct b64_enc enc;
	size_t mark;

	assert_non_null(mem);
	der_w_init(&x, mem, room);
	der_w_raw(&x, eci, sizeof(eci));
	mark = der_w_mark(&x);
	for (size_t i = 0; i < n; i++)
		der_w_raw(&x, ri, sizeof(ri));
	der_w_wrap(&x, DER_SET, mark);
	der_w_tlv(&x, DER_INTEGER, zero, 1);
	der_w_wrap(&x, DER_SEQUENCE, 0);
	der_w_wrap(&x, DER_CTX0, 0);
	der_w_tlv(&x, DER_OID, oid, sizeof(oid));
	der_w_wrap(&x, DER_SEQUENCE, 0);
	assert_false(x.failed);
	buf_clear(&w.out);
	buf_puts(&w.out, "From: alice@example.com\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: application/pkcs7-mime; name=smime.p7m;\r\n"
	    "\tsmime-type=enveloped-data\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n");
	b64_enc_init(&enc, sink_to_buf(&w.out));
	assert_int_equal(b64_enc_put(&enc, der_w_result(&x).p,
	    der_w_result(&x).n, NULL), 0);
	assert_int_equal(b64_enc_end(&enc, NULL), 0);
	free(mem);
}

static void S97_recipient_infos_beyond_the_cap(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	many_recipients(CAP_CMS_RECIPIENTS);
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(w.v.dec_result, "no-key");
	assert_true(is_untouched(&w));
	many_recipients(CAP_CMS_RECIPIENTS + 1);
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(w.v.dec_result, "limit");
	assert_null(w.v.body);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.key_ops, 0);
	many_recipients(100000);
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(w.v.dec_result, "limit");
}

/* attack A1: direct exfiltration: the encrypted part between two HTML parts of
 * an image's address
 * verdict: delivered as it arrived, no private-key operation */
static void A1_only_the_root_is_opened(void **state)
{
	struct buf b;
	unsigned char *head;

	(void)state;
	seal_with("encrypt", ALICE, BOB, PLAIN);
	head = memmem(w.out.p, w.out.n, "Content-Type", 12);
	assert_non_null(head);
	buf_init(&b, 1u << 20);
	buf_puts(&b, "From: mallory@else.example\nMIME-Version: 1.0\n"
	    "Content-Type: multipart/mixed; boundary=x\n\n--x\n"
	    "Content-Type: text/html\n\n<img src=\"http://x/\n--x\n");
	buf_put(&b, head, w.out.n - (size_t)(head - w.out.p));
	buf_puts(&b, "\n--x\nContent-Type: text/html\n\n\">\n--x--\n");
	world_open_view(&w, "mallory@else.example", BOB, buf_view(&b));
	assert_true(is_untouched(&w));
	assert_int_equal(w.key_ops, 0);
	buf_free(&b);
}

/* ---- signatures ---- */

static void S70_altered_content_fails(void **state)
{
	(void)state;
	seal_with("sign", ALICE, BOB, PLAIN);
	alter("Secret plans", "Secret pints");
	world_open_again(&w, ALICE, BOB);
	expect_signature("fail", "S70");
	assert_null(w.v.body);
	assert_true(has(&w, "smime=fail (signature does not verify)"));
	assert_false(has(&w, "smime-identifier"));
	assert_string_equal(w.v.sig_chain, "");
}

static void S86_altered_opaque_content_is_not_released(void **state)
{
	size_t body;

	(void)state;
	seal_with("sign, opaque", ALICE, BOB, PLAIN);
	body = (size_t)((unsigned char *)memmem(w.out.p, w.out.n,
	    "\r\n\r\n", 4) - w.out.p);
	/* in the text, which comes early in the object */
	w.out.p[body + 4 + 78 + 40] ^= 1;
	world_open_again(&w, ALICE, BOB);
	expect_signature("fail", "S70");
	assert_null(w.v.body);
	assert_true(has(&w, "smime-type=signed-data"));
	assert_true(has(&w, "smime=fail (signature does not verify)"));
}

/* The author's fields are not inside: what is outside is all there is. */
#define BARE "sign, protect-headers off"

static void S74_the_signer_must_be_the_author(void **state)
{
	(void)state;
	seal_with(BARE, ALICE, BOB, PLAIN);
	alter("<alice@example.com>", "<carol@example.com>");
	world_open_again(&w, ALICE, BOB);
	expect_signature("policy", "S74");
	assert_true(has(&w, "(signer does not match From)"));
	assert_false(has(&w, "smime-identifier"));
	assert_false(w.v.sig_from_match);
	/* the case of a local part is no other person (RFC 8550 3) */
	seal_with(BARE, ALICE, BOB, PLAIN);
	alter("<alice@example.com>", "<Alice@Example.com>");
	world_open_again(&w, ALICE, BOB);
	expect_signature("pass", "");
}

/* attack A23: two From fields, two mailboxes in one, an unbalanced comment
 * verdict: permerror at S62; policy at S74 */
static void A23_two_authors_never_pass(void **state)
{
	(void)state;
	seal_with(BARE, ALICE, BOB, PLAIN);
	prepend("From: ceo@example.com\r\n");
	world_open_again(&w, ALICE, BOB);
	expect_signature("permerror", "S62");
	seal_with(BARE, ALICE, BOB, PLAIN);
	alter("From: Alice <alice@example.com>",
	    "From: alice@example.com, x@y.de");
	world_open_again(&w, ALICE, BOB);
	expect_signature("policy", "S74");
	seal_with(BARE, ALICE, BOB, PLAIN);
	alter("From: Alice <alice@example.com>",
	    "From: Alice <alice@example.com(");
	world_open_again(&w, ALICE, BOB);
	expect_signature("policy", "S74");
}

static void S72_an_unknown_root_is_not_trusted(void **state)
{
	struct world other;
	struct buf b;

	(void)state;
	world_make(&other);
	world_person(&other, ALICE, "ec:p256");
	world_rules(&other, "outbound : sign\ninbound : verify\n");
	world_seal(&other, ALICE, BOB, PLAIN);
	assert_int_equal(other.v.code, 0);
	buf_init(&b, 1u << 20);
	buf_putv(&b, buf_view(&other.out));
	world_end(&other);
	world_rules(&w, DEFAULT);
	world_open_view(&w, ALICE, BOB, buf_view(&b));
	expect_signature("policy", "S72");
	assert_true(has(&w, "(certificate is not trusted)"));
	buf_free(&b);
}

static void S62_a_broken_label_is_a_permerror(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	world_open_view(&w, ALICE, BOB, view_of("From: alice@example.com\n"
	    "MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=b;\n"
	    " protocol=\"application/pkcs7-signature\"; micalg=sha-256\n\n"
	    "--b\n\nonly one part\n--b--\n"));
	expect_signature("permerror", "S62");
}

static void unsigned_mail_gets_no_field(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	world_open_view(&w, ALICE, BOB, view_of(PLAIN));
	assert_true(is_untouched(&w));
	assert_int_equal(w.v.action, ACT_UNCHANGED);
	assert_string_equal(w.v.sig_result, "none");
}

/* Bob's ciphertext, signed by carol as if she had written it. */
static void sign_ciphertext(enum sign_form form, const char *from)
{
	struct key_ops keys = {&w, world_sign, world_open};
	struct spool *inner = NULL, *outer = NULL;
	struct selection sel = {0};
	struct signer who = {0};
	struct addr carol;
	unsigned char *head;
	struct sink to = sink_to_buf(&w.out);

	seal_with(BARE ", encrypt", ALICE, BOB, PLAIN);
	head = memmem(w.out.p, w.out.n, "Content-Type", 12);
	assert_non_null(head);
	assert_int_equal(spool_new(&inner, 1u << 20, NULL), 0);
	assert_int_equal(spool_new(&outer, 1u << 20, NULL), 0);
	assert_int_equal(spool_write(inner, head, w.out.n -
	    (size_t)(head - w.out.p), NULL), 0);
	assert_int_equal(addr_parse(&carol, view_of("carol@example.com"),
	    NULL), 0);
	assert_int_equal(keystore_select(w.ks, &carol, KS_SIGN, time(NULL),
	    &sel, NULL), 0);
	who.cert = sel.cert;
	assert_int_equal(sign_entity(inner, &who, &keys, form, time(NULL),
	    outer, NULL), 0);
	buf_clear(&w.out);
	buf_printf(&w.out, "From: %s\r\nMIME-Version: 1.0\r\n", from);
	assert_int_equal(spool_copy(outer, 0, spool_size(outer), &to, NULL),
	    0);
	spool_free(&inner);
	spool_free(&outer);
	selection_free(&sel);
}

/* attack A11: ciphertext of somebody else, signed by the attacker
 * verdict: opened; the outer signature is policy at S65, only the one inside
 * can pass, and only for its own author */
static void S134_S179_A11_an_outer_signature_proves_nothing(void **state)
{
	static const enum sign_form forms[] = {SIGN_CLEAR, SIGN_OPAQUE};

	(void)state;
	/* opened, and the signature inside is what counts: alice's, which is
	 * not carol's */
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		sign_ciphertext(forms[i], "carol@example.com");
		world_open_again(&w, "carol@example.com", BOB);
		assert_string_equal(w.v.dec_result, "decrypted");
		expect_signature("policy", "S74");
		assert_string_equal(w.v.sig_signer, ALICE);
		assert_string_equal(buf_str(&w.v.layers), "signed 1 policy\n"
		    "encrypted 1/1 -\nsigned 1/1/1 policy\n");
		assert_false(has(&w, "smime-identifier"));
	}
	/* its author outside: hers inside, and nobody else's outside */
	sign_ciphertext(SIGN_CLEAR, ALICE);
	world_open_again(&w, ALICE, BOB);
	expect_signature("pass", "");
	assert_string_equal(buf_str(&w.v.layers), "signed 1 policy\n"
	    "encrypted 1/1 -\nsigned 1/1/1 pass\n");
	assert_true(has(&w, "smime=pass"));
	assert_true(has(&w, "smime=policy"));
	/* without the key it stays as it is */
	sign_ciphertext(SIGN_OPAQUE, "carol@example.com");
	world_open_again(&w, "carol@example.com", "carol@example.com");
	expect_signature("policy", "S65");
	assert_null(w.v.body);
}

/* ---- demands ---- */

static void S83_demand_for_a_signature(void **state)
{
	static const char reject[] =
	    "outbound : pass\ninbound : verify or reject\n";
	static const char hold[] =
	    "outbound : pass\ninbound : verify or quarantine\n";
	struct buf b;

	(void)state;
	seal_with("sign", ALICE, BOB, PLAIN);
	buf_init(&b, 1u << 20);
	buf_putv(&b, buf_view(&w.out));
	world_rules(&w, reject);
	world_open_view(&w, ALICE, BOB, buf_view(&b));
	expect_signature("pass", "");
	assert_int_equal(w.v.action, ACT_REPLACED);
	world_open_view(&w, ALICE, BOB, view_of(PLAIN));
	assert_int_equal(w.v.code, 550);
	assert_string_equal(w.v.enhanced, "5.7.1");
	assert_int_equal(w.v.rcpt[0].outcome, OUT_REFUSED);
	world_rules(&w, hold);
	world_open_view(&w, ALICE, BOB, view_of(PLAIN));
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.action, ACT_QUARANTINED);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_QUARANTINED);
	buf_free(&b);
}

/* ---- limits ---- */

static void beyond_limits_is_delivered_untouched(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4u << 20);
	buf_puts(&b, "authentication-results : mx.example.com; smime=pass\n");
	while (b.n < CAP_HEADER_SECTION)
		buf_puts(&b, "X-Long: 01234567890123456789012345678901234\n");
	buf_puts(&b, "Authentication-Results: mx.example.com; smime=pass\n");
	buf_puts(&b, PLAIN "Authentication-Results: in the body\n");
	world_rules(&w, DEFAULT);
	world_envelope(&w, ALICE, BOB);
	w.env.forced = DIR_INBOUND;
	world_message_view(&w, buf_view(&b));
	verdict_free(&w.v);
	{
		struct gateway g = {w.config, w.rules, w.ks, NULL, NULL};

		gateway_run(&g, &w.env, w.msg, &w.v, &w.e);
	}
	assert_int_equal(w.v.code, 0);
	assert_string_equal(w.v.sig_result, "neutral");
	/* forged results go even then: both, highest first */
	assert_int_equal(w.v.edits, 2);
	assert_int_equal(w.v.edit[0].index, 2);
	assert_int_equal(w.v.edit[1].index, 1);
	buf_free(&b);
}

static void larger_than_configured_is_untouched(void **state)
{
	struct buf b;

	(void)state;
	world_config(&w, "max-message-size 16K");
	world_rules(&w, DEFAULT);
	buf_init(&b, 1u << 20);
	buf_puts(&b, PLAIN);
	while (b.n < 20000)
		buf_puts(&b, "0123456789012345678901234567890123456789\n");
	world_open_view(&w, ALICE, BOB, buf_view(&b));
	assert_true(is_untouched(&w));
	assert_string_equal(w.v.sig_result, "neutral");
	/* what a rule demands holds even so */
	world_rules(&w, "outbound : pass\ninbound : verify or reject\n");
	world_open_view(&w, ALICE, BOB, buf_view(&b));
	assert_int_equal(w.v.code, 550);
	world_rules(&w, "outbound : pass\ninbound : store-encrypted\n");
	world_open_view(&w, ALICE, BOB, buf_view(&b));
	assert_int_equal(w.v.action, ACT_QUARANTINED);
	buf_free(&b);
	world_config(&w, NULL);
}

static void S178_who_does_not_look_says_nothing_of_signatures(void **state)
{
	(void)state;
	seal_with("sign, encrypt", ALICE, BOB, PLAIN);
	world_rules(&w, "outbound : pass\ninbound : decrypt\n");
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(w.v.dec_result, "decrypted");
	assert_true(has(&w, "mx.example.com;\r\n\tnone (was encrypted, "
	    "without integrity protection)\r\n"));
	assert_false(has(&w, "smime="));
}

static void S176_forged_results_go_on_every_way_in(void **state)
{
	(void)state;
	world_rules(&w, "outbound : pass\ninbound : pass\n");
	world_open_view(&w, ALICE, BOB, view_of(
	    "Authentication-Results: mx.example.com; smime=pass\n"
	    "Authentication-Results: mx.example.com; dkim=pass\n"
	    "authentication-results: MX.example.com 1; SMIME=pass\n"
	    "Authentication-Results: other.example; smime=pass\n" PLAIN));
	assert_int_equal(w.v.action, ACT_REPLACED);
	assert_int_equal(count_of(&w, "uthentication-"), 2);
	assert_true(has(&w, "mx.example.com; dkim=pass"));
	assert_true(has(&w, "other.example; smime=pass"));
	assert_int_equal(w.v.size_out, w.out.n);
	/* internal mail, too */
	world_envelope(&w, ALICE, BOB);
	w.env.auth = ENV_AUTH_LOGIN;
	w.env.login = "alice";
	world_message(&w, "Authentication-Results: mx.example.com; "
	    "smime=pass\n" PLAIN);
	world_run(&w);
	assert_int_equal(w.v.direction, DIR_INTERNAL);
	assert_false(has(&w, "smime=pass"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    S33_S34_S39_S170_S173_S204_the_message_is_rebuilt),
		cmocka_unit_test(
		    S177_opaque_content_replaces_and_clear_stays),
		cmocka_unit_test(A28_hostile_inner_headers_are_not_promoted),
		cmocka_unit_test(
		    A9_ciphertext_for_one_is_not_opened_for_another),
		cmocka_unit_test(S203_every_recipient_needs_a_key),
		cmocka_unit_test(recipient_details_are_stripped_for_keys),
		cmocka_unit_test(leave_sealed_is_untouched),
		cmocka_unit_test(a_right_that_keys_denies_opens_nothing),
		cmocka_unit_test(A5_damaged_mail_is_delivered_as_it_came),
		cmocka_unit_test(S63_a_truncated_object_is_left),
		cmocka_unit_test(
		    A2_plaintext_that_is_no_entity_is_not_delivered),
		cmocka_unit_test(A7_one_encryption_layer_is_opened),
		cmocka_unit_test(S97_recipient_infos_beyond_the_cap),
		cmocka_unit_test(A1_only_the_root_is_opened),
		cmocka_unit_test(S70_altered_content_fails),
		cmocka_unit_test(S86_altered_opaque_content_is_not_released),
		cmocka_unit_test(S74_the_signer_must_be_the_author),
		cmocka_unit_test(A23_two_authors_never_pass),
		cmocka_unit_test(S72_an_unknown_root_is_not_trusted),
		cmocka_unit_test(S62_a_broken_label_is_a_permerror),
		cmocka_unit_test(unsigned_mail_gets_no_field),
		cmocka_unit_test(
		    S134_S179_A11_an_outer_signature_proves_nothing),
		cmocka_unit_test(S83_demand_for_a_signature),
		cmocka_unit_test(beyond_limits_is_delivered_untouched),
		cmocka_unit_test(larger_than_configured_is_untouched),
		cmocka_unit_test(
		    S178_who_does_not_look_says_nothing_of_signatures),
		cmocka_unit_test(S176_forged_results_go_on_every_way_in),
	};

	return cmocka_run_group_tests_name("gateway_open", tests, make_world,
	    end_world);
}
