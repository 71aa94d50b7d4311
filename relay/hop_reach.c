/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Host after host, in the order of the route, until MAIL may be said to one;
 * and what is said when it may be said to none. A failure that may go away
 * outweighs one that will not; of several, the one that says most counts.
 */
#include "relay/hop_int.h"

#include <string.h>

#include "util/clock.h"
#include "util/ossl.h"

const struct route_host *hop_here(const struct hop *h)
{
	return &h->route->host[h->host];
}

bool hop_must_tls(const struct hop *h)
{
	const struct tls_want *w = &hop_here(h)->want;

	return tls_level_is_must(w->level) || w->implicit || w->tlsas > 0 ||
	    w->require_tls || h->env.require_tls;
}

static void client_digest(const struct hop *h, unsigned char out[32])
{
	const struct hop_envelope *env = &h->env;
	const char *const part[] = {env->client_addr, env->client_name,
	    env->client_helo, env->client_login};
	struct buf b;

	memset(out, 0, 32);
	if (!h->route->xclient || env->client_addr == NULL)
		return;
	buf_init(&b, 65536);
	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		buf_puts(&b, part[i] == NULL ? "" : part[i]);
		buf_putc(&b, '\0');
	}
	ossl_sha256(b.p, b.n, out);
	buf_free(&b);
}

void hop_key(struct link_key *k, const struct hop *h,
    const struct route_host *host)
{
	memset(k, 0, sizeof(*k));
	k->sa = host->sa;
	k->sa_len = host->sa_len;
	k->lmtp = h->route->lmtp;
	tls_want_key(&host->want, k->want);
	client_digest(h, k->client);
}

/* ---- failures ---- */

static void note(struct hop *h, const struct hop_failure *f)
{
	struct hop_failure *kept = f->r.reply.code >= 500 ? &h->hard :
	    &h->soft;

	if (f->rank > kept->rank)
		*kept = *f;
}

static void next_host(struct hop *h)
{
	h->host++;
	h->tries = 0;
	h->is_plain = false;
}

void hop_host_failed(struct hop *h, const struct hop_failure *f)
{
	struct link_key k;

	note(h, f);
	if (f->rests) {
		hop_key(&k, h, hop_here(h));
		pool_rest(h->hops, &k, f, h->route->rest_ms);
	}
	next_host(h);
	hop_reach(h);
}

static void barred(struct hop *h)
{
	const struct route_host *host = hop_here(h);
	struct hop_failure f = {.rank = RANK_TLS};
	char where[400];
	struct err e;

	err_set(&e, FAIL_TEMP, "%s may not be used: %s (rule: %s)",
	    hop_where(where, sizeof(where), host), host->barred_reason,
	    host->want.because);
	if (host->want.is_permanent)
		hop_say(&f.r, 550, "5.7.5", e.msg);
	else
		hop_say(&f.r, 451, "4.7.5", e.msg);
	f.r.is_tls_failure = true;
	text_set(f.r.tls_result, sizeof(f.r.tls_result), host->barred_result);
	hop_report(h, NULL, &f);
	note(h, &f);
}

static void rests(struct hop *h, const struct hop_failure *why,
    int64_t left_ms)
{
	struct hop_failure f = *why;
	struct err e;

	err_set(&e, FAIL_TEMP, "%.400s (cached, retry in %lld s)",
	    why->r.reply.text, (long long)(left_ms + 999) / 1000);
	text_set(f.r.reply.text, sizeof(f.r.reply.text), e.msg);
	note(h, &f);
}

/* ---- hosts ---- */

static bool try_kept(struct hop *h, const struct link_key *k)
{
	struct hop_link *l = h->is_plain ? NULL : pool_take(h->hops, k);

	if (l == NULL)
		return false;
	l->hop = h;
	l->has_spoken = l->is_ready = l->is_reported = false;
	h->link = l;
	link_suits(l);
	return true;
}

/* true: something goes on, or all is said */
static bool try_host(struct hop *h)
{
	struct hop_failure f = {.rank = RANK_OURS};
	const struct hop_failure *why;
	struct link_key k;
	int64_t left_ms;
	struct err e = {0};

	if (hop_here(h)->is_barred) {
		barred(h);
		return false;
	}
	hop_key(&k, h, hop_here(h));
	if (try_kept(h, &k))
		return true;
	why = h->tries > 0 || h->is_plain ? NULL : pool_rests(h->hops, &k,
	    &left_ms);
	if (why != NULL) {
		rests(h, why, left_ms);
		return false;
	}
	h->tries++;
	if (link_open(h, &e) == 0)
		return true;
	hop_say(&f.r, 451, "4.4.1", e.msg);
	hop_report(h, NULL, &f);
	note(h, &f);
	return false;
}

static bool is_late(const struct hop *h)
{
	int64_t now = clock_ms();

	if (h->until_ms != 0 && now >= h->until_ms)
		return true;
	return h->host > 0 && now - h->since_ms >= HOP_ALL_MS;
}

void hop_reach(struct hop *h)
{
	const struct hop_reply *why;
	struct hop_reply none;

	h->at = HOP_REACHING;
	while (h->host < h->route->hosts && !is_late(h)) {
		if (try_host(h))
			return;
		next_host(h);
	}
	hop_say(&none, 451, "4.4.1", "no host could be reached in time");
	why = h->soft.rank != RANK_NONE ? &h->soft.r :
	    h->hard.rank != RANK_NONE && h->host == h->route->hosts ?
	    &h->hard.r : &none;
	hop_over(h, why);
}
