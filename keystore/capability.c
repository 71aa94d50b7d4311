/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the software of other people reads, by the mail that they signed. Not
 * read here; who may be believed is the caller's. A stranger with a
 * certificate that is trusted can make rows, so they are few.
 */
#include "keystore/keystore_int.h"

#include <string.h>

static sqlite3_stmt *stmt_for_address(struct keystore *ks,
    enum ks_stmt which, const struct addr *a, struct err *e)
{
	char key[sizeof(a->text)];
	sqlite3_stmt *st = ks_stmt(ks, which, e);

	addr_key(a, key);
	if (st != NULL)
		sqlite3_bind_text(st, 1, key, -1, SQLITE_TRANSIENT);
	return st;
}

/* *id 0: there is none. */
static int find(struct keystore *ks, const struct addr *a,
    const unsigned char sha256[32], int64_t *id, int64_t *signed_at,
    struct err *e)
{
	sqlite3_stmt *st = stmt_for_address(ks, ST_CAPS_TIME, a, e);
	int rc;

	*id = 0;
	if (st == NULL)
		return -1;
	ks_bind_view(st, 2, view_make(sha256, 32));
	rc = ks_step(ks, st, e);
	if (rc <= 0)
		return rc;
	*id = sqlite3_column_int64(st, 0);
	*signed_at = sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	return 0;
}

static int update(struct keystore *ks, int64_t id, int64_t signed_at,
    struct view der, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_CAPS_UPDATE, e);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, id);
	sqlite3_bind_int64(st, 2, signed_at);
	ks_bind_view(st, 3, der);
	return ks_run(ks, st, e);
}

/* Counting is a walk over the table, but only for one that is new. */
static int drop_oldest(struct keystore *ks, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_CAPS_COUNT, e);
	int64_t n;

	if (st == NULL || ks_step(ks, st, e) != 1)
		return -1;
	n = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	if (n <= CAP_CAPABILITIES_STORE)
		return 0;
	st = ks_stmt(ks, ST_CAPS_DROP_OLDEST, e);
	return st == NULL ? -1 : ks_run(ks, st, e);
}

static int insert(struct keystore *ks, const struct addr *a,
    const unsigned char sha256[32], int64_t signed_at, struct view der,
    struct err *e)
{
	sqlite3_stmt *st = stmt_for_address(ks, ST_CAPS_ADD, a, e);

	if (st == NULL)
		return -1;
	ks_bind_view(st, 2, view_make(sha256, 32));
	sqlite3_bind_int64(st, 3, signed_at);
	ks_bind_view(st, 4, der);
	if (ks_run(ks, st, e) != 0)
		return -1;
	st = stmt_for_address(ks, ST_CAPS_DROP_ADDRESS, a, e);
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 2, CAP_CAPABILITIES_ADDRESS);
	if (ks_run(ks, st, e) != 0)
		return -1;
	return drop_oldest(ks, e);
}

static int learn(struct keystore *ks, const struct addr *a,
    const unsigned char sha256[32], int64_t signed_at, struct view der,
    struct err *e)
{
	int64_t id, before = 0;

	if (find(ks, a, sha256, &id, &before, e) != 0)
		return -1;
	if (id == 0)
		return insert(ks, a, sha256, signed_at, der, e);
	return signed_at > before ? update(ks, id, signed_at, der, e) : 0;
}

int keystore_caps_learn(struct keystore *ks, const struct addr *a,
    const unsigned char sha256[32], int64_t signing_time, struct view der,
    struct err *e)
{
	bool began;
	int rc;

	if (der.n > CAP_CAPABILITIES)
		return err_set(e, FAIL_LIMIT, "keystore: SMIMECapabilities "
		    "of %zu octets, at most %d allowed", der.n,
		    CAP_CAPABILITIES);
	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	rc = learn(ks, a, sha256, signing_time, der, e);
	return ks_end(ks, began, rc, e);
}

/* The best row so far. */
struct best {
	bool is_own;
	int64_t signed_at, id;
};

/* That of the certificate, else the newest, else the latest that was
 * written. */
static bool is_better(const struct best *a, const struct best *b)
{
	if (a->is_own != b->is_own)
		return a->is_own;
	if (a->signed_at != b->signed_at)
		return a->signed_at > b->signed_at;
	return a->id > b->id;
}

/* The row, if it is better than what is in out. */
static int take_row(sqlite3_stmt *st, struct view own, struct best *best,
    bool *found, struct ks_caps *out, struct err *e)
{
	struct view cert = ks_column(st, 0), list = ks_column(st, 2);
	struct best this = { own.n > 0 && view_eq(own, cert),
	    sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 3) };

	if (*found && !is_better(&this, best))
		return 0;
	if (cert.n != sizeof(out->cert) || list.n > sizeof(out->list))
		return err_set(e, FAIL_CONFIG, "keystore: damaged row");
	memcpy(out->cert, cert.p, cert.n);
	if (list.n > 0)
		memcpy(out->list, list.p, list.n);
	out->n = list.n;
	out->signed_at = this.signed_at;
	out->is_own = this.is_own;
	*best = this;
	*found = true;
	return 0;
}

int keystore_caps_get(struct keystore *ks, const struct addr *a,
    const unsigned char *sha256, struct ks_caps *out, bool *found,
    struct err *e)
{
	struct view own = view_make(sha256, sha256 == NULL ? 0 : 32);
	struct best best = { false, 0, 0 };
	sqlite3_stmt *st;
	int rc;

	memset(out, 0, sizeof(*out));
	*found = false;
	if (ks->schema < KS_SCHEMA_CAPS)
		return 0; /* a store that nothing was written to since */
	st = stmt_for_address(ks, ST_CAPS_GET, a, e);
	if (st == NULL)
		return -1;
	while ((rc = ks_step(ks, st, e)) == 1)
		if (take_row(st, own, &best, found, out, e) != 0) {
			sqlite3_reset(st);
			*found = false;
			return -1;
		}
	return rc;
}

int ks_caps_forget(struct keystore *ks, const unsigned char sha256[32],
    struct err *e)
{
	return ks_run_about(ks, ST_CAPS_FORGET, sha256, e);
}
