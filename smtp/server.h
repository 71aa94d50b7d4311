/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The server's side of an SMTP (RFC 5321) or LMTP (RFC 2033) conversation
 * without I/O: octets that came are put in, events and octets to be sent come
 * out. It checks what may be said when; whether a message is taken is decided
 * by who uses it.
 */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include "smtp/reply.h"

struct smtp_server_setup {
	const char *name; /* who we say we are; borrowed */
	bool lmtp;
	bool require_tls;  /* REQUIRETLS is offered (RFC 8689) */
	bool dsn;	   /* DSN is (RFC 3461) */
	uint64_t max_size; /* octets of a message */
	size_t max_rcpts;  /* beyond: 452 */
};

/* A recipient, as it was given. Parameters with their keyword, or NULL. */
struct smtp_server_rcpt {
	char *path; /* "<a@b>" */
	char *notify, *orcpt;
};

/* What the MTA in front says of its own client (XFORWARD); "": nothing. It
 * holds for one message. */
struct smtp_forward {
	char addr[64]; /* as text; "IPv6:" may stand in front */
	char name[256];
	char helo[256];
	char ident[64]; /* the queue id there */
};

struct smtp_server_mail {
	char *from; /* "<a@b>", "<>" */
	char *ret, *envid;
	bool utf8, is_8bit, require_tls;
	struct smtp_server_rcpt *rcpt;
	size_t rcpts;
	struct smtp_forward forward;
};

enum smtp_event {
	SMTP_MORE,  /* send the output, then read */
	SMTP_FLUSH, /* send the output, then go on */
	SMTP_BEGIN, /* a message follows, its envelope is complete */
	SMTP_CHUNK, /* octets of it */
	SMTP_MAIL,  /* it is whole: an answer is wanted, in LMTP one for each
		       recipient, in their order */
	SMTP_CLOSE  /* send the output, then close; what was begun is void */
};

struct smtp_server;

/* The greeting is the first output. FAIL_TEMP. */
int smtp_server_new(struct smtp_server **out,
    const struct smtp_server_setup *s, struct err *e) MUST_CHECK;
void smtp_server_free(struct smtp_server **s);

/*
 * Go on with what came, in the order in which it came: *in is moved past what
 * was used up, and must be given again (with more behind it, where there is)
 * until it is empty. *chunk is for SMTP_CHUNK, and points into *in as it was.
 */
enum smtp_event smtp_server_next(struct smtp_server *s, struct view *in,
    struct view *chunk);

/* Octets to be sent; gone after smtp_server_sent(). */
struct view smtp_server_output(const struct smtp_server *s);
void smtp_server_sent(struct smtp_server *s);

/* Somebody spoke before he was greeted (A46): it is over. */
void smtp_server_early(struct smtp_server *s);
/* We go away, or time is up: text says which. Over, but for answers that are
 * still owed. */
void smtp_server_quit(struct smtp_server *s, const char *text);

/* The message whose SMTP_BEGIN came; until the last answer. */
const struct smtp_server_mail *smtp_server_mail(const struct smtp_server *s);
/* Who the client says he is. */
const char *smtp_server_helo(const struct smtp_server *s);
bool smtp_server_is_esmtp(const struct smtp_server *s);

/* After SMTP_MAIL. text may be anything: what is not printable ASCII is
 * replaced, long ones become several lines. */
void smtp_server_answer(struct smtp_server *s, int code, const char *enhanced,
    const char *text);
/* How many answers are still owed. */
size_t smtp_server_owed(const struct smtp_server *s);

#endif
