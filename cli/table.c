/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tables for people: columns aligned by characters, not octets.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "util/utf8.h"

#define GAP 2

struct table {
	size_t columns;
	char **cell; /* owned; rows one after the other */
	size_t n;
	size_t size;
	bool failed;
};

struct table *table_new(size_t columns)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t != NULL)
		t->columns = columns;
	return t;
}

struct table *table_of(const char *const *head, size_t columns)
{
	struct table *t = table_new(columns);
	size_t i;

	for (i = 0; t != NULL && i < columns; i++)
		table_cell(t, head[i]);
	return t;
}

void table_cell(struct table *t, const char *text)
{
	size_t size = t->size == 0 ? 64 : 2 * t->size;
	char **bigger, *p;

	if (t->n == t->size) {
		bigger = realloc(t->cell, size * sizeof(*bigger));
		if (bigger == NULL) {
			t->failed = true;
			return;
		}
		t->cell = bigger;
		t->size = size;
	}
	p = strdup(text);
	if (p == NULL) {
		t->failed = true;
		return;
	}
	t->cell[t->n++] = p;
	/* What is shown must not move the cursor. */
	utf8_mask(p);
}

static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

int table_print(const struct table *t, struct buf *out)
{
	size_t *wide = calloc(t->columns, sizeof(*wide));
	size_t i, column, w;

	if (wide == NULL || t->failed) {
		free(wide);
		return -1;
	}
	for (i = 0; i < t->n; i++) {
		w = width(t->cell[i]);
		if (w > wide[i % t->columns])
			wide[i % t->columns] = w;
	}
	for (i = 0; i < t->n; i++) {
		column = i % t->columns;
		buf_puts(out, t->cell[i]);
		if (column + 1 == t->columns || i + 1 == t->n) {
			buf_putc(out, '\n');
			continue;
		}
		for (w = width(t->cell[i]); w < wide[column] + GAP; w++)
			buf_putc(out, ' ');
	}
	free(wide);
	return 0;
}

void table_free(struct table **t)
{
	size_t i;

	if (*t == NULL)
		return;
	for (i = 0; i < (*t)->n; i++)
		free((*t)->cell[i]);
	free((*t)->cell);
	free(*t);
	*t = NULL;
}
