/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal key export: PKCS#12 for the mail programs of users.
 */
#ifndef CLI_KEYOUT_H
#define CLI_KEYOUT_H

#include "cli/cli.h"

cli_function keyout_verb;

#endif
