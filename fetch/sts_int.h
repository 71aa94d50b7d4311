/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The policies that are known, for the cache and for its file.
 */
#ifndef FETCH_STS_INT_H
#define FETCH_STS_INT_H

#include <pthread.h>

#include "fetch/sts.h"

#define STS_BUCKETS 1024
#define STS_DOMAINS 10000 /* beyond: the one not used for longest goes */

struct sts_entry {
	struct sts_entry *next;
	char domain[DNS_NAME];
	struct sts_policy policy;
	bool has_policy;
	bool is_fetched; /* somebody is at it now */
	int64_t rests_until_s;
	int64_t used_s;
	struct err why; /* the last fetch failed */
};

struct sts {
	struct sts_setup setup;
	pthread_mutex_t lock;
	pthread_cond_t fetched;
	struct sts_entry *bucket[STS_BUCKETS];
	size_t n;
	bool is_dirty;
};

/* With the lock. NULL: not known; for add: no memory. */
struct sts_entry *sts_entry_find(struct sts *s, const char *domain);
struct sts_entry *sts_entry_add(struct sts *s, const char *domain,
    int64_t now);
int64_t sts_now(const struct sts *s);
int sts_policy_copy(struct sts_policy *out, const struct sts_policy *p);

/* The text by HTTPS. */
int sts_fetch(const struct sts *s, const char *domain, struct buf *text,
    struct err *e) MUST_CHECK;
/* Before anyone else has s. */
void sts_load(struct sts *s);

#endif
