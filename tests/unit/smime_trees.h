/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Random MIME trees with what real mail and broken programs put into them,
 * and the decoded leaves of two entities compared. Asserts inside.
 */
#ifndef TESTS_UNIT_SMIME_TREES_H
#define TESTS_UNIT_SMIME_TREES_H

#include "smime/codec.h"
#include "smime/mime.h"
#include "smime_help.h"

static uint32_t tree_seed;
static bool tree_is_tame; /* 7-bit: what is signed inside may stay in clear */

UNUSED static uint32_t rnd(uint32_t n)
{
	return next_random(&tree_seed) % n;
}

UNUSED static void put_tame_text(struct buf *b)
{
	static const char *const piece[] = {"word ", "From", "\r\n", "\t",
	    ".", "\r\n.\r\n", "=", "\r\n-- \r\n", "> ", "soft \r\n"};

	for (uint32_t n = rnd(20); n > 0; n--)
		buf_puts(b, piece[rnd(ARRAY_LEN(piece))]);
}

UNUSED static void put_text(struct buf *b, bool with_nul)
{
	static const char *const piece[] = {"word ", "From me", "From ",
	    "\r\n", "\r\n", "\r\n", "\t", ".", "\r\n.\r\n", "=", "=\r\n",
	    "=3D", "=e4", "=ZZ", "\xc3\xa4", "\xff", "\r", "\n", "--", "-",
	    " \r\n", "\r\r\n", "QUJD", "=46", "\x7f", "\x01", "  ",
	    "\r\nFrom a\r\n", "\r\n>From a", "\r\n>>From ", "\r\n-- \r\n",
	    "\r\n..", "> ", "soft \r\n", ">"};
	uint32_t n = tree_is_tame ? 0 : rnd(30);

	if (tree_is_tame)
		put_tame_text(b);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = rnd(ARRAY_LEN(piece) + 2);

		if (k < ARRAY_LEN(piece))
			buf_puts(b, piece[k]);
		else if (rnd(20) == 0)
			for (uint32_t j = 980 + rnd(120); j > 0; j--)
				buf_putc(b, 'y');
		else if (with_nul && rnd(10) == 0)
			buf_putc(b, 0);
	}
}

UNUSED static void put_leaf(struct buf *b)
{
	static const char *const type[] = {"text/plain; charset=utf-8",
	    "text/html", "application/x-foo", "image/png; name=a.png",
	    "message/global-headers",
	    "text/plain; format=flowed; delsp=yes"};
	static const char *const odd[] = {"message/delivery-status",
	    "application/pkcs7-mime; smime-type=enveloped-data",
	    "application/pgp-signature"};
	static const char *const cte[] = {NULL, "7bit", "8bit", "binary",
	    "quoted-printable", "base64"};
	uint32_t k = rnd(ARRAY_LEN(cte));
	uint32_t t = rnd(ARRAY_LEN(type) + 1);

	if (rnd(60) == 0) {
		k = 0;
		buf_printf(b, "Content-Type: %s\r\n",
		    odd[rnd(ARRAY_LEN(odd))]);
	} else if (t < ARRAY_LEN(type)) {
		buf_printf(b, "Content-Type: %s \r\n", type[t]);
	}
	if (cte[k] != NULL)
		buf_printf(b, "Content-Transfer-Encoding: %s\r\n", cte[k]);
	if (!tree_is_tame && rnd(6) == 0)
		buf_puts(b, "Content-Disposition: attachment; "
			    "filename=\"\xc3\xa4 b.png\"\r\n");
	buf_puts(b, "\r\n");
	put_text(b, true);
}

/* The header of an attached message. */
UNUSED static void put_mail_header(struct buf *b)
{
	static const char *const field[] = {"From: alice@example.com\r\n",
	    "From : alice@example.com\r\n", "Subject: \xc3\xa4\r\n",
	    "To: bob@example.org,\r\n\tcarol@example.org \r\n",
	    "X-Foo: \t\r\n", "Subject: a\r\n \t\r\n b\r\n",
	    "Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n"};

	for (uint32_t n = 1 + rnd(3); n > 0; n--)
		buf_puts(b, field[rnd(ARRAY_LEN(field))]);
	if (rnd(12) == 0) /* cannot be encoded by us */
		buf_puts(b, "Sender: \"\xc3\xa4\" <a@example.com>\r\n");
}

UNUSED static const char *multipart_type(void)
{
	static const char *const type[] = {"mixed", "alternative", "related",
	    "report; report-type=delivery-status", "digest-of-things"};
	static const char *const sealed[] = {
	    "signed; protocol=\"application/pkcs7-signature\"",
	    "signed; protocol=\"application/pgp-signature\"; "
	    "micalg=pgp-sha256",
	    "encrypted; protocol=\"application/pgp-encrypted\""};

	return rnd(30) == 0 ? sealed[rnd(ARRAY_LEN(sealed))]
			    : type[rnd(ARRAY_LEN(type))];
}

static uint32_t last_boundary;

UNUSED static void put_tree(struct buf *b, int depth)
{
	uint32_t id = ++last_boundary;
	uint32_t n = 1 + rnd(4);
	const char *type;
	bool was_tame;

	if (depth == 0 || rnd(4) == 0) {
		put_leaf(b);
		return;
	}
	if (rnd(5) == 0) {
		buf_puts(b, "Content-Type: message/rfc822\r\n\r\n");
		put_mail_header(b);
		put_tree(b, depth - 1);
		return;
	}
	type = multipart_type();
	was_tame = tree_is_tame;
	if (strstr(type, "protocol") != NULL && rnd(2))
		tree_is_tame = true;
	buf_printf(b, "Content-Type: multipart/%s;\r\n boundary=\"=_%u.\"\r\n",
	    type, id);
	if (rnd(3) == 0)
		buf_puts(b, "Content-Transfer-Encoding: 8bit\r\n");
	buf_puts(b, "\r\n");
	if (rnd(3) == 0) {
		put_text(b, false);
		buf_puts(b, "\r\n");
	}
	for (uint32_t i = 0; i < n; i++) {
		buf_printf(b, "--=_%u.%s\r\n", id, rnd(9) ? "" : " ");
		put_tree(b, depth - 1);
		buf_puts(b, "\r\n");
	}
	tree_is_tame = was_tame;
	if (rnd(12) == 0)
		return; /* no close-delimiter */
	buf_printf(b, "--=_%u.--", id);
	if (rnd(3) == 0) {
		buf_puts(b, "\r\n");
		put_text(b, false);
	}
}

/* A message, for S13 with a line end. */
UNUSED static void put_random_mail(struct buf *b)
{
	buf_clear(b);
	buf_puts(b, "Subject: x\r\n");
	put_tree(b, 4);
	buf_puts(b, "\r\n");
}

/* Trees to try: n, or what the environment says. */
UNUSED static long trees_wanted(long n)
{
	const char *more = getenv("POSTSEAL_TREES");

	return more == NULL ? n : strtol(more, NULL, 10);
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

UNUSED static int unlf_put(void *arg, const void *p, size_t n, struct err *e)
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

UNUSED static int take_leaf(void *arg, enum mime_event ev,
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
	s = spool_with(buf_view(&raw));
	to = sink_to_buf(&x->out);
	assert_int_equal(codec_decode(s, 0, raw.n, part->ctype->cte, &to,
			     NULL, e), 0);
	buf_puts(&x->out, "<<leaf>>");
	x->n++;
	spool_free(&s);
	buf_free(&raw);
	return 0;
}

UNUSED static void read_leaves(struct leaves *x, struct view msg,
    struct mime_findings *found)
{
	struct spool *s = spool_with(msg);
	struct mime_handler h = {x, take_leaf};
	struct err e;

	x->n = 0;
	x->s = s;
	buf_init(&x->out, BIG);
	assert_int_equal(mime_read(s, 0, msg.n, true, &h, found, &e), 0);
	spool_free(&s);
}

UNUSED static void compare_leaves(struct view a, struct view b)
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

#endif
