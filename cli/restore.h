/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Reading a backup, and putting it back: into a new folder (restore.c), or
 * over what is configured (replace.c).
 */
#ifndef CLI_RESTORE_H
#define CLI_RESTORE_H

#include <sys/types.h>

#include "cli/cli.h"
#include "keystore/backup.h"

/* Ask for the passphrase and read the list. 0 or an exit code. */
int backup_open_file(const char *file, const char *password_file, int *fd,
    struct backup **out);
/* Read all of it, and the database as a database. */
int backup_verify(struct cli *c, struct backup *b);

/* Where short-lived files go: the spool, TMPDIR, /tmp. */
const char *scratch_folder(const struct cli *c);

struct restore {
	const char *file, *dir, *password_file, *user;
	bool replace, yes;
	int fd;
	struct backup *b;
	uid_t uid; /* whose the keystore is to be; -1: stay */
	gid_t gid;
	/* for the child that looks at the database: */
	const char *db;
	const struct buf *secret; /* with which its keys should open */
	bool note;
};

/* In a child: the database opens, is whole, its keys open. Says what is in
 * it. arg is a struct restore. */
int restore_check_child(struct cli *c, void *arg);
/* A new empty file of the keystore's owner, written by the caller; -1 and
 * the reason said. at: a folder, name in it. */
int restore_make_file(const struct restore *r, int at, const char *name,
    mode_t mode, bool is_owners);
/* Over the configured files. */
int restore_replace(struct cli *c, struct restore *r);

#endif
