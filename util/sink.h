/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Where octets go: the one interface between producers (writers, codecs,
 * ciphers) and consumers (spools, digests, other codecs).
 */
#ifndef UTIL_SINK_H
#define UTIL_SINK_H

#include "util/buf.h"

struct sink {
	/* 0, or -1 with e set; takes all octets or fails. */
	int (*put)(void *arg, const void *p, size_t n, struct err *e);
	void *arg;
};

int sink_put(const struct sink *s, const void *p, size_t n, struct err *e)
    MUST_CHECK;
int sink_puts(const struct sink *s, const char *str, struct err *e) MUST_CHECK;
struct sink sink_to_buf(struct buf *b); /* b borrowed */

#endif
