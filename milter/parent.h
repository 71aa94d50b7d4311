/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The process that starts the others, keeps them running and owns the
 * signals.
 */
#ifndef MILTER_PARENT_H
#define MILTER_PARENT_H

#include "milter/setup.h"

/*
 * May: read the configuration, bind the socket, fork. May not: parse mail,
 * hold keys. Ends when: SIGTERM or SIGINT, or a child cannot start at the
 * beginning. Returns an exit code of sysexits(3). Takes s.
 *
 * Stays root only where it must: to let keys run as another user, or to read
 * a secret that only root may read when keys has to be started again.
 */
int parent_run(const char *config_path, struct setup *take_s);

#endif
