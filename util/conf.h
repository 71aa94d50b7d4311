/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The one language of every file we read: statements of words and "quoted
 * strings", one a line, blocks in braces, # comments, \ at the end of a line
 * continues it, include FILE. A colon that ends a word or stands alone, and
 * a comma, are words of their own (rules files need them). This file turns
 * text into a tree; what the words mean is decided by gateway/config.c and
 * gateway/rules.c.
 *
 * Errors name file, line, column and what was expected; all are collected.
 */
#ifndef UTIL_CONF_H
#define UTIL_CONF_H

#include <stdint.h>

#include "util/buf.h"

struct conf_word {
	char *s;     /* NUL-terminated, no NUL inside */
	bool quoted; /* was "in quotes": never a keyword, colon or comma */
	int column;  /* from 1 */
};

struct conf_stmt {
	const char *file; /* owned by the conf */
	int line;	  /* of the first word, from 1 */
	struct conf_word *word;
	size_t words;	       /* >= 1 */
	struct conf_stmt *sub; /* statements of the block */
	size_t subs;
	bool has_block;
};

struct conf {
	struct conf_stmt *stmt;
	size_t stmts;
	char **file; /* names of all files read */
	size_t files;
};

/* Errors of one run: "file:line:col: text" lines; more than CAP_CONF_ERRORS
 * are only counted. */
struct conf_errors {
	struct buf text;
	size_t n;
};
void conf_errors_init(struct conf_errors *ce);
void conf_errors_free(struct conf_errors *ce);

/*
 * Read a file and its includes (relative to the including file). On any
 * error, *out is what could be parsed and ce->n > 0: so that one run reports
 * all. Returns 0, or -1 when ce->n > 0.
 */
int conf_read(struct conf **out, const char *path, struct conf_errors *ce)
    MUST_CHECK;
/* The same for text in memory; name stands for the file in messages. */
int conf_read_text(struct conf **out, const char *name, struct view text,
    struct conf_errors *ce) MUST_CHECK;
void conf_free(struct conf **c);

/* Report at a word (index w, or the statement itself with w = 0). */
void conf_error(struct conf_errors *ce, const struct conf_stmt *st, size_t w,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Values. Each reports at word w and returns -1 if it is not such a value
 * or not in [min, max]. Sizes: 512, 40K, 40M, 2G. Times: 30s, 5m, 2h, 30d
 * (a unit is required; result in seconds). */
int conf_size(struct conf_errors *ce, const struct conf_stmt *st, size_t w,
    uint64_t min, uint64_t max, uint64_t *out) MUST_CHECK;
int conf_time(struct conf_errors *ce, const struct conf_stmt *st, size_t w,
    int64_t min, int64_t max, int64_t *out) MUST_CHECK;
int conf_int(struct conf_errors *ce, const struct conf_stmt *st, size_t w,
    int64_t min, int64_t max, int64_t *out) MUST_CHECK;

/* IPv4 or IPv6 network, "127.0.0.0/8", "::1/128", "192.0.2.1". */
struct net {
	unsigned char ip[16]; /* IPv4 mapped into ::ffff:0:0/96 */
	int bits;	      /* of 128 */
};
int net_parse(struct net *n, const char *text, struct err *e) MUST_CHECK;
/* ip as text, as the MTA gives it ("IPv6:" prefix tolerated); false when it
 * is no address ("unknown", NULL, a unix socket). */
bool net_has(const struct net *n, const char *ip);

#endif
