/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * hp_write.c: protected entities octet for octet, what is left outside, and
 * what nobody can sign so that it survives transit.
 */
#include "tests/unit/smime_protect.h"

/* ---- refused ---- */

static void S190_S9_what_transit_would_break_is_refused_by_name(void **state)
{
	static const struct {
		const char *name;
		struct view header;
		const char *why;
	} rows[] = {
#define V(s) {(const unsigned char *)(s), sizeof(s) - 1}
		{"NUL", V("Subject: a\0b\r\n"), "Subject: a NUL"},
		{"bare CR", V("Subject: a\rb\r\n"), "Subject: a NUL"},
		{"bare CR at a fold", V("X-A: a\r\r\n b\r\n"), "X-A: a NUL"},
		{"control in an address", V("To: a\x01 <a@b.example>\r\n"),
		    "To: a control"},
		{"ISO 2022 beside an encoded word",
		    V("Subject: =?utf-8?Q?x?= \x1b(B\r\n"),
		    "Subject: a control"},
		{"Latin 1 in an address", V("To: <b\xf6\x62@b.example>\r\n"),
		    "To: octets that are neither"},
		{"Latin 1 in a field that nobody knows",
		    V("Foo: b\xf6\r\n"), "Foo: octets that are neither"},
		{"no field", V("Subject: a\r\nwhat\r\n"), "is no field"},
#undef V
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int enc = 0; enc < 2; enc++) {
			if (run_view(view_of(PLAIN), rows[i].header, HP_COPY,
			    enc) == 0)
				fail_msg("%s: made %s", rows[i].name,
				    buf_str(&out));
			assert_int_equal(err.kind, FAIL_INPUT);
			if (strstr(err.msg, rows[i].why) == NULL)
				fail_msg("%s: %s", rows[i].name, err.msg);
		}
}

/* "Name: aaa..." with n octets in the one word. */
static void long_word(struct buf *b, const char *name, size_t n)
{
	buf_clear(b);
	buf_printf(b, "%s: ", name);
	for (size_t i = 0; i < n; i++)
		buf_putc(b, 'a');
	buf_puts(b, "\r\n");
}

static void S9_a_word_that_fits_no_line_is_refused_or_encoded(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BIG);
	/* 990 with "HP-Outer: Foo: " before it */
	long_word(&b, "Foo", 975);
	assert_int_equal(run_view(view_of(PLAIN), buf_view(&b), HP_COPY,
	    true), 0);
	assert_int_equal(longest_line(), 990);
	assert_int_equal(outer.n, 0);
	long_word(&b, "Foo", 976);
	assert_int_equal(run_view(view_of(PLAIN), buf_view(&b), HP_COPY,
	    true), -1);
	assert_int_equal(err.kind, FAIL_INPUT);
	assert_non_null(strstr(err.msg, "Foo: a word of more than 990"));
	long_word(&b, "X-Foo", 2000);
	assert_int_equal(run_view(view_of(PLAIN), buf_view(&b), HP_COPY,
	    true), 0);
	assert_true(longest_line() < 100);
	expect("X-Foo: =?utf-8?Q?=61=61");
	assert_int_equal(outer.n, 1); /* the same form outside */
	assert_memory_equal(outer.change[0].value, " =?utf-8?Q?=61", 14);
	buf_free(&b);
}

static void S9_long_lines_are_folded_inside_and_outside(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BIG);
	buf_puts(&b, "References:");
	for (int i = 0; i < 200; i++)
		buf_printf(&b, " <%d@mail.example>", i);
	buf_puts(&b, "\r\n");
	assert_int_equal(run_view(view_of(PLAIN), buf_view(&b), HP_COPY,
	    false), 0);
	assert_true(longest_line() <= 990);
	expect("<199@mail.example>");
	assert_int_equal(outer.n, 1);
	assert_string_equal(outer.change[0].name, "References");
	assert_non_null(strchr(outer.change[0].value, '\n'));
	buf_free(&b);
}

static void caps_are_kept_by_name(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BIG);
	/* a hidden field has to be restored by the reader: CAP_HP_FIELD */
	for (size_t n = 0; n < 2; n++) {
		buf_clear(&b);
		buf_puts(&b, "Subject:");
		while (b.n < CAP_HP_FIELD - 80)
			buf_puts(&b, " 1234567890123456789012345678901\r\n");
		buf_putc(&b, ' ');
		while (b.n + 12 < CAP_HP_FIELD + n)
			buf_putc(&b, 'x');
		buf_puts(&b, "\r\n");
		assert_int_equal(run_view(view_of(PLAIN), buf_view(&b),
		    HP_COPY, true), 0);
		assert_int_equal(run_view(view_of(PLAIN), buf_view(&b),
		    HP_BASELINE, true), n == 0 ? 0 : -1);
	}
	assert_int_equal(err.kind, FAIL_LIMIT);
	assert_non_null(strstr(err.msg, "header field Subject: more than "));
	/* the section, with what is noted */
	for (size_t n = 0; n < 2; n++) {
		buf_clear(&b);
		for (int i = 0; i < (n == 0 ? 999 : 1000); i++)
			buf_printf(&b, "X-%d: a\r\n", i);
		assert_int_equal(run_view(view_of(PLAIN), buf_view(&b),
		    HP_COPY, false), 0);
		assert_int_equal(run_view(view_of(PLAIN), buf_view(&b),
		    HP_COPY, true), n == 0 ? 0 : -1);
	}
	assert_int_equal(err.kind, FAIL_LIMIT);
	assert_non_null(strstr(err.msg, "2001 fields"));
	buf_clear(&b);
	for (int i = 0; i < 3; i++) {
		buf_printf(&b, "X-%d:", i);
		for (int k = 0; k < 55000; k++)
			buf_putc(&b, k % 50 == 0 ? ' ' : 'a');
		buf_puts(&b, "\r\n");
	}
	assert_int_equal(run_view(view_of(PLAIN), buf_view(&b), HP_COPY,
	    false), -1);
	assert_int_equal(err.kind, FAIL_LIMIT);
	buf_free(&b);
}

/* ---- the settings ---- */

#define COPIED                                                              \
	"From: Alice <alice@example.com>\r\n"                               \
	"To: Bob <bob@example.org>,\r\n Carol <carol@example.net>\r\n"      \
	"Subject: Dinner plans\r\n"                                         \
	"Date: Sat, 21 Nov 2026 10:00:00 +0100\r\n"                         \
	"Message-ID: <1@example.com>\r\n"                                   \
	"Keywords: food\r\nKeywords: wine\r\nComments: hush\r\n"
#define TYPE "Content-Type: text/plain; charset=us-ascii;\r\n\t"
#define CLEAR COPIED TYPE "hp=\"clear\"\r\n\r\nHello\r\n"
#define COPY                                                                \
	COPIED "HP-Outer: From: Alice <alice@example.com>\r\n"              \
	"HP-Outer: To: Bob <bob@example.org>,\r\n"                          \
	" Carol <carol@example.net>\r\n"                                    \
	"HP-Outer: Subject: Dinner plans\r\n"                               \
	"HP-Outer: Date: Sat, 21 Nov 2026 10:00:00 +0100\r\n"               \
	"HP-Outer: Message-ID: <1@example.com>\r\n"                         \
	"HP-Outer: Keywords: food\r\nHP-Outer: Keywords: wine\r\n"          \
	"HP-Outer: Comments: hush\r\n" TYPE "hp=\"cipher\"\r\n\r\nHello\r\n"
#define BASELINE                                                            \
	COPIED "HP-Outer: From: Alice <alice@example.com>\r\n"              \
	"HP-Outer: To: Bob <bob@example.org>,\r\n"                          \
	" Carol <carol@example.net>\r\n"                                    \
	"HP-Outer: Subject: [...]\r\n"                                      \
	"HP-Outer: Date: Sat, 21 Nov 2026 10:00:00 +0100\r\n"               \
	"HP-Outer: Message-ID: <1@example.com>\r\n" TYPE                    \
	"hp-legacy-display=\"1\";\r\n\thp=\"cipher\"\r\n\r\n"               \
	"Subject: Dinner plans\r\n\r\nHello\r\n"
#define SHY                                                                 \
	COPIED "HP-Outer: From: alice@example.com\r\n"                      \
	"HP-Outer: To: bob@example.org, carol@example.net\r\n"              \
	"HP-Outer: Subject: [...]\r\n"                                      \
	"HP-Outer: Date: Sat, 21 Nov 2026 09:00:00 +0000\r\n"               \
	"HP-Outer: Message-ID: <1@example.com>\r\n" TYPE                    \
	"hp-legacy-display=\"1\";\r\n\thp=\"cipher\"\r\n\r\n"               \
	"Subject: Dinner plans\r\nFrom: Alice <alice@example.com>\r\n"      \
	"To: Bob <bob@example.org>, Carol <carol@example.net>\r\n"          \
	"Date: Sat, 21 Nov 2026 10:00:00 +0100\r\n\r\nHello\r\n"

static void S147_S148_S149_S150_S151_the_settings_octet_for_octet(
    void **state)
{
	static const struct {
		const char *name;
		enum hp_policy p;
		bool encrypts;
		const char *out, *outer;
	} rows[] = {
		{"off", HP_OFF, true, PLAIN, ""},
		{"off, signed", HP_OFF, false, PLAIN, ""},
		{"copy, signed", HP_COPY, false, CLEAR, ""},
		{"baseline, signed", HP_BASELINE, false, CLEAR, ""},
		{"shy, signed", HP_SHY, false, CLEAR, ""},
		{"copy", HP_COPY, true, COPY, ""},
		{"baseline", HP_BASELINE, true, BASELINE,
		    "Subject: [...]|Keywords-|Comments-|"},
		{"shy", HP_SHY, true, SHY, "From: alice@example.com|"
		    "To: bob@example.org, carol@example.net|Subject: [...]|"
		    "Date: Sat, 21 Nov 2026 09:00:00 +0000|Keywords-|"
		    "Comments-|"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		run(PLAIN, HEADER, rows[i].p, rows[i].encrypts);
		expect_out(rows[i].name, rows[i].out);
		expect_outer(rows[i].name, rows[i].outer);
		assert_true(outer.is_7bit);
	}
}

/* REQUIREMENTS A.3, field by field. */
static void S37_S1_S129_which_fields_go_inside(void **state)
{
	static const char *const in[] = {"From", "To", "Cc", "Subject",
	    "Date", "Message-ID", "In-Reply-To", "References", "Reply-To",
	    "Sender", "Keywords", "Comments", "Organization", "X-Mailer",
	    "X-My-Field", "User-Agent", "Auto-Submitted", "Precedence",
	    "X-Auto-Response-Suppress", "Importance", "X-Priority",
	    "Disposition-Notification-To", "Return-Receipt-To", "Autocrypt",
	    "OpenPGP", "Face", "Thread-Topic", "Never-Heard-Of"};
	static const char *const out_only[] = {"Content-Type",
	    "Content-Transfer-Encoding", "Content-Disposition",
	    "Content-Description", "Content-ID", "Content-Language",
	    "Content-Location", "Content-Length", "content-anything",
	    "MIME-Version", "Bcc", "bcc", "BCC", "Resent-From", "Resent-To",
	    "Resent-Bcc", "Resent-Date", "Resent-Message-ID", "List-Id",
	    "List-Unsubscribe", "List-Unsubscribe-Post", "Archived-At",
	    "Received", "Return-Path", "Delivered-To", "X-Original-To",
	    "DKIM-Signature", "ARC-Seal", "ARC-Message-Signature",
	    "ARC-Authentication-Results", "Authentication-Results",
	    "Received-SPF", "X-Spam-Status", "X-Spam-Flag",
	    "X-Virus-Scanned", "X-Google-DKIM-Signature",
	    "X-Google-Smtp-Source", "TLS-Required", "Require-TLS-ESMTP",
	    "HP-Outer"};
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		buf_printf(&b, "%s: v%zu@example.com\r\n", in[i], i);
		if (!hp_is_copied(view_of(in[i])))
			fail_msg("%s is not copied", in[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(out_only); i++) {
		buf_printf(&b, "%s: never\r\n", out_only[i]);
		if (hp_is_copied(view_of(out_only[i])))
			fail_msg("%s is copied", out_only[i]);
	}
	for (int enc = 0; enc < 2; enc++) {
		struct buf want;

		run(PLAIN, buf_str(&b), HP_COPY, enc);
		buf_init(&want, 65536);
		for (size_t i = 0; i < ARRAY_LEN(in); i++)
			buf_printf(&want, "%s: v%zu@example.com\r\n", in[i],
			    i);
		for (size_t i = 0; enc && i < ARRAY_LEN(in); i++)
			buf_printf(&want, "HP-Outer: %s: v%zu@example.com"
			    "\r\n", in[i], i);
		buf_printf(&want, TYPE "hp=\"%s\"\r\n\r\nHello\r\n",
		    enc ? "cipher" : "clear");
		expect_out("all", buf_str(&want));
		buf_free(&want);
		assert_int_equal(outer.n, 0);
	}
	buf_free(&b);
}

/* ---- what is left outside ---- */

static void S150_shy_leaves_addresses_and_time(void **state)
{
	static const struct {
		const char *in, *outer;
	} rows[] = {
		{"From: Alice <Alice.B@Example.COM>\r\n",
		    "From: Alice.B@Example.COM|"}, /* octet for octet */
		{"From: alice@example.com\r\n", ""},
		{"From: \"a, b\" <alice@example.com>\r\n",
		    "From: alice@example.com|"},
		{"From: \"<mallory@example.net>\" <alice@example.com>\r\n",
		    "From: alice@example.com|"},
		{"From: (Boss <ceo@example.com>) alice@example.com\r\n",
		    "From: alice@example.com|"},
		{"From: \"a..b\"@example.com\r\n", ""},
		{"From: A <\"a..b\"@example.com>\r\n",
		    "From: \"a..b\"@example.com|"},
		/* no mailbox, or more than one: RFC 9788 3.2.2 leaves it */
		{"From: A <a@example.com>, B <b@example.com>\r\n", ""},
		{"From: nobody\r\n", ""},
		{"To: undisclosed-recipients:;\r\n", ""},
		{"To: A <a@example.com>, b@example.com,\r\n"
		    "\t\"C\" <c@example.com>\r\n",
		    "To: a@example.com, b@example.com, c@example.com|"},
		{"Cc: A <a@example.com>,, <b@example.com>\r\n", ""},
		{"Reply-To: A <a@example.com>\r\n", ""},
		{"Date: Sat, 21 Nov 2026 23:30:00 -0500 (EST)\r\n",
		    "Date: Sun, 22 Nov 2026 04:30:00 +0000|"},
		{"Date: Sun, 22 Nov 2026 04:30:00 +0000\r\n", ""},
		{"Date: yesterday\r\n", ""},
		{"Subject: [...]\r\n", ""},
		{"Subject:\r\n", "Subject: [...]|"},
		{"subject: x\r\n", "subject: [...]|"},
		{"KEYWORDS: x\r\n", "KEYWORDS-|"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		run(PLAIN, rows[i].in, HP_SHY, true);
		expect_outer(rows[i].in, rows[i].outer);
		if (memcmp(out.p, rows[i].in, strlen(rows[i].in)) != 0)
			fail_msg("%s", buf_str(&out));
		run(PLAIN, rows[i].in, HP_SHY, false);
		expect_outer(rows[i].in, "");
	}
}

static void S150_many_recipients_are_folded(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	buf_puts(&b, "To: ");
	for (int i = 0; i < 50; i++)
		buf_printf(&b, "%sPerson %d <p%d@example.com>", i ? ", " : "",
		    i, i);
	buf_puts(&b, "\r\n");
	run(PLAIN, buf_str(&b), HP_SHY, true);
	assert_int_equal(outer.n, 1);
	assert_null(strstr(outer.change[0].value, "Person"));
	assert_memory_equal(outer.change[0].value, " p0@example.com, p1@",
	    20);
	assert_non_null(strstr(outer.change[0].value, ",\n p"));
	assert_non_null(strstr(outer.change[0].value, "p49@example.com"));
	buf_free(&b);
}

/* ---- forms ---- */

static void S190_S2_values_in_a_form_that_survives(void **state)
{
	static const struct {
		const char *in, *inner, *outer;
		bool is_8bit;
	} rows[] = {
		/* blanks before a fold move behind it */
		{"Subject: a \t\r\n b\r\n", "Subject: a\r\n \t b\r\n", "",
		    false},
		{"Subject: a\r\n \t\r\n b \r\n", "Subject: a\r\n \t b\r\n",
		    "", false},
		{"Subject:\r\n a\r\n", "Subject: a\r\n", "", false},
		{"Subject:a\r\n", "Subject: a\r\n", "", false},
		{"Subject : a\r\n", "Subject: a\r\n", "", false},
		{"Subject: a\n b\n", "Subject: a\r\n b\r\n", "", false},
		{"Subject:\r\n", "Subject:\r\n", "", false},
		/* free text */
		{"Subject: gr\xc3\xbc\xc3\x9f\x65 you\r\n",
		    "Subject: =?utf-8?Q?=67=72=C3=BC=C3=9F=65?=\r\n you\r\n",
		    "Subject: =?utf-8?Q?=67=72=C3=BC=C3=9F=65?=\n you|",
		    false},
		{"Subject: \xfc\r\n", "Subject: =?unknown-8bit?Q?=FC?=\r\n",
		    "Subject: =?unknown-8bit?Q?=FC?=|", false},
		{"X-A: a\x0c\r\n", "X-A: =?utf-8?Q?=61=0C?=\r\n",
		    "X-A: =?utf-8?Q?=61=0C?=|", false},
		/* names beside addresses */
		{"To: J\xc3\xbcrgen M\xc3\xbcller <j@example.com>\r\n",
		    "To: =?utf-8?Q?=4A=C3=BC=72=67=65=6E=20=4D=C3=BC=6C=6C"
		    "=65=72?= <j@example.com>\r\n",
		    "To: =?utf-8?Q?=4A=C3=BC=72=67=65=6E=20=4D=C3=BC=6C=6C"
		    "=65=72?= <j@example.com>|", false},
		{"Cc: \"\xc3\xbc, \\\"x\" <j@example.com>, k@example.com\r\n",
		    "Cc: =?utf-8?Q?=C3=BC=2C=20=22=78?= <j@example.com>, "
		    "k@example.com\r\n",
		    "Cc: =?utf-8?Q?=C3=BC=2C=20=22=78?= <j@example.com>, "
		    "k@example.com|", false},
		{"To: a@example.com (x, y), \xc3\xbc <b@[192.0.2.1]>\r\n",
		    "To: a@example.com (x, y), =?utf-8?Q?=C3=BC?= "
		    "<b@[192.0.2.1]>\r\n",
		    "To: a@example.com (x, y), =?utf-8?Q?=C3=BC?= "
		    "<b@[192.0.2.1]>|", false},
		/* addresses that have no other form (RFC 6532 3.2) */
		{"From: <\xc3\xbc@example.com>\r\n",
		    "From: <\xc3\xbc@example.com>\r\n", "", true},
		{"From: \xc3\xbc@example.com\r\n",
		    "From: \xc3\xbc@example.com\r\n", "", true},
		{"To: a@\xc3\xbc.example\r\n", "To: a@\xc3\xbc.example\r\n",
		    "", true},
		{"To: \"\xc3\xbc\"@example.com\r\n",
		    "To: \"\xc3\xbc\"@example.com\r\n", "", true},
		{"To: =?utf-8?Q?x?= \xc3\xbc <a@example.com>\r\n",
		    "To: =?utf-8?Q?x?= \xc3\xbc <a@example.com>\r\n", "",
		    true},
		{"To: a@example.com (\xc3\xbc)\r\n",
		    "To: a@example.com (\xc3\xbc)\r\n", "", true},
		{"Foo: \xc3\xbc\r\n", "Foo: \xc3\xbc\r\n", "", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int enc = 0; enc < 2; enc++) {
			size_t n = strlen(rows[i].inner);

			run(PLAIN, rows[i].in, HP_COPY, enc);
			if (out.n < n ||
			    memcmp(out.p, rows[i].inner, n) != 0)
				fail_msg("row %zu: %s", i, buf_str(&out));
			expect_outer(rows[i].in, rows[i].outer);
			assert_int_equal(outer.is_7bit, !rows[i].is_8bit);
		}
}

/* The structural field keeps one reading for every program. */
static void S148_one_hp_whatever_the_type_says(void **state)
{
	static const struct {
		const char *type, *want;
	} rows[] = {
		{"text/plain", "text/plain;\r\n\thp=\"clear\"\r\n"},
		{"Text/Plain; charset=utf-8;",
		    "Text/Plain; charset=utf-8;\r\n\thp=\"clear\"\r\n"},
		{"text/plain (a comment)",
		    "text/plain (a comment);\r\n\thp=\"clear\"\r\n"},
		/* somebody's own: RFC 9788 says whose it is now */
		{"text/plain; hp=\"cipher\"",
		    "text/plain;\r\n\thp=\"clear\"\r\n"},
		{"text/plain; HP*=us-ascii''cipher; charset=utf-8",
		    "text/plain;\r\n\tcharset=\"utf-8\";\r\n"
		    "\thp=\"clear\"\r\n"},
		{"text/plain; hp-legacy-display=1",
		    "text/plain;\r\n\thp=\"clear\"\r\n"},
		{"application/pdf; name=\"a; hp=cipher.pdf\"",
		    "application/pdf;\r\n\tname*=us-ascii''%61%3B%20%68%70"
		    "%3D%63%69%70%68%65%72%2E%70%64%66;\r\n"
		    "\thp=\"clear\"\r\n"},
		{"multipart/mixed; boundary=\"=_hp.1\"",
		    "multipart/mixed;\r\n\tboundary=\"=_hp.1\";\r\n"
		    "\thp=\"clear\"\r\n"},
		{"application/pdf; Name=\"php (\\\"1\\\").pdf\"",
		    "application/pdf;\r\n\tname=\"php (\\\"1\\\").pdf\";"
		    "\r\n\thp=\"clear\"\r\n"},
		{"text/plain (; hp=\"cipher\")",
		    "text/plain;\r\n\thp=\"clear\"\r\n"},
	};
	struct buf b, want;

	(void)state;
	buf_init(&b, 4096);
	buf_init(&want, 4096);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&b);
		buf_clear(&want);
		buf_printf(&b, "Content-ID: <1@x>\r\nContent-Type: %s\r\n"
		    "\r\nx\r\n", rows[i].type);
		buf_printf(&want, "Content-ID: <1@x>\r\nContent-Type: %s"
		    "\r\nx\r\n", rows[i].want);
		run(buf_str(&b), "", HP_BASELINE, false);
		expect_out(rows[i].type, buf_str(&want));
	}
	buf_free(&b);
	buf_free(&want);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(S190_S9_what_transit_would_break_is_refused_by_name),
		T(S9_a_word_that_fits_no_line_is_refused_or_encoded),
		T(S9_long_lines_are_folded_inside_and_outside),
		T(caps_are_kept_by_name),
		T(S147_S148_S149_S150_S151_the_settings_octet_for_octet),
		T(S37_S1_S129_which_fields_go_inside),
		T(S150_shy_leaves_addresses_and_time),
		T(S150_many_recipients_are_folded),
		T(S190_S2_values_in_a_form_that_survives),
		T(S148_one_hp_whatever_the_type_says),
	};

	return cmocka_run_group_tests_name("smime_hp_write", tests, NULL, NULL);
}
