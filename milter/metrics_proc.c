/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Prometheus text over libevent's HTTP server. A process of its own: an HTTP
 * server does not belong in the one that supervises the others.
 */
#include "milter/metrics_proc.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "keystore/keystore.h"
#include "milter/clock.h"
#include "util/log.h"

#define TEXT_MAX (4u << 20)
/* The store is read this often at most, and never for more than a
 * twentieth of the time. */
#define STORE_MS 60000
#define STORE_SHARE 20

struct metrics {
	const struct metrics_start *start;
	struct keystore *ks;
	struct buf certs; /* the part that comes from the store */
	int64_t certs_at_ms; /* when to read it again */
	int64_t partner_min;
	size_t own, partners;
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

static int on_row(void *arg, const struct ks_row *r, struct err *e)
{
	struct metrics *m = arg;

	(void)e;
	if (r->state != KS_USABLE || r->is_anchor || cert_is_ca(r->cert))
		return 0;
	if (!r->has_key) {
		if (m->partners++ == 0 ||
		    cert_not_after(r->cert) < m->partner_min)
			m->partner_min = cert_not_after(r->cert);
		return 0;
	}
	m->own++;
	buf_printf(&m->certs, "postseal_certificate_expiry_seconds{sha256="
	    "\"%s\",subject=\"", cert_sha256_hex(r->cert));
	put_label(&m->certs, cert_subject(r->cert));
	buf_printf(&m->certs, "\"} %lld\n",
	    (long long)cert_not_after(r->cert));
	return 0;
}

static void read_store(struct metrics *m)
{
	int64_t begin = clock_ms(), took;
	struct err e = { 0 };

	if (begin < m->certs_at_ms)
		return;
	buf_clear(&m->certs);
	m->own = m->partners = 0;
	buf_puts(&m->certs, "# HELP postseal_certificate_expiry_seconds When "
	    "a certificate with a key of ours ends, in seconds since 1970\n"
	    "# TYPE postseal_certificate_expiry_seconds gauge\n");
	if (keystore_refresh(m->ks, &e) != 0 ||
	    keystore_list(m->ks, NULL, on_row, m, &e) != 0)
		log_warn("event=metrics error=\"%s\"", e.msg);
	buf_printf(&m->certs, "# HELP postseal_certificates Usable "
	    "certificates\n# TYPE postseal_certificates gauge\n"
	    "postseal_certificates{of=\"own\"} %zu\n"
	    "postseal_certificates{of=\"partners\"} %zu\n", m->own,
	    m->partners);
	if (m->partners > 0)
		buf_printf(&m->certs, "# HELP postseal_partner_certificate_"
		    "expiry_min_seconds When the first certificate of a "
		    "partner ends\n# TYPE postseal_partner_certificate_expiry"
		    "_min_seconds gauge\npostseal_partner_certificate_expiry"
		    "_min_seconds %lld\n", (long long)m->partner_min);
	took = clock_ms() - begin;
	m->certs_at_ms = begin + (took * STORE_SHARE > STORE_MS ?
	    took * STORE_SHARE : STORE_MS);
}

static void on_metrics(struct evhttp_request *req, void *arg)
{
	struct metrics *m = arg;
	struct evbuffer *out;
	struct buf b;

	if (evhttp_request_get_command(req) != EVHTTP_REQ_GET) {
		evhttp_send_error(req, HTTP_BADMETHOD, NULL);
		return;
	}
	out = evbuffer_new();
	buf_init(&b, TEXT_MAX);
	stats_print(m->start->stats, &b);
	read_store(m);
	if (!m->certs.failed)
		buf_putv(&b, buf_view(&m->certs));
	if (out == NULL || buf_ok(&b, NULL) != 0 ||
	    evbuffer_add(out, b.p, b.n) != 0) {
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
	} else {
		(void)evhttp_add_header(evhttp_request_get_output_headers(req),
		    "Content-Type", "text/plain; version=0.0.4");
		evhttp_send_reply(req, HTTP_OK, "OK", out);
	}
	if (out != NULL)
		evbuffer_free(out);
	buf_free(&b);
}

/* "host:port" or "[v6]:port" */
static int bind_to(struct evhttp *http, const char *where)
{
	const char *colon = strrchr(where, ':');
	struct view host;
	char name[256];

	if (colon == NULL)
		return -1;
	host = view_make(where, (size_t)(colon - where));
	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = view_sub(host, 1, host.n - 2);
	if (view_cstr(host, name, sizeof(name)) != 0)
		return -1;
	return evhttp_bind_socket(http, name,
	    (unsigned short)strtoul(colon + 1, NULL, 10));
}

/* The parent closed its end. */
static void on_parent(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	_exit(0);
}

void metrics_proc(const struct metrics_start *s)
{
	struct metrics m = { .start = s };
	struct event_base *base;
	struct evhttp *http;
	struct event *parent;
	struct err e = { 0 };

	child_drop(&s->ids);
	buf_init(&m.certs, TEXT_MAX / 2);
	if (keystore_open(&m.ks, s->config->keystore, KS_READ, &e) != 0) {
		log_err("event=start process=metrics error=\"%s\"", e.msg);
		_exit(EX_CONFIG);
	}
	base = event_base_new();
	http = base == NULL ? NULL : evhttp_new(base);
	parent = http == NULL ? NULL : event_new(base, s->ctl, EV_READ,
	    on_parent, NULL);
	if (parent == NULL || event_add(parent, NULL) != 0)
		log_fatal("event=start process=metrics error=\"libevent\"");
	if (bind_to(http, s->config->metrics) != 0) {
		log_err("event=start process=metrics error=\"cannot listen on "
		    "%s\"", s->config->metrics);
		_exit(EX_CONFIG);
	}
	evhttp_set_timeout(http, 10);
	evhttp_set_max_headers_size(http, 8192);
	evhttp_set_max_body_size(http, 0);
	(void)evhttp_set_cb(http, "/metrics", on_metrics, &m);
	/* no sandbox: neither kind lets connections in */
	child_ready(s->ctl);
	(void)event_base_dispatch(base);
	_exit(EX_SOFTWARE);
}
