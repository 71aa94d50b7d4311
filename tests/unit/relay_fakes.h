/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Next hops and routes that do what a test says: they stand in the place of
 * relay/hop.h and relay/route.h. A recipient's domain is his next hop.
 */
#ifndef TESTS_UNIT_RELAY_FAKES_H
#define TESTS_UNIT_RELAY_FAKES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/worker.h"

#define FAKES 160

/* ---- routes ---- */

static struct fake_route {
	uint32_t number; /* 0: answered or cancelled */
	struct route_query q;
	char rcpt[200], from[200];
	route_done *done;
	void *arg;
} fake_route[FAKES];
static size_t fake_routes;

uint32_t routes_ask(struct routes *r, const struct route_query *q,
    route_done *done, void *arg)
{
	struct fake_route *f = &fake_route[fake_routes];

	(void)r;
	assert_true(fake_routes < FAKES);
	f->number = (uint32_t)++fake_routes;
	f->q = *q;
	(void)snprintf(f->rcpt, sizeof(f->rcpt), "%s", q->rcpt);
	(void)snprintf(f->from, sizeof(f->from), "%s", q->from);
	f->done = done;
	f->arg = arg;
	return f->number;
}

void routes_cancel(struct routes *r, uint32_t number)
{
	(void)r;
	fake_route[number - 1].number = 0;
}

/* Answer one: code 0: its domain; else the refusal. */
static UNUSED void fake_answer_route(size_t i, int code, const char *enhanced)
{
	struct fake_route *f = &fake_route[i];
	struct route *to = calloc(1, sizeof(*to));

	assert_int_not_equal(f->number, 0);
	f->number = 0;
	to->code = code;
	text_set(to->enhanced, sizeof(to->enhanced), enhanced);
	text_set(to->text, sizeof(to->text), "because of postseal.conf:12");
	text_set(to->name, sizeof(to->name), f->q.route);
	text_set(to->nexthop, sizeof(to->nexthop), strchr(f->rcpt, '@') + 1);
	f->done(f->arg, to);
}

static UNUSED void fake_answer_routes(void)
{
	size_t i;

	for (i = 0; i < fake_routes; i++)
		if (fake_route[i].number != 0)
			fake_answer_route(i, 0, "");
}

/* ---- hops ---- */

struct hop {
	struct route *route;
	struct hop_use use;
	struct hop_envelope env;
	char from[200];
	char rcpt[32][200];
	size_t rcpts;
	bool has_data, is_freed, has_late[32];
	char *body;
	int64_t until_ms;
	unsigned char late_key[32][32];
	hop_late *late;
	void *late_arg;
};
static struct hop *fake_hop[FAKES];
static size_t fake_hops;

int hop_begin(struct hop **out, struct hops *hs, struct route *take_route,
    const struct hop_envelope *env, const struct hop_use *use,
    struct err *e)
{
	struct hop *h = calloc(1, sizeof(*h));

	(void)hs;
	(void)e;
	assert_true(fake_hops < FAKES);
	h->route = take_route;
	h->use = *use;
	h->env = *env;
	text_set(h->from, sizeof(h->from), env->from);
	fake_hop[fake_hops++] = *out = h;
	return 0;
}

size_t hop_rcpt(struct hop *h, const char *path, const char *notify,
    const char *orcpt)
{
	(void)notify;
	(void)orcpt;
	assert_false(h->has_data);
	text_set(h->rcpt[h->rcpts], sizeof(h->rcpt[0]), path);
	return h->rcpts++;
}

void hop_data(struct hop *h, const struct spool *s, uint64_t off,
    uint64_t size, int64_t until_ms)
{
	size_t got = 0;

	assert_false(h->has_data);
	h->has_data = true;
	h->until_ms = until_ms;
	h->body = calloc(1, size + 1);
	assert_int_equal(spool_read(s, off, h->body, size, &got, NULL), 0);
	assert_int_equal(got, size);
}

void hop_on_late(struct hop *h, size_t rcpt, const unsigned char key[32],
    hop_late *f, void *arg)
{
	h->has_late[rcpt] = true;
	memcpy(h->late_key[rcpt], key, 32);
	h->late = f;
	h->late_arg = arg;
}

void hop_free(struct hop **h)
{
	(*h)->is_freed = true;
	*h = NULL;
}

const struct route *hop_route(const struct hop *h)
{
	return h->route;
}

const struct route_host *hop_host(const struct hop *h)
{
	(void)h;
	return NULL;
}

const char *hop_where(char *out, size_t size, const struct route_host *h)
{
	(void)size;
	(void)h;
	out[0] = '\0';
	return out;
}

const struct tls_got *hop_tls(const struct hop *h)
{
	(void)h;
	return NULL;
}

static UNUSED struct hop_reply fake_reply(enum hop_state state, int code,
    const char *enhanced)
{
	struct hop_reply r = { .state = state };

	r.reply.code = code;
	text_set(r.reply.enhanced, sizeof(r.reply.enhanced), enhanced);
	text_set(r.reply.text, sizeof(r.reply.text), "so it is");
	return r;
}

/* What a hop says to its RCPT number k. */
static UNUSED void fake_say_rcpt(size_t hop, size_t k, int code,
    const char *enhanced)
{
	struct hop_reply r = fake_reply(HOP_ANSWERED, code, enhanced);
	struct hop *h = fake_hop[hop];

	assert_false(h->is_freed);
	h->use.on_rcpt(h->use.arg, k, &r);
}

/* All hops that have no data yet take all that they were told from k on. */
static UNUSED void fake_take_all(void)
{
	static size_t seen[FAKES];
	size_t i, k;

	if (fake_hops == 0)
		memset(seen, 0, sizeof(seen));
	for (i = 0; i < fake_hops; i++) {
		struct hop *h = fake_hop[i];

		k = seen[i];
		for (; !h->is_freed && k < h->rcpts; k++) {
			seen[i] = k + 1;
			fake_say_rcpt(i, k, 250, "2.1.5");
		}
	}
}

static UNUSED void fake_result(size_t hop, size_t k, enum hop_state state,
    int code)
{
	struct hop_reply r = fake_reply(state, code, code == 250 ? "2.0.0" :
	    "4.3.0");
	struct hop *h = fake_hop[hop];

	assert_true(h->has_data);
	assert_false(h->is_freed);
	h->use.on_result(h->use.arg, k, &r);
}

/* Whoever waits for a result still gets one. */
static UNUSED void fakes_finish(void)
{
	size_t i, k;

	for (i = 0; i < fake_hops; i++)
		for (k = 0; k < fake_hop[i]->rcpts; k++)
			if (fake_hop[i]->has_data && !fake_hop[i]->is_freed)
				fake_result(i, k, HOP_FAILED, 451);
}

static UNUSED void fakes_reset(void)
{
	size_t i;

	for (i = 0; i < fake_hops; i++) {
		route_free(&fake_hop[i]->route);
		free(fake_hop[i]->body);
		free(fake_hop[i]);
	}
	fake_hops = fake_routes = 0;
	memset(fake_route, 0, sizeof(fake_route));
	fake_take_all();
}

/* Hops that were not told to end: a leak, or a connection for ever. */
static UNUSED size_t fakes_open(void)
{
	size_t i, n = 0;

	for (i = 0; i < fake_hops; i++)
		n += !fake_hop[i]->is_freed;
	return n;
}

#endif
