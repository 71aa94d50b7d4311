/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Incoming mail by its structure: types and labels, layers in layers,
 * attached messages, and every class of REQUIREMENTS A.4.
 */
#include "tests/unit/gateway_make.h"

#include <sqlite3.h>

static struct world w;
static struct buf b; /* the entity in the making */

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
#define CAROL "carol@example.com"
#define DEFAULT "outbound : sign, encrypt\ninbound : decrypt, verify\n"
#define HELLO "Content-Type: text/plain\r\n\r\nhello\r\n"
#define X_MIME "Content-Type: application/x-pkcs7-mime; name=smime.p7m\r\n"
#define NAMED "Content-Type: application/octet-stream; name=x.p7m\r\n"

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

static void begin(const char *entity)
{
	buf_clear(&b);
	buf_puts(&b, entity);
}

static void sign(enum sign_form form)
{
	make_signed(&w, ALICE, form, &b);
}

static void seal(void)
{
	make_sealed(&w, BOB, ENC_AES256_GCM, &b);
}

/* The entity in b as a message of alice's to bob, through the gateway. */
static void arrive(void)
{
	struct buf m;

	buf_init(&m, MAKE_MAX);
	buf_puts(&m, "From: alice@example.com\r\nTo: bob@example.org\r\n"
	    "Subject: Plans\r\nMIME-Version: 1.0\r\n");
	buf_putv(&m, buf_view(&b));
	world_open_view(&w, ALICE, BOB, buf_view(&m));
	buf_free(&m);
}

static void expect(const char *what, const char *dec, const char *sig,
    const char *step)
{
	if (strcmp(w.v.dec_result, dec) != 0 ||
	    strcmp(w.v.sig_result, sig) != 0 ||
	    strcmp(w.v.sig_step, step) != 0 || w.v.code != 0)
		fail_msg("%s: %d, decryption %s (%s), signature %s at %s "
		    "(%s); wanted %s, %s at %s", what, w.v.code,
		    w.v.dec_result, w.v.dec_reason, w.v.sig_result,
		    w.v.sig_step, w.v.sig_reason, dec, sig, step);
}

static void expect_untouched(const char *what)
{
	if (!is_untouched(&w) || w.key_ops != 0 ||
	    w.v.action != ACT_UNCHANGED)
		fail_msg("%s: %s, %d key operations", what,
		    action_str(w.v.action), w.key_ops);
}

/* ---- types ---- */

static void S27_old_types_are_read(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	begin(HELLO);
	sign(SIGN_OPAQUE);
	make_relabelled(&b, X_MIME);
	arrive();
	expect("opaque", "none", "pass", "");
	assert_true(has(&w, "\r\n\r\nhello\r\n"));
	begin(HELLO);
	seal();
	make_relabelled(&b, X_MIME);
	arrive();
	expect("encrypted", "decrypted", "none", "");
	begin(HELLO);
	sign(SIGN_CLEAR);
	make_edit(&b, "Type: application/pkcs7-", "Type: Application/X-PKCS7-");
	arrive();
	expect("clear", "none", "pass", "");
	make_edit(&b, "\"application/pkcs7-", "\"application/x-pkcs7-");
	arrive();
	expect("clear, by protocol", "none", "pass", "");
}

static void S27_old_types_are_not_written(void **state)
{
	static const char *const rules[] = {"sign", "sign, opaque",
	    "encrypt", "sign, encrypt"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		world_seal_with(&w, rules[i], ALICE, BOB,
		    "From: alice@example.com\n\nhello\n");
		assert_true(has(&w, "application/pkcs7-"));
		assert_false(has(&w, "x-pkcs7"));
		assert_false(has(&w, "X-PKCS7"));
	}
}

static void S28_a_file_name_at_the_root_is_enough_for_cms(void **state)
{
	static const char *const fields[] = {
	    NAMED,
	    "Content-Type: application/octet-stream; name=\"SMIME.P7M\"\r\n",
	    "Content-Type: application/octet-stream\r\n"
	    "Content-Disposition: attachment; filename=smime.p7m\r\n",
	    "Content-Type: application/octet-stream; name=a.p7z\r\n",
	};

	(void)state;
	world_rules(&w, DEFAULT);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		begin(HELLO);
		sign(SIGN_OPAQUE);
		seal();
		make_relabelled(&b, fields[i]);
		arrive();
		expect(fields[i], "decrypted", "pass", "");
		begin(HELLO);
		sign(SIGN_OPAQUE);
		make_relabelled(&b, fields[i]);
		arrive();
		expect(fields[i], "none", "pass", "");
	}
}

/* attack A41: an archive under the name of a CMS object
 * verdict: ordinary mail, delivered as it arrived */
static void S28_the_name_of_a_file_is_no_proof(void **state)
{
	static const char *const content[] = {"PK\003\004zip archive", "",
	    "MIAGCSqGSIb3DQEHA6CA", "\060\200", "\060\003\006\001\052"};

	(void)state;
	world_rules(&w, DEFAULT);
	for (size_t i = 0; i < ARRAY_LEN(content); i++) {
		begin(content[i]);
		make_base64(&b, NAMED);
		arrive();
		expect("no CMS", "none", "none", "");
		expect_untouched("no CMS");
		/* with the type it is what somebody meant to be one */
		begin(content[i]);
		make_base64(&b, "Content-Type: application/pkcs7-mime\r\n");
		arrive();
		expect("no CMS, but the type", "failed", "none", "");
		assert_int_equal(w.key_ops, 0);
		assert_null(w.v.body);
	}
}

/* A signed file of that name is no ciphertext, in spite of its name. */
static void S28_nor_inside_of_layers(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	for (int i = 0; i < 4; i++) {
		begin("PK\003\004zip archive");
		make_base64(&b, NAMED);
		if (i != 2)
			sign(i == 0 ? SIGN_OPAQUE : SIGN_CLEAR);
		if (i >= 2)
			seal();
		arrive();
		expect("inside", i < 2 ? "none" : "decrypted", i == 2 ? "none"
								   : "pass",
		    "");
		assert_true(has(&w, "name=x.p7m"));
	}
}

static void S28_a_file_name_below_the_root_is_nothing(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	for (int i = 0; i < 2; i++) {
		begin(HELLO);
		if (i == 0)
			sign(SIGN_OPAQUE);
		else
			seal();
		make_relabelled(&b, NAMED);
		make_between(&b, "Content-Type: multipart/mixed; boundary=m"
		    "\r\n\r\n--m\r\n", "\r\n--m--\r\n");
		arrive();
		expect("below", "none", "none", "");
		expect_untouched("below");
	}
}

/* Which label says what of which object makes no difference. */
static void S29_S200_the_object_decides_not_its_label(void **state)
{
	static const char *const label[] = {"", "; smime-type=signed-data",
	    "; smime-type=enveloped-data", "; smime-type=authEnveloped-data",
	    "; smime-type=compressed-data", "; smime-type=certs-only",
	    "; smime-type=\"\"", "; smime-type=x-unknown",
	    "; name=smime.p7c", "; name=invoice.pdf"};
	struct buf f;

	(void)state;
	world_rules(&w, DEFAULT);
	buf_init(&f, 1000);
	for (size_t i = 0; i < ARRAY_LEN(label); i++) {
		buf_clear(&f);
		buf_printf(&f, "Content-Type: application/pkcs7-mime%s\r\n",
		    label[i]);
		begin(HELLO);
		sign(SIGN_OPAQUE);
		make_relabelled(&b, buf_str(&f));
		arrive();
		expect(label[i], "none", "pass", "");
		begin(HELLO);
		make_sealed(&w, BOB, i % 2 == 0 ? ENC_AES256_GCM
						: ENC_AES256_CBC, &b);
		make_relabelled(&b, buf_str(&f));
		arrive();
		expect(label[i], "decrypted", "none", "");
		assert_true(has(&w, "\r\n\r\nhello\r\n"));
	}
	buf_free(&f);
}

/* ---- layers ---- */

/* One more opaque signature; the object stands in it in binary, or it would
 * grow by a third each time. */
static void sign_again(bool is_last)
{
	sign(SIGN_OPAQUE);
	if (is_last)
		return;
	make_bare(&b);
	make_binary(&b, "Content-Type: application/pkcs7-mime;"
	    " smime-type=signed-data\r\n");
}

static size_t layer_lines(void)
{
	size_t n = 0;

	for (size_t i = 0; i < w.v.layers.n; i++)
		n += w.v.layers.p[i] == '\n';
	return n;
}

static void S32_a_triple_wrap_passes(void **state)
{
	static const enum sign_form form[] = {SIGN_OPAQUE, SIGN_CLEAR};

	(void)state;
	world_rules(&w, DEFAULT);
	for (size_t i = 0; i < 4; i++) {
		begin(HELLO);
		sign(form[i % 2]);
		seal();
		sign(form[i / 2]);
		arrive();
		/* the innermost one counts; both are said */
		expect("triple", "decrypted", "pass", "");
		assert_int_equal(w.key_ops, 1);
		assert_int_equal(count_of(&w, "smime=pass"), 1);
		assert_int_equal(count_of(&w, "body.smime-identifier="), 1);
		assert_int_equal(layer_lines(), 3);
		assert_true(has(&w, "\r\n\r\nhello\r\n"));
	}
}

/* attack A14: fifty signatures, one in the other
 * verdict: delivered as it arrived, neutral at S62, four layers looked at */
static void S32_A14_layers_beyond_the_cap_stop(void **state)
{
	static const int depth[] = {CAP_CMS_LAYERS - 1, CAP_CMS_LAYERS,
	    CAP_CMS_LAYERS + 1, 50};

	(void)state;
	world_rules(&w, DEFAULT);
	for (size_t i = 0; i < ARRAY_LEN(depth); i++) {
		begin(HELLO);
		for (int d = 1; d <= depth[i]; d++)
			sign_again(d == depth[i]);
		arrive();
		if (depth[i] <= CAP_CMS_LAYERS) {
			expect("within", "none", "pass", "");
			assert_true(has(&w, "\r\n\r\nhello\r\n"));
			assert_int_equal(layer_lines(), depth[i]);
			continue;
		}
		expect("beyond", "none", "neutral", "S62");
		assert_null(w.v.body);
		assert_true(has(&w, "smime-type=signed-data"));
		assert_true(layer_lines() <= CAP_CMS_LAYERS + 1);
		assert_int_equal(w.key_ops, 0);
	}
}

/* ---- certs-only ---- */

/* Of all tables of the store. */
static int rows(void)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *table = NULL, *count = NULL;
	char sql[200];
	int n = 0;

	assert_int_equal(sqlite3_open_v2(w.db, &db, SQLITE_OPEN_READONLY,
	    NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT name FROM "
	    "sqlite_master WHERE type = 'table'", -1, &table, NULL),
	    SQLITE_OK);
	while (sqlite3_step(table) == SQLITE_ROW) {
		sqlite3_snprintf(sizeof(sql), sql, "SELECT COUNT(*) FROM %Q",
		    sqlite3_column_text(table, 0));
		assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &count,
		    NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(count), SQLITE_ROW);
		n += sqlite3_column_int(count, 0);
		sqlite3_finalize(count);
	}
	sqlite3_finalize(table);
	sqlite3_close(db);
	return n;
}

/* SignedData with a certificate and nothing else. */
static void make_certs_only(void)
{
	static const unsigned char oid[2][9] = {
	    {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01},
	    {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}};
	static unsigned char mem[32768];
	struct cert *c = make_cert(&w, CAROL, KS_ENCRYPT);
	struct der_w x;
	size_t mark;

	der_w_init(&x, mem, sizeof(mem));
	der_w_tlv(&x, DER_SET, NULL, 0);
	mark = der_w_mark(&x);
	der_w_raw(&x, cert_der(c).p, cert_der(c).n);
	der_w_wrap(&x, DER_CTX0, mark);
	mark = der_w_mark(&x);
	der_w_tlv(&x, DER_OID, oid[0], 9);
	der_w_wrap(&x, DER_SEQUENCE, mark);
	der_w_tlv(&x, DER_SET, NULL, 0);
	der_w_tlv(&x, DER_INTEGER, "\001", 1);
	der_w_wrap(&x, DER_SEQUENCE, 0);
	der_w_wrap(&x, DER_CTX0, 0);
	der_w_tlv(&x, DER_OID, oid[1], 9);
	der_w_wrap(&x, DER_SEQUENCE, 0);
	assert_false(x.failed);
	buf_clear(&b);
	buf_putv(&b, der_w_result(&x));
	cert_free(&c);
}

/* attack A32: certificates that come by mail, to be believed
 * verdict: none, delivered as it arrived, nothing in the store changes */
static void S35_certs_only_is_untouched_and_stays_out(void **state)
{
	static const char *const fields[] = {
	    "Content-Type: application/pkcs7-mime; smime-type=certs-only;"
	    " name=smime.p7c\r\n",
	    "Content-Type: application/pkcs7-mime\r\n",
	    "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n",
	    "Content-Type: application/octet-stream; name=x.p7c\r\n"};
	int before = rows();

	(void)state;
	world_rules(&w, DEFAULT);
	assert_true(before > 0);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		make_certs_only();
		make_base64(&b, fields[i]);
		arrive();
		expect(fields[i], "none", "none", "");
		expect_untouched(fields[i]);
		assert_int_equal(rows(), before);
	}
}

/* ---- what is inside stays what it is ---- */

#define HTML                                                                \
	"Content-Type: text/html\r\n\r\n<html><img src=\"http://x/\r\n"       \
	"<!-- unfinished\r\n"

/* attack A1: text around the ciphertext that would take the plaintext in
 * verdict: decrypted is what was inside, octet for octet; the text around
 * it is not delivered */
static void S36_html_is_never_joined(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	begin(HTML);
	seal();
	arrive();
	expect("alone", "decrypted", "none", "");
	assert_true(view_eq_str(make_body(&w),
	    "<html><img src=\"http://x/\r\n<!-- unfinished\r\n"));
	/* no base64: decoders skip it, people read it */
	begin(HTML);
	seal();
	make_edit(&b, "\r\n\r\n", "\r\n\r\n<\"\r\n");
	make_between(&b, "", "\">\r\n");
	arrive();
	expect("signs around", "decrypted", "none", "");
	assert_true(view_eq_str(make_body(&w),
	    "<html><img src=\"http://x/\r\n<!-- unfinished\r\n"));
	/* with letters it is no object any more */
	make_edit(&b, "\r\n\r\n<", "\r\n\r\n<p class=");
	arrive();
	expect("text around", "failed", "none", "");
	assert_null(w.v.body);
	assert_int_equal(w.key_ops, 0);
	assert_false(has(&w, "unfinished"));
	/* HTML in two parts stays in two parts */
	begin("Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n"
	    HTML "--m\r\nContent-Type: text/html\r\n\r\n\">two\r\n--m--\r\n");
	sign(SIGN_OPAQUE);
	seal();
	arrive();
	expect("two", "decrypted", "pass", "");
	assert_true(view_eq_str(make_body(&w), "--m\r\n" HTML "--m\r\n"
	    "Content-Type: text/html\r\n\r\n\">two\r\n--m--\r\n"));
}

static void S41_a_message_inside_is_delivered_as_one(void **state)
{
	static const char inside[] = "Content-Type: message/rfc822\r\n\r\n"
	    "From: ceo@example.com\r\nSubject: inner\r\n"
	    "X-Spam: no\r\n\r\nhello\r\n";

	(void)state;
	world_rules(&w, DEFAULT);
	begin(inside);
	sign(SIGN_OPAQUE);
	seal();
	arrive();
	/* the signer is compared with the outer From only */
	expect("inside", "decrypted", "pass", "");
	assert_true(has(&w, "Content-Type: message/rfc822\r\n"));
	assert_true(has(&w, "Subject: Plans\r\n"));
	assert_true(view_eq_str(make_body(&w), strchr(inside, 'F')));
	assert_int_equal(count_of(&w, "\r\nFrom: "), 1 + 1);
	/* and what is sealed in it stays so (S42) */
	begin(HELLO);
	seal();
	make_between(&b, "Content-Type: message/rfc822\r\n\r\n"
	    "From: alice@example.com\r\n", "");
	seal();
	arrive();
	expect("sealed inside", "decrypted", "none", "");
	assert_int_equal(w.key_ops, 1);
	assert_false(has(&w, "hello"));
}

/* ---- attached messages ---- */

static void attach(void)
{
	make_between(&b, "Content-Type: multipart/mixed; boundary=m\r\n\r\n"
	    "--m\r\n\r\nsee below\r\n--m\r\n"
	    "Content-Type: message/rfc822\r\n\r\n"
	    "From: alice@example.com\r\nMIME-Version: 1.0\r\n"
	    "Authentication-Results: mx.example.com; smime=pass\r\n",
	    "\r\n--m--\r\n");
}

/* attack A43: an attached message with crypto and a result of its own
 * verdict: delivered as it arrived, none, no key operation */
static void S42_A43_attached_mail_is_an_ordinary_part(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	for (int i = 0; i < 4; i++) {
		begin(HELLO);
		if (i == 0)
			seal();
		else if (i == 1)
			sign(SIGN_CLEAR);
		else if (i == 2)
			sign(SIGN_OPAQUE);
		attach();
		arrive();
		expect("attached", "none", "none", "");
		expect_untouched("attached");
		assert_true(has(&w, "smime=pass")); /* no field of ours */
		/* the same, forwarded as the whole */
		begin(HELLO);
		if (i == 0)
			seal();
		else
			sign(i == 1 ? SIGN_CLEAR : SIGN_OPAQUE);
		make_between(&b, "Content-Type: message/rfc822\r\n\r\n"
		    "From: alice@example.com\r\n", "");
		arrive();
		expect("forwarded", "none", "none", "");
		expect_untouched("forwarded");
	}
}

/* The signature of the message that has it attached is its own. */
static void S42_attached_mail_does_not_change_the_result(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	for (int i = 0; i < 2; i++) {
		begin(HELLO);
		if (i == 0)
			seal();
		else
			make_signed(&w, CAROL, SIGN_CLEAR, &b);
		attach();
		sign(SIGN_CLEAR);
		arrive();
		expect("signed", "none", "pass", "");
		assert_string_equal(w.v.sig_signer, ALICE);
		assert_null(w.v.body);
		assert_int_equal(w.key_ops, 0);
	}
}

/* ---- every class of incoming mail (A.4) ---- */

static void S44_encrypted_with_a_key(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	begin(HELLO);
	sign(SIGN_CLEAR);
	seal();
	arrive();
	expect("key", "decrypted", "pass", "");
	assert_int_equal(w.v.rcpt[0].outcome, OUT_OPENED);
	assert_true(has(&w, "smime=pass (was encrypted)"));
}

static void S44_encrypted_without_a_key(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	begin(HELLO);
	make_sealed(&w, CAROL, ENC_AES256_CBC, &b);
	arrive();
	expect("no key", "no-key", "none", "");
	expect_untouched("no key");
	assert_null(strstr(w.v.rcpt[0].reason, "carol"));
}

static void S44_encrypted_but_damaged(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	begin(HELLO);
	seal();
	make_bare(&b);
	b.p[b.n - 7] ^= 1; /* the tag, before three end-of-contents */
	make_base64(&b, "Content-Type: application/pkcs7-mime;"
	    " smime-type=authEnveloped-data\r\n");
	arrive();
	expect("damaged", "failed", "none", "");
	assert_int_equal(w.key_ops, 1);
	assert_null(w.v.body);
	assert_true(has(&w, "smime=none (encrypted, could not be opened "
	    "here)"));
	assert_true(has(&w, "authEnveloped-data"));
}

static void S44_signed_as_a_whole_keeps_its_signature(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	begin(HELLO);
	sign(SIGN_CLEAR);
	arrive();
	expect("signed", "none", "pass", "");
	assert_null(w.v.body);
	assert_int_equal(w.v.edits, 1);
	assert_true(has(&w, "application/pkcs7-signature"));
	assert_string_equal(w.v.sig_part, "2");
}

static const char list_head[] =
    "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n";
static const char list_foot[] =
    "\r\n--m\r\n\r\nunsubscribe here\r\n--m--\r\n";

static void S44_S174_signed_below_the_top(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	begin(HELLO);
	sign(SIGN_CLEAR);
	make_between(&b, list_head, list_foot);
	arrive();
	expect("list", "none", "neutral", "S75");
	assert_string_equal(w.v.sig_part, "1.2");
	assert_null(w.v.body);
	assert_true(has(&w, "smime=neutral (signed part is not the whole "
	    "message)\r\n\tbody.smime-part=1.2\r\n"));
	assert_false(has(&w, "smime=pass"));
	assert_false(has(&w, "smime-identifier"));
	/* what the list changed fails by itself */
	make_edit(&b, "hello", "hallo");
	arrive();
	expect("changed", "none", "fail", "S70");
	assert_string_equal(w.v.sig_part, "1.2");
	/* opaque: its own number, and it stays */
	begin(HELLO);
	sign(SIGN_OPAQUE);
	make_between(&b, list_head, list_foot);
	arrive();
	expect("opaque", "none", "neutral", "S75");
	assert_string_equal(w.v.sig_part, "1");
	assert_null(w.v.body);
	assert_false(has(&w, "hello"));
}

static void S23_S62_three_parts_below_the_top(void **state)
{
	static const char third[] = "\r\n--s\r\n\r\nthird\r\n--s--\r\n";

	(void)state;
	world_rules(&w, DEFAULT);
	begin("Content-Type: multipart/signed; boundary=s; micalg=sha-256;\r\n"
	    " protocol=\"application/pkcs7-signature\"\r\n\r\n"
	    "--s\r\n" HELLO "--s\r\n"
	    "Content-Type: application/pkcs7-signature\r\n\r\nAA");
	make_between(&b, "", third);
	make_between(&b, list_head, list_foot);
	arrive();
	expect("three", "none", "permerror", "S62");
	assert_string_equal(w.v.sig_part, "1");
	assert_true(has(&w, "smime=permerror (malformed message)"));
}

static void S44_compressed_alone(void **state)
{
	static const unsigned char der[] = {0x30, 0x44, 0x06, 0x0b, 0x2a, 0x86,
	    0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x09, 0xa0, 0x35,
	    0x30, 0x33, 0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x0b, 0x2a, 0x86,
	    0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x03, 0x08, 0x30, 0x1f,
	    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01,
	    0xa0, 0x12, 0x04, 0x10, 'n', 'o', ' ', 'z', 'l', 'i', 'b', ' ',
	    's', 't', 'r', 'e', 'a', 'm', '.', '.'};

	(void)state;
	world_rules(&w, DEFAULT);
	buf_clear(&b);
	buf_put(&b, der, sizeof(der));
	make_base64(&b, "Content-Type: application/pkcs7-mime;"
	    " smime-type=compressed-data; name=smime.p7z\r\n");
	arrive();
	expect("compressed", "none", "none", "");
	expect_untouched("compressed");
}

static void S44_reports_with_ciphertext_are_untouched(void **state)
{
	static const char head[] = "Content-Type: multipart/report;"
	    " report-type=delivery-status; boundary=m\r\n\r\n--m\r\n"
	    "\r\nnot delivered\r\n--m\r\n"
	    "Content-Type: message/delivery-status\r\n\r\n"
	    "Reporting-MTA: dns; x\r\n\r\n--m\r\n";

	(void)state;
	world_rules(&w, DEFAULT);
	for (int i = 0; i < 2; i++) {
		begin(HELLO);
		seal();
		/* a bounce of our own mail; ciphertext as the third part */
		make_between(&b, i == 0 ? "Content-Type: message/rfc822\r\n"
		    "\r\nFrom: bob@example.org\r\n" : "", "\r\n--m--\r\n");
		make_between(&b, head, "");
		arrive();
		expect("report", "none", "none", "");
		expect_untouched("report");
		assert_int_equal(w.v.class, CLASS_DSN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S27_old_types_are_read),
		cmocka_unit_test(S27_old_types_are_not_written),
		cmocka_unit_test(
		    S28_a_file_name_at_the_root_is_enough_for_cms),
		cmocka_unit_test(S28_the_name_of_a_file_is_no_proof),
		cmocka_unit_test(S28_nor_inside_of_layers),
		cmocka_unit_test(S28_a_file_name_below_the_root_is_nothing),
		cmocka_unit_test(S29_S200_the_object_decides_not_its_label),
		cmocka_unit_test(S32_a_triple_wrap_passes),
		cmocka_unit_test(S32_A14_layers_beyond_the_cap_stop),
		cmocka_unit_test(S35_certs_only_is_untouched_and_stays_out),
		cmocka_unit_test(S36_html_is_never_joined),
		cmocka_unit_test(S41_a_message_inside_is_delivered_as_one),
		cmocka_unit_test(S42_A43_attached_mail_is_an_ordinary_part),
		cmocka_unit_test(S42_attached_mail_does_not_change_the_result),
		cmocka_unit_test(S44_encrypted_with_a_key),
		cmocka_unit_test(S44_encrypted_without_a_key),
		cmocka_unit_test(S44_encrypted_but_damaged),
		cmocka_unit_test(S44_signed_as_a_whole_keeps_its_signature),
		cmocka_unit_test(S44_S174_signed_below_the_top),
		cmocka_unit_test(S23_S62_three_parts_below_the_top),
		cmocka_unit_test(S44_compressed_alone),
		cmocka_unit_test(S44_reports_with_ciphertext_are_untouched),
	};

	return cmocka_run_group_tests_name("gateway_structure", tests,
	    make_world, end_world);
}
