/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Messages with oddities, signed and read again by us and by libcrypto: how
 * entities end, what is around them, boundaries, and what is signed or sealed
 * inside already.
 */
#include "smime_signed_mail.h"
#include "smime_trees.h"

#define MIXED "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
#define PLAIN "Content-Type: text/plain\r\n\r\n"

/* Both read it, and what they read says the same as the original. */
static void check_good(const struct mail *m, struct view original)
{
	const char *fault;
	struct buf content;

	buf_init(&content, BIG);
	fault = fault_of(buf_view(&m->text), &content);
	if (fault != NULL)
		fail_msg("%s", fault);
	assert_true(is_good_for_libcrypto(buf_view(&m->text)));
	assert_true(view_eq(buf_view(&content), buf_view(&m->entity)));
	compare_leaves(original, buf_view(&content));
	buf_free(&content);
}

static void S13_entities_end_as_they_end(void **state)
{
	static const char *const row[] = {PLAIN "ab", PLAIN "ab\r\n",
	    PLAIN "ab\r\n\r\n\r\n", PLAIN, PLAIN "\r\n", PLAIN "ab\n\n\n",
	    "Content-Type: image/png\r\nContent-Transfer-Encoding: base64"
	    "\r\n\r\nAAAA",
	    "Content-Type: image/png\r\nContent-Transfer-Encoding: base64"
	    "\r\n\r\nAAAA\r\n\r\n\r\n",
	    MIXED "--b\r\n\r\nab\r\n--b--", MIXED "--b\r\n\r\n\r\n--b--\r\n",
	    MIXED "--b\r\n\r\nab\r\n\r\n\r\n--b--\r\n\r\n\r\n",
	    PLAIN "\xc3\xa4", PLAIN "\xc3\xa4\r\n\r\n\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct view v = view_of(row[i]);
		struct mail m;

		assert_true(make_mail(&m, v));
		assert_true(m.is_7bit);
		assert_true(view_eq(cut_part(buf_view(&m.text)),
		    buf_view(&m.entity)));
		check_good(&m, v);
		free_mail(&m);
	}
}

static void S14_only_the_outermost_remarks_go(void **state)
{
	static const char inner[] =
	    "Content-Type: multipart/mixed; boundary=c\r\n\r\n"
	    "kept before\r\n--c\r\n\r\nab\r\n--c--\r\nkept after\r\n--\r\n";
	struct mail m;
	struct buf b;

	(void)state;
	buf_init(&b, BIG);
	buf_puts(&b, MIXED);
	/* more than a chunk without any "--" */
	for (int i = 0; i < 5000; i++)
		buf_puts(&b, "gone before, gone before, gone before\r\n");
	buf_puts(&b, " --b\r\n--B\r\n--\r\n");
	buf_printf(&b, "--b\r\n%s\r\n--b--\r\ngone after\r\n--\r\n", inner);
	assert_true(make_mail(&m, buf_view(&b)));
	assert_true(m.is_7bit);
	check_good(&m, buf_view(&b));
	buf_clear(&b);
	buf_printf(&b, MIXED "--b\r\n%s\r\n--b--\r\n", inner);
	assert_true(view_eq(buf_view(&m.entity), buf_view(&b)));
	free_mail(&m);
	/* a body of no octets */
	assert_false(make_mail(&m, view_of(MIXED)));
	free_mail(&m);
	buf_free(&b);
}

/* The boundary that sign_entity chose, without quotes. */
static void get_boundary(const struct mail *m, struct buf *out)
{
	struct spool *s = spool_with(buf_view(&m->text));
	struct header h;
	struct ctype ct;
	struct err e;

	assert_int_equal(header_read(&h, s, 0, m->text.n, &e), 0);
	assert_int_equal(ctype_read(&ct, &h, &e), 0);
	buf_puts(out, ctype_param(&ct, "boundary"));
	ctype_free(&ct);
	header_free(&h);
	spool_free(&s);
}

static void S15_boundaries_are_new_and_not_in_the_content(void **state)
{
	static const char text[] = PLAIN "--=_\r\n--=_00000000000000000000"
	    "000000000000\r\n--b\r\n=_\r\n";
	char seen[64][72];
	struct mail m;
	struct buf b;

	(void)state;
	buf_init(&b, 128);
	for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
		assert_true(make_mail(&m, view_of(text)));
		check_good(&m, view_of(text));
		buf_clear(&b);
		get_boundary(&m, &b);
		assert_true(b.n >= 24 && b.n <= 70);
		assert_non_null(strstr(buf_str(&b), "=_"));
		assert_null(memmem(m.entity.p, m.entity.n, b.p, b.n));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(seen[j], buf_str(&b));
		memcpy(seen[i], buf_str(&b), b.n + 1);
		free_mail(&m);
	}
	buf_free(&b);
}

/* attack A41: content made for a boundary that the gateway will choose
 * verdict: cannot be, it is random; and the check of what was signed (S201)
 * would see it */
static void S15_A41_a_boundary_in_the_content_is_seen(void **state)
{
	struct signer who = { .cert = alice.cert };
	struct spool *in, *out, *bad;
	struct buf t, mark;
	struct err e;
	char *at;

	(void)state;
	buf_init(&t, BIG);
	buf_init(&mark, 128);
	in = spool_with(view_of(PLAIN "--=_0123456789abcdef0123456789abcdef"
	    "\r\nab\r\n"));
	out = sign_spool(in, SIGN_CLEAR);
	assert_int_equal(sign_self_check(out, &who, &e), 0);
	spool_get(out, &t);
	at = strstr(buf_str(&t), "boundary=\"");
	assert_non_null(at);
	buf_put(&mark, at + 10, 34);
	assert_int_equal(at[10 + 34], '"');
	/* the same with the boundary that the content has */
	while ((at = strstr((char *)t.p, buf_str(&mark))) != NULL)
		memcpy(at, "=_0123456789abcdef0123456789abcdef", 34);
	bad = spool_with(buf_view(&t));
	assert_int_equal(sign_self_check(bad, &who, &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	spool_free(&in);
	spool_free(&out);
	spool_free(&bad);
	buf_free(&t);
	buf_free(&mark);
}

/* A message that holds what others signed: it is found in what we sign,
 * octet for octet, and is as good as before. */
static void check_inner(const char *around, struct view inner, bool is_clear,
    bool is_ours)
{
	struct mail m;
	struct buf b, content;

	buf_init(&b, BIG);
	buf_init(&content, BIG);
	buf_puts(&b, MIXED "--b\r\n" PLAIN "Gr\xc3\xbc\xc3\x9f"
	    "e \r\n--b\r\n");
	buf_puts(&b, around);
	buf_putv(&b, inner);
	buf_puts(&b, "\r\n--b--\r\n");
	assert_true(make_mail(&m, buf_view(&b)));
	assert_int_equal(m.is_7bit, is_clear);
	assert_true(m.has_signature);
	check_good(&m, buf_view(&b));
	assert_non_null(memmem(m.entity.p, m.entity.n, inner.p, inner.n));
	if (is_ours)
		assert_null(fault_of(inner, &content));
	free_mail(&m);
	buf_free(&b);
	buf_free(&content);
}

static void S11_inner_signatures_stay_good(void **state)
{
	static const struct {
		const char *entity;
		bool is_clear; /* may lie in a clear signature */
	} row[] = {
		{PLAIN "ab\r\n", true},
		{PLAIN "soft \r\n-- \r\n.\r\n", true},
		{"Content-Type: text/plain; charset=utf-8\r\n"
		 "Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa4\r\n", false},
		{PLAIN "From a\r\n", false},
		{PLAIN ">From a\r\n", false},
	};
	static const char *const around[] = {"",
	    "Content-Type: message/rfc822\r\n\r\nSubject: \t x\t\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct spool *in = spool_with(view_of(row[i].entity));
		struct spool *clear = sign_spool(in, SIGN_CLEAR);
		struct spool *opaque = sign_spool(in, SIGN_OPAQUE);
		struct buf a, b;

		buf_init(&a, BIG);
		buf_init(&b, BIG);
		spool_get(clear, &a);
		spool_get(opaque, &b);
		for (size_t k = 0; k < ARRAY_LEN(around); k++) {
			check_inner(around[k], buf_view(&a), row[i].is_clear,
			    true);
			check_inner(around[k], buf_view(&b), true, true);
		}
		spool_free(&in);
		spool_free(&clear);
		spool_free(&opaque);
		buf_free(&a);
		buf_free(&b);
	}
}

static void S11_foreign_protection_is_not_touched(void **state)
{
	static const struct {
		const char *inner;
		bool is_clear;
	} row[] = {
		{"Content-Type: multipart/signed; micalg=pgp-sha256; "
		 "protocol=\"application/pgp-signature\"; boundary=p\r\n\r\n"
		 "--p\r\nContent-Type: text/plain\r\n\r\n-- \r\n.\r\n--p\r\n"
		 "Content-Type: application/pgp-signature\r\n\r\n"
		 "-----BEGIN PGP SIGNATURE-----\r\n--p--\r\n", true},
		{"Content-Type: multipart/signed; micalg=pgp-sha256; "
		 "protocol=\"application/pgp-signature\"; boundary=p\r\n\r\n"
		 "--p\r\nContent-Type: text/plain\r\n\r\nFrom \xe4\r\n--p\r\n"
		 "Content-Type: application/pgp-signature\r\n\r\n"
		 "-----BEGIN PGP SIGNATURE-----\r\n--p--\r\n", false},
		{"Content-Type: multipart/encrypted; boundary=p; "
		 "protocol=\"application/pgp-encrypted\"\r\n\r\n--p\r\n"
		 "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1"
		 "\r\n--p\r\nContent-Type: application/octet-stream\r\n\r\n"
		 "-----BEGIN PGP MESSAGE-----\r\n\r\n=abcd\r\n--p--\r\n",
		    true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		check_inner("", view_of(row[i].inner), row[i].is_clear, false);
		check_inner("Content-Type: message/rfc822\r\n\r\n",
		    view_of(row[i].inner), row[i].is_clear, false);
	}
}

/* What has no 7-bit form stays as it is, in the opaque form. */
static void check_opaque(const char *text, const char *kept)
{
	struct view v = view_of(text);
	struct mail m;

	assert_true(make_mail(&m, v));
	if (m.is_7bit)
		fail_msg("in clear: %s", kept);
	assert_non_null(memmem(m.entity.p, m.entity.n, kept, strlen(kept)));
	assert_int_equal(scan_of(buf_view(&m.text)) & SCAN_FRAGILE, 0);
	check_good(&m, v);
	free_mail(&m);
}

static void S10_S190_addresses_in_utf8_go_opaque(void **state)
{
	(void)state;
	check_opaque(MIXED "--b\r\nContent-Type: message/rfc822\r\n\r\n"
	    "From: <\xc3\xa4@example.com>\r\n\r\nab\r\n--b--\r\n",
	    "From: <\xc3\xa4@example.com>\r\n");
	check_opaque(MIXED "--b\r\nContent-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    "From: alice@example.com\r\nTo: b\xc3\xb6\xc3\xb6@example.org, "
	    "b@example.org\r\n\r\nab\r\n--b--\r\n",
	    "To: b\xc3\xb6\xc3\xb6@example.org, b@example.org\r\n");
	check_opaque(MIXED "--b\r\nContent-Type: image/png\r\n"
	    "Content-Location: http://example.com/\xc3\xa4\r\n\r\nab\r\n"
	    "--b--\r\n", "Content-Location: http://example.com/\xc3\xa4\r\n");
}

static void S6_S7_S9_fragile_lines_that_may_not_be_encoded(void **state)
{
	struct buf b;

	(void)state;
	check_opaque(MIXED "--b\r\nContent-Type: message/delivery-status"
	    "\r\n\r\nReporting-MTA: dns; \r\n\r\n--b--\r\n", "dns; \r\n");
	check_opaque(MIXED "--b\r\nContent-Type: message/delivery-status"
	    "\r\n\r\nFrom : x\r\n\r\n--b--\r\n", "\r\nFrom : x");
	check_opaque("Content-Type: text/plain\r\nContent-Transfer-Encoding: "
	    "x-uuencode\r\n\r\n.a\r\nend\r\n", "\r\n.a\r\n");
	/* a field that cannot be folded */
	buf_init(&b, BIG);
	buf_puts(&b, MIXED "--b\r\nContent-ID: <");
	for (int i = 0; i < 980; i++)
		buf_putc(&b, 'x');
	buf_puts(&b, ">\r\n\r\nab\r\n--b--\r\n");
	check_opaque(buf_str(&b), "Content-ID: <xx");
	buf_free(&b);
}

/* RFC 6532 3.7: message/global is UTF-8 by definition, and may be encoded. */
static void S190_message_global_stays_readable(void **state)
{
	static const char text[] = MIXED "--b\r\n"
	    "Content-Type: message/global\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    "From: <\xc3\xa4@example.com>\r\n\r\n\xc3\xa4\r\n--b--\r\n";
	struct mail m;

	(void)state;
	assert_true(make_mail(&m, view_of(text)));
	check_good(&m, view_of(text));
	assert_int_equal(scan_of(buf_view(&m.text)) & SCAN_FRAGILE, 0);
	free_mail(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S13_entities_end_as_they_end),
		cmocka_unit_test(S14_only_the_outermost_remarks_go),
		cmocka_unit_test(
		    S15_boundaries_are_new_and_not_in_the_content),
		cmocka_unit_test(S15_A41_a_boundary_in_the_content_is_seen),
		cmocka_unit_test(S11_inner_signatures_stay_good),
		cmocka_unit_test(S11_foreign_protection_is_not_touched),
		cmocka_unit_test(S10_S190_addresses_in_utf8_go_opaque),
		cmocka_unit_test(
		    S6_S7_S9_fragile_lines_that_may_not_be_encoded),
		cmocka_unit_test(S190_message_global_stays_readable),
	};

	return cmocka_run_group_tests_name("smime_canon_signed", tests,
	    make_alice, free_alice);
}
