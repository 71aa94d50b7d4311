/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The bulk of base64 (RFC 2045 6.8), many octets at a time, where the CPU
 * can. Does whole lines and whole blocks only: what is left, and whatever is
 * out of the ordinary, codec.c does octet by octet. For codec.c.
 */
#ifndef SMIME_B64_BULK_H
#define SMIME_B64_BULK_H

#include <stdbool.h>
#include <stddef.h>

#define B64_LINE 76	 /* characters of a line */
#define B64_LINE_IN 57	 /* octets that make one */
#define B64_BULK_PAST 24 /* octets behind its output that it may overwrite */

/*
 * Encode octets of p into at most so many whole lines with CRLF. How many
 * lines were made; 0 on a CPU that cannot, or when there are too few octets.
 */
size_t b64_bulk_encode(unsigned char *o, const unsigned char *p, size_t n,
    size_t lines);

/*
 * Decode lines of p, CRLF or none at their ends, up to about the first octet
 * that is something else. How many octets of p were used, always whole
 * quads; *made of o were written.
 */
size_t b64_bulk_decode(unsigned char *o, const unsigned char *p, size_t n,
    size_t *made);

/* Off: as on a CPU that cannot. For tests. */
void b64_bulk_use(bool is_on);

#endif
