/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * AES-256-GCM under HKDF-SHA256 of the secret. The secret is random, so
 * nothing slow is needed, and ten thousand keys open in a moment.
 */
#include "keystore/sealing.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "util/ossl.h"

#define SECRET_OCTETS 32
#define NONCE 12
#define TAG 16
#define MAGIC 4

/* First octets of a sealed key, by form; they and the identifier are what
 * the tag covers, too. */
static const unsigned char magic_unnamed[MAGIC] = { 'P', 'S', 'K', 1 };
static const unsigned char magic_named[MAGIC] = { 'P', 'S', 'K', 2 };

void keyring_new_secret(struct buf *out)
{
	unsigned char raw[SECRET_OCTETS];
	char hex[2 * SECRET_OCTETS + 1];

	ossl_random(raw, sizeof(raw));
	buf_puts(out, hex_encode(hex, raw, sizeof(raw)));
	buf_putc(out, '\n');
	ossl_wipe(raw, sizeof(raw));
	ossl_wipe(hex, sizeof(hex));
}

int seal_derive(const void *ikm, size_t ikm_n, const char *info, unsigned char
    out[32], struct err *e)
{
	EVP_PKEY_CTX *ctx;
	size_t n = 32;
	int len, rc = -1;

	ossl_clear();
	if (ossl_len(ikm_n, &len, e) != 0)
		return -1;
	ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	if (ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) == 1 &&
	    EVP_PKEY_CTX_set1_hkdf_key(ctx, ikm, len) == 1 &&
	    EVP_PKEY_CTX_add1_hkdf_info(ctx, (const unsigned char *)info,
	    (int)strlen(info)) == 1 &&
	    EVP_PKEY_derive(ctx, out, &n) == 1 && n == 32)
		rc = 0;
	else
		(void)err_ossl(e, FAIL_TEMP, "HKDF");
	EVP_PKEY_CTX_free(ctx);
	return rc;
}

/* ---- the secret ---- */

static int read_line(struct view line, struct seal_key *k, struct err *e)
{
	unsigned char raw[SECRET_OCTETS], id[32];
	char hex[2 * SECRET_OCTETS + 1];
	int rc = -1;

	if (view_cstr(view_trim(line), hex, sizeof(hex)) != 0 ||
	    hex_decode(raw, sizeof(raw), hex) != 0)
		(void)err_set(e, FAIL_CONFIG, "secret: want a line of %d hex "
		    "digits, or two while it is being changed",
		    2 * SECRET_OCTETS);
	else if (seal_derive(raw, sizeof(raw), "postseal keystore 1", k->key,
	    e) == 0)
		rc = seal_derive(raw, sizeof(raw), "postseal secret id 1", id,
		    e);
	if (rc == 0)
		memcpy(k->id, id, SEAL_ID);
	ossl_wipe(raw, sizeof(raw));
	ossl_wipe(hex, sizeof(hex));
	return rc;
}

int seal_keys_read(struct seal_keys *out, struct view secret, struct err *e)
{
	struct view rest = view_trim(secret), line;
	size_t end;

	memset(out, 0, sizeof(*out));
	do {
		end = view_chr(rest, '\n', 0);
		line = view_sub(rest, 0, end == (size_t)-1 ? rest.n : end);
		rest = view_sub(rest, line.n + 1, rest.n);
		if (out->n == SEAL_KEYS)
			(void)err_set(e, FAIL_CONFIG, "secret: more than %d "
			    "lines", SEAL_KEYS);
		else if (read_line(line, &out->k[out->n], e) == 0) {
			out->n++;
			continue;
		}
		seal_keys_wipe(out);
		return -1;
	} while (rest.n > 0);
	return 0;
}

void seal_keys_wipe(struct seal_keys *k)
{
	ossl_wipe(k, sizeof(*k));
}

/* ---- sealing ---- */

static int encrypt(EVP_CIPHER_CTX *ctx, const struct seal_key *k, const
    unsigned char *nonce, struct view in, unsigned char *out)
{
	int n, final;

	if (EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), k->key, nonce, NULL)
	    != 1 || EVP_EncryptUpdate(ctx, NULL, &n, magic_named, MAGIC) != 1
	    || EVP_EncryptUpdate(ctx, NULL, &n, k->id, SEAL_ID) != 1 ||
	    EVP_EncryptUpdate(ctx, out, &n, in.p, (int)in.n) != 1 ||
	    EVP_EncryptFinal_ex(ctx, out + n, &final) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, out + in.n)
	    != 1)
		return -1;
	return 0;
}

int seal_close(const struct seal_key *k, struct view plain, struct buf *out,
    struct err *e)
{
	unsigned char nonce[NONCE], *body;
	EVP_CIPHER_CTX *ctx;
	int rc = -1;

	if (plain.n == 0 || plain.n > SEAL_MAX)
		return err_set(e, FAIL_LIMIT, "private key: %zu octets, at "
		    "most %d are taken", plain.n, SEAL_MAX);
	ossl_random(nonce, sizeof(nonce));
	buf_put(out, magic_named, MAGIC);
	buf_put(out, k->id, SEAL_ID);
	buf_put(out, nonce, sizeof(nonce));
	body = buf_room(out, plain.n + TAG);
	if (body == NULL)
		return buf_ok(out, e);
	ossl_clear();
	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL || encrypt(ctx, k, nonce, plain, body) != 0)
		(void)err_ossl(e, FAIL_TEMP, "private key: sealing");
	else
		rc = 0;
	if (rc == 0)
		out->n += plain.n + TAG;
	EVP_CIPHER_CTX_free(ctx);
	return rc;
}

/* ---- opening ---- */

enum seal_form seal_form(struct view sealed)
{
	struct view magic = view_sub(sealed, 0, MAGIC);

	if (view_eq(magic, view_make(magic_unnamed, MAGIC)))
		return SEAL_UNNAMED;
	if (view_eq(magic, view_make(magic_named, MAGIC)))
		return SEAL_NAMED;
	if (view_eq(magic, view_make(KS_PASSPHRASE_MAGIC, MAGIC)))
		return SEAL_PASSPHRASE;
	return SEAL_UNKNOWN;
}

struct view seal_id(struct view sealed)
{
	if (seal_form(sealed) != SEAL_NAMED)
		return view_make(NULL, 0);
	return view_sub(sealed, MAGIC, SEAL_ID);
}

/* head: magic and identifier; in: without nonce and tag. */
static int decrypt(EVP_CIPHER_CTX *ctx, const unsigned char key[32],
    struct view sealed, size_t head, unsigned char *out)
{
	struct view nonce = view_sub(sealed, head, NONCE);
	struct view in = view_sub(sealed, head + NONCE,
	    sealed.n - head - NONCE - TAG);
	unsigned char tag[TAG];
	int n, final;

	memcpy(tag, sealed.p + sealed.n - TAG, TAG);
	if (EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), key, nonce.p, NULL)
	    != 1 || EVP_DecryptUpdate(ctx, NULL, &n, sealed.p, (int)head) != 1
	    || EVP_DecryptUpdate(ctx, out, &n, in.p, (int)in.n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) != 1 ||
	    EVP_DecryptFinal_ex(ctx, out + n, &final) != 1)
		return -1;
	return 0;
}

/* Of unnamed ones every secret is tried, of named ones the one it names. */
static bool may_fit(const struct seal_key *k, struct view sealed)
{
	struct view id = seal_id(sealed);

	return id.n == 0 || view_eq(id, view_make(k->id, SEAL_ID));
}

static int try_all(EVP_CIPHER_CTX *ctx, const struct seal_keys *k,
    struct view sealed, unsigned char *out, size_t *which)
{
	size_t head = MAGIC + seal_id(sealed).n, i;

	for (i = 0; i < k->n; i++) {
		if (!may_fit(&k->k[i], sealed) ||
		    decrypt(ctx, k->k[i].key, sealed, head, out) != 0)
			continue;
		if (which != NULL)
			*which = i;
		return 0;
	}
	return -1;
}

int seal_open(const struct seal_keys *k, struct view sealed, struct buf
    *out_secret, size_t *which, struct err *e)
{
	enum seal_form form = seal_form(sealed);
	size_t around = MAGIC + seal_id(sealed).n + NONCE + TAG;
	EVP_CIPHER_CTX *ctx;
	unsigned char *body;
	int rc = -1;

	if (form == SEAL_PASSPHRASE)
		return err_set(e, FAIL_CONFIG,
		    "private key: of a CA, under a passphrase of its own");
	if (form == SEAL_UNKNOWN || sealed.n <= around ||
	    sealed.n > around + SEAL_MAX)
		return err_set(e, FAIL_CONFIG,
		    "private key: not sealed in a form that we know");
	body = buf_room(out_secret, sealed.n - around);
	if (body == NULL)
		return buf_ok(out_secret, e);
	ossl_clear();
	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL)
		(void)err_ossl(e, FAIL_TEMP, "private key");
	else
		rc = try_all(ctx, k, sealed, body, which);
	if (rc == 0)
		out_secret->n += sealed.n - around;
	else {
		ossl_wipe(body, sealed.n - around);
		if (ctx != NULL)
			(void)err_set(e, FAIL_CONFIG, "private key: does not "
			    "open with this secret");
	}
	EVP_CIPHER_CTX_free(ctx);
	ossl_clear();
	return rc;
}

/* ---- by the content of the secret file ---- */

int keyring_seal_key(struct view pkcs8, struct view secret, struct buf *out,
    struct err *e)
{
	struct seal_keys k;
	int rc;

	if (seal_keys_read(&k, secret, e) != 0)
		return -1;
	rc = seal_close(&k.k[0], pkcs8, out, e);
	seal_keys_wipe(&k);
	return rc;
}

int keyring_unseal_key(struct view sealed, struct view secret, struct buf
    *out_secret, struct err *e)
{
	struct seal_keys k;
	int rc;

	if (seal_keys_read(&k, secret, e) != 0)
		return -1;
	rc = seal_open(&k, sealed, out_secret, NULL, e);
	seal_keys_wipe(&k);
	return rc;
}
