/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Where things go: the blocks route NAME { } and the statement backend.
 */
#include "relay/config_int.h"

#include <stdlib.h>
#include <string.h>

#include "util/addr.h"

#define CONCURRENCY 20
#define REST_S 60

/* ---- route ---- */

static void set_mx(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_route *r = arg;

	r->mx = true;
	if (st->words == 3 && strcmp(st->word[1].s, "port") == 0)
		conf_number(&r->port, st, 2, 1, 65535, ce);
	else if (st->words != 1)
		conf_error(ce, st, 1, "mx: expected nothing, or port PORT");
}

/* One word behind the host; how many it took. */
static size_t set_host_option(struct relay_route *r,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce)
{
	enum tls_level level;

	if (strcmp(st->word[w].s, "xclient") == 0) {
		r->xclient = true;
		return 1;
	}
	if (strcmp(st->word[w].s, "tls") == 0 && w + 1 < st->words &&
	    tls_level_of(st->word[w + 1].s, &level) == 0) {
		if (level == TLS_FINGERPRINT)
			conf_error(ce, st, w + 1, "host: fingerprint wants a "
			    "line of tls-policy, which has the pins: to "
			    "DESTINATION fingerprint sha256:HEX");
		r->level = (int)level;
		return 2;
	}
	conf_error(ce, st, w, "host: expected tls LEVEL or xclient, found %s",
	    st->word[w].s);
	return st->words;
}

/* "smtp.example:587", "[192.0.2.1]:25", "192.0.2.1:25", "unix:/PATH",
 * each with lmtp: in front. */
static bool host_ok(const char *s)
{
	const char *colon = strrchr(s, ':');
	size_t n = colon == NULL ? 0 : (size_t)(colon - s);

	if (relay_place_ok(s))
		return true;
	if (n == 0 || n > 253 || colon[1] == '\0' || strlen(colon + 1) > 5 ||
	    colon[1 + strspn(colon + 1, "0123456789")] != '\0' ||
	    strtol(colon + 1, NULL, 10) < 1 ||
	    strtol(colon + 1, NULL, 10) > 65535)
		return false;
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789-._[]") == n;
}

static void set_host(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_route *r = arg;
	const char *s = st->word[1].s;
	char *host;
	size_t w = 2;

	conf_string(&r->host, st, 1, ce);
	if (r->host != NULL && strncmp(s, "lmtp:", 5) == 0) {
		r->lmtp = true;
		host = strdup(s + 5);
		free(r->host);
		r->host = host;
	}
	if (r->host == NULL || !host_ok(r->host))
		conf_error(ce, st, 1, "host: expected \"NAME:PORT\", "
		    "\"ADDRESS:PORT\" or \"unix:/PATH\", perhaps with lmtp: in "
		    "front, found %s", s);
	while (w < st->words)
		w += set_host_option(r, st, w, ce);
}

static void set_concurrency(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_number(&((struct relay_route *)arg)->concurrency, st, 1, 1, 10000,
	    ce);
}

static void set_rest(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_route *r = arg;
	int64_t s;

	/* RELAY: half a minute to a quarter of an hour; tests want less */
	if (conf_time(ce, st, 1, 0, 900, &s) == 0)
		r->rest_ms = s * 1000;
}

static void set_nearby(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_route *r = arg;

	relay_config_nets(&r->nearby, &r->nearbys, st, 1, ce);
}

void relay_config_domain(char **out, const struct conf_stmt *st, size_t w,
    struct conf_errors *ce)
{
	const char *s = st->word[w].s;
	char domain[TLS_NAME_MAX];
	struct err e = { 0 };
	struct addr a = { .text = "" };
	struct buf b;

	buf_init(&b, sizeof(a.text) + sizeof(domain));
	if (s[0] != '.' && s[0] != '@' && strchr(s, '@') != NULL) {
		if (addr_parse(&a, view_of(s), &e) == 0)
			buf_puts(&b, a.text);
	} else if (addr_domain_parse(domain, sizeof(domain),
	    view_of(s + (*s == '.' || *s == '@')), &e) == 0) {
		buf_printf(&b, "%s%s", *s == '.' ? "." : *s == '@' ? "@" : "",
		    domain);
	}
	if (b.n == 0)
		conf_error(ce, st, w, "%s: %s", st->word[0].s, e.msg);
	free(*out);
	*out = view_strdup(buf_view(&b));
	if (*out == NULL)
		conf_error(ce, st, w, "out of memory");
	buf_free(&b);
}

/* via DOMAIN|.DOMAIN ROUTE */
static void add_via(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_route *r = arg;
	void *a = r->via_domain, *b = r->via;
	size_t n = r->vias;
	char **domain = conf_grow(&a, &n, sizeof(*domain), st, ce);
	char (*name)[RELAY_NAME];

	r->via_domain = a;
	if (domain == NULL)
		return;
	n = r->vias;
	name = conf_grow(&b, &n, sizeof(*name), st, ce);
	r->via = b;
	if (name == NULL)
		return;
	r->vias = n;
	relay_config_domain(domain, st, 1, ce);
	relay_config_name(*name, st, 2, ce);
}

void relay_config_route(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	static const struct conf_key key[] = {
		{ "mx", 0, 2, "nothing or port PORT", false, false, false,
		    set_mx },
		{ "host", 1, 4, "\"NAME:PORT\" [tls LEVEL] [xclient]", false,
		    false, false, set_host },
		{ "concurrency", 1, 1, "NUMBER", false, false, false,
		    set_concurrency },
		{ "rest", 1, 1, "TIME", false, false, false, set_rest },
		{ "nearby", 1, 0, "NETWORK ...", false, true, false,
		    set_nearby },
		{ "via", 2, 2, "DOMAIN ROUTE", false, true, false, add_via },
	};
	struct relay_config *c = arg;
	struct conf_table t = { key, ARRAY_LEN(key), st->file, st->line, NULL,
		NULL };
	void *a = c->route;
	struct relay_route *r;

	if (relay_route(c, st->word[1].s) != NULL)
		conf_error(ce, st, 1, "route %s is there already",
		    st->word[1].s);
	r = conf_grow(&a, &c->routes, sizeof(*r), st, ce);
	c->route = a;
	if (r == NULL)
		return;
	relay_config_name(r->name, st, 1, ce);
	r->port = 25;
	r->level = -1;
	r->concurrency = CONCURRENCY;
	r->rest_ms = (int64_t)REST_S * 1000;
	t.arg = r;
	conf_walk(&t, st->sub, st->subs, ce);
	if (r->mx == (r->host != NULL))
		conf_error(ce, st, 0, "route %s: expected mx, or host "
		    "\"NAME:PORT\"", r->name);
}

void relay_config_free_route(struct relay_route *r)
{
	size_t i;

	for (i = 0; i < r->vias; i++)
		free(r->via_domain[i]);
	free(r->host);
	free(r->nearby);
	free(r->via_domain);
	free(r->via);
}

/* ---- backend ---- */

static void set_exec(struct backend *b, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	size_t w = 2, n = 0;

	if (w + 1 < st->words && !st->word[w].quoted &&
	    strcmp(st->word[w].s, "user") == 0) {
		conf_string(&b->user, st, w + 1, ce);
		w += 2;
	}
	if (w >= st->words || st->word[w].s[0] != '/') {
		conf_error(ce, st, w < st->words ? w : 0, "backend: expected "
		    "exec [user USER] \"/PROGRAM\" [\"ARGUMENT\" ...]");
		return;
	}
	b->argv = calloc(st->words - w + 1, sizeof(*b->argv));
	for (; b->argv != NULL && w < st->words; w++)
		conf_string(&b->argv[n++], st, w, ce);
	if (b->argv == NULL)
		conf_error(ce, st, 0, "out of memory");
}

/* A word with a value behind it. */
static void set_backend_value(struct backend *b, const struct conf_stmt *st,
    size_t w, struct conf_errors *ce)
{
	const char *s = st->word[w].s;

	if (strcmp(s, "name") == 0)
		conf_string(&b->name, st, w + 1, ce);
	else if (strcmp(s, "ca") == 0)
		relay_config_name(b->ca, st, w + 1, ce);
	else if (strcmp(s, "pki") == 0)
		relay_config_name(b->pki, st, w + 1, ce);
	else if (strcmp(s, "pin") == 0)
		b->has_pin = relay_config_pin(b->pin.sha256, st, w + 1, ce) ==
		    0;
	else if (strcmp(s, "tls") == 0 &&
	    tls_level_of(st->word[w + 1].s, &b->level) == 0 &&
	    (b->level == TLS_ENCRYPT || b->level == TLS_VERIFY ||
	    b->level == TLS_SECURE || b->level == TLS_FINGERPRINT))
		b->tls = true;
	else
		conf_error(ce, st, w, "backend: expected proxy-v1, proxy-v2, "
		    "xclient, tls encrypt|verify|secure|fingerprint, implicit, "
		    "name NAME, ca NAME, pki NAME or pin sha256:HEX, found %s",
		    s);
}

static size_t set_backend_word(struct backend *b, const struct conf_stmt *st,
    size_t w, struct conf_errors *ce)
{
	const char *s = st->word[w].s;

	if (strcmp(s, "proxy-v1") == 0)
		b->real = REAL_PROXY_V1;
	else if (strcmp(s, "proxy-v2") == 0)
		b->real = REAL_PROXY_V2;
	else if (strcmp(s, "xclient") == 0)
		b->real = REAL_XCLIENT;
	else if (strcmp(s, "implicit") == 0)
		b->implicit = true;
	else if (w + 1 < st->words) {
		set_backend_value(b, st, w, ce);
		return 2;
	} else
		conf_error(ce, st, w, "backend: unknown word, or a value is "
		    "missing behind it: %s", s);
	return 1;
}

static void check_backend_tls(const struct backend *b,
    const struct conf_stmt *st, struct conf_errors *ce)
{
	if (!b->tls && (b->implicit || b->name != NULL || *b->ca != '\0' ||
	    *b->pki != '\0' || b->has_pin))
		conf_error(ce, st, 0, "backend: implicit, name, ca, pki and "
		    "pin want tls LEVEL before them");
	if (b->tls && (b->level == TLS_FINGERPRINT) != b->has_pin)
		conf_error(ce, st, 0, "backend: tls fingerprint and pin "
		    "sha256:HEX belong together");
}

void relay_config_backend(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct backend *b = &((struct listener *)arg)->backend;
	size_t w = 2;

	if (!st->word[1].quoted && strcmp(st->word[1].s, "exec") == 0) {
		set_exec(b, st, ce);
		return;
	}
	if (!relay_place_ok(st->word[1].s))
		conf_error(ce, st, 1, "backend: expected \"ADDRESS:PORT\" "
		    "with a numeric address, \"unix:/PATH\" or exec, found %s",
		    st->word[1].s);
	conf_string(&b->where, st, 1, ce);
	while (w < st->words)
		w += set_backend_word(b, st, w, ce);
	check_backend_tls(b, st, ce);
}
