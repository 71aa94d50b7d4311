/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Levels of TLS, the line of tls-policy { } that holds for a next hop, and
 * what one connection must show as a value that is copied and compared. The
 * lines are read in tls_policy_read.c.
 */
#include "smtp/tls_policy.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "smtp/tls_policy_int.h"
#include "util/addr.h"
#include "util/ossl.h"

static const struct level {
	const char *word;
	bool is_must, is_verified;
} levels[] = {
	[TLS_NONE] = { "none", false, false },
	[TLS_MAY] = { "may", false, false },
	[TLS_ENCRYPT] = { "encrypt", true, false },
	[TLS_FINGERPRINT] = { "fingerprint", true, true },
	[TLS_DANE] = { "dane", false, false },
	[TLS_DANE_ONLY] = { "dane-only", true, true },
	[TLS_VERIFY] = { "verify", true, true },
	[TLS_SECURE] = { "secure", true, true },
};

const char *tls_level_str(enum tls_level l)
{
	return levels[l].word;
}

int tls_level_of(const char *word, enum tls_level *out)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (strcmp(levels[i].word, word) != 0)
			continue;
		*out = (enum tls_level)i;
		return 0;
	}
	return -1;
}

bool tls_level_is_must(enum tls_level l)
{
	return levels[l].is_must;
}

bool tls_level_is_verified(enum tls_level l)
{
	return levels[l].is_verified;
}

size_t tls_address(const char *host, unsigned char ip[16])
{
	struct view v = view_of(host);
	char text[INET6_ADDRSTRLEN];

	if (v.n >= 2 && v.p[0] == '[' && v.p[v.n - 1] == ']')
		v = view_sub(v, 1, v.n - 2);
	if (view_istarts(v, "IPv6:"))
		v = view_sub(v, 5, v.n);
	if (view_cstr(v, text, sizeof(text)) != 0)
		return 0;
	if (inet_pton(AF_INET, text, ip) == 1)
		return 4;
	return inet_pton(AF_INET6, text, ip) == 1 ? 16 : 0;
}

int tls_address_text(const char *host, char *dst, size_t size)
{
	unsigned char ip[16];
	size_t n = tls_address(host, ip);

	if (n == 0)
		return -1;
	return inet_ntop(n == 4 ? AF_INET : AF_INET6, ip, dst,
	    (socklen_t)size) == NULL ? -1 : 0;
}

/* ---- lines ---- */

void tls_rule_clear(struct tls_rule *r)
{
	free(r->to);
	free(r->from);
	for (size_t i = 0; i < r->matches; i++)
		free(r->match[i]);
	free(r->ca);
	free(r->pki);
	free(r->servername);
	free(r->ciphers);
}

void tls_rules_free(struct tls_rules *r)
{
	for (size_t i = 0; i < r->n; i++)
		tls_rule_clear(&r->rule[i]);
	free(r->rule);
	*r = (struct tls_rules){ 0 };
}

struct wanted {
	char key[TLS_NAME_MAX + 16]; /* next hop, with port if it is not 25 */
	char sender[CAP_ADDRESS * 2 + 2];
	const char *domain; /* "@example.net" of it; NULL: no sender */
};

#define FAR 1000 /* as many labels are in no name */

/* How far above the next hop the line is: 0 is the next hop itself, 1 its
 * parent, and so on; FAR: elsewhere (T38). What ends in "]" or a port has no
 * parents: no line for them does. */
static int distance(const struct wanted *w, const char *to)
{
	size_t n = strlen(w->key), m = strlen(to);
	int up = 1;

	if (strcasecmp(to, w->key) == 0)
		return 0;
	if (to[0] != '.' || m >= n ||
	    strcasecmp(w->key + (n - m), to) != 0)
		return FAR;
	for (const char *p = w->key; p < w->key + (n - m); p++)
		up += *p == '.';
	return up;
}

/* 0: this very sender, 1: its domain, 2: anybody; -1: another one. */
static int sender_rank(const struct wanted *w, const char *from)
{
	if (from == NULL)
		return 2;
	if (w->domain == NULL)
		return -1;
	if (from[0] == '@')
		return strcasecmp(from, w->domain) == 0 ? 1 : -1;
	return strcasecmp(from, w->sender) == 0 ? 0 : -1;
}

/* The sender as lines have it, if it is an address at all. */
static void set_sender(struct wanted *w, const char *sender)
{
	const char *at = strrchr(sender, '@');
	struct addr a;
	struct err e;

	if (at == NULL)
		return;
	if (addr_parse(&a, view_of(sender), &e) == 0) {
		text_set(w->sender, sizeof(w->sender), a.text);
		w->domain = strrchr(w->sender, '@');
	} else {
		/* too long, perhaps: its domain is what it is all the same */
		text_set(w->sender, sizeof(w->sender), sender);
		w->domain = at;
	}
}

static void set_key(struct wanted *w, const char *nexthop, int port)
{
	char ip[64];
	struct buf b;

	buf_init(&b, sizeof(w->key) - 1);
	if (tls_address_text(nexthop, ip, sizeof(ip)) == 0)
		buf_printf(&b, "[%s]", ip);
	else
		buf_puts(&b, nexthop);
	if (port != 0 && port != 25)
		buf_printf(&b, ":%d", port);
	/* too long for a name: no line has it */
	text_set(w->key, sizeof(w->key), b.failed ? "" : buf_str(&b));
	buf_free(&b);
}

const struct tls_rule *tls_rules_find(const struct tls_rules *r,
    const char *nexthop, int port, const char *sender)
{
	const struct tls_rule *best = NULL, *at;
	struct wanted w = { 0 };
	int found = FAR * 3, rank, score;

	set_key(&w, nexthop, port);
	set_sender(&w, sender);
	for (at = r->rule; at < r->rule + r->n; at++) {
		rank = sender_rank(&w, at->from);
		if (rank == -1)
			continue;
		score = (at->is_default ? FAR - 1 : distance(&w, at->to)) * 3 +
		    rank;
		if (score < found) {
			found = score;
			best = at;
		}
	}
	return best;
}

/* ---- what a connection must show ---- */

bool tls_tlsa_is_usable(const struct tls_tlsa *t)
{
	static const size_t size[] = { 0, 32, 64 }; /* RFC 6698 2.1.3 */

	if ((t->usage != 2 && t->usage != 3) || t->selector > 1 ||
	    t->mtype > 2 || t->n == 0 || t->n > TLS_TLSA_DATA)
		return false;
	return t->mtype == 0 || t->n == size[t->mtype];
}

void tls_want_free(struct tls_want *w)
{
	for (size_t i = 0; i < w->tlsas; i++)
		free(w->tlsa[i].data);
	w->tlsas = 0;
}

int tls_want_copy(struct tls_want *out, const struct tls_want *w,
    struct err *e)
{
	*out = *w;
	out->tlsas = 0;
	for (size_t i = 0; i < w->tlsas; i++) {
		struct tls_tlsa *t = &out->tlsa[i];

		t->data = malloc(t->n + 1);
		if (t->data == NULL) {
			tls_want_free(out);
			memory_note_lack();
			return err_set(e, FAIL_TEMP, "out of memory");
		}
		if (t->n > 0)
			memcpy(t->data, w->tlsa[i].data, t->n);
		out->tlsas++;
	}
	return 0;
}

static void put_text(struct buf *b, const char *s)
{
	buf_puts(b, s);
	buf_putc(b, '\0');
}

/* Each text ends in NUL, each list has its length in front: no two different
 * ones look the same. */
static void put_want(struct buf *b, const struct tls_want *w)
{
	const char *const text[] = { w->sni, w->tlsa_base, w->ca, w->pki,
		w->ciphers, w->because, w->tested };

	buf_printf(b, "%d %d %d %d %d %d%d%d%d%d%d %zu %zu %zu\n",
	    (int)w->level, (int)w->asked, (int)w->min, (int)w->max, w->implicit,
	    w->allow_anonymous, w->require_cert, w->allow_cn,
	    w->is_permanent, w->require_tls, w->is_unnamed, w->names,
	    w->tlsas, w->pins);
	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		put_text(b, text[i]);
	for (size_t i = 0; i < w->names; i++)
		put_text(b, w->name[i]);
	for (size_t i = 0; i < w->tlsas; i++) {
		const struct tls_tlsa *t = &w->tlsa[i];

		buf_printf(b, "%u %u %u %zu\n", t->usage, t->selector,
		    t->mtype, t->n);
		buf_put(b, t->data, t->n);
	}
	for (size_t i = 0; i < w->pins; i++)
		buf_put(b, w->pin[i].sha256, sizeof(w->pin[i].sha256));
}

void tls_want_key(const struct tls_want *w, unsigned char key[32])
{
	struct buf b;

	buf_init(&b, 1u << 20);
	put_want(&b, w);
	if (b.failed) /* equal to nothing: nothing is shared */
		ossl_random(key, 32);
	else
		ossl_sha256(b.p, b.n, key);
	buf_free(&b);
}
