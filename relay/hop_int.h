/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the files of a hop share. A hop is a transaction, a link is a
 * connection: it belongs to one hop at a time, or is kept for the next one.
 *
 *   hop.c       the transaction as its owner sees it
 *   hop_mail.c  envelope, data, answers
 *   hop_reach.c which host is next, and what is said when there is none
 *   hop_link.c  one connection up to where MAIL may be said
 *   hop_pool.c  kept connections, caps, hosts that are left alone
 *   hop_say.c   replies of ours, log lines, counters
 */
#ifndef RELAY_HOP_INT_H
#define RELAY_HOP_INT_H

#include "relay/hop.h"

#include <sys/queue.h>

#include "relay/conn.h"
#include "relay/stats.h"
#include "smtp/sender.h"
#include "smtp/stuff.h"

/* Milliseconds; in sum less than clients wait (RFC 5321 4.5.3.2). */
#define HOP_CONNECT_MS 30000
#define HOP_ALL_MS 90000 /* then no further host is tried */
#define HOP_LEAST_MS 5000 /* for the last one */
#define HOP_GREETING_MS 60000
#define HOP_TLS_MS 30000
#define HOP_COMMAND_MS 120000
#define HOP_BLOCK_MS 180000
#define HOP_END_MS 480000
#define HOP_LATE_MS 600000
#define HOP_QUIT_MS 5000

#define HOP_OVERHEAD 1024 /* octets that SIZE= counts for our own fields */
#define HOP_KEPT 200	  /* connections that wait for the next message */
#define HOP_KEPT_MS 30000
#define HOP_MESSAGES 100 /* of one connection */
#define HOP_TRIES 2	 /* of one host in one transaction */

/* Connections are the same where all of this is. */
struct link_key {
	struct sockaddr_storage sa;
	socklen_t sa_len;
	unsigned char want[32];	  /* tls_want_key() */
	unsigned char client[32]; /* of what XCLIENT said; else zeros */
	bool lmtp;
};

struct hop_link {
	struct hops *hops;
	struct hop *hop; /* NULL: it is kept */
	struct conn *conn;
	struct smtp_sender *smtp;
	struct link_key key;
	struct tls_got got;
	bool is_tls;	  /* and as it was wanted */
	bool is_ready;	  /* MAIL may be said */
	bool is_reused;
	bool has_spoken;  /* a reply came since it is ours */
	bool has_xclient;
	bool is_plain;	  /* TLS had failed, and need not be */
	bool is_reported;
	bool asked_tls;	  /* STARTTLS was said, or the handshake begun */
	bool in_tls;	  /* the handshake was begun */
	unsigned messages;
	int64_t idle_since;
	LIST_ENTRY(hop_link) kept;
};

/* How much a failure says, when several hosts failed. */
enum hop_rank {
	RANK_NONE,
	RANK_OURS,
	RANK_CONNECT,
	RANK_LOST,
	RANK_GREETING,
	RANK_LACKS, /* an extension */
	RANK_CONFIG,
	RANK_TLS
};
struct hop_failure {
	enum hop_rank rank;
	bool rests; /* the host is left alone for a while */
	struct hop_reply r;
};

struct hop_rcpt {
	char *path, *notify, *orcpt;
	bool is_sent;	/* on this connection, no reply yet */
	bool is_taken;	/* on this connection */
	bool is_answered; /* after the dot, on this connection */
	bool has_reply, told_reply;
	bool has_result, told_result;
	struct hop_reply reply, result;
	bool has_late;
	unsigned char late_key[32];
	hop_late *late;
	void *late_arg;
};

enum hop_at {
	HOP_REACHING, /* no connection is ready */
	HOP_ENVELOPE,
	HOP_DATA, /* was said */
	HOP_BODY,
	HOP_END,  /* the dot was sent */
	HOP_OVER  /* nothing will change any more, but late answers */
};

struct dest;
struct hop {
	struct hops *hops;
	struct route *route;
	struct dest *dest; /* counted there; NULL: not any more */
	bool waits;	   /* there for its turn */
	bool has_turn;	   /* and begins from an event */
	TAILQ_ENTRY(hop) turn;
	struct hop_use use;
	struct hop_envelope env;
	char *owned[9]; /* strings of env */
	struct hop_rcpt *rcpt;
	size_t rcpts, room;
	enum hop_at at;
	struct hop_link *link;
	/* hosts */
	size_t host;
	int tries;	/* of this host */
	bool is_plain;	/* TLS with this host failed, and need not be */
	int64_t since_ms;
	struct hop_failure soft, hard;
	struct tls_got got; /* of the connection that was used last */
	bool has_tls;
	struct hop_reply verdict; /* of HOP_OVER, for who has no other */
	/* the message */
	const struct spool *s;
	uint64_t off, size, done;
	bool has_data;
	struct smtp_stuff stuff;
	int64_t until_ms;
	/* */
	struct event *soon, *timer;
	bool is_telling, is_freed;
	LIST_ENTRY(hop) all;
};

struct rest {
	struct link_key key;
	int64_t until_ms; /* 0: none */
	struct hop_failure f;
};
#define HOP_RESTS 512
#define HOP_DESTS 256 /* buckets */

struct hops {
	struct hops_setup setup;
	char helo[256];
	bool is_stopping;
	LIST_HEAD(, hop_link) kept;
	size_t kepts;
	LIST_HEAD(, hop) all;
	struct dest *dest[HOP_DESTS];
	struct rest *rest; /* HOP_RESTS of them */
	struct event *tick;
};

/* ---- hop.c ---- */

/* No host is left, or all is said: that is for everybody who has no answer
 * yet. */
void hop_over(struct hop *h, const struct hop_reply *verdict);
/* What became of a recipient. The first that is known holds. */
void hop_result(struct hop *h, struct hop_rcpt *r,
    const struct hop_reply *result);
void hop_tell_soon(struct hop *h);
/* So long for what it waits for. */
void hop_start_timer(struct hop *h, int64_t ms);
/* It waited at its destination, and may begin. */
void hop_has_turn(struct hop *h);
/* Was RCPT taken, and our client told so or about to be? */
bool hop_is_taken(const struct hop_rcpt *r);
/* All is said with this connection: it may be kept. */
void hop_let_go(struct hop *h, bool is_kept);
/* At once, whoever still waits. */
void hop_destroy(struct hop *h);

/* ---- hop_mail.c ---- */

/* The link may be used: say MAIL. */
void hop_ready(struct hop *h);
void hop_send_rcpt(struct hop *h, size_t i);
/* DATA, when it is time. */
void hop_step(struct hop *h);
/* More of the message may be written. */
void hop_pump(struct hop *h);
/* A reply for a ready link. The link may be gone afterwards. */
void hop_news(struct hop *h, const struct sender_news *n);
/* The ready link of h broke, and is gone; was the dot written by then? */
void hop_lost(struct hop *h, bool had_reply, bool had_dot, const char *why);

/* ---- hop_reach.c ---- */

/* Try hosts from h->host on; -> hop_ready() or hop_over(). */
void hop_reach(struct hop *h);
/* The host is not usable; its link, if any, is gone: go on with the next. */
void hop_host_failed(struct hop *h, const struct hop_failure *f);
const struct route_host *hop_here(const struct hop *h);
bool hop_must_tls(const struct hop *h);
void hop_key(struct link_key *k, const struct hop *h,
    const struct route_host *host);

/* ---- hop_link.c ---- */

int link_open(struct hop *h, struct err *e) MUST_CHECK;
/* Does a link that said EHLO suit? If not, h goes on elsewhere. */
void link_suits(struct hop_link *l);
void link_free(struct hop_link **l); /* hard */
void link_quit(struct hop_link **l); /* in order */
/* Send what the engine has; a deadline for the reply. */
void link_flush(struct hop_link *l, int64_t within_ms);

/* ---- hop_pool.c ---- */

/* A kept link that suits k; NULL. */
struct hop_link *pool_take(struct hops *hs, const struct link_key *k);
/* Take one back; it is closed if it cannot be kept. */
void pool_keep(struct hop_link *take_link);
void pool_remove(struct hop_link *l);
/* Why a host is left alone; NULL: it is not. left_ms: how long yet. */
const struct hop_failure *pool_rests(struct hops *hs,
    const struct link_key *k, int64_t *left_ms);
void pool_rest(struct hops *hs, const struct link_key *k,
    const struct hop_failure *f, int64_t ms);
void pool_rested(struct hops *hs, const struct link_key *k);
/* h goes to its destination, or waits there for its turn (h->waits). false:
 * busy, or no memory. */
bool dest_enter(struct hop *h);
/* The next one that waits has its turn. */
void dest_leave(struct hop *h);

/* ---- hop_say.c ---- */

/* A reply of ours; text becomes printable. */
void hop_say(struct hop_reply *r, int code, const char *enhanced,
    const char *text);
/* Their reply, as it may be passed on. */
void hop_answer(struct hop_reply *r, const struct hop *h,
    const struct smtp_reply *theirs);
/* HOP_UNKNOWN (RFC 1047). */
void hop_unknown(struct hop_reply *r, const char *why);
/* A connection came to be, or not: log line and counters, once. */
void hop_report(struct hop *h, struct hop_link *l,
    const struct hop_failure *f);
void hop_log_downgrade(const struct hop *h, const struct hop_failure *f);
void hop_log_late(const struct hop *h, const struct hop_rcpt *r,
    const char *result);

#endif
