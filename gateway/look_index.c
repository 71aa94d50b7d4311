/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which also lines can hold for a message at all, of those that nobody's name
 * finds: each stands under one thing that the message must have, for texts
 * under the four octets of it that the fewest texts have. Whether a line
 * holds is decided in also.c.
 */
#include "gateway/rules_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/verdict.h"

struct look_posting {
	uint64_t key;
	uint32_t line;
};

struct look_index {
	struct look_posting *posting; /* by key, then by line */
	size_t n, size;
	uint64_t *gram; /* of all texts, sorted, while it is made */
	size_t grams, grams_size;
};

static uint64_t add_octets(uint64_t h, const void *p, size_t n)
{
	const unsigned char *c = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ c[i]) * 1099511628211u;
	return h;
}

uint64_t look_key(enum direction d, enum look_by by, const char *name,
    struct view text)
{
	uint64_t h = 14695981039346656037u;
	const unsigned char head[2] = {(unsigned char)d, (unsigned char)by};

	h = add_octets(h, head, sizeof(head));
	for (; name != NULL && *name != '\0'; name++) {
		unsigned char c = (unsigned char)tolower((unsigned char)*name);

		h = add_octets(h, &c, 1);
	}
	h = add_octets(h, "", 1);
	h = add_octets(h, text.p, text.n);
	return h ^ h >> 29;
}

static int compare_postings(const void *va, const void *vb)
{
	const struct look_posting *a = va, *b = vb;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

static int compare_keys(const void *va, const void *vb)
{
	const uint64_t *a = va, *b = vb;

	return *a < *b ? -1 : *a > *b;
}

/* The first posting that is not before key. */
static size_t lower(const struct look_index *x, uint64_t key)
{
	size_t low = 0, high = x->n;

	while (low < high) {
		size_t i = low + (high - low) / 2;

		if (x->posting[i].key < key)
			low = i + 1;
		else
			high = i;
	}
	return low;
}

bool look_index_has(const struct look_index *x, uint64_t key)
{
	size_t i = lower(x, key);

	return i < x->n && x->posting[i].key == key;
}

int look_index_each(const struct look_index *x, uint64_t key,
    int (*visit)(void *arg, uint32_t line), void *arg)
{
	for (size_t i = lower(x, key); i < x->n && x->posting[i].key == key;
	    i++)
		if (visit(arg, x->posting[i].line) != 0)
			return -1;
	return 0;
}

/* ---- making it ---- */

static int add(struct look_index *x, uint64_t key, uint32_t line)
{
	struct look_posting *more;

	if (x->n == x->size) {
		more = reallocarray(x->posting, x->size * 2 + 16,
		    sizeof(*more));
		if (more == NULL)
			return -1;
		x->posting = more;
		x->size = x->size * 2 + 16;
	}
	x->posting[x->n++] = (struct look_posting){key, line};
	return 0;
}

static int note_grams(struct look_index *x, const char *text)
{
	size_t n = strlen(text);
	uint64_t *more;

	for (size_t i = 0; i + LOOK_GRAM <= n; i++) {
		if (x->grams == x->grams_size) {
			more = reallocarray(x->gram, x->grams_size * 2 + 64,
			    sizeof(*more));
			if (more == NULL)
				return -1;
			x->gram = more;
			x->grams_size = x->grams_size * 2 + 64;
		}
		x->gram[x->grams++] = look_key(0, LOOK_ALWAYS, NULL,
		    view_make(text + i, LOOK_GRAM));
	}
	return 0;
}

static int note_texts(struct look_index *x, const struct look *l)
{
	for (size_t i = 0; i < l->subjects; i++)
		if (note_grams(x, l->subject[i]) != 0)
			return -1;
	for (size_t i = 0; l->headers > 0 && i < l->header[0].texts; i++)
		if (note_grams(x, l->header[0].text[i]) != 0)
			return -1;
	return 0;
}

static size_t count_gram(const struct look_index *x, uint64_t key)
{
	const uint64_t *p = bsearch(&key, x->gram, x->grams, sizeof(key),
	    compare_keys);
	size_t n = 1;

	if (p == NULL)
		return 0;
	for (const uint64_t *q = p; q > x->gram && q[-1] == key && n < 1000;
	    q--)
		n++;
	for (const uint64_t *q = p; q + 1 < x->gram + x->grams &&
	    q[1] == key && n < 1000; q++)
		n++;
	return n;
}

/* The octets of text that tell it from most others; all, if it is short. */
static struct view rarest(const struct look_index *x, const char *text)
{
	struct view v = view_of(text), best = v, gram;
	size_t least = SIZE_MAX, n;

	for (size_t i = 0; i + LOOK_GRAM <= v.n && least > 1; i++) {
		gram = view_sub(v, i, LOOK_GRAM);
		n = count_gram(x, look_key(0, LOOK_ALWAYS, NULL, gram));
		if (n < least) {
			least = n;
			best = gram;
		}
	}
	return best;
}

/* What is too short for the index is found whatever the text. */
static int add_texts(struct look_index *x, const struct rule *rule,
    uint32_t line)
{
	const struct look *l = &rule->look;
	bool is_subject = l->subjects > 0;
	const char *name = is_subject ? NULL : l->header[0].name;
	enum look_by by = is_subject ? LOOK_SUBJECT : LOOK_HEADER;
	size_t n = is_subject ? l->subjects : l->header[0].texts;
	const struct view none = view_of("");

	if (n == 0)
		return add(x, look_key(rule->direction, LOOK_FIELD, name,
		    none), line);
	for (size_t i = 0; i < n; i++) {
		const char *text = is_subject ? l->subject[i]
		    : l->header[0].text[i];
		bool is_short = strlen(text) < LOOK_GRAM;

		if (!is_subject && !is_short &&
		    add(x, look_key(rule->direction, LOOK_TEXTS, name, none),
		    line) != 0)
			return -1;
		if (add(x, is_short && is_subject
		    ? look_key(rule->direction, LOOK_ALWAYS, NULL, none)
		    : is_short ? look_key(rule->direction, LOOK_FIELD, name,
		    none) : look_key(rule->direction, by, name,
		    rarest(x, text)), line) != 0)
			return -1;
	}
	return 0;
}

static int add_line(struct look_index *x, const struct rule *rule,
    uint32_t line)
{
	const struct look *l = &rule->look;
	enum direction d = rule->direction;

	if (l->subjects > 0 || l->headers > 0)
		return add_texts(x, rule, line);
	for (unsigned c = CLASS_NORMAL; c <= CLASS_LIST; c++) {
		const char digit[2] = {(char)('a' + c), '\0'};

		if ((l->classes & 1u << c) != 0 &&
		    add(x, look_key(d, LOOK_CLASS, digit, view_of("")),
		    line) != 0)
			return -1;
	}
	if (l->classes != 0)
		return 0;
	for (size_t i = 0; i < l->kinds; i++)
		if (add(x, look_key(d, LOOK_KIND, NULL, view_of(l->kind[i])),
		    line) != 0)
			return -1;
	return l->kinds > 0
	    ? add(x, look_key(d, LOOK_KINDS, NULL, view_of("")), line)
	    : add(x, look_key(d, LOOK_ALWAYS, NULL, view_of("")), line);
}

static int add_lines(struct look_index *x, const struct rules *r)
{
	for (size_t i = 0; i < r->alsos; i++)
		if (note_texts(x, &r->also[i].look) != 0)
			return -1;
	if (x->grams > 1)
		qsort(x->gram, x->grams, sizeof(*x->gram), compare_keys);
	for (int d = DIR_OUTBOUND; d <= DIR_INTERNAL; d++) {
		const struct posting *p = rules_index_find(r->also_index,
		    POSTING_PLACE(d, POSTING_OTHER), WHO_ADDRESS, "");

		for (uint32_t run = p == NULL ? 0 : p->run; run > 0;
		    run--, p++)
			if (add_line(x, &r->also[p->n], p->n) != 0)
				return -1;
	}
	if (x->n > 1)
		qsort(x->posting, x->n, sizeof(*x->posting),
		    compare_postings);
	return 0;
}

int look_index_make(struct look_index **out, const struct rules *r,
    struct err *e)
{
	struct look_index *x = calloc(1, sizeof(*x));

	*out = NULL;
	if (x == NULL || add_lines(x, r) != 0) {
		look_index_free(&x);
		return err_set(e, FAIL_TEMP, "also lines: out of memory");
	}
	free(x->gram);
	x->gram = NULL;
	*out = x;
	return 0;
}

void look_index_free(struct look_index **xp)
{
	if (*xp == NULL)
		return;
	free((*xp)->posting);
	free((*xp)->gram);
	free(*xp);
	*xp = NULL;
}
