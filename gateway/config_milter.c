/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The block milter { } of postseal.conf.
 */
#include "gateway/config_int.h"

#include <stdlib.h>
#include <string.h>

#include "smtp/hop.h"

static void check_socket(const struct conf_stmt *st, struct conf_errors *ce)
{
	const char *s = st->word[1].s;
	const char *at;
	char *end;
	long port;

	if (strncmp(s, "unix:", 5) == 0 || strncmp(s, "local:", 6) == 0) {
		if (strchr(s, ':')[1] != '/')
			conf_error(ce, st, 1,
			    "listen: expected an absolute path after unix:");
		return;
	}
	at = strchr(s, '@');
	if (strncmp(s, "inet:", 5) == 0 || strncmp(s, "inet6:", 6) == 0) {
		port = strtol(strchr(s, ':') + 1, &end, 10);
		if (port >= 1 && port <= 65535 && end == at && at[1] != '\0')
			return;
	}
	conf_error(ce, st, 1,
	    "listen: expected \"unix:/PATH\" or \"inet:PORT@HOST\", found %s",
	    s);
}

static void set_listen(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	bool mode = false, group = false;

	conf_string(&c->listen, st, 1, ce);
	check_socket(st, ce);
	for (size_t w = 2; w < st->words; w += 2) {
		const char *s = st->word[w].s;
		bool *seen = strcmp(s, "mode") == 0 ? &mode
		    : strcmp(s, "group") == 0	    ? &group
						    : NULL;

		if (seen == NULL || *seen || w + 1 == st->words) {
			conf_error(ce, st, w,
			    "listen: expected mode MODE or group GROUP, "
			    "each once, found %s", s);
			return;
		}
		*seen = true;
		if (seen == &mode)
			conf_mode(&c->listen_mode, st, w + 1, ce);
		else
			conf_string(&c->listen_group, st, w + 1, ce);
	}
}

static void set_user(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_string(&c->user, st, 1, ce);
}

static void set_keys_user(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_string(&c->keys_user, st, 1, ce);
}

static void set_workers(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_number(&c->workers, st, 1, 1, 256, ce);
}

static void set_waiting(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_number(&c->waiting, st, 1, 0, 100000, ce);
}

static void set_networks(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	c->outbounds = 0; /* what is said replaces the default */
	free(c->outbound);
	c->outbound = NULL;
	for (size_t w = 1; w < st->words; w++) {
		struct err e = {0};
		struct net *n;
		void *a = c->outbound;

		n = conf_grow(&a, &c->outbounds, sizeof(*n), st, ce);
		c->outbound = a;
		if (n != NULL && net_parse(n, st->word[w].s, &e) != 0)
			conf_error(ce, st, w, "outbound-networks: %s", e.msg);
	}
}

/* As hop_send() takes it. */
static void set_reinject(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct buf spec;

	if (strcmp(st->word[1].s, "smtp") != 0) {
		conf_error(ce, st, 1,
		    "reinject: expected smtp ADDRESS:PORT, found %s",
		    st->word[1].s);
		return;
	}
	buf_init(&spec, HOP_SPEC_MAX);
	buf_printf(&spec, "smtp:%s", st->word[2].s);
	if (spec.failed || !hop_spec_ok(buf_str(&spec))) {
		conf_error(ce, st, 2, "reinject: expected ADDRESS:PORT with a "
		    "numeric address, an IPv6 one in brackets, found %s",
		    st->word[2].s);
	} else {
		free(c->reinject);
		c->reinject = view_strdup(buf_view(&spec));
		if (c->reinject == NULL)
			conf_error(ce, st, 2, "reinject: out of memory");
	}
	buf_free(&spec);
}

/* What it cannot deliver yet it must queue: a port of the mail server. */
static void set_tls_route(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	if (strcmp(st->word[1].s, "smtp") != 0) {
		conf_error(ce, st, 1, "tls-route: expected smtp, a port of the "
		    "mail server, which can keep what waits for its hop, "
		    "found %s", st->word[1].s);
		return;
	}
	c->tls_route = config_hop(st, false, ce);
}

static void set_observe(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_yes_no(&c->observe, st, ce);
}

static const struct config_key milter_key[] = {
	{"listen", 1, 5, "\"unix:/PATH\" [mode MODE] [group GROUP]", false,
	    false, false, set_listen},
	{"user", 1, 1, "USER", false, false, false, set_user},
	{"keys-user", 1, 1, "USER", false, false, false, set_keys_user},
	{"workers", 1, 1, "a number in 1..256", false, false, false,
	    set_workers},
	{"waiting", 1, 1, "a number in 0..100000", false, false, false,
	    set_waiting},
	{"observe", 1, 1, "yes or no", false, false, false, set_observe},
	{"outbound-networks", 1, 0, "NETWORK ...", false, false, false,
	    set_networks},
	{"reinject", 2, 2, "smtp \"ADDRESS:PORT\"", false, false, false,
	    set_reinject},
	{"tls-route", 2, 2, "smtp \"ADDRESS:PORT\"", false, false, false,
	    set_tls_route},
};

void config_milter(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	config_walk(c, milter_key, ARRAY_LEN(milter_key), st->sub, st->subs,
	    ce);
	if (c->tls_route != NULL && c->reinject != NULL &&
	    strcmp(c->tls_route, c->reinject) == 0)
		conf_error(ce, st, 0, "milter: tls-route is the same as "
		    "reinject, from where mail leaves over any hop");
}
