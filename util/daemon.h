/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What our daemons say and take on the command line alike.
 */
#ifndef UTIL_DAEMON_H
#define UTIL_DAEMON_H

#include <stdbool.h>

#include "util/conf.h"

struct daemon_args {
	const char *name;   /* of the program; set before */
	const char *checks; /* what -n looks at: "rules and keys"; the same */
	const char *config; /* the file */
	bool only_check;    /* -n */
};
/* Options, and libcrypto made ready. -1: go on; else the exit status, all is
 * said. */
int daemon_args(struct daemon_args *d, int argc, char **argv) MUST_CHECK;
/* Say on standard error why nothing is started; EX_CONFIG. */
int daemon_refuse(const struct daemon_args *d, const struct conf_errors *ce);
/* From now on: the log; libcrypto's age is said there. */
void daemon_log(const struct daemon_args *d, bool to_syslog);

#endif
