/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Header sections: fields with names and raw values, exact positions kept.
 * No meaning is given to a field here, but to the structural ones in
 * smime/ctype.h.
 */
#ifndef SMIME_HEADER_H
#define SMIME_HEADER_H

#include "util/spool.h"

/* One field; views point into the header's own copy of the text. */
struct field {
	struct view name;  /* "Subject" */
	struct view value; /* after the colon, folds inside, no final CRLF */
	struct view whole; /* name to final CRLF, as received */
};

struct header {
	struct buf text; /* the section as received, without the blank line */
	struct field *field;
	size_t n;
	uint64_t start;	   /* offset of the section */
	uint64_t body_off; /* first octet after the blank line */
	/* Defects that make a message ambiguous (RFC 5322 2.2, A41): */
	bool has_nul;
	bool has_bare_eol;  /* CR without LF, or LF without CR */
	bool has_bare_cr;   /* CR without LF: some read it as a line end */
	bool has_junk;	    /* a line that is neither field nor fold; an mbox
			       "From " line at the very start is none */
	bool has_8bit;
	bool no_blank_line; /* section ended by the end of the data */
};

/*
 * Read the header section that starts at off; stops at the blank line or
 * end. h is initialised by this and freed by header_free even on failure.
 * FAIL_LIMIT (caps.h), FAIL_TEMP. Defects are flags, not failures; a junk
 * line is kept as a field with an empty name.
 */
int header_read(struct header *h, const struct spool *s, uint64_t off,
    uint64_t end, struct err *e) MUST_CHECK;
/* The same from memory: text is the section without its blank line, which
 * is copied. start, body_off and no_blank_line are left to the caller. */
int header_parse(struct header *h, struct view text, struct err *e) MUST_CHECK;
void header_free(struct header *h);

/* The nth (from 0) field of this name, case-insensitive, or NULL. */
const struct field *header_get(const struct header *h, const char *name,
    size_t nth);
size_t header_count(const struct header *h, const char *name);
/* Is this a Content-* field or MIME-Version (moved with the entity)? */
bool field_is_mime(const struct field *f);
/* Value unfolded and trimmed, for reading by programs; appended to out. */
void field_unfold(const struct field *f, struct buf *out);

#endif
