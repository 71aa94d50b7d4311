/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Mail that is kept until somebody decides: sealed for a key of the store's
 * own before it touches a disk, so that who takes the disk cannot read it.
 * The keys process does not even have that key; the postseal command opens
 * what is held, with the secret.
 */
#ifndef GATEWAY_HELD_H
#define GATEWAY_HELD_H

#include "gateway/config.h"
#include "gateway/gateway.h"
#include "keystore/held.h"

/*
 * The message as it arrived, sealed for the quarantine, appended to out: DER
 * of an AuthEnvelopedData whose content is the whole message; on failure a
 * part of it may be there. FAIL_CONFIG: the store has no certificate for it
 * (postseal quarantine init makes one); FAIL_TEMP.
 */
int held_seal(struct keystore *ks, const struct spool *msg, int64_t now,
    struct spool *out, struct err *e) MUST_CHECK;

/* Octets [off, off + size) of s, sealed as above, opened with a key of
 * keyring_load_held(): the message as it arrived, appended to out, which is
 * emptied on failure. FAIL_INPUT: damaged, or not sealed for this key. */
int held_open(const struct keyring *kr, const struct spool *s, uint64_t off,
    uint64_t size, struct spool *out, struct err *e) MUST_CHECK;

/*
 * In the store process: keep a copy for good (octets [off, off + m->size) of
 * s; m->cert is set here), and note what its sender is to be told. 0 only
 * when it is on the disk, so not inside of a transaction (FAIL_BUG).
 * FAIL_LIMIT: its size is used up; FAIL_TEMP.
 */
int held_keep(struct keystore *ks, const struct config *c,
    const struct held_mail *m, const struct spool *s, uint64_t off,
    struct err *e) MUST_CHECK;

/*
 * What is older than keep goes: its sender is told first that it was not
 * sent, in the same transaction; if he may not be told now, for he was told
 * too often, it stays until the next time. *n: how many went.
 */
int held_expire(struct keystore *ks, const struct config *c, int64_t now,
    size_t *n, struct err *e) MUST_CHECK;

/* The path of a raw recipient or sender, without the parameters behind it,
 * appended; where they begin is returned ("" none). */
const char *held_path(const char *raw, struct buf *path);

/* A quarantine { } is configured: is there a certificate for it? FAIL_CONFIG
 * with the command to run. */
int held_check(struct keystore *ks, const struct config *c, struct err *e)
    MUST_CHECK;

#endif
