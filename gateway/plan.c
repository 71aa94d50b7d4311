/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Outgoing mail, before anything is made: header checks, the right to sign,
 * certificates, and who gets the same copy as whom. Either there is one
 * copy for all in the end, or the message is refused with every reason.
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

static bool has_right(const struct txn *t)
{
	const struct config *c = t->g->config;
	const char *login = NULL;

	if (t->env->auth == ENV_AUTH_CALLER)
		return config_is_local(c, &t->from);
	if (t->env->auth == ENV_AUTH_LOGIN)
		login = t->env->login;
	return authority_may_sign(c, login, t->env->client_ip, &t->from);
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
	if (pl->asked)
		return 0;
	pl->asked = true;
	if (!pl->t->has_from)
		cannot_sign(pl, REPLY_MALFORMED, "a signed message needs "
		    "exactly one author in From (RFC 8550 3)", NULL);
	else if (!has_right(pl->t))
		cannot_sign(pl, REPLY_NOT_ALLOWED, pl->t->from.text,
		    "no right for this login or client");
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

/* Classes whose form must stay at the top of the message (RFC 6522, RFC
 * 8823 3.2, RFC 8460 3), or that are sealed already. */
static bool is_to_be_left(const struct txn *t)
{
	enum msg_class c = t->v->class;

	return c == CLASS_DSN || c == CLASS_MDN || c == CLASS_REPORT ||
	    c == CLASS_ACME || c == CLASS_ENCRYPTED ||
	    t->sh.kind == SHAPE_PGP_ENCRYPTED;
}

static bool class_signs(const struct txn *t, const struct treatment *w)
{
	if (t->null_sender)
		return false; /* nobody speaks */
	switch (t->v->class) {
	case CLASS_SIGNED: /* no second signature */
	case CLASS_PGP:
	case CLASS_RESENT: /* the resender is not the author */
		return false;
	case CLASS_CALENDAR: /* readers of invitations cannot cope */
		return w->sign_or == OR_MUST;
	default:
		return true;
	}
}

/* A class that the sender merely declares does not weaken a "must" (S45). */
static void check_left(struct planner *pl, size_t i)
{
	const struct treatment *w = &pl->t->v->rcpt[i].wanted;
	const struct txn *t = pl->t;
	char why[100];

	/* what is encrypted was looked at in judge_class */
	if (!w->encrypt || w->encrypt_or != OR_MUST ||
	    t->v->class == CLASS_ENCRYPTED)
		return;
	/* A mail server's own report. Who logs in is a person. */
	if (t->is_report && t->null_sender && t->env->auth != ENV_AUTH_LOGIN)
		return;
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

	if (!w->sign || !class_signs(pl->t, w))
		return 0;
	if (ask_author(pl, e) != 0)
		return -1;
	if (pl->may_sign) {
		struct signer who = {.cert = pl->p->signer.cert,
		    .digest = w->writing.digest, .pss = w->writing.pss};

		if (sign_alg(&who, &pl->form[i].alg, e) != 0)
			return -1;
		pl->form[i].sign = true;
		pl->form[i].opaque = w->opaque;
		pl->form[i].protect = protect_policy(w->protect_headers);
		pl->p->must_protect = pl->p->must_protect ||
		    w->protect_headers != NULL;
		return 0;
	}
	text_set(r->reason, sizeof(r->reason), pl->why_not_text);
	if (w->sign_or != OR_MUST || pl->t->v->class == CLASS_AUTO)
		return 0;
	/* it is the author's fault, the same for every recipient */
	if (!pl->is_refused)
		refuse(pl, pl->why_not, NULL, pl->why_not_text);
	pl->is_refused = true;
	return 0;
}

static int wish_encrypt(struct planner *pl, size_t i, struct err *e)
{
	const struct treatment *w = &pl->t->v->rcpt[i].wanted;
	struct verdict_rcpt *r = &pl->t->v->rcpt[i];
	bool unknown = false;

	if (!w->encrypt || (pl->t->v->class == CLASS_CALENDAR &&
	    w->encrypt_or != OR_MUST))
		return 0;
	/* null sender: nobody who could be answered to in a bounce */
	if (pl->t->null_sender && w->encrypt_or != OR_MUST)
		return 0;
	if (plan_choose(pl->t, i, KS_ENCRYPT | (w->revocation_hard ? KS_HARD :
	    0), e) != 0)
		return -1;
	if (pl->t->rcpt[i].cert == NULL &&
	    plan_lookup(pl->t, i, &unknown, e) != 0)
		return -1;
	if (pl->t->rcpt[i].cert != NULL)
		pl->form[i].encrypt = true;
	else if (unknown) /* no way into clear for who stops a directory */
		plan_refuse_rcpt(pl, i, REPLY_DIRECTORY_AWAY, r->reason);
	else if (w->encrypt_or == OR_MUST)
		plan_refuse_rcpt(pl, i, REPLY_NO_CERTIFICATE, r->reason);
	return 0;
}

static int wish(struct planner *pl, size_t i, struct err *e)
{
	pl->form[i].seals = plan_seals(pl->t, i);
	pl->form[i].writing = pl->t->v->rcpt[i].wanted.writing;
	if (!pl->form[i].seals || pl->t->v->rcpt[i].wanted.pass)
		return 0;
	if (is_to_be_left(pl->t)) {
		check_left(pl, i);
		return 0;
	}
	if (wish_encrypt(pl, i, e) != 0)
		return -1;
	return wish_sign(pl, i, e);
}

/* ---- groups (S129) ---- */

/* What is fixed was compared with the floor when the rules were read. */
static bool same_cipher(const struct cipher_policy *a,
    const struct cipher_policy *b)
{
	return a->unknown == b->unknown && a->is_fixed == b->is_fixed &&
	    (a->is_fixed || a->floor == b->floor);
}

static bool same_signature(const struct form *a, const struct form *b)
{
	return a->opaque == b->opaque && a->protect == b->protect &&
	    a->alg == b->alg;
}

/* Key transport is each recipient's own matter. */
static bool same_form(const struct form *a, const struct form *b)
{
	return a->sign == b->sign && a->encrypt == b->encrypt &&
	    (!a->sign || same_signature(a, b)) && (!a->encrypt ||
	    same_cipher(&a->writing.cipher, &b->writing.cipher));
}

/* Whoever only the envelope names gets an encrypted copy of his own. */
static bool is_alone(const struct planner *pl, size_t i)
{
	return pl->form[i].encrypt && !pl->t->rcpt[i].visible;
}

#define SHARED_MAX 64 /* more different forms than anybody's rules have */

static int make_groups(struct planner *pl)
{
	size_t first[SHARED_MAX];
	int number[SHARED_MAX], groups = 0;
	size_t shared = 0, k;

	for (size_t i = 0; i < pl->t->v->rcpts; i++) {
		int *group = &pl->t->v->rcpt[i].group;

		for (k = 0; k < shared && !is_alone(pl, i); k++)
			if (same_form(&pl->form[first[k]], &pl->form[i]))
				break;
		if (is_alone(pl, i) || shared == SHARED_MAX) {
			*group = ++groups;
			continue;
		}
		if (k == shared) {
			first[shared] = i;
			number[shared++] = ++groups;
		}
		*group = number[k];
	}
	return groups;
}

void plan_refuse_groups(struct planner *pl)
{
	struct verdict *v = pl->t->v;
	struct buf b;

	buf_init(&b, 65536);
	for (size_t i = 0; i < v->rcpts && b.n < 2000; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : ", ", v->rcpt[i].address);
	for (size_t i = 0; i < v->rcpts; i++)
		text_set(v->rcpt[i].reason, sizeof(v->rcpt[i].reason),
		    "recipients need different copies of the message");
	reply_set(v, REPLY_DIFFERENT_BODIES, buf_str(&b));
	buf_free(&b);
}

/* Hiding needs a signature, which a rule may let go. */
static void warn_of_shown(struct txn *t)
{
	for (size_t i = 0; i < t->v->rcpts; i++) {
		const char *word = t->v->rcpt[i].wanted.protect_headers;

		if (protect_policy(word) < HP_BASELINE)
			continue;
		txn_warn(t, "encrypted without a signature made here: the "
		    "Subject is readable outside, in spite of "
		    "protect-headers %s", word);
		return;
	}
}

static int fill_plan(struct planner *pl, struct err *e)
{
	struct txn *t = pl->t;
	struct plan *p = pl->p;
	const struct form *f = &pl->form[0];
	struct capabilities *caps;
	int rc = -1;

	p->sign = f->sign;
	p->alg = f->alg;
	p->opaque = f->opaque;
	p->encrypt = f->encrypt;
	p->writing = f->writing;
	p->protect = f->protect;
	if (!p->encrypt)
		return 0;
	if (!p->sign)
		warn_of_shown(t);
	p->to = calloc(t->v->rcpts, sizeof(*p->to));
	caps = calloc(t->v->rcpts, sizeof(*caps));
	if (p->to == NULL || caps == NULL)
		err_set(e, FAIL_TEMP, "plan: out of memory");
	else
		rc = plan_ciphers(pl, caps, e);
	free(caps);
	return rc;
}

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
	t->v->class = CLASS_NORMAL;
	return 0;
}

static int conclude(struct planner *pl, struct err *e)
{
	struct txn *t = pl->t;

	if (pl->has_refusal) {
		pl->p->is_refused = true;
		reply_set(t->v, pl->refusal, buf_str(&pl->reasons));
		return 0;
	}
	if (make_groups(pl) > 1) {
		pl->p->is_refused = true;
		plan_refuse_groups(pl);
		return 0;
	}
	if (pl->form[0].sign)
		remark_sign_for(t);
	return fill_plan(pl, e);
}

int plan_make(struct txn *t, struct plan *p, struct err *e)
{
	struct planner pl = {0};
	int rc = -1;

	memset(p, 0, sizeof(*p));
	pl.t = t;
	pl.p = p;
	buf_init(&pl.reasons, 65536);
	pl.form = calloc(t->v->rcpts + 1, sizeof(*pl.form));
	if (pl.form == NULL) {
		err_set(e, FAIL_TEMP, "plan: out of memory");
		goto out;
	}
	if (has_defect(t)) {
		p->is_refused = true;
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
	free(pl.form);
	return rc;
}

void plan_free(struct plan *p)
{
	free(p->to);
	selection_free(&p->signer);
	cert_free(&p->encryption_cert);
	memset(p, 0, sizeof(*p));
}
