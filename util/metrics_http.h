/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The address where counters are read: GET /metrics for whoever may connect.
 * One request and one answer a connection, and nothing of ours that somebody
 * could hold on to. No TLS, no names, no other page.
 */
#ifndef UTIL_METRICS_HTTP_H
#define UTIL_METRICS_HTTP_H

#include "util/buf.h"

#define METRICS_CONNECTIONS 16 /* beyond: the oldest one is closed */
#define METRICS_HEAD 8192      /* octets of a request */
#define METRICS_MS 10000       /* for all of a connection */
#define METRICS_TEXT (4u << 20)

struct metrics_http {
	int listen; /* not blocking, listening */
	int parent; /* closed, or with something to read: the end */
	int ms;	    /* 0: METRICS_MS */
	void (*print)(void *arg, struct buf *out);
	void *arg;
};
/* Until the parent is gone. FAIL_TEMP: poll() fails. */
int metrics_serve(const struct metrics_http *m, struct err *e) MUST_CHECK;

/* The status for a whole head (RFC 9112): 200, 400, 404, 405, 413, 505. */
int metrics_judge(struct view head, bool *is_head);

#endif
