/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * CompressedData (RFC 3274), reading only: we never make it, because mail
 * programs show it as an attachment. One level; what comes out is looked at
 * by the caller like any other entity.
 */
#ifndef SMIME_EXPAND_H
#define SMIME_EXPAND_H

#include "smime/cms.h"

/*
 * Expand c into quarantine, which on any failure is emptied. Never expand
 * before the signature or the tag around it has been checked (S145).
 *
 * FAIL_INPUT: not CompressedData, another algorithm than zlib (the text
 * names it), damaged, cut off, or octets after the stream; FAIL_LIMIT: more
 * than CAP_EXPANDED, or more than CAP_EXPANSION_RATIO times its compressed
 * size; FAIL_TEMP.
 */
int cms_expand(const struct cms *c, struct spool *quarantine, struct err *e)
    MUST_CHECK;

#endif
