/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Mail of ours to senders, until it is sent; what was sent is remembered for
 * an hour, empty, so that nobody is told too often.
 */
#include "keystore/held.h"

#include "keystore/keystore_int.h"

#define HOUR INT64_C(3600)

static sqlite3_stmt *with_id(struct keystore *ks, enum ks_stmt which,
    int64_t id, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, which, e);

	if (st != NULL)
		sqlite3_bind_int64(st, 1, id);
	return st;
}

static int check_limit(struct keystore *ks, const char *to, int64_t now,
    const struct told_limit *limit, struct err *e)
{
	sqlite3_stmt *st = with_id(ks, ST_TOLD_COUNT, now - HOUR, e);
	int64_t all, his;
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 2, to, -1, SQLITE_TRANSIENT);
	rc = ks_step(ks, st, e);
	if (rc != 1)
		return -1;
	all = sqlite3_column_int64(st, 0);
	his = sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	if (his >= limit->each)
		return err_set(e, FAIL_LIMIT, "%s was sent %lld notices in "
		    "an hour", to, (long long)his);
	if (all >= limit->all)
		return err_set(e, FAIL_LIMIT, "%lld notices were sent in an "
		    "hour", (long long)all);
	return 0;
}

static int add_row(struct keystore *ks, const char *to, struct view mail,
    int64_t now, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_TOLD_ADD, e);

	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 1, to, -1, SQLITE_TRANSIENT);
	ks_bind_view(st, 2, mail);
	sqlite3_bind_int64(st, 3, now);
	return ks_run(ks, st, e);
}

int keystore_tell(struct keystore *ks, const char *to, struct view mail,
    int64_t now, const struct told_limit *limit, struct err *e)
{
	bool began;
	int rc;

	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = check_limit(ks, to, now, limit, e);
	if (rc == 0)
		rc = add_row(ks, to, mail, now, e);
	return ks_end(ks, began, rc, e);
}

int keystore_told_next(struct keystore *ks, int64_t now, int64_t *id,
    int64_t *next, struct buf *to, struct buf *mail, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*id = *next = 0;
	if (ks->schema < KS_SCHEMA_TRAFFIC)
		return 0;
	st = ks_stmt(ks, ST_TOLD_NEXT, e);
	if (st == NULL)
		return -1;
	rc = ks_step(ks, st, e);
	if (rc <= 0)
		return rc;
	*next = sqlite3_column_int64(st, 3);
	if (*next <= now) {
		*id = sqlite3_column_int64(st, 0);
		buf_putv(to, ks_column(st, 1));
		buf_putv(mail, ks_column(st, 2));
	}
	sqlite3_reset(st);
	return buf_ok(to, e) == 0 && buf_ok(mail, e) == 0 ? 0 : -1;
}

/* How often it was tried; 0 when it is gone. */
static int count_tries(struct keystore *ks, int64_t id, int *tries,
    struct err *e)
{
	sqlite3_stmt *st = with_id(ks, ST_TOLD_GET, id, e);
	int rc;

	*tries = 0;
	if (st == NULL)
		return -1;
	rc = ks_step(ks, st, e);
	if (rc == 1) {
		*tries = sqlite3_column_int(st, 0);
		sqlite3_reset(st);
	}
	return rc < 0 ? -1 : 0;
}

static int run_with(struct keystore *ks, enum ks_stmt which, int64_t id,
    struct err *e)
{
	sqlite3_stmt *st = with_id(ks, which, id, e);

	return st == NULL ? -1 : ks_run(ks, st, e);
}

static int try_again(struct keystore *ks, int64_t id, int64_t again,
    int tries, struct err *e)
{
	sqlite3_stmt *st = with_id(ks, ST_TOLD_SET, id, e);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 2, again);
	sqlite3_bind_int(st, 3, tries);
	return ks_run(ks, st, e);
}

int keystore_told_done(struct keystore *ks, int64_t id, int64_t now,
    int64_t again, bool *lost, struct err *e)
{
	bool began;
	int tries, rc;

	*lost = false;
	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = count_tries(ks, id, &tries, e);
	*lost = again != 0 && tries + 1 >= TOLD_TRIES;
	if (again != 0 && tries < TOLD_SOON)
		again = now + TOLD_SOON_S;
	if (rc == 0 && again != 0 && !*lost)
		rc = try_again(ks, id, again, tries + 1, e);
	else if (rc == 0)
		rc = run_with(ks, ST_TOLD_SENT, id, e);
	if (rc == 0)
		rc = run_with(ks, ST_TOLD_EXPIRE, now - HOUR, e);
	return ks_end(ks, began, rc, e);
}
