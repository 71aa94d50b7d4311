/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * SignedData written by ourselves: libcrypto needs the private key at hand
 * to stream, we have only key_ops. Shapes as in RFC 5652 5; version 1
 * everywhere, because signers are named by issuer and serial number.
 */
#include "smime/sign.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "smime/codec.h"
#include "smime/oid.h"
#include "smime/signed_attrs.h"
#include "util/ossl.h"

#define CHUNK 4096 /* of an opaque content string, as everybody has it */
#define BOUNDARY_RANDOM 16

struct job {
	const struct spool *entity;
	const struct signer *who;
	struct sign_suite suite;
	struct buf attrs; /* SET OF Attribute, tag 31 */
	struct buf sig;
	unsigned char *mem; /* of w */
	struct der_w w;
	struct spool *out;
};

static const unsigned char version1[] = { DER_INTEGER, 1, 1 };
static const unsigned char eoc3[6] = { 0 };

static int pick_digest(const struct cert *c, const char *name, int *bits,
    struct err *e)
{
	const char *key = cert_key_name(c);

	if (name == NULL)
		name = strcmp(key, "ec:p384") == 0 ? "sha-384" :
		    strcmp(key, "ec:p521") == 0 ? "sha-512" : "sha-256";
	if (strcmp(name, "sha-256") == 0)
		*bits = 256;
	else if (strcmp(name, "sha-384") == 0)
		*bits = 384;
	else if (strcmp(name, "sha-512") == 0)
		*bits = 512;
	else
		return err_set(e, FAIL_POLICY, "digest \"%.20s\" is not used "
		    "for signing, sha-256, sha-384 and sha-512 are (RFC 8551 "
		    "2.1)", name);
	return 0;
}

int sign_alg(const struct signer *who, enum sig_alg *alg, struct err *e)
{
	static const enum sig_alg of[3][3] = {
		{ SIG_RSA_SHA256, SIG_RSA_SHA384, SIG_RSA_SHA512 },
		{ SIG_RSA_PSS_SHA256, SIG_RSA_PSS_SHA384,
		    SIG_RSA_PSS_SHA512 },
		{ SIG_ECDSA_SHA256, SIG_ECDSA_SHA384, SIG_ECDSA_SHA512 },
	};
	const struct cert *c = who->cert;
	int bits = 0;

	if (pick_digest(c, who->digest, &bits, e) == -1)
		return -1;
	if (cert_key_type(c) == CERT_KEY_OTHER)
		return err_set(e, FAIL_POLICY, "signing with a key of type %s "
		    "is unsupported, RSA and EC P-256, P-384, P-521 are (RFC "
		    "8551 2.2)", cert_key_name(c));
	if (cert_key_check(c, e) == -1)
		return -1;
	*alg = of[cert_key_type(c) != CERT_KEY_RSA ? 2 : who->pss]
	    [bits / 128 - 2];
	return 0;
}

static const EVP_MD *md_of(const struct sign_suite *s)
{
	switch (oid_find(s->digest)) {
	case OID_SHA384:
		return EVP_sha384();
	case OID_SHA512:
		return EVP_sha512();
	default:
		return EVP_sha256();
	}
}

static int digest_entity(const struct job *j, unsigned char *md, unsigned *n,
    struct err *e)
{
	EVP_MD_CTX *x = EVP_MD_CTX_new();
	struct spool_rd rd;
	struct view v;
	int r = -1;

	spool_rd_init(&rd, j->entity, 0, spool_size(j->entity));
	if (x == NULL || EVP_DigestInit_ex(x, md_of(&j->suite), NULL) != 1) {
		err_ossl(e, FAIL_TEMP, "cannot digest");
		goto out;
	}
	do {
		if (spool_next(&rd, &v, e) == -1)
			goto out;
		if (EVP_DigestUpdate(x, v.p, v.n) != 1) {
			err_ossl(e, FAIL_TEMP, "cannot digest");
			goto out;
		}
	} while (v.n > 0);
	if (EVP_DigestFinal_ex(x, md, n) != 1)
		err_ossl(e, FAIL_TEMP, "cannot digest");
	else
		r = 0;
out:
	spool_rd_free(&rd);
	EVP_MD_CTX_free(x);
	return r;
}

/*
 * An entity that began like a DER SET OF Attribute could be turned into
 * signed attributes of something else (A16,
 * draft-ietf-lamps-cms-euf-cma-signeddata). A header section never does.
 */
static int check_entity(const struct spool *entity, struct err *e)
{
	unsigned char first = 0;
	size_t got;

	if (spool_read(entity, 0, &first, 1, &got, e) == -1)
		return -1;
	if (got == 0)
		return err_set(e, FAIL_BUG, "entity to be signed is empty");
	if (first == DER_SET)
		return err_set(e, FAIL_POLICY, "content that begins like "
		    "signed attributes is not signed (A16)");
	return 0;
}

static int make_signature(struct job *j, const struct key_ops *keys,
    int64_t now, struct err *e)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (check_entity(j->entity, e) == -1 ||
	    digest_entity(j, md, &n, e) == -1 ||
	    signed_attrs_make(j->who, &j->suite, view_make(md, n), now,
	    &j->attrs, e) == -1)
		return -1;
	if (keys->sign(keys->ctx, cert_sha256(j->who->cert), j->suite.alg,
	    buf_view(&j->attrs), &j->sig, e) == -1)
		return err_add(e, "signing");
	if (buf_ok(&j->sig, e) == -1)
		return -1;
	return j->sig.n > 0 ? 0 :
	    err_set(e, FAIL_BUG, "key service gave an empty signature");
}

/* Certificates to send: signer, chain, encryption certificate (S54);
 * none twice, for the set would not be one. */
static size_t collect_certs(const struct signer *who, struct view *v,
    size_t room)
{
	size_t n = 0, k;
	const struct cert *c;

	for (size_t i = 0; i < who->chain_n + 2 && n < room; i++) {
		c = i == 0 ? who->cert : i <= who->chain_n ?
		    who->chain[i - 1] : who->encryption_cert;
		if (c == NULL)
			continue;
		for (k = 0; k < n && !view_eq(v[k], cert_der(c)); k++)
			;
		if (k == n)
			v[n++] = cert_der(c);
	}
	return n;
}

static void put_signer_info(struct job *j)
{
	struct der_w *w = &j->w;
	size_t mark = der_w_mark(w);

	der_w_tlv(w, DER_OCTET_STRING, j->sig.p, j->sig.n);
	sign_put_sig_alg(w, &j->suite);
	/* The same octets as signed, under [0] instead of SET OF. */
	der_w_raw(w, j->attrs.p + 1, j->attrs.n - 1);
	der_w_raw(w, "\xa0", 1);
	sign_put_digest_alg(w, &j->suite);
	der_w_view(w, cert_ias(j->who->cert));
	der_w_raw(w, version1, sizeof(version1));
	der_w_wrap(w, DER_SEQUENCE, mark);
	der_w_wrap(w, DER_SET, mark);
}

static void put_digest_algs(struct der_w *w, const struct sign_suite *s)
{
	size_t mark = der_w_mark(w);

	sign_put_digest_alg(w, s);
	der_w_wrap(w, DER_SET, mark);
}

/* certificates and signerInfos: the end of SignedData. */
static int put_tail(struct job *j, struct err *e)
{
	struct view certs[CAP_CMS_CERTS];
	size_t n = collect_certs(j->who, certs, ARRAY_LEN(certs));
	size_t size = j->attrs.n + j->sig.n + cert_ias(j->who->cert).n +
	    1024;

	for (size_t i = 0; i < n; i++)
		size += certs[i].n;
	if ((j->mem = malloc(size)) == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	der_w_init(&j->w, j->mem, size);
	put_signer_info(j);
	der_w_set_of(&j->w, DER_CTX0, certs, n);
	return j->w.failed ? err_set(e, FAIL_BUG, "SignedData does not fit "
	    "into %zu octets", size) : 0;
}

/* The rest of a detached object in front of the tail, all definite. */
static int put_detached(struct job *j, struct err *e)
{
	struct view data = oid_view(OID_DATA);
	struct view sd = oid_view(OID_SIGNED_DATA);
	struct der_w *w = &j->w;
	size_t mark = der_w_mark(w);

	der_w_tlv(w, DER_OID, data.p, data.n);
	der_w_wrap(w, DER_SEQUENCE, mark);
	put_digest_algs(w, &j->suite);
	der_w_raw(w, version1, sizeof(version1));
	der_w_wrap(w, DER_SEQUENCE, 0);
	der_w_wrap(w, DER_CTX0, 0);
	der_w_tlv(w, DER_OID, sd.p, sd.n);
	der_w_wrap(w, DER_SEQUENCE, 0);
	return w->failed ? err_set(e, FAIL_BUG, "SignedData does not fit") :
	    0;
}

/* Around the entity, which is in j->out already. */
static int write_clear(struct job *j, struct err *e)
{
	unsigned char rnd[BOUNDARY_RANDOM];
	char hex[2 * BOUNDARY_RANDOM + 1];
	struct sink to = spool_sink(j->out);
	struct b64_enc b64;
	struct buf t;
	struct view der;
	int r = -1;

	buf_init(&t, 4096);
	if (put_detached(j, e) == -1)
		goto out;
	ossl_random(rnd, sizeof(rnd));
	hex_encode(hex, rnd, sizeof(rnd));
	/* "=_" cannot occur in quoted-printable or base64 (RFC 2045 6.7). */
	buf_printf(&t, "Content-Type: multipart/signed;"
	    " protocol=\"application/pkcs7-signature\";\r\n"
	    "\tmicalg=%s; boundary=\"=_%s\"\r\n"
	    "\r\n"
	    "--=_%s\r\n", j->suite.micalg, hex, hex);
	if (buf_ok(&t, e) == -1 || spool_prepend(j->out, t.p, t.n, e) == -1)
		goto out;
	buf_clear(&t);
	buf_printf(&t, "\r\n--=_%s\r\n"
	    "Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "Content-Disposition: attachment; filename=smime.p7s\r\n"
	    "\r\n", hex);
	if (buf_ok(&t, e) == -1 || sink_put(&to, t.p, t.n, e) == -1)
		goto out;
	der = der_w_result(&j->w);
	b64_enc_init(&b64, to);
	if (b64_enc_put(&b64, der.p, der.n, e) == -1 ||
	    b64_enc_end(&b64, e) == -1)
		goto out;
	buf_clear(&t);
	buf_printf(&t, "\r\n--=_%s--\r\n", hex);
	if (buf_ok(&t, e) == 0)
		r = sink_put(&to, t.p, t.n, e);
out:
	buf_free(&t);
	return r;
}

/* 30 80 signedData a0 80 30 80 version digestAlgs 30 80 data a0 80 24 80 */
static int write_prefix(struct job *j, struct b64_enc *to, struct err *e)
{
	unsigned char mem[256];
	struct view data = oid_view(OID_DATA), v;
	struct view sd = oid_view(OID_SIGNED_DATA);
	struct der_w w;

	der_w_init(&w, mem, sizeof(mem));
	der_w_raw(&w, "\xa0\x80\x24\x80", 4);
	der_w_tlv(&w, DER_OID, data.p, data.n);
	der_w_raw(&w, "\x30\x80", 2);
	put_digest_algs(&w, &j->suite);
	der_w_raw(&w, version1, sizeof(version1));
	der_w_raw(&w, "\xa0\x80\x30\x80", 4);
	der_w_tlv(&w, DER_OID, sd.p, sd.n);
	der_w_raw(&w, "\x30\x80", 2);
	v = der_w_result(&w);
	return b64_enc_put(to, v.p, v.n, e);
}

static int write_chunks(struct job *j, struct b64_enc *to, struct err *e)
{
	unsigned char head[4] = { DER_OCTET_STRING, 0x82, 0, 0 };
	struct spool_rd rd;
	struct view v, part;
	int r = -1;

	spool_rd_init(&rd, j->entity, 0, spool_size(j->entity));
	for (;;) {
		if (spool_next(&rd, &v, e) == -1)
			goto out;
		if (v.n == 0)
			break;
		for (size_t off = 0; off < v.n; off += CHUNK) {
			part = view_sub(v, off, CHUNK);
			head[2] = (unsigned char)(part.n >> 8);
			head[3] = (unsigned char)(part.n & 0xff);
			if (b64_enc_put(to, head, sizeof(head), e) == -1 ||
			    b64_enc_put(to, part.p, part.n, e) == -1)
				goto out;
		}
	}
	r = 0;
out:
	spool_rd_free(&rd);
	return r;
}

static int write_opaque(struct job *j, struct err *e)
{
	static const char head[] =
	    "Content-Type: application/pkcs7-mime; smime-type=signed-data;"
	    " name=smime.p7m\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "Content-Disposition: attachment; filename=smime.p7m\r\n"
	    "\r\n";
	struct sink to = spool_sink(j->out);
	struct view tail = der_w_result(&j->w);
	struct b64_enc b64;

	if (sink_puts(&to, head, e) == -1)
		return -1;
	b64_enc_init(&b64, to);
	/* After the content end its string, eContent and encapContentInfo;
	 * after the tail SignedData, content and ContentInfo. */
	if (write_prefix(j, &b64, e) == -1 ||
	    write_chunks(j, &b64, e) == -1 ||
	    b64_enc_put(&b64, eoc3, sizeof(eoc3), e) == -1 ||
	    b64_enc_put(&b64, tail.p, tail.n, e) == -1 ||
	    b64_enc_put(&b64, eoc3, sizeof(eoc3), e) == -1)
		return -1;
	return b64_enc_end(&b64, e);
}

/* form SIGN_CLEAR: j->out is the entity. Emptied on failure. */
static int sign_job(struct job *j, const struct key_ops *keys,
    enum sign_form form, int64_t now, struct err *e)
{
	enum sig_alg alg;
	int r = -1;

	buf_init(&j->attrs, CAP_KEY_REQUEST / 2);
	buf_init(&j->sig, CAP_SIGNATURE);
	ossl_clear();
	if (j->who->chain_n + 2 > CAP_CMS_CERTS) {
		err_set(e, FAIL_LIMIT, "chain of %zu certificates",
		    j->who->chain_n);
		goto out;
	}
	if (sign_alg(j->who, &alg, e) == -1)
		goto out;
	j->suite = sign_suite_of(alg);
	if (make_signature(j, keys, now, e) == -1 || put_tail(j, e) == -1)
		goto out;
	r = form == SIGN_CLEAR ? write_clear(j, e) : write_opaque(j, e);
out:
	buf_free(&j->attrs);
	buf_free(&j->sig);
	free(j->mem);
	if (r == -1 && spool_clear(j->out, NULL) == -1)
		return err_set(e, FAIL_TEMP, "output cannot be emptied");
	return r;
}

int sign_in_place(struct spool *entity, const struct signer *who,
    const struct key_ops *keys, int64_t now, struct err *e)
{
	struct job j = { .entity = entity, .who = who, .out = entity };

	return sign_job(&j, keys, SIGN_CLEAR, now, e);
}

int sign_entity(const struct spool *entity, const struct signer *who,
    const struct key_ops *keys, enum sign_form form, int64_t now,
    struct spool *out, struct err *e)
{
	struct job j = { .entity = entity, .who = who, .out = out };
	struct sink to = spool_sink(out);

	if (form == SIGN_CLEAR) {
		if (spool_reserve(out, SPOOL_RESERVE, e) == -1 ||
		    spool_copy(entity, 0, spool_size(entity), &to, e) == -1)
			goto fail;
		j.entity = out;
	}
	return sign_job(&j, keys, form, now, e);
fail:
	if (spool_clear(out, NULL) == -1)
		return err_set(e, FAIL_TEMP, "output cannot be emptied");
	return -1;
}
