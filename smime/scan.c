/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One pass over the octets at memchr speed; octets are looked at one by one
 * only at the ends of lines.
 */
#include "smime/scan.h"

#include <string.h>

/* High bits and NUL, eight octets at a time. */
static unsigned scan_words(const unsigned char *p, size_t n)
{
	const uint64_t ones = 0x0101010101010101u;
	const uint64_t high = 0x8080808080808080u;
	uint64_t any = 0;
	uint64_t zero = 0;
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t w;

		memcpy(&w, p + i, 8);
		any |= w;
		zero |= (w - ones) & ~w & high;
	}
	for (; i < n; i++) {
		any |= p[i];
		zero |= p[i] == 0;
	}
	return ((any & high) != 0 ? SCAN_8BIT : 0u) |
	    (zero != 0 ? SCAN_NUL : 0u);
}

static void end_line(struct scan *s)
{
	if (s->last == ' ' || s->last == '\t')
		s->flags |= SCAN_BLANK;
	s->col = 0;
	s->last = 0;
}

/* Octets of one line, no LF among them. */
static void scan_line(struct scan *s, const unsigned char *p, size_t n)
{
	const unsigned char *cr;

	if (n == 0)
		return;
	if (s->cr) {
		s->flags |= SCAN_CR;
		if (s->col < sizeof(s->first))
			s->first[s->col] = '\r';
		s->col++;
		s->last = '\r';
		s->cr = false;
	}
	for (size_t i = 0; i < n && s->col + i < sizeof(s->first); i++)
		s->first[s->col + i] = p[i];
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
	if (s->col >= 5 && memcmp(s->first, "From ", 5) == 0)
		s->flags |= SCAN_FROM;
	if (s->col > SCAN_LINE_MAX)
		s->flags |= SCAN_LONG;
}

void scan_put(struct scan *s, struct view v)
{
	const unsigned char *p = v.p;
	size_t n = v.n;

	s->flags |= scan_words(p, n);
	while (n > 0) {
		const unsigned char *nl = memchr(p, '\n', n);
		size_t len = nl == NULL ? n : (size_t)(nl - p);

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
	const unsigned char *p = data;
	size_t run = 0;
	size_t i = 0;

	while (i < n) {
		const unsigned char *nl = memchr(p + i, '\n', n - i);
		bool has_cr;

		if (nl == NULL)
			break;
		i = (size_t)(nl - p);
		has_cr = i > 0 ? p[i - 1] == '\r' : x->cr;
		if (!has_cr) {
			if (i > run &&
			    sink_put(&x->to, p + run, i - run, e) != 0)
				return -1;
			if (sink_put(&x->to, "\r", 1, e) != 0)
				return -1;
			run = i;
		}
		i++;
	}
	if (n > 0)
		x->cr = p[n - 1] == '\r';
	return run < n ? sink_put(&x->to, p + run, n - run, e) : 0;
}

struct sink crlf_sink(struct crlf *x)
{
	return (struct sink){crlf_put, x};
}
