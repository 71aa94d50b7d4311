/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the files of a transaction share.
 *
 *   txn.c        recipients: routes, hops, RCPT
 *   txn_end.c    the end of data: ledger, sending, answers
 *   txn_body.c   octets as they come: spool, header, digest
 *   txn_reply.c  replies of ours, log lines, counters
 *   txn_time.c   how long RCPT may take, and how long a hop waits for data
 */
#ifndef RELAY_TXN_INT_H
#define RELAY_TXN_INT_H

#include "relay/txn.h"

#define TXN_HOPS 20 /* of one message */

/* The header as it goes by. */
struct header_watch {
	bool is_over;
	bool is_field; /* in a name, or in the value of a TLS-Required */
	bool is_value;
	bool is_start; /* of a line */
	char name[16];
	size_t name_n;
	char value[16];
	size_t value_n;
	bool value_is_long;
	unsigned received;
	unsigned tls_required; /* fields of that name */
	bool says_no;
};
void header_watch_put(struct header_watch *w, struct view v);
/* Exactly one TLS-Required: No (RFC 8689 4.2.2)? */
bool header_watch_no_tls(const struct header_watch *w);

enum rcpt_state {
	RCPT_ROUTING,	/* its route is asked for */
	RCPT_SAID,	/* to a hop */
	RCPT_TAKEN,	/* by the hop, before the data */
	RCPT_LATER,	/* answered 250, but policy forbids: TLS-Required: No
			   may still say so; reply is what else is said */
	RCPT_REFUSED,	/* and the client knows; it is no recipient */
	RCPT_SENDING,
	RCPT_DONE	/* reply is its answer */
};

struct txn_rcpt {
	struct txn *t;
	size_t number;
	char *path, *addr; /* "<a@b>", "a@b" */
	char *notify, *orcpt;
	enum rcpt_state state;
	bool again;	    /* after the end of data: the client knows it as a
			       recipient */
	int64_t since_ms;   /* RCPT was said by the client */
	uint32_t question;  /* to routes; 0: none */
	bool tls_optional;  /* asked so */
	struct txn_hop *hop; /* NULL: none */
	size_t at_hop;	     /* its index there */
	struct smtp_reply reply;
	bool was_taken;	     /* by a next hop */
	bool has_key;
	unsigned char key[32]; /* of the ledger */
};

/* A next hop of this message, and who goes there. */
struct txn_hop {
	struct txn *t;
	struct hop *h;
	unsigned char key[32]; /* of route and policy */
	size_t asked; /* RCPT without an answer */
	size_t taken; /* recipients that it took */
	int64_t since_ms; /* it waits for the client */
	int64_t waited_ms; /* for him, before that */
	size_t owed;  /* results */
	bool is_sending;
	bool is_closed; /* no more recipients for it */
	bool is_old;	/* another one goes its way */
	struct txn_hop *next;
};

struct event;
struct txn {
	struct worker *w;
	const struct listener *l;
	char id[TXN_ID];
	struct txn_use use; /* arg NULL: nobody listens */
	bool is_free;	    /* by its owner; ends by itself */
	bool is_orphan;	    /* counted as such */
	bool is_busy;	    /* on the stack: not to be freed */
	/* envelope */
	char *from;	 /* "<a@b>" */
	char *from_addr; /* "a@b" */
	char *ret, *envid, *auth;
	bool utf8, is_8bit, require_tls;
	uint64_t size;
	char *client_addr, *client_name, *client_helo, *client_login;
	char queue_id[64];
	struct txn_rcpt **rcpt;
	size_t rcpts, room;
	struct txn_hop *hop;
	size_t hops; /* that are there */
	/* the message */
	struct spool *body;
	uint64_t came_at; /* where in it the client's octets begin */
	uint64_t octets;
	bool is_large, has_failed;
	struct header_watch header;
	bool has_ended;
	size_t told;	/* recipients before this one were answered */
	bool has_told;	/* the one answer of SMTP */
	int64_t until_ms;
	struct event *timer; /* of the end of the data */
	struct event *rcpt_timer;
};

bool txn_has_lmtp(const struct txn *t);

/* ---- txn.c ---- */

/* Ask for its route (again). */
void txn_route(struct txn_rcpt *r, bool tls_optional);
/* Close a hop before or after its data. */
void txn_hop_free(struct txn_hop *k);
/* Destroy it, if nobody needs it any more. */
void txn_settle(struct txn *t);
struct txn_rcpt *txn_rcpt_at(const struct txn_hop *k, size_t at_hop);

/* It goes nowhere: before the data the client hears it now. */
void txn_refuse_with(struct txn_rcpt *r, int code, const char *enhanced,
    const char *text);

/* ---- txn_time.c ---- */

/* Its time begins. */
void txn_rcpt_wait(struct txn_rcpt *r);
/* Refuse those whose time is up, let hops go that wait for a slow client; when
 * to look again, 0: never. */
int64_t txn_rcpt_time(struct txn *t, int64_t now_ms);

/* ---- txn_end.c ---- */

/* After the end of data: r has its answer in r->reply. */
void txn_done(struct txn_rcpt *r);
/* The same with one of ours. */
void txn_done_with(struct txn_rcpt *r, int code, const char *enhanced,
    const char *text);
/* Send to hops that are ready; answer what can be. */
void txn_advance(struct txn *t);
void txn_on_result(void *hop, size_t at_hop, const struct hop_reply *got);

/* ---- txn_body.c ---- */

/* SHA-256 over the client's octets, in blocks. */
int txn_digest(const struct txn *t, unsigned char out[32], struct err *e)
    MUST_CHECK;

/* ---- txn_reply.c ---- */

void txn_reply_set(struct smtp_reply *r, int code, const char *enhanced,
    const char *text);
/* What a client may see of a next hop's reply. */
void txn_reply_take(struct smtp_reply *out, const struct hop_reply *got);
/* The line of a recipient whose fate is known, and its counters. got NULL:
 * there was no hop. */
void txn_log(const struct txn_rcpt *r, const char *result,
    const struct hop_reply *got);

#endif
