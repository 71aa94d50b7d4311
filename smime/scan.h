/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What octets hold that transit may change (RFC 8551 3.1.2-3.1.4, RFC 5321
 * 4.5.3.1.6), and the line ends that they should have. For use inside
 * smime/.
 */
#ifndef SMIME_SCAN_H
#define SMIME_SCAN_H

#include <stdint.h>

#include "util/sink.h"

#define SCAN_LINE_MAX 998 /* octets of a line without CRLF */

enum scan_flag {
	SCAN_8BIT = 1,	 /* octets of 0x80 and up */
	SCAN_NUL = 2,
	SCAN_CR = 4,	 /* CR without LF */
	SCAN_LF = 8,	 /* LF without CR */
	SCAN_LONG = 16,	 /* a line of more than SCAN_LINE_MAX */
	SCAN_FROM = 32,	 /* a line that begins "From " */
	SCAN_BLANK = 64, /* a line that ends in SP or TAB */
	SCAN_CRLF = 128, /* a line end as it should be */
	SCAN_BINARY = SCAN_NUL | SCAN_CR | SCAN_LONG
};

/* Chunk-size independent; zeroed by the caller at first. */
struct scan {
	unsigned flags;
	uint64_t col; /* octets of the line so far */
	unsigned char first[5];
	unsigned char last; /* octet of the line, 0 at its start */
	bool cr;	    /* the last octet was CR */
};
void scan_put(struct scan *s, struct view v);
unsigned scan_end(struct scan *s); /* the flags */

/* LF becomes CRLF where no CR precedes; nothing else changes. */
struct crlf {
	struct sink to;
	bool cr;
};
struct sink crlf_sink(struct crlf *x);

#endif
