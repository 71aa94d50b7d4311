/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Octets in memory that grow without being moved: pieces of SEGS_PIECE. For
 * util/spool.c. What is given back is wiped.
 */
#ifndef UTIL_SEGS_H
#define UTIL_SEGS_H

#include "util/buf.h"

#define SEGS_PIECE 65536

struct segs {
	unsigned char **piece;
	size_t pieces;
	size_t room;  /* entries of piece */
	size_t first; /* octets of piece[0]: less while it is alone */
	size_t n;     /* octets in use */
};

/* Keep up to so many octets of freed pieces for the next one who needs
 * some. Before any piece is taken. */
void segs_keep(size_t octets);
/* Octets of all pieces in use; counted only after segs_keep(). */
size_t segs_in_use(void);

/* The free octets at the end: at least one, *p borrowed. Who fills k of
 * them adds k to n. FAIL_TEMP. */
int segs_room(struct segs *s, unsigned char **p, size_t *k, struct err *e)
    MUST_CHECK;
int segs_put(struct segs *s, const void *p, size_t n, struct err *e)
    MUST_CHECK;
/* Where octet off is, off < n; *k: how many follow in one piece. */
unsigned char *segs_at(const struct segs *s, size_t off, size_t *k);
/* Wipe all but the first n octets; memory for one piece stays. */
void segs_cut(struct segs *s, size_t n);
void segs_free(struct segs *s);

#endif
