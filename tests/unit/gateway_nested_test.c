/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * nested.c: which parts below the root are signatures, where they are, and
 * how little is looked at in messages that are made of them.
 */
#include "gateway/nested.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/caps.h"

/* SignedData of a text that nobody signed; with no text and no signer;
 * EnvelopedData for nobody. */
#define SIGNED_B64                                                          \
	"MEcGCSqGSIb3DQEHAqA6MDgCAQExADAvBgkqhkiG9w0BBwGgIgQgQ29udGVu"      \
	"\r\ndC1UeXBlOiB0ZXh0L3BsYWluDQoNCmhpDQoxAA=="
#define CERTS_B64 "MCMGCSqGSIb3DQEHAqAWMBQCAQExADALBgkqhkiG9w0BBwExAA=="
#define ENVELOPED_B64                                                       \
	"MHEGCSqGSIb3DQEHA6BkMGICAQAxHzAdAgEAMAUwAAIBATANBgkqhkiG9w0B\r\n"  \
	"AQEFAAQCAAAwPAYJKoZIhvcNAQcBMB0GCWCGSAFlAwQBKgQQAAAAAAAAAAAA\r\n"  \
	"AAAAAAAAAIAQAAAAAAAAAAAAAAAAAAAAAA=="

#define MIXED(b) "Content-Type: multipart/mixed; boundary=" b "\r\n\r\n"
#define OBJECT(type, b64)                                                   \
	"Content-Type: application/" type "\r\n"                            \
	"Content-Transfer-Encoding: base64\r\n\r\n" b64 "\r\n"
#define OPAQUE OBJECT("pkcs7-mime; smime-type=signed-data", SIGNED_B64)
#define SEALED OBJECT("pkcs7-mime; smime-type=enveloped-data", ENVELOPED_B64)
#define TEXT "\r\ntext\r\n"
#define SIG OBJECT("pkcs7-signature; name=smime.p7s", CERTS_B64)
#define CLEAR                                                               \
	"Content-Type: multipart/signed; boundary=s; micalg=sha-256;\r\n"   \
	"\tprotocol=\"application/pkcs7-signature\"\r\n\r\n"                \
	"--s\r\n" TEXT "--s\r\n" SIG "--s--\r\n"

static struct nested found;
static struct spool *msg;

static void find(struct view v)
{
	struct err e = {0};

	spool_free(&msg);
	assert_int_equal(spool_new(&msg, 64u << 20, &e), 0);
	assert_int_equal(spool_write(msg, v.p, v.n, &e), 0);
	nested_free(&found);
	if (nested_find(msg, 0, v.n, &found, &e) != 0)
		fail_msg("%s", e.msg);
}

static int clean_up(void **state)
{
	(void)state;
	nested_free(&found);
	spool_free(&msg);
	return 0;
}

/* "number kind" of each: c clear, o opaque, u unreadable, b broken. */
static const char *summary(void)
{
	static char text[1000];
	struct buf b;

	buf_init(&b, sizeof(text) - 1);
	for (size_t i = 0; i < found.n; i++) {
		const struct nested_part *p = &found.part[i];
		char kind = p->sh.kind == SHAPE_BROKEN ? 'b'
		    : p->sh.kind == SHAPE_CLEAR_SIGNED ? 'c'
		    : p->cms == NULL ? 'u' : 'o';

		buf_printf(&b, "%s%s%c", i == 0 ? "" : " ", p->number, kind);
	}
	if (found.is_more)
		buf_puts(&b, " more");
	if (found.has_encrypted)
		buf_puts(&b, " encrypted");
	if (found.is_beyond)
		buf_puts(&b, " beyond");
	assert_int_equal(view_cstr(buf_view(&b), text, sizeof(text)), 0);
	buf_free(&b);
	return text;
}

static void expect(const char *what, const char *in, const char *want)
{
	find(view_of(in));
	if (strcmp(summary(), want) != 0)
		fail_msg("%s: \"%s\", wanted \"%s\"", what, summary(), want);
}

struct structure {
	const char *name;
	const char *in;
	const char *want;
};

static void run(const struct structure *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		expect(s[i].name, s[i].in, s[i].want);
}

static void S75_S161_signatures_below_the_root_are_found(void **state)
{
	static const struct structure s[] = {
	    {"text", TEXT, ""},
	    {"nothing in it", MIXED("m") "--m\r\n" TEXT "--m--\r\n", ""},
	    {"the root itself", CLEAR, ""},
	    {"the root itself, opaque", OPAQUE, ""},
	    {"list footer", MIXED("m") "--m\r\n" CLEAR "--m\r\n" TEXT
		"--m--\r\n", "1c"},
	    {"second child", MIXED("m") "--m\r\n" TEXT "--m\r\n" CLEAR
		"--m--\r\n", "2c"},
	    {"opaque", MIXED("m") "--m\r\n" OPAQUE "--m\r\n" TEXT
		"--m--\r\n", "1o"},
	    {"deep", MIXED("m") "--m\r\n" TEXT "--m\r\n" MIXED("n") "--n\r\n"
		TEXT "--n\r\n" CLEAR "--n\r\n" OPAQUE "--n--\r\n--m--\r\n",
		"2.2c 2.3o"},
	    {"three", MIXED("m") "--m\r\n" CLEAR "--m\r\n" OPAQUE "--m\r\n"
		CLEAR "--m--\r\n", "1c 2o 3c"},
	};

	(void)state;
	run(s, ARRAY_LEN(s));
}

/* attack A1 A7: ciphertext among other parts, beside text or a signature
 * verdict: not opened, only a warning */
static void A1_A7_ciphertext_is_only_noted(void **state)
{
	static const struct structure s[] = {
	    {"beside", MIXED("m") "--m\r\n" TEXT "--m\r\n" SEALED
		"--m--\r\n", " encrypted"},
	    {"with a signature", MIXED("m") "--m\r\n" CLEAR "--m\r\n" SEALED
		"--m--\r\n", "1c encrypted"},
	    {"label only", MIXED("m") "--m\r\n"
		OBJECT("pkcs7-mime; smime-type=authEnveloped-data", "AAAA")
		"--m--\r\n", " encrypted"},
	};

	(void)state;
	run(s, ARRAY_LEN(s));
}

static void S27_S29_S200_the_object_says_what_it_is(void **state)
{
	static const struct structure s[] = {
	    {"old type", MIXED("m") "--m\r\n" OBJECT("x-pkcs7-mime",
		SIGNED_B64) "--m--\r\n", "1o"},
	    {"no smime-type", MIXED("m") "--m\r\n" OBJECT("pkcs7-mime",
		SIGNED_B64) "--m--\r\n", "1o"},
	    {"no smime-type, encrypted", MIXED("m") "--m\r\n"
		OBJECT("pkcs7-mime", ENVELOPED_B64) "--m--\r\n",
		" encrypted"},
	    {"label lies", MIXED("m") "--m\r\n"
		OBJECT("pkcs7-mime; smime-type=enveloped-data", SIGNED_B64)
		"--m--\r\n", "1o"},
	    {"label lies, encrypted", MIXED("m") "--m\r\n"
		OBJECT("pkcs7-mime; smime-type=signed-data", ENVELOPED_B64)
		"--m--\r\n", " encrypted"},
	    {"unreadable, labelled", MIXED("m") "--m\r\n"
		OBJECT("pkcs7-mime; smime-type=signed-data", "AAAA")
		"--m--\r\n", "1u"},
	    {"unreadable", MIXED("m") "--m\r\n" OBJECT("pkcs7-mime", "AAAA")
		"--m--\r\n", ""},
	    {"clear, old type", MIXED("m") "--m\r\n"
		"Content-Type: multipart/signed; boundary=s;\r\n"
		" protocol=application/x-pkcs7-signature\r\n\r\n--s\r\n" TEXT
		"--s\r\n" OBJECT("x-pkcs7-signature", "AA") "--s--\r\n"
		"--m--\r\n", "1c"},
	    {"clear, no protocol", MIXED("m") "--m\r\n"
		"Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n"
		TEXT "--s\r\n" SIG "--s--\r\n--m--\r\n", "1c"},
	    {"clear, of PGP", MIXED("m") "--m\r\n"
		"Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n"
		TEXT "--s\r\n" OBJECT("pgp-signature", "AA") "--s--\r\n"
		"--m--\r\n", ""},
	};

	(void)state;
	run(s, ARRAY_LEN(s));
}

static void S28_S35_what_is_no_signature_there(void **state)
{
	static const struct structure s[] = {
	    {"octet-stream", MIXED("m") "--m\r\n"
		OBJECT("octet-stream; name=smime.p7m", SIGNED_B64)
		"--m--\r\n", ""},
	    {"certs-only", MIXED("m") "--m\r\n"
		OBJECT("pkcs7-mime; smime-type=certs-only", CERTS_B64)
		"--m--\r\n", ""},
	    {"certs-only, labelled signed", MIXED("m") "--m\r\n"
		OBJECT("pkcs7-mime; smime-type=signed-data", CERTS_B64)
		"--m--\r\n", ""},
	    {"a signature alone", MIXED("m") "--m\r\n" SIG "--m--\r\n", ""},
	};

	(void)state;
	run(s, ARRAY_LEN(s));
}

/* attack A43: crypto inside of an attached message
 * verdict: not looked at, no result */
static void S42_A43_attached_messages_are_not_entered(void **state)
{
	static const struct structure s[] = {
	    {"attached", MIXED("m") "--m\r\nContent-Type: message/rfc822\r\n"
		"\r\nFrom: x@y.z\r\n" CLEAR "--m--\r\n", ""},
	    {"in a digest", "Content-Type: multipart/digest; boundary=m\r\n"
		"\r\n--m\r\n\r\n" SEALED "--m--\r\n", ""},
	    {"as the root", "Content-Type: message/rfc822\r\n\r\n" CLEAR, ""},
	};

	(void)state;
	run(s, ARRAY_LEN(s));
}

static void S23_S62_a_broken_shape_is_said_of_the_part(void **state)
{
	static const char head[] = MIXED("m") "--m\r\n"
	    "Content-Type: multipart/signed; boundary=s; micalg=sha-256;\r\n"
	    "\tprotocol=\"application/pkcs7-signature\"\r\n\r\n";
	static const struct structure s[] = {
	    {"three", "--s\r\n" TEXT "--s\r\n" SIG "--s\r\n" TEXT
		"--s--\r\n--m--\r\n", "1b"},
	    {"signature first", "--s\r\n" SIG "--s\r\n" TEXT
		"--s--\r\n--m--\r\n", "1b"},
	    {"one", "--s\r\n" TEXT "--s--\r\n--m--\r\n", "1b"},
	    {"one sound, one broken", "--s\r\n" TEXT "--s--\r\n--m\r\n" OPAQUE
		"--m--\r\n", "1b 2o"},
	    /* two readings of the whole: nothing below is sound */
	    {"unclosed", "--s\r\n" TEXT "--s\r\n" SIG "--s--\r\n--m\r\n"
		OPAQUE, "1b 2b"},
	};
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	for (size_t i = 0; i < ARRAY_LEN(s); i++) {
		buf_clear(&b);
		buf_puts(&b, head);
		buf_puts(&b, s[i].in);
		expect(s[i].name, buf_str(&b), s[i].want);
		assert_true(strlen(found.part[0].sh.defect) > 0);
	}
	buf_free(&b);
}

static void repeat(struct buf *b, const char *part, size_t n)
{
	buf_clear(b);
	buf_puts(b, MIXED("m"));
	for (size_t i = 0; i < n; i++) {
		buf_puts(b, "--m\r\n");
		buf_puts(b, part);
	}
	buf_puts(b, "--m--\r\n");
	assert_int_equal(buf_ok(b, NULL), 0);
}

/* attack A14: many signatures, parts and levels below the root
 * verdict: four are looked at, the rest is counted; beyond the caps nothing
 * is verified */
static void A14_only_so_many_are_looked_at(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8u << 20);
	repeat(&b, OPAQUE, NESTED_MAX - 1);
	expect("3", buf_str(&b), "1o 2o 3o");
	repeat(&b, OPAQUE, NESTED_MAX);
	expect("4", buf_str(&b), "1o 2o 3o 4o");
	repeat(&b, OPAQUE, NESTED_MAX + 1);
	expect("5", buf_str(&b), "1o 2o 3o 4o more");
	repeat(&b, CLEAR, 300);
	expect("300", buf_str(&b), "1c 2c 3c 4c more");
	/* ciphertext does not count, but so many are not read either */
	repeat(&b, SEALED, 900);
	expect("900", buf_str(&b), " more encrypted");
	repeat(&b, TEXT, CAP_MIME_PARTS - 1);
	expect("parts", buf_str(&b), "");
	repeat(&b, TEXT, CAP_MIME_PARTS);
	expect("parts + 1", buf_str(&b), " beyond");
	repeat(&b, OPAQUE, 10000);
	expect("10000", buf_str(&b), "1b 2b 3b 4b more beyond");
	buf_free(&b);
}

static void A14_levels(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 20);
	for (int depth = CAP_MIME_DEPTH - 1; depth < 10000; depth += 9980) {
		buf_clear(&b);
		for (int i = 0; i < depth; i++)
			buf_printf(&b, "Content-Type: multipart/mixed; "
			    "boundary=b%d\r\n\r\n--b%d\r\n", i, i);
		buf_puts(&b, OPAQUE);
		for (int i = depth - 1; i >= 0; i--)
			buf_printf(&b, "--b%d--\r\n", i);
		find(buf_view(&b));
		assert_string_equal(summary(), depth < CAP_MIME_DEPTH
		    ? "1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1o" : " beyond");
	}
	buf_free(&b);
}

static void S174_bounds_and_numbers(void **state)
{
	static const char in[] = MIXED("m") "--m\r\n" TEXT "--m\r\n" CLEAR
	    "--m--\r\n";
	const struct nested_part *p = &found.part[0];
	const char *start;

	(void)state;
	find(view_of(in));
	assert_int_equal(found.n, 1);
	start = strstr(in, "Content-Type: multipart/signed");
	assert_int_equal(p->start, start - in);
	/* the last line end is the delimiter's */
	assert_int_equal(p->end, strstr(in, "\r\n--m--") - in);
	assert_int_equal(p->sh.part, strstr(start, TEXT "--s") - in);
	assert_int_equal(p->sh.part_end - p->sh.part, strlen(TEXT) - 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S75_S161_signatures_below_the_root_are_found),
		cmocka_unit_test(A1_A7_ciphertext_is_only_noted),
		cmocka_unit_test(S27_S29_S200_the_object_says_what_it_is),
		cmocka_unit_test(S28_S35_what_is_no_signature_there),
		cmocka_unit_test(S42_A43_attached_messages_are_not_entered),
		cmocka_unit_test(S23_S62_a_broken_shape_is_said_of_the_part),
		cmocka_unit_test(A14_only_so_many_are_looked_at),
		cmocka_unit_test(A14_levels),
		cmocka_unit_test(S174_bounds_and_numbers),
	};

	return cmocka_run_group_tests_name("gateway_nested", tests, NULL,
	    clean_up);
}
