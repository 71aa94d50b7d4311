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
#include "smime/mime.h"

static struct world w;

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
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

/* Seal with these outbound rules; w.out has it. */
static void seal_with(const char *outbound, const char *from, const char *to,
    const char *text)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, "outbound : %s\ninbound : decrypt, verify\n", outbound);
	world_rules(&w, buf_str(&b));
	buf_free(&b);
	world_seal(&w, from, to, text);
	if (w.v.code != 0)
		fail_msg("%d %s (%s)", w.v.code, w.v.text, w.e.msg);
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

static void expect_signature(const char *result, const char *step)
{
	if (strcmp(w.v.sig_result, result) != 0 ||
	    strcmp(w.v.sig_step, step) != 0)
		fail_msg("signature %s at %s (%s), wanted %s at %s",
		    w.v.sig_result, w.v.sig_step, w.v.sig_reason, result,
		    step);
	assert_int_equal(w.v.code, 0);
}

/* ---- there and back: every decoded leaf is the same ---- */

struct leaves {
	const struct spool *s;
	struct buf out; /* type, then decoded octets, of each leaf */
};

static int leaf_event(void *arg, enum mime_event ev,
    const struct mime_part *part, struct view data, struct err *e)
{
	struct leaves *l = arg;
	struct sink to = sink_to_buf(&l->out);

	(void)data;
	if (ev != MIME_END || !part->is_leaf ||
	    strcmp(part->ctype->type, "application/pkcs7-signature") == 0)
		return 0;
	buf_printf(&l->out, "[%s|", part->ctype->type);
	if (codec_decode(l->s, part->body, part->end, part->ctype->cte, &to,
	    NULL, e) != 0)
		return -1;
	/* a canonical entity never ends inside a line (smime/canon.h) */
	if (part->depth == 0 && part->end > part->body &&
	    l->out.p[l->out.n - 1] != '\n')
		buf_puts(&l->out, "\r\n");
	buf_puts(&l->out, "]");
	return 0;
}

static void read_leaves(struct leaves *l, const struct spool *s)
{
	const struct mime_handler h = {l, leaf_event};
	struct mime_findings f;
	struct err e = {0};

	l->s = s;
	buf_init(&l->out, 64u << 20);
	if (mime_read(s, 0, spool_size(s), true, &h, &f, &e) != 0)
		fail_msg("%s", e.msg);
	assert_string_equal(f.defect, "");
}

static struct spool *out_spool(void)
{
	struct spool *s = NULL;

	assert_int_equal(spool_new(&s, 1u << 30, NULL), 0);
	assert_int_equal(spool_write(s, w.out.p, w.out.n, NULL), 0);
	return s;
}

static const char *const message[] = {
	PLAIN,
	/* no MIME fields at all; 8-bit text */
	"From: alice@example.com\nTo: bob@example.org\n\nGr\303\274\303\237e\n",
	/* no final newline, and an empty body, and no body */
	"From: alice@example.com\nTo: bob@example.org\n\nno end",
	"From: alice@example.com\nTo: bob@example.org\n\n",
	"From: alice@example.com\nTo: bob@example.org\n",
	/* what transit harms */
	"From: alice@example.com\nTo: bob@example.org\nMIME-Version: 1.0\n"
	"Content-Type: text/plain; charset=utf-8\n"
	"Content-Transfer-Encoding: 8bit\n\n.\nFrom here\ntrail \t\n-- \n"
	"\303\244\n\n\n",
	/* an attachment, nested multiparts, a forwarded message */
	"From: alice@example.com\nTo: bob@example.org\nMIME-Version: 1.0\n"
	"Content-Type: multipart/mixed; boundary=\"a b\"\n\npreamble\n--a b\n"
	"Content-Type: multipart/alternative; boundary=c\n\n--c\n\nplain\n"
	"--c\nContent-Type: text/html; charset=utf-8\n"
	"Content-Transfer-Encoding: 8bit\n\n<p>\303\266</p>\n--c--\n--a b\n"
	"Content-Type: application/octet-stream; name=x\n"
	"Content-Disposition: attachment; filename=x\n"
	"Content-Transfer-Encoding: base64\n\nAAECAwQF/w==\n--a b\n"
	"Content-Type: message/rfc822\n\nFrom: x@y.example\n\ninside\n"
	"--a b--\nepilogue\n",
};

static const char *const way[] = {"sign", "sign, opaque", "encrypt",
	"sign, encrypt", "sign, opaque, encrypt"};

static void there_and_back(const char *text, const char *outbound,
    const char *from, const char *to)
{
	struct leaves before, after;
	struct spool *s;

	seal_with(outbound, from, to, text);
	read_leaves(&before, w.msg);
	world_open_again(&w, from, to);
	assert_int_equal(w.v.code, 0);
	if (strstr(outbound, "sign") != NULL)
		expect_signature("pass", "");
	if (strstr(outbound, "encrypt") != NULL)
		assert_string_equal(w.v.dec_result, "decrypted");
	s = out_spool();
	read_leaves(&after, s);
	if (!view_eq(buf_view(&before.out), buf_view(&after.out)))
		fail_msg("%s: leaves differ:\n%s\nand\n%s", outbound,
		    buf_str(&before.out), buf_str(&after.out));
	spool_free(&s);
	buf_free(&before.out);
	buf_free(&after.out);
}

static void S3_every_leaf_comes_back_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(message); i++)
		for (size_t k = 0; k < ARRAY_LEN(way); k++)
			there_and_back(message[i], way[k], ALICE, BOB);
}

static void S91_both_kinds_of_key_sign_and_open(void **state)
{
	(void)state;
	there_and_back("From: bob@example.org\nTo: alice@example.com\n\n"
	    "hello\n", "sign, encrypt", BOB, ALICE);
	assert_string_equal(w.v.dec_transport, "rsa");
	assert_string_equal(w.v.sig_signer, BOB);
	there_and_back(PLAIN, "sign, encrypt", ALICE, BOB);
	assert_string_equal(w.v.dec_transport, "ecdh");
	assert_string_equal(w.v.dec_cipher, "AES-256-CBC");
	assert_false(w.v.dec_authenticated);
	assert_string_equal(w.v.sig_signer, ALICE);
	assert_true(w.v.sig_from_match);
	assert_string_equal(w.v.sig_chain, "CN=Test CA");
	assert_string_equal(buf_str(&w.v.layers), "encrypted 1\nsigned 1/1\n");
	assert_int_equal(w.v.rcpt[0].outcome, OUT_OPENED);
}

/* ---- what a message looks like afterwards ---- */

static void S39_S173_the_message_is_rebuilt(void **state)
{
	(void)state;
	seal_with("sign, encrypt", ALICE, BOB, PLAIN);
	world_open_again(&w, ALICE, BOB);
	assert_true(view_istarts(buf_view(&w.out), "Authentication-Results: "
	    "mx.example.com;\r\n\tsmime=pass (was encrypted)\r\n"
	    "\tbody.smime-identifier=alice@example.com\r\n"
	    "\tbody.smime-part=2\r\nFrom: Alice"));
	assert_int_equal(count_of(&w, "MIME-Version:"), 1);
	assert_false(has(&w, "application/pkcs7-mime"));
	assert_true(has(&w, "multipart/signed")); /* the signature stays */
	assert_true(has(&w, "Message-ID: <1@x>\r\n"));
	assert_true(w.v.ret_hdrs);
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
	assert_true(has(&w, "Content-Type: text/plain\r\n"));
	assert_true(has(&w, "\r\n\r\nSecret plans\r\n"));
	assert_false(has(&w, "pkcs7"));
	assert_false(w.v.ret_hdrs);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_VERIFIED);
	seal_with("sign", ALICE, BOB, PLAIN);
	world_open_again(&w, ALICE, BOB);
	assert_null(w.v.body);
	assert_int_equal(w.v.edits, 1);
	assert_int_equal(w.v.size_in, w.v.size_out);
}

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
	struct spool *entity = NULL, *sealed = NULL;
	struct selection sel = {0};
	struct sink to;
	const struct cert *cert;
	struct addr bob;

	(void)state;
	assert_int_equal(spool_new(&entity, 1u << 20, NULL), 0);
	assert_int_equal(spool_new(&sealed, 1u << 20, NULL), 0);
	assert_int_equal(spool_write(entity, inside, sizeof(inside) - 1,
	    NULL), 0);
	assert_int_equal(addr_parse(&bob, view_of(BOB), NULL), 0);
	assert_int_equal(keystore_select(w.ks, &bob, KS_ENCRYPT, time(NULL),
	    &sel, NULL), 0);
	cert = sel.cert;
	assert_int_equal(encrypt_entity(entity, &cert, 1, ENC_AES256_GCM,
	    sealed, NULL), 0);
	buf_clear(&w.out);
	buf_puts(&w.out, "From: alice@example.com\r\nMIME-Version: 1.0\r\n");
	to = sink_to_buf(&w.out);
	assert_int_equal(spool_copy(sealed, 0, spool_size(sealed), &to, NULL),
	    0);
	spool_free(&entity);
	spool_free(&sealed);
	selection_free(&sel);
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

static void A2_plaintext_that_is_no_entity_is_not_delivered(void **state)
{
	static const char *const inside[] = {"no header at all",
	    "X-Only: other fields\r\n\r\nhello\r\n", "\r\nhello\r\n",
	    "Content-Type: text/plain\r\njunk\r\n\r\nhello\r\n",
	    "Content-Type: text/plain\r\n\r\n\001\002hello\r\n", ""};
	struct selection sel = {0};
	struct addr bob;

	(void)state;
	world_rules(&w, DEFAULT);
	assert_int_equal(addr_parse(&bob, view_of(BOB), NULL), 0);
	assert_int_equal(keystore_select(w.ks, &bob, KS_ENCRYPT, time(NULL),
	    &sel, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(inside); i++) {
		struct spool *entity = NULL, *sealed = NULL;
		const struct cert *cert = sel.cert;
		struct sink to = sink_to_buf(&w.out);

		assert_int_equal(spool_new(&entity, 1u << 20, NULL), 0);
		assert_int_equal(spool_new(&sealed, 1u << 20, NULL), 0);
		assert_int_equal(spool_write(entity, inside[i],
		    strlen(inside[i]), NULL), 0);
		assert_int_equal(encrypt_entity(entity, &cert, 1,
		    ENC_AES256_CBC, sealed, NULL), 0);
		buf_clear(&w.out);
		buf_puts(&w.out, "From: alice@example.com\r\n"
		    "MIME-Version: 1.0\r\n");
		assert_int_equal(spool_copy(sealed, 0, spool_size(sealed),
		    &to, NULL), 0);
		spool_free(&entity);
		spool_free(&sealed);
		world_open_again(&w, ALICE, BOB);
		if (strcmp(w.v.dec_result, "failed") != 0)
			fail_msg("case %zu: %s", i, w.v.dec_result);
		assert_null(w.v.body);
		assert_false(has(&w, "hello"));
	}
	selection_free(&sel);
}

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

static void S74_the_signer_must_be_the_author(void **state)
{
	(void)state;
	seal_with("sign", ALICE, BOB, PLAIN);
	alter("<alice@example.com>", "<carol@example.com>");
	world_open_again(&w, ALICE, BOB);
	expect_signature("policy", "S74");
	assert_true(has(&w, "(signer does not match From)"));
	assert_false(has(&w, "smime-identifier"));
	assert_false(w.v.sig_from_match);
	/* the case of a local part is no other person (RFC 8550 3) */
	seal_with("sign", ALICE, BOB, PLAIN);
	alter("<alice@example.com>", "<Alice@Example.com>");
	world_open_again(&w, ALICE, BOB);
	expect_signature("pass", "");
}

static void A23_two_authors_never_pass(void **state)
{
	(void)state;
	seal_with("sign", ALICE, BOB, PLAIN);
	prepend("From: ceo@example.com\r\n");
	world_open_again(&w, ALICE, BOB);
	expect_signature("permerror", "S62");
	seal_with("sign", ALICE, BOB, PLAIN);
	alter("From: Alice <alice@example.com>",
	    "From: alice@example.com, x@y.de");
	world_open_again(&w, ALICE, BOB);
	expect_signature("policy", "S74");
	seal_with("sign", ALICE, BOB, PLAIN);
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

static void A11_a_signature_over_ciphertext_proves_nothing(void **state)
{
	struct buf b;

	(void)state;
	/* alice's ciphertext, signed by carol as if it were hers */
	seal_with("encrypt", ALICE, BOB, PLAIN);
	alter("<alice@example.com>", "<carol@example.com>");
	buf_init(&b, 1u << 20);
	buf_putv(&b, buf_view(&w.out));
	world_rules(&w, "outbound : sign, opaque\ninbound : decrypt, verify\n");
	/* our own gateway would not sign it, so take its label away */
	buf_clear(&w.out);
	buf_putv(&w.out, buf_view(&b));
	alter("application/pkcs7-mime; smime-type=enveloped-data",
	    "application/x-unknown; smime-type=envelopedxdata ");
	buf_clear(&b);
	buf_putv(&b, buf_view(&w.out));
	world_seal(&w, "carol@example.com", BOB, buf_str(&b));
	assert_int_equal(w.v.code, 0);
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(w.v.dec_result, "none");
	buf_free(&b);
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

/* ---- store-encrypted ---- */

static void store_encrypted_seals_what_comes_in_clear(void **state)
{
	static const char rules[] =
	    "outbound : pass\ninbound to bob@example.org : store-encrypted\n"
	    "inbound : decrypt, verify\n";
	struct leaves before, after;
	struct spool *s;

	(void)state;
	world_rules(&w, rules);
	for (size_t i = 0; i < ARRAY_LEN(message); i++) {
		world_rules(&w, rules);
		world_open_view(&w, ALICE, BOB, view_of(message[i]));
		assert_int_equal(w.v.action, ACT_REPLACED);
		assert_int_equal(w.v.rcpt[0].outcome, OUT_STORE_ENCRYPTED);
		assert_true(has(&w, "smime-type=enveloped-data"));
		assert_int_equal(w.v.rcpt[0].certs, 1);
		assert_true(w.v.ret_hdrs);
		read_leaves(&before, w.msg);
		/* and his key opens it */
		world_rules(&w, DEFAULT);
		world_open_again(&w, ALICE, BOB);
		s = out_spool();
		read_leaves(&after, s);
		assert_true(view_eq(buf_view(&before.out),
		    buf_view(&after.out)));
		spool_free(&s);
		buf_free(&before.out);
		buf_free(&after.out);
	}
}

static void store_encrypted_never_falls_back_to_clear(void **state)
{
	(void)state;
	world_rules(&w, "outbound : pass\ninbound : store-encrypted\n");
	world_open_view(&w, ALICE, "nobody@example.com", view_of(PLAIN));
	assert_int_equal(w.v.action, ACT_QUARANTINED);
	assert_int_equal(w.v.code, 0);
	/* an ambiguous message is sealed as it is */
	world_open_view(&w, ALICE, BOB, view_of("From: x@y.example\n"
	    "Content-Type: text/plain\nContent-Type: text/html\n\nhello\n"));
	assert_int_equal(w.v.rcpt[0].outcome, OUT_STORE_ENCRYPTED);
	assert_false(has(&w, "hello"));
	/* two mailboxes whose copies differ */
	world_open_view(&w, ALICE, "bob@example.org carol@example.com",
	    view_of(PLAIN));
	assert_int_equal(w.v.code, 550);
	/* sealed already: stays as it is */
	seal_with("encrypt", ALICE, BOB, PLAIN);
	world_rules(&w, "outbound : pass\ninbound : store-encrypted\n");
	world_open_again(&w, ALICE, BOB);
	assert_true(is_untouched(&w));
}

static void store_encrypted_keeps_the_signature_inside(void **state)
{
	(void)state;
	seal_with("sign, opaque", ALICE, BOB, PLAIN);
	world_rules(&w, "outbound : pass\n"
	    "inbound : store-encrypted, verify\n");
	world_open_again(&w, ALICE, BOB);
	expect_signature("pass", "");
	assert_true(has(&w, "smime-type=enveloped-data"));
	assert_true(has(&w, "smime=pass"));
	world_rules(&w, DEFAULT);
	world_open_again(&w, ALICE, BOB);
	expect_signature("pass", "");
	assert_true(has(&w, "Secret plans"));
	assert_int_equal(count_of(&w, "Authentication-Results:"), 1);
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
		struct gateway g = {w.config, w.rules, w.ks, NULL};

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
	buf_free(&b);
	world_config(&w, NULL);
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
		cmocka_unit_test(S3_every_leaf_comes_back_the_same),
		cmocka_unit_test(S91_both_kinds_of_key_sign_and_open),
		cmocka_unit_test(S39_S173_the_message_is_rebuilt),
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
		cmocka_unit_test(A1_only_the_root_is_opened),
		cmocka_unit_test(S70_altered_content_fails),
		cmocka_unit_test(S74_the_signer_must_be_the_author),
		cmocka_unit_test(A23_two_authors_never_pass),
		cmocka_unit_test(S72_an_unknown_root_is_not_trusted),
		cmocka_unit_test(S62_a_broken_label_is_a_permerror),
		cmocka_unit_test(unsigned_mail_gets_no_field),
		cmocka_unit_test(
		    A11_a_signature_over_ciphertext_proves_nothing),
		cmocka_unit_test(S83_demand_for_a_signature),
		cmocka_unit_test(store_encrypted_seals_what_comes_in_clear),
		cmocka_unit_test(store_encrypted_never_falls_back_to_clear),
		cmocka_unit_test(store_encrypted_keeps_the_signature_inside),
		cmocka_unit_test(beyond_limits_is_delivered_untouched),
		cmocka_unit_test(larger_than_configured_is_untouched),
		cmocka_unit_test(S176_forged_results_go_on_every_way_in),
	};

	return cmocka_run_group_tests_name("gateway_open", tests, make_world,
	    end_world);
}
