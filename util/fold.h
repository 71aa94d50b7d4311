/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Text without regard to case, for finding words that people wrote: letters
 * of Latin, Greek and Cyrillic one by one, no locale. Never for addresses or
 * names of protocols.
 */
#ifndef UTIL_FOLD_H
#define UTIL_FOLD_H

#include "util/buf.h"

/* Append v in small letters; what is no UTF-8 stays as it is. Every character
 * gives exactly one. */
void fold_case(struct view v, struct buf *out);
/* The same of one character. */
uint32_t fold_char(uint32_t c);

#endif
