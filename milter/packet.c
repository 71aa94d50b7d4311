/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Packets with octets beside them.
 */
#include "milter/packet.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "milter/child.h"
#include "util/clock.h"

#define RECV_S 2 /* for a packet that is announced and does not come */

int packet_pair(int sock[2], struct err *e)
{
	const struct timeval limit = { RECV_S, 0 };
	int i;

	if (child_pair(SOCK_SEQPACKET, sock, e) != 0)
		return -1;
	for (i = 0; i < 2; i++)
		if (setsockopt(sock[i], SOL_SOCKET, SO_RCVTIMEO, &limit,
		    sizeof(limit)) != 0 || setsockopt(sock[i], SOL_SOCKET,
		    SO_SNDTIMEO, &limit, sizeof(limit)) != 0) {
			close(sock[0]);
			close(sock[1]);
			return err_sys(e, FAIL_TEMP, "setsockopt");
		}
	return 0;
}

int packet_send(int sock, struct view head, struct view octets,
    struct err *e)
{
	int fd = -1, rc = 0;

	if (head.n > PACKET_MAX)
		return err_set(e, FAIL_BUG, "packet of %zu octets", head.n);
	if (octets.n > 0) {
		fd = memfd_create("postseal", MFD_CLOEXEC);
		if (fd < 0)
			return err_sys(e, FAIL_TEMP, "memfd_create");
		rc = io_write_all(fd, octets.p, octets.n, e);
	}
	if (rc == 0)
		rc = ipc_send(sock, head, &fd, fd >= 0, e);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* A regular file alone: others could be waited for. */
static int read_octets(int fd, struct buf *to, struct err *e)
{
	unsigned char *p;
	struct stat st;
	size_t n, at = 0;
	ssize_t k;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < 0)
		return err_set(e, FAIL_BUG, "packet: no octets beside it");
	n = (size_t)st.st_size;
	if (n > to->max)
		return err_set(e, FAIL_LIMIT, "packet: %zu octets beside it, "
		    "at most %zu are taken", n, to->max);
	p = buf_room(to, n);
	if (p == NULL)
		return buf_ok(to, e);
	while (at < n) {
		k = pread(fd, p + at, n - at, (off_t)at);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return err_set(e, FAIL_TEMP, "packet: octets beside "
			    "it ended early");
		at += (size_t)k;
	}
	to->n += n;
	p[n] = '\0';
	return 0;
}

int packet_recv(int sock, struct buf *head, struct buf *octets,
    struct err *e)
{
	int fds[IPC_FDS], i, rc;

	if (octets != NULL)
		buf_clear(octets);
	rc = ipc_recv_only(sock, head, fds, e);
	if (rc == 1 && fds[0] >= 0) {
		if (octets == NULL || fds[1] >= 0)
			rc = err_set(e, FAIL_BUG, "packet: more beside it "
			    "than wanted");
		else if (read_octets(fds[0], octets, e) != 0)
			rc = -1;
	}
	for (i = 0; i < IPC_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return rc;
}

bool packet_wait(int sock, int64_t ms)
{
	int64_t until = clock_ms() + ms, left = ms;
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int n;

	do {
		n = poll(&p, 1, left > 0 ? (int)left : 0);
		left = until - clock_ms();
	} while (n < 0 && errno == EINTR);
	return n > 0;
}
