/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Error texts. Nothing here allocates, so it works when memory is out. What
 * happens because of an error is decided elsewhere.
 */
#include "util/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/utf8.h"

#define QUOTE_MAX 80

static void set_text(struct err *e, enum fail kind, const char *text)
{
	size_t n = strnlen(text, sizeof(e->msg) - 1);

	e->kind = kind;
	memmove(e->msg, text, n);
	e->msg[n] = '\0';
	/* A newline in a text would forge a line of the log. */
	utf8_mask(e->msg);
}

int err_set(struct err *e, enum fail kind, const char *fmt, ...)
{
	char text[sizeof(e->msg)]; /* the arguments may point into e->msg */
	va_list ap;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	set_text(e, kind, text);
	return -1;
}

int err_add(struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->msg)];
	va_list ap;
	size_t n;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	n = strlen(text);
	(void)snprintf(text + n, sizeof(text) - n, ": %.*s",
	    (int)(sizeof(text) - n), e->msg);
	set_text(e, e->kind, text);
	return -1;
}

int err_sys(struct err *e, enum fail kind, const char *fmt, ...)
{
	char text[sizeof(e->msg)];
	char reason[128];
	int saved = errno;
	va_list ap;
	size_t n;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	n = strlen(text);
	(void)snprintf(text + n, sizeof(text) - n, ": %s",
	    strerror_r(saved, reason, sizeof(reason)));
	set_text(e, kind, text);
	return -1;
}

bool err_is_ours(const struct err *e)
{
	return e->kind == FAIL_TEMP || e->kind == FAIL_BUG;
}

void err_clear(struct err *e)
{
	if (e == NULL)
		return;
	e->kind = 0;
	e->msg[0] = '\0';
}

/* The form of one octet: 1, 2 or 4 characters at to. */
static size_t quote_octet(char *to, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	if (c == '"' || c == '\\' || c == '\'') {
		to[0] = '\\';
		to[1] = (char)c;
		return 2;
	}
	if (c >= 0x20 && c < 0x7f) {
		to[0] = (char)c;
		return 1;
	}
	to[0] = '\\';
	to[1] = 'x';
	to[2] = hex[c >> 4];
	to[3] = hex[c & 15];
	return 4;
}

const char *err_quote(char *dst, size_t dst_size, const void *p, size_t n)
{
	static const char dots[] = "...";
	const unsigned char *s = p;
	size_t used = 0, k, i;
	char one[4];

	if (dst_size == 0)
		return "";
	for (i = 0; i < n && i < QUOTE_MAX; i++) {
		k = quote_octet(one, s[i]);
		if (used + k + sizeof(dots) > dst_size)
			break;
		memcpy(dst + used, one, k);
		used += k;
	}
	if (i < n && used + sizeof(dots) <= dst_size) {
		memcpy(dst + used, dots, sizeof(dots) - 1);
		used += sizeof(dots) - 1;
	}
	dst[used] = '\0';
	return dst;
}
