/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the files of authentication share: questions and answers between
 * worker and auth process, and the mechanisms of the latter.
 */
#ifndef RELAY_AUTH_INT_H
#define RELAY_AUTH_INT_H

#include "relay/auth.h"
#include "relay/dovecot.h"
#include "relay/passwd.h"

#define AUTH_IDENTITIES 16 /* of a certificate; beyond: left out */
#define AUTH_INPUT 12288   /* octets of one answer of a client, decoded */

enum auth_op { AUTH_OP_BEGIN = 1, AUTH_OP_GO_ON, AUTH_OP_CANCEL };

enum auth_mech { MECH_PLAIN, MECH_LOGIN, MECH_EXTERNAL, MECH_SCRAM, MECHS };
const char *auth_mech_str(enum auth_mech m);
/* -1: no such word. */
int auth_mech_of(const char *word, enum auth_mech *out) MUST_CHECK;
/* May it be used there? Nothing may without TLS (T19). */
bool auth_mech_allowed(enum auth_mech m, const struct auth_block *b,
    bool is_tls, bool has_identity);

/* ---- questions ---- */

struct auth_question {
	enum auth_op op;
	uint64_t number; /* of the exchange; the worker chose it */
	uint32_t listener;
	enum auth_mech mech;
	bool is_tls, has_input;
	char *ip, *local_ip; /* owned; local_ip may be NULL */
	struct view input;   /* borrowed */
	char *identity[AUTH_IDENTITIES]; /* owned */
	size_t identities;
};
void auth_question_put(struct buf *b, const struct auth_question *q);
/* FAIL_BUG. Free it also then. */
int auth_question_get(struct auth_question *q, struct view v, struct err *e)
    MUST_CHECK;
void auth_question_free(struct auth_question *q);

struct auth_answer {
	enum auth_result result;
	int64_t delay_ms;
	char login[PASSWD_LOGIN];
	struct buf text; /* of a challenge */
};
void auth_answer_init(struct auth_answer *a);
void auth_answer_free(struct auth_answer *a);
void auth_answer_put(struct buf *b, const struct auth_answer *a);
/* FAIL_BUG. */
int auth_answer_get(struct auth_answer *a, struct view v, struct err *e)
    MUST_CHECK;

/* ---- an exchange in the auth process ---- */

/* Where passwords of a listener are looked up; both NULL: EXTERNAL alone. */
struct auth_backend {
	struct passwd *passwd;
	struct dovecot *dovecot;
};

struct exchange {
	uint64_t number;
	enum auth_mech mech;
	const struct auth_backend *backend;
	const char *listener; /* name of it */
	char ip[64], local_ip[64];
	char *identity[AUTH_IDENTITIES];
	size_t identities;
	int step;	   /* of the mechanism */
	char login[PASSWD_LOGIN]; /* as said, for the log */
	struct scram *scram;
	struct dovecot_talk *talk;
	int64_t until_ms;
	bool is_busy, is_doomed;
};

/* What a step of a mechanism came to. AUTH_NO: why is for the log. guess:
 * what tells this guess from others. */
struct verdict {
	struct auth_answer *answer;
	const char *why;
	struct buf guess;
};

/* One step: input NULL is an initial response that was not sent. The verdict
 * is AUTH_LATER until it is set. */
typedef void mech_step(struct exchange *x, const struct view *input,
    struct verdict *v);
mech_step auth_plain_step, auth_login_step, auth_external_step,
    auth_scram_step;
/* Is the next step the one that tries a secret? */
bool auth_is_guess(const struct exchange *x, const struct view *input);

/* A name and a password: looked up, the verdict set. */
void auth_check(struct exchange *x, struct view name, struct view password,
    struct verdict *v);
void auth_refuse(struct verdict *v, enum auth_result r, const char *why);
void auth_challenge(struct verdict *v, const char *text);
void auth_accept(struct verdict *v, const char *login);
/* What Dovecot said, as a verdict. */
void auth_of_dovecot(struct exchange *x, int rc,
    const struct dovecot_reply *r, const struct err *e, struct verdict *v);
/* Who connected, as Dovecot wants it. */
void auth_dovecot_who(const struct exchange *x, struct dovecot_who *who);

#endif
