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

#include "gateway/harvest.h"
#include "gateway/learn.h"
#include "gateway/opening.h"
#include "gateway/replies.h"
#include "smime/canon.h"

/* ---- rebuilding ---- */

/* 0 also when it cannot be delivered: then the message stays as it came. */
static int rebuild(struct opening *o, struct err *e)
{
	struct txn *t = o->t;
	const struct layer *l = &o->layer[o->deliver];
	struct spool *clean = NULL;
	size_t edits = t->v->edits;
	int rc = -1;

	if (txn_spool(t, &clean, e) != 0)
		return -1;
	if (canon_deliverable(l->s, l->off, l->end, clean, e) == 0 &&
	    install_entity(t, &clean, e) == 0) {
		t->v->ret_hdrs = o->is_decrypted;
		rc = 0;
	} else if (e->kind == FAIL_INPUT || e->kind == FAIL_LIMIT) {
		verdict_cut_edits(t->v, edits);
		txn_warn(t, "delivered as it arrived: %s", e->msg);
		err_clear(e);
		o->deliver = 0;
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
	findings_drop(o, o->encrypted + 1);
	o->is_decrypted = false;
	o->has_failed = true;
}

/* Of mail that is delivered, what later mail goes by. */
static void remember(struct opening *o)
{
	const struct finding *f = finding_that_counts(o);

	if (o->t->v->code != 0 || o->t->v->action == ACT_QUARANTINED)
		return;
	if (o->is_decrypted)
		replies_note(o->t);
	learn_note(o->t, f == NULL ? NULL : f->ver);
	harvest_note(o->t, f == NULL ? NULL : f->ver);
}

/* ---- what the rules say ---- */

static void set_outcomes(struct opening *o)
{
	struct verdict *v = o->t->v;

	for (size_t i = 0; i < v->rcpts; i++) {
		if (!txn_has(o->t, i))
			continue;
		if (o->is_decrypted)
			v->rcpt[i].outcome = OUT_OPENED;
		else if (o->findings > 0 && v->rcpt[i].wanted.verify)
			v->rcpt[i].outcome = OUT_VERIFIED;
		else
			v->rcpt[i].outcome = OUT_PASSED;
		if (strcmp(v->dec_result, "none") != 0)
			text_set(v->rcpt[i].reason,
			    sizeof(v->rcpt[i].reason), v->dec_reason);
	}
}

static void read_rules(struct opening *o)
{
	const struct txn *t = o->t;

	o->may_decrypt = o->may_unwrap = t->v->rcpts > 0;
	for (size_t i = 0; i < t->v->rcpts; i++) {
		const struct treatment *w = &t->v->rcpt[i].wanted;

		if (!txn_has(t, i))
			continue;
		if (!w->decrypt)
			o->may_decrypt = false;
		if (w->verify)
			o->may_verify = true;
		if (!w->verify || w->leave_sealed || w->store_encrypted)
			o->may_unwrap = false;
	}
}

/* Some recipient's copy is sealed and another one's opened: where there is
 * one body only, it is left alone. */
static bool is_shared_with_sealing(struct txn *t)
{
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (txn_has(t, i) && plan_seals(t, i))
			return true;
	return false;
}

/* Of nobody who may have it opened, it stays as it arrived. */
static int confirm(struct opening *o, struct err *e)
{
	int rc = open_confirm(o, e);

	if (rc != 0)
		return rc == 1 ? 0 : -1;
	o->deliver = 0;
	forget_inside(o);
	o->t->v->dec_result = "no-key";
	text_set(o->t->v->dec_reason, sizeof(o->t->v->dec_reason),
	    "the key is for all of the domain, and nothing that is signed "
	    "inside names this recipient");
	return 0;
}

static int process(struct opening *o, struct err *e)
{
	struct txn *t = o->t;

	if (layer_first(o, e) != 0)
		return -1;
	read_rules(o);
	if (open_layers(o, e) != 0)
		return -1;
	if (confirm(o, e) != 0)
		return -1;
	/* A signature around what cannot be opened stays where it is. */
	if (o->encrypted != -1 && !o->is_decrypted)
		o->deliver = 0;
	if (o->deliver > 0 && rebuild(o, e) != 0)
		return -1;
	if (o->deliver == 0)
		forget_inside(o);
	if (nested_verify(o, e) != 0 || open_headers(o, e) != 0)
		return -1;
	findings_settle(o);
	findings_report(o);
	set_outcomes(o);
	if (store_wanted(t) && o->encrypted == -1 && store_run(t, e) != 0)
		return -1;
	if (t->v->code == 0)
		demand_apply(t);
	remember(o);
	return findings_insert(o, e);
}

int open_run(struct txn *t, struct err *e)
{
	struct opening o = {.t = t, .encrypted = -1, .sealed = -1};
	int rc;

	if (is_shared_with_sealing(t)) {
		if (store_wanted(t))
			reply_set(t->v, REPLY_DIFFERENT_BODIES, NULL);
		else
			demand_apply(t);
		return 0;
	}
	rc = process(&o, e);
	findings_free(&o);
	layers_free(&o);
	return rc;
}
