/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * From a next hop to hosts in the order of trying, and their addresses.
 */
#include <limits.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "fetch/url.h"
#include "relay/engine_int.h"
#include "util/ossl.h"

/* ---- addresses of a name ---- */

static void take_addresses(struct seek_host *h, const struct dns_answer *a,
    int port)
{
	size_t i;

	for (i = 0; i < a->n && h->n < SEEK_ADDRESSES; i++)
		if (dns_read_address(&h->sa[h->n], &h->sa_len[h->n],
		    a->rdata[i], port) == 0)
			h->n++;
}

static bool is_answer(const struct dns_answer *a)
{
	return a->state == DNS_SECURE || a->state == DNS_INSECURE;
}

/* Where both say something, they must both be secure (RFC 7672 2.2.2); a
 * family that fails does not matter if the other has addresses, but DNSSEC
 * that does not hold does. */
static void judge(struct seek_host *h, const struct dns_answer *six,
    const struct dns_answer *four)
{
	const struct dns_answer *bad = six->state < four->state ? six : four;
	bool any = six->n + four->n > 0;

	h->state = DNS_SECURE;
	if (bad->state == DNS_BOGUS || six->state == DNS_BOGUS ||
	    four->state == DNS_BOGUS) {
		h->state = DNS_BOGUS;
		bad = six->state == DNS_BOGUS ? six : four;
	} else if (bad->state == DNS_FAILED && !any) {
		h->state = DNS_FAILED;
	} else if ((is_answer(six) && six->n > 0 &&
	    six->state != DNS_SECURE) || (is_answer(four) && four->n > 0 &&
	    four->state != DNS_SECURE)) {
		h->state = DNS_INSECURE;
	}
	text_set(h->why, sizeof(h->why), bad->why);
}

/* Alternating, as one of the families may lead nowhere. */
static void interleave(struct seek_host *h, const struct dns_answer *six,
    const struct dns_answer *four, int port)
{
	struct dns_answer one;
	size_t i;

	for (i = 0; i < DNS_RECORDS; i++) {
		dns_answer_init(&one, "", DNS_INSECURE);
		if (i < six->n && six->rdata[i].n == 16)
			one.rdata[one.n++] = six->rdata[i];
		if (i < four->n && four->rdata[i].n == 4)
			one.rdata[one.n++] = four->rdata[i];
		take_addresses(h, &one, port);
		dns_answer_free(&one);
	}
}

static void resolve_by_dns(struct seek *p, struct seek_host *h)
{
	struct dns_answer *a = calloc(2, sizeof(*a));
	const struct dns_answer *with;

	h->state = DNS_FAILED;
	if (a == NULL)
		return;
	seek_ask(p, h->name, DNS_AAAA, &a[0]);
	seek_ask(p, h->name, DNS_A, &a[1]);
	judge(h, &a[0], &a[1]);
	with = is_answer(&a[1]) && a[1].n > 0 ? &a[1] : &a[0];
	text_set(h->canonical, sizeof(h->canonical), with->name);
	h->is_alias = strcmp(h->canonical, h->name) != 0;
	interleave(h, &a[0], &a[1], p->port);
	dns_answer_free(&a[0]);
	dns_answer_free(&a[1]);
	free(a);
}

/* A name of one label is of this network: /etc/hosts and its like. */
static void resolve_locally(struct seek *p, struct seek_host *h)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
	const struct addrinfo *a;
	struct buf port;
	int rc;

	buf_init(&port, 16);
	buf_printf(&port, "%d", p->port);
	rc = getaddrinfo(h->name, buf_str(&port), &hints, &all);
	buf_free(&port);
	h->state = rc == 0 || rc == EAI_NONAME ? DNS_INSECURE : DNS_FAILED;
	if (rc != 0)
		text_set(h->why, sizeof(h->why), gai_strerror(rc));
	for (a = all; a != NULL && h->n < SEEK_ADDRESSES; a = a->ai_next) {
		if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
			continue;
		memcpy(&h->sa[h->n], a->ai_addr, a->ai_addrlen);
		h->sa_len[h->n++] = a->ai_addrlen;
	}
	if (all != NULL)
		freeaddrinfo(all);
}

void seek_resolve(struct seek *p, const char *name, struct seek_host *h)
{
	memset(h, 0, sizeof(*h));
	text_set(h->name, sizeof(h->name), name);
	if (p->is_literal || strchr(name, '.') == NULL)
		resolve_locally(p, h);
	else
		resolve_by_dns(p, h);
	seek_tell(p, "host", "%s: %zu addresses, %s%s%s%s", name, h->n,
	    dns_state_str(h->state), h->why[0] == '\0' ? "" : ": ", h->why,
	    h->is_alias ? " (alias)" : "");
}

/* ---- which addresses ---- */

static bool is_own(const struct seek *p, const char *ip, int port)
{
	size_t i;

	for (i = 0; i < p->g->owns; i++)
		if (p->g->own[i].port == port &&
		    strcmp(p->g->own[i].ip, ip) == 0)
			return true;
	return false;
}

void seek_check_addresses(struct seek *p, struct seek_host *h)
{
	const struct relay_route *way = p->way;
	char ip[64];
	size_t i, n = 0;

	for (i = 0; !p->is_map && i < h->n; i++) {
		const struct sockaddr *sa = (const struct sockaddr *)&h->sa[i];

		if (getnameinfo(sa, h->sa_len[i], ip, sizeof(ip), NULL, 0,
		    NI_NUMERICHOST) != 0)
			continue;
		if (is_own(p, ip, p->port)) {
			h->is_own = true;
			seek_tell(p, "address", "%s: our own", ip);
		} else if (way->mx && !url_may_connect(sa, way->nearby,
		    way->nearbys)) {
			h->is_private = true;
			seek_tell(p, "address", "%s: not public", ip);
		} else {
			seek_tell(p, "address", "%s", ip);
			h->sa[n] = h->sa[i];
			h->sa_len[n++] = h->sa_len[i];
		}
	}
	if (!p->is_map)
		h->n = n;
}

/* ---- MX ---- */

static int compare_mx(const void *a, const void *b)
{
	const struct seek_mx *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return x->dice < y->dice ? -1 : x->dice > y->dice;
}

/* -1: an answer. */
static int take_mx(struct seek *p, const struct dns_answer *a)
{
	struct dns_mx mx;
	size_t i;

	for (i = 0; i < a->n && p->mxs < SEEK_MXS; i++) {
		if (dns_read_mx(&mx, a->rdata[i]) != 0) {
			seek_tell(p, "mx", "a record that cannot be read");
			continue;
		}
		if (mx.name[0] == '\0' && a->n == 1) {
			seek_answer(p, 556, "5.1.10", "%s takes no mail (null "
			    "MX, RFC 7505)", p->name);
			return -1;
		}
		if (mx.name[0] == '\0')
			continue;
		p->mx[p->mxs].preference = mx.preference;
		ossl_random(&p->mx[p->mxs].dice, sizeof(p->mx[0].dice));
		text_set(p->mx[p->mxs].name, sizeof(p->mx[0].name), mx.name);
		p->mxs++;
	}
	if (p->mxs == 0) {
		seek_answer(p, 451, "4.4.3", "No MX record of %s can be used",
		    p->name);
		return -1;
	}
	qsort(p->mx, p->mxs, sizeof(p->mx[0]), compare_mx);
	for (i = 0; i < p->mxs; i++)
		seek_tell(p, "mx", "%u %s", p->mx[i].preference,
		    p->mx[i].name);
	return 0;
}

static int judge_mx(struct seek *p, const struct dns_answer *a)
{
	seek_tell(p, "mx-dnssec", "%s%s%s", dns_state_str(a->state),
	    a->why[0] == '\0' ? "" : ": ", a->why);
	if (a->state == DNS_BOGUS)
		seek_answer(p, 451, "4.7.5", "DNSSEC of %s does not hold, so "
		    "its mail hosts are not known", p->name);
	else if (a->state == DNS_FAILED)
		seek_answer(p, 451, "4.4.3", "The mail hosts of %s cannot be "
		    "found out now: %.150s", p->name, a->why);
	else if (a->is_nxdomain)
		seek_answer(p, 550, "5.1.2", "The domain %s does not exist",
		    p->name);
	return p->r->code == 0 ? 0 : -1;
}

static int find_mx(struct seek *p)
{
	struct dns_answer *a = calloc(1, sizeof(*a));
	int rc;

	if (a == NULL) {
		seek_answer(p, 451, "4.3.0", "out of memory");
		return -1;
	}
	seek_ask(p, p->name, DNS_MX, a);
	rc = judge_mx(p, a);
	p->mx_secure = a->state == DNS_SECURE;
	if (rc == 0 && p->mx_secure && strcmp(a->name, p->name) != 0)
		text_set(p->expanded, sizeof(p->expanded), a->name);
	p->from_dns = a->n > 0;
	if (rc == 0 && a->n > 0) {
		rc = take_mx(p, a);
	} else if (rc == 0) {
		/* RFC 5321 5.1: the domain itself */
		seek_tell(p, "mx", "none: the domain itself");
		text_set(p->mx[0].name, sizeof(p->mx[0].name), p->name);
		p->mxs = 1;
	}
	dns_answer_free(a);
	free(a);
	return rc;
}

/* ---- all of it ---- */

static void find_sts(struct seek *p)
{
	struct err why = {0};

	if (!p->try_sts)
		return;
	p->has_sts = sts_find(p->g->sts, p->name, p->deadline, &p->sts, &why);
	if (p->has_sts)
		seek_tell(p, "sts", "%s, id %s, for %s", sts_mode_str(
		    p->sts.mode), p->sts.id, buf_str(&p->sts.mx));
	else
		seek_tell(p, "sts", "no policy");
	if (why.kind != 0)
		seek_tell(p, "sts-error", "%s", why.msg);
	if (p->has_sts && p->sts.mode == STS_NONE)
		p->has_sts = false;
	p->r->sts_testing = p->has_sts && p->sts.mode == STS_TESTING;
}

/* Hosts until there are enough; *end is the preference of the best one that
 * has an address of ours. */
static size_t resolve_all(struct seek *p, struct seek_host *h, unsigned *end)
{
	size_t i, n = 0;

	*end = UINT_MAX;
	for (i = 0; i < p->mxs && n < ROUTE_HOSTS; i++) {
		seek_resolve(p, p->mx[i].name, &h[i]);
		seek_check_addresses(p, &h[i]);
		n += h[i].n;
		if (h[i].is_own && p->mx[i].preference < *end)
			*end = p->mx[i].preference;
	}
	return i;
}

/* From our own preference on they would send it back to us (RFC 5321 5.1). */
static void add_hosts(struct seek *p)
{
	struct seek_host *h = calloc(p->mxs, sizeof(*h));
	unsigned end;
	size_t i, n;

	if (h == NULL) {
		seek_answer(p, 451, "4.3.0", "out of memory");
		return;
	}
	n = resolve_all(p, h, &end);
	for (i = 0; i < n && p->mx[i].preference < end; i++)
		seek_add(p, &h[i]);
	if (i == 0 && end != UINT_MAX)
		seek_answer(p, 554, "5.4.6", "Mail for %s would come back to "
		    "us", p->nexthop);
	free(h);
}

static void add_unix(struct seek *p)
{
	struct seek_host *h = calloc(1, sizeof(*h));
	struct sockaddr_un *un;

	if (h == NULL)
		return;
	h->state = DNS_SECURE;
	text_set(h->name, sizeof(h->name), p->way->host);
	un = (struct sockaddr_un *)&h->sa[0];
	un->sun_family = AF_UNIX;
	h->sa_len[0] = sizeof(*un);
	if (view_cstr(view_of(p->way->host + 5), un->sun_path,
	    sizeof(un->sun_path)) == 0)
		h->n = 1;
	seek_add(p, h);
	free(h);
}

/* Nobody is left: what is said is what barred the first one. */
static void conclude(struct seek *p)
{
	size_t i;

	for (i = 0; i < p->r->hosts && p->r->code == 0; i++)
		if (!p->r->host[i].is_barred)
			return;
	if (p->r->code != 0)
		return;
	if (p->bar_code != 0)
		seek_answer(p, p->bar_code, p->bar_enhanced, "%s",
		    p->bar_text);
	else
		seek_answer(p, 550, p->from_dns ? "5.4.4" : "5.1.2", "No mail "
		    "host of %s has an address", p->nexthop);
}

void seek_find(struct seek *p)
{
	p->r->host = calloc(ROUTE_HOSTS, sizeof(*p->r->host));
	if (p->r->host == NULL) {
		seek_answer(p, 451, "4.3.0", "out of memory");
		return;
	}
	if (p->way->mx && find_mx(p) != 0)
		return;
	find_sts(p);
	if (!p->way->mx) {
		text_set(p->mx[0].name, sizeof(p->mx[0].name), p->name);
		p->mxs = 1;
		p->mx_secure = true; /* the configuration's word */
	}
	if (p->name[0] == '\0')
		add_unix(p);
	else
		add_hosts(p);
	conclude(p);
}
