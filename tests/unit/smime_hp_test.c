/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * hp.c: which fields from inside may stand outside, as tables of headers.
 */
#include "smime/hp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CIPHER "Content-Type: text/plain; hp=\"cipher\"\r\n"
#define CLEAR "Content-Type: text/plain; hp=\"clear\"\r\n"
#define ALICE "alice@example.com"
#define CEO "ceo@example.com"

struct setting {
	const char *inner, *outer;
	bool is_encrypted;
	const char *signer; /* NULL: nobody */
	const char *rcpt;   /* NULL: not asked */
};

/* In the hand of the test that runs. */
static struct hp hp;
static struct addr rcpt[HP_RCPTS + 1]; /* all the same */
static size_t rcpts = 1;

static void run_views(struct view inner, struct view outer,
    const struct setting *s)
{
	struct hp_input in = {0};
	struct addr signer;
	struct header hi, ho;
	struct ctype ct;
	struct err e = {0};

	hp_free(&hp);
	assert_int_equal(header_parse(&hi, inner, &e), 0);
	assert_int_equal(header_parse(&ho, outer, &e), 0);
	assert_int_equal(ctype_read(&ct, &hi, &e), 0);
	in.inner = &hi;
	in.ct = &ct;
	in.outer = &ho;
	in.is_encrypted = s->is_encrypted;
	if (s->signer != NULL) {
		assert_int_equal(addr_parse(&signer, view_of(s->signer), &e),
		    0);
		in.signer = &signer;
	}
	for (size_t i = 0; s->rcpt != NULL && i < rcpts; i++)
		assert_int_equal(addr_parse(&rcpt[i], view_of(s->rcpt), &e),
		    0);
	in.rcpt = s->rcpt == NULL ? NULL : rcpt;
	in.rcpts = s->rcpt == NULL ? 0 : rcpts;
	assert_int_equal(hp_read(&hp, &in, &e), 0);
	ctype_free(&ct);
	header_free(&hi);
	header_free(&ho); /* nothing in hp may point into them */
}

static void run(const struct setting *s)
{
	run_views(view_of(s->inner), view_of(s->outer), s);
}

/* Encrypted, nobody signed. */
static void run_sealed(const char *inner, const char *outer)
{
	const struct setting s = {inner, outer, true, NULL, NULL};

	run(&s);
}

static void expect_fields(const char *name, const char *want)
{
	struct buf b;

	buf_init(&b, 1u << 20);
	for (size_t i = 0; i < hp.n; i++)
		buf_printf(&b, "%s:%s|", hp.field[i].name, hp.field[i].value);
	if (strcmp(buf_str(&b), want) != 0)
		fail_msg("%s: restored \"%s\", wanted \"%s\"", name,
		    buf_str(&b), want);
	buf_free(&b);
}

/* want "": there is none. */
static void expect_remark(const char *name, const char *want)
{
	const char *got = buf_str(&hp.remarks);

	if (want[0] == '\0' ? got[0] != '\0' : strstr(got, want) == NULL)
		fail_msg("%s: remarks \"%s\", wanted \"%s\"", name, got,
		    want);
}

/* ---- the parameter ---- */

static void S154_the_parameter_has_one_reading_or_none(void **state)
{
	static const struct {
		const char *type;
		enum hp_mode mode;
		const char *remark;
	} c[] = {
	    {"text/plain", HP_NONE, ""},
	    {"text/plain; x=\"; hp=cipher\"", HP_NONE, ""},
	    {"text/plain; hp-legacy-display=\"1\"", HP_NONE, ""},
	    {"text/plain; xhp=cipher", HP_NONE, ""},
	    {"text/plain (hp=cipher)", HP_NONE, ""},
	    {"text/plain; hp=", HP_NONE, "neither clear nor cipher"},
	    {"text/plain; hp=\"\"", HP_NONE, "neither clear nor cipher"},
	    {"text/plain; hp=shy", HP_NONE, "neither clear nor cipher"},
	    {"text/plain; hp=\"clear \"", HP_NONE, "neither clear nor"},
	    {"text/plain; hp=ciphers", HP_NONE, "neither clear nor"},
	    {"text/plain; hp=clear; hp=clear", HP_NONE, "one reading"},
	    {"text/plain; hp=clear; hp=cipher", HP_NONE, "one reading"},
	    {"text/plain; hp=clear; HP=cipher", HP_NONE, "one reading"},
	    {"text/plain; hp=cipher; hp*=us-ascii''clear", HP_NONE,
	     "one reading"},
	    {"text/plain; hp*=us-ascii''cipher", HP_NONE, "one reading"},
	    {"text/plain; hp*0=cip; hp*1=her", HP_NONE, "one reading"},
	    {"text/plain; hp*0=cipher", HP_NONE, "one reading"},
	    {"text/plain; hp=\"cip\\her\"", HP_NONE, "one reading"},
	    {"text/plain; (x) hp=cipher", HP_NONE, "one reading"},
	    {"text/plain; hp=(x)cipher", HP_NONE, "one reading"},
	    {"text/plain; hp=cipher; x=\"; hp=clear\"", HP_NONE,
	     "one reading"},
	    {"text/plain; hp=\"cipher", HP_NONE, "one reading"},
	    {"text/plain\r\nContent-Type: text/plain; hp=cipher", HP_NONE,
	     ""},
	    {"text/plain; hp=cipher\r\nContent-Type: text/plain", HP_NONE,
	     "one reading"},
	    {"text/plain; hp=cipher\r\nno field at all", HP_NONE,
	     "one reading"},
	    {"text/plain; hp=cipher", HP_CIPHER, ""},
	    {"text/plain; HP=\"CIPHER\"", HP_CIPHER, ""},
	    {"text/plain;hp=cipher;charset=utf-8", HP_CIPHER, ""},
	    {"multipart/mixed;\r\n\tboundary=b;\r\n\thp = \"cipher\"",
	     HP_CIPHER, ""},
	    {"text/plain; hp-legacy-display=\"1\"; hp=\"cipher\"", HP_CIPHER,
	     ""},
	    {"text/plain; hp=Clear", HP_CLEAR, "that was encrypted"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct buf b;

		buf_init(&b, 4096);
		buf_printf(&b, "Content-Type: %s\r\nSubject: in\r\n",
		    c[i].type);
		run_sealed(buf_str(&b), "Subject: in\r\n");
		if (hp.mode != c[i].mode)
			fail_msg("%s: mode %d", c[i].type, (int)hp.mode);
		expect_remark(c[i].type, c[i].remark);
		run_sealed(buf_str(&b), "Subject: out\r\n");
		expect_fields(c[i].type, c[i].mode == HP_NONE
		    ? "" : "Subject: in|");
		buf_free(&b);
	}
}

static void S157_a_mode_that_does_not_fit_is_remarked(void **state)
{
	static const struct setting cipher = {CIPHER "Subject: a\r\n",
	    "Subject: b\r\n", false, ALICE, NULL},
	    clear = {CLEAR "Subject: a\r\n", "Subject: b\r\n", true, NULL,
	    NULL};

	(void)state;
	run(&cipher);
	expect_remark("cipher", "hp=\"cipher\" in a message that was not");
	expect_fields("cipher", "Subject: a|");
	run(&clear);
	expect_remark("clear", "hp=\"clear\" in a message that was encr");
	expect_fields("clear", "Subject: a|");
}

/* ---- which fields ---- */

/* attack A28: header fields that somebody trusts, put inside with hp= so
 * that the gateway brings them out
 * verdict: only the names of a fixed list are restored */
static void A28_S156_only_listed_names_come_out(void **state)
{
	static const char *const name[] = {"Message-ID", "Received",
	    "Authentication-Results", "ARC-Seal", "ARC-Message-Signature",
	    "ARC-Authentication-Results", "DKIM-Signature", "Return-Path",
	    "Delivered-To", "X-Spam-Status", "X-Spam", "X-Postseal-Verified",
	    "X-Gateway-Verified", "List-Unsubscribe", "List-Id", "List-Post",
	    "Received-SPF", "Bcc", "Sender", "Resent-From", "Resent-To",
	    "Disposition-Notification-To", "Auto-Submitted", "HP-Outer",
	    "Content-Disposition", "MIME-Version", "X-Virus-Scanned",
	    "Errors-To", "Precedence", "Autocrypt", "Subject ",
	    "Reply-To-", "X-Subject"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(name); i++) {
		struct buf b;

		buf_init(&b, 4096);
		buf_printf(&b, CIPHER "%s: Subject: inside\r\n", name[i]);
		run_sealed(buf_str(&b), "Subject: [...]\r\n");
		expect_fields(name[i], "");
		buf_free(&b);
	}
}

static void S154_what_differs_is_restored_and_the_rest_stays(void **state)
{
	static const struct {
		const char *name, *inner, *outer, *want, *remark;
	} c[] = {
	    {"absent outside", "Subject: a\r\n", "", "Subject: a|", ""},
	    {"differs", "Subject: a\r\n", "Subject: [...]\r\n",
	     "Subject: a|", ""},
	    {"same", "Subject: a\r\n", "Subject: a\r\n", "", ""},
	    {"same but for blanks", "subject:  a \r\n\tb\r\n",
	     "SUBJECT: a b \r\n", "", ""},
	    {"same inside out", "Subject: a\r\n", "Subject:\r\n a\r\n", "",
	     ""},
	    {"case is a difference", "Subject: A\r\n", "Subject: a\r\n",
	     "Subject: A|", ""},
	    {"twice outside", "To: a@x.example\r\n",
	     "To: a@x.example\r\nTo: b@x.example\r\n", "To: a@x.example|",
	     ""},
	    {"folds stay", "References: <a@x>\r\n <b@x>\r\n\t<c@x>\r\n", "",
	     "References: <a@x>\n <b@x>\n\t<c@x>|", ""},
	    {"blanks around go", "Subject:\r\n  a  \r\n", "",
	     "Subject: a|", ""},
	    {"not inside", "", "Reply-To: x@y.example\r\n", "",
	     "Reply-To stands outside only"},
	    {"nowhere", "", "", "", ""},
	    {"empty subject", "Subject:\r\n", "Subject: [...]\r\n",
	     "Subject: |", ""},
	    {"empty address", "To:  \r\n", "To: a@x.example\r\n", "",
	     "To inside cannot stand in a header"},
	    {"the whole list", "References: <b@x>\r\nIn-Reply-To: <a@x>\r\n"
	     "Keywords: k\r\nComments: c\r\nDate: Mon, 1 Jan 2024 00:00:00 "
	     "+0000\r\nReply-To: r@x.example\r\nCc: c@x.example\r\n"
	     "To: t@x.example\r\nSubject: s\r\n", "",
	     "To: t@x.example|Cc: c@x.example|Reply-To: r@x.example|"
	     "Subject: s|Date: Mon, 1 Jan 2024 00:00:00 +0000|"
	     "In-Reply-To: <a@x>|References: <b@x>|Comments: c|"
	     "Keywords: k|", ""},
	    {"other names outside", "Subject: a\r\n", "Subject: a\r\n"
	     "Message-ID: <x@y>\r\nX-Spam: no\r\n", "", ""},
	    /* the text of encoded words is not looked at, and not decoded */
	    {"encoded word", "Subject: =?utf-8?q?=0D=0AX-Evil:_1?=\r\n", "",
	     "Subject: =?utf-8?q?=0D=0AX-Evil:_1?=|", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct buf b;

		buf_init(&b, 8192);
		buf_printf(&b, CIPHER "%s", c[i].inner);
		run_sealed(buf_str(&b), c[i].outer);
		expect_fields(c[i].name, c[i].want);
		expect_remark(c[i].name, c[i].remark);
		buf_free(&b);
	}
}

/* attack A23: two of a field inside, so that two readers take two
 * verdict: no field of that name is restored */
static void S38_A23_twice_inside_is_not_restored(void **state)
{
	static const char *const name[] = {"Subject", "From", "To", "Cc",
	    "Reply-To", "Date", "In-Reply-To", "References"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(name); i++) {
		struct setting s = {NULL, "Subject: out\r\n", true, ALICE,
		    NULL};
		struct buf b;

		buf_init(&b, 4096);
		buf_printf(&b, CIPHER "%s: " ALICE "\r\n%s: " ALICE "\r\n",
		    name[i], name[i]);
		s.inner = buf_str(&b);
		run(&s);
		expect_fields(name[i], "");
		expect_remark(name[i], "is given too often inside");
		buf_free(&b);
	}
}

static void S154_comments_and_keywords_may_repeat(void **state)
{
	struct buf b, want;

	(void)state;
	buf_init(&b, 4096);
	buf_init(&want, 4096);
	buf_puts(&b, CIPHER);
	for (int i = 0; i < HP_REPEATED; i++) {
		buf_printf(&b, "Comments: %d\r\nkeywords: %d\r\n", i, i);
		buf_printf(&want, "Comments: %d|", i);
	}
	for (int i = 0; i < HP_REPEATED; i++)
		buf_printf(&want, "Keywords: %d|", i);
	run_sealed(buf_str(&b), "");
	expect_fields("at the cap", buf_str(&want));
	assert_int_equal(hp.n, 2 * HP_REPEATED);
	buf_puts(&b, "Comments: one more\r\n");
	run_sealed(buf_str(&b), "");
	assert_int_equal(hp.n, HP_REPEATED);
	assert_string_equal(hp.field[0].name, "Keywords");
	expect_remark("beyond", "Comments is given too often");
	/* the same ones, in another order, are others */
	run_sealed(CIPHER "Comments: a\r\nComments: b\r\n",
	    "Comments: b\r\nComments: a\r\n");
	expect_fields("order", "Comments: a|Comments: b|");
	run_sealed(CIPHER "Comments: a\r\nComments: b\r\n",
	    "Comments: a\r\nComments: b\r\n");
	expect_fields("same", "");
	buf_free(&b);
	buf_free(&want);
}

/* ---- values ---- */

/* attack A30 A31 A42: line ends, NUL and terminal escapes in a value
 * inside, to make new fields outside
 * verdict: the value is not restored, the field outside stays */
static void A30_A31_A42_unsound_values_stay_inside(void **state)
{
	static const struct {
		const char *name;
		struct view value;
	} c[] = {
#define V(s) {(const unsigned char *)(s), sizeof(s) - 1}
	    {"NUL", V("a\0b")},
	    {"CR", V("a\rb")},
	    {"CR and a field", V("a\rX-Evil: 1")},
	    {"CR CR LF", V("a\r\r\n b")},
	    {"CR before a fold", V("a\r \r\n b")},
	    {"LF fold", V("a\n b")},
	    {"ESC", V("a\033[2Jb")},
	    {"BEL", V("a\ab")},
	    {"DEL", V("a\177b")},
	    {"vertical tab", V("a\vb")},
	    {"form feed", V("a\fb")},
	    {"NEL of Latin-1", V("a\205b")},
	    {"UTF-8", V("\303\244")},
	    {"UTF-8 line separator", V("a\342\200\250b")},
	    {"right-to-left override", V("a\342\200\256b")},
	    {"blank line in a fold", V("a\r\n \r\n b")},
	    {"blank line with a tab", V("a\r\n\t \r\n b")},
#undef V
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct setting s = {"", "Subject: out\r\n", true, ALICE,
		    NULL};
		struct buf b;

		buf_init(&b, 4096);
		buf_puts(&b, "Subject: ");
		buf_putv(&b, c[i].value);
		buf_puts(&b, "\r\n" CIPHER "To: t@x.example\r\n");
		run_views(buf_view(&b), view_of("Subject: out\r\n"), &s);
		for (size_t k = 0; k < hp.n; k++)
			if (strcmp(hp.field[k].name, "Subject") == 0)
				fail_msg("%s was restored", c[i].name);
		if (buf_str(&hp.remarks)[0] == '\0')
			fail_msg("%s: no remark", c[i].name);
		buf_free(&b);
	}
}

/* With a Content-Type that was read before: what hp.c itself looks at. */
static void A42_control_octets_are_seen_without_the_parser(void **state)
{
	static const char raw[] = "Subject: a\rX-Evil: 1\r\n" CIPHER
	    "To: a\0b\r\nCc: t@x.example\r\n";
	struct hp_input in = {.is_encrypted = true};
	struct header hi, ho, clean;
	struct ctype ct;
	struct err e = {0};

	(void)state;
	hp_free(&hp);
	assert_int_equal(header_parse(&hi, view_make(raw, sizeof(raw) - 1),
	    &e), 0);
	assert_int_equal(header_parse(&ho, view_of(""), &e), 0);
	assert_int_equal(header_parse(&clean, view_of(CIPHER), &e), 0);
	assert_int_equal(ctype_read(&ct, &clean, &e), 0);
	in.inner = &hi;
	in.outer = &ho;
	in.ct = &ct;
	assert_int_equal(hp_read(&hp, &in, &e), 0);
	expect_fields("controls", "Cc: t@x.example|");
	expect_remark("controls", "To inside cannot stand");
	expect_remark("controls", "Subject inside cannot stand");
	ctype_free(&ct);
	header_free(&hi);
	header_free(&ho);
	header_free(&clean);
}

static void blank_before_the_colon_is_not_restored(void **state)
{
	(void)state;
	run_sealed(CIPHER "Subject : a\r\n", "Subject: b\r\n");
	expect_fields("blank", "");
	expect_remark("blank", "Subject inside cannot stand");
}

/* A value of n octets, in lines of at most line. */
static void put_long(struct buf *b, size_t n, size_t line)
{
	for (size_t i = 0; i < n; i++)
		if (i > 0 && i % line == 0 && n - i > 3) {
			buf_puts(b, "\r\n ");
			i += 2;
		} else {
			buf_putc(b, 'x');
		}
}

static void A42_lines_up_to_998_octets(void **state)
{
	static const struct {
		const char *before;
		size_t n;
		bool ok;
	} c[] = {
	    {"", 988, true}, /* "Subject: " is 9 */
	    {"", 989, true},
	    {"", 990, false},
	    {"\r\n ", 989, true}, /* on the first line when restored */
	    {"\r\n ", 990, false},
	    {"a\r\n ", 996, true},
	    {"a\r\n ", 997, true},
	    {"a\r\n ", 998, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct buf b;

		buf_init(&b, 8192);
		buf_printf(&b, CIPHER "Subject: %s", c[i].before);
		put_long(&b, c[i].n, 2000);
		buf_puts(&b, "\r\n");
		run_sealed(buf_str(&b), "");
		if (hp.n != c[i].ok)
			fail_msg("row %zu: %zu restored", i, hp.n);
		expect_remark("", c[i].ok ? "" : "cannot stand in a header");
		buf_free(&b);
	}
}

static void A42_fields_up_to_the_cap(void **state)
{
	(void)state;
	for (size_t n = CAP_HP_FIELD - 1; n <= CAP_HP_FIELD + 1; n++) {
		struct buf b;
		size_t rest = n - strlen("Subject: ") - 2;

		buf_init(&b, 2 * CAP_HP_FIELD);
		buf_puts(&b, CIPHER "Subject: ");
		put_long(&b, rest, 900);
		buf_puts(&b, "\r\n");
		assert_int_equal(b.n, strlen(CIPHER) + n);
		run_sealed(buf_str(&b), "");
		assert_int_equal(hp.n, n <= CAP_HP_FIELD);
		buf_free(&b);
	}
}

/* ---- the author ---- */

/* attack A28: "From: ceo" inside an encrypted message that nobody signed,
 * or that somebody else signed
 * verdict: From outside stays; the mismatch is said */
static void S155_From_needs_its_own_signature(void **state)
{
	static const struct {
		const char *name, *inner, *outer, *signer;
		const char *want;
		bool out; /* the mismatch is marked */
	} c[] = {
	    {"unsigned", "From: " CEO "\r\n", "From: m@x.example\r\n", NULL,
	     "", true},
	    {"somebody's", "From: " CEO "\r\n", "From: m@x.example\r\n",
	     "m@x.example", "", true},
	    {"his", "From: Boss <" CEO ">\r\n", "From: m@x.example\r\n", CEO,
	     "From: Boss <" CEO ">|", false},
	    {"his in another case", "From: CEO@example.com\r\n",
	     "From: m@x.example\r\n", CEO, "From: CEO@example.com|", false},
	    {"same", "From: " CEO "\r\n", "From: " CEO "\r\n", NULL, "",
	     false},
	    {"only the name differs", "From: Boss <m@x.example>\r\n",
	     "From: m@x.example\r\n", NULL, "", true},
	    {"two mailboxes", "From: " CEO ", m@x.example\r\n",
	     "From: m@x.example\r\n", CEO, "", true},
	    {"two addresses", "From: " CEO " <m@x.example>\r\n",
	     "From: y@x.example\r\n", CEO, "", true},
	    {"a group", "From: g: " CEO ";\r\n", "From: m@x.example\r\n",
	     CEO, "", true},
	    {"the name is not the author", "From: \"" CEO "\" "
	     "<m@x.example>\r\n", "From: y@x.example\r\n", CEO, "", true},
	    {"twice", "From: " CEO "\r\nFrom: " CEO "\r\n",
	     "From: m@x.example\r\n", CEO, "", true},
	    {"not inside", "", "From: m@x.example\r\n", CEO, "", false},
	    {"8-bit name", "From: \303\204 <" CEO ">\r\n",
	     "From: m@x.example\r\n", CEO, "", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct setting s = {NULL, c[i].outer, true, c[i].signer,
		    NULL};
		struct buf b;

		buf_init(&b, 4096);
		buf_printf(&b, CIPHER "%s", c[i].inner);
		s.inner = buf_str(&b);
		run(&s);
		expect_fields(c[i].name, c[i].want);
		if (hp.is_author_out != c[i].out)
			fail_msg("%s: marked %d", c[i].name,
			    (int)hp.is_author_out);
		assert_int_equal(hp.has_author, c[i].want[0] != '\0');
		buf_free(&b);
	}
}

static void S155_the_other_fields_come_out_all_the_same(void **state)
{
	(void)state;
	run_sealed(CIPHER "From: " CEO "\r\nSubject: a\r\n",
	    "From: m@x.example\r\nSubject: [...]\r\n");
	expect_fields("", "Subject: a|");
	expect_remark("", "no valid signature is its author's");
}

static void S154_unencrypted_needs_a_valid_signature(void **state)
{
	struct setting s = {CLEAR "Subject: a\r\nFrom: " ALICE "\r\n",
	    "Subject: [list] a\r\nFrom: list@x.example\r\n", false, NULL,
	    NULL};

	(void)state;
	run(&s);
	assert_int_equal(hp.mode, HP_CLEAR);
	expect_fields("unsigned", "");
	expect_remark("unsigned", "no valid signature covers them");
	s.signer = ALICE;
	run(&s);
	expect_fields("signed", "From: " ALICE "|Subject: a|");
	expect_remark("signed", "Subject outside was changed on its way");
	s.signer = "m@x.example";
	run(&s);
	expect_fields("somebody's", "Subject: a|");
	assert_true(hp.is_author_out);
}

/* ---- HP-Outer ---- */

static void S154_HP_Outer_tells_who_changed_a_field(void **state)
{
	static const struct {
		const char *name, *inner, *outer;
		bool changed;
	} c[] = {
	    {"as he left it", "Subject: a\r\nHP-Outer: Subject: [...]\r\n",
	     "Subject: [...]\r\n", false},
	    {"with a list's tag", "Subject: a\r\n"
	     "HP-Outer: Subject: [...]\r\n", "Subject: [list] [...]\r\n",
	     true},
	    {"folded on its way", "Subject: a\r\n"
	     "hp-outer: subject:  [a\r\n b]\r\n", "Subject: [a b]\r\n",
	     false},
	    {"removed on its way", "Subject: a\r\n"
	     "HP-Outer: Subject: [...]\r\n", "", true},
	    {"removed by him", "Subject: a\r\nHP-Outer: Date: x\r\n", "",
	     false},
	    {"put back by somebody", "Subject: a\r\nHP-Outer: Date: x\r\n",
	     "Subject: b\r\n", true},
	    {"nothing noted", "Subject: a\r\n", "Subject: b\r\n", false},
	    {"unreadable note", "Subject: a\r\nHP-Outer: Subject\r\n"
	     "HP-Outer:\r\n", "", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct buf b;

		buf_init(&b, 4096);
		buf_printf(&b, CIPHER "%s", c[i].inner);
		run_sealed(buf_str(&b), c[i].outer);
		expect_fields(c[i].name, "Subject: a|");
		expect_remark(c[i].name, c[i].changed
		    ? "Subject outside was changed on its way" : "");
		buf_free(&b);
	}
}

/* ---- recipients ---- */

/* attack A10: a signed message, sealed again by its receiver for somebody
 * else
 * verdict: a remark that it was not written to this recipient */
static void A10_recipients_inside_exclude_this_one(void **state)
{
	static const struct {
		const char *name, *inner, *rcpt;
		bool others;
	} c[] = {
	    {"somebody else", "To: carol@example.com\r\n", "bob@example.org",
	     true},
	    {"in Cc", "To: carol@example.com\r\nCc: Bob <BOB@example.org>"
	     "\r\n", "bob@example.org", false},
	    {"in a name only", "To: \"bob@example.org\" <c@example.com>\r\n",
	     "bob@example.org", true},
	    {"nobody inside", "Subject: a\r\n", "bob@example.org", false},
	    {"not asked", "To: carol@example.com\r\n", NULL, false},
	    {"undisclosed", "To: undisclosed-recipients:;\r\n",
	     "bob@example.org", true},
	    {"folded", "To: carol@example.com,\r\n bob@example.org\r\n",
	     "bob@example.org", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct setting s = {NULL, "", true, ALICE, c[i].rcpt};
		struct buf b;

		buf_init(&b, 4096);
		buf_printf(&b, CIPHER "%s", c[i].inner);
		s.inner = buf_str(&b);
		run(&s);
		if (hp.is_for_others != c[i].others)
			fail_msg("%s: %d", c[i].name, (int)hp.is_for_others);
		if (c[i].others)
			expect_remark(c[i].name, "name no recipient");
		buf_free(&b);
	}
}

static void A10_of_a_mailing_nobody_is_looked_for(void **state)
{
	const struct setting s = {CIPHER "To: list@x.example\r\n", "", true,
	    ALICE, "bob@example.org"};

	(void)state;
	for (rcpts = HP_RCPTS - 1; rcpts <= HP_RCPTS + 1; rcpts++) {
		run(&s);
		assert_int_equal(hp.is_for_others, rcpts <= HP_RCPTS);
	}
	rcpts = 1;
}

static void S42_a_forwarded_message_has_its_own_fields(void **state)
{
	/* the fields of the part itself, whatever is forwarded in it */
	(void)state;
	run_sealed("Content-Type: message/rfc822; forwarded=no\r\n"
	    "Subject: a\r\n", "Subject: [...]\r\n");
	expect_fields("as in RFC 8551", "");
	assert_int_equal(hp.mode, HP_NONE);
	expect_remark("as in RFC 8551", "");
}

static void freeing_twice_is_free(void **state)
{
	(void)state;
	run_sealed(CIPHER "Subject: a\r\n", "");
	hp_free(&hp);
	hp_free(&hp);
	assert_int_equal(hp.n, 0);
}

static int forget(void **state)
{
	(void)state;
	hp_free(&hp);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(S154_the_parameter_has_one_reading_or_none),
	    cmocka_unit_test(S157_a_mode_that_does_not_fit_is_remarked),
	    cmocka_unit_test(A28_S156_only_listed_names_come_out),
	    cmocka_unit_test(S154_what_differs_is_restored_and_the_rest_stays),
	    cmocka_unit_test(S38_A23_twice_inside_is_not_restored),
	    cmocka_unit_test(S154_comments_and_keywords_may_repeat),
	    cmocka_unit_test(A30_A31_A42_unsound_values_stay_inside),
	    cmocka_unit_test(A42_control_octets_are_seen_without_the_parser),
	    cmocka_unit_test(blank_before_the_colon_is_not_restored),
	    cmocka_unit_test(A42_lines_up_to_998_octets),
	    cmocka_unit_test(A42_fields_up_to_the_cap),
	    cmocka_unit_test(S155_From_needs_its_own_signature),
	    cmocka_unit_test(S155_the_other_fields_come_out_all_the_same),
	    cmocka_unit_test(S154_unencrypted_needs_a_valid_signature),
	    cmocka_unit_test(S154_HP_Outer_tells_who_changed_a_field),
	    cmocka_unit_test(A10_recipients_inside_exclude_this_one),
	    cmocka_unit_test(A10_of_a_mailing_nobody_is_looked_for),
	    cmocka_unit_test(S42_a_forwarded_message_has_its_own_fields),
	    cmocka_unit_test(freeing_twice_is_free),
	};

	return cmocka_run_group_tests_name("smime_hp", tests, NULL, forget);
}
