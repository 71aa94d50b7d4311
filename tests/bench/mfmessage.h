/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A message as an MTA hands it to a filter, and what becomes of it when
 * the filter's edits are applied by the rules of Postfix or of Sendmail.
 */
#ifndef TESTS_BENCH_MFMESSAGE_H
#define TESTS_BENCH_MFMESSAGE_H

#include <stdio.h>

#include "util/buf.h"

struct mf_header {
	char *name;
	char *value; /* all after the colon, folds with LF */
};

struct mf_message {
	struct mf_header *header;
	size_t headers;
	struct buf body; /* CRLF line ends, ends with one unless empty */
	bool lf;	 /* the file had bare LF */
	size_t size;	 /* of the file */
};

/* Read a message file; either line end. FAIL_INPUT, FAIL_TEMP. */
int mfmessage_read(struct mf_message *m, const char *path, struct err *e)
    MUST_CHECK;
void mfmessage_free(struct mf_message *m);

struct mf_result;

/*
 * Write the message as the MTA would have it after the edits in r, with the
 * line ends of the file that it came from.
 *
 * sendmail  index semantics of Sendmail (deleted fields keep their place in
 *           the count) in place of Postfix's (they do not).
 */
int mfmessage_write(const struct mf_message *m, const struct mf_result *r,
    bool sendmail, FILE *out, struct err *e) MUST_CHECK;

#endif
