/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Raw 8-bit header fields of parts as 7-bit ones (S10). For use inside
 * smime/.
 */
#ifndef SMIME_HDRENC_H
#define SMIME_HDRENC_H

#include "smime/ctype.h"

/*
 * Append the field (to its CRLF) to out, its 8-bit octets encoded: by RFC
 * 2231 in parameters of Content-Type and Content-Disposition, by RFC 2047
 * in unstructured fields. *done is false, and nothing appended, where
 * neither can say the same. FAIL_TEMP.
 */
int hdrenc_field(const struct field *f, struct buf *out, bool *done,
    struct err *e) MUST_CHECK;

/* Is it known that a field of this name is free text (RFC 5322 2.2.1)? */
bool hdrenc_is_unstructured(struct view name);
/* Append v as encoded words, folded. */
void hdrenc_words(struct buf *out, struct view v);
/* Append one parameter on a line of its own: quoted, or in the form of RFC
 * 2231 when it is not ASCII or has a charset. */
void hdrenc_param(struct buf *out, const struct ctype_param *p);

#endif
