/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a backup has in it: a list of members, then each member's octets. The
 * names are a fixed set, whatever a file says, so nothing can be restored to
 * where we do not want it. The keystore's database is one member; texts of
 * configuration come from the caller, because nothing here knows them.
 */
#ifndef KEYSTORE_BACKUP_H
#define KEYSTORE_BACKUP_H

#include "keystore/keystore.h"

#define BACKUP_DB "keystore.db"
#define BACKUP_CONF "postseal.conf"
#define BACKUP_SECRET "secret"
/* Other texts: */
#define BACKUP_RULES "rules"
#define BACKUP_AUTHORITY "authority"
#define BACKUP_FILE "file-" /* and three digits */
/* A text as it was; without it, with its paths made relative. */
#define BACKUP_AS_IT_WAS ".orig"

#define BACKUP_NAME 32

struct backup_member {
	char name[BACKUP_NAME];
	char *path;	  /* where it was; owned; for people */
	uint64_t size;
	struct view text; /* to be written; of the database, nothing */
};
bool backup_is_name(const char *name);

/*
 * Write all into fd: the members in this order, the database's octets from
 * db. The database is a member, and no name comes twice.
 */
int backup_write(int fd, struct view passphrase, int64_t when,
    const struct backup_member *m, size_t n, int db, struct err *e)
    MUST_CHECK;

struct backup;
/* The list is read and checked. */
int backup_open(struct backup **out, int fd, struct view passphrase,
    struct err *e) MUST_CHECK;
void backup_close(struct backup **b);
int64_t backup_when(const struct backup *b);
size_t backup_members(const struct backup *b);
const struct backup_member *backup_member(const struct backup *b, size_t i);
/* The octets of the next member, in order, into fd. */
int backup_next(struct backup *b, int fd, struct err *e) MUST_CHECK;
/* After all of them: there is nothing more. */
int backup_end(struct backup *b, struct err *e) MUST_CHECK;

/* ---- the database ---- */

/* A copy as of one moment, while others read and write: a file without a
 * name, made in folder. */
int keystore_copy(struct keystore *ks, const char *folder, int *fd,
    struct err *e) MUST_CHECK;

struct keystore_sum {
	int64_t certs, keys, anchors, newest; /* newest: when one was added */
};
/* Is the database whole? What it has. FAIL_CONFIG says what is wrong. */
int keystore_verify(struct keystore *ks, struct keystore_sum *out,
    struct err *e) MUST_CHECK;
/* For the audit: what was done with it as a whole. */
int keystore_note(struct keystore *ks, const char *action,
    const char *object, const char *detail, struct err *e) MUST_CHECK;

/*
 * Nobody else has it open, and nothing of it is outside its one file; stays
 * so until it is closed. FAIL_TEMP: somebody has.
 */
struct sqlite3;
int keystore_hold(const char *path, struct sqlite3 **out, struct err *e)
    MUST_CHECK;
void keystore_let_go(struct sqlite3 **db);

#endif
