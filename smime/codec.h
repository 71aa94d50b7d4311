/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Transfer encodings as sinks and sources (RFC 2045 6.7, 6.8), chunk-size
 * independent.
 */
#ifndef SMIME_CODEC_H
#define SMIME_CODEC_H

#include "smime/ctype.h"
#include "util/sink.h"

/* Base64 encoder: lines of 76, CRLF after each, the last one too. */
struct b64_enc {
	struct sink to;
	unsigned char rest[3];
	size_t rest_n;
	size_t col;
};
void b64_enc_init(struct b64_enc *x, struct sink to);
int b64_enc_put(struct b64_enc *x, const void *p, size_t n, struct err *e)
    MUST_CHECK;
int b64_enc_end(struct b64_enc *x, struct err *e) MUST_CHECK;
struct sink b64_enc_sink(struct b64_enc *x);

/*
 * Base64 decoder, tolerant as RFC 2045 6.8 asks: octets outside the
 * alphabet are skipped and counted, missing padding is forgiven; after
 * padding nothing of the alphabet may follow but is counted as junk.
 */
struct b64_dec {
	struct sink to;
	uint32_t acc;
	int bits;
	bool padded;
	size_t junk; /* odd octets seen, line ends and blanks not counted */
};
void b64_dec_init(struct b64_dec *x, struct sink to);
int b64_dec_put(struct b64_dec *x, const void *p, size_t n, struct err *e)
    MUST_CHECK;
int b64_dec_end(struct b64_dec *x, struct err *e) MUST_CHECK;
struct sink b64_dec_sink(struct b64_dec *x);

/*
 * Quoted-printable encoder for text: CRLF stays a line end, everything
 * that transit could harm is encoded: octets over 126, controls, trailing
 * SP and TAB (S7), a first '.' (S8), "From " (S6), a first "--" that could
 * be taken for a delimiter, lone CR or LF.
 */
struct qp_enc {
	struct sink to;
	unsigned char line[80];
	size_t n;
	/* octets held back because what follows decides: see codec.c */
	unsigned char held[2];
	size_t held_n;
};
void qp_enc_init(struct qp_enc *x, struct sink to);
int qp_enc_put(struct qp_enc *x, const void *p, size_t n, struct err *e)
    MUST_CHECK;
int qp_enc_end(struct qp_enc *x, struct err *e) MUST_CHECK;
struct sink qp_enc_sink(struct qp_enc *x);

/* Decoder: malformed =XX passes through as it is and is counted. */
struct qp_dec {
	struct sink to;
	unsigned char held[80];
	size_t held_n;
	size_t junk;
};
void qp_dec_init(struct qp_dec *x, struct sink to);
int qp_dec_put(struct qp_dec *x, const void *p, size_t n, struct err *e)
    MUST_CHECK;
int qp_dec_end(struct qp_dec *x, struct err *e) MUST_CHECK;
struct sink qp_dec_sink(struct qp_dec *x);

/*
 * Decode octets [off, end) of s by cte into to (7bit, 8bit, binary and
 * unknown: copied). *junk (may be NULL) counts odd octets.
 */
int codec_decode(const struct spool *s, uint64_t off, uint64_t end,
    enum cte cte, const struct sink *to, size_t *junk, struct err *e)
    MUST_CHECK;

#endif
