/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Outgoing mail, before anything is made: header checks, the right to sign,
 * certificates of everybody, and what becomes of each one's copy. One who
 * must be refused refuses the message, with every reason (S202).
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/authority.h"
#include "gateway/plan_int.h"
#include "gateway/protect.h"
#include "smime/sign.h"

static void refuse(struct planner *pl, enum reply_case c, const char *who,
    const char *why)
{
	if (!pl->has_refusal)
		pl->refusal = c;
	pl->has_refusal = true;
	if (pl->reasons.n > 2000)
		return; /* no reply line holds more */
	if (pl->reasons.n != 0)
		buf_puts(&pl->reasons, "; ");
	if (who != NULL)
		buf_printf(&pl->reasons, "%s (%s)", who, why);
	else
		buf_puts(&pl->reasons, why);
}

void plan_refuse_rcpt(struct planner *pl, size_t i, enum reply_case c,
    const char *why)
{
	struct verdict_rcpt *r = &pl->t->v->rcpt[i];

	text_set(r->reason, sizeof(r->reason), why);
	refuse(pl, c, r->address, why);
}

/* ---- header checks (S38, M37) ---- */

static const char *header_defect(const struct header *h)
{
	static const char *const once[] = {"From", "Subject", "Date", "To",
	    "Cc", "Message-ID", "Sender", "Reply-To"};

	if (h->has_nul)
		return "RFC 5322 2.2: a NUL in the header";
	if (h->has_junk)
		return "RFC 5322 2.2: a line of the header is no field";
	if (h->has_bare_eol)
		return "RFC 5322 2.2: a bare CR or LF in the header";
	for (size_t i = 0; i < ARRAY_LEN(once); i++)
		if (header_count(h, once[i]) > 1)
			return once[i];
	return NULL;
}

/* Is anything wished that the header must be sound for? */
static bool needs_sound_header(const struct txn *t)
{
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (plan_seals(t, i) && !t->v->rcpt[i].wanted.pass)
			return !t->null_sender;
	return false;
}

static bool has_defect(struct txn *t)
{
	const char *d = header_defect(&t->h);
	struct buf b;

	if (d == NULL || !needs_sound_header(t))
		return false;
	buf_init(&b, 1024);
	if (strncmp(d, "RFC", 3) == 0)
		buf_puts(&b, d);
	else
		buf_printf(&b, "RFC 5322 3.6: more than one field %s", d);
	reply_set(t->v, REPLY_MALFORMED, buf_str(&b));
	buf_free(&b);
	return true;
}

/* ---- the author ---- */

/* why: of the author that From names, or NULL. */
static void cannot_sign(struct planner *pl, enum reply_case c,
    const char *text, const char *why)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_puts(&b, text);
	if (why != NULL)
		buf_printf(&b, " (%s)", why);
	pl->why_not = c;
	text_set(pl->why_not_text, sizeof(pl->why_not_text), buf_str(&b));
	buf_free(&b);
}

/* FAIL_TEMP: a directory that could say so was never reached. */
static int ask_right(const struct txn *t, bool *may, struct err *e)
{
	const struct list_reader lists = list_reader_of_store(t->g->ks);
	const struct authority au = {t->g->config, &lists};
	struct asker who = {NULL, t->env->client_ip};

	*may = t->env->auth == ENV_AUTH_CALLER &&
	    config_is_local(t->g->config, &t->from);
	if (t->env->auth == ENV_AUTH_CALLER)
		return 0;
	if (t->env->auth == ENV_AUTH_LOGIN)
		who.login = t->env->login;
	return authority_signs(&au, &who, &t->from, may, e);
}

static void say_no_right(struct planner *pl)
{
	const struct envelope *env = pl->t->env;
	char q[ERR_QUOTED], why[ERR_QUOTED + 64];
	struct err text = {0};

	if (env->auth == ENV_AUTH_LOGIN && env->login != NULL)
		(void)err_set(&text, FAIL_POLICY, "login %s may not sign as "
		    "this author", err_quote(q, sizeof(q), env->login,
		    strlen(env->login)));
	else
		(void)err_set(&text, FAIL_POLICY, "who did not log in may "
		    "not sign");
	text_set(why, sizeof(why), text.msg);
	cannot_sign(pl, REPLY_NOT_ALLOWED, pl->t->from.text, why);
}

/* Must it be known that the author's certificate is not revoked? If any
 * rule says so by which it is signed: the signature is one for all. */
static unsigned hardness(const struct txn *t)
{
	for (size_t i = 0; i < t->v->rcpts; i++) {
		const struct treatment *w = &t->v->rcpt[i].wanted;

		if (plan_seals(t, i) && w->sign && w->revocation_hard)
			return KS_HARD;
	}
	return 0;
}

/* Certificates of the author: to sign, and to be answered to. */
static int find_signer(struct planner *pl, struct err *e)
{
	struct txn *t = pl->t;
	struct selection enc = {0};
	struct signer who = {0};
	enum sig_alg alg;
	struct err local = {0};

	if (keystore_select(t->g->ks, &t->from, KS_SIGN | hardness(t), t->now,
	    &pl->p->signer, e) != 0)
		return -1;
	if (pl->p->signer.cert == NULL) {
		cannot_sign(pl, REPLY_NO_SIGNING_CERT, t->from.text,
		    pl->p->signer.over_n == 0
			? "no certificate is known"
			: pl->p->signer.over[0].reason);
		return 0;
	}
	who.cert = pl->p->signer.cert;
	if (sign_alg(&who, &alg, &local) != 0) {
		cannot_sign(pl, REPLY_ALGORITHM, t->from.text, local.msg);
		return 0;
	}
	pl->may_sign = true;
	if (keystore_select(t->g->ks, &t->from, KS_ENCRYPT, t->now, &enc,
	    e) != 0)
		return -1;
	if (enc.cert != NULL && memcmp(cert_sha256(enc.cert),
	    cert_sha256(pl->p->signer.cert), 32) != 0)
		pl->p->encryption_cert = cert_ref(enc.cert);
	selection_free(&enc);
	return 0;
}

static int ask_author(struct planner *pl, struct err *e)
{
	struct err why = {0};
	bool may = false;

	if (pl->asked)
		return 0;
	pl->asked = true;
	if (!pl->t->has_from)
		cannot_sign(pl, REPLY_MALFORMED, "a signed message needs "
		    "exactly one author in From (RFC 8550 3)", NULL);
	else if (ask_right(pl->t, &may, &why) != 0)
		cannot_sign(pl, REPLY_DIRECTORY_AWAY, pl->t->from.text,
		    why.msg);
	else if (!may)
		say_no_right(pl);
	else
		return find_signer(pl, e);
	return 0;
}

/* The explicit exception is to be seen (A35). */
static void remark_sign_for(struct txn *t)
{
	if (t->env->auth == ENV_AUTH_NONE && t->env->client_ip != NULL)
		txn_warn(t, "signed as %s for the client %s, which did not log "
		    "in (sign-for)", t->from.text, t->env->client_ip);
}

/* ---- wishes (A.4) ---- */

/* In clear, but over verified hops alone (T56): whoever a rule names so has
 * a copy of his own, and nothing in the message decides about it. */
static void leave_by_tls(struct planner *pl, size_t i)
{
	pl->p->form[i].by_tls = true;
	pl->t->rcpt[i].by_tls = true;
}

/* A class that the sender merely declares does not weaken a "must" (S45). */
static void check_left(struct planner *pl, size_t i)
{
	const struct treatment *w = &pl->t->v->rcpt[i].wanted;
	const struct txn *t = pl->t;
	char why[100];

	if (!w->encrypt || w->encrypt_or == OR_PLAIN ||
	    class_counts_as_encrypted(t))
		return;
	if (w->encrypt_or == OR_QUARANTINE && t->env->can_hold) {
		pl->t->rcpt[i].held = true;
		return;
	}
	if (w->encrypt_or == OR_TLS && t->env->can_tls) {
		leave_by_tls(pl, i);
		return;
	}
	text_set(why, sizeof(why), "it must be encrypted, which a message of "
	    "class ");
	text_set(why + strlen(why), sizeof(why) - strlen(why),
	    class_str(t->v->class));
	text_set(why + strlen(why), sizeof(why) - strlen(why), " cannot be");
	plan_refuse_rcpt(pl, i, REPLY_NO_CERTIFICATE, why);
}

static int wish_sign(struct planner *pl, size_t i, struct err *e)
{
	const struct treatment *w = &pl->t->v->rcpt[i].wanted;
	struct verdict_rcpt *r = &pl->t->v->rcpt[i];

	if (!w->sign || !class_may_sign(pl->t, w))
		return 0;
	if (ask_author(pl, e) != 0)
		return -1;
	if (pl->may_sign) {
		struct signer who = {.cert = pl->p->signer.cert,
		    .digest = w->writing.digest, .pss = w->writing.pss};

		if (sign_alg(&who, &pl->p->form[i].alg, e) != 0)
			return -1;
		pl->p->form[i].sign = true;
		pl->p->form[i].opaque = w->opaque;
		pl->p->form[i].protect = protect_policy(w->protect_headers);
		pl->p->must_protect = pl->p->must_protect ||
		    w->protect_headers != NULL;
		return 0;
	}
	text_set(r->reason, sizeof(r->reason), pl->why_not_text);
	/* who stops a directory does not stop signatures */
	if (pl->why_not != REPLY_DIRECTORY_AWAY &&
	    (w->sign_or != OR_MUST || pl->t->v->class == CLASS_AUTO))
		return 0;
	/* it is the author's fault, the same for every recipient */
	if (!pl->is_refused)
		refuse(pl, pl->why_not, NULL, pl->why_not_text);
	pl->is_refused = true;
	return 0;
}

/* Programs of NSS read no message with recipients of both kinds of keys. */
static void choose_form(struct planner *pl, size_t i)
{
	struct copy_form *f = &pl->p->form[i];

	f->encrypt = true;
	if (pl->t->env->can_split)
		f->key = cert_key_type(pl->t->rcpt[i].cert);
}

/* There is neither a certificate nor another way that the rule allows. */
static void refuse_clear(struct planner *pl, size_t i)
{
	struct verdict_rcpt *r = &pl->t->v->rcpt[i];
	struct buf why;

	buf_init(&why, 1024);
	buf_puts(&why, r->reason);
	if (r->wanted.encrypt_or == OR_TLS)
		buf_puts(&why, ", and there is no tls-route here for a "
		    "verified hop");
	plan_refuse_rcpt(pl, i, REPLY_NO_CERTIFICATE, buf_str(&why));
	buf_free(&why);
}

static int wish_encrypt(struct planner *pl, size_t i, struct err *e)
{
	const struct treatment *w = &pl->t->v->rcpt[i].wanted;
	struct verdict_rcpt *r = &pl->t->v->rcpt[i];
	bool unknown = false;

	if (!w->encrypt || !class_may_encrypt(pl->t, w))
		return 0;
	if (plan_choose(pl->t, i, KS_ENCRYPT | (w->revocation_hard ? KS_HARD :
	    0), e) != 0)
		return -1;
	if (pl->t->rcpt[i].cert == NULL &&
	    plan_lookup(pl->t, i, &unknown, e) != 0)
		return -1;
	if (pl->t->rcpt[i].cert != NULL)
		choose_form(pl, i);
	else if (unknown) /* no way into clear for who stops a directory */
		plan_refuse_rcpt(pl, i, REPLY_DIRECTORY_AWAY, r->reason);
	else if (w->encrypt_or == OR_QUARANTINE && pl->t->env->can_hold)
		pl->t->rcpt[i].held = true;
	else if (w->encrypt_or == OR_TLS && pl->t->env->can_tls)
		leave_by_tls(pl, i);
	else if (w->encrypt_or != OR_PLAIN)
		refuse_clear(pl, i);
	return 0;
}

static int wish(struct planner *pl, size_t i, struct err *e)
{
	pl->p->form[i].seals = plan_seals(pl->t, i);
	pl->p->form[i].writing = pl->t->v->rcpt[i].wanted.writing;
	if (!pl->p->form[i].seals || pl->t->v->rcpt[i].wanted.pass)
		return 0;
	if (class_is_left(pl->t)) {
		check_left(pl, i);
		return 0;
	}
	if (wish_encrypt(pl, i, e) != 0)
		return -1;
	return pl->t->rcpt[i].held ? 0 : wish_sign(pl, i, e);
}

/* ---- one group ---- */

/* Hiding needs a signature, which a rule may let go. */
static void warn_of_shown(struct txn *t)
{
	for (size_t i = 0; i < t->v->rcpts; i++) {
		const char *word = t->v->rcpt[i].wanted.protect_headers;

		if (!txn_has(t, i) || protect_policy(word) < HP_BASELINE)
			continue;
		txn_warn(t, "encrypted without a signature made here: the "
		    "Subject is readable outside, in spite of "
		    "protect-headers %s", word);
		return;
	}
}

int plan_group(struct txn *t, const struct plans *all, struct plan *p,
    struct err *e)
{
	const struct copy_form *f;
	size_t first = 0;

	memset(p, 0, sizeof(*p));
	(void)txn_members(t, &first);
	f = &all->form[first];
	p->all = all;
	p->sign = f->sign;
	p->alg = f->alg;
	p->opaque = f->opaque;
	p->encrypt = f->encrypt;
	p->by_tls = f->by_tls;
	p->writing = f->writing;
	p->protect = f->protect;
	p->must_protect = all->must_protect;
	if (!p->encrypt)
		return 0;
	if (!p->sign)
		warn_of_shown(t);
	return plan_ciphers(t, p, e);
}

void plan_free(struct plan *p)
{
	free(p->to);
	free(p->who);
	memset(p, 0, sizeof(*p));
}

/* ---- all of them ---- */

/* Encrypted, but not for these recipients: mail like any other (S43). */
static int judge_class(struct txn *t, struct err *e)
{
	const char *lack;

	if (t->v->class != CLASS_ENCRYPTED)
		return 0;
	if (plan_is_enough(t, &lack, e) != 0)
		return -1;
	if (lack == NULL)
		return 0;
	txn_warn(t, "encrypted already, but %s: treated as if it were not",
	    lack);
	t->v->class = t->inside != NULL ? CLASS_SIGNED : CLASS_NORMAL;
	return 0;
}

static bool signs(const struct planner *pl)
{
	for (size_t i = 0; i < pl->t->v->rcpts; i++)
		if (pl->p->form[i].sign)
			return true;
	return false;
}

static int conclude(struct planner *pl, struct err *e)
{
	struct txn *t = pl->t;

	if (plan_readers(pl, e) != 0)
		return -1;
	if (pl->has_refusal) {
		reply_set(t->v, pl->refusal, buf_str(&pl->reasons));
		return 0;
	}
	if (plan_groups(pl, e) != 0)
		return -1;
	if (t->v->code == 0 && signs(pl))
		remark_sign_for(t);
	return 0;
}

static int allocate(struct plans *p, size_t n, struct err *e)
{
	p->form = calloc(n + 1, sizeof(*p->form));
	p->caps = calloc(n + 1, sizeof(*p->caps));
	if (p->form == NULL || p->caps == NULL)
		return err_set(e, FAIL_TEMP, "plan: out of memory");
	return 0;
}

int plan_make(struct txn *t, struct plans *p, struct err *e)
{
	struct planner pl = {0};
	int rc = -1;

	memset(p, 0, sizeof(*p));
	pl.t = t;
	pl.p = p;
	buf_init(&pl.reasons, 65536);
	if (allocate(p, t->v->rcpts, e) != 0)
		goto out;
	if (has_defect(t)) {
		rc = 0;
		goto out;
	}
	if (plan_mark_visible(t, e) != 0 || judge_class(t, e) != 0)
		goto out;
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (wish(&pl, i, e) != 0)
			goto out;
	rc = conclude(&pl, e);
out:
	buf_free(&pl.reasons);
	return rc;
}

void plans_free(struct plans *p)
{
	free(p->form);
	free(p->caps);
	selection_free(&p->signer);
	cert_free(&p->encryption_cert);
	memset(p, 0, sizeof(*p));
}
