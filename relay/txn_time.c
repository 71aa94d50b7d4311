/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A client waits only so long for the answer to RCPT (RFC 5321 4.5.3.2.3): it
 * must hear us before, whatever the next hop does. And a next hop waits only
 * so long for a client: the few connections to a destination are not for who
 * sends an octet a second (T11), and it is asked anew when the message is here.
 */
#include <event2/event.h>

#include "relay/txn_int.h"
#include "util/clock.h"
#include "util/log.h"

#define MTA_MS 240000	/* they wait for 300 s */
#define PEOPLE_MS 110000 /* RFC 6409 5.3: two minutes */
#define HOLD_MS 20000

static int64_t most_ms(const struct txn *t)
{
	return t->l->protocol == RELAY_SUBMISSION ? PEOPLE_MS : MTA_MS;
}

static bool is_waiting(const struct txn_rcpt *r)
{
	return !r->again &&
	    (r->state == RCPT_ROUTING || r->state == RCPT_SAID);
}

/* The hop may take this recipient yet, whom the client takes for refused: it
 * gets no data. Those that it took already begin anew when there is some. */
static void give_up(struct txn_rcpt *r)
{
	if (r->question != 0) {
		routes_cancel(r->t->w->routes, r->question);
		r->question = 0;
	} else if (r->hop != NULL) {
		txn_hop_free(r->hop);
	}
	txn_refuse_with(r, 451, "4.4.1", "The next hop did not answer in "
	    "time");
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* When to look at hops again, 0: none waits. */
static int64_t let_hops_go(struct txn *t, int64_t now_ms)
{
	struct txn_hop *k;
	int64_t next = 0, at;

	for (k = t->hop; k != NULL && !t->has_ended; k = k->next) {
		if (k->is_closed || k->asked > 0)
			continue;
		at = k->since_ms + HOLD_MS - k->waited_ms;
		if (at > now_ms) {
			next = sooner(next, at);
		} else {
			log_debug("event=hop-let-go id=%s", t->id);
			txn_hop_free(k);
		}
	}
	return next;
}

int64_t txn_rcpt_time(struct txn *t, int64_t now_ms)
{
	int64_t next = let_hops_go(t, now_ms), at;
	size_t i;

	for (i = 0; i < t->rcpts && !t->is_free; i++) {
		struct txn_rcpt *r = t->rcpt[i];

		if (!is_waiting(r))
			continue;
		at = r->since_ms + most_ms(t);
		if (at <= now_ms || (r->hop != NULL && r->hop->is_closed))
			give_up(r);
		else
			next = sooner(next, at);
	}
	return next;
}

static void arm(struct txn *t, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (evtimer_add(t->rcpt_timer, &tv) != 0)
		log_err("event=no-timer id=%s", t->id);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct txn *t = arg;
	int64_t now = clock_ms(), next;

	(void)fd;
	(void)what;
	t->is_busy = true;
	next = txn_rcpt_time(t, now);
	if (next != 0) /* what is taken until then counts from then on */
		arm(t, next - now < HOLD_MS ? next - now : HOLD_MS);
	t->is_busy = false;
	txn_settle(t);
}

void txn_rcpt_wait(struct txn_rcpt *r)
{
	struct txn *t = r->t;

	r->since_ms = clock_ms();
	(void)let_hops_go(t, r->since_ms);
	if (t->rcpt_timer == NULL)
		t->rcpt_timer = evtimer_new(t->w->base, on_time, t);
	if (t->rcpt_timer != NULL && !evtimer_pending(t->rcpt_timer, NULL))
		arm(t, HOLD_MS);
}
