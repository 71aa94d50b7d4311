/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Replies of SMTP and LMTP (RFC 5321 4.2, RFC 3463), and what may stand in
 * commands.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "util/buf.h"

#define SMTP_LINE 2048 /* octets of a reply or command line we take */

struct smtp_reply {
	int code;	   /* 0: none came */
	char enhanced[12]; /* "5.7.1", or "" */
	char text[512];	   /* all lines, apart by blanks; printable ASCII */
};

/* A path as RCPT TO has it, "<...>" (RFC 5321 4.1.2): no control octets, no
 * blanks outside a quoted string, at most 1000 octets; A47. */
bool smtp_path_ok(const char *path);
/* One ESMTP parameter, "KEYWORD" or "KEYWORD=VALUE" (RFC 5321 4.1.2). */
bool smtp_param_ok(const char *param);

#endif
