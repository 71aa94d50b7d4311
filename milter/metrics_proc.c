/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Prometheus text over HTTP. A process of its own: an HTTP server does not
 * belong in the one that supervises the others.
 */
#include "milter/metrics_proc.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "keystore/life.h"
#include "util/clock.h"
#include "util/listen.h"
#include "util/log.h"
#include "util/metrics_http.h"

/* The store is read this often at most, and never for more than a
 * twentieth of the time. */
#define STORE_MS 60000
#define STORE_SHARE 20
#define SOON_S ((int64_t)30 * 86400)

struct metrics {
	const struct metrics_start *start;
	struct keystore *ks;
	struct buf certs; /* the part that comes from the store */
	int64_t certs_at_ms; /* when to read it again */
	size_t own;
};

/* Label values escape \, " and newline; subjects have no newline. */
static void put_label(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\\' || *s == '"')
			buf_putc(b, '\\');
		buf_putc(b, *s == '\n' ? ' ' : *s);
	}
}

static void head(struct buf *b, const char *name, const char *help)
{
	buf_printf(b, "# HELP postseal_%s %s\n# TYPE postseal_%s gauge\n",
	    name, help, name);
}

static void gauge(struct buf *b, const char *name, const char *help,
    int64_t value)
{
	head(b, name, help);
	buf_printf(b, "postseal_%s %lld\n", name, (long long)value);
}

static int on_own(void *arg, const struct ks_row *r, struct err *e)
{
	struct metrics *m = arg;

	(void)e;
	m->own++;
	buf_printf(&m->certs, "postseal_certificate_expiry_seconds{sha256="
	    "\"%s\",subject=\"", cert_sha256_hex(r->cert));
	put_label(&m->certs, cert_subject(r->cert));
	buf_printf(&m->certs, "\"} %lld\n",
	    (long long)cert_not_after(r->cert));
	return 0;
}

static int on_ca(void *arg, const char *what, int64_t ends, struct err *e)
{
	struct metrics *m = arg;

	(void)e;
	buf_puts(&m->certs, "postseal_ca_expiry_seconds{subject=\"");
	put_label(&m->certs, what);
	buf_printf(&m->certs, "\"} %lld\n", (long long)ends);
	return 0;
}

static void put_partners(struct buf *b, const struct life_partners *p)
{
	head(b, "partner_addresses", "Addresses of partners, by their last "
	    "certificate; ending: within 30 days");
	buf_printf(b, "postseal_partner_addresses{certificate=\"valid\"} "
	    "%zu\npostseal_partner_addresses{certificate=\"ending\"} %zu\n"
	    "postseal_partner_addresses{certificate=\"ended\"} %zu\n",
	    p->valid, p->soon, p->expired);
	if (p->next > 0)
		gauge(b, "partner_certificate_expiry_min_seconds", "When the "
		    "first last certificate of a partner ends", p->next);
}

static void put_counts(struct buf *b, const struct life_counts *n)
{
	gauge(b, "certificates_pending", "Harvested certificates that wait "
	    "for a decision or for more mail", (int64_t)n->pending);
	gauge(b, "requests_waiting", "Keys that wait for a certificate",
	    (int64_t)n->requests);
	gauge(b, "crls", "Lists of revoked certificates", (int64_t)n->crls);
	gauge(b, "crls_stale", "Those of them that are past their "
	    "nextUpdate", (int64_t)n->stale_crls);
	if (n->next_crl > 0)
		gauge(b, "crl_next_update_min_seconds", "When the first "
		    "fresh list becomes stale", n->next_crl);
	gauge(b, "fetch_failing", "Lists and responses that could not be "
	    "fetched last time", (int64_t)n->failed_fetches);
}

static int read_life(struct metrics *m, struct err *e)
{
	int64_t now = (int64_t)time(NULL);
	struct life_partners partners;
	struct life_counts n;
	struct buf *b = &m->certs;

	head(b, "certificate_expiry_seconds", "When a certificate with a key "
	    "of ours ends, in seconds since 1970");
	if (keystore_refresh(m->ks, e) != 0 ||
	    life_own(m->ks, on_own, m, e) != 0)
		return -1;
	head(b, "ca_expiry_seconds", "When a trusted root or a CA of ours "
	    "ends");
	if (life_cas_ending(m->ks, INT64_MIN, INT64_MAX, on_ca, m, e) != 0 ||
	    life_partners(m->ks, now, SOON_S, &partners, e) != 0 ||
	    life_count(m->ks, now, &n, e) != 0)
		return -1;
	head(b, "certificates", "Usable certificates of ours, and partners "
	    "who have one");
	buf_printf(b, "postseal_certificates{of=\"own\"} %zu\n"
	    "postseal_certificates{of=\"partners\"} %zu\n", m->own,
	    partners.valid + partners.soon);
	put_partners(b, &partners);
	put_counts(b, &n);
	return 0;
}

static void read_store(struct metrics *m)
{
	int64_t begin = clock_ms(), took;
	struct err e = { 0 };

	if (begin < m->certs_at_ms)
		return;
	buf_clear(&m->certs);
	m->own = 0;
	if (read_life(m, &e) != 0)
		log_warn("event=metrics error=\"%s\"", e.msg);
	took = clock_ms() - begin;
	m->certs_at_ms = begin + (took * STORE_SHARE > STORE_MS ?
	    took * STORE_SHARE : STORE_MS);
}

static void print_metrics(void *arg, struct buf *out)
{
	struct metrics *m = arg;

	stats_print(m->start->stats, out);
	read_store(m);
	if (!m->certs.failed)
		buf_putv(out, buf_view(&m->certs));
}

/* "HOST:PORT" or "[HOST]:PORT", in numbers. */
static int find_place(const char *spec, struct buf *where, struct err *e)
{
	const char *colon = strrchr(spec, ':');
	struct view host = view_make(spec, (size_t)(colon - spec));
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE };
	struct addrinfo *a = NULL;
	char name[256], ip[64];
	int rc;

	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = view_sub(host, 1, host.n - 2);
	if (view_cstr(host, name, sizeof(name)) != 0)
		return err_set(e, FAIL_CONFIG, "metrics: no address");
	rc = getaddrinfo(name, NULL, &hints, &a);
	if (rc == 0)
		rc = getnameinfo(a->ai_addr, a->ai_addrlen, ip, sizeof(ip),
		    NULL, 0, NI_NUMERICHOST);
	if (rc == 0)
		buf_printf(where, a->ai_family == AF_INET6 ? "[%s]%s" :
		    "%s%s", ip, colon);
	if (a != NULL)
		freeaddrinfo(a);
	return rc == 0 ? buf_ok(where, e) : err_set(e, FAIL_CONFIG,
	    "metrics: cannot listen on %s: %s", spec, gai_strerror(rc));
}

static void cannot_start(const struct err *e) NORETURN;

static void cannot_start(const struct err *e)
{
	log_err("event=start process=metrics error=\"%s\"", e->msg);
	_exit(EX_CONFIG);
}

void metrics_proc(const struct metrics_start *s)
{
	struct listen_place place = { .where = NULL };
	struct metrics m = { .start = s };
	struct metrics_http http = { .parent = s->ctl,
		.print = print_metrics, .arg = &m };
	struct err e = { 0 };
	struct buf where;

	child_drop(&s->ids);
	buf_init(&where, 512);
	buf_init(&m.certs, METRICS_TEXT / 2);
	if (keystore_open(&m.ks, s->config->keystore, KS_READ, &e) != 0 ||
	    find_place(s->config->metrics, &where, &e) != 0)
		cannot_start(&e);
	place.where = buf_str(&where);
	if (listen_at(&place, &s->ids, &http.listen, NULL, &e) != 0)
		cannot_start(&e);
	/* no sandbox: neither kind lets connections in */
	child_ready(s->ctl);
	if (metrics_serve(&http, &e) == 0)
		_exit(EX_OK);
	log_err("event=metrics error=\"%s\"", e.msg);
	_exit(EX_SOFTWARE);
}
