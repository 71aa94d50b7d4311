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

#define SCAN_LINE_MAX 998  /* octets of a line without CRLF */
#define SCAN_LINE_SAFE 990 /* Sendmail breaks longer ones */
/* Mailboxes put '>' before ">From " as well, or take one away. */
#define SCAN_QUOTES 60

enum scan_flag {
	SCAN_8BIT = 1,	 /* octets of 0x80 and up */
	SCAN_NUL = 2,
	SCAN_CR = 4,	 /* CR without LF */
	SCAN_LF = 8,	 /* LF without CR */
	SCAN_LONG = 16,	 /* a line of more than SCAN_LINE_MAX */
	SCAN_FROM = 32,	 /* a line that begins "From ", ">From " ... */
	SCAN_BLANK = 64, /* a line that ends in SP or TAB */
	SCAN_CRLF = 128, /* a line end as it should be */
	SCAN_DOT = 256, /* a line that begins with a dot */
	SCAN_WIDE = 512, /* a line of more than SCAN_LINE_SAFE */
	SCAN_CONTROL = 1024, /* controls that no text has; NUL is one */
	SCAN_BINARY = SCAN_NUL | SCAN_CR | SCAN_LONG,
	/* What some mail server changes (S6-S9), or what readers of decrypted
	 * mail take for noise (A1). */
	SCAN_FRAGILE = SCAN_8BIT | SCAN_BINARY | SCAN_FROM | SCAN_BLANK |
	    SCAN_DOT | SCAN_WIDE | SCAN_CONTROL
};

/* Chunk-size independent; zeroed by the caller at first. */
struct scan {
	unsigned flags;
	uint64_t col; /* octets of the line so far */
	unsigned char last; /* octet of the line, 0 at its start */
	unsigned char quotes; /* '>' before "From " */
	unsigned char from;   /* octets of "From " that the line begins with */
	bool is_other;	      /* the line does not begin so */
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
