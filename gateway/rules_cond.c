/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Conditions of a rule: who, logins, networks. Those of "also" lines on the
 * message are in rules_look.c.
 */
#include "gateway/rules_int.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/config_int.h"

static const char *const condition[] = {"from", "to", "envelope-from",
	"authenticated", "network", "subject", "header", "attachment", "size",
	"class"};

bool rules_word_is(const struct conf_stmt *st, size_t w, const char *s)
{
	return w < st->words && !st->word[w].quoted &&
	    strcmp(st->word[w].s, s) == 0;
}

bool rules_is_one_of(const char *list, const char *s)
{
	size_t n = strlen(s);

	for (const char *f = strstr(list, s); n > 0 && f != NULL;
	    f = strstr(f + 1, s))
		if ((f == list || f[-1] == ' ') &&
		    (f[n] == ',' || f[n] == '\0'))
			return true;
	return false;
}

size_t rules_find(const struct conf_stmt *st, size_t w, const char *list)
{
	while (w < st->words && (st->word[w].quoted ||
	    !rules_is_one_of(list, st->word[w].s)))
		w++;
	return w;
}

const char *rules_value(const struct conf_stmt *st, size_t w,
    const char *list, size_t *next, struct conf_errors *ce)
{
	const char *s;

	*next = w + 1;
	if (w + 1 >= st->words || rules_word_is(st, w + 1, ",") ||
	    rules_word_is(st, w + 1, ":")) {
		conf_error(ce, st, w, "%s: expected one of %s",
		    st->word[w].s, list);
		return "";
	}
	s = st->word[w + 1].s;
	*next = w + 2;
	if (!st->word[w + 1].quoted && rules_is_one_of(list, s))
		return s;
	conf_error(ce, st, w + 1, "%s: expected one of %s, found %s%s%s",
	    st->word[w].s, list, st->word[w + 1].quoted ? "\"" : "", s,
	    st->word[w + 1].quoted ? "\"" : "");
	return "";
}

bool rules_is_condition(const struct conf_stmt *st, size_t w)
{
	for (size_t i = 0; i < ARRAY_LEN(condition); i++)
		if (rules_word_is(st, w, condition[i]))
			return true;
	return false;
}

bool rules_is_value(const struct conf_stmt *st, size_t w)
{
	return w < st->words && !rules_word_is(st, w, ":") &&
	    !rules_word_is(st, w, ",") && !rules_is_condition(st, w);
}

const struct group *rules_group(const struct rules *r, const char *name)
{
	for (size_t i = 0; i < r->groups; i++)
		if (strcmp(r->group[i].name, name) == 0)
			return &r->group[i];
	return NULL;
}

static void add_who(struct who_set *set, enum who_kind kind, const char *text,
    const struct conf_stmt *st, struct conf_errors *ce)
{
	void *a = set->who;
	struct who *who;

	who = conf_grow(&a, &set->n, sizeof(*who), st, ce);
	set->who = a;
	if (who == NULL)
		return;
	who->kind = kind;
	who->text = strdup(text);
	if (who->text == NULL)
		conf_error(ce, st, 0, "out of memory");
}

/* a@b, @b, @*.b */
static void parse_pattern(struct who_set *set, const struct conf_stmt *st,
    size_t w, struct conf_errors *ce)
{
	const char *raw = st->word[w].s;
	char key[sizeof(((struct addr *)0)->text)];
	enum who_kind kind = WHO_DOMAIN;
	struct err e = {0};
	struct addr a;

	if (raw[0] != '@') {
		if (addr_parse(&a, view_of(raw), &e) != 0) {
			conf_error(ce, st, w,
			    "expected an address, @DOMAIN or @*.DOMAIN: %s",
			    e.msg);
			return;
		}
		addr_key(&a, key);
		add_who(set, WHO_ADDRESS, key, st, ce);
		return;
	}
	raw++;
	if (strncmp(raw, "*.", 2) == 0) {
		kind = WHO_SUBDOMAINS;
		raw += 2;
	}
	if (addr_domain_parse(key, sizeof(key), view_of(raw), &e) != 0)
		conf_error(ce, st, w, "expected @DOMAIN or @*.DOMAIN: %s",
		    e.msg);
	else
		add_who(set, kind, key, st, ce);
}

/* file "PATH": one pattern a line, relative to the rules file. */
static void parse_list_file(struct who_set *set, const struct conf_stmt *st,
    size_t w, struct conf_errors *ce)
{
	struct conf *list = NULL;
	char *path = NULL;

	conf_path(&path, st, w, ce);
	if (path == NULL)
		return;
	if (conf_read(&list, path, ce) != 0)
		conf_error(ce, st, w, "the list has errors, or is not there");
	free(path);
	for (size_t i = 0; list != NULL && i < list->stmts; i++) {
		const struct conf_stmt *line = &list->stmt[i];

		if (line->words != 1 || line->has_block)
			conf_error(ce, line, line->words > 1 ? 1 : 0,
			    "expected one address, @DOMAIN or @*.DOMAIN a "
			    "line");
		else
			parse_pattern(set, line, 0, ce);
	}
	conf_free(&list);
}

static void add_set(struct who_set *set, const struct who_set *other,
    const struct conf_stmt *st, struct conf_errors *ce)
{
	void *a = (void *)(uintptr_t)set->group;
	const struct who_set **slot;

	slot = conf_grow(&a, &set->groups, sizeof(*slot), st, ce);
	set->group = a;
	if (slot != NULL)
		*slot = other;
}

/* Groups of a group become ours: the matcher looks one level deep. */
static void add_group(struct rules *r, struct who_set *set,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce)
{
	const struct group *g = rules_group(r, st->word[w].s);

	if (g == NULL) {
		conf_error(ce, st, w,
		    "no group %s above; an address has an @", st->word[w].s);
		return;
	}
	add_set(set, g->set, st, ce);
	for (size_t i = 0; i < g->set->groups; i++)
		add_set(set, g->set->group[i], st, ce);
}

size_t rules_parse_who(struct rules *r, struct who_set *set,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce)
{
	size_t first = w;

	for (; rules_is_value(st, w); w++) {
		if (rules_word_is(st, w, "file")) {
			if (!rules_is_value(st, w + 1))
				conf_error(ce, st, w,
				    "file: expected a path");
			else
				parse_list_file(set, st, ++w, ce);
		} else if (strchr(st->word[w].s, '@') != NULL) {
			parse_pattern(set, st, w, ce);
		} else {
			add_group(r, set, st, w, ce);
		}
	}
	if (w == first)
		conf_error(ce, st, w - 1,
		    "%s: expected an address, @DOMAIN, @*.DOMAIN, a group or "
		    "file PATH", st->word[w - 1].s);
	return w;
}

void who_set_free(struct who_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->who[i].text);
	free(s->who);
	free((void *)(uintptr_t)s->group);
	memset(s, 0, sizeof(*s));
}

static size_t parse_logins(struct conditions *c, const struct conf_stmt *st,
    size_t w, struct conf_errors *ce)
{
	for (; rules_is_value(st, w); w++) {
		void *a = (void *)(uintptr_t)c->login;
		const char **slot;

		slot = conf_grow(&a, &c->logins, sizeof(*slot), st, ce);
		c->login = a;
		if (slot != NULL)
			*slot = st->word[w].s;
	}
	return w;
}

static size_t parse_networks(struct conditions *c, const struct conf_stmt *st,
    size_t w, struct conf_errors *ce)
{
	size_t first = w;

	for (; rules_is_value(st, w); w++) {
		struct err e = {0};
		struct net *net;
		void *a = c->net;

		net = conf_grow(&a, &c->nets, sizeof(*net), st, ce);
		c->net = a;
		if (net != NULL && net_parse(net, st->word[w].s, &e) != 0)
			conf_error(ce, st, w, "network: %s", e.msg);
	}
	if (w == first)
		conf_error(ce, st, w - 1, "network: expected a network such "
		    "as 192.0.2.0/24");
	return w;
}

static bool is_message_condition(const struct conf_stmt *st, size_t w)
{
	for (size_t i = 5; i < ARRAY_LEN(condition); i++)
		if (rules_word_is(st, w, condition[i]))
			return true;
	return false;
}

/* One condition at w that the envelope answers; 0: it is none. */
static size_t parse_envelope_condition(struct rules *r, struct conditions *c,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce)
{
	struct {
		const char *word;
		bool *has;
		struct who_set *set;
	} known[] = {
		{"from", &c->has_from, &c->from},
		{"to", &c->has_to, &c->to},
		{"envelope-from", &c->has_envelope_from, &c->envelope_from},
		{"authenticated", &c->has_login, NULL},
		{"network", &c->has_network, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!rules_word_is(st, w, known[i].word))
			continue;
		if (*known[i].has)
			conf_error(ce, st, w,
			    "%s stands in this line already; several values "
			    "follow one word", known[i].word);
		*known[i].has = true;
		if (known[i].set != NULL)
			return rules_parse_who(r, known[i].set, st, w + 1, ce);
		if (known[i].has == &c->has_login)
			return parse_logins(c, st, w + 1, ce);
		return parse_networks(c, st, w + 1, ce);
	}
	return 0;
}

size_t rules_parse_conditions(struct rules *r, struct rule *rule, bool also,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce)
{
	size_t first = w, next;

	while (w < st->words && !rules_word_is(st, w, ":")) {
		next = parse_envelope_condition(r, &rule->cond, st, w, ce);
		if (next == 0 && is_message_condition(st, w)) {
			if (!also)
				conf_error(ce, st, w,
				    "%s looks into the message: it stands "
				    "only in also lines", st->word[w].s);
			next = rules_parse_look(&rule->look, st, w, ce);
		} else if (next == 0) {
			conf_error(ce, st, w,
			    "expected from, to, envelope-from, authenticated, "
			    "network%s or a colon, found %s",
			    also ? ", subject, header, attachment, size, class"
				 : "", st->word[w].s);
			next = w + 1;
			while (next < st->words &&
			    !rules_is_condition(st, next) &&
			    !rules_word_is(st, next, ":"))
				next++;
		}
		w = next;
	}
	if (w == st->words)
		conf_error(ce, st, w - 1,
		    "expected a colon and treatments after the conditions");
	rule->is_last = w == first;
	return w;
}

void conditions_free(struct conditions *c)
{
	who_set_free(&c->from);
	who_set_free(&c->to);
	who_set_free(&c->envelope_from);
	free((void *)(uintptr_t)c->login);
	free(c->net);
	memset(c, 0, sizeof(*c));
}
