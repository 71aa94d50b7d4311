/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates out of verified mail (S123): what is taken, from when on it
 * is used, what an administrator is asked, what is forgotten. That a message
 * proves an address is the caller's; that the certificate is one that could
 * be used, is found out here, each time, with the store's own anchors.
 *
 * A harvested certificate serves the addresses that were proven and no other
 * of those that it names. Nothing that is in the store is changed by what
 * arrives, but for the days of what was harvested before.
 */
#ifndef KEYSTORE_HARVEST_H
#define KEYSTORE_HARVEST_H

#include "keystore/keystore.h"

struct harvest_policy {
	int days;	     /* different ones (UTC) before it is used */
	bool same_ca;	     /* a new key of the same CA follows the old one */
	int64_t expire_s;    /* what waits, since it was seen last */
	int max_per_address; /* certificates of an address */
	int max;	     /* and of all */
	bool require_dmarc;  /* see gateway/config_harvest.c */
};

/* Mail of who, received at this time, proved the certificate his. */
struct sighting {
	const struct addr *who;
	const struct cert *cert;
	int64_t at; /* seconds UTC, of receipt */
};

enum harvest_state {
	HARVEST_REFUSED, /* not taken, or not from here on */
	HARVEST_PENDING,
	HARVEST_USABLE
};
const char *harvest_state_str(enum harvest_state s);

struct harvest_outcome {
	enum harvest_state state;
	bool has_news;	  /* something is written: once a day */
	bool has_no_path; /* by the store's own CA certificates */
	bool is_conflict; /* another key is in use: somebody must look */
	char reason[200]; /* one sentence; "" when nothing stands against it */
};

/*
 * What comes of a sighting; reads only. FAIL_TEMP.
 */
int harvest_look(struct keystore *ks, const struct sighting *s,
    const struct harvest_policy *p, struct harvest_outcome *out,
    struct err *e) MUST_CHECK;
/*
 * The same, and kept. Within the caller's transaction or one of its own. No
 * sighting is refused that harvest_look() takes, unless the store is full of
 * certificates that are used.
 */
int harvest_keep(struct keystore *ks, const struct sighting *s,
    const struct harvest_policy *p, struct harvest_outcome *out,
    struct err *e) MUST_CHECK;

/*
 * Forget what waits and was not seen for p->expire_s, and what was used, was
 * not seen for 400 days and is expired. Some hundred a call; *dropped may be
 * NULL. FAIL_TEMP.
 */
int harvest_expire(struct keystore *ks, const struct harvest_policy *p,
    int64_t now, size_t *dropped, struct err *e) MUST_CHECK;

/* ---- for the administrator ---- */

struct harvest_row {
	const char *address;
	unsigned char cert[32]; /* SHA-256 */
	int64_t first_seen, last_seen;
	int days;
	const char *reason; /* why it waits; "" when it is used */
};
/* Borrowed; -1 stops with e set. */
typedef int harvest_visit(void *arg, const struct harvest_row *h,
    struct err *e);

/* All that wait, by address. */
int harvest_list_pending(struct keystore *ks, harvest_visit *visit,
    void *arg, struct err *e) MUST_CHECK;
/* What is known of one certificate, by address. */
int harvest_list_of(struct keystore *ks, const unsigned char sha256[32],
    harvest_visit *visit, void *arg, struct err *e) MUST_CHECK;
/* How many wait, and how many are used (an address each). */
int harvest_count(struct keystore *ks, size_t *pending, size_t *used,
    struct err *e) MUST_CHECK;

/*
 * Use it from now on, for the addresses that it was seen with: from here on
 * it counts as the administrator's own, as one that was imported. With
 * replace, harvested certificates of these addresses with other keys do not
 * serve them any more (*replaced, may be NULL). FAIL_INPUT: it does not wait.
 */
int harvest_approve(struct keystore *ks, const unsigned char sha256[32],
    bool replace, size_t *replaced, struct err *e) MUST_CHECK;
/* Distrust it; the row stays, so that it does not come again. FAIL_INPUT: it
 * was not harvested. */
int harvest_reject(struct keystore *ks, const unsigned char sha256[32],
    struct err *e) MUST_CHECK;

#endif
