/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The files that a configuration is made of: itself, rules, the authority
 * file, what these include, and the lists that rules name.
 */
#ifndef CLI_GATHER_H
#define CLI_GATHER_H

#include "cli/cli.h"
#include "keystore/backup.h"

struct gathered {
	char name[BACKUP_NAME]; /* in a backup */
	char *path;		/* as it is named by who reads it; owned */
	struct buf text;	/* as it is */
	struct buf portable;	/* the same with paths of this set made
				 * relative, so that all of it works in any
				 * one folder */
};
struct gather {
	struct gathered *f;
	size_t n;
	struct { char *path; const char *name; } *known; /* also of others */
	size_t knowns;
	struct buf left_out; /* named in there, not in the set; lines */
};

/* After cli_config(). 0 or an exit code, the reason said. */
int gather_files(struct cli *c, struct gather *g);
void gather_free(struct gather *g);

#endif
