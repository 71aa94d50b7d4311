/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal policy probe: a live try of every host of a destination, judged
 * as the relay would judge it; and a line that pins what was seen.
 */
#include "cli/policy.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "cli/probe_hosts.h"
#include "relay/engine.h"
#include "relay/tls_probe.h"
#include "util/json.h"
#include "util/ossl.h"
#include "util/when.h"

#define OUT_MAX (1u << 20)
#define HOST_MS 30000

struct probing {
	struct cli *c;
	const struct relay_config *rc;
	const char *dest; /* as given */
	const char *from, *route;
	char nexthop[TLS_NAME_MAX]; /* of the route, as lines name it */
	int port; /* 0: as the route says */
	bool json, pin;
	struct buf out;
	struct json j;
	/* of all hosts */
	size_t good, refused, away;
	unsigned char pinned[ROUTE_HOSTS][32];
	size_t pins;
};

/* One host, from the route or by name. */
struct tried {
	const char *name;
	struct sockaddr_storage sa;
	socklen_t sa_len;
	struct tls_want *want;
	bool is_plain; /* the policy is plaintext; TLS is only looked at */
	struct tls_probe p;
};

/* ---- text ---- */

static void put_line(struct buf *b, const char *key, const char *value)
{
	if (value[0] != '\0')
		buf_printf(b, "    %-12s%s\n", key, value);
}

static void put_cert(struct buf *b, const struct probe_cert *c, size_t i)
{
	char hex[65], day[WHEN_SIZE];

	buf_printf(b, "    %-12s%s\n", i == 0 ? "certificate" : "issued by",
	    c->subject);
	buf_printf(b, "    %-12sissuer %s, until %s\n", "", c->issuer,
	    when_date(day, c->not_after));
	buf_printf(b, "    %-12ssha256:%s\n", "",
	    hex_encode(hex, c->cert_sha256, 32));
	buf_printf(b, "    %-12skey sha256:%s\n", "",
	    hex_encode(hex, c->spki_sha256, 32));
}

static void put_verdict(struct buf *b, const struct tried *t)
{
	const struct tls_got *got = &t->p.got;

	if (t->p.is_tls)
		put_line(b, "reached", tls_level_str(got->level));
	put_line(b, "match", got->matched);
	if (t->is_plain)
		put_line(b, "verdict", "the policy sends in plaintext");
	else if (got->result[0] != '\0')
		put_line(b, "verdict", got->result);
	if (!t->is_plain && got->reason[0] != '\0')
		put_line(b, "", got->reason);
	if (strcmp(t->p.error, got->reason) != 0)
		put_line(b, "connection", t->p.error);
}

static void put_text(struct probing *g, const struct tried *t)
{
	struct buf *b = &g->out;
	const struct tls_probe *p = &t->p;

	buf_printf(b, "%s ", t->name);
	probe_address(b, &t->sa, t->sa_len);
	buf_printf(b, "\n    %-12s%s (%s)\n", "asked", t->is_plain ? "none" :
	    tls_level_str(t->want->level), t->want->because);
	if (t->want->pki[0] != '\0')
		put_line(b, "note", "a probe shows no client certificate; the "
		    "relay does");
	put_line(b, "greeting", p->greeting);
	if (p->is_tls)
		buf_printf(b, "    %-12s%s %s\n", "TLS", p->got.version,
		    p->got.cipher);
	for (size_t i = 0; i < p->certs; i++)
		put_cert(b, &p->cert[i], i);
	if (p->offers_requiretls)
		put_line(b, "offers", "REQUIRETLS");
	put_verdict(b, t);
}

/* ---- JSON ---- */

static void put_cert_json(struct json *j, const struct probe_cert *c)
{
	char hex[65];

	json_object(j, NULL);
	json_str(j, "subject", c->subject);
	json_str(j, "issuer", c->issuer);
	json_int(j, "not_after", c->not_after);
	json_str(j, "sha256", hex_encode(hex, c->cert_sha256, 32));
	json_str(j, "spki_sha256", hex_encode(hex, c->spki_sha256, 32));
	json_end_object(j);
}

static void put_json(struct probing *g, const struct tried *t)
{
	const struct tls_got *got = &t->p.got;
	struct json *j = &g->j;
	struct buf b;

	buf_init(&b, 256);
	probe_address(&b, &t->sa, t->sa_len);
	json_object(j, NULL);
	json_str(j, "host", t->name);
	json_str(j, "address", buf_str(&b));
	json_str(j, "asked", t->is_plain ? "none" :
	    tls_level_str(t->want->level));
	json_str(j, "because", t->want->because);
	json_str(j, "greeting", t->p.greeting);
	json_bool(j, "connected", t->p.is_connected);
	json_bool(j, "tls", t->p.is_tls);
	json_str(j, "version", got->version);
	json_str(j, "cipher", got->cipher);
	json_array(j, "chain");
	for (size_t i = 0; i < t->p.certs; i++)
		put_cert_json(j, &t->p.cert[i]);
	json_end_array(j);
	json_bool(j, "requiretls", t->p.offers_requiretls);
	json_str(j, "match", got->matched);
	json_str(j, "reached", tls_level_str(got->level));
	json_str(j, "result", got->result);
	json_str(j, "reason", got->reason);
	json_str(j, "error", t->p.error);
	json_end_object(j);
	buf_free(&b);
}

/* ---- --pin ---- */

static void put_pin(struct probing *g, const struct tried *t)
{
	const struct probe_cert *c = &t->p.cert[0];
	struct buf *b = &g->out;
	char hex[65], day[WHEN_SIZE];

	buf_printf(b, "# %s ", t->name);
	probe_address(b, &t->sa, t->sa_len);
	if (t->p.certs == 0) {
		buf_printf(b, ": no certificate: %s\n", t->p.error);
		return;
	}
	buf_printf(b, ": %s, until %s\n#   key sha256:%s\n", c->subject,
	    when_date(day, c->not_after),
	    hex_encode(hex, c->spki_sha256, 32));
	for (size_t i = 0; i < g->pins; i++)
		if (memcmp(g->pinned[i], c->cert_sha256, 32) == 0)
			return;
	if (g->pins < ROUTE_HOSTS)
		memcpy(g->pinned[g->pins++], c->cert_sha256, 32);
}

static void put_pin_line(struct probing *g)
{
	const char *to = g->nexthop[0] == '\0' ? g->dest : g->nexthop;
	char hex[65];

	if (g->pins == 0)
		return;
	buf_puts(&g->out, "# Ask the owner whether these are theirs: a probe "
	    "shows who answers, not who should.\n");
	buf_printf(&g->out, "to %s fingerprint", to);
	for (size_t i = 0; i < g->pins; i++)
		buf_printf(&g->out, " sha256:%s",
		    hex_encode(hex, g->pinned[i], 32));
	if (g->port != 0 && g->dest[0] != '[')
		buf_printf(&g->out, " port %d%s", g->port,
		    g->port == 465 ? " implicit" : "");
	buf_putc(&g->out, '\n');
}

/* ---- a host ---- */

static void set_port(struct sockaddr_storage *sa, int port)
{
	if (sa->ss_family == AF_INET)
		((struct sockaddr_in *)sa)->sin_port = htons((uint16_t)port);
	else if (sa->ss_family == AF_INET6)
		((struct sockaddr_in6 *)sa)->sin6_port =
		    htons((uint16_t)port);
}

static int run(struct probing *g, struct tried *t, bool lmtp)
{
	struct tls_probe_try try = { .helo = g->rc->hostname, .lmtp = lmtp,
		.want = t->want, .timeout_ms = HOST_MS };
	struct err e = { 0 };

	if (g->port != 0)
		set_port(&t->sa, g->port);
	if (g->port == 465)
		t->want->implicit = true;
	if (t->want->level == TLS_NONE) {
		t->is_plain = true;
		t->want->level = TLS_MAY;
	}
	try.sa = (const struct sockaddr *)&t->sa;
	try.sa_len = t->sa_len;
	if (t->want->ca[0] != '\0')
		try.ca = relay_ca(g->rc, t->want->ca);
	if (t->want->ca[0] != '\0' && try.ca == NULL)
		return cli_say(EX_CONFIG, "there is no ca %s", t->want->ca);
	return tls_probe_run(&t->p, &try, &e) == 0 ? 0 : cli_fail(&e);
}

/* Would mail go there? */
static bool is_good(const struct tried *t)
{
	if (!t->p.is_connected)
		return false;
	if (t->is_plain || (t->want->level == TLS_MAY && !t->p.is_tls))
		return t->p.greeting[0] != '\0' || t->p.is_tls;
	return strcmp(t->p.got.result, "success") == 0;
}

static int try_host(struct probing *g, struct tried *t, bool lmtp)
{
	int rc;

	tls_probe_init(&t->p);
	rc = run(g, t, lmtp);
	if (rc == 0 && g->pin)
		put_pin(g, t);
	else if (rc == 0 && g->json)
		put_json(g, t);
	else if (rc == 0)
		put_text(g, t);
	if (is_good(t))
		g->good++;
	else if (t->p.got.result[0] != '\0')
		g->refused++;
	else
		g->away++;
	tls_probe_free(&t->p);
	return rc;
}

static void put_barred(struct probing *g, const struct route_host *h)
{
	g->refused++;
	if (g->json && !g->pin) {
		json_object(&g->j, NULL);
		json_str(&g->j, "host", h->name);
		json_bool(&g->j, "barred", true);
		json_str(&g->j, "result", h->barred_result);
		json_str(&g->j, "reason", h->barred_reason);
		json_end_object(&g->j);
		return;
	}
	buf_printf(&g->out, "%s%s\n%s    %-12s%s: %s\n", g->pin ? "# " : "",
	    h->name, g->pin ? "# " : "", "not used", h->barred_result,
	    h->barred_reason);
}

/* ---- by a route ---- */

static int try_route(struct probing *g, struct route *r)
{
	int rc = 0;

	if (r->code != 0) {
		g->away += r->code < 500;
		g->refused += r->code >= 500;
		(void)cli_say(0, "%s: %d %s %s", g->dest, r->code,
		    r->enhanced, r->text);
	}
	text_set(g->nexthop, sizeof(g->nexthop), r->nexthop);
	for (size_t i = 0; rc == 0 && i < r->hosts; i++) {
		struct route_host *h = &r->host[i];
		struct tried t = { .name = h->name, .sa = h->sa,
			.sa_len = h->sa_len, .want = &h->want };

		if (h->is_barred)
			put_barred(g, h);
		else
			rc = try_host(g, &t, r->lmtp);
	}
	return rc;
}

static int by_route(struct probing *g)
{
	struct route_query q = { .from = g->from };
	struct engine *engine = NULL;
	struct route *r = NULL;
	struct err e = { 0 };
	struct buf rcpt;
	int rc;

	buf_init(&rcpt, 1024);
	rc = cli_policy_recipient(g->c, g->dest, &rcpt);
	if (rc == 0)
		rc = cli_policy_route(g->rc, g->route, &q.route);
	if (rc == 0 && engine_new(&engine, g->rc, &e) != 0)
		rc = cli_fail(&e);
	if (rc == 0) {
		q.rcpt = buf_str(&rcpt);
		engine_route(engine, &q, &r, NULL);
		rc = r == NULL ? cli_say(EX_OSERR, "out of memory") :
		    try_route(g, r);
	}
	route_free(&r);
	engine_free(&engine);
	buf_free(&rcpt);
	return rc;
}

/* ---- "[host]:port", without a route ---- */

static void put_names(struct tls_want *w, const struct tls_rule *r,
    const char *host)
{
	for (size_t i = 0; i < r->matches; i++) {
		const char *m = r->match[i];
		bool is_host = strcmp(m, "hostname") == 0 ||
		    strcmp(m, "nexthop") == 0;

		if (strcmp(m, "dot-nexthop") != 0)
			text_set(w->name[w->names++], TLS_NAME_MAX,
			    is_host ? host : m);
	}
	if (r->matches == 0)
		text_set(w->name[w->names++], TLS_NAME_MAX, host);
}

/* Host and next hop are one here. */
static void put_servername(struct tls_want *w, const struct tls_rule *r)
{
	if (r->servername != NULL && strcmp(r->servername, "hostname") != 0 &&
	    strcmp(r->servername, "nexthop") != 0)
		text_set(w->sni, sizeof(w->sni), r->servername);
}

/* TLSA records of such a host are not looked up: DANE is TLS here. */
static void want_of(struct tls_want *w, const struct tls_rule *r,
    const char *host)
{
	*w = (struct tls_want){ .level = TLS_MAY };
	text_set(w->sni, sizeof(w->sni), host);
	text_set(w->because, sizeof(w->because), "no line");
	if (r == NULL)
		return;
	w->level = r->level;
	if (r->level == TLS_DANE || r->level == TLS_DANE_ONLY)
		w->level = r->level == TLS_DANE ? TLS_MAY : TLS_ENCRYPT;
	w->asked = r->level;
	w->implicit = r->implicit;
	put_names(w, r, host);
	put_servername(w, r);
	memcpy(w->pin, r->pin, sizeof(w->pin));
	w->pins = r->pins;
	text_set(w->ca, sizeof(w->ca), r->ca == NULL ? "" : r->ca);
	text_set(w->pki, sizeof(w->pki), r->pki == NULL ? "" : r->pki);
	text_set(w->ciphers, sizeof(w->ciphers), r->ciphers == NULL ? "" :
	    r->ciphers);
	w->min = r->min;
	w->max = r->max;
	w->allow_anonymous = r->allow_anonymous;
	w->require_cert = r->require_cert;
	w->allow_cn = r->allow_cn;
	text_set(w->because, sizeof(w->because), r->is_default ?
	    "the default line" : r->to);
}

static int port_of(const struct sockaddr_storage *sa)
{
	if (sa->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)sa)->sin_port);
	return ntohs(((const struct sockaddr_in6 *)sa)->sin6_port);
}

static int try_bracketed(struct probing *g, const struct probe_host *h,
    struct tls_want *w)
{
	struct tried t = { .name = h->name, .sa = h->sa, .sa_len = h->sa_len,
		.want = w };
	struct buf key;

	buf_init(&key, 512);
	buf_printf(&key, "[%s]", h->name);
	want_of(w, tls_rules_find(&g->rc->rules, buf_str(&key),
	    port_of(&h->sa), g->from), h->name);
	buf_free(&key);
	return try_host(g, &t, false);
}

static int by_brackets(struct probing *g)
{
	struct probe_host host[PROBE_HOSTS];
	struct tls_want *w = calloc(1, sizeof(*w));
	struct err e = { 0 };
	size_t n = 0;
	int rc = 0;

	if (w == NULL)
		return cli_say(EX_OSERR, "out of memory");
	if (probe_hosts(host, &n, g->dest, g->port, &e) != 0)
		rc = cli_fail(&e);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = try_bracketed(g, &host[i], w);
	free(w);
	return rc;
}

/* ---- the verb ---- */

static int finish(struct probing *g)
{
	int rc;

	if (g->pin) {
		put_pin_line(g);
	} else if (g->json) {
		json_end_array(&g->j);
		json_end_object(&g->j);
		buf_putc(&g->out, '\n');
	}
	rc = cli_print(&g->out);
	if (rc != 0)
		return rc;
	if (g->pin ? g->pins > 0 : g->good > 0)
		return EX_OK;
	return g->refused > 0 ? EX_UNAVAILABLE : EX_TEMPFAIL;
}

static int probe(struct probing *g)
{
	struct relay_config *rc = NULL;
	int code = cli_relay_config(g->c, &rc);

	if (code != 0)
		return code;
	g->rc = rc;
	buf_init(&g->out, OUT_MAX);
	if (g->json && !g->pin) {
		json_init(&g->j, &g->out);
		json_object(&g->j, NULL);
		json_str(&g->j, "destination", g->dest);
		json_array(&g->j, "hosts");
	}
	code = g->dest[0] == '[' ? by_brackets(g) : by_route(g);
	if (code == 0)
		code = finish(g);
	buf_free(&g->out);
	relay_config_free(&rc);
	return code;
}

int cli_policy_probe(struct cli *c, int argc, char **argv)
{
	struct probing *g = calloc(1, sizeof(*g));
	const char *port = NULL, *from = NULL;
	struct cli_list rest = { 0 };
	size_t number = 0;
	int rc;

	if (g == NULL)
		return cli_say(EX_OSERR, "out of memory");
	rc = cli_options(c, argc, argv, (const struct cli_opt[]){
	    { .name = "--pin", .flag = &g->pin },
	    { .name = "--json", .flag = &g->json },
	    { .name = "--port", .value = &port },
	    { .name = "--from", .value = &from },
	    { .name = "--route", .value = &g->route },
	    { .name = NULL } }, &rest);
	if (rc == 0)
		rc = cli_count(c, "--port", port, &number);
	if (rc == 0 && (rest.n != 1 || number > 65535))
		rc = cli_usage(c, rest.n != 1 ? "a domain, an address or "
		    "[host] is needed" : "--port: a number up to 65535");
	if (rc == 0) {
		g->c = c;
		g->dest = rest.v[0];
		g->from = from == NULL ? "" : from;
		g->port = (int)number;
		rc = probe(g);
	}
	cli_list_free(&rest);
	free(g);
	return rc;
}
