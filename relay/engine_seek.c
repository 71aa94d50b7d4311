/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What configuration alone says of a recipient: the route, the next hop, and
 * the line of tls-policy { }. Nothing is asked here.
 */
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/engine_int.h"
#include "util/clock.h"

#define VIA_MAX 4 /* routes that name another route, in a row */
#define SMTP_PORT 25

void seek_tell(struct seek *p, const char *key, const char *fmt, ...)
{
	char text[600];
	va_list ap;
	size_t i;

	if (p->story == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (i = 0; text[i] != '\0'; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	buf_printf(p->story, "%s\t%s\n", key, text);
}

void seek_answer(struct seek *p, int code, const char *enhanced,
    const char *fmt, ...)
{
	struct route *r = p->r;
	va_list ap;
	size_t i;

	r->code = code;
	text_set(r->enhanced, sizeof(r->enhanced), enhanced);
	va_start(ap, fmt);
	(void)vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
	for (i = 0; r->text[i] != '\0'; i++)
		if (r->text[i] < ' ' || r->text[i] > '~')
			r->text[i] = '?';
	seek_tell(p, "answer", "%d %s %s", code, enhanced, r->text);
}

void seek_ttl(struct seek *p, const struct dns_answer *a)
{
	if (a->ttl_s < p->ttl_s)
		p->ttl_s = a->ttl_s;
}

void seek_ask(struct seek *p, const char *name, enum dns_type type,
    struct dns_answer *out)
{
	p->g->dns.ask(p->g->dns.arg, name, type, p->deadline, out);
	seek_ttl(p, out);
}

void seek_free(struct seek *p)
{
	sts_policy_free(&p->sts);
	route_free(&p->r);
}

/* ---- route ---- */

/* "example.com", or ".example.com" for what is below it. */
static bool is_domain(const char *pattern, const char *domain)
{
	size_t n = strlen(domain), m = strlen(pattern);

	if (pattern[0] != '.')
		return view_ieq_str(view_of(domain), pattern);
	return n > m && view_ieq_str(view_of(domain + n - m), pattern);
}

static const struct relay_route *via(const struct engine *g,
    const struct relay_route *r, const char *domain)
{
	size_t i;

	for (i = 0; i < r->vias; i++)
		if (is_domain(r->via_domain[i], domain))
			return relay_route(g->c, r->via[i]);
	return r;
}

static int find_way(struct seek *p)
{
	const struct relay_route *r = relay_route(p->g->c, p->q->route), *next;
	int n;

	for (n = 0; r != NULL && n < VIA_MAX; n++) {
		next = via(p->g, r, addr_domain(&p->rcpt));
		if (next == r)
			break;
		r = next;
	}
	if (r == NULL || n == VIA_MAX) {
		seek_answer(p, 451, "4.3.5", "No such route is configured");
		return -1;
	}
	p->way = r;
	text_set(p->r->name, sizeof(p->r->name), r->name);
	p->r->lmtp = r->lmtp;
	p->r->xclient = r->xclient;
	p->r->concurrency = r->concurrency;
	p->r->rest_ms = r->rest_ms;
	seek_tell(p, "route", "%s (%s)", r->name, r->mx ? "mx" : r->host);
	return 0;
}

/* ---- next hop ---- */

static bool is_address(const char *text)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST }, *a;

	if (getaddrinfo(text, NULL, &hints, &a) != 0)
		return false;
	freeaddrinfo(a);
	return true;
}

/* A number, or one of the names that an MTA may have it by. */
static int take_port(struct seek *p, const char *text)
{
	static const struct {
		const char *name;
		int port;
	} known[] = { { "smtp", 25 }, { "lmtp", 24 }, { "submission", 587 },
		{ "submissions", 465 }, { "smtps", 465 } };
	char *end;
	long port = strtol(text, &end, 10);
	size_t i;

	for (i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(text, known[i].name) != 0)
			continue;
		p->port = known[i].port;
		return 0;
	}
	if (end == text || *end != '\0' || port < 1 || port > 65535)
		return -1;
	p->port = (int)port;
	return 0;
}

/* "[::1]:25", "192.0.2.1:25", "smtp.example:587". */
static int read_host(struct seek *p, const char *host)
{
	struct view v = view_of(host), name;
	const char *colon = strrchr(host, ':');
	size_t end;

	p->is_bracketed = host[0] == '[';
	if (p->is_bracketed) {
		end = view_chr(v, ']', 0);
		if (end == (size_t)-1)
			return -1;
		name = view_sub(v, 1, end - 1);
		colon = host[end + 1] == ':' ? host + end + 1 : NULL;
	} else {
		name = view_sub(v, 0, colon == NULL ? v.n :
		    (size_t)(colon - host));
	}
	if (view_istarts(name, "IPv6:"))
		name = view_sub(name, 5, name.n);
	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--; /* the DNS's own form of the same name */
	if (colon != NULL && take_port(p, colon + 1) != 0)
		return -1;
	return view_cstr(name, p->name, sizeof(p->name));
}

static void set_nexthop(struct seek *p, bool brackets, const char *name)
{
	struct buf b;

	buf_init(&b, TLS_NAME_MAX - 1);
	/* one that is too long is not found by any line, nor in the DNS */
	buf_printf(&b, brackets ? "[%s]" : "%s", name);
	text_set(p->nexthop, sizeof(p->nexthop), buf_str(&b));
	if (p->port != SMTP_PORT)
		buf_printf(&b, ":%d", p->port);
	text_set(p->r->nexthop, sizeof(p->r->nexthop), buf_str(&b));
	buf_free(&b);
}

static int read_nexthop(struct seek *p, const char *host)
{
	char name[TLS_NAME_MAX];

	if (read_host(p, host) != 0)
		return -1;
	p->is_literal = is_address(p->name);
	if (!p->is_literal && addr_domain_parse(name, sizeof(name),
	    view_of(p->name), NULL) == 0)
		text_set(p->name, sizeof(p->name), name);
	set_nexthop(p, p->is_bracketed || p->is_literal, p->name);
	return 0;
}

static int find_nexthop(struct seek *p)
{
	const struct relay_route *way = p->way;

	p->port = way->mx && way->port > 0 ? way->port : SMTP_PORT;
	if (way->mx) {
		text_set(p->name, sizeof(p->name), addr_domain(&p->rcpt));
		set_nexthop(p, false, p->name);
	} else if (strncmp(way->host, "unix:", 5) == 0) {
		set_nexthop(p, false, way->host);
	} else if (read_nexthop(p, way->host) != 0) {
		seek_answer(p, 451, "4.3.5", "The route's host is none");
		return -1;
	}
	return 0;
}

/* ---- line ---- */

static void set_because(struct seek *p)
{
	struct buf b;

	buf_init(&b, sizeof(p->because) - 1);
	if (p->way->level >= 0)
		buf_printf(&b, "route %s", p->way->name);
	else if (p->rule == NULL)
		buf_puts(&b, "no line of tls-policy");
	else
		buf_printf(&b, "%.200s:%d", p->rule->file == NULL ? "?" :
		    p->rule->file, p->rule->line);
	text_set(p->because, sizeof(p->because), buf_str(&b));
	buf_free(&b);
}

/* The default's "then dane then sts" holds where no line says more than may;
 * a line of none is the administrator's last word. Where nothing is said at
 * all it is as if that were the default. */
static void set_tries(struct seek *p)
{
	const struct tls_rules *all = &p->g->c->rules;
	bool is_open = p->way->level < 0 && (p->rule == NULL ||
	    p->rule->is_default || p->level == TLS_MAY);
	bool by_line = p->level == TLS_DANE || p->level == TLS_DANE_ONLY;
	bool dane = all->dane || !all->has_default;
	bool sts = all->sts || !all->has_default;

	p->try_dane = by_line || (is_open && dane);
	p->try_sts = sts && (is_open || p->level == TLS_DANE) &&
	    !p->is_bracketed;
	/* no name, nothing to look up */
	if (p->name[0] == '\0' || p->is_literal)
		p->try_dane = p->try_sts = false;
}

/* TLS-Required: No sets aside what the recipient's domain asks for, never
 * what this system does (RFC 8689 4.2.2, T55). */
static void relax(struct seek *p)
{
	if (!p->q->tls_optional || p->q->require_tls || p->q->verified)
		return;
	p->try_sts = false;
	if (p->level == TLS_DANE_ONLY)
		return;
	if (p->level == TLS_DANE)
		p->level = TLS_MAY;
	p->try_dane = false;
	seek_tell(p, "tls-required", "no: what the recipient's domain asks "
	    "for is set aside");
}

static void find_line(struct seek *p)
{
	const struct tls_rules *all = &p->g->c->rules;

	if (p->way->level >= 0)
		p->level = (enum tls_level)p->way->level;
	else
		p->rule = tls_rules_find(all, p->nexthop, p->port,
		    p->q->from);
	/* on this machine, where nobody is in between */
	if (p->rule == NULL && p->way->level < 0)
		p->level = p->name[0] == '\0' ? TLS_NONE : TLS_MAY;
	if (p->rule != NULL) {
		p->level = p->rule->level;
		if (p->rule->is_default && p->name[0] == '\0')
			p->level = TLS_NONE;
		if (p->rule->port != 0)
			p->port = p->rule->port;
	}
	set_because(p);
	seek_tell(p, "rule", "%s: %s%s", p->because,
	    tls_level_str(p->level), p->rule == NULL ? "" :
	    p->rule->is_default ? " (default)" : " (line)");
	set_tries(p);
	relax(p);
}

static bool is_sender(const char *pattern, const char *from)
{
	const char *at = strrchr(from, '@');

	if (pattern[0] == '@')
		return at != NULL && view_ieq_str(view_of(at), pattern);
	return view_ieq_str(view_of(from), pattern);
}

/* The line's certificate, then that of the sender, then of his domain. */
static void find_pki(struct seek *p)
{
	const struct relay_config *c = p->g->c;
	const char *found = p->rule == NULL ? NULL : p->rule->pki;
	const char *from = p->q->from;
	bool is_exact = false;
	struct addr a;
	size_t i;

	if (addr_parse(&a, view_of(from), NULL) == 0)
		from = a.text;
	for (i = 0; found == NULL && i < c->sender_certs; i++) {
		if (c->sender_cert[i].from[0] == '@' ||
		    !is_sender(c->sender_cert[i].from, from))
			continue;
		found = c->sender_cert[i].pki;
		is_exact = true;
	}
	for (i = 0; found == NULL && !is_exact && i < c->sender_certs; i++)
		if (is_sender(c->sender_cert[i].from, from))
			found = c->sender_cert[i].pki;
	if (found != NULL)
		text_set(p->pki, sizeof(p->pki), found);
}

static int start(struct seek *p)
{
	sts_policy_init(&p->sts);
	p->deadline = clock_ms() + SEEK_MS;
	p->ttl_s = SEEK_MS / 1000;
	p->r = calloc(1, sizeof(*p->r));
	return p->r == NULL ? -1 : 0;
}

int seek_begin(struct seek *p)
{
	if (start(p) != 0)
		return -1;
	if (addr_parse(&p->rcpt, view_of(p->q->rcpt), NULL) != 0) {
		seek_answer(p, 550, "5.1.3", "The recipient's address is not "
		    "one that mail can be sent to");
		return -1;
	}
	if (find_way(p) != 0 || find_nexthop(p) != 0)
		return -1;
	find_line(p);
	find_pki(p);
	return 0;
}

int seek_begin_map(struct seek *p, const char *nexthop,
    const struct relay_route *way)
{
	p->is_map = true;
	p->way = way;
	p->port = SMTP_PORT;
	if (start(p) != 0 || read_nexthop(p, nexthop) != 0)
		return -1;
	find_line(p);
	return 0;
}
