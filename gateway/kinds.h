/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the parts of a message are, by their content: libmagic's word for the
 * first octets of each, transfer encoding off. Labels and file names count
 * for nothing. Archives and documents are not opened.
 */
#ifndef GATEWAY_KINDS_H
#define GATEWAY_KINDS_H

#include "util/spool.h"

struct kinds {
	/* Something could not be read in exactly one way, is sealed so that
	 * nobody sees inside, or was too much: it may be anything. */
	const char *unclear; /* what, in words; NULL: nothing was */
	struct buf types;    /* each once, a line each */
};

/* Load libmagic's database for this process, once; a process that may open
 * no files does so before. FAIL_CONFIG. */
int kinds_open(struct err *e) MUST_CHECK;
void kinds_close(void);

/* Of the message in s. Opens the database if that was not done. out is
 * initialised by this. FAIL_TEMP, FAIL_CONFIG. */
int kinds_read(struct kinds *out, const struct spool *s, struct err *e)
    MUST_CHECK;
void kinds_free(struct kinds *k);
/* Is, or may, any part be of this type, "image/" for all of that kind? */
bool kinds_has(const struct kinds *k, const char *type);

#endif
