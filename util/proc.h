/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Processes: dropping rights, sandbox, descriptors over sockets, framed
 * messages. All differences between systems are in proc.c.
 */
#ifndef UTIL_PROC_H
#define UTIL_PROC_H

#include <sys/types.h>

#include "util/buf.h"
#include "util/caps.h"

/* The ids of a user by name. FAIL_CONFIG. */
int proc_user(const char *name, uid_t *uid, gid_t *gid, struct err *e)
    MUST_CHECK;
/* Groups, gid, uid, in that order, each checked, no way back. When we are
 * not root: 0 if we are that user already, else FAIL_CONFIG. uid 0 is never
 * right: FAIL_CONFIG. */
int proc_drop(uid_t uid, gid_t gid, struct err *e) MUST_CHECK;
/* No core dumps, not dumpable (no ptrace or /proc/PID/mem by peers). This
 * and the next: after proc_drop, a change of user undoes them. */
void proc_no_core(void);
/* Die (SIGKILL) with the parent. */
void proc_die_with_parent(void);
/* Title for ps: "postseal-milter: keys". Never freed. */
void proc_title(const char *what);

enum sandbox {
	SANDBOX_KEYS,  /* no files, no sockets, no exec: what it holds stays */
	SANDBOX_WORKER, /* files to read, nameless ones to write; no network */
	SANDBOX_STORE,	/* files to read and write; no network */
	SANDBOX_IMPORT, /* the same, and a terminal to ask for passwords */
	SANDBOX_FETCH,	/* network; files to read, nameless ones to write */
	SANDBOX_RELAY,	/* network, clients too; nameless files to write */
	SANDBOX_POLICY, /* the same, and files to read and write */
	SANDBOX_AUTH	/* unix sockets; files to read */
};
/* seccomp filter; FAIL_TEMP when the kernel has none (caller decides). What
 * it forbids fails with EPERM; threads may start, processes may not. */
int proc_sandbox(enum sandbox kind, struct err *e) MUST_CHECK;

/*
 * One message over a SOCK_STREAM unix socket: 4-octet big-endian length,
 * then payload; at most CAP_IPC octets; up to IPC_FDS descriptors travel
 * with the first octet. Blocking. ipc_recv: 1 got one, 0 end of file at a
 * message border, -1 FAIL_TEMP (I/O, peer gone in mid-message) or FAIL_BUG
 * (malformed, too large). Received descriptors are close-on-exec and owned
 * by the caller; unused slots are -1.
 */
#define IPC_FDS 4
int ipc_send(int sock, struct view payload, const int *fds, size_t nfds,
    struct err *e) MUST_CHECK;
int ipc_recv(int sock, struct buf *payload, int fds[IPC_FDS], struct err *e)
    MUST_CHECK;

/* The same in one read, where the peer sends the next message only when this
 * one was answered; octets behind it are FAIL_BUG. payload->max is not less
 * than CAP_IPC. */
int ipc_recv_only(int sock, struct buf *payload, int fds[IPC_FDS],
    struct err *e) MUST_CHECK;

/*
 * Messages without descriptors, as many in one read as there are: the next
 * one, until the call after it. Returns as ipc_recv.
 */
struct ipc_stream {
	struct buf in;
	size_t pos;
};
void ipc_stream_init(struct ipc_stream *s);
void ipc_stream_free(struct ipc_stream *s);
/* Is a whole message there already? */
bool ipc_stream_has(const struct ipc_stream *s);
int ipc_stream_next(int sock, struct ipc_stream *s, struct view *payload,
    struct err *e) MUST_CHECK;

/* Typed fields inside a payload. Writers append to a buf; readers take from
 * an rd (util/buf.h) and the last one must leave rd_left() == 0. */
void ipc_put_u8(struct buf *b, uint8_t x);
void ipc_put_u32(struct buf *b, uint32_t x);
void ipc_put_u64(struct buf *b, uint64_t x);
void ipc_put_view(struct buf *b, struct view v); /* u32 length + octets */
void ipc_put_str(struct buf *b, const char *s);	 /* NULL is kept apart */
int ipc_get_view(struct rd *r, struct view *v) MUST_CHECK;
/* Malloc'd copy or NULL as it was sent; -1 also when it holds NUL. */
int ipc_get_str(struct rd *r, char **s) MUST_CHECK;

/* read/write all or fail, EINTR-safe. FAIL_TEMP. */
int io_write_all(int fd, const void *p, size_t n, struct err *e) MUST_CHECK;
int io_read_all(int fd, void *p, size_t n, struct err *e) MUST_CHECK;
/* A whole file of up to max octets appended to b; "-" is standard input.
 * FAIL_INPUT (cannot read), FAIL_LIMIT. */
int io_read_file(const char *path, struct buf *b, struct err *e) MUST_CHECK;
/* A file with a secret: regular, no link and no second name, owner us or
 * root, mode no more than 0640 and not readable by others; the error says
 * what mends it. FAIL_CONFIG. */
int io_read_secret(const char *path, struct buf *b, struct err *e) MUST_CHECK;
/* Replace a file with a secret atomically, if its content is this one still;
 * it keeps owner and mode. Until then PATH.new may be there, which the next
 * call removes. FAIL_TEMP. */
int io_rewrite_secret(const char *path, struct view was, struct view v,
    struct err *e) MUST_CHECK;
/* After files were renamed in it: make the folder of path reach the disk. */
void io_sync_folder(const char *path);
/* Create or replace atomically with this mode. FAIL_TEMP. */
int io_write_file(const char *path, mode_t mode, struct view v,
    struct err *e) MUST_CHECK;

#endif
