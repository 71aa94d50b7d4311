/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The engine as a whole: what it is made of, questions of workers, and what
 * is done from time to time.
 */
#include "relay/engine.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/engine_int.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/ossl.h"

#define TTL_FAILED_S 10 /* an answer that may be another soon */
#define KEEPER_S 10
#define REFRESHES 20 /* of MTA-STS policies, in a row */

struct world_of { /* what MTA-STS calls back with */
	struct engine g;
	struct engine_world world;
};

/* ---- our own addresses ---- */

static void add_own(struct engine *g, const char *ip, int port)
{
	struct own_address *more = reallocarray(g->own, g->owns + 1,
	    sizeof(*more));

	if (more == NULL)
		return;
	g->own = more;
	text_set(more[g->owns].ip, sizeof(more[0].ip), ip);
	more[g->owns++].port = port;
}

/* Every address of this machine, where a listener takes all of them. */
static void add_interfaces(struct engine *g, int family, int port)
{
	struct ifaddrs *all = NULL, *a;
	char ip[64];

	if (getifaddrs(&all) != 0)
		return;
	for (a = all; a != NULL; a = a->ifa_next) {
		if (a->ifa_addr == NULL || a->ifa_addr->sa_family != family ||
		    getnameinfo(a->ifa_addr, family == AF_INET ?
		    sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6),
		    ip, sizeof(ip), NULL, 0, NI_NUMERICHOST) != 0)
			continue;
		ip[strcspn(ip, "%")] = '\0';
		add_own(g, ip, port);
	}
	freeifaddrs(all);
}

static void add_listener(struct engine *g, const char *where)
{
	const char *colon = strrchr(where, ':');
	struct view ip;
	char text[64];
	int port;

	if (colon == NULL || strncmp(where, "unix:", 5) == 0)
		return;
	ip = view_make(where, (size_t)(colon - where));
	if (ip.n > 2 && ip.p[0] == '[')
		ip = view_sub(ip, 1, ip.n - 2);
	if (view_cstr(ip, text, sizeof(text)) != 0)
		return;
	port = (int)strtol(colon + 1, NULL, 10);
	if (strcmp(text, "0.0.0.0") == 0 || strcmp(text, "::") == 0)
		add_interfaces(g, AF_INET, port);
	if (strcmp(text, "::") == 0)
		add_interfaces(g, AF_INET6, port);
	add_own(g, text, port);
}

static void find_own(struct engine *g)
{
	const struct relay_config *c = g->c;
	size_t i, k;

	for (i = 0; i < c->listeners; i++)
		for (k = 0; k < c->listener[i].ons; k++)
			add_listener(g, c->listener[i].on[k].where);
}

/* ---- birth and death ---- */

static int64_t world_now(void *arg)
{
	struct world_of *w = arg;

	return w->world.now != NULL ? w->world.now(w->world.arg) :
	    (int64_t)time(NULL);
}

static int world_fetch(void *arg, const char *domain, struct buf *text,
    struct err *e)
{
	struct world_of *w = arg;

	return w->world.fetch(w->world.arg, domain, text, e);
}

static void sts_changed(void *arg, const char *domain, enum sts_mode was,
    enum sts_mode is)
{
	struct world_of *w = arg;

	announcer_sts(w->g.announcer, domain, was, is, world_now(w));
}

static int open_sts(struct world_of *w, struct err *e)
{
	const struct relay_config *c = w->g.c;
	const struct sts_setup s = { .dns = w->g.dns, .ca_file = c->sts_ca,
	    .nearby = c->sts_nearby, .nearbys = c->sts_nearbys,
	    .port = c->sts_port, .state = c->state, .changed = sts_changed,
	    .arg = w, .now = world_now,
	    .fetch = w->world.fetch != NULL ? world_fetch : NULL };

	return sts_new(&w->g.sts, &s, e);
}

int engine_new_in(struct engine **out, const struct relay_config *c,
    const struct engine_world *world, struct err *e)
{
	struct world_of *w = calloc(1, sizeof(*w));
	struct engine *g;
	int rc;

	*out = NULL;
	if (w == NULL)
		return err_set(e, FAIL_TEMP, "engine: out of memory");
	g = &w->g;
	g->c = c;
	(void)pthread_mutex_init(&g->lock, NULL);
	(void)pthread_cond_init(&g->wake, NULL);
	if (world != NULL)
		w->world = *world;
	rc = answers_new(&g->answers, e);
	if (rc == 0)
		rc = announcer_new(&g->announcer, c, e);
	if (rc == 0 && world == NULL)
		rc = dns_resolver_new(&g->resolver, c->anchor_file,
		    c->forward, e);
	if (rc == 0) {
		g->dns = world != NULL ? world->dns :
		    dns_resolver_use(g->resolver);
		rc = open_sts(w, e);
	}
	find_own(g);
	if (rc != 0)
		engine_free(&g);
	*out = g;
	return rc;
}

int engine_new(struct engine **out, const struct relay_config *c,
    struct err *e)
{
	return engine_new_in(out, c, NULL, e);
}

static void save(struct engine *g)
{
	char line[600];
	struct err e;

	if (sts_save(g->sts, &e) == 0)
		return;
	(void)log_value(line, sizeof(line), 0, "why", e.msg);
	log_warn("event=sts-state %s", line);
}

/* What two write to the same file, the last one wins: an old one would take
 * away what the new one has learned, and tell the administrator once more. */
void engine_retired(void *engine)
{
	struct engine *g = engine;

	(void)pthread_mutex_lock(&g->lock);
	g->is_ending = true;
	(void)pthread_cond_broadcast(&g->wake);
	(void)pthread_mutex_unlock(&g->lock);
}

void engine_free(struct engine **gp)
{
	struct engine *g = *gp;
	bool keeps;

	if (g == NULL)
		return;
	keeps = g->has_keeper && !g->is_ending;
	engine_retired(g);
	if (g->has_keeper)
		(void)pthread_join(g->keeper, NULL);
	if (keeps)
		save(g);
	sts_free(&g->sts);
	dns_resolver_free(&g->resolver);
	announcer_free(&g->announcer);
	answers_free(&g->answers);
	(void)pthread_cond_destroy(&g->wake);
	(void)pthread_mutex_destroy(&g->lock);
	free(g->own);
	free(g); /* the first member of struct world_of */
	*gp = NULL;
}

/* ---- questions ---- */

void engine_route(struct engine *g, const struct route_query *q,
    struct route **out, struct buf *story)
{
	struct seek *p = calloc(1, sizeof(*p));

	*out = NULL;
	if (p == NULL)
		return;
	p->g = g;
	p->q = q;
	p->story = story;
	if (seek_begin(p) == 0)
		seek_find(p);
	*out = p->r;
	p->r = NULL;
	seek_free(p);
	free(p);
}

/* All that the answer depends on, once routes and lines are found. */
static void key_of(const struct seek *p, unsigned char key[32])
{
	const struct tls_rules *all = &p->g->c->rules;
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, "%s %s %d %d %d %td %d%d%d%d%d %s", p->way->name,
	    p->r->nexthop, p->port, (int)p->level, p->way->level,
	    p->rule == NULL ? -1 : p->rule - all->rule, p->try_dane,
	    p->try_sts, p->q->require_tls, p->q->tls_optional,
	    p->q->verified, p->pki);
	ossl_sha256(b.p, b.n, key);
	buf_free(&b);
}

static int64_t make_route(void *arg, struct buf *reply)
{
	struct seek *p = arg;

	seek_find(p);
	if (route_put(reply, p->r) != 0)
		reply->failed = true;
	if (p->r->code != 0 && p->ttl_s > TTL_FAILED_S)
		return TTL_FAILED_S;
	return p->ttl_s > 0 ? p->ttl_s : 1;
}

static int answer_query(struct engine *g, const struct route_query *q,
    struct buf *reply, struct err *e)
{
	struct seek *p = calloc(1, sizeof(*p));
	unsigned char key[32];
	int rc = -1;

	if (p == NULL)
		return err_set(e, FAIL_TEMP, "engine: out of memory");
	p->g = g;
	p->q = q;
	if (seek_begin(p) == 0) {
		key_of(p, key);
		rc = answers_get(g->answers, key, make_route, p, reply);
	} else if (p->r != NULL) {
		rc = route_put(reply, p->r);
	}
	seek_free(p);
	free(p);
	return rc == 0 ? 0 : err_set(e, FAIL_TEMP, "engine: no answer in "
	    "time, or out of memory");
}

int engine_answer(void *engine, struct view question, struct buf *reply,
    struct err *e)
{
	struct engine *g = engine;
	struct route_asked asked = { .q = { 0 } };
	struct route_seen seen = { .has_pins = false };
	enum route_message kind;

	if (route_message_get(&kind, &asked, &seen, question, e) != 0)
		return -1;
	if (kind == ROUTE_QUERY)
		return answer_query(g, &asked.q, reply, e);
	announcer_seen(g->announcer, &seen, world_now(g));
	return 0;
}

/* ---- from time to time ---- */

static bool is_ending(struct engine *g)
{
	bool is;

	(void)pthread_mutex_lock(&g->lock);
	is = g->is_ending;
	(void)pthread_mutex_unlock(&g->lock);
	return is;
}

/* A server that is slow holds one of these up for a minute, and must not keep
 * what others said off the disk so long; nor what a successor has learned in
 * that minute be undone. */
static void keep_house(struct engine *g)
{
	int i;

	save(g);
	announcer_send(g->announcer);
	for (i = 0; i < REFRESHES && !is_ending(g) && sts_refresh(g->sts) &&
	    !is_ending(g); i++)
		save(g);
}

static void *run_keeper(void *arg)
{
	struct engine *g = arg;
	struct timespec until;

	(void)pthread_mutex_lock(&g->lock);
	while (!g->is_ending) {
		(void)pthread_mutex_unlock(&g->lock);
		keep_house(g);
		(void)pthread_mutex_lock(&g->lock);
		(void)clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += KEEPER_S;
		if (!g->is_ending)
			(void)pthread_cond_timedwait(&g->wake, &g->lock,
			    &until);
	}
	(void)pthread_mutex_unlock(&g->lock);
	return NULL;
}

/* What it does may take a minute, so a thread does it. */
void engine_second(void *engine)
{
	struct engine *g = engine;

	if (!g->has_keeper && !g->is_ending)
		g->has_keeper = pthread_create(&g->keeper, NULL, run_keeper,
		    g) == 0;
}
