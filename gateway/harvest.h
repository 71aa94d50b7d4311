/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates of authors out of mail that they signed (S123): which one a
 * message proves is found out here, what becomes of it by keystore/harvest.h.
 */
#ifndef GATEWAY_HARVEST_H
#define GATEWAY_HARVEST_H

#include "gateway/gateway.h"
#include "keystore/harvest.h"

struct txn;
struct verification;

/*
 * Note in the verdict which certificate of the author the message brings, and
 * what becomes of it, if a recipient's rule says harvest. ver is the result
 * that counts for the whole message, or NULL; nothing is noted unless it is a
 * pass and the signer is the author himself. Reads the store only.
 */
void harvest_note(struct txn *t, const struct verification *ver);

/*
 * Keep what a verdict carries; an empty one changes nothing. Checks again
 * what it is given, for it may come from a process that reads mail: FAIL_BUG
 * when it is no certificate, FAIL_POLICY when it may not be taken, FAIL_TEMP.
 */
int harvest_store(struct keystore *ks, const struct harvested *h,
    const struct harvest_policy *p, int64_t now, struct harvest_outcome *out,
    struct err *e) MUST_CHECK;

#endif
