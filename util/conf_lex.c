/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Text to tokens for util/conf.c, and the list of errors.
 */
#include "util/conf_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/caps.h"
#include "util/utf8.h"

#define CONF_WORD_MAX 65536
#define CONF_ERROR_MAX 1024 /* octets of one */

void conf_errors_init(struct conf_errors *ce)
{
	buf_init(&ce->text, CAP_CONF_ERRORS * (CONF_ERROR_MAX + 1));
	ce->n = 0;
}

void conf_errors_free(struct conf_errors *ce)
{
	buf_free(&ce->text);
	ce->n = 0;
}

static void add_error(struct conf_errors *ce, const char *file, int line,
    int column, const char *text)
{
	char all[CONF_ERROR_MAX];

	if (ce->n++ >= CAP_CONF_ERRORS)
		return;
	/* A file that cannot be read has no lines; its text names it. */
	if (line == 0 && strncmp(text, file, strlen(file)) == 0)
		(void)snprintf(all, sizeof(all), "%s", text);
	else
		(void)snprintf(all, sizeof(all), "%s:%d:%d: %s", file, line,
		    column, text);
	utf8_mask(all);
	buf_puts(&ce->text, all);
	buf_putc(&ce->text, '\n');
}

void conf_error_at(struct conf_errors *ce, const char *file, int line,
    int column, const char *fmt, ...)
{
	char text[CONF_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	add_error(ce, file, line, column, text);
}

void conf_error(struct conf_errors *ce, const struct conf_stmt *st, size_t w,
    const char *fmt, ...)
{
	char text[CONF_ERROR_MAX];
	const struct conf_word *last;
	int column = 1;
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	if (w < st->words) {
		column = st->word[w].column;
	} else if (st->words > 0) {
		/* a word that is missing: behind the last one */
		last = &st->word[st->words - 1];
		column = last->column + (int)strlen(last->s);
	}
	add_error(ce, st->file, st->line, column, text);
}

void conf_lex_init(struct conf_lex *x, const char *name, struct view text,
    struct conf_errors *ce)
{
	memset(x, 0, sizeof(*x));
	x->name = name;
	x->text = text;
	x->line = 1;
	x->ce = ce;
	buf_init(&x->word, CONF_WORD_MAX);
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		x->pos = x->line_start = 3; /* a byte order mark */
}

void conf_lex_free(struct conf_lex *x)
{
	buf_free(&x->word);
}

static int at(const struct conf_lex *x, size_t ahead)
{
	if (ahead >= x->text.n - x->pos)
		return -1;
	return x->text.p[x->pos + ahead];
}

/* Octets of the line end here: 0, 1 (LF) or 2 (CRLF). */
static size_t eol_here(const struct conf_lex *x, size_t ahead)
{
	if (at(x, ahead) == '\n')
		return 1;
	return at(x, ahead) == '\r' && at(x, ahead + 1) == '\n' ? 2 : 0;
}

static void next_line(struct conf_lex *x, size_t eol)
{
	x->pos += eol;
	x->line++;
	x->line_start = x->pos;
}

static int column_of(const struct conf_lex *x)
{
	return (int)(x->pos - x->line_start) + 1;
}

static enum conf_tok bad(struct conf_lex *x, const char *why)
{
	conf_error_at(x->ce, x->name, x->line, column_of(x), "%s", why);
	return TOK_BAD;
}

void conf_lex_skip_line(struct conf_lex *x)
{
	size_t lf = view_chr(x->text, '\n', x->pos);

	x->colon_next = false;
	x->pos = lf == (size_t)-1 ? x->text.n : lf;
}

/* Blanks, a comment, continued lines. */
static void skip_blank(struct conf_lex *x)
{
	size_t eol;
	int c;

	for (;;) {
		c = at(x, 0);
		if (c == ' ' || c == '\t') {
			x->pos++;
		} else if (c == '\\' && (eol = eol_here(x, 1)) > 0) {
			x->pos++;
			next_line(x, eol);
		} else if (c == '#') {
			while (at(x, 0) >= 0 && eol_here(x, 0) == 0)
				x->pos++;
		} else {
			return;
		}
	}
}

/* What ends an unquoted word, besides a backslash before a line end. */
static bool ends_word(int c)
{
	return c < 0 || c == ' ' || c == '\t' || c == '\n' || c == '\r' ||
	    c == '{' || c == '}' || c == ',' || c == '"';
}

/* One character into the word; TOK_BAD when it may not be in the file. */
static enum conf_tok take_char(struct conf_lex *x)
{
	struct view rest = view_sub(x->text, x->pos, x->text.n);
	size_t n = utf8_first(rest, NULL);
	int c = at(x, 0);

	if (n == 0)
		return bad(x, "wanted UTF-8 text");
	if ((c < 0x20 && c != '\t') || c == 0x7f)
		return bad(x, "a control character");
	buf_put(&x->word, rest.p, n);
	x->pos += n;
	return TOK_WORD;
}

static enum conf_tok read_quoted(struct conf_lex *x)
{
	int c;

	x->quoted = true;
	x->pos++;
	for (;;) {
		c = at(x, 0);
		if (c < 0 || eol_here(x, 0) > 0)
			return bad(x, "wanted the closing quote before the "
			    "end of the line");
		if (c == '"')
			break;
		if (c == '\\') {
			x->pos++;
			c = at(x, 0);
			if (c != '"' && c != '\\')
				return bad(x, "wanted \\\" or \\\\ after the "
				    "backslash");
		}
		if (take_char(x) == TOK_BAD)
			return TOK_BAD;
	}
	x->pos++;
	c = at(x, 0);
	if (!ends_word(c) && c != ':' && c != '#' &&
	    !(c == '\\' && eol_here(x, 1) > 0))
		return bad(x, "wanted a blank after the closing quote");
	if (c == '"')
		return bad(x, "wanted a blank between quoted strings");
	return TOK_WORD;
}

static enum conf_tok read_plain(struct conf_lex *x)
{
	struct buf *b = &x->word;

	if (at(x, 0) == ',') {
		buf_putc(b, ',');
		x->pos++;
		return TOK_WORD;
	}
	while (!ends_word(at(x, 0)) &&
	    !(at(x, 0) == '\\' && eol_here(x, 1) > 0))
		if (take_char(x) == TOK_BAD)
			return TOK_BAD;
	if (at(x, 0) == '"')
		return bad(x, "wanted a blank before the quote");
	if (at(x, 0) == '\r' && eol_here(x, 0) == 0)
		return bad(x, "a control character");
	/* "banks:" is two words; "::", "fe80::" are addresses */
	if (b->n > 1 && b->p[b->n - 1] == ':' && b->p[b->n - 2] != ':') {
		b->p[--b->n] = '\0';
		x->colon_next = true;
	}
	return TOK_WORD;
}

static enum conf_tok read_word(struct conf_lex *x)
{
	enum conf_tok t;

	t = at(x, 0) == '"' ? read_quoted(x) : read_plain(x);
	if (t == TOK_WORD && x->word.failed)
		return bad(x, "a word that is too long");
	return t;
}

enum conf_tok conf_lex_next(struct conf_lex *x)
{
	int c;

	buf_clear(&x->word);
	x->quoted = false;
	if (x->colon_next) {
		x->colon_next = false;
		x->tok_column = column_of(x) - 1;
		buf_putc(&x->word, ':');
		return TOK_WORD;
	}
	skip_blank(x);
	x->tok_line = x->line;
	x->tok_column = column_of(x);
	c = at(x, 0);
	if (c < 0)
		return TOK_EOF;
	if (eol_here(x, 0) > 0) {
		next_line(x, eol_here(x, 0));
		return TOK_EOL;
	}
	if (c == '{' || c == '}') {
		x->pos++;
		return c == '{' ? TOK_OPEN : TOK_CLOSE;
	}
	return read_word(x);
}
