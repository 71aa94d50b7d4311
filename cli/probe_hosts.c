/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Addresses of a destination. What is found here decides nothing about mail:
 * that is relay/engine.c.
 */
#include "cli/probe_hosts.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/dns.h"
#include "util/clock.h"

#define PROBE_DNS_MS 20000

struct search {
	struct probe_host *h;
	size_t n;
	const char *port;
	int last; /* of getaddrinfo() */
};

static void add_host(struct search *s, const char *name)
{
	struct addrinfo hint = { .ai_socktype = SOCK_STREAM }, *all = NULL;

	s->last = getaddrinfo(name, s->port, &hint, &all);
	if (s->last != 0)
		return;
	for (const struct addrinfo *a = all; a != NULL && s->n < PROBE_HOSTS;
	    a = a->ai_next) {
		struct probe_host *h = &s->h[s->n];

		if (a->ai_addrlen > sizeof(h->sa))
			continue;
		text_set(h->name, sizeof(h->name), name);
		memcpy(&h->sa, a->ai_addr, a->ai_addrlen);
		h->sa_len = a->ai_addrlen;
		s->n++;
	}
	freeaddrinfo(all);
}

static int by_preference(const void *a, const void *b)
{
	const struct dns_mx *x = a, *y = b;

	return (x->preference > y->preference) -
	    (x->preference < y->preference);
}

/* Hosts of MX records; 0: there are none. */
static size_t read_mxs(struct search *s, const struct dns_answer *a)
{
	struct dns_mx mx[DNS_RECORDS];
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		if (dns_read_mx(&mx[n], a->rdata[i]) == 0)
			n++;
	qsort(mx, n, sizeof(mx[0]), by_preference);
	for (size_t i = 0; i < n; i++)
		if (mx[i].name[0] != '\0')
			add_host(s, mx[i].name);
	return n;
}

static int ask_mx(struct search *s, const char *domain, struct err *e)
{
	struct dns_resolver *r = NULL;
	struct dns_answer a;
	struct dns dns;
	int rc = 0;

	if (dns_resolver_new(&r, NULL, NULL, e) != 0)
		return -1;
	dns = dns_resolver_use(r);
	dns.ask(dns.arg, domain, DNS_MX, clock_ms() + PROBE_DNS_MS, &a);
	if (a.state == DNS_FAILED || a.state == DNS_BOGUS)
		rc = err_set(e, FAIL_TEMP, "%s: MX: %s", domain, a.why);
	else if (read_mxs(s, &a) == 0)
		add_host(s, domain);
	dns_answer_free(&a);
	dns_resolver_free(&r);
	return rc;
}

int probe_hosts(struct probe_host *h, size_t *n, const char *dest, int port,
    struct err *e)
{
	struct view v = view_of(dest), host = v, text = { NULL, 0 };
	struct search s = { .h = h };
	char name[256], number[16];
	size_t end = view_chr(v, v.n > 0 && v.p[0] == '[' ? ']' : ':', 0);
	bool is_host = v.n > 0 && v.p[0] == '[';
	struct buf b;

	*n = 0;
	if (end != (size_t)-1) {
		host = view_sub(v, is_host, end - is_host);
		text = view_sub(v, end + is_host + 1, v.n);
	}
	buf_init(&b, sizeof(number));
	if (port != 0 || text.n == 0)
		buf_printf(&b, "%d", port != 0 ? port : 25);
	else
		buf_putv(&b, text);
	text_set(number, sizeof(number), buf_str(&b));
	buf_free(&b);
	s.port = number;
	if (view_cstr(host, name, sizeof(name)) != 0)
		return err_set(e, FAIL_INPUT, "%s: no host", dest);
	if (is_host)
		add_host(&s, name);
	else if (ask_mx(&s, name, e) != 0)
		return -1;
	*n = s.n;
	return s.n > 0 ? 0 : err_set(e, FAIL_INPUT, "%s: %s", dest,
	    s.last != 0 ? gai_strerror(s.last) : "there is no host");
}

void probe_address(struct buf *b, const struct sockaddr_storage *sa,
    socklen_t len)
{
	char ip[64], port[16];

	if (getnameinfo((const struct sockaddr *)sa, len, ip, sizeof(ip),
	    port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		buf_printf(b, "[%s]:%s", ip, port);
	else
		buf_puts(b, "-");
}
