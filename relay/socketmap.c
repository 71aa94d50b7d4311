/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The same policy for a Postfix that connects by itself: its socketmap
 * protocol (socketmap_table(5), netstrings), for smtp_tls_policy_maps. Map
 * tls gives what each Postfix understands; map tls-rpt adds what 3.10 wants
 * for its reports.
 */
#include "relay/socketmap.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/engine_int.h"
#include "util/clock.h"
#include "util/ossl.h"

#define REQUEST_MAX 1024
#define REPLY_MAX 65536
#define IDLE_MS 5000	  /* our threads are few; Postfix comes again */
#define REQUEST_MS 5000	  /* for the rest of one that was begun */

/* ---- netstrings ---- */

int socketmap_read(struct view in, struct view *request, size_t *used,
    struct err *e)
{
	size_t i, n = 0;

	for (i = 0; i < in.n && in.p[i] >= '0' && in.p[i] <= '9'; i++) {
		/* no leading zero, so that a number is written in one way */
		if (i == 4 || (i == 1 && n == 0))
			return err_set(e, FAIL_INPUT, "socketmap: a length "
			    "that is none");
		n = n * 10 + (size_t)(in.p[i] - '0');
	}
	if (i == in.n && i <= 4)
		return 0;
	if (i == 0 || in.p[i] != ':' || n > REQUEST_MAX)
		return err_set(e, FAIL_INPUT, "socketmap: want a length of at "
		    "most %d and a colon", REQUEST_MAX);
	if (in.n < i + 1 + n + 1)
		return 0;
	if (in.p[i + 1 + n] != ',')
		return err_set(e, FAIL_INPUT, "socketmap: a request does not "
		    "end in a comma");
	*request = view_sub(in, i + 1, n);
	*used = i + 1 + n + 1;
	return 1;
}

static void put_netstring(struct buf *out, const struct buf *reply)
{
	buf_printf(out, "%zu:", reply->n);
	buf_putv(out, buf_view(reply));
	buf_putc(out, ',');
}

/* ---- what a line is in Postfix's words ---- */

static void put_protocols(struct buf *b, const struct tls_rule *r)
{
	static const char *const word[] = { "", "TLSv1", "TLSv1.1",
	    "TLSv1.2", "TLSv1.3" };

	buf_printf(b, " protocols=>=%s", word[r->min == TLS_V_ANY ?
	    TLS_V_1_2 : r->min]);
	if (r->max != TLS_V_ANY)
		buf_printf(b, ",<=%s", word[r->max]);
}

static void put_pins(struct buf *b, const struct tls_rule *r)
{
	size_t i, k;

	for (i = 0; i < r->pins; i++) {
		buf_puts(b, " match=");
		for (k = 0; k < 32; k++)
			buf_printf(b, "%s%02X", k == 0 ? "" : ":",
			    r->pin[i].sha256[k]);
	}
}

static void put_tafile(struct buf *b, const struct engine *g,
    const struct tls_rule *r)
{
	const struct ca_block *ca = r->ca == NULL ? NULL :
	    relay_ca(g->c, r->ca);

	if (ca != NULL && ca->file != NULL)
		buf_printf(b, " tafile=%s", ca->file);
}

static bool is_hostname(const char *match)
{
	return strcmp(match, "hostname") == 0;
}

/* Is the DNSSEC of the MX record what a line depends on? */
static bool asks_hostname(const struct seek *p)
{
	size_t i;

	for (i = 0; p->rule != NULL && i < p->rule->matches; i++)
		if (is_hostname(p->rule->match[i]))
			return p->level == TLS_SECURE;
	return false;
}

/* CAs that Postfix cannot be told of: it would ask others, or fewer. */
static bool has_other_ca(const struct seek *p)
{
	const struct tls_rule *r = p->rule;
	const struct ca_block *ca = r->ca == NULL ? NULL :
	    relay_ca(p->g->c, r->ca);

	return (p->level == TLS_VERIFY || p->level == TLS_SECURE) &&
	    r->ca != NULL && (ca == NULL || ca->file == NULL ||
	    ca->crl != NULL);
}

static void put_line(struct buf *b, const struct seek *p)
{
	const struct tls_rule *r = p->rule;
	size_t i, n = 0;

	if (has_other_ca(p)) {
		buf_printf(b, "TEMP %s asks for ca %s, which has a folder or "
		    "a CRL that Postfix does not look at", p->because, r->ca);
		return;
	}

	buf_printf(b, "OK %s", tls_level_str(p->level));
	if (p->level == TLS_NONE)
		return;
	for (i = 0; i < r->matches; i++) {
		if (is_hostname(r->match[i]) && p->level == TLS_SECURE &&
		    !p->mx_secure)
			continue; /* T39: nor do we take it from there */
		buf_printf(b, "%s%s", n++ == 0 ? " match=" : ":",
		    r->match[i]);
	}
	put_pins(b, r);
	if (r->servername != NULL)
		buf_printf(b, " servername=%s", r->servername);
	if (p->level == TLS_ENCRYPT && r->require_cert)
		buf_puts(b, " exclude=aNULL");
	put_tafile(b, p->g, r);
	put_protocols(b, r);
}

/* ---- DANE and MTA-STS ---- */

static void put_sts(struct buf *b, const struct seek *p, bool with_report)
{
	struct view rest = buf_view(&p->sts.mx), mx;
	size_t end, n = 0;

	buf_puts(b, "OK secure match=");
	for (; rest.n > 0; rest = view_sub(rest, end + 1, rest.n), n++) {
		end = view_chr(rest, ' ', 0);
		mx = view_sub(rest, 0, end);
		/* "*.a" is ".a" there */
		if (mx.n > 0 && mx.p[0] == '*')
			mx = view_sub(mx, 1, mx.n);
		if (n > 0)
			buf_putc(b, ':');
		buf_putv(b, mx);
	}
	buf_puts(b, " servername=hostname protocols=>=TLSv1.2");
	if (with_report)
		buf_printf(b, " policy_type=sts policy_domain=%s", p->name);
}

struct seen { /* of the hosts of a destination */
	size_t dane, unusable, other;
	size_t lost; /* that we could not find out enough about */
	const char *unknown; /* why of one TLSA is not known, or NULL */
};

static void look(const struct route *r, struct seen *s)
{
	const struct route_host *h;
	bool is_unknown;

	memset(s, 0, sizeof(*s));
	for (h = r->host; h < r->host + r->hosts; h++) {
		is_unknown = strcmp(h->barred_result, "dnssec-invalid") == 0;
		if (is_unknown)
			s->unknown = h->barred_reason;
		if (is_unknown || strcmp(h->barred_result, "dns-failure") == 0)
			s->lost++;
		else if (h->want.tlsas > 0)
			s->dane++;
		else if (h->want.tlsa_base[0] != '\0' && !h->is_barred)
			s->unusable++;
		else
			s->other += !h->is_barred;
	}
}

/* DANE before MTA-STS, which never takes its place (T51): of hosts of both
 * kinds those with TLSA records are left. Postfix's dane is may for a host
 * without records, and for all hosts of an MX record without DNSSEC: it is not
 * said where more is asked for. A host that we would not use Postfix does not
 * use either, or it waits. */
static void conclude(const struct seek *p, bool with_report, struct buf *b)
{
	bool is_sts = p->has_sts && p->sts.mode == STS_ENFORCE;
	bool is_must = tls_level_is_must(p->level);
	struct seen s;

	look(p->r, &s);
	if (p->r->code != 0 && p->r->code < 500)
		buf_printf(b, "TEMP %s", p->r->text);
	else if (s.dane > 0 && p->mx_secure && (is_sts ||
	    p->level == TLS_ENCRYPT || s.other + s.unusable == 0))
		buf_puts(b, "OK dane-only");
	else if (s.unknown != NULL && p->try_dane && (is_sts ||
	    (is_must && p->level != TLS_DANE_ONLY)))
		buf_printf(b, "TEMP %s", s.unknown);
	else if (is_sts)
		put_sts(b, p, with_report);
	else if (s.dane + s.unusable + s.lost > 0 && !is_must)
		buf_puts(b, "OK dane");
	else if (p->rule != NULL && !p->rule->is_default)
		put_line(b, p);
	else if (p->rule != NULL && p->level != TLS_MAY)
		put_line(b, p);
	else
		buf_puts(b, "NOTFOUND ");
}

/* ---- a question ---- */

struct asking {
	struct seek p;
	bool with_report;
};

static int64_t make_reply(void *arg, struct buf *reply)
{
	struct asking *x = arg;

	if (x->p.try_dane || x->p.try_sts || asks_hostname(&x->p))
		seek_find(&x->p);
	conclude(&x->p, x->with_report, reply);
	return x->p.ttl_s > 0 ? x->p.ttl_s : 1;
}

static int answer_nexthop(struct engine *g, struct asking *x,
    const char *nexthop, struct buf *reply)
{
	const struct route_query q = { .route = "", .rcpt = "", .from = "" };
	const struct relay_route way = { .mx = nexthop[0] != '[',
	    .level = -1 };
	unsigned char key[32];
	struct buf b;
	int rc = 0;

	x->p.g = g;
	x->p.q = &q;
	if (strncmp(nexthop, "unix:", 5) == 0) {
		buf_puts(reply, "NOTFOUND "); /* of LMTP, where no TLS is */
		return 0;
	}
	if (seek_begin_map(&x->p, nexthop, &way) != 0) {
		buf_puts(reply, "TEMP a next hop that no line could be for");
		return 0;
	}
	buf_init(&b, 2048);
	buf_printf(&b, "map %d %s %d", x->with_report, x->p.nexthop,
	    x->p.port);
	ossl_sha256(b.p, b.n, key);
	buf_free(&b);
	rc = answers_get(g->answers, key, make_reply, x, reply);
	return rc;
}

/* "tls example.com": name of the map, blank, key. */
void socketmap_answer(struct engine *g, struct view request,
    struct buf *reply)
{
	size_t blank = view_chr(request, ' ', 0);
	struct view map = view_sub(request, 0, blank);
	struct asking *x = calloc(1, sizeof(*x));
	char key[TLS_NAME_MAX];

	if (blank == (size_t)-1 || (!view_eq_str(map, "tls") &&
	    !view_eq_str(map, "tls-rpt")))
		buf_puts(reply, "PERM no such map; want tls or tls-rpt");
	else if (x == NULL)
		buf_puts(reply, "TEMP out of memory");
	else if (view_cstr(view_sub(request, blank + 1, request.n), key,
	    sizeof(key)) != 0 || key[0] == '\0' || key[0] == '.')
		buf_puts(reply, "NOTFOUND "); /* parents are ours to know */
	else {
		x->with_report = view_eq_str(map, "tls-rpt");
		if (answer_nexthop(g, x, key, reply) != 0) {
			buf_clear(reply);
			buf_puts(reply, "TEMP the policy cannot be found out "
			    "now");
		}
	}
	if (x != NULL)
		seek_free(&x->p);
	free(x);
}

/* ---- a connection ---- */

/* 1: more came; 0: nobody, or not in time. */
static int receive(int fd, struct buf *in, int64_t deadline)
{
	struct pollfd p = { fd, POLLIN, 0 };
	unsigned char part[512];
	int64_t left = deadline - clock_ms();
	ssize_t n;

	if (left <= 0 || poll(&p, 1, (int)left) != 1)
		return errno == EINTR && left > 0;
	n = recv(fd, part, sizeof(part), MSG_DONTWAIT);
	if (n <= 0)
		return n == -1 && (errno == EINTR || errno == EAGAIN);
	buf_put(in, part, (size_t)n);
	return in->failed ? 0 : 1;
}

static int send_all(int fd, struct view v, int64_t deadline)
{
	struct pollfd p = { fd, POLLOUT, 0 };
	int64_t left;
	ssize_t n;

	while (v.n > 0) {
		left = deadline - clock_ms();
		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return -1;
		n = send(fd, v.p, v.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1 && errno != EAGAIN && errno != EINTR)
			return -1;
		if (n > 0)
			v = view_sub(v, (size_t)n, v.n);
	}
	return 0;
}

/* 1: answered, *used octets; 0: more is needed; -1: enough of him. */
static int answer_one(struct engine *g, int fd, struct view in, size_t *used)
{
	struct view request;
	struct buf reply, out;
	struct err e;
	int rc = socketmap_read(in, &request, used, &e);

	if (rc != 1)
		return rc;
	buf_init(&reply, REPLY_MAX);
	buf_init(&out, REPLY_MAX + 16);
	socketmap_answer(g, request, &reply);
	if (reply.failed) {
		buf_clear(&reply);
		buf_puts(&reply, "TEMP the policy is too long");
	}
	put_netstring(&out, &reply);
	rc = send_all(fd, buf_view(&out), clock_ms() + REQUEST_MS) == 0 ? 1 :
	    -1;
	buf_free(&out);
	buf_free(&reply);
	return rc;
}

void engine_socketmap(void *engine, int fd)
{
	int64_t deadline = clock_ms() + IDLE_MS;
	struct buf in;
	size_t used, pos = 0;
	int rc = 0;

	buf_init(&in, 4 * REQUEST_MAX);
	while (rc != -1) {
		rc = answer_one(engine, fd, view_sub(buf_view(&in), pos,
		    in.n), &used);
		if (rc == 1) {
			pos += used;
			deadline = clock_ms() + IDLE_MS;
			continue;
		}
		if (pos > 0 && pos == in.n) {
			buf_clear(&in);
			pos = 0;
		}
		if (rc == 0 && receive(fd, &in, deadline) == 0)
			rc = -1;
	}
	buf_free(&in);
}
