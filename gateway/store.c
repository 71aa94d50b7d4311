/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * store-encrypted: what arrived in clear is sealed for the mailbox, so that
 * who takes the mail server cannot read it. The message goes in as it
 * arrived, signatures and all.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway_int.h"
#include "smime/canon.h"
#include "smime/encrypt.h"

bool store_wanted(const struct txn *t)
{
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (txn_has(t, i) && t->v->rcpt[i].wanted.store_encrypted)
			return true;
	return false;
}

/* One certificate a recipient: for storage, else for mail. */
static int choose_all(struct txn *t, struct err *e)
{
	for (size_t i = 0; i < t->v->rcpts; i++) {
		if (!txn_has(t, i))
			continue;
		cert_free(&t->rcpt[i].cert);
		if (plan_choose(t, i, KS_STORAGE, e) != 0)
			return -1;
		if (t->rcpt[i].cert == NULL &&
		    plan_choose(t, i, KS_ENCRYPT, e) != 0)
			return -1;
		if (t->rcpt[i].cert == NULL && store_owners(t, i, e) != 0)
			return -1;
	}
	return 0;
}

/* ---- who shares a copy ---- */

static bool is_alone(const struct txn *t, size_t i)
{
	return t->v->rcpts > 1 && (!t->rcpt[i].visible ||
	    t->v->rcpt[i].wanted.per_recipient);
}

/* Everybody's copy is the same, and shows nobody whom To and Cc do not. */
static bool is_one_group(const struct txn *t)
{
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (!t->v->rcpt[i].wanted.store_encrypted || is_alone(t, i))
			return false;
	return true;
}

/* No certificate, or the kind of its key. */
#define KINDS 4
static int kind_of(const struct txn *t, size_t i)
{
	return t->rcpt[i].cert == NULL
	    ? 0
	    : 1 + (int)cert_key_type(t->rcpt[i].cert);
}

/* Who cannot share with the first one goes to another group, which is looked
 * at later. */
static int part(struct txn *t, size_t first, struct err *e)
{
	int group[KINDS] = {0};

	for (size_t i = first + 1; i < t->v->rcpts; i++) {
		int *k = &group[kind_of(t, i)];
		bool alone = kind_of(t, i) != 0 && is_alone(t, i);

		if (!txn_has(t, i) || (kind_of(t, i) == kind_of(t, first) &&
		    (kind_of(t, i) == 0 || (!alone && !is_alone(t, first)))))
			continue;
		if ((alone || *k == 0) &&
		    txn_new_group(t, alone ? &t->v->rcpt[i].group : k, e) != 0)
			return -1;
		if (!alone)
			t->v->rcpt[i].group = *k;
	}
	return 0;
}

/* *all: each of the group has a certificate. */
static int make_group(struct txn *t, bool *all, struct err *e)
{
	size_t first = 0;

	if (choose_all(t, e) != 0)
		return -1;
	(void)txn_members(t, &first);
	if (t->env->can_split && part(t, first, e) != 0)
		return -1;
	*all = true;
	for (size_t i = 0; i < t->v->rcpts; i++)
		*all = *all && (!txn_has(t, i) || t->rcpt[i].cert != NULL);
	return 0;
}

/* ---- sealing ---- */

/* The MIME fields and the body just as they are: what has more than one
 * reading is not ours to judge when it only goes into an envelope. */
static int raw_entity(struct txn *t, struct spool *out, struct err *e)
{
	struct sink to = spool_sink(out);

	for (size_t i = 0; i < t->h.n; i++) {
		struct view w = t->h.field[i].whole;

		if (view_istarts(t->h.field[i].name, "Content-") &&
		    sink_put(&to, w.p, w.n, e) != 0)
			return -1;
	}
	if (header_get(&t->h, "Content-Type", 0) == NULL &&
	    sink_puts(&to, "Content-Type: text/plain\r\n", e) != 0)
		return -1;
	if (sink_puts(&to, "\r\n", e) != 0)
		return -1;
	return spool_copy(t->msg, t->h.body_off, spool_size(t->msg), &to, e);
}

static int make_entity(struct txn *t, struct spool *out, struct err *e)
{
	struct canon_info info;

	if (canon_entity(t->msg, 0, spool_size(t->msg), out, &info, e) == 0)
		return 0;
	if (e->kind != FAIL_INPUT && e->kind != FAIL_LIMIT)
		return -1;
	txn_warn(t, "stored without canonical form: %s", e->msg);
	err_clear(e);
	return spool_clear(out, e) != 0 ? -1 : raw_entity(t, out, e);
}

static int seal(struct txn *t, const struct enc_to *to, size_t n,
    struct err *e)
{
	struct spool *entity = NULL, *sealed = NULL;
	int rc = -1;

	if (txn_spool(t, &entity, e) != 0 || txn_spool(t, &sealed, e) != 0 ||
	    make_entity(t, entity, e) != 0)
		goto out;
	if (encrypt_entity(entity, to, n, ENC_AES256_CBC, sealed, e) != 0 ||
	    encrypt_self_check(sealed, to, n, ENC_AES256_CBC, e) != 0)
		goto out;
	rc = install_entity(t, &sealed, e);
out:
	spool_free(&entity);
	spool_free(&sealed);
	return rc;
}

/* Neither in clear to the mailbox nor lost nor back to a stranger who can
 * do nothing about it. */
void store_hold(struct txn *t, const char *why)
{
	t->v->action = ACT_QUARANTINED;
	txn_warn(t, "held, not stored in clear: %s", why);
}

static void set_outcomes(struct txn *t)
{
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (txn_has(t, i))
			t->v->rcpt[i].outcome = OUT_STORE_ENCRYPTED;
	buf_puts(&t->v->layers, "encrypted 1 -\n");
	t->v->ret_hdrs = true;
}

static int seal_all(struct txn *t, struct err *e)
{
	struct enc_to *to;
	size_t n = 1;
	int rc;

	for (size_t i = 0; i < t->v->rcpts; i++)
		n += 1 + t->rcpt[i].mores;
	to = calloc(n, sizeof(*to));
	if (to == NULL)
		return err_set(e, FAIL_TEMP, "store: out of memory");
	n = 0;
	for (size_t i = 0; i < t->v->rcpts; i++) {
		if (!txn_has(t, i))
			continue;
		to[n++].cert = t->rcpt[i].cert;
		for (size_t k = 0; k < t->rcpt[i].mores; k++)
			to[n++].cert = t->rcpt[i].more[k];
	}
	rc = seal(t, to, n, e);
	free(to);
	return rc;
}

int store_run(struct txn *t, struct err *e)
{
	bool all;

	if (plan_mark_visible(t, e) != 0)
		return -1;
	if (!t->env->can_split && !is_one_group(t)) {
		reply_set(t->v, REPLY_DIFFERENT_BODIES, NULL);
		return 0;
	}
	if (make_group(t, &all, e) != 0)
		return -1;
	if (!all) {
		store_hold(t, "a recipient has no usable certificate");
		return 0;
	}
	if (seal_all(t, e) == 0) {
		set_outcomes(t);
		return 0;
	}
	if (e->kind != FAIL_INPUT && e->kind != FAIL_LIMIT &&
	    e->kind != FAIL_POLICY)
		return -1;
	store_hold(t, e->msg);
	groups_note_held(t, e->msg);
	err_clear(e);
	return 0;
}
