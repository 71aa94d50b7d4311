/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Who somebody is: SASL exchanges (RFC 4954) of workers with the auth
 * process, which holds password files or talks to Dovecot. Passwords pass
 * through a worker, and are wiped; they are kept nowhere.
 */
#ifndef RELAY_AUTH_H
#define RELAY_AUTH_H

#include "relay/ask.h"
#include "relay/config.h"
#include "relay/service.h"

/* ---- the worker's side ---- */

enum auth_result {
	AUTH_CHALLENGE, /* text (decoded) is to be sent, 334 */
	AUTH_YES,	/* 235; login; text: SCRAM's server-final, if any, is
			   sent as a 334 before by the auth process */
	AUTH_NO,	/* 535 5.7.8 */
	AUTH_MALFORMED,	/* 501 5.5.2 */
	AUTH_LATER,	/* 454 4.7.0: the backend is down */
	AUTH_THROTTLED	/* 454 4.7.0: too many failures from there */
};
struct auth_reply {
	enum auth_result result;
	struct view text;  /* of AUTH_CHALLENGE, decoded */
	char login[256];   /* of AUTH_YES */
	int64_t delay_ms;  /* the answer waits so long */
};
typedef void auth_done(void *arg, const struct auth_reply *r);

struct auth_who {
	const struct listener *listener;
	const char *client_ip; /* text */
	const char *local_ip;  /* where he connected to; NULL: not known */
	bool is_tls;
	/* addresses that a good client certificate gave, for EXTERNAL */
	const char *const *cert_identity;
	size_t cert_identities;
};

struct auth_talks; /* of one worker */
int auth_talks_new(struct auth_talks **out, struct ask *auth, struct err *e)
    MUST_CHECK;
void auth_talks_free(struct auth_talks **t);

/* One exchange. mechanism: "PLAIN", "LOGIN", "EXTERNAL", "SCRAM-SHA-256".
 * initial: decoded; p NULL: none was sent. done follows once for each call of
 * auth_begin() and auth_go_on(), from the loop; text is his until it returns.
 * FAIL_POLICY: no such mechanism there (504 5.5.4), FAIL_TEMP: memory. */
struct auth_talk;
int auth_begin(struct auth_talk **out, struct auth_talks *t,
    const struct auth_who *who, const char *mechanism, struct view initial,
    auth_done *done, void *arg, struct err *e) MUST_CHECK;
void auth_go_on(struct auth_talk *t, struct view decoded);
void auth_free(struct auth_talk **t); /* cancels; wipes */
/* Words for EHLO: "PLAIN LOGIN", as listener and TLS allow; "" none. */
void auth_mechanisms(const struct listener *l, bool is_tls,
    bool has_cert_identity, char *out, size_t size);

/* May this login (or these identities of a certificate) send as from,
 * "a@b" (T26, T32)? Answered in the worker, of the senders file. */
struct auth_senders;
int auth_senders_load(struct auth_senders **out, const struct listener *l,
    struct err *e) MUST_CHECK;
void auth_senders_free(struct auth_senders **s);
bool auth_may_send(const struct auth_senders *s, const char *login,
    const char *const *identity, size_t identities, const char *from);

/* ---- the auth process ---- */

struct auth_server;
/* Reads password files of all listeners (before rights are dropped); opens no
 * connection yet. FAIL_CONFIG. */
int auth_server_new(struct auth_server **out, const struct relay_config *c,
    struct err *e) MUST_CHECK;
void auth_server_free(struct auth_server **a);
/* For struct service. */
int auth_server_answer(void *auth_server, struct view question,
    struct buf *reply, struct err *e) MUST_CHECK;
void auth_server_second(void *auth_server);

/* ---- password files, also for postseal relay passwd ---- */

/* A line: "alice@a.example:YESCRYPT-HASH:SCRAM-SHA-256 verifier". Weak
 * passwords: FAIL_POLICY says why. line is appended, without newline. */
int passwd_make(struct buf *line, const char *login, struct view password,
    struct err *e) MUST_CHECK;

#endif
