/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Group by group: what the verdict itself says and changes is one group's,
 * the others have whole messages beside it (M23), and those who may not get
 * theirs yet have one sealed copy of what arrived. What one group is refused,
 * all are (S202).
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/also.h"

size_t txn_members(const struct txn *t, size_t *first)
{
	size_t n = 0;

	for (size_t i = t->v->rcpts; i-- > 0;) {
		if (!txn_has(t, i))
			continue;
		n++;
		if (first != NULL)
			*first = i;
	}
	return n;
}

bool txn_by_tls(const struct txn *t, int group)
{
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (t->v->rcpt[i].group == group && t->rcpt[i].by_tls)
			return true;
	return false;
}

int txn_new_group(struct txn *t, int *group, struct err *e)
{
	if (t->groups >= CAP_GROUPS)
		return err_set(e, FAIL_LIMIT, "recipients need more than %d "
		    "different copies", CAP_GROUPS);
	*group = ++t->groups;
	return 0;
}

/* ---- who is treated alike ---- */

static bool same_treatment(const struct treatment *a,
    const struct treatment *b)
{
	return a->decrypt == b->decrypt && a->verify == b->verify &&
	    a->leave_sealed == b->leave_sealed && a->pass == b->pass &&
	    a->store_encrypted == b->store_encrypted &&
	    a->harvest == b->harvest && a->verify_or == b->verify_or &&
	    a->revocation_hard == b->revocation_hard;
}

/* first[]: a recipient of each group from base on. */
static int find_alike(struct txn *t, size_t *first, int base, size_t i,
    struct err *e)
{
	struct verdict_rcpt *r = &t->v->rcpt[i];

	for (int k = base; k < t->groups; k++) {
		if (!same_treatment(&t->v->rcpt[first[k]].wanted,
		    &r->wanted))
			continue;
		r->group = k + 1;
		return 0;
	}
	if (txn_new_group(t, &r->group, e) != 0)
		return -1;
	first[r->group - 1] = i;
	return 0;
}

/* Those whose copy is not sealed, by what their rules say. */
static int group_openings(struct txn *t, struct err *e)
{
	int base = t->groups, rc = 0;
	size_t *first;

	if (!t->env->can_split) {
		for (size_t i = 0; i < t->v->rcpts; i++)
			if (!t->rcpt[i].held)
				t->v->rcpt[i].group = t->groups = 1;
		return 0;
	}
	first = calloc(CAP_GROUPS + 1, sizeof(*first));
	if (first == NULL)
		return err_set(e, FAIL_TEMP, "groups: out of memory");
	for (size_t i = 0; i < t->v->rcpts && rc == 0; i++)
		if (!plan_seals(t, i))
			rc = find_alike(t, first, base, i, e);
	free(first);
	return rc;
}

/* ---- one group after the other ---- */

static bool has_sealing(const struct txn *t)
{
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (plan_seals(t, i))
			return true;
	return false;
}

struct batch {
	struct txn *t;
	struct plans plans;
	struct made made;
	struct verdict *v;   /* the message's */
	struct verdict base; /* as it was before; owns nothing */
	bool is_used;	     /* a group has worked in it */
	bool is_held;	     /* the mail server holds all */
};

/* A verdict for one group, with the edits that are everybody's. */
static int begin(struct batch *b, struct verdict *own, struct err *e)
{
	struct verdict fresh;

	verdict_init(&fresh);
	*own = b->base;
	own->edit = NULL;
	own->edits = 0;
	own->layers = fresh.layers;
	own->warnings = fresh.warnings;
	own->restored = fresh.restored;
	own->harvested.der = fresh.harvested.der;
	fresh.edit = b->v->edit;
	fresh.edits = b->base.edits;
	return verdict_copy_edits(own, &fresh, 0, e);
}

/* The recipients are the message's. */
static void end(struct verdict *own)
{
	own->rcpt = NULL;
	own->rcpts = 0;
	verdict_free(own);
}

static bool has_line(const struct buf *b, struct view line)
{
	return line.n != 0 && b->n != 0 &&
	    memmem(b->p, b->n, line.p, line.n) != NULL;
}

static void merge_warnings(struct verdict *to, const struct verdict *from)
{
	struct view all = buf_view(&from->warnings);
	size_t n;

	while ((n = view_chr(all, '\n', 0)) != (size_t)-1) {
		struct view line = view_sub(all, 0, n + 1);

		if (!has_line(&to->warnings, line) &&
		    to->warnings.n < TXN_WARNINGS)
			buf_putv(&to->warnings, line);
		all = view_sub(all, n + 1, all.n);
	}
}

/* What is to be remembered of the message, whichever group it came up in. */
static void merge(struct verdict *to, struct verdict *from)
{
	struct buf der = to->harvested.der;

	merge_warnings(to, from);
	if (to->made_algorithm == NULL) {
		to->made_algorithm = from->made_algorithm;
		to->made_by = from->made_by;
	}
	if (!to->has_opened && from->has_opened) {
		to->has_opened = true;
		memcpy(to->opened, from->opened, sizeof(to->opened));
	}
	if (to->learned.address[0] == '\0')
		to->learned = from->learned;
	if (to->harvested.state != NULL || from->harvested.state == NULL)
		return;
	to->harvested = from->harvested;
	from->harvested.der = der;
}

/* They change places; the copies stay where they are. */
static void exchange(struct verdict *v, struct verdict *own)
{
	struct verdict old = *v;

	*v = *own;
	*own = old;
	v->copy = old.copy;
	v->copy_n = old.copy_n;
	v->copies = old.copies;
	v->here = old.here;
	own->copy = NULL;
	own->copy_n = 0;
	own->copies = NULL;
}

/* How much there is to say. */
static int rank(const struct verdict *v)
{
	if (strcmp(v->dec_result, "decrypted") == 0)
		return 2;
	return strcmp(v->sig_result, "none") != 0;
}

static void clear_changes(struct batch *b, struct verdict *x)
{
	verdict_cut_edits(x, b->base.edits);
	spool_free(&x->body);
	x->ret_hdrs = false;
}

void groups_note_held(struct txn *t, const char *why)
{
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (txn_has(t, i))
			text_set(t->v->rcpt[i].reason,
			    sizeof(t->v->rcpt[i].reason), why);
}

/* The group at hand is to be held. */
static void hold(struct batch *b, struct verdict *x)
{
	struct txn *t = b->t;

	if (t->env->can_hold) {
		for (size_t i = 0; i < t->v->rcpts; i++)
			t->rcpt[i].held = t->rcpt[i].held || txn_has(t, i);
		clear_changes(b, x);
		x->action = ACT_UNCHANGED;
	} else if (t->groups > 1 || x != b->v) {
		/* as it arrived; and what was to be sealed does not wait in
		 * clear */
		b->is_held = true;
		clear_changes(b, x);
		if (has_sealing(t))
			reply_set(b->v, REPLY_DIFFERENT_BODIES, NULL);
	}
}

static void take_reply(struct verdict *v, const struct verdict *own)
{
	v->action = own->action;
	v->code = own->code;
	memcpy(v->enhanced, own->enhanced, sizeof(v->enhanced));
	memcpy(v->text, own->text, sizeof(v->text));
}

/* own: of the group at hand, or the message's itself. */
static int settle(struct batch *b, struct verdict *own, struct err *e)
{
	struct verdict *v = b->v;
	int group = b->t->group;

	if (own->code != 0) {
		if (own != v)
			take_reply(v, own);
		return 0;
	}
	if (own->action == ACT_QUARANTINED) {
		hold(b, own);
		if (own != v)
			merge_warnings(v, own);
		return 0;
	}
	if (own == v) {
		v->here = group;
		return 0;
	}
	if (!txn_by_tls(b->t, group) &&
	    (v->here == 0 || rank(own) > rank(v))) {
		int there = v->here;

		exchange(v, own);
		v->here = group;
		group = there;
	}
	merge(v, own);
	return group == 0 ? 0 : copies_add(b->t, own, group, e);
}

static int work(struct batch *b, struct err *e)
{
	struct txn *t = b->t;
	bool seals = false, opens = false;

	for (size_t i = 0; i < t->v->rcpts; i++) {
		seals = seals || (txn_has(t, i) && plan_seals(t, i));
		opens = opens || (txn_has(t, i) && !plan_seals(t, i));
	}
	if (seals && seal_run(t, &b->plans, &b->made, e) != 0)
		return -1;
	/* internal mail whose author cannot be read may be another rule's
	 * (A24): it is not known to be signed */
	if (seals && t->v->code == 0)
		demand_apply(t);
	if (opens && t->v->code == 0 && open_run(t, e) != 0)
		return -1;
	return t->v->code != 0 ? 0 : trigger_edits(t, e);
}

static int do_group(struct batch *b, int group, struct err *e)
{
	struct verdict own;
	struct txn *t = b->t;
	/* never the transaction's own: not even for an instant */
	bool by_tls = txn_by_tls(t, group);
	bool is_own = b->is_used || by_tls;
	/* the author whom a signature inside names is this group's alone */
	struct addr from = t->from;
	bool has_from = t->has_from;
	int rc = 0;

	b->is_used = b->is_used || !by_tls;
	t->group = group;
	if (is_own) {
		rc = begin(b, &own, e);
		t->v = &own;
	}
	if (rc == 0)
		rc = work(b, e);
	/* which lets mail servers forget what they were to verify (RFC 8689
	 * 4.2): here it is not its author's to say */
	if (rc == 0 && by_tls)
		rc = txn_delete_all(t, "TLS-Required", e);
	t->from = from;
	t->has_from = has_from;
	t->v = b->v;
	if (rc == 0)
		rc = settle(b, is_own ? &own : b->v, e);
	if (is_own)
		end(&own);
	return rc;
}

/* ---- all of them ---- */

static int make_groups(struct batch *b, struct err *e)
{
	struct txn *t = b->t;
	bool seals = has_sealing(t);

	if (seals && plan_make(t, &b->plans, e) != 0)
		return -1;
	if (t->v->code != 0 || (seals && !t->env->can_split))
		return 0;
	return group_openings(t, e);
}

/* One copy for all who are held. */
static int keep_held(struct txn *t, struct err *e)
{
	bool any = false;
	int group = 0;

	for (size_t i = 0; i < t->v->rcpts; i++)
		any = any || t->rcpt[i].held;
	if (!any)
		return 0;
	if (txn_new_group(t, &group, e) != 0)
		return -1;
	for (size_t i = 0; i < t->v->rcpts; i++) {
		if (!t->rcpt[i].held)
			continue;
		t->v->rcpt[i].group = group;
		t->v->rcpt[i].outcome = OUT_QUARANTINED;
	}
	t->group = group;
	return copies_hold(t, e);
}

static bool any_sent(const struct verdict *v)
{
	for (size_t i = 0; i < v->copy_n; i++)
		if (v->copy[i].kind == COPY_SENT)
			return true;
	return false;
}

static int conclude(struct batch *b, struct err *e)
{
	struct txn *t = b->t;
	struct verdict *v = t->v;

	if (b->is_held) {
		v->action = ACT_QUARANTINED;
		v->here = 0;
		clear_changes(b, v);
		free(v->copy);
		v->copy = NULL;
		v->copy_n = 0;
		spool_free(&v->copies);
		return 0;
	}
	if (keep_held(t, e) != 0)
		return -1;
	if (v->copy_n == 0 || v->code != 0)
		return 0;
	if (v->here != 0 && txn_by_tls(t, v->here))
		return err_set(e, FAIL_BUG, "groups: what leaves by tls-route "
		    "alone is in the transaction");
	v->action = v->here != 0 || any_sent(v) ? ACT_SPLIT : ACT_QUARANTINED;
	if (v->here == 0)
		verdict_cut_edits(v, 0);
	return copies_identify(t, e);
}

/* More groups than there may be came up on the way. */
static int too_many(struct txn *t, int rc, struct err *e)
{
	if (rc == 0 || e->kind != FAIL_LIMIT)
		return rc;
	reply_set(t->v, REPLY_DIFFERENT_BODIES, e->msg);
	err_clear(e);
	return 0;
}

int groups_run(struct txn *t, struct err *e)
{
	struct batch b = {.t = t, .v = t->v};
	int rc;

	made_init(&b.made);
	rc = make_groups(&b, e);
	b.base = *t->v;
	if (t->env->plan_only)
		goto out;
	for (int k = 1; rc == 0 && k <= t->groups && b.v->code == 0 &&
	    !b.is_held; k++)
		rc = do_group(&b, k, e);
	if (rc == 0 && b.v->code == 0)
		rc = conclude(&b, e);
out:
	t->group = 0;
	rc = too_many(t, rc, e);
	made_free(&b.made);
	plans_free(&b.plans);
	return rc;
}

int groups_hold_all(struct txn *t, struct err *e)
{
	if (t->v->action != ACT_QUARANTINED || !t->env->can_hold ||
	    t->g->ks == NULL || t->v->copy_n != 0)
		return 0;
	verdict_cut_edits(t->v, 0);
	for (size_t i = 0; i < t->v->rcpts; i++)
		t->rcpt[i].held = true;
	return keep_held(t, e) != 0 ? -1 : copies_identify(t, e);
}
