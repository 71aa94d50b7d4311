/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What can be fetched about the store's own certificates, and what was. No
 * network here: URLs and requests as octets, for who may connect. Nothing
 * that came in a message is ever looked at (A56).
 */
#ifndef KEYSTORE_FETCHED_H
#define KEYSTORE_FETCHED_H

#include "keystore/keystore.h"

/* ---- what certificates name ---- */

/* A URL as the certificate has it: of any scheme, not judged. */
typedef int source_visit(void *arg, const struct cert *c, bool is_ocsp,
    const char *url, struct err *e);

/* How far it came: rows up to after are done; most: in one go. */
struct source_scan {
	int64_t after;
	size_t most;
	bool end; /* there are no more */
};

/*
 * The CRL distribution points (RFC 5280 4.2.1.13; whole lists of the issuer
 * alone) and OCSP responders (4.2.2.1; of end entities) of the next usable
 * certificates. -1 of visit stops.
 */
int revocation_sources(struct keystore *ks, struct source_scan *scan,
    int64_t now, source_visit *visit, void *arg, struct err *e) MUST_CHECK;

/* Does a path lead to an anchor now? FAIL_POLICY when not, FAIL_INPUT when
 * there is no such certificate. */
int revocation_is_anchored(struct keystore *ks,
    const unsigned char sha256[32], int64_t now, struct err *e) MUST_CHECK;

/* The same, and the request to a responder (RFC 6960 4.1), appended: one
 * certificate, no nonce, unsigned. */
int revocation_request(struct keystore *ks, const unsigned char sha256[32],
    int64_t now, struct buf *out, struct err *e) MUST_CHECK;

/* ---- how fetching went ---- */

struct fetched {
	int64_t tried; /* the last time */
	int64_t got;   /* 0: never */
	int64_t next;  /* not before */
	int64_t failures; /* in a row */
	char error[200];  /* of the last one; "" */
};

/* name: the URL, for OCSP with a blank and the certificate's SHA-256. */
int fetched_get(struct keystore *ks, const char *name, struct fetched *out,
    bool *found, struct err *e) MUST_CHECK;
int fetched_set(struct keystore *ks, const char *name,
    const struct fetched *f, struct err *e) MUST_CHECK;
typedef int fetched_visit(void *arg, const char *name,
    const struct fetched *f, struct err *e);
int fetched_list(struct keystore *ks, fetched_visit *visit, void *arg,
    struct err *e) MUST_CHECK;
/* Forget those not tried since. */
int fetched_expire(struct keystore *ks, int64_t before, struct err *e)
    MUST_CHECK;

#endif
