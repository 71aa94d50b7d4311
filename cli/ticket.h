/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The right to private keys for one message, as the front gives it to the
 * keys process.
 */
#ifndef CLI_TICKET_H
#define CLI_TICKET_H

#include "cli/cli.h"
#include "gateway/gateway.h"

struct cli_ticket {
	const struct cli *c; /* after cli_keyring() */
	const struct envelope *env;
	struct addr *rcpt; /* env's, parsed */
	size_t rcpts;
};

/* t is borrowed. */
struct key_ops cli_ticket_ops(struct cli_ticket *t);

#endif
