/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What an administrator should look at: certificates that end, users who lack
 * one, stale lists, what waits for a decision. For status and for notices;
 * nothing of any message.
 */
#ifndef GATEWAY_ATTENTION_H
#define GATEWAY_ATTENTION_H

#include "gateway/config.h"
#include "keystore/keystore.h"

enum attention_kind {
	ATTENTION_USER,	   /* one of ours lacks something */
	ATTENTION_PARTNER, /* the last certificate of a partner ends */
	ATTENTION_CA,	   /* a root or a CA of ours ends */
	ATTENTION_CRL,	   /* a list is stale or soon will be */
	ATTENTION_FETCH,   /* a list could not be fetched */
	ATTENTION_PENDING, /* harvested certificates wait for a decision */
	ATTENTION_HELD,	   /* mail does */
	ATTENTION_KINDS
};
const char *attention_str(enum attention_kind k); /* "user" */
/* "Users of ours who lack something" */
const char *attention_title(enum attention_kind k);

struct attention {
	enum attention_kind kind;
	const char *what; /* address, subject, issuer, URL */
	int64_t at;	  /* when it ends or began; 0: no time */
	const char *text; /* one sentence, or "" */
};
/* Borrowed for the call; -1 stops with e set. */
typedef int attention_visit(void *arg, const struct attention *a,
    struct err *e);

/*
 * Everything that wants attention until now + before_s, kind by kind. Of
 * partners at most ATTENTION_MOST, those that end first, and how many are
 * left out is the last one's text. FAIL_TEMP.
 */
#define ATTENTION_MOST 200
int attention_list(struct keystore *ks, const struct config *c, int64_t now,
    int64_t before_s, attention_visit *visit, void *arg, struct err *e)
    MUST_CHECK;

/* The same as lines under titles, appended; *n counts them. */
int attention_print(struct keystore *ks, const struct config *c, int64_t now,
    int64_t before_s, struct buf *out, size_t *n, struct err *e) MUST_CHECK;

#endif
