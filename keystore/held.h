/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Mail that is kept until somebody decides, as the keystore has it: sealed
 * octets in parts, what is to be known beside them, and the certificates that
 * it is sealed for. Those are in a table of their own, so nothing that looks
 * for somebody's certificate or loads keys for mail ever sees them.
 */
#ifndef KEYSTORE_HELD_H
#define KEYSTORE_HELD_H

#include "keystore/keyring.h"
#include "keystore/keystore.h"
#include "util/spool.h"

/* What is known of one; strings are borrowed. */
struct held_mail {
	const char *id; /* of the message, and "-" group */
	int64_t at;
	int direction; /* enum direction */
	const char *sender; /* raw path argument */
	/* raw path arguments, each followed by its ESMTP parameters if any */
	const char *const *rcpt;
	size_t rcpts;
	const char *login, *client; /* "" none */
	const char *reason; /* one sentence */
	uint64_t size;	    /* of the sealed octets */
	unsigned char cert[32];
	/* its sender may be told: no list, no answer of a program (A49); see
	 * sender_notice_wanted() */
	bool may_tell;
};

/* ---- the certificate ---- */

/* A new key and certificate (ec:p256), sealed for from now on; those of
 * before stay for what is sealed for them. secret: see keyring_seal_key().
 * *out is owned. */
int keystore_held_make(struct keystore *ks, struct view secret, int64_t now,
    struct cert **out, struct err *e) MUST_CHECK;
/* The newest one, owned; *out NULL: there is none. */
int keystore_held_cert(struct keystore *ks, struct cert **out, struct err *e)
    MUST_CHECK;
/* Keys of these certificates only, as keyring_load(). */
int keyring_load_held(struct keyring **out, struct keystore *ks,
    struct view secret, struct err *e) MUST_CHECK;

/* ---- the mail ---- */

/*
 * Keep octets [off, off + m->size) of s, in one transaction of its own; 0
 * only when it is on the disk. One that is there already stays as it is: 0.
 * FAIL_LIMIT: all together would be more than most octets; FAIL_BUG inside
 * of a transaction, for then it would not be on the disk.
 */
int keystore_held_add(struct keystore *ks, const struct held_mail *m,
    const struct spool *s, uint64_t off, uint64_t most, struct err *e)
    MUST_CHECK;

/* Oldest first; borrowed for the call; -1 stops. id NULL: all that are not
 * younger than before (INT64_MAX: all). The visit may not change the store. */
typedef int held_visit(void *arg, const struct held_mail *m, struct err *e);
int keystore_held_list(struct keystore *ks, const char *id, int64_t before,
    held_visit *visit, void *arg, struct err *e) MUST_CHECK;
/* The sealed octets appended to out. FAIL_INPUT: no such one, or damaged. */
int keystore_held_read(struct keystore *ks, const char *id,
    struct spool *out, struct err *e) MUST_CHECK;
/* Number and octets of all. */
int keystore_held_total(struct keystore *ks, uint64_t *n, uint64_t *octets,
    struct err *e) MUST_CHECK;

/*
 * Remove one for good and note it for postseal audit: action "delete held
 * mail", detail one line. Durable, unless in a transaction of the caller.
 * FAIL_INPUT: no such one.
 */
int keystore_held_remove(struct keystore *ks, const char *id,
    const char *action, const char *detail, struct err *e) MUST_CHECK;
/* Others have it now: these recipients are left, at least one. As above. */
int keystore_held_left(struct keystore *ks, const char *id,
    const char *const *rcpt, size_t rcpts, struct err *e) MUST_CHECK;
/* Note that somebody read one ("show held mail"), or the like. */
int keystore_held_note(struct keystore *ks, const char *id,
    const char *action, const char *detail, struct err *e) MUST_CHECK;

/* ---- what senders are to be told ---- */

/*
 * A mail to be sent to one address, complete; kept until it is sent, on the
 * disk when the transaction is. At most so many to that address, and in all,
 * since now - 3600; FAIL_LIMIT: beyond.
 */
struct told_limit {
	unsigned each, all;
};
int keystore_tell(struct keystore *ks, const char *to, struct view mail,
    int64_t now, const struct told_limit *limit, struct err *e) MUST_CHECK;
/* The next one to be sent by now; *id 0: none, and *next when there will be
 * one (0: never). to and mail are appended. */
int keystore_told_next(struct keystore *ks, int64_t now, int64_t *id,
    int64_t *next, struct buf *to, struct buf *mail, struct err *e)
    MUST_CHECK;
/* It was sent, or (again not 0) is to be tried again at that time, and the
 * first TOLD_SOON times sooner. After TOLD_TRIES it is given up: *lost. What
 * was sent an hour before now is forgotten. */
#define TOLD_TRIES 20
#define TOLD_SOON 3   /* tries after which it waits until again */
#define TOLD_SOON_S 10 /* between them: who takes mail just starts */
int keystore_told_done(struct keystore *ks, int64_t id, int64_t now,
    int64_t again, bool *lost, struct err *e) MUST_CHECK;

#endif
