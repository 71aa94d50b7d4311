/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal policy: what TLS a destination is asked for, and what it shows.
 */
#ifndef CLI_POLICY_H
#define CLI_POLICY_H

#include "cli/cli.h"
#include "relay/config.h"

cli_function cmd_policy;
cli_function cli_policy_explain; /* policy.c */
cli_function cli_policy_probe;	 /* policy_probe.c */

/* The relay { } of a file; 0, or EX_CONFIG, having said why. relay.c */
int cli_relay_read(const char *path, struct relay_config **out);
/* The relay { } of the configuration, and who the relay is from here on, where
 * we were root: what comes from the network is not read as root. 0, or an
 * exit code. */
int cli_relay_config(struct cli *c, struct relay_config **out);
/* The route for questions: its name, or NULL: the first that goes by MX. 0,
 * or an exit code. */
int cli_policy_route(const struct relay_config *rc, const char *name,
    const char **out);
/* "bob@b.example" of an address or a domain; 0 or EX_USAGE. */
int cli_policy_recipient(struct cli *c, const char *word, struct buf *out);

#endif
