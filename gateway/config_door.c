/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The blocks door NAME { } of postseal.conf.
 */
#include "gateway/config_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "smtp/hop.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX 1000
#define NAME_MAX_OCTETS 32

/* The door whose statements are read: the last one. */
static struct door *door_of(const struct config *c)
{
	return &c->door[c->doors - 1];
}

/* lmtp or smtp in word 1. */
static int read_protocol(const struct conf_stmt *st, bool *lmtp,
    struct conf_errors *ce)
{
	const char *s = st->word[1].s;

	*lmtp = strcmp(s, "lmtp") == 0;
	if (*lmtp || strcmp(s, "smtp") == 0)
		return 0;
	conf_error(ce, st, 1, "%s: expected lmtp or smtp, found %s",
	    st->word[0].s, s);
	return -1;
}

char *config_hop(const struct conf_stmt *st, bool lmtp,
    struct conf_errors *ce)
{
	char *spec = NULL;
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, "%s:%s", lmtp ? "lmtp" : "smtp", st->word[2].s);
	if (b.failed || !hop_spec_ok(buf_str(&b)))
		conf_error(ce, st, 2, "%s: expected \"unix:/PATH\" or "
		    "\"ADDRESS:PORT\" with a numeric address, found %s",
		    st->word[0].s, st->word[2].s);
	else if ((spec = view_strdup(buf_view(&b))) == NULL)
		conf_error(ce, st, 2, "out of memory");
	buf_free(&b);
	return spec;
}

static void set_socket_option(struct door *d, const struct conf_stmt *st,
    size_t w, struct conf_errors *ce)
{
	const char *s = st->word[w].s;

	if (strncmp(st->word[2].s, "unix:", 5) != 0)
		conf_error(ce, st, w, "listen: mode and group are for unix "
		    "sockets, found %s", s);
	else if (w + 1 < st->words && strcmp(s, "mode") == 0)
		conf_mode(&d->listen_mode, st, w + 1, ce);
	else if (w + 1 < st->words && strcmp(s, "group") == 0 &&
	    d->listen_group == NULL)
		conf_string(&d->listen_group, st, w + 1, ce);
	else
		conf_error(ce, st, w, "listen: expected mode MODE or group "
		    "GROUP, each once, found %s", s);
}

static void set_listen(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct door *d = door_of(c);
	char *spec;

	if (read_protocol(st, &d->lmtp, ce) != 0)
		return;
	spec = config_hop(st, d->lmtp, ce);
	if (spec != NULL)
		conf_string(&d->listen, st, 2, ce);
	free(spec);
	for (size_t w = 3; w < st->words; w += 2)
		set_socket_option(d, st, w, ce);
}

static void set_next_hop(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	bool lmtp;

	if (read_protocol(st, &lmtp, ce) == 0)
		door_of(c)->next_hop = config_hop(st, lmtp, ce);
}

static void set_tls_route(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	bool lmtp;

	if (read_protocol(st, &lmtp, ce) == 0)
		door_of(c)->tls_route = config_hop(st, lmtp, ce);
}

static void set_dsn(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_yes_no(&door_of(c)->dsn, st, ce);
}

static void set_direction(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *s = st->word[1].s;

	if (strcmp(s, "inbound") == 0)
		door_of(c)->side = DOOR_INBOUND;
	else if (strcmp(s, "outbound") == 0)
		door_of(c)->side = DOOR_OUTBOUND;
	else
		conf_error(ce, st, 1, "direction: expected inbound or "
		    "outbound, found %s", s);
}

static void add_client(struct door *d, const char *text,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce)
{
	struct err e = { 0 };
	struct net *n;
	void *a = d->client;

	n = conf_grow(&a, &d->clients, sizeof(*n), st, ce);
	d->client = a;
	if (n != NULL && net_parse(n, text, &e) != 0)
		conf_error(ce, st, w, "clients: %s", e.msg);
}

static void set_clients(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	for (size_t w = 1; w < st->words; w++)
		add_client(door_of(c), st->word[w].s, st, w, ce);
}

static void set_login(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	if (strcmp(st->word[1].s, "envelope-from") == 0)
		door_of(c)->login_envelope_from = true;
	else
		conf_error(ce, st, 1, "login: expected envelope-from, found "
		    "%s", st->word[1].s);
}

static void set_require_tls(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_yes_no(&door_of(c)->require_tls, st, ce);
}

static void set_observe(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_yes_no(&door_of(c)->observe, st, ce);
}

static void set_limit(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	if (strcmp(st->word[2].s, "connections") != 0)
		conf_error(ce, st, 2, "limit: expected connections, found %s",
		    st->word[2].s);
	conf_number(&door_of(c)->limit, st, 1, 1, LIMIT_MAX, ce);
}

static const struct config_key door_key[] = {
	{"listen", 2, 6, "lmtp or smtp, then \"unix:/PATH\" [mode MODE] "
	    "[group GROUP] or \"ADDRESS:PORT\"", false, false, true,
	    set_listen},
	{"next-hop", 2, 2, "lmtp or smtp, then \"unix:/PATH\" or "
	    "\"ADDRESS:PORT\"", false, false, true, set_next_hop},
	{"tls-route", 2, 2, "lmtp or smtp, then \"unix:/PATH\" or "
	    "\"ADDRESS:PORT\"", false, false, false, set_tls_route},
	{"direction", 1, 1, "inbound or outbound", false, false, true,
	    set_direction},
	{"clients", 1, 0, "NETWORK ...", false, false, false, set_clients},
	{"login", 1, 1, "envelope-from", false, false, false, set_login},
	{"require-tls", 1, 1, "yes or no", false, false, false,
	    set_require_tls},
	{"dsn", 1, 1, "yes or no", false, false, false, set_dsn},
	{"observe", 1, 1, "yes or no", false, false, false, set_observe},
	{"limit", 2, 2, "a number, then connections", false, false, false,
	    set_limit},
};

/* Letters, digits, hyphens: it stands in logs. */
static bool name_ok(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return n > 0 && n <= NAME_MAX_OCTETS && s[n] == '\0';
}

/* What a statement alone does not show. */
static void check_door(const struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const struct door *d = door_of(c);

	for (size_t i = 0; i + 1 < c->doors; i++) {
		if (strcmp(c->door[i].name, d->name) == 0)
			conf_error(ce, st, 1, "door %s: there is one of this "
			    "name already", d->name);
		if (c->door[i].listen != NULL && d->listen != NULL &&
		    strcmp(c->door[i].listen, d->listen) == 0)
			conf_error(ce, st, 0, "door %s: door %s listens there "
			    "already", d->name, c->door[i].name);
	}
	/* one answer cannot say that some have it and others do not */
	if (!d->lmtp && strncmp(d->next_hop, "lmtp:", 5) == 0)
		conf_error(ce, st, 0, "door %s: one that listens with smtp "
		    "needs a next-hop smtp", d->name);
	if (!d->lmtp && d->tls_route != NULL &&
	    strncmp(d->tls_route, "lmtp:", 5) == 0)
		conf_error(ce, st, 0, "door %s: one that listens with smtp "
		    "needs a tls-route smtp", d->name);
	if (d->tls_route != NULL && strcmp(d->tls_route + 5, d->next_hop +
	    5) == 0)
		conf_error(ce, st, 0, "door %s: its tls-route is its next "
		    "hop, from where mail leaves over any hop", d->name);
	if (d->login_envelope_from && d->side == DOOR_INBOUND)
		conf_error(ce, st, 0, "door %s: login is for direction "
		    "outbound", d->name);
	if (d->listen != NULL && ((d->next_hop != NULL &&
	    strcmp(d->listen, d->next_hop + 5) == 0) ||
	    (d->tls_route != NULL &&
	    strcmp(d->listen, d->tls_route + 5) == 0)))
		conf_error(ce, st, 0, "door %s: its next hop is itself",
		    d->name);
}

void config_door(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	void *a = c->door;
	struct door *d;
	size_t before = ce->n;

	if (!name_ok(st->word[1].s)) {
		conf_error(ce, st, 1, "door: expected a name of up to %d "
		    "letters, digits, hyphens", NAME_MAX_OCTETS);
		return;
	}
	d = conf_grow(&a, &c->doors, sizeof(*d), st, ce);
	c->door = a;
	if (d == NULL)
		return;
	d->limit = LIMIT_DEFAULT;
	d->listen_mode = 0660;
	conf_string(&d->name, st, 1, ce);
	config_walk(c, door_key, ARRAY_LEN(door_key), st->sub, st->subs, ce);
	if (d->clients == 0) {
		add_client(d, "127.0.0.0/8", st, 0, ce);
		add_client(d, "::1/128", st, 0, ce);
	}
	if (ce->n == before)
		check_door(c, st, ce);
}

void config_free_doors(struct config *c)
{
	for (size_t i = 0; i < c->doors; i++) {
		struct door *d = &c->door[i];

		free(d->name);
		free(d->listen);
		free(d->listen_group);
		free(d->next_hop);
		free(d->tls_route);
		free(d->client);
	}
	free(c->door);
}

void config_print_doors(const struct config *c, struct buf *out)
{
	for (size_t i = 0; i < c->doors; i++) {
		const struct door *d = &c->door[i];

		buf_printf(out, "door.%s.listen %s %s", d->name, d->lmtp ?
		    "lmtp" : "smtp", d->listen);
		if (strncmp(d->listen, "unix:", 5) == 0)
			buf_printf(out, " mode %04o%s%s",
			    (unsigned)d->listen_mode, d->listen_group == NULL ?
			    "" : " group ", d->listen_group == NULL ? "" :
			    d->listen_group);
		buf_printf(out, "\ndoor.%s.next-hop %.4s %s\n", d->name,
		    d->next_hop, d->next_hop + 5);
		if (d->tls_route != NULL)
			buf_printf(out, "door.%s.tls-route %.4s %s\n",
			    d->name, d->tls_route, d->tls_route + 5);
		buf_printf(out, "door.%s.direction %s\n", d->name,
		    d->side == DOOR_INBOUND ? "inbound" : "outbound");
		buf_printf(out, "door.%s.clients %zu networks\n", d->name,
		    d->clients);
		buf_printf(out, "door.%s.login %s\n", d->name,
		    d->login_envelope_from ? "envelope-from" : "none");
		buf_printf(out, "door.%s.require-tls %s\n", d->name,
		    d->require_tls ? "yes" : "no");
		buf_printf(out, "door.%s.dsn %s\n", d->name,
		    d->dsn ? "yes" : "no");
		buf_printf(out, "door.%s.observe %s\n", d->name,
		    d->observe ? "yes" : "no");
		buf_printf(out, "door.%s.limit %d connections\n", d->name,
		    d->limit);
	}
}

bool config_lacks_tls_route(const struct config *c, char *where, size_t size)
{
	struct buf b;
	bool lacks = c->listen != NULL && c->tls_route == NULL;

	text_set(where, size, lacks ? "milter { }" : "");
	for (size_t i = 0; i < c->doors && !lacks; i++) {
		if (c->door[i].side != DOOR_OUTBOUND ||
		    c->door[i].tls_route != NULL)
			continue;
		lacks = true;
		buf_init(&b, 256);
		buf_printf(&b, "door %s { }", c->door[i].name);
		text_set(where, size, buf_str(&b));
		buf_free(&b);
	}
	return lacks;
}

bool config_has_tls_route(const struct config *c)
{
	bool has = c->tls_route != NULL;

	for (size_t i = 0; i < c->doors; i++)
		has = has || c->door[i].tls_route != NULL;
	return has;
}

static bool is_loopback(const char *listen)
{
	return strncmp(listen, "unix:", 5) == 0 ||
	    strncmp(listen, "127.", 4) == 0 ||
	    strncmp(listen, "[::1]:", 6) == 0 ||
	    strncasecmp(listen, "localhost:", 10) == 0;
}

void config_warn_metrics(const struct config *c,
    void (*say)(const char *sentence))
{
	struct buf b;

	if (c->metrics == NULL || is_loopback(c->metrics))
		return;
	buf_init(&b, 1024);
	buf_printf(&b, "metrics on %s, which others than this host reach: "
	    "whoever asks there learns whose certificates are kept here and "
	    "how much mail there is; 127.0.0.1:PORT is for this host alone",
	    c->metrics);
	say(buf_str(&b));
	buf_free(&b);
}

void config_warn_doors(const struct config *c,
    void (*say)(const char *sentence))
{
	struct buf b;

	buf_init(&b, 1024);
	for (size_t i = 0; i < c->doors; i++) {
		const struct door *d = &c->door[i];

		if (is_loopback(d->listen))
			continue;
		buf_clear(&b);
		buf_printf(&b, "door %s listens on %s, which others than this "
		    "host reach: whoever is in its clients can send any mail "
		    "to its next hop, and say in whose name", d->name,
		    d->listen);
		say(buf_str(&b));
	}
	buf_free(&b);
}
