/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Shared by conf.c (parser) and conf_lex.c (lexer); nobody else's.
 */
#ifndef UTIL_CONF_INT_H
#define UTIL_CONF_INT_H

#include "util/conf.h"

enum conf_tok {
	TOK_WORD,
	TOK_OPEN,  /* { */
	TOK_CLOSE, /* } */
	TOK_EOL,
	TOK_EOF,
	TOK_BAD /* reported; the lexer stands behind it */
};

/* One file being read. */
struct conf_lex {
	const char *name;
	struct view text;
	size_t pos;
	int line;	   /* of the next octet */
	size_t line_start; /* offset of its first octet */
	struct conf_errors *ce;
	/* the token */
	struct buf word;
	bool quoted;
	int tok_line;
	int tok_column;
	/* a colon that was cut off the word before */
	bool colon_next;
};

void conf_lex_init(struct conf_lex *x, const char *name, struct view text,
    struct conf_errors *ce);
void conf_lex_free(struct conf_lex *x);
enum conf_tok conf_lex_next(struct conf_lex *x);
/* Go to the end of the line, after an error. */
void conf_lex_skip_line(struct conf_lex *x);

/* "file:line:column: text" at a place. */
void conf_error_at(struct conf_errors *ce, const char *file, int line,
    int column, const char *fmt, ...) PRINTF_LIKE(5, 6);

#endif
