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

/* What the channel is, and what therefore holds; changes with TLS. */
struct smtp_server_channel {
	bool is_tls;
	bool is_weak;	  /* 554 5.7.0 to all but QUIT (RFC 3207 4.1) */
	bool require_tls; /* REQUIRETLS is offered (RFC 8689) */
	bool auth_must;	  /* MAIL without AUTH: 530 5.7.0 */
	/* of AUTH, "PLAIN LOGIN"; "" or NULL: none now; borrowed */
	const char *mechanisms;
};

struct smtp_server_setup {
	const char *name; /* who we say we are; borrowed */
	bool lmtp;
	bool require_tls;  /* REQUIRETLS is offered (RFC 8689) */
	bool dsn;	   /* DSN is (RFC 3461) */
	uint64_t max_size; /* octets of a message */
	size_t max_rcpts;  /* beyond: 452 */
	bool xforward;	   /* XFORWARD is offered */

	/* A relay's: STARTTLS, AUTH, XCLIENT, HELP are known; MAIL and RCPT
	 * are asked about (SMTP_ASK_*). All below is for it alone. */
	bool relay;
	bool starttls;	    /* offered, where there is no TLS */
	bool starttls_must; /* 530 5.7.0 before it */
	bool starttls_away; /* 454 4.7.0: it does not work at present */
	bool require_tls_known; /* would be offered inside TLS */
	bool auth;	    /* AUTH= of MAIL is known (RFC 4954 5) */
	bool qualified;	    /* domains must be whole (RFC 6409 4.2) */
	bool xclient;	    /* this client may say XCLIENT */
	bool one_domain;    /* LIMITS RCPTDOMAINMAX=1 (RFC 9422) */
	struct smtp_server_channel channel; /* at the beginning */
};

/* A recipient, as it was given. Parameters with their keyword, or NULL. */
struct smtp_server_rcpt {
	char *path; /* "<a@b>" */
	char *notify, *orcpt;
	size_t number; /* of its SMTP_ASK_RCPT in this transaction, from 0 */
};

/* What the MTA in front says of its own client (XFORWARD); "": nothing. It
 * holds for one message. */
struct smtp_forward {
	char addr[64]; /* as text; "IPv6:" may stand in front */
	char name[256];
	char helo[256];
	char ident[64]; /* the queue id there */
};

#define SMTP_UNKNOWN "unknown" /* an address that is not to be known */

/* What a client that may says of its own client (XCLIENT); "": nothing. Each
 * command adds to it. */
struct smtp_xclient {
	char addr[64]; /* or SMTP_UNKNOWN */
	char port[8];
	char name[256];
	char helo[256];
	char login[256];
	char proto[8];
	char dest_addr[64];
	char dest_port[8];
};

struct smtp_server_mail {
	char *from; /* "<a@b>", "<>" */
	char *ret, *envid;
	char *auth; /* "AUTH=...", xtext */
	uint64_t size; /* declared, 0: not */
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
	SMTP_CLOSE, /* send the output, then close; what was begun is void */

	/* a relay's */
	SMTP_WAIT,     /* send the output; nothing goes on before an answer */
	SMTP_ASK_MAIL, /* MAIL came: smtp_server_answer() */
	SMTP_ASK_RCPT, /* the last of smtp_server_mail()->rcpt came:
			  smtp_server_answer_rcpt(), now or later; others may
			  come before it is answered */
	SMTP_AUTH,     /* smtp_server_auth() has what the client says:
			  smtp_server_challenge() or smtp_server_answer() */
	SMTP_STARTTLS, /* send the output, begin TLS, then
			  smtp_server_secured() */
	SMTP_XCLIENT   /* smtp_server_xclient() changed, there is no
			  transaction, nobody is authenticated */
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
/* The message that comes is not wanted any more, and neither is its sender. */
void smtp_server_cut(struct smtp_server *s, int code, const char *enhanced,
    const char *text);

/* The message whose SMTP_BEGIN came, until the last answer; the transaction so
 * far before: from is NULL where there is none. */
const struct smtp_server_mail *smtp_server_mail(const struct smtp_server *s);
/* Who the client says he is. */
const char *smtp_server_helo(const struct smtp_server *s);
bool smtp_server_is_esmtp(const struct smtp_server *s);

/* After SMTP_MAIL, SMTP_ASK_MAIL, SMTP_AUTH. text may be anything: what is not
 * printable ASCII is replaced, long ones become several lines. 2xx of
 * SMTP_AUTH: the client is authenticated. */
void smtp_server_answer(struct smtp_server *s, int code, const char *enhanced,
    const char *text);
/* Of SMTP_ASK_RCPT; 2xx: it is a recipient. In any order. */
void smtp_server_answer_rcpt(struct smtp_server *s, size_t number, int code,
    const char *enhanced, const char *text);
/* How many answers are still owed for a message. */
size_t smtp_server_owed(const struct smtp_server *s);
/* How many for RCPT. */
size_t smtp_server_asked(const struct smtp_server *s);

/* ---- a relay's ---- */

/* STARTTLS works at present, or it does not (454 4.7.0). */
void smtp_server_starttls_away(struct smtp_server *s, bool is_away);
/* TLS is there: all that the client said is forgotten (RFC 3207 4.2). */
void smtp_server_secured(struct smtp_server *s,
    const struct smtp_server_channel *c);

/* Of SMTP_AUTH, until it is answered. */
struct smtp_server_auth {
	const char *mechanism; /* "PLAIN", upper case */
	bool is_first;	       /* an exchange begins: an older one is over */
	struct view response;  /* decoded; first and p NULL: none came */
};
const struct smtp_server_auth *smtp_server_auth(const struct smtp_server *s);
/* 334; SMTP_AUTH follows. decoded. */
void smtp_server_challenge(struct smtp_server *s, struct view decoded);
bool smtp_server_is_authenticated(const struct smtp_server *s);
/* Is AUTH needed from now on? For SMTP_XCLIENT. */
void smtp_server_demand_auth(struct smtp_server *s, bool is_needed);

const struct smtp_xclient *smtp_server_xclient(const struct smtp_server *s);

#endif
