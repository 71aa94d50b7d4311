/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * SignedData made by hand with one thing wrong, for the tests of
 * verification. Independent of the code under test but for the table of
 * object identifiers and the DER writer.
 */
#ifndef TESTS_UNIT_SMIME_FORGE_H
#define TESTS_UNIT_SMIME_FORGE_H

#include "smime/oid.h"
#include "smime/verify.h"
#include "smime_help.h"
#include "testca.h"

static const char content[] = "Content-Type: text/plain\r\n\r\nHello\r\n";

/* What is wrong with one attribute. */
enum how { AS_IS, LEFT_OUT, TWICE, TWO_VALUES, NO_VALUE, WRONG };

struct forge {
	const struct testca_id *id;
	const struct testca_id *named; /* in sid instead of id */
	const struct cert *certs[4];   /* NULL-terminated */
	const struct cert *const *more_certs; /* behind them */
	size_t more_n;
	struct view raw_cert; /* one more, of which nobody thinks much */
	enum oid digest;	       /* 0: SHA-256 */
	enum oid sig_alg;	       /* 0: by key */
	enum how type, md, time, caps, pref, protect, ess, ess1;
	enum oid econtent;	/* 0: data */
	size_t more_attrs;
	bool by_ski;
	bool no_attrs;
	bool opaque;
	bool unsorted;
	bool digest_null;
	bool no_digest_algs;
	bool no_signer;
	bool wrong_signature;
	bool trailing; /* something after the SignerInfo's signature */
	const char *said; /* content that the signature is for */
	int64_t at;	  /* signingTime; 0: a fixed one */
	const struct cert *ess_of; /* named by signingCertificate(V2) */
	struct view inside;	   /* eContent instead of content */
	struct view econtent_der;  /* its type, whole */
	struct view sig_alg_der;   /* AlgorithmIdentifier, whole */
	struct view unsigned_attrs; /* contents of [1] */
	const struct forge_attr *extra; /* more signed attributes */
	size_t extra_n;
	/* makes the signature over tbs instead of the key */
	void (*sign)(const struct forge *f, struct view tbs,
	    struct buf *sig);
};

struct forge_attr {
	struct view oid, value; /* contents of the OID; one value, whole */
	enum how how;
};

UNUSED static void put_oid(struct buf *b, enum oid o)
{
	put_tlv(b, DER_OID, oid_view(o));
}

UNUSED static void put_alg(struct buf *b, enum oid o, bool null, int tag)
{
	struct buf t;

	buf_init(&t, 256);
	put_oid(&t, o);
	if (null)
		put_tlv(&t, DER_NULL, view_make("", 0));
	put_tlv(b, tag, buf_view(&t));
	buf_free(&t);
}

struct attr_list {
	struct buf one[24 + CAP_CMS_ATTRIBUTES];
	size_t n;
};

UNUSED static void add_attr(struct attr_list *l, struct view oid,
    struct view value, enum how how)
{
	struct buf set, *b;
	int times = how == LEFT_OUT ? 0 : how == TWICE ? 2 : 1;

	for (int i = 0; i < times; i++) {
		buf_init(&set, 4096);
		if (how != NO_VALUE)
			buf_putv(&set, value);
		if (how == TWO_VALUES)
			buf_putv(&set, value);
		wrap_buf(&set, DER_SET);
		b = &l->one[l->n++];
		buf_init(b, 8192);
		put_tlv(b, DER_OID, oid);
		buf_putv(b, buf_view(&set));
		wrap_buf(b, DER_SEQUENCE);
		buf_free(&set);
	}
}

static const EVP_MD *md_of(const struct forge *f)
{
	switch (f->digest) {
	case OID_SHA1:
		return EVP_sha1();
	case OID_SHA384:
		return EVP_sha384();
	case OID_SHA512:
		return EVP_sha512();
	case OID_MD5:
		return EVP_md5();
	default:
		return EVP_sha256();
	}
}

UNUSED static void hash(const EVP_MD *md, struct view v, struct buf *out)
{
	unsigned char h[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	assert_int_equal(EVP_Digest(v.p, v.n, h, &n, md, NULL), 1);
	buf_put(out, h, n);
}

UNUSED static enum oid digest_of(const struct forge *f)
{
	return f->digest == OID_UNKNOWN ? OID_SHA256 : f->digest;
}

UNUSED static enum oid sig_of(const struct forge *f)
{
	if (f->sig_alg != OID_UNKNOWN)
		return f->sig_alg;
	if (cert_key_type(f->id->cert) != CERT_KEY_EC)
		return OID_RSA;
	return f->digest == OID_SHA384 ? OID_ECDSA_SHA384 :
	    f->digest == OID_SHA512 ? OID_ECDSA_SHA512 :
	    f->digest == OID_SHA1 ? OID_ECDSA_SHA1 : OID_ECDSA_SHA256;
}

UNUSED static bool sig_has_null(enum oid o)
{
	return o >= OID_RSA && o <= OID_RSA_SHA512;
}

/* signingCertificate: only the hash, of the certificate or of nonsense. */
UNUSED static void add_ess(struct attr_list *l, const struct forge *f, bool v2)
{
	enum how how = v2 ? f->ess : f->ess1;
	struct buf h, t;

	buf_init(&h, 1024);
	buf_init(&t, 1024);
	hash(v2 ? EVP_sha256() : EVP_sha1(), how == WRONG ?
	    view_of("another") : cert_der(f->ess_of == NULL ? f->id->cert :
	    f->ess_of), &h);
	put_tlv(&t, DER_OCTET_STRING, buf_view(&h));
	wrap_buf(&t, DER_SEQUENCE);
	wrap_buf(&t, DER_SEQUENCE);
	wrap_buf(&t, DER_SEQUENCE);
	add_attr(l, oid_view(v2 ? OID_A_SIGNING_CERT_V2 :
	    OID_A_SIGNING_CERT), buf_view(&t), how);
	buf_free(&h);
	buf_free(&t);
}

UNUSED static void add_caps(struct attr_list *l, const struct forge *f)
{
	struct buf t;

	buf_init(&t, 1024);
	put_alg(&t, OID_AES256_GCM, false, DER_SEQUENCE);
	wrap_buf(&t, DER_SEQUENCE);
	add_attr(l, oid_view(OID_A_SMIME_CAPS), buf_view(&t), f->caps);
	buf_clear(&t);
	put_tlv(&t, DER_CTX0_PRIM + 2, view_of("key id"));
	add_attr(l, oid_view(OID_A_ENC_KEY_PREF), buf_view(&t), f->pref);
	buf_clear(&t);
	put_alg(&t, f->protect == WRONG ? OID_SHA512 : digest_of(f), false,
	    DER_SEQUENCE);
	put_alg(&t, sig_of(f), sig_has_null(sig_of(f)), DER_CTX0 + 1);
	wrap_buf(&t, DER_SEQUENCE);
	add_attr(l, oid_view(OID_A_ALG_PROTECT), buf_view(&t), f->protect);
	buf_free(&t);
}

UNUSED static int compare_bufs(const void *pa, const void *pb)
{
	const struct buf *a = pa, *b = pb;
	size_t n = a->n < b->n ? a->n : b->n;
	int r = memcmp(a->p, b->p, n);

	return r != 0 ? r : a->n < b->n ? -1 : a->n > b->n;
}

UNUSED static void add_time(struct attr_list *l, const struct forge *f)
{
	unsigned char mem[64];
	struct der_w w;

	der_w_init(&w, mem, sizeof(mem));
	if (f->at != 0)
		der_w_time(&w, f->at);
	else
		der_w_tlv(&w, DER_UTCTIME, f->time == WRONG ? "26112110000Z" :
		    "261121100000Z", f->time == WRONG ? 12 : 13);
	add_attr(l, oid_view(OID_A_SIGNING_TIME), der_w_result(&w), f->time);
}

/* The contents of signedAttrs. */
UNUSED static void make_attrs(const struct forge *f, struct buf *out)
{
	struct attr_list *l = calloc(1, sizeof(*l));
	unsigned char oid[3] = { 0x2a, 3, 0 };
	struct buf t;

	assert_non_null(l);
	buf_init(&t, 1024);
	put_oid(&t, f->type == WRONG ? OID_SIGNED_DATA : OID_DATA);
	add_attr(l, oid_view(OID_A_CONTENT_TYPE), buf_view(&t), f->type);
	buf_clear(&t);
	add_time(l, f);
	hash(md_of(f), view_of(f->said == NULL ? content : f->said), &t);
	wrap_buf(&t, f->md == WRONG ? DER_UTF8 : DER_OCTET_STRING);
	add_attr(l, oid_view(OID_A_MESSAGE_DIGEST), buf_view(&t), f->md);
	add_caps(l, f);
	add_ess(l, f, true);
	add_ess(l, f, false);
	for (size_t i = 0; i < f->more_attrs; i++) {
		oid[2] = (unsigned char)i;
		add_attr(l, view_make(oid, 3), view_make("\x05\x00", 2),
		    AS_IS);
	}
	for (size_t i = 0; i < f->extra_n; i++)
		add_attr(l, f->extra[i].oid, f->extra[i].value,
		    f->extra[i].how);
	qsort(l->one, l->n, sizeof(l->one[0]), compare_bufs);
	for (size_t i = 0; i < l->n; i++)
		buf_putv(out, buf_view(&l->one[f->unsorted ? l->n - 1 - i :
		    i]));
	for (size_t i = 0; i < l->n; i++)
		buf_free(&l->one[i]);
	buf_free(&t);
	free(l);
}

UNUSED static void make_signature(const struct forge *f, struct view tbs,
    struct buf *sig)
{
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	unsigned char *to = buf_room(sig, 1024);
	bool is_ed = EVP_PKEY_is_a(f->id->key, "ED25519") == 1;
	size_t n = 1024;

	assert_true(m != NULL && to != NULL);
	assert_int_equal(EVP_DigestSignInit(m, NULL, is_ed ? NULL : md_of(f),
	    NULL, f->id->key), 1);
	assert_int_equal(EVP_DigestSign(m, to, &n, tbs.p, tbs.n), 1);
	if (f->wrong_signature)
		to[n / 2] ^= 1;
	sig->n += n;
	EVP_MD_CTX_free(m);
}

UNUSED static void make_signer_info(const struct forge *f, struct buf *out)
{
	const struct cert *named = f->named == NULL ? f->id->cert :
	    f->named->cert;
	struct buf attrs, si, sig, set;

	buf_init(&attrs, BIG);
	buf_init(&si, BIG);
	buf_init(&sig, BIG);
	buf_init(&set, BIG);
	make_attrs(f, &attrs);
	put_tlv(&set, DER_SET, buf_view(&attrs));
	(f->sign == NULL ? make_signature : f->sign)(f, f->no_attrs ?
	    view_of(content) : buf_view(&set), &sig);
	put_tlv(&si, DER_INTEGER, view_make(f->by_ski ? "\3" : "\1", 1));
	if (f->by_ski)
		put_tlv(&si, DER_CTX0_PRIM, cert_ski(named));
	else
		buf_putv(&si, cert_ias(named));
	put_alg(&si, digest_of(f), f->digest_null, DER_SEQUENCE);
	if (!f->no_attrs)
		put_tlv(&si, DER_CTX0, buf_view(&attrs));
	if (f->sig_alg_der.n > 0)
		buf_putv(&si, f->sig_alg_der);
	else
		put_alg(&si, sig_of(f), sig_has_null(sig_of(f)),
		    DER_SEQUENCE);
	put_tlv(&si, DER_OCTET_STRING, buf_view(&sig));
	if (f->unsigned_attrs.n > 0)
		put_tlv(&si, DER_CTX0 + 1, f->unsigned_attrs);
	if (f->trailing)
		put_tlv(&si, DER_NULL, view_make("", 0));
	put_tlv(out, DER_SEQUENCE, buf_view(&si));
	buf_free(&attrs);
	buf_free(&si);
	buf_free(&sig);
	buf_free(&set);
}

/* SignedData with the SignerInfos of f[0..n), the rest as f[0] says. */
UNUSED static void make_signed(const struct forge *f, size_t n, struct buf *out)
{
	struct buf sd, t;

	buf_init(&sd, BIG);
	buf_init(&t, BIG);
	put_tlv(&sd, DER_INTEGER, view_make("\1", 1));
	for (size_t i = 0; i < n && !f->no_digest_algs; i++)
		put_alg(&t, digest_of(&f[i]), false, DER_SEQUENCE);
	put_tlv(&sd, DER_SET, buf_view(&t));
	buf_clear(&t);
	if (f->opaque) {
		put_tlv(&t, DER_OCTET_STRING, f->inside.p == NULL ?
		    view_of(content) : f->inside);
		wrap_buf(&t, DER_CTX0);
	}
	buf_clear(out);
	if (f->econtent_der.n > 0)
		buf_putv(out, f->econtent_der);
	else
		put_oid(out, f->econtent == OID_UNKNOWN ? OID_DATA :
		    f->econtent);
	buf_putv(out, buf_view(&t));
	put_tlv(&sd, DER_SEQUENCE, buf_view(out));
	buf_clear(&t);
	for (size_t i = 0; i < ARRAY_LEN(f->certs) && f->certs[i] != NULL;
	    i++)
		buf_putv(&t, cert_der(f->certs[i]));
	for (size_t i = 0; i < f->more_n; i++)
		buf_putv(&t, cert_der(f->more_certs[i]));
	buf_putv(&t, f->raw_cert);
	if (t.n > 0)
		put_tlv(&sd, DER_CTX0, buf_view(&t));
	buf_clear(&t);
	for (size_t i = 0; i < n && !f->no_signer; i++)
		make_signer_info(&f[i], &t);
	put_tlv(&sd, DER_SET, buf_view(&t));
	wrap_buf(&sd, DER_SEQUENCE);
	wrap_buf(&sd, DER_CTX0);
	buf_clear(out);
	put_oid(out, OID_SIGNED_DATA);
	buf_putv(out, buf_view(&sd));
	wrap_buf(out, DER_SEQUENCE);
	buf_free(&sd);
	buf_free(&t);
}

UNUSED static struct verify_policy policy(void)
{
	return (struct verify_policy){ .now = 1795000000, .min_rsa_bits =
	    CAP_RSA_MIN };
}

/* Verify der, detached over said or opaque. */
UNUSED static struct verification *verify_with(const struct verify_policy *p,
    struct view der, const struct view *said)
{
	struct verification *v = NULL;
	struct spool *s = spool_empty();
	struct cms *c = NULL;
	struct err e;

	if (read_der(&c, der, &e) == -1)
		fail_msg("%s", e.msg);
	if (said == NULL) {
		assert_int_equal(verify_opaque(c, p, s, &v, &e), 0);
	} else {
		assert_int_equal(spool_write(s, said->p, said->n, &e), 0);
		assert_int_equal(verify_detached(c, s, 0, said->n, p, &v,
		    &e), 0);
	}
	spool_free(&s);
	cms_free(&c);
	return v;
}

UNUSED static struct verification *verify(struct view der,
    const struct view *said)
{
	struct verify_policy p = policy();

	return verify_with(&p, der, said);
}

UNUSED static const struct view said = { (const unsigned char *)content,
	sizeof(content) - 1 };

/* The first signer's result, or the whole one's when there is none. */
UNUSED static void expect(const char *name, const struct verification *v,
    enum sig_result r, int step)
{
	enum sig_result got = v->signers > 0 ? v->signer[0].result :
	    v->result;
	int at = v->signers > 0 ? v->signer[0].step : v->step;
	const char *why = v->signers > 0 ? v->signer[0].reason : v->reason;

	if (got != r || at != step)
		fail_msg("%s: %s at S%d (%s), wanted %s at S%d", name,
		    sig_result_str(got), at, why, sig_result_str(r), step);
	if (r != SIG_PASS)
		assert_true(strlen(why) > 0);
}

#endif
