/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Octets of unknown size: in memory up to a limit, then in an unlinked
 * 0600 file of the spool folder, so that no path ever leads to mail content
 * and peak memory does not grow with the message. Append-only writing,
 * random-access reading. Not for two threads at once.
 */
#ifndef UTIL_SPOOL_H
#define UTIL_SPOOL_H

#include <stdint.h>

#include "util/buf.h"
#include "util/sink.h"

struct spool;

/*
 * The folder for spool files of this process (copied); before the first
 * spool_new. Default: $TMPDIR or /tmp. 0, or -1 FAIL_CONFIG when it is no
 * folder that we can write to.
 */
int spool_set_dir(const char *dir, struct err *e) MUST_CHECK;

/*
 * How many octets of a spool stay in memory in this process, of all of them
 * together (SPOOL_MEMORY of each whatever the others have), and how many of
 * freed ones are kept for the next. Before the first spool_new. Default:
 * SPOOL_MEMORY, no bound for all, nothing kept.
 */
void spool_set_memory(size_t each, size_t together, size_t keep);

/* Empty spool that may hold up to max octets. FAIL_TEMP. */
int spool_new(struct spool **out, uint64_t max, struct err *e) MUST_CHECK;

/*
 * A spool over a descriptor, read-only, size from fstat. Takes fd (closed
 * by spool_free, also on failure). FAIL_TEMP; FAIL_LIMIT if beyond max.
 */
int spool_from_fd(struct spool **out, int take_fd, uint64_t max,
    struct err *e) MUST_CHECK;

/* Wipe what was in memory, close the file. *s becomes NULL; NULL allowed. */
void spool_free(struct spool **s);

/* Empty again, for reuse; what was in memory is wiped. */
int spool_clear(struct spool *s, struct err *e) MUST_CHECK;

/* FAIL_LIMIT beyond max (nothing written), FAIL_TEMP (disk full). */
int spool_write(struct spool *s, const void *p, size_t n, struct err *e)
    MUST_CHECK;
uint64_t spool_size(const struct spool *s);

/*
 * What stands in front becomes known late, or goes away: room for n octets
 * (at most SPOOL_RESERVE) at the start of an empty spool, in which readers
 * see nothing until it is filled, from its end; and no longer show the first
 * n octets. Nothing is moved. FAIL_BUG without room; FAIL_TEMP.
 */
#define SPOOL_RESERVE 1024
int spool_reserve(struct spool *s, size_t n, struct err *e) MUST_CHECK;
int spool_prepend(struct spool *s, const void *p, size_t n, struct err *e)
    MUST_CHECK;
int spool_drop(struct spool *s, uint64_t n, struct err *e) MUST_CHECK;
size_t spool_room(const struct spool *s); /* octets that fit in front */
struct sink spool_sink(struct spool *s); /* s borrowed */

/*
 * Read up to n octets from off; *got says how many (0 at the end).
 * FAIL_TEMP on an I/O error.
 */
int spool_read(const struct spool *s, uint64_t off, void *p, size_t n,
    size_t *got, struct err *e) MUST_CHECK;

/*
 * A descriptor with all octets, to be passed to another process: the file,
 * or a memory file made now. Borrowed, valid until the spool is freed or
 * cleared, or something is put or dropped in front. FAIL_TEMP. The octets
 * begin in it at spool_fd_start, which is 0 unless some were dropped or room
 * was left.
 */
int spool_fd(struct spool *s, int *fd, struct err *e) MUST_CHECK;
uint64_t spool_fd_start(const struct spool *s);

/* Append octets [off, end) of a spool to a sink. */
int spool_copy(const struct spool *s, uint64_t off, uint64_t end,
    const struct sink *to, struct err *e) MUST_CHECK;

/*
 * Sequential reader over [off, end). spool_next gives chunks of up to
 * SPOOL_CHUNK octets, valid until the next call; an empty view at the end.
 */
#define SPOOL_CHUNK 65536
#define SPOOL_MEMORY (256u << 10)

struct spool_rd {
	const struct spool *s;
	uint64_t off; /* of the next octet */
	uint64_t end;
	unsigned char *chunk; /* owned, made at the first need */
	unsigned char *map;   /* a window of the file, or NULL */
	uint64_t map_at;
	size_t map_n;
};

void spool_rd_init(struct spool_rd *r, const struct spool *s, uint64_t off,
    uint64_t end);
int spool_next(struct spool_rd *r, struct view *chunk, struct err *e)
    MUST_CHECK;
void spool_rd_free(struct spool_rd *r);

#endif
