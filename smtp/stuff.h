/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Dot-stuffing (RFC 5321 4.5.2) of a message with CRLF line ends that comes
 * in pieces: appended to out. A bare CR or LF would be another message to
 * somebody (A45): FAIL_BUG.
 */
#ifndef SMTP_STUFF_H
#define SMTP_STUFF_H

#include "util/buf.h"

struct smtp_stuff {
	unsigned char last[2]; /* octets before this piece */
};
void smtp_stuff_init(struct smtp_stuff *s);
int smtp_stuff_put(struct smtp_stuff *s, struct view v, struct buf *out,
    struct err *e) MUST_CHECK;
/* What is missing of the last line's end. */
void smtp_stuff_end(const struct smtp_stuff *s, struct buf *out);

#endif
