/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What is to be fetched and when: CRLs by configuration, CRLs and OCSP
 * responses that certificates of the store name, by allow-list (A56). Who
 * plans has the keystore and no network; who connects is told a URL and
 * gives octets back, which are checked as if a stranger had sent them.
 */
#ifndef GATEWAY_FETCHING_H
#define GATEWAY_FETCHING_H

#include "gateway/config.h"
#include "keystore/fetched.h"

#define FETCH_OCSP_MAX 65536 /* octets of an answer (A56) */
#define FETCH_NAME_MAX 2100

enum fetch_kind {
	FETCH_CRL = 1,
	FETCH_OCSP,
	FETCH_NOTICE, /* nothing is fetched: a notice is sent */
	FETCH_LIST    /* of a directory; the url is lists_name() */
};
const char *fetch_kind_str(enum fetch_kind k);

struct fetch_job {
	enum fetch_kind kind;
	char url[FETCH_NAME_MAX];
	unsigned char cert[32]; /* OCSP: whose status */
	int64_t every_s;	/* as configured; 0: by its own dates */
	struct buf request;	/* OCSP: to be posted */
};
void fetch_job_init(struct fetch_job *j);
void fetch_job_free(struct fetch_job *j);

/*
 * May it be asked for? A CRL when its URL is configured; anything when its
 * host is allowed. FAIL_POLICY says why not. Asked by who plans and again by
 * who connects.
 */
int fetch_is_allowed(const struct config *c, const char *url,
    struct err *e) MUST_CHECK;
/* Most octets of an answer. */
size_t fetch_max(enum fetch_kind k);

struct fetching;
/* Both borrowed. FAIL_TEMP. */
int fetching_new(struct fetching **out, const struct config *c,
    struct keystore *ks, struct err *e) MUST_CHECK;
void fetching_free(struct fetching **f);

/*
 * A little work: some certificates are looked at for what they name, and one
 * job that is due is taken out. 1: *j is to be done; 0: nothing now, and
 * *again_s until it is worth to call again. FAIL_TEMP.
 */
int fetching_next(struct fetching *f, int64_t now, struct fetch_job *j,
    int64_t *again_s, struct err *e) MUST_CHECK;

/* All that there is, due or not, for postseal crl fetch: i from 0 until 0 is
 * returned; 1: *j; -1: this one cannot be asked for, and why. */
int fetching_nth(struct fetching *f, size_t i, int64_t now,
    struct fetch_job *j, struct err *e) MUST_CHECK;
/* Look at all certificates before. */
int fetching_look(struct fetching *f, int64_t now, struct err *e) MUST_CHECK;

struct fetch_outcome {
	bool ok;
	bool added;	/* else known already */
	char what[200]; /* "number 5, until 2026-12-01, 3 revoked" */
	char error[200];
};
/*
 * What came of it: body, or why not (why->kind not 0). Imports, and notes
 * when to try again. FAIL_TEMP: the store.
 */
int fetching_done(struct fetching *f, const struct fetch_job *j, int64_t now,
    struct view body, const struct err *why, struct fetch_outcome *out,
    struct err *e) MUST_CHECK;
/* One log line of it. */
void fetching_log(const struct fetch_job *j, const struct fetch_outcome *o);

#endif
