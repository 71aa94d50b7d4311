/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The database below the keystore: file, schema version, transactions,
 * prepared statements, generation. Knows no certificate.
 */
#include "keystore/keystore_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keystore/sql.h"
#include "util/log.h"


int ks_db_fail(struct keystore *ks, const char *what, struct err *e)
{
	int code = sqlite3_errcode(ks->db) & 0xff;
	const char *text = sqlite3_errmsg(ks->db);
	enum fail kind = FAIL_BUG;

	switch (code) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, FAIL_TEMP,
		    "keystore: %s: locked by another process for longer "
		    "than %d s", what, KS_BUSY_MS / 1000);
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_NOMEM:
	case SQLITE_CANTOPEN:
	case SQLITE_PROTOCOL:
	case SQLITE_INTERRUPT:
		kind = FAIL_TEMP;
		break;
	case SQLITE_READONLY:
		/* a reader cannot make the index that a dead writer left
		 * undone; the next writer does */
		kind = sqlite3_extended_errcode(ks->db) == SQLITE_READONLY
		    ? FAIL_CONFIG : FAIL_TEMP;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		kind = FAIL_CONFIG;
		break;
	default:
		break;
	}
	return err_set(e, kind, "keystore: %s: %s", what, text);
}

/*
 * A reader who may not write the index meets it half written: a writer writes
 * it just now, or died in that. SQLite cannot tell, and does not wait.
 */
static bool is_worth_another(struct keystore *ks, int rc, int *tries)
{
	if ((rc & 0xff) != SQLITE_READONLY || (*tries)-- == 0 ||
	    sqlite3_extended_errcode(ks->db) != SQLITE_READONLY_RECOVERY)
		return false;
	sqlite3_sleep(KS_HALF_MS);
	return true;
}

static int prepare(struct keystore *ks, const char *sql, sqlite3_stmt **st)
{
	int rc, tries = KS_HALF_TRIES;

	do
		rc = sqlite3_prepare_v3(ks->db, sql, -1,
		    SQLITE_PREPARE_PERSISTENT, st, NULL);
	while (is_worth_another(ks, rc, &tries));
	return rc;
}

static int step(struct keystore *ks, sqlite3_stmt *st)
{
	int rc, tries = KS_HALF_TRIES;

	while (is_worth_another(ks, rc = sqlite3_step(st), &tries))
		sqlite3_reset(st);
	return rc;
}

sqlite3_stmt *ks_stmt(struct keystore *ks, enum ks_stmt which, struct err *e)
{
	sqlite3_stmt *st = ks->stmt[which];

	if (st != NULL) {
		sqlite3_reset(st);
		sqlite3_clear_bindings(st);
		return st;
	}
	if (prepare(ks, sql_text[which], &st) != SQLITE_OK) {
		(void)ks_db_fail(ks, "prepare", e);
		return NULL;
	}
	ks->stmt[which] = st;
	return st;
}

int ks_step(struct keystore *ks, sqlite3_stmt *st, struct err *e)
{
	int rc = step(ks, st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		(void)ks_db_fail(ks, "query", e);
	/* A statement left open would keep its read lock. */
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

int ks_run(struct keystore *ks, sqlite3_stmt *st, struct err *e)
{
	int rc = ks_step(ks, st, e);

	if (rc == 1) {
		sqlite3_reset(st);
		return err_set(e, FAIL_BUG, "keystore: unexpected row");
	}
	return rc;
}

int ks_run_about(struct keystore *ks, enum ks_stmt which, const unsigned char
    sha256[32], struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, which, e);

	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(sha256, 32));
	return ks_run(ks, st, e);
}

void ks_bind_view(sqlite3_stmt *st, int i, struct view v)
{
	/* A NULL pointer would bind NULL, which equals nothing. */
	sqlite3_bind_blob64(st, i, v.p != NULL ? (const void *)v.p : "", v.n,
	    SQLITE_TRANSIENT);
}

struct view ks_column(sqlite3_stmt *st, int i)
{
	const void *p = sqlite3_column_blob(st, i);

	return view_make(p, (size_t)sqlite3_column_bytes(st, i));
}

/* ---- transactions ---- */

static int exec(struct keystore *ks, const char *sql, const char *what, struct
    err *e)
{
	if (sqlite3_exec(ks->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return ks_db_fail(ks, what, e);
	return 0;
}

/* What was found in the store as it was before. */
static void forget(struct keystore *ks, bool trust)
{
	lru_clear(ks->select);
	lru_clear(ks->revoked);
	lru_clear(ks->asked);
	ks->epoch++;
	if (trust) {
		lru_clear(ks->paths);
		ks->scopes = SCOPES_NOT_ASKED;
	}
}

/*
 * Certificates and keys are on the disk when a commit returns: the file that
 * they came from may be deleted next. Audit records of mail need not cost a
 * flush each; a power cut may take the last ones, consistently.
 */
static int set_durable(struct keystore *ks, bool durable, struct err *e)
{
	if (ks->durable == durable)
		return 0;
	if (exec(ks, durable ? "PRAGMA synchronous = FULL" :
	    "PRAGMA synchronous = NORMAL", "synchronous", e) != 0)
		return -1;
	ks->durable = durable;
	return 0;
}

static int begin(struct keystore *ks, bool durable, struct err *e)
{
	sqlite3_stmt *st;

	if (ks->mode != KS_WRITE)
		return err_set(e, FAIL_BUG,
		    "keystore: change through a handle for reading");
	if (ks->in_tx)
		return err_set(e, FAIL_BUG, "keystore: transaction in one");
	if (set_durable(ks, durable, e) != 0)
		return -1;
	st = ks_stmt(ks, ST_BEGIN, e);
	if (st == NULL || ks_run(ks, st, e) != 0)
		return -1;
	ks->in_tx = true;
	return 0;
}

int keystore_begin(struct keystore *ks, struct err *e)
{
	return begin(ks, true, e);
}

int keystore_commit(struct keystore *ks, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_COMMIT, e);

	if (st == NULL || ks_run(ks, st, e) != 0) {
		keystore_rollback(ks);
		return -1;
	}
	ks->in_tx = false;
	return 0;
}

void keystore_rollback(struct keystore *ks)
{
	struct err e = { 0 };
	sqlite3_stmt *st;

	if (!ks->in_tx)
		return;
	ks->in_tx = false;
	forget(ks, true);
	/* SQLite may have rolled back itself (disk full): then it says so. */
	if (sqlite3_get_autocommit(ks->db) != 0)
		return;
	st = ks_stmt(ks, ST_ROLLBACK, &e);
	if (st == NULL || ks_run(ks, st, &e) != 0)
		log_err("event=keystore-rollback error=\"%s\"", e.msg);
}

static int run_plain(struct keystore *ks, enum ks_stmt which, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, which, e);

	return st == NULL ? -1 : ks_run(ks, st, e);
}

int ks_part_begin(struct keystore *ks, struct err *e)
{
	return run_plain(ks, ST_FILE_BEGIN, e);
}

int ks_part_keep(struct keystore *ks, struct err *e)
{
	return run_plain(ks, ST_FILE_KEEP, e);
}

void ks_part_back(struct keystore *ks)
{
	struct err e = { 0 };

	forget(ks, true);
	/* SQLite may have taken all back itself (disk full). */
	if (!ks->in_tx || sqlite3_get_autocommit(ks->db) != 0)
		return;
	if (run_plain(ks, ST_FILE_BACK, &e) != 0 ||
	    run_plain(ks, ST_FILE_KEEP, &e) != 0)
		log_err("event=keystore-rollback error=\"%s\"", e.msg);
}

void keystore_between(struct keystore *ks, void (*fn)(void *arg), void *arg)
{
	ks->between = fn;
	ks->between_arg = arg;
}

void ks_between(struct keystore *ks)
{
	if (!ks->in_tx && ks->between != NULL)
		ks->between(ks->between_arg);
}

int ks_change(struct keystore *ks, bool *began, bool durable, struct err *e)
{
	*began = !ks->in_tx;
	return ks->in_tx ? 0 : begin(ks, durable, e);
}

int ks_end(struct keystore *ks, bool began, int rc, struct err *e)
{
	if (!began)
		return rc;
	if (rc != 0) {
		keystore_rollback(ks);
		return -1;
	}
	return keystore_commit(ks, e);
}

/* ---- meta ---- */

int ks_meta_get(struct keystore *ks, const char *name, int64_t *number, struct
    buf *text, bool *found, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_META_GET, e);
	int rc;

	*found = false;
	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	rc = ks_step(ks, st, e);
	if (rc <= 0)
		return rc;
	*found = true;
	if (number != NULL)
		*number = sqlite3_column_int64(st, 0);
	if (text != NULL)
		buf_putv(text, ks_column(st, 1));
	sqlite3_reset(st);
	return text != NULL ? buf_ok(text, e) : 0;
}

int ks_meta_set(struct keystore *ks, const char *name, int64_t number, const
    char *text, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_META_SET, e);

	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 2, number);
	sqlite3_bind_text(st, 3, text, -1, SQLITE_TRANSIENT);
	return ks_run(ks, st, e);
}

int ks_bump(struct keystore *ks, bool trust, struct err *e)
{
	static const char *const name[] = { "generation", "trust" };
	sqlite3_stmt *st;
	int i;

	for (i = 0; i < (trust ? 2 : 1); i++) {
		st = ks_stmt(ks, ST_BUMP, e);
		if (st == NULL)
			return -1;
		sqlite3_bind_text(st, 1, name[i], -1, SQLITE_STATIC);
		if (ks_run(ks, st, e) != 0)
			return -1;
	}
	/* Who changes something sees it at once, not at the next refresh. */
	forget(ks, trust);
	return 0;
}

/* A store that is read in an older version may have been upgraded. */
static int refresh_schema(struct keystore *ks, struct err *e)
{
	int64_t version;
	bool found;

	if (ks->schema >= KS_SCHEMA)
		return 0;
	if (ks_meta_get(ks, "schema", &version, NULL, &found, e) != 0)
		return -1;
	if (found && version <= KS_SCHEMA)
		ks->schema = version;
	return 0;
}

void keystore_forget(struct keystore *ks)
{
	forget(ks, true);
	lru_clear(ks->certs);
	ks->known = false;
}

int keystore_refresh(struct keystore *ks, struct err *e)
{
	int64_t generation, trust;
	bool found;

	if (ks_meta_get(ks, "generation", &generation, NULL, &found, e) != 0)
		return -1;
	if (!found)
		return err_set(e, FAIL_CONFIG, "keystore: no generation");
	if (ks->known && generation == ks->generation)
		return 0;
	if (ks_meta_get(ks, "trust", &trust, NULL, &found, e) != 0 ||
	    refresh_schema(ks, e) != 0)
		return -1;
	forget(ks, !ks->known || trust != ks->trust);
	ks->generation = generation;
	ks->trust = trust;
	ks->known = true;
	return 0;
}

/* ---- opening ---- */

static void drop_cert(void *value)
{
	struct cert *c = value;

	cert_free(&c);
}

static struct keystore *new_handle(enum ks_mode mode)
{
	struct keystore *ks = calloc(1, sizeof(*ks));

	if (ks == NULL)
		return NULL;
	ks->mode = mode;
	ks->certs = lru_new(KS_CACHE_CERTS, drop_cert);
	ks->paths = lru_new(KS_CACHE_PATHS, ks_path_drop);
	ks->asked = lru_new(KS_CACHE_ASKED, ks_path_drop);
	ks->select = lru_new(KS_CACHE_SELECT, ks_select_drop);
	ks->revoked = lru_new(KS_CACHE_REVOKED, free);
	if (ks->certs == NULL || ks->paths == NULL || ks->asked == NULL ||
	    ks->select == NULL || ks->revoked == NULL)
		keystore_close(&ks);
	return ks;
}

static int open_file(struct keystore *ks, const char *path, int flags, struct
    err *e)
{
	int one = 1;

	flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
	if (sqlite3_open_v2(path, &ks->db, flags, NULL) != SQLITE_OK) {
		if (ks->db == NULL)
			return err_set(e, FAIL_TEMP,
			    "keystore %s: out of memory", path);
		return err_set(e, FAIL_CONFIG, "keystore %s: %s", path,
		    sqlite3_errmsg(ks->db));
	}
	sqlite3_busy_timeout(ks->db, KS_BUSY_MS);
	sqlite3_db_config(ks->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(ks->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* The log stays when the last writer leaves, so that readers who may
	 * not create files in the folder can still open the store. */
	sqlite3_file_control(ks->db, "main", SQLITE_FCNTL_PERSIST_WAL, &one);
	return 0;
}

int keystore_create(const char *path, struct err *e)
{
	struct keystore *ks = NULL;
	int fd, rc = -1;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd == -1)
		return err_sys(e, errno == EEXIST || errno == ENOENT ||
		    errno == EACCES ? FAIL_CONFIG : FAIL_TEMP,
		    "keystore %s", path);
	if (fchmod(fd, 0640) != 0) {
		(void)err_sys(e, FAIL_TEMP, "keystore %s", path);
		goto out;
	}
	ks = new_handle(KS_WRITE);
	if (ks == NULL) {
		(void)err_set(e, FAIL_TEMP, "keystore: out of memory");
		goto out;
	}
	if (open_file(ks, path, SQLITE_OPEN_READWRITE, e) != 0 ||
	    exec(ks, "PRAGMA journal_mode = WAL", "WAL", e) != 0 ||
	    keystore_begin(ks, e) != 0 ||
	    exec(ks, sql_schema, "schema", e) != 0 ||
	    exec(ks, sql_version_2, "schema", e) != 0 ||
	    exec(ks, sql_version_3, "schema", e) != 0 ||
	    exec(ks, sql_version_4, "schema", e) != 0 ||
	    exec(ks, sql_version_5, "schema", e) != 0 ||
	    ks_meta_set(ks, "schema", KS_SCHEMA, "", e) != 0 ||
	    ks_meta_set(ks, "generation", 1, "", e) != 0 ||
	    ks_meta_set(ks, "trust", 1, "", e) != 0 ||
	    keystore_commit(ks, e) != 0)
		goto out;
	rc = exec(ks, "PRAGMA application_id = 1347644275", "mark", e);
out:
	close(fd);
	keystore_close(&ks);
	if (rc != 0)
		unlink(path);
	return rc;
}

/*
 * Only a regular file, no link, of ours or root's, that nobody else writes
 * (A64). O_PATH, because closing any other descriptor of the file would give
 * up the locks that SQLite holds on it in this process.
 */
static int look_at_file(const char *path, struct stat *st, struct err *e)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1)
		return err_sys(e, FAIL_CONFIG, "keystore %s", path);
	if (fstat(fd, st) != 0) {
		(void)err_sys(e, FAIL_CONFIG, "keystore %s", path);
		close(fd);
		return -1;
	}
	close(fd);
	if (!S_ISREG(st->st_mode))
		return err_set(e, FAIL_CONFIG,
		    "keystore %s: not a regular file", path);
	return 0;
}

static int check_file(const char *path, struct stat *st, struct err *e)
{
	if (look_at_file(path, st, e) != 0)
		return -1;
	if (geteuid() != 0 && st->st_uid != 0 && st->st_uid != geteuid())
		return err_set(e, FAIL_CONFIG, "keystore %s: belongs to user "
		    "%ld, wanted root or %ld; \"chown %ld %s\" mends it",
		    path, (long)st->st_uid, (long)geteuid(), (long)geteuid(),
		    path);
	if ((st->st_mode & 022) != 0)
		return err_set(e, FAIL_CONFIG, "keystore %s: mode %04o, "
		    "wanted: writable by its owner alone; \"chmod 640 %s\" "
		    "mends it", path, (unsigned)(st->st_mode & 07777), path);
	return 0;
}

/* What SQLite opened by its name is what was looked at. */
static int check_same(const char *path, const struct stat *before,
    struct err *e)
{
	struct stat st;

	if (look_at_file(path, &st, e) != 0)
		return -1;
	if (st.st_dev != before->st_dev || st.st_ino != before->st_ino)
		return err_set(e, FAIL_TEMP, "keystore %s: replaced while it "
		    "was opened", path);
	return 0;
}

static int check_schema(struct keystore *ks, const char *path, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int64_t version = 0;
	int rc;

	rc = prepare(ks, "SELECT number FROM meta WHERE name = 'schema'",
	    &st);
	if (rc == SQLITE_OK)
		rc = step(ks, st);
	if (rc == SQLITE_ROW)
		version = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	if (rc == SQLITE_BUSY || rc == SQLITE_IOERR || rc == SQLITE_CANTOPEN ||
	    rc == SQLITE_NOMEM || rc == SQLITE_READONLY || rc == SQLITE_PERM)
		return ks_db_fail(ks, "open", e);
	if (rc != SQLITE_ROW)
		return err_set(e, FAIL_CONFIG,
		    "%s: not a postseal keystore", path);
	if (version < KS_SCHEMA_OLDEST || version > KS_SCHEMA)
		return err_set(e, FAIL_CONFIG,
		    "keystore %s: schema version %lld, this program knows "
		    "versions %d to %d", path, (long long)version,
		    KS_SCHEMA_OLDEST, KS_SCHEMA);
	ks->schema = version;
	return 0;
}

static int add_versions(struct keystore *ks, int64_t from, struct err *e)
{
	static const struct {
		int64_t version;
		const char *const *sql;
	} step[] = {
		{ KS_SCHEMA_REVOCATION, &sql_version_2 },
		{ KS_SCHEMA_CAPS, &sql_version_3 },
		{ KS_SCHEMA_LIFE, &sql_version_4 },
		{ KS_SCHEMA_TRAFFIC, &sql_version_5 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(step); i++)
		if (from < step[i].version &&
		    exec(ks, *step[i].sql, "upgrade", e) != 0)
			return -1;
	if (ks_meta_set(ks, "schema", KS_SCHEMA, "", e) != 0)
		return -1;
	/* Those who read the old version look again. */
	return ks_bump(ks, false, e);
}

/* Whoever may write brings an older store up to this version. */
static int upgrade(struct keystore *ks, struct err *e)
{
	int64_t version = 0;
	bool found;
	int rc;

	if (ks->schema == KS_SCHEMA)
		return 0;
	if (keystore_begin(ks, e) != 0)
		return -1;
	/* Another writer may have been first. */
	rc = ks_meta_get(ks, "schema", &version, NULL, &found, e);
	if (rc == 0 && version < KS_SCHEMA)
		rc = add_versions(ks, version, e);
	if (ks_end(ks, true, rc, e) != 0)
		return err_add(e, "upgrade to schema version %d", KS_SCHEMA);
	ks->schema = KS_SCHEMA;
	return 0;
}

static int open_and_check(struct keystore *ks, const char *path, struct err *e)
{
	struct stat st;

	if (check_file(path, &st, e) != 0)
		return -1;
	/* A reader opens for writing, too, because WAL wants to write its
	 * index; SQLite falls back by itself where it may not. */
	if (open_file(ks, path, SQLITE_OPEN_READWRITE, e) != 0)
		return -1;
	if (ks->mode == KS_WRITE && sqlite3_db_readonly(ks->db, "main") == 1)
		return err_set(e, FAIL_CONFIG,
		    "keystore %s: no permission to write", path);
	if (check_same(path, &st, e) != 0 || check_schema(ks, path, e) != 0)
		return -1;
	if (ks->mode == KS_READ)
		return exec(ks, "PRAGMA query_only = 1", "open", e);
	if (exec(ks, "PRAGMA foreign_keys = 1", "open", e) != 0)
		return -1;
	/* What one large import needed does not stay on the disk. */
	if (exec(ks, "PRAGMA journal_size_limit = 4194304", "open", e) != 0)
		return -1;
	return upgrade(ks, e);
}

int keystore_open(struct keystore **out, const char *path, enum ks_mode mode,
    struct err *e)
{
	struct keystore *ks;

	*out = NULL;
	ks = new_handle(mode);
	if (ks == NULL)
		return err_set(e, FAIL_TEMP, "keystore: out of memory");
	if (open_and_check(ks, path, e) != 0) {
		keystore_close(&ks);
		return -1;
	}
	*out = ks;
	return 0;
}

void keystore_close(struct keystore **ks)
{
	size_t i;

	if (*ks == NULL)
		return;
	keystore_rollback(*ks);
	for (i = 0; i < ST_N; i++)
		sqlite3_finalize((*ks)->stmt[i]);
	sqlite3_close((*ks)->db);
	lru_free(&(*ks)->certs);
	lru_free(&(*ks)->paths);
	lru_free(&(*ks)->asked);
	lru_free(&(*ks)->select);
	lru_free(&(*ks)->revoked);
	free(*ks);
	*ks = NULL;
}
