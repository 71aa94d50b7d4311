/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Views, buffers and readers. No file, no number format, no text encoding:
 * only octets that never run over an edge.
 */
#include "util/buf.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST 256

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct view view_of(const char *s)
{
	return view_make(s, s == NULL ? 0 : strlen(s));
}

struct view view_make(const void *p, size_t n)
{
	struct view v = { p, n };

	return v;
}

struct view view_sub(struct view v, size_t off, size_t n)
{
	if (off > v.n)
		off = v.n;
	if (n > v.n - off)
		n = v.n - off;
	return view_make(v.n == 0 ? v.p : v.p + off, n);
}

bool view_eq(struct view a, struct view b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool view_eq_str(struct view a, const char *s)
{
	return view_eq(a, view_of(s));
}

bool view_ieq(struct view a, struct view b)
{
	size_t i;

	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++)
		if (a.p[i] != b.p[i] && lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

/* Octets of a that s begins with; most often none, hence no strlen(). */
static size_t same_so_far(struct view a, const char *s)
{
	size_t i = 0;

	while (i < a.n && s[i] != '\0' &&
	    lower(a.p[i]) == lower((unsigned char)s[i]))
		i++;
	return i;
}

bool view_ieq_str(struct view a, const char *s)
{
	size_t n = s == NULL ? 0 : same_so_far(a, s);

	return n == a.n && (s == NULL || s[n] == '\0');
}

bool view_istarts(struct view a, const char *prefix)
{
	return prefix[same_so_far(a, prefix)] == '\0';
}

struct view view_trim(struct view v)
{
	while (v.n > 0 && is_blank(v.p[0])) {
		v.p++;
		v.n--;
	}
	while (v.n > 0 && is_blank(v.p[v.n - 1]))
		v.n--;
	return v;
}

size_t view_chr(struct view v, int c, size_t off)
{
	const unsigned char *hit;

	if (off >= v.n)
		return (size_t)-1;
	hit = memchr(v.p + off, c, v.n - off);
	return hit == NULL ? (size_t)-1 : (size_t)(hit - v.p);
}

int view_cstr(struct view v, char *dst, size_t size)
{
	if (size == 0)
		return -1;
	dst[0] = '\0';
	if (v.n >= size || view_chr(v, 0, 0) != (size_t)-1)
		return -1;
	if (v.n > 0)
		memcpy(dst, v.p, v.n);
	dst[v.n] = '\0';
	return 0;
}

void text_set(char *dst, size_t size, const char *s)
{
	size_t n = strlen(s);

	if (n >= size)
		n = size - 1;
	memcpy(dst, s, n);
	dst[n] = '\0';
}

char *view_strdup(struct view v)
{
	char *s;

	if (v.n == SIZE_MAX || (s = malloc(v.n + 1)) == NULL)
		return NULL;
	if (view_cstr(v, s, v.n + 1) != 0) {
		free(s);
		return NULL;
	}
	return s;
}

void buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void buf_init_secret(struct buf *b, size_t max)
{
	buf_init(b, max);
	b->secret = true;
}

void buf_free(struct buf *b)
{
	if (b->secret && b->p != NULL)
		explicit_bzero(b->p, b->size);
	free(b->p);
	b->p = NULL;
	b->n = 0;
	b->size = 0;
	b->failed = false;
	b->no_memory = false;
}

void buf_clear(struct buf *b)
{
	if (b->secret && b->p != NULL)
		explicit_bzero(b->p, b->size);
	b->n = 0;
	b->failed = false;
	b->no_memory = false;
	if (b->p != NULL)
		b->p[0] = '\0';
}

static int buf_resize(struct buf *b, size_t size)
{
	unsigned char *p;

	if (!b->secret) {
		p = realloc(b->p, size);
	} else {
		/* realloc could leave a copy behind */
		p = malloc(size);
		if (p != NULL && b->p != NULL) {
			memcpy(p, b->p, b->n);
			explicit_bzero(b->p, b->size);
			free(b->p);
		}
	}
	if (p == NULL) {
		b->failed = true;
		b->no_memory = true;
		memory_note_lack();
		return -1;
	}
	b->p = p;
	b->size = size;
	return 0;
}

unsigned char *buf_room(struct buf *b, size_t n)
{
	size_t want, size;

	if (b->failed)
		return NULL;
	if (b->n > b->max || n > b->max - b->n ||
	    size_add(b->n, n, &want) != 0 || want == SIZE_MAX) {
		b->failed = true;
		return NULL;
	}
	want++; /* the NUL */
	if (want > b->size) {
		size = b->size < BUF_FIRST ? BUF_FIRST : b->size;
		while (size < want && size <= SIZE_MAX / 2)
			size *= 2;
		if (size < want || (b->max < SIZE_MAX && size > b->max + 1))
			size = b->max < SIZE_MAX ? b->max + 1 : want;
		if (buf_resize(b, size) != 0)
			return NULL;
	}
	return b->p + b->n;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	unsigned char *to = buf_room(b, n);

	if (to == NULL)
		return;
	if (n > 0)
		memcpy(to, p, n);
	to[n] = '\0';
	b->n += n;
}

void buf_putv(struct buf *b, struct view v)
{
	buf_put(b, v.p, v.n);
}

void buf_putc(struct buf *b, int c)
{
	unsigned char o = (unsigned char)c;

	/* the size includes room for the NUL, the ceiling is at least n */
	if (!b->failed && b->n + 1 < b->size && b->n < b->max) {
		b->p[b->n++] = o;
		b->p[b->n] = '\0';
		return;
	}
	buf_put(b, &o, 1);
}

void buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	unsigned char *to;
	va_list ap, again;
	int n;

	if (b->failed)
		return;
	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(b->p == NULL ? NULL : (char *)b->p + b->n,
	    b->p == NULL ? 0 : b->size - b->n, fmt, ap);
	if (n < 0) {
		b->failed = true;
	} else if ((to = buf_room(b, (size_t)n)) != NULL) {
		(void)vsnprintf((char *)to, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	}
	if (b->failed && b->p != NULL)
		b->p[b->n] = '\0';
	va_end(again);
	va_end(ap);
}

static atomic_bool lacked;

void memory_note_lack(void)
{
	atomic_store(&lacked, true);
}

bool memory_lacked(void)
{
	return atomic_load(&lacked);
}

int buf_ok(const struct buf *b, struct err *e)
{
	if (!b->failed)
		return 0;
	if (b->no_memory)
		return err_set(e, FAIL_TEMP, "out of memory");
	return err_set(e, FAIL_LIMIT, "more than the %zu octets allowed here",
	    b->max);
}

struct view buf_view(const struct buf *b)
{
	return view_make(b->p, b->n);
}

const char *buf_str(const struct buf *b)
{
	if (b->p == NULL)
		return "";
	b->p[b->n] = '\0'; /* after buf_room nobody else wrote it */
	return (const char *)b->p;
}

void rd_init(struct rd *r, struct view v)
{
	r->v = v;
	r->pos = 0;
}

size_t rd_left(const struct rd *r)
{
	return r->v.n - r->pos;
}

int rd_take(struct rd *r, size_t n, struct view *v)
{
	if (n > rd_left(r))
		return -1;
	*v = view_sub(r->v, r->pos, n);
	r->pos += n;
	return 0;
}

static int take_number(struct rd *r, size_t n, uint64_t *x)
{
	struct view v;
	uint64_t y = 0;
	size_t i;

	if (rd_take(r, n, &v) != 0)
		return -1;
	for (i = 0; i < n; i++)
		y = y << 8 | v.p[i];
	*x = y;
	return 0;
}

int rd_u8(struct rd *r, uint8_t *x)
{
	uint64_t y;

	if (take_number(r, 1, &y) != 0)
		return -1;
	*x = (uint8_t)y;
	return 0;
}

int rd_u32(struct rd *r, uint32_t *x)
{
	uint64_t y;

	if (take_number(r, 4, &y) != 0)
		return -1;
	*x = (uint32_t)y;
	return 0;
}

int rd_u64(struct rd *r, uint64_t *x)
{
	return take_number(r, 8, x);
}

int size_add(size_t a, size_t b, size_t *out)
{
	if (a > SIZE_MAX - b)
		return -1;
	*out = a + b;
	return 0;
}

int size_mul(size_t a, size_t b, size_t *out)
{
	if (b != 0 && a > SIZE_MAX / b)
		return -1;
	*out = a * b;
	return 0;
}
