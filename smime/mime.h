/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * MIME reader: pushed octets in, events out; iterative, linear, the same
 * for every way the input is cut into chunks. Knows RFC 2046 structure, no
 * transfer encoding and no CMS.
 */
#ifndef SMIME_MIME_H
#define SMIME_MIME_H

#include "smime/ctype.h"

enum mime_event {
	MIME_PART,	/* header of a part is complete: header, ctype set */
	MIME_BODY,	/* octets of a leaf's body, in chunks */
	MIME_PREAMBLE,	/* octets between a multipart's header and its
			   first delimiter, or after its last (epilogue) */
	MIME_DELIMITER, /* a whole delimiter line, with the CRLF before it
			   (unless that is the blank line of a header); the
			   CRLF after a close-delimiter is epilogue */
	MIME_END	/* part is over */
};

struct mime_part {
	int depth;		 /* 0 = root */
	char number[64];	 /* IMAP section "1.2", "" for the root */
	const struct ctype *ctype;
	const struct header *header;
	uint64_t start;		 /* offset of the part's header */
	uint64_t body;		 /* offset of its body */
	uint64_t end;		 /* at MIME_END: one after its last octet */
	bool is_leaf;		 /* no multipart, no message/rfc822 */
	/* MIME_DELIMITER: part is the multipart that it belongs to. */
	uint64_t delim;		 /* offset of its "--" */
	bool is_close;
	/* MIME_END: */
	bool is_unclosed;	 /* a multipart without close-delimiter */
	const char *defect;	 /* what else is wrong with this part itself,
				    "" if nothing */
};

struct mime_handler {
	void *arg;
	/* data is set for BODY, PREAMBLE, DELIMITER; -1 stops the reader. */
	int (*event)(void *arg, enum mime_event ev,
	    const struct mime_part *part, struct view data, struct err *e);
};

/* What the reader found wrong; "" when there is exactly one reading. */
struct mime_findings {
	char defect[160]; /* missing close-delimiter, ambiguous header of
			     part N, depth, parts ... */
	size_t parts;
};

/*
 * Read the entity (header and body) at [off, end) of s. Beyond depth or
 * part caps: FAIL_LIMIT. Parts inside message/rfc822 are entered when
 * enter_messages is set. Header sections beyond their caps: FAIL_LIMIT.
 */
int mime_read(const struct spool *s, uint64_t off, uint64_t end,
    bool enter_messages, const struct mime_handler *h,
    struct mime_findings *f, struct err *e) MUST_CHECK;

/*
 * The same, but parts of the root are not entered: bodies of nested
 * multiparts come as MIME_BODY and their boundaries mean nothing. This is
 * how RFC 1847 2.1 bounds the two parts of multipart/signed.
 */
int mime_read_flat(const struct spool *s, uint64_t off, uint64_t end,
    const struct mime_handler *h, struct mime_findings *f, struct err *e)
    MUST_CHECK;

/*
 * The push form beneath, for tests of chunk independence and for callers
 * without a spool.
 */
struct mime_reader;
int mime_reader_new(struct mime_reader **out, bool enter_messages,
    const struct mime_handler *h, struct err *e) MUST_CHECK;
int mime_reader_put(struct mime_reader *r, const void *p, size_t n,
    struct err *e) MUST_CHECK;
int mime_reader_end(struct mime_reader *r, struct mime_findings *f,
    struct err *e) MUST_CHECK;
void mime_reader_free(struct mime_reader **r);

#endif
