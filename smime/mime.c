/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The MIME reader. A machine with two states, inside a header section or
 * inside a body; open parts are a stack of fixed depth. Octets of a body
 * are handed on as they come; only a line end and a line that begins like a
 * delimiter are withheld until it is known what they are.
 */
#include "smime/mime.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "smime/bare_cr.h"
#include "smime/params.h"
#include "util/caps.h"
#include "util/find.h"

/* Longest delimiter line that is looked at, RFC 5322 2.1.1, without its
 * end. A longer one is none: it could not have been sent. */
#define DELIM_MAX 998

struct frame {
	struct mime_part part;
	struct header header;
	struct ctype ctype;
	const char *boundary; /* of a multipart that is entered, or NULL */
	bool is_closed;	      /* close-delimiter seen */
	bool is_message;      /* entered message/rfc822 */
	bool has_cr_line;     /* delimiter after a bare CR */
	size_t children;
	char defect[160];
};

struct mime_reader {
	struct mime_handler h;
	bool enter_messages;
	bool is_flat;
	int depth;	 /* of the innermost open part */
	size_t multiparts; /* on the stack, closed ones too */
	bool in_header;
	uint64_t pos; /* offset of the next octet */
	struct buf text;  /* header section so far */
	size_t text_line; /* where its last line starts */
	/* In a body: */
	bool at_start;		   /* of a line */
	unsigned char held[2];	   /* line end, withheld */
	size_t held_n;
	size_t header_eol; /* length of the line end before the body, while
			      nothing of the body was read */
	struct buf cand;   /* line that may be a delimiter, incomplete */
	struct bare_cr cr; /* lines that only other readers see */
	struct mime_findings found;
	/* Last, for push_part() empties each that is opened. */
	struct frame frame[CAP_MIME_DEPTH + 1];
};

/* A line against the boundaries of all multiparts on the stack. */
struct match {
	int frame; /* -1: no delimiter */
	bool is_close;
};

static struct frame *top(struct mime_reader *r)
{
	return &r->frame[r->depth];
}

static void note_part(struct mime_reader *r, struct frame *f, const char *what)
{
	struct err text;

	if (f->part.number[0] == '\0')
		err_set(&text, FAIL_INPUT, "%s", what);
	else
		err_set(&text, FAIL_INPUT, "part %s: %s", f->part.number, what);
	defect_note(f->defect, sizeof(f->defect), text.msg);
	defect_note(r->found.defect, sizeof(r->found.defect), text.msg);
}

static int emit(struct mime_reader *r, enum mime_event ev, struct frame *f,
    struct view data, struct err *e)
{
	return r->h.event(r->h.arg, ev, &f->part, data, e);
}

/* The line in r->cr begins a part for readers to whom CR ends a line. It is
 * noted at the end of the part: when octets are handed on depends on how
 * they came. */
static void judge_bare_cr(struct mime_reader *r)
{
	for (int d = r->depth; d >= 0; d--)
		if (r->frame[d].boundary != NULL &&
		    bare_cr_is(&r->cr, r->frame[d].boundary))
			top(r)->has_cr_line = true;
}

static int emit_body(struct mime_reader *r, const unsigned char *p, size_t n,
    struct err *e)
{
	struct frame *f = top(r);

	struct view v = view_make(p, n);

	if (n == 0)
		return 0;
	r->header_eol = 0;
	while (r->multiparts > 0 && bare_cr_next(&r->cr, &v))
		judge_bare_cr(r);
	return emit(r, f->boundary ? MIME_PREAMBLE : MIME_BODY, f,
	    view_make(p, n), e);
}

static int emit_held(struct mime_reader *r, struct err *e)
{
	size_t n = r->held_n;

	r->held_n = 0;
	return emit_body(r, r->held, n, e);
}

static size_t eol_len(const unsigned char *p, size_t n)
{
	if (n == 0 || p[n - 1] != '\n')
		return 0;
	return n > 1 && p[n - 2] == '\r' ? 2 : 1;
}

static void hold(struct mime_reader *r, const unsigned char *p, size_t n)
{
	if (n > 0)
		memcpy(r->held, p, n);
	r->held_n = n;
}

/* "--" boundary [ "--" ] LWSP (RFC 2046 5.1.1); the line end is cut off. */
static bool match_boundary(struct view line, const char *boundary,
    bool *is_close, bool *is_like)
{
	size_t n = strlen(boundary);
	size_t i = 2 + n;

	if (line.n < i || memcmp(line.p + 2, boundary, n) != 0)
		return false;
	*is_close = line.n >= i + 2 && line.p[i] == '-' && line.p[i + 1] == '-';
	if (*is_close)
		i += 2;
	while (i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'))
		i++;
	if (i < line.n)
		*is_like = true;
	return i == line.n;
}

/*
 * Which multipart does the line delimit? Innermost first. A line that only
 * begins with a boundary is none, but other readers say it is (RFC 2046
 * 5.1.1 lets them), hence a defect (A41).
 */
static struct match find_match(struct mime_reader *r, struct view line)
{
	struct match m = {-1, false};
	bool is_like = false;
	bool is_late = false;

	line.n -= eol_len(line.p, line.n);
	if (line.n < 2 || line.p[0] != '-' || line.p[1] != '-')
		return m;
	for (int d = r->depth; d >= 0; d--) {
		struct frame *f = &r->frame[d];

		if (f->boundary == NULL)
			continue;
		if (!match_boundary(line, f->boundary, &m.is_close, &is_like))
			continue;
		if (f->is_closed || line.n > DELIM_MAX) {
			is_late = true;
			continue;
		}
		m.frame = d;
		return m;
	}
	if (is_late)
		note_part(r, top(r), "delimiter after the close-delimiter, or "
				     "too long (RFC 2046 5.1.1)");
	else if (is_like)
		note_part(r, top(r), "text after the boundary in a delimiter "
				     "line (RFC 2046 5.1.1)");
	return m;
}

static void number_part(struct mime_reader *r, struct frame *f)
{
	struct frame *up = r->depth > 0 ? &r->frame[r->depth - 1] : NULL;
	struct buf b;

	f->part.number[0] = '\0';
	if (up == NULL)
		return;
	buf_init(&b, sizeof(f->part.number));
	buf_puts(&b, up->part.number);
	/* RFC 3501 6.4.5: the multipart of an attached message has the
	 * number of that message; its parts are counted below it. */
	if (up->boundary != NULL)
		buf_printf(&b, "%s%zu", b.n > 0 ? "." : "", ++up->children);
	if (b.failed || view_cstr(buf_view(&b), f->part.number,
			    sizeof(f->part.number)) != 0)
		memcpy(f->part.number, up->part.number,
		    sizeof(f->part.number));
	buf_free(&b);
}

/* An attached message that is no multipart: its body is part N.1. */
static void number_body(struct frame *f)
{
	size_t n = strlen(f->part.number);

	if (n + 3 > sizeof(f->part.number))
		return;
	memcpy(f->part.number + n, ".1", 3);
	if (n == 0)
		memcpy(f->part.number, "1", 2);
}

static int push_part(struct mime_reader *r, uint64_t start, struct err *e)
{
	struct frame *f;

	if (r->depth == CAP_MIME_DEPTH)
		return err_set(e, FAIL_LIMIT,
		    "MIME parts nested more than %d deep", CAP_MIME_DEPTH);
	if (r->found.parts == CAP_MIME_PARTS)
		return err_set(e, FAIL_LIMIT,
		    "more than %d MIME parts", CAP_MIME_PARTS);
	r->found.parts++;
	r->depth++;
	f = top(r);
	memset(f, 0, sizeof(*f));
	f->part.depth = r->depth;
	f->part.start = start;
	f->part.ctype = &f->ctype;
	f->part.header = &f->header;
	f->part.defect = f->defect;
	number_part(r, f);
	r->in_header = true;
	buf_clear(&r->text);
	r->text_line = 0;
	return 0;
}

static int end_part(struct mime_reader *r, uint64_t end, struct err *e)
{
	struct frame *f = top(r);
	struct view none = {NULL, 0};
	int rc;

	if (bare_cr_end(&r->cr))
		judge_bare_cr(r);
	if (f->has_cr_line)
		note_part(r, f, "delimiter after a CR without LF (RFC 2046 "
				"5.1.1)");
	f->part.end = end > f->part.start ? end : f->part.start;
	if (f->part.body > f->part.end)
		f->part.body = f->part.end;
	if (f->boundary != NULL && f->children == 0)
		note_part(r, f, "multipart without a part (RFC 2046 5.1.1)");
	f->part.is_unclosed = f->boundary != NULL && !f->is_closed;
	if (f->part.is_unclosed) {
		struct err text;

		err_set(&text, FAIL_INPUT,
		    "%s%s%smissing close-delimiter (RFC 2046 5.1.1)",
		    f->part.number[0] ? "part " : "", f->part.number,
		    f->part.number[0] ? ": " : "");
		defect_note(r->found.defect, sizeof(r->found.defect),
		    text.msg);
	}
	rc = emit(r, MIME_END, f, none, e);
	r->multiparts -= f->boundary != NULL;
	header_free(&f->header);
	ctype_free(&f->ctype);
	r->depth--;
	return rc;
}

/* Two open boundaries that one line could match both (A41). */
static void judge_boundary(struct mime_reader *r, struct frame *f)
{
	for (int d = 0; d < r->depth; d++) {
		const char *a = r->frame[d].boundary;
		const char *b = f->boundary;
		size_t n;

		if (a == NULL)
			continue;
		n = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
		if (memcmp(a, b, n) == 0 &&
		    (strcmp(a + n, b + n) == 0 || strcmp(a + n, "--") == 0 ||
			strcmp(b + n, "--") == 0))
			note_part(r, f, "boundary of an enclosing multipart "
					"(RFC 2046 5.1.2)");
	}
}

/* What to do with the body, by the type. */
static void classify(struct mime_reader *r, struct frame *f)
{
	struct frame *up = r->depth > 0 ? f - 1 : NULL;
	bool is_entered = r->depth == 0 || !r->is_flat;

	/* RFC 2046 5.1.5: another default in a digest. */
	if (up != NULL && ctype_is(&up->ctype, "multipart/digest") &&
	    header_count(&f->header, "Content-Type") == 0)
		memcpy(f->ctype.type, "message/rfc822",
		    sizeof("message/rfc822"));
	f->part.is_leaf = !ctype_is_multipart(&f->ctype) &&
	    !ctype_is(&f->ctype, "message/rfc822");
	if (up != NULL && up->is_message && !ctype_is_multipart(&f->ctype))
		number_body(f);
	if (f->ctype.defect[0] != '\0')
		note_part(r, f, f->ctype.defect);
	if (ctype_is_multipart(&f->ctype) && f->header.no_blank_line)
		note_part(r, f, "multipart without a body (RFC 2046 5.1.1)");
	if (!is_entered || f->header.no_blank_line)
		return;
	if (ctype_is_multipart(&f->ctype)) {
		const char *b = ctype_param(&f->ctype, "boundary");

		if (b == NULL || *b == '\0' || strlen(b) > CAP_MIME_BOUNDARY)
			return;
		f->boundary = b;
		r->multiparts++;
		judge_boundary(r, f);
		return;
	}
	f->is_message = r->enter_messages && !f->part.is_leaf &&
	    f->ctype.cte != CTE_QP && f->ctype.cte != CTE_BASE64;
}

/*
 * The header section in text is complete; eol is the length of the blank
 * line after it, 0 if it ended without one. pos is where the body starts.
 */
static int finish_header(struct mime_reader *r, size_t n, size_t eol,
    uint64_t body, struct err *e)
{
	struct frame *f = top(r);
	struct view none = {NULL, 0};

	if (header_parse(&f->header, view_make(r->text.p, n), e) != 0)
		return err_add(e, "part %s", f->part.number);
	f->header.start = f->part.start;
	f->header.body_off = body;
	f->header.no_blank_line = eol == 0;
	f->part.body = body;
	if (ctype_read(&f->ctype, &f->header, e) != 0)
		return -1;
	classify(r, f);
	if (eol > 0)
		r->header_eol = eol;
	else if (n > 0)
		r->header_eol = eol_len(r->text.p, n);
	r->in_header = false;
	r->at_start = true;
	r->held_n = 0;
	if (emit(r, MIME_PART, f, none, e) != 0)
		return -1;
	return f->is_message ? push_part(r, body, e) : 0;
}

/* off: of the line's "--". The line end before it is no part's (RFC 2046
 * 5.1.1); that of a close-delimiter belongs to what follows. */
static int take_delimiter(struct mime_reader *r, struct match m,
    struct view eol, struct view line, uint64_t off, struct err *e)
{
	unsigned char data[2 + DELIM_MAX + 2];
	size_t tail = eol_len(line.p, line.n);
	size_t n = line.n - (m.is_close ? tail : 0);
	uint64_t end = off - (eol.n > 0 ? eol.n : r->header_eol);
	struct frame *f = &r->frame[m.frame];

	if (eol.n > 0)
		memcpy(data, eol.p, eol.n);
	memcpy(data + eol.n, line.p, n);
	r->held_n = 0;
	r->header_eol = 0;
	if (bare_cr_end(&r->cr))
		judge_bare_cr(r);
	while (r->depth > m.frame)
		if (end_part(r, end, e) != 0)
			return -1;
	f->part.delim = off;
	f->part.is_close = m.is_close;
	if (emit(r, MIME_DELIMITER, f, view_make(data, eol.n + n), e) != 0)
		return -1;
	if (!m.is_close)
		return push_part(r, off + line.n, e);
	f->is_closed = true;
	hold(r, line.p + n, tail);
	r->at_start = tail > 0;
	return 0;
}

/* A line of the header section is complete, or the data is at its end. */
static int end_header_line(struct mime_reader *r, struct err *e)
{
	struct view line = view_make(r->text.p + r->text_line,
	    r->text.n - r->text_line);
	size_t eol = eol_len(line.p, line.n);
	uint64_t off = r->pos - line.n;
	unsigned char copy[DELIM_MAX + 2];
	struct view none = {NULL, 0};
	struct match m;

	if (line.n > 0 && eol == line.n)
		return finish_header(r, r->text_line, eol, r->pos, e);
	m = find_match(r, line);
	if (m.frame >= 0) {
		memcpy(copy, line.p, line.n);
		line.p = copy;
		if (finish_header(r, r->text_line, 0, off, e) != 0)
			return -1;
		return take_delimiter(r, m, none, line, off, e);
	}
	if (r->text.n > CAP_HEADER_SECTION)
		return err_set(e, FAIL_LIMIT,
		    "header section of more than %u octets",
		    CAP_HEADER_SECTION);
	r->text_line = r->text.n;
	return 0;
}

static int take_header(struct mime_reader *r, const unsigned char *p,
    size_t n, size_t *used, struct err *e)
{
	const unsigned char *nl = memchr(p, '\n', n);

	*used = nl == NULL ? n : (size_t)(nl - p) + 1;
	buf_put(&r->text, p, *used);
	if (buf_ok(&r->text, e) != 0)
		return err_add(e, "header section");
	r->pos += *used;
	return nl == NULL ? 0 : end_header_line(r, e);
}

/* cand turned out to be no delimiter. */
static int drop_cand(struct mime_reader *r, struct err *e)
{
	size_t n = r->cand.n;
	size_t eol = eol_len(r->cand.p, n);
	int rc;

	if (n > 0 && eol == 0 && r->cand.p[n - 1] == '\r')
		eol = 1; /* may be half of one */
	if (emit_held(r, e) != 0)
		return -1;
	rc = emit_body(r, r->cand.p, n - eol, e);
	hold(r, r->cand.p + n - eol, eol);
	buf_clear(&r->cand);
	return rc;
}

/* A line that begins like a delimiter, not complete in this chunk. */
static int extend_cand(struct mime_reader *r, const unsigned char *p,
    size_t n, struct err *e)
{
	bool is_possible;

	/* One that overflows is dropped whole; how much of it came at once
	 * must not matter, so the rest goes the way of all lines. */
	if (r->cand.n + n > DELIM_MAX + 2)
		n = DELIM_MAX + 2 - r->cand.n;
	buf_put(&r->cand, p, n);
	if (buf_ok(&r->cand, e) != 0)
		return -1;
	is_possible = r->cand.n < 2 || r->cand.p[1] == '-';
	if (is_possible && r->cand.n < DELIM_MAX + 2)
		return 0;
	if (is_possible)
		(void)find_match(r, view_make(r->cand.p, r->cand.n));
	r->at_start = false;
	return drop_cand(r, e);
}

/* Where a chunk of body octets stands. */
struct chunk {
	const unsigned char *p;
	size_t n;
	size_t i;   /* next octet to look at */
	size_t run; /* first octet not handed on */
	uint64_t off; /* of p[0] */
};

/* Hand on the run up to i, without its line end, which is returned. */
static int flush_run(struct mime_reader *r, struct chunk *c, struct view *eol,
    struct err *e)
{
	const unsigned char *p = c->p + c->run;
	size_t n = c->i - c->run;
	size_t tail = eol_len(p, n);

	c->run = c->i;
	if (n == 0) {
		*eol = view_make(r->held, r->held_n);
		return 0;
	}
	if (emit_held(r, e) != 0)
		return -1;
	*eol = view_make(p + n - tail, tail);
	return emit_body(r, p, n - tail, e);
}

/* A line starts at i with '-', or a part of it is in cand. *done: the
 * state changed, the rest is for the caller. */
static int take_dash_line(struct mime_reader *r, struct chunk *c, bool *done,
    struct err *e)
{
	const unsigned char *nl = memchr(c->p + c->i, '\n', c->n - c->i);
	size_t n = nl == NULL ? c->n - c->i : (size_t)(nl - c->p) + 1 - c->i;
	uint64_t off = c->off + c->i - r->cand.n;
	struct view line = view_make(c->p + c->i, n);
	struct view eol;
	struct match m;

	if (nl == NULL || r->cand.n + n > DELIM_MAX + 2) {
		size_t before = r->cand.n;

		if (flush_run(r, c, &eol, e) != 0)
			return -1;
		if (eol.p != r->held)
			hold(r, eol.p, eol.n);
		if (n > DELIM_MAX + 2 - before)
			n = DELIM_MAX + 2 - before;
		c->i += n;
		c->run = c->i;
		return extend_cand(r, line.p, n, e);
	}
	if (r->cand.n > 0) {
		buf_put(&r->cand, line.p, line.n);
		if (buf_ok(&r->cand, e) != 0)
			return -1;
		line = buf_view(&r->cand);
	}
	m = find_match(r, line);
	if (m.frame >= 0) {
		if (flush_run(r, c, &eol, e) != 0)
			return -1;
		c->i += n;
		*done = true;
		if (take_delimiter(r, m, eol, line, off, e) != 0)
			return -1;
		buf_clear(&r->cand);
		return 0;
	}
	c->i += n;
	if (r->cand.n == 0)
		return 0;
	c->run = c->i;
	return drop_cand(r, e);
}

/* The chunk is at its end: withhold what may belong to a delimiter. */
static int end_chunk(struct mime_reader *r, struct chunk *c, struct err *e)
{
	const unsigned char *p = c->p + c->run;
	size_t n = c->i - c->run;
	size_t tail = eol_len(p, n);

	if (n == 0)
		return 0;
	if (tail == 0 && p[n - 1] == '\r')
		tail = 1;
	if (emit_held(r, e) != 0 || emit_body(r, p, n - tail, e) != 0)
		return -1;
	hold(r, p + n - tail, tail);
	return 0;
}

/* A CR was withheld: is it half of a line end? */
static int join_eol(struct mime_reader *r, struct chunk *c, struct err *e)
{
	if (r->held_n != 1 || r->held[0] != '\r' || c->run != c->i)
		return 0;
	if (c->p[c->i] != '\n')
		return emit_held(r, e);
	r->held[r->held_n++] = '\n';
	r->at_start = true;
	c->run = ++c->i;
	return 0;
}

/* To the next line that begins with a '-', or to the end. */
static size_t pass_lines(const struct chunk *c)
{
	size_t nl = find_pair(view_make(c->p, c->n), c->i, '\n', '-');

	return nl < c->n ? nl + 1 : c->n;
}

static int take_body(struct mime_reader *r, const unsigned char *p, size_t n,
    size_t *used, struct err *e)
{
	struct chunk c = {p, n, 0, 0, r->pos};
	bool done = false;

	if (r->multiparts == 0) { /* a root leaf: nothing to look for */
		*used = n;
		r->pos += n;
		return emit_body(r, p, n, e);
	}
	while (c.i < n && !done) {
		if (join_eol(r, &c, e) != 0)
			return -1;
		if (c.i == n)
			break;
		if (r->at_start && (r->cand.n > 0 || p[c.i] == '-')) {
			if (take_dash_line(r, &c, &done, e) != 0)
				return -1;
			continue;
		}
		c.i = pass_lines(&c);
		r->at_start = p[c.i - 1] == '\n';
	}
	*used = c.i;
	r->pos += c.i;
	return done ? 0 : end_chunk(r, &c, e);
}

int mime_reader_put(struct mime_reader *r, const void *data, size_t n,
    struct err *e)
{
	const unsigned char *p = data;

	while (n > 0) {
		size_t used = 0;

		if (r->in_header) {
			if (take_header(r, p, n, &used, e) != 0)
				return -1;
		} else {
			if (take_body(r, p, n, &used, e) != 0)
				return -1;
		}
		p += used;
		n -= used;
	}
	return 0;
}

/* The last line has no end. */
static int end_body(struct mime_reader *r, struct err *e)
{
	struct view line = buf_view(&r->cand);
	struct match m;
	int rc;

	if (r->cand.n == 0)
		return 0;
	m = find_match(r, line);
	if (m.frame < 0)
		return drop_cand(r, e);
	rc = take_delimiter(r, m, view_make(r->held, r->held_n), line,
	    r->pos - line.n, e);
	buf_clear(&r->cand);
	return rc;
}

int mime_reader_end(struct mime_reader *r, struct mime_findings *f,
    struct err *e)
{
	if (r->in_header && r->text.n > r->text_line &&
	    end_header_line(r, e) != 0)
		return -1;
	if (!r->in_header && end_body(r, e) != 0)
		return -1;
	if (r->in_header && finish_header(r, r->text.n, 0, r->pos, e) != 0)
		return -1;
	r->header_eol = 0;
	if (emit_held(r, e) != 0)
		return -1;
	while (r->depth >= 0)
		if (end_part(r, r->pos, e) != 0)
			return -1;
	*f = r->found;
	return 0;
}

int mime_reader_new(struct mime_reader **out, bool enter_messages,
    const struct mime_handler *h, struct err *e)
{
	struct mime_reader *r = malloc(sizeof(*r));

	if (r == NULL)
		return err_set(e, FAIL_TEMP, "MIME reader: out of memory");
	memset(r, 0, offsetof(struct mime_reader, frame));
	r->h = *h;
	r->enter_messages = enter_messages;
	r->depth = -1;
	buf_init(&r->text, CAP_HEADER_SECTION + DELIM_MAX + 2);
	buf_init(&r->cand, DELIM_MAX + 2);
	if (push_part(r, 0, e) != 0) {
		mime_reader_free(&r);
		return -1;
	}
	*out = r;
	return 0;
}

void mime_reader_free(struct mime_reader **r)
{
	if (*r == NULL)
		return;
	for (int d = (*r)->depth; d >= 0; d--) {
		header_free(&(*r)->frame[d].header);
		ctype_free(&(*r)->frame[d].ctype);
	}
	buf_free(&(*r)->text);
	buf_free(&(*r)->cand);
	free(*r);
	*r = NULL;
}

static int read_spool(struct mime_reader *r, const struct spool *s,
    uint64_t off, uint64_t end, struct err *e)
{
	struct spool_rd rd;
	struct view chunk;
	int rc = -1;

	r->pos = off;
	r->frame[0].part.start = off;
	spool_rd_init(&rd, s, off, end);
	do {
		if (spool_next(&rd, &chunk, e) != 0)
			goto out;
		if (mime_reader_put(r, chunk.p, chunk.n, e) != 0)
			goto out;
	} while (chunk.n > 0);
	rc = 0;
out:
	spool_rd_free(&rd);
	return rc;
}

static int read_all(const struct spool *s, uint64_t off, uint64_t end,
    struct mime_reader *r, struct mime_findings *f, struct err *e)
{
	if (read_spool(r, s, off, end, e) != 0)
		return -1;
	return mime_reader_end(r, f, e);
}

int mime_read(const struct spool *s, uint64_t off, uint64_t end,
    bool enter_messages, const struct mime_handler *h,
    struct mime_findings *f, struct err *e)
{
	struct mime_reader *r = NULL;
	int rc;

	memset(f, 0, sizeof(*f));
	if (mime_reader_new(&r, enter_messages, h, e) != 0)
		return -1;
	rc = read_all(s, off, end, r, f, e);
	mime_reader_free(&r);
	return rc;
}

int mime_read_flat(const struct spool *s, uint64_t off, uint64_t end,
    const struct mime_handler *h, struct mime_findings *f, struct err *e)
{
	struct mime_reader *r = NULL;
	int rc;

	memset(f, 0, sizeof(*f));
	if (mime_reader_new(&r, false, h, e) != 0)
		return -1;
	r->is_flat = true;
	rc = read_all(s, off, end, r, f, e);
	mime_reader_free(&r);
	return rc;
}
