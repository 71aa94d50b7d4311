/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The table of copies that were sent on. No part of the generation: nothing
 * that is selected depends on it.
 */
#include "keystore/journal.h"

#include "keystore/keystore_int.h"

int journal_get(struct keystore *ks, const unsigned char key[JOURNAL_KEY],
    enum journal_state *state, char *id, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*state = JOURNAL_NONE;
	if (id != NULL)
		id[0] = '\0';
	if (ks->schema < KS_SCHEMA_TRAFFIC)
		return 0;
	st = ks_stmt(ks, ST_JOURNAL_GET, e);
	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(key, JOURNAL_KEY));
	rc = ks_step(ks, st, e);
	if (rc <= 0)
		return rc;
	*state = sqlite3_column_int(st, 0) == JOURNAL_DONE ? JOURNAL_DONE :
	    JOURNAL_SENT;
	if (id != NULL && view_cstr(ks_column(st, 1), id, 64) != 0)
		id[0] = '\0';
	sqlite3_reset(st);
	return 0;
}

static int set_one(struct keystore *ks, const struct journal_keys *k,
    size_t i, enum journal_state state, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_JOURNAL_SET, e);

	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(k->key + i * JOURNAL_KEY, JOURNAL_KEY));
	sqlite3_bind_int(st, 2, (int)state);
	sqlite3_bind_int64(st, 3, k->at);
	sqlite3_bind_text(st, 4, k->id, -1, SQLITE_STATIC);
	ks_bind_view(st, 5, view_make(k->whole, JOURNAL_KEY));
	return ks_run(ks, st, e);
}

int journal_set(struct keystore *ks, const struct journal_keys *k,
    enum journal_state state, struct err *e)
{
	bool began;
	int rc = 0;

	if (ks->in_tx) /* its end would decide, not ours */
		return err_set(e, FAIL_BUG, "journal: inside a transaction");
	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	for (size_t i = 0; i < k->n && rc == 0; i++)
		rc = set_one(ks, k, i, state, e);
	return ks_end(ks, began, rc, e);
}

int journal_drop(struct keystore *ks, const struct journal_keys *k,
    bool with_done, struct err *e)
{
	sqlite3_stmt *st;
	bool began;
	int rc = 0;

	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	for (size_t i = 0; i < k->n && rc == 0; i++) {
		st = ks_stmt(ks, ST_JOURNAL_DROP, e);
		rc = st == NULL ? -1 : 0;
		if (rc != 0)
			break;
		ks_bind_view(st, 1, view_make(k->key + i * JOURNAL_KEY,
		    JOURNAL_KEY));
		sqlite3_bind_int(st, 2, with_done ? JOURNAL_DONE :
		    JOURNAL_SENT);
		rc = ks_run(ks, st, e);
	}
	return ks_end(ks, began, rc, e);
}

int journal_expire(struct keystore *ks, int64_t before, size_t *n,
    struct err *e)
{
	sqlite3_stmt *st;
	bool began;
	int rc = -1;

	*n = 0;
	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	st = ks_stmt(ks, ST_JOURNAL_EXPIRE, e);
	if (st != NULL) {
		sqlite3_bind_int64(st, 1, before);
		rc = ks_run(ks, st, e);
		if (rc == 0)
			*n = (size_t)sqlite3_changes(ks->db);
	}
	return ks_end(ks, began, rc, e);
}

int journal_count(struct keystore *ks, enum journal_state state, size_t *n,
    struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*n = 0;
	if (ks->schema < KS_SCHEMA_TRAFFIC)
		return 0;
	st = ks_stmt(ks, ST_JOURNAL_COUNT, e);
	if (st == NULL)
		return -1;
	sqlite3_bind_int(st, 1, (int)state);
	rc = ks_step(ks, st, e);
	if (rc != 1)
		return rc;
	*n = (size_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}
