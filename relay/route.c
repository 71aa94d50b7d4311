/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * How questions about routes and their answers travel. Each structure is
 * described once, for both directions: struct wire knows which one it is.
 */
#include "relay/route.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "util/proc.h"

struct wire {
	struct buf *out; /* NULL: it is read */
	struct rd in;
	bool bad;
};

static uint64_t number(struct wire *w, uint64_t x, uint64_t max)
{
	uint64_t got = 0;

	if (w->out != NULL) {
		ipc_put_u64(w->out, x);
		return x;
	}
	if (w->bad || rd_u64(&w->in, &got) != 0 || got > max) {
		w->bad = true;
		return 0;
	}
	return got;
}

static int64_t time_of(struct wire *w, int64_t t)
{
	return (int64_t)number(w, (uint64_t)t, UINT64_MAX);
}

static bool flag(struct wire *w, bool x)
{
	return number(w, x, 1) == 1;
}

static enum tls_level level(struct wire *w, enum tls_level l)
{
	return (enum tls_level)number(w, (uint64_t)l, TLS_SECURE);
}

static int whole(struct wire *w, int x)
{
	return (int)number(w, (uint64_t)(x > 0 ? x : 0), INT32_MAX);
}

static void text(struct wire *w, char *s, size_t size)
{
	struct view v;

	if (w->out != NULL) {
		ipc_put_view(w->out, view_of(s));
		return;
	}
	if (w->bad || ipc_get_view(&w->in, &v) != 0 ||
	    view_cstr(v, s, size) != 0) {
		w->bad = true;
		s[0] = '\0';
	}
}

static void octets(struct wire *w, void *p, size_t n)
{
	struct view v;

	if (w->out != NULL)
		buf_put(w->out, p, n);
	else if (w->bad || rd_take(&w->in, n, &v) != 0)
		w->bad = true;
	else if (n > 0)
		memcpy(p, v.p, n);
}

/* ---- an address ---- */

static void inet(struct wire *w, struct sockaddr_in *s, socklen_t *n)
{
	uint16_t port = ntohs(s->sin_port);

	port = (uint16_t)number(w, port, UINT16_MAX);
	octets(w, &s->sin_addr, sizeof(s->sin_addr));
	s->sin_family = AF_INET;
	s->sin_port = htons(port);
	*n = sizeof(*s);
}

static void inet6(struct wire *w, struct sockaddr_in6 *s, socklen_t *n)
{
	uint16_t port = ntohs(s->sin6_port);

	port = (uint16_t)number(w, port, UINT16_MAX);
	octets(w, &s->sin6_addr, sizeof(s->sin6_addr));
	s->sin6_scope_id = (uint32_t)number(w, s->sin6_scope_id, UINT32_MAX);
	s->sin6_family = AF_INET6;
	s->sin6_port = htons(port);
	*n = sizeof(*s);
}

static void local(struct wire *w, struct sockaddr_un *s, socklen_t *n)
{
	text(w, s->sun_path, sizeof(s->sun_path));
	s->sun_family = AF_UNIX;
	*n = sizeof(*s);
}

static void address(struct wire *w, struct route_host *h)
{
	unsigned family = h->sa.ss_family;

	family = (unsigned)number(w, family, UINT16_MAX);
	if (family == AF_INET)
		inet(w, (struct sockaddr_in *)&h->sa, &h->sa_len);
	else if (family == AF_INET6)
		inet6(w, (struct sockaddr_in6 *)&h->sa, &h->sa_len);
	else if (family == AF_UNIX)
		local(w, (struct sockaddr_un *)&h->sa, &h->sa_len);
	else if (family != AF_UNSPEC || !h->is_barred)
		w->bad = true;
}

/* ---- what a host must show ---- */

static void tlsa(struct wire *w, struct tls_tlsa *t)
{
	t->usage = (uint8_t)number(w, t->usage, UINT8_MAX);
	t->selector = (uint8_t)number(w, t->selector, UINT8_MAX);
	t->mtype = (uint8_t)number(w, t->mtype, UINT8_MAX);
	t->n = (size_t)number(w, t->n, TLS_TLSA_DATA);
	if (w->out == NULL && !w->bad && rd_left(&w->in) >= t->n)
		t->data = malloc(t->n + 1);
	if (t->data != NULL)
		octets(w, t->data, t->n);
	else
		w->bad = true;
}

static void lists(struct wire *w, struct tls_want *t)
{
	size_t i, n;

	t->names = (size_t)number(w, t->names, TLS_NAMES);
	for (i = 0; i < t->names; i++)
		text(w, t->name[i], TLS_NAME_MAX);
	t->pins = (size_t)number(w, t->pins, TLS_NAMES);
	for (i = 0; i < t->pins; i++)
		octets(w, t->pin[i].sha256, sizeof(t->pin[i].sha256));
	n = (size_t)number(w, t->tlsas, TLS_TLSA_MAX);
	/* counted one by one, so that a failure frees what is there */
	for (i = 0; i < n && !w->bad; i++) {
		tlsa(w, &t->tlsa[i]);
		t->tlsas = i + 1;
	}
}

static void want(struct wire *w, struct tls_want *t)
{
	t->level = level(w, t->level);
	t->asked = level(w, t->asked);
	t->implicit = flag(w, t->implicit);
	text(w, t->sni, sizeof(t->sni));
	lists(w, t);
	text(w, t->tlsa_base, sizeof(t->tlsa_base));
	text(w, t->ca, sizeof(t->ca));
	text(w, t->pki, sizeof(t->pki));
	text(w, t->ciphers, sizeof(t->ciphers));
	t->min = (enum tls_version)number(w, (uint64_t)t->min, TLS_V_1_3);
	t->max = (enum tls_version)number(w, (uint64_t)t->max, TLS_V_1_3);
	t->allow_anonymous = flag(w, t->allow_anonymous);
	t->require_cert = flag(w, t->require_cert);
	t->allow_cn = flag(w, t->allow_cn);
	t->is_permanent = flag(w, t->is_permanent);
	t->require_tls = flag(w, t->require_tls);
	text(w, t->because, sizeof(t->because));
	text(w, t->tested, sizeof(t->tested));
	t->is_unnamed = flag(w, t->is_unnamed);
}

/* ---- a route ---- */

static void host(struct wire *w, struct route_host *h)
{
	text(w, h->name, sizeof(h->name));
	text(w, h->original, sizeof(h->original));
	h->is_barred = flag(w, h->is_barred);
	text(w, h->barred_result, sizeof(h->barred_result));
	text(w, h->barred_reason, sizeof(h->barred_reason));
	address(w, h);
	want(w, &h->want);
}

static void head(struct wire *w, struct route *r)
{
	r->code = whole(w, r->code);
	text(w, r->enhanced, sizeof(r->enhanced));
	text(w, r->text, sizeof(r->text));
	text(w, r->nexthop, sizeof(r->nexthop));
	text(w, r->name, sizeof(r->name));
	r->lmtp = flag(w, r->lmtp);
	r->xclient = flag(w, r->xclient);
	r->sts_testing = flag(w, r->sts_testing);
	r->concurrency = whole(w, r->concurrency);
	r->rest_ms = time_of(w, r->rest_ms);
}

int route_put(struct buf *b, const struct route *r)
{
	struct wire w = { .out = b };
	struct route copy = *r;
	size_t i;

	head(&w, &copy);
	(void)number(&w, r->hosts, ROUTE_HOSTS);
	for (i = 0; i < r->hosts; i++)
		host(&w, &r->host[i]);
	return w.bad || b->failed ? -1 : 0;
}

static int bad_message(struct err *e)
{
	return err_set(e, FAIL_BUG, "a message about a route that is none");
}

int route_get(struct route **out, struct view v, struct err *e)
{
	struct wire w = { .out = NULL };
	struct route *r = calloc(1, sizeof(*r));
	size_t n;

	*out = NULL;
	if (r == NULL)
		return err_set(e, FAIL_TEMP, "route: out of memory");
	rd_init(&w.in, v);
	head(&w, r);
	n = (size_t)number(&w, 0, ROUTE_HOSTS);
	if (n > 0)
		r->host = calloc(n, sizeof(*r->host));
	w.bad |= n > 0 && r->host == NULL;
	for (; r->hosts < n && !w.bad; r->hosts++)
		host(&w, &r->host[r->hosts]);
	/* neither an answer nor a way: nothing to do with it */
	if (w.bad || rd_left(&w.in) > 0 || (r->code == 0 && n == 0) ||
	    (r->code != 0 && (r->code < 400 || r->code > 599))) {
		route_free(&r);
		return bad_message(e);
	}
	*out = r;
	return 0;
}

void route_free(struct route **rp)
{
	struct route *r = *rp;
	size_t i;

	if (r == NULL)
		return;
	for (i = 0; i < r->hosts; i++)
		tls_want_free(&r->host[i].want);
	free(r->host);
	free(r);
	*rp = NULL;
}

struct route *route_answer(int code, const char *enhanced, const char *said)
{
	struct route *r = calloc(1, sizeof(*r));
	size_t i;

	if (r == NULL)
		return NULL;
	r->code = code;
	text_set(r->enhanced, sizeof(r->enhanced), enhanced);
	text_set(r->text, sizeof(r->text), said);
	for (i = 0; r->text[i] != '\0'; i++)
		if (r->text[i] < ' ' || r->text[i] > '~')
			r->text[i] = '?';
	return r;
}

/* ---- questions ---- */

static void asked(struct wire *w, struct route_asked *a)
{
	text(w, a->route, sizeof(a->route));
	text(w, a->rcpt, sizeof(a->rcpt));
	text(w, a->from, sizeof(a->from));
	a->q.require_tls = flag(w, a->q.require_tls);
	a->q.tls_optional = flag(w, a->q.tls_optional);
	a->q.verified = flag(w, a->q.verified);
	a->q.route = a->route;
	a->q.rcpt = a->rcpt;
	a->q.from = a->from;
}

static int copy_text(char *dst, size_t size, const char *s)
{
	return view_cstr(view_of(s), dst, size);
}

int route_query_put(struct buf *b, const struct route_query *q)
{
	struct wire w = { .out = b };
	struct route_asked a = { .q = *q };

	if (copy_text(a.route, sizeof(a.route), q->route) != 0 ||
	    copy_text(a.rcpt, sizeof(a.rcpt), q->rcpt) != 0 ||
	    copy_text(a.from, sizeof(a.from), q->from) != 0)
		return -1;
	ipc_put_u8(b, ROUTE_QUERY);
	asked(&w, &a);
	return b->failed ? -1 : 0;
}

static void got(struct wire *w, struct tls_got *g)
{
	g->is_tls = flag(w, g->is_tls);
	g->is_verified = flag(w, g->is_verified);
	g->level = level(w, g->level);
	text(w, g->version, sizeof(g->version));
	text(w, g->cipher, sizeof(g->cipher));
	text(w, g->subject, sizeof(g->subject));
	text(w, g->matched, sizeof(g->matched));
	octets(w, g->cert_sha256, sizeof(g->cert_sha256));
	octets(w, g->spki_sha256, sizeof(g->spki_sha256));
	g->has_cert = flag(w, g->has_cert);
	g->not_after = time_of(w, g->not_after);
	text(w, g->result, sizeof(g->result));
	text(w, g->reason, sizeof(g->reason));
}

static void seen_of(struct wire *w, struct route_seen *s)
{
	text(w, s->route, sizeof(s->route));
	text(w, s->nexthop, sizeof(s->nexthop));
	text(w, s->host, sizeof(s->host));
	text(w, s->because, sizeof(s->because));
	s->asked = level(w, s->asked);
	s->has_pins = flag(w, s->has_pins);
	got(w, &s->got);
}

int route_seen_put(struct buf *b, const struct route *to,
    const struct route_host *h, const struct tls_got *g)
{
	struct wire w = { .out = b };
	struct route_seen s = { .asked = h->want.asked,
	    .has_pins = h->want.pins > 0, .got = *g };

	text_set(s.route, sizeof(s.route), to->name);
	text_set(s.nexthop, sizeof(s.nexthop), to->nexthop);
	text_set(s.host, sizeof(s.host), h->name);
	text_set(s.because, sizeof(s.because), h->want.because);
	ipc_put_u8(b, ROUTE_SEEN);
	seen_of(&w, &s);
	return b->failed ? -1 : 0;
}

int route_message_get(enum route_message *kind, struct route_asked *a,
    struct route_seen *s, struct view v, struct err *e)
{
	struct wire w = { .out = NULL };
	uint8_t what;

	rd_init(&w.in, v);
	if (rd_u8(&w.in, &what) != 0 || what > ROUTE_SEEN)
		return bad_message(e);
	*kind = (enum route_message)what;
	if (what == ROUTE_QUERY)
		asked(&w, a);
	else
		seen_of(&w, s);
	return w.bad || rd_left(&w.in) > 0 ? bad_message(e) : 0;
}
