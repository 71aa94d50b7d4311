/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which way a message goes, for one recipient: from login and client
 * address, never from headers (M19, M20).
 */
#include "gateway/gateway.h"

static bool is_ours(const struct config *c, const struct envelope *env)
{
	if (env->auth != ENV_AUTH_NONE)
		return true;
	for (size_t i = 0; i < c->outbounds; i++)
		if (net_has(&c->outbound[i], env->client_ip))
			return true;
	return false;
}

enum direction gateway_direction(const struct config *c,
    const struct envelope *env, const struct addr *to)
{
	if (env->forced != 0)
		return env->forced;
	if (!is_ours(c, env))
		return DIR_INBOUND;
	/* A recipient without a domain is a local mailbox. */
	return to->text[0] == '\0' || config_is_local(c, to) ? DIR_INTERNAL
							     : DIR_OUTBOUND;
}
