/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Searches that memchr cannot do, many octets at a time on every CPU.
 */
#ifndef UTIL_FIND_H
#define UTIL_FIND_H

#include "util/buf.h"

/* The first place from off on where a is followed by b; v.n if none. */
size_t find_pair(struct view v, size_t off, unsigned char a, unsigned char b);

/* The first LF without CR before it; v.n if none. before: the octet before
 * v. */
size_t find_bare_lf(struct view v, size_t off, unsigned char before);

/* How many octets at the start of v are ASCII text, at least: printable, SP,
 * and BS to CR. What follows is for the caller to look at. */
size_t find_text_end(struct view v);

/*
 * How many octets at the start of v, where a line begins, are whole lines
 * with nothing out of the ordinary, at least: ASCII text, CRLF at
 * their ends and no blank before it, none longer than most, none that begins
 * with '.', '>' or 'F'. A last one need not be noticed.
 */
size_t find_plain_lines(struct view v, size_t most);

/*
 * How many octets n, at least: in the first n + 1 of v there is no CR without
 * LF behind it, no LF without CR before it and no dot behind an LF, as far as
 * they tell; a multiple of FIND_STEP.
 */
#define FIND_STEP 64
size_t find_smtp_lines(struct view v);

#endif
