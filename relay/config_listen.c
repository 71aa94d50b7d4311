/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The blocks listen NAME { } of relay { }.
 */
#include "relay/config_int.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "util/caps.h"

#define CONNECTIONS 1000
#define PER_CLIENT 20
#define MIN_RATE 100 /* octets a second */
#define RCPTS 1000

static const char *const protocol_word[] = {
	"lmtp", "smtp", "submission", "pop3", "imap", "smtp-tunnel", "any"
};
static const char *const tls_word[] = {
	"plain", "starttls", "starttls-required", "implicit", "external"
};

const char *relay_protocol_str(enum relay_protocol p)
{
	return protocol_word[p];
}

bool relay_is_tunnel(enum relay_protocol p)
{
	return p >= RELAY_POP3;
}

/* Index of s in words, or -1. */
static int word_index(const char *const *words, size_t n, const char *s)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(words[i], s) == 0)
			return (int)i;
	return -1;
}

static bool port_ok(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n >= 1 && n <= 5 && s[n] == '\0' && strtol(s, NULL, 10) >= 1 &&
	    strtol(s, NULL, 10) <= 65535;
}

bool relay_place_ok(const char *where)
{
	const char *colon = strrchr(where, ':');
	unsigned char ip[16];
	char host[64];
	size_t n;

	if (strncmp(where, "unix:", 5) == 0)
		return where[5] == '/' && strlen(where) < 5 + 108;
	if (colon == NULL || !port_ok(colon + 1))
		return false;
	n = (size_t)(colon - where);
	if (n >= 2 && where[0] == '[' && where[n - 1] == ']')
		return view_cstr(view_make(where + 1, n - 2), host,
		    sizeof(host)) == 0 && inet_pton(AF_INET6, host, ip) == 1;
	return view_cstr(view_make(where, n), host, sizeof(host)) == 0 &&
	    inet_pton(AF_INET, host, ip) == 1;
}

bool relay_forward_ok(const char *forward)
{
	struct view v = view_of(forward);
	size_t at = view_chr(v, '@', 0);
	unsigned char ip[16];
	char host[64];

	if (at != (size_t)-1 && !port_ok(forward + at + 1))
		return false;
	if (at == (size_t)-1)
		at = v.n;
	return view_cstr(view_sub(v, 0, at), host, sizeof(host)) == 0 &&
	    (inet_pton(AF_INET, host, ip) == 1 ||
	    inet_pton(AF_INET6, host, ip) == 1);
}

/* ---- statements ---- */

static void set_protocol(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	int i = word_index(protocol_word, ARRAY_LEN(protocol_word),
	    st->word[1].s);

	if (i < 0)
		conf_error(ce, st, 1, "protocol: expected lmtp, smtp, "
		    "submission, pop3, imap, smtp-tunnel or any, found %s",
		    st->word[1].s);
	else
		((struct listener *)arg)->protocol = (enum relay_protocol)i;
}

/* One word behind the address; how many words it took. */
static size_t set_on_option(struct listen_on *on, const struct conf_stmt *st,
    size_t w, struct conf_errors *ce)
{
	const char *s = st->word[w].s;
	int tls = word_index(tls_word, ARRAY_LEN(tls_word), s);

	if (tls >= 0)
		on->tls = (enum listen_tls)tls;
	else if (strcmp(s, "proxy") == 0)
		on->proxy = true;
	else if (strcmp(s, "mode") == 0 && w + 1 < st->words)
		conf_mode(&on->mode, st, w + 1, ce);
	else if (strcmp(s, "group") == 0 && w + 1 < st->words)
		conf_string(&on->group, st, w + 1, ce);
	else
		conf_error(ce, st, w, "on: expected plain, starttls, "
		    "starttls-required, implicit, external, proxy, mode MODE "
		    "or group GROUP, found %s", s);
	return strcmp(s, "mode") == 0 || strcmp(s, "group") == 0 ? 2 : 1;
}

static void add_on(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct listener *l = arg;
	void *a = l->on;
	struct listen_on *on = conf_grow(&a, &l->ons, sizeof(*on), st, ce);
	size_t w = 2;

	l->on = a;
	if (on == NULL)
		return;
	on->mode = 0660;
	if (!relay_place_ok(st->word[1].s))
		conf_error(ce, st, 1, "on: expected \"ADDRESS:PORT\" with a "
		    "numeric address, or \"unix:/PATH\", found %s",
		    st->word[1].s);
	conf_string(&on->where, st, 1, ce);
	while (w < st->words)
		w += set_on_option(on, st, w, ce);
}

static void add_pki(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct listener *l = arg;
	void *a = l->pki;
	size_t w;

	for (w = 1; w < st->words; w++) {
		char (*p)[RELAY_NAME] = conf_grow(&a, &l->pkis, sizeof(*p),
		    st, ce);

		l->pki = a;
		if (p != NULL)
			relay_config_name(*p, st, w, ce);
	}
}

static void set_versions(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	static const char *const word[] = { "1.0", "1.1", "1.2", "1.3" };
	int i = word_index(word, ARRAY_LEN(word), st->word[1].s);

	if (i < 0)
		conf_error(ce, st, 1, "min-protocol: expected 1.0, 1.1, 1.2 "
		    "or 1.3, found %s", st->word[1].s);
	else
		((struct listener *)arg)->min =
		    (enum tls_version)(TLS_V_1_0 + i);
}

static void set_ciphers(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_string(&((struct listener *)arg)->ciphers, st, 1, ce);
}

/* ... pin sha256:HEX [as ADDRESS] */
static void add_pin(struct listener *l, const struct conf_stmt *st, size_t w,
    struct conf_errors *ce)
{
	void *a = l->pin;
	struct client_pin *p = conf_grow(&a, &l->pins, sizeof(*p), st, ce);

	l->pin = a;
	if (p == NULL || relay_config_pin(p->sha256, st, w, ce) != 0)
		return;
	if (w + 2 < st->words && strcmp(st->word[w + 1].s, "as") == 0)
		conf_string(&p->as, st, w + 2, ce);
	else if (w + 1 < st->words)
		conf_error(ce, st, w + 1, "client-cert: expected as ADDRESS, "
		    "found %s", st->word[w + 1].s);
}

/* client-cert optional|require ca NAME | pin sha256:HEX [as ADDRESS] */
static int read_client_cert(const struct conf_stmt *st, size_t w,
    struct conf_errors *ce)
{
	if (strcmp(st->word[w].s, "optional") == 0)
		return CLIENT_CERT_OPTIONAL;
	if (strcmp(st->word[w].s, "require") == 0)
		return CLIENT_CERT_MUST;
	conf_error(ce, st, w, "client-cert: expected optional or require, "
	    "found %s", st->word[w].s);
	return CLIENT_CERT_NONE;
}

static void set_client_cert(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct listener *l = arg;
	enum client_cert was = l->client_cert;

	l->client_cert = (enum client_cert)read_client_cert(st, 1, ce);
	if (was != CLIENT_CERT_NONE && was != l->client_cert)
		conf_error(ce, st, 1, "client-cert: optional or require, not "
		    "both in one listen");
	if (*l->client_ca != '\0' && strcmp(st->word[2].s, "ca") == 0)
		conf_error(ce, st, 2, "client-cert: one ca, which may have "
		    "many certificates");
	if (strcmp(st->word[2].s, "ca") == 0 && st->words == 4)
		relay_config_name(l->client_ca, st, 3, ce);
	else if (strcmp(st->word[2].s, "pin") == 0)
		add_pin(l, st, 3, ce);
	else
		conf_error(ce, st, 2, "client-cert: expected ca NAME or pin "
		    "sha256:HEX, found %s", st->word[2].s);
}

static void set_allow(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct listener *l = arg;

	relay_config_nets(&l->allow, &l->allows, st, 1, ce);
}

static void set_deny(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct listener *l = arg;

	relay_config_nets(&l->deny, &l->denies, st, 1, ce);
}

static void set_trusted(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct listener *l = arg;

	relay_config_nets(&l->trusted, &l->trusteds, st, 1, ce);
}

static void set_xclient(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct listener *l = arg;

	relay_config_nets(&l->xclient, &l->xclients, st, 1, ce);
}

static void set_proxy_from(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct listener *l = arg;

	relay_config_nets(&l->proxy_from, &l->proxy_froms, st, 1, ce);
}

static void set_trust_login(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_yes_no(&((struct listener *)arg)->xclient_login, st, ce);
}

static void set_connections(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_number(&((struct listener *)arg)->connections, st, 1, 1, 100000,
	    ce);
}

static void set_per_client(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_number(&((struct listener *)arg)->per_client, st, 1, 1, 100000,
	    ce);
}

static void set_min_rate(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	int x = 0;

	conf_number(&x, st, 1, 1, 1 << 20, ce);
	((struct listener *)arg)->min_rate = (unsigned)x;
}

static void set_size(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct listener *l = arg;

	if (conf_size(ce, st, 1, 1024, (uint64_t)4 << 30, &l->max_message) !=
	    0)
		return;
}

static void set_rcpts(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	/* RFC 5321 4.5.3.1.8: at least 100 */
	conf_number(&((struct listener *)arg)->max_rcpts, st, 1, 100,
	    CAP_RECIPIENTS, ce);
}

static void set_hide(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_yes_no(&((struct listener *)arg)->hide_client, st, ce);
}

static void set_require_tls(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_yes_no(&((struct listener *)arg)->require_tls, st, ce);
}

static void set_ledger(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_yes_no(&((struct listener *)arg)->ledger, st, ce);
}

static void set_require(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	((struct listener *)arg)->verified = true;
	if (strcmp(st->word[1].s, "verified") != 0)
		conf_error(ce, st, 1, "require: expected verified, found %s",
		    st->word[1].s);
}

static void set_auth(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct auth_block *a = &((struct listener *)arg)->auth;

	if (strcmp(st->word[1].s, "passwd") == 0)
		a->kind = AUTH_PASSWD;
	else if (strcmp(st->word[1].s, "dovecot") == 0)
		a->kind = AUTH_DOVECOT;
	else
		conf_error(ce, st, 1, "auth: expected passwd \"FILE\" or "
		    "dovecot \"SOCKET\", found %s", st->word[1].s);
	conf_path(&a->path, st, 2, ce);
}

static void set_mechanisms(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	static const char *const word[] = { "plain", "login", "external",
		"scram-sha-256" };
	struct auth_block *a = &((struct listener *)arg)->auth;
	bool *is[] = { &a->plain, &a->login, &a->external, &a->scram };
	size_t w;
	int i;

	for (w = 1; w < st->words; w++) {
		i = word_index(word, ARRAY_LEN(word), st->word[w].s);
		if (i < 0)
			conf_error(ce, st, w, "mechanisms: expected plain, "
			    "login, external or scram-sha-256, found %s",
			    st->word[w].s);
		else
			*is[i] = true;
	}
}

static void set_senders(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_path(&((struct listener *)arg)->auth.senders, st, 1, ce);
}

static void set_any_sender(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_yes_no(&((struct listener *)arg)->auth.any_sender, st, ce);
}

static void set_route(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	relay_config_name(((struct listener *)arg)->route, st, 1, ce);
}

/* ---- match source NET { } ---- */

static void set_match_pki(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	relay_config_name(((struct source_match *)arg)->pki, st, 1, ce);
}

static void set_match_cert(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct source_match *m = arg;

	if (strcmp(st->word[1].s, "none") == 0) {
		m->client_cert = CLIENT_CERT_NONE;
		return;
	}
	m->client_cert = read_client_cert(st, 1, ce);
	if (st->words == 4 && strcmp(st->word[2].s, "ca") == 0)
		relay_config_name(m->client_ca, st, 3, ce);
	else if (st->words != 2)
		conf_error(ce, st, 2, "client-cert: expected ca NAME");
}

static void set_match_limit(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_number(&((struct source_match *)arg)->per_client, st, 1, 1,
	    100000, ce);
}

static void add_match(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	static const struct conf_key key[] = {
		{ "pki", 1, 1, "NAME", false, false, false, set_match_pki },
		{ "client-cert", 1, 3, "none, optional or require [ca NAME]",
		    false, false, false, set_match_cert },
		{ "per-client", 1, 1, "NUMBER", false, false, false,
		    set_match_limit },
	};
	struct listener *l = arg;
	void *a = l->match;
	struct source_match *m = conf_grow(&a, &l->matches, sizeof(*m), st,
	    ce);
	struct conf_table t = { key, ARRAY_LEN(key), st->file, st->line, NULL,
		m };
	struct err e = { 0 };

	l->match = a;
	if (m == NULL)
		return;
	m->client_cert = m->per_client = -1;
	if (strcmp(st->word[1].s, "source") != 0)
		conf_error(ce, st, 1, "match: expected source NETWORK, found "
		    "%s", st->word[1].s);
	if (net_parse(&m->net, st->word[2].s, &e) != 0)
		conf_error(ce, st, 2, "match: %s", e.msg);
	conf_walk(&t, st->sub, st->subs, ce);
}

/* ---- the block ---- */

static const struct conf_key listen_key[] = {
	{ "protocol", 1, 1, "PROTOCOL", false, false, true, set_protocol },
	{ "on", 1, 0, "\"ADDRESS:PORT\" or \"unix:/PATH\" [WORD ...]", false,
	    true, true, add_on },
	{ "pki", 1, 0, "NAME ...", false, false, false, add_pki },
	{ "min-protocol", 1, 1, "1.2 or 1.3", false, false, false,
	    set_versions },
	{ "ciphers", 1, 1, "\"LIST\"", false, false, false, set_ciphers },
	{ "client-cert", 3, 5, "optional or require, ca NAME or pin "
	    "sha256:HEX [as ADDRESS]", false, true, false, set_client_cert },
	{ "match", 2, 2, "source NETWORK { ... }", true, true, false,
	    add_match },
	{ "allow", 1, 0, "NETWORK ...", false, true, false, set_allow },
	{ "deny", 1, 0, "NETWORK ...", false, true, false, set_deny },
	{ "trusted", 1, 0, "NETWORK ...", false, true, false, set_trusted },
	{ "xclient", 1, 0, "NETWORK ...", false, true, false, set_xclient },
	{ "trust-login", 1, 1, "yes or no", false, false, false,
	    set_trust_login },
	{ "proxy-from", 1, 0, "NETWORK ...", false, true, false,
	    set_proxy_from },
	{ "connections", 1, 1, "NUMBER", false, false, false,
	    set_connections },
	{ "per-client", 1, 1, "NUMBER", false, false, false,
	    set_per_client },
	{ "min-rate", 1, 1, "OCTETS a second", false, false, false,
	    set_min_rate },
	{ "max-message-size", 1, 1, "SIZE", false, false, false, set_size },
	{ "max-recipients", 1, 1, "NUMBER", false, false, false, set_rcpts },
	{ "hide-client", 1, 1, "yes or no", false, false, false, set_hide },
	{ "requiretls", 1, 1, "yes or no", false, false, false,
	    set_require_tls },
	{ "require", 1, 1, "verified", false, false, false, set_require },
	{ "ledger", 1, 1, "yes or no", false, false, false, set_ledger },
	{ "auth", 2, 2, "passwd \"FILE\" or dovecot \"SOCKET\"", false,
	    false, false, set_auth },
	{ "mechanisms", 1, 0, "plain, login, external or scram-sha-256 ...",
	    false, false, false, set_mechanisms },
	{ "senders", 1, 1, "\"FILE\"", false, false, false, set_senders },
	{ "any-sender", 1, 1, "yes or no", false, false, false,
	    set_any_sender },
	{ "route", 1, 1, "NAME", false, false, false, set_route },
	{ "backend", 1, 0, "\"ADDRESS:PORT\", \"unix:/PATH\" or exec "
	    "\"PROGRAM\" ...", false, false, false, relay_config_backend },
};

/* Where nothing was said. */
static void set_listener_defaults(struct listener *l)
{
	struct auth_block *a = &l->auth;

	l->connections = CONNECTIONS;
	l->per_client = PER_CLIENT;
	l->min_rate = MIN_RATE;
	l->max_message = CAP_MESSAGE_DEFAULT;
	l->max_rcpts = RCPTS;
	a->plain = a->login = a->external = a->scram = false;
}

void relay_config_listen(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_config *c = arg;
	void *a = c->listener;
	struct listener *l;
	struct conf_table t = { listen_key, ARRAY_LEN(listen_key), st->file,
		st->line, NULL, NULL };
	size_t i;

	for (i = 0; i < c->listeners; i++)
		if (strcmp(c->listener[i].name, st->word[1].s) == 0)
			conf_error(ce, st, 1, "listen %s is there already",
			    st->word[1].s);
	l = conf_grow(&a, &c->listeners, sizeof(*l), st, ce);
	c->listener = a;
	if (l == NULL)
		return;
	l->index = c->listeners - 1;
	relay_config_name(l->name, st, 1, ce);
	set_listener_defaults(l);
	t.arg = l;
	conf_walk(&t, st->sub, st->subs, ce);
	if (!l->auth.plain && !l->auth.login && !l->auth.external &&
	    !l->auth.scram) {
		l->auth.plain = l->auth.login = l->auth.kind != AUTH_NONE;
		l->auth.scram = l->auth.kind == AUTH_PASSWD;
	}
}

void relay_config_free_listener(struct listener *l)
{
	size_t i;

	for (i = 0; i < l->ons; i++) {
		free(l->on[i].where);
		free(l->on[i].group);
	}
	for (i = 0; i < l->pins; i++)
		free(l->pin[i].as);
	for (i = 0; l->backend.argv != NULL && l->backend.argv[i] != NULL;
	    i++)
		free(l->backend.argv[i]);
	free(l->on);
	free(l->pki);
	free(l->ciphers);
	free(l->pin);
	free(l->match);
	free(l->allow);
	free(l->deny);
	free(l->trusted);
	free(l->xclient);
	free(l->proxy_from);
	free(l->auth.path);
	free(l->auth.senders);
	free(l->backend.where);
	free(l->backend.argv);
	free(l->backend.user);
	free(l->backend.name);
}
