/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Addresses of From, To, Cc and Reply-To fields. The strict parser decides
 * identities (A24: what is odd is unparsable); the lenient one only says who
 * is visible.
 */
#include "util/addr.h"

#include <stdlib.h>
#include <string.h>

#include "util/utf8.h"

/* Position in the field; every step fails at the end of it. */
struct scan {
	struct view v;
	size_t pos;
};

static int peek(const struct scan *s)
{
	return s->pos < s->v.n ? s->v.p[s->pos] : -1;
}

static bool is_wsp(int c)
{
	return c == ' ' || c == '\t';
}

/* RFC 5322 3.2.2: CRLF (or LF, from a milter) only before a blank. */
static int skip_fold(struct scan *s)
{
	size_t at = s->pos;

	if (at < s->v.n && s->v.p[at] == '\r')
		at++;
	if (at + 1 >= s->v.n || s->v.p[at] != '\n' || !is_wsp(s->v.p[at + 1]))
		return -1;
	s->pos = at + 1;
	return 0;
}

/* One octet or character of a comment or quoted string, or a pair. */
static int skip_text(struct scan *s)
{
	struct view rest = view_sub(s->v, s->pos, s->v.n);
	int c = peek(s);
	size_t n;

	if (c == '\r' || c == '\n')
		return skip_fold(s);
	if (c == '\\') {
		s->pos++;
		rest = view_sub(rest, 1, rest.n);
		c = peek(s);
	}
	if (c < 0 || (c < ' ' && c != '\t') || c == 0x7f)
		return -1;
	n = utf8_first(rest, NULL);
	if (n == 0)
		return -1;
	s->pos += n;
	return 0;
}

static int skip_comment(struct scan *s)
{
	int depth = 0;
	int c;

	do {
		c = peek(s);
		if (c == '(')
			depth++;
		else if (c == ')')
			depth--;
		if (c == '(' || c == ')')
			s->pos++;
		else if (skip_text(s) != 0)
			return -1;
	} while (depth > 0);
	return 0;
}

static int skip_quoted(struct scan *s)
{
	s->pos++;
	while (peek(s) != '"')
		if (skip_text(s) != 0)
			return -1;
	s->pos++;
	return 0;
}

/* Comments and folding blanks. */
static int skip_cfws(struct scan *s)
{
	int c;

	while ((c = peek(s)) >= 0) {
		if (is_wsp(c)) {
			s->pos++;
		} else if (c == '\r' || c == '\n') {
			if (skip_fold(s) != 0)
				return -1;
		} else if (c == '(') {
			if (skip_comment(s) != 0)
				return -1;
		} else {
			return 0;
		}
	}
	return 0;
}

/* Octets of words and addresses outside of quotes; a dot in a display name
 * is obsolete syntax, but "Carol Q. Doe" is all mail programs' habit. */
static bool is_word_char(int c)
{
	return c > ' ' && c != 0x7f && strchr("\"(),:;<>@[\\]", c) == NULL;
}

static void skip_word(struct scan *s)
{
	while (is_word_char(peek(s)))
		s->pos++;
}

static int append(struct addr_list *l, const struct addr *a, struct err *e)
{
	struct addr *more;
	size_t size;

	if (l->n >= CAP_RECIPIENTS)
		return err_set(e, FAIL_LIMIT, "more than %d addresses in a "
		    "field", CAP_RECIPIENTS);
	/* sizes 1, 2, 4, 8...: nearly every field has one */
	if ((l->n & (l->n - 1)) == 0) {
		size = l->n == 0 ? 1 : l->n * 2;
		more = realloc(l->a, size * sizeof(*l->a));
		if (more == NULL)
			return err_set(e, FAIL_TEMP, "addresses: out of "
			    "memory");
		l->a = more;
	}
	l->a[l->n++] = *a;
	return 0;
}

static int add_strict(struct addr_list *l, struct view spec, struct err *e)
{
	size_t mark = view_chr(spec, '?', 1);
	struct addr a;

	if (addr_parse(&a, spec, e) != 0)
		return -1;
	/* RFC 2047 5(3): some would decode it, and see another address */
	if (mark != (size_t)-1 && spec.p[mark - 1] == '=')
		return err_set(e, FAIL_INPUT, "RFC 2047 5: an encoded word in "
		    "an address");
	return append(l, &a, e);
}

static int odd(struct err *e, const char *what)
{
	return err_set(e, FAIL_INPUT, "RFC 5322 3.4: %s", what);
}

/* From behind the < to behind the >; blanks inside fail in addr_parse. */
static int parse_angle(struct scan *s, struct addr_list *l, struct err *e)
{
	size_t start = ++s->pos;

	while (peek(s) >= 0 && peek(s) != '>') {
		if (peek(s) != '"')
			s->pos++;
		else if (skip_quoted(s) != 0)
			return odd(e, "a quoted string without end");
	}
	if (peek(s) != '>')
		return odd(e, "an angle bracket without end");
	s->pos++;
	return add_strict(l, view_sub(s->v, start, s->pos - 1 - start), e);
}

/*
 * One mailbox. Its first word tells: with an @ right behind it, it begins an
 * addr-spec; otherwise it is part of a display name, which must lead to an
 * angle bracket.
 */
static int parse_mailbox(struct scan *s, struct addr_list *l, struct err *e)
{
	size_t start, words = 0;
	int c;

	if (skip_cfws(s) != 0)
		return odd(e, "an odd comment, blank or control");
	for (start = s->pos; (c = peek(s)) >= 0; words++) {
		if (c == '<')
			return parse_angle(s, l, e);
		if (c == '"') {
			if (skip_quoted(s) != 0)
				return odd(e, "a quoted string without end");
		} else if (is_word_char(c)) {
			skip_word(s);
		} else {
			return odd(e, "wanted a mailbox");
		}
		if (peek(s) == '@') {
			if (words > 0)
				return odd(e, "words before an address that "
				    "has no angle brackets");
			s->pos++;
			skip_word(s);
			return add_strict(l, view_sub(s->v, start,
			    s->pos - start), e);
		}
		if (skip_cfws(s) != 0)
			return odd(e, "an odd comment, blank or control");
	}
	return odd(e, words == 0 ? "no address" :
	    "a name without an address");
}

/* The field without the line end that may close it. */
static struct view without_eol(struct view v)
{
	if (v.n > 0 && v.p[v.n - 1] == '\n')
		v.n--;
	if (v.n > 0 && v.p[v.n - 1] == '\r')
		v.n--;
	return v;
}

static int parse_all(struct scan *s, struct addr_list *l, struct err *e)
{
	for (;;) {
		if (parse_mailbox(s, l, e) != 0)
			return -1;
		if (skip_cfws(s) != 0)
			return odd(e, "an odd comment, blank or control");
		if (peek(s) < 0)
			return 0;
		if (peek(s) != ',')
			return odd(e, "wanted a comma after the mailbox");
		s->pos++;
	}
}

int addr_list_parse(struct addr_list *l, struct view raw_value,
    struct err *e)
{
	struct scan s = { without_eol(raw_value), 0 };

	l->a = NULL;
	l->n = 0;
	if (!utf8_is_valid(s.v))
		return err_set(e, FAIL_INPUT, "RFC 6532 3.2: addresses that "
		    "are no UTF-8");
	if (parse_all(&s, l, e) == 0)
		return 0;
	addr_list_free(l);
	return -1;
}

void addr_list_free(struct addr_list *l)
{
	free(l->a);
	l->a = NULL;
	l->n = 0;
}

/* What the lenient parser has seen since the last separator. */
struct loose {
	struct buf plain; /* without comments and blanks */
	struct buf angle; /* within the last angle brackets */
	bool has_angle;
	bool in_angle;
	bool no_comments; /* one has no end: do not look for it again */
};

static int finish_loose(struct loose *o, struct addr_list *l, struct err *e)
{
	struct buf *b = o->has_angle ? &o->angle : &o->plain;
	struct view v = buf_view(b);
	size_t colon;
	struct addr a;
	int rc = 0;

	/* obsolete route: <@relay.example:bob@example.com> */
	if (v.n > 0 && v.p[0] == '@' &&
	    (colon = view_chr(v, ':', 0)) != (size_t)-1)
		v = view_sub(v, colon + 1, v.n);
	if (!b->failed && addr_parse(&a, v, NULL) == 0)
		rc = append(l, &a, e);
	buf_clear(&o->plain);
	buf_clear(&o->angle);
	o->has_angle = false;
	return rc;
}

/* Copy a quoted string, or what there is of it. */
static void take_quoted(struct scan *s, struct buf *to)
{
	size_t start = s->pos;

	if (skip_quoted(s) != 0)
		s->pos = start + 1;
	buf_put(to, s->v.p + start, s->pos - start);
}

/* One step of the lenient parser. */
static int step_loose(struct scan *s, struct loose *o, struct addr_list *l,
    struct err *e)
{
	struct buf *to = o->in_angle ? &o->angle : &o->plain;
	size_t start = s->pos;
	int c = peek(s);

	if (c == '"') {
		take_quoted(s, to);
		return 0;
	}
	if (c == '(' && !o->no_comments) {
		if (skip_comment(s) == 0)
			return 0;
		o->no_comments = true;
	}
	s->pos = start + 1;
	if (c == '<') {
		o->in_angle = true;
		o->has_angle = true;
		buf_clear(&o->angle);
	} else if (c == '>') {
		o->in_angle = false;
	} else if ((c == ',' || c == ';') && !o->in_angle) {
		return finish_loose(o, l, e);
	} else if (c == ':' && !o->in_angle) {
		buf_clear(&o->plain); /* name of a group */
	} else if (!is_wsp(c) && c != '\r' && c != '\n') {
		buf_putc(to, c);
	}
	return 0;
}

int addr_list_collect(struct addr_list *l, struct view raw_value,
    struct err *e)
{
	struct scan s = { without_eol(raw_value), 0 };
	struct loose o;
	int rc = 0;

	l->a = NULL;
	l->n = 0;
	memset(&o, 0, sizeof(o));
	buf_init(&o.plain, 4096);
	buf_init(&o.angle, 4096);
	while (rc == 0 && peek(&s) >= 0)
		rc = step_loose(&s, &o, l, e);
	if (rc == 0)
		rc = finish_loose(&o, l, e);
	if (rc != 0)
		addr_list_free(l);
	buf_free(&o.plain);
	buf_free(&o.angle);
	return rc;
}
