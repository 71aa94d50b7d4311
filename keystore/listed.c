/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The tables of lists. A list that was never fetched has no row in table
 * list, or one with fetched 0: it is unknown, which is not "nobody".
 */
#include "keystore/listed.h"

#include <stdlib.h>
#include <string.h>

#include "keystore/keystore_int.h"

static const char *column_text(sqlite3_stmt *st, int i)
{
	const char *s = (const char *)sqlite3_column_text(st, i);

	return s == NULL ? "" : s;
}

/* The statement with the list's name as ?1. */
static sqlite3_stmt *about(struct keystore *ks, enum ks_stmt which,
    const char *list, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, which, e);

	if (st != NULL)
		sqlite3_bind_text(st, 1, list, -1, SQLITE_TRANSIENT);
	return st;
}

/* Name, fetched, next, error. */
static void read_state(sqlite3_stmt *st, struct listed_state *s)
{
	memset(s, 0, sizeof(*s));
	s->fetched = sqlite3_column_int64(st, 1);
	s->next = sqlite3_column_int64(st, 2);
	text_set(s->error, sizeof(s->error), column_text(st, 3));
}

static int get_row(struct keystore *ks, const char *list,
    struct listed_state *out, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	memset(out, 0, sizeof(*out));
	if (ks->schema < KS_SCHEMA_TRAFFIC)
		return 0;
	st = about(ks, ST_LIST_GET, list, e);
	if (st == NULL)
		return -1;
	rc = ks_step(ks, st, e);
	if (rc <= 0)
		return rc;
	read_state(st, out);
	sqlite3_reset(st);
	return 0;
}

static int count_pairs(struct keystore *ks, const char *list, size_t *n,
    struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*n = 0;
	if (ks->schema < KS_SCHEMA_TRAFFIC)
		return 0;
	st = about(ks, ST_LISTED_COUNT, list, e);
	if (st == NULL)
		return -1;
	rc = ks_step(ks, st, e);
	if (rc <= 0)
		return rc;
	*n = (size_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

int listed_state(struct keystore *ks, const char *list,
    struct listed_state *out, struct err *e)
{
	if (get_row(ks, list, out, e) != 0)
		return -1;
	return count_pairs(ks, list, &out->pairs, e);
}

/* ---- asking ---- */

/* Nothing was found: because it is not there, or because nobody knows? */
static int say_missing(struct keystore *ks, const char *list,
    enum listed_answer *out, struct err *e)
{
	struct listed_state s;

	if (get_row(ks, list, &s, e) != 0)
		return -1;
	*out = s.fetched == 0 ? LISTED_UNKNOWN : LISTED_NO;
	return 0;
}

int keystore_listed(struct keystore *ks, const char *list, const char *what,
    enum listed_answer *out, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*out = LISTED_UNKNOWN;
	if (ks->schema < KS_SCHEMA_TRAFFIC)
		return 0;
	st = about(ks, ST_LISTED_HAS, list, e);
	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 2, what, -1, SQLITE_TRANSIENT);
	rc = ks_step(ks, st, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return say_missing(ks, list, out, e);
	sqlite3_reset(st);
	*out = LISTED_YES;
	return 0;
}

int keystore_listed_values(struct keystore *ks, const char *list,
    const char *what, listed_visit *visit, void *arg,
    enum listed_answer *out, struct err *e)
{
	sqlite3_stmt *st;
	bool any = false;
	int rc;

	*out = LISTED_UNKNOWN;
	if (ks->schema < KS_SCHEMA_TRAFFIC)
		return 0;
	st = about(ks, ST_LISTED_VALUES, list, e);
	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 2, what, -1, SQLITE_TRANSIENT);
	while ((rc = ks_step(ks, st, e)) == 1) {
		any = true;
		if (visit(arg, column_text(st, 0), e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	if (rc != 0)
		return -1;
	*out = LISTED_YES;
	return any ? 0 : say_missing(ks, list, out, e);
}

int listed_pairs(struct keystore *ks, const char *list,
    listed_pair_visit *visit, void *arg, enum listed_answer *out,
    struct err *e)
{
	struct listed_state s;
	sqlite3_stmt *st;
	int rc;

	*out = LISTED_UNKNOWN;
	if (get_row(ks, list, &s, e) != 0)
		return -1;
	if (s.fetched == 0)
		return 0;
	st = about(ks, ST_LISTED_PAIRS, list, e);
	if (st == NULL)
		return -1;
	while ((rc = ks_step(ks, st, e)) == 1) {
		struct listed_pair p = { column_text(st, 0),
			column_text(st, 1) };

		if (visit(arg, &p, e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	*out = LISTED_YES;
	return rc;
}

/* Pages of names: a visitor may ask for more of each. */
int listed_each(struct keystore *ks, listed_state_visit *visit, void *arg,
    struct err *e)
{
	struct listed_state s;
	sqlite3_stmt *st;
	int rc;

	if (ks->schema < KS_SCHEMA_TRAFFIC)
		return 0;
	st = ks_stmt(ks, ST_LIST_EACH, e);
	if (st == NULL)
		return -1;
	while ((rc = ks_step(ks, st, e)) == 1) {
		const char *name = column_text(st, 0);

		read_state(st, &s);
		if (count_pairs(ks, name, &s.pairs, e) != 0 ||
		    visit(arg, name, &s, e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	return rc;
}

/* ---- replacing ---- */

static int by_pair(const void *a, const void *b)
{
	const struct listed_pair *x = a, *y = b;
	int c = strcmp(x->what, y->what);

	return c != 0 ? c : strcmp(x->value, y->value);
}

size_t listed_sort(struct listed_pair *pair, size_t n)
{
	size_t kept = 0;

	if (n == 0)
		return 0;
	qsort(pair, n, sizeof(*pair), by_pair);
	for (size_t i = 1; i < n; i++)
		if (by_pair(&pair[kept], &pair[i]) != 0)
			pair[++kept] = pair[i];
	return kept + 1;
}

struct comparison {
	const struct listed_news *news;
	size_t at;
	bool differs;
};

static int compare_one(void *arg, const struct listed_pair *p, struct err *e)
{
	struct comparison *c = arg;

	(void)e;
	if (c->at == c->news->n || by_pair(p, &c->news->pair[c->at]) != 0)
		c->differs = true;
	else
		c->at++;
	return 0;
}

/* Most of the time nothing has changed, and nothing is written. */
static int is_changed(struct keystore *ks, const char *list,
    const struct listed_news *news, bool *changed, struct err *e)
{
	struct comparison c = { news, 0, false };
	enum listed_answer known;

	if (listed_pairs(ks, list, compare_one, &c, &known, e) != 0)
		return -1;
	*changed = known == LISTED_UNKNOWN || c.differs || c.at != news->n;
	return 0;
}

static int put_pairs(struct keystore *ks, const char *list,
    const struct listed_news *news, struct err *e)
{
	sqlite3_stmt *st = about(ks, ST_LISTED_CLEAR, list, e);

	if (st == NULL || ks_run(ks, st, e) != 0)
		return -1;
	for (size_t i = 0; i < news->n; i++) {
		st = about(ks, ST_LISTED_ADD, list, e);
		if (st == NULL)
			return -1;
		sqlite3_bind_text(st, 2, news->pair[i].what, -1,
		    SQLITE_TRANSIENT);
		sqlite3_bind_text(st, 3, news->pair[i].value, -1,
		    SQLITE_TRANSIENT);
		if (ks_run(ks, st, e) != 0)
			return -1;
	}
	return 0;
}

static int set_list(struct keystore *ks, const char *list,
    const struct listed_news *news, struct err *e)
{
	sqlite3_stmt *st = about(ks, ST_LIST_SET, list, e);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 2, news->now);
	sqlite3_bind_int64(st, 3, news->next);
	return ks_run(ks, st, e);
}

int listed_replace(struct keystore *ks, const char *list,
    const struct listed_news *news, bool *changed, struct err *e)
{
	bool began;
	int rc;

	*changed = false;
	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	rc = is_changed(ks, list, news, changed, e);
	if (rc == 0 && *changed)
		rc = put_pairs(ks, list, news, e);
	if (rc == 0)
		rc = set_list(ks, list, news, e);
	return ks_end(ks, began, rc, e);
}

static int run_failed(struct keystore *ks, const char *list, int64_t next,
    const char *error, struct err *e)
{
	sqlite3_stmt *st = about(ks, ST_LIST_FAILED, list, e);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 2, next);
	sqlite3_bind_text(st, 3, error, -1, SQLITE_TRANSIENT);
	return ks_run(ks, st, e);
}

int listed_failed(struct keystore *ks, const char *list, int64_t next,
    const char *error, struct err *e)
{
	bool began;
	int rc;

	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	rc = run_failed(ks, list, next, error, e);
	return ks_end(ks, began, rc, e);
}

static int run_forget(struct keystore *ks, const char *list, struct err *e)
{
	sqlite3_stmt *st = about(ks, ST_LISTED_CLEAR, list, e);

	if (st == NULL || ks_run(ks, st, e) != 0)
		return -1;
	st = about(ks, ST_LIST_FORGET, list, e);
	return st == NULL ? -1 : ks_run(ks, st, e);
}

int listed_forget(struct keystore *ks, const char *list, struct err *e)
{
	bool began;
	int rc;

	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	rc = run_forget(ks, list, e);
	return ks_end(ks, began, rc, e);
}
