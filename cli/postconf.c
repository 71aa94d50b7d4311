/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Reading what postconf printed. Running it: postconf_run.c.
 */
#include "cli/postconf.h"

#include <stdlib.h>
#include <string.h>

static bool next_line(struct view *all, struct view *line)
{
	size_t n;

	if (all->n == 0)
		return false;
	n = view_chr(*all, '\n', 0);
	*line = view_sub(*all, 0, n);
	*all = n == (size_t)-1 ? view_sub(*all, all->n, 0)
	    : view_sub(*all, n + 1, all->n);
	return true;
}

static bool next_word(struct view *line, struct view *word)
{
	size_t n = 0;

	*line = view_trim(*line);
	while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
		n++;
	*word = view_sub(*line, 0, n);
	*line = view_sub(*line, n, line->n);
	return n > 0;
}

static int no_memory(struct err *e)
{
	return err_set(e, FAIL_TEMP, "postconf: out of memory");
}

/* One more setting behind n of them. */
static int add_setting(struct postconf_setting **array, size_t *n,
    struct view name, struct view value, struct err *e)
{
	struct postconf_setting *bigger = *array, *s;

	if (*n >= POSTCONF_SETTINGS)
		return err_set(e, FAIL_LIMIT, "postconf: more than %d "
		    "settings", POSTCONF_SETTINGS);
	if ((*n & (*n - 1)) == 0)
		bigger = reallocarray(*array, *n == 0 ? 1 : *n * 2,
		    sizeof(*bigger));
	if (bigger == NULL)
		return no_memory(e);
	*array = bigger;
	s = &bigger[*n];
	s->name = view_strdup(name);
	s->value = view_strdup(value);
	if (s->name == NULL || s->value == NULL) {
		free(s->name);
		free(s->value);
		return memchr(value.p, 0, value.n) != NULL ||
		    memchr(name.p, 0, name.n) != NULL ? 0 : no_memory(e);
	}
	(*n)++;
	return 0;
}

/* "name = value", value perhaps empty. */
static bool split(struct view line, struct view *name, struct view *value)
{
	size_t n = view_chr(line, '=', 0);

	if (n == (size_t)-1)
		return false;
	*name = view_trim(view_sub(line, 0, n));
	*value = view_trim(view_sub(line, n + 1, line.n));
	return name->n > 0;
}

static int by_name(const void *a, const void *b)
{
	const struct postconf_setting *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int parse_settings(struct postconf *p, struct view text,
    struct err *e)
{
	struct view line, name, value;

	while (next_line(&text, &line))
		if (split(line, &name, &value) && add_setting(&p->set,
		    &p->sets, name, value, e) != 0)
			return -1;
	if (p->sets > 1)
		qsort(p->set, p->sets, sizeof(*p->set), by_name);
	return 0;
}

/* name type private unprivileged chroot wakeup limit command ... */
static int parse_service(struct postconf *p, struct view line,
    struct err *e)
{
	struct postconf_service *bigger, *s;
	struct view w[8];
	size_t n = 0;

	while (n < 8 && next_word(&line, &w[n]))
		n++;
	if (n < 8)
		return 0;
	if (p->services >= POSTCONF_SERVICES)
		return err_set(e, FAIL_LIMIT, "postconf: more than %d "
		    "services", POSTCONF_SERVICES);
	bigger = reallocarray(p->service, p->services + 1, sizeof(*bigger));
	if (bigger == NULL)
		return no_memory(e);
	p->service = bigger;
	s = &bigger[p->services++];
	memset(s, 0, sizeof(*s));
	s->name = view_strdup(w[0]);
	s->type = view_strdup(w[1]);
	s->chroot = view_strdup(w[4]);
	s->command = view_strdup(w[7]);
	if (s->name == NULL || s->type == NULL || s->chroot == NULL ||
	    s->command == NULL)
		return no_memory(e);
	return 0;
}

static struct postconf_service *find_service(struct postconf *p,
    struct view name, struct view type)
{
	for (size_t i = 0; i < p->services; i++)
		if (view_eq_str(name, p->service[i].name) &&
		    view_eq_str(type, p->service[i].type))
			return &p->service[i];
	return NULL;
}

/* "NAME/TYPE/PARAMETER = value"; a name may have slashes itself. */
static int parse_override(struct postconf *p, struct view line,
    struct err *e)
{
	struct view key, value;
	struct postconf_service *s;
	size_t b, a;

	if (!split(line, &key, &value))
		return 0;
	for (b = key.n; b > 0 && key.p[b - 1] != '/'; b--)
		;
	for (a = b > 0 ? b - 1 : 0; a > 0 && key.p[a - 1] != '/'; a--)
		;
	if (a == 0)
		return 0;
	s = find_service(p, view_sub(key, 0, a - 1), view_sub(key, a,
	    b - 1 - a));
	return s == NULL ? 0 : add_setting(&s->o, &s->os, view_sub(key, b,
	    key.n), value, e);
}

int postconf_parse(struct postconf *p, struct view settings,
    struct view services, struct view overrides, struct err *e)
{
	struct view line;

	if (parse_settings(p, settings, e) != 0)
		return -1;
	while (next_line(&services, &line))
		if (parse_service(p, line, e) != 0)
			return -1;
	while (next_line(&overrides, &line))
		if (parse_override(p, line, e) != 0)
			return -1;
	return 0;
}

static void free_settings(struct postconf_setting *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(s[i].name);
		free(s[i].value);
	}
	free(s);
}

void postconf_free(struct postconf *p)
{
	for (size_t i = 0; i < p->services; i++) {
		free(p->service[i].name);
		free(p->service[i].type);
		free(p->service[i].chroot);
		free(p->service[i].command);
		free_settings(p->service[i].o, p->service[i].os);
	}
	free(p->service);
	free_settings(p->set, p->sets);
	free(p->dir);
	memset(p, 0, sizeof(*p));
}

static const char *override(const struct postconf_service *s,
    const char *name)
{
	for (size_t i = 0; s != NULL && i < s->os; i++)
		if (strcmp(s->o[i].name, name) == 0)
			return s->o[i].value;
	return NULL;
}

bool postconf_is_override(const struct postconf_service *s, const char *name)
{
	return override(s, name) != NULL;
}

const char *postconf_get(const struct postconf *p,
    const struct postconf_service *s, const char *name)
{
	struct postconf_setting key = {(char *)(uintptr_t)name, NULL};
	const struct postconf_setting *found;
	const char *value = override(s, name);

	if (value != NULL || p->sets == 0)
		return value;
	found = bsearch(&key, p->set, p->sets, sizeof(key), by_name);
	return found == NULL ? NULL : found->value;
}

/* ---- lists of milters ---- */

static bool is_separator(int c)
{
	return c == ' ' || c == '\t' || c == ',' || c == '\r' || c == '\n';
}

/* Octets of the next item; braces hold theirs together. */
static size_t item_size(struct view v)
{
	size_t n, depth = 0;

	for (n = 0; n < v.n; n++) {
		if (v.p[n] == '{')
			depth++;
		else if (v.p[n] == '}' && depth > 0 && --depth == 0)
			return n + 1;
		else if (depth == 0 && is_separator(v.p[n]))
			break;
	}
	return n;
}

static void skip_separators(struct view *v)
{
	while (v->n > 0 && is_separator(v->p[0]))
		*v = view_sub(*v, 1, v->n);
}

static void read_option(struct view word, struct postconf_milter *out)
{
	static const char name[] = "default_action=";

	if (view_istarts(word, name) && view_cstr(view_sub(word,
	    sizeof(name) - 1, word.n), out->action,
	    sizeof(out->action)) != 0)
		text_set(out->action, sizeof(out->action), "?");
}

bool postconf_next_milter(struct view *list, struct postconf_milter *out)
{
	struct view item, word;
	size_t n;

	memset(out, 0, sizeof(*out));
	skip_separators(list);
	if (list->n == 0)
		return false;
	n = item_size(*list);
	item = view_sub(*list, 0, n);
	*list = view_sub(*list, n, list->n);
	if (item.p[0] == '{') {
		item = view_sub(item, 1, item.n);
		if (item.n > 0 && item.p[item.n - 1] == '}')
			item = view_sub(item, 0, item.n - 1);
	}
	for (bool first = true;; first = false) {
		skip_separators(&item);
		if (item.n == 0)
			return true;
		n = item_size(item);
		if (n == 0)
			n = 1;
		word = view_sub(item, 0, n);
		item = view_sub(item, n, item.n);
		if (!first)
			read_option(word, out);
		else if (view_cstr(word, out->endpoint,
		    sizeof(out->endpoint)) != 0)
			text_set(out->endpoint, sizeof(out->endpoint), "?");
	}
}
