/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Who changed what, when, from where: one row for each change, written in
 * the transaction that changes, so that neither is there without the other.
 */
#include "keystore/keystore_int.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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
