/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What hops say: replies that are ours, replies of others as they may be
 * passed on, and lines for the log. Everything a next hop wrote is hostile.
 */
#include "relay/hop_int.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "util/log.h"

/* ---- replies ---- */

void hop_say(struct hop_reply *r, int code, const char *enhanced,
    const char *text)
{
	memset(r, 0, sizeof(*r));
	r->state = HOP_FAILED;
	r->reply.code = code;
	text_set(r->reply.enhanced, sizeof(r->reply.enhanced), enhanced);
	text_set(r->reply.text, sizeof(r->reply.text), text);
	for (char *p = r->reply.text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

/* Whether who we are is not enough for them is nothing that our client could
 * mend. */
static bool is_our_fault(const struct smtp_reply *r)
{
	return r->code == 530 || r->code == 534 || r->code == 535 ||
	    r->code == 538;
}

void hop_answer(struct hop_reply *r, const struct hop *h,
    const struct smtp_reply *theirs)
{
	char line[600];
	size_t n = 0;

	if (is_our_fault(theirs)) {
		hop_say(r, 451, "4.3.5", "the next hop is not configured "
		    "for us");
		n = log_value(line, sizeof(line), n, "reply", theirs->text);
		log_value(line, sizeof(line), n, "to", h->route->nexthop);
		log_err("event=hop-config id=%s code=%d %s", h->env.id,
		    theirs->code, line);
		return;
	}
	if (theirs->code == 421) {
		hop_say(r, 451, "4.3.2", theirs->text);
		return;
	}
	if (theirs->code < 200 || theirs->code / 100 == 3 ||
	    theirs->code >= 600) {
		hop_say(r, 451, "4.5.0", "the next hop's answer makes no "
		    "sense");
		return;
	}
	memset(r, 0, sizeof(*r));
	r->state = HOP_ANSWERED;
	r->reply = *theirs;
}

void hop_unknown(struct hop_reply *r, const char *why)
{
	struct err e;

	err_set(&e, FAIL_TEMP, "%.300s: status unknown, may be duplicated",
	    why);
	hop_say(r, 451, "4.4.2", e.msg);
	r->state = HOP_UNKNOWN;
}

/* ---- words ---- */

static void put_address(struct buf *b, const struct route_host *h)
{
	const struct sockaddr_in *v4 = (const void *)&h->sa;
	const struct sockaddr_in6 *v6 = (const void *)&h->sa;
	const struct sockaddr_un *u = (const void *)&h->sa;
	char ip[INET6_ADDRSTRLEN] = "?";

	switch (h->sa.ss_family) {
	case AF_INET:
		inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof(ip));
		buf_printf(b, "[%s]:%d", ip, ntohs(v4->sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof(ip));
		buf_printf(b, "[%s]:%d", ip, ntohs(v6->sin6_port));
		break;
	case AF_UNIX:
		buf_printf(b, "[%.100s]", u->sun_path);
		break;
	default:
		break;
	}
}

const char *hop_where(char *out, size_t size, const struct route_host *h)
{
	struct buf b;

	buf_init(&b, 512);
	buf_puts(&b, h->name);
	put_address(&b, h);
	text_set(out, size, buf_str(&b));
	buf_free(&b);
	return out;
}

static const char *got_word(const struct hop *h, const struct hop_link *l,
    const struct hop_failure *f)
{
	if (f != NULL && f->rank == RANK_TLS)
		return "failed";
	if (l == NULL || !l->is_tls)
		return "none";
	if (h->route->host[h->host].want.require_tls)
		return l->got.is_verified ? "requiretls" : "failed";
	return tls_level_str(l->got.level);
}

static const char *rule_of(const struct route_host *host)
{
	return host->want.because[0] != '\0' ? host->want.because : "?";
}

/* What is counted where there was no handshake. */
static void fill_got(struct tls_got *g, const struct hop_failure *f)
{
	if (f != NULL && f->r.tls_result[0] != '\0')
		text_set(g->result, sizeof(g->result), f->r.tls_result);
	if (f != NULL && g->reason[0] == '\0')
		text_set(g->reason, sizeof(g->reason), f->r.reply.text);
}

static void count(struct hop *h, const struct hop_link *l,
    const struct hop_failure *f)
{
	const struct hops_setup *s = &h->hops->setup;
	const struct route_host *host = &h->route->host[h->host];
	struct tls_got got = {.level = TLS_NONE};

	if (l != NULL)
		got = l->got;
	fill_got(&got, f);
	if (s->stats != NULL) {
		if (f != NULL)
			relay_stats_add(s->stats, COUNT_HOP_FAILED);
		else if (l->is_reused)
			relay_stats_add(s->stats, COUNT_HOP_REUSED);
		/* what never got as far as TLS says nothing of it */
		if (f == NULL ? !l->is_reused : f->rank == RANK_TLS)
			relay_stats_hop(s->stats, h->route->nexthop,
			    &host->want, &got);
	}
	if (s->routes != NULL && got.result[0] != '\0' &&
	    (l == NULL || !l->is_reused))
		routes_tell(s->routes, h->route, host, &got);
}

static bool is_offer_unused(const struct hop_link *l)
{
	return l != NULL && !l->is_tls && !l->asked_tls &&
	    smtp_sender_offers(l->smtp)->starttls;
}

static void log_hop(const struct hop *h, const struct hop_link *l,
    const struct hop_failure *f)
{
	const struct route_host *host = &h->route->host[h->host];
	char line[2000], where[400];
	size_t n = 0;

	line[0] = '\0';
	n = log_value(line, sizeof(line), n, "id", h->env.id);
	n = log_value(line, sizeof(line), n, "to", h->route->nexthop);
	n = log_value(line, sizeof(line), n, "mx",
	    hop_where(where, sizeof(where), host));
	n = log_value(line, sizeof(line), n, "rule", rule_of(host));
	if (l != NULL && l->is_tls) {
		n = log_value(line, sizeof(line), n, "version",
		    l->got.version);
		n = log_value(line, sizeof(line), n, "cipher",
		    l->got.cipher);
	}
	if (l != NULL && l->is_tls && l->got.matched[0] != '\0')
		n = log_value(line, sizeof(line), n, "matched",
		    l->got.matched);
	if (f != NULL && f->r.tls_result[0] != '\0')
		n = log_value(line, sizeof(line), n, "tls-result",
		    f->r.tls_result);
	if (f != NULL)
		log_value(line, sizeof(line), n, "reason", f->r.reply.text);
	log_info("event=hop %s tls=%s/%s%s%s%s result=%s", line,
	    tls_level_str(host->want.asked), got_word(h, l, f),
	    l != NULL && l->is_reused ? " reused=yes" : "",
	    l != NULL && l->is_plain ? " downgrade=yes" : "",
	    is_offer_unused(l) ? " starttls=offer-unused" : "",
	    f == NULL ? "ready" : "failed");
}

/* MTA-STS in mode testing: it is sent, and said what enforce would have said
 * (RFC 8461 5). */
static void report_tested(const struct hop *h, const struct hop_link *l)
{
	const struct route_host *host = &h->route->host[h->host];
	const char *result = l->got.tested;
	char line[1200], where[400];
	size_t n = 0;

	if (host->want.tested[0] == '\0' || l->is_reused)
		return;
	if (!l->is_tls)
		result = l->is_plain ? "validation-failure" :
		    "starttls-not-supported";
	if (h->hops->setup.stats != NULL)
		relay_stats_tested(h->hops->setup.stats, h->route->nexthop,
		    result);
	if (strcmp(result, "success") == 0)
		return;
	n = log_value(line, sizeof(line), n, "to", h->route->nexthop);
	n = log_value(line, sizeof(line), n, "mx",
	    hop_where(where, sizeof(where), host));
	log_value(line, sizeof(line), n, "tls-result", result);
	log_notice("event=sts-testing id=%s %s", h->env.id, line);
}

void hop_report(struct hop *h, struct hop_link *l,
    const struct hop_failure *f)
{
	if (l != NULL && l->is_reported)
		return;
	if (l != NULL)
		l->is_reported = true;
	if (h->hops->setup.stats != NULL && is_offer_unused(l))
		relay_stats_add(h->hops->setup.stats, COUNT_STARTTLS_UNUSED);
	/* a message on a kept connection has its line in the transaction */
	if (f != NULL || l == NULL || !l->is_reused)
		log_hop(h, l, f);
	count(h, l, f);
	if (l != NULL && f == NULL)
		report_tested(h, l);
}

void hop_log_downgrade(const struct hop *h, const struct hop_failure *f)
{
	const struct route_host *host = &h->route->host[h->host];
	char line[1200], where[400];
	size_t n = 0;

	n = log_value(line, sizeof(line), n, "to", h->route->nexthop);
	n = log_value(line, sizeof(line), n, "mx",
	    hop_where(where, sizeof(where), host));
	n = log_value(line, sizeof(line), n, "rule", rule_of(host));
	log_value(line, sizeof(line), n, "reason", f->r.reply.text);
	log_notice("event=tls-downgrade id=%s tls=%s/none %s", h->env.id,
	    tls_level_str(host->want.asked), line);
}

void hop_log_late(const struct hop *h, const struct hop_rcpt *r,
    const char *result)
{
	char line[1200];
	size_t n = 0;

	n = log_value(line, sizeof(line), n, "rcpt", r->path);
	n = log_value(line, sizeof(line), n, "to", h->route->nexthop);
	log_value(line, sizeof(line), n, "reply", r->result.reply.text);
	log_notice("event=hop-late id=%s result=%s code=%d %s", h->env.id,
	    result, r->result.reply.code, line);
}
