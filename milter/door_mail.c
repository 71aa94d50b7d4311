/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A message at a door: collected with a Received field of ours on top (RFC
 * 5321 4.4), decided about, handed to the next hop, answered. At an LMTP door
 * each recipient is a transaction of its own, so that what one of them may
 * read or must be refused is no other's business (S203).
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/reply.h"
#include "util/clock.h"
#include "milter/door_int.h"
#include "milter/reinject.h"
#include "util/log.h"
#include "util/when.h"

#define HOPS_MAX 100 /* RFC 5321 6.3 */
/* From the end of a message to the last of its answers; recipients whose turn
 * does not come are told to come again. */
#define ALL_MS 540000
#define HOP_MS 300000 /* for the next hop */
#define TICK_MS 30000

static void set_reply(struct smtp_reply *r, int code, const char *enhanced,
    const char *text)
{
	r->code = code;
	text_set(r->enhanced, sizeof(r->enhanced), enhanced);
	text_set(r->text, sizeof(r->text), text);
}

static void set_delivered(struct smtp_reply *r, const char *id)
{
	struct buf b;

	buf_init(&b, 100);
	buf_printf(&b, "Taken by the next hop (id %s)", id);
	set_reply(r, 250, "2.0.0", buf_str(&b));
	buf_free(&b);
}

/* ---- collecting ---- */

void hop_count_put(struct hop_count *h, struct view v)
{
	static const char name[] = "received:";
	size_t i;

	for (i = 0; i < v.n && !h->is_over; i++) {
		unsigned char c = v.p[i];

		if (c == '\n') {
			h->is_over = h->octets == 0 && !h->is_other;
			h->octets = 0;
			h->is_other = false;
			continue;
		}
		if (c == '\r' || h->is_other)
			continue;
		h->is_other = (c >= 'A' && c <= 'Z' ? c + 32 : c) !=
		    name[h->octets];
		if (!h->is_other && name[++h->octets] == '\0') {
			h->n++;
			h->is_other = true;
		}
	}
}

/* What a client calls itself, as far as it is a name or an address. */
static void put_name(struct buf *b, const char *raw)
{
	size_t n = strspn(raw, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]_");

	buf_puts(b, raw[n] == '\0' && n > 0 ? raw : "unknown");
}

/* RFC 3848, RFC 6531 4.3 */
static const char *protocol(const struct door_conn *c)
{
	bool utf8 = smtp_server_mail(c->s)->utf8;

	if (c->d->lmtp)
		return utf8 ? "UTF8LMTP" : "LMTP";
	if (!smtp_server_is_esmtp(c->s))
		return "SMTP";
	return utf8 ? "UTF8SMTP" : "ESMTP";
}

static void put_received(struct door_conn *c)
{
	char date[WHEN_SIZE];
	struct buf b;

	buf_init(&b, 2048);
	buf_puts(&b, "Received: from ");
	put_name(&b, smtp_server_helo(c->s));
	if (c->peer[0] == '\0')
		buf_puts(&b, " (local)");
	else
		buf_printf(&b, " ([%s%s])", strchr(c->peer, ':') == NULL ?
		    "" : "IPv6:", c->peer);
	buf_printf(&b, "\r\n\tby %s (postseal) with %s id %s;\r\n\t%s\r\n",
	    c->own_name, protocol(c), c->id, when_mail(date,
	    (int64_t)time(NULL)));
	txn_put_body(&c->txn, b.p, b.failed ? 0 : b.n);
	buf_free(&b);
}

/* The envelope of MAIL as libmilter would give it. */
static void begin_txn(struct door_conn *c, const struct smtp_server_mail *m)
{
	char utf8[] = "SMTPUTF8", tls[] = "REQUIRETLS";
	char *argv[6] = { m->from };
	size_t n = 1;

	if (m->ret != NULL)
		argv[n++] = m->ret;
	if (m->envid != NULL)
		argv[n++] = m->envid;
	if (m->utf8)
		argv[n++] = utf8;
	if (m->require_tls)
		argv[n++] = tls;
	txn_begin(&c->txn, argv, pool_max_message(c->f->pool));
}

/* The MTA in front has checked that the sender is the login. */
static void set_login(struct door_conn *c, const char *from)
{
	char login[1024];
	size_t n = strlen(from);

	if (c->d->login_envelope_from && n > 2 && n < sizeof(login) &&
	    view_cstr(view_make(from + 1, n - 2), login, sizeof(login)) == 0)
		txn_set_login(&c->txn, login);
}

void door_mail_begin(struct door_conn *c)
{
	const struct smtp_server_mail *m = smtp_server_mail(c->s);
	size_t i;

	verdict_new_id(c->id);
	begin_txn(c, m);
	for (i = 0; i < m->rcpts; i++) {
		char *argv[3] = { m->rcpt[i].notify, m->rcpt[i].orcpt };

		txn_add_rcpt(&c->txn, m->rcpt[i].path);
		if (argv[0] == NULL) {
			argv[0] = argv[1];
			argv[1] = NULL;
		}
		txn_add_params(&c->txn, argv);
	}
	txn_set_queue_id(&c->txn, m->forward.ident);
	set_login(c, m->from);
	memset(&c->hops, 0, sizeof(c->hops));
	put_received(c);
}

void door_mail_put(struct door_conn *c, struct view v)
{
	if (!c->hops.is_over)
		hop_count_put(&c->hops, v);
	txn_put_body(&c->txn, v.p, v.n);
}

/* ---- one transaction of the pipeline ---- */

struct run {
	const struct door_conn *c;
	char id[20];
	struct txn txn; /* of the connection, but these recipients alone */
	struct envelope env;
	struct answer a;
};

static void tick(void *arg)
{
	(void)arg;
}

static void init_run(struct run *r, const struct door_conn *c, size_t first,
    size_t n)
{
	const struct smtp_forward *f = &smtp_server_mail(c->s)->forward;
	struct pool_copies now;

	memset(r, 0, sizeof(*r));
	r->c = c;
	memcpy(r->id, c->id, sizeof(r->id));
	if (first > 0) {
		verdict_new_id(r->id);
		log_info("id=%s of=%s", r->id, c->id);
	}
	r->txn = c->txn;
	r->txn.rcpt += first;
	r->txn.param += first;
	r->txn.rcpts = n;
	answer_init(&r->a);
	/* who connects to us is the MTA: its own client may be named */
	txn_envelope(&r->txn, r->id, f->addr[0] == '\0' ? NULL : f->addr,
	    &r->env);
	pool_copies(c->f->pool, &c->f->copies, &now);
	r->env.side = c->d->side == DOOR_INBOUND ? DIR_INBOUND :
	    DIR_OUTBOUND;
	r->env.whole = true;
	r->env.can_split = !c->d->lmtp;
	r->env.can_hold = now.can_hold;
	r->env.can_tls = r->c->d->tls_route != NULL;
	r->env.observe = c->d->observe;
}

/* Whoever gets what the worker made of the message itself is one more group
 * with a copy: so all of it is in the journal, and sent one way. */
static int add_here(struct answer *a, const struct txn *t)
{
	struct answer_copy *more = reallocarray(a->copy, a->copies + 1,
	    sizeof(*more));
	struct copy *c;
	size_t i;

	if (more == NULL)
		return -1;
	a->copy = more;
	if (a->copies == 0) {
		a->group = calloc(t->rcpts, sizeof(*a->group));
		if (a->group == NULL)
			return -1;
		a->groups = t->rcpts;
		for (i = 0; i < a->groups; i++)
			a->group[i] = 1;
		a->here = 1;
	}
	memset(&more[a->copies], 0, sizeof(more[0]));
	c = &more[a->copies++].copy;
	c->kind = COPY_SENT;
	c->group = a->here;
	c->off = a->body_at;
	c->size = spool_size(a->body) - a->body_at;
	c->ret_hdrs = a->ret_hdrs;
	a->here = 0;
	return 0;
}

/* A message whose header nobody could read is like no other, not even itself
 * when it comes again. */
static int identify(struct run *r, struct err *e)
{
	static const unsigned char unknown[sizeof(r->a.content)];

	if (memcmp(r->a.content, unknown, sizeof(unknown)) != 0)
		return 0;
	r->a.has_message_id = false;
	return poison_hash(r->txn.msg, r->a.content, e);
}

/* The answer owns what it holds, and the message may be needed again. */
static int use_message(struct run *r, struct err *e)
{
	int fd;

	if (spool_fd(r->txn.msg, &fd, e) != 0)
		return -1;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return err_sys(e, FAIL_TEMP, "message");
	return spool_from_fd(&r->a.body, fd, UINT64_MAX, e);
}

/* Nobody is left who gets it another way than by a copy. */
static int prepare_copies(struct run *r, struct err *e)
{
	struct answer *a = &r->a;

	if (a->copies > 0 && a->here == 0)
		return 0;
	if (a->body == NULL && use_message(r, e) != 0)
		return -1;
	if (identify(r, e) != 0)
		return -1;
	/* our Received is in it at least */
	if (a->body_at >= spool_size(a->body))
		return err_set(e, FAIL_BUG, "a message without an octet");
	return add_here(a, &r->txn) == 0 ? 0 :
	    err_set(e, FAIL_TEMP, "copies: out of memory");
}

static void send_all(struct run *r)
{
	struct reinject x = { &r->c->f->requests, r->c->f->stats,
		r->c->d->next_hop, r->c->d->tls_route, &r->env, &r->txn,
		{ clock_ms() + HOP_MS, TICK_MS, tick, NULL } };
	struct err e = { 0 };

	if (prepare_copies(r, &e) != 0) {
		log_err("id=%s event=not-passed-on door=%s error=\"%s\"",
		    r->id, r->c->d->name, e.msg);
		answer_reply(&r->a, &r->env, REPLY_INTERNAL, NULL);
	} else if (reinject_copies(&x, &r->a) != 0) {
		stats_add(&x.stats->copies_failed);
	}
}

/* Carry it out, unless it is a reply already. */
static void carry_out(struct run *r)
{
	struct answer *a = &r->a;

	if (a->code != 0)
		return;
	if (a->action == ACT_QUARANTINED && a->copies == 0)
		answer_refuse(a, &r->env, 451, "4.7.1", "It must wait for "
		    "somebody to decide, and there is no quarantine { } here");
	else if (a->edits > 0)
		answer_reply(a, &r->env, REPLY_INTERNAL, NULL);
	else
		send_all(r);
}

static void run_one(struct door_conn *c, size_t first, size_t n,
    struct smtp_reply *reply)
{
	int64_t start = clock_us();
	struct run r;

	init_run(&r, c, first, n);
	front_run(c->f, &r.env, &r.txn, tick, NULL, &r.a);
	/* what was only looked at must arrive all the same: from here on a
	 * failure is one */
	r.env.observe = false;
	carry_out(&r);
	if (r.a.code != 0)
		set_reply(reply, r.a.code, r.a.enhanced, r.a.text);
	else
		set_delivered(reply, r.id);
	log_info("id=%s event=answered door=%s code=%d enhanced=%s", r.id,
	    c->d->name, reply->code, reply->enhanced);
	front_report(c->f, &r.env, &r.a, start);
	answer_free(&r.a);
}

/* ---- the answers ---- */

/* What ends it before anybody looks at it; false: nothing. */
static bool is_refused(const struct door_conn *c, struct smtp_reply *r)
{
	if (c->txn.fault == TXN_RECIPIENTS) {
		set_reply(r, 452, "4.5.3", "Too many recipients");
	} else if (c->txn.fault != TXN_OK) {
		log_err("id=%s error=\"%s\"", c->id, c->txn.why.msg);
		set_reply(r, 451, "4.3.0", "Internal fault, please try "
		    "again");
	} else if (c->txn.is_cut) {
		log_warn("id=%s event=too-large door=%s", c->id, c->d->name);
		set_reply(r, 552, "5.3.4", "Message too large");
	} else if (c->hops.n > HOPS_MAX) {
		log_warn("id=%s event=loop door=%s received=%u", c->id,
		    c->d->name, c->hops.n);
		set_reply(r, 554, "5.4.6", "Mail loop: too many Received "
		    "fields");
	} else {
		return false;
	}
	return true;
}

void door_mail_finish(struct door_conn *c)
{
	size_t n = smtp_server_mail(c->s)->rcpts;
	size_t each = c->d->lmtp ? 1 : n, i;
	int64_t until = clock_ms() + ALL_MS;
	bool is_there = true;
	struct smtp_reply r;

	for (i = 0; i < n; i += each) {
		memset(&r, 0, sizeof(r));
		if (!is_refused(c, &r)) {
			/* who does not hear the answer asks again */
			if (is_there && door_is_there(c) &&
			    clock_ms() < until)
				run_one(c, i, each, &r);
			else
				set_reply(&r, 451, "4.4.5", "Too busy, "
				    "please try again");
		}
		smtp_server_answer(c->s, r.code, r.enhanced, r.text);
		is_there = is_there && door_flush(c);
	}
	txn_reset(&c->txn);
}
