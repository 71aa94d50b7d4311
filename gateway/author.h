/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Is the signer the author (S74, S79)? And if not, does an administrator's
 * word let him speak for the author: a partner's certificate or address
 * (S81, S168), or a domain signing authority (RFC 3183).
 */
#ifndef GATEWAY_AUTHOR_H
#define GATEWAY_AUTHOR_H

#include "gateway/gateway_int.h"
#include "smime/verify.h"

/* What verify-policy says of signatures of this author: minimum key size,
 * and whether weak ones are computed (S68). An author that cannot be read is
 * nobody's exception, but "any" does not ask who it is. */
void author_policy(const struct txn *t, struct verify_policy *p);

/*
 * Step 13, for a signer whose path is good: sets from_match, or for_domain
 * (never both), or the result and reason; and remarks on his times (A36). A
 * finding that does not pass is left as it is. May be repeated for another
 * From.
 */
void author_check(struct txn *t, struct signer_finding *f);

/*
 * Before step 13: is what was signed, [off, end) of s, a signature itself?
 * RFC 3183 3.1.2 wants that of every type but the originator's; others are
 * not looked into. FAIL_TEMP.
 */
int author_look_inside(struct verification *ver, const struct spool *s,
    uint64_t off, uint64_t end, struct err *e) MUST_CHECK;

/* The address that the signature proves: the author's, or with for_domain
 * the certificate's own; NULL: none, or the certificate has no address. */
const char *author_proven(const struct txn *t,
    const struct signer_finding *f);

#endif
