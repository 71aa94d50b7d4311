/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Remarks about the order of lines: what an earlier one leaves to nobody, or
 * takes from a later one. The index finds the few lines that can; each pair
 * is then compared by what it says.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/rules_lint_int.h"

/* ---- does one line cover another? ---- */

static bool set_names(const struct who_set *s, enum who_kind kind,
    const char *text)
{
	size_t low = 0, high = s->n;

	for (size_t i = 0; !s->is_sorted && i < s->n; i++)
		if (who_compare(&s->who[i], kind, text) == 0)
			return true;
	while (s->is_sorted && low < high) {
		size_t i = low + (high - low) / 2;
		int c = who_compare(&s->who[i], kind, text);

		if (c == 0)
			return true;
		if (c < 0)
			low = i + 1;
		else
			high = i;
	}
	return false;
}

static const char *domain_of(const struct who *w)
{
	const char *at = strrchr(w->text, '@');

	return w->kind == WHO_ADDRESS && at != NULL ? at + 1 : w->text;
}

/* By a name that stands for more than w. */
static bool is_within(const struct who_set *s, const struct who *w)
{
	const char *d = domain_of(w);

	if (w->kind == WHO_ADDRESS && set_names(s, WHO_DOMAIN, d))
		return true;
	while ((d = strchr(d, '.')) != NULL)
		if (set_names(s, WHO_SUBDOMAINS, ++d))
			return true;
	return false;
}

static bool set_covers(const struct who_set *s, const struct who *w)
{
	return set_names(s, w->kind, w->text) || is_within(s, w);
}

static bool covers_who(const struct who_set *s, const struct who *w)
{
	bool covers = set_covers(s, w);

	for (size_t g = 0; g < s->groups && !covers; g++)
		covers = set_covers(s->group[g], w);
	return covers;
}

static bool names_group(const struct who_set *s, const struct who_set *group)
{
	for (size_t g = 0; g < s->groups; g++)
		if (s->group[g] == group)
			return true;
	return false;
}

static bool covers_set(const struct who_set *a, const struct who_set *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (!covers_who(a, &b->who[i]))
			return false;
	for (size_t g = 0; g < b->groups; g++) {
		const struct who_set *s = b->group[g];

		if (names_group(a, s))
			continue;
		if (s->list != NULL) /* a directory says who that is */
			return false;
		for (size_t i = 0; i < s->n; i++)
			if (!covers_who(a, &s->who[i]))
				return false;
	}
	return true;
}

static bool covers_logins(const struct conditions *a,
    const struct conditions *b)
{
	size_t k;

	if (!a->has_login || (b->has_login && a->logins == 0))
		return true;
	for (size_t i = 0; i < b->logins; i++) {
		for (k = 0; k < a->logins; k++)
			if (strcmp(a->login[k], b->login[i]) == 0)
				break;
		if (k == a->logins)
			return false;
	}
	return b->logins > 0;
}

static bool net_covers(const struct net *a, const struct net *b)
{
	int bits = a->bits;

	if (a->bits > b->bits || memcmp(a->ip, b->ip, (size_t)bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((a->ip[bits / 8] ^ b->ip[bits / 8]) &
	    (0xff << (8 - bits % 8)) & 0xff) == 0;
}

static bool covers_nets(const struct conditions *a,
    const struct conditions *b)
{
	size_t k;

	if (!a->has_network)
		return true;
	for (size_t i = 0; i < b->nets; i++) {
		for (k = 0; k < a->nets; k++)
			if (net_covers(&a->net[k], &b->net[i]))
				break;
		if (k == a->nets)
			return false;
	}
	return b->nets > 0;
}

static bool covers(const struct conditions *a, const struct conditions *b)
{
	if ((a->has_to && !b->has_to) || (a->has_from && !b->has_from) ||
	    (a->has_envelope_from && !b->has_envelope_from))
		return false;
	return covers_logins(a, b) && covers_nets(a, b) &&
	    (!a->has_to || covers_set(&a->to, &b->to)) &&
	    (!a->has_from || covers_set(&a->from, &b->from)) &&
	    (!a->has_envelope_from ||
	    covers_set(&a->envelope_from, &b->envelope_from));
}

/* ---- earlier lines that can ---- */

/* The line in question, and one of those whom it names. */
struct question {
	const struct lint *l;
	size_t line;
	enum posting_field f;
	const struct who *who;
	const struct who_set *group; /* that he is in, or NULL */
	bool (*is_it)(const struct question *q, const struct rule *earlier);
	size_t first; /* the answer; the number of rules: none */
	size_t left;  /* comparisons, for all questions */
};

static void try_line(struct question *q, size_t i)
{
	const struct rules *r = q->l->r;

	if (i >= q->first || i >= q->line || q->left == 0 ||
	    r->rule[i].direction != r->rule[q->line].direction)
		return;
	q->left--;
	if (q->is_it(q, &r->rule[i]))
		q->first = i;
}

static void try_run(struct question *q, const struct posting *p)
{
	for (uint32_t run = p == NULL ? 0 : p->run; run > 0; run--, p++)
		try_line(q, p->n);
}

static void try_name(struct question *q, enum who_kind kind, const char *text)
{
	const struct rules *r = q->l->r;
	unsigned place = POSTING_PLACE(r->rule[q->line].direction, q->f);
	const struct posting *g = rules_index_find(r->index, 0, kind, text);

	try_run(q, rules_index_find(r->index, place, kind, text));
	for (uint32_t i = 0; g != NULL && i < g->run; i++)
		try_run(q, rules_index_find(r->index, place, WHO_GROUP,
		    r->group[g[i].n].name));
}

/* Whatever names q->who. */
static void try_who(struct question *q)
{
	const char *d = domain_of(q->who);

	if (q->l->r->index == NULL)
		return;
	try_name(q, q->who->kind, q->who->text);
	if (q->who->kind == WHO_ADDRESS)
		try_name(q, WHO_DOMAIN, d);
	while ((d = strchr(d, '.')) != NULL)
		try_name(q, WHO_SUBDOMAINS, ++d);
}

/* Lines that name nobody, and all when there is no index. */
static void try_others(struct question *q)
{
	const struct rules *r = q->l->r;
	unsigned place = POSTING_PLACE(r->rule[q->line].direction,
	    POSTING_OTHER);

	if (r->index != NULL)
		try_run(q, rules_index_find(r->index, place, WHO_ADDRESS, ""));
	for (size_t i = 0; r->index == NULL && i < q->line; i++)
		try_line(q, i);
}

static const struct who_set *set_of(const struct conditions *c,
    enum posting_field f)
{
	switch (f) {
	case POSTING_TO:
		return c->has_to ? &c->to : NULL;
	case POSTING_FROM:
		return c->has_from ? &c->from : NULL;
	case POSTING_ENVELOPE_FROM:
		return c->has_envelope_from ? &c->envelope_from : NULL;
	default:
		return NULL;
	}
}

/* Anybody whom the set names. */
static const struct who *any_of(const struct who_set *s)
{
	if (s->n > 0)
		return &s->who[0];
	for (size_t g = 0; g < s->groups; g++)
		if (s->group[g]->n > 0)
			return &s->group[g]->who[0];
	return NULL;
}

/* ---- never reached ---- */

static bool leaves_nothing(const struct question *q,
    const struct rule *earlier)
{
	return covers(&earlier->cond, &q->l->r->rule[q->line].cond);
}

/* Whoever covers the line covers each whom it names: one finds him. */
static bool is_covered(struct question *q)
{
	const struct rule *rule = &q->l->r->rule[q->line];

	q->is_it = leaves_nothing;
	q->first = q->l->r->n;
	for (int f = POSTING_TO; f < POSTING_OTHER; f++) {
		const struct who_set *s = set_of(&rule->cond,
		    (enum posting_field)f);

		q->f = (enum posting_field)f;
		q->who = s == NULL ? NULL : any_of(s);
		if (q->who != NULL)
			try_who(q);
	}
	try_others(q);
	return q->first < q->line;
}

/* ---- somebody taken away ---- */

static bool has_only(const struct conditions *c, enum posting_field f)
{
	return !c->has_login && !c->has_network &&
	    c->has_to == (f == POSTING_TO) &&
	    c->has_from == (f == POSTING_FROM) && !c->has_envelope_from;
}

static const char *treatment_of(const struct rule *rule)
{
	const char *colon = strstr(rule->text, " : ");

	return colon == NULL ? rule->text : colon;
}

/* Who is named himself above is an exception that is meant. */
static bool takes(const struct question *q, const struct rule *earlier)
{
	const struct who_set *s = set_of(&earlier->cond, q->f);

	return s != NULL && has_only(&earlier->cond, q->f) &&
	    !set_names(s, q->who->kind, q->who->text) &&
	    (q->group == NULL || !names_group(s, q->group)) &&
	    covers_who(s, q->who) && strcmp(treatment_of(earlier),
	    treatment_of(&q->l->r->rule[q->line])) != 0;
}

/* The first of the set who is; false: none. */
static bool find_taken(struct question *q, const struct who_set *s,
    const struct who_set *group)
{
	q->is_it = takes;
	q->group = group;
	for (size_t i = 0; i < s->n && q->left > 0; i++) {
		q->first = q->l->r->n;
		q->who = &s->who[i];
		try_who(q);
		try_others(q);
		if (q->first < q->line)
			return true;
	}
	return false;
}

static bool is_taken_from(struct question *q)
{
	const struct rule *rule = &q->l->r->rule[q->line];

	for (int f = POSTING_TO; f <= POSTING_FROM; f++) {
		const struct who_set *s = set_of(&rule->cond,
		    (enum posting_field)f);

		q->f = (enum posting_field)f;
		if (s == NULL)
			continue;
		if (find_taken(q, s, NULL))
			return true;
		for (size_t g = 0; g < s->groups; g++)
			if (find_taken(q, s->group[g], s->group[g]))
				return true;
	}
	return false;
}

static void say_taken(const struct question *q)
{
	const struct rules *r = q->l->r;
	const struct rule_ref *by = &r->rule[q->first].ref;
	const char *group = NULL;
	char who[400];

	for (size_t g = 0; g < r->groups; g++)
		if (r->group[g].set == q->group)
			group = r->group[g].name;
	lint_say(q->l, "order-decides", &r->rule[q->line].ref, by->line,
	    "%s%s%s is decided by line %d, which stands above",
	    lint_who(q->who, who, sizeof(who)), group == NULL ? ""
	    : ", of group ", group == NULL ? "" : group, by->line);
}

#define COMPARISONS 5000000 /* a second or so; then the rest is left out */

void lint_order(const struct lint *l)
{
	struct question q = {.l = l, .left = COMPARISONS};

	for (q.line = 0; q.line < l->r->n; q.line++) {
		const struct rule *rule = &l->r->rule[q.line];

		if (is_covered(&q))
			lint_say(l, "never-matches", &rule->ref,
			    l->r->rule[q.first].ref.line, "never reached: "
			    "line %d matches all of this",
			    l->r->rule[q.first].ref.line);
		else if (!rule->is_last && is_taken_from(&q))
			say_taken(&q);
	}
}
