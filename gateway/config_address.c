/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal.conf: authority and address-map, each out of files and of
 * directories.
 */
#include "gateway/config_int.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/address_map.h"
#include "gateway/lists.h"

/* ---- files ---- */

typedef void add_row(struct config *c, const struct conf_stmt *row,
    struct conf_errors *ce);

static void read_rows(struct config *c, const struct conf_stmt *st,
    add_row *add, struct conf_errors *ce)
{
	struct conf *rows = NULL;
	char *path = NULL;

	conf_path(&path, st, 2, ce);
	if (path == NULL)
		return;
	if (conf_read(&rows, path, ce) != 0)
		conf_error(ce, st, 2, "%s: the file has errors",
		    st->word[0].s);
	for (size_t i = 0; rows != NULL && i < rows->stmts; i++)
		add(c, &rows->stmt[i], ce);
	conf_free(&rows);
	free(path);
}

static void add_authority(struct config *c, const struct conf_stmt *row,
    struct conf_errors *ce)
{
	if (row->words < 2 || row->has_block) {
		conf_error(ce, row, 0, "expected LOGIN ADDRESS|@DOMAIN ...");
		return;
	}
	for (size_t w = 1; w < row->words; w++) {
		struct authority_row *r;
		void *a = c->authority;
		char *who = config_who(row, w, ce);

		if (who == NULL)
			continue;
		r = conf_grow(&a, &c->authorities, sizeof(*r), row, ce);
		c->authority = a;
		if (r == NULL) {
			free(who);
			return;
		}
		r->who = who;
		r->login = strdup(row->word[0].s);
		if (r->login == NULL)
			conf_error(ce, row, 0, "out of memory");
	}
}

/* A domain has no key: what opens is an address. */
static char *read_opener(const struct conf_stmt *row, size_t w,
    struct conf_errors *ce)
{
	char *s;

	if (row->word[w].s[0] == '@') {
		conf_error(ce, row, w, "opens-with: expected ADDRESS, found "
		    "%s", row->word[w].s);
		return NULL;
	}
	s = config_who(row, w, ce);
	return s;
}

static void add_opener(struct config *c, const struct conf_stmt *row,
    size_t w, struct conf_errors *ce)
{
	void *a = c->map;
	struct map_row *r;

	r = conf_grow(&a, &c->maps, sizeof(*r), row, ce);
	c->map = a;
	if (r == NULL)
		return;
	r->who = config_who(row, 0, ce);
	r->opens = read_opener(row, w, ce);
	if (r->who == NULL || r->opens == NULL) {
		free(r->who);
		free(r->opens);
		c->maps--;
	}
}

static void add_map(struct config *c, const struct conf_stmt *row,
    struct conf_errors *ce)
{
	if (row->words < 3 || row->has_block ||
	    strcmp(row->word[1].s, "opens-with") != 0) {
		conf_error(ce, row, row->words > 1 ? 1 : 0,
		    "expected ADDRESS|@DOMAIN opens-with ADDRESS ...");
		return;
	}
	for (size_t w = 2; w < row->words; w++)
		add_opener(c, row, w, ce);
}

/* ---- statements ---- */

static void read_kind(struct config *c, const struct conf_stmt *st,
    enum list_kind kind, add_row *add, struct conf_errors *ce)
{
	struct list_source s;
	void *a = c->list;
	struct list_source *slot;

	if (strcmp(st->word[1].s, "file") == 0 && st->words == 3) {
		read_rows(c, st, add, ce);
		return;
	}
	if (strcmp(st->word[1].s, "ldap") != 0) {
		conf_error(ce, st, 1, "%s: expected file \"PATH\" or ldap "
		    "DIRECTORY \"FILTER\" ..., found %s", st->word[0].s,
		    st->word[1].s);
		return;
	}
	if (lists_words(&s, kind, st, 2, ce) != 0)
		return;
	slot = conf_grow(&a, &c->lists, sizeof(*slot), st, ce);
	c->list = a;
	if (slot == NULL)
		list_source_free(&s);
	else
		*slot = s;
}

void config_authority(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	read_kind(c, st, LIST_AUTHORITY, add_authority, ce);
}

void config_address_map(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	read_kind(c, st, LIST_ADDRESS_MAP, add_map, ce);
}

/* ---- the whole ---- */

/* Whose domain is not ours has no mail here to open. */
static bool is_ours(const struct config *c, const char *who)
{
	const char *at = strrchr(who, '@');

	for (size_t i = 0; at != NULL && i < c->domains; i++)
		if (strcmp(c->domain[i], at + 1) == 0)
			return true;
	return false;
}

void config_check_addresses(struct config *c, struct conf_errors *ce)
{
	char word[] = "address-map";
	struct conf_word w = {word, false, 1};
	struct conf_stmt st = {c->path, 1, &w, 1, NULL, 0, false};

	for (size_t i = 0; i < c->lists; i++) {
		struct err e = {0};

		if (lists_check(c, &c->list[i], &e) != 0)
			conf_error(ce, &st, 0, "%s ldap: %s",
			    list_kind_str(c->list[i].kind), e.msg);
	}
	for (size_t i = 0; i < c->maps; i++)
		if (!is_ours(c, c->map[i].who))
			conf_error(ce, &st, 0, "address-map: %s is at none "
			    "of local-domains", c->map[i].who);
	address_map_sort(c->map, c->maps);
}

void config_free_addresses(struct config *c)
{
	for (size_t i = 0; i < c->authorities; i++) {
		free(c->authority[i].login);
		free(c->authority[i].who);
	}
	for (size_t i = 0; i < c->maps; i++) {
		free(c->map[i].who);
		free(c->map[i].opens);
	}
	for (size_t i = 0; i < c->lists; i++)
		list_source_free(&c->list[i]);
	free(c->authority);
	free(c->map);
	free(c->list);
}

void config_print_addresses(const struct config *c, struct buf *out)
{
	char name[LIST_NAME_SIZE];

	buf_printf(out, "authority %zu rows\naddress-map %zu rows\n",
	    c->authorities, c->maps);
	for (size_t i = 0; i < c->lists; i++) {
		lists_name(&c->list[i], name);
		buf_printf(out, "list %s\n", name);
	}
}
