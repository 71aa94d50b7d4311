/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Base64 and quoted-printable, streaming. All four gather output in a block
 * on the stack and hand it on in large pieces: attachments of hundreds of
 * megabytes pass here. They change no line ends and know no media type.
 */
#include "smime/codec.h"

#include <string.h>

#include "smime/b64_bulk.h"
#include "smime/scan.h"

#define BLOCK 8192

static const char b64_char[64] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void b64_enc_init(struct b64_enc *x, struct sink to)
{
	memset(x, 0, sizeof(*x));
	x->to = to;
}

static unsigned char *encode_triple(unsigned char *o, const unsigned char *p)
{
	o[0] = (unsigned char)b64_char[p[0] >> 2];
	o[1] = (unsigned char)b64_char[(p[0] & 3) << 4 | p[1] >> 4];
	o[2] = (unsigned char)b64_char[(p[1] & 15) << 2 | p[2] >> 6];
	o[3] = (unsigned char)b64_char[p[2] & 63];
	return o + 4;
}

/* Encode triples up to the end of the line; ends the line when full. */
static size_t encode_line(struct b64_enc *x, unsigned char **o,
    const unsigned char *p, size_t n)
{
	size_t triples = n / 3;

	if (triples > (B64_LINE - x->col) / 4)
		triples = (B64_LINE - x->col) / 4;
	for (size_t i = 0; i < triples; i++)
		*o = encode_triple(*o, p + 3 * i);
	x->col += 4 * triples;
	if (x->col == B64_LINE) {
		*(*o)++ = '\r';
		*(*o)++ = '\n';
		x->col = 0;
	}
	return 3 * triples;
}

/* As encode_line, as many whole lines as fit in before the end. */
static size_t encode_lines(const struct b64_enc *x, unsigned char **o,
    const unsigned char *end, const unsigned char *p, size_t n)
{
	size_t lines = (size_t)(end - *o) / (B64_LINE + 2);

	if (x->col > 0)
		return 0;
	lines = b64_bulk_encode(*o, p, n, lines);
	*o += lines * (B64_LINE + 2);
	return lines * B64_LINE_IN;
}

int b64_enc_put(struct b64_enc *x, const void *data, size_t n, struct err *e)
{
	const unsigned char *p = data;
	unsigned char block[BLOCK + B64_BULK_PAST];
	unsigned char *o = block;

	if (x->rest_n > 0) {
		while (x->rest_n < 3 && n > 0) {
			x->rest[x->rest_n++] = *p++;
			n--;
		}
		if (x->rest_n < 3)
			return 0;
		x->rest_n = 0;
		encode_line(x, &o, x->rest, 3);
	}
	while (n >= 3) {
		size_t used = encode_lines(x, &o, block + BLOCK, p, n);

		if (used == 0)
			used = encode_line(x, &o, p, n);
		p += used;
		n -= used;
		if (o > block + BLOCK - B64_LINE - 2) {
			if (sink_put(&x->to, block, (size_t)(o - block), e))
				return -1;
			o = block;
		}
	}
	while (n > 0) {
		x->rest[x->rest_n++] = *p++;
		n--;
	}
	return o == block ? 0
			  : sink_put(&x->to, block, (size_t)(o - block), e);
}

int b64_enc_end(struct b64_enc *x, struct err *e)
{
	unsigned char tail[8];
	unsigned char *o = tail;

	if (x->rest_n > 0) {
		memset(x->rest + x->rest_n, 0, 3 - x->rest_n);
		o = encode_triple(o, x->rest);
		memset(tail + 1 + x->rest_n, '=', 3 - x->rest_n);
		x->col += 4;
		x->rest_n = 0;
	}
	if (x->col > 0) {
		*o++ = '\r';
		*o++ = '\n';
		x->col = 0;
	}
	return o == tail ? 0 : sink_put(&x->to, tail, (size_t)(o - tail), e);
}

static int b64_enc_take(void *x, const void *p, size_t n, struct err *e)
{
	return b64_enc_put(x, p, n, e);
}

struct sink b64_enc_sink(struct b64_enc *x)
{
	return (struct sink){b64_enc_take, x};
}

/* What an octet is to the decoder; below 64 its six bits. */
enum { B64_BLANK = 64, B64_PAD = 128, B64_ODD = 192 };
#define O8 192, 192, 192, 192, 192, 192, 192, 192
#define O32 O8, O8, O8, O8

static const unsigned char b64_value[256] = {
	192, 192, 192, 192, 192, 192, 192, 192,
	192, 64, 64, 192, 192, 64, 192, 192, O8, O8,
	64, 192, 192, 192, 192, 192, 192, 192,
	192, 192, 192, 62, 192, 192, 192, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 192, 192, 192, 128, 192, 192,
	192, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 192, 192, 192, 192, 192,
	192, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 192, 192, 192, 192, 192,
	O32, O32, O32, O32
};

void b64_dec_init(struct b64_dec *x, struct sink to)
{
	memset(x, 0, sizeof(*x));
	x->to = to;
}

static size_t decode_quads(const unsigned char *p, size_t n,
    unsigned char *o)
{
	size_t i = 0;

	for (; n - i >= 4; i += 4, o += 3) {
		uint32_t a = b64_value[p[i]];
		uint32_t b = b64_value[p[i + 1]];
		uint32_t c = b64_value[p[i + 2]];
		uint32_t d = b64_value[p[i + 3]];
		uint32_t v;

		if ((a | b | c | d) >= 64)
			break;
		v = a << 18 | b << 12 | c << 6 | d;
		o[0] = (unsigned char)(v >> 16);
		o[1] = (unsigned char)(v >> 8 & 255);
		o[2] = (unsigned char)(v & 255);
	}
	return i;
}

/* Decode lines of whole quads until something else comes. */
static size_t decode_lines(const unsigned char *p, size_t n,
    unsigned char *o, size_t *made)
{
	size_t i = 0;
	size_t k = 0;

	for (;;) {
		size_t used;
		size_t bulk;

		i += b64_bulk_decode(o + k, p + i, n - i, &bulk);
		k += bulk;
		used = decode_quads(p + i, n - i, o + k);
		i += used;
		k += used / 4 * 3;
		if (n - i < 2 || p[i] != '\r' || p[i + 1] != '\n')
			break;
		i += 2;
	}
	*made = k;
	return i;
}

/* One octet, for what is no whole quad; makes at most one octet. */
static size_t decode_octet(struct b64_dec *x, unsigned char c,
    unsigned char *o)
{
	unsigned v = b64_value[c];

	if (v == B64_BLANK)
		return 0;
	if (v == B64_PAD && x->bits > 0 && x->bits < 6) {
		x->padded = true;
		/* Two sextets want two pad octets, three want one. */
		x->bits = x->bits == 4 ? -1 : 0;
		return 0;
	}
	if (v == B64_PAD && x->bits == -1) {
		x->bits = 0;
		return 0;
	}
	if (v >= 64 || x->padded) {
		x->junk++;
		return 0;
	}
	x->acc = (x->acc << 6 | v) & 0xffffff;
	x->bits += 6;
	if (x->bits < 8)
		return 0;
	x->bits -= 8;
	*o = (unsigned char)(x->acc >> x->bits & 255);
	return 1;
}

int b64_dec_put(struct b64_dec *x, const void *data, size_t n, struct err *e)
{
	const unsigned char *p = data;
	unsigned char block[BLOCK + B64_BULK_PAST];
	size_t k = 0;

	while (n > 0) {
		size_t room = (BLOCK - k) / 3 * 4;
		size_t made = 0;
		size_t used = 0;

		if (x->bits == 0 && !x->padded)
			used = decode_lines(p, n < room ? n : room, block + k,
			    &made);
		k += made;
		if (used == 0) {
			k += decode_octet(x, *p, block + k);
			used = 1;
		}
		p += used;
		n -= used;
		if (k > BLOCK - 16) {
			if (sink_put(&x->to, block, k, e) != 0)
				return -1;
			k = 0;
		}
	}
	return k == 0 ? 0 : sink_put(&x->to, block, k, e);
}

int b64_dec_end(struct b64_dec *x, struct err *e)
{
	(void)e;
	if (x->bits == 6) /* a lone sextet makes no octet */
		x->junk++;
	x->bits = 0;
	return 0;
}

static int b64_dec_take(void *x, const void *p, size_t n, struct err *e)
{
	return b64_dec_put(x, p, n, e);
}

struct sink b64_dec_sink(struct b64_dec *x)
{
	return (struct sink){b64_dec_take, x};
}

/*
 * Quoted-printable encoder. line holds the output line so far, at most 75
 * octets, because "From " is known only at its fifth. held has a blank, a
 * CR or both: what follows says whether they end the line. No line begins
 * with "--": behind a soft line break, or where the octets were encoded,
 * text could otherwise become a delimiter that it was not before.
 */
#define QP_ROOM 75

void qp_enc_init(struct qp_enc *x, struct sink to)
{
	memset(x, 0, sizeof(*x));
	x->to = to;
}

static int end_line(struct qp_enc *x, bool soft, struct err *e)
{
	if (soft)
		x->line[x->n++] = '=';
	x->line[x->n++] = '\r';
	x->line[x->n++] = '\n';
	if (sink_put(&x->to, x->line, x->n, e) != 0)
		return -1;
	x->n = 0;
	return 0;
}

static void write_hex(unsigned char *to, unsigned char c)
{
	static const char hex[] = "0123456789ABCDEF";

	to[0] = '=';
	to[1] = (unsigned char)hex[c >> 4];
	to[2] = (unsigned char)hex[c & 15];
}

static int put_hex(struct qp_enc *x, unsigned char c, struct err *e)
{
	if (x->n + 3 > QP_ROOM && end_line(x, true, e) != 0)
		return -1;
	write_hex(x->line + x->n, c);
	x->n += 3;
	return 0;
}

/* "From ", ">From ", ...: a line that mailboxes quote or unquote. */
static bool is_from(const struct qp_enc *x)
{
	size_t n = 0;

	while (n < x->n && x->line[n] == '>')
		n++;
	return n <= SCAN_QUOTES && x->n == n + 5 &&
	    memcmp(x->line + n, "From ", 5) == 0;
}

static int put_literal(struct qp_enc *x, unsigned char c, struct err *e)
{
	if (x->n == QP_ROOM && end_line(x, true, e) != 0)
		return -1;
	if (x->n == 0 && c == '.')
		return put_hex(x, c, e);
	x->line[x->n++] = c;
	if (x->n == 2 && memcmp(x->line, "--", 2) == 0) {
		memcpy(x->line, "=2D-", 4);
		x->n = 4;
	}
	if (c == ' ' && is_from(x)) {
		memmove(x->line + 3, x->line + 1, x->n - 1);
		write_hex(x->line, x->line[0]);
		x->n += 2;
	}
	return 0;
}

static bool is_plain(unsigned char c)
{
	return c > 32 && c < 127 && c != '=';
}

/* held is followed by c, or by nothing (c < 0). *eaten: c was the LF. */
static int release(struct qp_enc *x, int c, bool *eaten, struct err *e)
{
	size_t n = x->held_n;
	bool cr = n > 0 && x->held[n - 1] == '\r';
	bool blank = n > 0 && x->held[0] != '\r';
	bool eol = cr && c == '\n';

	*eaten = eol;
	x->held_n = 0;
	if (blank && (cr || c < 0) && put_hex(x, x->held[0], e) != 0)
		return -1;
	if (blank && !cr && c >= 0 && put_literal(x, x->held[0], e) != 0)
		return -1;
	if (eol)
		return end_line(x, false, e);
	return cr ? put_hex(x, '\r', e) : 0;
}

static int encode_octet(struct qp_enc *x, unsigned char c, struct err *e)
{
	bool eaten = false;

	if (c == '\r' && x->held_n == 1 && x->held[0] != '\r') {
		x->held[x->held_n++] = c;
		return 0;
	}
	if (x->held_n > 0 && release(x, c, &eaten, e) != 0)
		return -1;
	if (eaten)
		return 0;
	if (c == ' ' || c == '\t' || c == '\r') {
		x->held[x->held_n++] = c;
		return 0;
	}
	return is_plain(c) ? put_literal(x, c, e) : put_hex(x, c, e);
}

int qp_enc_put(struct qp_enc *x, const void *data, size_t n, struct err *e)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++) {
		/* The common octet, short cut. */
		if (x->held_n == 0 && x->n > 4 && x->n < QP_ROOM &&
		    is_plain(p[i])) {
			x->line[x->n++] = p[i];
			continue;
		}
		if (encode_octet(x, p[i], e) != 0)
			return -1;
	}
	return 0;
}

int qp_enc_end(struct qp_enc *x, struct err *e)
{
	bool eaten;

	if (x->held_n > 0 && release(x, -1, &eaten, e) != 0)
		return -1;
	if (x->n > 0 && sink_put(&x->to, x->line, x->n, e) != 0)
		return -1;
	x->n = 0;
	return 0;
}

static int qp_enc_take(void *x, const void *p, size_t n, struct err *e)
{
	return qp_enc_put(x, p, n, e);
}

struct sink qp_enc_sink(struct qp_enc *x)
{
	return (struct sink){qp_enc_take, x};
}

/*
 * Decoder. held has octets whose meaning is open: blanks that may be
 * padding of the line end (RFC 2045 6.7 rule 3), or "=" and what followed
 * it. More blanks than it can hold are no padding of a legal line; the
 * first of them are let go.
 */
void qp_dec_init(struct qp_dec *x, struct sink to)
{
	memset(x, 0, sizeof(*x));
	x->to = to;
}

struct out {
	const struct sink *to;
	unsigned char p[BLOCK];
	size_t n;
};

static int out_put(struct out *o, const unsigned char *p, size_t n,
    struct err *e)
{
	if (n > BLOCK - o->n) {
		if (o->n > 0 && sink_put(o->to, o->p, o->n, e) != 0)
			return -1;
		o->n = 0;
	}
	memcpy(o->p + o->n, p, n);
	o->n += n;
	return 0;
}

static int hex_value(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f') /* not legal, but nobody means else */
		return c - 'a' + 10;
	return -1;
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

static int let_go(struct qp_dec *x, struct out *o, struct err *e)
{
	size_t n = x->held_n;

	x->held_n = 0;
	return out_put(o, x->held, n, e);
}

static int decode_plain(struct qp_dec *x, struct out *o, unsigned char c,
    struct err *e)
{
	if (is_blank(c) || c == '=' || c == '\r') {
		x->held[x->held_n++] = c;
		return 0;
	}
	return out_put(o, &c, 1, e);
}

/* held starts with blanks, perhaps a CR after them. */
static int after_blanks(struct qp_dec *x, struct out *o, unsigned char c,
    struct err *e)
{
	bool cr = x->held[x->held_n - 1] == '\r';

	if (c == '\n') {
		x->held_n = 0;
		return out_put(o, (const unsigned char *)"\r\n" + (cr ? 0 : 1),
		    cr ? 2 : 1, e);
	}
	if (!cr && c == '\r') {
		if (x->held_n == sizeof(x->held)) {
			if (out_put(o, x->held, 1, e) != 0)
				return -1;
			memmove(x->held, x->held + 1, --x->held_n);
		}
		x->held[x->held_n++] = c;
		return 0;
	}
	if (!cr && is_blank(c) && x->held_n < sizeof(x->held)) {
		x->held[x->held_n++] = c;
		return 0;
	}
	if (!cr && is_blank(c)) {
		if (out_put(o, x->held, 1, e) != 0)
			return -1;
		memmove(x->held, x->held + 1, x->held_n - 1);
		x->held[x->held_n - 1] = c;
		return 0;
	}
	if (let_go(x, o, e) != 0)
		return -1;
	return decode_plain(x, o, c, e);
}

/* held starts with '=': =XX, or = blanks CR LF (a soft line break). */
static int after_equals(struct qp_dec *x, struct out *o, unsigned char c,
    struct err *e)
{
	unsigned char last = x->held[x->held_n - 1];
	unsigned char octet;

	if (c == '\n') {
		if (x->held_n == 1 || is_blank(last) || last == '\r') {
			x->held_n = 0;
			return 0;
		}
	} else if (x->held_n == 1 && hex_value(c) >= 0) {
		x->held[x->held_n++] = c;
		return 0;
	} else if (x->held_n == 2 && hex_value(last) >= 0 &&
	    hex_value(c) >= 0) {
		octet = (unsigned char)(hex_value(last) << 4 | hex_value(c));
		x->held_n = 0;
		return out_put(o, &octet, 1, e);
	} else if ((is_blank(c) || c == '\r') && hex_value(last) < 0 &&
	    last != '\r' && x->held_n < sizeof(x->held)) {
		x->held[x->held_n++] = c;
		return 0;
	}
	x->junk++;
	/* A trailing CR may still be half of a line end. */
	if (last == '\r') {
		if (out_put(o, x->held, x->held_n - 1, e) != 0)
			return -1;
		x->held[0] = '\r';
		x->held_n = 1;
		return after_blanks(x, o, c, e);
	}
	if (let_go(x, o, e) != 0)
		return -1;
	return decode_plain(x, o, c, e);
}

/* Octets of p that mean themselves. */
static size_t plain_run(const unsigned char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != '=' && p[i] != ' ' && p[i] != '\t' &&
	    p[i] != '\r')
		i++;
	return i;
}

int qp_dec_put(struct qp_dec *x, const void *data, size_t n, struct err *e)
{
	const unsigned char *p = data;
	struct out o;
	size_t i = 0;

	o.to = &x->to;
	o.n = 0;
	while (i < n) {
		size_t run = 0;
		int rc;

		if (x->held_n == 0) {
			run = plain_run(p + i, n - i < BLOCK ? n - i : BLOCK);
			rc = run > 0 ? out_put(&o, p + i, run, e)
				     : decode_plain(x, &o, p[i], e);
		} else if (x->held[0] == '=') {
			rc = after_equals(x, &o, p[i], e);
		} else {
			rc = after_blanks(x, &o, p[i], e);
		}
		if (rc != 0)
			return -1;
		i += run > 0 ? run : 1;
	}
	return o.n == 0 ? 0 : sink_put(&x->to, o.p, o.n, e);
}

int qp_dec_end(struct qp_dec *x, struct err *e)
{
	size_t n = x->held_n;
	unsigned char last = n > 0 ? x->held[n - 1] : 0;

	x->held_n = 0;
	if (n == 0)
		return 0;
	/* The line end after the last line belongs to the delimiter, so
	 * blanks and a "=" here stand at the end of a line as well. */
	if (x->held[0] != '=' && last != '\r')
		return 0;
	if (x->held[0] == '=' && (n == 1 || is_blank(last)))
		return 0;
	if (x->held[0] == '=')
		x->junk++;
	return sink_put(&x->to, x->held, n, e);
}

static int qp_dec_take(void *x, const void *p, size_t n, struct err *e)
{
	return qp_dec_put(x, p, n, e);
}

struct sink qp_dec_sink(struct qp_dec *x)
{
	return (struct sink){qp_dec_take, x};
}

int codec_decode(const struct spool *s, uint64_t off, uint64_t end,
    enum cte cte, const struct sink *to, size_t *junk, struct err *e)
{
	struct b64_dec b64;
	struct qp_dec qp;
	struct sink in = *to;
	int rc;

	b64_dec_init(&b64, *to);
	qp_dec_init(&qp, *to);
	if (cte == CTE_BASE64)
		in = b64_dec_sink(&b64);
	if (cte == CTE_QP)
		in = qp_dec_sink(&qp);
	rc = spool_copy(s, off, end, &in, e);
	if (rc == 0 && cte == CTE_BASE64)
		rc = b64_dec_end(&b64, e);
	if (rc == 0 && cte == CTE_QP)
		rc = qp_dec_end(&qp, e);
	if (junk != NULL)
		*junk = b64.junk + qp.junk;
	return rc;
}
