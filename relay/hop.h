/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A transaction with a next hop (RFC 5321, RFC 2033): connection, TLS as the
 * route says, MX after MX, MAIL, RCPT while the client still talks, the
 * message, an answer for each recipient. Connections are kept for the next
 * transaction that wants the same. Never a final dot for a message that is not
 * whole, never a MAIL command before TLS is as wanted.
 */
#ifndef RELAY_HOP_H
#define RELAY_HOP_H

#include "relay/route.h"
#include "smtp/reply.h"
#include "util/spool.h"

struct event_base;
struct tls_clients;
struct relay_stats;

/* All of one worker: kept connections, caps, hosts that are left alone. */
struct hops;
struct hops_setup {
	struct event_base *base;
	struct tls_clients *tls;
	struct routes *routes; /* for routes_tell() */
	struct relay_stats *stats;
	const char *helo;
};
int hops_new(struct hops **out, const struct hops_setup *s, struct err *e)
    MUST_CHECK;
void hops_free(struct hops **h);
/* No new transactions; kept connections are closed by QUIT, which
 * conn_finishing() counts. */
void hops_stop(struct hops *h);

struct hop_envelope {
	const char *from;	/* "<a@b>", "<>" */
	const char *ret, *envid; /* "RET=HDRS", "ENVID=...", or NULL */
	bool utf8, is_8bit, require_tls;
	uint64_t size;		/* declared, 0: not known */
	int turn_ms;		/* to wait where the destination is busy */
	const char *auth;	/* xtext for AUTH=, NULL: none */
	const char *id;		/* ours, for logs */
	/* the real client, for XCLIENT where the route says so; or NULL */
	const char *client_addr, *client_name, *client_helo, *client_login;
};

enum hop_state {
	HOP_ANSWERED, /* the reply is the next hop's (made printable) */
	HOP_FAILED,   /* ours: not reached, TLS, lost; nothing was taken */
	HOP_UNKNOWN   /* lost or late after the end of data (RFC 1047) */
};
struct hop_reply {
	struct smtp_reply reply; /* never code 0 */
	enum hop_state state;
	bool is_tls_failure; /* policy: TLS-Required: No may mend it (T55) */
	char tls_result[40]; /* of struct tls_got; "" no TLS was tried */
};

/* From the loop, never from within a call. hop_free() is allowed in them. */
struct hop_use {
	void (*on_rcpt)(void *arg, size_t rcpt, const struct hop_reply *r);
	/* for each recipient that on_rcpt said 2xx for; LMTP: its own; SMTP:
	 * the one reply for all, in order of rcpt */
	void (*on_result)(void *arg, size_t rcpt, const struct hop_reply *r);
	void *arg;
};

struct hop;
/* Begin; takes route (code 0). env is copied. Connects at once. FAIL_TEMP. */
int hop_begin(struct hop **out, struct hops *h, struct route *take_route,
    const struct hop_envelope *env, const struct hop_use *use,
    struct err *e) MUST_CHECK;
/* One more recipient; returns its index. on_rcpt follows. path "<a@b>";
 * notify, orcpt as parameters or NULL. Copied. (size_t)-1: memory. */
size_t hop_rcpt(struct hop *h, const char *path, const char *notify,
    const char *orcpt);
/*
 * The message: octets [off, off + size) of s, CRLF line ends, no bare CR or
 * LF; s must live until the last on_result. Results follow within until_ms of
 * CLOCK_MONOTONIC. When it ends before the answer, the recipient is
 * HOP_UNKNOWN, and the connection is kept for late_ms to learn the truth:
 * on_late is called with it then (also after hop_free()), for the ledger.
 */
void hop_data(struct hop *h, const struct spool *s, uint64_t off,
    uint64_t size, int64_t until_ms);
/* accepted: did it take the message after all? arg is a copy of key. */
typedef void hop_late(void *arg, const unsigned char key[32], bool accepted);
void hop_on_late(struct hop *h, size_t rcpt, const unsigned char key[32],
    hop_late *f, void *arg);
/* End it wherever it is: before DATA by QUIT, if nothing is on its way, then
 * hard, and after the end of data the answer is still waited for. After all
 * results a connection may be kept. *h becomes NULL. */
void hop_free(struct hop **h);
const struct route *hop_route(const struct hop *h);
/* The one of it that is used, or was tried last; NULL: none. */
const struct route_host *hop_host(const struct hop *h);
/* "mx.a.example[192.0.2.1]:25" */
const char *hop_where(char *out, size_t size, const struct route_host *h);
/* TLS of the connection, for Received and logs; NULL: none. */
const struct tls_got *hop_tls(const struct hop *h);

#endif
