/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Encoded words (RFC 2047) as text for people. What is decided by them can
 * only make a message safer (postseal-rules(5), also).
 */
#ifndef SMIME_WORDS_H
#define SMIME_WORDS_H

#include "util/buf.h"

/*
 * Append an unfolded value to out as one line of UTF-8: encoded words of
 * charsets that are known decoded, others left as they are; whatever a
 * control character, a line end among them, hides behind becomes a blank.
 */
void words_decode(struct view raw, struct buf *out);
/* The same, but words of other charsets are read as ASCII, which nearly all
 * contain; what is none of it becomes '?'. */
void words_decode_any(struct view raw, struct buf *out);
/* Append text as encoded words of UTF-8, folded. */
void words_encode(struct view text, struct buf *out);

#endif
