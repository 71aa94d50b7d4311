/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The canonical MIME entity that is signed or encrypted (RFC 8551 3.1):
 * only the Content-* fields of the message, CRLF line ends, 7-bit, nothing
 * that transit could change. Requirements S1-S19.
 */
#ifndef SMIME_CANON_H
#define SMIME_CANON_H

#include "smime/mime.h"

struct canon_info {
	size_t leaves;
	size_t reencoded; /* leaves whose transfer encoding changed */
	/* The entity is 7-bit, with no line over 990 and none that begins
	 * "From ": clear signing works. False only where such octets may not
	 * be touched, under an existing signature above all (S11): sign
	 * opaque. */
	bool is_7bit;
	bool has_signature; /* a signed or encrypted part lies inside */
};

/*
 * Write the canonical entity of the message at [off, end) of msg (header h
 * already read from there) to out, which should be empty. Leaves are
 * re-encoded only where some mail server could change them (text:
 * quoted-printable, others: base64). Preamble and epilogue of the outermost
 * multipart are dropped.
 * The entity always has a Content-Type; it ends with a line end
 * unless it is one leaf, not encoded, that had none (S13).
 *
 * FAIL_INPUT: ambiguous structure (S17-S19: what and where); FAIL_LIMIT;
 * FAIL_TEMP. RFC 8551 3.1.1-3.1.4.
 */
int canon_entity(const struct spool *msg, uint64_t off, uint64_t end,
    struct spool *out, struct canon_info *info, struct err *e) MUST_CHECK;

/*
 * Inbound sister (S5, A45): the entity at [off, end) as it may be given to
 * an MTA: bare CR and LF, NUL and overlong lines in leaves are re-encoded;
 * a clean one is copied octet for octet.
 */
int canon_deliverable(const struct spool *s, uint64_t off, uint64_t end,
    struct spool *out, struct err *e) MUST_CHECK;

#endif
