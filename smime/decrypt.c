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

static int start_cipher(EVP_CIPHER_CTX *x, const struct cms *c,
    const unsigned char *cek, struct err *e)
{
	unsigned char tag[16];
	int len;

	if (x == NULL || EVP_DecryptInit_ex2(x, find_cipher(c->cipher_oid),
	    cek, c->iv.p, NULL) != 1)
		return err_ossl(e, FAIL_TEMP, "cannot start %s",
		    c->cipher.name);
	if (!c->cipher.authenticated)
		return 0;
	if (c->mac.n > sizeof(tag) || ossl_len(c->mac.n, &len, e) == -1)
		return err_set(e, FAIL_BUG, "tag length not judged");
	for (size_t i = 0; i < c->mac.n; i++)
		tag[i] = c->mac.p[i]; /* libcrypto wants it writable */
	if (EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, len, tag) != 1)
		return err_ossl(e, FAIL_TEMP, "cipher takes no tag");
	return put_aad(x, c->auth_attrs, e);
}

/* 0, or 1 when all but the padding came out (CBC). */
static int run_cipher(EVP_CIPHER_CTX *x, bool authenticated,
    struct cms_content *in, struct spool *quarantine, struct buf *plain,
    struct err *e)
{
	unsigned char *to;
	struct view chunk;
	int n, len;

	for (;;) {
		if (cms_content_next(in, &chunk, e) == -1)
			return -1;
		buf_clear(plain);
		to = buf_room(plain, SPOOL_CHUNK + EVP_MAX_BLOCK_LENGTH);
		if (to == NULL)
			return buf_ok(plain, e);
		if (chunk.n == 0)
			break;
		if (ossl_len(chunk.n, &len, e) == -1)
			return -1;
		if (EVP_DecryptUpdate(x, to, &n, chunk.p, len) != 1)
			return does_not_open(e);
		plain->n = (size_t)n;
		if (spool_write(quarantine, to, (size_t)n, e) == -1)
			return -1;
	}
	if (EVP_DecryptFinal_ex(x, to, &n) != 1) {
		ossl_clear();
		return authenticated ? does_not_open(e) : 1;
	}
	plain->n = (size_t)n;
	return spool_write(quarantine, to, (size_t)n, e);
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
	struct cms_content *in = NULL;
	EVP_CIPHER_CTX *x = NULL;
	struct buf plain;
	int r = -1;

	*is_sound = false;
	buf_init_secret(&plain, SPOOL_CHUNK + EVP_MAX_BLOCK_LENGTH);
	ossl_clear();
	if (check_can_open(c, e) == -1)
		goto out;
	x = EVP_CIPHER_CTX_new();
	if (start_cipher(x, c, cek, e) == -1 ||
	    cms_content_open(&in, c, e) == -1)
		goto out;
	r = run_cipher(x, c->cipher.authenticated, in, quarantine, &plain, e);
	*is_sound = r == 0;
out:
	EVP_CIPHER_CTX_free(x);
	cms_content_free(&in);
	buf_free(&plain);
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
