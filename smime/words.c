/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The charsets are those that need no table, and the one that most mail in
 * western Europe has. What is decoded is cleaned last, so that nothing can
 * be hidden in an encoding.
 */
#include "smime/words.h"

#include <string.h>

#include "smime/codec.h"
#include "smime/hdrenc.h"
#include "util/caps.h"
#include "util/utf8.h"

enum charset { ASCII, UTF8, LATIN1, CP1252, UNKNOWN };

struct word {
	enum charset charset;
	bool is_base64;
	struct view text;
	size_t end; /* behind its "?=" */
};

struct decoder {
	struct buf text;    /* decoded, not cleaned */
	struct buf octets;  /* of words of one charset in a row: a character
			       may be cut in two */
	enum charset charset; /* of these */
	bool takes_any; /* unknown ones, too */
};

static enum charset charset_of(struct view v)
{
	static const struct {
		const char *name;
		enum charset charset;
	} known[] = {
		{"utf-8", UTF8}, {"us-ascii", ASCII}, {"iso-8859-1", LATIN1},
		{"windows-1252", CP1252}, {"cp1252", CP1252},
	};

	v = view_sub(v, 0, view_chr(v, '*', 0)); /* RFC 2231 5 */
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (view_ieq_str(v, known[i].name))
			return known[i].charset;
	return UNKNOWN;
}

/* "=?charset?Q?text?=" at i (RFC 2047 2). */
static bool get_word(struct view v, size_t i, struct word *w)
{
	size_t a, b, c;

	if (i + 1 >= v.n || v.p[i] != '=' || v.p[i + 1] != '?')
		return false;
	a = view_chr(v, '?', i + 2);
	b = a == (size_t)-1 ? a : view_chr(v, '?', a + 1);
	c = b == (size_t)-1 ? b : view_chr(v, '?', b + 1);
	if (c == (size_t)-1 || b != a + 2 || c + 1 >= v.n ||
	    v.p[c + 1] != '=')
		return false;
	w->charset = charset_of(view_sub(v, i + 2, a - i - 2));
	w->is_base64 = v.p[a + 1] == 'B' || v.p[a + 1] == 'b';
	if (!w->is_base64 && v.p[a + 1] != 'Q' && v.p[a + 1] != 'q')
		return false;
	w->text = view_sub(v, b + 1, c - b - 1);
	w->end = c + 2;
	return view_chr(w->text, ' ', 0) == (size_t)-1;
}

static bool find_word(const struct decoder *d, struct view v, size_t i,
    struct word *w)
{
	return get_word(v, i, w) && (d->takes_any || w->charset != UNKNOWN);
}

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void put_q(struct view v, struct buf *out)
{
	for (size_t i = 0; i < v.n; i++) {
		int hi = -1, lo = -1;

		if (v.p[i] == '=' && i + 2 < v.n) {
			hi = hex_digit(v.p[i + 1]);
			lo = hex_digit(v.p[i + 2]);
		}
		if (hi >= 0 && lo >= 0) {
			buf_putc(out, hi * 16 + lo);
			i += 2;
		} else {
			buf_putc(out, v.p[i] == '_' ? ' ' : v.p[i]);
		}
	}
}

static void put_b(struct view v, struct buf *out)
{
	struct b64_dec x;

	b64_dec_init(&x, sink_to_buf(out));
	if (b64_dec_put(&x, v.p, v.n, NULL) != 0 ||
	    b64_dec_end(&x, NULL) != 0)
		out->failed = true;
}

static void put_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_putc(out, (int)c);
	} else if (c < 0x800) {
		buf_putc(out, (int)(0xc0 | c >> 6));
		buf_putc(out, (int)(0x80 | (c & 0x3f)));
	} else {
		buf_putc(out, (int)(0xe0 | c >> 12));
		buf_putc(out, (int)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(out, (int)(0x80 | (c & 0x3f)));
	}
}

/* An octet of a charset that has 256 characters. */
static uint32_t wide(enum charset charset, unsigned char c)
{
	static const uint16_t cp1252[32] = {
		0x20ac, '?', 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
		0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, '?', 0x017d, '?',
		'?', 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
		0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, '?', 0x017e, 0x0178,
	};

	if (charset == CP1252 && c >= 0x80 && c < 0xa0)
		return cp1252[c - 0x80];
	return (charset == ASCII || charset == UNKNOWN) && c >= 0x80 ? '?' : c;
}

static void end_words(struct decoder *d)
{
	struct view v = buf_view(&d->octets);

	if (d->charset == UTF8)
		buf_putv(&d->text, v);
	else
		for (size_t i = 0; i < v.n; i++)
			put_utf8(&d->text, wide(d->charset, v.p[i]));
	buf_clear(&d->octets);
}

static size_t skip_blanks(struct view v, size_t i)
{
	while (i < v.n && (v.p[i] == ' ' || v.p[i] == '\t'))
		i++;
	return i;
}

/* Words in a row from w on; blanks between two of them are none (RFC 2047
 * 6.2). Where they end. */
static size_t take_words(struct decoder *d, struct view v, struct word w)
{
	size_t end;

	d->charset = w.charset;
	do {
		if (w.charset != d->charset)
			end_words(d);
		d->charset = w.charset;
		if (w.is_base64)
			put_b(w.text, &d->octets);
		else
			put_q(w.text, &d->octets);
		end = w.end;
	} while (find_word(d, v, skip_blanks(v, end), &w));
	end_words(d);
	return end;
}

static bool is_blank(uint32_t c)
{
	return c <= 32 || (c >= 127 && c <= 0xa0) || c == 0x2028 ||
	    c == 0x2029;
}

static void put_clean(struct view v, struct buf *out)
{
	bool was_blank = true;
	size_t end = out->n;

	while (v.n > 0) {
		uint32_t c = '?';
		size_t n = utf8_first(v, &c);
		bool blank = is_blank(c);

		if (blank && !was_blank)
			buf_putc(out, ' ');
		else if (!blank && n == 0)
			buf_putc(out, '?');
		else if (!blank)
			buf_putv(out, view_sub(v, 0, n));
		end = blank ? end : out->n;
		was_blank = blank;
		v = view_sub(v, n == 0 ? 1 : n, v.n);
	}
	out->n = end; /* without the blank at its end */
	if (out->p != NULL)
		out->p[end] = '\0';
}

static void decode(struct view raw, bool takes_any, struct buf *out)
{
	struct decoder d = {.charset = ASCII, .takes_any = takes_any};
	struct word w;
	size_t i = 0;

	buf_init(&d.text, 4 * CAP_HEADER_FIELD);
	buf_init(&d.octets, 4 * CAP_HEADER_FIELD);
	while (i < raw.n) {
		if (find_word(&d, raw, i, &w))
			i = take_words(&d, raw, w);
		else
			buf_putc(&d.text, raw.p[i++]);
	}
	out->failed = out->failed || d.text.failed || d.octets.failed;
	put_clean(buf_view(&d.text), out);
	buf_free(&d.text);
	buf_free(&d.octets);
}

void words_decode(struct view raw, struct buf *out)
{
	decode(raw, false, out);
}

void words_encode(struct view text, struct buf *out)
{
	hdrenc_words(out, text);
}

void words_decode_any(struct view raw, struct buf *out)
{
	decode(raw, true, out);
}
