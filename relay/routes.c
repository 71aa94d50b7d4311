/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A worker's questions to the policy process. Whatever fails there comes
 * back as a route that is an answer: 451 4.3.5, the mail stays with its
 * sender.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/kept.h"
#include "relay/route.h"
#include "relay/stats.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/proc.h"

#define ANSWER_MS 90000 /* a client waits for RCPT five minutes */
#define QUESTION_MAX 8192

struct pending {
	struct routes *routes;
	struct pending *next, **link;
	route_done *done;
	void *arg;
	uint32_t number;
	struct buf key;	       /* empty: its answer is not for keeping */
	struct route *failure; /* made before it is needed */
};

struct routes {
	struct ask *policy; /* borrowed */
	struct kept *kept;  /* NULL: nothing is kept */
	struct relay_stats *stats; /* borrowed; NULL: nothing is counted */
	struct pending *first;
};

int routes_new(struct routes **out, struct ask *policy,
    const struct relay_config *c, struct relay_stats *stats, struct err *e)
{
	struct routes *r = calloc(1, sizeof(*r));

	*out = r;
	if (r == NULL)
		return err_set(e, FAIL_TEMP, "routes: out of memory");
	r->policy = policy;
	r->stats = stats;
	return c == NULL ? 0 : kept_new(&r->kept, c, e);
}

static void forget(struct pending *p)
{
	*p->link = p->next;
	if (p->next != NULL)
		p->next->link = p->link;
	route_free(&p->failure);
	buf_free(&p->key);
	free(p);
}

void routes_free(struct routes **rp)
{
	struct routes *r = *rp;

	if (r == NULL)
		return;
	while (r->first != NULL) {
		ask_cancel(r->policy, r->first->number);
		forget(r->first);
	}
	kept_free(&r->kept);
	free(r);
	*rp = NULL;
}

static void on_reply(void *arg, const struct view *reply,
    const struct err *failed)
{
	struct pending *p = arg;
	route_done *done = p->done;
	void *done_arg = p->arg;
	struct err e = {0};
	struct route *r;

	if (reply == NULL)
		e = *failed;
	if (reply == NULL || route_get(&r, *reply, &e) != 0) {
		char line[400];

		(void)log_value(line, sizeof(line), 0, "why", e.msg);
		log_warn("event=policy-away %s", line);
		r = p->failure;
		p->failure = NULL;
	} else if (p->key.n > 0) {
		kept_put(p->routes->kept, buf_view(&p->key), r, *reply,
		    clock_ms());
	}
	forget(p);
	done(done_arg, r);
}

static struct pending *add(struct routes *r, route_done *done, void *arg)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->failure = route_answer(451, "4.3.5",
	    "The policy for this recipient cannot be found out now");
	if (p->failure == NULL) {
		free(p);
		return NULL;
	}
	p->routes = r;
	buf_init(&p->key, QUESTION_MAX);
	p->done = done;
	p->arg = arg;
	p->next = r->first;
	p->link = &r->first;
	if (p->next != NULL)
		p->next->link = &p->next;
	r->first = p;
	return p;
}

/* Never of a policy process that is gone: it might know better by now. */
static bool is_known(struct pending *p, const struct route_query *q,
    struct view *reply)
{
	const struct routes *r = p->routes;

	if (r->kept == NULL || ask_is_away(r->policy))
		return false;
	if (kept_key(r->kept, q, &p->key) != 0)
		buf_clear(&p->key);
	return p->key.n > 0 && kept_find(r->kept, buf_view(&p->key),
	    clock_ms(), reply);
}

uint32_t routes_ask(struct routes *r, const struct route_query *q,
    route_done *done, void *arg)
{
	struct pending *p = add(r, done, arg);
	struct view known;
	struct buf b;

	if (p == NULL)
		return 0;
	if (is_known(p, q, &known)) {
		buf_clear(&p->key); /* or it would be kept for ever */
		p->number = ask_known(r->policy, known, on_reply, p);
		return p->number;
	}
	buf_init(&b, QUESTION_MAX);
	/* an empty question is refused over there, in its time */
	if (route_query_put(&b, q) != 0)
		buf_clear(&b);
	p->number = ask_send(r->policy, buf_view(&b), ANSWER_MS, on_reply, p);
	if (r->stats != NULL)
		relay_stats_add(r->stats, COUNT_POLICY_QUESTIONS);
	buf_free(&b);
	return p->number;
}

void routes_cancel(struct routes *r, uint32_t number)
{
	struct pending *p = r->first;

	while (p != NULL && p->number != number)
		p = p->next;
	if (p == NULL)
		return;
	ask_cancel(r->policy, number);
	forget(p);
}

static void ignore_reply(void *arg, const struct view *reply,
    const struct err *e)
{
	(void)arg;
	(void)reply;
	(void)e;
}

void routes_tell(struct routes *r, const struct route *to,
    const struct route_host *h, const struct tls_got *got)
{
	struct buf b;

	buf_init(&b, QUESTION_MAX);
	if (route_seen_put(&b, to, h, got) == 0)
		(void)ask_send(r->policy, buf_view(&b), ANSWER_MS,
		    ignore_reply, NULL);
	buf_free(&b);
}
