/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A connection to the next hop for one message: ESMTP (RFC 5321) or LMTP
 * (RFC 2033) to a configured address on this host or next to it, blocking,
 * with a deadline. The conversation itself is smtp/single. The one file of
 * this room that does I/O.
 */
#ifndef SMTP_HOP_H
#define SMTP_HOP_H

#include "smtp/single.h"
#include "util/spool.h"

/*
 * Where to: "smtp:ADDRESS:PORT", "smtp:unix:/PATH", "lmtp:ADDRESS:PORT",
 * "lmtp:unix:/PATH". ADDRESS is numeric, an IPv6 one in brackets.
 */
#define HOP_SPEC_MAX 200 /* octets of one */
bool hop_spec_ok(const char *spec);

struct hop_call {
	const char *spec;
	const char *helo; /* who we say we are */
	int64_t until_ms; /* of CLOCK_MONOTONIC, in milliseconds */
	int64_t tick_ms;  /* how often tick is called while we wait */
	void (*tick)(void *arg);
	/*
	 * Everything but the end of the data has been sent and sock is where
	 * the answer will come: now or never. Not 0: give up; the next hop
	 * has nothing then. NULL: none. The answer is only looked at then
	 * (MSG_PEEK): whoever got a duplicate of sock can still read it, if
	 * we end before we can say what it was.
	 */
	int (*before_end)(void *arg, int sock, struct err *e);
	void *arg;
};

/*
 * Send octets [off, off + size) of s, a whole message with CRLF line ends,
 * whose recipients are in m (their replies are filled). Over SMTP all
 * recipients or none: one that is refused ends it before the data.
 *
 * 0: the conversation took place, m says what became of whom. -1 FAIL_TEMP:
 * no connection, it broke, or time was up; m->is_unknown then tells that the
 * end of the data was sent and no answer came (RFC 1047). FAIL_INPUT: what
 * it needs is not offered (SMTPUTF8, REQUIRETLS, 8BITMIME), or an address or
 * parameter may not stand in a command (A47).
 */
int hop_send(const struct hop_call *c, struct smtp_mail *m,
    const struct spool *s, uint64_t off, uint64_t size, struct err *e)
    MUST_CHECK;

#endif
