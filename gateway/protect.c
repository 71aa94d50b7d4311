/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The one place that knows both the protected entity and the edits of the
 * message: what HP-Outer says inside is what these edits leave outside.
 */
#include "gateway/protect.h"

#include <string.h>

enum hp_policy protect_policy(const char *word)
{
	static const char *const name[] = {
		[HP_OFF] = "off",
		[HP_COPY] = "copy",
		[HP_BASELINE] = "baseline",
		[HP_SHY] = "shy",
	};

	for (size_t i = 0; word != NULL && i < ARRAY_LEN(name); i++)
		if (strcmp(word, name[i]) == 0)
			return (enum hp_policy)i;
	return HP_OFF;
}

static int edit_header(struct txn *t, const struct hp_outer *o,
    struct err *e)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct hp_change *c = &o->change[i];
		bool is_first = i == 0 || !view_ieq_str(view_of(c->name),
		    o->change[i - 1].name);

		if (is_first && txn_delete_all(t, c->name, e) != 0)
			return -1;
		if (c->value != NULL &&
		    verdict_add(t->v, c->name, c->value, e) != 0)
			return -1;
	}
	return 0;
}

int protect_run(struct txn *t, enum hp_policy p, bool sign, bool encrypt,
    struct spool **entity, bool *is_7bit, struct err *e)
{
	struct hp_outer outer = {0};
	struct spool *next = NULL;
	int rc = -1;

	if (p == HP_OFF || !sign)
		return 0;
	if (txn_spool(t, &next, e) != 0)
		return -1;
	if (hp_write(*entity, &t->h, p, encrypt, next, &outer, e) != 0)
		goto out;
	if (edit_header(t, &outer, e) != 0) {
		if (e->kind == FAIL_BUG)
			e->kind = FAIL_INPUT; /* the message's own field */
		goto out;
	}
	*is_7bit = *is_7bit && outer.is_7bit;
	spool_free(entity);
	*entity = next;
	next = NULL;
	rc = 0;
out:
	hp_outer_free(&outer);
	spool_free(&next);
	return rc;
}
