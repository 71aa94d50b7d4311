/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal relay passwd: see relay_passwd.c.
 */
#ifndef CLI_RELAY_PASSWD_H
#define CLI_RELAY_PASSWD_H

#include "cli/cli.h"

cli_function cli_relay_passwd;

#define CLI_RELAY_PASSWD_USAGE                                              \
	"relay passwd FILE LOGIN [--password-file F|-]\n"                   \
	"       postseal relay passwd FILE LOGIN --delete\n"                \
	"       postseal relay passwd FILE --list [--json]"

#endif
