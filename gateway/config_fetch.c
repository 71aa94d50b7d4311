/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The block fetch { } of postseal.conf: what may be fetched, and from whom.
 */
#include "gateway/config_int.h"

#include <stdlib.h>
#include <string.h>

#include "fetch/url.h"

#define EVERY_MIN 60
#define EVERY_MAX (30 * 86400)

static void set_user(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_string(&c->fetch.user, st, 1, ce);
}

/* crl URL every TIME */
static void add_crl(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct fetch_crl *x;
	void *a = c->fetch.crl;
	struct err e = {0};
	struct url u;
	int64_t every;

	if (url_parse(&u, st->word[1].s, &e) != 0) {
		conf_error(ce, st, 1, "crl: %s", e.msg);
		return;
	}
	if (strcmp(st->word[2].s, "every") != 0) {
		conf_error(ce, st, 2, "crl: expected every TIME, found %s",
		    st->word[2].s);
		return;
	}
	if (conf_time(ce, st, 3, EVERY_MIN, EVERY_MAX, &every) != 0)
		return;
	for (size_t i = 0; i < c->fetch.crls; i++)
		if (strcmp(c->fetch.crl[i].url, st->word[1].s) == 0) {
			conf_error(ce, st, 1, "crl: this URL is here twice");
			return;
		}
	x = conf_grow(&a, &c->fetch.crls, sizeof(*x), st, ce);
	c->fetch.crl = a;
	if (x == NULL)
		return;
	x->every_s = every;
	conf_string(&x->url, st, 1, ce);
}

static void add_allow(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	for (size_t w = 1; w < st->words; w++) {
		void *a = c->fetch.allow;
		char **host;

		if (!url_host_is_sane(st->word[w].s)) {
			conf_error(ce, st, w, "allow: expected HOST or "
			    "HOST:PORT, found %s", st->word[w].s);
			continue;
		}
		host = conf_grow(&a, &c->fetch.allows, sizeof(*host), st,
		    ce);
		c->fetch.allow = a;
		if (host != NULL)
			conf_string(host, st, w, ce);
	}
}

static void set_bool(bool *out, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *s = st->word[1].s;

	if (strcmp(s, "on") != 0 && strcmp(s, "off") != 0)
		conf_error(ce, st, 1, "%s: expected on or off, found %s",
		    st->word[0].s, s);
	else
		*out = strcmp(s, "on") == 0;
}

static void set_ocsp(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	set_bool(&c->fetch.ocsp, st, ce);
}

static void set_from_certs(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	set_bool(&c->fetch.from_certs, st, ce);
}

static void add_nearby(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	for (size_t w = 1; w < st->words; w++) {
		void *a = c->fetch.nearby;
		struct err e = {0};
		struct net *n;

		n = conf_grow(&a, &c->fetch.nearbys, sizeof(*n), st, ce);
		c->fetch.nearby = a;
		if (n != NULL && net_parse(n, st->word[w].s, &e) != 0)
			conf_error(ce, st, w, "private-addresses: %s", e.msg);
	}
}

static void set_timeout(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	int64_t s;

	if (conf_time(ce, st, 1, 1, 600, &s) == 0)
		c->fetch.timeout_s = s;
}

static void set_ca_file(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_path(&c->fetch.ca_file, st, 1, ce);
}

static const struct config_key fetch_key[] = {
	{"user", 1, 1, "USER", false, false, false, set_user},
	{"crl", 3, 3, "\"URL\" every TIME", false, true, false, add_crl},
	{"allow", 1, 0, "HOST[:PORT] ...", false, true, false, add_allow},
	{"ocsp", 1, 1, "on or off", false, false, false, set_ocsp},
	{"from-certificates", 1, 1, "on or off", false, false, false,
	    set_from_certs},
	{"private-addresses", 1, 0, "NETWORK ...", false, true, false,
	    add_nearby},
	{"timeout", 1, 1, "TIME", false, false, false, set_timeout},
	{"ca-file", 1, 1, "\"PATH\"", false, false, false, set_ca_file},
};

void config_fetch(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	c->fetch.is_set = true;
	c->fetch.timeout_s = 10;
	config_walk(c, fetch_key, ARRAY_LEN(fetch_key), st->sub, st->subs,
	    ce);
	if ((c->fetch.ocsp || c->fetch.from_certs) && c->fetch.allows == 0)
		conf_error(ce, st, 0, "fetch: ocsp and from-certificates "
		    "need hosts that may be asked: allow HOST");
}

void config_fetch_free(struct config *c)
{
	for (size_t i = 0; i < c->fetch.crls; i++)
		free(c->fetch.crl[i].url);
	for (size_t i = 0; i < c->fetch.allows; i++)
		free(c->fetch.allow[i]);
	free(c->fetch.crl);
	free(c->fetch.allow);
	free(c->fetch.nearby);
	free(c->fetch.user);
	free(c->fetch.ca_file);
}

void config_print_fetch(const struct config *c, struct buf *out)
{
	const struct fetch_config *f = &c->fetch;

	if (!f->is_set)
		return;
	if (f->user != NULL)
		buf_printf(out, "fetch.user %s\n", f->user);
	for (size_t i = 0; i < f->crls; i++)
		buf_printf(out, "fetch.crl %s every %llds\n", f->crl[i].url,
		    (long long)f->crl[i].every_s);
	for (size_t i = 0; i < f->allows; i++)
		buf_printf(out, "fetch.allow %s\n", f->allow[i]);
	buf_printf(out, "fetch.ocsp %s\nfetch.from-certificates %s\n"
	    "fetch.private-addresses %zu networks\nfetch.timeout %llds\n",
	    f->ocsp ? "on" : "off", f->from_certs ? "on" : "off", f->nearbys,
	    (long long)f->timeout_s);
	if (f->ca_file != NULL)
		buf_printf(out, "fetch.ca-file %s\n", f->ca_file);
}
