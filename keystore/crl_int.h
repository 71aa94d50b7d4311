/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A CRL that was read, between its reader and who stores it.
 */
#ifndef KEYSTORE_CRL_INT_H
#define KEYSTORE_CRL_INT_H

#include "keystore/revocation_int.h"

#define CRL_NUMBER_MAX 20 /* octets, RFC 5280 5.2.3 */

struct crl {
	struct view issuer;  /* whole Name */
	struct view alg;     /* the one inside */
	struct view entries; /* content */
	struct view aki;     /* extnValue; empty when absent */
	struct view number;  /* no idle zeros; empty when absent */
	int64_t this_update, next_update;
	size_t n;
	struct crl_scope scope;
	X509_NAME *name;
};

struct crl_entry {
	struct view serial;
	int64_t at;
	int reason;
};

/* The next one; the list is not empty. */
int crl_next_entry(struct view *list, struct crl_entry *x, struct err *e)
    MUST_CHECK;

/*
 * Store it in the place of the one before, as a whole or not at all; unless
 * the caller is inside a transaction, in parts, so that nobody else waits
 * long for the store (keystore_between()).
 */
int crl_store(struct rev_import *im, const struct crl *c,
    const struct cert *ca, struct err *e) MUST_CHECK;

#endif
