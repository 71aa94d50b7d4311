/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The process that starts and restarts the others. No input of the network
 * comes here.
 */
#ifndef RELAY_PARENT_H
#define RELAY_PARENT_H

#include "relay/config.h"

/* What is dangerous in it, or ends soon; event: start, reload. */
void relay_log_warnings(const struct relay_config *c, const char *event);
/* Until SIGTERM or SIGINT; SIGHUP reads the file anew. An exit code. */
int relay_parent_run(struct relay_config *take_config);

#endif
