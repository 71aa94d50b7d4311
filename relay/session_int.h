/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the files of a session share.
 *
 *   session.c          octets, deadlines, life
 *   session_channel.c  what a client may here: TLS, certificate, network
 *   session_auth.c     AUTH, and who may send as whom
 *   session_mail.c     from the conversation to the transaction, Received
 */
#ifndef RELAY_SESSION_INT_H
#define RELAY_SESSION_INT_H

#include <sys/queue.h>

#include "relay/txn.h"
#include "relay/worker.h"
#include "smtp/server.h"

struct event;
struct session {
	LIST_ENTRY(session) all;
	struct worker *w;
	struct worker_listener *l;
	enum listen_tls tls;
	struct conn *c;
	struct client who;   /* who connected */
	struct smtp_server *s; /* NULL: not greeted yet */
	struct txn *txn;     /* of the MAIL that was taken */
	struct txn *told;    /* all answers were given, nothing came since */
	unsigned messages;   /* that were begun */
	int64_t since_ms;    /* when he came */
	char id[TXN_ID];     /* of the message */
	bool is_pumping;     /* on the stack */
	bool is_over;	     /* to be destroyed */
	bool is_stuck;	     /* until output was sent */
	bool is_eof;	     /* he will say nothing more */
	bool is_answering;   /* the end of a message came */
	bool in_data;
	bool in_handshake;   /* nothing may be said */
	/* the channel */
	bool is_tls;	     /* ours, or of who is in front */
	const struct tls_facts *facts; /* NULL: none known */
	const char *identity[TLS_EMAILS]; /* of a good certificate */
	size_t identities;
	bool cert_relays;    /* it may send, as whom ever */
	char mechanisms[64];
	/* who it is */
	char ip[64];	     /* of the client, or what XCLIENT said */
	char login[256];
	struct auth_talk *talk;
	struct auth_reply verdict; /* that waits for its time */
	struct buf challenge;	   /* secret */
	struct event *delay;
};

/* ---- session_channel.c ---- */

/* What holds for this client (match source); NULL: there is no TLS. */
const struct tls_server *session_tls(const struct session *s);

/* ---- session.c ---- */

/* Go on with what came and what was answered. */
void session_pump(struct session *s);
/* The log has why; it is destroyed when nobody is in it. */
void session_end(struct session *s);

/* ---- session_channel.c ---- */

/* Facts of the connection, after TLS or at the beginning. */
void session_read_channel(struct session *s);
void session_channel(const struct session *s, struct smtp_server_channel *c);
void session_setup(struct session *s, struct smtp_server_setup *setup);
bool session_is_trusted(const struct session *s);
/* SMTP_XCLIENT */
void session_on_xclient(struct session *s);
void session_log_tls(const struct session *s);

/* ---- session_auth.c ---- */

void session_on_auth(struct session *s);
void session_auth_free(struct session *s);
/* T26: may he use this sender ("<a@b>")? */
bool session_may_send(const struct session *s, const char *path);

/* ---- session_mail.c ---- */

void session_on_mail(struct session *s);
void session_on_rcpt(struct session *s);
void session_on_begin(struct session *s);
void session_on_data(struct session *s, struct view chunk);
void session_on_end_of_data(struct session *s);
/* Our Received field (RFC 5321 4.4); also for tests. */
void session_received(const struct session *s, int64_t now_s,
    struct buf *out);

#endif
