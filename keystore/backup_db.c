/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The whole database: copied as of one moment, checked, held.
 */
#include "keystore/backup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keystore/keystore_int.h"

/* ---- copying ---- */

/* The copy needs no name and no journal: when this ends early, it is gone. */
static int open_copy(const char *path, sqlite3 **db, struct err *e)
{
	if (sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
	    sqlite3_exec(*db, "PRAGMA journal_mode = OFF;"
	    "PRAGMA synchronous = OFF", NULL, NULL, NULL) != SQLITE_OK)
		return err_set(e, FAIL_TEMP, "copy of the keystore: %s",
		    *db != NULL ? sqlite3_errmsg(*db) : "out of memory");
	return 0;
}

/* All pages in one step, so that a writer's change is in it or not. */
static int copy_pages(struct keystore *ks, sqlite3 *to, struct err *e)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", ks->db, "main");
	int rc;

	if (b == NULL)
		return err_set(e, FAIL_TEMP, "copy of the keystore: %s",
		    sqlite3_errmsg(to));
	do {
		rc = sqlite3_backup_step(b, -1);
		if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
			sqlite3_sleep(50);
	} while (rc == SQLITE_BUSY || rc == SQLITE_LOCKED);
	(void)sqlite3_backup_finish(b);
	if (rc != SQLITE_DONE)
		return err_set(e, FAIL_TEMP, "copy of the keystore: %s",
		    sqlite3_errstr(rc));
	return 0;
}

int keystore_copy(struct keystore *ks, const char *folder, int *out,
    struct err *e)
{
	sqlite3 *to = NULL;
	struct buf path;
	int fd = -1, rc = -1;

	*out = -1;
	buf_init(&path, PATH_MAX);
	buf_printf(&path, "%s/postseal-copy.XXXXXX", folder);
	if (buf_ok(&path, e) != 0)
		goto out;
	fd = mkostemp((char *)path.p, O_CLOEXEC);
	if (fd == -1) {
		(void)err_sys(e, FAIL_TEMP, "%s", folder);
		goto out;
	}
	rc = open_copy(buf_str(&path), &to, e);
	(void)unlink(buf_str(&path));
	if (rc == 0)
		rc = copy_pages(ks, to, e);
	if (sqlite3_close(to) != SQLITE_OK && rc == 0)
		rc = err_set(e, FAIL_TEMP, "copy of the keystore");
	if (rc == 0) {
		*out = fd;
		fd = -1;
	}
out:
	if (fd != -1)
		close(fd);
	buf_free(&path);
	return rc;
}

/* ---- checking ---- */

/* One number, or -1. */
static int ask(struct keystore *ks, const char *sql, int64_t *out,
    struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = -1;

	if (sqlite3_prepare_v2(ks->db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW) {
		*out = sqlite3_column_int64(st, 0);
		rc = 0;
	} else
		(void)ks_db_fail(ks, "check", e);
	sqlite3_finalize(st);
	return rc;
}

static int check_pages(struct keystore *ks, struct err *e)
{
	sqlite3_stmt *st = NULL;
	const char *text;
	int rc = -1;

	if (sqlite3_prepare_v2(ks->db, "PRAGMA integrity_check(1)", -1, &st,
	    NULL) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW) {
		(void)ks_db_fail(ks, "check", e);
	} else {
		text = (const char *)sqlite3_column_text(st, 0);
		rc = text != NULL && strcmp(text, "ok") == 0 ? 0 :
		    err_set(e, FAIL_CONFIG, "keystore: damaged: %s",
		    text != NULL ? text : "?");
	}
	sqlite3_finalize(st);
	return rc;
}

/* What every store keeps: (what breaks it, how many there are). */
static const struct {
	const char *what;
	const char *sql;
} rule[] = {
	{ "addresses of no certificate", "SELECT COUNT(*) FROM cert_address a"
	    " WHERE NOT EXISTS (SELECT 1 FROM cert c WHERE c.id = a.cert)" },
	{ "entries of no list", "SELECT COUNT(*) FROM crl_entry r"
	    " WHERE NOT EXISTS (SELECT 1 FROM crl l WHERE l.id = r.crl)" },
	{ "lists with other entries than they say", "SELECT COUNT(*) FROM crl"
	    " WHERE entries <> (SELECT COUNT(*) FROM crl_entry r"
	    " WHERE r.crl = crl.id)" },
	{ "views, triggers or virtual tables, which no keystore has",
	    "SELECT COUNT(*) FROM sqlite_master"
	    " WHERE type IN ('view', 'trigger') OR sql LIKE '%virtual%'" },
};

int keystore_verify(struct keystore *ks, struct keystore_sum *out,
    struct err *e)
{
	int64_t n;
	size_t i;

	memset(out, 0, sizeof(*out));
	if (check_pages(ks, e) != 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(rule); i++) {
		if (ask(ks, rule[i].sql, &n, e) != 0)
			return -1;
		if (n != 0)
			return err_set(e, FAIL_CONFIG, "keystore: %lld %s",
			    (long long)n, rule[i].what);
	}
	if (ask(ks, "SELECT COUNT(*) FROM cert", &out->certs, e) != 0 ||
	    ask(ks, "SELECT COUNT(*) FROM key", &out->keys, e) != 0 ||
	    ask(ks, "SELECT COUNT(*) FROM cert WHERE is_anchor = 1",
	    &out->anchors, e) != 0 ||
	    ask(ks, "SELECT COALESCE(MAX(added), 0) FROM cert",
	    &out->newest, e) != 0)
		return -1;
	return 0;
}

int keystore_note(struct keystore *ks, const char *action, const char *object,
    const char *detail, struct err *e)
{
	bool began;
	int rc;

	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = ks_note(ks, action, object, detail, e);
	return ks_end(ks, began, rc, e);
}

/* ---- holding ---- */

int keystore_hold(const char *path, sqlite3 **out, struct err *e)
{
	static const char sql[] = "PRAGMA locking_mode = EXCLUSIVE;"
	    "BEGIN EXCLUSIVE; COMMIT; PRAGMA wal_checkpoint(TRUNCATE)";
	int one = 1;

	*out = NULL;
	if (sqlite3_open_v2(path, out, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		keystore_let_go(out);
		return err_set(e, FAIL_CONFIG, "keystore %s: cannot be opened",
		    path);
	}
	sqlite3_busy_timeout(*out, 1000);
	sqlite3_file_control(*out, "main", SQLITE_FCNTL_PERSIST_WAL, &one);
	if (sqlite3_exec(*out, sql, NULL, NULL, NULL) != SQLITE_OK) {
		(void)err_set(e, FAIL_TEMP, "keystore %s: in use (%s); stop "
		    "postseal-milter first", path, sqlite3_errmsg(*out));
		keystore_let_go(out);
		return -1;
	}
	return 0;
}

void keystore_let_go(sqlite3 **db)
{
	(void)sqlite3_close(*db);
	*db = NULL;
}
