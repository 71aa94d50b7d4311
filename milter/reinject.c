/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One copy after the other: ask the journal, send, note. Whatever fails
 * leaves the message with its client, who tries again; then those who have
 * theirs are passed over.
 */
#include "milter/reinject.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/reply.h"
#include "util/clock.h"
#include "milter/poison.h"
#include "smtp/hop.h"
#include "util/log.h"
#include "util/ossl.h"

#define OUR_NAME "localhost"
#define KEY_MAX 8192 /* octets that a key is made of */

struct work {
	const struct reinject *r;
	struct answer *a;
	struct store_line line;
	unsigned char body[32]; /* of the message that came */
	/* of every recipient of the message */
	unsigned char *key;
	unsigned char *said; /* enum store_said */
	char **path;	     /* as an SMTP command has it; owned */
	char *from;	     /* the same */
	bool is_known; /* somebody has, or had before, something of it */
	/* of the copy at hand: whom it goes to */
	const struct answer_copy *copy;
	const char *spec; /* where it goes */
	size_t *who;
	unsigned char *who_key;
	struct smtp_rcpt *to;
	size_t n;
	bool lmtp;
};

/* ---- replies ---- */

/* A reply for good only while nobody has anything; else the client's bounce
 * would say that mail failed which did not. */
static int refuse(struct work *w, int code, const char *enhanced,
    const char *text)
{
	const struct envelope *env = w->r->env;

	if (w->is_known && code >= 500) {
		log_err("id=%s qid=%s event=partly-sent reply=%d next-hop=%s "
		    "reason=\"some recipients have their copy, others cannot "
		    "get it; the client keeps trying\"", env->id,
		    env->queue_id == NULL ? "-" : env->queue_id, code,
		    w->spec);
		code = 451;
		enhanced = "4.3.0";
	}
	answer_refuse(w->a, env, code, enhanced, text);
	return -1;
}

static int later(struct work *w, const struct err *e)
{
	char line[600];
	size_t n = log_value(line, sizeof(line), 0, "error", e->msg);

	log_err("id=%s event=not-passed-on next-hop=%s %.*s", w->r->env->id,
	    w->spec, (int)n, line);
	return refuse(w, 451, "4.3.0", "The message cannot be passed on now, "
	    "please try again");
}

/* What is wrong with us, with the conversation or with the next hop itself
 * must not come back to the sender for good: it says nothing of the mail. */
static int code_for_client(const struct smtp_reply *r, bool is_turned_away)
{
	static const int other[] = { 421, 500, 502, 503, 530 };

	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		if (r->code == other[i])
			return 451;
	if (r->code < 400 || r->code > 599 ||
	    (r->code >= 500 && is_turned_away))
		return 451;
	return r->code;
}

/* What the next hop said, in its words. */
static int refused_by_hop(struct work *w, const struct smtp_reply *r,
    bool is_turned_away)
{
	struct buf b;
	int code = code_for_client(r, is_turned_away);
	const char *enhanced = r->enhanced;

	log_err("id=%s event=not-passed-on next-hop=%s reply=\"%d %s %s\"",
	    w->r->env->id, w->spec, r->code, r->enhanced, r->text);
	if (enhanced[0] == '\0' || enhanced[0] != '0' + code / 100)
		enhanced = code >= 500 ? "5.3.0" : "4.3.0";
	buf_init(&b, 800);
	buf_printf(&b, "The next mail server said: %s", r->text);
	(void)refuse(w, code, enhanced, buf_str(&b));
	buf_free(&b);
	return -1;
}

/* ---- who ---- */

/*
 * What the worker calls the message by is what it wants to. With a hash that
 * we made, too, one that was taken over cannot have other mail passed over
 * but such as has this body, this sender and these recipients.
 */
static int hash_body(struct work *w, struct err *e)
{
	const struct spool *msg = w->r->txn->msg;
	char *p = malloc(CAP_HEADER_SECTION);
	uint64_t at = spool_size(msg);
	const char *end;
	size_t n;
	int rc = -1;

	if (p == NULL)
		return err_set(e, FAIL_TEMP, "copies: out of memory");
	if (spool_read(msg, 0, p, CAP_HEADER_SECTION, &n, e) == 0) {
		end = memmem(p, n, "\r\n\r\n", 4);
		if (end != NULL)
			at = (uint64_t)(end - p) + 4;
		rc = poison_hash_from(msg, at, w->body, e);
	}
	free(p);
	return rc;
}

static int make_key(const struct work *w, size_t i, struct err *e)
{
	const struct txn *t = w->r->txn;
	struct buf b;
	int rc;

	buf_init(&b, KEY_MAX);
	buf_put(&b, w->a->content, sizeof(w->a->content));
	buf_put(&b, w->body, sizeof(w->body));
	/* what went out by one door may come in by another */
	buf_putc(&b, w->r->env->side);
	buf_puts(&b, t->mail_from);
	buf_putc(&b, '\0');
	buf_puts(&b, t->rcpt[i]);
	rc = buf_ok(&b, e);
	if (rc == 0)
		ossl_sha256(b.p, b.n, w->key + i * JOURNAL_KEY);
	buf_free(&b);
	return rc;
}

/* Of the message, whoever gets it. */
static int make_whole(struct work *w, struct err *e)
{
	struct buf b;
	int rc;

	buf_init(&b, KEY_MAX);
	buf_put(&b, w->a->content, sizeof(w->a->content));
	buf_puts(&b, w->r->txn->mail_from);
	rc = buf_ok(&b, e);
	if (rc == 0)
		ossl_sha256(b.p, b.n, w->line.whole);
	buf_free(&b);
	return rc;
}

/* Some clients leave the brackets away, and some MTAs let them. */
static char *with_brackets(const char *raw)
{
	struct buf b;
	char *s;

	if (raw[0] == '<')
		return strdup(raw);
	buf_init(&b, KEY_MAX);
	buf_printf(&b, "<%s>", raw);
	s = b.failed ? NULL : view_strdup(buf_view(&b));
	buf_free(&b);
	return s;
}

static bool param_ok(const char *s)
{
	return s == NULL || smtp_param_ok(s);
}

/* What may not stand in a command is never sent (A47). */
static int check_paths(struct work *w)
{
	const struct txn *t = w->r->txn;

	if (!smtp_path_ok(w->from))
		return refuse(w, 553, "5.1.7", "The sender's address may not "
		    "stand in a command of SMTP");
	if (!param_ok(t->ret) || !param_ok(t->envid))
		return refuse(w, 501, "5.5.4", "A parameter of MAIL may not "
		    "stand in a command of SMTP");
	for (size_t i = 0; i < t->rcpts; i++) {
		if (w->a->group[i] == w->a->here)
			continue;
		if (!smtp_path_ok(w->path[i]))
			return refuse(w, 553, "5.1.3", "The address of a "
			    "recipient may not stand in a command of SMTP");
		if (!param_ok(t->param[i].notify) ||
		    !param_ok(t->param[i].orcpt))
			return refuse(w, 501, "5.5.4", "A parameter of RCPT "
			    "may not stand in a command of SMTP");
	}
	return 0;
}

/* ---- the journal ---- */

static int claim_all(struct work *w, struct err *e)
{
	struct store_keys all = { w->key, w->r->txn->rcpts };

	return store_line_claim(&w->line, &all, w->said, e);
}

static bool any_busy(const struct work *w)
{
	for (size_t i = 0; i < w->r->txn->rcpts; i++)
		if (w->said[i] == STORE_BUSY)
			return true;
	return false;
}

/* The same address twice is one recipient. */
static void note_has(struct work *w, size_t who)
{
	for (size_t i = 0; i < w->r->txn->rcpts; i++)
		if (memcmp(w->key + i * JOURNAL_KEY, w->key +
		    who * JOURNAL_KEY, JOURNAL_KEY) == 0)
			w->said[i] = STORE_HAS;
}

/* Those of a copy who do not have it. */
static void choose(struct work *w, const struct answer_copy *c)
{
	const struct txn *t = w->r->txn;

	w->copy = c;
	w->n = 0;
	w->spec = c->copy.by_tls ? w->r->tls_spec : w->r->spec;
	if (w->spec == NULL)
		w->spec = "";
	w->lmtp = strncmp(w->spec, "lmtp:", 5) == 0;
	for (size_t i = 0; i < t->rcpts; i++) {
		if (w->a->group[i] != c->copy.group ||
		    w->said[i] == STORE_HAS)
			continue;
		memset(&w->to[w->n], 0, sizeof(w->to[0]));
		w->to[w->n].path = w->path[i];
		w->to[w->n].notify = t->param[i].notify;
		w->to[w->n].orcpt = t->param[i].orcpt;
		w->who[w->n++] = i;
	}
}

/* Keys of the chosen whom want() names. */
static struct store_keys pick(struct work *w,
    bool (*want)(const struct smtp_rcpt *))
{
	struct store_keys k = { w->who_key, 0 };

	for (size_t i = 0; i < w->n; i++)
		if (want(&w->to[i]))
			memcpy(w->who_key + JOURNAL_KEY * k.n++, w->key +
			    w->who[i] * JOURNAL_KEY, JOURNAL_KEY);
	return k;
}

static bool is_any(const struct smtp_rcpt *to)
{
	(void)to;
	return true;
}

static bool is_taken(const struct smtp_rcpt *to)
{
	return to->reply.code / 100 == 2;
}

static bool has_it(const struct smtp_rcpt *to)
{
	return to->accepted;
}

static bool lacks_it(const struct smtp_rcpt *to)
{
	return !to->accepted;
}

/* Somebody began this before us and nobody knows how it ended (RFC 1047). */
static void say_duplicates(const struct work *w)
{
	const struct reinject *r = w->r;
	char line[600];
	size_t n;

	for (size_t i = 0; i < w->n; i++) {
		if (w->said[w->who[i]] != STORE_UNKNOWN ||
		    (w->copy->copy.kind == COPY_SENT && !is_taken(&w->to[i])))
			continue;
		n = log_value(line, sizeof(line), 0, "recipient",
		    w->to[i].path);
		log_warn("id=%s event=duplicate-possible next-hop=%s %.*s",
		    r->env->id, w->spec, (int)n, line);
		stats_add(&r->stats->duplicates_possible);
	}
}

/* ---- sending ---- */

static void tick(void *arg)
{
	const struct work *w = arg;

	w->r->wait.tick(w->r->wait.arg);
}

static int before_end(void *arg, int sock, struct err *e)
{
	struct work *w = arg;
	struct store_keys k = pick(w, is_taken);

	if (store_line_sent(&w->line, &k, w->lmtp, sock, e) != 0)
		return -1;
	say_duplicates(w);
	return 0;
}

/* Does what we send, or its header, go beyond ASCII? */
static int look_at(const struct work *w, bool *header, bool *any,
    struct err *e)
{
	const struct copy *c = &w->copy->copy;
	unsigned char last[3] = { 0, 0, 0 };
	bool in_header = true;
	struct spool_rd rd;
	struct view v;
	int rc;

	spool_rd_init(&rd, w->a->body, c->off, c->off + c->size);
	while ((rc = spool_next(&rd, &v, e)) == 0 && v.n > 0)
		for (size_t i = 0; i < v.n; i++) {
			if (v.p[i] >= 0x80) {
				*any = true;
				*header = *header || in_header;
			}
			if (v.p[i] == '\n' && last[0] == '\r' &&
			    last[1] == '\n' && last[2] == '\r')
				in_header = false;
			last[0] = last[1];
			last[1] = last[2];
			last[2] = v.p[i];
		}
	spool_rd_free(&rd);
	return rc;
}

static bool is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

/* SMTPUTF8 only where it is needed: a next hop without it would refuse what
 * it could take (M29). */
static int fill_mail(struct work *w, struct smtp_mail *m, struct err *e)
{
	static const char headers_only[] = "RET=HDRS";
	const struct txn *t = w->r->txn;
	bool beyond = false, any = false;

	if (look_at(w, &beyond, &any, e) != 0)
		return -1;
	beyond = beyond || !is_ascii(w->from);
	for (size_t i = 0; i < w->n; i++)
		beyond = beyond || !is_ascii(w->to[i].path);
	m->from = w->from;
	m->ret = w->copy->copy.ret_hdrs ? headers_only : t->ret;
	m->envid = t->envid;
	m->utf8 = t->utf8 && beyond;
	m->is_8bit = any;
	m->require_tls = t->require_tls;
	m->rcpt = w->to;
	m->rcpts = w->n;
	return 0;
}

/* What it needs is not offered, and will not be. */
static int lacks(struct work *w, const struct smtp_mail *m,
    const struct err *e)
{
	log_err("id=%s event=not-passed-on next-hop=%s error=\"%s\"",
	    w->r->env->id, w->spec, e->msg);
	if (m->require_tls)
		return refuse(w, 550, "5.7.30", "REQUIRETLS was asked for, and "
		    "the next mail server does not offer it");
	if (m->utf8)
		return refuse(w, 550, "5.6.7", "SMTPUTF8 is needed, and the "
		    "next mail server does not offer it");
	return refuse(w, 550, "5.6.3", "The next mail server does not offer "
	    "what the message needs");
}

/* The next hop told what became of each. */
static int note(struct work *w, const struct smtp_mail *m, struct err *e)
{
	struct store_keys k = pick(w, has_it);
	const struct smtp_reply *bad = &m->reply;

	if (k.n > 0) {
		w->is_known = true;
		if (store_line_done(&w->line, &k, e) != 0)
			log_err("id=%s event=journal-lost next-hop=%s "
			    "recipients=%zu error=\"%s\"", w->r->env->id,
			    w->spec, k.n, e->msg);
		err_clear(e);
	}
	for (size_t i = 0; i < w->n; i++) {
		if (w->to[i].accepted)
			note_has(w, w->who[i]);
		else if (w->to[i].reply.code / 100 > 3)
			bad = &w->to[i].reply;
	}
	if (k.n == w->n) {
		stats_add(&w->r->stats->reinjected);
		return 0;
	}
	k = pick(w, lacks_it);
	if (store_line_failed(&w->line, &k, e) != 0)
		log_err("id=%s event=journal-lost error=\"%s\"",
		    w->r->env->id, e->msg);
	return refused_by_hop(w, bad, m->is_turned_away);
}

static int send_copy(struct work *w)
{
	const struct copy *c = &w->copy->copy;
	struct hop_call call = { w->spec, OUR_NAME, w->r->wait.until_ms,
		w->r->wait.tick_ms, tick, before_end, w };
	struct smtp_mail m = { 0 };
	struct err e = { 0 };
	int rc;

	if (w->spec[0] == '\0')
		(void)err_set(&e, FAIL_BUG, "there is no route for a copy");
	if (e.kind != 0 || fill_mail(w, &m, &e) != 0)
		return later(w, &e);
	rc = hop_send(&call, &m, w->a->body, c->off, c->size, &e);
	if (m.lacks_dsn)
		log_warn("id=%s event=no-dsn next-hop=%s reason=\"it does not "
		    "offer DSN (RFC 3461): delivery reports are not as the "
		    "sender asked for\"", w->r->env->id, w->spec);
	if (rc == 0)
		return note(w, &m, &e);
	if (m.is_unknown) {
		/* the store has the socket: closed, the line is its own */
		store_line_close(&w->line);
		w->is_known = true;
		return later(w, &e);
	}
	return e.kind == FAIL_INPUT ? lacks(w, &m, &e) : later(w, &e);
}

/* ---- holding ---- */

static void free_all(char **s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(s[i]);
	free(s);
}

/* "<bob@b.example> NOTIFY=NEVER" */
static char **describe_rcpts(const struct work *w)
{
	char **s = calloc(w->n, sizeof(*s));
	struct buf b;

	for (size_t i = 0; s != NULL && i < w->n; i++) {
		buf_init(&b, 3 * KEY_MAX);
		buf_puts(&b, w->to[i].path);
		if (w->to[i].notify != NULL)
			buf_printf(&b, " %s", w->to[i].notify);
		if (w->to[i].orcpt != NULL)
			buf_printf(&b, " %s", w->to[i].orcpt);
		s[i] = b.failed ? NULL : view_strdup(buf_view(&b));
		buf_free(&b);
		if (s[i] == NULL) {
			free_all(s, i);
			return NULL;
		}
	}
	return s;
}

static int hold(struct work *w, const char *const *rcpt, struct err *e)
{
	const struct envelope *env = w->r->env;
	struct store_keys k = pick(w, is_any);
	struct held_mail m = { .at = env->now, .sender = env->mail_from,
		.direction = (int)w->a->direction, .rcpt = rcpt,
		.rcpts = w->n, .size = w->copy->copy.size,
		.may_tell = w->a->may_tell, .reason = w->copy->reason };
	unsigned char whom[32];
	struct buf id;
	int rc;

	/* groups have other numbers next time, and an id that is held already
	 * is taken for held: it has to say for whom */
	ossl_sha256(k.key, k.n * JOURNAL_KEY, whom);
	m.login = env->login == NULL ? "" : env->login;
	m.client = env->client_ip == NULL ? "" : env->client_ip;
	buf_init(&id, 64);
	buf_printf(&id, "%s-%02x%02x%02x%02x", env->id, whom[0], whom[1],
	    whom[2], whom[3]);
	m.id = buf_str(&id);
	rc = buf_ok(&id, e);
	if (rc == 0)
		rc = store_line_hold(&w->line, &k, &m, w->a->body,
		    w->copy->copy.off, e);
	buf_free(&id);
	return rc;
}

static int hold_copy(struct work *w)
{
	char **rcpt = describe_rcpts(w);
	struct err e = { 0 };
	int rc = -1;

	if (rcpt == NULL)
		(void)err_set(&e, FAIL_TEMP, "held mail: out of memory");
	else
		rc = hold(w, (const char *const *)rcpt, &e);
	if (rcpt != NULL)
		free_all(rcpt, w->n);
	if (rc == 0) {
		w->is_known = true;
		stats_add(&w->r->stats->held);
		for (size_t i = 0; i < w->n; i++)
			note_has(w, w->who[i]);
		return 0;
	}
	if (e.kind != FAIL_LIMIT)
		return later(w, &e);
	log_err("id=%s event=not-held error=\"%s\"", w->r->env->id, e.msg);
	return refuse(w, 452, "4.3.1", "There is no room for mail that is "
	    "held, please try again later");
}

/* ---- all of it ---- */

static int do_copies(struct work *w)
{
	int rc = 0;

	for (size_t i = 0; i < w->a->copies && rc == 0; i++) {
		choose(w, &w->a->copy[i]);
		if (w->n == 0)
			continue; /* all of them have it */
		rc = w->copy->copy.kind == COPY_HELD ? hold_copy(w) :
		    send_copy(w);
	}
	return rc;
}

/* Two equal mails without a Message-ID are two mails: what is known of this
 * one must not swallow the next. */
static void forget(struct work *w)
{
	struct store_keys all = { w->key, w->r->txn->rcpts };
	struct err e = { 0 };

	if (w->a->has_message_id)
		return;
	if (store_line_forget(&w->line, &all, &e) != 0)
		log_err("id=%s event=journal-kept reason=\"%s\"",
		    w->r->env->id, e.msg);
}

/* Who has a copy does not get this one, too, whatever group he is in now. */
static void leave_out(struct work *w)
{
	bool anybody = false;

	for (size_t i = 0; i < w->a->groups; i++) {
		if (w->a->group[i] != w->a->here)
			continue;
		if (w->said[i] == STORE_HAS)
			w->a->group[i] = 0;
		else
			anybody = true;
	}
	if (!anybody)
		w->a->here = 0;
}

static void count_skipped(struct work *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->r->txn->rcpts; i++)
		if (w->said[i] == STORE_HAS) {
			n++;
			stats_add(&w->r->stats->journal_skipped);
		} else if (w->said[i] == STORE_UNKNOWN) {
			w->is_known = true;
		}
	if (n == 0)
		return;
	w->is_known = true;
	/* who looks for a mail that was answered with 250 finds this */
	log_info("id=%s event=sent-before recipients=%zu next-hop=%s "
	    "reason=\"the same mail was tried before, and they have it\"",
	    w->r->env->id, n, w->spec);
}

static int prepare(struct work *w, struct err *e)
{
	const struct txn *t = w->r->txn;
	size_t n = t->rcpts;

	w->key = calloc(n, JOURNAL_KEY);
	w->said = calloc(n, 1);
	w->path = calloc(n, sizeof(*w->path));
	w->who = calloc(n, sizeof(*w->who));
	w->who_key = calloc(n, JOURNAL_KEY);
	w->to = calloc(n, sizeof(*w->to));
	w->from = with_brackets(t->mail_from[0] == '\0' ? "<>" :
	    t->mail_from);
	if (w->key == NULL || w->said == NULL || w->path == NULL ||
	    w->who == NULL || w->who_key == NULL || w->to == NULL ||
	    w->from == NULL)
		return err_set(e, FAIL_TEMP, "copies: out of memory");
	if (hash_body(w, e) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		w->path[i] = with_brackets(t->rcpt[i]);
		if (w->path[i] == NULL)
			return err_set(e, FAIL_TEMP, "copies: out of memory");
		if (make_key(w, i, e) != 0)
			return -1;
	}
	return make_whole(w, e);
}

static void work_free(struct work *w)
{
	store_line_close(&w->line);
	if (w->path != NULL)
		free_all(w->path, w->r->txn->rcpts);
	free(w->from);
	free(w->key);
	free(w->said);
	free(w->who);
	free(w->who_key);
	free(w->to);
}

static int run(struct work *w)
{
	struct err e = { 0 };

	/* a copy would be the beginning of the mail, and the rest nowhere */
	if (w->r->txn->is_cut)
		return refuse(w, 552, "5.3.4", "The message is too large");
	if (prepare(w, &e) != 0)
		return later(w, &e);
	if (check_paths(w) != 0)
		return -1;
	if (store_line_open(&w->line, &e) != 0 || claim_all(w, &e) != 0)
		return later(w, &e);
	if (any_busy(w))
		return refuse(w, 451, "4.3.0", "This message is being passed "
		    "on already, please try again later");
	count_skipped(w);
	if (do_copies(w) != 0)
		return -1;
	leave_out(w);
	forget(w);
	return 0;
}

int reinject_copies(const struct reinject *r, struct answer *a)
{
	struct work w = { .r = r, .a = a, .spec = r->spec,
		.line = { .client = r->store, .wait = r->wait, .fd = -1,
			.id = r->env->id } };
	int rc = run(&w);

	work_free(&w);
	return rc;
}
