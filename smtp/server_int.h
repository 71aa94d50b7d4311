/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the files of the server's side share.
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
	SERVER_ASKED,	  /* about MAIL */
	SERVER_AUTH,	  /* the client must answer a challenge */
	SERVER_AUTH_ASKED,
	SERVER_TLS,	  /* it is to begin */
	SERVER_BEGIN,	  /* SMTP_BEGIN is to be said */
	SERVER_DATA,
	SERVER_ANSWERS, /* owed */
	SERVER_CLOSED
};

/* The reply to a RCPT, which may come later than others behind it. */
struct server_slot {
	bool is_open; /* to be answered, of recipient: */
	size_t number;
	struct buf text;
};

#define SERVER_AUTH_LINE 12288 /* RFC 4954 4 */

struct smtp_server {
	struct smtp_server_setup setup;
	struct smtp_server_channel channel;
	enum server_state state;
	enum server_at at;
	bool is_bad;	  /* a bare CR or LF came in the message */
	bool has_greeted; /* HELO, EHLO or LHLO was said */
	bool is_esmtp;
	bool has_quit; /* close when nothing is owed any more */
	bool must_end; /* this command must be the last one that came */
	bool is_held;  /* line is whole, and waits for answers to RCPT */
	bool has_event;
	enum smtp_event event; /* to be said next */
	char helo[256];
	struct smtp_server_mail mail;
	size_t room;  /* of mail.rcpt */
	size_t taken; /* octets that the envelope takes */
	size_t numbers; /* of recipients asked about */
	size_t owed;
	struct server_slot *slot;
	size_t slots, slot_room;
	struct buf *to; /* where replies go, NULL: out */
	unsigned faults; /* commands that were refused */
	unsigned idle;	 /* commands since the last message */
	unsigned plain;	 /* commands before TLS that must come */
	unsigned rcpts_said;
	unsigned auth_faults;
	bool is_authenticated;
	char mechanism[32];
	struct buf response; /* decoded, secret */
	struct smtp_server_auth auth;
	struct smtp_xclient xclient;
	struct buf line; /* secret */
	struct buf out;
};

/* One reply; text of printable ASCII. enhanced "": none. */
void server_reply(struct smtp_server *s, int code, const char *enhanced,
    const char *text);
/* The same, refusing a command. */
void server_refuse(struct smtp_server *s, int code, const char *enhanced,
    const char *text);
void server_refuse_syntax(struct smtp_server *s);
void server_refuse_order(struct smtp_server *s);
/* The same, and it is over. */
void server_close(struct smtp_server *s, int code, const char *enhanced,
    const char *text);
/* Say it next; state is what comes then. */
void server_event(struct smtp_server *s, enum smtp_event ev,
    enum server_state state);
/* No transaction any more. */
void server_reset(struct smtp_server *s);
/* As after the greeting. */
void server_forget(struct smtp_server *s);
/* A slot for the next reply, into which s->to leads; NULL: memory. */
struct server_slot *server_slot_new(struct smtp_server *s);
/* Slots that are answered, up to the first that is not, become output. */
void server_slots_flush(struct smtp_server *s);
/* Carry out the command in line, which has no CRLF. */
void server_command(struct smtp_server *s, const char *line);
/* "<a@b.example>": has it a domain with a dot, or an address literal? */
bool server_is_qualified(const char *path);
/* The next word of *at, apart by single blanks, into word; false: none, or
 * too long. */
bool server_next_word(const char **at, char *word, size_t size);

/* server_client.c */
int server_hex(char c); /* of upper case; -1: none */
void server_on_xforward(struct smtp_server *s, const char *arg);
void server_on_xclient(struct smtp_server *s, const char *arg);

/* server_auth.c */
void server_on_auth(struct smtp_server *s, const char *arg);
/* The line behind a challenge. */
void server_auth_line(struct smtp_server *s, const char *line);
/* The answer of who uses us. */
void server_auth_answer(struct smtp_server *s, int code,
    const char *enhanced, const char *text);
void server_auth_forget(struct smtp_server *s);

#endif
