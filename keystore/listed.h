/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Lists that a directory gives: members of groups, mailboxes behind
 * addresses, what a login may sign as. They are fetched now and then, never
 * for a message; what was fetched last holds until it is fetched again.
 */
#ifndef KEYSTORE_LISTED_H
#define KEYSTORE_LISTED_H

#include "keystore/keystore.h"

enum listed_answer {
	LISTED_NO,
	LISTED_YES,
	LISTED_UNKNOWN /* the list was never fetched */
};

/* Is what (an address as addr_key(), or "@domain") in the list? One indexed
 * query. FAIL_TEMP. */
int keystore_listed(struct keystore *ks, const char *list, const char *what,
    enum listed_answer *out, struct err *e) MUST_CHECK;

/* The values of what in the list, each to visit, borrowed; -1 stops. *out as
 * above. */
typedef int listed_visit(void *arg, const char *value, struct err *e);
int keystore_listed_values(struct keystore *ks, const char *list,
    const char *what, listed_visit *visit, void *arg,
    enum listed_answer *out, struct err *e) MUST_CHECK;

/* ---- for the store process, which alone fetches ---- */

/* One line of a list; value "" where membership is all. */
struct listed_pair {
	const char *what, *value;
};

/* Put pairs into the order that listed_replace() wants, without doubles;
 * how many are left. */
size_t listed_sort(struct listed_pair *pair, size_t n);

/*
 * The list is this now, all at once: fetched at now, to be fetched again at
 * next. *changed: it was something else, or was not known. FAIL_TEMP.
 */
struct listed_news {
	const struct listed_pair *pair; /* as listed_sort() has them */
	size_t n;
	int64_t now, next;
};
int listed_replace(struct keystore *ks, const char *list,
    const struct listed_news *news, bool *changed, struct err *e) MUST_CHECK;

/* It could not be fetched, and is tried again at next; what there is stays.
 * error: one sentence. */
int listed_failed(struct keystore *ks, const char *list, int64_t next,
    const char *error, struct err *e) MUST_CHECK;

struct listed_state {
	int64_t fetched; /* 0: never */
	int64_t next;
	size_t pairs;
	char error[200]; /* of the last try; "" */
};
/* Of a list that nobody heard of: all 0. */
int listed_state(struct keystore *ks, const char *list,
    struct listed_state *out, struct err *e) MUST_CHECK;

/* Every list there is, by name. */
typedef int listed_state_visit(void *arg, const char *list,
    const struct listed_state *s, struct err *e);
int listed_each(struct keystore *ks, listed_state_visit *visit, void *arg,
    struct err *e) MUST_CHECK;

/* All lines of a list, in order; *out as in keystore_listed(), but never
 * LISTED_NO. */
typedef int listed_pair_visit(void *arg, const struct listed_pair *p,
    struct err *e);
int listed_pairs(struct keystore *ks, const char *list,
    listed_pair_visit *visit, void *arg, enum listed_answer *out,
    struct err *e) MUST_CHECK;

/* Nobody asks for it any more. */
int listed_forget(struct keystore *ks, const char *list, struct err *e)
    MUST_CHECK;

#endif
