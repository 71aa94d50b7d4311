/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The grammar that Content-Type and Content-Disposition share: a head and
 * parameters (RFC 2045 5.1, RFC 2183 2, RFC 2231). For use inside smime/.
 */
#ifndef SMIME_PARAMS_H
#define SMIME_PARAMS_H

#include "smime/ctype.h"

struct params {
	char head[128]; /* "text/plain", "attachment"; lower case, "" if bad */
	struct ctype_param *param;
	size_t n;
	char defect[128]; /* as in struct ctype */
};

/*
 * Read an unfolded field value. is_type: the head is type/subtype. p is
 * initialised by this and freed by params_free even on failure. FAIL_TEMP.
 */
int params_read(struct params *p, struct view raw_value, bool is_type,
    struct err *e) MUST_CHECK;
void params_free(struct params *p);
const struct ctype_param *params_get(const struct params *p, const char *name);
bool params_is_tchar(unsigned char c); /* RFC 2045 5.1 token */

/* Keep the first defect only, cut to size. */
void defect_note(char *dst, size_t size, const char *text);

/* Past blanks and comments; -1 when a comment is not closed. *odd is set
 * for a comment that a reader without comments would take for more. */
int cfws_skip(struct view v, size_t *pos, bool *odd) MUST_CHECK;

#endif
