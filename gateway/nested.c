/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Finds signed parts below the root and verifies them by the same steps as
 * one at the root; that they are not the whole message (S75) is the best
 * that can be said of them. A list that wraps a message with its footer, a
 * forwarded part, and a signature hidden beside an attacker's text all look
 * alike from here.
 */
#include "gateway/nested.h"

#include <string.h>

#include "gateway/opening.h"
#include "smime/mime.h"
#include "smime/params.h"

/* Parts that may be of interest: each costs a second look at its octets. */
#define CANDIDATES 16

struct candidate {
	char number[64];
	int depth;
	uint64_t start, end;
	bool is_open;
};

struct search {
	struct candidate c[CANDIDATES];
	size_t n;
	bool is_more;
};

static int find_event(void *arg, enum mime_event ev,
    const struct mime_part *part, struct view data UNUSED, struct err *e)
{
	struct search *x = arg;

	(void)e;
	if (part->depth == 0)
		return 0;
	if (ev == MIME_PART && shape_may_be(part->ctype)) {
		struct candidate *c = &x->c[x->n];

		if (x->n == CANDIDATES) {
			x->is_more = true;
			return 0;
		}
		memcpy(c->number, part->number, sizeof(c->number));
		c->depth = part->depth;
		c->start = part->start;
		c->is_open = true;
		x->n++;
	}
	for (size_t i = 0; ev == MIME_END && i < x->n; i++)
		if (x->c[i].is_open && x->c[i].depth == part->depth) {
			x->c[i].end = part->end;
			x->c[i].is_open = false;
		}
	return 0;
}

/* What the candidate is when looked at alone. */
static int read_part(struct nested_part *p, const struct spool *s,
    struct err *e)
{
	struct header h;
	struct ctype ct = {0};
	int rc = -1;

	if (header_read(&h, s, p->start, p->end, e) == 0 &&
	    ctype_read(&ct, &h, e) == 0)
		rc = shape_read(&p->sh, s, &h, &ct, p->end, e);
	ctype_free(&ct);
	header_free(&h);
	if (rc == 0 || err_is_ours(e))
		return rc;
	p->sh.kind = SHAPE_BROKEN;
	defect_note(p->sh.defect, sizeof(p->sh.defect), e->msg);
	err_clear(e);
	return 0;
}

static bool is_labelled_encrypted(const struct shape *sh)
{
	return strcmp(sh->smime_type, "enveloped-data") == 0 ||
	    strcmp(sh->smime_type, "authenveloped-data") == 0;
}

/* Of a pkcs7-mime part: is it a signature? Its own OID decides (S29), and
 * where it cannot be read its label. */
static int is_signed_object(struct nested *out, struct nested_part *p,
    const struct spool *s, bool *is, struct err *e)
{
	*is = false;
	if (cms_read(&p->cms, s, p->sh.body, p->sh.end, p->sh.cte, e) != 0) {
		if (err_is_ours(e))
			return -1;
		p->why = *e;
		err_clear(e);
		*is = strcmp(p->sh.smime_type, "signed-data") == 0;
		if (is_labelled_encrypted(&p->sh))
			out->has_encrypted = true;
		return 0;
	}
	/* certs-only is no signature (S35) */
	*is = cms_type(p->cms) == CMS_SIGNED &&
	    (cms_signers(p->cms) > 0 || cms_has_content(p->cms));
	if (cms_type(p->cms) == CMS_ENVELOPED ||
	    cms_type(p->cms) == CMS_AUTH_ENVELOPED)
		out->has_encrypted = true;
	return 0;
}

/* 1: a signature, keep it; 0. */
static int judge_part(struct nested *out, struct nested_part *p,
    const struct spool *s, const char *defect, struct err *e)
{
	bool is = false;
	int rc;

	if (read_part(p, s, e) != 0)
		return -1;
	switch (p->sh.kind) {
	case SHAPE_PKCS7:
		rc = is_signed_object(out, p, s, &is, e);
		if (rc != 0)
			return -1;
		break;
	case SHAPE_CLEAR_SIGNED:
	case SHAPE_BROKEN:
		is = true;
		break;
	default:
		break;
	}
	if (is && defect[0] != '\0') {
		p->sh.kind = SHAPE_BROKEN;
		p->sh.defect[0] = '\0';
		defect_note(p->sh.defect, sizeof(p->sh.defect), defect);
	}
	return is;
}

static int judge_parts(struct nested *out, const struct search *x,
    const struct spool *s, const char *defect, struct err *e)
{
	for (size_t i = 0; i < x->n; i++) {
		struct nested_part p = {.start = x->c[i].start,
		    .end = x->c[i].end};
		int rc;

		if (out->n == NESTED_MAX) {
			out->is_more = true;
			return 0;
		}
		memcpy(p.number, x->c[i].number, sizeof(p.number));
		rc = judge_part(out, &p, s, defect, e);
		if (rc == 1)
			out->part[out->n++] = p;
		else
			cms_free(&p.cms);
		if (rc < 0)
			return -1;
	}
	return 0;
}

int nested_find(const struct spool *s, uint64_t off, uint64_t end,
    struct nested *out, struct err *e)
{
	struct search x = {0};
	const struct mime_handler h = {&x, find_event};
	struct mime_findings f;

	memset(out, 0, sizeof(*out));
	if (mime_read(s, off, end, false, &h, &f, e) != 0) {
		if (err_is_ours(e))
			return -1;
		out->is_beyond = true;
		defect_note(f.defect, sizeof(f.defect), e->msg);
		err_clear(e);
	}
	for (size_t i = 0; i < x.n; i++)
		if (x.c[i].is_open) /* where the reader stopped */
			x.c[i].end = end;
	out->is_more = x.is_more;
	return judge_parts(out, &x, s, f.defect, e);
}

void nested_free(struct nested *n)
{
	for (size_t i = 0; i < n->n; i++)
		cms_free(&n->part[i].cms);
	n->n = 0;
}

/* ---- verification ---- */

/* Where the signature is: of multipart/signed the second part (S174). */
static void note(struct opening *o, const struct nested_part *p,
    struct verification **take_ver)
{
	bool is_clear = p->sh.kind == SHAPE_CLEAR_SIGNED;
	char number[sizeof(p->number) + 2];
	size_t n = strlen(p->number);

	memcpy(number, p->number, n);
	text_set(number + n, sizeof(number) - n, is_clear ? ".2" : "");
	finding_note(o, take_ver, number, is_clear);
}

/* A result without a look at the signature. */
static int note_plain(struct opening *o, const struct nested_part *p,
    enum sig_result result, int step, const char *why, struct err *e)
{
	struct verification *ver = NULL;

	if (verification_new(&ver, result, step, why, e) != 0)
		return -1;
	note(o, p, &ver);
	return 0;
}

static int verify_clear(struct opening *o, const struct layer *l,
    const struct nested_part *p, struct err *e)
{
	struct verify_policy policy = open_policy(o->t);
	struct verification *ver = NULL;
	struct cms *c = NULL;
	int rc = -1;

	if (cms_read(&c, l->s, p->sh.sig, p->sh.sig_end, p->sh.sig_cte,
	    e) != 0) {
		struct err why = *e;

		if (err_is_ours(e))
			return -1;
		err_clear(e);
		return note_plain(o, p, SIG_NEUTRAL, 63, why.msg, e);
	}
	if (cms_type(c) != CMS_SIGNED) {
		rc = note_plain(o, p, SIG_PERMERROR, 63,
		    "RFC 8551 3.5.3: the signature part is no SignedData", e);
		goto out;
	}
	if (verify_detached(c, l->s, p->sh.part, p->sh.part_end, &policy,
	    &ver, e) != 0)
		goto out;
	open_judge(o, ver, false);
	note(o, p, &ver);
	rc = 0;
out:
	verification_free(&ver);
	cms_free(&c);
	return rc;
}

/* The content stays where it is: nothing of it is delivered apart. */
static int verify_object(struct opening *o, const struct nested_part *p,
    struct err *e)
{
	struct verify_policy policy = open_policy(o->t);
	struct verification *ver = NULL;
	struct spool *inside = NULL;
	int rc = -1;

	if (p->cms == NULL)
		return note_plain(o, p, SIG_NEUTRAL, 63, p->why.msg, e);
	if (txn_spool(o->t, &inside, e) != 0)
		return -1;
	if (verify_opaque(p->cms, &policy, inside, &ver, e) != 0)
		goto out;
	open_judge(o, ver, false);
	note(o, p, &ver);
	rc = 0;
out:
	verification_free(&ver);
	spool_free(&inside);
	return rc;
}

static int verify_part(struct opening *o, const struct layer *l,
    const struct nested *n, const struct nested_part *p, struct err *e)
{
	if (p->sh.kind == SHAPE_BROKEN)
		return note_plain(o, p, n->is_beyond ? SIG_NEUTRAL
						     : SIG_PERMERROR, 62,
		    p->sh.defect, e);
	if (p->sh.kind == SHAPE_CLEAR_SIGNED)
		return verify_clear(o, l, p, e);
	return verify_object(o, p, e);
}

int nested_verify(struct opening *o, struct err *e)
{
	const struct layer *l = &o->layer[o->deliver];
	struct nested n;
	int rc;

	if (!o->may_verify || !ctype_is_multipart(&l->ct) ||
	    (l->sh.kind != SHAPE_PLAIN && l->sh.kind != SHAPE_PGP_SIGNED))
		return 0;
	rc = nested_find(l->s, l->off, l->end, &n, e);
	for (size_t i = 0; rc == 0 && i < n.n; i++)
		rc = verify_part(o, l, &n, &n.part[i], e);
	if (rc == 0 && n.has_encrypted)
		txn_warn(o->t, "an encrypted part below the root was left "
		    "sealed");
	if (rc == 0 && n.is_more)
		txn_warn(o->t, "more than %d signed parts below the root: the "
		    "rest was not looked at", NESTED_MAX);
	nested_free(&n);
	return rc;
}
