/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Hashes of the Message-IDs of mail that was opened here, so that its
 * answers are known (S160). No part of the generation.
 */
#include "keystore/keystore_int.h"

int keystore_opened_add(struct keystore *ks, const unsigned char hash[32],
    int64_t when, struct err *e)
{
	sqlite3_stmt *st;
	bool began;
	int rc = -1;

	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	st = ks_stmt(ks, ST_OPENED_ADD, e);
	if (st != NULL) {
		ks_bind_view(st, 1, view_make(hash, 32));
		sqlite3_bind_int64(st, 2, when);
		rc = ks_run(ks, st, e);
	}
	return ks_end(ks, began, rc, e);
}

int keystore_opened_known(struct keystore *ks, const unsigned char hash[32],
    bool *is, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*is = false;
	if (ks->schema < KS_SCHEMA_REVOCATION)
		return 0; /* a store that nothing was written to since */
	st = ks_stmt(ks, ST_OPENED_GET, e);
	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(hash, 32));
	rc = ks_step(ks, st, e);
	if (rc < 0)
		return -1;
	*is = rc == 1;
	if (rc == 1)
		sqlite3_reset(st);
	return 0;
}

int keystore_opened_expire(struct keystore *ks, int64_t before, struct err *e)
{
	sqlite3_stmt *st;
	bool began;
	int rc = -1;

	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	st = ks_stmt(ks, ST_OPENED_EXPIRE, e);
	if (st != NULL) {
		sqlite3_bind_int64(st, 1, before);
		rc = ks_run(ks, st, e);
	}
	return ks_end(ks, began, rc, e);
}
