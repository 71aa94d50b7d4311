/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * MTA-STS (RFC 8461): the policy of a domain, by a TXT record and HTTPS;
 * kept, also over restarts, as what is known of a domain protects it when
 * somebody keeps us from asking again. What a policy demands of a connection
 * is decided elsewhere.
 */
#ifndef FETCH_STS_H
#define FETCH_STS_H

#include "fetch/dns.h"
#include "util/conf.h"

#define STS_ID 33	       /* RFC 8461 3.1, with NUL */
#define STS_POLICY_MAX 65536   /* octets of one (RFC 8461 3.3) */
#define STS_MXS 100	       /* patterns of one */
#define STS_AGE_MAX 31536000   /* seconds: a year, whatever is said */

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };
const char *sts_mode_str(enum sts_mode m);

struct sts_policy {
	enum sts_mode mode;
	char id[STS_ID]; /* of the TXT record */
	int64_t max_age_s;
	int64_t fetched_s, until_s; /* since 1970 */
	struct buf mx; /* patterns, a blank behind each */
	size_t mxs;
};
void sts_policy_init(struct sts_policy *p);
void sts_policy_free(struct sts_policy *p);

/* The text of a policy (RFC 8461 3.2), p initialised; id and times are the
 * caller's. FAIL_INPUT. */
int sts_policy_parse(struct sts_policy *p, struct view text, struct err *e)
    MUST_CHECK;
/* Does a pattern name this host (lower-case A-labels)? A wildcard stands for
 * exactly one label (RFC 8461 4.1). */
bool sts_policy_names(const struct sts_policy *p, const char *host);
/* The id that the TXT records of _mta-sts.DOMAIN tell; exactly one of them
 * may be of MTA-STS (RFC 8461 3.1). FAIL_INPUT: there is none. */
int sts_txt_id(char id[STS_ID], const struct dns_answer *txt, struct err *e)
    MUST_CHECK;

struct sts_setup {
	struct dns dns;
	const char *ca_file; /* NULL: the system's */
	const struct net *nearby; /* not public, and allowed */
	size_t nearbys;
	int port; /* 0: 443 */
	const char *state; /* folder; NULL: nothing is kept */
	/* a policy is another now, or gone; any thread; NULL */
	void (*changed)(void *arg, const char *domain, enum sts_mode was,
	    enum sts_mode is);
	void *arg;
	/* for tests, else NULL: seconds since 1970, and the text */
	int64_t (*now)(void *arg);
	int (*fetch)(void *arg, const char *domain, struct buf *text,
	    struct err *e);
};

struct sts;
/* What setup points to is borrowed. Reads what was kept; a file that is
 * damaged is as good as none, and said in the log. FAIL_TEMP. */
int sts_new(struct sts **out, const struct sts_setup *setup, struct err *e)
    MUST_CHECK;
void sts_free(struct sts **s);

/*
 * The policy that holds for a domain now; until deadline (CLOCK_MONOTONIC,
 * ms). true: out (initialised) is a copy, of any mode. false: none. why: what
 * went wrong meanwhile, or "". Any thread.
 */
bool sts_find(struct sts *s, const char *domain, int64_t deadline,
    struct sts_policy *out, struct err *why);
/* Fetch one again that is older than a day (RFC 8461 3.3), or that half of its
 * max_age is over of, so that who keeps us from asking has the other half to
 * wait (RFC 8461 10.2): true if there was one. Takes up to a minute. */
bool sts_refresh(struct sts *s);
/* Write what changed to disk. */
int sts_save(struct sts *s, struct err *e) MUST_CHECK;

#endif
