/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which rules can match an address at all: a table from addresses, domains
 * and groups to the numbers of the rules that name them. It only saves
 * looking at the others; whether a rule matches is decided in rules_match.c.
 */
#include "gateway/rules_int.h"

#include <stdlib.h>
#include <string.h>

#include "util/hash.h"

#define RULES_FEW 8 /* up to here looking at each is as fast */

/* Postings sorted by what they say; slots find the first of those that say
 * the same. */
struct table {
	struct posting *posting;
	size_t n;
	uint32_t *slot; /* number of a posting + 1; 0: free */
	size_t slots;	/* a power of 2, more than n */
	/* which kinds there are at a place: others need no search */
	unsigned char kinds[POSTING_PLACES];
};

struct rules_index {
	struct table rule;  /* where a rule names somebody */
	struct table group; /* who is in a group, at place 0 */
};

static int compare(const void *va, const void *vb)
{
	const struct posting *a = va, *b = vb;
	int c = strcmp(a->text, b->text);

	if (c != 0)
		return c;
	if (a->place != b->place)
		return a->place < b->place ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a->n < b->n ? -1 : a->n > b->n;
}

static bool is_same(const struct posting *a, const struct posting *b)
{
	return a->place == b->place && a->kind == b->kind &&
	    strcmp(a->text, b->text) == 0;
}

static int compare_who(const void *va, const void *vb)
{
	const struct who *a = va, *b = vb;

	return who_compare(a, b->kind, b->text);
}

static size_t hash(unsigned place, enum who_kind kind, const char *text)
{
	uint32_t h = hash_view(HASH_START ^ (place << 8 | (unsigned)kind),
	    view_of(text));

	return h ^ h >> 15;
}

const struct posting *rules_index_find(const struct rules_index *x,
    unsigned place, enum who_kind kind, const char *text)
{
	const struct table *t = place == 0 ? &x->group : &x->rule;
	size_t i;

	if ((t->kinds[place] & 1u << kind) == 0)
		return NULL;
	for (i = hash(place, kind, text);; i++) {
		const struct posting *p;

		i &= t->slots - 1;
		if (t->slot[i] == 0)
			return NULL;
		p = &t->posting[t->slot[i] - 1];
		if (p->place == place && p->kind == kind &&
		    strcmp(p->text, text) == 0)
			return p;
	}
}

/* ---- making it ---- */

static void free_table(struct table *t)
{
	free(t->posting);
	free(t->slot);
}

/* Room for one more; rooms are powers of two. */
static int add(struct table *t, struct posting p)
{
	struct posting *more;

	if ((t->n & (t->n - 1)) == 0) {
		more = reallocarray(t->posting, t->n == 0 ? 1 : t->n * 2,
		    sizeof(*more));
		if (more == NULL)
			return -1;
		t->posting = more;
	}
	t->posting[t->n++] = p;
	return 0;
}

/* Sort, and count at the first of equal ones how many there are. */
static void sort_table(struct table *t)
{
	size_t first = 0;

	if (t->n == 0)
		return;
	qsort(t->posting, t->n, sizeof(*t->posting), compare);
	for (size_t i = 0; i < t->n; i++) {
		if (!is_same(&t->posting[i], &t->posting[first]))
			first = i;
		t->posting[first].run = (uint32_t)(i - first + 1);
	}
}

static int hash_table(struct table *t)
{
	t->slots = 16;
	while (t->slots < t->n * 2)
		t->slots *= 2;
	t->slot = calloc(t->slots, sizeof(*t->slot));
	if (t->slot == NULL)
		return -1;
	for (size_t i = 0; i < t->n; i += t->posting[i].run) {
		const struct posting *p = &t->posting[i];
		size_t s = hash(p->place, p->kind, p->text);

		while (t->slot[s & (t->slots - 1)] != 0)
			s++;
		t->slot[s & (t->slots - 1)] = (uint32_t)i + 1;
		t->kinds[p->place] |= (unsigned char)(1u << p->kind);
	}
	return 0;
}

void who_set_sort(struct who_set *s)
{
	if (s->n > 1 && !s->is_sorted)
		qsort(s->who, s->n, sizeof(*s->who), compare_who);
	s->is_sorted = true;
}

/* All that a set says, but not what its groups say. */
static int add_set(struct table *t, struct who_set *s, unsigned place, size_t n)
{
	who_set_sort(s);
	for (size_t i = 0; i < s->n; i++)
		if (add(t, (struct posting){ s->who[i].text, (uint32_t)n, 1,
		    (unsigned char)place, (unsigned char)s->who[i].kind }) != 0)
			return -1;
	return 0;
}

static int add_condition(struct table *t, const struct rules *r,
    enum direction d, size_t n, struct who_set *s, enum posting_field f)
{
	unsigned place = POSTING_PLACE(d, f);

	if (add_set(t, s, place, n) != 0)
		return -1;
	for (size_t i = 0; i < s->groups; i++)
		if (add(t, (struct posting){ r->group[s->group[i]->number].name,
		    (uint32_t)n, 1, (unsigned char)place, WHO_GROUP }) != 0)
			return -1;
	return 0;
}

/* Nobody's name finds a list that a directory has. */
static bool can_find(const struct who_set *s)
{
	bool can = s->list == NULL;

	for (size_t i = 0; i < s->groups; i++)
		can = can && s->group[i]->list == NULL;
	return can;
}

static int add_rule(struct table *t, const struct rules *r,
    struct rule *rule, size_t n)
{
	struct conditions *c = &rule->cond;
	struct {
		bool has;
		struct who_set *set;
		enum posting_field f;
	} by[] = {
		{c->has_to, &c->to, POSTING_TO},
		{c->has_from, &c->from, POSTING_FROM},
		{c->has_envelope_from, &c->envelope_from,
		    POSTING_ENVELOPE_FROM},
	};
	unsigned place = POSTING_PLACE(rule->direction, POSTING_OTHER);
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(by); i++) {
		if (!by[i].has || !can_find(by[i].set))
			continue;
		found = true;
		if (add_condition(t, r, rule->direction, n, by[i].set,
		    by[i].f) != 0)
			return -1;
	}
	return found ? 0 : add(t, (struct posting){"", (uint32_t)n, 1,
	    (unsigned char)place, WHO_ADDRESS});
}

/*
 * Of a rule with several conditions the one stays that tells it from most
 * others: "from alice@a to @b" among a thousand rules to @b is found by
 * alice. Lists can be long: what counts is the most common one in it.
 */
static int keep_rarest(struct table *t, size_t rules)
{
	uint32_t (*most)[POSTING_FIELDS], run = 0;
	size_t kept = 0;

	most = calloc(rules, sizeof(*most));
	if (most == NULL)
		return -1;
	for (size_t i = 0; i < t->n; i++) {
		const struct posting *p = &t->posting[i];
		uint32_t *m = &most[p->n][p->place % POSTING_FIELDS];

		if (i == 0 || !is_same(p, p - 1))
			run = p->run;
		if (run > *m)
			*m = run;
	}
	for (size_t i = 0; i < t->n; i++) {
		const struct posting *p = &t->posting[i];
		const uint32_t *m = most[p->n];
		unsigned best = p->place % POSTING_FIELDS;

		for (unsigned f = 0; f < POSTING_FIELDS; f++)
			if (m[f] != 0 && (m[f] < m[best] ||
			    (m[f] == m[best] && f < best)))
				best = f;
		if (best == p->place % POSTING_FIELDS)
			t->posting[kept++] = *p;
	}
	t->n = kept;
	free(most);
	return 0;
}

static struct rules_index *make(struct rules *r, struct rule *rule, size_t n)
{
	struct rules_index *x = calloc(1, sizeof(*x)), *made = NULL;

	if (x == NULL)
		return NULL;
	for (size_t i = 0; i < r->groups; i++) {
		if (add_set(&x->group, r->group[i].set, 0, i) != 0)
			goto out;
	}
	for (size_t i = 0; i < n; i++)
		if (add_rule(&x->rule, r, &rule[i], i) != 0)
			goto out;
	sort_table(&x->rule);
	if (keep_rarest(&x->rule, n) != 0)
		goto out;
	sort_table(&x->rule);
	sort_table(&x->group);
	if (hash_table(&x->rule) != 0 || hash_table(&x->group) != 0)
		goto out;
	made = x;
	x = NULL;
out:
	rules_index_free(&x);
	return made;
}

void rules_index_make(struct rules *r)
{
	if (r->n > RULES_FEW && r->n < UINT32_MAX && r->index == NULL)
		r->index = make(r, r->rule, r->n);
}

int rules_index_also(struct rules *r, struct err *e)
{
	if (r->alsos == 0)
		return 0;
	if (r->alsos < UINT32_MAX)
		r->also_index = make(r, r->also, r->alsos);
	if (r->also_index == NULL)
		return err_set(e, FAIL_TEMP, "also lines: out of memory");
	return look_index_make(&r->looks, r, e);
}

void rules_index_free(struct rules_index **xp)
{
	struct rules_index *x = *xp;

	if (x == NULL)
		return;
	free_table(&x->rule);
	free_table(&x->group);
	free(x);
	*xp = NULL;
}
