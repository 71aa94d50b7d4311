/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Handing a notice of our own to a mail server, as a transfer like those of
 * http.h. Not for mail that goes through the gateway.
 */
#ifndef FETCH_SUBMIT_H
#define FETCH_SUBMIT_H

#include "fetch/http.h"

/* By SMTP to one recipient, with the null sender, so that nothing comes back
 * (RFC 5321 4.5.5). */
struct submission {
	const char *where; /* "127.0.0.1:25"; without TLS: this machine */
	const char *helo;  /* our name */
	const char *to;
	struct view mail;  /* CRLF lines, 7 bit; copied */
};

/* Begin; then as http_begin(). FAIL_TEMP: with what the server said. */
int submit_begin(struct http *h, const struct submission *s, struct err *e)
    MUST_CHECK;
/* All of it, for who has nothing else to do. */
int submit_mail(const struct submission *s, int64_t timeout_ms,
    struct err *e) MUST_CHECK;

#endif
