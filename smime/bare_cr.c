/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A small machine; between two CR that a "-" follows it is not asked.
 */
#include "smime/bare_cr.h"

#include <string.h>

#include "util/find.h"

/* One octet; true when a line is complete. */
static bool step(struct bare_cr *w, unsigned char c)
{
	bool is_line = w->state == BARE_CR_TEXT;

	if (is_line && c != '\r' && c != '\n') {
		w->text[w->n++] = (char)c;
		if (w->n < sizeof(w->text))
			return false;
		w->state = BARE_CR_NONE;
		return true;
	}
	if (c == '\r') {
		w->state = BARE_CR_CR;
	} else if (c == '-' && w->state == BARE_CR_CR) {
		w->state = BARE_CR_DASH;
	} else if (c == '-' && w->state == BARE_CR_DASH) {
		w->state = BARE_CR_TEXT;
		w->n = 0;
	} else {
		w->state = BARE_CR_NONE;
	}
	return is_line;
}

/* To the next CR that is followed by a '-', or by what is not here yet. */
static void skip(struct view *in)
{
	size_t n = find_pair(*in, 0, '\r', '-');

	if (n == in->n && in->n > 0 && in->p[n - 1] == '\r')
		n--;
	*in = view_sub(*in, n, in->n);
}

bool bare_cr_next(struct bare_cr *w, struct view *in)
{
	while (in->n > 0) {
		unsigned char c;

		if (w->state == BARE_CR_NONE)
			skip(in);
		if (in->n == 0)
			return false;
		c = in->p[0];
		*in = view_sub(*in, 1, in->n);
		if (step(w, c))
			return true;
	}
	return false;
}

bool bare_cr_end(struct bare_cr *w)
{
	bool is_line = w->state == BARE_CR_TEXT;

	w->state = BARE_CR_NONE;
	return is_line;
}

bool bare_cr_is(const struct bare_cr *w, const char *boundary)
{
	size_t n = strlen(boundary);

	return n <= w->n && memcmp(w->text, boundary, n) == 0;
}
