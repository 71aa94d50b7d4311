/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Base64 as SASL exchanges have it (RFC 4648 4, RFC 4954 4): one line, strict.
 */
#ifndef SMTP_BASE64_H
#define SMTP_BASE64_H

#include "util/buf.h"

/* Append. */
void base64_encode(struct buf *out, struct view v);
/* Append what text says; -1, and what was appended is void: it is none
 * (blanks, padding that is missing or not at the end, bits behind the end). */
int base64_decode(struct buf *out, struct view text) MUST_CHECK;

#endif
