/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Octets: views (borrowed), buffers (owned, growable, with a ceiling given
 * at birth) and readers (a view with a position). Truncation is a failure,
 * never a result.
 */
#ifndef UTIL_BUF_H
#define UTIL_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/attr.h"
#include "util/err.h"

/* Borrowed octets; may hold NUL; p may be NULL when n is 0. */
struct view {
	const unsigned char *p;
	size_t n;
};

struct view view_of(const char *s);	       /* a C string, NUL not in it */
struct view view_make(const void *p, size_t n);
struct view view_sub(struct view v, size_t off, size_t n); /* clamped */
bool view_eq(struct view a, struct view b);
bool view_eq_str(struct view a, const char *s);
bool view_ieq(struct view a, struct view b);   /* ASCII case-insensitive */
bool view_ieq_str(struct view a, const char *s);
bool view_istarts(struct view a, const char *prefix);
struct view view_trim(struct view v);	       /* SP, TAB, CR, LF both ends */
/* Offset of the first c at or after off, or (size_t)-1. */
size_t view_chr(struct view v, int c, size_t off);
/* Copy into a NUL-terminated array; -1 (dst empty) if it does not fit or
 * holds NUL. */
int view_cstr(struct view v, char *dst, size_t size) MUST_CHECK;
/* Copy as much of s as fits; always ends in NUL. */
void text_set(char *dst, size_t size, const char *s);
/* Malloc'd NUL-terminated copy, NULL when memory is out or v holds NUL. */
char *view_strdup(struct view v);

/*
 * Owned, growable octets. max is the ceiling; a put beyond it, or out of
 * memory, sets failed, and every later put does nothing. Check once with
 * buf_ok() before use. The octet after the last is always NUL.
 */
struct buf {
	unsigned char *p;
	size_t n;
	size_t size;
	size_t max;
	bool failed;
	bool no_memory; /* why failed: memory, not the ceiling */
	bool secret; /* wiped when it grows, is cleared or freed */
};

void buf_init(struct buf *b, size_t max);
void buf_init_secret(struct buf *b, size_t max);
void buf_free(struct buf *b);  /* may be called twice */
void buf_clear(struct buf *b); /* empty, failed forgotten, memory kept */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_putv(struct buf *b, struct view v);
void buf_putc(struct buf *b, int c);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Make room for n more octets; NULL (and failed) if that cannot be. The
 * caller writes at the pointer and then adds to b->n. */
unsigned char *buf_room(struct buf *b, size_t n);
/* 0, or -1 with FAIL_LIMIT (ceiling) or FAIL_TEMP (memory). */
int buf_ok(const struct buf *b, struct err *e) MUST_CHECK;
struct view buf_view(const struct buf *b);
/* The buffer as a C string (never NULL, "" when empty). */
const char *buf_str(const struct buf *b);

/*
 * Did a buffer, or libcrypto (ossl_start), ever get no memory in this process?
 * What was concluded since may be wrong: what could not be read looks like
 * something bad, and libcrypto remembers that it has no such algorithm. Only
 * another process is right again. Any thread.
 */
bool memory_lacked(void);
void memory_note_lack(void);

/* Reader over a view; every get fails (-1, nothing consumed) at the end. */
struct rd {
	struct view v;
	size_t pos;
};

void rd_init(struct rd *r, struct view v);
size_t rd_left(const struct rd *r);
int rd_u8(struct rd *r, uint8_t *x) MUST_CHECK;
int rd_u32(struct rd *r, uint32_t *x) MUST_CHECK; /* big-endian */
int rd_u64(struct rd *r, uint64_t *x) MUST_CHECK;
int rd_take(struct rd *r, size_t n, struct view *v) MUST_CHECK;

/* Sizes that may not wrap: -1 and *out unchanged on overflow. */
int size_add(size_t a, size_t b, size_t *out) MUST_CHECK;
int size_mul(size_t a, size_t b, size_t *out) MUST_CHECK;

#endif
