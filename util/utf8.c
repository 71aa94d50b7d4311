/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Strict decoding of UTF-8. What characters mean is not known here.
 */
#include "util/utf8.h"

#include <string.h>

size_t utf8_first(struct view v, uint32_t *cp)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n, i;
	uint32_t x;

	if (v.n == 0)
		return 0;
	x = v.p[0];
	n = x < 0x80 ? 1 : x < 0xc2 ? 0 : x < 0xe0 ? 2 : x < 0xf0 ? 3 :
	    x < 0xf5 ? 4 : 0;
	if (n == 0 || n > v.n)
		return 0;
	if (n > 1)
		x &= 0x7fu >> n;
	for (i = 1; i < n; i++) {
		if ((v.p[i] & 0xc0) != 0x80)
			return 0;
		x = x << 6 | (v.p[i] & 0x3fu);
	}
	if (x < least[n] || x > 0x10ffff || (x >= 0xd800 && x <= 0xdfff))
		return 0;
	if (cp != NULL)
		*cp = x;
	return n;
}

bool utf8_is_valid(struct view v)
{
	size_t n;

	while (v.n > 0) {
		n = utf8_first(v, NULL);
		if (n == 0)
			return false;
		v = view_sub(v, n, v.n);
	}
	return true;
}

bool utf8_is_unsafe(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x61c ||
	    cp == 0x200e || cp == 0x200f || (cp >= 0x2028 && cp <= 0x202e) ||
	    (cp >= 0x2066 && cp <= 0x2069);
}

static void mask(unsigned char *p, size_t left, const char *also)
{
	uint32_t cp = 0;
	size_t n;

	for (; left > 0; left -= n, p += n) {
		n = utf8_first(view_make(p, left), &cp);
		if (n > 0 && !utf8_is_unsafe(cp))
			continue;
		if (n == 1 && cp != 0 && strchr(also, (int)cp) != NULL)
			continue;
		n = n == 0 ? 1 : n;
		memset(p, '?', n);
	}
}

void utf8_mask(char *s)
{
	mask((unsigned char *)s, strlen(s), "");
}

void utf8_mask_lines(unsigned char *p, size_t n)
{
	mask(p, n, "\t\n");
}
