/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The listening socket: made by libmilter in the parent, so that it outlives
 * the front.
 */
#ifndef MILTER_LISTEN_H
#define MILTER_LISTEN_H

#include "gateway/config.h"
#include "milter/child.h"

/*
 * Open c->listen with its mode, owner and group; a stale unix socket (one
 * that nobody answers) is removed first. *fd is the listening descriptor.
 * libmilter's description must be registered. FAIL_CONFIG.
 */
int listen_open(const struct config *c, const struct ids *ids, int *fd,
    struct err *e) MUST_CHECK;
/* Is the folder of a unix socket there? FAIL_CONFIG says how to make it. */
int listen_check_folder(const char *spec, struct err *e) MUST_CHECK;
/* Remove the unix socket, if it is still the one that we made. */
void listen_remove(const struct config *c);

/* Owner, group (NULL: that of ids) and mode of a new unix socket; *made is
 * what it is then. FAIL_CONFIG. */
struct stat;
int listen_set_owner(const char *path, int mode, const char *group,
    const struct ids *ids, struct stat *made, struct err *e) MUST_CHECK;
/* Remove it, if it is still that one. */
void listen_unlink(const char *path, const struct stat *made);

/* Path of "unix:PATH" or "local:PATH", else NULL. */
const char *listen_path(const char *spec);
/* Is this an inet socket that others than this host can reach? */
bool listen_is_public(const char *spec);
/* Remove path if it is a socket without a listener. FAIL_CONFIG when
 * somebody listens there, or when it is something else. */
int listen_clear_stale(const char *path, struct err *e) MUST_CHECK;

#endif
