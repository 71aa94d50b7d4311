/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Entities made to measure for tests of incoming mail: signed, encrypted,
 * wrapped in each other in any order, and messages of them. For inclusion
 * after gateway_world.h.
 */
#ifndef TESTS_UNIT_GATEWAY_MAKE_H
#define TESTS_UNIT_GATEWAY_MAKE_H

#include "tests/unit/gateway_world.h"

#include "smime/codec.h"
#include "smime/encrypt.h"
#include "smime/sign.h"
#include "util/der.h"

#define MAKE_MAX (64u << 20)

static UNUSED struct spool *make_spool(struct view v)
{
	struct spool *s = NULL;

	assert_int_equal(spool_new(&s, 1u << 30, NULL), 0);
	assert_int_equal(spool_write(s, v.p, v.n, NULL), 0);
	return s;
}

/* What is in the spool takes the place of what is in b. */
static UNUSED void make_take(struct buf *b, struct spool **s)
{
	struct sink to = sink_to_buf(b);

	buf_clear(b);
	assert_int_equal(spool_copy(*s, 0, spool_size(*s), &to, NULL), 0);
	assert_int_equal(buf_ok(b, NULL), 0);
	spool_free(s);
}

static UNUSED struct cert *make_cert(struct world *w, const char *who,
    unsigned use)
{
	struct selection s = {0};
	struct cert *c;
	struct addr a;

	assert_int_equal(addr_parse(&a, view_of(who), NULL), 0);
	assert_int_equal(keystore_select(w->ks, &a, use, time(NULL), &s,
	    NULL), 0);
	assert_non_null(s.cert);
	c = cert_ref(s.cert);
	selection_free(&s);
	return c;
}

/* The entity in b, signed by who; octets as they are. */
static UNUSED void make_signed(struct world *w, const char *who,
    enum sign_form form, struct buf *b)
{
	struct key_ops keys = {w, world_sign, world_open};
	struct cert *c = make_cert(w, who, KS_SIGN);
	struct spool *in = make_spool(buf_view(b)), *out = NULL;
	struct signer signer = {0};

	memset(&w->env, 0, sizeof(w->env));
	w->env.auth = ENV_AUTH_CALLER;
	signer.cert = c;
	assert_int_equal(spool_new(&out, 1u << 30, NULL), 0);
	if (sign_entity(in, &signer, &keys, form, time(NULL), out,
	    &w->e) != 0)
		fail_msg("%s", w->e.msg);
	make_take(b, &out);
	spool_free(&in);
	cert_free(&c);
}

/* The entity in b, encrypted to who. */
static UNUSED void make_sealed(struct world *w, const char *who,
    enum enc_cipher cipher, struct buf *b)
{
	struct cert *c = make_cert(w, who, KS_ENCRYPT);
	struct enc_to to = {c, false};
	struct spool *in = make_spool(buf_view(b)), *out = NULL;

	assert_int_equal(spool_new(&out, 1u << 30, NULL), 0);
	if (encrypt_entity(in, &to, 1, cipher, out, &w->e) != 0)
		fail_msg("%s", w->e.msg);
	make_take(b, &out);
	spool_free(&in);
	cert_free(&c);
}

/* The CMS object of the base64 entity in b, DER or BER. */
static UNUSED void make_bare(struct buf *b)
{
	struct spool *in = make_spool(buf_view(b)), *out = NULL;
	struct sink to;
	struct header h;

	assert_int_equal(header_read(&h, in, 0, spool_size(in), NULL), 0);
	assert_int_equal(spool_new(&out, 1u << 30, NULL), 0);
	to = spool_sink(out);
	assert_int_equal(codec_decode(in, h.body_off, spool_size(in),
	    CTE_BASE64, &to, NULL, NULL), 0);
	make_take(b, &out);
	header_free(&h);
	spool_free(&in);
}

/* Octets as base64 under these header fields ("...\r\n"). */
static UNUSED void make_base64(struct buf *b, const char *fields)
{
	struct spool *in = make_spool(buf_view(b));
	struct b64_enc enc;
	struct sink to;

	buf_clear(b);
	buf_puts(b, fields);
	buf_puts(b, "Content-Transfer-Encoding: base64\r\n\r\n");
	b64_enc_init(&enc, sink_to_buf(b));
	to = b64_enc_sink(&enc);
	assert_int_equal(spool_copy(in, 0, spool_size(in), &to, NULL), 0);
	assert_int_equal(b64_enc_end(&enc, NULL), 0);
	spool_free(&in);
}

/* Octets as they are under these header fields. */
static UNUSED void make_binary(struct buf *b, const char *fields)
{
	struct spool *in = make_spool(buf_view(b));
	struct sink to = sink_to_buf(b);

	buf_clear(b);
	buf_puts(b, fields);
	buf_puts(b, "Content-Transfer-Encoding: binary\r\n\r\n");
	assert_int_equal(spool_copy(in, 0, spool_size(in), &to, NULL), 0);
	spool_free(&in);
}

/* The same object under another header, as base64. */
static UNUSED void make_relabelled(struct buf *b, const char *fields)
{
	make_bare(b);
	make_base64(b, fields);
}

/* Replace the first place of old, which may be of another length. */
static UNUSED void make_edit(struct buf *b, const char *old, const char *new)
{
	size_t n = strlen(old);
	unsigned char *p = memmem(b->p, b->n, old, n);
	struct buf t;

	if (p == NULL)
		fail_msg("\"%s\" is not there", old);
	buf_init(&t, MAKE_MAX);
	buf_put(&t, b->p, (size_t)(p - b->p));
	buf_puts(&t, new);
	buf_put(&t, p + n, b->n - n - (size_t)(p - b->p));
	buf_clear(b);
	buf_putv(b, buf_view(&t));
	buf_free(&t);
}

/* The entity in b between these two texts. */
static UNUSED void make_between(struct buf *b, const char *before,
    const char *after)
{
	struct buf t;

	buf_init(&t, MAKE_MAX);
	buf_puts(&t, before);
	buf_putv(&t, buf_view(b));
	buf_puts(&t, after);
	buf_clear(b);
	buf_putv(b, buf_view(&t));
	buf_free(&t);
}

/* The body of the message that the last run made. */
static UNUSED struct view make_body(const struct world *w)
{
	const unsigned char *p = memmem(w->out.p, w->out.n, "\r\n\r\n", 4);
	size_t at;

	assert_non_null(p);
	at = (size_t)(p - w->out.p) + 4;
	return view_sub(buf_view(&w->out), at, w->out.n - at);
}

#endif
