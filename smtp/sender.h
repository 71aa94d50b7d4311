/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The client's side of an SMTP (RFC 5321) or LMTP (RFC 2033) connection with
 * any number of messages, without I/O: octets that came are put in, replies
 * and octets to be sent come out. It matches each reply with its command,
 * pipelines where that is offered, and knows what was offered. What a reply
 * means for the mail is decided by who uses it.
 */
#ifndef SMTP_SENDER_H
#define SMTP_SENDER_H

#include "smtp/reply.h"

#define SENDER_LINES 128 /* of one reply; RFC 5321 has no limit */

/* What a reply answers. */
enum sender_to {
	SENDER_GREETING, /* 220: EHLO is said by itself */
	SENDER_HELO,	 /* 2xx: smtp_sender_offers() holds */
	SENDER_STARTTLS, /* 220: begin TLS, then smtp_sender_in_tls() */
	SENDER_XCLIENT,	 /* 2xx: EHLO is said again by itself */
	SENDER_MAIL,
	SENDER_RCPT,
	SENDER_DATA, /* 354: the message, then smtp_sender_dot() */
	SENDER_END,  /* of data; in LMTP for one recipient */
	SENDER_QUIT,
	SENDER_BODY,	/* while the message is sent: it is over */
	SENDER_NOTHING	/* 4xx or 5xx that nobody asked for: it is over */
};

enum sender_event {
	SENDER_MORE,  /* send the output, then read */
	SENDER_REPLY, /* see struct sender_news */
	SENDER_BROKEN /* not SMTP, or an attack: it is over, why says it */
};

struct sender_news {
	enum sender_to to;
	struct smtp_reply reply; /* enhanced is never empty */
	bool enhanced_is_ours; /* there was none */
	size_t rcpt;	  /* as given; SENDER_END of SMTP: (size_t)-1 */
	char why[160];
};

/* What the last EHLO offered. */
struct smtp_offers {
	bool esmtp, pipelining, size, mime8, utf8, dsn, starttls, auth,
	    require_tls, enhanced;
	uint64_t size_max;   /* 0: not said */
	unsigned mail_max, rcpt_max, domain_max; /* LIMITS; 0: not said */
	bool xclient, x_name, x_addr, x_helo, x_login;
};

struct smtp_sender_setup {
	const char *helo; /* who we say we are */
	bool lmtp;
	bool may_helo; /* HELO when EHLO is refused */
};

struct smtp_sender;

/* Waits for the greeting. FAIL_TEMP. */
int smtp_sender_new(struct smtp_sender **out,
    const struct smtp_sender_setup *setup, struct err *e) MUST_CHECK;
void smtp_sender_free(struct smtp_sender **s);

/* Go on with what came; *in is moved past what was used up: until it says
 * SENDER_MORE. After SENDER_BROKEN, 421, SENDER_BODY and SENDER_NOTHING
 * nothing comes any more. */
enum sender_event smtp_sender_next(struct smtp_sender *s, struct view *in,
    struct sender_news *news);
/* Octets to be sent; gone after smtp_sender_sent(). */
struct view smtp_sender_output(const struct smtp_sender *s);
void smtp_sender_sent(struct smtp_sender *s);

const struct smtp_offers *smtp_sender_offers(const struct smtp_sender *s);
/* Nothing was asked for, and it is not over. */
bool smtp_sender_is_idle(const struct smtp_sender *s);
bool smtp_sender_is_over(const struct smtp_sender *s);

/* ---- commands ---- */

void smtp_sender_starttls(struct smtp_sender *s);
/* TLS is up: all that was learnt is forgotten, EHLO is said (RFC 3207 4.2). */
void smtp_sender_in_tls(struct smtp_sender *s);

/* The real client; NULL: not known. What is not offered is left out. */
struct smtp_sender_client {
	const char *addr, *name, *helo, *login;
};
void smtp_sender_xclient(struct smtp_sender *s,
    const struct smtp_sender_client *c);

struct smtp_sender_mail {
	const char *from; /* "<a@b>", "<>" */
	const char *ret, *envid; /* parameters or NULL */
	const char *auth; /* xtext for AUTH=, or NULL */
	bool utf8, is_8bit, require_tls;
	uint64_t size; /* 0: not known */
};
/* FAIL_INPUT: what it needs is not offered (SMTPUTF8, REQUIRETLS, 8BITMIME),
 * or something may not stand in a command (A47); nothing is said then. What
 * is not needed is sent only where it is offered. */
int smtp_sender_mail(struct smtp_sender *s, const struct smtp_sender_mail *m,
    struct err *e) MUST_CHECK;
struct smtp_sender_rcpt {
	const char *path;	    /* "<a@b>" */
	const char *notify, *orcpt; /* parameters or NULL */
	size_t number;		    /* for struct sender_news */
};
int smtp_sender_rcpt(struct smtp_sender *s, const struct smtp_sender_rcpt *r,
    struct err *e) MUST_CHECK;
void smtp_sender_data(struct smtp_sender *s);
/* All of the message was sent, with its last line's end. */
void smtp_sender_dot(struct smtp_sender *s);
void smtp_sender_quit(struct smtp_sender *s);

#endif
