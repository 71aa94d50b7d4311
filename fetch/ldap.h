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

#endif
