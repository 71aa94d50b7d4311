/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tickets: what keys knows of a transaction. The front writes them, one way,
 * before it hands the job to a worker; keys empties the socket before it
 * looks a ticket up, so a ticket that counts is always there, and a message
 * costs no round trip.
 *
 * A ticket names the worker that got the job: another one, even if it
 * learned the id, has no use of it. A worker has one message at a time, so
 * its next ticket ends the one before.
 */
#ifndef MILTER_TICKET_H
#define MILTER_TICKET_H

#include "gateway/authority.h"
#include "gateway/gateway.h"

#define TICKET_ID 16
#define TICKET_PACKET 32768  /* octets of one packet on the socket */
#define TICKET_LIFE_S 600
#define TICKETS_MAX 8192     /* alive at once; more are dropped */
#define TICKETS_OCTETS (64u << 20) /* of recipients; more are dropped */

/* ---- the front's side; sock is SOCK_SEQPACKET, any thread ---- */

/* FAIL_TEMP (keys is gone). */
int ticket_send(int sock, const unsigned char id[TICKET_ID], uint32_t worker,
    const struct envelope *env, struct err *e) MUST_CHECK;
void ticket_close(int sock, const unsigned char id[TICKET_ID]);

/* ---- keys' side ---- */

struct tickets;

int tickets_new(struct tickets **out, struct err *e) MUST_CHECK;
void tickets_free(struct tickets **t);
size_t tickets_alive(struct tickets *t);

/*
 * Take in all packets that are there, without waiting; also forgets what is
 * too old at now_s (monotonic). Any thread. 0, or 1 when the other end is
 * gone.
 */
int tickets_drain(struct tickets *t, int sock, int64_t now_s);
/* One packet; what is malformed changes nothing. */
void tickets_packet(struct tickets *t, struct view packet, int64_t now_s);

enum ticket_use { TICKET_SIGN, TICKET_OPEN };

/*
 * May this worker do this with the key of this certificate? Counts the use.
 * 0, or -1: FAIL_TEMP (no such ticket: expired or never issued to this
 * worker; no right by a copy of lists, which may be older than the worker's,
 * or by none), FAIL_POLICY (no right), FAIL_LIMIT (more than CAP_KEY_OPS).
 */
int tickets_ask(struct tickets *t, const unsigned char id[TICKET_ID],
    uint32_t worker, enum ticket_use use, const struct authority *au,
    const struct cert *cert, struct err *e) MUST_CHECK;

#endif
