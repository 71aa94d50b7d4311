/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Comma-separated values (RFC 4180), read strictly: what two programs could
 * read in two ways is refused.
 */
#ifndef CLI_CSV_H
#define CLI_CSV_H

#include "util/buf.h"

#define CSV_FIELDS 64
#define CSV_RECORD 65536 /* octets of a record */

struct csv {
	struct view v; /* what is left */
	size_t line;   /* of its first octet, from 1 */
	char separator;
};
struct csv_record {
	struct buf text;	  /* owned: fields, each with its NUL */
	size_t start[CSV_FIELDS]; /* offsets in it */
	size_t n;
	size_t line; /* where it begins */
};

/* A byte-order mark is stepped over. The separator is the first of comma,
 * semicolon and tab in the first line, for spreadsheets differ. */
void csv_init(struct csv *c, struct view text);
/*
 * The next record that is not empty: 1 one is there, 0 the end, -1
 * FAIL_INPUT with the line in the text (the record is stepped over, so going
 * on is safe), FAIL_LIMIT, FAIL_TEMP. r is zero before the first call.
 */
int csv_next(struct csv *c, struct csv_record *r, struct err *e) MUST_CHECK;
void csv_record_free(struct csv_record *r);
const char *csv_field(const struct csv_record *r, size_t i); /* or "" */

/* A field, quoted where it must be, appended. */
void csv_put(struct buf *out, const char *field);

#endif
