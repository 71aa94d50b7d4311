/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tokens to a tree of statements, with includes. Neither files nor blocks
 * recurse: both are stacks with caps.
 */
#include "util/conf.h"

#include <stdlib.h>
#include <string.h>

#include "util/caps.h"
#include "util/conf_int.h"
#include "util/proc.h"

#define CONF_PATH_MAX 4096

/* Statements of an open block, or of the top. */
struct level {
	struct conf_stmt *stmt;
	size_t n;
	size_t size;
	int line; /* of the opening brace */
};

struct source {
	struct conf_lex lex;
	struct buf text;
	size_t depth; /* blocks open when the file began */
};

struct parser {
	struct conf *c;
	struct conf_errors *ce;
	struct level level[CAP_CONF_BLOCKS + 1];
	size_t depth; /* of the innermost level */
	struct source src[CAP_CONF_INCLUDE + 1];
	size_t srcs;
	/* the statement being read */
	struct conf_stmt st;
	size_t word_size;
	bool closed; /* the token before was a } */
};

static struct source *top(struct parser *p)
{
	return &p->src[p->srcs - 1];
}

static void free_words(struct conf_stmt *st)
{
	size_t i;

	for (i = 0; i < st->words; i++)
		free(st->word[i].s);
	free(st->word);
	memset(st, 0, sizeof(*st));
}

/* Free a list of statements; depth is capped, so the walk is a stack. */
static void free_stmts(struct conf_stmt *stmt, size_t n)
{
	struct {
		struct conf_stmt *stmt;
		size_t n, i;
	} at[CAP_CONF_BLOCKS + 2], *a;
	size_t depth = 0;
	struct conf_stmt *st;

	at[0].stmt = stmt;
	at[0].n = n;
	at[0].i = 0;
	for (;;) {
		a = &at[depth];
		if (a->i == a->n) {
			free(a->stmt);
			if (depth-- == 0)
				return;
			continue;
		}
		st = &a->stmt[a->i++];
		a = &at[++depth];
		a->stmt = st->sub;
		a->n = st->subs;
		a->i = 0;
		free_words(st);
	}
}

void conf_free(struct conf **cp)
{
	struct conf *c = *cp;
	size_t i;

	if (c == NULL)
		return;
	free_stmts(c->stmt, c->stmts);
	for (i = 0; i < c->files; i++)
		free(c->file[i]);
	free(c->file);
	free(c);
	*cp = NULL;
}

/* Room for one more element; sizes double. */
static void *more(void *list, size_t n, size_t *size, size_t each)
{
	size_t want = *size == 0 ? 4 : *size * 2;
	void *p;

	if (n < *size)
		return list;
	p = reallocarray(list, want, each);
	if (p != NULL)
		*size = want;
	return p;
}

static int no_memory(struct parser *p)
{
	conf_error_at(p->ce, p->srcs > 0 ? top(p)->lex.name : "-", 0, 0,
	    "out of memory");
	return -1;
}

/* The name of one more file, owned by the tree. */
static const char *keep_name(struct conf *c, const char *path)
{
	char **list = reallocarray(c->file, c->files + 1, sizeof(*list));

	if (list == NULL)
		return NULL;
	c->file = list;
	c->file[c->files] = strdup(path);
	return c->file[c->files] == NULL ? NULL : c->file[c->files++];
}

static int push_source(struct parser *p, const char *path, struct buf *text,
    struct view v)
{
	const char *name = keep_name(p->c, path);
	struct source *s;

	if (name == NULL)
		return no_memory(p);
	s = &p->src[p->srcs++];
	s->text = *text;
	s->depth = p->depth;
	conf_lex_init(&s->lex, name, v, p->ce);
	return 0;
}

/* Read a file and make it the one that is parsed: 0, or -1 with e set. */
static int push_file(struct parser *p, const char *path, struct err *e)
{
	struct buf text;

	buf_init(&text, CAP_CONF_FILE);
	if (io_read_file(path, &text, e) != 0 ||
	    push_source(p, path, &text, buf_view(&text)) != 0) {
		buf_free(&text);
		return -1;
	}
	return 0;
}

static void pop_source(struct parser *p)
{
	struct source *s = top(p);

	conf_lex_free(&s->lex);
	buf_free(&s->text);
	p->srcs--;
}

/* The path of an included file: relative to the file that includes it. */
static int include_path(const char *from, const char *name, char *dst,
    size_t size)
{
	const char *slash = strrchr(from, '/');
	struct buf b;
	int rc;

	buf_init(&b, CONF_PATH_MAX);
	if (name[0] != '/' && slash != NULL)
		buf_put(&b, from, (size_t)(slash - from) + 1);
	buf_puts(&b, name);
	rc = b.failed ? -1 : view_cstr(buf_view(&b), dst, size);
	buf_free(&b);
	return rc;
}

/* The statement read is an include: push its file. */
static int include_file(struct parser *p)
{
	const struct conf_stmt *st = &p->st;
	char path[CONF_PATH_MAX];
	struct err e = { 0 };

	if (st->words != 2) {
		conf_error(p->ce, st, 1, "include: wanted one file name");
	} else if (p->srcs > CAP_CONF_INCLUDE) {
		conf_error(p->ce, st, 1, "include: more than %d files within "
		    "each other", CAP_CONF_INCLUDE);
	} else if (p->c->files >= CAP_CONF_FILES) {
		conf_error(p->ce, st, 1, "include: more than %d files",
		    CAP_CONF_FILES);
	} else if (include_path(st->file, st->word[1].s, path,
	    sizeof(path)) != 0) {
		conf_error(p->ce, st, 1, "include: the path is too long");
	} else if (push_file(p, path, &e) != 0 && e.kind != 0) {
		conf_error(p->ce, st, 1, "include: %s", e.msg);
	}
	free_words(&p->st);
	return 0;
}

static bool is_include(const struct conf_stmt *st)
{
	return st->words > 0 && !st->word[0].quoted &&
	    strcmp(st->word[0].s, "include") == 0;
}

/* Put the statement read into its list. */
static int keep_stmt(struct parser *p)
{
	struct level *l = &p->level[p->depth];
	struct conf_stmt *list;

	list = more(l->stmt, l->n, &l->size, sizeof(*list));
	if (list == NULL)
		return no_memory(p);
	l->stmt = list;
	list[l->n++] = p->st;
	memset(&p->st, 0, sizeof(p->st));
	p->word_size = 0;
	return 0;
}

/* End of a statement without a block. */
static int end_stmt(struct parser *p)
{
	if (p->st.words == 0)
		return 0;
	p->word_size = 0;
	if (is_include(&p->st))
		return include_file(p);
	return keep_stmt(p);
}

static int add_word(struct parser *p)
{
	struct conf_lex *x = &top(p)->lex;
	struct conf_stmt *st = &p->st;
	struct conf_word *list;
	char *s = view_strdup(buf_view(&x->word));

	list = more(st->word, st->words, &p->word_size, sizeof(*list));
	if (list != NULL)
		st->word = list;
	if (s == NULL || list == NULL) {
		free(s);
		return no_memory(p);
	}
	if (st->words == 0) {
		st->file = x->name;
		st->line = x->tok_line;
	}
	list[st->words].s = s;
	list[st->words].quoted = x->quoted;
	list[st->words].column = x->tok_column;
	st->words++;
	return 0;
}

static int syntax(struct parser *p, const char *why)
{
	struct conf_lex *x = &top(p)->lex;

	conf_error_at(p->ce, x->name, x->tok_line, x->tok_column, "%s", why);
	free_words(&p->st);
	p->word_size = 0;
	return 0;
}

static int open_block(struct parser *p)
{
	int line = top(p)->lex.tok_line;
	struct level *l;

	if (p->st.words == 0)
		(void)syntax(p, "wanted a word before {");
	else if (is_include(&p->st))
		(void)syntax(p, "include: has no block");
	if (p->depth == CAP_CONF_BLOCKS) {
		(void)syntax(p, "too many blocks within each other");
		return -1;
	}
	/* after an error the block is read all the same, for its errors */
	p->st.has_block = true;
	if (keep_stmt(p) != 0)
		return -1;
	l = &p->level[++p->depth];
	memset(l, 0, sizeof(*l));
	l->line = line;
	return 0;
}

/* Hand the statements of the innermost block to their owner. */
static void leave_block(struct parser *p)
{
	struct level *l = &p->level[p->depth--];
	struct level *up = &p->level[p->depth];
	struct conf_stmt *owner = &up->stmt[up->n - 1];

	owner->sub = l->stmt;
	owner->subs = l->n;
	if (owner->words == 0) {
		/* it was an error, reported: no statement without words */
		free_stmts(owner->sub, owner->subs);
		up->n--;
	}
}

static int close_block(struct parser *p)
{
	if (is_include(&p->st))
		(void)syntax(p, "wanted a new line after the include");
	if (end_stmt(p) != 0)
		return -1;
	if (p->depth == top(p)->depth)
		return syntax(p, "a } without its {");
	leave_block(p);
	p->closed = true;
	return 0;
}

static int end_file(struct parser *p)
{
	struct conf_lex *x = &top(p)->lex;
	size_t files = p->srcs;

	if (end_stmt(p) != 0)
		return -1;
	if (p->srcs > files)
		return 0; /* its last line was an include */
	while (p->depth > top(p)->depth) {
		conf_error_at(p->ce, x->name, x->line, 1, "the block of line "
		    "%d has no }", p->level[p->depth].line);
		leave_block(p);
	}
	pop_source(p);
	return 0;
}

static int step(struct parser *p)
{
	enum conf_tok t = conf_lex_next(&top(p)->lex);
	bool closed = p->closed;

	p->closed = false;
	if (closed && (t == TOK_WORD || t == TOK_OPEN)) {
		(void)syntax(p, "wanted a new line after }");
		t = TOK_BAD;
	}
	switch (t) {
	case TOK_WORD:
		return add_word(p);
	case TOK_OPEN:
		return open_block(p);
	case TOK_CLOSE:
		return close_block(p);
	case TOK_EOL:
		return end_stmt(p);
	case TOK_EOF:
		return end_file(p);
	case TOK_BAD:
	default:
		conf_lex_skip_line(&top(p)->lex);
		free_words(&p->st);
		p->word_size = 0;
		return 0;
	}
}

/* Run over all that was pushed and hand out the tree. */
static int parse(struct parser *p, struct conf **out)
{
	while (p->srcs > 0)
		if (step(p) != 0)
			break;
	free_words(&p->st);
	while (p->srcs > 0)
		pop_source(p);
	while (p->depth > 0)
		leave_block(p);
	p->c->stmt = p->level[0].stmt;
	p->c->stmts = p->level[0].n;
	*out = p->c;
	p->c = NULL;
	return p->ce->n > 0 ? -1 : 0;
}

static struct parser *parser_new(struct conf_errors *ce, const char *name)
{
	struct parser *p = calloc(1, sizeof(*p));

	if (p != NULL)
		p->c = calloc(1, sizeof(*p->c));
	if (p == NULL || p->c == NULL) {
		conf_error_at(ce, name, 0, 0, "out of memory");
		free(p);
		return NULL;
	}
	p->ce = ce;
	return p;
}

static void parser_free(struct parser *p)
{
	conf_free(&p->c);
	free(p);
}

int conf_read(struct conf **out, const char *path, struct conf_errors *ce)
{
	struct parser *p = parser_new(ce, path);
	struct err e = { 0 };
	int rc = -1;

	*out = NULL;
	if (p == NULL)
		return -1;
	if (push_file(p, path, &e) == 0) {
		rc = parse(p, out);
	} else {
		if (e.kind != 0)
			conf_error_at(ce, path, 0, 0, "%s", e.msg);
		(void)parse(p, out); /* an empty tree */
	}
	parser_free(p);
	return rc;
}

int conf_read_text(struct conf **out, const char *name, struct view text,
    struct conf_errors *ce)
{
	struct parser *p = parser_new(ce, name);
	struct buf none;
	int rc = -1;

	*out = NULL;
	if (p == NULL)
		return -1;
	buf_init(&none, 0);
	if (push_source(p, name, &none, text) == 0)
		rc = parse(p, out);
	parser_free(p);
	return rc;
}
