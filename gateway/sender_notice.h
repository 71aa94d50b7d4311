/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What senders of ours, and who is named in quarantine { }, are told by mail
 * about mail that is held (S48, A31, A49): in their language, addresses alone,
 * no word of the mail, and never so often that it hurts.
 */
#ifndef GATEWAY_SENDER_NOTICE_H
#define GATEWAY_SENDER_NOTICE_H

#include "gateway/config.h"
#include "keystore/held.h"

enum told {
	TOLD_HELD,
	TOLD_RELEASED,
	TOLD_EXPIRED,
	TOLD_DELETED
};

/* Notices in an hour: to one address, and to all. */
#define TOLD_EACH 10
#define TOLD_ALL 300

struct txn; /* gateway_int.h */
/* Is this mail of a person who may be answered (RFC 3834 2, A49)? Not of the
 * null sender, a program, a list; nor in bulk. */
bool sender_notice_wanted(const struct txn *t);

/* Is there somebody to be told: a sender with a login that may write under
 * this local address, notices { }, and notify-sender? The address in *a. */
bool sender_notice_to(const struct config *c, const struct held_mail *m,
    struct addr *a);

/* The mail itself (CRLF, 7 bit), appended. */
int sender_notice_compose(const struct config *c, enum told what,
    const struct held_mail *m, int64_t now, struct buf *mail, struct err *e)
    MUST_CHECK;
/* The one for who is named in quarantine { notify }; of TOLD_HELD and
 * TOLD_EXPIRED. */
int sender_notice_compose_notify(const struct config *c, enum told what,
    const struct held_mail *m, int64_t now, struct buf *mail, struct err *e)
    MUST_CHECK;

/*
 * Queue what is to be told of it: in the transaction that runs, if one does.
 * FAIL_LIMIT: the sender was told too often; whoever else is to be told has
 * been told nothing either then.
 */
int sender_notice_queue(struct keystore *ks, const struct config *c,
    enum told what, const struct held_mail *m, int64_t now, struct err *e)
    MUST_CHECK;

#endif
