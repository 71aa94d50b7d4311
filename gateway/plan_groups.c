/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Who gets the same copy of an outgoing message as whom (S129 to S131):
 * those whom the message shows share one where all that is made of it is the
 * same; whoever only the envelope names has an encrypted copy of his own.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/plan_int.h"

/* ---- the same? ---- */

/* What is fixed was compared with the floor when the rules were read. */
static bool same_cipher(const struct cipher_policy *a,
    const struct cipher_policy *b)
{
	return a->unknown == b->unknown && a->is_fixed == b->is_fixed &&
	    (a->is_fixed || a->floor == b->floor);
}

static bool same_signature(const struct copy_form *a, const struct copy_form *b)
{
	return a->opaque == b->opaque && a->protect == b->protect &&
	    a->alg == b->alg;
}

bool form_signs_alike(const struct copy_form *a, const struct copy_form *b)
{
	return a->sign == b->sign && a->encrypt == b->encrypt &&
	    (!a->sign || same_signature(a, b));
}

/* Key transport is each recipient's own matter. */
static bool same_form(const struct copy_form *a, const struct copy_form *b)
{
	return form_signs_alike(a, b) && a->by_tls == b->by_tls &&
	    (!a->encrypt ||
	    (a->key == b->key && a->apart == b->apart &&
	    same_cipher(&a->writing.cipher, &b->writing.cipher)));
}

/* Whoever only the envelope names gets an encrypted copy of his own. */
static bool is_alone(const struct planner *pl, size_t i)
{
	return pl->p->form[i].encrypt && (!pl->t->rcpt[i].visible ||
	    pl->t->v->rcpt[i].wanted.per_recipient);
}

/* Where there is one body only, those who are opened count as those who get
 * it in clear. */
static bool takes_part(const struct planner *pl, size_t i)
{
	return !pl->t->rcpt[i].held &&
	    (pl->p->form[i].seals || !pl->t->env->can_split);
}

/* ---- numbers ---- */

struct grouping {
	struct planner *pl;
	size_t *first; /* recipient of each group */
	int *number;   /* that it gets in the end */
	int n;
};

/* The group that recipient i may share, or n. */
static int find_shared(const struct grouping *g, size_t i)
{
	int k = is_alone(g->pl, i) ? g->n : 0;

	while (k < g->n && (is_alone(g->pl, g->first[k]) ||
	    !same_form(&g->pl->p->form[g->first[k]], &g->pl->p->form[i])))
		k++;
	return k;
}

/*
 * Groups of one form of signature follow each other, so that each form is
 * made once. Says how many forms are signed.
 */
static int order(struct grouping *g)
{
	const struct copy_form *form = g->pl->p->form;
	int next = 0, forms = 0;

	for (int a = 0; a < g->n; a++) {
		if (g->number[a] != 0)
			continue;
		forms += form[g->first[a]].sign;
		for (int b = a; b < g->n; b++)
			if (g->number[b] == 0 && form_signs_alike(
			    &form[g->first[a]], &form[g->first[b]]))
				g->number[b] = ++next;
	}
	return forms;
}

static void refuse(struct planner *pl, const char *why)
{
	struct verdict *v = pl->t->v;
	struct buf b;

	buf_init(&b, 65536);
	for (size_t i = 0; i < v->rcpts && b.n < 2000; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : ", ", v->rcpt[i].address);
	for (size_t i = 0; i < v->rcpts; i++)
		text_set(v->rcpt[i].reason, sizeof(v->rcpt[i].reason), why);
	reply_set(v, REPLY_DIFFERENT_BODIES, buf_str(&b));
	buf_free(&b);
}

/* Too many for one message? Then it is refused. */
static void number_all(struct grouping *g)
{
	struct txn *t = g->pl->t;
	bool has_held = false;
	int shared = 0; /* groups that could be the transaction's */

	for (size_t i = 0; i < t->v->rcpts; i++)
		has_held = has_held || t->rcpt[i].held;
	for (int k = 0; k < g->n; k++)
		shared += !g->pl->p->form[g->first[k]].by_tls;
	if (!t->env->can_split && shared + has_held > 1)
		refuse(g->pl, "recipients need different copies of the "
		    "message");
	else if (g->n > CAP_GROUPS)
		refuse(g->pl, "recipients need more different copies than "
		    "one message can have");
	else if (order(g) > CAP_KEY_OPS)
		refuse(g->pl, "recipients need more different signatures "
		    "than one message can have");
	if (t->v->code != 0)
		return;
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (takes_part(g->pl, i))
			t->v->rcpt[i].group =
			    g->number[t->v->rcpt[i].group - 1];
	t->groups = g->n;
}

static int make_groups(struct planner *pl, struct err *e)
{
	struct verdict *v = pl->t->v;
	struct grouping g = {pl, NULL, NULL, 0};
	int rc = -1;

	g.first = calloc(v->rcpts + 1, sizeof(*g.first));
	g.number = calloc(v->rcpts + 1, sizeof(*g.number));
	if (g.first == NULL || g.number == NULL) {
		err_set(e, FAIL_TEMP, "plan: out of memory");
		goto out;
	}
	for (size_t i = 0; i < v->rcpts && g.n <= CAP_GROUPS; i++) {
		int k;

		if (!takes_part(pl, i))
			continue;
		k = find_shared(&g, i);
		if (k == g.n)
			g.first[g.n++] = i;
		v->rcpt[i].group = k + 1;
	}
	number_all(&g);
	rc = 0;
out:
	free(g.first);
	free(g.number);
	return rc;
}

struct named {
	const struct cert *cert;
	size_t who;
};

static int compare_named(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return memcmp(cert_sha256(x->cert), cert_sha256(y->cert), 32);
}

/* An encrypted message names CAP_CMS_RECIPIENTS certificates at most. */
static bool part_named(struct plans *p, struct named *v, size_t n)
{
	int k = 0;

	qsort(v, n, sizeof(*v), compare_named);
	for (size_t i = 0; i < n; i++) {
		k += i > 0 && compare_named(&v[i - 1], &v[i]) != 0;
		p->form[v[i].who].apart += k / CAP_CMS_RECIPIENTS *
		    (ENC_CIPHERS + 1);
	}
	return k >= CAP_CMS_RECIPIENTS;
}

static int part_large(struct planner *pl, int group, bool *again,
    struct err *e)
{
	struct txn *t = pl->t;
	struct named *v;
	size_t n = 0;

	if (t->v->rcpts <= CAP_CMS_RECIPIENTS || !t->env->can_split)
		return 0;
	v = calloc(t->v->rcpts, sizeof(*v));
	if (v == NULL)
		return err_set(e, FAIL_TEMP, "plan: out of memory");
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (t->v->rcpt[i].group == group && pl->p->form[i].encrypt)
			v[n++] = (struct named){t->rcpt[i].cert, i};
	*again = part_named(pl->p, v, n) || *again;
	free(v);
	return 0;
}

/* Those who have no cipher in common get each what he reads. */
static int part(struct planner *pl, bool *again, struct err *e)
{
	bool has;

	*again = false;
	for (int k = 1; k <= pl->t->groups; k++) {
		if (part_large(pl, k, again, e) != 0 ||
		    plan_has_cipher(pl, k, &has, e) != 0)
			return -1;
		if (has)
			continue;
		if (!pl->t->env->can_split) {
			refuse(pl, "recipients need different copies of the "
			    "message");
			return 0;
		}
		plan_part_ciphers(pl, k);
		*again = true;
	}
	return 0;
}

int plan_groups(struct planner *pl, struct err *e)
{
	bool again = false;

	if (make_groups(pl, e) != 0)
		return -1;
	if (pl->t->v->code == 0 && part(pl, &again, e) != 0)
		return -1;
	return again ? make_groups(pl, e) : 0;
}
