/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The files that relay { } names, looked at without starting: for
 * postseal-relay -n, for postseal doctor, and where a process would notice too
 * late.
 */
#ifndef RELAY_TLS_FILES_H
#define RELAY_TLS_FILES_H

#include "relay/config.h"
#include "util/child.h"

/* All but certificates and keys, which keys_load() reads: users, folders,
 * those of sockets with their groups, CAs, password files, senders, programs.
 * The first thing that a start would end with; FAIL_CONFIG names it. */
int relay_files_check(const struct relay_config *c, struct err *e)
    MUST_CHECK;
/* The folder state, if there is one: that these may write into it. ids of
 * child_user(). FAIL_CONFIG says how it is made. */
int relay_state_check(const struct relay_config *c, const struct ids *ids,
    struct err *e) MUST_CHECK;
/* What the policy process needs and opens only when it is asked: an anchor or
 * a CA that is not there would silence DANE and MTA-STS. As its user.
 * FAIL_CONFIG. */
int relay_policy_files_check(const struct relay_config *c, struct err *e)
    MUST_CHECK;

/* What lets it start, and nothing be sent: one sentence each. */
void relay_files_warn(const struct relay_config *c,
    void (*say)(void *arg, const char *sentence), void *arg);

/* What peers will not like about the certificates of pki { }. */
enum cert_fault {
	CERT_REFUSED,	/* over, not yet valid, for another purpose */
	CERT_ENDS_SOON, /* within 30 days */
	CERT_UNKNOWN	/* the system's CAs do not vouch for it: it is of a
			   CA of one's own, or the chain is not complete */
};
typedef void (*cert_fault_say)(void *arg, enum cert_fault f,
    const struct pki *p, const char *sentence);
/* now: seconds since 1970. Files that cannot be read are keys_load()'s. */
void relay_certs_check(const struct relay_config *c, int64_t now,
    cert_fault_say say, void *arg);

#endif
