/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What directories answered lately, nothing found and failures too: bounded
 * in number and octets, what was asked for longest ago goes first. One
 * owner. Times are milliseconds of any clock that only goes forward.
 */
#ifndef FETCH_FIND_CACHE_H
#define FETCH_FIND_CACHE_H

#include "fetch/find.h"

struct find_cache;

int find_cache_new(struct find_cache **out, size_t entries, size_t octets,
    struct err *e) MUST_CHECK;
void find_cache_free(struct find_cache **c);

enum find_cached {
	FIND_UNKNOWN,
	FIND_ANSWER, /* out is it */
	FIND_FAILURE /* e says which */
};
/* key: the address, or a domain with its @. FIND_UNKNOWN also when memory
 * is out. */
enum find_cached find_cache_get(struct find_cache *c, size_t directory,
    const char *key, int64_t now, struct found_certs *out, struct err *e);

/* Keep it until then; what is too large, or finds no memory, is not kept. */
void find_cache_put(struct find_cache *c, size_t directory, const char *key,
    const struct found_certs *f, int64_t until);
void find_cache_put_failure(struct find_cache *c, size_t directory,
    const char *key, const struct err *why, int64_t until);

/* For tests. */
size_t find_cache_entries(const struct find_cache *c);
size_t find_cache_octets(const struct find_cache *c);

#endif
