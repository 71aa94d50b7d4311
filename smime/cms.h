/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A CMS object (RFC 5652) split by our own walker into a skeleton
 * (everything but the content, a few kB) and a content stream in a spool.
 * Strict about structure and caps, tolerant about BER. Nothing here trusts
 * or decrypts.
 */
#ifndef SMIME_CMS_H
#define SMIME_CMS_H

#include "smime/ctype.h"
#include "util/cert.h"

enum cms_type {
	CMS_SIGNED = 1,
	CMS_ENVELOPED,
	CMS_AUTH_ENVELOPED,
	CMS_COMPRESSED,
	CMS_OTHER /* a ContentInfo, but of no type that we process */
};

struct cms;

/*
 * Decode [off, end) of msg by cte and walk it. The content is read in msg,
 * where it can be: msg must stay as it is until cms_free. FAIL_INPUT: no
 * ContentInfo, malformed, or octets after it (RFC 5652 3); FAIL_LIMIT: a cap
 * of caps.h; FAIL_TEMP.
 */
int cms_read(struct cms **out, const struct spool *msg, uint64_t off,
    uint64_t end, enum cte cte, struct err *e) MUST_CHECK;
void cms_free(struct cms **c);

enum cms_type cms_type(const struct cms *c);
bool cms_has_content(const struct cms *c); /* eContent or encryptedContent */
/* Octets that its transfer encoding does not know, or after its padding?
 * Decoders skip them (RFC 2045 6.8); people read them. */
bool cms_has_junk(const struct cms *c);
/* The walker's product: well-formed BER without the content octets. */
struct view cms_skeleton(const struct cms *c);
uint64_t cms_content_size(const struct cms *c); /* octets, unchunked */

/* Reads the content octets in order (constructed strings joined). */
struct cms_content;
int cms_content_open(struct cms_content **out, const struct cms *c,
    struct err *e) MUST_CHECK;
/* An empty view at the end; the view holds until the next call. */
int cms_content_next(struct cms_content *cc, struct view *chunk,
    struct err *e) MUST_CHECK;
void cms_content_free(struct cms_content **cc);

/*
 * EnvelopedData and AuthEnvelopedData: recipients, each a key identifier
 * inside a RecipientInfo (a KeyAgreeRecipientInfo has several).
 */
struct cms_rid {
	bool by_ski;
	struct view id; /* IssuerAndSerialNumber whole, or SKI octets */
	struct view ri; /* the whole RecipientInfo element */
	bool agree;	/* KeyAgreeRecipientInfo */
};
size_t cms_rids(const struct cms *c);
const struct cms_rid *cms_rid(const struct cms *c, size_t i);

/*
 * Content encryption. supported: allow-listed cipher in the content type it
 * belongs to, with sane parameters (S87, S88); else unsupported says why,
 * with the OID when we do not know the cipher.
 */
struct cms_cipher {
	char name[64]; /* "AES-256-GCM", or the OID */
	size_t cek_len;
	bool authenticated;
	bool weak; /* 3DES, RC2, DES: worth a remark */
	bool supported;
	char unsupported[128];
	unsigned needs; /* CMS_ALLOW_*: that would make it supported; or 0 */
};
/* Never NULL; the name is "" for other content types. */
const struct cms_cipher *cms_cipher(const struct cms *c);

/*
 * Allow what is not supported by default: an or of these, 0 for nothing.
 * Judges the cipher again.
 *
 * LEGACY    RC2-CBC of 40, 64 and 128 bits and DES-CBC (S100), for which
 *	     ossl_legacy_load() must have been called; GCM nonces of 7 to 13
 *	     octets (S87).
 * BARE_GCM  GCM inside EnvelopedData, the tag behind the ciphertext, as old
 *	     versions of Bouncy Castle wrote it (S88).
 */
enum { CMS_ALLOW_LEGACY = 1, CMS_ALLOW_BARE_GCM = 2 };
void cms_allow(struct cms *c, unsigned what);

/* SignedData: number of SignerInfos, digest names for logs. */
size_t cms_signers(const struct cms *c);

#endif
