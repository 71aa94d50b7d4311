/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The block harvest { } of postseal.conf: what becomes of certificates that
 * a rule with the word harvest lets in.
 */
#include "gateway/config_int.h"

#include <string.h>

#define DAY ((int64_t)86400)

void config_harvest_defaults(struct config *c)
{
	c->harvest = (struct harvest_policy){.days = 3,
	    .expire_s = 90 * DAY, .max_per_address = 4, .max = 20000};
}

static void set_days(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_number(&c->harvest.days, st, 1, 1, 365, ce);
}

static void set_same_ca(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *s = st->word[1].s;

	c->harvest.same_ca = strcmp(s, "auto") == 0;
	if (!c->harvest.same_ca && strcmp(s, "pending") != 0)
		conf_error(ce, st, 1, "same-ca: expected auto or pending, "
		    "found %s", s);
}

static void set_expire(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	int64_t x;

	if (conf_time(ce, st, 1, DAY, 3650 * DAY, &x) == 0)
		c->harvest.expire_s = x;
}

/*
 * RFC 8601 5 and 7.1: who sends a message can write a field with any name of
 * ours above all others, and where the filter in front of us was silent
 * about a message, nothing tells his field from one of that filter's.
 */
static void set_require_dmarc(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	c->harvest.require_dmarc = true;
	conf_error(ce, st, 0, "require-dmarc: not yet in this version: a "
	    "dmarc=pass that another filter wrote cannot be told from one "
	    "that the sender wrote (RFC 8601 7.1); let the mail server refuse "
	    "mail that fails DMARC before it comes here");
}

static void set_max_per_address(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_number(&c->harvest.max_per_address, st, 1, 1, 64, ce);
}

static void set_max(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_number(&c->harvest.max, st, 1, 1, 100000, ce);
}

static const struct config_key harvest_key[] = {
	{"days", 1, 1, "a number in 1..365", false, false, false, set_days},
	{"same-ca", 1, 1, "auto or pending", false, false, false,
	    set_same_ca},
	{"expire", 1, 1, "TIME", false, false, false, set_expire},
	{"require-dmarc", 0, 0, "no value", false, false, false,
	    set_require_dmarc},
	{"max-per-address", 1, 1, "a number in 1..64", false, false, false,
	    set_max_per_address},
	{"max", 1, 1, "a number in 1..100000", false, false, false,
	    set_max},
};

void config_harvest(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	config_walk(c, harvest_key, ARRAY_LEN(harvest_key), st->sub,
	    st->subs, ce);
}

void config_print_harvest(const struct config *c, struct buf *out)
{
	const struct harvest_policy *p = &c->harvest;

	buf_printf(out, "harvest.days %d\nharvest.same-ca %s\n"
	    "harvest.expire %llds\nharvest.max-per-address %d\n"
	    "harvest.max %d\n", p->days, p->same_ca ? "auto" : "pending",
	    (long long)p->expire_s, p->max_per_address, p->max);
}
