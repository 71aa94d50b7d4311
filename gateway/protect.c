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
	return HP_COPY;
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

/* May it be left out, and why? NULL: it may not, or need not. */
static const char *excuse(const struct plan *p, const struct hp_outer *o,
    int rc, const struct err *e)
{
	if (p->must_protect || (rc != 0 && err_is_ours(e)))
		return NULL;
	if (rc != 0)
		return e->msg;
	if (!o->is_7bit)
		return "an address in UTF-8 needs the opaque form";
	return o->n == 0 ? NULL : "a field would have to change its form";
}

static int install(struct txn *t, const struct hp_outer *o,
    struct spool **entity, struct spool **next, struct err *e)
{
	if (edit_header(t, o, e) != 0) {
		if (e->kind == FAIL_BUG)
			e->kind = FAIL_INPUT; /* the message's own field */
		return -1;
	}
	spool_free(entity);
	*entity = *next;
	*next = NULL;
	return 0;
}

int protect_run(struct txn *t, const struct plan *p, struct spool **entity,
    bool *is_7bit, struct err *e)
{
	struct hp_outer outer = {0};
	struct spool *next = NULL;
	const char *why;
	int rc;

	if (p->protect == HP_OFF || !p->sign)
		return 0;
	if (txn_spool(t, &next, e) != 0 ||
	    spool_reserve(next, SPOOL_RESERVE, e) != 0) {
		spool_free(&next);
		return -1;
	}
	rc = hp_write(*entity, &t->h, p->protect, p->encrypt, next, &outer,
	    e);
	why = excuse(p, &outer, rc, e);
	if (why != NULL) {
		txn_warn(t, "header fields are not protected: %s", why);
		err_clear(e);
		rc = 0;
	} else if (rc == 0) {
		rc = install(t, &outer, entity, &next, e);
		*is_7bit = *is_7bit && outer.is_7bit;
	}
	hp_outer_free(&outer);
	spool_free(&next);
	return rc;
}
