/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a client and a plain daemon say to each other before a tunnel is only
 * octets: one command and its answer after the other, so that it is always
 * known what an answer belongs to. It offers STLS or STARTTLS where the daemon
 * cannot, lets nothing by that must not be said in clear, and takes offers of
 * TLS away that would be no use. Pure.
 *
 * Before TLS nothing but the question for capabilities (CAPA, CAPABILITY,
 * EHLO, HELO) reaches the daemon, or TLS is no must and the client does
 * without: then it is all octets.
 */
#ifndef RELAY_TUNNEL_GATE_H
#define RELAY_TUNNEL_GATE_H

#include "relay/config.h"
#include "util/buf.h"

#define GATE_LINE 2048	   /* octets of a command before TLS, with CRLF */
#define GATE_COMMANDS 20   /* before TLS (T11) */
#define GATE_REPLY 16384   /* octets of one answer of the daemon */
#define GATE_WORD 64	   /* of a command: verb or tag */

enum gate_step {
	GATE_MORE, /* more must come, or the other side is to speak */
	GATE_AGAIN, /* something was done: call again */
	GATE_TLS,  /* send what is for the client, then TLS, gate_tls() */
	GATE_OPEN, /* octets from now on; what was not used as well */
	GATE_CLOSE /* send what is for the client, then close; why is set */
};

enum gate_asks {
	ASKS_GREETING,
	ASKS_NOTHING,	/* it is the client's turn */
	ASKS_CAPABILITIES,
	ASKS_OTHER	/* passed on as it is */
};

struct gate {
	const struct gate_protocol *p;
	const char *hostname; /* borrowed: who we are, for SMTP */
	bool offers; /* TLS can be begun */
	bool must;   /* and is a must */
	bool is_tls;
	bool is_fresh; /* the daemon is a new one, its greeting is no news */
	bool hides_apop; /* its timestamp will not be true after TLS */
	enum gate_asks asks;
	unsigned commands;
	char tag[GATE_WORD]; /* IMAP: of the command that is asked */
	struct buf reply; /* the daemon's, until it is whole */
	size_t lines;	  /* of reply */
	const char *why;  /* of GATE_CLOSE, for a log */
};

/* p: POP3, IMAP or smtp-tunnel. tls: LISTEN_IMPLICIT and LISTEN_EXTERNAL mean
 * that it is there already. */
void gate_init(struct gate *g, enum relay_protocol p, enum listen_tls tls,
    const char *hostname);
void gate_free(struct gate *g);

/* What the client sent: at most one command is used. */
enum gate_step gate_client(struct gate *g, struct view in, size_t *used,
    struct buf *to_client, struct buf *to_server);
/* What the daemon sent: at most one line is used. */
enum gate_step gate_server(struct gate *g, struct view in, size_t *used,
    struct buf *to_client);
/* TLS was begun with the client; is_fresh: and with a new daemon. */
void gate_tls(struct gate *g, bool is_fresh);
/* It is the client's turn, and it may do without TLS or has it: whatever it
 * says may go through as octets. */
bool gate_may_open(const struct gate *g);

/* In words of the protocol: it does not work, later perhaps; and: it is not
 * allowed. Also for p that have no gate, where it is nothing. */
void gate_sorry(enum relay_protocol p, const char *hostname, const char *why,
    struct buf *to_client);
void gate_refuse(enum relay_protocol p, const char *why,
    struct buf *to_client);

#endif
