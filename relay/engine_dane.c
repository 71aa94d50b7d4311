/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * TLSA records of a host (RFC 7672 2). A question that fails is an answer,
 * too: the host may not be used, as whoever makes it fail could read the mail
 * otherwise.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/engine_int.h"

#define TLSA_OCTETS 65536 /* of all records of a host together */

/* RFC 7672 3.1.3: usages 0 and 1 prove nothing of SMTP servers. */
static bool is_usable(const struct dns_tlsa *t)
{
	static const size_t size[] = { 0, 32, 64 }; /* RFC 6698 2.1.3 */

	if ((t->usage != 2 && t->usage != 3) || t->selector > 1 ||
	    t->mtype > 2)
		return false;
	return t->mtype == 0 ? t->data.n <= TLS_TLSA_DATA :
	    t->data.n == size[t->mtype];
}

static int keep(struct tls_want *w, const struct dns_tlsa *t)
{
	struct tls_tlsa *to = &w->tlsa[w->tlsas];

	to->data = malloc(t->data.n);
	if (to->data == NULL)
		return -1;
	memcpy(to->data, t->data.p, t->data.n);
	to->n = t->data.n;
	to->usage = t->usage;
	to->selector = t->selector;
	to->mtype = t->mtype;
	w->tlsas++;
	return 0;
}

static enum dane_outcome fail(char why[300], const char *what)
{
	text_set(why, 300, what);
	return DANE_ERROR;
}

static enum dane_outcome take_records(struct seek *p,
    const struct dns_answer *a, struct tls_want *w, char why[300])
{
	struct dns_tlsa t;
	size_t i, octets = 0;

	if (a->has_more || a->n > TLS_TLSA_MAX)
		return fail(why, "more TLSA records than are looked at");
	for (i = 0; i < a->n; i++) {
		if (dns_read_tlsa(&t, a->rdata[i]) != 0) {
			seek_tell(p, "tlsa", "a record too short to be one");
			continue;
		}
		seek_tell(p, "tlsa", "%u %u %u, %zu octets%s", t.usage,
		    t.selector, t.mtype, t.data.n, is_usable(&t) ? "" :
		    ": not usable");
		if (!is_usable(&t))
			continue;
		octets += t.data.n;
		if (octets > TLSA_OCTETS || keep(w, &t) != 0)
			return fail(why, "TLSA records too large to be kept");
	}
	return w->tlsas > 0 ? DANE_USABLE : DANE_UNUSABLE;
}

/* The four outcomes of RFC 7672 2.1, for one name. */
static enum dane_outcome ask(struct seek *p, const char *base,
    struct tls_want *w, char why[300])
{
	struct dns_answer *a = calloc(1, sizeof(*a));
	enum dane_outcome o = DANE_NONE;
	struct buf name;

	if (a == NULL)
		return fail(why, "out of memory");
	buf_init(&name, 300);
	buf_printf(&name, "_%d._tcp.%s", p->port, base);
	/* what is too long for the DNS cannot be there */
	if (name.n < DNS_NAME - 1) {
		seek_ask(p, buf_str(&name), DNS_TLSA, a);
		seek_tell(p, "tlsa-dnssec", "%s: %s%s%s", buf_str(&name),
		    dns_state_str(a->state), a->why[0] == '\0' ? "" : ": ",
		    a->why);
		if (a->state == DNS_BOGUS || a->state == DNS_FAILED)
			o = fail(why, a->why);
		else if (a->state == DNS_SECURE && a->n > 0)
			o = take_records(p, a, w, why);
		dns_answer_free(a);
	}
	buf_free(&name);
	free(a);
	if (o == DANE_USABLE || o == DANE_UNUSABLE)
		text_set(w->tlsa_base, sizeof(w->tlsa_base), base);
	return o;
}

/* Is the alias itself secure, where its target is not (RFC 7672 2.2.2)? */
static enum dane_outcome ask_alias(struct seek *p, const struct seek_host *h,
    struct tls_want *w, char why[300])
{
	struct dns_answer *a = calloc(1, sizeof(*a));
	enum dane_outcome o = DANE_NONE;
	enum dns_state state;

	if (a == NULL)
		return fail(why, "out of memory");
	seek_ask(p, h->name, DNS_CNAME, a);
	state = a->state;
	if (state == DNS_BOGUS || state == DNS_FAILED)
		o = fail(why, a->why);
	dns_answer_free(a);
	free(a);
	return state == DNS_SECURE ? ask(p, h->name, w, why) : o;
}

enum dane_outcome seek_dane(struct seek *p, const struct seek_host *h,
    struct tls_want *w, char why[300])
{
	enum dane_outcome o = DANE_NONE;

	why[0] = '\0';
	/* RFC 7672 2.2.2: an address that is not secure has no TLSA records
	 * that count, and asking for them can do harm */
	if (h->state != DNS_SECURE)
		return h->is_alias ? ask_alias(p, h, w, why) : DANE_NONE;
	if (h->is_alias && h->canonical[0] != '\0')
		o = ask(p, h->canonical, w, why);
	return o == DANE_NONE ? ask(p, h->name, w, why) : o;
}
