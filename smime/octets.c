/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Reading in the middle of base64. Lines of one length that is a multiple of
 * four begin at places that are known, and each can be decoded alone.
 */
#include "smime/octets.h"

#include <string.h>

#include "smime/codec.h"

#define LINE_MAX_CHARS 200
#define TEXT 16384 /* characters read at once */

struct octets octets_of(const struct spool *s)
{
	return (struct octets){ .s = s, .end = spool_size(s),
	    .size = spool_size(s) };
}

static int count_octets(void *arg, const void *p, size_t n, struct err *e)
{
	uint64_t *count = arg;

	(void)p;
	(void)e;
	*count += n;
	return 0;
}

/* The length of the first line; false when no reader of ours can use it. */
static int measure_line(struct octets *o, bool *is_usable, struct err *e)
{
	char text[LINE_MAX_CHARS + 2];
	const char *nl;
	size_t n, k;

	*is_usable = false;
	if (spool_read(o->s, o->off, text, sizeof(text), &n, e) != 0)
		return -1;
	nl = memchr(text, '\n', n);
	if (nl == NULL)
		return 0;
	o->width = (size_t)(nl - text) + 1;
	k = o->width - 1;
	if (k > 0 && text[k - 1] == '\r')
		k--;
	o->line = k / 4 * 3;
	*is_usable = k > 0 && k % 4 == 0;
	return 0;
}

/* Do lines end where they should? at: of p[0], in the text; before: the
 * octet before it. */
static bool has_line_ends(const struct octets *o, uint64_t at, struct view v,
    unsigned char before)
{
	size_t i = o->width - 1 - (size_t)(at % o->width);
	bool has_cr = o->width == o->line / 3 * 4 + 2;

	for (; i < v.n; i += o->width) {
		if (v.p[i] != '\n')
			return false;
		if (has_cr && (i > 0 ? v.p[i - 1] : before) != '\r')
			return false;
	}
	return true;
}

/* The whole lines: 1 regular, 0 not, -1. */
static int check_lines(const struct octets *o, uint64_t end, struct err *e)
{
	uint64_t count = 0;
	unsigned char last = 0;
	struct b64_dec dec;
	struct spool_rd rd;
	struct view v;
	int rc = -1;

	b64_dec_init(&dec, (struct sink){ count_octets, &count });
	spool_rd_init(&rd, o->s, o->off, end);
	for (;;) {
		uint64_t at = rd.off - o->off;

		if (spool_next(&rd, &v, e) != 0)
			goto out;
		if (v.n == 0 || !has_line_ends(o, at, v, last))
			break;
		if (b64_dec_put(&dec, v.p, v.n, e) != 0)
			goto out;
		last = v.p[v.n - 1];
	}
	/* a blank or a pad inside would have made octets missing or odd */
	rc = v.n == 0 && dec.junk == 0 && dec.bits == 0 && !dec.padded &&
	    count == o->tail;
out:
	spool_rd_free(&rd);
	return rc;
}

int octets_of_base64(struct octets *o, const struct spool *s, uint64_t off,
    uint64_t end, struct err *e)
{
	uint64_t lines, rest = 0;
	struct sink to = { count_octets, &rest };
	bool is_usable;
	size_t junk;
	int rc;

	*o = (struct octets){ .s = s, .off = off, .end = end };
	if (measure_line(o, &is_usable, e) != 0)
		return -1;
	lines = is_usable ? (end - off) / o->width : 0;
	/* The last one may be padded, and blanks may follow it. */
	if (lines < 2)
		return 0;
	lines--;
	o->tail = lines * o->line;
	rc = check_lines(o, off + lines * o->width, e);
	if (rc != 1)
		return rc;
	if (codec_decode(s, off + lines * o->width, end, CTE_BASE64, &to,
	    &junk, e) != 0)
		return -1;
	o->size = o->tail + rest;
	return junk == 0;
}

/* What of a run of octets is wanted. */
struct cut {
	size_t skip;
	unsigned char *to;
	size_t left;
};

static int put_cut(void *arg, const void *data, size_t n, struct err *e)
{
	struct cut *c = arg;
	const unsigned char *p = data;
	size_t k = n < c->skip ? n : c->skip;

	(void)e;
	c->skip -= k;
	p += k;
	n -= k;
	k = n < c->left ? n : c->left;
	memcpy(c->to, p, k);
	c->to += k;
	c->left -= k;
	return 0;
}

static int read_text(const struct octets *o, uint64_t off, unsigned char *p,
    size_t n, struct err *e)
{
	uint64_t first = (off < o->tail ? off : o->tail) / o->line;
	uint64_t at = o->off + first * o->width;
	struct cut c = { (size_t)(off - first * o->line), p, n };
	unsigned char text[TEXT];
	struct b64_dec dec;
	size_t k, got;

	b64_dec_init(&dec, (struct sink){ put_cut, &c });
	while (c.left > 0 && at < o->end) {
		/* not much more than what makes the octets */
		k = (c.skip + c.left) / o->line * o->width + 2 * o->width;
		k = k < sizeof(text) ? k : sizeof(text);
		k = k < o->end - at ? k : (size_t)(o->end - at);
		if (spool_read(o->s, at, text, k, &got, e) != 0 ||
		    b64_dec_put(&dec, text, got, e) != 0)
			return -1;
		if (got == 0)
			break;
		at += got;
	}
	if (c.left > 0)
		return err_set(e, FAIL_TEMP, "CMS text is shorter than it "
		    "was");
	return 0;
}

int octets_read(const struct octets *o, uint64_t off, void *p, size_t n,
    size_t *got, struct err *e)
{
	if (o->line == 0)
		return spool_read(o->s, off, p, n, got, e);
	*got = 0;
	if (off >= o->size)
		return 0;
	if (n > o->size - off)
		n = (size_t)(o->size - off);
	if (read_text(o, off, p, n, e) != 0)
		return -1;
	*got = n;
	return 0;
}
