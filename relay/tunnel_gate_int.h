/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a gate must know of a protocol: relay/tunnel_pop3.c, tunnel_imap.c,
 * tunnel_smtp.c.
 */
#ifndef RELAY_TUNNEL_GATE_INT_H
#define RELAY_TUNNEL_GATE_INT_H

#include "relay/tunnel_gate.h"

enum gate_command {
	COMMAND_ASKS,	  /* for capabilities */
	COMMAND_PASSES,	  /* may reach the daemon before TLS, too */
	COMMAND_ANSWERED, /* by us; it is in to_client */
	COMMAND_TLS,	  /* to_client is empty */
	COMMAND_ENDS,	  /* answered, and it is over */
	COMMAND_OTHER	  /* the daemon's matter */
};

struct gate_protocol {
	/* line without CRLF */
	enum gate_command (*command)(struct gate *g, struct view line,
	    struct buf *to_client);
	/* The answer to a command before TLS that must not be said then. */
	void (*must_tls)(const struct gate *g, struct view line,
	    struct buf *to_client);
	/* It is not to be understood, and we close. */
	void (*syntax)(const struct gate *g, struct buf *to_client);
	void (*go_ahead)(const struct gate *g, struct buf *to_client);
	/* Is this line (with its end) the last of what g->asks? g->lines were
	 * before it. -1: no daemon of this protocol says so. */
	int (*is_last)(const struct gate *g, struct view line);
	/* g->reply is whole: what the client gets. -1: it is over then. */
	int (*greeting)(struct gate *g, struct buf *to_client);
	void (*capabilities)(const struct gate *g, struct buf *to_client);
	void (*sorry)(const char *hostname, const char *why,
	    struct buf *to_client);
	void (*refuse)(const char *why, struct buf *to_client);
};

extern const struct gate_protocol gate_pop3, gate_imap, gate_smtp;

/* The next line of *v with its end, or all of it; *v is what follows. */
struct view gate_next_line(struct view *v);
/* The next word of *v, blanks around it skipped. */
struct view gate_next_word(struct view *v);
/* Is it one of these, whatever its case? NULL ends them. */
bool gate_is_one_of(struct view word, const char *const *of);

#endif
