/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Internals of smime/cms.h, shared by the files of smime/ that read CMS.
 * All views point into the skeleton.
 */
#ifndef SMIME_CMS_INT_H
#define SMIME_CMS_INT_H

#include "smime/cms.h"
#include "smime/oid.h"
#include "smime/walk.h"
#include "util/der.h"

/* AlgorithmIdentifier. */
struct cms_alg {
	struct view oid;
	struct view param; /* the whole element; empty when absent */
};

struct cms_signer {
	bool by_ski;
	struct view id; /* IssuerAndSerialNumber whole, or SKI octets */
	struct cms_alg digest;
	struct view attrs; /* whole [0] element, empty when absent */
	struct cms_alg sig_alg;
	struct view signature;
};

struct cms {
	enum cms_type type;
	struct octets der;
	struct spool *decoded; /* owned; NULL: they are read in the message */
	struct buf skel;
	bool has_content;
	size_t junk; /* octets that the decoder skipped */
	struct walk_el content; /* the content's outermost element */
	uint64_t content_size;

	/* SignedData, CompressedData */
	struct view econtent_type;

	/* CompressedData */
	uint32_t version;
	struct cms_alg compression;

	/* SignedData */
	struct view digests; /* contents of digestAlgorithms */
	struct view certs;   /* contents of certificates */
	struct cms_signer *signer;
	size_t signers;

	/* EnvelopedData, AuthEnvelopedData */
	struct cms_rid *rid;
	size_t rids;
	size_t rid_room;
	struct cms_alg cipher_alg;
	struct cms_cipher cipher;
	enum oid cipher_oid;
	unsigned allowed; /* CMS_ALLOW_* */
	struct view iv;
	struct view mac;
	size_t tag_inside; /* octets of a tag at the end of the content */
	struct view auth_attrs; /* whole [1] element, empty when absent */
};

/* The contents of an AlgorithmIdentifier; -1 when they are none. */
int cms_alg_content(struct view content, struct cms_alg *a) MUST_CHECK;
/* AlgorithmIdentifier at *in; -1 when it is none. */
int cms_alg_get(struct view *in, struct cms_alg *a) MUST_CHECK;
/* Parameters absent or NULL? */
bool cms_alg_is_plain(const struct cms_alg *a);
/* Same algorithm, absent parameters being equal to NULL? */
bool cms_alg_eq(const struct cms_alg *a, const struct cms_alg *b);

/* Attributes as they are digested: with the tag of the SET OF that they
 * are instead of the implicit one (RFC 5652 5.4, RFC 5083 2.2). */
void cms_put_as_set(struct buf *out, struct view attrs);

/* Fill c from its finished skeleton (cms_parse.c). */
int cms_parse(struct cms *c, struct err *e) MUST_CHECK;
/* Judge cipher_alg against content type and allowed (cms_cipher.c). */
void cms_judge_cipher(struct cms *c);

#endif
