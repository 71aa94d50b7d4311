/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The ack ledger: what a next hop took, but its sender was not told (RFC
 * 1047). When the same message comes again, that recipient is answered 250
 * without sending, once. A ring in a file that all workers map; losing it
 * costs a duplicate at most. For listeners of MTAs only.
 */
#ifndef RELAY_LEDGER_H
#define RELAY_LEDGER_H

#include "util/buf.h"

struct ledger;
/* path NULL: memory alone (shared with children that are forked later).
 * FAIL_CONFIG. */
int ledger_open(struct ledger **out, const char *path, size_t entries,
    struct err *e) MUST_CHECK;
void ledger_free(struct ledger **l);

/* Key of a recipient: SHA-256 over listener, MAIL FROM, RCPT (each with its
 * length) and the digest of the message as it came. */
void ledger_key(unsigned char key[32], const char *listener,
    const char *from, const char *rcpt, const unsigned char message[32]);
void ledger_put(struct ledger *l, const unsigned char key[32], int64_t now_s);
/* true: it was there (younger than a day), and is used up now. */
bool ledger_take(struct ledger *l, const unsigned char key[32],
    int64_t now_s);

#endif
