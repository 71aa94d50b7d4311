/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The octets of a CMS object, wherever in them: in a spool as they are, or
 * behind base64 that is so regular that every place in it can be computed.
 * That needs no second copy of the message. For use inside smime/.
 */
#ifndef SMIME_OCTETS_H
#define SMIME_OCTETS_H

#include "util/spool.h"

struct octets {
	const struct spool *s;
	uint64_t off;  /* of the text in s; 0 of plain octets */
	uint64_t end;
	uint64_t size; /* octets that there are */
	/* Base64; 0 of plain octets: */
	size_t line;  /* octets of a line */
	size_t width; /* characters of a line with its end */
	uint64_t tail; /* octets in whole lines; the rest comes behind */
};

/* All of a spool as it is; s borrowed. */
struct octets octets_of(const struct spool *s);

/*
 * Is [off, end) of s base64 in lines of one length, with nothing that a
 * decoder would have to skip? All of it is looked at. 1 and *o reads the
 * same octets as the decoder of codec.h writes; 0: it is not; -1 FAIL_TEMP.
 */
int octets_of_base64(struct octets *o, const struct spool *s, uint64_t off,
    uint64_t end, struct err *e) MUST_CHECK;

/* As spool_read. */
int octets_read(const struct octets *o, uint64_t off, void *p, size_t n,
    size_t *got, struct err *e) MUST_CHECK;

#endif
