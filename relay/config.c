/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The block relay { } itself, and what the relay needs of the rest of
 * postseal.conf; the rest is the gateway's to check.
 */
#include "relay/config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "relay/config_int.h"
#include "util/addr.h"
#include "util/ossl.h"

#define WORKERS_DEFAULT_MAX 16
#define GRACE_S 600

/* ---- values ---- */

void relay_config_name(char name[RELAY_NAME], const struct conf_stmt *st,
    size_t w, struct conf_errors *ce)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	const char *s = st->word[w].s;

	if (*s == '\0' || s[strspn(s, letters)] != '\0' ||
	    strlen(s) >= RELAY_NAME)
		conf_error(ce, st, w, "%s: expected a name of at most %d "
		    "letters, digits, - and _", st->word[0].s,
		    RELAY_NAME - 1);
	else
		text_set(name, RELAY_NAME, s);
}

void relay_config_nets(struct net **n, size_t *count,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce)
{
	struct err e = { 0 };
	void *a = *n;

	for (; w < st->words; w++) {
		struct net *x = conf_grow(&a, count, sizeof(*x), st, ce);

		*n = a;
		if (x == NULL)
			return;
		if (net_parse(x, st->word[w].s, &e) != 0)
			conf_error(ce, st, w, "%s: %s", st->word[0].s, e.msg);
	}
}

int relay_config_pin(unsigned char sha256[32], const struct conf_stmt *st,
    size_t w, struct conf_errors *ce)
{
	const char *s = st->word[w].s;

	if (strncasecmp(s, "sha256:", 7) == 0 &&
	    hex_fingerprint(sha256, 32, view_of(s + 7)) == 32)
		return 0;
	conf_error(ce, st, w, "expected sha256: and 64 hex digits, found %s",
	    st->word[w].s);
	return -1;
}

bool nets_have(const struct net *n, size_t count, const char *ip)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (net_has(&n[i], ip))
			return true;
	return false;
}

const struct source_match *relay_match(const struct listener *l,
    const char *ip)
{
	size_t i;

	for (i = 0; i < l->matches; i++)
		if (net_has(&l->match[i].net, ip))
			return &l->match[i];
	return NULL;
}

/* ---- statements of relay { } ---- */

static void set_user(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_config *c = arg;

	conf_string(&c->user, st, 1, ce);
}

static void set_keys_user(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_config *c = arg;

	conf_string(&c->keys_user, st, 1, ce);
}

static void set_workers(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_config *c = arg;

	conf_number(&c->workers, st, 1, 1, 256, ce);
}

static void set_hostname(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_config *c = arg;
	const char *s = st->word[1].s;
	struct err e = { 0 };
	char name[256];

	/* it is said in EHLO and stands in Received (RFC 5321 2.3.5) */
	if (addr_domain_parse(name, sizeof(name), view_of(s), &e) != 0)
		conf_error(ce, st, 1, "hostname: %s", e.msg);
	conf_string(&c->hostname, st, 1, ce);
}

static void set_spool(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_config *c = arg;

	conf_path(&c->spool, st, 1, ce);
}

static void set_state(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_config *c = arg;

	conf_path(&c->state, st, 1, ce);
}

static void set_grace(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_config *c = arg;
	int64_t s;

	if (conf_time(ce, st, 1, 1, 86400, &s) == 0)
		c->grace_ms = s * 1000;
}

static void set_metrics(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_config *c = arg;

	if (!relay_place_ok(st->word[1].s) || st->word[1].s[0] == 'u')
		conf_error(ce, st, 1, "metrics: expected \"ADDRESS:PORT\" "
		    "with a numeric address, found %s", st->word[1].s);
	else
		conf_string(&c->metrics, st, 1, ce);
}

static void set_socketmap(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_config *c = arg;
	size_t w;

	if (!relay_place_ok(st->word[1].s))
		conf_error(ce, st, 1, "socketmap: expected \"unix:/PATH\" or "
		    "\"ADDRESS:PORT\", found %s", st->word[1].s);
	conf_string(&c->socketmap, st, 1, ce);
	for (w = 2; w < st->words; w += 2) {
		if (w + 1 < st->words && strcmp(st->word[w].s, "mode") == 0)
			conf_mode(&c->socketmap_mode, st, w + 1, ce);
		else if (w + 1 < st->words &&
		    strcmp(st->word[w].s, "group") == 0)
			conf_string(&c->socketmap_group, st, w + 1, ce);
		else
			conf_error(ce, st, w, "socketmap: expected mode MODE "
			    "or group GROUP, found %s", st->word[w].s);
	}
}

/* ---- small blocks ---- */

static void set_cert(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_path(&((struct pki *)arg)->cert, st, 1, ce);
}

static void set_key(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_path(&((struct pki *)arg)->key, st, 1, ce);
}

static void walk_block(const struct conf_key *key, size_t keys, void *arg,
    const struct conf_stmt *st, struct conf_errors *ce)
{
	struct conf_table t = { key, keys, st->file, st->line, NULL, arg };

	conf_walk(&t, st->sub, st->subs, ce);
}

static void set_pki(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	static const struct conf_key key[] = {
		{ "cert", 1, 1, "\"FILE\"", false, false, true, set_cert },
		{ "key", 1, 1, "\"FILE\"", false, false, true, set_key },
	};
	struct relay_config *c = arg;
	void *a = c->pki;
	struct pki *p;

	if (relay_pki(c, st->word[1].s) != NULL)
		conf_error(ce, st, 1, "pki %s is there already",
		    st->word[1].s);
	p = conf_grow(&a, &c->pkis, sizeof(*p), st, ce);
	c->pki = a;
	if (p == NULL)
		return;
	relay_config_name(p->name, st, 1, ce);
	walk_block(key, ARRAY_LEN(key), p, st, ce);
}

static void set_ca_file(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_path(&((struct ca_block *)arg)->file, st, 1, ce);
}

static void set_ca_dir(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_path(&((struct ca_block *)arg)->dir, st, 1, ce);
}

static void set_ca_crl(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_path(&((struct ca_block *)arg)->crl, st, 1, ce);
}

static void set_ca(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	static const struct conf_key key[] = {
		{ "file", 1, 1, "\"FILE\"", false, false, false,
		    set_ca_file },
		{ "dir", 1, 1, "\"FOLDER\"", false, false, false,
		    set_ca_dir },
		{ "crl", 1, 1, "\"FILE\"", false, false, false, set_ca_crl },
	};
	struct relay_config *c = arg;
	void *a = c->ca;
	struct ca_block *b;

	if (relay_ca(c, st->word[1].s) != NULL)
		conf_error(ce, st, 1, "ca %s is there already",
		    st->word[1].s);
	b = conf_grow(&a, &c->cas, sizeof(*b), st, ce);
	c->ca = a;
	if (b == NULL)
		return;
	relay_config_name(b->name, st, 1, ce);
	walk_block(key, ARRAY_LEN(key), b, st, ce);
	if (b->file == NULL && b->dir == NULL)
		conf_error(ce, st, 0, "ca %s: expected file \"FILE\" or dir "
		    "\"FOLDER\"", b->name);
}

static void set_anchor(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_path(&((struct relay_config *)arg)->anchor_file, st, 1, ce);
}

static void set_forward(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	if (!relay_forward_ok(st->word[1].s))
		conf_error(ce, st, 1, "forward: expected \"ADDRESS@PORT\" "
		    "with a numeric address, found %s", st->word[1].s);
	conf_string(&((struct relay_config *)arg)->forward, st, 1, ce);
}

static void set_resolver(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	static const struct conf_key key[] = {
		{ "anchor", 1, 1, "\"FILE\"", false, false, false,
		    set_anchor },
		{ "forward", 1, 1, "\"ADDRESS@PORT\"", false, false, false,
		    set_forward },
	};

	walk_block(key, ARRAY_LEN(key), arg, st, ce);
}

static void set_sts_ca(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_path(&((struct relay_config *)arg)->sts_ca, st, 1, ce);
}

static void set_sts_nearby(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_config *c = arg;

	relay_config_nets(&c->sts_nearby, &c->sts_nearbys, st, 1, ce);
}

static void set_sts_port(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_number(&((struct relay_config *)arg)->sts_port, st, 1, 1, 65535,
	    ce);
}

static void set_sts(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	static const struct conf_key key[] = {
		{ "ca", 1, 1, "\"FILE\"", false, false, false, set_sts_ca },
		{ "nearby", 1, 0, "NETWORK ...", false, true, false,
		    set_sts_nearby },
		{ "port", 1, 1, "PORT", false, false, false, set_sts_port },
	};

	walk_block(key, ARRAY_LEN(key), arg, st, ce);
}

static void set_tls_policy(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_config *c = arg;

	if (tls_rules_read(&c->rules, st, ce) != 0 && ce->n == 0)
		conf_error(ce, st, 0, "tls-policy: cannot be read");
}

/* client-cert from @example.net pki NAME */
static void set_sender_cert(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct relay_config *c = arg;
	void *a = c->sender_cert;
	struct sender_cert *s;

	if (strcmp(st->word[1].s, "from") != 0 ||
	    strcmp(st->word[3].s, "pki") != 0 ||
	    strchr(st->word[2].s, '@') == NULL) {
		conf_error(ce, st, 1, "client-cert: expected from @DOMAIN or "
		    "ADDRESS, then pki NAME");
		return;
	}
	s = conf_grow(&a, &c->sender_certs, sizeof(*s), st, ce);
	c->sender_cert = a;
	if (s == NULL)
		return;
	relay_config_domain(&s->from, st, 2, ce);
	relay_config_name(s->pki, st, 4, ce);
}

static const struct conf_key relay_key[] = {
	{ "user", 1, 1, "USER", false, false, false, set_user },
	{ "keys-user", 1, 1, "USER", false, false, false, set_keys_user },
	{ "workers", 1, 1, "NUMBER", false, false, false, set_workers },
	{ "hostname", 1, 1, "NAME", false, false, false, set_hostname },
	{ "spool", 1, 1, "FOLDER", false, false, false, set_spool },
	{ "state", 1, 1, "FOLDER", false, false, false, set_state },
	{ "grace", 1, 1, "TIME", false, false, false, set_grace },
	{ "metrics", 1, 1, "\"ADDRESS:PORT\"", false, false, false,
	    set_metrics },
	{ "socketmap", 1, 5, "\"unix:/PATH\" [mode MODE] [group GROUP]",
	    false, false, false, set_socketmap },
	{ "pki", 1, 1, "NAME { ... }", true, true, false, set_pki },
	{ "ca", 1, 1, "NAME { ... }", true, true, false, set_ca },
	{ "listen", 1, 1, "NAME { ... }", true, true, false,
	    relay_config_listen },
	{ "route", 1, 1, "NAME { ... }", true, true, false,
	    relay_config_route },
	{ "tls-policy", 0, 0, "{ ... }", true, false, false,
	    set_tls_policy },
	{ "client-cert", 4, 4, "from @DOMAIN pki NAME", false, true, false,
	    set_sender_cert },
	{ "resolver", 0, 0, "{ ... }", true, false, false, set_resolver },
	{ "sts", 0, 0, "{ ... }", true, false, false, set_sts },
};

/* ---- the rest of the file ---- */

static void copy_of(char **out, const struct conf_stmt *st, const char *word)
{
	if (strcmp(st->word[0].s, word) != 0 || *out != NULL ||
	    st->words < 2)
		return;
	*out = strdup(st->word[st->words - 1].s);
}

/* "postseal relay import" prints statements of relay { }: beside it they would
 * do nothing, where no milter reads the file and knows them not. */
static void refuse_outside(const struct conf_stmt *st, struct conf_errors *ce)
{
	static const char *const both[] = { "spool", "metrics" };
	const char *word = st->word[0].s;
	size_t i;

	for (i = 0; i < ARRAY_LEN(both); i++)
		if (strcmp(word, both[i]) == 0)
			return;
	for (i = 0; i < ARRAY_LEN(relay_key); i++)
		if (strcmp(word, relay_key[i].word) == 0)
			conf_error(ce, st, 0, "%s: expected within the braces "
			    "of relay { }, found outside", word);
}

/* Statements of the gateway that concern us too; it checks them. */
static void take_top(struct relay_config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	size_t i;

	if (strcmp(st->word[0].s, "keystore") == 0 && st->words == 3)
		conf_path(&c->keystore, st, 2, ce);
	copy_of(&c->administrator, st, "administrator");
	if (strcmp(st->word[0].s, "log") == 0 && st->words == 2)
		c->log_syslog = strcmp(st->word[1].s, "syslog") == 0;
	if (strcmp(st->word[0].s, "spool") == 0 && st->words == 2 &&
	    c->spool == NULL)
		conf_path(&c->spool, st, 1, ce);
	if (strcmp(st->word[0].s, "notices") != 0)
		return;
	for (i = 0; i < st->subs; i++) {
		copy_of(&c->notices_to, &st->sub[i], "to");
		copy_of(&c->notices_via, &st->sub[i], "via");
	}
}

static void set_defaults(struct relay_config *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	char name[256];

	if (c->workers == 0)
		c->workers = cores < 1 ? 1 : cores > WORKERS_DEFAULT_MAX ?
		    WORKERS_DEFAULT_MAX : (int)cores;
	if (c->hostname == NULL && gethostname(name, sizeof(name)) == 0) {
		name[sizeof(name) - 1] = '\0';
		c->hostname = strdup(name);
	}
}

static void read_all(struct relay_config *c, struct conf_errors *ce)
{
	const struct conf_stmt *relay = NULL;
	struct conf_word w = { (char *)(uintptr_t)"", false, 1 };
	struct conf_stmt none = { c->path, 1, &w, 1, NULL, 0, false };
	size_t i;

	for (i = 0; i < c->conf->stmts; i++) {
		const struct conf_stmt *st = &c->conf->stmt[i];

		take_top(c, st, ce);
		refuse_outside(st, ce);
		if (strcmp(st->word[0].s, "relay") != 0)
			continue;
		if (relay != NULL || !st->has_block)
			conf_error(ce, st, 0, "relay: expected one block");
		else
			walk_block(relay_key, ARRAY_LEN(relay_key), c, st,
			    ce);
		relay = st;
	}
	if (relay == NULL)
		conf_error(ce, &none, 0, "missing: relay { ... }");
	set_defaults(c);
	if (ce->n == 0)
		relay_config_check(c, relay, ce);
}

int relay_config_read(struct relay_config **out, const char *path,
    struct conf_errors *ce)
{
	struct conf_word w = { (char *)(uintptr_t)"", false, 1 };
	struct conf_stmt top = { path, 1, &w, 1, NULL, 0, false };
	struct relay_config *c = calloc(1, sizeof(*c));
	size_t before = ce->n;

	*out = NULL;
	if (c == NULL || (c->path = strdup(path)) == NULL) {
		conf_error(ce, &top, 0, "out of memory");
		goto out;
	}
	c->socketmap_mode = 0660;
	c->sts_port = 443;
	c->grace_ms = (int64_t)GRACE_S * 1000;
	if (conf_read(&c->conf, path, ce) != 0 && c->conf == NULL)
		goto out;
	if (ce->n == before)
		read_all(c, ce);
	if (ce->n == before) {
		*out = c;
		c = NULL;
	}
out:
	relay_config_free(&c);
	return *out == NULL ? -1 : 0;
}

static void free_blocks(struct relay_config *c)
{
	size_t i;

	for (i = 0; i < c->pkis; i++) {
		free(c->pki[i].cert);
		free(c->pki[i].key);
	}
	for (i = 0; i < c->cas; i++) {
		free(c->ca[i].file);
		free(c->ca[i].dir);
		free(c->ca[i].crl);
	}
	for (i = 0; i < c->sender_certs; i++)
		free(c->sender_cert[i].from);
	for (i = 0; i < c->listeners; i++)
		relay_config_free_listener(&c->listener[i]);
	for (i = 0; i < c->routes; i++)
		relay_config_free_route(&c->route[i]);
	free(c->pki);
	free(c->ca);
	free(c->sender_cert);
	free(c->listener);
	free(c->route);
}

void relay_config_free(struct relay_config **cp)
{
	struct relay_config *c = *cp;

	if (c == NULL)
		return;
	free_blocks(c);
	tls_rules_free(&c->rules);
	free(c->path);
	free(c->user);
	free(c->keys_user);
	free(c->hostname);
	free(c->spool);
	free(c->state);
	free(c->keystore);
	free(c->administrator);
	free(c->notices_to);
	free(c->notices_via);
	free(c->metrics);
	free(c->anchor_file);
	free(c->forward);
	free(c->sts_ca);
	free(c->sts_nearby);
	free(c->socketmap);
	free(c->socketmap_group);
	conf_free(&c->conf);
	free(c);
	*cp = NULL;
}

/* ---- looking up ---- */

const struct pki *relay_pki(const struct relay_config *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->pkis; i++)
		if (strcmp(c->pki[i].name, name) == 0)
			return &c->pki[i];
	return NULL;
}

const struct ca_block *relay_ca(const struct relay_config *c,
    const char *name)
{
	size_t i;

	for (i = 0; i < c->cas; i++)
		if (strcmp(c->ca[i].name, name) == 0)
			return &c->ca[i];
	return NULL;
}

const struct relay_route *relay_route(const struct relay_config *c,
    const char *name)
{
	size_t i;

	for (i = 0; i < c->routes; i++)
		if (strcmp(c->route[i].name, name) == 0)
			return &c->route[i];
	return NULL;
}
