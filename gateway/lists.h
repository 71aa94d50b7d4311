/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Lists out of directories { }: which there are, by configuration and rules,
 * what each is called in the store, when it is due, and what becomes of an
 * answer. Nobody asks a directory on behalf of a message.
 */
#ifndef GATEWAY_LISTS_H
#define GATEWAY_LISTS_H

#include "gateway/fetching.h"
#include "gateway/rules.h"
#include "keystore/listed.h"

#define LIST_WORD_MAX 64     /* names of directories and of attributes */
#define LIST_FILTER_MAX 1000 /* octets */
/* Of lists_name(); one of them fits into a fetch_job's url. */
#define LIST_NAME_SIZE (LIST_FILTER_MAX + 3 * LIST_WORD_MAX + 32)

enum list_kind {
	LIST_GROUP,	  /* what: addresses, "@domain" */
	LIST_ADDRESS_MAP, /* what: the same; value: addresses */
	LIST_AUTHORITY	  /* what: a login as it is; value: as in a group */
};
const char *list_kind_str(enum list_kind k);

/* One list, as configuration or rules ask for it; strings owned by them. */
struct list_source {
	enum list_kind kind;
	char *directory; /* name of a directory { ldap ... } */
	char *filter;	 /* RFC 4515, without %s */
	char *what;	 /* attribute */
	char *value;	 /* the same; NULL: of a group */
};

/*
 * Check words of a statement and fill in (words of the statement from w on:
 * DIRECTORY "FILTER", then pairs of word and attribute as kind wants them:
 * a group "address ATTR" (mail without), a map "address ATTR opens-with
 * ATTR", authority "login ATTR address ATTR"). The directory must be one of
 * c's, which the caller checks by lists_check() when all of c is read. -1:
 * reported.
 */
int lists_words(struct list_source *out, enum list_kind kind,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce) MUST_CHECK;
/* Is its directory there, one of ldap, and nobody on the way to it who could
 * change what it says? FAIL_CONFIG says why not. */
int lists_check(const struct config *c, const struct list_source *s,
    struct err *e) MUST_CHECK;
void list_source_free(struct list_source *s);
/* Letters, digits, - _ and . */
bool lists_directory_name_is_sane(const char *s);

/*
 * Its name in the store (keystore_listed()): all that it is, so that another
 * filter is another list, which is unknown until it was fetched.
 */
void lists_name(const struct list_source *s, char dst[LIST_NAME_SIZE]);
/* The parts again; out is to be freed. FAIL_INPUT. */
int lists_name_read(struct list_source *out, const char *name,
    struct err *e) MUST_CHECK;

/* ---- planning, in the store process ---- */

struct lists;
/* All borrowed. r may be NULL. FAIL_TEMP. */
int lists_new(struct lists **out, const struct config *c,
    const struct rules *r, struct keystore *ks, struct err *e) MUST_CHECK;
void lists_free(struct lists **l);
/* Of configuration and rules, without doubles. */
size_t lists_count(const struct lists *l);

/* 1: *j is to be done (FETCH_LIST, its name as the url); 0: nothing now, and
 * *again_s until it is worth to call again. FAIL_TEMP. */
int lists_next(struct lists *l, int64_t now, struct fetch_job *j,
    int64_t *again_s, struct err *e) MUST_CHECK;
/* The i-th, due or not; false: there is none. */
bool lists_nth(const struct lists *l, size_t i, struct fetch_job *j);

struct lists_outcome {
	bool ok;
	bool changed;	 /* it is not what it was */
	bool is_rights;	 /* and says who may sign or open */
	bool is_waiting; /* it shrank: looked at once more before it counts */
	size_t pairs, left_out;
	char error[200];
};
/*
 * What came of it: octets of an answer (fetch/ldap.h), or why not (kind not
 * 0). An answer with less than half of what there was is taken only when
 * the next one, a minute later, says the same. FAIL_TEMP: the store.
 */
int lists_done(struct lists *l, const struct fetch_job *j, int64_t now,
    struct view body, const struct err *why, struct lists_outcome *out,
    struct err *e) MUST_CHECK;
void lists_log(const struct fetch_job *j, const struct lists_outcome *o);

#endif
