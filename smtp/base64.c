/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Base64 of one line; what RFC 4648 3 lets decoders ignore is refused here,
 * since what one reads and the other not is where attacks live.
 */
#include "smtp/base64.h"

void base64_encode(struct buf *out, struct view v)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits;
	size_t i, n;

	for (i = 0; i < v.n; i += 3) {
		n = v.n - i < 3 ? v.n - i : 3;
		bits = (unsigned)v.p[i] << 16;
		if (n > 1)
			bits |= (unsigned)v.p[i + 1] << 8;
		if (n > 2)
			bits |= v.p[i + 2];
		buf_putc(out, digit[bits >> 18]);
		buf_putc(out, digit[bits >> 12 & 63]);
		buf_putc(out, n > 1 ? digit[bits >> 6 & 63] : '=');
		buf_putc(out, n > 2 ? digit[bits & 63] : '=');
	}
}

static int value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

int base64_decode(struct buf *out, struct view text)
{
	unsigned bits = 0;
	size_t pad = 0, i;
	int x;

	if (text.n % 4 != 0)
		return -1;
	while (pad < 2 && pad < text.n && text.p[text.n - 1 - pad] == '=')
		pad++;
	for (i = 0; i < text.n; i++) {
		x = i < text.n - pad ? value(text.p[i]) : 0;
		if (x < 0)
			return -1;
		bits = bits << 6 | (unsigned)x;
		if (i % 4 < 3)
			continue;
		if (i + 1 == text.n && pad > 0 &&
		    (bits & (pad == 1 ? 0xffu : 0xffffu)) != 0)
			return -1;
		buf_putc(out, (int)(bits >> 16 & 0xff));
		if (i + 1 < text.n || pad < 2)
			buf_putc(out, (int)(bits >> 8 & 0xff));
		if (i + 1 < text.n || pad < 1)
			buf_putc(out, (int)(bits & 0xff));
		bits = 0;
	}
	return out->failed ? -1 : 0;
}
