/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A plan in the making, shared by plan.c and plan_cipher.c.
 */
#ifndef GATEWAY_PLAN_INT_H
#define GATEWAY_PLAN_INT_H

#include "gateway/gateway_int.h"

/* What becomes of one recipient's copy. */
struct form {
	bool seals; /* looked at here at all */
	bool sign, encrypt, opaque;
	enum sig_alg alg; /* with sign */
	struct writing writing;
	enum hp_policy protect;
};

struct planner {
	struct txn *t;
	struct plan *p;
	struct form *form; /* per recipient */
	/* refusals, all reasons; the first case gives the code */
	struct buf reasons;
	bool has_refusal;
	enum reply_case refusal;
	/* the author, asked once */
	bool asked;
	bool may_sign;
	bool is_refused; /* and said so already */
	enum reply_case why_not;
	char why_not_text[200];
};

/* One more reason to refuse the message; the first case gives the code. */
void plan_refuse_rcpt(struct planner *pl, size_t i, enum reply_case c,
    const char *why);
/*
 * Ask the directories that serve recipient i for a certificate that the
 * keystore has not (plan_choose first). *unknown: none could say; the
 * recipient's reason says which. FAIL_TEMP.
 */
int plan_lookup(struct txn *t, size_t i, bool *unknown, struct err *e)
    MUST_CHECK;
/* Recipients that would need different copies. */
void plan_refuse_groups(struct planner *pl);

/*
 * Fill p->to and p->cipher; caps has room for one of each recipient. Where
 * none is common to all, the plan is refused. FAIL_TEMP.
 */
int plan_ciphers(struct planner *pl, struct capabilities *caps,
    struct err *e) MUST_CHECK;

#endif
