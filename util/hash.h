/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * FNV-1a, 32 bits: where in a table something stands. Whoever chooses the
 * text can choose the place: not for what must not collide.
 */
#ifndef UTIL_HASH_H
#define UTIL_HASH_H

#include "util/buf.h"

#define HASH_START 2166136261u

static inline uint32_t hash_octet(uint32_t h, unsigned char c)
{
	return (h ^ c) * 16777619u;
}

static inline uint32_t hash_view(uint32_t h, struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		h = hash_octet(h, v.p[i]);
	return h;
}

#endif
