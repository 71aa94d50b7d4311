/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What stands at the root of an entity: an S/MIME or PGP layer or ordinary
 * mail (RFC 8551 3.10, RFC 1847). Labels decide only where to look; what a
 * CMS object is, its own OID says (smime/cms.h). A file name alone is no
 * label: then the object is read to see if it is one (S28).
 */
#ifndef SMIME_SHAPE_H
#define SMIME_SHAPE_H

#include "smime/ctype.h"

enum shape_kind {
	SHAPE_PLAIN,	    /* nothing of ours */
	SHAPE_CLEAR_SIGNED, /* multipart/signed, pkcs7 protocol or micalg */
	SHAPE_PKCS7,	    /* application/pkcs7-mime or .p7m octet-stream */
	SHAPE_PGP_SIGNED,
	SHAPE_PGP_ENCRYPTED,
	SHAPE_BROKEN /* labelled as S/MIME, but S17 or S23 forbid belief */
};

struct shape {
	enum shape_kind kind;
	enum cte cte;	       /* of the PKCS7 body */
	uint64_t body, end;    /* of the entity's body */
	/* CLEAR_SIGNED: the signed octets, MIME header of the part to the
	 * CRLF before the delimiter, that CRLF excluded (RFC 1847 2.1), and
	 * the body of the signature part with its encoding. */
	uint64_t part, part_end;
	uint64_t sig, sig_end;
	enum cte sig_cte;
	char smime_type[32]; /* as labelled, lower case, "" if absent */
	char micalg[32];
	char defect[160]; /* for BROKEN: what and which rule */
};

/* FAIL_TEMP or FAIL_LIMIT only. ct and h describe the entity [.., end). */
int shape_read(struct shape *sh, const struct spool *s,
    const struct header *h, const struct ctype *ct, uint64_t end,
    struct err *e) MUST_CHECK;
/* May a part of this type, below the root, be an S/MIME layer? */
bool shape_may_be(const struct ctype *ct);

#endif
