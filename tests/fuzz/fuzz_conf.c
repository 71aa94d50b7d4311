/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: the language of configuration files, and its values. A tree
 * without errors, written down again, is the same tree.
 */
#include "tests/fuzz/fuzz.h"
#include "util/caps.h"
#include "util/conf.h"

/* Includes are relative to it. */
#define NAME "tests/fuzz/fuzz_conf/input"

/* A list of statements that is being gone through. */
struct place {
	const struct conf_stmt *st;
	size_t n, i;
};

struct walk {
	struct place at[CAP_CONF_BLOCKS + 2];
	size_t depth;
};

static void walk_start(struct walk *w, const struct conf *c)
{
	w->at[0] = (struct place){ c->stmt, c->stmts, 0 };
	w->depth = 0;
}

/* The next statement; NULL where a block ends (*over false) or all does. */
static const struct conf_stmt *walk_next(struct walk *w, bool *over)
{
	struct place *p = &w->at[w->depth];
	const struct conf_stmt *st;

	*over = false;
	if (p->i == p->n) {
		*over = w->depth == 0;
		if (!*over)
			w->depth--;
		return NULL;
	}
	st = &p->st[p->i++];
	if (st->has_block) {
		MUST(++w->depth < ARRAY_LEN(w->at));
		w->at[w->depth] = (struct place){ st->sub, st->subs, 0 };
	} else {
		MUST(st->subs == 0 && st->sub == NULL);
	}
	return st;
}

static void check_values(const struct conf_stmt *st)
{
	struct conf_errors ce;
	struct net net;
	uint64_t size;
	int64_t t;
	struct err e;

	conf_errors_init(&ce);
	for (size_t w = 0; w <= st->words; w++) {
		if (conf_size(&ce, st, w, 1, 1u << 30, &size) == 0)
			MUST(size >= 1 && size <= 1u << 30);
		if (conf_time(&ce, st, w, 0, 86400, &t) == 0)
			MUST(t >= 0 && t <= 86400);
		if (conf_int(&ce, st, w, -5, 1000, &t) == 0)
			MUST(t >= -5 && t <= 1000);
		if (w < st->words && net_parse(&net, st->word[w].s, &e) ==
		    0) {
			MUST(net.bits >= 0 && net.bits <= 128);
			(void)net_has(&net, "192.0.2.1");
		}
		if (w < st->words)
			(void)net_has(&(struct net){ { 0 }, 0 },
			    st->word[w].s);
	}
	MUST(!ce.text.failed);
	conf_errors_free(&ce);
}

static void check_tree(const struct conf *c)
{
	const struct conf_stmt *st;
	struct walk w;
	bool over;

	walk_start(&w, c);
	do {
		st = walk_next(&w, &over);
		if (st == NULL)
			continue;
		MUST(st->words > 0 && st->line > 0 && st->file != NULL);
		for (size_t i = 0; i < st->words; i++)
			MUST(st->word[i].s != NULL && st->word[i].column > 0);
		if (st->words < 50)
			check_values(st);
	} while (!over);
}

static void put_word(struct buf *b, const char *s)
{
	buf_putc(b, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			buf_putc(b, '\\');
		buf_putc(b, *s);
	}
	buf_puts(b, "\" ");
}

/* Every word in quotes. */
static void write_tree(const struct conf *c, struct buf *b)
{
	const struct conf_stmt *st;
	struct walk w;
	bool over;

	walk_start(&w, c);
	do {
		st = walk_next(&w, &over);
		if (st == NULL) {
			buf_puts(b, over ? "" : "}\n");
			continue;
		}
		for (size_t i = 0; i < st->words; i++)
			put_word(b, st->word[i].s);
		buf_puts(b, st->has_block ? "{\n" : "\n");
	} while (!over);
}

static void compare_trees(const struct conf *a, const struct conf *b)
{
	const struct conf_stmt *x, *y;
	struct walk v, w;
	bool over, over2;

	walk_start(&v, a);
	walk_start(&w, b);
	do {
		x = walk_next(&v, &over);
		y = walk_next(&w, &over2);
		MUST(over == over2 && (x == NULL) == (y == NULL));
		if (x == NULL)
			continue;
		MUST(x->words == y->words && x->has_block == y->has_block);
		for (size_t i = 0; i < x->words; i++)
			MUST(strcmp(x->word[i].s, y->word[i].s) == 0);
	} while (!over);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct conf *c = NULL, *again = NULL;
	struct conf_errors ce;
	struct buf b;
	int rc;

	if (n > 1u << 16)
		return 0;
	conf_errors_init(&ce);
	buf_init(&b, FUZZ_SPOOL);
	rc = conf_read_text(&c, NAME, view_make(data, n), &ce);
	MUST(c != NULL && !ce.text.failed);
	MUST((rc == 0) == (ce.n == 0));
	check_tree(c);
	if (rc == 0) {
		write_tree(c, &b);
		MUST(!b.failed);
		MUST(conf_read_text(&again, NAME, buf_view(&b), &ce) == 0);
		compare_trees(c, again);
	}
	conf_free(&c);
	conf_free(&again);
	conf_errors_free(&ce);
	buf_free(&b);
	return 0;
}
