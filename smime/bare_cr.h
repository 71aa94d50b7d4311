/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Delimiters after a CR without LF: no line starts there for us (RFC 5322
 * 2.3), but for some readers one does, and they would show other parts than
 * we verified (A41). Works on a stream; judges nothing.
 */
#ifndef SMIME_BARE_CR_H
#define SMIME_BARE_CR_H

#include "util/buf.h"
#include "util/caps.h"

struct bare_cr {
	enum { BARE_CR_NONE, BARE_CR_CR, BARE_CR_DASH, BARE_CR_TEXT } state;
	char text[CAP_MIME_BOUNDARY]; /* what follows CR "--" */
	size_t n;
};

/*
 * Take octets from *in, until a line that begins with "--" after a bare CR
 * is complete (true; text is it, as much as a boundary may have) or in is
 * used up (false).
 */
bool bare_cr_next(struct bare_cr *w, struct view *in);
/* The data is at its end: is there such a line? Starts anew. */
bool bare_cr_end(struct bare_cr *w);
/* Does text begin with this boundary? For the line reported last. */
bool bare_cr_is(const struct bare_cr *w, const char *boundary);

#endif
