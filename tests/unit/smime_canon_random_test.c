/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Random MIME trees from a fixed seed through canon.c: decoded leaves are
 * the same octets before and after, and nothing is left that transit could
 * change.
 */
#include "smime/canon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smime/codec.h"

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

static uint32_t seed;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static void put_lines(struct buf *b, bool with_nul)
{
	static const char *const piece[] = {"word ", "From me", "From ",
	    "\r\n", "\r\n", "\r\n", "\t", ".", "\r\n.\r\n", "=", "=\r\n",
	    "=3D", "=e4", "=ZZ", "\xc3\xa4", "\xff", "\r", "\n", "--", "-",
	    " \r\n", "\r\r\n", "QUJD", "=46", "\x7f", "\x01", "  "};
	uint32_t n = rnd(30);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = rnd(ARRAY_LEN(piece) + 2);

		if (k < ARRAY_LEN(piece))
			buf_puts(b, piece[k]);
		else if (rnd(20) == 0)
			for (int j = 0; j < 1100; j++)
				buf_putc(b, 'y');
		else if (with_nul && rnd(10) == 0)
			buf_putc(b, 0);
	}
}

static void put_leaf(struct buf *b)
{
	static const char *const type[] = {"text/plain; charset=utf-8",
	    "text/html", "application/x-foo", "image/png; name=a.png",
	    "message/global-headers"};
	static const char *const cte[] = {NULL, "7bit", "8bit", "binary",
	    "quoted-printable", "base64"};
	uint32_t k = rnd(ARRAY_LEN(cte));
	uint32_t t = rnd(ARRAY_LEN(type) + 1);

	if (t < ARRAY_LEN(type))
		buf_printf(b, "Content-Type: %s \r\n", type[t]);
	if (cte[k] != NULL)
		buf_printf(b, "Content-Transfer-Encoding: %s\r\n", cte[k]);
	if (rnd(6) == 0)
		buf_puts(b, "Content-Disposition: attachment; "
			    "filename=\"\xc3\xa4 b.png\"\r\n");
	buf_puts(b, "\r\n");
	put_lines(b, true);
}

static uint32_t last_boundary;

static void put_tree(struct buf *b, int depth)
{
	static const char *const type[] = {"mixed", "alternative", "signed",
	    "related", "mixed"};
	uint32_t id = ++last_boundary;
	uint32_t n = 1 + rnd(4);

	if (depth == 0 || rnd(4) == 0) {
		put_leaf(b);
		return;
	}
	if (rnd(5) == 0) {
		buf_puts(b, "Content-Type: message/rfc822\r\n\r\n"
			    "From: alice@example.com\r\nSubject: \xc3\xa4\r\n");
		put_tree(b, depth - 1);
		return;
	}
	buf_printf(b, "Content-Type: multipart/%s;\r\n boundary=\"=_%u.\"\r\n",
	    type[rnd(30) == 0 ? 2 : rnd(2)], id);
	if (rnd(3) == 0)
		buf_puts(b, "Content-Transfer-Encoding: 8bit\r\n");
	buf_puts(b, "\r\n");
	if (rnd(3) == 0) {
		put_lines(b, false);
		buf_puts(b, "\r\n");
	}
	for (uint32_t i = 0; i < n; i++) {
		buf_printf(b, "--=_%u.%s\r\n", id, rnd(9) ? "" : " ");
		put_tree(b, depth - 1);
		buf_puts(b, "\r\n");
	}
	if (rnd(12) == 0)
		return; /* no close-delimiter */
	buf_printf(b, "--=_%u.--", id);
	if (rnd(3) == 0) {
		buf_puts(b, "\r\n");
		put_lines(b, false);
	}
}

/* Decoded leaves, each followed by a mark. */
struct leaves {
	const struct spool *s;
	struct buf out;
	size_t n;
};

struct unlf {
	struct buf *to;
	unsigned char last;
};

static int unlf_put(void *arg, const void *p, size_t n, struct err *e)
{
	struct unlf *x = arg;
	const unsigned char *c = p;

	(void)e;
	for (size_t i = 0; i < n; i++) {
		if (c[i] == '\n' && x->last != '\r')
			buf_putc(x->to, '\r');
		buf_putc(x->to, c[i]);
		x->last = c[i];
	}
	return 0;
}

static int take_leaf(void *arg, enum mime_event ev,
    const struct mime_part *part, struct view data, struct err *e)
{
	struct leaves *x = arg;
	struct buf raw;
	struct unlf u = {&raw, 0};
	struct sink to = {unlf_put, &u};
	struct sink plain;
	struct spool *s;

	(void)data;
	if (ev != MIME_END || !part->is_leaf)
		return 0;
	buf_init(&raw, 1u << 20);
	plain = sink_to_buf(&raw);
	if (part->ctype->cte == CTE_BINARY)
		to = plain;
	assert_int_equal(spool_copy(x->s, part->body, part->end, &to, e), 0);
	s = spool_of(buf_view(&raw));
	to = sink_to_buf(&x->out);
	assert_int_equal(codec_decode(s, 0, raw.n, part->ctype->cte, &to,
			     NULL, e), 0);
	buf_puts(&x->out, "<<leaf>>");
	x->n++;
	spool_free(&s);
	buf_free(&raw);
	return 0;
}

static void read_leaves(struct leaves *x, struct view msg,
    struct mime_findings *found)
{
	struct spool *s = spool_of(msg);
	struct mime_handler h = {x, take_leaf};
	struct err e;

	x->n = 0;
	x->s = s;
	buf_init(&x->out, 64u << 20);
	assert_int_equal(mime_read(s, 0, msg.n, true, &h, found, &e), 0);
	spool_free(&s);
}

static void check_clean(struct view v, bool is_7bit)
{
	size_t col = 0;

	assert_true(v.n > 1 && v.p[v.n - 1] == '\n');
	for (size_t i = 0; i < v.n; i++) {
		bool lf = i + 1 < v.n && v.p[i + 1] == '\n';

		assert_int_not_equal(v.p[i], 0);
		if (is_7bit)
			assert_true(v.p[i] < 0x80);
		if (v.p[i] == '\r')
			assert_true(lf);
		if (v.p[i] == '\n') {
			assert_true(i > 0 && v.p[i - 1] == '\r');
			assert_true(col <= 999);
		}
		col = v.p[i] == '\n' ? 0 : col + 1;
	}
}

static void check_no_hazard(const struct buf *b)
{
	assert_null(strstr(buf_str(b), "\r\nFrom "));
	assert_null(strstr(buf_str(b), " \r\n"));
	assert_null(strstr(buf_str(b), "\t\r\n"));
}

static void compare_leaves(struct view a, struct view b)
{
	struct leaves x, y;
	struct mime_findings fx, fy;

	read_leaves(&x, a, &fx);
	read_leaves(&y, b, &fy);
	assert_int_equal(x.n, y.n);
	assert_int_equal(x.out.n, y.out.n);
	assert_memory_equal(x.out.p, y.out.p, x.out.n);
	assert_int_equal(fx.parts, fy.parts);
	buf_free(&x.out);
	buf_free(&y.out);
}

static void S3_random_trees_say_the_same(void **state)
{
	size_t clean = 0, opaque = 0, refused = 0;
	struct buf b;

	(void)state;
	seed = 7;
	buf_init(&b, 1u << 20);
	for (int i = 0; i < 4000; i++) {
		struct result r, again;

		buf_clear(&b);
		buf_puts(&b, "Subject: x\r\n");
		put_tree(&b, 4);
		buf_puts(&b, "\r\n"); /* S13 is about others */
		r = run_view(buf_view(&b), true);
		if (r.rc != 0) {
			refused++;
			continue;
		}
		compare_leaves(buf_view(&b), buf_view(&r.out));
		if (!r.info.is_7bit) {
			opaque++;
			buf_free(&r.out);
			continue;
		}
		clean++;
		check_clean(buf_view(&r.out), true);
		if (!r.info.has_signature)
			check_no_hazard(&r.out);
		again = run_view(buf_view(&r.out), true);
		assert_int_equal(again.rc, 0);
		assert_string_equal(buf_str(&again.out), buf_str(&r.out));
		assert_int_equal(again.info.reencoded, 0);
		buf_free(&again.out);
		buf_free(&r.out);
	}
	buf_free(&b);
	assert_true(clean > 2000);
	assert_true(opaque > 20);
	assert_true(refused < 200);
}

/* attack A45: decrypted content with bare line ends, lines of any length and
 * octets of any kind, in random trees
 * verdict: what is delivered has CRLF only, no line over 998 octets, nothing
 * that a next hop could split */
static void A45_random_trees_are_deliverable(void **state)
{
	size_t refused = 0;
	struct buf b;

	(void)state;
	seed = 8;
	buf_init(&b, 1u << 20);
	for (int i = 0; i < 2000; i++) {
		struct result r;

		buf_clear(&b);
		buf_puts(&b, "Subject: x\r\n");
		put_tree(&b, 4);
		buf_puts(&b, "\r\n");
		r = run_view(buf_view(&b), false);
		if (r.rc != 0) {
			refused++;
			continue;
		}
		compare_leaves(buf_view(&b), buf_view(&r.out));
		check_clean(buf_view(&r.out), false);
		buf_free(&r.out);
	}
	buf_free(&b);
	assert_true(refused < 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S3_random_trees_say_the_same),
		cmocka_unit_test(A45_random_trees_are_deliverable),
	};

	return cmocka_run_group_tests_name("smime_canon_random", tests, NULL,
	    NULL);
}
