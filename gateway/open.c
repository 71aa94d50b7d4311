/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Incoming mail: layers off from the outside in (one decryption at most),
 * the message rebuilt, the result said. Whatever does not work leaves the
 * message as it arrived; it is never a reason to refuse it, unless a rule
 * demands a valid signature.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway_int.h"
#include "smime/canon.h"
#include "smime/cms.h"
#include "smime/verify.h"

static void layer_free(struct layer *l)
{
	cms_free(&l->cms);
	ctype_free(&l->ct);
	header_free(&l->h);
	spool_free(&l->own);
}

int layer_cms(struct layer *l, struct cms **out, struct err *e)
{
	const struct shape *sh = &l->sh;

	*out = l->cms;
	l->cms = NULL;
	if (*out != NULL)
		return 0;
	if (sh->kind == SHAPE_CLEAR_SIGNED)
		return cms_read(out, l->s, sh->sig, sh->sig_end, sh->sig_cte,
		    e);
	return cms_read(out, l->s, sh->body, sh->end, sh->cte, e);
}

/* A decrypted or unwrapped entity must be one (A2): fields, no junk, and at
 * least one that says what it is. */
static const char *entity_defect(const struct header *h)
{
	if (h->has_nul || h->has_junk)
		return "RFC 8551 3.1: the content has no sound MIME header";
	for (size_t i = 0; i < h->n; i++)
		if (view_istarts(h->field[i].name, "Content-"))
			return NULL;
	return "RFC 8551 3.1: the content is no MIME entity";
}

int layer_enter(struct opening *o, struct spool **take_inside, struct err *e)
{
	struct layer l = {0};
	uint64_t end = spool_size(*take_inside);
	const char *defect;

	l.s = *take_inside;
	if (header_read(&l.h, l.s, 0, end, e) != 0)
		goto fail;
	defect = entity_defect(&l.h);
	if (defect != NULL) {
		err_set(e, FAIL_INPUT, "%s", defect);
		goto fail;
	}
	if (ctype_read(&l.ct, &l.h, e) != 0 ||
	    shape_read(&l.sh, l.s, &l.h, &l.ct, end, e) != 0)
		goto fail;
	l.own = *take_inside;
	*take_inside = NULL;
	layer_free(&o->layer);
	o->layer = l;
	o->is_changed = true;
	if (strlen(o->part) + 3 < sizeof(o->part))
		text_set(o->part + strlen(o->part), 3, "/1");
	return 0;
fail:
	layer_free(&l);
	return -1;
}

/* ---- the layers ---- */

static int open_encrypted(struct opening *o, const struct cms *c,
    struct err *e)
{
	char part[sizeof(o->part)];
	int rc;

	if (o->is_decrypted)
		return 0; /* one encryption layer a message (A7) */
	o->was_encrypted = true;
	text_set(part, sizeof(part), o->part);
	rc = o->may_decrypt ? open_decrypt(o, c, e) : 0;
	buf_printf(&o->t->v->layers, "encrypted %s\n", part);
	if (rc == 1)
		o->is_decrypted = true;
	return rc;
}

static int unreadable_cms(struct opening *o, struct err *e)
{
	struct err why = *e;

	if (e->kind == FAIL_TEMP || e->kind == FAIL_BUG)
		return -1;
	err_clear(e);
	/* by its label: it cannot be asked itself */
	if (strcmp(o->layer.sh.smime_type, "signed-data") == 0)
		return o->may_verify
		    ? open_result(o, SIG_NEUTRAL, 63, why.msg, e)
		    : 0;
	if (o->is_decrypted)
		return 0;
	o->t->v->dec_result = why.kind == FAIL_LIMIT ? "limit" : "failed";
	text_set(o->t->v->dec_reason, sizeof(o->t->v->dec_reason), why.msg);
	o->was_encrypted = strcmp(o->layer.sh.smime_type, "certs-only") != 0;
	o->has_failed = o->may_decrypt && o->was_encrypted;
	return 0;
}

/* A CMS object at the root; 1: there is a new layer. */
static int open_cms(struct opening *o, struct err *e)
{
	struct cms *c = NULL;
	int rc = 0;

	if (layer_cms(&o->layer, &c, e) != 0)
		return unreadable_cms(o, e);
	switch (cms_type(c)) {
	case CMS_ENVELOPED:
	case CMS_AUTH_ENVELOPED:
		rc = open_encrypted(o, c, e);
		break;
	case CMS_SIGNED:
		if (o->may_verify)
			rc = open_opaque(o, c, e);
		break;
	case CMS_COMPRESSED:
		buf_printf(&o->t->v->layers, "compressed %s\n", o->part);
		break;
	case CMS_OTHER:
		break;
	}
	cms_free(&c);
	return rc;
}

/* The outermost layer that is left; 1: look again. */
static int open_layer(struct opening *o, struct err *e)
{
	switch (o->layer.sh.kind) {
	case SHAPE_PKCS7:
		return open_cms(o, e);
	case SHAPE_CLEAR_SIGNED:
		return o->may_verify ? open_clear(o, e) : 0;
	case SHAPE_BROKEN:
		if (!o->may_verify)
			return 0;
		return open_result(o, SIG_PERMERROR, 62, o->layer.sh.defect,
		    e);
	case SHAPE_PGP_ENCRYPTED:
		o->was_encrypted = true;
		return 0;
	case SHAPE_PLAIN:
	case SHAPE_PGP_SIGNED:
		break;
	}
	return 0;
}

static int open_layers(struct opening *o, struct err *e)
{
	int rc = 1;

	while (rc == 1 && o->layers < CAP_CMS_LAYERS) {
		o->layers++;
		rc = open_layer(o, e);
	}
	if (rc == 1)
		txn_warn(o->t, "more than %d layers: the rest was left",
		    CAP_CMS_LAYERS);
	return rc < 0 ? -1 : 0;
}

/* A signature outside of the encryption, and none inside (A11). */
static void judge_order(struct opening *o)
{
	if (o->ver == NULL || !o->ver_outside || !o->was_encrypted ||
	    o->ver->result != SIG_PASS)
		return;
	o->ver->result = SIG_POLICY;
	o->ver->step = 65;
	text_set(o->ver->reason, sizeof(o->ver->reason),
	    "the signature covers ciphertext, not what its author wrote");
}

/* ---- rebuilding ---- */

/* 0 also when it cannot be delivered: then the message stays as it came. */
static int rebuild(struct opening *o, struct err *e)
{
	struct txn *t = o->t;
	struct spool *clean = NULL;
	size_t edits = t->v->edits;
	int rc = -1;

	if (txn_spool(t, &clean, e) != 0)
		return -1;
	if (canon_deliverable(o->layer.s, 0, spool_size(o->layer.s), clean,
	    e) == 0 && install_entity(t, clean, e) == 0) {
		t->v->ret_hdrs = o->is_decrypted;
		rc = 0;
	} else if (e->kind == FAIL_INPUT || e->kind == FAIL_LIMIT) {
		while (t->v->edits > edits) {
			t->v->edits--;
			free(t->v->edit[t->v->edits].name);
			free(t->v->edit[t->v->edits].value);
		}
		txn_warn(t, "delivered as it arrived: %s", e->msg);
		err_clear(e);
		o->is_changed = false;
		rc = 0;
	}
	spool_free(&clean);
	return rc;
}

/* Nothing of what was inside may be said when it is not delivered. */
static void forget_inside(struct opening *o)
{
	struct verdict *v = o->t->v;

	if (!o->is_decrypted)
		return;
	v->dec_result = "failed";
	text_set(v->dec_reason, sizeof(v->dec_reason),
	    "the message does not open");
	if (!o->ver_outside) {
		verification_free(&o->ver);
		v->sig_part[0] = '\0';
		v->sig_chain[0] = '\0';
	}
	o->is_decrypted = false;
	o->has_failed = true;
}

/* ---- what the rules make of the result ---- */

static enum or_else strictest(const struct txn *t)
{
	enum or_else o = OR_MUST;

	for (size_t i = 0; i < t->v->rcpts; i++) {
		const struct treatment *w = &t->v->rcpt[i].wanted;

		if (!w->verify)
			continue;
		if (w->verify_or == OR_REJECT)
			return OR_REJECT;
		if (w->verify_or == OR_QUARANTINE)
			o = OR_QUARANTINE;
	}
	return o;
}

static void apply_demand(struct txn *t)
{
	enum or_else demand = strictest(t);

	if (demand == OR_MUST || strcmp(t->v->sig_result, "pass") == 0)
		return;
	if (strcmp(t->v->sig_result, "temperror") == 0)
		reply_set(t->v, REPLY_KEYS_AWAY, NULL);
	else if (demand == OR_REJECT)
		reply_set(t->v, REPLY_NOT_VERIFIED, NULL);
	else
		t->v->action = ACT_QUARANTINED;
}

void open_demand(struct txn *t)
{
	if (store_wanted(t))
		store_hold(t, "it was not worked on");
	apply_demand(t);
}

static void set_outcomes(struct opening *o)
{
	struct verdict *v = o->t->v;

	for (size_t i = 0; i < v->rcpts; i++) {
		if (o->is_decrypted)
			v->rcpt[i].outcome = OUT_OPENED;
		else if (o->ver != NULL && v->rcpt[i].wanted.verify)
			v->rcpt[i].outcome = OUT_VERIFIED;
		else
			v->rcpt[i].outcome = OUT_PASSED;
		v->rcpt[i].group = 1;
		if (strcmp(v->dec_result, "none") != 0)
			text_set(v->rcpt[i].reason,
			    sizeof(v->rcpt[i].reason), v->dec_reason);
	}
}

static void put_more(struct opening *o, const char *s)
{
	char *c = o->comment;
	size_t n = strlen(c);

	if (n != 0 && n + 2 < sizeof(o->comment)) {
		text_set(c + n, sizeof(o->comment) - n, "; ");
		n = strlen(c);
	}
	text_set(c + n, sizeof(o->comment) - n, s);
}

/* A field of ours, if there is something to say (S173, S178). */
static int say_result(struct opening *o, struct err *e)
{
	const struct verdict *v = o->t->v;

	if (o->is_decrypted)
		put_more(o, v->dec_authenticated ||
		    strcmp(v->sig_result, "pass") == 0
		    ? "was encrypted"
		    : "was encrypted, without integrity protection");
	else if (o->has_failed)
		put_more(o, "encrypted, could not be opened here");
	if (o->ver == NULL && !o->is_decrypted && !o->has_failed)
		return 0;
	return ar_insert(o->t, o->may_verify, o->comment, e);
}

static void read_rules(struct opening *o)
{
	const struct txn *t = o->t;

	o->may_decrypt = o->may_unwrap = t->v->rcpts > 0;
	for (size_t i = 0; i < t->v->rcpts; i++) {
		const struct treatment *w = &t->v->rcpt[i].wanted;

		if (!w->decrypt)
			o->may_decrypt = false;
		if (w->verify)
			o->may_verify = true;
		if (!w->verify || w->leave_sealed || w->store_encrypted)
			o->may_unwrap = false;
	}
}

/* The root of the message as the first layer. */
static int enter_message(struct opening *o, struct err *e)
{
	struct txn *t = o->t;
	struct layer *l = &o->layer;
	uint64_t end = spool_size(t->msg);

	l->s = t->msg;
	if (header_read(&l->h, l->s, 0, end, e) != 0 ||
	    ctype_read(&l->ct, &l->h, e) != 0)
		return -1;
	l->sh = t->sh;
	l->cms = t->cms;
	t->cms = NULL;
	text_set(o->part, sizeof(o->part), "1");
	return 0;
}

/* Some recipient's copy is sealed and another one's opened: this version
 * makes one body only, and leaves it alone. */
static bool is_shared_with_sealing(struct txn *t)
{
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (plan_seals(t, i))
			return true;
	return false;
}

static int process(struct opening *o, struct err *e)
{
	struct txn *t = o->t;

	if (enter_message(o, e) != 0)
		return -1;
	read_rules(o);
	if (open_layers(o, e) != 0)
		return -1;
	judge_order(o);
	/* A signature around what cannot be opened stays where it is. */
	if (o->was_encrypted && !o->is_decrypted)
		o->is_changed = false;
	if (o->is_changed && rebuild(o, e) != 0)
		return -1;
	if (!o->is_changed)
		forget_inside(o);
	open_report(o);
	set_outcomes(o);
	if (store_wanted(t) && !o->was_encrypted && store_run(t, e) != 0)
		return -1;
	if (t->v->code == 0)
		apply_demand(t);
	return say_result(o, e);
}

int open_run(struct txn *t, struct err *e)
{
	struct opening o = {0};
	int rc;

	if (is_shared_with_sealing(t)) {
		if (store_wanted(t))
			reply_set(t->v, REPLY_DIFFERENT_BODIES, NULL);
		else
			apply_demand(t);
		return 0;
	}
	o.t = t;
	rc = process(&o, e);
	verification_free(&o.ver);
	layer_free(&o.layer);
	return rc;
}
