/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * For the tests of the import: a store to bring things into, and what was
 * said about them.
 */
#ifndef KEYSTORE_IMPORT_TEST_H
#define KEYSTORE_IMPORT_TEST_H

#include "tests/unit/keystore_util.h"

#include <openssl/pem.h>

/* ---- what was reported ---- */

struct seen {
	size_t certs, keys, skipped, added;
	char reason[200];
	char kind[40];
	char what[200];
	char note[60];
};

static UNUSED int note(void *arg, const char *file,
    const struct import_item *it)
{
	struct seen *s = arg;

	assert_string_equal(file, "file");
	if (it->skipped[0] != '\0') {
		s->skipped++;
		snprintf(s->reason, sizeof(s->reason), "%s", it->skipped);
		snprintf(s->kind, sizeof(s->kind), "%s", it->kind);
		return 0;
	}
	if (strcmp(it->kind, "private key") == 0)
		s->keys++;
	else
		s->certs++;
	s->added += it->added;
	snprintf(s->what, sizeof(s->what), "%s", it->what);
	snprintf(s->note, sizeof(s->note), "%s", it->note);
	return 0;
}

struct bench {
	struct place p;
	struct keystore *ks;
	struct import_opts o;
	struct seen seen;
	size_t good;
	struct err e;
};

static UNUSED void bench_make(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	b->ks = store_make(&b->p);
	b->o.secret = secret_view();
	b->o.report = note;
	b->o.arg = &b->seen;
}

static UNUSED void bench_clear(struct bench *b)
{
	store_clear(&b->p, &b->ks);
}

static UNUSED int run(struct bench *b, struct view data)
{
	memset(&b->seen, 0, sizeof(b->seen));
	memset(&b->e, 0, sizeof(b->e));
	return import_data(b->ks, "file", data, &b->o, &b->good, &b->e);
}

static UNUSED int count_row(void *arg, const struct ks_row *r, struct err *e)
{
	(void)r;
	(void)e;
	++*(size_t *)arg;
	return 0;
}

static UNUSED size_t stored(struct bench *b)
{
	size_t n = 0;

	must(keystore_list(b->ks, NULL, count_row, &n, e));
	return n;
}

/* ---- making files ---- */

static UNUSED void bio_to_buf(BIO *bio, struct buf *out)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	buf_put(out, p, (size_t)n);
	BIO_free(bio);
}

static UNUSED void put_cert_pem(const struct made *m, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_X509(bio, m->x), 1);
	bio_to_buf(bio, out);
}

static UNUSED void put_key_pem(const struct made *m, const char *password,
    struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, m->key,
	    password != NULL ? EVP_aes_256_cbc() : NULL, password,
	    password != NULL ? (int)strlen(password) : 0, NULL, NULL), 1);
	bio_to_buf(bio, out);
}

/* The message when something was said that was not wanted. */
static UNUSED void said(const struct bench *b, const char *want)
{
	if (strstr(b->seen.reason, want) == NULL)
		fail_msg("\"%s\" is not in: %s", want, b->seen.reason);
}

#endif
