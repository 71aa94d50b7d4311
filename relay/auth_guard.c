/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A table of sets: a place is looked for only in the set that a keyed hash
 * gives it, so that nobody can choose whom he pushes out.
 */
#include "relay/auth_guard.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/conf.h"
#include "util/ossl.h"

#define WAYS 8
#define SETS (GUARD_PREFIXES / WAYS)
#define SEEN 8 /* wrong guesses remembered */
#define NEWS_MS 60000

struct place {
	unsigned char prefix[16];
	bool is_used, was_told;
	int failures, at_once;
	int64_t last_ms, told_ms;
	uint64_t seen[SEEN]; /* keyed hashes */
	size_t next;
};

struct guard {
	pthread_mutex_t lock;
	unsigned char key[32];
	struct place place[SETS][WAYS];
};

int guard_new(struct guard **out, struct err *e)
{
	struct guard *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	ossl_random(g->key, sizeof(g->key));
	(void)pthread_mutex_init(&g->lock, NULL);
	*out = g;
	return 0;
}

void guard_free(struct guard **g)
{
	if (*g == NULL)
		return;
	(void)pthread_mutex_destroy(&(*g)->lock);
	ossl_wipe(*g, sizeof(**g));
	free(*g);
	*g = NULL;
}

static uint64_t keyed(const struct guard *g, struct view v)
{
	unsigned char hash[32];
	struct buf b;
	uint64_t x;

	buf_init_secret(&b, sizeof(g->key) + v.n);
	buf_put(&b, g->key, sizeof(g->key));
	buf_putv(&b, v);
	ossl_sha256(b.p == NULL ? (const void *)"" : b.p, b.n, hash);
	buf_free(&b);
	memcpy(&x, hash, sizeof(x));
	return x;
}

/* The /32 of IPv4, the /64 of IPv6; all zero for what is neither. */
static void prefix_of(const char *ip, unsigned char prefix[16])
{
	static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0xff, 0xff };
	struct net n;

	memset(prefix, 0, 16);
	if (net_parse(&n, ip, NULL) != 0)
		return;
	memcpy(prefix, n.ip, memcmp(n.ip, mapped, sizeof(mapped)) == 0 ?
	    16 : 8);
}

static void settle(struct place *p, int64_t now)
{
	if (p->at_once > 0 || now - p->last_ms <= GUARD_WINDOW_MS)
		return;
	p->failures = 0;
	memset(p->seen, 0, sizeof(p->seen));
}

/* Where ip is, or NULL. */
static struct place *find(struct guard *g, const char *ip, int64_t now,
    struct place **set)
{
	unsigned char prefix[16];
	struct place *p;
	size_t i;

	prefix_of(ip, prefix);
	*set = g->place[keyed(g, view_make(prefix, 16)) % SETS];
	for (i = 0; i < WAYS; i++) {
		p = *set + i;
		if (!p->is_used || memcmp(p->prefix, prefix, 16) != 0)
			continue;
		settle(p, now);
		return p;
	}
	return NULL;
}

/* The one of a set that is missed least; NULL: all are busy. */
static struct place *make_room(struct place *set, int64_t now)
{
	struct place *best = NULL, *p;
	size_t i;

	for (i = 0; i < WAYS; i++) {
		p = set + i;
		if (!p->is_used)
			return p;
		settle(p, now);
		if (p->at_once > 0)
			continue;
		if (best == NULL || p->failures < best->failures ||
		    (p->failures == best->failures &&
			p->last_ms < best->last_ms))
			best = p;
	}
	return best;
}

static enum guard_verdict judge(const struct place *p)
{
	if (p == NULL)
		return GUARD_TRY;
	/* guesses that run beside each other are no way around */
	if (p->failures >= GUARD_FAILURES || (p->failures > 0 &&
	    p->failures + p->at_once >= GUARD_FAILURES))
		return GUARD_THROTTLED;
	return p->at_once >= (p->failures > 0 ? GUARD_AT_ONCE_BAD :
	    GUARD_AT_ONCE) ? GUARD_BUSY : GUARD_TRY;
}

enum guard_verdict guard_look(struct guard *g, const char *ip, int64_t now)
{
	enum guard_verdict v;
	struct place *set;

	(void)pthread_mutex_lock(&g->lock);
	v = judge(find(g, ip, now, &set));
	(void)pthread_mutex_unlock(&g->lock);
	return v;
}

enum guard_verdict guard_begin(struct guard *g, const char *ip, int64_t now)
{
	enum guard_verdict v;
	struct place *set, *p;

	(void)pthread_mutex_lock(&g->lock);
	p = find(g, ip, now, &set);
	v = judge(p);
	if (p == NULL && (p = make_room(set, now)) != NULL) {
		memset(p, 0, sizeof(*p));
		prefix_of(ip, p->prefix);
		p->is_used = true;
		p->last_ms = now;
	}
	if (p == NULL)
		v = GUARD_BUSY;
	if (v == GUARD_TRY)
		p->at_once++;
	(void)pthread_mutex_unlock(&g->lock);
	return v;
}

static bool was_seen(const struct place *p, uint64_t what)
{
	size_t i;

	for (i = 0; i < SEEN; i++)
		if (p->seen[i] == what)
			return true;
	return false;
}

static int64_t delay_of(int failures)
{
	int64_t ms = GUARD_DELAY_MS;

	while (failures-- > 1 && ms < GUARD_DELAY_MAX_MS)
		ms *= 2;
	return ms;
}

int64_t guard_done(struct guard *g, const char *ip, bool is_right,
    struct view what, int64_t now)
{
	uint64_t hash = keyed(g, what) | 1;
	int64_t ms = 0;
	struct place *p, *set;

	(void)pthread_mutex_lock(&g->lock);
	p = find(g, ip, now, &set);
	if (p != NULL && p->at_once > 0)
		p->at_once--;
	if (p != NULL && !is_right) {
		if (!was_seen(p, hash)) {
			p->seen[p->next++ % SEEN] = hash;
			p->failures++;
		}
		p->last_ms = now;
		ms = delay_of(p->failures);
	}
	(void)pthread_mutex_unlock(&g->lock);
	return ms;
}

bool guard_is_news(struct guard *g, const char *ip, int64_t now)
{
	bool is_news = true;
	struct place *p, *set;

	(void)pthread_mutex_lock(&g->lock);
	p = find(g, ip, now, &set);
	if (p != NULL) {
		is_news = !p->was_told || now - p->told_ms >= NEWS_MS;
		p->was_told = true;
		if (is_news)
			p->told_ms = now;
	}
	(void)pthread_mutex_unlock(&g->lock);
	return is_news;
}
