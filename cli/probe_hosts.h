/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Where a destination is, for a probe without a route: "[host]", "[host]:587",
 * or a domain by its MX records.
 */
#ifndef CLI_PROBE_HOSTS_H
#define CLI_PROBE_HOSTS_H

#include <sys/socket.h>

#include "util/buf.h"

#define PROBE_HOSTS 20

struct probe_host {
	char name[256];
	struct sockaddr_storage sa;
	socklen_t sa_len;
};

/* port 0: that of dest, or 25. At most PROBE_HOSTS. FAIL_TEMP: no answer;
 * FAIL_INPUT: there is no such host. */
int probe_hosts(struct probe_host *h, size_t *n, const char *dest, int port,
    struct err *e) MUST_CHECK;
/* "[192.0.2.1]:25" */
void probe_address(struct buf *b, const struct sockaddr_storage *sa,
    socklen_t len);

#endif
