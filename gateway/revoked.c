/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Revocation of the signer (S73), by the rules of the recipients. What is
 * known is keystore/revocation.h's.
 */
#include "gateway/revoked.h"

#include <string.h>

#include "keystore/revocation.h"

/* Must it be known? If any recipient's rule says so. */
static bool must_know(const struct txn *t)
{
	for (size_t i = 0; i < t->v->rcpts; i++) {
		const struct treatment *w = &t->v->rcpt[i].wanted;

		if (txn_has(t, i) && w->verify && w->revocation_hard)
			return true;
	}
	return false;
}

static void judge(const struct txn *t, const struct path *p,
    struct signer_finding *f, struct revocation *rev)
{
	struct err e = {0};

	if (keystore_revocation(t->g->ks, f->cert, p->chain, p->chain_n,
	    t->now, rev, &e) != 0) {
		rev->status = REVOCATION_GOOD; /* nothing more to say */
		(void)finding_fail(f, SIG_TEMPERROR, 73, e.msg);
		return;
	}
	f->revocation = revocation_str(rev->status);
	if (rev->status == REVOCATION_REVOKED)
		(void)finding_fail(f, SIG_FAIL, 73, rev->text);
}

void check_revocation(struct txn *t, const struct path *p,
    struct signer_finding *f)
{
	struct revocation rev;

	judge(t, p, f, &rev);
	if (rev.status == REVOCATION_UNKNOWN)
		txn_warn(t, "%s", rev.text);
}

void recheck_revocation(const struct txn *t, const struct path *p,
    struct signer_finding *f)
{
	struct revocation rev;

	judge(t, p, f, &rev);
}

void demand_revocation(const struct txn *t, struct signer_finding *f)
{
	if (f->result != SIG_PASS || f->revocation == NULL ||
	    strcmp(f->revocation, "unknown") != 0 || !must_know(t))
		return;
	if (f->from_match || f->for_domain[0] != '\0')
		(void)finding_fail(f, SIG_TEMPERROR, 73, "whether the "
		    "signer's certificate is revoked is not known");
}
