/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the two files of the server's side share.
 */
#ifndef SMTP_SERVER_INT_H
#define SMTP_SERVER_INT_H

#include "smtp/server.h"

/* Where in the octets of a message we are. */
enum server_at {
	AT_START, /* of a line */
	AT_MID,
	AT_CR,	 /* behind a CR */
	AT_DOT,	 /* behind a dot that began a line, which is kept back */
	AT_DOT_CR
};

enum server_state {
	SERVER_COMMANDS,
	SERVER_BEGIN, /* SMTP_BEGIN is to be said */
	SERVER_DATA,
	SERVER_ANSWERS, /* owed */
	SERVER_CLOSED
};

struct smtp_server {
	struct smtp_server_setup setup;
	enum server_state state;
	enum server_at at;
	bool is_bad;	  /* a bare CR or LF came in the message */
	bool has_greeted; /* HELO, EHLO or LHLO was said */
	bool is_esmtp;
	bool has_quit; /* close when nothing is owed any more */
	bool must_end; /* this command must be the last one that came */
	char helo[256];
	struct smtp_server_mail mail;
	size_t room;  /* of mail.rcpt */
	size_t taken; /* octets that the envelope takes */
	size_t owed;
	unsigned faults; /* commands that were refused */
	unsigned idle;	 /* commands since the last message */
	unsigned rcpts_said;
	struct buf line;
	struct buf out;
};

/* One reply; text of printable ASCII. enhanced "": none. */
void server_reply(struct smtp_server *s, int code, const char *enhanced,
    const char *text);
/* The same, refusing a command. */
void server_refuse(struct smtp_server *s, int code, const char *enhanced,
    const char *text);
/* No transaction any more. */
void server_reset(struct smtp_server *s);
/* Carry out the command in line, which has no CRLF. */
void server_command(struct smtp_server *s, const char *line);

#endif
