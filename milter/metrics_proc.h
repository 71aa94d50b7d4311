/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The process that answers GET /metrics.
 */
#ifndef MILTER_METRICS_PROC_H
#define MILTER_METRICS_PROC_H

#include "gateway/config.h"
#include "milter/child.h"
#include "milter/stats.h"

struct metrics_start {
	const struct config *config;
	struct stats *stats;
	struct ids ids;
	int ctl;
};

/*
 * May: one listening socket, read the counters and the dates of
 * certificates. May not: mail, keys, writing the store. Ends when: told by a
 * signal, or the parent is gone.
 */
void metrics_proc(const struct metrics_start *s) NORETURN;

#endif
