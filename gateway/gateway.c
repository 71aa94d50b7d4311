/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The pipeline's frame: reads the envelope and the header section, asks
 * which way, lets seal.c or open.c work, and turns a fault of ours into a
 * deferral. Nothing here knows CMS.
 */
#include "gateway/gateway.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/also.h"
#include "gateway/observe.h"
#include "gateway/sender_notice.h"
#include "gateway/texts.h"
#include "keystore/listed.h"
#include "smime/cms.h"
#include "util/clock.h"

int txn_spool(const struct txn *t, struct spool **out, struct err *e)
{
	uint64_t max = t->g->config->max_message;

	/* base64 twice is 1.85 times; the rest is for headers and skeletons */
	if (max < spool_size(t->msg))
		max = spool_size(t->msg);
	return spool_new(out, max * 3 + (16u << 20), e);
}

void txn_mailbox(const struct txn *t, size_t i, struct addr *out)
{
	const struct config *c = t->g->config;

	*out = t->rcpt[i].addr;
	if (c->delimiter != 0 && out->text[0] != '\0' &&
	    config_is_local(c, out))
		addr_strip_detail(&t->rcpt[i].addr, c->delimiter, out);
}

int txn_delete_all(struct txn *t, const char *name, struct err *e)
{
	for (size_t n = header_count(&t->h, name); n > 0; n--)
		if (verdict_delete(t->v, name, (int)n, e) != 0)
			return -1;
	return 0;
}

bool txn_has_direction(const struct txn *t, enum direction d)
{
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (txn_has(t, i) && t->rcpt[i].direction == d)
			return true;
	return false;
}

/* ---- key operations, counted (S97) ---- */

static int count_op(const struct txn *t, int *done, struct err *e)
{
	if (t->g->keys == NULL)
		return err_set(e, FAIL_INPUT, "no private keys here");
	if (++*done > CAP_KEY_OPS)
		return err_set(e, FAIL_LIMIT, "more than %d private-key "
		    "operations of a kind for one message", CAP_KEY_OPS);
	return 0;
}

static int note_fault(struct txn *t, int rc, const struct err *e)
{
	if (rc != 0 && e->kind == FAIL_TEMP)
		t->keys_away = true;
	return rc;
}

static int counted_sign(void *ctx, const unsigned char cert_sha256[32],
    enum sig_alg alg, struct view attrs, struct buf *sig, struct err *e)
{
	struct txn *t = ctx;

	int rc;

	if (count_op(t, &t->signs, e) != 0)
		return -1;
	rc = t->g->keys->sign(t->g->keys->ctx, cert_sha256, alg, attrs, sig,
	    e);
	/* The store has this key: keys will have it after its next start. */
	if (rc != 0 && e->kind == FAIL_INPUT)
		e->kind = FAIL_TEMP;
	if (rc != 0 && e->kind == FAIL_POLICY)
		t->keys_denied = true;
	return note_fault(t, rc, e);
}

static int counted_open(void *ctx, const unsigned char cert_sha256[32],
    struct view ri, size_t cek_len, unsigned char cek[CAP_CEK],
    struct err *e)
{
	struct txn *t = ctx;

	if (count_op(t, &t->opens, e) != 0)
		return -1;
	return note_fault(t, t->g->keys->open(t->g->keys->ctx, cert_sha256,
	    ri, cek_len, cek, e), e);
}

/* ---- envelope ---- */

static char *without_brackets(const char *raw)
{
	size_t n = strlen(raw);

	if (n >= 2 && raw[0] == '<' && raw[n - 1] == '>')
		return strndup(raw + 1, n - 2);
	return strdup(raw);
}

static void note_direction(struct verdict *v, enum direction d, bool first)
{
	if (first)
		v->direction = d;
	else if (v->direction != d)
		v->mixed = true;
}

static int read_recipients(struct txn *t, struct err *e)
{
	const struct envelope *env = t->env;
	struct verdict *v = t->v;

	v->rcpt = calloc(env->rcpts + 1, sizeof(*v->rcpt));
	t->rcpt = calloc(env->rcpts + 1, sizeof(*t->rcpt));
	if (v->rcpt == NULL || t->rcpt == NULL)
		return err_set(e, FAIL_TEMP, "recipients: out of memory");
	for (size_t i = 0; i < env->rcpts; i++) {
		struct txn_rcpt *r = &t->rcpt[i];

		v->rcpt[i].address = without_brackets(env->rcpt[i]);
		if (v->rcpt[i].address == NULL)
			return err_set(e, FAIL_TEMP,
			    "recipients: out of memory");
		v->rcpts++;
		r->form = rcpt_read(t->g->config, env->rcpt[i], &r->addr);
		r->direction = gateway_direction(t->g->config, env, &r->addr);
		note_direction(v, r->direction, i == 0);
	}
	if (v->mixed)
		v->direction = 0;
	return 0;
}

static void read_sender(struct txn *t)
{
	const char *raw = t->env->mail_from;

	t->null_sender = raw == NULL || *raw == '\0' ||
	    strcmp(raw, "<>") == 0;
	if (t->null_sender ||
	    addr_parse_path(&t->mail_from, raw, NULL) != 0)
		memset(&t->mail_from, 0, sizeof(t->mail_from));
}

static int read_from(struct txn *t, struct err *e)
{
	struct addr_list l = {0};
	struct err local = {0};

	t->from_fields = header_count(&t->h, "From");
	if (t->from_fields != 1)
		return 0;
	if (addr_list_parse(&l, header_get(&t->h, "From", 0)->value,
	    &local) != 0) {
		addr_list_free(&l);
		if (local.kind != FAIL_TEMP)
			return 0; /* nobody: a signature never matches */
		*e = local;
		return -1;
	}
	if (l.n == 1) {
		t->from = l.a[0];
		t->has_from = true;
	}
	addr_list_free(&l);
	return 0;
}

/* What the store cannot say now is not known: the message waits. */
static enum rule_listed ask_listed(void *ctx, const char *list,
    const char *what)
{
	enum listed_answer a;
	struct err e = {0};

	if (keystore_listed(ctx, list, what, &a, &e) != 0 ||
	    a == LISTED_UNKNOWN)
		return RULE_LISTED_UNKNOWN;
	return a == LISTED_YES ? RULE_LISTED_YES : RULE_LISTED_NO;
}

static void make_rule_input(const struct txn *t, const struct addr *from,
    size_t rcpt, struct rule_input *in)
{
	memset(in, 0, sizeof(*in));
	in->from = from;
	in->has_authors = from == NULL && t->from_fields > 0;
	in->envelope_from = t->mail_from.text[0] == '\0' ? NULL
							 : &t->mail_from;
	in->client_ip = t->env->client_ip;
	if (t->env->auth == ENV_AUTH_LOGIN)
		in->login = t->env->login;
	else if (t->env->auth == ENV_AUTH_CALLER && from != NULL)
		in->login = from->text;
	in->direction = t->rcpt[rcpt].direction;
	in->to = &t->rcpt[rcpt].addr;
	in->listed = t->g->ks == NULL ? NULL : ask_listed;
	in->listed_ctx = t->g->ks;
}

void txn_rule_input(struct txn *t, size_t i, struct rule_input *in)
{
	make_rule_input(t, t->has_from ? &t->from : NULL, i, in);
}

static void decide_rules(struct txn *t)
{
	bool is_tight = false;
	struct rule_input in;

	for (size_t i = 0; i < t->v->rcpts; i++) {
		struct treatment *w = &t->v->rcpt[i].wanted;

		txn_rule_input(t, i, &in);
		rules_decide(t->g->rules, &in, w, &t->v->rcpt[i].rule);
		is_tight |= rules_tighten(t->g->rules, &in, w);
	}
	if (is_tight)
		txn_warn(t, "author or recipient cannot be read strictly: "
		    "every rule that may be meant was taken for meant");
}

bool txn_wants_revocation(const struct txn *t, const struct addr *from)
{
	struct rule_input in;
	struct treatment w;
	struct rule_ref ref;

	for (size_t i = 0; i < t->v->rcpts; i++) {
		if (!txn_has(t, i))
			continue;
		make_rule_input(t, from, i, &in);
		rules_decide(t->g->rules, &in, &w, &ref);
		if ((w.verify && w.revocation_hard) || w.unknown != NULL)
			return true;
		w = t->v->rcpt[i].wanted; /* by also lines, too */
		if (w.verify && w.revocation_hard)
			return true;
	}
	return false;
}

/* A line decides whose list nobody could fetch yet: who is in it is not
 * known, and so neither is the treatment. */
static bool defer_unknown(struct txn *t)
{
	const char *group;
	struct buf b;

	for (size_t i = 0; i < t->v->rcpts; i++) {
		group = t->v->rcpt[i].wanted.unknown;
		if (group == NULL)
			continue;
		text_set(t->v->rcpt[i].reason, sizeof(t->v->rcpt[i].reason),
		    "who is in a group is not known yet");
		buf_init(&b, 4096);
		buf_printf(&b, "the list of group %s was not fetched yet",
		    group);
		reply_set(t->v, REPLY_DIRECTORY_AWAY, buf_str(&b));
		buf_free(&b);
		return true;
	}
	return false;
}

/* Header, structure, author; what is too large is the caller's to judge. */
static int read_message(struct txn *t, struct err *e)
{
	uint64_t end = spool_size(t->msg);

	if (header_read(&t->h, t->msg, 0, end, e) != 0)
		return -1;
	if (read_from(t, e) != 0 || ctype_read(&t->ct, &t->h, e) != 0)
		return -1;
	return shape_read(&t->sh, t->msg, &t->h, &t->ct, end, e);
}

static bool is_outgoing(const struct txn *t)
{
	return txn_has_direction(t, DIR_OUTBOUND) ||
	    txn_has_direction(t, DIR_INTERNAL);
}

static bool refuse_by_rule(struct txn *t)
{
	for (size_t i = 0; i < t->v->rcpts; i++) {
		const char *text = t->v->rcpt[i].wanted.refuse;

		if (text == NULL)
			continue;
		text_set(t->v->rcpt[i].reason, sizeof(t->v->rcpt[i].reason),
		    text);
		reply_set(t->v, REPLY_REFUSED_BY_RULE, text);
		return true;
	}
	return false;
}

/* What also lines add, and whether that is the end of it already. */
static int add_also(struct txn *t, bool is_unread, struct err *e)
{
	if (also_apply(t, is_unread, e) != 0)
		return -1;
	if (!defer_unknown(t))
		(void)refuse_by_rule(t);
	return 0;
}

/* Incoming mail that we cannot work on is delivered as it is. */
static void leave_untouched(struct txn *t, const char *why)
{
	txn_warn(t, "delivered untouched: %s", why);
	t->v->sig_result = "neutral";
	text_set(t->v->sig_step, sizeof(t->v->sig_step), "S62");
	text_set(t->v->sig_reason, sizeof(t->v->sig_reason), why);
	demand_unworked(t);
}

/* Beyond the caps of a header section. */
static int beyond_limits(struct txn *t, struct err *e)
{
	struct err why = *e;

	err_clear(e);
	if (is_outgoing(t)) {
		reply_set(t->v, REPLY_MALFORMED, why.msg);
		return 0;
	}
	if (add_also(t, true, e) != 0)
		return -1;
	if (t->v->code != 0)
		return 0;
	if (ar_strip_unread(t, e) != 0) {
		if (e->kind != FAIL_LIMIT)
			return -1;
		reply_set(t->v, REPLY_MALFORMED, e->msg);
		err_clear(e);
		return 0;
	}
	leave_untouched(t, why.msg);
	return 0;
}

/* Where mail to such an address ends is the mail server's guess, so no rule
 * can be applied (M10, A24). Incoming mail is merely not opened for it. */
static bool refuse_unreadable(struct txn *t)
{
	struct buf names;
	bool is_bad;

	buf_init(&names, 1u << 20);
	for (size_t i = 0; i < t->v->rcpts; i++) {
		struct verdict_rcpt *r = &t->v->rcpt[i];

		if (t->rcpt[i].form != RCPT_UNREADABLE ||
		    t->rcpt[i].direction == DIR_INBOUND)
			continue;
		text_set(r->reason, sizeof(r->reason),
		    "the address cannot be read");
		if (names.n < 2000)
			buf_printf(&names, "%s<%s>", names.n == 0 ? "" : ", ",
			    r->address);
	}
	is_bad = names.n != 0 || names.failed;
	if (is_bad)
		reply_set(t->v, REPLY_RECIPIENT, buf_str(&names));
	buf_free(&names);
	return is_bad;
}

static bool is_too_large(struct txn *t)
{
	if (!is_outgoing(t) ||
	    spool_size(t->msg) <= t->g->config->max_message)
		return false;
	reply_set(t->v, REPLY_TOO_LARGE, NULL);
	return true;
}

static int leave_large(struct txn *t, struct err *e)
{
	if (add_also(t, true, e) != 0)
		return -1;
	if (t->v->code == 0)
		leave_untouched(t, "larger than max-message-size");
	return 0;
}

static int run(struct txn *t, struct err *e)
{
	if (read_recipients(t, e) != 0)
		return -1;
	read_sender(t);
	if (refuse_unreadable(t))
		return 0;
	if (keystore_refresh(t->g->ks, e) != 0)
		return -1;
	if (read_message(t, e) != 0) {
		if (e->kind != FAIL_LIMIT)
			return -1;
		decide_rules(t);
		return defer_unknown(t) ? 0 : beyond_limits(t, e);
	}
	decide_rules(t);
	if (defer_unknown(t) || refuse_by_rule(t) || is_too_large(t))
		return 0;
	/* on every way: our own users forge, too (S176, A27) */
	if (ar_strip(t, e) != 0)
		return -1;
	if (spool_size(t->msg) > t->g->config->max_message)
		return leave_large(t, e);
	t->v->may_tell = sender_notice_wanted(t);
	if (class_detect(t, e) != 0 || add_also(t, false, e) != 0)
		return -1;
	return t->v->code != 0 ? 0 : groups_run(t, e);
}

/* ---- the end ---- */

static void drop_changes(struct verdict *v)
{
	verdict_cut_edits(v, 0);
	spool_free(&v->body);
	free(v->copy);
	v->copy = NULL;
	v->copy_n = 0;
	v->here = 0;
	spool_free(&v->copies);
	v->ret_hdrs = false;
	v->has_opened = false;
	v->made_algorithm = NULL;
	memset(&v->learned, 0, sizeof(v->learned));
	buf_clear(&v->harvested.der);
	v->harvested.state = NULL;
	for (size_t i = 0; i < v->rcpts; i++)
		v->rcpt[i].cipher[0] = '\0';
}

static void set_outcomes(struct verdict *v, enum outcome o)
{
	for (size_t i = 0; i < v->rcpts; i++)
		v->rcpt[i].outcome = o;
}

static void finish(struct verdict *v, uint64_t size_in)
{
	if (v->action == ACT_REJECTED || v->action == ACT_DEFERRED) {
		drop_changes(v);
		v->size_out = size_in;
		set_outcomes(v, v->action == ACT_REJECTED ? OUT_REFUSED
							  : OUT_DEFERRED);
		return;
	}
	if (v->action == ACT_QUARANTINED)
		set_outcomes(v, OUT_QUARANTINED);
	else if (v->action != ACT_SPLIT &&
	    (v->edits != 0 || v->body != NULL))
		v->action = ACT_REPLACED;
}

static void txn_free(struct txn *t)
{
	for (size_t i = 0; t->rcpt != NULL && i < t->v->rcpts; i++) {
		store_owners_free(&t->rcpt[i]);
		cert_free(&t->rcpt[i].cert);
	}
	free(t->rcpt);
	cms_free(&t->cms);
	cms_free(&t->inside);
	ctype_free(&t->ct);
	header_free(&t->h);
	trigger_free(t);
}

static void begin(struct verdict *v, const struct config *c,
    const struct envelope *env)
{
	verdict_init(v);
	verdict_note_envelope(v, env);
	v->texts = texts_for(c, env->mail_from);
}

/* Whoever asks for the whole sends it on himself. Without a header that
 * could be read nothing is known. */
static int identify_whole(struct txn *t, struct err *e)
{
	if (!t->env->whole || t->v->code != 0 || t->v->copy_n != 0 ||
	    t->h.n == 0)
		return 0;
	return copies_identify(t, e);
}

/* What there was no memory for was perhaps taken for wrong or absent:
 * nothing may be decided by that. */
static bool had_memory(struct err *e)
{
	if (!memory_lacked())
		return true;
	(void)err_set(e, FAIL_TEMP, "out of memory");
	return false;
}

void gateway_run(struct gateway *g, const struct envelope *env,
    const struct spool *msg, struct verdict *v, struct err *e)
{
	struct txn t = {0};
	int64_t start = clock_us();

	err_clear(e);
	begin(v, g->config, env);
	v->size_in = spool_size(msg);
	t.g = g;
	t.env = env;
	t.msg = msg;
	t.v = v;
	t.now = g->config->fixed_time != 0 ? g->config->fixed_time : env->now;
	t.keys.ctx = &t;
	t.keys.sign = counted_sign;
	t.keys.open = counted_open;
	keystore_budget(g->ks, CAP_PATH_MESSAGE);
	if (run(&t, e) != 0 || groups_hold_all(&t, e) != 0 ||
	    identify_whole(&t, e) != 0 || !had_memory(e))
		reply_set(v, t.keys_away ? REPLY_KEYS_AWAY : REPLY_INTERNAL,
		    NULL);
	v->size_out = txn_size_after(&t);
	finish(v, v->size_in);
	txn_free(&t);
	verdict_observe(v, env);
	v->timing_us = clock_us() - start;
}

/* Our own field instead of any that may be forged: they are counted, not
 * read. */
static int deliver_poisoned(struct txn *t, struct err *e)
{
	const struct ar_result r = {"permerror", "not processed", NULL, ""};
	struct verdict *v = t->v;

	v->sig_result = r.result;
	text_set(v->sig_reason, sizeof(v->sig_reason),
	    "the message cannot be processed");
	txn_warn(t, "left untouched: processing died twice");
	/* The author is not read, so he may be anybody's rule. */
	decide_rules(t);
	if (also_apply(t, true, e) != 0)
		return -1;
	if (!defer_unknown(t) && !refuse_by_rule(t))
		demand_unworked(t);
	if (v->code != 0)
		return 0;
	if (ar_strip_unread(t, e) != 0) {
		if (e->kind != FAIL_LIMIT)
			return -1;
		reply_set(v, REPLY_MALFORMED, e->msg);
		return 0;
	}
	return ar_insert(t, &r, 1, e);
}

void gateway_poisoned(const struct gateway *with, const struct envelope *env,
    const struct spool *msg, struct verdict *v)
{
	struct txn t = {0};
	/* the store is asked who is in a group, and to hold: neither looks
	 * at the message */
	struct gateway g = {with->config, with->rules, with->ks, NULL, NULL};
	struct err e = {0};

	begin(v, with->config, env);
	v->size_in = spool_size(msg);
	t.g = &g;
	t.env = env;
	t.msg = msg;
	t.v = v;
	read_sender(&t);
	if (read_recipients(&t, &e) != 0)
		reply_set(v, REPLY_INTERNAL, NULL);
	else if (is_outgoing(&t))
		reply_set(v, REPLY_MALFORMED, "it cannot be processed");
	else if (deliver_poisoned(&t, &e) != 0 ||
	    groups_hold_all(&t, &e) != 0)
		reply_set(v, REPLY_INTERNAL, NULL);
	v->size_out = txn_size_after(&t);
	finish(v, v->size_in);
	txn_free(&t);
	verdict_observe(v, env);
}
