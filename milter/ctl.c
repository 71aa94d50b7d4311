/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Control messages. What they mean is decided by the two ends.
 */
#include "milter/ctl.h"

#include <unistd.h>

#define CTL_SIZE (64 + 2 * HOP_SPEC_MAX)

int ctl_send(int sock, const struct ctl *m, struct err *e)
{
	struct buf b;
	int rc;

	buf_init(&b, CTL_SIZE);
	ipc_put_u8(&b, (uint8_t)m->kind);
	ipc_put_u32(&b, m->generation);
	ipc_put_u32(&b, m->number);
	ipc_put_u32(&b, m->waiting);
	ipc_put_u64(&b, m->max_message);
	ipc_put_u8(&b, m->observe);
	ipc_put_u8(&b, m->can_hold);
	ipc_put_view(&b, view_of(m->reinject));
	ipc_put_view(&b, view_of(m->tls_route));
	rc = buf_ok(&b, e);
	if (rc == 0)
		rc = ipc_send(sock, buf_view(&b), &m->fd, m->fd >= 0, e);
	buf_free(&b);
	return rc;
}

static int decode(struct ctl *m, struct view v)
{
	struct rd r;
	struct view reinject, tls;
	uint8_t kind, observe, hold;

	rd_init(&r, v);
	if (rd_u8(&r, &kind) != 0 || rd_u32(&r, &m->generation) != 0 ||
	    rd_u32(&r, &m->number) != 0 || rd_u32(&r, &m->waiting) != 0 ||
	    rd_u64(&r, &m->max_message) != 0 ||
	    rd_u8(&r, &observe) != 0 || observe > 1 ||
	    rd_u8(&r, &hold) != 0 || hold > 1 ||
	    ipc_get_view(&r, &reinject) != 0 || view_cstr(reinject,
	    m->reinject, sizeof(m->reinject)) != 0 ||
	    ipc_get_view(&r, &tls) != 0 || view_cstr(tls, m->tls_route,
	    sizeof(m->tls_route)) != 0 || rd_left(&r) != 0)
		return -1;
	if (kind < CTL_READY || kind > CTL_REQUESTS)
		return -1;
	m->kind = (enum ctl_kind)kind;
	m->observe = observe == 1;
	m->can_hold = hold == 1;
	return 0;
}

int ctl_recv(int sock, struct ctl *m, struct err *e)
{
	struct buf b;
	int fds[IPC_FDS], rc, i;

	buf_init(&b, CTL_SIZE);
	rc = ipc_recv(sock, &b, fds, e);
	if (rc <= 0)
		goto out;
	m->fd = fds[0];
	if (decode(m, buf_view(&b)) != 0 || fds[1] >= 0) {
		for (i = 0; i < IPC_FDS; i++)
			if (fds[i] >= 0)
				close(fds[i]);
		m->fd = -1;
		rc = err_set(e, FAIL_BUG, "control message: malformed");
	}
out:
	buf_free(&b);
	return rc;
}
