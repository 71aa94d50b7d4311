/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal ca issue --users: the whole company from one's own CA.
 */
#ifndef CLI_ISSUE_USERS_H
#define CLI_ISSUE_USERS_H

#include "cli/cli.h"

/* Does the command line name a file of users? */
bool issue_users_wanted(int argc, char **argv);
/* Certificates and keys into the store; whoever has one of this CA for more
 * than thirty days to come is passed over, so that the same command goes on
 * where it was stopped. */
cli_function issue_users_verb;
#define ISSUE_USERS_USAGE                                                 \
	"ca issue --users FILE [--algorithm A] "                          \
	"[--use both|sign|encrypt|--separate] [--days N] [--again] "      \
	"[--foreign] [--dry-run] [--json] [--password-file F]"

#endif
