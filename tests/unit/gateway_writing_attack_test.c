/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Attacks on what leaves: by authors, by those whom they answer, and by
 * partners who say what they can read.
 */
#include "tests/unit/gateway_make.h"

static struct world w;

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
#define HEAD                                                                \
	"From: Alice <alice@example.com>\nTo: bob@example.org\n"            \
	"Date: Sat, 21 Nov 2026 10:00:00 +0100\nMessage-ID: <1@a>\n"
#define PLAIN "MIME-Version: 1.0\nContent-Type: text/plain\n\nSecret plans\n"

/* The AlgorithmIdentifier of AES-256-CBC in a BER object of indefinite
 * lengths becomes that of Triple-DES. */
static void make_edit_octets(struct buf *b)
{
	static const unsigned char aes[] = {0x30, 0x1d, 0x06, 0x09, 0x60, 0x86,
	    0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a, 0x04, 0x10};
	static const unsigned char des[] = {0x30, 0x14, 0x06, 0x08, 0x2a, 0x86,
	    0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07, 0x04, 0x08, 0, 0, 0, 0, 0, 0,
	    0, 0};
	unsigned char *p = memmem(b->p, b->n, aes, sizeof(aes));
	size_t n;

	assert_non_null(p);
	n = b->n - (size_t)(p - b->p) - sizeof(aes) - 16;
	memmove(p + sizeof(des), p + sizeof(aes) + 16, n);
	memcpy(p, des, sizeof(des));
	b->n -= sizeof(aes) + 16 - sizeof(des);
}

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, ALICE, "rsa:2048");
	world_person(&w, BOB, "rsa:2048");
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

#define HIDING "sign, encrypt, protect-headers baseline"

/* attack A54: a program that writes the Subject twice (Thread-Topic), or a
 * filter before us that keeps a copy of it
 * verdict: hidden with the Subject */
static void A54_copies_of_the_subject_are_hidden_with_it(void **state)
{
	static const char *const rows[] = {"Thread-Topic", "Original-Subject",
	    "X-Original-Subject", "thread-topic"};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_init(&b, 4096);
		buf_printf(&b, HEAD "Subject: Takeover of Example\n"
		    "%s: Takeover of Example\n" PLAIN, rows[i]);
		world_seal_with(&w, HIDING, ALICE, BOB, buf_str(&b));
		if (has(&w, "Takeover"))
			fail_msg("%s", buf_str(&w.out));
		world_open_again(&w, ALICE, BOB);
		world_signature(&w, "pass", "");
		/* Subject, inside, inside once more, in the text */
		assert_int_equal(count_of(&w, "Takeover of Example"), 4);
		buf_free(&b);
	}
}

/* attack A41: HTML that behind its body tag goes on with what no line may
 * begin with: "From ", a dot, the delimiter of its own multipart
 * verdict: the inserted block does not make it begin a line */
static void S6_S8_what_the_block_is_put_before_begins_no_line(void **state)
{
	static const char *const rows[] = {"From here on", ".", "--b",
	    "--b--", ">From here"};
	struct buf b, bad;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_init(&b, 4096);
		buf_init(&bad, 4096);
		buf_printf(&b, HEAD "Subject: Plans\nMIME-Version: 1.0\n"
		    "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
		    "Content-Type: text/html\n\n<html><body>%s\nrest</body>"
		    "\n--b--\n", rows[i]);
		world_seal_with(&w, HIDING, ALICE, BOB, buf_str(&b));
		world_open_again(&w, ALICE, BOB);
		world_signature(&w, "pass", "");
		buf_printf(&bad, "\r\n%s\r\nrest", rows[i]);
		if (has(&w, buf_str(&bad)) || !has(&w, rows[i]))
			fail_msg("%s", buf_str(&w.out));
		assert_true(has(&w, "<pre>Subject: Plans</pre>"));
		buf_free(&bad);
		buf_free(&b);
	}
}

/* attack A32: two addresses with one certificate, and only one rule asks for
 * OAEP
 * verdict: OAEP; what a rule orders is not lost, and the verdict is true */
static void S93_an_order_for_oaep_holds_for_a_shared_certificate(void **state)
{
	static const char *const to[] = {"bob+edi@example.org bob@example.org",
	    "bob@example.org bob+edi@example.org"};

	(void)state;
	world_config(&w, "recipient-delimiter +");
	world_rules(&w, "outbound to bob+edi@example.org : sign, encrypt, "
	    "key-transport oaep\noutbound : sign, encrypt, key-transport "
	    "pkcs1\ninbound : decrypt, verify\n");
	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		world_seal(&w, ALICE, to[i], "From: alice@example.com\n"
		    "To: bob@example.org, bob+edi@example.org\n" PLAIN);
		assert_int_equal(w.v.code, 0);
		for (size_t k = 0; k < w.v.rcpts; k++)
			assert_string_equal(w.v.rcpt[k].key_transport,
			    "RSAES-OAEP-SHA256");
		world_open_again(&w, ALICE, BOB);
		world_signature(&w, "pass", "");
	}
	world_config(&w, NULL);
}

/* attack A54: the author's resent blind copies
 * verdict: gone as Bcc is (RFC 5322 3.6.6) */
static void S129_resent_bcc_does_not_leave(void **state)
{
	(void)state;
	world_seal_with(&w, "sign or plain, encrypt", ALICE, BOB,
	    "Resent-From: alice@example.com\nResent-To: bob@example.org\n"
	    "Resent-Bcc: carol@example.com\n" HEAD "Subject: x\n"
	    "Bcc : carol@example.com\n" PLAIN);
	if (has(&w, "carol"))
		fail_msg("%s", buf_str(&w.out));
}

/* attack A54: an author who has no certificate, and a rule with "sign or
 * plain": without a signature nothing is hidden
 * verdict: so it is, and it is said */
static void A54_a_subject_that_cannot_be_hidden_is_remarked(void **state)
{
	static const struct {
		const char *rule;
		bool is_said;
	} rows[] = {
		{"sign or plain, encrypt, protect-headers baseline", true},
		{"sign or plain, encrypt, protect-headers shy", true},
		{"sign or plain, encrypt, protect-headers copy", false},
		{"sign or plain, encrypt", false},
		{"sign or plain, protect-headers baseline", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		world_seal_with(&w, rows[i].rule, "dave@example.com", BOB,
		    "From: dave@example.com\nTo: bob@example.org\n"
		    "Subject: Takeover\n" PLAIN);
		assert_true(has(&w, "Subject: Takeover"));
		assert_int_equal(strstr(buf_str(&w.v.warnings),
		    "the Subject is readable outside") != NULL,
		    rows[i].is_said);
	}
	world_seal_with(&w, rows[0].rule, ALICE, BOB, HEAD
	    "Subject: Takeover\n" PLAIN);
	assert_string_equal(buf_str(&w.v.warnings), "");
}

/* attack A28: the author's own message has hp, in every form, and HP-Outer
 * verdict: ours are what counts, his are nowhere inside */
static void A28_hp_of_the_author_is_not_ours(void **state)
{
	(void)state;
	world_seal_with(&w, HIDING, ALICE, BOB, HEAD "Subject: Takeover\n"
	    "HP-Outer: Subject: Fake\nHP-Outer: From: x@example.com\n"
	    "MIME-Version: 1.0\n"
	    "Content-Type: text/plain; hp=\"clear\"; HP*=us-ascii''cipher;"
	    " hp-legacy-display=1; x=\"; hp=cipher\"\n\nSecret\n");
	world_open_again(&w, ALICE, BOB);
	world_signature(&w, "pass", "");
	assert_false(has(&w, "Fake"));
	assert_false(has(&w, "x@example.com"));
	assert_int_equal(count_of(&w, "hp=\""), 1);
	assert_true(has(&w, "\thp=\"cipher\"\r\n"));
}

/* Its first octets alone say what it is: none of ours in front of them. */
static void html_in_utf16_stays_readable(void **state)
{
	(void)state;
	world_seal_with(&w, HIDING, ALICE, BOB, HEAD "Subject: Takeover\n"
	    "MIME-Version: 1.0\nContent-Type: text/html\n"
	    "Content-Transfer-Encoding: base64\n\n"
	    "//48AGgAdABtAGwAPgA8AGIAbwBkAHkAPgBoAGkA\n");
	world_open_again(&w, ALICE, BOB);
	world_signature(&w, "pass", "");
	assert_true(has(&w, "\r\n\r\n//48AGgAdABtAGwAPgA8AGIAbwBkAHkAPgBo"));
}

/* attack A51: an author's own program encrypts with less than min-cipher, or
 * with a cipher that nobody should use
 * verdict: that does not count as encrypted: it is encrypted once more */
static void A51_S105_weak_encryption_of_the_author_does_not_count(void **state)
{
	static const struct {
		enum enc_cipher cipher;
		const char *rule;
		bool is_enough;
	} rows[] = {
		{ENC_AES128_CBC, "encrypt", true},
		{ENC_AES128_CBC, "encrypt, min-cipher aes-256-cbc", false},
		{ENC_AES256_CBC, "encrypt, min-cipher aes-256-cbc", true},
		{ENC_AES256_CBC, "encrypt, min-cipher aes-128-gcm", false},
		{ENC_AES128_GCM, "encrypt, min-cipher aes-128-gcm", true},
		{ENC_AES128_GCM, "encrypt, min-cipher aes-256-cbc", false},
		{ENC_AES256_GCM, "encrypt, min-cipher aes-256-gcm", true},
	};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_init(&b, MAKE_MAX);
		buf_puts(&b, "Content-Type: text/plain\r\n\r\nSecret\r\n");
		make_sealed(&w, BOB, rows[i].cipher, &b);
		make_between(&b, HEAD "MIME-Version: 1.0\r\n", "");
		world_seal_with(&w, rows[i].rule, ALICE, BOB, buf_str(&b));
		assert_int_equal(is_untouched(&w), rows[i].is_enough);
		buf_free(&b);
	}
}

/* attack A51: the same with the oldest cipher that readers still know
 * verdict: likewise */
static void A51_S100_triple_des_of_the_author_does_not_count(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, MAKE_MAX);
	buf_puts(&b, "Content-Type: text/plain\r\n\r\nSecret\r\n");
	make_sealed(&w, BOB, ENC_AES256_CBC, &b);
	make_bare(&b);
	/* 2.16.840.1.101.3.4.1.42 with 16 octets: 1.2.840.113549.3.7, 8 */
	make_edit_octets(&b);
	make_base64(&b, "Content-Type: application/pkcs7-mime; "
	    "smime-type=enveloped-data; name=smime.p7m\r\n");
	make_between(&b, HEAD "MIME-Version: 1.0\r\n", "");
	world_seal_with(&w, "encrypt", ALICE, BOB, buf_str(&b));
	assert_false(is_untouched(&w));
	assert_int_not_equal(w.v.class, CLASS_ENCRYPTED);
	buf_free(&b);
}

/* attack A42: a stranger's Message-ID that nobody can sign, so that no answer
 * to it, nor to others of its thread, leaves; or only in the opaque form
 * verdict: the fields that repeat it stay outside alone */
static void S10_a_strangers_message_id_does_not_stop_answers(void **state)
{
	static const char *const name[] = {"In-Reply-To", "References"};
	static const char *const id[] = {"<\xff@a>", "<\x01@a>",
	    "<\xc3\xa4@a>", NULL};
	char word[998];
	struct buf b;

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(name) * ARRAY_LEN(id); i++) {
		const char *s = id[i / 2] == NULL ? word : id[i / 2];

		buf_init(&b, 8192);
		buf_printf(&b, HEAD "Subject: Re: x\n%s:\n %s\n" PLAIN,
		    name[i % 2], s);
		world_seal_with(&w, "sign, protect-headers copy", ALICE, BOB,
		    buf_str(&b));
		assert_int_equal(count_of(&w, s), 1);
		assert_true(has(&w, "multipart/signed"));
		world_open_again(&w, ALICE, BOB);
		world_signature(&w, "pass", "");
		buf_free(&b);
	}
	/* the author's own fields are another matter */
	world_seal(&w, ALICE, BOB, HEAD "X-Word: \x01\nReply-To: \x01\n"
	    PLAIN);
	assert_int_equal(w.v.code, 554);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(A54_copies_of_the_subject_are_hidden_with_it),
		T(S6_S8_what_the_block_is_put_before_begins_no_line),
		T(S93_an_order_for_oaep_holds_for_a_shared_certificate),
		T(S129_resent_bcc_does_not_leave),
		T(A54_a_subject_that_cannot_be_hidden_is_remarked),
		T(A28_hp_of_the_author_is_not_ours),
		T(html_in_utf16_stays_readable),
		T(S10_a_strangers_message_id_does_not_stop_answers),
		T(A51_S105_weak_encryption_of_the_author_does_not_count),
		T(A51_S100_triple_des_of_the_author_does_not_count),
	};

	return cmocka_run_group_tests_name("gateway_writing_attack", tests,
	    make_world, end_world);
}
