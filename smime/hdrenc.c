/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The charset of raw octets was never said. UTF-8 is called so where they
 * are valid; otherwise they stay of unknown charset (RFC 1428), for a
 * reader guesses no worse than it did before.
 */
#include "smime/hdrenc.h"

#include <string.h>

#include "smime/params.h"
#include "util/caps.h"
#include "util/utf8.h"

#define WORD_ROOM 75 /* RFC 2047 2 */
#define PIECE_ROOM 60
#define PIECE_ROOM_MOST 900 /* lines end at 998 */

static bool is_7bit(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] >= 0x80)
			return false;
	return true;
}

static const char *charset_of(struct view v)
{
	return utf8_is_valid(v) ? "utf-8" : "unknown-8bit";
}

static void put_hex(struct buf *out, char mark, unsigned char c)
{
	buf_printf(out, "%c%02X", mark, (unsigned)c);
}

/* Octets that are better not split: a character, or one octet. */
static size_t unit_len(struct view v, size_t off)
{
	size_t n = utf8_first(view_sub(v, off, 4), NULL);

	return n == 0 ? 1 : n;
}

/* RFC 2231 3 and 4: name*0*=utf-8''..., name*1*=...; readers count pieces to
 * 99, and we no more than CAP_MIME_PARAMS, so those of a very long value are
 * longer. */
static void put_extended(struct buf *out, const struct ctype_param *p)
{
	struct view v = view_of(p->value);
	const char *charset = p->charset[0] ? p->charset : charset_of(v);
	size_t room = 3 * v.n > 20 * PIECE_ROOM ? PIECE_ROOM_MOST : PIECE_ROOM;
	bool is_long = strlen(p->name) + strlen(charset) + 3 * v.n >
	    PIECE_ROOM;
	size_t i = 0;

	for (unsigned k = 0; i < v.n; k++) {
		size_t from = out->n;

		buf_printf(out, ";\r\n\t%s*", p->name);
		if (is_long)
			buf_printf(out, "%u*", k);
		buf_printf(out, "=%s%s", k == 0 ? charset : "",
		    k == 0 ? "''" : "");
		do {
			size_t n = unit_len(v, i);

			while (n-- > 0)
				put_hex(out, '%', v.p[i++]);
		} while (i < v.n && (!is_long || out->n - from < room));
	}
}

void hdrenc_param(struct buf *out, const struct ctype_param *p)
{
	struct view v = view_of(p->value);

	if (!is_7bit(v) || p->charset[0] != '\0') {
		put_extended(out, p);
		return;
	}
	buf_printf(out, ";\r\n\t%s=\"", p->name);
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '"' || v.p[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, v.p[i]);
	}
	buf_putc(out, '"');
}

/* Take back what was written. */
static void cut(struct buf *out, size_t n)
{
	if (out->p != NULL && n < out->n)
		out->p[n] = '\0';
	out->n = n;
}

/* Does the value at v say what p says, to us at least? */
static int is_read_back(struct view v, bool is_type, const struct params *p,
    bool *same, struct err *e)
{
	struct field f = { .value = v };
	struct params q;
	struct buf b;
	int rc;

	buf_init(&b, CAP_HEADER_FIELD);
	field_unfold(&f, &b);
	*same = !b.failed;
	rc = params_read(&q, buf_view(&b), is_type, e);
	*same = *same && rc == 0 && q.defect[0] == '\0' && q.n == p->n &&
	    strcmp(q.head, p->head) == 0;
	for (size_t i = 0; *same && i < q.n; i++)
		*same = strcmp(q.param[i].name, p->param[i].name) == 0 &&
		    strcmp(q.param[i].value, p->param[i].value) == 0;
	params_free(&q);
	buf_free(&b);
	return rc;
}

static int encode_params(const struct field *f, struct view value,
    struct buf *out, bool *done, struct err *e)
{
	bool is_type = view_ieq_str(f->name, "Content-Type");
	size_t start = out->n, from;
	struct params p;
	int rc;

	rc = params_read(&p, value, is_type, e);
	if (rc == 0 && p.head[0] != '\0' && p.defect[0] == '\0') {
		buf_putv(out, f->name);
		buf_putc(out, ':');
		from = out->n;
		buf_printf(out, " %s", p.head);
		for (size_t i = 0; i < p.n; i++)
			hdrenc_param(out, &p.param[i]);
		rc = is_read_back(view_make(out->p + from, out->n - from),
		    is_type, &p, done, e);
		buf_puts(out, "\r\n");
	}
	if (!*done)
		cut(out, start); /* too long for any form: stays as it is */
	params_free(&p);
	return rc;
}

bool hdrenc_is_unstructured(struct view name)
{
	static const char *const names[] = {"Subject", "Comments",
	    "Content-Description", "Organization", "Thread-Topic"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (view_ieq_str(name, names[i]))
			return true;
	return view_istarts(name, "X-");
}

/* What lies between two of them is not read. */
void hdrenc_words(struct buf *out, struct view v)
{
	const char *charset = charset_of(v);
	size_t i = 0;

	while (i < v.n) {
		size_t from = out->n;

		buf_printf(out, "=?%s?Q?", charset);
		while (i < v.n) {
			size_t n = unit_len(v, i);

			if (out->n - from + 3 * n + 2 > WORD_ROOM)
				break;
			while (n-- > 0)
				put_hex(out, '=', v.p[i++]);
		}
		buf_puts(out, i < v.n ? "?=\r\n " : "?=");
	}
}

/* From the first to the last word with 8-bit octets; words are parted by
 * blanks. */
static void encode_words(const struct field *f, struct view v,
    struct buf *out, bool *done)
{
	size_t from = 0, to = v.n;
	struct view span;

	while (from < v.n && v.p[from] < 0x80)
		from++;
	while (from > 0 && v.p[from - 1] != ' ' && v.p[from - 1] != '\t')
		from--;
	while (to > from && v.p[to - 1] < 0x80)
		to--;
	while (to < v.n && v.p[to] != ' ' && v.p[to] != '\t')
		to++;
	span = view_sub(v, from, to - from);
	/* Blanks between two encoded words vanish (RFC 2047 6.2): new ones
	 * beside old ones would change the text. */
	if (v.n >= 2 && memmem(v.p, v.n, "=?", 2) != NULL)
		return;
	buf_putv(out, f->name);
	buf_puts(out, ": ");
	if (from > 0) {
		buf_putv(out, view_sub(v, 0, from - 1));
		buf_puts(out, "\r\n");
		buf_putc(out, v.p[from - 1]);
	}
	hdrenc_words(out, span);
	if (to < v.n)
		buf_puts(out, "\r\n");
	buf_putv(out, view_sub(v, to, v.n));
	buf_puts(out, "\r\n");
	*done = true;
}

int hdrenc_field(const struct field *f, struct buf *out, bool *done,
    struct err *e)
{
	struct buf value;
	size_t start = out->n;
	int rc = 0;

	*done = false;
	buf_init(&value, CAP_HEADER_FIELD);
	field_unfold(f, &value);
	if (buf_ok(&value, e) != 0)
		rc = -1;
	else if (view_chr(buf_view(&value), '\0', 0) != (size_t)-1)
		rc = 0;
	else if (view_ieq_str(f->name, "Content-Type") ||
	    view_ieq_str(f->name, "Content-Disposition"))
		rc = encode_params(f, buf_view(&value), out, done, e);
	else if (hdrenc_is_unstructured(f->name))
		encode_words(f, buf_view(&value), out, done);
	/* What nobody reads any more, ourselves included, stays as it is. */
	if (*done && out->n - start > CAP_HEADER_FIELD) {
		cut(out, start);
		*done = false;
	}
	buf_free(&value);
	return rc;
}
