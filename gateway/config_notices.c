/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal.conf: notices { }, mail to the administrator.
 */
#include "gateway/config_int.h"

#define DAY ((int64_t)86400)

void config_notice_address(char **out, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *key = st->word[0].s;
	struct err e = {0};
	struct addr a;

	if (addr_parse(&a, view_of(st->word[1].s), &e) != 0)
		conf_error(ce, st, 1, "%s: %s", key, e.msg);
	else if (a.utf8)
		conf_error(ce, st, 1, "%s: expected an address that every "
		    "mail server takes, without UTF-8 (RFC 6531)", key);
	else
		conf_string(out, st, 1, ce);
}

static void set_to(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	config_notice_address(&c->notice_to, st, ce);
}

static void set_via(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	if (conf_host_port(st, 1, ce) == 0)
		conf_string(&c->notice_via, st, 1, ce);
}

static void set_every(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	(void)!conf_time(ce, st, 1, 3600, 366 * DAY, &c->notice_every_s);
}

static void set_before(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	(void)!conf_time(ce, st, 1, DAY, 366 * DAY, &c->notice_before_s);
}

static const struct config_key notice_key[] = {
	{"to", 1, 1, "ADDRESS", false, false, false, set_to},
	{"via", 1, 1, "\"ADDRESS:PORT\"", false, false, false, set_via},
	{"every", 1, 1, "TIME", false, false, false, set_every},
	{"before", 1, 1, "TIME", false, false, false, set_before},
};

void config_notices(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	size_t before = ce->n;

	config_walk(c, notice_key, ARRAY_LEN(notice_key), st->sub, st->subs,
	    ce);
	if (ce->n == before && (c->notice_to == NULL ||
	    c->notice_via == NULL))
		conf_error(ce, st, 0, "notices: expected to ADDRESS and via "
		    "\"ADDRESS:PORT\" in it");
}

void config_print_notices(const struct config *c, struct buf *out)
{
	if (c->notice_to == NULL)
		return;
	buf_printf(out, "notices.to %s\nnotices.via %s\nnotices.every %llds\n"
	    "notices.before %llds\n", c->notice_to, c->notice_via,
	    (long long)c->notice_every_s, (long long)c->notice_before_s);
}
