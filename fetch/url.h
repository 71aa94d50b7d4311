/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which URLs and which addresses may be asked (A56). The parser is the one
 * that connects later, so that both mean the same host.
 */
#ifndef FETCH_URL_H
#define FETCH_URL_H

#include "util/conf.h"

#define URL_MAX 2000
#define URL_HOST_MAX 256

struct url {
	char host[URL_HOST_MAX]; /* lower-case; IPv6 in brackets */
	int port;
	bool is_usual_port; /* 80 or 443 */
};

/* http and https only, printable ASCII, no user, no fragment. FAIL_INPUT,
 * says why; "FAIL_TEMP": memory. */
int url_parse(struct url *u, const char *text, struct err *e) MUST_CHECK;

/* Is it HOST (its usual ports), or HOST:PORT? */
bool url_is_at(const struct url *u, const char *host);
/* Could text be one of the two? For configuration. */
bool url_host_is_sane(const char *text);

struct sockaddr;
/*
 * May the address be connected to: a public one, or in one of these
 * networks? Not public: loopback, private, link-local, shared, multicast,
 * documentation, what embeds an IPv4 address, and all that is reserved.
 */
bool url_may_connect(const struct sockaddr *sa, const struct net *nearby,
    size_t n);

#endif
