/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Open addressing with FNV-1a: names come from mail, so a table may be made
 * slow by someone who tries; it ends at TALLY_ROWS, and a probe at PROBES.
 */
#include "cli/tally.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS ((size_t)1 << 17) /* more than twice TALLY_ROWS */
#define PROBES 64

static size_t hash_of(const char *s)
{
	uint64_t h = 14695981039346656037u;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

/* 0 when there is room for one more row. */
static int make_room(struct tally *t)
{
	struct tally_row *bigger;
	size_t size = t->size == 0 ? 64 : t->size * 2;

	if (t->rows >= TALLY_ROWS)
		return -1;
	if (t->rows < t->size)
		return 0;
	bigger = reallocarray(t->row, size, sizeof(*bigger));
	if (bigger == NULL) {
		t->no_memory = true;
		return -1;
	}
	t->row = bigger;
	t->size = size;
	return 0;
}

static struct tally_row *add_row(struct tally *t, size_t slot,
    const char *key)
{
	struct tally_row *r;

	if (make_room(t) != 0)
		return NULL;
	r = &t->row[t->rows];
	memset(r, 0, sizeof(*r));
	r->key = strdup(key);
	if (r->key == NULL) {
		t->no_memory = true;
		return NULL;
	}
	t->slot[slot] = (uint32_t)++t->rows;
	return r;
}

struct tally_row *tally_row(struct tally *t, const char *key)
{
	struct tally_row *r = NULL;
	char name[TALLY_KEY];
	size_t at;

	if (t->slot == NULL) {
		t->slot = calloc(SLOTS, sizeof(*t->slot));
		t->slots = SLOTS;
	}
	if (t->slot == NULL) {
		t->no_memory = true;
		return NULL;
	}
	text_set(name, sizeof(name), key);
	at = hash_of(name) % SLOTS;
	for (int i = 0; i < PROBES && r == NULL; i++, at = (at + 1) % SLOTS) {
		if (t->slot[at] == 0) {
			r = add_row(t, at, name);
			break;
		}
		if (strcmp(t->row[t->slot[at] - 1].key, name) == 0)
			r = &t->row[t->slot[at] - 1];
	}
	if (r == NULL)
		t->left_out++;
	return r;
}

void tally_example(struct tally_row *r, const char *id)
{
	for (size_t i = 0; i < TALLY_EXAMPLES; i++) {
		if (strcmp(r->example[i], id) == 0)
			return;
		if (r->example[i][0] == '\0') {
			text_set(r->example[i], sizeof(r->example[i]), id);
			return;
		}
	}
}

static int by_count(const void *a, const void *b)
{
	const struct tally_row *x = a, *y = b;

	if (x->n[0] != y->n[0])
		return x->n[0] < y->n[0] ? 1 : -1;
	return strcmp(x->key, y->key);
}

void tally_sort(struct tally *t)
{
	if (t->rows > 1)
		qsort(t->row, t->rows, sizeof(*t->row), by_count);
}

void tally_free(struct tally *t)
{
	for (size_t i = 0; i < t->rows; i++)
		free(t->row[i].key);
	free(t->row);
	free(t->slot);
	memset(t, 0, sizeof(*t));
}
