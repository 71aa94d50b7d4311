/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One pass over the octets, many at a time where lines are as nearly all
 * are; else those at the ends of a line one by one.
 */
#include "smime/scan.h"

#include <string.h>

#include "util/find.h"

/* BS to CR and ESC (of ISO 2022) are in text. */
static unsigned scan_controls(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] == 127 || (p[i] < 32 && !(0x08003f00u >> p[i] & 1)))
			return SCAN_CONTROL;
	return 0;
}

/* High bits, NUL and controls, eight octets at a time. */
static unsigned scan_words(const unsigned char *p, size_t n)
{
	const uint64_t ones = 0x0101010101010101u;
	const uint64_t high = 0x8080808080808080u;
	uint64_t any = 0;
	uint64_t zero = 0;
	unsigned flags = 0;
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t w;

		memcpy(&w, p + i, 8);
		any |= w;
		zero |= (w - ones) & ~w & high;
		/* Is every octet over 31, and none 127? */
		if (((((w | high) - 32 * ones) | w) & high) != high ||
		    (((w & ~high) + ones) & ~w & high) != 0)
			flags |= scan_controls(p + i, 8);
	}
	flags |= scan_controls(p + i, n - i);
	for (; i < n; i++) {
		any |= p[i];
		zero |= p[i] == 0;
	}
	return flags | ((any & high) != 0 ? SCAN_8BIT : 0u) |
	    (zero != 0 ? SCAN_NUL : 0u);
}

static void end_line(struct scan *s)
{
	if (s->last == ' ' || s->last == '\t')
		s->flags |= SCAN_BLANK;
	s->col = 0;
	s->last = 0;
	s->quotes = 0;
	s->from = 0;
	s->is_other = false;
}

/* The first octets of a line, as long as they may be those of "From ". */
static void match_from(struct scan *s, const unsigned char *p, size_t n)
{
	static const unsigned char word[] = "From ";

	for (size_t i = 0; i < n && !s->is_other; i++) {
		if (p[i] == word[s->from])
			s->from++;
		else if (p[i] == '>' && s->from == 0 &&
		    s->quotes < SCAN_QUOTES)
			s->quotes++;
		else
			s->is_other = true;
		if (s->from == sizeof(word) - 1) {
			s->flags |= SCAN_FROM;
			s->is_other = true; /* enough is known */
		}
	}
}

/* Octets of one line, no LF among them. */
static void scan_line(struct scan *s, const unsigned char *p, size_t n)
{
	const unsigned char *cr;

	if (n == 0)
		return;
	if (s->cr) {
		s->flags |= SCAN_CR;
		s->is_other = true;
		s->col++;
		s->last = '\r';
		s->cr = false;
	}
	if (s->col == 0 && p[0] == '.')
		s->flags |= SCAN_DOT;
	match_from(s, p, n);
	cr = memchr(p, '\r', n);
	if (cr == p + n - 1) {
		s->cr = true;
		n--;
	} else if (cr != NULL) {
		s->flags |= SCAN_CR;
		if (p[n - 1] == '\r') {
			s->cr = true;
			n--;
		}
	}
	s->col += n;
	if (n > 0)
		s->last = p[n - 1];
	if (s->col > SCAN_LINE_SAFE)
		s->flags |= s->col > SCAN_LINE_MAX ? SCAN_LONG | SCAN_WIDE
						   : SCAN_WIDE;
}

void scan_put(struct scan *s, struct view v)
{
	const unsigned char *p = v.p;
	size_t n = v.n;

	while (n > 0) {
		const unsigned char *nl;
		size_t len = 0;

		if (s->col == 0 && !s->cr)
			len = find_plain_lines(view_make(p, n),
			    SCAN_LINE_SAFE);
		if (len > 0) {
			s->flags |= SCAN_CRLF;
			p += len;
			n -= len;
			continue;
		}
		nl = memchr(p, '\n', n);
		len = nl == NULL ? n : (size_t)(nl - p);
		s->flags |= scan_words(p, len);
		scan_line(s, p, len);
		if (nl == NULL)
			return;
		s->flags |= s->cr ? SCAN_CRLF : SCAN_LF;
		s->cr = false;
		end_line(s);
		p += len + 1;
		n -= len + 1;
	}
}

unsigned scan_end(struct scan *s)
{
	if (s->cr)
		s->flags |= SCAN_CR;
	end_line(s);
	return s->flags;
}

static int crlf_put(void *arg, const void *data, size_t n, struct err *e)
{
	struct crlf *x = arg;
	struct view v = view_make(data, n);
	unsigned char before = x->cr ? '\r' : 0;
	size_t run = 0;
	size_t lf = 0;

	while ((lf = find_bare_lf(v, lf, before)) < n) {
		if (sink_put(&x->to, v.p + run, lf - run, e) != 0 ||
		    sink_put(&x->to, "\r", 1, e) != 0)
			return -1;
		run = lf++;
	}
	if (n > 0)
		x->cr = v.p[n - 1] == '\r';
	return run < n ? sink_put(&x->to, v.p + run, n - run, e) : 0;
}

struct sink crlf_sink(struct crlf *x)
{
	return (struct sink){crlf_put, x};
}
