/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Backends that are programs (inetd's way): a process of its own starts them,
 * because workers may not. What is started stands in the configuration alone;
 * a worker says which of them, and what its client is.
 */
#ifndef RELAY_EXEC_H
#define RELAY_EXEC_H

#include "relay/config.h"

#define EXEC_CHILDREN 2000   /* at a time, of all listeners; beyond: refused */
#define EXEC_VALUES 32	     /* values in an environment */
#define EXEC_ENVIRONMENT 8192 /* octets of all of them, with NULs */

/* Is there a backend that is a program? */
bool exec_is_needed(const struct relay_config *c);
/* Are these programs there, and may their users run them? FAIL_CONFIG. */
int exec_check(const struct relay_config *c, struct err *e) MUST_CHECK;

/*
 * The process: until every sock (one for each worker; taken) is at its end.
 * Who is root here stays root only if a program runs as another user than the
 * relay. FAIL_CONFIG: a user that there is not, a program that cannot be run.
 */
int exec_run(const struct relay_config *c, const int *sock, size_t n,
    struct err *e) MUST_CHECK;

/*
 * The worker's side: start the program of a listener; *fd is our end of its
 * socket. environment: NAME=VALUE, each with its NUL. FAIL_TEMP. That it could
 * not be started shows as the end of *fd.
 */
int exec_start(int sock, const struct listener *l, struct view environment,
    int *fd, struct err *e) MUST_CHECK;

#endif
