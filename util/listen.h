/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Listening sockets: stale unix ones, their owner and mode, and TCP ones with
 * numeric addresses.
 */
#ifndef UTIL_LISTEN_H
#define UTIL_LISTEN_H

#include <sys/stat.h>

#include "util/child.h"

/* Is the folder of a unix socket there? FAIL_CONFIG says how to make it. */
int listen_check_folder(const char *spec, struct err *e) MUST_CHECK;
/* Is there this group? FAIL_CONFIG. */
int listen_check_group(const char *group, struct err *e) MUST_CHECK;
/* Owner, group (NULL: that of ids) and mode of a new unix socket; *made is
 * what it is then. FAIL_CONFIG. */
int listen_set_owner(const char *path, int mode, const char *group,
    const struct ids *ids, struct stat *made, struct err *e) MUST_CHECK;
/* The same for one that is there already, if it is still that one; whatever
 * else took its place is left alone. FAIL_CONFIG. */
int listen_change_owner(const char *path, int mode, const char *group,
    const struct ids *ids, const struct stat *made, struct err *e) MUST_CHECK;
/* Remove it, if it is still that one. */
void listen_unlink(const char *path, const struct stat *made);
/* Path of "unix:PATH" or "local:PATH", else NULL. */
const char *listen_path(const char *spec);
/* Remove path if it is a socket without a listener. FAIL_CONFIG when
 * somebody listens there, or when it is something else. */
int listen_clear_stale(const char *path, struct err *e) MUST_CHECK;

/* "unix:/PATH", "127.0.0.1:25", "[::1]:25" with a checked address. */
struct listen_place {
	const char *where;
	int mode; /* of a unix socket */
	const char *group;
};
/* Not blocking, TCP_NODELAY for who connects, listening. *made: of a unix
 * socket. FAIL_CONFIG, FAIL_TEMP. */
int listen_at(const struct listen_place *p, const struct ids *ids, int *fd,
    struct stat *made, struct err *e) MUST_CHECK;

#endif
