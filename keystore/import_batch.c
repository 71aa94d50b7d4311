/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The objects of one file between reading and storing: a few at a time, so
 * that a file of a hundred thousand takes no more memory than one of a
 * hundred. Keys wait to the end, because they need their certificates.
 */
#include "keystore/import_int.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "util/ossl.h"

static void free_item(struct found *f)
{
	cert_free(&f->cert);
	EVP_PKEY_free(f->key);
}

void batch_free(struct batch *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		free_item(&b->item[i]);
	free(b->item);
	b->item = NULL;
	b->n = 0;
}

int batch_store(struct batch *b, bool last, struct err *e)
{
	size_t i, kept = 0;

	for (i = 0; i < b->n; i++)
		if (b->item[i].key == NULL &&
		    import_store(b, &b->item[i], e) != 0)
			return -1;
	for (i = 0; last && i < b->n; i++)
		if (b->item[i].key != NULL &&
		    import_store(b, &b->item[i], e) != 0)
			return -1;
	for (i = 0; i < b->n; i++) {
		if (!last && b->item[i].key != NULL)
			b->item[kept++] = b->item[i];
		else
			free_item(&b->item[i]);
	}
	b->n = kept;
	b->keys = kept;
	return 0;
}

static struct found *new_item(struct batch *b, const char *kind, struct err *e)
{
	size_t size = b->size == 0 ? 8 : 2 * b->size;
	struct found *bigger;

	if (b->total == CAP_IMPORT_OBJECTS) {
		(void)err_set(e, FAIL_LIMIT, "more than %d objects",
		    CAP_IMPORT_OBJECTS);
		return NULL;
	}
	if (b->n - b->keys >= IMPORT_BATCH && batch_store(b, false, e) != 0)
		return NULL;
	if (b->n == b->size) {
		bigger = realloc(b->item, size * sizeof(*bigger));
		if (bigger == NULL) {
			(void)err_set(e, FAIL_TEMP, "import: out of memory");
			return NULL;
		}
		b->item = bigger;
		b->size = size;
	}
	memset(&b->item[b->n], 0, sizeof(*b->item));
	b->item[b->n].kind = kind;
	b->item[b->n].note = "";
	b->total++;
	return &b->item[b->n++];
}

int batch_skip(struct batch *b, const char *kind, const struct err *why, struct
    err *e)
{
	struct found *f = new_item(b, kind, e);

	if (f == NULL)
		return -1;
	ks_text(f->skipped, sizeof(f->skipped), why);
	return 0;
}

int batch_skip_as(struct batch *b, const char *kind, const char *why, struct
    err *e)
{
	struct err text = { 0 };

	(void)err_set(&text, FAIL_INPUT, "%s", why);
	return batch_skip(b, kind, &text, e);
}

/* One that is there already is not parsed again, unless something about it
 * is to be changed or it has no address to be called by. */
static int take_known(struct batch *b, struct view der, bool *taken,
    struct err *e)
{
	struct found look = { 0 }, *f;
	unsigned char sha256[32];
	bool known;

	*taken = false;
	if (b->o->use != 0 || b->o->anchor)
		return 0;
	ossl_sha256(der.p, der.n, sha256);
	if (import_is_known(b->ks, sha256, &known, &look, e) != 0)
		return -1;
	if (!known || look.what[0] == '\0')
		return 0;
	f = new_item(b, "certificate", e);
	if (f == NULL)
		return -1;
	f->known = true;
	f->note = look.note;
	memcpy(f->what, look.what, sizeof(f->what));
	(void)hex_encode(f->sha256, sha256, sizeof(sha256));
	*taken = true;
	return 0;
}

int batch_cert(struct batch *b, struct view der, struct err *e)
{
	struct err why = { 0 };
	struct found *f;
	struct cert *c;
	bool taken;

	if (take_known(b, der, &taken, e) != 0)
		return -1;
	if (taken)
		return 0;
	if (cert_parse(&c, der, &why) != 0) {
		if (why.kind == FAIL_TEMP)
			return err_set(e, FAIL_TEMP, "%s", why.msg);
		return batch_skip(b, "certificate", &why, e);
	}
	f = new_item(b, "certificate", e);
	if (f == NULL) {
		cert_free(&c);
		return -1;
	}
	f->cert = c;
	return 0;
}

int batch_key(struct batch *b, EVP_PKEY *take_key, struct err *e)
{
	struct found *f = NULL;

	if (b->keys < CAP_IMPORT_KEYS)
		f = new_item(b, "private key", e);
	else
		(void)err_set(e, FAIL_LIMIT, "more than %d private keys",
		    CAP_IMPORT_KEYS);
	if (f == NULL) {
		EVP_PKEY_free(take_key);
		return -1;
	}
	f->key = take_key;
	b->keys++;
	return 0;
}
