/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A stream of octets in a file under a passphrase: scrypt, then AES-256-GCM
 * in chunks, each with its number and whether it is the last, so that what
 * is missing, doubled or moved is found as surely as what is changed. Needs
 * the memory of a chunk. What the octets mean is backup.c's.
 */
#ifndef KEYSTORE_ARCHIVE_H
#define KEYSTORE_ARCHIVE_H

#include "util/buf.h"

struct archive;

/* Cost of trying a passphrase, as a power of two: 128 MiB and some tenths of
 * a second; what a file may ask of its reader is bounded by the others. */
#define ARCHIVE_COST 17
#define ARCHIVE_COST_MIN 14
#define ARCHIVE_COST_MAX 20

/* Begin to write. The descriptor stays the caller's. */
int archive_create(struct archive **out, int fd, struct view passphrase,
    int cost, int64_t when, struct err *e) MUST_CHECK;
int archive_put(struct archive *a, const void *p, size_t n, struct err *e)
    MUST_CHECK;
/* Without it the file is cut short for every reader. */
int archive_finish(struct archive *a, struct err *e) MUST_CHECK;

/* Begin to read. FAIL_CONFIG: not such a file, of a version that we do not
 * know, or another passphrase. */
int archive_open(struct archive **out, int fd, struct view passphrase,
    struct err *e) MUST_CHECK;
int64_t archive_when(const struct archive *a);
/* Exactly n octets, none of them unchecked. FAIL_INPUT. */
int archive_get(struct archive *a, void *p, size_t n, struct err *e)
    MUST_CHECK;
/* There is nothing more, neither in the stream nor in the file. */
int archive_end(struct archive *a, struct err *e) MUST_CHECK;

void archive_free(struct archive **a); /* wipes */

#endif
