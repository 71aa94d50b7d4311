/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the rules make of the result of a signature: mail that is not validly
 * signed is refused or held where a rule demands it, as if it were unsigned
 * (S83).
 */
#include <string.h>

#include "gateway/gateway_int.h"

static enum or_else strictest(const struct txn *t)
{
	enum or_else o = OR_MUST;

	for (size_t i = 0; i < t->v->rcpts; i++) {
		const struct treatment *w = &t->v->rcpt[i].wanted;

		if (!txn_has(t, i) || !w->verify)
			continue;
		if (w->verify_or == OR_REJECT)
			return OR_REJECT;
		if (w->verify_or == OR_QUARANTINE)
			o = OR_QUARANTINE;
	}
	return o;
}

static void hold(struct txn *t)
{
	struct buf why;

	t->v->action = ACT_QUARANTINED;
	buf_init(&why, 2048);
	buf_printf(&why, "a valid signature is required, and it is %s%s%s",
	    t->v->sig_result, t->v->sig_reason[0] == '\0' ? "" : ": ",
	    t->v->sig_reason);
	groups_note_held(t, buf_str(&why));
	buf_free(&why);
}

void demand_apply(struct txn *t)
{
	enum or_else demand = strictest(t);

	if (demand == OR_MUST || strcmp(t->v->sig_result, "pass") == 0)
		return;
	if (strcmp(t->v->sig_result, "temperror") == 0)
		reply_set(t->v, REPLY_VERIFY_LATER, NULL);
	else if (demand == OR_REJECT)
		reply_set(t->v, REPLY_NOT_VERIFIED, NULL);
	else
		hold(t);
}

void demand_unworked(struct txn *t)
{
	if (store_wanted(t))
		store_hold(t, "it was not worked on");
	demand_apply(t);
}
