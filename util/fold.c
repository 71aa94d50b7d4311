/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Ranges in which capitals and small letters are the same distance apart, or
 * take turns.
 */
#include "util/fold.h"

#include "util/utf8.h"

enum how { PLUS, EVEN, ODD }; /* EVEN: even ones are capitals */
static const struct {
	uint32_t first, last;
	enum how how;
	int by; /* PLUS: to the small letter */
} range[] = {
	{'A', 'Z', PLUS, 32},
	{0xc0, 0xd6, PLUS, 32},
	{0xd8, 0xde, PLUS, 32},
	{0x100, 0x12f, EVEN, 0},
	{0x130, 0x130, PLUS, 'i' - 0x130},
	{0x132, 0x137, EVEN, 0},
	{0x139, 0x148, ODD, 0},
	{0x14a, 0x177, EVEN, 0},
	{0x178, 0x178, PLUS, 0xff - 0x178},
	{0x179, 0x17e, ODD, 0},
	{0x386, 0x386, PLUS, 38},
	{0x388, 0x38a, PLUS, 37},
	{0x38c, 0x38c, PLUS, 64},
	{0x38e, 0x38f, PLUS, 63},
	{0x391, 0x3a1, PLUS, 32},
	{0x3a3, 0x3ab, PLUS, 32},
	{0x3c2, 0x3c2, PLUS, 1}, /* the sigma at the end of a word */
	{0x400, 0x40f, PLUS, 80},
	{0x410, 0x42f, PLUS, 32},
	{0x460, 0x481, EVEN, 0},
	{0x48a, 0x4bf, EVEN, 0},
	{0x4d0, 0x52f, EVEN, 0},
	{0x1e00, 0x1e95, EVEN, 0},
	{0x1e9e, 0x1e9e, PLUS, 0xdf - 0x1e9e},
	{0x1ea0, 0x1eff, EVEN, 0},
	{0xff21, 0xff3a, PLUS, 32},
};

uint32_t fold_char(uint32_t c)
{
	for (size_t i = 0; i < ARRAY_LEN(range) && c >= range[i].first; i++) {
		if (c > range[i].last)
			continue;
		switch (range[i].how) {
		case PLUS:
			return (uint32_t)((int)c + range[i].by);
		case EVEN:
			return c | 1;
		case ODD:
			return c + (c & 1);
		}
	}
	return c;
}

static void put(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_putc(out, (int)c);
	} else if (c < 0x800) {
		buf_putc(out, (int)(0xc0 | c >> 6));
		buf_putc(out, (int)(0x80 | (c & 0x3f)));
	} else {
		buf_putc(out, (int)(0xe0 | c >> 12));
		buf_putc(out, (int)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(out, (int)(0x80 | (c & 0x3f)));
	}
}

void fold_case(struct view v, struct buf *out)
{
	uint32_t c;
	size_t n;

	while (v.n > 0) {
		n = utf8_first(v, &c);
		if (n == 0 || n == 4 || fold_char(c) == c)
			buf_putv(out, view_sub(v, 0, n == 0 ? 1 : n));
		else
			put(out, fold_char(c));
		v = view_sub(v, n == 0 ? 1 : n, v.n);
	}
}
