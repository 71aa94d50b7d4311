/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: the CMS walker, the content reader, decryption with a key
 * that is always handed out, verification, expansion. The octets are BER as
 * they are, no transfer encoding. What libcrypto thinks of them is asked in
 * fuzz_cmsdiff.c.
 */
#include "smime/decrypt.h"
#include "smime/expand.h"
#include "smime/verify.h"
#include "tests/fuzz/cms_world.h"

static int no_sign(void *ctx, const unsigned char sha256[32],
    enum sig_alg alg, struct view attrs, struct buf *sig, struct err *e)
{
	(void)ctx;
	(void)sha256;
	(void)alg;
	(void)attrs;
	(void)sig;
	return err_set(e, FAIL_POLICY, "no signing here");
}

static int any_key(void *ctx, const unsigned char sha256[32], struct view ri,
    size_t cek_len, unsigned char cek[CAP_CEK], struct err *e)
{
	(void)ctx;
	(void)sha256;
	(void)ri;
	(void)e;
	MUST(cek_len == 16 || cek_len == 24 || cek_len == 32);
	memset(cek, 'k', cek_len);
	return 0;
}

/* All content octets; as many as announced. */
static void read_content(const struct cms *c)
{
	struct cms_content *cc = NULL;
	uint64_t n = 0;
	struct view v;
	struct err e;

	if (cms_content_open(&cc, c, &e) == -1)
		return;
	do {
		MUST(cms_content_next(cc, &v, &e) == 0);
		n += v.n;
	} while (v.n > 0);
	MUST(n == cms_content_size(c));
	cms_content_free(&cc);
}

static void decrypt(const struct cms *c, struct spool *q)
{
	const struct key_ops ops = { NULL, no_sign, any_key };
	const unsigned char sha256[32] = { 0 };
	struct err e;

	MUST(spool_clear(q, &e) == 0);
	if (cms_rids(c) > 0 && cms_decrypt(c, cms_rid(c, 0), sha256, &ops, q,
	    &e) == -1)
		MUST(spool_size(q) == 0);
}

static void verify(const struct cms *c, const struct spool *s,
    struct spool *q)
{
	struct verify_policy p = { .now = 1, .min_rsa_bits = 1024,
		.allow_sha1 = true };
	struct verification *v = NULL;
	struct err e;

	MUST(verify_detached(c, s, 0, spool_size(s), &p, &v, &e) == 0);
	verify_conclude(v, true, 1);
	verification_free(&v);
	MUST(spool_clear(q, &e) == 0);
	MUST(verify_opaque(c, &p, q, &v, &e) == 0);
	verify_conclude(v, false, 1);
	verification_free(&v);
}

static void expand(const struct cms *c, struct spool *q)
{
	struct err e;

	MUST(spool_clear(q, &e) == 0);
	if (cms_expand(c, q, &e) == -1)
		MUST(spool_size(q) == 0 && e.kind != FAIL_BUG);
}

bool fuzz_seed(size_t i, struct buf *out)
{
	return world_seed(i, out);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t room,
    unsigned seed)
{
	return world_mutate(data, n, room, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct spool *s = fuzz_spool(view_make(data, n)), *q = NULL;
	struct cms *c = NULL;
	struct err e;

	MUST(spool_new(&q, FUZZ_SPOOL, &e) == 0);
	if (cms_read(&c, s, 0, n, CTE_BINARY, &e) == 0) {
		read_content(c);
		decrypt(c, q);
		verify(c, s, q);
		expand(c, q);
		cms_allow(c, CMS_ALLOW_BARE_GCM);
		decrypt(c, q);
	} else {
		MUST(c == NULL && (e.kind == FAIL_INPUT ||
		    e.kind == FAIL_LIMIT));
	}
	cms_free(&c);
	spool_free(&s);
	spool_free(&q);
	return 0;
}
