/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Rows of what was harvested, for harvest.c and harvest_admin.c.
 */
#ifndef KEYSTORE_HARVEST_INT_H
#define KEYSTORE_HARVEST_INT_H

#include "keystore/harvest.h"
#include "keystore/keystore_int.h"

/* One certificate with one address. */
struct ks_harvested {
	bool is; /* there is a row */
	char who[sizeof(((struct addr *)0)->text)]; /* key form */
	unsigned char cert[32];
	int64_t first, last;
	int days;
	bool serves; /* it waits for nothing */
};

/* A statement whose first values are these, those that are not NULL. */
sqlite3_stmt *ks_harvest_stmt(struct keystore *ks, enum ks_stmt which,
    const char *who, const unsigned char *sha256, struct err *e);
/* The row under the cursor. */
int ks_harvest_read(sqlite3_stmt *st, struct ks_harvested *out,
    struct err *e) MUST_CHECK;
/* The first row of a statement (NULL: e is set), if any. */
int ks_harvest_one(struct keystore *ks, sqlite3_stmt *st,
    struct ks_harvested *out, struct err *e) MUST_CHECK;

/* Each inside a change. */
int ks_harvest_put(struct keystore *ks, const struct ks_harvested *x,
    const char *reason, struct err *e) MUST_CHECK;
int ks_harvest_index(struct keystore *ks, const unsigned char sha256[32],
    bool is_used, struct err *e) MUST_CHECK;
int ks_harvest_note(struct keystore *ks, const char *action,
    const unsigned char sha256[32], const char *who, struct err *e)
    MUST_CHECK;

#endif
