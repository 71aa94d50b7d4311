/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * shape.c: what stands at the root, and the exact bounds of signed parts.
 */
#include "smime/shape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void read_shape(struct shape *sh, const char *in)
{
	struct spool *s = NULL;
	struct header h;
	struct ctype ct;
	struct err e;

	assert_int_equal(spool_new(&s, 1u << 20, &e), 0);
	assert_int_equal(spool_write(s, in, strlen(in), &e), 0);
	assert_int_equal(header_read(&h, s, 0, strlen(in), &e), 0);
	assert_int_equal(ctype_read(&ct, &h, &e), 0);
	assert_int_equal(shape_read(sh, s, &h, &ct, strlen(in), &e), 0);
	ctype_free(&ct);
	header_free(&h);
	spool_free(&s);
}

static void expect_broken(const char *in, const char *why)
{
	struct shape sh;

	read_shape(&sh, in);
	assert_int_equal(sh.kind, SHAPE_BROKEN);
	if (strstr(sh.defect, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", sh.defect, why);
}

#define SIGNED \
	"Content-Type: multipart/signed; micalg=SHA-256; boundary=b;\r\n" \
	"\tprotocol=\"application/pkcs7-signature\"\r\n\r\n"
#define PART "--b\r\nA: x\r\n\r\ntext\r\n"
#define SIG \
	"--b\r\nContent-Type: application/x-pkcs7-signature; " \
	"name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\nAA\r\n"

static void S23_other_than_two_parts_is_broken(void **state)
{
	(void)state;
	expect_broken(SIGNED PART "--b--\r\n", "1 parts, not 2");
	expect_broken(SIGNED PART SIG SIG "--b--\r\n", "3 parts, not 2");
	expect_broken(SIGNED PART SIG PART "--b--\r\n", "3 parts, not 2");
	expect_broken(SIGNED SIG PART "--b--\r\n", "not a signature");
	expect_broken(SIGNED "text\r\n", "0 parts, not 2");
	expect_broken(SIGNED, "0 parts");
}

/* attack A41: multipart/signed and pkcs7-mime whose structure has two readings
 * verdict: broken: permerror at S62 */
static void A41_two_readings_are_broken(void **state)
{
	(void)state;
	expect_broken(SIGNED PART SIG, "missing close-delimiter");
	expect_broken(SIGNED PART SIG "--b--\r\n--b\r\n\r\nx\r\n",
	    "delimiter after");
	expect_broken(SIGNED "--b\r\nContent-Type: a/b\r\nContent-Type: c/d"
			     "\r\n\r\nx\r\n" SIG "--b--", "part 1");
	expect_broken("Content-Type: text/plain\r\n" SIGNED PART SIG "--b--",
	    "given twice");
	expect_broken("Content-Type: application/pkcs7-mime\r\n"
		      "Content-Type: text/plain\r\n\r\nAA\r\n", "given twice");
	expect_broken("Content-Type: application/octet-stream; name=a.p7m\r\n"
		      "X: a\rb\r\n\r\nAA\r\n", "CR without LF");
}

/* attack A41: a delimiter behind a lone CR, seen by some readers as a part in
 * front of the signed one
 * verdict: broken: permerror at S62 */
static void A41_delimiters_after_a_bare_CR_are_broken(void **state)
{
	static const char why[] = "CR without LF";

	(void)state;
	expect_broken(SIGNED "\r--b\r\revil\r\r\n" PART SIG "--b--\r\n", why);
	expect_broken(SIGNED "x\r\r--b\r\r\n" PART SIG "--b--\r\n", why);
	expect_broken(SIGNED "x\r--b" "\r\n" PART SIG "--b--\r\n", why);
	expect_broken(SIGNED PART "x\r--b--" "\r\n" SIG "--b--\r\n", why);
	expect_broken(SIGNED PART SIG "\r--b\r\revil\r\n--b--\r\n", why);
	expect_broken(SIGNED PART SIG "--b--\r\nx\r--b\r\revil", why);
	expect_broken(SIGNED PART SIG "--b--\r--b\r\revil",
	    "text after the boundary");
}

static void a_bare_CR_elsewhere_is_no_delimiter(void **state)
{
	struct shape sh;

	(void)state;
	read_shape(&sh, SIGNED "\r-b\r--\rb\r --b\r\n" PART SIG "--b--\r\n");
	assert_int_equal(sh.kind, SHAPE_CLEAR_SIGNED);
	read_shape(&sh, SIGNED "x\r\n--c\r\n" PART SIG "--b--\r\n");
	assert_int_equal(sh.kind, SHAPE_CLEAR_SIGNED);
}

static void S18_unknown_encoding_of_the_whole_is_broken(void **state)
{
	(void)state;
	expect_broken("Content-Transfer-Encoding: x-uuencode\r\n" SIGNED PART
	    SIG "--b--\r\n", "transfer encoding");
}

static void A41_what_nobody_can_decode_is_broken(void **state)
{
	static const char why[] = "unknown";
	struct shape sh;

	(void)state;
	expect_broken("Content-Type: application/pkcs7-mime\r\n"
	    "Content-Transfer-Encoding: x-base64\r\n\r\nAA\r\n", why);
	expect_broken(SIGNED PART "--b\r\n"
	    "Content-Type: application/pkcs7-signature\r\n"
	    "Content-Transfer-Encoding: base64x\r\n\r\nAA\r\n--b--\r\n",
	    why);
	/* known by its name only, it is an ordinary file */
	read_shape(&sh, "Content-Type: application/octet-stream; name=x.p7m"
	    "\r\nContent-Transfer-Encoding: x-base64\r\n\r\nAA\r\n");
	assert_int_equal(sh.kind, SHAPE_PLAIN);
}

/* CMS: certs-only, of no certificate. */
#define OBJECT "MCMGCSqGSIb3DQEHAqAWMBQCAQExADALBgkqhkiG9w0BBwExAA=="

static void S28_a_file_name_counts_with_an_object_only(void **state)
{
	static const char *const name[] = {"name=a.P7M", "name=a.p7s",
	    "name=a.p7c", "name=a.p7z", "name=p7m", "name=a.p7m.zip",
	    "name*=us-ascii''a.p7m", "name=x\r\n"
	    "Content-Disposition: attachment; filename=smime.p7m"};
	static const char *const body[] = {OBJECT, "", "UEsDBA==",
	    "MCMGCSqGSIb3DQEHAqAWMBQCAQExADALBgkqhkiG9w0BBwExAAAA",
	    "MIAGCSqGSIb3DQEHA6CA"};
	struct shape sh;
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	for (size_t i = 0; i < ARRAY_LEN(name) * ARRAY_LEN(body); i++) {
		size_t n = i / ARRAY_LEN(body);
		bool is = i % ARRAY_LEN(body) == 0 && n != 4 && n != 5;

		buf_clear(&b);
		buf_printf(&b, "Content-Type: application/octet-stream; %s"
		    "\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n",
		    name[n], body[i % ARRAY_LEN(body)]);
		read_shape(&sh, buf_str(&b));
		if (sh.kind != (is ? SHAPE_PKCS7 : SHAPE_PLAIN))
			fail_msg("%s, %s: %d", name[n],
			    body[i % ARRAY_LEN(body)], (int)sh.kind);
	}
	buf_free(&b);
}

static void A41_other_mail_with_two_readings_is_plain(void **state)
{
	struct shape sh;

	(void)state;
	read_shape(&sh, "Content-Type: text/html\r\n"
			"Content-Type: text/plain\r\n\r\nx\r\n");
	assert_int_equal(sh.kind, SHAPE_PLAIN);
	assert_string_equal(sh.defect, "");
}

static void kinds_by_label(void **state)
{
	static const struct {
		const char *in;
		enum shape_kind kind;
	} c[] = {
	    {"", SHAPE_PLAIN},
	    {"text/plain; name=a.p7m", SHAPE_PLAIN},
	    {"application/pkcs7-mime", SHAPE_PKCS7},
	    {"Application/X-PKCS7-MIME; name=foo", SHAPE_PKCS7},
	    {"application/octet-stream; name=p7m", SHAPE_PLAIN},
	    {"application/octet-stream; name=a.p7m.zip", SHAPE_PLAIN},
	    {"multipart/signed; boundary=b; "
	     "protocol=application/pgp-signature", SHAPE_PGP_SIGNED},
	    {"multipart/signed; boundary=b; protocol=\"a/b\"", SHAPE_PLAIN},
	    {"multipart/signed; boundary=b", SHAPE_PLAIN},
	    {"multipart/encrypted; boundary=b; "
	     "protocol=\"application/pgp-encrypted\"", SHAPE_PGP_ENCRYPTED},
	    {"multipart/encrypted; boundary=b", SHAPE_PLAIN},
	    {"multipart/mixed; boundary=b", SHAPE_PLAIN},
	};
	struct shape sh;
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		buf_clear(&b);
		if (c[i].in[0] != '\0')
			buf_printf(&b, "Content-Type: %s\r\n", c[i].in);
		buf_puts(&b, "\r\n--b\r\n\r\nx\r\n--b--\r\n");
		read_shape(&sh, buf_str(&b));
		if (sh.kind != c[i].kind)
			fail_msg("%s: %d", c[i].in, (int)sh.kind);
	}
	buf_free(&b);
}

static void S13_signed_octets_are_bounded_exactly(void **state)
{
	static const char *const part[] = {"A: x\r\n\r\ntext", "\r\ntext\r\n",
	    "\r\n\r\n\r\n", "A: x\r\n",
	    "Content-Type: multipart/mixed; boundary=\"b--\"\r\n\r\n"
	    "--c\r\n\r\nx\r\n--c--",
	    "Content-Type: multipart/mixed; boundary=c\r\n\r\n"
	    "--c\r\n\r\nunclosed"};
	struct shape sh;
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		buf_clear(&b);
		buf_printf(&b, SIGNED "This is signed\r\n--b \r\n%s\r\n" SIG
				      "--b--\r\nbye\r\n", part[i]);
		read_shape(&sh, buf_str(&b));
		assert_string_equal(sh.defect, "");
		assert_int_equal(sh.kind, SHAPE_CLEAR_SIGNED);
		assert_true(view_eq_str(view_sub(buf_view(&b),
					    (size_t)sh.part,
					    (size_t)(sh.part_end - sh.part)),
		    part[i]));
		assert_true(view_eq_str(view_sub(buf_view(&b), (size_t)sh.sig,
					    (size_t)(sh.sig_end - sh.sig)),
		    "AA"));
		assert_int_equal(sh.sig_cte, CTE_BASE64);
		assert_string_equal(sh.micalg, "sha-256");
		assert_int_equal(sh.end, b.n);
	}
	buf_free(&b);
}

static void signed_without_protocol_is_known_by_its_second_part(void **state)
{
	struct shape sh;

	(void)state;
	read_shape(&sh, "Content-Type: multipart/signed; boundary=b\r\n\r\n"
			PART SIG "--b--\r\n");
	assert_int_equal(sh.kind, SHAPE_CLEAR_SIGNED);
	assert_string_equal(sh.micalg, "");
}

static void S31_smime_type_is_lower_case(void **state)
{
	struct shape sh;

	(void)state;
	read_shape(&sh, "Content-Type: application/pkcs7-mime;\r\n"
			" smime-type=authEnveloped-data\r\n"
			"Content-Transfer-Encoding: base64\r\n\r\nAA\r\n");
	assert_int_equal(sh.kind, SHAPE_PKCS7);
	assert_string_equal(sh.smime_type, "authenveloped-data");
	assert_int_equal(sh.cte, CTE_BASE64);
	assert_int_equal(sh.end - sh.body, 4);
	read_shape(&sh, "Content-Type: application/pkcs7-mime;\r\n"
			" smime-type=a-name-that-is-far-too-long-for-any-type"
			"\r\n\r\nAA\r\n");
	assert_string_equal(sh.smime_type, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S23_other_than_two_parts_is_broken),
		cmocka_unit_test(A41_two_readings_are_broken),
		cmocka_unit_test(A41_delimiters_after_a_bare_CR_are_broken),
		cmocka_unit_test(a_bare_CR_elsewhere_is_no_delimiter),
		cmocka_unit_test(S18_unknown_encoding_of_the_whole_is_broken),
		cmocka_unit_test(A41_what_nobody_can_decode_is_broken),
		cmocka_unit_test(S28_a_file_name_counts_with_an_object_only),
		cmocka_unit_test(A41_other_mail_with_two_readings_is_plain),
		cmocka_unit_test(kinds_by_label),
		cmocka_unit_test(S13_signed_octets_are_bounded_exactly),
		cmocka_unit_test(
		    signed_without_protocol_is_known_by_its_second_part),
		cmocka_unit_test(S31_smime_type_is_lower_case),
	};

	return cmocka_run_group_tests_name("smime_shape", tests, NULL, NULL);
}
