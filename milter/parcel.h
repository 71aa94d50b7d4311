/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A spool beside a payload in one message between front and worker: a small
 * one travels in it, a large one as a descriptor. Making a memory file for
 * 5 kB and passing it cost more than signing them.
 */
#ifndef MILTER_PARCEL_H
#define MILTER_PARCEL_H

#include "util/proc.h"
#include "util/spool.h"

#define PARCEL_INLINE (128u << 10) /* octets that travel in the message */

/*
 * Begin a message in b (emptied) with a spool, NULL for none; the payload is
 * appended after it. *fd is what goes with it, -1 for none; borrowed from s.
 * FAIL_TEMP.
 */
int parcel_put(struct buf *b, struct spool *s, int *fd, struct err *e)
    MUST_CHECK;

/*
 * Take the spool off a received message: *payload becomes the rest, *s the
 * spool (owned) or NULL. All of fds are taken, also on failure. FAIL_BUG:
 * malformed, or a descriptor that does not fit; FAIL_TEMP.
 */
int parcel_get(struct view message, int fds[IPC_FDS], struct view *payload,
    struct spool **s, struct err *e) MUST_CHECK;

#endif
