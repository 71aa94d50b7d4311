/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Encryption with libcrypto's CMS: it needs no secret of ours. It checks
 * nothing about the recipients though, takes SHA-1 for its key derivation
 * unless told, and returns success with an unreadable message for some key
 * types, so all of that is settled before it is called.
 */
#include "smime/encrypt.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "smime/cms.h"
#include "smime/codec.h"
#include "smime/oid.h"
#include "smime/shape.h"
#include "util/der.h"
#include "util/ossl.h"

const char *enc_cipher_str(enum enc_cipher c)
{
	switch (c) {
	case ENC_AES128_CBC:
		return "AES-128-CBC";
	case ENC_AES256_CBC:
		return "AES-256-CBC";
	case ENC_AES128_GCM:
		return "AES-128-GCM";
	case ENC_AES256_GCM:
		return "AES-256-GCM";
	}
	return "unknown";
}

static const EVP_CIPHER *cipher_of(enum enc_cipher c)
{
	switch (c) {
	case ENC_AES128_CBC:
		return EVP_aes_128_cbc();
	case ENC_AES256_CBC:
		return EVP_aes_256_cbc();
	case ENC_AES128_GCM:
		return EVP_aes_128_gcm();
	case ENC_AES256_GCM:
		return EVP_aes_256_gcm();
	}
	return NULL;
}

static bool is_gcm(enum enc_cipher c)
{
	return c == ENC_AES128_GCM || c == ENC_AES256_GCM;
}

/* Key wrap as strong as the cipher (RFC 8551 2.3). */
static const EVP_CIPHER *wrap_of(enum enc_cipher c)
{
	return c == ENC_AES128_CBC || c == ENC_AES128_GCM ?
	    EVP_aes_128_wrap() : EVP_aes_256_wrap();
}

static int compare_certs(const void *pa, const void *pb)
{
	const struct cert *a = ((const struct enc_to *)pa)->cert;
	const struct cert *b = ((const struct enc_to *)pb)->cert;
	struct view x = cert_ias(a), y = cert_ias(b);
	int r = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);

	if (r != 0 || x.n != y.n)
		return r != 0 ? r : x.n < y.n ? -1 : 1;
	return memcmp(cert_sha256(a), cert_sha256(b), 32);
}

/* The recipients, sorted by issuer and serial number, none twice; *out is
 * malloc'd. */
static int sort_recipients(const struct enc_to *to, size_t n,
    struct enc_to **out, size_t *out_n, struct err *e)
{
	struct enc_to *v;
	size_t k = 0;

	if (n == 0)
		return err_set(e, FAIL_BUG, "encryption to nobody");
	if (n > CAP_RECIPIENTS)
		return err_set(e, FAIL_LIMIT, "encryption to %zu "
		    "certificates", n);
	if ((v = calloc(n, sizeof(*v))) == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	memcpy(v, to, n * sizeof(*v));
	qsort(v, n, sizeof(*v), compare_certs);
	for (size_t i = 0; i < n; i++) {
		if (k == 0 || compare_certs(&v[k - 1], &v[i]) != 0)
			v[k++] = v[i];
		else if (!v[i].oaep) /* what all of them can read */
			v[k - 1].oaep = false;
	}
	/* More than we would read ourselves (S97). */
	if (k > CAP_CMS_RECIPIENTS) {
		free(v);
		return err_set(e, FAIL_LIMIT, "encryption to %zu "
		    "certificates at once, at most %d", k,
		    CAP_CMS_RECIPIENTS);
	}
	*out = v;
	*out_n = k;
	return 0;
}

/* libcrypto 3.6 writes an unparsable message for X25519 and says success;
 * an RSA-PSS key fails only when half is written. */
static int check_key(const struct cert *c, struct err *e)
{
	enum cert_key type = cert_key_type(c);
	EVP_PKEY *pk = X509_get0_pubkey(cert_x509(c));

	if (pk == NULL || type == CERT_KEY_OTHER ||
	    EVP_PKEY_is_a(pk, type == CERT_KEY_RSA ? "RSA" : "EC") != 1) {
		ossl_clear();
		return err_set(e, FAIL_POLICY, "encryption to a key of type "
		    "%s is unsupported, RSA and EC P-256, P-384, P-521 are "
		    "(RFC 8551 2.3), certificate %s", cert_key_name(c),
		    cert_sha256_hex(c));
	}
	return cert_key_check(c, e);
}

/* RFC 3560: SHA-256, which MGF1 follows; no label. */
static bool set_oaep(CMS_RecipientInfo *ri)
{
	EVP_PKEY_CTX *pc = CMS_RecipientInfo_get0_pkey_ctx(ri);

	return pc != NULL &&
	    EVP_PKEY_CTX_set_rsa_padding(pc, RSA_PKCS1_OAEP_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_oaep_md(pc, EVP_sha256()) == 1;
}

/* The default KDF has SHA-1 in every version (RFC 8551 2.3, RFC 5753 7.1.4
 * want SHA-256). */
static bool set_ecdh(CMS_RecipientInfo *ri, enum enc_cipher cipher)
{
	EVP_PKEY_CTX *pc = CMS_RecipientInfo_get0_pkey_ctx(ri);
	EVP_CIPHER_CTX *wrap = CMS_RecipientInfo_kari_get0_ctx(ri);

	return pc != NULL && wrap != NULL &&
	    EVP_PKEY_CTX_set_ecdh_kdf_md(pc, EVP_sha256()) == 1 &&
	    EVP_EncryptInit_ex(wrap, wrap_of(cipher), NULL, NULL, NULL) == 1;
}

static int add_recipient(CMS_ContentInfo *cms, const struct enc_to *to,
    enum enc_cipher cipher, struct err *e)
{
	CMS_RecipientInfo *ri;

	ri = CMS_add1_recipient_cert(cms, cert_x509(to->cert), CMS_KEY_PARAM);
	if (ri == NULL)
		return err_ossl(e, FAIL_TEMP, "cannot add recipient %s",
		    cert_sha256_hex(to->cert));
	if (cert_key_type(to->cert) == CERT_KEY_RSA ?
	    to->oaep && !set_oaep(ri) : !set_ecdh(ri, cipher))
		return err_ossl(e, FAIL_TEMP, "cannot set the key management "
		    "of %s", cert_sha256_hex(to->cert));
	return 0;
}

/* The BIO that libcrypto writes to: base64 into the output, or DER as it is.
 * libcrypto ignores some failed writes, so the first error is kept. */
struct out_bio {
	struct b64_enc b64;
	const struct sink *der; /* NULL: base64 */
	struct err e;
	bool failed;
};

static int bio_write(BIO *b, const char *p, int n)
{
	struct out_bio *o = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (n <= 0 || o->failed)
		return o->failed ? -1 : 0;
	if ((o->der != NULL ? sink_put(o->der, p, (size_t)n, &o->e) :
	    b64_enc_put(&o->b64, p, (size_t)n, &o->e)) == -1) {
		o->failed = true;
		return -1;
	}
	return n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO *new_out_bio(BIO_METHOD **meth, struct out_bio *o)
{
	BIO *b;

	*meth = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "postseal output");
	if (*meth == NULL || BIO_meth_set_write(*meth, bio_write) != 1 ||
	    BIO_meth_set_ctrl(*meth, bio_ctrl) != 1)
		return NULL;
	if ((b = BIO_new(*meth)) == NULL)
		return NULL;
	BIO_set_data(b, o);
	BIO_set_init(b, 1);
	return b;
}

/*
 * Push the entity through. BIO_new_CMS and our own loop instead of
 * i2d_CMS_bio_stream(), which does not look at the result of its writes.
 */
static int push(BIO *chain, const struct spool *entity,
    const struct out_bio *o, struct err *e)
{
	struct spool_rd rd;
	struct view v;
	int len, r = -1;

	spool_rd_init(&rd, entity, 0, spool_size(entity));
	for (;;) {
		if (spool_next(&rd, &v, e) == -1 ||
		    ossl_len(v.n, &len, e) == -1)
			goto out;
		if (v.n == 0)
			break;
		if (BIO_write(chain, v.p, len) != len)
			break;
	}
	if (v.n == 0 && BIO_flush(chain) == 1 && !o->failed)
		r = 0;
	else if (o->failed)
		err_set(e, o->e.kind, "%s", o->e.msg);
	else
		err_ossl(e, FAIL_TEMP, "encryption failed");
out:
	spool_rd_free(&rd);
	return r;
}

static int stream(CMS_ContentInfo *cms, const struct spool *entity,
    const struct sink *to, bool is_der, struct err *e)
{
	struct out_bio *o = calloc(1, sizeof(*o));
	BIO *sink = NULL, *chain = NULL, *next;
	BIO_METHOD *meth = NULL;
	int r = -1;

	if (o == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	b64_enc_init(&o->b64, *to);
	o->der = is_der ? to : NULL;
	if ((sink = new_out_bio(&meth, o)) == NULL ||
	    (chain = BIO_new_CMS(sink, cms)) == NULL) {
		err_ossl(e, FAIL_TEMP, "cannot start encryption");
		goto out;
	}
	if (push(chain, entity, o, e) == 0)
		r = is_der ? 0 : b64_enc_end(&o->b64, e);
out:
	/* The chain's own parts from the top down to our sink, which
	 * BIO_free_all would free as well: once only. */
	while (chain != NULL && chain != sink) {
		next = BIO_pop(chain);
		BIO_free(chain);
		chain = next;
	}
	BIO_free(sink);
	BIO_meth_free(meth);
	free(o);
	return r;
}

static int write_head(enum enc_cipher cipher, struct spool *out,
    struct err *e)
{
	struct sink to = spool_sink(out);

	if (sink_puts(&to, is_gcm(cipher) ?
	    "Content-Type: application/pkcs7-mime;"
	    " smime-type=authEnveloped-data;\r\n\tname=smime.p7m\r\n" :
	    "Content-Type: application/pkcs7-mime;"
	    " smime-type=enveloped-data;\r\n\tname=smime.p7m\r\n", e) == -1)
		return -1;
	return sink_puts(&to, "Content-Transfer-Encoding: base64\r\n"
	    "Content-Disposition: attachment; filename=smime.p7m\r\n"
	    "\r\n", e);
}

/* Key management for all of them; *out is owned. */
static int begin(CMS_ContentInfo **out, const struct enc_to *to, size_t n,
    enum enc_cipher cipher, struct err *e)
{
	struct enc_to *v = NULL;
	CMS_ContentInfo *cms = NULL;
	size_t k = 0;
	int r = -1;

	ossl_clear();
	if (sort_recipients(to, n, &v, &k, e) == -1)
		goto out;
	for (size_t i = 0; i < k; i++)
		if (check_key(v[i].cert, e) == -1)
			goto out;
	cms = CMS_encrypt(NULL, NULL, cipher_of(cipher),
	    CMS_PARTIAL | CMS_STREAM | CMS_BINARY);
	if (cms == NULL) {
		err_ossl(e, FAIL_TEMP, "cannot start encryption");
		goto out;
	}
	for (size_t i = 0; i < k; i++)
		if (add_recipient(cms, &v[i], cipher, e) == -1)
			goto out;
	*out = cms;
	cms = NULL;
	r = 0;
out:
	CMS_ContentInfo_free(cms);
	free(v);
	return r;
}

int encrypt_entity(const struct spool *entity,
    const struct enc_to *to, size_t n, enum enc_cipher cipher,
    struct spool *out, struct err *e)
{
	struct sink sink = spool_sink(out);
	CMS_ContentInfo *cms = NULL;
	int r = -1;

	if (begin(&cms, to, n, cipher, e) == 0 &&
	    write_head(cipher, out, e) == 0)
		r = stream(cms, entity, &sink, false, e);
	CMS_ContentInfo_free(cms);
	if (r == -1 && spool_clear(out, NULL) == -1)
		return err_set(e, FAIL_TEMP, "output cannot be emptied");
	return r;
}

int encrypt_der(const struct spool *octets, const struct enc_to *to, size_t n,
    enum enc_cipher cipher, const struct sink *out, struct err *e)
{
	CMS_ContentInfo *cms = NULL;
	int r = -1;

	if (begin(&cms, to, n, cipher, e) == 0)
		r = stream(cms, octets, out, true, e);
	CMS_ContentInfo_free(cms);
	return r;
}

#define CHECK "self-check of the encryption: "

/* keyEncryptionAlgorithm of a KeyTransRecipientInfo (RFC 5652 6.2.1). */
static enum oid transport_of(struct view ri)
{
	struct der d, alg, oid;

	if (der_next(&ri, &d) == -1 ||
	    der_get(&d.val, DER_INTEGER, &alg) == -1 ||
	    der_next(&d.val, &alg) == -1 ||
	    der_get(&d.val, DER_SEQUENCE, &alg) == -1 ||
	    der_get(&alg.val, DER_OID, &oid) == -1)
		return OID_UNKNOWN;
	return oid_find(oid.val);
}

static bool has_rid(const struct cms *c, const struct enc_to *to)
{
	bool agrees = cert_key_type(to->cert) == CERT_KEY_EC;
	const struct cms_rid *rid;

	for (size_t i = 0; i < cms_rids(c); i++) {
		rid = cms_rid(c, i);
		if (!rid->by_ski && view_eq(rid->id, cert_ias(to->cert)) &&
		    rid->agree == agrees)
			return agrees || transport_of(rid->ri) ==
			    (to->oaep ? OID_RSA_OAEP : OID_RSA);
	}
	return false;
}

static int check_cms(const struct cms *c, const struct enc_to *v, size_t n,
    enum enc_cipher cipher, struct err *e)
{
	const struct cms_cipher *x = cms_cipher(c);

	if (cms_type(c) != (is_gcm(cipher) ? CMS_AUTH_ENVELOPED :
	    CMS_ENVELOPED) || !cms_has_content(c))
		return err_set(e, FAIL_BUG, CHECK "wrong content type");
	if (cms_has_junk(c))
		return err_set(e, FAIL_BUG, CHECK "octets that are not "
		    "base64");
	if (!x->supported || strcmp(x->name, enc_cipher_str(cipher)) != 0)
		return err_set(e, FAIL_BUG, CHECK "cipher %s, ordered %s",
		    x->name, enc_cipher_str(cipher));
	if (cms_rids(c) != n)
		return err_set(e, FAIL_BUG, CHECK "%zu recipients, ordered "
		    "%zu", cms_rids(c), n);
	for (size_t i = 0; i < n; i++)
		if (!has_rid(c, &v[i]))
			return err_set(e, FAIL_BUG, CHECK "recipient %s is "
			    "missing, or not as ordered",
			    cert_sha256_hex(v[i].cert));
	return 0;
}

int encrypt_self_check(const struct spool *out, const struct enc_to *to,
    size_t n, enum enc_cipher cipher, struct err *e)
{
	uint64_t end = spool_size(out);
	struct enc_to *v = NULL;
	struct header h = { 0 };
	struct ctype ct = { 0 };
	struct cms *c = NULL;
	struct shape sh;
	struct err why = { 0 };
	size_t k = 0;
	int r = -1;

	if (sort_recipients(to, n, &v, &k, e) == -1)
		return -1;
	if (header_read(&h, out, 0, end, &why) == -1 ||
	    ctype_read(&ct, &h, &why) == -1 ||
	    shape_read(&sh, out, &h, &ct, end, &why) == -1 ||
	    cms_read(&c, out, sh.body, sh.end, sh.cte, &why) == -1)
		err_set(e, why.kind == FAIL_TEMP ? FAIL_TEMP : FAIL_BUG,
		    CHECK "does not read back: %.400s", why.msg);
	else if (sh.kind != SHAPE_PKCS7)
		err_set(e, FAIL_BUG, CHECK "not labelled as encrypted");
	else
		r = check_cms(c, v, k, cipher, e);
	cms_free(&c);
	ctype_free(&ct);
	header_free(&h);
	free(v);
	return r;
}
