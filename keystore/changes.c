/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Who changed what, when, from where: one row for each change, written in
 * the transaction that changes, so that neither is there without the other.
 */
#include "keystore/life.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keystore/keystore_int.h"

void keystore_set_actor(struct keystore *ks, const char *who,
    const char *origin)
{
	struct err text = { 0 };

	(void)err_set(&text, FAIL_INPUT, "%s", who);
	ks_text(ks->who, sizeof(ks->who), &text);
	(void)err_set(&text, FAIL_INPUT, "%s", origin);
	ks_text(ks->origin, sizeof(ks->origin), &text);
}

/* The process's own user; the name is looked up by its callers, who may
 * still read files. */
static void set_default_actor(struct keystore *ks)
{
	struct err text = { 0 };

	(void)err_set(&text, FAIL_INPUT, "uid %ld", (long)getuid());
	ks_text(ks->who, sizeof(ks->who), &text);
	(void)err_set(&text, FAIL_INPUT, "%s",
	    program_invocation_short_name);
	ks_text(ks->origin, sizeof(ks->origin), &text);
}

int ks_note(struct keystore *ks, const char *action, const char *object,
    const char *detail, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_CHANGE_ADD, e);

	if (st == NULL)
		return -1;
	if (ks->who[0] == '\0')
		set_default_actor(ks);
	sqlite3_bind_int64(st, 1, (int64_t)time(NULL));
	sqlite3_bind_text(st, 2, ks->who, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(st, 3, ks->origin, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(st, 4, action, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(st, 5, object, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(st, 6, detail, -1, SQLITE_TRANSIENT);
	return ks_run(ks, st, e);
}

static const char *text_at(sqlite3_stmt *st, int i)
{
	const char *s = (const char *)sqlite3_column_text(st, i);

	return s != NULL ? s : "";
}

int keystore_changes(struct keystore *ks, const struct change_query *q,
    change_visit *visit, void *arg, struct err *e)
{
	sqlite3_stmt *st;
	struct change c;
	int rc;

	if (ks->schema < KS_SCHEMA_LIFE)
		return 0;
	st = ks_stmt(ks, ST_CHANGE_LIST, e);
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, q->since);
	sqlite3_bind_text(st, 2, q->about != NULL ? q->about : "", -1,
	    SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 3, q->most == 0 ? INT64_MAX :
	    (int64_t)q->most);
	while ((rc = ks_step(ks, st, e)) == 1) {
		c = (struct change){ sqlite3_column_int64(st, 0),
			sqlite3_column_int64(st, 1), text_at(st, 2),
			text_at(st, 3), text_at(st, 4), text_at(st, 5),
			text_at(st, 6) };
		if (visit(arg, &c, e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	return rc;
}
