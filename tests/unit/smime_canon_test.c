/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * canon.c with survey.c, scan.c and hdrenc.c: what comes out is 7-bit, says
 * the same, and is changed only where it must be. Random trees are in
 * smime_canon_random_test.c.
 */
#include "smime/canon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct result {
	int rc;
	struct err e;
	struct canon_info info;
	struct buf out;
};

static struct spool *spool_of(struct view v)
{
	struct spool *s = NULL;
	struct err e;

	assert_int_equal(spool_new(&s, 1u << 30, &e), 0);
	assert_int_equal(spool_write(s, v.p, v.n, &e), 0);
	return s;
}

static void read_back(const struct spool *s, struct buf *b)
{
	struct sink to = sink_to_buf(b);
	struct err e;

	assert_int_equal(spool_copy(s, 0, spool_size(s), &to, &e), 0);
	assert_false(b->failed);
}

static struct result run_view(struct view msg, bool is_outbound)
{
	struct spool *in = spool_of(msg);
	struct spool *out = NULL;
	struct result r;

	memset(&r, 0, sizeof(r));
	buf_init(&r.out, 64u << 20);
	assert_int_equal(spool_new(&out, 1u << 30, &r.e), 0);
	if (is_outbound)
		r.rc = canon_entity(in, 0, msg.n, out, &r.info, &r.e);
	else
		r.rc = canon_deliverable(in, 0, msg.n, out, &r.e);
	if (r.rc == 0)
		read_back(out, &r.out);
	spool_free(&in);
	spool_free(&out);
	return r;
}

static struct result run(const char *msg)
{
	return run_view(view_of(msg), true);
}

static void expect(const char *in, const char *want)
{
	struct result r = run(in);

	if (r.rc != 0)
		fail_msg("%s", r.e.msg);
	assert_string_equal(buf_str(&r.out), want);
	buf_free(&r.out);
}

static void expect_refusal(const char *in, const char *part_of_message)
{
	struct result r = run(in);

	assert_int_equal(r.rc, -1);
	assert_int_equal(r.e.kind, FAIL_INPUT);
	if (strstr(r.e.msg, part_of_message) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", r.e.msg,
		    part_of_message);
	buf_free(&r.out);
}

static void S17_duplicate_fields_are_refused(void **state)
{
	(void)state;
	expect_refusal("Content-Type: multipart/signed; boundary=b\r\n"
		       "Content-Type: text/plain\r\n\r\nx\r\n",
	    "Content-Type: given twice");
	expect_refusal("Content-Transfer-Encoding: 7bit\r\n"
		       "Content-Transfer-Encoding: base64\r\n\r\nx\r\n",
	    "given twice");
	expect_refusal("MIME-Version: 1.0\r\nMIME-Version: 1.0\r\n\r\nx\r\n",
	    "given twice");
	expect_refusal("Content-Type: multipart/mixed; boundary=a; "
		       "boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n",
	    "given twice");
	expect_refusal("Content-Type: text\r\n\r\nx\r\n", "unparsable");
	expect_refusal("Content-Type: multipart/mixed; boundary=a\r\n\r\n"
		       "--a\r\nContent-Transfer-Encoding: 7bit\r\n"
		       "Content-Transfer-Encoding: base64\r\n\r\nx\r\n"
		       "--a--\r\n",
	    "part 1: Content-Transfer-Encoding: given twice");
}

static void S18_encoded_composites_are_refused(void **state)
{
	(void)state;
	expect_refusal("Content-Type: multipart/mixed; boundary=a\r\n"
		       "Content-Transfer-Encoding: base64\r\n\r\n"
		       "--a\r\n\r\nx\r\n--a--\r\n",
	    "RFC 2045 6.4");
	expect_refusal("Content-Type: message/rfc822\r\n"
		       "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
		       "Subject: x\r\n\r\nx\r\n",
	    "RFC 2045 6.4");
}

static void S19_fragments_are_refused(void **state)
{
	(void)state;
	expect_refusal("Content-Type: message/partial; id=a; number=1\r\n\r\n"
		       "x\r\n",
	    "message/partial");
	expect_refusal("Content-Type: multipart/mixed; boundary=a\r\n\r\n"
		       "--a\r\nContent-Type: message/external-body; "
		       "access-type=url\r\n\r\nx\r\n--a--\r\n",
	    "part 1: message/external-body");
}

static void S1_only_content_fields_of_the_root_go_in(void **state)
{
	(void)state;
	expect("From: alice@example.com\r\nSubject: x\r\n"
	       "MIME-Version: 1.0\r\nContent-Type: text/html;\r\n"
	       "\tcharset=utf-8\r\nX-Foo: y\r\nContent-ID: <a@b>\r\n"
	       "Content-Length: 3\r\n\r\nab\r\n",
	    "Content-Type: text/html;\r\n\tcharset=utf-8\r\n"
	    "Content-ID: <a@b>\r\n\r\nab\r\n");
}

static void S16_without_mime_fields_it_is_plain_text(void **state)
{
	(void)state;
	expect("Subject: x\r\n\r\nab\r\n",
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\nab\r\n");
	expect("Content-Type: text/html\r\n\r\nab\r\n",
	    "Content-Type: text/html\r\n\r\nab\r\n");
	expect("MIME-Version: 1.0 (by hand)\r\n\r\nab\r\n",
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\nab\r\n");
}

static void S16_8bit_text_without_a_type_says_what_it_is(void **state)
{
	(void)state;
	expect("Subject: x\r\n\r\na\xc3\xa4\r\n",
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "a=C3=A4\r\n");
	expect("Subject: x\r\n\r\na\xe4\r\n",
	    "Content-Type: text/plain; charset=unknown-8bit\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "a=E4\r\n");
}

static void S2_line_ends_become_crlf(void **state)
{
	(void)state;
	expect("Content-Type: text/plain\nSubject: x\n\nab\n\ncd\n",
	    "Content-Type: text/plain\r\n\r\nab\r\n\r\ncd\r\n");
	expect("Content-Type: text/plain\r\n\r\na\rb\r\n",
	    "Content-Type: text/plain\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\na=0Db\r\n");
	expect("Content-Type: text/plain\r\n\r\na\r\r\nb\n",
	    "Content-Type: text/plain\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "a=0D\r\nb\r\n");
	expect("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\ny\n"
	       "--b--\n",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
	    "x\r\ny\r\n--b--\r\n");
}

static void S13_final_line_ends(void **state)
{
	(void)state;
	expect("Content-Type: text/plain\r\n\r\nab",
	    "Content-Type: text/plain\r\n\r\nab");
	expect("Content-Type: text/plain\r\n"
	       "Content-Transfer-Encoding: base64\r\n\r\nYWI=",
	    "Content-Type: text/plain\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\nYWI=\r\n");
	expect("Content-Type: text/plain\r\n\r\nab\r\n\r\n\r\n",
	    "Content-Type: text/plain\r\n\r\nab\r\n\r\n\r\n");
	expect("Content-Type: text/plain\r\n\r\n",
	    "Content-Type: text/plain\r\n\r\n");
	expect("Content-Type: text/plain\r\n",
	    "Content-Type: text/plain\r\n\r\n");
	expect("", "Content-Type: text/plain; charset=us-ascii\r\n\r\n");
	expect("Content-Type: text/plain",
	    "Content-Type: text/plain\r\n\r\n");
}

static void S3_8bit_leaves_are_encoded(void **state)
{
	(void)state;
	expect("Content-Type: text/plain; charset=utf-8\r\n"
	       "Content-Transfer-Encoding: 8bit\r\n\r\ngr\xc3\xbc\xc3\x9f\r\n",
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "gr=C3=BC=C3=9F\r\n");
	expect("Content-Type: application/x-foo\r\n"
	       "Content-Transfer-Encoding: binary\r\n\r\n\xff\n",
	    "Content-Type: application/x-foo\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n/wo=\r\n");
	expect("Content-Type: text/plain; charset=utf-8\r\n"
	       "Content-Transfer-Encoding: 8bit\r\n\r\nab\r\n",
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\nab\r\n");
}

static void S3_composites_become_7bit(void **state)
{
	(void)state;
	expect("Content-Type: multipart/mixed; boundary=b\r\n"
	       "Content-Transfer-Encoding: 8bit\r\n\r\n"
	       "--b\r\nContent-Type: message/rfc822\r\n"
	       "Content-Transfer-Encoding: 8bit\r\n\r\n"
	       "Subject: x\r\nContent-Type: multipart/mixed; boundary=c\r\n"
	       "Content-Transfer-Encoding: binary\r\n\r\n"
	       "--c\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xe4\r\n"
	       "--c--\r\n--b--\r\n",
	    "Content-Type: multipart/mixed; boundary=b\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\n"
	    "--b\r\nContent-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\n"
	    "Subject: x\r\nContent-Type: multipart/mixed; boundary=c\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\n"
	    "--c\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=E4\r\n--c--\r\n--b--\r\n");
}

static void S3_text_with_nul_becomes_base64(void **state)
{
	static const char msg[] = "Content-Type: text/plain\r\n\r\na\0b\r\n";
	struct result r;

	(void)state;
	r = run_view(view_make(msg, sizeof(msg) - 1), true);
	assert_int_equal(r.rc, 0);
	assert_string_equal(buf_str(&r.out),
	    "Content-Type: text/plain\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\nYQBiDQo=\r\n");
	buf_free(&r.out);
}

static void S6_S7_S8_what_transit_changes_is_encoded(void **state)
{
	(void)state;
	expect("Content-Type: text/plain\r\n\r\nFrom here on\r\n",
	    "Content-Type: text/plain\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=46rom here on\r\n");
	expect("Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\n"
	       "soft \r\n-- \r\n.\r\ntab\t\r\n",
	    "Content-Type: text/plain; format=flowed; delsp=yes\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "soft=20\r\n=2D-=20\r\n=2E\r\ntab=09\r\n");
	expect("Content-Type: text/plain\r\n\r\n.\r\na.\r\n..b\r\n",
	    "Content-Type: text/plain\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=2E\r\na.\r\n=2E.b\r\n");
	/* What is nearly one of them stays. */
	expect("Content-Type: text/plain\r\n\r\n"
	       "from\r\n> From a\r\nFrom\tb\r\nFrom\r\n --\r\n a.\r\n",
	    "Content-Type: text/plain\r\n\r\n"
	    "from\r\n> From a\r\nFrom\tb\r\nFrom\r\n --\r\n a.\r\n");
	/* Mailboxes add a '>' there, and readers take one away. */
	expect("Content-Type: text/plain\r\n\r\n>From a\r\n>>>From b\r\n"
	       ">a\r\n>>From\r\n",
	    "Content-Type: text/plain\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=3EFrom a\r\n=3E>>From b\r\n>a\r\n>>From\r\n");
}

/* attack A41: a delimiter in the middle of a long line, or encoded, for a
 * gateway that wraps or decodes it to the start of a line
 * verdict: it stays text of its part; the message has as many parts */
static void S3_A41_encoding_makes_no_delimiter(void **state)
{
	(void)state;
	/* a soft line break comes before the 76th octet */
	expect("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
	       "\xe4 3456789 123456789 123456789 123456789 123456789 "
	       "123456789 123456789 123--b\r\n--b--\r\n",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=E4 3456789 123456789 123456789 123456789 123456789 "
	    "123456789 123456789 123=\r\n=2D-b\r\n--b--\r\n");
	expect("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	       "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	       "\xe4\r\n=2D-b\r\n--b--\r\n",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=E4\r\n=2D-b\r\n--b--\r\n");
	/* an equals sign is octets of a boundary as well */
	expect("Content-Type: multipart/mixed; boundary=\"=20\"\r\n\r\n"
	       "--=20\r\n\r\n-- \r\n--=20--\r\n",
	    "Content-Type: multipart/mixed; boundary=\"=20\"\r\n\r\n"
	    "--=20\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=2D-=20\r\n--=20--\r\n");
}

static void clean_encoded_leaves_are_copied(void **state)
{
	(void)state;
	expect("Content-Type: text/plain\r\n"
	       "Content-Transfer-Encoding: Quoted-Printable\r\n\r\n"
	       "a=\r\nb =3D=3d\r\n",
	    "Content-Type: text/plain\r\n"
	    "Content-Transfer-Encoding: Quoted-Printable\r\n\r\n"
	    "a=\r\nb =3D=3d\r\n");
	expect("Content-Type: image/png\r\n"
	       "Content-Transfer-Encoding: base64\r\n\r\nAA\r\nAA\r\n",
	    "Content-Type: image/png\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\nAA\r\nAA\r\n");
	/* Unclean ones are wrapped anew. */
	expect("Content-Type: text/plain\r\n"
	       "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	       "From a=\r\nb\r\n",
	    "Content-Type: text/plain\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=46rom ab\r\n");
	expect("Content-Type: image/png\r\n"
	       "Content-Transfer-Encoding: base64\r\n\r\nAA \r\nAA\r\n",
	    "Content-Type: image/png\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n");
}

static struct result run_line(size_t n, const char *type)
{
	struct buf b;
	struct result r;

	buf_init(&b, 1u << 20);
	buf_printf(&b, "Content-Type: %s\r\n\r\n", type);
	for (size_t i = 0; i < n; i++)
		buf_putc(&b, 'x');
	buf_puts(&b, "\r\n");
	r = run_view(buf_view(&b), true);
	buf_free(&b);
	assert_int_equal(r.rc, 0);
	return r;
}

static void S9_long_lines_are_encoded(void **state)
{
	static const struct {
		size_t n;
		bool encoded;
	} c[] = {{989, false}, {990, false}, {991, true}, {998, true},
	    {999, true}, {5000, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct result r = run_line(c[i].n, "text/plain");

		assert_int_equal(r.info.reencoded, c[i].encoded);
		assert_true(r.info.is_7bit);
		buf_free(&r.out);
		r = run_line(c[i].n, "application/x-foo");
		assert_int_equal(strstr(buf_str(&r.out), "base64") != NULL,
		    c[i].encoded);
		buf_free(&r.out);
	}
}

static void S10_raw_file_names_are_encoded(void **state)
{
	(void)state;
	expect("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	       "Content-Type: image/png; name=\"\xc3\xa4 b.png\"\r\n"
	       "Content-Disposition: attachment; filename=\"\xe4.png\"\r\n"
	       "Content-Description: a \xc3\xa4 b\r\n"
	       "X-Note: x \xc3\xa4y z\r\n\r\nx\r\n--b--\r\n",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	    "Content-Type: image/png;\r\n"
	    "\tname*=utf-8''%C3%A4%20%62%2E%70%6E%67\r\n"
	    "Content-Disposition: attachment;\r\n"
	    "\tfilename*=unknown-8bit''%E4%2E%70%6E%67\r\n"
	    "Content-Description: a\r\n =?utf-8?Q?=C3=A4?=\r\n b\r\n"
	    "X-Note: x\r\n =?utf-8?Q?=C3=A4=79?=\r\n z\r\n\r\n"
	    "x\r\n--b--\r\n");
}

/* A name of so many pieces goes out in 7 bits and comes back. */
static void check_name(int pieces)
{
	struct buf in, name;
	struct result r;
	struct header h;
	struct ctype ct;
	struct spool *s;
	struct err e;

	buf_init(&in, 16384);
	buf_init(&name, 16384);
	for (int i = 0; i < pieces; i++)
		buf_puts(&name, i % 3 ? "\xc3\xa4" : "x ");
	buf_printf(&in, "Content-Type: image/png; name=\"\xe4%s.png\"\r\n"
	    "\r\nx\r\n", buf_str(&name));
	buf_puts(&name, ".png");
	r = run_view(buf_view(&in), true);
	assert_int_equal(r.rc, 0);
	assert_true(r.info.is_7bit);
	if (pieces == 0 || pieces > 50)
		assert_int_equal(strstr(buf_str(&r.out), "name*1*=") != NULL,
		    pieces > 50);
	s = spool_of(buf_view(&r.out));
	assert_int_equal(header_read(&h, s, 0, r.out.n, &e), 0);
	assert_int_equal(ctype_read(&ct, &h, &e), 0);
	assert_string_equal(ctype_param(&ct, "name") + 1, buf_str(&name));
	assert_string_equal(ct.defect, "");
	ctype_free(&ct);
	header_free(&h);
	spool_free(&s);
	buf_free(&r.out);
	buf_free(&in);
	buf_free(&name);
}

static void S10_long_names_are_split_and_read_back(void **state)
{
	(void)state;
	for (int n = 0; n < 60; n++)
		check_name(n);
	check_name(500); /* more than 99 pieces would not be read */
	check_name(5000);
}

static void S10_what_cannot_be_encoded_needs_the_opaque_form(void **state)
{
	struct result r;

	(void)state;
	r = run("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
		"Content-ID: <\xc3\xa4@example.com>\r\n\r\nx\r\n--b--\r\n");
	assert_int_equal(r.rc, 0);
	assert_false(r.info.is_7bit);
	assert_non_null(strstr(buf_str(&r.out), "<\xc3\xa4@example.com>"));
	buf_free(&r.out);
}

static const char signed_inside[] =
    "Content-Type: multipart/signed; boundary=s;\r\n"
    " protocol=\"application/pkcs7-signature\"; micalg=sha-256\r\n\r\n"
    "pre\r\n--s \r\nContent-Type: text/plain \r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\n%s\r\n.a \r\n--s\r\n"
    "Content-Type: application/pkcs7-signature\r\n\r\nAA\r\n--s--\r\n";

static void check_frozen(const char *prefix, const char *body, bool is_7bit)
{
	struct buf in, inner;
	struct result r;

	buf_init(&in, 4096);
	buf_init(&inner, 4096);
	for (const char *p = signed_inside; *p; p++) {
		if (p[0] == '%' && p[1] == 's') {
			buf_puts(&inner, body);
			p++;
		} else {
			buf_putc(&inner, *p);
		}
	}
	buf_puts(&in, "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
		      "--b\r\n\r\n\xe4\r\n--b\r\n");
	buf_puts(&in, prefix);
	buf_putv(&in, buf_view(&inner));
	buf_puts(&in, "\r\n--b--\r\n");
	r = run_view(buf_view(&in), true);
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.info.is_7bit, is_7bit);
	assert_true(r.info.has_signature);
	assert_int_equal(r.info.reencoded, 1);
	assert_non_null(strstr(buf_str(&r.out), "\r\n\r\n=E4\r\n"));
	assert_non_null(strstr(buf_str(&r.out), prefix));
	assert_non_null(strstr(buf_str(&r.out), buf_str(&inner)));
	buf_free(&r.out);
	buf_free(&in);
	buf_free(&inner);
}

static void S11_signed_content_is_never_touched(void **state)
{
	static const char message[] = "Content-Type: message/rfc822\r\n\r\n"
				      "Subject: x\t\r\n";

	(void)state;
	check_frozen("", "plain", true);
	check_frozen("", "\xe4", false);
	check_frozen("", "a\rb", false);
	check_frozen("", "a\nb", false);
	check_frozen("", "a\r\nFrom b", false);
	check_frozen(message, "plain", true);
	check_frozen(message, "\xe4", false);
	check_frozen(message, "From b", false);
}

static void attached_message_with_two_readings_is_not_touched(void **state)
{
	static const char *const inner[] = {
	    "Content-Type: message/rfc822\r\n\r\n"
	    "Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n"
	    "x\r\n",
	    "Content-Type: message/rfc822\r\n\r\n"
	    "Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n"
	    ".x \r\n"};
	struct result r;
	struct buf in;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(inner); i++) {
		buf_init(&in, 4096);
		buf_printf(&in, "Content-Type: multipart/mixed; boundary=b\r\n"
		    "\r\n--b\r\n%s\r\n--b--\r\n", inner[i]);
		r = run_view(buf_view(&in), true);
		assert_int_equal(r.rc, 0);
		assert_int_equal(r.info.is_7bit, i == 0);
		assert_false(r.info.has_signature);
		assert_non_null(strstr(buf_str(&r.out), inner[i]));
		buf_free(&r.out);
		buf_free(&in);
	}
}

static void S14_preamble_and_epilogue_of_the_outermost_go(void **state)
{
	(void)state;
	expect("Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	       "not -- me\r\n--a\r\r\n\r\n--b\r\n"
	       "Content-Type: multipart/mixed; boundary=c\r\n\r\n"
	       "inner pre\r\n--c\r\n\r\nx\r\n--c--\r\ninner epi\r\n"
	       "\r\n--b--\r\nepi\xe4\r\n--\r\n",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	    "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
	    "inner pre\r\n--c\r\n\r\nx\r\n--c--\r\ninner epi\r\n"
	    "\r\n--b--\r\n");
	/* Remarks that are not 7-bit go from inner ones as well. */
	expect("Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	       "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
	       "\xe4\r\n--c\r\n\r\nx\r\n--c--\r\nepi\r\n--b--",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	    "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
	    "--c\r\n\r\nx\r\n--c--\r\n--b--\r\n");
	/* S7: so do blanks behind a close-delimiter. */
	expect("Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	       "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
	       "--c\r\n\r\nx\r\n--c-- \r\n--b--",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	    "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
	    "--c\r\n\r\nx\r\n--c--\r\n--b--\r\n");
	/* Of signed content the parts stay as they are. */
	expect("Content-Type: multipart/signed; boundary=b;\r\n"
	       "\tprotocol=\"application/pkcs7-signature\"\r\n\r\npre\r\n"
	       "--b\r\n\r\nx \r\n--b\r\n"
	       "Content-Type: application/pkcs7-signature\r\n\r\nAA\r\n"
	       "--b--\r\nepi\r\n",
	    "Content-Type: multipart/signed; boundary=b;\r\n"
	    "\tprotocol=\"application/pkcs7-signature\"\r\n\r\n"
	    "--b\r\n\r\nx \r\n--b\r\n"
	    "Content-Type: application/pkcs7-signature\r\n\r\nAA\r\n"
	    "--b--\r\n");
}

static void missing_close_delimiters_are_added(void **state)
{
	(void)state;
	expect("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	       "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n"
	       "x\r\n--b\r\n\r\ny\r\n",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	    "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n"
	    "x\r\n--c--\r\n--b\r\n\r\ny\r\n\r\n--b--\r\n");
}

static void S5_binary_content_is_encoded_for_delivery(void **state)
{
	static const char msg[] =
	    "Content-Type: multipart/mixed; boundary=b\r\n"
	    "Content-Transfer-Encoding: binary\r\n\r\n"
	    "--b\r\nContent-Type: image/png\r\n"
	    "Content-Transfer-Encoding: binary\r\n\r\n\x89PNG\r\n\x1a\n\0"
	    "\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: binary\r\n\r\n\xc3\xa4\r\n"
	    "--b--\r\n";
	struct result r;

	(void)state;
	r = run_view(view_make(msg, sizeof(msg) - 1), false);
	assert_int_equal(r.rc, 0);
	assert_string_equal(buf_str(&r.out),
	    "Content-Type: multipart/mixed; boundary=b\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    "--b\r\nContent-Type: image/png\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgoA\r\n"
	    "\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa4\r\n"
	    "--b--\r\n");
	buf_free(&r.out);
}

static void S3_controls_are_encoded(void **state)
{
	(void)state;
	expect("Content-Type: text/plain\r\n\r\na\x01\x7f b\r\n",
	    "Content-Type: text/plain\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "a=01=7F b\r\n");
	/* of ISO 2022, and a new page */
	expect("Content-Type: text/plain\r\n\r\n\x1b$B\x1b(B\f\r\n",
	    "Content-Type: text/plain\r\n\r\n\x1b$B\x1b(B\f\r\n");
}

static void deliverable_copies_what_is_clean(void **state)
{
	static const char msg[] =
	    "X-Foo: y \r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
	    "pre\xe4\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
	    "From \xe4 \r\n--b\r\n\r\nx";
	struct result r;

	(void)state;
	r = run_view(view_of(msg), false);
	assert_int_equal(r.rc, 0);
	assert_string_equal(buf_str(&r.out), msg);
	buf_free(&r.out);
}

/* attack A45: LF . LF MAIL FROM in decrypted content, for a next hop that ends
 * DATA there
 * verdict: re-encoded: neither the dot nor a bare line end leaves */
static void A45_bare_line_ends_do_not_leave(void **state)
{
	struct result r;

	(void)state;
	r = run_view(view_of("From: alice@example.com\r\n"
			     "Content-Type: text/plain\r\n"
			     "Content-Transfer-Encoding: 8bit\r\n\r\n"
			     "\xe4\n.\nMAIL FROM:<bob@example.com>\r.\r\n"),
	    false);
	assert_int_equal(r.rc, 0);
	assert_string_equal(buf_str(&r.out),
	    "From: alice@example.com\r\nContent-Type: text/plain\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=E4\r\n=2E\r\nMAIL FROM:<bob@example.com>=0D.\r\n");
	buf_free(&r.out);
	r = run_view(view_of("Content-Type: image/png\r\n"
			     "Content-Transfer-Encoding: binary\r\n\r\n\n.\n"),
	    false);
	assert_int_equal(r.rc, 0);
	assert_string_equal(buf_str(&r.out),
	    "Content-Type: image/png\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\nCi4K\r\n");
	buf_free(&r.out);
	/* Where nothing may be encoded it is refused, never passed on. */
	r = run_view(view_of("Content-Type: message/delivery-status\r\n\r\n"
			     "a\rb\r\n"), false);
	assert_int_equal(r.rc, -1);
	assert_int_equal(r.e.kind, FAIL_INPUT);
	buf_free(&r.out);
}

/* attack A14: multiparts nested beyond measure
 * verdict: more than 20 levels are refused */
static void A14_limits_are_kept(void **state)
{
	static const struct {
		int depth;
		int rc;
	} c[] = {{19, 0}, {20, 0}, {21, -1}};
	struct result r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct buf b;

		buf_init(&b, 1u << 20);
		for (int d = 0; d < c[i].depth; d++)
			buf_printf(&b, "Content-Type: multipart/mixed; "
				       "boundary=b%d.\r\n\r\n--b%d.\r\n",
			    d, d);
		buf_puts(&b, "\r\nx");
		r = run_view(buf_view(&b), true);
		assert_int_equal(r.rc, c[i].rc);
		if (r.rc != 0)
			assert_int_equal(r.e.kind, FAIL_LIMIT);
		buf_free(&r.out);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S17_duplicate_fields_are_refused),
		cmocka_unit_test(S18_encoded_composites_are_refused),
		cmocka_unit_test(S19_fragments_are_refused),
		cmocka_unit_test(S1_only_content_fields_of_the_root_go_in),
		cmocka_unit_test(S16_without_mime_fields_it_is_plain_text),
		cmocka_unit_test(
		    S16_8bit_text_without_a_type_says_what_it_is),
		cmocka_unit_test(S2_line_ends_become_crlf),
		cmocka_unit_test(S13_final_line_ends),
		cmocka_unit_test(S3_8bit_leaves_are_encoded),
		cmocka_unit_test(S3_composites_become_7bit),
		cmocka_unit_test(S3_text_with_nul_becomes_base64),
		cmocka_unit_test(S6_S7_S8_what_transit_changes_is_encoded),
		cmocka_unit_test(S3_A41_encoding_makes_no_delimiter),
		cmocka_unit_test(clean_encoded_leaves_are_copied),
		cmocka_unit_test(S9_long_lines_are_encoded),
		cmocka_unit_test(S10_raw_file_names_are_encoded),
		cmocka_unit_test(S10_long_names_are_split_and_read_back),
		cmocka_unit_test(
		    S10_what_cannot_be_encoded_needs_the_opaque_form),
		cmocka_unit_test(S11_signed_content_is_never_touched),
		cmocka_unit_test(
		    attached_message_with_two_readings_is_not_touched),
		cmocka_unit_test(S14_preamble_and_epilogue_of_the_outermost_go),
		cmocka_unit_test(missing_close_delimiters_are_added),
		cmocka_unit_test(S5_binary_content_is_encoded_for_delivery),
		cmocka_unit_test(S3_controls_are_encoded),
		cmocka_unit_test(deliverable_copies_what_is_clean),
		cmocka_unit_test(A45_bare_line_ends_do_not_leave),
		cmocka_unit_test(A14_limits_are_kept),
	};

	return cmocka_run_group_tests_name("smime_canon", tests, NULL, NULL);
}
