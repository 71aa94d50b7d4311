/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The stack of entities of one incoming message: each is what was inside the
 * root of the one before.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/opening.h"
#include "smime/cms.h"

struct layer *layer_top(struct opening *o)
{
	return &o->layer[o->n - 1];
}

void layer_path(int i, char *dst, size_t size)
{
	struct buf b;

	buf_init(&b, size - 1);
	buf_putc(&b, '1');
	for (; i > 0; i--)
		buf_puts(&b, "/1");
	text_set(dst, size, buf_str(&b));
	buf_free(&b);
}

static void layer_free(struct layer *l)
{
	cms_free(&l->cms);
	ctype_free(&l->ct);
	header_free(&l->h);
	spool_free(&l->own);
}

void layers_free(struct opening *o)
{
	for (; o->n > 0; o->n--)
		layer_free(&o->layer[o->n - 1]);
}

int layer_cms(struct layer *l, struct cms **out, struct err *e)
{
	const struct shape *sh = &l->sh;

	*out = l->cms;
	l->cms = NULL;
	if (*out != NULL)
		return 0;
	if (sh->kind == SHAPE_CLEAR_SIGNED)
		return cms_read(out, l->s, sh->sig, sh->sig_end, sh->sig_cte,
		    e);
	return cms_read(out, l->s, sh->body, sh->end, sh->cte, e);
}

int layer_first(struct opening *o, struct err *e)
{
	struct txn *t = o->t;
	struct layer *l = &o->layer[0];

	o->n = 1;
	l->s = t->msg;
	l->end = spool_size(t->msg);
	if (header_read(&l->h, l->s, 0, l->end, e) != 0 ||
	    ctype_read(&l->ct, &l->h, e) != 0)
		return -1;
	l->sh = t->sh;
	l->cms = t->cms;
	t->cms = NULL;
	return 0;
}

/* A decrypted or unwrapped entity must be one (A2): fields, no junk, and at
 * least one that says what it is. */
static const char *entity_defect(const struct header *h)
{
	if (h->has_nul || h->has_junk)
		return "RFC 8551 3.1: the content has no sound MIME header";
	for (size_t i = 0; i < h->n; i++)
		if (view_istarts(h->field[i].name, "Content-"))
			return NULL;
	return "RFC 8551 3.1: the content is no MIME entity";
}

int layer_is_entity(const struct spool *s, bool *is, struct err *e)
{
	struct header h;
	int rc;

	*is = false;
	rc = header_read(&h, s, 0, spool_size(s), e);
	if (rc == 0)
		*is = entity_defect(&h) == NULL;
	header_free(&h);
	if (rc != 0 && !err_is_ours(e)) {
		err_clear(e);
		rc = 0;
	}
	return rc;
}

static int layer_read(struct layer *l, struct err *e)
{
	const char *defect;

	if (header_read(&l->h, l->s, l->off, l->end, e) != 0)
		return -1;
	defect = entity_defect(&l->h);
	if (defect != NULL)
		return err_set(e, FAIL_INPUT, "%s", defect);
	if (ctype_read(&l->ct, &l->h, e) != 0)
		return -1;
	return shape_read(&l->sh, l->s, &l->h, &l->ct, l->end, e);
}

int layer_enter(struct opening *o, struct spool **take_inside, struct err *e)
{
	struct layer l = {0};

	if (o->n == OPEN_ENTITIES)
		return err_set(e, FAIL_LIMIT, "more than %d layers",
		    CAP_CMS_LAYERS);
	l.s = *take_inside;
	l.end = spool_size(l.s);
	if (layer_read(&l, e) != 0) {
		layer_free(&l);
		return -1;
	}
	l.own = *take_inside;
	*take_inside = NULL;
	o->deliver = o->n;
	o->layer[o->n++] = l;
	return 0;
}

int layer_look(struct opening *o, uint64_t off, uint64_t end, struct err *e)
{
	struct layer l = {0};

	if (o->n == OPEN_ENTITIES)
		return 0;
	l.s = layer_top(o)->s;
	l.off = off;
	l.end = end;
	if (layer_read(&l, e) != 0) {
		layer_free(&l);
		if (err_is_ours(e))
			return -1;
		err_clear(e); /* an ordinary part, if an odd one */
		return 0;
	}
	if (l.sh.kind == SHAPE_PKCS7 || l.sh.kind == SHAPE_PGP_ENCRYPTED) {
		o->layer[o->n++] = l;
		return 1;
	}
	layer_free(&l);
	return 0;
}
