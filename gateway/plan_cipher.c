/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The algorithms of an encrypted copy: one cipher that all its recipients
 * read, and each one's key transport.
 */
#include "gateway/plan_int.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/learn.h"

static const struct cipher_policy *policy_of(const struct plans *p, size_t i)
{
	return &p->form[i].writing.cipher;
}

int plan_readers(struct planner *pl, struct err *e)
{
	struct txn *t = pl->t;
	struct plans *p = pl->p;
	struct reader known;
	enum enc_cipher any;
	struct buf why;

	for (size_t i = 0; i < t->v->rcpts; i++) {
		struct verdict_rcpt *r = &t->v->rcpt[i];

		if (!p->form[i].encrypt)
			continue;
		if (learn_get(t, i, &known, e) != 0)
			return -1;
		p->caps[i] = known.caps;
		learn_why(&known, &p->form[i].writing, r->capabilities,
		    sizeof(r->capabilities));
		if (capabilities_choose(&p->caps[i], 1, policy_of(p, i),
		    &any) == 0)
			continue;
		buf_init(&why, 200);
		buf_printf(&why, "known to read nothing as strong as %s",
		    enc_cipher_str(policy_of(p, i)->floor));
		plan_refuse_rcpt(pl, i, REPLY_ALGORITHM, buf_str(&why));
		buf_free(&why);
	}
	return 0;
}

/* What all of these read; -1: nothing. FAIL_TEMP in e, if anything is. */
static int choose(const struct txn *t, const struct plans *p, int group,
    enum enc_cipher *out, struct err *e)
{
	struct capabilities *caps = calloc(t->v->rcpts + 1, sizeof(*caps));
	const struct cipher_policy *policy = NULL;
	size_t n = 0;
	int rc;

	if (caps == NULL)
		return err_set(e, FAIL_TEMP, "plan: out of memory");
	for (size_t i = 0; i < t->v->rcpts; i++) {
		if (t->v->rcpt[i].group != group || t->rcpt[i].held ||
		    !p->form[i].encrypt)
			continue;
		policy = policy_of(p, i);
		caps[n++] = p->caps[i];
	}
	rc = n == 0 ? 0 : capabilities_choose(caps, n, policy, out);
	free(caps);
	return rc;
}

int plan_has_cipher(struct planner *pl, int group, bool *has, struct err *e)
{
	enum enc_cipher any;

	*has = choose(pl->t, pl->p, group, &any, e) == 0;
	return e != NULL && e->kind != 0 ? -1 : 0;
}

void plan_part_ciphers(struct planner *pl, int group)
{
	struct plans *p = pl->p;
	enum enc_cipher own;

	for (size_t i = 0; i < pl->t->v->rcpts; i++)
		if (pl->t->v->rcpt[i].group == group && p->form[i].encrypt &&
		    capabilities_choose(&p->caps[i], 1, policy_of(p, i),
		    &own) == 0)
			p->form[i].apart += 1 + (int)own;
}

/* ---- one group ---- */

static int compare_certs(const void *a, const void *b)
{
	const struct enc_to *x = *(struct enc_to *const *)a;
	const struct enc_to *y = *(struct enc_to *const *)b;

	return memcmp(cert_sha256(x->cert), cert_sha256(y->cert), 32);
}

/*
 * Addresses with one certificate get one RecipientInfo, which one program
 * reads: OAEP where a rule orders it for any of them, else where all are
 * known to read it.
 */
static int share_transport(struct plan *p, struct err *e)
{
	struct enc_to **to = calloc(p->n, sizeof(struct enc_to *));
	size_t next;

	if (to == NULL)
		return err_set(e, FAIL_TEMP, "plan: out of memory");
	for (size_t i = 0; i < p->n; i++)
		to[i] = &p->to[i];
	qsort(to, p->n, sizeof(struct enc_to *), compare_certs);
	for (size_t i = 0; i < p->n; i = next) {
		bool is_ordered = false, all = true;

		for (next = i; next < p->n &&
		    compare_certs(&to[i], &to[next]) == 0; next++) {
			size_t who = p->who[to[next] - p->to];

			is_ordered |= p->all->form[who].writing.oaep;
			all = all && to[next]->oaep;
		}
		for (size_t k = i; k < next; k++)
			to[k]->oaep = is_ordered || all;
	}
	free(to);
	return 0;
}

/* One cipher for all, each recipient's own key transport. */
int plan_ciphers(struct txn *t, struct plan *p, struct err *e)
{
	size_t n = txn_members(t, NULL);

	p->to = calloc(n + 1, sizeof(*p->to));
	p->who = calloc(n + 1, sizeof(*p->who));
	if (p->to == NULL || p->who == NULL)
		return err_set(e, FAIL_TEMP, "plan: out of memory");
	for (size_t i = 0; i < t->v->rcpts; i++) {
		if (!txn_has(t, i))
			continue;
		p->who[p->n] = i;
		p->to[p->n].cert = t->rcpt[i].cert;
		p->to[p->n++].oaep = writing_oaep(&p->all->form[i].writing,
		    &p->all->caps[i]);
	}
	if (share_transport(p, e) != 0)
		return -1;
	if (choose(t, p->all, t->group, &p->cipher, e) != 0)
		return e != NULL && e->kind != 0 ? -1
		    : err_set(e, FAIL_BUG, "plan: no cipher for a group");
	for (size_t k = 0; k < p->n; k++)
		plan_note_encryption(&t->v->rcpt[p->who[k]], &p->to[k],
		    p->cipher);
	return 0;
}
