/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which way a message goes, for one recipient: from login and client
 * address, never from headers (M19, M20). A recipient that does not read in
 * exactly one way never counts as one of ours (A24).
 */
#include "gateway/gateway.h"

#include <string.h>

static bool is_ours(const struct config *c, const struct envelope *env)
{
	if (env->side != 0)
		return env->side == DIR_OUTBOUND;
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
	/* what cannot be read may well end anywhere */
	return to->text[0] != '\0' && config_is_local(c, to) ? DIR_INTERNAL
							     : DIR_OUTBOUND;
}

/* A local domain, or a host in one: there mail servers read further ways
 * out of a local part. */
static bool is_near(const struct config *c, const struct addr *a)
{
	const char *d = addr_domain(a);
	size_t n = strlen(d), m;

	for (size_t i = 0; i < c->domains; i++) {
		m = strlen(c->domain[i]);
		if (n >= m && strcmp(d + n - m, c->domain[i]) == 0 &&
		    (n == m || d[n - m - 1] == '.'))
			return true;
	}
	return false;
}

/* a%b@ours, b!a@ours and "a@b"@ours are a@b to Postfix and Sendmail (RFC
 * 5321 3.7 has them no more). */
static bool has_route(const struct addr *a)
{
	return strpbrk(a->text, "%!") != NULL ||
	    memchr(a->text, '@', a->local_n) != NULL;
}

/* root: at the first of our domains. */
static int read_bare(const struct config *c, const char *raw, struct addr *a)
{
	struct view v = view_of(raw);
	struct buf b;
	int rc;

	if (v.n >= 2 && v.p[0] == '<' && v.p[v.n - 1] == '>')
		v = view_sub(v, 1, v.n - 2);
	if (c->domains == 0 || view_chr(v, '@', 0) != (size_t)-1 ||
	    view_chr(v, '"', 0) != (size_t)-1)
		return -1;
	buf_init(&b, 4096);
	buf_putv(&b, v);
	buf_putc(&b, '@');
	buf_puts(&b, c->domain[0]);
	rc = buf_ok(&b, NULL) != 0 ? -1 : addr_parse(a, buf_view(&b), NULL);
	buf_free(&b);
	return rc == 0 && !a->utf8 ? 0 : -1;
}

enum rcpt_form rcpt_read(const struct config *c, const char *raw,
    struct addr *a)
{
	enum rcpt_form form = RCPT_ADDRESS;

	if (addr_parse_path(a, raw, NULL) != 0) {
		form = RCPT_BARE;
		if (read_bare(c, raw, a) != 0)
			memset(a, 0, sizeof(*a));
	}
	if (a->text[0] != '\0' && is_near(c, a) && has_route(a))
		memset(a, 0, sizeof(*a));
	return a->text[0] == '\0' ? RCPT_UNREADABLE : form;
}
