/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * From transfer-encoded octets to skeleton and content. The skeleton has
 * the ancestors of the content re-emitted with indefinite length and all
 * other elements copied octet for octet, so that signed attributes and
 * certificates stay what they were. What the copied elements mean is read
 * in cms_parse.c.
 */
#include "smime/cms.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "smime/cms_int.h"
#include "smime/codec.h"

/* A child of SignedData and its sisters, in order. */
enum role { COPY, COUNT, CRLS, CONTENT_EXPLICIT, CONTENT_IMPLICIT };
struct rule {
	int tag;
	bool optional;
	enum role role;
	uint64_t most; /* COUNT, CRLS: children allowed */
	uint64_t most_octets; /* in each of them; 0 = any */
	const char *what;
};

static const struct rule signed_rules[] = {
	{ DER_INTEGER, false, COPY, 0, 0, "version" },
	{ DER_SET, false, COUNT, CAP_CMS_ATTRIBUTES, 0, "digestAlgorithms" },
	{ DER_SEQUENCE, false, CONTENT_EXPLICIT, 0, 0, "encapContentInfo" },
	{ DER_CTX0, true, COUNT, CAP_CMS_CERTS, CAP_CMS_CERT_SIZE,
		"certificates" },
	{ DER_CTX0 + 1, true, CRLS, CAP_CMS_CRLS, 0, "crls" },
	{ DER_SET, false, COUNT, CAP_CMS_SIGNERS, 0, "signerInfos" },
};
static const struct rule enveloped_rules[] = {
	{ DER_INTEGER, false, COPY, 0, 0, "version" },
	{ DER_CTX0, true, COPY, 0, 0, "originatorInfo" },
	{ DER_SET, false, COUNT, CAP_CMS_RECIPIENTS, 0, "recipientInfos" },
	{ DER_SEQUENCE, false, CONTENT_IMPLICIT, 0, 0,
		"encryptedContentInfo" },
	{ DER_CTX0 + 1, true, COPY, 0, 0, "unprotectedAttrs" },
};
static const struct rule auth_enveloped_rules[] = {
	{ DER_INTEGER, false, COPY, 0, 0, "version" },
	{ DER_CTX0, true, COPY, 0, 0, "originatorInfo" },
	{ DER_SET, false, COUNT, CAP_CMS_RECIPIENTS, 0, "recipientInfos" },
	{ DER_SEQUENCE, false, CONTENT_IMPLICIT, 0, 0,
		"authEncryptedContentInfo" },
	{ DER_CTX0 + 1, true, COPY, 0, 0, "authAttrs" },
	{ DER_OCTET_STRING, false, COPY, 0, 0, "mac" },
	{ DER_CTX0 + 2, true, COPY, 0, 0, "unauthAttrs" },
};
static const struct rule compressed_rules[] = {
	{ DER_INTEGER, false, COPY, 0, 0, "version" },
	{ DER_SEQUENCE, false, COPY, 0, 0, "compressionAlgorithm" },
	{ DER_SEQUENCE, false, CONTENT_EXPLICIT, 0, 0, "encapContentInfo" },
};

static const struct {
	enum oid oid;
	enum cms_type type;
	const struct rule *rule;
	size_t n;
} types[] = {
	{ OID_SIGNED_DATA, CMS_SIGNED, signed_rules,
		ARRAY_LEN(signed_rules) },
	{ OID_ENVELOPED_DATA, CMS_ENVELOPED, enveloped_rules,
		ARRAY_LEN(enveloped_rules) },
	{ OID_AUTH_ENVELOPED_DATA, CMS_AUTH_ENVELOPED, auth_enveloped_rules,
		ARRAY_LEN(auth_enveloped_rules) },
	{ OID_COMPRESSED_DATA, CMS_COMPRESSED, compressed_rules,
		ARRAY_LEN(compressed_rules) },
};

/* The one who splits. */
struct split {
	struct cms *c;
	struct walk w;
};

static const unsigned char open_seq[] = { DER_SEQUENCE, 0x80 };
static const unsigned char open_ctx0[] = { DER_CTX0, 0x80 };
static const unsigned char eoc[2] = { 0, 0 };

static int copy_range(struct split *sp, uint64_t off, uint64_t end,
    struct err *e)
{
	struct buf *b = &sp->c->skel;
	unsigned char *to;

	if (end - off > CAP_CMS_SKELETON)
		return err_set(e, FAIL_LIMIT, "CMS: %" PRIu64 " octets beside "
		    "the content, at most %u are taken", end - off,
		    CAP_CMS_SKELETON);
	to = buf_room(b, (size_t)(end - off));
	if (to == NULL)
		return buf_ok(b, e);
	if (walk_read(&sp->w, off, to, (size_t)(end - off), e) == -1)
		return -1;
	b->n += (size_t)(end - off);
	return 0;
}

/* Pass el, which is at *in, and copy it. */
static int copy_el(struct split *sp, struct walk_in *in,
    const struct walk_el *el, struct err *e)
{
	if (walk_pass(&sp->w, in, el, e) == -1)
		return -1;
	return copy_range(sp, el->off, in->pos, e);
}

static int missing(const char *what, const char *where, struct err *e)
{
	return err_set(e, FAIL_INPUT, "CMS: no %s in %s (RFC 5652)", what,
	    where);
}

/* Is the next element of this tag? 1 with el, 0, -1. */
static int is_next(struct split *sp, struct walk_in *in, int tag,
    struct walk_el *el, struct err *e)
{
	int r = walk_next(&sp->w, in, el, e);

	return r == 1 && el->tag != tag ? 0 : r;
}

static int must_end(struct split *sp, struct walk_in *in, const char *what,
    struct err *e)
{
	struct walk_el el;
	int r = walk_next(&sp->w, in, &el, e);

	if (r == 1)
		return err_set(e, FAIL_INPUT, "CMS: unexpected element of tag "
		    "%02x at the end of %s (RFC 5652)", (unsigned)el.tag,
		    what);
	return r;
}

/* Hop over all chunks once: they are well-formed from here on, and their
 * sum is known. */
static int measure_content(struct split *sp, struct walk_in *in,
    const struct walk_el *el, struct err *e)
{
	uint64_t off, end;
	struct walk_str x;
	int r;

	sp->c->has_content = true;
	sp->c->content = *el;
	walk_str_init(&x, el);
	while ((r = walk_str_next(&x, &sp->w, &off, &end, e)) == 1)
		sp->c->content_size += end - off;
	in->pos = x.after;
	return r;
}

/* RFC 5652 5.2: eContent [0] EXPLICIT OCTET STRING. */
static int take_explicit(struct split *sp, struct walk_in *in, struct err *e)
{
	struct walk_in c;
	struct walk_el el;
	int r;

	if ((r = is_next(sp, in, DER_CTX0, &el, e)) != 1)
		return r;
	c = walk_enter(&el);
	if ((r = walk_next(&sp->w, &c, &el, e)) == -1)
		return -1;
	if (r == 0 || (el.tag & ~0x20) != DER_OCTET_STRING)
		return err_set(e, FAIL_INPUT, "CMS: eContent is no OCTET "
		    "STRING (RFC 5652 5.2)");
	if (measure_content(sp, &c, &el, e) == -1 ||
	    must_end(sp, &c, "eContent", e) == -1)
		return -1;
	walk_leave(in, &c);
	return 0;
}

/* RFC 5652 6.1: encryptedContent [0] IMPLICIT OCTET STRING. */
static int take_implicit(struct split *sp, struct walk_in *in, struct err *e)
{
	struct walk_el el;
	int r;

	if ((r = is_next(sp, in, DER_SEQUENCE, &el, e)) == -1)
		return -1;
	if (r == 0)
		return missing("algorithm", "encryptedContentInfo", e);
	if (copy_el(sp, in, &el, e) == -1)
		return -1;
	if ((r = walk_next(&sp->w, in, &el, e)) != 1)
		return r;
	if ((el.tag & ~0x20) != DER_CTX0_PRIM)
		return err_set(e, FAIL_INPUT, "CMS: tag %02x where "
		    "encryptedContent should be (RFC 5652 6.1)",
		    (unsigned)el.tag);
	return measure_content(sp, in, &el, e);
}

static int take_content_info(struct split *sp, struct walk_in *in,
    const struct walk_el *seq, const struct rule *rule, struct err *e)
{
	struct walk_in c = walk_enter(seq);
	struct walk_el el;
	int r;

	buf_put(&sp->c->skel, open_seq, sizeof(open_seq));
	if ((r = is_next(sp, &c, DER_OID, &el, e)) == -1)
		return -1;
	if (r == 0)
		return missing("contentType", rule->what, e);
	if (copy_el(sp, &c, &el, e) == -1)
		return -1;
	if ((rule->role == CONTENT_EXPLICIT ? take_explicit(sp, &c, e) :
	    take_implicit(sp, &c, e)) == -1)
		return -1;
	if (must_end(sp, &c, rule->what, e) == -1)
		return -1;
	buf_put(&sp->c->skel, eoc, sizeof(eoc));
	walk_leave(in, &c);
	return 0;
}

/* The cap is tested before anything is copied, so that a hundred thousand
 * RecipientInfos cost a thousand hops. */
static int count_children(struct split *sp, const struct walk_el *set,
    const struct rule *rule, struct err *e)
{
	struct walk_in c = walk_enter(set);
	struct walk_el el;
	uint64_t n = 0;
	int r;

	while ((r = walk_next(&sp->w, &c, &el, e)) == 1) {
		if (++n > rule->most)
			return err_set(e, FAIL_LIMIT, "CMS: more than %"
			    PRIu64 " elements in %s", rule->most, rule->what);
		if (walk_pass(&sp->w, &c, &el, e) == -1)
			return -1;
		if (rule->most_octets > 0 &&
		    c.pos - el.off > rule->most_octets)
			return err_set(e, FAIL_LIMIT, "CMS: element of %"
			    PRIu64 " octets in %s, at most %" PRIu64
			    " are taken", c.pos - el.off, rule->what,
			    rule->most_octets);
	}
	return r;
}

/* Nobody reads CRLs that a message brings (A58): large ones are not even
 * kept, and take nothing from what is signed. */
static int take_crls(struct split *sp, struct walk_in *in,
    const struct walk_el *el, struct err *e)
{
	if (walk_pass(&sp->w, in, el, e) == -1)
		return -1;
	return in->pos - el->off > CAP_CMS_CRL_SIZE ? 0 :
	    copy_range(sp, el->off, in->pos, e);
}

static int take_rule(struct split *sp, struct walk_in *in,
    const struct rule *rule, struct err *e)
{
	struct walk_el el;
	int r;

	if ((r = is_next(sp, in, rule->tag, &el, e)) == -1)
		return -1;
	if (r == 0)
		return rule->optional ? 0 :
		    missing(rule->what, "the CMS object", e);
	switch (rule->role) {
	case COUNT:
		if (count_children(sp, &el, rule, e) == -1)
			return -1;
		break;
	case CRLS:
		if (count_children(sp, &el, rule, e) == -1)
			return -1;
		return take_crls(sp, in, &el, e);
	case CONTENT_EXPLICIT:
	case CONTENT_IMPLICIT:
		return take_content_info(sp, in, &el, rule, e);
	case COPY:
		break;
	}
	return copy_el(sp, in, &el, e);
}

/* SignedData or a sister: *in stands before its SEQUENCE. */
static int split_data(struct split *sp, struct walk_in *in,
    const struct rule *rule, size_t n, struct err *e)
{
	struct walk_el el;
	struct walk_in c;
	int r;

	if ((r = is_next(sp, in, DER_SEQUENCE, &el, e)) == -1)
		return -1;
	if (r == 0)
		return missing("SEQUENCE", "content", e);
	buf_put(&sp->c->skel, open_seq, sizeof(open_seq));
	c = walk_enter(&el);
	for (size_t i = 0; i < n; i++)
		if (take_rule(sp, &c, &rule[i], e) == -1)
			return -1;
	if (must_end(sp, &c, "the CMS object", e) == -1)
		return -1;
	buf_put(&sp->c->skel, eoc, sizeof(eoc));
	walk_leave(in, &c);
	return 0;
}

/* The content type of ContentInfo, copied. */
static int take_type(struct split *sp, struct walk_in *in, enum oid *oid,
    struct err *e)
{
	size_t at = sp->c->skel.n;
	struct walk_el el;
	struct view v;
	struct der d;
	int r;

	if ((r = is_next(sp, in, DER_OID, &el, e)) == -1)
		return -1;
	if (r == 0)
		return missing("contentType", "ContentInfo", e);
	if (copy_el(sp, in, &el, e) == -1)
		return -1;
	v = view_make(sp->c->skel.p + at, sp->c->skel.n - at);
	if (der_get(&v, DER_OID, &d) == -1 || !oid_is_valid(d.val))
		return err_set(e, FAIL_INPUT, "CMS: malformed contentType "
		    "(RFC 5652 3)");
	*oid = oid_find(d.val);
	return 0;
}

static int split_typed(struct split *sp, struct walk_in *in, enum oid oid,
    struct err *e)
{
	struct walk_el el;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (types[i].oid != oid)
			continue;
		sp->c->type = types[i].type;
		return split_data(sp, in, types[i].rule, types[i].n, e);
	}
	sp->c->type = CMS_OTHER;
	if ((r = walk_next(&sp->w, in, &el, e)) == -1)
		return -1;
	return r == 0 ? missing("content", "ContentInfo", e) :
	    walk_pass(&sp->w, in, &el, e);
}

/* RFC 5652 3: ContentInfo ::= SEQUENCE { OID, [0] EXPLICIT ANY }. */
static int split_object(struct split *sp, struct err *e)
{
	struct walk_in top = walk_root(&sp->w), ci, body;
	struct walk_el el;
	enum oid oid = OID_UNKNOWN;
	int r;

	if ((r = is_next(sp, &top, DER_SEQUENCE, &el, e)) == -1)
		return -1;
	if (r == 0)
		return err_set(e, FAIL_INPUT, "no CMS object (RFC 5652 3)");
	ci = walk_enter(&el);
	buf_put(&sp->c->skel, open_seq, sizeof(open_seq));
	if (take_type(sp, &ci, &oid, e) == -1)
		return -1;
	if ((r = is_next(sp, &ci, DER_CTX0, &el, e)) == -1)
		return -1;
	if (r == 0)
		return missing("content", "ContentInfo", e);
	body = walk_enter(&el);
	buf_put(&sp->c->skel, open_ctx0, sizeof(open_ctx0));
	if (split_typed(sp, &body, oid, e) == -1 ||
	    must_end(sp, &body, "content", e) == -1)
		return -1;
	walk_leave(&ci, &body);
	buf_put(&sp->c->skel, eoc, sizeof(eoc));
	if (must_end(sp, &ci, "ContentInfo", e) == -1)
		return -1;
	walk_leave(&top, &ci);
	buf_put(&sp->c->skel, eoc, sizeof(eoc));
	if (must_end(sp, &top, "the data", e) == -1)
		return err_add(e, "octets after ContentInfo");
	return buf_ok(&sp->c->skel, e);
}

/* Decoded into a spool; from base64 as nearly all is, without one. */
static int find_octets(struct cms *c, const struct spool *msg, uint64_t off,
    uint64_t end, enum cte cte, struct err *e)
{
	struct sink to;
	int r = 0;

	if (cte == CTE_BASE64)
		r = octets_of_base64(&c->der, msg, off, end, e);
	if (r != 0)
		return r == 1 ? 0 : -1;
	/* No decoding makes anything longer. */
	if (spool_new(&c->decoded, end - off, e) == -1)
		return -1;
	to = spool_sink(c->decoded);
	if (codec_decode(msg, off, end, cte, &to, &c->junk, e) == -1)
		return -1;
	c->der = octets_of(c->decoded);
	return 0;
}

int cms_read(struct cms **out, const struct spool *msg, uint64_t off,
    uint64_t end, enum cte cte, struct err *e)
{
	struct split *sp = NULL;
	struct cms *c = NULL;
	int r = -1;

	*out = NULL;
	if ((sp = malloc(sizeof(*sp))) == NULL ||
	    (c = calloc(1, sizeof(*c))) == NULL) {
		err_set(e, FAIL_TEMP, "out of memory");
		goto out;
	}
	buf_init(&c->skel, CAP_CMS_SKELETON);
	if (find_octets(c, msg, off, end, cte, e) == -1)
		goto out;
	sp->c = c;
	walk_init_octets(&sp->w, &c->der);
	if (split_object(sp, e) == -1)
		goto out;
	if (c->type != CMS_OTHER &&
	    (walk_check(buf_view(&c->skel), e) == -1 ||
	    cms_parse(c, e) == -1))
		goto out;
	*out = c;
	c = NULL;
	r = 0;
out:
	free(sp);
	cms_free(&c);
	return r;
}

void cms_free(struct cms **c)
{
	if (*c == NULL)
		return;
	spool_free(&(*c)->decoded);
	buf_free(&(*c)->skel);
	free((*c)->signer);
	free((*c)->rid);
	free(*c);
	*c = NULL;
}

enum cms_type cms_type(const struct cms *c)
{
	return c->type;
}

bool cms_has_junk(const struct cms *c)
{
	return c->junk > 0;
}

bool cms_has_content(const struct cms *c)
{
	return c->has_content;
}

struct view cms_skeleton(const struct cms *c)
{
	return c->type == CMS_OTHER ? view_make(NULL, 0) :
	    buf_view(&c->skel);
}

uint64_t cms_content_size(const struct cms *c)
{
	return c->content_size;
}

size_t cms_rids(const struct cms *c)
{
	return c->rids;
}

const struct cms_rid *cms_rid(const struct cms *c, size_t i)
{
	return i < c->rids ? &c->rid[i] : NULL;
}

const struct cms_cipher *cms_cipher(const struct cms *c)
{
	return &c->cipher;
}

size_t cms_signers(const struct cms *c)
{
	return c->signers;
}
