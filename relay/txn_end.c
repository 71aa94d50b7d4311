/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The end of the data: what the ledger knows is answered, the rest is sent to
 * all next hops at once, and each recipient gets the answer that his next hop
 * gave, in time (postseal-relay(8); doc/DESIGN.md has why).
 */
#include <event2/event.h>
#include <string.h>
#include <time.h>

#include "relay/txn_int.h"
#include "util/clock.h"
#include "util/log.h"

#define RECEIVED_MAX 50
/* From the end of the data to the last answer: MTAs wait for 600 s, programs
 * of people for about 60 s. */
#define MTA_MS 540000
#define PEOPLE_MS 55000
#define GRACE_MS 1000 /* for hops, which keep the same time */

#define SOME_TAKEN "Not all recipients were taken, please send it again"

void txn_done(struct txn_rcpt *r)
{
	r->state = RCPT_DONE;
}

void txn_done_with(struct txn_rcpt *r, int code, const char *enhanced,
    const char *text)
{
	txn_reply_set(&r->reply, code, enhanced, text);
	txn_log(r, NULL, NULL);
	txn_done(r);
}

/* ---- answers ---- */

static void answer(struct txn *t, const struct smtp_reply *r)
{
	if (!t->is_free)
		t->use.on_answer(t->use.arg, r);
}

static void to_ledger(const struct txn_rcpt *r)
{
	if (r->has_key && r->was_taken)
		ledger_put(r->t->w->ledger, r->key, (int64_t)time(NULL));
}

/* Some took it, and some did not: he will send it again to all, and those
 * that did are in the ledger then. */
static void answer_mixed(struct txn *t)
{
	struct smtp_reply r;
	size_t i;

	for (i = 0; i < t->rcpts; i++)
		to_ledger(t->rcpt[i]);
	txn_reply_set(&r, 451, "4.3.0", SOME_TAKEN);
	answer(t, &r);
}

static void answer_once(struct txn *t)
{
	const struct txn_rcpt *best = NULL;
	size_t taken = 0, all = 0, i;

	for (i = 0; i < t->rcpts; i++) {
		const struct txn_rcpt *r = t->rcpt[i];

		if (r->state == RCPT_REFUSED)
			continue;
		if (r->state != RCPT_DONE)
			return;
		all++;
		taken += r->reply.code / 100 == 2;
		/* what may work later counts more than what never will */
		if (best == NULL || (best->reply.code / 100 == 5 &&
		    r->reply.code / 100 == 4))
			best = r;
	}
	if (t->has_told || best == NULL)
		return;
	t->has_told = true;
	if (taken > 0 && taken < all)
		answer_mixed(t);
	else
		answer(t, &best->reply);
}

static void answer_in_order(struct txn *t)
{
	struct txn_rcpt *r;

	while (t->told < t->rcpts) {
		r = t->rcpt[t->told];
		if (r->state != RCPT_REFUSED && r->state != RCPT_DONE)
			return;
		t->told++;
		if (r->state == RCPT_DONE)
			answer(t, &r->reply);
	}
}

/* ---- sending ---- */

/* The truth about a recipient whose answer came too late. */
static void on_late(void *worker, const unsigned char key[32], bool accepted)
{
	struct worker *w = worker;

	log_info("event=late-answer accepted=%s", accepted ? "yes" : "no");
	if (accepted && w->ledger != NULL)
		ledger_put(w->ledger, key, (int64_t)time(NULL));
}

static void start_hop(struct txn_hop *k)
{
	struct txn *t = k->t;
	size_t i;

	k->is_sending = k->is_closed = true;
	k->owed = k->taken;
	for (i = 0; i < t->rcpts; i++) {
		struct txn_rcpt *r = t->rcpt[i];

		if (r->hop != k || r->state != RCPT_TAKEN)
			continue;
		r->state = RCPT_SENDING;
		if (r->has_key)
			hop_on_late(k->h, r->at_hop, r->key, on_late, t->w);
	}
	hop_data(k->h, t->body, 0, spool_size(t->body), t->until_ms);
}

/* Is it to be known yet who goes where? In SMTP also who is taken: there is
 * one answer for all. */
static bool is_asking(const struct txn *t)
{
	const struct txn_hop *k;
	size_t i;

	for (i = 0; i < t->rcpts; i++)
		if (t->rcpt[i]->state == RCPT_ROUTING)
			return true;
	for (k = t->hop; k != NULL && !txn_has_lmtp(t); k = k->next)
		if (!k->is_closed && k->asked > 0)
			return true;
	return false;
}

static bool is_open(const struct txn_rcpt *r)
{
	return r->state == RCPT_TAKEN || r->state == RCPT_LATER;
}

static void fail_all(struct txn *t, int code, const char *enhanced,
    const char *text)
{
	struct txn_hop *k;
	size_t i;

	for (i = 0; i < t->rcpts; i++)
		if (is_open(t->rcpt[i]))
			txn_done_with(t->rcpt[i], code, enhanced, text);
	for (k = t->hop; k != NULL; k = k->next) {
		k->taken = 0;
		txn_hop_free(k);
	}
}

/* In SMTP, and nothing was sent yet: some would get it now and once more when
 * it comes again, as somebody was not taken any more. The ledger would know. */
static bool is_split(const struct txn *t)
{
	bool has_lost = false, has_more = false;
	size_t i;

	for (i = 0; i < t->rcpts && !txn_has_lmtp(t); i++) {
		const struct txn_rcpt *r = t->rcpt[i];

		if (r->state == RCPT_SENDING || r->has_key)
			return false;
		has_more |= r->state == RCPT_TAKEN;
		has_lost |= r->state == RCPT_DONE;
	}
	return has_lost && has_more;
}

void txn_advance(struct txn *t)
{
	bool waits = is_asking(t);
	struct txn_hop *k;

	if (t->is_free)
		return;
	if (!waits && is_split(t))
		fail_all(t, 451, "4.3.0", SOME_TAKEN);
	for (k = t->hop; k != NULL; k = k->next) {
		if (k->is_closed || k->asked > 0 || waits)
			continue;
		if (k->taken > 0)
			start_hop(k);
		else
			txn_hop_free(k);
	}
	if (txn_has_lmtp(t))
		answer_in_order(t);
	else
		answer_once(t);
}

void txn_on_result(void *hop, size_t at_hop, const struct hop_reply *got)
{
	struct txn_hop *k = hop;
	struct txn *t = k->t;
	struct txn_rcpt *r = txn_rcpt_at(k, at_hop);
	bool is_orphan;

	if (r == NULL || r->state != RCPT_SENDING)
		return;
	t->is_busy = true;
	k->owed--;
	txn_reply_take(&r->reply, got);
	r->was_taken = r->reply.code / 100 == 2;
	is_orphan = t->is_free && r->was_taken;
	if (is_orphan) { /* before it is said: others may hear it at once */
		relay_stats_add(t->w->stats, COUNT_ORPHANS);
		to_ledger(r);
	}
	txn_log(r, is_orphan ? "accepted-orphan" : NULL, got);
	txn_done(r);
	if (k->owed == 0)
		txn_hop_free(k);
	txn_advance(t);
	t->is_busy = false;
	txn_settle(t);
}

/* ---- time ---- */

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	static const struct hop_reply unknown = { .state = HOP_UNKNOWN };
	struct txn *t = arg;
	struct txn_hop *k;
	size_t i;

	(void)fd;
	(void)what;
	t->is_busy = true;
	for (i = 0; i < t->rcpts; i++) {
		struct txn_rcpt *r = t->rcpt[i];

		if (r->state == RCPT_SENDING) {
			txn_reply_take(&r->reply, &unknown);
			txn_log(r, NULL, &unknown);
			txn_done(r);
		} else if (r->state < RCPT_REFUSED) {
			txn_done_with(r, 451, "4.4.1", "No time was left for "
			    "the next hop");
		}
	}
	for (k = t->hop; k != NULL; k = k->next) {
		k->owed = k->asked = 0;
		txn_hop_free(k);
	}
	txn_advance(t);
	t->is_busy = false;
	txn_settle(t);
}

static int start_timer(struct txn *t, struct err *e)
{
	int64_t ms = t->l->protocol == RELAY_SUBMISSION ? PEOPLE_MS : MTA_MS;
	struct timeval tv;

	t->until_ms = clock_ms() + ms;
	ms += GRACE_MS;
	tv.tv_sec = ms / 1000;
	tv.tv_usec = ms % 1000 * 1000;
	t->timer = evtimer_new(t->w->base, on_time, t);
	if (t->timer == NULL || evtimer_add(t->timer, &tv) != 0)
		return err_set(e, FAIL_TEMP, "timer: out of memory");
	return 0;
}

/* ---- the end of the data ---- */

/* What no hop needs to see; true: it was answered. */
static bool is_refused(struct txn *t)
{
	struct err e = { 0 };

	if (t->is_large)
		fail_all(t, 552, "5.3.4", "Message too large");
	else if (t->has_failed)
		fail_all(t, 452, "4.3.1", "No room for the message");
	else if (t->header.received > RECEIVED_MAX)
		fail_all(t, 554, "5.4.6", "Mail loop: too many Received "
		    "fields");
	else if (start_timer(t, &e) != 0)
		fail_all(t, 451, "4.3.0", "Local fault, please try again");
	else
		return false;
	return true;
}

/* Keys for all; without them the ledger is not asked, and not told. */
static void make_keys(struct txn *t)
{
	unsigned char message[32];
	struct err e = { 0 };
	size_t i;

	if (!t->l->ledger || t->w->ledger == NULL)
		return;
	if (txn_digest(t, message, &e) != 0) {
		log_err("event=no-ledger id=%s error=\"%s\"", t->id, e.msg);
		return;
	}
	for (i = 0; i < t->rcpts; i++) {
		struct txn_rcpt *r = t->rcpt[i];

		ledger_key(r->key, t->l->name, t->from_addr, r->addr,
		    message);
		r->has_key = true;
	}
}

/* Was this message taken for r before? Then r needs no hop. */
static bool is_hit(struct txn_rcpt *r)
{
	if (!r->has_key || !ledger_take(r->t->w->ledger, r->key,
	    (int64_t)time(NULL)))
		return false;
	if (r->state == RCPT_TAKEN)
		r->hop->is_closed = true; /* it must not send to r */
	/* the client may go before he hears it, once more */
	r->was_taken = true;
	txn_reply_set(&r->reply, 250, "2.0.0", "Taken by the next hop when "
	    "it came before");
	txn_log(r, "ledger", NULL);
	txn_done(r);
	return true;
}

static void decide(struct txn_rcpt *r)
{
	struct txn *t = r->t;

	if (!is_open(r))
		return;
	if (r->state == RCPT_TAKEN) {
		if (r->hop->is_closed) /* begins anew without the others */
			txn_route(r, r->tls_optional);
	} else if (header_watch_no_tls(&t->header)) {
		txn_route(r, true);
	} else {
		txn_log(r, NULL, NULL);
		txn_done(r);
	}
}

void txn_end(struct txn *t)
{
	struct txn_hop *k;
	size_t i;

	t->is_busy = true;
	t->has_ended = true;
	relay_stats_add(t->w->stats, COUNT_MESSAGES_IN);
	header_watch_put(&t->header, view_of("\r\n\r\n"));
	if (!is_refused(t)) {
		make_keys(t);
		for (i = 0; i < t->rcpts; i++) {
			t->rcpt[i]->again = true;
			if (is_open(t->rcpt[i]))
				(void)is_hit(t->rcpt[i]);
		}
		for (i = 0; i < t->rcpts; i++)
			decide(t->rcpt[i]);
		for (k = t->hop; k != NULL; k = k->next) {
			if (k->is_closed || k->taken == 0)
				txn_hop_free(k);
			else if (txn_has_lmtp(t))
				start_hop(k);
		}
	}
	txn_advance(t);
	t->is_busy = false;
	txn_settle(t);
}

void txn_free(struct txn **tp, bool is_unheard)
{
	struct txn *t = *tp;
	size_t i;

	*tp = NULL;
	if (t == NULL)
		return;
	for (i = 0; is_unheard && i < t->rcpts; i++)
		if (t->rcpt[i]->state == RCPT_DONE)
			to_ledger(t->rcpt[i]);
	t->is_free = true;
	txn_settle(t);
}
