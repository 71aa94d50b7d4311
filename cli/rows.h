/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates of the keystore as lists for people and programs.
 */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include "cli/cli.h"

struct rows {
	struct ks_row *row; /* owned */
	size_t n;
	size_t size;
	bool only_keys; /* set before reading: those with a private key */
};

/* As keystore_list(); each an exit code. */
int rows_read(struct cli *c, const char *what, struct rows *rows);
/* The same, at least one. */
int rows_some(struct cli *c, const char *what, struct rows *rows);
/* One certificate by SHA-256 (or address, if only one has it). */
int rows_one(struct cli *c, const char *what, struct rows *rows);
/* Say that nothing fits, and what to do; EX_DATAERR. */
int rows_none(const char *what, bool only_keys);
void rows_free(struct rows *rows);
/* The verb "list [--json] [WHAT]" of cert and key: of any length, printed
 * while it is read. */
int rows_list_verb(struct cli *c, int argc, char **argv, bool only_keys);
int rows_show(struct cli *c, const struct rows *rows);
int rows_json(struct cli *c, const struct rows *rows);
/* Is each fit for use now: a line each, or JSON as rows_json. EX_OK, or
 * EX_UNAVAILABLE when one is not. */
int rows_check(struct cli *c, const struct rows *rows, bool json);

#endif
