/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What was decided about messages, kept for postseal explain. Opaque JSON;
 * no part of the generation, because nothing is decided by it.
 */
#include "keystore/keystore_int.h"

int keystore_audit_add(struct keystore *ks, const char *id, int64_t when, const
    char *queue_id, struct view json, struct err *e)
{
	sqlite3_stmt *st;
	bool began;
	int rc = -1;

	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	st = ks_stmt(ks, ST_AUDIT_ADD, e);
	if (st != NULL) {
		sqlite3_bind_text(st, 1, id, -1, SQLITE_TRANSIENT);
		sqlite3_bind_int64(st, 2, when);
		if (queue_id != NULL)
			sqlite3_bind_text(st, 3, queue_id, -1,
			    SQLITE_TRANSIENT);
		ks_bind_view(st, 4, json);
		rc = ks_run(ks, st, e);
	}
	return ks_end(ks, began, rc, e);
}

/* 1 found and appended, 0 not there, -1. */
static int get_json(struct keystore *ks, enum ks_stmt which, const char *id,
    struct buf *out, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, which, e);
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 1, id, -1, SQLITE_TRANSIENT);
	rc = ks_step(ks, st, e);
	if (rc <= 0)
		return rc;
	buf_putv(out, ks_column(st, 0));
	sqlite3_reset(st);
	return buf_ok(out, e) != 0 ? -1 : 1;
}

int keystore_audit_get(struct keystore *ks, const char *id, struct buf *out,
    struct err *e)
{
	char quoted[ERR_QUOTED];
	int rc;

	rc = get_json(ks, ST_AUDIT_GET, id, out, e);
	if (rc == 0)
		rc = get_json(ks, ST_AUDIT_GET_QUEUE, id, out, e);
	if (rc == 0)
		return err_set(e, FAIL_INPUT, "%s: no message with this id "
		    "is remembered", err_quote(quoted, sizeof(quoted), id,
		    view_of(id).n));
	return rc < 0 ? -1 : 0;
}

int keystore_audit_each(struct keystore *ks, int64_t since, int64_t until,
    keystore_audit_visit *visit, void *arg, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_AUDIT_EACH, e);
	const char *id;
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, since);
	sqlite3_bind_int64(st, 2, until);
	while ((rc = ks_step(ks, st, e)) == 1) {
		id = (const char *)sqlite3_column_text(st, 0);
		if (visit(arg, id == NULL ? "" : id,
		    sqlite3_column_int64(st, 1), ks_column(st, 2), e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	return rc;
}

int keystore_audit_expire(struct keystore *ks, int64_t before, size_t *dropped,
    struct err *e)
{
	sqlite3_stmt *st;
	bool began;
	int rc = -1;

	if (dropped != NULL)
		*dropped = 0;
	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	st = ks_stmt(ks, ST_AUDIT_EXPIRE, e);
	if (st != NULL) {
		sqlite3_bind_int64(st, 1, before);
		rc = ks_run(ks, st, e);
	}
	if (rc == 0 && dropped != NULL)
		*dropped = (size_t)sqlite3_changes(ks->db);
	return ks_end(ks, began, rc, e);
}
