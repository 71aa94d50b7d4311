/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal.conf as a checked structure (postseal.conf(5), DESIGN 5.2).
 * Immutable after reading.
 */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include "util/addr.h"
#include "util/conf.h"

/* sign-for ADDRESS|@DOMAIN network NET: hosts that cannot log in (A35). */
struct sign_for {
	char *who; /* "a@b" or "@b", lower-case key form */
	struct net net;
};

/* authority file: login -> address or @domain that it may sign as. */
struct authority_row {
	char *login;
	char *who;
};

struct config {
	char *path; /* of the file itself */
	char **domain; /* local-domains, A-labels */
	size_t domains;
	char *keystore;	   /* path of the SQLite file */
	char *secret;	   /* path of the secret file */
	char *rules;	   /* path of the rules file */
	char *spool;	   /* folder for spool files; NULL: $TMPDIR or /tmp */
	char *authserv_id; /* RFC 8601 2.5 */
	int delimiter;	   /* of recipients, 0 = none */
	uint64_t max_message; /* octets */
	char *administrator;  /* address */
	int64_t keep_audit_s; /* for postseal explain */
	int min_rsa_bits;
	int64_t fixed_time; /* tests only: evaluation time, 0 = now */
	struct sign_for *sign_for;
	size_t sign_fors;
	struct authority_row *authority;
	size_t authorities;
	char *metrics; /* "127.0.0.1:9463" or NULL */
	bool log_syslog;

	/* milter { } */
	char *listen; /* "unix:/path" or "inet:port@host"; NULL: none */
	int listen_mode; /* of a unix socket */
	char *listen_group;
	char *user;	 /* NULL: stay who we are */
	char *keys_user; /* NULL: as user */
	int workers;
	int waiting; /* messages that may wait for a worker */
	struct net *outbound;
	size_t outbounds;
	char *reinject; /* "127.0.0.1:10026" or NULL */
};

/*
 * Read and check. All errors are in ce; on any, -1 and *out NULL. Defaults
 * are those of postseal.conf(5).
 */
int config_read(struct config **out, const char *path,
    struct conf_errors *ce) MUST_CHECK;
void config_free(struct config **c);
/* What would be used, one "key value" line each, for -n; appended. */
void config_print(const struct config *c, struct buf *out);

bool config_is_local(const struct config *c, const struct addr *a);

#endif
