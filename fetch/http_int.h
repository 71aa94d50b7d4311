/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The transfer that runs, for the two who begin one: HTTP and mail.
 */
#ifndef FETCH_HTTP_INT_H
#define FETCH_HTTP_INT_H

#include "fetch/http.h"

#include <curl/curl.h>

#define HTTP_MAIL_MAX (4u << 20)

struct http {
	struct http_policy policy;
	CURLM *multi;
	CURL *easy; /* NULL: nothing runs */
	struct curl_slist *headers; /* or recipients */
	struct curl_slist *at;	    /* addresses of the host */
	char type[128];		    /* Content-Type */
	struct buf mail; /* what is sent; empty: HTTP */
	size_t mail_at;
	struct buf body;
	size_t header_n;
	bool too_large, too_many_headers, refused;
	char why[CURL_ERROR_SIZE];
	bool is_done;
	CURLcode code;
	long status;
};

/* The transfer itself goes; its answer stays. */
void http_drop(struct http *h);
/* A new one, with room for so many octets of answer; its options are to be
 * set. FAIL_TEMP. */
int http_fresh(struct http *h, size_t max, struct err *e) MUST_CHECK;
/* Off it goes, if ok; FAIL_TEMP. */
int http_launch(struct http *h, bool ok, struct err *e) MUST_CHECK;

#endif
