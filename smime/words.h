/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Encoded words (RFC 2047) as text for people. Nothing is decided by what
 * they say.
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

#endif
