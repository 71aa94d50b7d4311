/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Looking up whose keys open mail for an address.
 */
#include "gateway/address_map.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/lists.h"

#define KEY_SIZE sizeof(((struct addr *)0)->text)

/* ---- lists in the store ---- */

static int values_of_store(void *ctx, const char *list, const char *what,
    listed_visit *visit, void *arg, enum listed_answer *out, struct err *e)
{
	return keystore_listed_values(ctx, list, what, visit, arg, out, e);
}

struct list_reader list_reader_of_store(struct keystore *ks)
{
	struct list_reader r = {ks, values_of_store};

	return r;
}

/* ---- lists in memory ---- */

struct copied {
	char name[LIST_NAME_SIZE];
	bool is_known;
	size_t from, to; /* of the snapshot's pairs, in order */
};

struct list_snapshot {
	struct copied *list;
	size_t lists;
	char **text; /* two for each pair: what, value; owned */
	size_t pairs, room;
};

void list_snapshot_free(struct list_snapshot **sp)
{
	struct list_snapshot *s = *sp;

	if (s == NULL)
		return;
	for (size_t i = 0; i < 2 * s->pairs; i++)
		free(s->text[i]);
	free(s->text);
	free(s->list);
	free(s);
	*sp = NULL;
}

static int copy_pair(void *arg, const struct listed_pair *p, struct err *e)
{
	struct list_snapshot *s = arg;
	char *what, *value, **more;

	if (s->pairs == s->room) {
		size_t room = s->room == 0 ? 256 : s->room * 2;

		more = reallocarray(s->text, room, 2 * sizeof(*more));
		if (more == NULL)
			return err_set(e, FAIL_TEMP, "lists: out of memory");
		s->text = more;
		s->room = room;
	}
	what = strdup(p->what);
	value = strdup(p->value);
	if (what == NULL || value == NULL) {
		free(what);
		free(value);
		return err_set(e, FAIL_TEMP, "lists: out of memory");
	}
	s->text[2 * s->pairs] = what;
	s->text[2 * s->pairs + 1] = value;
	s->pairs++;
	return 0;
}

int list_snapshot_new(struct list_snapshot **out, const struct config *c,
    struct keystore *ks, struct err *e)
{
	struct list_snapshot *s = calloc(1, sizeof(*s));
	int rc = -1;

	*out = NULL;
	if (s == NULL)
		return err_set(e, FAIL_TEMP, "lists: out of memory");
	s->list = calloc(c->lists + 1, sizeof(*s->list));
	if (s->list == NULL) {
		err_set(e, FAIL_TEMP, "lists: out of memory");
		goto out;
	}
	for (; s->lists < c->lists; s->lists++) {
		struct copied *l = &s->list[s->lists];
		enum listed_answer known;

		lists_name(&c->list[s->lists], l->name);
		l->from = s->pairs;
		if (listed_pairs(ks, l->name, copy_pair, s, &known, e) != 0)
			goto out;
		l->to = s->pairs;
		l->is_known = known != LISTED_UNKNOWN;
	}
	*out = s;
	s = NULL;
	rc = 0;
out:
	list_snapshot_free(&s);
	return rc;
}

/* The first pair of the list that is not before what. */
static size_t find_first(const struct list_snapshot *s,
    const struct copied *l, const char *what)
{
	size_t low = l->from, high = l->to;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(s->text[2 * mid], what) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int values_of_snapshot(void *ctx, const char *list, const char *what,
    listed_visit *visit, void *arg, enum listed_answer *out, struct err *e)
{
	const struct list_snapshot *s = ctx;
	const struct copied *l = NULL;

	*out = LISTED_UNKNOWN;
	for (size_t i = 0; i < s->lists && l == NULL; i++)
		if (strcmp(s->list[i].name, list) == 0)
			l = &s->list[i];
	if (l == NULL || !l->is_known)
		return 0;
	*out = LISTED_NO;
	for (size_t i = find_first(s, l, what); i < l->to &&
	    strcmp(s->text[2 * i], what) == 0; i++) {
		*out = LISTED_YES;
		if (visit(arg, s->text[2 * i + 1], e) != 0)
			return -1;
	}
	return 0;
}

struct list_reader list_reader_of_snapshot(struct list_snapshot *s)
{
	struct list_reader r = {s, values_of_snapshot};

	return r;
}

/* ---- rows of the file ---- */

static int by_who(const void *a, const void *b)
{
	const struct map_row *x = a, *y = b;

	return strcmp(x->who, y->who);
}

void address_map_sort(struct map_row *row, size_t n)
{
	if (n > 0)
		qsort(row, n, sizeof(*row), by_who);
}

/* ---- all of them ---- */

struct walk {
	const struct map_query *q;
	map_visit *visit;
	void *arg;
	enum opens_by by;
	bool unknown;
	int stopped; /* what visit gave */
};

static int tell(void *arg, const char *value, struct err *e)
{
	struct walk *w = arg;
	struct addr a;

	if (addr_parse(&a, view_of(value), NULL) != 0)
		return 0;
	w->stopped = w->visit(w->arg, &a, w->by, e);
	return w->stopped == 0 ? 0 : -1;
}

static int look_in_file(struct walk *w, const char *who, struct err *e)
{
	const struct config *c = w->q->config;
	size_t low = 0, high = c->maps;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(c->map[mid].who, who) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < c->maps && strcmp(c->map[low].who, who) == 0; low++)
		if (tell(w, c->map[low].opens, e) != 0)
			return -1;
	return 0;
}

static int look_in_lists(struct walk *w, const char *who, struct err *e)
{
	const struct config *c = w->q->config;
	const struct list_reader *r = w->q->lists;
	char name[LIST_NAME_SIZE];

	for (size_t i = 0; i < c->lists; i++) {
		enum listed_answer known = LISTED_UNKNOWN;

		if (c->list[i].kind != LIST_ADDRESS_MAP)
			continue;
		lists_name(&c->list[i], name);
		if (r != NULL && r->values(r->ctx, name, who, tell, w, &known,
		    e) != 0)
			return -1;
		w->unknown = w->unknown || known == LISTED_UNKNOWN;
	}
	return 0;
}

static int look(struct walk *w, const char *who, enum opens_by by,
    struct err *e)
{
	w->by = by;
	if (look_in_file(w, who, e) != 0)
		return -1;
	return look_in_lists(w, who, e);
}

static int look_everywhere(struct walk *w, const struct addr *plain,
    struct err *e)
{
	const struct addr *rcpt = w->q->rcpt;
	char key[KEY_SIZE], bare[KEY_SIZE], domain[KEY_SIZE + 1] = "@";

	addr_key(rcpt, key);
	addr_key(plain, bare);
	text_set(domain + 1, sizeof(domain) - 1, addr_domain(rcpt));
	if (look(w, key, OPENS_BY_MAP, e) != 0 ||
	    (strcmp(key, bare) != 0 && look(w, bare, OPENS_BY_MAP, e) != 0))
		return -1;
	return look(w, domain, OPENS_BY_DOMAIN, e);
}

static int visit_own(struct walk *w, const struct addr *plain, struct err *e)
{
	const struct addr *rcpt = w->q->rcpt;

	w->stopped = w->visit(w->arg, rcpt, OPENS_BY_OWN, e);
	if (w->stopped == 0 && !addr_eq(rcpt, plain, ADDR_EXACT))
		w->stopped = w->visit(w->arg, plain, OPENS_BY_OWN, e);
	return w->stopped == 0 ? 0 : -1;
}

int address_map_each(const struct map_query *q, map_visit *visit, void *arg,
    bool *unknown, struct err *e)
{
	struct walk w = {.q = q, .visit = visit, .arg = arg};
	struct addr plain = *q->rcpt;
	bool is_ours;
	int rc;

	*unknown = false;
	if (q->rcpt->text[0] == '\0')
		return 0;
	/* the delimiter and the map are ours: they mean nothing elsewhere */
	is_ours = config_is_local(q->config, q->rcpt);
	if (is_ours)
		addr_strip_detail(q->rcpt, q->config->delimiter, &plain);
	rc = visit_own(&w, &plain, e);
	if (rc == 0 && is_ours)
		rc = look_everywhere(&w, &plain, e);
	*unknown = w.unknown;
	return rc != 0 && w.stopped != 0 ? w.stopped : rc;
}
