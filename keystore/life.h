/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What is there, what will end, what waits, what was changed: for status,
 * metrics, notices and audit. One query each, no certificate is parsed.
 */
#ifndef KEYSTORE_LIFE_H
#define KEYSTORE_LIFE_H

#include "keystore/keystore.h"

struct life_counts {
	size_t certs, with_key, anchors, expired; /* rows of any state */
	size_t pending, distrusted, superseded;
	size_t harvested; /* usable ones */
	size_t requests;  /* keys that wait for a certificate */
	int64_t oldest_request; /* seconds UTC; 0: none */
	size_t crls, stale_crls;
	int64_t next_crl; /* the first end of a fresh one; 0: none */
	size_t fetches, failed_fetches;
};
/* One pass over the certificates' rows. FAIL_TEMP. */
int life_count(struct keystore *ks, int64_t now, struct life_counts *out,
    struct err *e) MUST_CHECK;

/*
 * Those we encrypt to and hold no key of: by address, the end of the last
 * usable certificate, so that one with a successor is not named. The first
 * end that is still to come is *next (0: none).
 */
struct life_partners {
	size_t valid, soon, expired; /* addresses */
	int64_t next;
};
int life_partners(struct keystore *ks, int64_t now, int64_t soon_s,
    struct life_partners *out, struct err *e) MUST_CHECK;

/* Something that ends: an address (or, of roots and other CAs, a subject)
 * and when. Borrowed for the call; -1 stops with e set. */
typedef int life_visit(void *arg, const char *what, int64_t ends,
    struct err *e);
/* Partners whose last usable certificate ends in [from, until), first ends
 * first, at most this many. */
int life_partners_ending(struct keystore *ks, int64_t from, int64_t until,
    size_t most, life_visit *visit, void *arg, struct err *e) MUST_CHECK;
/* Anchors, and CAs whose key is here, that end in [from, until). */
int life_cas_ending(struct keystore *ks, int64_t from, int64_t until,
    life_visit *visit, void *arg, struct err *e) MUST_CHECK;
/* Lists and responses that could not be fetched; ends: tried last. */
int life_fetch_failures(struct keystore *ks, life_visit *visit, void *arg,
    struct err *e) MUST_CHECK;
/* Usable certificates with a private key, CAs left out. */
int life_own(struct keystore *ks, ks_visit *visit, void *arg, struct err *e)
    MUST_CHECK;

/* The last notice that was sent: when (0: never), and the SHA-256 of what
 * it said, in hex. */
struct life_notice {
	int64_t sent;
	char hash[65];
};
int life_notice_get(struct keystore *ks, struct life_notice *out,
    struct err *e) MUST_CHECK;
int life_notice_set(struct keystore *ks, const struct life_notice *n,
    struct err *e) MUST_CHECK;

/* ---- changes ---- */

struct change {
	int64_t id, at; /* seconds UTC */
	const char *who, *origin, *action, *object, *detail;
};
struct change_query {
	int64_t since;	    /* 0: all */
	const char *about;  /* NULL, or what object or detail contains */
	size_t most;	    /* 0: all; the newest of them */
};
typedef int change_visit(void *arg, const struct change *c, struct err *e);
/* Newest first; borrowed for the call. */
int keystore_changes(struct keystore *ks, const struct change_query *q,
    change_visit *visit, void *arg, struct err *e) MUST_CHECK;

#endif
