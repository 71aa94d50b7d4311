/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One mail transaction as the MTA tells it: envelope copied, message spooled
 * octet for octet. Nothing is parsed or decided here; what goes wrong while
 * collecting is kept and answered at the end of the message (M1, M11).
 */
#ifndef MILTER_TXN_H
#define MILTER_TXN_H

#include "gateway/gateway.h"

enum txn_fault {
	TXN_OK,
	TXN_TEMP,	/* memory or disk: 451 */
	TXN_RECIPIENTS	/* more than CAP_RECIPIENTS: 452 */
};

/* Of RCPT, as they came ("NOTIFY=...", "ORCPT=..."), or NULL. */
struct txn_params {
	char *notify, *orcpt;
};

struct txn {
	bool is_live; /* between MAIL and the end or abort */
	enum txn_fault fault;
	struct err why; /* of TXN_TEMP */
	char *mail_from;
	/* of MAIL, whole parameters ("ENVID=..."), or NULL */
	char *envid, *ret;
	bool utf8, require_tls; /* SMTPUTF8, REQUIRETLS */
	char *login;
	char *queue_id;
	char **rcpt;
	struct txn_params *param; /* of each */
	size_t rcpts;
	struct spool *msg; /* up to max octets; what is beyond is not kept */
	uint64_t max;
	bool is_cut; /* there was more: it may be judged, never sent on */
	bool has_end_of_header;
};

/*
 * Forget what was and begin with the arguments of MAIL (argv[0] is the path,
 * parameters follow, NULL ends). The spool keeps a little more than
 * max_message octets, so that the pipeline sees that it was too much.
 */
void txn_begin(struct txn *t, char *const *argv, uint64_t max_message);
/* The only place where a transaction's memory ends; may be repeated. */
void txn_reset(struct txn *t);
void txn_add_rcpt(struct txn *t, const char *raw_path);
/* What followed the path of the last one; NULL ends. */
void txn_add_params(struct txn *t, char *const *argv);
/* NULL and "" are the same: no login. The first one that is there counts. */
void txn_set_login(struct txn *t, const char *login);
void txn_set_queue_id(struct txn *t, const char *id);
/*
 * One header field. With lead_space the value has its blank as it was sent;
 * without it the MTA ate one (M3). LF becomes CRLF, nothing else changes.
 */
void txn_put_header(struct txn *t, const char *name, const char *value,
    bool lead_space);
void txn_end_header(struct txn *t);
void txn_put_body(struct txn *t, const void *p, size_t n);
/* The envelope, borrowed from t, client_ip and id. */
void txn_envelope(const struct txn *t, const char *id, const char *client_ip,
    struct envelope *env);

#endif
