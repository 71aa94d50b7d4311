/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * relay { } as a whole: names that must be there, what does not go together,
 * what should be said, and what would be used.
 */
#include "relay/config_int.h"

#include <string.h>

#define LISTEN "listen " /* the name follows */

static const char *const tls_str[] = {
	"plain", "starttls", "starttls-required", "implicit", "external"
};

/* ---- what does not go together ---- */

struct check {
	const struct relay_config *c;
	const struct conf_stmt *st;
	struct conf_errors *ce;
};

/* what: "listen pop3", with listener: its name, else "". */
static void want_pki(const struct check *k, const char *what,
    const char *listener, const char *name)
{
	if (*name != '\0' && relay_pki(k->c, name) == NULL)
		conf_error(k->ce, k->st, 0, "%s%s: there is no pki %s { }",
		    what, listener, name);
}

static void want_ca(const struct check *k, const char *what,
    const char *listener, const char *name)
{
	if (*name != '\0' && relay_ca(k->c, name) == NULL)
		conf_error(k->ce, k->st, 0, "%s%s: there is no ca %s { }",
		    what, listener, name);
}

static bool wants_tls(const struct listen_on *on)
{
	return on->tls != LISTEN_PLAIN && on->tls != LISTEN_EXTERNAL;
}

static void check_on(const struct check *k, const struct listener *l,
    const struct listen_on *on)
{
	if (wants_tls(on) && l->pkis == 0)
		conf_error(k->ce, k->st, 0, "listen %s: %s with %s wants a "
		    "certificate: pki NAME", l->name, on->where,
		    tls_str[on->tls]);
	if (l->protocol == RELAY_ANY && (on->tls == LISTEN_STARTTLS ||
	    on->tls == LISTEN_STARTTLS_MUST))
		conf_error(k->ce, k->st, 0, "listen %s: protocol any has no "
		    "STARTTLS, expected implicit or plain", l->name);
	if (l->protocol == RELAY_SUBMISSION && on->tls == LISTEN_PLAIN &&
	    strncmp(on->where, "unix:", 5) != 0)
		conf_error(k->ce, k->st, 0, "listen %s: submission on %s must "
		    "have TLS (RFC 8314 3.3): starttls-required or implicit",
		    l->name, on->where);
	if (on->proxy && l->proxy_froms == 0)
		conf_error(k->ce, k->st, 0, "listen %s: proxy wants "
		    "proxy-from NETWORK", l->name);
	if (l->client_cert == CLIENT_CERT_MUST && !wants_tls(on))
		conf_error(k->ce, k->st, 0, "listen %s: client-cert require "
		    "cannot be kept on %s without TLS", l->name, on->where);
}

static bool is_local(const char *where)
{
	return strncmp(where, "unix:", 5) == 0 ||
	    strncmp(where, "127.", 4) == 0 || strncmp(where, "[::1]:", 6) == 0;
}

/* May whoever reaches it send? Only submission asks for a login by itself. */
static bool is_for_all(const struct listener *l)
{
	return l->protocol != RELAY_SUBMISSION && l->auth.kind == AUTH_NONE &&
	    l->client_cert != CLIENT_CERT_MUST && l->allows == 0;
}

/* Mail to everywhere wants to be known by somebody. */
static void check_open(const struct check *k, const struct listener *l,
    const struct relay_route *r)
{
	size_t i;

	if (!is_for_all(l) || !r->mx)
		return;
	for (i = 0; i < l->ons; i++)
		if (!is_local(l->on[i].where))
			conf_error(k->ce, k->st, 0, "listen %s: whoever "
			    "reaches %s could send to everywhere, an open "
			    "relay: say who may, allow NETWORK", l->name,
			    l->on[i].where);
}

static void check_mail(const struct check *k, const struct listener *l)
{
	const struct relay_route *r = relay_route(k->c, l->route);

	if (r == NULL)
		conf_error(k->ce, k->st, 0, "listen %s: expected route NAME "
		    "with a route NAME { }, found %s", l->name,
		    *l->route == '\0' ? "none" : l->route);
	else
		check_open(k, l, r);
	if (l->backend.where != NULL || l->backend.argv != NULL)
		conf_error(k->ce, k->st, 0, "listen %s: backend is for "
		    "tunnels, mail has a route", l->name);
	if (l->ledger && l->protocol == RELAY_SUBMISSION)
		conf_error(k->ce, k->st, 0, "listen %s: the ledger is for "
		    "mail servers, not for people", l->name);
	if (l->protocol == RELAY_SUBMISSION && l->auth.kind == AUTH_NONE &&
	    l->client_cert == CLIENT_CERT_NONE && l->trusteds == 0)
		conf_error(k->ce, k->st, 0, "listen %s: submission wants auth, "
		    "client-cert or trusted: nobody could send", l->name);
	if (l->auth.external && l->client_cert == CLIENT_CERT_NONE)
		conf_error(k->ce, k->st, 0, "listen %s: mechanism external "
		    "wants client-cert", l->name);
	if (l->auth.scram && l->auth.kind != AUTH_PASSWD)
		conf_error(k->ce, k->st, 0, "listen %s: scram-sha-256 wants "
		    "auth passwd", l->name);
}

static void check_tunnel(const struct check *k, const struct listener *l)
{
	const struct backend *b = &l->backend;

	if (b->where == NULL && b->argv == NULL)
		conf_error(k->ce, k->st, 0, "listen %s: a tunnel wants "
		    "backend \"ADDRESS:PORT\" or backend exec", l->name);
	if (*l->route != '\0' || l->auth.kind != AUTH_NONE || l->ledger ||
	    l->verified || l->require_tls)
		conf_error(k->ce, k->st, 0, "listen %s: route, auth, ledger, "
		    "requiretls and require are for mail, not for tunnels",
		    l->name);
	if (b->real == REAL_XCLIENT && l->protocol != RELAY_SMTP_TUNNEL)
		conf_error(k->ce, k->st, 0, "listen %s: xclient is of SMTP, "
		    "expected proxy-v1 or proxy-v2", l->name);
	if (b->tls && !b->implicit && l->protocol == RELAY_ANY)
		conf_error(k->ce, k->st, 0, "listen %s: protocol any has no "
		    "STARTTLS, expected implicit behind tls", l->name);
	want_ca(k, LISTEN, l->name, b->ca);
	want_pki(k, LISTEN, l->name, b->pki);
}

static void check_listener(const struct check *k, const struct listener *l)
{
	size_t i;

	for (i = 0; i < l->ons; i++)
		check_on(k, l, &l->on[i]);
	for (i = 0; i < l->pkis; i++)
		want_pki(k, LISTEN, l->name, l->pki[i]);
	want_ca(k, LISTEN, l->name, l->client_ca);
	for (i = 0; i < l->matches; i++) {
		want_pki(k, LISTEN, l->name, l->match[i].pki);
		want_ca(k, LISTEN, l->name, l->match[i].client_ca);
	}
	if (relay_is_tunnel(l->protocol))
		check_tunnel(k, l);
	else
		check_mail(k, l);
}

static void check_rules(const struct check *k)
{
	size_t i;

	for (i = 0; i < k->c->rules.n; i++) {
		const struct tls_rule *r = &k->c->rules.rule[i];
		struct conf_stmt at = *k->st;
		const struct check line = { k->c, &at, k->ce };

		at.file = r->file;
		at.line = r->line;
		want_ca(&line, "tls-policy", "", r->ca == NULL ? "" : r->ca);
		want_pki(&line, "tls-policy", "", r->pki == NULL ? "" :
		    r->pki);
	}
	for (i = 0; i < k->c->sender_certs; i++)
		want_pki(k, "client-cert", "", k->c->sender_cert[i].pki);
}

/* The k-th place that something listens on, with its name; NULL: no more. */
static const char *place_at(const struct relay_config *c, size_t k,
    const char **who)
{
	size_t i;

	for (i = 0; i < c->listeners; k -= c->listener[i++].ons)
		if (k < c->listener[i].ons) {
			*who = c->listener[i].name;
			return c->listener[i].on[k].where;
		}
	if (c->socketmap != NULL && k-- == 0) {
		*who = "socketmap";
		return c->socketmap;
	}
	*who = "metrics";
	return k == 0 ? c->metrics : NULL;
}

static void check_places(const struct check *k)
{
	const char *a, *b, *a_of, *b_of;
	size_t i, j;

	for (i = 0; (a = place_at(k->c, i, &a_of)) != NULL; i++)
		for (j = 0; j < i; j++) {
			b = place_at(k->c, j, &b_of);
			if (strcmp(a, b) == 0)
				conf_error(k->ce, k->st, 0, "%s and %s both "
				    "listen on %s", b_of, a_of, a);
		}
}

void relay_config_check(const struct relay_config *c,
    const struct conf_stmt *relay, struct conf_errors *ce)
{
	struct check k = { c, relay, ce };
	size_t i, j;

	if (c->listeners == 0 && c->socketmap == NULL)
		conf_error(ce, relay, 0, "relay: expected listen NAME { } or "
		    "socketmap: there is nothing to do");
	for (i = 0; i < c->listeners; i++)
		check_listener(&k, &c->listener[i]);
	check_places(&k);
	for (i = 0; i < c->routes; i++)
		for (j = 0; j < c->route[i].vias; j++)
			if (relay_route(c, c->route[i].via[j]) == NULL)
				conf_error(ce, relay, 0, "route %s: via: there "
				    "is no route %s { }", c->route[i].name,
				    c->route[i].via[j]);
	check_rules(&k);
}

/* ---- what should be said ---- */

static void say_text(const struct buf *b, void (*say)(void *, const char *),
    void *arg)
{
	if (!b->failed)
		say(arg, buf_str(b));
}

static void warn_on(const struct listener *l, const struct listen_on *on,
    struct buf *b)
{
	const char *colon = strrchr(on->where, ':');

	/* T5: RFC 3207 4 */
	if (colon != NULL && strcmp(colon, ":25") == 0 &&
	    on->tls == LISTEN_STARTTLS_MUST)
		buf_printf(b, "; a public mail server on port 25 must not "
		    "demand STARTTLS (RFC 3207 4)");
	if (strncmp(on->where, "unix:", 5) == 0 && (on->mode & 2) != 0 &&
	    l->protocol != RELAY_SUBMISSION)
		buf_printf(b, "; mode %04o of %s lets every account of this "
		    "machine in", (unsigned)on->mode, on->where);
}

/* To whom a client of it comes as this machine, and what would tell who it is;
 * NULL: to nobody who passes mail on. */
static const char *blind_mta(const struct relay_config *c,
    const struct listener *l, const char **cure)
{
	const struct relay_route *r = relay_route(c, l->route);

	*cure = "host ... xclient";
	if (l->protocol == RELAY_SMTP_TUNNEL) {
		*cure = "xclient or proxy-v2 behind backend";
		return l->backend.real == REAL_NONE ? l->backend.where : NULL;
	}
	return relay_is_tunnel(l->protocol) || r == NULL || r->mx ||
	    r->lmtp || r->xclient ? NULL : r->host;
}

/* An MTA that believes this machine would believe whoever comes through it. */
static void warn_front(const struct relay_config *c,
    const struct listener *l, struct buf *b)
{
	const char *cure, *mta = blind_mta(c, l, &cure);
	size_t i;

	for (i = 0; mta != NULL && is_for_all(l) && i < l->ons; i++)
		if (!is_local(l->on[i].where))
			buf_printf(b, "; whoever reaches %s comes to %s as "
			    "this machine, which may send anywhere there: "
			    "%s tells it who it is", l->on[i].where, mta,
			    cure);
}

/* All of it as one sentence behind the name; b empty: nothing. */
static void warn_listener(const struct relay_config *c,
    const struct listener *l, struct buf *b)
{
	size_t i;

	buf_clear(b);
	for (i = 0; i < l->ons; i++)
		warn_on(l, &l->on[i], b);
	warn_front(c, l, b);
	if (l->min == TLS_V_1_0 || l->min == TLS_V_1_1)
		buf_printf(b, "; TLS before 1.2 is broken (RFC 8996)");
	if (l->auth.any_sender)
		buf_printf(b, "; whoever logs in may send as anybody");
	if (l->ledger && c->state == NULL)
		buf_printf(b, "; without state FOLDER its ledger is forgotten "
		    "with each start");
}

static bool has_line(const struct tls_rules *rules, const char *to)
{
	for (size_t i = 0; i < rules->n; i++)
		if (!rules->rule[i].is_default &&
		    strcmp(rules->rule[i].to, to) == 0)
			return true;
	return false;
}

/* T38: a line is for the port that it names, and else for 25. */
static void warn_port(const struct relay_config *c,
    const struct relay_route *to, void (*say)(void *, const char *),
    void *arg)
{
	struct buf name, b;

	buf_init(&name, 1024);
	buf_init(&b, 8192);
	for (size_t i = 0; i < c->rules.n; i++) {
		const struct tls_rule *r = &c->rules.rule[i];

		if (r->is_default || strpbrk(r->to, "[:") != NULL ||
		    r->to[0] == '.' || !tls_level_is_must(r->level))
			continue;
		buf_clear(&name);
		buf_printf(&name, "%s:%d", r->to, to->port);
		if (name.failed || has_line(&c->rules, buf_str(&name)))
			continue;
		buf_clear(&b);
		buf_printf(&b, "%s:%d: %s %s: holds for port 25, and route %s "
		    "goes to port %d: write %s, too", r->file, r->line, r->to,
		    tls_level_str(r->level), to->name, to->port,
		    buf_str(&name));
		say_text(&b, say, arg);
	}
	buf_free(&name);
	buf_free(&b);
}

/* RFC 5321 2.3.5: what is said in EHLO is a whole name. */
static void warn_hostname(const struct relay_config *c,
    void (*say)(void *, const char *), void *arg)
{
	bool has_mx = false;
	struct buf b;
	size_t i;

	for (i = 0; i < c->routes; i++)
		has_mx = has_mx || c->route[i].mx;
	if (!has_mx || c->hostname == NULL || strchr(c->hostname, '.') != NULL)
		return;
	buf_init(&b, 1024);
	buf_printf(&b, "hostname %s: no whole name, and many mail servers take "
	    "nothing from who says that in EHLO (RFC 5321 2.3.5): write "
	    "hostname NAME", c->hostname);
	say_text(&b, say, arg);
	buf_free(&b);
}

static void warn_metrics(const struct relay_config *c,
    void (*say)(void *, const char *), void *arg)
{
	struct buf b;

	if (c->metrics == NULL || is_local(c->metrics))
		return;
	buf_init(&b, 1024);
	buf_printf(&b, "metrics on %s, which others than this host reach: "
	    "whoever asks there learns the names of those that mail goes to, "
	    "and over which TLS; 127.0.0.1:PORT is for this host alone",
	    c->metrics);
	say_text(&b, say, arg);
	buf_free(&b);
}

void relay_config_warn(const struct relay_config *c,
    void (*say)(void *arg, const char *sentence), void *arg)
{
	struct buf b, line;
	size_t i;

	buf_init(&b, 8192);
	buf_init(&line, 8192);
	for (i = 0; i < c->listeners; i++) {
		warn_listener(c, &c->listener[i], &b);
		if (b.n == 0)
			continue;
		buf_clear(&line);
		buf_printf(&line, "listen %s: %s", c->listener[i].name,
		    buf_str(&b) + strlen("; "));
		say_text(&line, say, arg);
	}
	buf_free(&b);
	buf_free(&line);
	for (i = 0; i < c->routes; i++)
		if (c->route[i].mx && c->route[i].port != 25)
			warn_port(c, &c->route[i], say, arg);
	warn_hostname(c, say, arg);
	warn_metrics(c, say, arg);
	tls_rules_warn(&c->rules, say, arg);
}

/* ---- what would be used ---- */

static void print_str(struct buf *out, const char *key, const char *value)
{
	if (value != NULL)
		buf_printf(out, "relay.%s %s\n", key, value);
}

static void print_listener(const struct listener *l, struct buf *out)
{
	size_t i;

	for (i = 0; i < l->ons; i++)
		buf_printf(out, "relay.listen %s %s %s %s%s\n", l->name,
		    relay_protocol_str(l->protocol), l->on[i].where,
		    tls_str[l->on[i].tls], l->on[i].proxy ? " proxy" : "");
	buf_printf(out, "relay.listen %s connections %d per-client %d "
	    "min-rate %u\n", l->name, l->connections, l->per_client,
	    l->min_rate);
	if (*l->route != '\0')
		buf_printf(out, "relay.listen %s route %s%s%s\n", l->name,
		    l->route, l->verified ? " verified" : "",
		    l->ledger ? " ledger" : "");
	if (l->backend.where != NULL)
		buf_printf(out, "relay.listen %s backend %s\n", l->name,
		    l->backend.where);
	if (l->backend.argv != NULL)
		buf_printf(out, "relay.listen %s backend exec %s\n", l->name,
		    l->backend.argv[0]);
}

void relay_config_print(const struct relay_config *c, struct buf *out)
{
	size_t i;

	print_str(out, "user", c->user);
	print_str(out, "keys-user", c->keys_user);
	print_str(out, "hostname", c->hostname);
	buf_printf(out, "relay.workers %d\n", c->workers);
	print_str(out, "spool", c->spool);
	print_str(out, "state", c->state);
	print_str(out, "metrics", c->metrics);
	print_str(out, "socketmap", c->socketmap);
	for (i = 0; i < c->pkis; i++)
		buf_printf(out, "relay.pki %s cert %s\n", c->pki[i].name,
		    c->pki[i].cert);
	for (i = 0; i < c->listeners; i++)
		print_listener(&c->listener[i], out);
	for (i = 0; i < c->routes; i++)
		buf_printf(out, "relay.route %s %s%s\n", c->route[i].name,
		    c->route[i].lmtp ? "lmtp:" : "", c->route[i].mx ? "mx" :
		    c->route[i].host);
	buf_printf(out, "relay.tls-policy %zu lines\n", c->rules.n);
}
