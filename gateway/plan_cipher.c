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

/* No cipher: whose fault is it? Nobody's in particular when each could have
 * a copy of his own. */
static void refuse_ciphers(struct planner *pl, const struct capabilities *caps)
{
	const struct cipher_policy *p = &pl->p->writing.cipher;
	enum enc_cipher any;
	struct buf why;

	buf_init(&why, 200);
	buf_printf(&why, "known to read nothing as strong as %s",
	    enc_cipher_str(p->floor));
	for (size_t i = 0; i < pl->t->v->rcpts; i++)
		if (capabilities_choose(&caps[i], 1, p, &any) != 0)
			plan_refuse_rcpt(pl, i, REPLY_ALGORITHM, buf_str(&why));
	buf_free(&why);
	pl->p->is_refused = true;
	if (pl->has_refusal)
		reply_set(pl->t->v, pl->refusal, buf_str(&pl->reasons));
	else
		plan_refuse_groups(pl);
}

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
static int share_transport(struct planner *pl, struct err *e)
{
	struct plan *p = pl->p;
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
			is_ordered |= pl->form[to[next] - p->to].writing.oaep;
			all = all && to[next]->oaep;
		}
		for (size_t k = i; k < next; k++)
			to[k]->oaep = is_ordered || all;
	}
	free(to);
	return 0;
}

/* One cipher for all, each recipient's own key transport. */
int plan_ciphers(struct planner *pl, struct capabilities *caps,
    struct err *e)
{
	struct txn *t = pl->t;
	struct plan *p = pl->p;
	struct reader known;

	for (size_t i = 0; i < t->v->rcpts; i++) {
		struct verdict_rcpt *r = &t->v->rcpt[i];
		const struct writing *w = &pl->form[i].writing;

		if (learn_get(t, i, &known, e) != 0)
			return -1;
		caps[i] = known.caps;
		learn_why(&known, w, r->capabilities,
		    sizeof(r->capabilities));
		p->to[p->n].cert = t->rcpt[i].cert;
		p->to[p->n++].oaep = writing_oaep(w, &caps[i]);
	}
	if (share_transport(pl, e) != 0)
		return -1;
	if (capabilities_choose(caps, p->n, &p->writing.cipher,
	    &p->cipher) != 0) {
		refuse_ciphers(pl, caps);
		return 0;
	}
	for (size_t i = 0; i < t->v->rcpts; i++)
		plan_note_encryption(&t->v->rcpt[i], &p->to[i], p->cipher);
	return 0;
}
