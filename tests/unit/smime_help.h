/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Small things that the smime_ tests share: spools from and to memory, DER
 * by hand, libcrypto as the other side. Asserts inside.
 */
#ifndef TESTS_UNIT_SMIME_HELP_H
#define TESTS_UNIT_SMIME_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/err.h>

#include "smime/cms.h"
#include "util/der.h"
#include "util/spool.h"

#define BIG (64u << 20)

UNUSED static struct spool *spool_with(struct view v)
{
	struct spool *s = NULL;
	struct err e;

	assert_int_equal(spool_new(&s, BIG, &e), 0);
	assert_int_equal(spool_write(s, v.p, v.n, &e), 0);
	return s;
}

UNUSED static struct spool *spool_empty(void)
{
	return spool_with(view_make("", 0));
}

/* All of s appended to b. */
UNUSED static void spool_get(const struct spool *s, struct buf *b)
{
	struct sink to = sink_to_buf(b);
	struct err e;

	assert_int_equal(spool_copy(s, 0, spool_size(s), &to, &e), 0);
	assert_false(b->failed);
}

/* Walk DER or BER octets as they are. */
UNUSED static int read_der(struct cms **c, struct view der, struct err *e)
{
	struct spool *s = spool_with(der);
	int r;

	r = cms_read(c, s, 0, der.n, CTE_BINARY, e);
	spool_free(&s);
	return r;
}

/* Element tag with v inside, appended to out. */
UNUSED static void put_tlv(struct buf *out, int tag, struct view v)
{
	unsigned char *mem = malloc(v.n + 16);
	struct der_w w;
	struct view r;

	assert_non_null(mem);
	der_w_init(&w, mem, v.n + 16);
	der_w_tlv(&w, tag, v.p, v.n);
	r = der_w_result(&w);
	assert_true(r.n > 0);
	buf_putv(out, r);
	free(mem);
}

/* What is in b becomes the content of one element. */
UNUSED static void wrap_buf(struct buf *b, int tag)
{
	struct buf t;

	buf_init(&t, BIG);
	put_tlv(&t, tag, buf_view(b));
	buf_clear(b);
	buf_putv(b, buf_view(&t));
	buf_free(&t);
}

/* The libcrypto object of DER octets; NULL when it does not parse or
 * something follows. */
UNUSED static CMS_ContentInfo *ossl_cms(struct view der)
{
	const unsigned char *p = der.p;
	CMS_ContentInfo *c = d2i_CMS_ContentInfo(NULL, &p, (long)der.n);

	if (c != NULL && p != der.p + der.n) {
		CMS_ContentInfo_free(c);
		c = NULL;
	}
	ERR_clear_error();
	return c;
}

/* i2d of c into b; streamed from data when that is given. */
UNUSED static void ossl_der(CMS_ContentInfo *c, const struct view *data,
    struct buf *b)
{
	BIO *out = BIO_new(BIO_s_mem()), *in = NULL;
	char *p = NULL;
	long n;

	if (data != NULL) {
		in = BIO_new_mem_buf(data->p, (int)data->n);
		assert_int_equal(i2d_CMS_bio_stream(out, c, in, CMS_STREAM |
		    CMS_BINARY), 1);
	} else {
		assert_int_equal(i2d_CMS_bio(out, c), 1);
	}
	n = BIO_get_mem_data(out, &p);
	assert_true(n > 0);
	buf_put(b, p, (size_t)n);
	BIO_free(in);
	BIO_free(out);
}

/* A deterministic stream of numbers (xorshift). */
UNUSED static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* Mutants of each seed; more by POSTSEAL_MUTANTS. */
UNUSED static long mutants_wanted(void)
{
	const char *more = getenv("POSTSEAL_MUTANTS");

	return more == NULL ? 3000 : strtol(more, NULL, 10);
}

/* One to three changes of octets, insertions and removals. */
UNUSED static void mutate(struct buf *m, uint32_t *x)
{
	uint32_t n = next_random(x) % 3 + 1;
	size_t at, k;

	for (uint32_t i = 0; i < n && m->n > 4; i++) {
		at = next_random(x) % m->n;
		switch (next_random(x) % 6) {
		case 0:
		case 1:
			m->p[at] ^= (unsigned char)(1u << (next_random(x) %
			    8));
			break;
		case 2:
			m->p[at] = (unsigned char)next_random(x);
			break;
		case 3: /* one octet more or less in some length */
			m->p[at] = (unsigned char)(m->p[at] + 1 -
			    2 * (next_random(x) & 1));
			break;
		case 4: /* drop a few */
			k = next_random(x) % 4 + 1;
			if (at + k < m->n) {
				memmove(m->p + at, m->p + at + k,
				    m->n - at - k);
				m->n -= k;
			}
			break;
		default: /* double a few */
			k = next_random(x) % 4 + 1;
			if (at + k < m->n && buf_room(m, k) != NULL) {
				memmove(m->p + at + k, m->p + at,
				    m->n - at);
				m->n += k;
			}
			break;
		}
	}
}

/* Keep what went wrong for a look, where POSTSEAL_KEEP names a file. */
UNUSED static void keep_mutant(struct view m)
{
	const char *name = getenv("POSTSEAL_KEEP");
	BIO *b = name == NULL ? NULL : BIO_new_file(name, "wb");

	if (b != NULL)
		BIO_write(b, m.p, (int)m.n);
	BIO_free(b);
}

#endif
