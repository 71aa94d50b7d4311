/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The parts of an entity as a table: where they are, what they hold, and
 * which of them may not be touched. For canon.c.
 */
#ifndef SMIME_SURVEY_H
#define SMIME_SURVEY_H

#include "smime/mime.h"
#include "smime/scan.h"
#include "util/caps.h"

/* What keeps content under another signature out of a clear one. Not blanks
 * at the ends of lines and dots: signed text is full of them, hardly a mail
 * server changes them today, and the opaque form has fewer readers. */
#define PART_DIRT (SCAN_FRAGILE & ~(unsigned)(SCAN_BLANK | SCAN_DOT))

enum part_kind { PART_LEAF, PART_MULTIPART, PART_MESSAGE };

struct part {
	enum part_kind kind;
	int depth;
	size_t parent;
	uint64_t start, body, end;
	uint64_t first; /* multipart: offset of the first delimiter's "--" */
	uint64_t close; /* ... of what follows the close-delimiter, or 0 */
	enum cte cte;
	bool is_first;	 /* of its parent's parts */
	bool is_text;	 /* text type */
	bool is_message; /* message type that may not be encoded */
	bool is_sealed;	 /* signed or encrypted content */
	bool is_frozen;	 /* copied untouched, with all that it holds */
	bool has_sealed; /* frozen for something that is_sealed in it */
	bool is_raw;	 /* frozen, LF in it is an octet, not a line end */
	bool is_skipped; /* inside a frozen part */
	bool has_odd_header; /* what transit may change */
	struct scan scan; /* of body octets, multipart: of its remarks */
	unsigned flags;	  /* its result */
	/* Decided by canon.c: */
	enum cte new_cte;
	bool is_recoded;
	unsigned dirty; /* scan flags of what stays in it */
};

struct survey {
	const struct spool *s;
	struct part *part;
	size_t n;
	size_t size;
	bool is_outbound;
	size_t open[CAP_MIME_DEPTH + 1];
	char defect[256]; /* what forbids to process it, "" */
};

/*
 * Read the tree. is_outbound: content under signatures is frozen (S11),
 * fragments are refused (S19). FAIL_INPUT: ambiguous structure outside
 * attached messages; FAIL_LIMIT; FAIL_TEMP.
 */
int survey_read(struct survey **out, const struct spool *s, uint64_t off,
    uint64_t end, bool is_outbound, struct err *e) MUST_CHECK;
void survey_free(struct survey **sv);

/* Set dirty and is_raw of a frozen part by its octets. */
int survey_scan_frozen(const struct survey *sv, struct part *p, struct err *e)
    MUST_CHECK;
struct sink survey_scan_sink(struct scan *scan);

#endif
