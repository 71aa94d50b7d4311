/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt), and
 * the words of XCLIENT. Pure.
 */
#ifndef RELAY_PROXY_H
#define RELAY_PROXY_H

#include "util/buf.h"

struct proxy_header {
	bool is_local; /* LOCAL or UNKNOWN: the proxy's own connection */
	char ip[64], local_ip[64];
	int port, local_port;
	bool has_tls; /* TLV of v2: the client had TLS with the proxy */
};

/* What stands at the start of v: 1: it is whole, *used octets; 0: more is
 * needed; FAIL_INPUT: it is none. At most 536 octets are ever asked for. */
int proxy_read(struct proxy_header *h, struct view v, size_t *used,
    struct err *e) MUST_CHECK;
/* Append one; tls: TLV SSL with version and cipher (v2 only), or NULL. */
void proxy_write(struct buf *out, int version, const struct proxy_header *h,
    const char *tls_version, const char *cipher);

#endif
