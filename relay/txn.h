/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One message on its way: recipients to next hops while the client still
 * talks, the body kept until it is whole, then sent to all hops at once, an
 * answer for each recipient (doc/DESIGN.md: no queue of our own). Whoever
 * talks to the client says when; who the client is, is not known here.
 */
#ifndef RELAY_TXN_H
#define RELAY_TXN_H

#include "relay/worker.h"
#include "smtp/server.h"

#define TXN_ID 40 /* with NUL */

struct txn_setup {
	struct worker *w;
	const struct listener *l;
	const char *id; /* in log lines */
	/* the real client, for log lines and next hops that may know; borrowed
	 * until txn_new() is back; NULL: not known */
	const char *client_addr, *client_name, *client_helo, *client_login;
	bool is_trusted; /* his AUTH= counts (RFC 4954 5) */
	/* what the MTA in front calls the message, or "" */
	const char *queue_id;
};

/* Also from within calls of txn.h. Text is what server.h takes. */
struct txn_use {
	void (*on_rcpt)(void *arg, size_t number,
	    const struct smtp_reply *r);
	/* after txn_end(): LMTP, for each accepted recipient in their order;
	 * else once */
	void (*on_answer)(void *arg, const struct smtp_reply *r);
	void *arg;
};

struct txn;
/* m: the envelope of MAIL; copied. FAIL_TEMP. */
int txn_new(struct txn **out, const struct txn_setup *s,
    const struct smtp_server_mail *m, const struct txn_use *use,
    struct err *e) MUST_CHECK;
/* One recipient; on_rcpt follows with its number. */
void txn_rcpt(struct txn *t, const struct smtp_server_rcpt *r);

/* The message begins: field is our Received. txn_put(): octets as they came
 * (no bare CR or LF: the engine looked). txn_end(): it is whole; on_answer
 * follows. */
void txn_begin(struct txn *t, struct view field);
void txn_put(struct txn *t, struct view v);
void txn_end(struct txn *t);
/* Octets of the client's message so far. */
uint64_t txn_octets(const struct txn *t);

/*
 * Nobody listens any more: the client reset, is gone, or heard all answers.
 * Before txn_end() the message is void, and no hop sees the end of it.
 * Afterwards what hops say is still waited for. *t becomes NULL.
 * is_unheard: answers that were given may not have arrived: what was taken
 * goes to the ledger.
 */
void txn_free(struct txn **t, bool is_unheard);
/* How many are waited for without a client: a worker should not end before. */
size_t txn_orphans(void);

#endif
