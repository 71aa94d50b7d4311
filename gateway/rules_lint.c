/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Remarks about single lines and names; those about the order of lines are
 * in rules_order.c.
 */
#include "gateway/rules_lint.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/rules_lint_int.h"

void lint_put(const struct lint *l, const char *kind,
    const struct rule_ref *about, int other, struct buf *text)
{
	const struct rules_remark x = {kind, about->file, about->line, other,
	    buf_str(text)};

	l->say(l->arg, &x);
	buf_free(text);
}

const char *lint_who(const struct who *w, char *dst, size_t size)
{
	struct buf b;

	buf_init(&b, size);
	buf_printf(&b, "%s%s", w->kind == WHO_ADDRESS ? ""
	    : w->kind == WHO_DOMAIN ? "@" : "@*.", w->text);
	text_set(dst, size, buf_str(&b));
	buf_free(&b);
	return dst;
}

/* ---- names that nobody uses ---- */

static void mark(const struct rules *r, const struct who_set *s, bool *used)
{
	for (size_t i = 0; i < s->groups; i++)
		if (s->group[i]->number < r->groups)
			used[s->group[i]->number] = true;
}

static void mark_rules(const struct rules *r, const struct rule *rule,
    size_t n, bool *used)
{
	for (size_t i = 0; i < n; i++) {
		mark(r, &rule[i].cond.from, used);
		mark(r, &rule[i].cond.to, used);
		mark(r, &rule[i].cond.envelope_from, used);
	}
}

static int unused_groups(const struct lint *l, struct err *e)
{
	const struct rules *r = l->r;
	bool *used = calloc(r->groups + 1, sizeof(*used));

	if (used == NULL)
		return err_set(e, FAIL_TEMP, "rules: out of memory");
	mark_rules(r, r->rule, r->n, used);
	mark_rules(r, r->also, r->alsos, used);
	for (size_t g = 0; g < r->groups; g++)
		mark(r, r->group[g].set, used);
	for (size_t g = 0; g < r->groups; g++) {
		const struct rule_ref at = {.file = r->group[g].file,
		    .line = r->group[g].line};

		if (!used[g])
			lint_say(l, "unused-group", &at, 0, "group %s is not "
			    "used in any line", r->group[g].name);
	}
	free(used);
	return 0;
}

static bool names_profile(const struct rule *rule, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (rule[i].treatment.profile != NULL &&
		    strcmp(rule[i].treatment.profile, name) == 0)
			return true;
	return false;
}

/* "profile B A, ..." starts from A. */
static bool is_started_from(const struct rules *r, const char *name)
{
	for (size_t i = 0; i < r->conf->stmts; i++)
		if (rules_word_is(&r->conf->stmt[i], 0, "profile") &&
		    rules_word_is(&r->conf->stmt[i], 2, name))
			return true;
	return false;
}

static void unused_profiles(const struct lint *l)
{
	const struct rules *r = l->r;

	for (size_t i = 0; i < r->profiles; i++) {
		const struct profile *p = &r->profile[i];
		const struct rule_ref at = {.file = p->file,
		    .line = p->line};

		if (!names_profile(r->rule, r->n, p->name) &&
		    !names_profile(r->also, r->alsos, p->name) &&
		    !is_started_from(r, p->name))
			lint_say(l, "unused-profile", &at, 0, "profile %s is "
			    "not used in any line", p->name);
	}
}

/* ---- what stands twice ---- */

static int compare_refs(const void *va, const void *vb)
{
	const struct rule_ref *a = va, *b = vb;
	int c = strcmp(a->text, b->text);

	return c != 0 ? c : a->line < b->line ? -1 : a->line > b->line;
}

static int same_also_lines(const struct lint *l, struct err *e)
{
	const struct rules *r = l->r;
	struct rule_ref *ref = calloc(r->alsos + 1, sizeof(*ref));

	if (ref == NULL)
		return err_set(e, FAIL_TEMP, "rules: out of memory");
	for (size_t i = 0; i < r->alsos; i++)
		ref[i] = r->also[i].ref;
	qsort(ref, r->alsos, sizeof(*ref), compare_refs);
	for (size_t i = 1; i < r->alsos; i++)
		if (strcmp(ref[i].text, ref[i - 1].text) == 0)
			lint_say(l, "twice", &ref[i], ref[i - 1].line,
			    "line %d says the same", ref[i - 1].line);
	free(ref);
	return 0;
}

/* Members of a set, sorted: the index has done it. */
static void same_members(const struct lint *l)
{
	const struct rules *r = l->r;
	char who[400];

	for (size_t g = 0; g < r->groups; g++) {
		const struct who_set *s = r->group[g].set;
		const struct rule_ref at = {.file = r->group[g].file,
		    .line = r->group[g].line};

		for (size_t i = 1; s->is_sorted && i < s->n; i++)
			if (who_compare(&s->who[i], s->who[i - 1].kind,
			    s->who[i - 1].text) == 0)
				lint_say(l, "twice", &at, 0, "%s is in group "
				    "%s twice", lint_who(&s->who[i], who,
				    sizeof(who)), r->group[g].name);
	}
}

/* ---- also lines that do nothing ---- */

#define DIFFERENT_MAX 64 /* treatments; with more nothing is said */

struct different {
	const struct treatment *t[DIFFERENT_MAX];
	struct buf text[DIFFERENT_MAX];
	size_t n;
	bool is_much;
};

static void collect(struct different *k, const struct treatment *t)
{
	struct buf b;

	buf_init(&b, 65536);
	treatment_print(t, &b);
	for (size_t i = 0; i < k->n; i++)
		if (view_eq(buf_view(&b), buf_view(&k->text[i]))) {
			buf_free(&b);
			return;
		}
	if (k->n == DIFFERENT_MAX) {
		k->is_much = true;
		buf_free(&b);
		return;
	}
	k->t[k->n] = t;
	k->text[k->n++] = b;
}

static bool adds(const struct different *k, const struct rule *also)
{
	const char *given_up;

	for (size_t i = 0; i < k->n; i++) {
		struct treatment t = *k->t[i];

		if (treatment_strengthen(&t, also, &given_up))
			return true;
	}
	return false;
}

static void idle_also_lines(const struct lint *l, enum direction d)
{
	const struct treatment pass = {.pass = true};
	const struct rules *r = l->r;
	struct different k = {.n = 0};
	bool has_also = false;

	for (size_t i = 0; i < r->alsos; i++)
		has_also = has_also || r->also[i].direction == d;
	for (size_t i = 0; i < r->n && has_also && !k.is_much; i++)
		if (r->rule[i].direction == d)
			collect(&k, &r->rule[i].treatment);
	if (k.n == 0)
		collect(&k, &pass);
	for (size_t i = 0; i < r->alsos && !k.is_much; i++)
		if (r->also[i].direction == d &&
		    !r->also[i].treatment.remove_trigger &&
		    !adds(&k, &r->also[i]))
			lint_say(l, "adds-nothing", &r->also[i].ref, 0,
			    "every %s line has all of this already",
			    direction_str(d));
	for (size_t i = 0; i < k.n; i++)
		buf_free(&k.text[i]);
}

/* ---- domains ---- */

static bool is_local_domain(const struct config *c, const char *d)
{
	for (size_t i = 0; i < c->domains; i++)
		if (strcmp(c->domain[i], d) == 0)
			return true;
	return false;
}

static bool has_local_below(const struct config *c, const char *d)
{
	size_t n = strlen(d);

	for (size_t i = 0; i < c->domains; i++) {
		size_t m = strlen(c->domain[i]);

		if (m > n && c->domain[i][m - n - 1] == '.' &&
		    strcmp(c->domain[i] + m - n, d) == 0)
			return true;
	}
	return false;
}

static bool is_local_who(const struct config *c, const struct who *w)
{
	const char *at = strrchr(w->text, '@');

	if (w->kind == WHO_SUBDOMAINS)
		return has_local_below(c, w->text);
	return is_local_domain(c, w->kind == WHO_ADDRESS && at != NULL
	    ? at + 1 : w->text);
}

/* Whose mail can never be of this direction. Of @*.d nobody knows all. */
static const struct who *find_stranger(const struct config *c,
    enum direction d, const struct who_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		bool is_out = d == DIR_OUTBOUND;

		if (is_local_who(c, &s->who[i]) == is_out &&
		    !(is_out && s->who[i].kind == WHO_SUBDOMAINS))
			return &s->who[i];
	}
	return NULL;
}

static void strange_domains(const struct lint *l, const struct rule *rule,
    size_t n)
{
	char who[400];

	for (size_t i = 0; i < n && l->c != NULL; i++) {
		const struct who_set *s = &rule[i].cond.to;
		const struct who *w = find_stranger(l->c, rule[i].direction,
		    s);

		for (size_t g = 0; g < s->groups && w == NULL; g++)
			w = find_stranger(l->c, rule[i].direction,
			    s->group[g]);
		if (w != NULL)
			lint_say(l, "unknown-domain", &rule[i].ref, 0,
			    "%s is %sof local-domains, so no %s mail is to it",
			    lint_who(w, who, sizeof(who)),
			    rule[i].direction == DIR_OUTBOUND ? "" : "not ",
			    direction_str(rule[i].direction));
	}
}

/* ---- all ---- */

static void open_end(const struct lint *l)
{
	for (size_t i = 0; i < l->r->n; i++)
		if (l->r->rule[i].is_last && l->r->rule[i].treatment.pass &&
		    l->r->rule[i].direction == DIR_OUTBOUND)
			lint_say(l, "passes-all", &l->r->rule[i].ref, 0,
			    "whatever no line above names leaves as it is, "
			    "neither signed nor encrypted");
}

int rules_lint(const struct rules *r, const struct config *c, rules_say *say,
    void *arg, struct err *e)
{
	const struct lint l = {r, c, say, arg};

	if (unused_groups(&l, e) != 0 || same_also_lines(&l, e) != 0)
		return -1;
	lint_order(&l);
	unused_profiles(&l);
	same_members(&l);
	for (int d = DIR_OUTBOUND; d <= DIR_INTERNAL; d++)
		idle_also_lines(&l, (enum direction)d);
	strange_domains(&l, r->rule, r->n);
	strange_domains(&l, r->also, r->alsos);
	open_end(&l);
	return 0;
}
