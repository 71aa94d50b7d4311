/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The pipeline: envelope and message in, verdict out. Knows no MTA; the
 * worker, postseal seal and open, and the tests all call gateway_run().
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "gateway/verdict.h"
#include "keystore/keystore.h"
#include "util/keyops.h"

/* What the MTA told us besides the message. Strings are borrowed. */
enum env_auth {
	ENV_AUTH_NONE,	/* no login */
	ENV_AUTH_LOGIN, /* login is set */
	ENV_AUTH_CALLER /* postseal seal: the caller is trusted as From */
};

struct envelope {
	const char *id;	       /* ours, verdict_new_id */
	const char *queue_id;  /* the MTA's, or NULL */
	const char *client_ip; /* or NULL */
	enum env_auth auth;
	const char *login;
	const char *mail_from; /* raw path argument, "<>" = null sender */
	const char *const *rcpt; /* raw path arguments */
	size_t rcpts;
	enum direction forced; /* 0: found out; seal and open force it */
	/* Of the door it came through: outbound, who sends is one of us;
	 * inbound, nobody is. 0: login and address tell. */
	enum direction side;
	/* The verdict's body is to be the whole new message, with what the
	 * edits say done (verdict_whole). */
	bool whole;
	/* Recipients may get different copies, and some of them may be kept
	 * waiting; else all get the same, or the message is refused. */
	bool can_split, can_hold;
	/* There is a route that enforces a verified hop: for whom a rule says
	 * encrypt or tls. Whoever leaves by it has a copy of his own. */
	bool can_tls;
	/* Nothing is to be done, only decided (verdict_observe). */
	bool observe;
	/* Recipients, rules, certificates and groups; nothing is made. */
	bool plan_only;
	int64_t now;	       /* receipt time */
};

struct lookup_ops;
struct gateway {
	const struct config *config;
	const struct rules *rules;
	struct keystore *ks;
	const struct key_ops *keys; /* ctx: this transaction */
	const struct lookup_ops *lookup; /* NULL: no directories */
};

/*
 * Decide about msg (whole message: header section, blank line, body) and
 * prepare the outcome. Never fails: a fault of ours is a deferred verdict,
 * 451 4.3.0, and e says why for the log (e->kind 0 otherwise). v is
 * initialised here: what a caller left in it would not be freed.
 */
void gateway_run(struct gateway *g, const struct envelope *env,
    const struct spool *msg, struct verdict *v, struct err *e);

/*
 * The second death of a worker on the same bytes is final: outbound 554
 * 5.6.0; inbound what the rules demand of mail without a valid signature, by
 * the envelope alone and for an author who is not known, else delivered with
 * smime=permerror, without any older Authentication-Results, untouched. Does
 * not look into the message; of with, configuration and rules are used, and
 * the store to seal what is to be held (NULL: the mail server holds it).
 */
void gateway_poisoned(const struct gateway *with, const struct envelope *env,
    const struct spool *msg, struct verdict *v);

/* The direction for one recipient: from login and networks. An
 * empty to is one that cannot be read: never internal. */
enum direction gateway_direction(const struct config *c,
    const struct envelope *env, const struct addr *to);

enum rcpt_form {
	RCPT_UNREADABLE, /* not in exactly one way; the address is empty */
	RCPT_ADDRESS,
	RCPT_BARE /* a local part alone, read as at our first domain */
};

/* A recipient as RCPT TO has it (A24). */
enum rcpt_form rcpt_read(const struct config *c, const char *raw,
    struct addr *a);

#endif
