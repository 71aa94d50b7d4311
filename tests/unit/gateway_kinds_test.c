/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of gateway/kinds.c: what a part is, whatever it is called; and what
 * may be anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/kinds.h"
#include "util/caps.h"

/* LF becomes CRLF. */
static void read_kinds(struct kinds *k, struct view text)
{
	struct spool *s = NULL;
	struct err e = {0};

	if (spool_new(&s, 1u << 30, &e) != 0)
		fail_msg("%s", e.msg);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n' &&
		    spool_write(s, "\r", 1, &e) != 0)
			fail_msg("%s", e.msg);
		if (spool_write(s, text.p + i, 1, &e) != 0)
			fail_msg("%s", e.msg);
	}
	if (kinds_read(k, s, &e) != 0)
		fail_msg("%s", e.msg);
	spool_free(&s);
}

#define PDF "%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"
#define PDF64 "JVBERi0xLjQKMSAwIG9iago8PCAvVHlwZSAvQ2F0YWxvZyA+PgplbmRvYmoK\n"
#define HEAD "From: alice@example.com\nSubject: x\nMIME-Version: 1.0\n"
#define TEXT_PART "--b\nContent-Type: text/plain\n\nhello, this is text\n"
#define MIXED HEAD "Content-Type: multipart/mixed; boundary=b\n\n" TEXT_PART
#define GIF "GIF89a\001\001\001\001\001\001"

struct sample {
	const char *name, *text, *has, *has_not;
	bool is_unclear;
};

static const struct sample sample[] = {
	{"plain text", HEAD "\nhello, this is text\n", "text/plain",
	    "application/", false},
	{"any of a family", HEAD "\nhello, this is text\n", "text/", "image/",
	    false},
	{"no body", HEAD "\n", NULL, "text/", false},
	/* labels and names count for nothing */
	{"text that says it is a PDF", HEAD "Content-Type: application/pdf; "
	    "name=a.pdf\n\nhello, this is text\n", "text/plain",
	    "application/pdf", false},
	{"a PDF called .txt", MIXED "--b\nContent-Type: text/plain; "
	    "name=notes.txt\nContent-Disposition: attachment; "
	    "filename=notes.txt\n\n" PDF "--b--\n", "application/pdf",
	    "image/", false},
	{"a PDF in base64, declared as text", HEAD "Content-Type: text/plain\n"
	    /* some versions of libmagic find text, too */
	    "Content-Transfer-Encoding: base64\n\n" PDF64, "application/pdf",
	    "image/", false},
	{"a PDF in quoted-printable", HEAD "Content-Type: text/plain\n"
	    "Content-Transfer-Encoding: quoted-printable\n\n=25=50DF-1.4\n",
	    "application/pdf", NULL, false},
	{"a name in pieces", MIXED "--b\nContent-Type: text/plain; name*0*="
	    "utf-8''a; name*1*=.txt\nContent-Transfer-Encoding: base64\n\n"
	    PDF64 "--b--\n", "application/pdf", NULL, false},
	{"a PDF in a nested multipart", MIXED "--b\nContent-Type: "
	    "multipart/alternative; boundary=c\n\n--c\nContent-Type: "
	    "text/html\n\n<html></html>\n--c\nContent-Type: text/x-what\n"
	    "Content-Transfer-Encoding: base64\n\n" PDF64 "--c--\n--b--\n",
	    "application/pdf", "image/", false},
	{"a PDF in an attached message", MIXED "--b\nContent-Type: "
	    "message/rfc822\n\nSubject: y\nContent-Transfer-Encoding: base64\n"
	    "\n" PDF64 "--b--\n", "application/pdf", NULL, false},
	{"a PDF behind other octets", HEAD "Content-Type: text/plain\n\n"
	    "junk junk junk\n" PDF, "application/pdf", NULL, false},
	{"a picture that is a PDF, too", HEAD "Content-Type: image/gif\n\n"
	    GIF PDF, "application/pdf", "video/", false},
	{"the same as a picture", HEAD "Content-Type: image/gif\n\n" GIF PDF,
	    "image/", NULL, false},
	{"two things in one", HEAD "Content-Type: image/png\n\n"
	    "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/"
	    "svg\"></svg>\n", "image/svg+xml", "image/png", false},
	{"the same as the other", HEAD "\n<?xml version=\"1.0\"?>\n<svg "
	    "xmlns=\"http://www.w3.org/2000/svg\"></svg>\n", "image/",
	    "application/octet-stream", false},
	/* an archive is one, whatever is in it */
	{"a zip", HEAD "Content-Type: application/pdf\n"
	    "Content-Transfer-Encoding: base64\n\n"
	    "UEsDBAoAAAAAAAAAIQCFEUoNCwAAAAsAAAAFAAAAYS50eHRoZWxs\n"
	    "byB3b3JsZFBLAQIeAwoAAAAAAAAAIQCFEUoNCwAAAAsAAAAFAAAA\n"
	    "AAAAAAAAAAC0gQAAAABhLnR4dFBLBQYAAAAAAQABADMAAAAuAAAA\n"
	    "AAA=\n",
	    "application/zip", "application/pdf", false},
	{"a signature beside text", HEAD "Content-Type: multipart/signed; "
	    "boundary=b; protocol=\"application/pkcs7-signature\"\n\n"
	    TEXT_PART "--b\nContent-Type: application/pkcs7-signature\n"
	    "Content-Transfer-Encoding: base64\n\n"
	    "MIIBAAYJKoZIhvcNAQcCoIAwAAAA\n--b--\n", "text/plain",
	    "application/pdf", false},
	/* what may be anything */
	{"an opaque signature", HEAD "Content-Type: application/pkcs7-mime; "
	    "smime-type=signed-data\nContent-Transfer-Encoding: base64\n\n"
	    "MIIBAAYJKoZIhvcNAQcCoIAwAAAA\n", NULL, NULL, true},
	{"the same without its name", HEAD "Content-Type: "
	    "application/octet-stream\nContent-Transfer-Encoding: base64\n\n"
	    "MIIBAAYJKoZIhvcNAQcCoIAwAAAA\n", NULL, NULL, true},
	{"compressed", HEAD "Content-Type: image/gif\n"
	    "Content-Transfer-Encoding: base64\n\n"
	    "MIIBAAYLKoZIhvcNAQkQAQmggDAAAAA=\n", NULL, NULL, true},
	{"PGP", HEAD "Content-Type: multipart/encrypted; boundary=b; "
	    "protocol=\"application/pgp-encrypted\"\n\n" TEXT_PART "--b--\n",
	    NULL, NULL, true},
	{"base64 that ends twice", HEAD "Content-Transfer-Encoding: base64\n\n"
	    "AA==\n" PDF64, NULL, NULL, true},
	{"octets that are no base64", HEAD "Content-Transfer-Encoding: base64"
	    "\n\nJVBERi0x*LjQK\n", NULL, NULL, true},
	{"an encoding that nobody knows", HEAD "Content-Transfer-Encoding: "
	    "x-uuencode\n\nbegin 644 a.pdf\n", NULL, NULL, true},
	{"two types", HEAD "Content-Type: text/plain\nContent-Type: "
	    "application/pdf\n\nx\n", NULL, NULL, true},
	{"no end", MIXED "--b\nContent-Type: text/plain\n\nx\n", NULL, NULL,
	    true},
	/* programs go into these, too */
	{"a message in UTF-8", MIXED "--b\nContent-Type: message/global\n\n"
	    HEAD "Content-Type: application/pdf\n"
	    "Content-Transfer-Encoding: base64\n\n" PDF64 "--b--\n", NULL,
	    NULL, true},
	{"a piece of a message", HEAD "Content-Type: message/partial; id=x; "
	    "number=1; total=2\n\n" HEAD "Content-Type: application/pdf\n"
	    "Content-Transfer-Encoding: base64\n\n" PDF64, NULL, NULL, true},
	{"a message that is elsewhere", MIXED "--b\nContent-Type: "
	    "message/external-body; access-type=URL; URL=\"x\"\n\n"
	    "Content-Type: application/pdf\n\n\n--b--\n", NULL, NULL, true},
	{"a file in text", HEAD "\nhello\n\nbegin 644 a.pdf\nM)5!$\n`\n"
	    "end\n", NULL, NULL, true},
	{"a file in text, as base64", HEAD "\nbegin-base64 0644 a.pdf\n"
	    PDF64 "====\n", NULL, NULL, true},
	{"no file in text", HEAD "\nlet us\nbegin 64 days from now, or begin "
	    "644 of them\nbegin 888 x\nbegin 644", "text/plain",
	    "application/pdf", false},
	{"a file of mail", MIXED "--b\nContent-Type: "
	    "application/octet-stream; name=a.eml\n\n" HEAD
	    "Content-Type: application/pdf\n"
	    "Content-Transfer-Encoding: base64\n\n" PDF64 "--b--\n", NULL,
	    NULL, true},
	{"a report", HEAD "Content-Type: multipart/report; boundary=b\n\n"
	    TEXT_PART "--b\nContent-Type: message/delivery-status\n\n"
	    "Reporting-MTA: dns; mx.example.com\n\nFinal-Recipient: rfc822; "
	    "bob@example.org\nAction: failed\nStatus: 5.1.1\n--b--\n",
	    "text/plain", "application/pdf", false},
	{"an encoded message", MIXED "--b\nContent-Type: message/rfc822\n"
	    "Content-Transfer-Encoding: base64\n\n" PDF64 "--b--\n", NULL,
	    NULL, true},
};

/* attack A51: what a rule about attachments should have found, in a message
 * in the message that has another name
 * verdict: what is in there may be anything */
static void A51_a_part_is_what_its_content_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sample); i++) {
		const struct sample *x = &sample[i];
		struct kinds k;

		read_kinds(&k, view_of(x->text));
		if ((k.unclear != NULL) != x->is_unclear)
			fail_msg("%s: %s", x->name, k.unclear == NULL
			    ? "clear" : k.unclear);
		if (x->has != NULL && !kinds_has(&k, x->has))
			fail_msg("%s: no %s in\n%s", x->name, x->has,
			    buf_str(&k.types));
		if (x->has_not != NULL && kinds_has(&k, x->has_not))
			fail_msg("%s: %s in\n%s", x->name, x->has_not,
			    buf_str(&k.types));
		/* what is unclear is of every type */
		assert_int_equal(kinds_has(&k, "model/x-none"),
		    x->is_unclear);
		kinds_free(&k);
	}
}

/* Parts of so many octets, the last one a PDF. */
static void read_parts(struct kinds *k, size_t parts, size_t octets)
{
	struct buf b;

	buf_init(&b, 64u << 20);
	buf_puts(&b, MIXED);
	for (size_t i = 0; i < parts; i++) {
		buf_puts(&b, "--b\n\n");
		for (size_t n = 0; n < octets; n++)
			buf_putc(&b, n % 64 == 63 ? '\n' : 'a');
		buf_puts(&b, "\n");
	}
	buf_puts(&b, "--b\n\n" PDF "--b--\n");
	assert_int_equal(buf_ok(&b, NULL), 0);
	read_kinds(k, buf_view(&b));
	buf_free(&b);
}

static void caps_hold(void **state)
{
	struct kinds k;

	(void)state;
	/* of a part only the start is looked at */
	read_parts(&k, 1, 4 * CAP_KIND_PART);
	assert_null(k.unclear);
	assert_true(kinds_has(&k, "application/pdf"));
	kinds_free(&k);
	/* of many parts not all */
	read_parts(&k, CAP_KIND_MESSAGE / CAP_KIND_PART - 4, CAP_KIND_PART);
	assert_null(k.unclear);
	assert_true(kinds_has(&k, "application/pdf"));
	kinds_free(&k);
	read_parts(&k, CAP_KIND_MESSAGE / CAP_KIND_PART + 4, CAP_KIND_PART);
	assert_non_null(k.unclear);
	assert_true(kinds_has(&k, "audio/ogg"));
	kinds_free(&k);
	read_parts(&k, CAP_MIME_PARTS + 1, 1);
	assert_non_null(k.unclear);
	kinds_free(&k);
}

static void the_database_is_opened_once(void **state)
{
	struct err e = {0};
	struct kinds k;

	(void)state;
	assert_int_equal(kinds_open(&e), 0);
	assert_int_equal(kinds_open(&e), 0);
	kinds_close();
	kinds_close();
	read_kinds(&k, view_of(HEAD "\n" PDF));
	assert_true(kinds_has(&k, "application/pdf"));
	kinds_free(&k);
}

static int close_it(void **state)
{
	(void)state;
	kinds_close();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A51_a_part_is_what_its_content_says),
		cmocka_unit_test(caps_hold),
		cmocka_unit_test(the_database_is_opened_once),
	};

	return cmocka_run_group_tests_name("gateway_kinds", tests, NULL,
	    close_it);
}
