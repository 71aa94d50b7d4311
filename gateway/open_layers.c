/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Layers off, from the outside in: one encryption at most (A7), one
 * compression at most, everything within CAP_CMS_LAYERS (S32).
 */
#include <string.h>

#include "gateway/opening.h"
#include "smime/expand.h"

static void note_encrypted(struct opening *o)
{
	layer_top(o)->kind = "encrypted";
	o->sealed = o->n - 1;
	if (o->encrypted == -1)
		o->encrypted = o->sealed;
}

static int peel_encrypted(struct opening *o, struct cms *c, struct err *e)
{
	int rc;

	note_encrypted(o);
	if (o->is_decrypted)
		return 0; /* one encryption layer a message (A7) */
	rc = o->may_decrypt ? open_decrypt(o, c, e) : 0;
	if (rc == 1)
		o->is_decrypted = true;
	return rc;
}

static int peel_unreadable(struct opening *o, struct err *e)
{
	struct verdict *v = o->t->v;
	const char *label = layer_top(o)->sh.smime_type;
	struct err why = *e;

	if (err_is_ours(e))
		return -1;
	err_clear(e);
	/* by its label: it cannot be asked itself */
	if (strcmp(label, "signed-data") == 0)
		return o->may_verify
		    ? finding_plain(o, SIG_NEUTRAL, 63, why.msg, e)
		    : 0;
	if (strcmp(label, "compressed-data") == 0)
		return 0;
	if (o->is_decrypted) {
		if (strcmp(label, "certs-only") != 0)
			note_encrypted(o);
		return 0;
	}
	v->dec_result = why.kind == FAIL_LIMIT ? "limit" : "failed";
	text_set(v->dec_reason, sizeof(v->dec_reason), why.msg);
	if (strcmp(label, "certs-only") == 0)
		return 0;
	note_encrypted(o);
	o->has_failed = o->may_decrypt;
	return 0;
}

static int expand(struct opening *o, const struct cms *c, struct err *e)
{
	struct spool *inside = NULL;
	int rc = -1;

	if (txn_spool(o->t, &inside, e) != 0)
		return -1;
	if (cms_expand(c, inside, e) == 0)
		rc = layer_enter(o, &inside, e);
	spool_free(&inside);
	return rc;
}

/*
 * One level of compression (A13); signatures and tags around it have been
 * checked (S145). Where the reader gets the layers as they are, so he gets
 * this one.
 */
static int peel_compressed(struct opening *o, const struct cms *c,
    struct err *e)
{
	struct err why;

	layer_top(o)->kind = "compressed";
	if (!o->may_unwrap || o->is_expanded)
		return 0;
	if (expand(o, c, e) == 0) {
		o->is_expanded = true;
		return 1;
	}
	if (err_is_ours(e))
		return -1;
	why = *e;
	err_clear(e);
	txn_warn(o->t, "left compressed: %s", why.msg);
	return why.kind == FAIL_LIMIT
	    ? finding_plain(o, SIG_NEUTRAL, 63, why.msg, e)
	    : 0;
}

/* A CMS object at the root; 1: there is a new layer. */
static int peel_cms(struct opening *o, struct err *e)
{
	struct cms *c = NULL;
	int rc = 0;

	if (layer_cms(layer_top(o), &c, e) != 0)
		return peel_unreadable(o, e);
	switch (cms_type(c)) {
	case CMS_ENVELOPED:
	case CMS_AUTH_ENVELOPED:
		rc = peel_encrypted(o, c, e);
		break;
	case CMS_SIGNED:
		if (o->may_verify)
			rc = open_opaque(o, c, e);
		break;
	case CMS_COMPRESSED:
		rc = peel_compressed(o, c, e);
		break;
	case CMS_OTHER:
		break;
	}
	cms_free(&c);
	return rc;
}

/* The outermost layer that is left; 1: look again. */
static int peel(struct opening *o, struct err *e)
{
	const struct layer *l = layer_top(o);

	switch (l->sh.kind) {
	case SHAPE_PKCS7:
		return peel_cms(o, e);
	case SHAPE_CLEAR_SIGNED:
		return o->may_verify ? open_clear(o, e) : 0;
	case SHAPE_BROKEN:
		return o->may_verify
		    ? finding_plain(o, SIG_PERMERROR, 62, l->sh.defect, e)
		    : 0;
	case SHAPE_PGP_ENCRYPTED:
		note_encrypted(o);
		return 0;
	case SHAPE_PLAIN:
	case SHAPE_PGP_SIGNED:
		break;
	}
	return 0;
}

/* Nothing that was in too many layers is believed or delivered (S32). */
static int refuse_depth(struct opening *o, struct err *e)
{
	struct verdict *v = o->t->v;

	o->deliver = 0;
	findings_drop(o, 0);
	if (o->is_decrypted) {
		o->is_decrypted = false;
		v->dec_result = "limit";
		text_set(v->dec_reason, sizeof(v->dec_reason),
		    "the message does not open");
	}
	txn_warn(o->t, "more than %d layers: delivered as it arrived",
	    CAP_CMS_LAYERS);
	return finding_plain(o, SIG_NEUTRAL, 62,
	    "more layers than are looked into", e);
}

static bool is_layer(const struct layer *l)
{
	return l->sh.kind != SHAPE_PLAIN && l->sh.kind != SHAPE_PGP_SIGNED;
}

int open_layers(struct opening *o, struct err *e)
{
	int rc = 1;

	while (rc == 1 && o->n < OPEN_ENTITIES)
		rc = peel(o, e);
	if (rc < 0)
		return -1;
	if (rc == 1 && is_layer(layer_top(o)))
		return refuse_depth(o, e);
	return 0;
}
