/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Decryption of the content into a quarantine. Whatever goes wrong with
 * key, padding or tag has one text and leaves nothing behind (A4, A5).
 */
#include "smime/decrypt.h"

#include <openssl/evp.h>

#include "smime/cms_int.h"
#include "util/ossl.h"

static int does_not_open(struct err *e)
{
	ossl_clear();
	return err_set(e, FAIL_INPUT, "message does not decrypt with this "
	    "key (RFC 5652 6, RFC 5083 2)");
}

static const EVP_CIPHER *find_cipher(enum oid o)
{
	switch (o) {
	case OID_AES128_CBC:
		return EVP_aes_128_cbc();
	case OID_AES192_CBC:
		return EVP_aes_192_cbc();
	case OID_AES256_CBC:
		return EVP_aes_256_cbc();
	case OID_AES128_GCM:
		return EVP_aes_128_gcm();
	case OID_AES192_GCM:
		return EVP_aes_192_gcm();
	case OID_AES256_GCM:
		return EVP_aes_256_gcm();
	case OID_DES3_CBC:
		return EVP_des_ede3_cbc();
	default:
		return NULL;
	}
}

/* Ciphers of the legacy provider; NULL: it is none. */
static const char *old_name(const struct cms *c)
{
	if (c->cipher_oid == OID_RC2_CBC)
		return c->cipher.name; /* libcrypto's names as well */
	return c->cipher_oid == OID_DES_CBC ? "DES-CBC" : NULL;
}

/* authAttrs go in as the SET OF that they are, not as [1] (RFC 5083
 * 2.2). */
static int put_aad(EVP_CIPHER_CTX *x, struct view attrs, struct err *e)
{
	static const unsigned char set = DER_SET;
	int n, len;

	if (attrs.n == 0)
		return 0;
	if (ossl_len(attrs.n - 1, &len, e) == -1)
		return -1;
	if (EVP_DecryptUpdate(x, NULL, &n, &set, 1) != 1 ||
	    EVP_DecryptUpdate(x, NULL, &n, attrs.p + 1, len) != 1)
		return err_ossl(e, FAIL_TEMP, "cipher takes no attributes");
	return 0;
}

/* One decryption. */
struct flow {
	const struct cms *c;
	EVP_CIPHER_CTX *x;
	EVP_CIPHER *old; /* fetched; NULL: a usual one */
	struct spool *quarantine;
	struct buf plain;
	uint64_t left; /* octets of ciphertext to come */
	unsigned char tag[16];
	size_t tag_n;
};

static int set_key(struct flow *f, const unsigned char *cek, struct err *e)
{
	const EVP_CIPHER *k = find_cipher(f->c->cipher_oid);
	const char *old = old_name(f->c);
	int n;

	if (old != NULL)
		k = f->old = EVP_CIPHER_fetch(ossl_legacy(), old, NULL);
	if (f->x == NULL || k == NULL ||
	    EVP_DecryptInit_ex2(f->x, k, NULL, NULL, NULL) != 1)
		return err_ossl(e, FAIL_TEMP, "cannot start %s",
		    f->c->cipher.name);
	if ((size_t)EVP_CIPHER_get_key_length(k) != f->c->cipher.cek_len)
		return err_set(e, FAIL_BUG, "%s: another key length",
		    f->c->cipher.name);
	if (f->c->cipher.authenticated &&
	    (ossl_len(f->c->iv.n, &n, e) == -1 || EVP_CIPHER_CTX_ctrl(f->x,
	    EVP_CTRL_AEAD_SET_IVLEN, n, NULL) != 1))
		return err_ossl(e, FAIL_TEMP, "cipher takes no nonce");
	if (EVP_DecryptInit_ex2(f->x, NULL, cek, f->c->iv.p, NULL) != 1)
		return err_ossl(e, FAIL_TEMP, "cannot start %s",
		    f->c->cipher.name);
	return 0;
}

static int put_tag(struct flow *f, struct view v, struct err *e)
{
	if (v.n > sizeof(f->tag) - f->tag_n)
		return err_set(e, FAIL_BUG, "tag length not judged");
	for (size_t i = 0; i < v.n; i++)
		f->tag[f->tag_n++] = v.p[i];
	return 0;
}

static int start_cipher(struct flow *f, const unsigned char *cek,
    struct err *e)
{
	f->x = EVP_CIPHER_CTX_new();
	f->left = f->c->content_size;
	if (set_key(f, cek, e) == -1)
		return -1;
	if (f->left < f->c->tag_inside)
		return does_not_open(e);
	f->left -= f->c->tag_inside;
	if (f->c->tag_inside == 0 && put_tag(f, f->c->mac, e) == -1)
		return -1;
	return f->c->cipher.authenticated ?
	    put_aad(f->x, f->c->auth_attrs, e) : 0;
}

static int put_chunk(struct flow *f, struct view chunk, struct err *e)
{
	size_t k = chunk.n < f->left ? chunk.n : (size_t)f->left;
	unsigned char *to;
	int n, len;

	buf_clear(&f->plain);
	if (ossl_len(k, &len, e) == -1)
		return -1;
	to = buf_room(&f->plain, k + EVP_MAX_BLOCK_LENGTH);
	if (to == NULL)
		return buf_ok(&f->plain, e);
	f->left -= k;
	if (k > 0) {
		if (EVP_DecryptUpdate(f->x, to, &n, chunk.p, len) != 1)
			return does_not_open(e);
		f->plain.n = (size_t)n;
		if (spool_write(f->quarantine, to, (size_t)n, e) == -1)
			return -1;
	}
	return put_tag(f, view_sub(chunk, k, chunk.n), e);
}

/* 0, or 1 when all but the padding came out (CBC). */
static int end_cipher(struct flow *f, struct err *e)
{
	bool authenticated = f->c->cipher.authenticated;
	unsigned char *to;
	int n, len;

	buf_clear(&f->plain);
	to = buf_room(&f->plain, EVP_MAX_BLOCK_LENGTH);
	if (to == NULL)
		return buf_ok(&f->plain, e);
	if (authenticated && (ossl_len(f->tag_n, &len, e) == -1 ||
	    EVP_CIPHER_CTX_ctrl(f->x, EVP_CTRL_AEAD_SET_TAG, len,
	    f->tag) != 1))
		return err_ossl(e, FAIL_TEMP, "cipher takes no tag");
	if (EVP_DecryptFinal_ex(f->x, to, &n) != 1) {
		ossl_clear();
		return authenticated ? does_not_open(e) : 1;
	}
	f->plain.n = (size_t)n;
	return spool_write(f->quarantine, to, (size_t)n, e);
}

static int run_cipher(struct flow *f, struct err *e)
{
	struct cms_content *in = NULL;
	struct view chunk;
	int r = -1;

	if (cms_content_open(&in, f->c, e) == -1)
		return -1;
	do {
		if (cms_content_next(in, &chunk, e) == -1)
			goto out;
		if (chunk.n > 0 && put_chunk(f, chunk, e) == -1)
			goto out;
	} while (chunk.n > 0);
	r = end_cipher(f, e);
out:
	cms_content_free(&in);
	return r;
}

static int check_can_open(const struct cms *c, struct err *e)
{
	if (c->type != CMS_ENVELOPED && c->type != CMS_AUTH_ENVELOPED)
		return err_set(e, FAIL_INPUT, "CMS object is not encrypted");
	if (!c->cipher.supported)
		return err_set(e, FAIL_INPUT, "%s: %s", c->cipher.name,
		    c->cipher.unsupported);
	if (!c->has_content)
		return err_set(e, FAIL_INPUT, "encrypted content is not in "
		    "the message (RFC 8551 3.3)");
	if (old_name(c) != NULL && ossl_legacy() == NULL)
		return err_set(e, FAIL_CONFIG, "%s: OpenSSL's legacy provider "
		    "is not loaded", c->cipher.name);
	return 0;
}

/* Why a key process did not open is worth a log line there, but not a
 * difference that a sender could see (A5). */
int cms_open_key(const struct cms *c, const struct cms_rid *rid,
    const unsigned char cert_sha256[32], const struct key_ops *keys,
    unsigned char cek[CAP_CEK], struct err *e)
{
	struct err why = { 0 };

	ossl_wipe(cek, CAP_CEK);
	if (check_can_open(c, e) == -1)
		return -1;
	if (keys->open(keys->ctx, cert_sha256, rid->ri, c->cipher.cek_len,
	    cek, &why) == 0)
		return 0;
	if (why.kind == FAIL_INPUT)
		return does_not_open(e);
	return err_set(e, why.kind == 0 ? FAIL_BUG : why.kind, "%s",
	    why.msg);
}

int cms_decrypt_content(const struct cms *c,
    const unsigned char cek[CAP_CEK], struct spool *quarantine,
    bool *is_sound, struct err *e)
{
	struct flow f = { .c = c, .quarantine = quarantine };
	int r = -1;

	*is_sound = false;
	buf_init_secret(&f.plain, SPOOL_CHUNK + EVP_MAX_BLOCK_LENGTH);
	ossl_clear();
	if (check_can_open(c, e) == 0 && start_cipher(&f, cek, e) == 0)
		r = run_cipher(&f, e);
	*is_sound = r == 0;
	EVP_CIPHER_CTX_free(f.x);
	EVP_CIPHER_free(f.old);
	buf_free(&f.plain);
	if (r == -1 && spool_clear(quarantine, NULL) == -1)
		return err_set(e, FAIL_TEMP, "quarantine cannot be emptied");
	return r == -1 ? -1 : 0;
}

int cms_decrypt(const struct cms *c, const struct cms_rid *rid,
    const unsigned char cert_sha256[32], const struct key_ops *keys,
    struct spool *quarantine, struct err *e)
{
	unsigned char cek[CAP_CEK] = { 0 };
	bool is_sound = false;
	int r = -1;

	if (cms_open_key(c, rid, cert_sha256, keys, cek, e) == 0)
		r = cms_decrypt_content(c, cek, quarantine, &is_sound, e);
	ossl_wipe(cek, sizeof(cek));
	if (r == 0 && !is_sound)
		r = does_not_open(e);
	if (r == -1 && spool_clear(quarantine, NULL) == -1)
		return err_set(e, FAIL_TEMP, "quarantine cannot be emptied");
	return r;
}
