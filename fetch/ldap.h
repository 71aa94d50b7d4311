/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One directory { ldap ... }: its servers, tried in order, and connections
 * that are kept. What it gives is octets that are a certificate each.
 */
#ifndef FETCH_LDAP_H
#define FETCH_LDAP_H

#include "fetch/find.h"

struct ldap_directory;

/* d is borrowed. Reads the password; connects to nobody. FAIL_CONFIG. */
int ldap_directory_new(struct ldap_directory **out, const struct directory *d,
    struct err *e) MUST_CHECK;
void ldap_directory_free(struct ldap_directory **l);

/*
 * Ask for the certificates of a until the deadline (fetch/find_int.h, a
 * server's name in several addresses may take twice as long). A server that
 * failed is left alone for a while. FAIL_TEMP when none answered.
 */
int ldap_directory_find(struct ldap_directory *l, const struct addr *a,
    int64_t deadline, struct found_certs *out, struct err *e) MUST_CHECK;

/* A list: entries that the filter finds, and attributes of them. */
struct ldap_list {
	const char *filter;
	const char *what, *value; /* value NULL: what alone */
};
/*
 * All of it, by pages, appended: for each entry, each of its values of what
 * with each of value (or ""), as two views (ipc_put_view()), not looked at.
 * A part of a list is none: FAIL_LIMIT when it is more than out or a list
 * may have, FAIL_TEMP when no server gave all of it by the deadline. On a
 * connection of its own; not at once with another call for l.
 */
int ldap_directory_list(struct ldap_directory *l, const struct ldap_list *q,
    int64_t deadline, struct buf *out, struct err *e) MUST_CHECK;

#endif
