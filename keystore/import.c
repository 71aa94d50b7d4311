/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Import: finds out by parsing what a file holds, then stores all of it or
 * nothing. The single formats are read in import_der.c, import_pem.c,
 * import_p12.c and import_ldif.c; what they find is stored from
 * import_batch.c.
 */
#include "keystore/import_int.h"

#include <magic.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC_LOOK (1u << 20) /* octets that libmagic sees */

enum shape { SHAPE_UNKNOWN, SHAPE_PEM, SHAPE_LDIF };

struct import {
	struct batch b;
	enum shape shape;
	bool began; /* the transaction is ours */
	bool done;
	char magic[160];
};

const char *import_magic(struct view data, char *dst, size_t size)
{
	magic_t m = magic_open(MAGIC_NONE);
	const char *text = NULL;
	struct err e = { 0 };
	size_t i;

	data = view_sub(data, 0, MAGIC_LOOK);
	if (m != NULL && magic_load(m, NULL) == 0)
		text = magic_buffer(m, data.p != NULL ? (const void *)data.p :
		    "", data.n);
	(void)err_set(&e, FAIL_INPUT, "%s",
	    text != NULL ? text : "of unknown kind");
	for (i = 0; e.msg[i] != '\0'; i++)
		if ((unsigned char)e.msg[i] < 0x20 || e.msg[i] == 0x7f)
			e.msg[i] = '?';
	ks_text(dst, size, &e);
	if (m != NULL)
		magic_close(m);
	return dst;
}

int import_begin(struct import **out, struct keystore *ks, const char *name,
    const struct import_opts *o, struct err *e)
{
	struct import *im = calloc(1, sizeof(*im));

	*out = NULL;
	if (im == NULL)
		return err_set(e, FAIL_TEMP, "import: out of memory");
	im->b.ks = ks;
	im->b.name = name;
	im->b.o = o;
	im->b.work = o->kdf != 0 ? o->kdf : CAP_IMPORT_KDF_FILE;
	if (ks_change(ks, &im->began, true, e) != 0)
		goto fail;
	if (!im->began && ks_part_begin(ks, e) != 0)
		goto fail;
	*out = im;
	return 0;
fail:
	free(im);
	return -1;
}

void import_end(struct import **im)
{
	struct import *i = *im;

	if (i == NULL)
		return;
	if (!i->done && i->began)
		keystore_rollback(i->b.ks);
	else if (!i->done)
		ks_part_back(i->b.ks);
	batch_free(&i->b);
	free(i);
	*im = NULL;
}

/* Anything but PEM and LDIF, all of it. */
static int read_whole(struct batch *b, struct view data, struct err *e)
{
	struct buf der;
	int rc;

	if (data.n > CAP_IMPORT_FILE)
		return err_set(e, FAIL_LIMIT, "larger than %u octets",
		    CAP_IMPORT_FILE);
	if (data.n > 0 && data.p[0] == 0x30)
		return import_der(b, data, e);
	buf_init_secret(&der, CAP_IMPORT_FILE);
	rc = import_base64(data, &der) ? import_der(b, buf_view(&der), e) : 0;
	buf_free(&der);
	return rc;
}

static enum shape look(struct view data)
{
	if (data.n > 0 && data.p[0] == 0x30)
		return SHAPE_UNKNOWN;
	if (import_is_pem(data))
		return SHAPE_PEM;
	return import_is_ldif(data) ? SHAPE_LDIF : SHAPE_UNKNOWN;
}

int import_feed(struct import *im, struct view data, bool last, size_t *used,
    struct err *e)
{
	struct batch *b = &im->b;
	int rc = 0;

	*used = 0;
	if (im->shape == SHAPE_UNKNOWN)
		im->shape = look(data);
	if (im->shape == SHAPE_PEM)
		rc = import_pem(b, data, last, used, e);
	else if (im->shape == SHAPE_LDIF)
		rc = import_ldif(b, data, last, used, e);
	else if (last)
		rc = read_whole(b, data, e);
	if (rc == 0 && last)
		rc = batch_store(b, true, e);
	if (rc != 0)
		return err_add(e, "%s", b->name);
	if (last && b->good == 0)
		(void)import_magic(data, im->magic, sizeof(im->magic));
	return 0;
}

static int nothing_good(const struct import *im, struct err *e)
{
	const struct found *f = &im->b.first_skipped;

	if (f->kind != NULL)
		return err_set(e, FAIL_INPUT, "%s: %s: %s", im->b.name,
		    f->kind, f->skipped);
	return err_set(e, FAIL_INPUT, "%s: %s, not a certificate, private "
	    "key, PKCS#7, PKCS#12, LDIF or signed mail", im->b.name,
	    im->magic);
}

int import_keep(struct import *im, size_t *good, struct err *e)
{
	*good = 0;
	if (im->b.good == 0)
		return nothing_good(im, e);
	im->done = true; /* a commit that fails has taken all back */
	if ((im->began ? keystore_commit(im->b.ks, e) :
	    ks_part_keep(im->b.ks, e)) != 0)
		return -1;
	*good = im->b.good;
	return 0;
}

int import_data(struct keystore *ks, const char *name, struct view data, const
    struct import_opts *o, size_t *good, struct err *e)
{
	struct import *im = NULL;
	size_t used;
	int rc;

	*good = 0;
	if (data.n > CAP_IMPORT_FILE)
		return err_set(e, FAIL_LIMIT, "%s: larger than %u octets",
		    name, CAP_IMPORT_FILE);
	rc = import_begin(&im, ks, name, o, e);
	if (rc == 0)
		rc = import_feed(im, data, true, &used, e);
	if (rc == 0)
		rc = import_keep(im, good, e);
	import_end(&im);
	return rc;
}
