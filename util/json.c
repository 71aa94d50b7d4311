/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * JSON writer. It keeps output valid whatever the strings hold; which keys
 * there are is the caller's business.
 */
#include "util/json.h"

#include "util/utf8.h"

void json_init(struct json *j, struct buf *out)
{
	j->out = out;
	j->comma = false;
	j->depth = 0;
}

static void put_quoted(struct buf *b, struct view v);

/* Comma and key in front of a value. */
static void begin(struct json *j, const char *key)
{
	if (j->comma)
		buf_putc(j->out, ',');
	j->comma = true;
	if (key == NULL)
		return;
	put_quoted(j->out, view_of(key));
	buf_putc(j->out, ':');
}

static void open_level(struct json *j, const char *key, char c)
{
	begin(j, key);
	buf_putc(j->out, c);
	j->comma = false;
	j->depth++;
}

static void close_level(struct json *j, char c)
{
	buf_putc(j->out, c);
	j->comma = true;
	j->depth--;
}

void json_object(struct json *j, const char *key)
{
	open_level(j, key, '{');
}

void json_array(struct json *j, const char *key)
{
	open_level(j, key, '[');
}

void json_end_object(struct json *j)
{
	close_level(j, '}');
}

void json_end_array(struct json *j)
{
	close_level(j, ']');
}

/* RFC 8259 7: quote, backslash and controls must be escaped. */
static void put_ascii(struct buf *b, unsigned char c)
{
	if (c == '"' || c == '\\') {
		buf_putc(b, '\\');
		buf_putc(b, c);
	} else if (c == '\n') {
		buf_puts(b, "\\n");
	} else if (c == '\t') {
		buf_puts(b, "\\t");
	} else if (c == '\r') {
		buf_puts(b, "\\r");
	} else if (c < 0x20 || c == 0x7f) {
		buf_printf(b, "\\u%04x", c);
	} else {
		buf_putc(b, c);
	}
}

/* How many octets at the start stand for themselves? Nearly all do. */
static size_t plain(struct view v)
{
	size_t n = 0;

	while (n < v.n && v.p[n] >= 0x20 && v.p[n] < 0x7f && v.p[n] != '"' &&
	    v.p[n] != '\\')
		n++;
	return n;
}

static void put_quoted(struct buf *b, struct view v)
{
	uint32_t cp;
	size_t n;

	buf_putc(b, '"');
	for (; v.n > 0; v = view_sub(v, n, v.n)) {
		n = plain(v);
		if (n > 0) {
			buf_put(b, v.p, n);
			continue;
		}
		n = utf8_first(v, &cp);
		if (n == 1) {
			put_ascii(b, v.p[0]);
		} else if (n > 1 && utf8_is_unsafe(cp)) {
			/* people look at it on terminals, too */
			buf_printf(b, "\\u%04x", (unsigned)cp);
		} else if (n > 1) {
			buf_put(b, v.p, n);
		} else {
			buf_puts(b, "\xef\xbf\xbd");
			n = 1;
		}
	}
	buf_putc(b, '"');
}

void json_view(struct json *j, const char *key, struct view v)
{
	begin(j, key);
	put_quoted(j->out, v);
}

void json_str(struct json *j, const char *key, const char *s)
{
	if (s == NULL)
		json_null(j, key);
	else
		json_view(j, key, view_of(s));
}

void json_int(struct json *j, const char *key, int64_t x)
{
	begin(j, key);
	buf_printf(j->out, "%lld", (long long)x);
}

void json_bool(struct json *j, const char *key, bool x)
{
	begin(j, key);
	buf_puts(j->out, x ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	begin(j, key);
	buf_puts(j->out, "null");
}

void json_raw(struct json *j, const char *key, struct view v)
{
	begin(j, key);
	buf_putv(j->out, v);
}
