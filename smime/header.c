/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Splits a header section into fields. Lenient in what it splits, exact in
 * what it flags; judges no field.
 */
#include "smime/header.h"

#include <stdlib.h>
#include <string.h>

#include "util/caps.h"
#include "util/find.h"

#define READ_SIZE 4096

void header_free(struct header *h)
{
	free(h->field);
	h->field = NULL;
	h->n = 0;
	buf_free(&h->text);
}

/* Eight octets at a time. */
static bool has_8bit(struct view t)
{
	uint64_t all = 0, w;
	size_t i = 0;

	for (; t.n - i >= sizeof(w); i += sizeof(w)) {
		memcpy(&w, t.p + i, sizeof(w));
		all |= w;
	}
	for (; i < t.n; i++)
		all |= t.p[i];
	return (all & UINT64_C(0x8080808080808080)) != 0;
}

static bool has_bare_cr(struct view t)
{
	size_t i = view_chr(t, '\r', 0);

	for (; i != (size_t)-1; i = view_chr(t, '\r', i + 1))
		if (i + 1 == t.n || t.p[i + 1] != '\n')
			return true;
	return false;
}

static void flag_octets(struct header *h, struct view t)
{
	h->has_nul = view_chr(t, '\0', 0) != (size_t)-1;
	h->has_8bit = has_8bit(t);
	h->has_bare_cr = has_bare_cr(t);
	h->has_bare_eol = h->has_bare_cr || find_bare_lf(t, 0, 0) < t.n;
}

/* Octets of the line at off, its end included. */
static size_t line_len(struct view t, size_t off)
{
	size_t nl = view_chr(t, '\n', off);

	return nl == (size_t)-1 ? t.n - off : nl + 1 - off;
}

static size_t eol_len(struct view line)
{
	if (line.n == 0 || line.p[line.n - 1] != '\n')
		return 0;
	return line.n > 1 && line.p[line.n - 2] == '\r' ? 2 : 1;
}

/* RFC 5322 2.2 and, for blanks before the colon, 4.5. */
static size_t name_len(struct view whole, size_t *colon)
{
	size_t n = 0;
	size_t i;

	while (n < whole.n && whole.p[n] > 32 && whole.p[n] < 127 &&
	    whole.p[n] != ':')
		n++;
	i = n;
	while (i < whole.n && (whole.p[i] == ' ' || whole.p[i] == '\t'))
		i++;
	if (n == 0 || i == whole.n || whole.p[i] != ':')
		return 0;
	*colon = i;
	return n;
}

static int add_field(struct header *h, struct view whole, struct err *e)
{
	struct field *f;
	size_t colon = 0;
	size_t n;

	if (whole.n > CAP_HEADER_FIELD)
		return err_set(e, FAIL_LIMIT,
		    "header field of %zu octets, at most %u are read",
		    whole.n, CAP_HEADER_FIELD);
	if (h->n == CAP_HEADER_FIELDS)
		return err_set(e, FAIL_LIMIT,
		    "more than %d header fields", CAP_HEADER_FIELDS);
	if ((h->n & (h->n - 1)) == 0) { /* grows at powers of two */
		f = realloc(h->field, (h->n ? 2 * h->n : 1) * sizeof(*f));
		if (f == NULL)
			return err_set(e, FAIL_TEMP, "header: out of memory");
		h->field = f;
	}
	f = &h->field[h->n];
	n = name_len(whole, &colon);
	f->whole = whole;
	f->name = view_sub(whole, 0, n);
	f->value = view_sub(whole, n == 0 ? 0 : colon + 1, whole.n);
	f->value.n -= eol_len(f->value);
	if (n == 0 && !(h->n == 0 && (view_istarts(whole, "From ") ||
				      view_istarts(whole, ">From "))))
		h->has_junk = true;
	h->n++;
	return 0;
}

int header_parse(struct header *h, struct view text, struct err *e)
{
	struct view t;
	size_t off = 0;

	memset(h, 0, sizeof(*h));
	buf_init(&h->text, CAP_HEADER_SECTION);
	if (text.n > CAP_HEADER_SECTION)
		return err_set(e, FAIL_LIMIT,
		    "header section of more than %u octets",
		    CAP_HEADER_SECTION);
	buf_putv(&h->text, text);
	if (buf_ok(&h->text, e) != 0)
		return err_add(e, "header");
	t = buf_view(&h->text);
	flag_octets(h, t);
	while (off < t.n) {
		size_t n = line_len(t, off);

		while (off + n < t.n &&
		    (t.p[off + n] == ' ' || t.p[off + n] == '\t'))
			n += line_len(t, off + n);
		if (add_field(h, view_sub(t, off, n), e) != 0)
			return -1;
		off += n;
	}
	return 0;
}

/*
 * Look for the blank line from the line start *from on; *from moves to the
 * last line that is not complete yet. Octets of the blank line, or 0.
 */
static size_t find_blank(struct view t, size_t *from)
{
	while (*from < t.n) {
		size_t n = line_len(t, *from);
		size_t eol = eol_len(view_sub(t, *from, n));

		if (eol == 0)
			return 0;
		if (eol == n)
			return n;
		*from += n;
	}
	return 0;
}

static int collect(struct buf *text, const struct spool *s, uint64_t off,
    uint64_t end, size_t *blank, struct err *e)
{
	unsigned char in[READ_SIZE];
	size_t from = 0;
	size_t got;

	*blank = 0;
	while (*blank == 0 && off < end) {
		size_t want = sizeof(in);

		if (end - off < want)
			want = (size_t)(end - off);
		if (spool_read(s, off, in, want, &got, e) != 0)
			return -1;
		if (got == 0)
			break;
		off += got;
		buf_put(text, in, got);
		if (buf_ok(text, e) != 0)
			return -1;
		*blank = find_blank(buf_view(text), &from);
		/* The line in from may be the rest of a field. */
		if (from > CAP_HEADER_SECTION ||
		    (*blank == 0 && text->n > CAP_HEADER_SECTION + 2))
			return err_set(e, FAIL_LIMIT,
			    "header section of more than %u octets",
			    CAP_HEADER_SECTION);
	}
	if (*blank > 0)
		text->n = from;
	return 0;
}

int header_read(struct header *h, const struct spool *s, uint64_t off,
    uint64_t end, struct err *e)
{
	struct buf text;
	size_t blank = 0;
	int rc = -1;

	memset(h, 0, sizeof(*h));
	buf_init(&h->text, CAP_HEADER_SECTION);
	buf_init(&text, CAP_HEADER_SECTION + 2 * READ_SIZE);
	if (collect(&text, s, off, end, &blank, e) != 0)
		goto out;
	if (header_parse(h, buf_view(&text), e) != 0)
		goto out;
	h->start = off;
	h->body_off = off + text.n + blank;
	h->no_blank_line = blank == 0;
	rc = 0;
out:
	buf_free(&text);
	return rc;
}

const struct field *header_get(const struct header *h, const char *name,
    size_t nth)
{
	struct view want = view_of(name);

	for (size_t i = 0; i < h->n; i++) {
		if (!view_ieq(h->field[i].name, want))
			continue;
		if (nth == 0)
			return &h->field[i];
		nth--;
	}
	return NULL;
}

size_t header_count(const struct header *h, const char *name)
{
	struct view want = view_of(name);
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		n += view_ieq(h->field[i].name, want);
	return n;
}

bool field_is_mime(const struct field *f)
{
	return view_istarts(f->name, "Content-") ||
	    view_ieq_str(f->name, "MIME-Version");
}

void field_unfold(const struct field *f, struct buf *out)
{
	struct view v = view_trim(f->value);
	size_t off = 0;

	while (off < v.n) {
		struct view line = view_sub(v, off, line_len(v, off));

		buf_put(out, line.p, line.n - eol_len(line));
		off += line.n;
	}
}
