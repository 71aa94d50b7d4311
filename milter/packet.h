/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the fetch process says and is told: packets (SOCK_SEQPACKET) of a few
 * kB, whole or not at all, larger octets beside them in a file without a
 * name. The peer may be one that was taken over: every size is checked, and
 * no receive waits for ever.
 */
#ifndef MILTER_PACKET_H
#define MILTER_PACKET_H

#include "util/proc.h"

#define PACKET_MAX 16384

/* A pair for it, with a time limit on receiving. FAIL_TEMP. */
int packet_pair(int sock[2], struct err *e) MUST_CHECK;
/* octets may be empty: then nothing travels beside it. FAIL_TEMP. */
int packet_send(int sock, struct view head, struct view octets,
    struct err *e) MUST_CHECK;
/*
 * 1 got one; 0 the other end is gone; -1 FAIL_TEMP or FAIL_BUG. octets (or
 * NULL: none are expected) is emptied first and takes as many as it may.
 */
int packet_recv(int sock, struct buf *head, struct buf *octets,
    struct err *e) MUST_CHECK;

/* Is there something to receive within ms? */
bool packet_wait(int sock, int64_t ms);

#endif
