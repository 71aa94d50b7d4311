/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * hp_legacy.c: hidden fields in the text, for programs that do not know of
 * them.
 */
#include "tests/unit/smime_protect.h"

#include "smime/codec.h"

#define SUBJECT "Subject: Dinner plans\r\n"

static void S151_text_parts(void **state)
{
	static const struct {
		const char *name, *entity, *want;
	} rows[] = {
		{"7bit", "Content-Type: text/plain\r\n\r\nHello",
		    "Content-Type: text/plain;\r\n"
		    "\thp-legacy-display=\"1\";\r\n\thp=\"cipher\"\r\n\r\n"
		    "Subject: Dinner plans\r\n\r\nHello"},
		{"quoted-printable", "Content-Type: text/plain\r\n"
		    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
		    "a=3Db=20\r\n",
		    "Content-Type: text/plain;\r\n"
		    "\thp-legacy-display=\"1\";\r\n\thp=\"cipher\"\r\n"
		    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
		    "Subject: Dinner plans\r\n\r\na=3Db=20\r\n"},
		{"base64", "Content-Type: text/plain\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\n"
		    "SGVsbG8NCg==\r\n",
		    "Content-Type: text/plain;\r\n"
		    "\thp-legacy-display=\"1\";\r\n\thp=\"cipher\"\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\n"
		    "U3ViamVjdDogRGlubmVyIHBsYW5zDQoNCkhlbGxvDQo=\r\n"},
		{"HTML", "Content-Type: text/html\r\n\r\n"
		    "<html><body lang=\"x>y\"><p>Hi</p></body></html>\r\n",
		    "Content-Type: text/html;\r\n"
		    "\thp-legacy-display=\"1\";\r\n\thp=\"cipher\"\r\n\r\n"
		    "<html><body lang=\"x>y\">\r\n"
		    "<div class=\"header-protection-legacy-display\">\r\n"
		    "<pre>Subject: Dinner plans</pre>\r\n</div>\r\n"
		    "<p>Hi</p></body></html>\r\n"},
		/* nothing that is read */
		{"a picture", "Content-Type: image/png\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n",
		    "Content-Type: image/png;\r\n\thp=\"cipher\"\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"},
		{"an attachment", "Content-Type: text/plain\r\n"
		    "Content-Disposition: attachment\r\n\r\nx\r\n",
		    "Content-Type: text/plain;\r\n\thp=\"cipher\"\r\n"
		    "Content-Disposition: attachment\r\n\r\nx\r\n"},
		{"a charset that is no ASCII",
		    "Content-Type: text/html; charset=utf-16\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n",
		    "Content-Type: text/html; charset=utf-16;\r\n"
		    "\thp=\"cipher\"\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"},
	};
	struct buf want;

	(void)state;
	buf_init(&want, 65536);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&want);
		buf_printf(&want, SUBJECT "HP-Outer: Subject: [...]\r\n%s",
		    rows[i].want);
		run(rows[i].entity, SUBJECT, HP_BASELINE, true);
		expect_out(rows[i].name, buf_str(&want));
	}
	buf_free(&want);
}

#define MARK "\thp-legacy-display=\"1\"\r\n"

static const char nested[] =
    "Content-Type: multipart/mixed; boundary=a\r\n\r\n"
    "--a\r\nContent-Type: multipart/related; boundary=b; start=\"<r@x>\""
    "\r\n\r\n"
    "--b\r\nContent-Type: text/plain\r\nContent-ID: <o@x>\r\n\r\nother\r\n"
    "--b\r\nContent-Type: multipart/alternative; boundary=c\r\n"
    "Content-ID: <r@x>\r\n\r\n"
    "--c\r\n\r\none\r\n"
    "--c\r\nContent-Type: text/html; charset=iso-8859-15\r\n\r\n"
    "<p>two\r\n"
    "--c\r\nContent-Type: text/calendar\r\n\r\nthree\r\n"
    "--c--\r\n"
    "--b--\r\n"
    "--a\r\nContent-Type: text/plain\r\n\r\nfour\r\n"
    "--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nfive\r\n"
    "--a--\r\n";

static void S151_nested_parts(void **state)
{
	static const char want[] =
	    SUBJECT "HP-Outer: Subject: [...]\r\n"
	    "Content-Type: multipart/mixed; boundary=a;\r\n"
	    "\thp=\"cipher\"\r\n\r\n"
	    "--a\r\nContent-Type: multipart/related; boundary=b; "
	    "start=\"<r@x>\"\r\n\r\n"
	    "--b\r\nContent-Type: text/plain\r\nContent-ID: <o@x>\r\n\r\n"
	    "other\r\n"
	    "--b\r\nContent-Type: multipart/alternative; boundary=c\r\n"
	    "Content-ID: <r@x>\r\n\r\n"
	    "--c\r\nContent-Type: text/plain;\r\n\tcharset=\"us-ascii\";"
	    "\r\n" MARK "\r\n"
	    "Subject: Dinner plans\r\n\r\none\r\n"
	    "--c\r\nContent-Type: text/html; charset=iso-8859-15;\r\n" MARK
	    "\r\n\r\n<div class=\"header-protection-legacy-display\">\r\n"
	    "<pre>Subject: Dinner plans</pre>\r\n</div>\r\n<p>two\r\n"
	    "--c\r\nContent-Type: text/calendar\r\n\r\nthree\r\n"
	    "--c--\r\n"
	    "--b--\r\n"
	    "--a\r\nContent-Type: text/plain\r\n\r\nfour\r\n"
	    "--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n"
	    "five\r\n"
	    "--a--\r\n";

	(void)state;
	run(nested, SUBJECT, HP_BASELINE, true);
	expect_out("nested", want);
	run(nested, SUBJECT, HP_COPY, true);
	expect_not("legacy");
}

static void S151_existing_signatures_are_not_touched(void **state)
{
	static const char entity[] =
	    "Content-Type: multipart/mixed; boundary=a\r\n\r\n"
	    "--a\r\nContent-Type: multipart/signed; boundary=b; micalg="
	    "sha-256; protocol=\"application/pkcs7-signature\"\r\n\r\n"
	    "--b\r\nContent-Type: text/plain\r\n\r\nsigned\r\n"
	    "--b\r\nContent-Type: application/pkcs7-signature\r\n\r\nx\r\n"
	    "--b--\r\n--a--\r\n";

	(void)state;
	run(entity, SUBJECT, HP_BASELINE, true);
	expect_not("legacy");
	expect(entity + strlen("Content-Type: multipart/mixed; boundary=a"));
}

/* attack A42: a Subject that is HTML, or hides a line end in an encoded word
 * verdict: text of one line in the display, as it is in the field */
static void S151_A42_a_subject_stays_text_of_one_line(void **state)
{
	static const struct {
		const char *subject, *plain, *html;
	} rows[] = {
		{"<script>alert(1)</script>",
		    "Subject: <script>alert(1)</script>\r\n\r\nx",
		    "<pre>Subject: &#60;script&#62;alert(1)&#60;/script&#62;"
		    "</pre>"},
		{"</pre></div> & \"q\" 'r'", "Subject: </pre></div> & \"q\" "
		    "'r'\r\n\r\nx", "<pre>Subject: &#60;/pre&#62;&#60;/div"
		    "&#62; &#38; &#34;q&#34; &#39;r&#39;</pre>"},
		{"=?utf-8?Q?a=0D=0A=0D=0AFrom:_ceo=40example.com?=",
		    "Subject: a From: ceo@example.com\r\n\r\nx",
		    "<pre>Subject: a From: ceo@example.com</pre>"},
		{"=?utf-8?B?YQoKYg==?=", "Subject: a b\r\n\r\nx",
		    "<pre>Subject: a b</pre>"},
		{"=?us-ascii?Q?a=00=1B=5Bb?=", "Subject: a [b\r\n\r\nx",
		    "<pre>Subject: a [b</pre>"},
		{"=?utf-8?Q?a=C2=85b=E2=80=A8c?=", "Subject: a b c\r\n\r\nx",
		    "<pre>Subject: a b c</pre>"},
		{"=?utf-8?Q?=3Cb=3E?=", "Subject: <b>\r\n\r\nx",
		    "<pre>Subject: &#60;b&#62;</pre>"},
		/* decoded once only */
		{"=?utf-8?Q?=3D=3Futf-8=3FQ=3F=3D0A=3F=3D?=",
		    "Subject: =?utf-8?Q?=0A?=\r\n\r\nx",
		    "<pre>Subject: =?utf-8?Q?=0A?=</pre>"},
		{"a\r\n b", "Subject: a b\r\n\r\nx",
		    "<pre>Subject: a b</pre>"},
	};
	struct buf h;

	(void)state;
	buf_init(&h, 4096);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&h);
		buf_printf(&h, "Subject: %s\r\n", rows[i].subject);
		run("Content-Type: text/plain\r\n\r\nx", buf_str(&h),
		    HP_BASELINE, true);
		expect(rows[i].plain);
		run("Content-Type: text/html\r\n\r\n<p>x", buf_str(&h),
		    HP_BASELINE, true);
		expect(rows[i].html);
		assert_null(strstr(strstr(buf_str(&out), "\r\n\r\n"),
		    "<script"));
	}
	buf_free(&h);
}

static void S151_other_charsets(void **state)
{
	static const struct {
		const char *type, *subject, *want;
	} rows[] = {
		{"text/plain", "=?iso-8859-1?Q?f=FCr?= =?iso-8859-1?Q?_=80?=",
		    "Content-Type: text/plain;\r\n\tcharset=\"utf-8\";\r\n"
		    "\thp-legacy-display=\"1\";\r\n\thp=\"cipher\"\r\n"
		    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
		    "Subject: f=C3=BCr\r\n\r\nx"},
		{"text/plain; charset=utf-8", "=?windows-1252?Q?=80_5?=",
		    "\r\n\r\nSubject: =E2=82=AC 5\r\n\r\nx"},
		{"text/plain; charset=\"US-ASCII\"; format=flowed",
		    "=?utf-8?Q?=E2=82?= =?utf-8?Q?=AC?=",
		    "Content-Type: text/plain;\r\n\tformat=\"flowed\";\r\n"
		    "\tcharset=\"utf-8\";\r\n"},
		{"text/plain; charset=us-ascii",
		    "=?utf-8?Q?=E2=82?= =?utf-8?Q?=AC?=",
		    "Subject: =E2=82=AC\r\n"},
		{"text/plain; charset=ISO-8859-1", "=?utf-8?Q?=C3=BC?= "
		    "=?utf-8?Q?=E2=82=AC?=", "\r\n\r\nSubject: =FC?\r\n"},
		{"text/plain; charset=koi8-r", "=?utf-8?Q?=C3=BC?=",
		    "\r\n\r\nSubject: ?\r\n"},
		/* of a charset that we do not know: as it stands */
		{"text/plain", "=?koi8-r?Q?=C1?=",
		    "\r\n\r\nSubject: =?koi8-r?Q?=C1?=\r\n"},
		{"text/html; charset=koi8-r", "=?utf-8?Q?=F0=9F=8D=B7?=",
		    "<pre>Subject: &#127863;</pre>"},
	};
	struct buf h, en;

	(void)state;
	buf_init(&h, 4096);
	buf_init(&en, 4096);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&h);
		buf_clear(&en);
		buf_printf(&h, "Subject: %s\r\n", rows[i].subject);
		buf_printf(&en, "Content-Type: %s\r\n\r\nx", rows[i].type);
		run(buf_str(&en), buf_str(&h), HP_BASELINE, true);
		expect(rows[i].want);
		/* the protected field itself stays as the author wrote it */
		buf_clear(&en);
		buf_printf(&en, "Subject: %s\r\nHP-Outer: Subject: [...]\r\n",
		    rows[i].subject);
		assert_memory_equal(out.p, en.p, en.n);
	}
	buf_free(&h);
	buf_free(&en);
}

static void S151_where_html_begins(void **state)
{
	static const struct {
		const char *before, *after;
	} rows[] = {
		{"", "<p>x"},
		{"", "text <body> later"},
		{"<!DOCTYPE html>\r\n<html>\r\n<head><title><body></title>"
		    "<style>a{b:'<body>'}</style></head>\r\n"
		    "<!-- <body> -->\r\n<BODY\r\n class='>'>", "x</body>"},
		{"<html><head><meta content=\"<body>\"></head>", "<p>x"},
		{"<html>", "<p>x"},
		{"<!doctype html>", "\r\n<h1>x</h1>"},
		{"", "<!-- never closed <body>"},
		{"", "<body class=\"never closed"},
		{"<html><head><script>if (a < b) '<body>'</script><![endif]>"
		    "<body>", ""},
		{"", ""},
	};
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&b);
		buf_printf(&b, "Content-Type: text/html\r\n\r\n%s%s",
		    rows[i].before, rows[i].after);
		run(buf_str(&b), SUBJECT, HP_BASELINE, true);
		buf_clear(&b);
		buf_printf(&b, "\r\n\r\n%s\r\n<div class=\"header-protection-"
		    "legacy-display\">\r\n<pre>Subject: Dinner plans</pre>"
		    "\r\n</div>\r\n%s", rows[i].before, rows[i].after);
		expect(buf_str(&b));
	}
	buf_free(&b);
}

/* HTML that comes in pieces, and more of it than is looked at. */
static void S151_long_html(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BIG);
	for (int late = 0; late < 2; late++) {
		buf_clear(&b);
		buf_puts(&b, "Content-Type: text/html\r\n\r\n<html><!--\r\n");
		while (b.n < (late ? 70000u : 60000u))
			buf_puts(&b, "a line of a comment\r\n");
		buf_puts(&b, "--><body>");
		while (b.n < 300000)
			buf_puts(&b, "a line of text\r\n");
		assert_int_equal(run_view(buf_view(&b), view_of(SUBJECT),
		    HP_BASELINE, true), 0);
		expect(late ? "<html>\r\n<div class" : "<body>\r\n<div class");
		assert_true(out.n > 300000);
	}
	buf_free(&b);
}

/* The text behind the display is the text that was there. */
static void S151_S3_long_subjects_make_no_long_lines(void **state)
{
	struct buf h;

	(void)state;
	buf_init(&h, 65536);
	buf_puts(&h, "Subject:");
	for (int i = 0; i < 500; i++)
		buf_puts(&h, " 12345678");
	buf_puts(&h, "\r\n");
	run("Content-Type: text/plain\r\n\r\nFrom: me\r\n-- \r\n.\r\nlast",
	    buf_str(&h), HP_BASELINE, true);
	assert_true(longest_line() <= 990);
	expect("Content-Transfer-Encoding: quoted-printable\r\n\r\nSubject: "
	    "12345678");
	expect("\r\n\r\nFrom: me\r\n");
	/* one line end more, that does not count */
	assert_memory_equal(out.p + out.n - 7, "last=\r\n", 7);
	buf_free(&h);
}

/* ---- properties ---- */

/* The octets of text that leaf has in this encoding. */
static void put_coded(struct buf *b, enum cte cte, struct view text)
{
	struct b64_enc b64;
	struct qp_enc qp;

	b64_enc_init(&b64, sink_to_buf(b));
	qp_enc_init(&qp, sink_to_buf(b));
	if (cte == CTE_BASE64) {
		assert_int_equal(b64_enc_put(&b64, text.p, text.n, NULL), 0);
		assert_int_equal(b64_enc_end(&b64, NULL), 0);
	} else if (cte == CTE_QP) {
		assert_int_equal(qp_enc_put(&qp, text.p, text.n, NULL), 0);
		assert_int_equal(qp_enc_end(&qp, NULL), 0);
	} else {
		buf_putv(b, text);
	}
}

/* The text of the leaf that was made. */
static void get_decoded(struct buf *text)
{
	struct spool *s = spool_with(buf_view(&out));
	struct sink to = sink_to_buf(text);
	struct ctype ct;
	struct header h;

	buf_clear(text);
	assert_int_equal(header_read(&h, s, 0, out.n, &err), 0);
	assert_int_equal(ctype_read(&ct, &h, &err), 0);
	assert_string_equal(ct.defect, "");
	assert_string_equal(ctype_param(&ct, "hp-legacy-display"), "1");
	assert_int_equal(codec_decode(s, h.body_off, out.n, ct.cte, &to,
	    NULL, &err), 0);
	ctype_free(&ct);
	header_free(&h);
	spool_free(&s);
}

static void put_random_html(struct buf *b, uint32_t *x)
{
	static const char *const piece[] = {"<html>", "<body>", "<!--",
	    "-->", "<head>", "</head>", "<style>", "</style>", "\r\n", "<",
	    ">", "\"", "'", "=", "text", "<!doctype html>", "<?xml?>",
	    "<title>", "</title", "<p>", " ", "<body a=\"", "/", "!",
	    "\xef\xbb\xbf", "a=b"};
	uint32_t n = next_random(x) % 20;

	buf_clear(b);
	while (n-- > 0)
		buf_puts(b, piece[next_random(x) % ARRAY_LEN(piece)]);
}

/* Is got the text with the display put in at one place? Its last blank may be
 * missing. */
static void check_inserted(struct view text, struct view got,
    const char *display)
{
	size_t n = strlen(display), at = 0;

	n -= display[n - 1] == ' ' && got.n < text.n + n;
	assert_int_equal(got.n, text.n + n);
	while (at < text.n && (memcmp(got.p, text.p, at) != 0 ||
	    memcmp(got.p + at, display, n) != 0 ||
	    memcmp(got.p + at + n, text.p + at, text.n - at) != 0))
		at++;
	assert_memory_equal(got.p + at, display, n);
	assert_memory_equal(got.p, text.p, at);
}

static void S151_nothing_else_is_changed(void **state)
{
	static const enum cte cte[] = {CTE_7BIT, CTE_QP, CTE_BASE64};
	static const char *const name[] = {"7bit", "quoted-printable",
	    "base64"};
	static const char *const type[] = {"html", "plain"};
	static const char *const display[] = {"\r\n<div class=\"header-"
	    "protection-legacy-display\">\r\n<pre>Subject: Dinner plans"
	    "</pre>\r\n</div>\r\n ", "Subject: Dinner plans\r\n\r\n"};
	uint32_t x = 9788;
	struct buf text, b;

	(void)state;
	buf_init(&text, BIG);
	buf_init(&b, BIG);
	for (long i = 0; i < mutants_wanted(); i++) {
		size_t k = next_random(&x) % 3, t = next_random(&x) % 2;

		put_random_html(&text, &x);
		buf_clear(&b);
		buf_printf(&b, "Content-Type: text/%s; charset=utf-8\r\n"
		    "Content-Transfer-Encoding: %s\r\n\r\n", type[t],
		    name[k]);
		put_coded(&b, cte[k], buf_view(&text));
		assert_int_equal(run_view(buf_view(&b), view_of(SUBJECT),
		    HP_BASELINE, true), 0);
		get_decoded(&b);
		check_inserted(buf_view(&text), buf_view(&b), display[t]);
	}
	buf_free(&text);
	buf_free(&b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(S151_text_parts),
		T(S151_nested_parts),
		T(S151_existing_signatures_are_not_touched),
		T(S151_A42_a_subject_stays_text_of_one_line),
		T(S151_other_charsets),
		T(S151_where_html_begins),
		T(S151_long_html),
		T(S151_S3_long_subjects_make_no_long_lines),
		T(S151_nothing_else_is_changed),
	};

	return cmocka_run_group_tests_name("smime_hp_display", tests, NULL,
	    NULL);
}
