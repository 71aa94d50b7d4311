/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The rules file: groups, profiles, lines; what a file must have as a
 * whole. Conditions are in rules_cond.c, treatments in treatment.c.
 */
#include "gateway/rules.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/config_int.h"
#include "gateway/lists.h"
#include "gateway/rules_int.h"

const char *direction_str(enum direction d)
{
	switch (d) {
	case DIR_OUTBOUND:
		return "outbound";
	case DIR_INBOUND:
		return "inbound";
	case DIR_INTERNAL:
		return "internal";
	}
	return "mixed";
}

static enum direction direction_at(const struct conf_stmt *st, size_t w)
{
	for (int d = DIR_OUTBOUND; d <= DIR_INTERNAL; d++)
		if (rules_word_is(st, w, direction_str((enum direction)d)))
			return (enum direction)d;
	return 0;
}

/* Words of lines and conditions may not name a group or a profile; the words
 * of writing.c may, but a profile's line takes them for themselves. */
static bool is_reserved(const char *s)
{
	static const char *const word[] = {"from", "to", "envelope-from",
		"authenticated", "network", "subject", "header", "attachment",
		"size", "class", "file", "group", "profile", "also", "or",
		"outbound", "inbound", "internal", ":", ","};

	for (size_t i = 0; i < ARRAY_LEN(word); i++)
		if (strcmp(word[i], s) == 0)
			return true;
	return strchr(s, '@') != NULL || *s == '\0';
}

static int check_name(const struct conf_stmt *st, struct conf_errors *ce)
{
	if (st->words < 2 || is_reserved(st->word[1].s)) {
		conf_error(ce, st, st->words < 2 ? 0 : 1,
		    "%s: expected a name that is no word of the language",
		    st->word[0].s);
		return -1;
	}
	return 0;
}

/* ldap DIRECTORY "FILTER" [address ATTRIBUTE]: who the members are, a
 * directory says. */
static void parse_list(struct rules *r, struct group *g,
    const struct conf_stmt *st, struct conf_errors *ce)
{
	void *a = (void *)(uintptr_t)r->list;
	const struct list_source **slot;
	char name[LIST_NAME_SIZE];
	struct err e = {0};

	g->source = calloc(1, sizeof(*g->source));
	slot = conf_grow(&a, &r->lists, sizeof(*slot), st, ce);
	r->list = a;
	if (g->source == NULL || slot == NULL) {
		r->lists -= slot != NULL;
		conf_error(ce, st, 0, "out of memory");
		return;
	}
	*slot = g->source;
	if (lists_words(g->source, LIST_GROUP, st, 3, ce) != 0)
		return;
	if (r->config != NULL && lists_check(r->config, g->source, &e) != 0)
		conf_error(ce, st, 3, "group %s: %s", g->name, e.msg);
	lists_name(g->source, name);
	g->list_name = strdup(name);
	if (g->list_name == NULL)
		conf_error(ce, st, 0, "out of memory");
	g->set->list = g->list_name;
	g->set->name = g->name;
}

static void parse_group(struct rules *r, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct who_set *set;
	struct group *g;
	void *a = r->group;
	size_t w;

	if (check_name(st, ce) != 0)
		return;
	if (rules_group(r, st->word[1].s) != NULL)
		conf_error(ce, st, 1, "group %s stands in line %d already",
		    st->word[1].s, rules_group(r, st->word[1].s)->line);
	set = calloc(1, sizeof(*set));
	if (set == NULL) {
		conf_error(ce, st, 0, "out of memory");
		return;
	}
	if (rules_word_is(st, 2, "ldap"))
		w = st->words;
	else
		w = rules_parse_who(r, set, st, 2, ce);
	if (w < st->words)
		conf_error(ce, st, w, "group: expected addresses, found %s",
		    st->word[w].s);
	g = conf_grow(&a, &r->groups, sizeof(*g), st, ce);
	r->group = a;
	if (g == NULL) {
		who_set_free(set);
		free(set);
		return;
	}
	g->name = st->word[1].s;
	g->set = set;
	g->file = st->file;
	g->line = st->line;
	set->number = r->groups - 1;
	who_set_sort(set);
	if (rules_word_is(st, 2, "ldap"))
		parse_list(r, g, st, ce);
}

const struct writing_words *rules_profile(const struct rules *r,
    const char *name, int *line)
{
	*line = 0;
	for (size_t i = 0; i < r->profiles; i++)
		if (strcmp(r->profile[i].name, name) == 0) {
			*line = r->profile[i].line;
			return &r->profile[i].words;
		}
	return writing_builtin(name);
}

static bool is_new_profile(const struct rules *r, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	int line;

	if (check_name(st, ce) != 0)
		return false;
	if (rules_profile(r, st->word[1].s, &line) == NULL)
		return true;
	if (line == 0)
		conf_error(ce, st, 1, "profile %s comes with the program: "
		    "choose another name", st->word[1].s);
	else
		conf_error(ce, st, 1, "profile %s stands in line %d already",
		    st->word[1].s, line);
	return false;
}

/* A word and its value, or (first alone) a profile to start from, at w;
 * returns the index after it. */
static size_t parse_profile_word(const struct rules *r,
    struct writing_words *own, struct writing_base *base,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce)
{
	int line;

	if (writing_parse(own, st, &w, ce))
		return w;
	if (w == 2) {
		base->name = st->word[w].s;
		base->words = rules_profile(r, base->name, &line);
	}
	if (w == 2 && base->words != NULL)
		return w + 1;
	conf_error(ce, st, w, "profile: expected %s" WRITING_SIGNS ", "
	    WRITING_ENCRYPTS ", found %s",
	    w == 2 ? WRITING_PROFILES ", a profile above, " : "",
	    st->word[w].s);
	while (w < st->words && !rules_word_is(st, w, ","))
		w++;
	return w;
}

static void parse_profile_words(const struct rules *r,
    struct writing_words *out, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct writing_base base = {NULL, NULL};
	struct writing_words own = {{NULL}};

	if (st->words < 3)
		conf_error(ce, st, 1, "profile: expected " WRITING_PROFILES
		    " or words as digest sha-256");
	for (size_t w = 2; w < st->words;) {
		w = parse_profile_word(r, &own, &base, st, w, ce);
		if (w < st->words && !rules_word_is(st, w, ",")) {
			conf_error(ce, st, w, "expected a comma, found %s",
			    st->word[w].s);
			return;
		}
		if (++w == st->words)
			conf_error(ce, st, w - 1,
			    "profile: expected a word after the comma");
	}
	writing_combine(out, &base, &own, st, ce);
}

static void parse_profile(struct rules *r, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct profile *p, own = {0};
	void *a = r->profile;

	if (!is_new_profile(r, st, ce))
		return;
	own.name = st->word[1].s;
	own.file = st->file;
	own.line = st->line;
	parse_profile_words(r, &own.words, st, ce);
	p = conf_grow(&a, &r->profiles, sizeof(*p), st, ce);
	r->profile = a;
	if (p != NULL)
		*p = own;
}

/* The line as people read it: words apart by one blank. */
static char *sentence(const struct conf_stmt *st)
{
	struct buf b;
	char *s = NULL;

	buf_init(&b, CAP_CONF_FILE);
	for (size_t w = 0; w < st->words; w++) {
		if (w != 0 && !rules_word_is(st, w, ","))
			buf_putc(&b, ' ');
		if (st->word[w].quoted)
			buf_printf(&b, "\"%s\"", st->word[w].s);
		else
			buf_puts(&b, st->word[w].s);
	}
	if (!b.failed)
		s = strdup(buf_str(&b));
	buf_free(&b);
	return s;
}

static void rule_wipe(struct rule *rule)
{
	conditions_free(&rule->cond);
	look_free(&rule->look);
	free(rule->text);
}

static void refer(struct rule *rule, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	rule->text = sentence(st);
	if (rule->text == NULL)
		conf_error(ce, st, 0, "out of memory");
	rule->ref.file = st->file;
	rule->ref.line = st->line;
	rule->ref.has_from = rule->cond.has_from;
	rule->ref.text = rule->text;
	rule->ref.has_from = rule->cond.has_from;
}

static void parse_also(struct rules *r, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	enum direction d = direction_at(st, 1);
	struct rule *rule;
	void *a = r->also;
	size_t w;

	if (d == 0) {
		conf_error(ce, st, st->words > 1,
		    "also: expected outbound, inbound or internal");
		return;
	}
	rule = conf_grow(&a, &r->alsos, sizeof(*rule), st, ce);
	r->also = a;
	if (rule == NULL)
		return;
	rule->direction = d;
	w = rules_parse_conditions(r, rule, true, st, 2, ce);
	if (w < st->words)
		rules_parse_treatments(r, rule, true, st, w + 1, ce);
	refer(rule, st, ce);
}

static void parse_rule(struct rules *r, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct rule *rule;
	void *a = r->rule;
	size_t w;
	int *last;

	rule = conf_grow(&a, &r->n, sizeof(*rule), st, ce);
	r->rule = a;
	if (rule == NULL)
		return;
	rule->direction = direction_at(st, 0);
	w = rules_parse_conditions(r, rule, false, st, 1, ce);
	if (w < st->words)
		rules_parse_treatments(r, rule, false, st, w + 1, ce);
	refer(rule, st, ce);
	last = &r->last[rule->direction];
	if (*last != 0)
		conf_error(ce, st, 0,
		    "never reached: the %s line %d has no conditions",
		    direction_str(rule->direction), *last);
	else if (rule->is_last)
		*last = st->line;
}

static void parse_stmt(struct rules *r, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	char q[ERR_QUOTED];
	const char *s = st->word[0].s;

	if (st->has_block)
		conf_error(ce, st, 0, "rules have no blocks in braces");
	else if (rules_word_is(st, 0, "group"))
		parse_group(r, st, ce);
	else if (rules_word_is(st, 0, "profile"))
		parse_profile(r, st, ce);
	else if (rules_word_is(st, 0, "also"))
		parse_also(r, st, ce);
	else if (direction_at(st, 0) != 0)
		parse_rule(r, st, ce);
	else
		conf_error(ce, st, 0,
		    "expected group, profile, outbound, inbound, internal or "
		    "also, found %s", err_quote(q, sizeof(q), s, strlen(s)));
}

/* Each direction ends in a line without conditions. */
static void check_last_lines(const struct rules *r, const char *path,
    struct conf_errors *ce)
{
	char nothing[] = "";
	struct conf_word w = {nothing, false, 1};
	struct conf_stmt whole = {path, 1, &w, 1, NULL, 0, false};

	for (int d = DIR_OUTBOUND; d <= DIR_INTERNAL; d++) {
		const char *name = direction_str((enum direction)d);
		bool has_line = d != DIR_INTERNAL;

		for (size_t i = 0; i < r->n && !has_line; i++)
			has_line = r->rule[i].direction == (enum direction)d;
		if (r->last[d] == 0 && has_line)
			conf_error(ce, &whole, 0,
			    "missing: a last line \"%s : ...\" without "
			    "conditions", name);
	}
}

/* The first internal line of list that opens, or that seals. */
static int first_internal(const struct rule *rule, size_t n, bool opens)
{
	for (size_t i = 0; i < n; i++)
		if (rule[i].direction == DIR_INTERNAL && (opens
		    ? treatment_opens(&rule[i].treatment)
		    : treatment_seals(&rule[i].treatment)))
			return rule[i].ref.line;
	return 0;
}

/* Mail from here to here is sealed or opened: an also line that seals what
 * another line opens would take its demands away. */
static void check_internal(const struct rules *r, struct conf_errors *ce)
{
	int line[2];

	for (int opens = 0; opens < 2; opens++) {
		line[opens] = first_internal(r->rule, r->n, opens != 0);
		if (line[opens] == 0)
			line[opens] = first_internal(r->also, r->alsos,
			    opens != 0);
	}
	for (size_t i = 0; i < r->alsos; i++) {
		const struct rule *a = &r->also[i];
		bool opens = treatment_opens(&a->treatment);
		char nothing[] = "also";
		struct conf_word w = {nothing, false, 1};
		const struct conf_stmt st = {a->ref.file, a->ref.line, &w, 1,
		    NULL, 0, false};

		if (a->direction != DIR_INTERNAL || line[!opens] == 0 ||
		    (!opens && !treatment_seals(&a->treatment)))
			continue;
		conf_error(ce, &st, 0, "internal mail is sealed or opened: "
		    "this line %s it, line %d the other", opens ? "opens"
		    : "seals", line[!opens]);
	}
}

int rules_read(struct rules **out, const char *path, const struct config *c,
    struct conf_errors *ce)
{
	char nothing[] = "";
	struct conf_word w = {nothing, false, 1};
	struct conf_stmt whole = {path, 1, &w, 1, NULL, 0, false};
	struct err e = {0};
	struct rules *r;
	size_t before = ce->n;

	*out = NULL;
	r = calloc(1, sizeof(*r));
	if (r == NULL) {
		conf_error(ce, &whole, 0, "out of memory");
		return -1;
	}
	r->delimiter = c == NULL ? 0 : c->delimiter;
	r->config = c;
	r->no_quarantine = c != NULL && !c->quarantine.is_set;
	if (c != NULL)
		(void)config_lacks_tls_route(c, r->no_tls_route,
		    sizeof(r->no_tls_route));
	if (conf_read(&r->conf, path, ce) != 0 &&
	    (r->conf == NULL || r->conf->stmts == 0))
		goto out;
	for (size_t i = 0; i < r->conf->stmts; i++)
		parse_stmt(r, &r->conf->stmt[i], ce);
	check_last_lines(r, path, ce);
	check_internal(r, ce);
	r->config = NULL;
	if (ce->n == before && rules_index_also(r, &e) != 0)
		conf_error(ce, &whole, 0, "%s", e.msg);
	if (ce->n == before) {
		rules_index_make(r);
		*out = r;
		r = NULL;
	}
out:
	rules_free(&r);
	return *out == NULL ? -1 : 0;
}

void rules_free(struct rules **rp)
{
	struct rules *r = *rp;

	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n; i++)
		rule_wipe(&r->rule[i]);
	for (size_t i = 0; i < r->alsos; i++)
		rule_wipe(&r->also[i]);
	for (size_t i = 0; i < r->groups; i++) {
		who_set_free(r->group[i].set);
		free(r->group[i].set);
		if (r->group[i].source != NULL)
			list_source_free(r->group[i].source);
		free(r->group[i].source);
		free(r->group[i].list_name);
	}
	rules_index_free(&r->index);
	rules_index_free(&r->also_index);
	look_index_free(&r->looks);
	free(r->rule);
	free(r->also);
	free((void *)(uintptr_t)r->list);
	free(r->group);
	free(r->profile);
	conf_free(&r->conf);
	free(r);
	*rp = NULL;
}

bool rules_harvest(const struct rules *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->rule[i].treatment.harvest)
			return true;
	return false;
}

size_t rules_count(const struct rules *r)
{
	return r->n + r->alsos;
}

const struct list_source *const *rules_lists(const struct rules *r, size_t *n)
{
	*n = r->lists;
	return r->list;
}

bool rules_look_inside(const struct rules *r)
{
	for (size_t i = 0; i < r->alsos; i++)
		if (r->also[i].look.kinds > 0)
			return true;
	return false;
}
