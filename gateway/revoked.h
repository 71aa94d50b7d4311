/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Step 12 of verification (S73): is the signer's certificate, or an
 * intermediate above it, revoked?
 */
#ifndef GATEWAY_REVOKED_H
#define GATEWAY_REVOKED_H

#include "gateway/gateway_int.h"
#include "smime/verify.h"

/*
 * For a signer that passes so far and whose path p is good. Revoked is a
 * fail; not known is a warning of the verdict. Sets f->revocation. Asks the
 * keystore only: nothing is fetched, CRLs of the message are not looked at
 * (A56, A58).
 */
void check_revocation(struct txn *t, const struct path *p,
    struct signer_finding *f);
/* The same for another path of the same signer; warns of nothing again. */
void recheck_revocation(const struct txn *t, const struct path *p,
    struct signer_finding *f);
/*
 * After step 13, for the author's own signature: not known is a temperror
 * where a recipient's rule says "revocation hard" (of several recipients the
 * hardest counts). Of anybody else's the answer is known already, and a
 * deferral would tell that it was read (A5).
 */
void demand_revocation(const struct txn *t, struct signer_finding *f);

#endif
