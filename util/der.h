/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * DER writer and BER reader for structures in memory (ITU-T X.690). No
 * ASN.1 compiler, no libcrypto. Large objects are walked in a spool by
 * smime/walk.h instead.
 */
#ifndef UTIL_DER_H
#define UTIL_DER_H

#include "util/buf.h"

enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_UTF8 = 0x0c,
	DER_IA5 = 0x16,
	DER_UTCTIME = 0x17,
	DER_GENTIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_CTX0 = 0xa0, /* [0] constructed; + n for [n] */
	DER_CTX0_PRIM = 0x80
};

/*
 * Writer that fills its array from the end, so lengths need no second pass:
 * write the last element first, then put headers in front. Sticky failure
 * when the array is full.
 */
struct der_w {
	unsigned char *b;
	size_t cap;
	size_t pos; /* what is written is b[pos..cap) */
	bool failed;
};

void der_w_init(struct der_w *w, void *mem, size_t cap);
size_t der_w_mark(const struct der_w *w); /* octets written so far */
void der_w_raw(struct der_w *w, const void *p, size_t n);
void der_w_view(struct der_w *w, struct view v);
/* Header with this tag in front of all that was written since mark. */
void der_w_wrap(struct der_w *w, int tag, size_t mark);
void der_w_tlv(struct der_w *w, int tag, const void *p, size_t n);
/* Elements of a SET OF in DER order (sorts v), with the header. */
void der_w_set_of(struct der_w *w, int tag, struct view *v, size_t n);
/* UTCTime to 2049, GeneralizedTime after (RFC 5652 11.3). */
void der_w_time(struct der_w *w, int64_t t);
struct view der_w_result(const struct der_w *w);

/* One element: tag octet, content octets, and the whole with header. */
struct der {
	int tag;
	struct view val;
	struct view whole;
};

/*
 * Take the next element off in (BER: indefinite length and constructed
 * strings are stepped over as a whole; high tag numbers are refused). in
 * and out may be members of the same chain of structures. -1 and in
 * unchanged on anything malformed or nested deeper than CAP_CMS_DEPTH.
 * For indefinite length, val excludes the end-of-contents octets.
 */
int der_next(struct view *in, struct der *out) MUST_CHECK;
/* As der_next, but -1 unless the tag is this one. */
int der_get(struct view *in, int tag, struct der *out) MUST_CHECK;
/* Take it if the next tag is this one: 1 taken, 0 not there, -1 broken. */
int der_opt(struct view *in, int tag, struct der *out) MUST_CHECK;
/* Small non-negative INTEGER. -1 when negative or beyond 2^31-1. */
int der_uint(const struct der *d, uint32_t *x) MUST_CHECK;
/* Is all of v well-formed DER: definite, minimal lengths, SET OF sorted? */
bool der_is_strict(struct view v);
/* UTCTime or GeneralizedTime ("...Z" with seconds) to seconds. */
int der_time(const struct der *d, int64_t *t) MUST_CHECK;
/* Dotted form of an OID's content octets for messages; dst always ends in
 * NUL ("?" when malformed). Returns dst. */
const char *der_oid_str(struct view oid, char *dst, size_t size);

#endif
