/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * codec.c: odd input, round trips, and that chunks do not matter.
 */
#include "smime/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t seed = 3;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

enum coder { B64_ENC, B64_DEC, QP_ENC, QP_DEC };

/* Run octets through a coder in chunks of at most max octets. */
static size_t run(enum coder coder, struct view in, size_t max, struct buf *out)
{
	struct sink to = sink_to_buf(out);
	struct b64_enc be;
	struct b64_dec bd;
	struct qp_enc qe;
	struct qp_dec qd;
	struct sink x;
	struct err e;

	b64_enc_init(&be, to);
	b64_dec_init(&bd, to);
	qp_enc_init(&qe, to);
	qp_dec_init(&qd, to);
	x = coder == B64_ENC ? b64_enc_sink(&be)
	    : coder == B64_DEC ? b64_dec_sink(&bd)
	    : coder == QP_ENC ? qp_enc_sink(&qe) : qp_dec_sink(&qd);
	buf_clear(out);
	while (in.n > 0) {
		size_t n = max == 0 ? in.n : 1 + rnd((uint32_t)max);

		n = n < in.n ? n : in.n;
		assert_int_equal(sink_put(&x, in.p, n, &e), 0);
		in = view_sub(in, n, in.n);
	}
	assert_int_equal(b64_enc_end(&be, &e), 0);
	assert_int_equal(b64_dec_end(&bd, &e), 0);
	assert_int_equal(qp_enc_end(&qe, &e), 0);
	assert_int_equal(qp_dec_end(&qd, &e), 0);
	assert_false(out->failed);
	return bd.junk + qd.junk;
}

struct codec_case {
	const char *in;
	const char *want;
	size_t junk;
};

static void check(enum coder coder, const struct codec_case *c, size_t n)
{
	struct buf out;

	buf_init(&out, 1u << 20);
	for (size_t i = 0; i < n; i++) {
		for (size_t max = 0; max < 3; max++) {
			size_t junk = run(coder, view_of(c[i].in), max, &out);

			if (strcmp(buf_str(&out), c[i].want) != 0)
				fail_msg("\"%s\": \"%s\", not \"%s\"", c[i].in,
				    buf_str(&out), c[i].want);
			if (junk != c[i].junk)
				fail_msg("\"%s\": junk %zu", c[i].in, junk);
		}
	}
	buf_free(&out);
}

static void b64_decoder_is_tolerant(void **state)
{
	static const struct codec_case c[] = {
	    {"", "", 0},
	    {"QUJD", "ABC", 0},
	    {"QUI=", "AB", 0},
	    {"QQ==", "A", 0},
	    {"QQ=", "A", 0},
	    {"QQ", "A", 0},
	    {"QUI", "AB", 0},
	    {"QUJDR", "ABC", 1},
	    {" Q\tU\r\nJ\nD\r\n", "ABC", 0},
	    {"Q!U*J-D", "ABC", 3},
	    {"Q\xffUJD", "ABC", 1},
	    {"QQ==QUJD", "A", 4},
	    {"QUI=\r\nQUJD", "AB", 4},
	    {"QQ===", "A", 1},
	    {"QUI==", "AB", 1},
	    {"====", "", 4},
	    {"Q===", "", 4},
	    {"+/+/", "\xfb\xff\xbf", 0},
	    {"QQ==\r\n_________\r\n", "A", 9},
	};

	(void)state;
	check(B64_DEC, c, ARRAY_LEN(c));
}

static void b64_encoder_wraps_at_76(void **state)
{
	static const struct codec_case c[] = {
	    {"", "", 0},
	    {"A", "QQ==\r\n", 0},
	    {"AB", "QUI=\r\n", 0},
	    {"ABC", "QUJD\r\n", 0},
	    {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"
		"QUFBQUFBQUFBQUFB\r\n", 0},
	    {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
		"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"
		"QUFBQUFBQUFBQUFB\r\nQg==\r\n", 0},
	};

	(void)state;
	check(B64_ENC, c, ARRAY_LEN(c));
}

static void qp_decoder_is_tolerant(void **state)
{
	static const struct codec_case c[] = {
	    {"", "", 0},
	    {"a=3Db=3d", "a=b=", 0},
	    {"=E4=e4", "\xe4\xe4", 0},
	    {"a=\r\nb", "ab", 0},
	    {"a=\nb", "ab", 0},
	    {"a= \t\r\nb", "ab", 0},
	    {"a \t\r\nb", "a\r\nb", 0},
	    {"a \nb", "a\nb", 0},
	    {"a \rb", "a \rb", 0},
	    {"a  b", "a  b", 0},
	    {"a ", "a", 0},
	    {"a=", "a", 0},
	    {"a= ", "a", 0},
	    {"a=4", "a=4", 1},
	    {"=ZZ", "=ZZ", 1},
	    {"=4Z", "=4Z", 1},
	    {"==41", "=A", 1},
	    {"=4=41", "=4A", 1},
	    {"= x", "= x", 1},
	    {"=\rx", "=\rx", 1},
	    {"=\r\r\n", "=\r\r\n", 1},
	    {"=4\r\nx", "=4\r\nx", 1},
	    {"a\r", "a\r", 0},
	    {"\r\r\n", "\r\r\n", 0},
	    {"a\n\n", "a\n\n", 0},
	    {"\xc3\xa4", "\xc3\xa4", 0},
	};

	(void)state;
	check(QP_DEC, c, ARRAY_LEN(c));
}

static void S6_S7_S8_qp_encoder_protects_lines(void **state)
{
	static const struct codec_case c[] = {
	    {"", "", 0},
	    {"a=b", "a=3Db", 0},
	    {"From a\r\nFrom b\r\n From c\r\nFromd\r\nFrom\r\nFrom \r\n",
		"=46rom a\r\n=46rom b\r\n From c\r\nFromd\r\nFrom\r\n"
		"From=20\r\n", 0},
	    {"a \r\nb\t\r\nc  d\r\n \r\n",
		"a=20\r\nb=09\r\nc  d\r\n=20\r\n", 0},
	    {"a ", "a=20", 0},
	    {"a\r", "a=0D", 0},
	    {" \r", "=20=0D", 0},
	    {".\r\n.a\r\na.\r\n", "=2E\r\n=2Ea\r\na.\r\n", 0},
	    {"a\rb\nc\r\r\n", "a=0Db=0Ac=0D\r\n", 0},
	    {" \ra", "=20=0Da", 0},
	    {"\xc3\xa4\x7f\x01", "=C3=A4=7F=01", 0},
	    {"~!\"#$@[\\]^`{|}", "~!\"#$@[\\]^`{|}", 0},
	    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	     "aaaaaaaaaaaaaaa",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaa", 0},
	    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	     "aaaaaaaaaaaaaaa.",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaa=\r\n=2E", 0},
	    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	     "aaaaaaaaaaaaaaaFrom a",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaa=\r\n=46rom a", 0},
	    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	     "aaaaaaaaaaaaa\xe4",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaa=\r\n=E4", 0},
	};

	(void)state;
	check(QP_ENC, c, ARRAY_LEN(c));
}

static void put_random(struct buf *b)
{
	static const char odd[] = " \t\r\n=.F\0\xff";
	static const char *const word[] = {"\r\n", "From ", "  ", "abc", "\r"};
	uint32_t n = rnd(400);

	buf_clear(b);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = rnd(10);

		if (k < 4)
			buf_puts(b, word[rnd(ARRAY_LEN(word))]);
		else if (k < 7)
			buf_putc(b, odd[rnd(sizeof(odd) - 1)]);
		else
			buf_putc(b, (int)rnd(256));
	}
	if (rnd(40) == 0)
		for (int i = 0; i < 40000; i++)
			buf_putc(b, (int)rnd(256));
}

static void check_lines(const struct buf *b)
{
	size_t col = 0;

	for (size_t i = 0; i < b->n; i++) {
		col = b->p[i] == '\n' ? 0 : col + 1;
		assert_true(col <= 77); /* CR counted */
		assert_true(b->p[i] < 127);
	}
}

static void round_trips_give_the_octets_back(void **state)
{
	struct buf in, coded, again, out;

	(void)state;
	buf_init(&in, 1u << 20);
	buf_init(&coded, 1u << 20);
	buf_init(&again, 1u << 20);
	buf_init(&out, 1u << 20);
	for (int i = 0; i < 4000; i++) {
		enum coder enc = i % 2 ? B64_ENC : QP_ENC;

		put_random(&in);
		run(enc, buf_view(&in), 0, &coded);
		run(enc, buf_view(&in), 7, &again);
		assert_true(view_eq(buf_view(&coded), buf_view(&again)));
		check_lines(&coded);
		assert_int_equal(run(enc == B64_ENC ? B64_DEC : QP_DEC,
				     buf_view(&coded), 9, &out), 0);
		assert_int_equal(out.n, in.n);
		assert_memory_equal(out.p, in.p, in.n);
	}
	buf_free(&in);
	buf_free(&coded);
	buf_free(&again);
	buf_free(&out);
}

static void decoders_do_not_depend_on_chunks(void **state)
{
	struct buf in, a, b;

	(void)state;
	buf_init(&in, 1u << 20);
	buf_init(&a, 1u << 20);
	buf_init(&b, 1u << 20);
	for (int i = 0; i < 4000; i++) {
		enum coder dec = i % 2 ? B64_DEC : QP_DEC;
		size_t junk;

		put_random(&in);
		if (rnd(3) == 0) /* more blanks than a decoder may hold */
			for (uint32_t k = rnd(200); k > 0; k--)
				buf_putc(&in, k % 9 ? ' ' : '\t');
		if (rnd(2) == 0)
			buf_puts(&in, rnd(2) ? "\r\n" : "=");
		junk = run(dec, buf_view(&in), 0, &a);
		assert_int_equal(run(dec, buf_view(&in), 1, &b), junk);
		assert_true(view_eq(buf_view(&a), buf_view(&b)));
		assert_int_equal(run(dec, buf_view(&in), 13, &b), junk);
		assert_true(view_eq(buf_view(&a), buf_view(&b)));
	}
	buf_free(&in);
	buf_free(&a);
	buf_free(&b);
}

static void codec_decode_takes_a_range(void **state)
{
	static const struct {
		enum cte cte;
		const char *want;
		size_t junk;
	} c[] = {{CTE_7BIT, "=41QUJD!", 0}, {CTE_UNKNOWN, "=41QUJD!", 0},
	    {CTE_BINARY, "=41QUJD!", 0}, {CTE_QP, "AQUJD!", 0},
	    {CTE_BASE64, "\xe3\x54\x14\x24", 2}};
	struct spool *s = NULL;
	struct err e;

	(void)state;
	assert_int_equal(spool_new(&s, 100, &e), 0);
	assert_int_equal(spool_write(s, "xx=41QUJD!yy", 12, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		size_t junk = 9;
		struct sink to;
		struct buf b;

		buf_init(&b, 100);
		to = sink_to_buf(&b);
		assert_int_equal(codec_decode(s, 2, 10, c[i].cte, &to, &junk,
				     &e), 0);
		assert_string_equal(buf_str(&b), c[i].want);
		assert_int_equal(junk, c[i].junk);
		buf_free(&b);
	}
	spool_free(&s);
}

static int refuse(void *arg, const void *p, size_t n, struct err *e)
{
	(void)arg;
	(void)p;
	(void)n;
	return err_set(e, FAIL_TEMP, "full");
}

static void failing_sink_stops_the_coder(void **state)
{
	struct sink to = {refuse, NULL};
	struct b64_enc be;
	struct b64_dec bd;
	struct qp_enc qe;
	struct qp_dec qd;
	struct err e;

	(void)state;
	b64_enc_init(&be, to);
	b64_dec_init(&bd, to);
	qp_enc_init(&qe, to);
	qp_dec_init(&qd, to);
	assert_int_equal(b64_enc_put(&be, "abc", 3, &e), -1);
	assert_int_equal(b64_dec_put(&bd, "abcd", 4, &e), -1);
	assert_int_equal(qp_enc_put(&qe, "abc\r\n", 5, &e), -1);
	assert_int_equal(qp_dec_put(&qd, "abc", 3, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(b64_decoder_is_tolerant),
		cmocka_unit_test(qp_decoder_is_tolerant),
		cmocka_unit_test(b64_encoder_wraps_at_76),
		cmocka_unit_test(S6_S7_S8_qp_encoder_protects_lines),
		cmocka_unit_test(round_trips_give_the_octets_back),
		cmocka_unit_test(decoders_do_not_depend_on_chunks),
		cmocka_unit_test(codec_decode_takes_a_range),
		cmocka_unit_test(failing_sink_stops_the_coder),
	};

	return cmocka_run_group_tests_name("smime_codec", tests, NULL, NULL);
}
