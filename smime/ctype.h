/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Content-Type, Content-Transfer-Encoding and Content-Disposition, parsed
 * strictly (RFC 2045 5.1, 6.1; RFC 2183; RFC 2231). One reading or a
 * defect: two parsers must not disagree about a message (A41).
 */
#ifndef SMIME_CTYPE_H
#define SMIME_CTYPE_H

#include "smime/header.h"

enum cte { CTE_7BIT, CTE_8BIT, CTE_BINARY, CTE_QP, CTE_BASE64, CTE_UNKNOWN };

struct ctype_param {
	char *name;  /* lower case, RFC 2231 pieces joined */
	char *value; /* unquoted; charset'lang' part and %XX decoded */
	char charset[32]; /* of an RFC 2231 value, "" if none was given */
};

struct ctype {
	char type[128]; /* "text/plain", lower case */
	struct ctype_param *param;
	size_t params;
	enum cte cte;
	char filename[256]; /* of Content-Disposition, else name=, else "" */
	bool is_attachment;
	/* First defect found (duplicate field or parameter, unparsable,
	 * NUL, encoded word in a parameter, CTE on a composite type ...);
	 * "" when there is exactly one reading. What everybody sends and
	 * nobody reads differently in effect is none: encoded words in
	 * file names, file names with blanks and no quotes. */
	char defect[128];
};

/*
 * Read the structural fields of h. Absent ones have the defaults of RFC
 * 2045 5.2 (text/plain; charset=us-ascii, 7bit). Freed by ctype_free also
 * on failure. FAIL_TEMP only: what is wrong with the mail is in defect.
 */
int ctype_read(struct ctype *ct, const struct header *h, struct err *e)
    MUST_CHECK;
void ctype_free(struct ctype *ct);
/* Parameter value or NULL; name in lower case. */
const char *ctype_param(const struct ctype *ct, const char *name);
bool ctype_is(const struct ctype *ct, const char *type);
bool ctype_is_multipart(const struct ctype *ct);
bool ctype_is_message(const struct ctype *ct);

#endif
