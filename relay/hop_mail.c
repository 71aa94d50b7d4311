/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What is said to a connection that is ready: the envelope as it comes, again
 * where another connection was lost before the dot; the message; and what the
 * answers mean.
 */
#include "relay/hop_int.h"

#include <event2/event.h>
#include <string.h>

#include "util/clock.h"

#define PIECE 32768
#define AHEAD 65536 /* octets that wait to be sent */

/* ---- the envelope ---- */

static bool is_wanted(const struct hop_rcpt *r)
{
	return !r->has_reply || (hop_is_taken(r) && !r->has_result);
}

static void no_longer(struct hop_rcpt *r, const struct hop_reply *why)
{
	if (!r->has_reply) {
		r->has_reply = true;
		r->reply = *why;
	} else {
		r->has_result = true;
		r->result = *why;
	}
}

static unsigned rcpts_sent(const struct hop *h)
{
	unsigned n = 0;

	for (size_t i = 0; i < h->rcpts; i++)
		n += h->rcpt[i].is_sent || h->rcpt[i].is_taken;
	return n;
}

void hop_send_rcpt(struct hop *h, size_t i)
{
	struct hop_rcpt *r = &h->rcpt[i];
	const struct smtp_sender_rcpt to = {r->path, r->notify, r->orcpt, i};
	const struct smtp_offers *o = smtp_sender_offers(h->link->smtp);
	struct hop_reply why;
	struct err e = {0};

	if (o->rcpt_max > 0 && rcpts_sent(h) >= o->rcpt_max) {
		hop_say(&why, 452, "4.5.3", "too many recipients for the next "
		    "hop");
		no_longer(r, &why);
	} else if (smtp_sender_rcpt(h->link->smtp, &to, &e) == 0) {
		r->is_sent = true;
	} else {
		hop_say(&why, 553, "5.1.3", e.msg);
		no_longer(r, &why);
	}
	hop_tell_soon(h);
}

void hop_ready(struct hop *h)
{
	const struct hop_envelope *env = &h->env;
	uint64_t size = h->has_data ? h->size : env->size;
	const struct smtp_sender_mail m = {env->from, env->ret, env->envid,
	    env->auth, env->utf8, env->is_8bit, env->require_tls,
	    size > 0 ? size + HOP_OVERHEAD : 0};
	struct hop_reply why;
	struct err e = {0};

	h->at = HOP_ENVELOPE;
	h->link->is_ready = true;
	h->has_tls = h->link->is_tls;
	h->got = h->link->got;
	pool_rested(h->hops, &h->link->key);
	if (smtp_sender_mail(h->link->smtp, &m, &e) != 0) {
		hop_say(&why, 553, "5.1.7", e.msg);
		hop_let_go(h, true);
		hop_over(h, &why);
		return;
	}
	for (size_t i = 0; i < h->rcpts; i++) {
		h->rcpt[i].is_sent = h->rcpt[i].is_taken = false;
		h->rcpt[i].is_answered = false;
		if (is_wanted(&h->rcpt[i]))
			hop_send_rcpt(h, i);
	}
	link_flush(h->link, HOP_COMMAND_MS);
}

/* Are all answers to RCPT there, and is somebody left to send it to? */
static bool has_all_replies(const struct hop *h, bool *somebody)
{
	*somebody = false;
	for (size_t i = 0; i < h->rcpts; i++) {
		if (h->rcpt[i].is_sent || !h->rcpt[i].has_reply)
			return false;
		*somebody = *somebody || h->rcpt[i].is_taken;
	}
	return true;
}

static void end_with(struct hop *h, const struct hop_reply *r)
{
	hop_let_go(h, false);
	hop_over(h, r);
}

void hop_step(struct hop *h)
{
	struct hop_reply none;
	bool somebody;

	if (h->at != HOP_ENVELOPE || !h->has_data ||
	    !has_all_replies(h, &somebody))
		return;
	if (somebody) {
		h->at = HOP_DATA;
		smtp_sender_data(h->link->smtp);
		link_flush(h->link, HOP_COMMAND_MS);
		return;
	}
	hop_say(&none, 451, "4.4.2", "no recipient is left");
	end_with(h, &none);
}

/* It ends in the middle; another host may take it. */
static void on_421(struct hop *h, const struct smtp_reply *theirs)
{
	struct hop_failure f = {.rank = RANK_LOST};

	hop_answer(&f.r, h, theirs);
	link_free(&h->link);
	h->since_ms = clock_ms();
	hop_host_failed(h, &f);
}

static void on_rcpt(struct hop *h, size_t i, const struct smtp_reply *theirs)
{
	struct hop_rcpt *r = &h->rcpt[i];
	struct hop_reply answer;

	hop_answer(&answer, h, theirs);
	r->is_sent = false;
	r->is_taken = answer.reply.code / 100 == 2;
	if (!r->has_reply) {
		r->has_reply = true;
		r->reply = answer;
	} else if (!r->is_taken) {
		/* it was taken before, and our client was told so */
		hop_say(&answer, 451, "4.4.2", "the next hop was lost, and "
		    "then did not take this recipient again");
		r->has_result = true;
		r->result = answer;
	}
	hop_tell_soon(h);
}

/* ---- the message ---- */

static int pump_piece(struct hop *h, struct buf *out, struct err *e)
{
	uint64_t left = h->size - h->done;
	unsigned char p[PIECE];
	size_t want = left < PIECE ? (size_t)left : PIECE, got;

	if (spool_read(h->s, h->off + h->done, p, want, &got, e) != 0)
		return -1;
	if (got == 0)
		return err_set(e, FAIL_BUG, "a message ends before its size");
	if (smtp_stuff_put(&h->stuff, view_make(p, got), out, e) != 0)
		return -1;
	h->done += got;
	return 0;
}

static void finish_data(struct hop *h)
{
	int64_t now = clock_ms(), at = now + HOP_END_MS;
	struct buf end;

	buf_init(&end, 8);
	smtp_stuff_end(&h->stuff, &end);
	conn_write(h->link->conn, buf_view(&end));
	buf_free(&end);
	smtp_sender_dot(h->link->smtp);
	h->at = HOP_END;
	link_flush(h->link, HOP_END_MS + HOP_LATE_MS);
	if (h->until_ms != 0 && h->until_ms < at)
		at = h->until_ms > now ? h->until_ms : now;
	hop_start_timer(h, at - now);
}

void hop_pump(struct hop *h)
{
	struct hop_reply why;
	struct buf out;
	struct err e = {0};
	size_t most = 8;
	int rc = 0;

	buf_init(&out, 2 * PIECE + 8);
	while (rc == 0 && h->done < h->size && most-- > 0 &&
	    conn_waiting(h->link->conn) < AHEAD) {
		buf_clear(&out);
		rc = pump_piece(h, &out, &e);
		if (rc == 0 && h->done < h->size)
			conn_write(h->link->conn, buf_view(&out));
		else if (rc == 0) /* with the dot */
			conn_gather(h->link->conn, buf_view(&out));
	}
	buf_free(&out);
	if (rc != 0) {
		/* no dot: it takes nothing */
		hop_say(&why, 451, "4.3.0", "the message could not be read");
		link_free(&h->link);
		hop_over(h, &why);
	} else if (h->done == h->size) {
		finish_data(h);
	} else {
		conn_deadline(h->link->conn, clock_ms() + HOP_BLOCK_MS);
	}
}

static void on_data(struct hop *h, const struct smtp_reply *theirs)
{
	struct hop_reply r;

	if (theirs->code == 354) {
		h->at = HOP_BODY;
		h->done = 0;
		smtp_stuff_init(&h->stuff);
		hop_pump(h);
		return;
	}
	if (theirs->code < 400)
		hop_say(&r, 451, "4.5.0", "the next hop's answer to DATA "
		    "makes no sense");
	else
		hop_answer(&r, h, theirs);
	end_with(h, &r);
}

/* An answer while the message is sent, which has no end yet. */
static void on_early(struct hop *h, const struct smtp_reply *theirs)
{
	struct hop_reply r;

	if (theirs->code < 400)
		hop_say(&r, 451, "4.5.0", "the next hop answered before the "
		    "end of the message");
	else
		hop_answer(&r, h, theirs);
	link_free(&h->link);
	hop_over(h, &r);
}

static bool has_all_answers(const struct hop *h)
{
	for (size_t i = 0; i < h->rcpts; i++)
		if (h->rcpt[i].is_taken && !h->rcpt[i].is_answered)
			return false;
	return true;
}

static void on_answer(struct hop *h, size_t only,
    const struct smtp_reply *theirs)
{
	bool is_lmtp = h->route->lmtp;
	struct hop_reply r;

	if (theirs->code < 400 && theirs->code / 100 != 2)
		hop_unknown(&r, "the next hop's answer makes no sense");
	else
		hop_answer(&r, h, theirs);
	if (theirs->code / 100 == 4 || theirs->code / 100 == 5)
		r.state = HOP_ANSWERED;
	for (size_t i = 0; i < h->rcpts; i++) {
		if (!h->rcpt[i].is_taken || (is_lmtp && i != only))
			continue;
		h->rcpt[i].is_answered = true;
		hop_result(h, &h->rcpt[i], &r);
	}
	if (!has_all_answers(h) && theirs->code != 421)
		return;
	if (!has_all_answers(h))
		hop_unknown(&r, "the next hop ended the connection");
	hop_let_go(h, is_lmtp || theirs->code / 100 == 2);
	hop_over(h, &r);
}

/* ---- the connection's news ---- */

static void on_mail(struct hop *h, const struct smtp_reply *theirs)
{
	struct hop_reply r;

	if (theirs->code / 100 == 2)
		return;
	hop_answer(&r, h, theirs);
	end_with(h, &r);
}

static void on_reply(struct hop *h, const struct sender_news *n)
{
	switch (n->to) {
	case SENDER_MAIL:
		on_mail(h, &n->reply);
		break;
	case SENDER_RCPT:
		on_rcpt(h, n->rcpt, &n->reply);
		break;
	case SENDER_DATA:
		on_data(h, &n->reply);
		break;
	case SENDER_END:
		/* nobody has taken what is not sent yet */
		if (conn_waiting(h->link->conn) > 0)
			on_early(h, &n->reply);
		else
			on_answer(h, n->rcpt, &n->reply);
		break;
	case SENDER_BODY:
		on_early(h, &n->reply);
		break;
	default:
		break;
	}
}

void hop_news(struct hop *h, const struct sender_news *n)
{
	struct hop_link *l = h->link;

	if (n->to == SENDER_NOTHING) {
		link_free(&h->link);
		hop_lost(h, true, true, n->reply.text);
		return;
	}
	if (n->reply.code == 421 && h->at <= HOP_DATA) {
		on_421(h, &n->reply);
		return;
	}
	on_reply(h, n);
	if (h->link != l || h->at > HOP_DATA)
		return;
	hop_step(h);
	if (h->link == l)
		link_flush(l, HOP_COMMAND_MS);
}

/* The connection is gone. Before the dot the message is nobody's; after it
 * only the next hop knows (RFC 1047). */
void hop_lost(struct hop *h, bool had_reply, bool had_dot, const char *why)
{
	struct hop_failure f = {.rank = RANK_LOST};
	struct hop_reply r;
	char where[400];
	struct err e;

	err_set(&e, FAIL_TEMP, "%s was lost: %.200s", hop_where(where,
	    sizeof(where), hop_here(h)), why);
	if (h->at == HOP_END && had_dot) {
		hop_unknown(&r, e.msg);
		hop_over(h, &r);
		return;
	}
	h->since_ms = clock_ms();
	if (!had_reply || h->tries < HOP_TRIES) {
		hop_reach(h);
		return;
	}
	hop_say(&f.r, 451, "4.4.2", e.msg);
	hop_host_failed(h, &f);
}
