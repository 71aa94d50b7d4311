/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Plans in the making, shared by plan.c, plan_groups.c and plan_cipher.c.
 */
#ifndef GATEWAY_PLAN_INT_H
#define GATEWAY_PLAN_INT_H

#include "gateway/gateway_int.h"

/* What becomes of one recipient's copy. */
struct copy_form {
	bool seals; /* looked at here at all */
	bool sign, encrypt, opaque;
	bool by_tls; /* not encrypted: by tls-route alone */
	enum sig_alg alg; /* with sign */
	struct writing writing;
	enum hp_policy protect;
	/* Where copies can differ: the kind of key that it is encrypted to,
	 * and a number for those who have no cipher in common, or are too
	 * many for one copy. */
	enum cert_key key;
	int apart;
};

struct planner {
	struct txn *t;
	struct plans *p;
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

/* ---- plan_groups.c ---- */

/* One signature serves both. */
bool form_signs_alike(const struct copy_form *a, const struct copy_form *b);
/* Who gets the same as whom; the message is refused where that cannot be.
 * FAIL_TEMP. */
int plan_groups(struct planner *pl, struct err *e) MUST_CHECK;

/* ---- plan_cipher.c ---- */

/* What each recipient reads that it is encrypted to; who reads nothing that
 * his rule allows is refused. FAIL_TEMP. */
int plan_readers(struct planner *pl, struct err *e) MUST_CHECK;
/* Is there a cipher for all of the group? FAIL_TEMP. */
int plan_has_cipher(struct planner *pl, int group, bool *has, struct err *e)
    MUST_CHECK;
/* Its members get what each of them would get alone. */
void plan_part_ciphers(struct planner *pl, int group);
/* Fill p->to, who, n and cipher for the group at hand. FAIL_TEMP. */
int plan_ciphers(struct txn *t, struct plan *p, struct err *e) MUST_CHECK;

#endif
