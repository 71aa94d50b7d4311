/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * An open tunnel to a daemon that believes XCLIENT from us, or could: the
 * client's octets pass as they are, but that command never does (T67), also
 * when the gate is open since long; nor does what IMAP has in its place, ID
 * with fields of proxies ("x-originating-ip"), until the login is done. Pure.
 */
#ifndef RELAY_TUNNEL_WATCH_H
#define RELAY_TUNNEL_WATCH_H

#include "util/buf.h"

#define WATCH_TAGS 64

struct watch {
	bool is_imap;
	bool in_data;	 /* the daemon said 354: lines are of a message */
	bool awaits;	 /* DATA was the last that the client said */
	bool is_spoiled; /* nobody knows any more when there is a message, or
			  * whether a login is done */
	/* of the client's line */
	char head[9];	 /* its first octets that are no blanks, upper case */
	size_t heads, at;
	uint32_t four;	 /* its last octets, upper case */
	bool has_data;	 /* "DATA" is in it somewhere */
	bool after_cr;
	/* of the client's line, in IMAP */
	unsigned words;	 /* that ended; the second is the command */
	char last;	 /* its last octet */
	bool is_id;
	char tag[16];	 /* its first word as it came, and a sum of it */
	size_t tag_n;
	uint32_t sum;
	uint32_t sums[WATCH_TAGS]; /* of the lines before the login is done */
	size_t tags;
	char login[16];	 /* the tag that the answer to it will have */
	size_t login_n;
	bool is_in;	 /* the daemon said OK to it */
	/* of the daemon's line */
	char code[20];
	size_t code_n;
};

/* How many octets of v may pass; fewer than v.n: behind them stands what must
 * not, and it is over. */
size_t watch_client(struct watch *w, struct view v);
void watch_server(struct watch *w, struct view v);

#endif
