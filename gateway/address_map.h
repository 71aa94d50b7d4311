/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Whose keys open mail for an address: its own, and those that address-map
 * gives it, by file or out of directories. One level: what an entry gives is
 * not looked up again. Only for addresses at local domains; it gives no
 * right to sign.
 */
#ifndef GATEWAY_ADDRESS_MAP_H
#define GATEWAY_ADDRESS_MAP_H

#include "gateway/config.h"
#include "keystore/listed.h"

/* Where lists of directories are looked up: the store, or a snapshot. As
 * keystore_listed_values(). */
struct list_reader {
	void *ctx;
	int (*values)(void *ctx, const char *list, const char *what,
	    listed_visit *visit, void *arg, enum listed_answer *out,
	    struct err *e);
};
struct list_reader list_reader_of_store(struct keystore *ks);

/*
 * A copy in memory of the lists that c names: for the keys process, which has
 * no store after its start. A list that was never fetched is unknown to it.
 * FAIL_TEMP.
 */
struct list_snapshot;
int list_snapshot_new(struct list_snapshot **out, const struct config *c,
    struct keystore *ks, struct err *e) MUST_CHECK;
void list_snapshot_free(struct list_snapshot **s);
struct list_reader list_reader_of_snapshot(struct list_snapshot *s);

/* Of the configuration, once it is read. */
void address_map_sort(struct map_row *row, size_t n);

enum opens_by {
	OPENS_BY_OWN,	/* the address itself, its detail stripped */
	OPENS_BY_MAP,	/* an entry for this address */
	OPENS_BY_DOMAIN /* an entry for all of its domain (S203) */
};
/* address: parsed. Not 0 stops. */
typedef int map_visit(void *arg, const struct addr *address, enum opens_by by,
    struct err *e);

/*
 * Every address whose key opens mail for rcpt (parsed, detail not yet
 * stripped), first its own. lists NULL: those of directories are unknown.
 * *unknown: a list that might say more was never fetched. 0, -1 FAIL_TEMP,
 * or what visit gave.
 */
struct map_query {
	const struct config *config;
	const struct list_reader *lists;
	const struct addr *rcpt;
};
int address_map_each(const struct map_query *q, map_visit *visit, void *arg,
    bool *unknown, struct err *e) MUST_CHECK;

#endif
