/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A list of a directory, fetched by a thread of the fetch process, so that
 * lookups of messages do not wait for it. One at a time.
 */
#ifndef MILTER_FETCH_LIST_H
#define MILTER_FETCH_LIST_H

#include "gateway/fetching.h"
#include "milter/fetch_proc.h"

#define LIST_MS 120000 /* for all of a list */

struct fetch_list;

/* find is borrowed; without its list none can be had. FAIL_TEMP. */
int fetch_list_new(struct fetch_list **out, const struct finder_ops *find,
    struct err *e) MUST_CHECK;
/* False: a thread is at work, which cannot be ended: nothing is freed, and
 * the process is to go. */
bool fetch_list_free(struct fetch_list **l);

/* Readable when the answer is there. */
int fetch_list_fd(const struct fetch_list *l);

/* FAIL_INPUT when the job's name is none, FAIL_TEMP when another one is not
 * done yet. */
int fetch_list_begin(struct fetch_list *l, const struct fetch_job *j,
    struct err *e) MUST_CHECK;
/* 1: it is done: octets in *body, until the next one begins, or why not;
 * 0: not yet. */
int fetch_list_result(struct fetch_list *l, struct view *body,
    struct err *why) MUST_CHECK;

#endif
