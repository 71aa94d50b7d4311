/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Mail that two readers take for two things (A41), each kind of it with
 * ciphertext and with signatures: never opened, never believed, delivered as
 * it arrived.
 */
#include "tests/unit/gateway_make.h"

static struct world w;
static struct buf b; /* the entity in the making */

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
#define HELLO "Content-Type: text/plain\r\n\r\nhello\r\n"

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, ALICE, "ec:p256");
	world_person(&w, BOB, "ec:p256");
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

/* What stands for a name in the texts below. */
static void put_expanded(struct buf *out, const char *text,
    const struct buf *object)
{
	for (; *text != '\0'; text++) {
		if (*text == '\1') /* the object in base64 */
			buf_putv(out, buf_view(object));
		else if (*text == '\2')
			buf_putc(out, '\0');
		else
			buf_putc(out, *text);
	}
}

static void arrive(const char *what, const char *text,
    const struct buf *object)
{
	struct buf m;

	buf_init(&m, MAKE_MAX);
	buf_puts(&m, "From: alice@example.com\r\nTo: bob@example.org\r\n");
	put_expanded(&m, text, object);
	if (buf_ok(&m, NULL) != 0)
		fail_msg("%s: too large", what);
	world_open_view(&w, ALICE, BOB, buf_view(&m));
	buf_free(&m);
}

static void expect_left(const char *what)
{
	if (w.v.code != 0 || w.v.body != NULL || w.key_ops != 0 ||
	    strcmp(w.v.dec_result, "decrypted") == 0 ||
	    strcmp(w.v.sig_result, "pass") == 0 || has(&w, "smime=pass"))
		fail_msg("%s: %d, decryption %s, signature %s, %d key "
		    "operations", what, w.v.code, w.v.dec_result,
		    w.v.sig_result, w.key_ops);
	for (size_t i = 0; i < w.v.edits; i++)
		assert_int_equal(w.v.edit[i].kind, EDIT_INSERT_TOP);
	assert_false(has(&w, "\r\n\r\nhello"));
}

/* ---- header fields ---- */

struct ambiguity {
	const char *name;
	const char *fields; /* \2: NUL */
};

#define CT "Content-Type: "
#define CTE "Content-Transfer-Encoding: "
#define P7 "application/pkcs7-mime"

/* Around an object in base64, ciphertext or SignedData. */
static const struct ambiguity in_fields[] = {
	{"two types, S/MIME first", CT P7 "\r\n" CT "text/plain\r\n"
	    CTE "base64\r\n"},
	{"two types, S/MIME last", CT "text/plain\r\n" CT P7 "\r\n"
	    CTE "base64\r\n"},
	{"the same type twice", CT P7 "\r\n" CT P7 "\r\n" CTE "base64\r\n"},
	{"two types, in other cases", CT P7 "\r\ncontent-TYPE: text/plain"
	    "\r\n" CTE "base64\r\n"},
	{"two encodings", CT P7 "\r\n" CTE "base64\r\n" CTE "7bit\r\n"},
	{"two encodings, base64 last", CT P7 "\r\n" CTE "7bit\r\n" CTE
	    "base64\r\n"},
	{"two versions", "MIME-Version: 1.0\r\n" CT P7 "\r\n" CTE "base64"
	    "\r\nMIME-Version: 1.0\r\n"},
	{"two dispositions", CT P7 "\r\n" CTE "base64\r\n"
	    "Content-Disposition: inline\r\n"
	    "Content-Disposition: attachment; filename=smime.p7m\r\n"},
	{"a version of its own", "MIME-Version: one\r\n" CT P7 "\r\n" CTE
	    "base64\r\n"},
	{"a parameter twice", CT P7 "; smime-type=enveloped-data;"
	    " smime-type=signed-data\r\n" CTE "base64\r\n"},
	{"a name twice", CT P7 "; name=smime.p7m; name=smime.txt\r\n" CTE
	    "base64\r\n"},
	{"a comment with parameters", CT P7 " (; smime-type=x)\r\n" CTE
	    "base64\r\n"},
	{"a comment in the type", CT "application/(x)pkcs7-mime\r\n" CTE
	    "base64\r\n"},
	{"a comment that is not closed", CT P7 " (x\r\n" CTE "base64\r\n"},
	{"a quote that is not closed", CT P7 "; name=\"x\r\n" CTE
	    "base64\r\n"},
	{"an encoded word", CT P7 "; smime-type=\"=?us-ascii?Q?signed-data?="
	    "\"\r\n" CTE "base64\r\n"},
	{"RFC 2231 pieces", CT P7 "; smime-type*0=signed;"
	    " smime-type*1=-data\r\n" CTE "base64\r\n"},
	{"RFC 2231 percent", CT P7 "; smime-type*=us-ascii''signed%2Ddata"
	    "\r\n" CTE "base64\r\n"},
	{"both forms", CT P7 "; smime-type=signed-data;"
	    " smime-type*=us-ascii''enveloped-data\r\n" CTE "base64\r\n"},
	{"text after the type", CT P7 " text/plain\r\n" CTE "base64\r\n"},
	{"commas", CT P7 ", text/plain\r\n" CTE "base64\r\n"},
	{"a blank before the colon", "Content-Type : " P7 "\r\n" CTE
	    "base64\r\n"},
	{"no field", CT P7 "\r\nno field here\r\n" CTE "base64\r\n"},
	{"a fold of blanks only, then text", "X: y\r\n \r\nzzz\r\n" CT P7
	    "\r\n" CTE "base64\r\n"},
	{"NUL in the type", CT P7 "\2; name=x\r\n" CTE "base64\r\n"},
	{"NUL in another field", "X: a\2b\r\n" CT P7 "\r\n" CTE "base64\r\n"},
	{"a CR in the type", CT P7 "\r\r\n" CTE "base64\r\n"},
	{"a CR before another type", "X: a\r" CT "text/html\r\n" CT P7 "\r\n"
	    CTE "base64\r\n"},
	{"CR only", CT P7 "\r" CTE "base64\r\n"},
	{"encoding of two words", CT P7 "\r\n" CTE "base64 7bit\r\n"},
	{"encoding in two pieces", CT P7 "\r\n" CTE "base 64\r\n"},
	{"encoding with a parameter", CT P7 "\r\n" CTE "base64; x=y\r\n"},
	{"encoding in quotes", CT P7 "\r\n" CTE "\"base64\"\r\n"},
	{"encoding as an encoded word", CT P7 "\r\n" CTE
	    "=?us-ascii?Q?base64?=\r\n"},
	{"unknown encoding", CT P7 "\r\n" CTE "x-base64\r\n"},
	{"encoding with a comment that is not closed", CT P7 "\r\n" CTE
	    "base64 (x\r\n"},
	{"empty encoding", CT P7 "\r\n" CTE "\r\n"},
	{"encoding of another name", CT P7 "\r\n" CTE "base-64\r\n"},
};

enum kind { SEALED_ONLY, SIGNED_ONLY, SIGNED_AND_SEALED, KINDS };

/* An object in base64 under these fields. */
static void arrive_under(const char *what, const char *fields, enum kind k)
{
	struct buf text;

	buf_clear(&b);
	buf_puts(&b, HELLO);
	if (k != SEALED_ONLY)
		make_signed(&w, ALICE, SIGN_OPAQUE, &b);
	if (k != SIGNED_ONLY)
		make_sealed(&w, BOB, ENC_AES256_CBC, &b);
	make_bare(&b);
	make_base64(&b, "");
	make_edit(&b, CTE "base64\r\n", "");
	buf_init(&text, 10000);
	buf_printf(&text, "%s\1", fields);
	arrive(what, buf_str(&text), &b);
	buf_free(&text);
}

/* attack A41: headers that one reader takes for ciphertext or a signature and
 * another one does not: fields and parameters twice, comments, RFC 2231
 * pieces, encoded words, NUL, CR, transfer encodings
 * verdict: not opened, not verified, delivered as it arrived; permerror at
 * S62 where there is a label */
static void A41_S17_two_readings_of_the_header(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS * ARRAY_LEN(in_fields); i++) {
		const struct ambiguity *a = &in_fields[i / KINDS];

		arrive_under(a->name, a->fields, (enum kind)(i % KINDS));
		expect_left(a->name);
	}
}

/* The kinds above are what makes the difference. */
static void one_reading_is_read(void **state)
{
	static const char *const fields[] = {
	    CT P7 "\r\n" CTE "base64\r\n",
	    CT P7 " (an object)\r\n" CTE "BASE64 (yes)\r\n",
	    "X: y\r\n z\r\n" CT "\r\n\t" P7 " ;\r\n name=\"x y\"\r\n" CTE
	    "\r\n base64\r\n",
	};

	(void)state;
	for (size_t i = 0; i < KINDS * ARRAY_LEN(fields); i++) {
		enum kind k = (enum kind)(i % KINDS);

		arrive_under(fields[i / KINDS], fields[i / KINDS], k);
		assert_string_equal(w.v.dec_result, k == SIGNED_ONLY
		    ? "none" : "decrypted");
		assert_string_equal(w.v.sig_result, k == SEALED_ONLY
		    ? "none" : "pass");
	}
}

/* ---- boundaries ---- */

#define SIGNED(more)                                                        \
	"MIME-Version: 1.0\r\n" CT "multipart/signed; micalg=sha-256;"      \
	" protocol=\"application/pkcs7-signature\"" more "\r\n\r\n"
#define P1 "\3"        /* the signed part */
#define P2 "\4"        /* the signature part */

/* Around the two parts of multipart/signed. */
static const struct ambiguity in_parts[] = {
	{"no boundary", SIGNED("") "--b\r\n" P1 "\r\n--b\r\n" P2 "\r\n--b--"},
	{"an empty boundary", SIGNED("; boundary=\"\"") "--\r\n" P1 "\r\n--"
	    "\r\n" P2 "\r\n----"},
	{"two boundaries", SIGNED("; boundary=b; boundary=c") "--b\r\n" P1
	    "\r\n--b\r\n" P2 "\r\n--b--"},
	{"two boundaries, the last one", SIGNED("; boundary=c; boundary=b")
	    "--b\r\n" P1 "\r\n--b\r\n" P2 "\r\n--b--"},
	{"the same twice", SIGNED("; boundary=b; boundary=b") "--b\r\n" P1
	    "\r\n--b\r\n" P2 "\r\n--b--"},
	{"in pieces", SIGNED("; boundary*0=b; boundary*1=b") "--bb\r\n" P1
	    "\r\n--bb\r\n" P2 "\r\n--bb--"},
	{"in pieces, and whole", SIGNED("; boundary*0=x; boundary=b") "--b"
	    "\r\n" P1 "\r\n--b\r\n" P2 "\r\n--b--"},
	{"with a charset", SIGNED("; boundary*=us-ascii''b") "--b\r\n" P1
	    "\r\n--b\r\n" P2 "\r\n--b--"},
	{"an encoded word", SIGNED("; boundary=\"=?us-ascii?Q?b?=\"")
	    "--=?us-ascii?Q?b?=\r\n" P1 "\r\n--=?us-ascii?Q?b?=\r\n" P2
	    "\r\n--=?us-ascii?Q?b?=--"},
	{"an encoded word, decoded", SIGNED("; boundary=\"=?us-ascii?Q?b?=\"")
	    "--b\r\n" P1 "\r\n--b\r\n" P2 "\r\n--b--"},
	{"blanks at the end", SIGNED("; boundary=\"b \"") "--b \r\n" P1
	    "\r\n--b \r\n" P2 "\r\n--b --"},
	{"a blank in front", SIGNED("; boundary=\" b\"") "-- b\r\n" P1
	    "\r\n-- b\r\n" P2 "\r\n-- b--"},
	{"a quoted pair", SIGNED("; boundary=\"\\b\"") "--b\r\n" P1 "\r\n--b"
	    "\r\n" P2 "\r\n--b--"},
	{"a comment behind", SIGNED("; boundary=b (; boundary=c)") "--b\r\n"
	    P1 "\r\n--b\r\n" P2 "\r\n--b--"},
	{"text behind", SIGNED("; boundary=b c") "--b\r\n" P1 "\r\n--b\r\n"
	    P2 "\r\n--b--"},
	{"NUL in it", SIGNED("; boundary=\"b\2c\"") "--b\r\n" P1 "\r\n--b"
	    "\r\n" P2 "\r\n--b--"},
	{"8-bit in it", SIGNED("; boundary=\"b\344\"") "--b\344\r\n" P1
	    "\r\n--b\344\r\n" P2 "\r\n--b\344--"},
	{"text after a delimiter", SIGNED("; boundary=b") "--b\r\n" P1
	    "\r\n--bx\r\n\r\nevil\r\n--b\r\n" P2 "\r\n--b--"},
	{"no close-delimiter", SIGNED("; boundary=b") "--b\r\n" P1 "\r\n--b"
	    "\r\n" P2},
	{"a part after the close", SIGNED("; boundary=b") "--b\r\n" P1
	    "\r\n--b\r\n" P2 "\r\n--b--\r\n--b\r\n\r\nevil\r\n--b--"},
	{"closed before it begins", SIGNED("; boundary=b") "--b--\r\n--b\r\n"
	    P1 "\r\n--b\r\n" P2 "\r\n--b--"},
	{"CR before a delimiter", SIGNED("; boundary=b") "\r--b\r\revil\r\r\n"
	    "--b\r\n" P1 "\r\n--b\r\n" P2 "\r\n--b--"},
	{"CR only", SIGNED("; boundary=b") "--b\r" P1 "\r--b\r" P2 "\r--b--"},
	{"an encoding of the whole", SIGNED("; boundary=b\r\n" CTE "base64")
	    "--b\r\n" P1 "\r\n--b\r\n" P2 "\r\n--b--"},
	{"qp of the whole", SIGNED("; boundary=b\r\n" CTE "quoted-printable")
	    "--b\r\n" P1 "\r\n--b\r\n" P2 "\r\n--b--"},
	{"a third part", SIGNED("; boundary=b") "--b\r\n" P1 "\r\n--b\r\n" P2
	    "\r\n--b\r\n\r\nevil\r\n--b--"},
	{"a part in front", SIGNED("; boundary=b") "--b\r\n\r\nevil\r\n--b"
	    "\r\n" P1 "\r\n--b\r\n" P2 "\r\n--b--"},
	{"the signature first", SIGNED("; boundary=b") "--b\r\n" P2 "\r\n--b"
	    "\r\n" P1 "\r\n--b--"},
	{"two types", CT "text/html\r\n" SIGNED("; boundary=b") "--b\r\n" P1
	    "\r\n--b\r\n" P2 "\r\n--b--"},
	{"two types of the signature", SIGNED("; boundary=b") "--b\r\n" P1
	    "\r\n--b\r\n" CT "text/html\r\n" P2 "\r\n--b--"},
	{"two types of the signed part", SIGNED("; boundary=b") "--b\r\n"
	    CT "text/html\r\n" P1 "\r\n--b\r\n" P2 "\r\n--b--"},
};

static void put_parts(struct buf *out, const char *text, struct view p1,
    struct view p2)
{
	for (; *text != '\0'; text++) {
		if (*text == '\3')
			buf_putv(out, p1);
		else if (*text == '\4')
			buf_putv(out, p2);
		else
			buf_putc(out, *text == '\2' ? '\0' : *text);
	}
	buf_puts(out, "\r\n");
}

/* The two halves of the multipart/signed entity in b. */
static void get_halves(struct view *p1, struct view *p2)
{
	unsigned char *eol, *delim, *p = memmem(b.p, b.n, "\r\n\r\n--", 6);
	size_t n;

	assert_non_null(p);
	p += 4;
	eol = memmem(p, b.n - (size_t)(p - b.p), "\r\n", 2);
	assert_non_null(eol);
	n = (size_t)(eol - p);
	delim = memmem(eol, b.n - (size_t)(eol - b.p), p, n);
	assert_non_null(delim);
	*p1 = view_make(eol + 2, (size_t)(delim - eol) - 4);
	delim += n + 2;
	eol = memmem(delim, b.n - (size_t)(delim - b.p), p, n);
	assert_non_null(eol);
	*p2 = view_make(delim, (size_t)(eol - delim) - 2);
}

static void try_parts(const char *text, struct view p1, struct view p2)
{
	struct buf m;

	buf_init(&m, MAKE_MAX);
	buf_puts(&m, "From: alice@example.com\r\nTo: bob@example.org\r\n");
	put_parts(&m, text, p1, p2);
	world_open_view(&w, ALICE, BOB, buf_view(&m));
	buf_free(&m);
}

/* attack A41: boundaries that readers find in different places: twice, in
 * pieces, as encoded words, with blanks, as a prefix, after a CR, unclosed
 * verdict: permerror at S62, what is in it is not opened, delivered as it
 * arrived */
static void A41_two_readings_of_the_parts(void **state)
{
	struct view p1, p2;

	(void)state;
	for (int sealed = 0; sealed < 2; sealed++) {
		buf_clear(&b);
		buf_puts(&b, CT "text/plain\r\n\r\nsigned text\r\n");
		if (sealed)
			make_sealed(&w, BOB, ENC_AES256_GCM, &b);
		make_signed(&w, ALICE, SIGN_CLEAR, &b);
		get_halves(&p1, &p2);
		try_parts(SIGNED("; boundary=b") "--b\r\n" P1 "\r\n--b\r\n" P2
		    "\r\n--b--", p1, p2);
		assert_int_equal(w.key_ops, sealed);
		if (!sealed)
			world_signature(&w, "pass", "");
		for (size_t i = 0; i < ARRAY_LEN(in_parts); i++) {
			try_parts(in_parts[i].fields, p1, p2);
			expect_left(in_parts[i].name);
		}
	}
}

/* attack A41: the same below the root
 * verdict: delivered as it arrived, never neutral by mistake of a pass */
static void A41_two_readings_below_the_root(void **state)
{
	struct view p1, p2;
	struct buf t;

	(void)state;
	buf_init(&t, 10000);
	buf_clear(&b);
	buf_puts(&b, CT "text/plain\r\n\r\nsigned text\r\n");
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	get_halves(&p1, &p2);
	for (size_t i = 0; i < ARRAY_LEN(in_parts); i++) {
		const char *part = in_parts[i].fields;

		buf_clear(&t);
		buf_printf(&t, "MIME-Version: 1.0\r\n" CT "multipart/mixed;"
		    " boundary=m\r\n\r\n--m\r\n%s\r\n--m--", strstr(part, CT));
		try_parts(buf_str(&t), p1, p2);
		expect_left(in_parts[i].name);
		if (strcmp(w.v.sig_result, "none") != 0 &&
		    strcmp(w.v.sig_result, "permerror") != 0)
			fail_msg("%s: %s", in_parts[i].name, w.v.sig_result);
	}
	buf_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A41_S17_two_readings_of_the_header),
		cmocka_unit_test(one_reading_is_read),
		cmocka_unit_test(A41_two_readings_of_the_parts),
		cmocka_unit_test(A41_two_readings_below_the_root),
	};

	return cmocka_run_group_tests_name("gateway_ambiguity", tests,
	    make_world, end_world);
}
