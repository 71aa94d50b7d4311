/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The process that talks to the MTA.
 */
#ifndef MILTER_FRONT_PROC_H
#define MILTER_FRONT_PROC_H

#include "milter/door.h"
#include "milter/stats.h"

struct front_start {
	const struct config *config; /* spool folder, doors */
	struct stats *stats;
	struct ids ids;
	int ctl;
	int listen; /* libmilter's listening socket; -1: only doors */
	const struct door_socks *doors;
};

/*
 * May: talk milter, LMTP and SMTP to the MTA and to next hops, spool mail,
 * issue tickets. May not: parse
 * mail, read keys, write the store. Ends when: told to stop, or the parent
 * is gone. smfi_setconn and smfi_opensocket were done by the parent.
 */
void front_proc(const struct front_start *s) NORETURN;

#endif
