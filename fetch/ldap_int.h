/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Connections to LDAP servers, for lookups (ldap.c) and for lists
 * (ldap_list.c).
 */
#ifndef FETCH_LDAP_INT_H
#define FETCH_LDAP_INT_H

#include <ldap.h>

#include "fetch/find_int.h"
#include "fetch/ldap.h"

struct ldap_server {
	const char *url; /* borrowed */
	LDAP *ld;	 /* NULL: not connected */
	int64_t deadline; /* of what is done on the connection */
	int64_t used;	  /* the connection, when last */
	int64_t rests_until;
	struct err why; /* it rests */
};

struct ldap_directory {
	const struct directory *d;
	struct buf password;
	struct ldap_server *server;
	size_t servers;
};

/* Connect and log in, as the directory says, until the deadline; s->deadline
 * is the caller's to set. FAIL_TEMP, and the caller hangs up. */
int ldap_server_connect(const struct ldap_directory *l,
    struct ldap_server *s, int64_t deadline, struct err *e) MUST_CHECK;
void ldap_server_hang_up(struct ldap_server *s);

/* The next message of an operation; *out NULL after a failure. */
int ldap_server_wait(const struct ldap_server *s, int id, const char *what,
    int64_t deadline, LDAPMessage **out, struct err *e) MUST_CHECK;
/* The result that ends an operation; takes the message. FAIL_LIMIT when it
 * is of this question, FAIL_TEMP. */
int ldap_server_conclude(const struct ldap_server *s, const char *what,
    LDAPMessage *take, struct err *e) MUST_CHECK;
/* What the library says of it, and the peer, if it says more. -1. */
int ldap_server_fail(const struct ldap_server *s, const char *what, int code,
    struct err *e);

#endif
