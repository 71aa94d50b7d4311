/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One octet says how the spool travels; then, for one that travels inside,
 * its length and octets, and for a descriptor where in it they begin.
 */
#include "milter/parcel.h"

#include <unistd.h>

enum { PARCEL_NONE, PARCEL_OCTETS, PARCEL_FD };

static int put_octets(struct buf *b, const struct spool *s, struct err *e)
{
	size_t n = (size_t)spool_size(s);
	unsigned char *to;
	size_t got;

	ipc_put_u8(b, PARCEL_OCTETS);
	ipc_put_u32(b, (uint32_t)n);
	to = buf_room(b, n);
	if (to == NULL)
		return buf_ok(b, e);
	if (spool_read(s, 0, to, n, &got, e) != 0)
		return -1;
	if (got != n)
		return err_set(e, FAIL_BUG, "spool shorter than its size");
	b->n += n;
	return 0;
}

int parcel_put(struct buf *b, struct spool *s, int *fd, struct err *e)
{
	*fd = -1;
	buf_clear(b);
	if (s == NULL)
		ipc_put_u8(b, PARCEL_NONE);
	else if (spool_size(s) <= PARCEL_INLINE)
		return put_octets(b, s, e);
	else if (spool_fd(s, fd, e) != 0)
		return -1;
	else {
		ipc_put_u8(b, PARCEL_FD);
		ipc_put_u64(b, spool_fd_start(s));
	}
	return buf_ok(b, e);
}

static int get_octets(struct rd *r, struct spool **s, struct err *e)
{
	struct view v;

	if (ipc_get_view(r, &v) != 0 || v.n > PARCEL_INLINE)
		return err_set(e, FAIL_BUG, "parcel: malformed");
	if (spool_new(s, v.n, e) != 0)
		return -1;
	if (spool_write(*s, v.p, v.n, e) != 0) {
		spool_free(s);
		return -1;
	}
	return 0;
}

/* Takes fd. */
static int get_file(struct rd *r, int fd, struct spool **s, struct err *e)
{
	uint64_t start;

	if (rd_u64(r, &start) != 0) {
		close(fd);
		return err_set(e, FAIL_BUG, "parcel: malformed");
	}
	if (spool_from_fd(s, fd, UINT64_MAX, e) != 0)
		return -1;
	if (spool_drop(*s, start, e) != 0) {
		spool_free(s);
		return -1;
	}
	return 0;
}

static int get_spool(struct rd *r, int *fd, struct spool **s, struct err *e)
{
	uint8_t kind;
	int took = *fd;

	if (rd_u8(r, &kind) != 0 || kind > PARCEL_FD)
		return err_set(e, FAIL_BUG, "parcel: malformed");
	if ((kind == PARCEL_FD) != (took >= 0))
		return err_set(e, FAIL_BUG, "parcel: descriptor and kind do "
		    "not fit");
	if (kind == PARCEL_OCTETS)
		return get_octets(r, s, e);
	if (kind == PARCEL_NONE)
		return 0;
	*fd = -1;
	return get_file(r, took, s, e);
}

int parcel_get(struct view message, int fds[IPC_FDS], struct view *payload,
    struct spool **s, struct err *e)
{
	struct rd r;
	int rc;

	*s = NULL;
	rd_init(&r, message);
	rc = get_spool(&r, &fds[0], s, e);
	for (size_t i = 0; i < IPC_FDS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
	*payload = view_sub(message, r.pos, rd_left(&r));
	return rc;
}
