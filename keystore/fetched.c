/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The table of what was fetched.
 */
#include "keystore/fetched.h"

#include <string.h>

#include "keystore/keystore_int.h"

/* From column i on: tried, got, next, failures, error. */
static void read_columns(sqlite3_stmt *st, int i, struct fetched *f)
{
	const char *error = (const char *)sqlite3_column_text(st, i + 4);

	f->tried = sqlite3_column_int64(st, i);
	f->got = sqlite3_column_int64(st, i + 1);
	f->next = sqlite3_column_int64(st, i + 2);
	f->failures = sqlite3_column_int64(st, i + 3);
	text_set(f->error, sizeof(f->error), error == NULL ? "" : error);
}

int fetched_get(struct keystore *ks, const char *name, struct fetched *out,
    bool *found, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	memset(out, 0, sizeof(*out));
	*found = false;
	if (ks->schema < KS_SCHEMA_LIFE)
		return 0;
	st = ks_stmt(ks, ST_FETCHED_GET, e);
	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_TRANSIENT);
	rc = ks_step(ks, st, e);
	if (rc <= 0)
		return rc;
	read_columns(st, 0, out);
	*found = true;
	sqlite3_reset(st);
	return 0;
}

static int run_set(struct keystore *ks, const char *name,
    const struct fetched *f, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_FETCHED_SET, e);

	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 2, f->tried);
	sqlite3_bind_int64(st, 3, f->got);
	sqlite3_bind_int64(st, 4, f->next);
	sqlite3_bind_int64(st, 5, f->failures);
	sqlite3_bind_text(st, 6, f->error, -1, SQLITE_TRANSIENT);
	return ks_run(ks, st, e);
}

int fetched_set(struct keystore *ks, const char *name,
    const struct fetched *f, struct err *e)
{
	bool began;
	int rc;

	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	rc = run_set(ks, name, f, e);
	return ks_end(ks, began, rc, e);
}

int fetched_list(struct keystore *ks, fetched_visit *visit, void *arg,
    struct err *e)
{
	struct fetched f;
	sqlite3_stmt *st;
	int rc;

	if (ks->schema < KS_SCHEMA_LIFE)
		return 0;
	st = ks_stmt(ks, ST_FETCHED_LIST, e);
	if (st == NULL)
		return -1;
	while ((rc = ks_step(ks, st, e)) == 1) {
		read_columns(st, 1, &f);
		if (visit(arg, (const char *)sqlite3_column_text(st, 0), &f,
		    e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	return rc;
}

static int run_expire(struct keystore *ks, int64_t before, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_FETCHED_EXPIRE, e);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, before);
	return ks_run(ks, st, e);
}

int fetched_expire(struct keystore *ks, int64_t before, struct err *e)
{
	bool began;
	int rc;

	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	rc = run_expire(ks, before, e);
	return ks_end(ks, began, rc, e);
}
