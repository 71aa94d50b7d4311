/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What is known of revoked certificates, from CRLs and stored OCSP
 * responses that an administrator or the fetch process brings. Nothing that
 * came inside a message is ever used (A56, A58).
 */
#ifndef KEYSTORE_REVOCATION_H
#define KEYSTORE_REVOCATION_H

#include "keystore/keystore.h"

enum revocation_status {
	REVOCATION_UNKNOWN, /* no list, or a stale one */
	REVOCATION_GOOD,
	REVOCATION_REVOKED
};
const char *revocation_str(enum revocation_status s);

struct revocation {
	enum revocation_status status;
	size_t which;	    /* not good: 0 the leaf, i chain[i - 1] */
	int64_t date;	    /* revoked: since when; else 0 */
	const char *why;    /* revoked: "keyCompromise" ...; else NULL */
	const char *source; /* revoked: "CRL" or "OCSP"; else NULL */
	char text[256];	    /* one sentence when not good */
};

/*
 * Is leaf, or an intermediate of its path, revoked at time at? Of the whole
 * path: one that is revoked makes it revoked, else one that is not known
 * makes it unknown. A revocation counts also from a stale list; that a
 * certificate is good is believed of a fresh one only.
 *
 * chain  n intermediates in order, no root, as struct path has them.
 * FAIL_TEMP. Facts are cached until the store's generation moves; one
 * indexed query a certificate before that. RFC 5280 6.3, RFC 6960 3.2.
 */
int keystore_revocation(struct keystore *ks, const struct cert *leaf,
    struct cert *const *chain, size_t n, int64_t at, struct revocation *out,
    struct err *e) MUST_CHECK;

/*
 * The same for listings, of c alone and without a path: revoked, or unknown
 * (then without text). One query for those that are not revoked. FAIL_TEMP.
 */
int keystore_revoked(struct keystore *ks, const struct cert *c, int64_t at,
    struct revocation *out, struct err *e) MUST_CHECK;

/* ---- bringing them in ---- */

struct revocation_item {
	const char *kind;  /* "CRL", "OCSP response", "object" */
	char what[200];	   /* its issuer, or issuer and serial; may be "" */
	char text[200];	   /* "number 5, until 2026-12-01, 3 revoked" */
	bool added;	   /* false: known already */
	int64_t until;	   /* what it says is believed; 0: not read */
	char refused[400]; /* why; "" when taken */
};
typedef void revocation_report(void *arg, const struct revocation_item *it);

/*
 * The content of one file: CRLs in PEM, or one CRL or OCSP response in DER.
 * Each is taken only when a CA certificate of the store vouches for it and
 * it is newer than what is there, in a transaction of its own (or the
 * caller's). now: seconds UTC. *good counts those taken or known. -1:
 * FAIL_INPUT (nothing of the kind in it, says what it is), FAIL_TEMP.
 */
int revocation_import(struct keystore *ks, struct view data, int64_t now,
    revocation_report *report, void *arg, size_t *good, struct err *e)
    MUST_CHECK;

/* ---- looking after them ---- */

struct revocation_row {
	const char *kind; /* "CRL", "OCSP" */
	char sha256[65];  /* of the list or response as it came */
	const char *issuer;
	const char *serial; /* OCSP: of the certificate, hex; else NULL */
	const char *number; /* CRL number, hex; NULL: none */
	int64_t this_update, next_update, added;
	int64_t entries; /* CRL: revoked certificates */
	bool revoked;	 /* OCSP: what it says */
};
typedef int revocation_visit(void *arg, const struct revocation_row *r,
    struct err *e);
/* Called for each, borrowed; -1 stops with e set. */
int revocation_list(struct keystore *ks, revocation_visit *visit, void *arg,
    struct err *e) MUST_CHECK;
/* Drop those whose SHA-256 begins with these 8 to 64 hex digits. */
int revocation_remove(struct keystore *ks, const char *what, size_t *removed,
    struct err *e) MUST_CHECK;

#endif
