/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of the way there and back, with a real keystore: every decoded leaf
 * of a message comes back as it was; and of mail that is sealed for storage.
 */
#include "smime/codec.h"
#include "smime/mime.h"
#include "tests/unit/gateway_world.h"

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
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
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
	assert_string_equal(buf_str(&w.v.layers), "encrypted 1 -\n"
	    "signed 1/1 pass\n");
	assert_int_equal(w.v.rcpt[0].outcome, OUT_OPENED);
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
	/* one of them wants it in clear */
	world_rules(&w, "outbound : pass\ninbound to bob@example.org : "
	    "store-encrypted\ninbound : pass\n");
	world_open_view(&w, ALICE, "bob@example.org carol@example.com",
	    view_of("From: a@b.de\nTo: bob@example.org, carol@example.com\n"
	    "\nhello\n"));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S3_every_leaf_comes_back_the_same),
		cmocka_unit_test(S91_both_kinds_of_key_sign_and_open),
		cmocka_unit_test(store_encrypted_seals_what_comes_in_clear),
		cmocka_unit_test(store_encrypted_never_falls_back_to_clear),
		cmocka_unit_test(store_encrypted_keeps_the_signature_inside),
	};

	return cmocka_run_group_tests_name("gateway_leaves", tests,
	    make_world, end_world);
}
