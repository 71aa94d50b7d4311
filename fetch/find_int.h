/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the kinds of directories share.
 */
#ifndef FETCH_FIND_INT_H
#define FETCH_FIND_INT_H

#include "fetch/find.h"

/* How long what failed is left alone. */
#define FIND_REST_MS 30000

/* What is left until then, not less than 0. */
int64_t find_left_ms(int64_t deadline);

/* Is there much less time than the directory is given, because others had
 * been asked before? What fails then says nothing of it. */
bool find_is_hurried(const struct directory *d, int64_t deadline);

/*
 * Keep der if it is a certificate. Of more than FIND_CERTS those stay that
 * began last. false: it is none, or memory is out.
 */
bool found_certs_take(struct found_certs *f, struct view der,
    bool is_vouched);
/* One more sentence. */
void found_certs_warn(struct found_certs *f, const char *sentence);

#endif
