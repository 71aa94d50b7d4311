/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a host must show: DANE first, then MTA-STS, then the line; never less
 * than one of them asks for, and never less than the message asks for.
 */
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/engine_int.h"

/* Work on one host. */
struct wanting {
	struct seek *p;
	const struct seek_host *h;
	struct route_host *out;
	struct tls_want *w;
	/* is the host's name somebody's word who may be trusted? */
	bool is_name_trusted;
	bool proves; /* the peer, not only that somebody has this name */
};

int seek_bar(struct seek *p, struct route_host *out,
    const struct seek_bar *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(out->barred_reason, sizeof(out->barred_reason), fmt,
	    ap);
	va_end(ap);
	out->is_barred = true;
	text_set(out->barred_result, sizeof(out->barred_result), b->result);
	tls_want_free(&out->want);
	if (p->bar_code == 0) {
		p->bar_code = b->code;
		text_set(p->bar_enhanced, sizeof(p->bar_enhanced),
		    b->enhanced);
		text_set(p->bar_text, sizeof(p->bar_text),
		    out->barred_reason);
	}
	seek_tell(p, "verdict", "%s: not used: %s", out->name,
	    out->barred_reason);
	return -1;
}

/* A policy is not met: temporary, unless the line says otherwise. */
static struct seek_bar by_policy(const struct seek *p, const char *result)
{
	if (p->rule != NULL && p->rule->is_permanent)
		return (struct seek_bar){ result, 550, "5.7.5" };
	return (struct seek_bar){ result, 451, "4.7.5" };
}

/* ---- names ---- */

static void add_name(struct tls_want *w, const char *dot, const char *name)
{
	struct buf b;
	size_t i;

	if (name[0] == '\0' || w->names == TLS_NAMES)
		return;
	buf_init(&b, TLS_NAME_MAX - 1);
	buf_printf(&b, "%s%s", dot, name);
	for (i = 0; i < w->names; i++)
		if (strcmp(w->name[i], buf_str(&b)) == 0)
			break;
	if (i == w->names && !b.failed)
		text_set(w->name[w->names++], TLS_NAME_MAX, buf_str(&b));
	buf_free(&b);
}

/* T39, A70: whoever can lie in the DNS names his own host there. */
static void add_hostname(struct wanting *x)
{
	if (x->is_name_trusted || x->p->level == TLS_VERIFY)
		add_name(x->w, "", x->h->name);
	if (!x->is_name_trusted && x->p->level == TLS_VERIFY) {
		x->proves = false;
		seek_tell(x->p, "warning", "the name %s comes from the DNS "
		    "without DNSSEC: who lies there chooses it", x->h->name);
	}
}

static void add_match(struct wanting *x, const char *match)
{
	if (strcmp(match, "hostname") == 0)
		add_hostname(x);
	else if (strcmp(match, "nexthop") == 0)
		add_name(x->w, "", x->p->name);
	else if (strcmp(match, "dot-nexthop") == 0)
		add_name(x->w, ".", x->p->name);
	else
		add_name(x->w, "", match);
}

static void add_names(struct wanting *x, enum tls_level level)
{
	const struct tls_rule *r = x->p->rule;
	size_t i;

	for (i = 0; r != NULL && i < r->matches; i++)
		add_match(x, r->match[i]);
	if (r != NULL && r->matches > 0)
		return;
	if (level == TLS_VERIFY) {
		add_match(x, "hostname");
	} else {
		add_match(x, "nexthop");
		if (!x->p->is_literal)
			add_match(x, "dot-nexthop");
	}
}

static void set_sni(struct wanting *x, const char *name)
{
	/* never for address literals (T45) */
	if (!x->p->is_literal && x->p->name[0] != '\0')
		text_set(x->w->sni, sizeof(x->w->sni), name);
}

static void set_servername(struct wanting *x)
{
	const char *s = x->p->rule == NULL ? NULL : x->p->rule->servername;

	if (s == NULL || strcmp(s, "hostname") == 0)
		set_sni(x, x->h->name);
	else
		set_sni(x, strcmp(s, "nexthop") == 0 ? x->p->name : s);
}

/* ---- from the line ---- */

/* TLSA records stay, whoever decides: they must hold as well (T51). */
static void clear_want(struct tls_want *w)
{
	struct tls_tlsa tlsa[TLS_TLSA_MAX];
	char base[TLS_NAME_MAX];
	size_t n = w->tlsas;

	memcpy(tlsa, w->tlsa, sizeof(tlsa));
	text_set(base, sizeof(base), w->tlsa_base);
	memset(w, 0, sizeof(*w));
	memcpy(w->tlsa, tlsa, sizeof(tlsa));
	text_set(w->tlsa_base, sizeof(w->tlsa_base), base);
	w->tlsas = n;
}

/* What holds whoever decides. */
static void set_common(struct wanting *x)
{
	const struct tls_rule *r = x->p->rule;
	struct tls_want *w = x->w;

	clear_want(w);
	text_set(w->pki, sizeof(w->pki), x->p->pki);
	if (r == NULL)
		return;
	w->implicit = r->implicit;
	w->min = r->min;
	w->max = r->max;
	w->is_permanent = r->is_permanent;
	if (r->ca != NULL)
		text_set(w->ca, sizeof(w->ca), r->ca);
	if (r->ciphers != NULL)
		text_set(w->ciphers, sizeof(w->ciphers), r->ciphers);
}

static void set_because(struct tls_want *w, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
static void set_because(struct tls_want *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(w->because, sizeof(w->because), fmt, ap);
	va_end(ap);
}

static int want_line(struct wanting *x)
{
	const struct tls_rule *r = x->p->rule;
	struct seek_bar b = by_policy(x->p, "validation-failure");
	struct tls_want *w = x->w;

	set_common(x);
	w->asked = w->level = x->p->level;
	if (w->level == TLS_DANE)
		w->level = TLS_MAY;
	set_because(w, "%s", x->p->because);
	set_servername(x);
	x->proves = tls_level_is_verified(w->level);
	if (r != NULL) {
		w->allow_anonymous = r->allow_anonymous;
		w->require_cert = r->require_cert;
		w->allow_cn = r->allow_cn;
		memcpy(w->pin, r->pin, sizeof(w->pin));
		w->pins = r->pins;
	}
	if (w->level != TLS_VERIFY && w->level != TLS_SECURE)
		return 0;
	add_names(x, w->level);
	return w->names > 0 ? 0 : seek_bar(x->p, x->out, &b, "%s asks for "
	    "the host's name, but %s comes from the DNS without DNSSEC, which "
	    "proves nothing", x->p->because, x->h->name);
}

/* A proof of the next hop itself, where nothing else proves anything. */
static void want_nexthop(struct wanting *x, const char *because)
{
	struct tls_want *w = x->w;
	enum tls_level asked = w->asked;

	set_common(x);
	w->asked = asked;
	w->level = TLS_SECURE;
	set_because(w, "%s (%s)", because, x->p->because);
	set_sni(x, x->h->name);
	add_name(w, "", x->p->name);
	if (!x->p->is_literal)
		add_name(w, ".", x->p->name);
	/* DNSSEC's word for the host */
	if (x->is_name_trusted && x->p->name[0] != '\0')
		add_name(w, "", x->h->name);
	x->proves = w->names > 0;
}

/* ---- MTA-STS ---- */

static void want_pkix(struct wanting *x, enum tls_level asked)
{
	struct tls_want *w = x->w;

	set_common(x);
	w->asked = asked;
	w->level = TLS_SECURE;
	if (w->min == TLS_V_1_0 || w->min == TLS_V_1_1)
		w->min = TLS_V_1_2; /* RFC 8461 4.2, T52 */
	set_sni(x, x->h->name);
	add_name(w, "", x->h->name);
	x->proves = true;
}

static int want_sts(struct wanting *x)
{
	struct seek *p = x->p;
	struct seek_bar b = by_policy(p, "validation-failure");

	if (!sts_policy_names(&p->sts, x->h->name))
		return seek_bar(p, x->out, &b, "the MTA-STS policy of %s does "
		    "not name %s (RFC 8461 4.1)", p->name, x->h->name);
	want_pkix(x, TLS_SECURE);
	set_because(x->w, "MTA-STS enforce, id %s", p->sts.id);
	return 0;
}

/* RFC 8461 5: a policy that is tested is looked at, and decides nothing. */
static void test_sts(struct wanting *x)
{
	const struct seek *p = x->p;
	struct tls_want *w = x->w;

	if (!p->r->sts_testing)
		return;
	text_set(w->tested, sizeof(w->tested), x->h->name);
	w->is_unnamed = !sts_policy_names(&p->sts, x->h->name);
	if (w->is_unnamed)
		seek_tell(x->p, "warning", "the MTA-STS policy of %s does not "
		    "name %s; it is only tested", p->name, x->h->name);
}

static bool sts_enforces(const struct seek *p)
{
	return p->has_sts && p->sts.mode == STS_ENFORCE;
}

/* ---- DANE ---- */

static void finish_dane(struct wanting *x, enum tls_level level)
{
	const struct seek *p = x->p;
	struct tls_want *w = x->w;

	w->level = level;
	w->asked = p->level == TLS_DANE_ONLY ? TLS_DANE_ONLY : TLS_DANE;
	set_sni(x, w->tlsa_base);
	/* RFC 7672 3.2.3: names for DANE-TA */
	add_name(w, "", w->tlsa_base);
	add_name(w, "", p->name);
	add_name(w, "", p->expanded);
	x->proves = level == TLS_DANE_ONLY && x->is_name_trusted;
	set_because(w, "DANE, TLSA of %.200s%s", w->tlsa_base,
	    x->is_name_trusted ? "" : " (MX without DNSSEC)");
}

static int refuse_without_dane(struct wanting *x, const char *what)
{
	const struct seek_bar b = by_policy(x->p, "dane-required");

	return seek_bar(x->p, x->out, &b, "%s asks for DANE, but %s %s",
	    x->p->because, x->h->name, what);
}

/* Does something else prove more than TLSA records of a host that DNSSEC does
 * not lead to (T48), or ask for more than records that cannot be used? */
static bool has_better(const struct wanting *x, enum dane_outcome o)
{
	if (o == DANE_USABLE && x->is_name_trusted)
		return false;
	return sts_enforces(x->p) || tls_level_is_verified(x->p->level) ||
	    (o == DANE_UNUSABLE && tls_level_is_must(x->p->level));
}

/* 1: DANE decides; 0: it does not, but its records, if any, must hold as
 * well; -1: barred. */
static int want_dane(struct wanting *x)
{
	bool is_only = x->p->level == TLS_DANE_ONLY;
	const struct seek_bar b = { "dnssec-invalid", 451, "4.7.5" };
	enum dane_outcome o;
	char why[300];

	/* T48: what DNSSEC does not lead to, DANE does not prove */
	if (!x->is_name_trusted && is_only)
		return refuse_without_dane(x, "comes from an MX record "
		    "without DNSSEC");
	set_common(x);
	o = seek_dane(x->p, x->h, x->w, why);
	if (o == DANE_ERROR)
		return seek_bar(x->p, x->out, &b, "whether %s has TLSA "
		    "records cannot be found out: %.200s", x->h->name, why);
	if (is_only && o != DANE_USABLE)
		return refuse_without_dane(x, o == DANE_NONE ?
		    "has no TLSA record that DNSSEC secures" :
		    "has no TLSA record that can be used");
	if (o == DANE_NONE || has_better(x, o))
		return 0;
	finish_dane(x, o == DANE_USABLE ? TLS_DANE_ONLY : TLS_ENCRYPT);
	return 1;
}

/* ---- what the message asks for ---- */

/* RFC 8689 4.2.1: DNSSEC or MTA-STS vouches for the host, and a certificate
 * for the connection. */
static int require_tls(struct wanting *x)
{
	static const struct seek_bar b = { "requiretls", 550, "5.7.30" };
	struct seek *p = x->p;
	bool by_sts = p->has_sts && sts_policy_names(&p->sts, x->h->name);

	if (!x->proves && !x->is_name_trusted && !by_sts)
		return seek_bar(p, x->out, &b, "REQUIRETLS: neither DNSSEC "
		    "nor MTA-STS says that %s is a mail host of %s (RFC 8689 "
		    "4.2.1)", x->h->name, p->nexthop);
	if (!x->proves && (p->name[0] == '\0' || p->is_literal))
		return seek_bar(p, x->out, &b, "REQUIRETLS: %s has no name "
		    "that a certificate could prove", p->nexthop);
	if (!x->proves) {
		want_pkix(x, x->w->asked);
		set_because(x->w, "REQUIRETLS (%s)", p->because);
	}
	x->w->require_tls = true;
	return 0;
}

static int require_verified(struct wanting *x)
{
	static const struct seek_bar b = { "validation-failure", 451,
	    "4.7.5" };
	bool with = x->w->require_tls;

	if (x->proves)
		return 0;
	want_nexthop(x, "require verified");
	x->w->require_tls = with;
	return x->proves ? 0 : seek_bar(x->p, x->out, &b, "%s has no name "
	    "that a certificate could prove, and this mail may only go to "
	    "who is proven", x->p->nexthop);
}

/* ---- all of it ---- */

static int decide(struct wanting *x)
{
	struct seek *p = x->p;
	int rc = p->try_dane ? want_dane(x) : 0;

	if (rc == 0 && sts_enforces(p))
		rc = want_sts(x);
	else if (rc == 0)
		rc = want_line(x);
	if (rc == -1)
		return -1;
	if (p->q->require_tls && require_tls(x) != 0)
		return -1;
	if (p->q->verified && require_verified(x) != 0)
		return -1;
	test_sts(x);
	return 0;
}

int seek_want(struct seek *p, const struct seek_host *h,
    struct route_host *out)
{
	struct wanting x = { .p = p, .h = h, .out = out, .w = &out->want };
	struct buf names;
	size_t i;

	x.is_name_trusted = p->mx_secure || !p->from_dns ||
	    strcmp(h->name, p->name) == 0;
	if (decide(&x) != 0)
		return -1;
	buf_init(&names, 400);
	for (i = 0; i < x.w->names && i < 4; i++)
		buf_printf(&names, "%s%.90s", i == 0 ? " for " : ", ",
		    x.w->name[i]);
	seek_tell(p, "verdict", "%s: %s%s%s, by %s", h->name,
	    tls_level_str(x.w->level), buf_str(&names), x.w->tlsas > 0 &&
	    x.w->level != TLS_DANE_ONLY ? ", and its TLSA records" : "",
	    x.w->because);
	buf_free(&names);
	return 0;
}

/* Why a host with these addresses cannot be tried at all. */
static int check_reachable(struct seek *p, const struct seek_host *h,
    struct route_host *out)
{
	static const struct seek_bar bogus = { "dnssec-invalid", 451,
	    "4.7.5" };
	static const struct seek_bar failed = { "dns-failure", 451, "4.4.3" };
	static const struct seek_bar private = { "private-address", 451,
	    "4.4.4" };

	if (h->state == DNS_BOGUS)
		return seek_bar(p, out, &bogus, "DNSSEC of %s does not hold",
		    h->name);
	if (h->state == DNS_FAILED)
		return seek_bar(p, out, &failed, "the addresses of %s cannot "
		    "be found out now", h->name);
	if (h->n == 0 && h->is_private)
		return seek_bar(p, out, &private, "%s has no public address",
		    h->name);
	return h->n > 0 ? 0 : -1;
}

void seek_add(struct seek *p, const struct seek_host *h)
{
	struct route *r = p->r;
	struct route_host *first;
	struct err e;
	size_t i;

	if (r->hosts == ROUTE_HOSTS)
		return;
	first = &r->host[r->hosts];
	memset(first, 0, sizeof(*first));
	text_set(first->name, sizeof(first->name), h->name);
	if (h->is_alias && h->canonical[0] != '\0') {
		text_set(first->name, sizeof(first->name), h->canonical);
		text_set(first->original, sizeof(first->original), h->name);
	}
	if (check_reachable(p, h, first) != 0 ||
	    seek_want(p, h, first) != 0) {
		/* without address and reason it is no host at all */
		r->hosts += first->is_barred;
		return;
	}
	for (i = 0; i < h->n && r->hosts < ROUTE_HOSTS; i++) {
		struct route_host *to = &r->host[r->hosts];

		if (to != first) {
			*to = *first;
			if (tls_want_copy(&to->want, &first->want, &e) != 0)
				return;
		}
		to->sa = h->sa[i];
		to->sa_len = h->sa_len[i];
		r->hosts++;
	}
}
