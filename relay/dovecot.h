/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Passwords that Dovecot knows: the client's side of its authentication
 * protocol, version 1.x, over a unix socket. Blocking, any thread, many
 * requests on one connection, which is made when it is needed and made again
 * when it broke. Whoever answers on that socket is read as strictly as
 * anybody else.
 */
#ifndef RELAY_DOVECOT_H
#define RELAY_DOVECOT_H

#include "util/buf.h"

#define DOVECOT_LINE 16384 /* octets of a line, with its end */
#define DOVECOT_SENT 8192  /* of what we send: Dovecot takes no more */
#define DOVECOT_NAME 256   /* of a user, with NUL */

/* ---- lines, without I/O ---- */

enum dovecot_word {
	DOVECOT_OTHER, /* known or not, it says nothing about a request */
	DOVECOT_VERSION, DOVECOT_MECH, DOVECOT_DONE,
	DOVECOT_OK, DOVECOT_CONT, DOVECOT_FAIL
};
struct dovecot_reply {
	enum dovecot_word word;
	uint32_t id;		 /* of OK, CONT, FAIL */
	unsigned version;	 /* major */
	char mech[40];
	char user[DOVECOT_NAME]; /* of OK; "" when it said none */
	bool is_nologin;	 /* OK, but he may not log in */
	bool is_temporary;	 /* FAIL that is no word about the password */
	bool is_authz;		 /* FAIL: may not act for the other one */
	struct buf data;	 /* of CONT, decoded */
};
void dovecot_reply_init(struct dovecot_reply *r);
void dovecot_reply_free(struct dovecot_reply *r);
/* line: without its end. FAIL_INPUT. */
int dovecot_reply_parse(struct dovecot_reply *r, struct view line,
    struct err *e) MUST_CHECK;

/* Who wants to log in. Strings may be NULL. */
struct dovecot_who {
	const char *ip, *local_ip;
	const char *cert_user; /* of a good client certificate */
};
/* A line "AUTH..." with its end; initial NULL: none. FAIL_LIMIT. */
int dovecot_put_auth(struct buf *b, uint32_t id, const char *mech,
    const struct dovecot_who *who, const struct view *initial, struct err *e)
    MUST_CHECK;

/* ---- connections ---- */

struct dovecot;
/* Nothing is connected yet. FAIL_TEMP: memory. Times for connecting, and for
 * an answer; 0: ours. */
int dovecot_new(struct dovecot **out, const char *path, int connect_ms,
    int answer_ms, struct err *e) MUST_CHECK;
void dovecot_free(struct dovecot **d);

/*
 * Begin an exchange: 0, and reply is OK, CONT or FAIL; after CONT *talk is
 * set and dovecot_go_on() or dovecot_cancel() must follow. -1 FAIL_TEMP: not
 * there, too slow, not understood, has no such mechanism; FAIL_LIMIT: too
 * long.
 */
struct dovecot_talk;
int dovecot_begin(struct dovecot *d, const char *mech,
    const struct dovecot_who *who, const struct view *initial,
    struct dovecot_talk **talk, struct dovecot_reply *reply, struct err *e)
    MUST_CHECK;
/* *talk is NULL afterwards unless the reply is CONT again. */
int dovecot_go_on(struct dovecot_talk **talk, struct view data,
    struct dovecot_reply *reply, struct err *e) MUST_CHECK;
void dovecot_cancel(struct dovecot_talk **talk);

#endif
