/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * UTF-8 (RFC 3629), one character at a time, strictly: no overlong forms,
 * no surrogates, nothing beyond U+10FFFF.
 */
#ifndef UTIL_UTF8_H
#define UTIL_UTF8_H

#include "util/buf.h"

/*
 * Length (1 to 4) of the character at the start of v and its code point,
 * or 0 when v is empty or does not begin with one. cp may be NULL.
 */
size_t utf8_first(struct view v, uint32_t *cp);
/* Is all of v UTF-8? */
bool utf8_is_valid(struct view v);
/* A control (C1, too, which terminals obey), a line end, or what changes the
 * direction of what follows (UAX 9)? */
bool utf8_is_unsafe(uint32_t cp);
/* Every octet of what is no UTF-8 or unsafe to show becomes "?". */
void utf8_mask(char *s);
/* The same for n octets of text of several lines. */
void utf8_mask_lines(unsigned char *p, size_t n);

#endif
