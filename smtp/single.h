/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One message over one connection of smtp/sender.h, without I/O: octets that
 * came are put in, octets to be sent come out. Over SMTP all recipients or
 * none.
 */
#ifndef SMTP_SINGLE_H
#define SMTP_SINGLE_H

#include "smtp/reply.h"

struct smtp_rcpt {
	const char *path; /* "<a@b>"; borrowed */
	const char *notify, *orcpt; /* "NOTIFY=...", "ORCPT=...", or NULL */
	struct smtp_reply reply;    /* to RCPT; LMTP: or to the data */
	bool accepted;		    /* the next hop has the message for it */
};

struct smtp_mail {
	const char *from; /* "<a@b>", "<>" */
	/* "RET=HDRS", "ENVID=...", or NULL; sent where DSN is offered (RFC
	 * 3461) */
	const char *ret, *envid;
	bool utf8;	  /* SMTPUTF8 is needed (RFC 6531) */
	bool require_tls; /* REQUIRETLS (RFC 8689) */
	bool is_8bit;	  /* BODY=8BITMIME is needed (RFC 6152) */
	struct smtp_rcpt *rcpt;
	size_t rcpts;
	/* what came of it */
	struct smtp_reply reply; /* that ended it, or to the data */
	bool is_unknown;	 /* the end of the data was sent, and no
				    answer came (RFC 1047) */
	bool is_turned_away; /* before the mail was named: reply says nothing
				of it */
	bool lacks_dsn; /* parameters of RFC 3461 could not be passed on */
};

struct smtp_single;

/* m is borrowed, and its results are filled in. FAIL_INPUT: a path or
 * parameter that may not stand in a command. FAIL_TEMP. */
int smtp_single_new(struct smtp_single **out, struct smtp_mail *m,
    const char *helo, bool lmtp, struct err *e) MUST_CHECK;
void smtp_single_free(struct smtp_single **s);

enum smtp_step {
	SMTP_READ,  /* octets of the other side are wanted */
	SMTP_WRITE, /* what smtp_single_output() has is to be sent */
	SMTP_DATA,  /* now the message, dot-stuffed (smtp/stuff.h) */
	SMTP_END    /* it is over: see the mail */
};
/* What is to be done next. */
enum smtp_step smtp_single_step(const struct smtp_single *s);
/* Octets to be sent; empty after smtp_single_sent(). */
struct view smtp_single_output(const struct smtp_single *s);
void smtp_single_sent(struct smtp_single *s);
/* Octets that came. -1: FAIL_TEMP, not SMTP, which says nothing of the mail,
 * or FAIL_INPUT, it needs what is not offered; then it is over. */
int smtp_single_input(struct smtp_single *s, struct view v, struct err *e)
    MUST_CHECK;
/* The message was sent with its last line's end; "." is the next output. */
void smtp_single_data_sent(struct smtp_single *s);

#endif
