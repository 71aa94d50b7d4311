/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal relay: its sub-verbs.
 */
#ifndef CLI_RELAY_H
#define CLI_RELAY_H

#include "cli/cli.h"

cli_function cmd_relay;
cli_function cli_relay_check;  /* relay.c */
cli_function cli_relay_import; /* relay_import.c */

#endif
