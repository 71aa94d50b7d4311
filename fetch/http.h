/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One small HTTP client: a URL in, octets out, within a size and a time. No
 * redirects, no proxy, no cookies, no decompression, and no connection to an
 * address that is not public unless it was allowed (A56). Who may be asked
 * is the caller's to decide.
 */
#ifndef FETCH_HTTP_H
#define FETCH_HTTP_H

#include <poll.h>

#include "fetch/url.h"

struct http_policy {
	const struct net *nearby; /* not public, but allowed; borrowed */
	size_t nearbys;
	int64_t timeout_ms;  /* for all of it */
	const char *ca_file; /* of https; NULL: the system's */
};

struct http_request {
	const char *url;
	size_t max;	  /* octets of the answer */
	struct view post; /* empty: GET */
	const char *type; /* of post */
	/* "HOST:PORT:ADDRESS,ADDRESS": where that is, so that no name is
	 * looked up; NULL: by the system */
	const char *at;
};

struct http;

/* One transfer at a time. FAIL_TEMP. */
int http_new(struct http **out, const struct http_policy *p, struct err *e)
    MUST_CHECK;
void http_free(struct http **h);

/* Begin; post is copied. FAIL_INPUT: no such URL. */
int http_begin(struct http *h, const struct http_request *r, struct err *e)
    MUST_CHECK;
bool http_is_running(const struct http *h);
/* Nobody wants the answer any more. */
void http_cancel(struct http *h);
/* Go on until something happens to the transfer or to one of fd, or for so
 * long. fd gets its revents. Without a transfer it only waits. */
void http_wait(struct http *h, struct pollfd *fd, size_t n, int ms);
/*
 * 1: here is the answer, until the next http_begin(); 0: still running.
 * FAIL_TEMP: not reached, too slow, an error of the server; FAIL_LIMIT: more
 * than max; FAIL_POLICY: a redirect, or an address that may not be asked.
 */
int http_result(struct http *h, struct view *body, struct err *e) MUST_CHECK;

/* Content-Type of the answer that http_result() gave, "": none was said. */
const char *http_type(const struct http *h);

/* All of that, for who has nothing else to do. */
int http_get(struct http *h, const struct http_request *r, struct view *body,
    struct err *e) MUST_CHECK;

#endif
