/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Private keys: sealed at rest under the secret, and as a ring in memory
 * that signs. Opening RecipientInfos is in keyopen.c. Parses no mail.
 */
#include "keystore/keystore_int.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "util/der.h"
#include "util/log.h"
#include "util/ossl.h"

#define SECRET_OCTETS 32
#define SEAL_NONCE 12
#define SEAL_TAG 16
#define SEAL_HEAD (4 + SEAL_NONCE)
#define SEAL_MAX 65536 /* PKCS#8 of RSA 8192 has some 5 kB */

/* First octets of a sealed key; also what the tag covers. */
static const unsigned char seal_magic[4] = { 'P', 'S', 'K', 1 };

struct keyring {
	struct ring_key *key; /* sorted by SHA-256 of the certificate */
	size_t n;
	size_t size;
	size_t keys; /* different private keys */
};

/* ---- sealing ---- */

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

/* HKDF-SHA256: the secret is random, so nothing slow is needed, and ten
 * thousand keys open in a moment. */
static int derive(const void *ikm, size_t ikm_n, const char *info, unsigned char
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

static int seal_key(struct view secret, unsigned char key[32], struct err *e)
{
	unsigned char raw[SECRET_OCTETS];
	char hex[2 * SECRET_OCTETS + 1];
	int rc = -1;

	if (view_cstr(view_trim(secret), hex, sizeof(hex)) != 0 ||
	    hex_decode(raw, sizeof(raw), hex) != 0)
		(void)err_set(e, FAIL_CONFIG,
		    "secret: want %d hex digits", 2 * SECRET_OCTETS);
	else
		rc = derive(raw, sizeof(raw), "postseal keystore 1", key, e);
	ossl_wipe(raw, sizeof(raw));
	ossl_wipe(hex, sizeof(hex));
	return rc;
}

static int gcm_seal(EVP_CIPHER_CTX *ctx, const unsigned char key[32], const
    unsigned char *nonce, struct view in, unsigned char *out)
{
	int n, final;

	if (EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), key, nonce, NULL) != 1
	    || EVP_EncryptUpdate(ctx, NULL, &n, seal_magic,
	    sizeof(seal_magic)) != 1 ||
	    EVP_EncryptUpdate(ctx, out, &n, in.p, (int)in.n) != 1 ||
	    EVP_EncryptFinal_ex(ctx, out + n, &final) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG,
	    out + in.n) != 1)
		return -1;
	return 0;
}

int keyring_seal_key(struct view pkcs8, struct view secret, struct buf *out,
    struct err *e)
{
	unsigned char key[32], nonce[SEAL_NONCE], *body;
	EVP_CIPHER_CTX *ctx = NULL;
	int rc = -1;

	if (pkcs8.n == 0 || pkcs8.n > SEAL_MAX)
		return err_set(e, FAIL_LIMIT, "private key: %zu octets, at "
		    "most %d are taken", pkcs8.n, SEAL_MAX);
	if (seal_key(secret, key, e) != 0)
		return -1;
	ossl_random(nonce, sizeof(nonce));
	buf_put(out, seal_magic, sizeof(seal_magic));
	buf_put(out, nonce, sizeof(nonce));
	body = buf_room(out, pkcs8.n + SEAL_TAG);
	if (body == NULL) {
		rc = buf_ok(out, e);
		goto out;
	}
	ossl_clear();
	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL || gcm_seal(ctx, key, nonce, pkcs8, body) != 0) {
		(void)err_ossl(e, FAIL_TEMP, "private key: sealing");
		goto out;
	}
	out->n += pkcs8.n + SEAL_TAG;
	rc = 0;
out:
	EVP_CIPHER_CTX_free(ctx);
	ossl_wipe(key, sizeof(key));
	return rc;
}

static int gcm_unseal(EVP_CIPHER_CTX *ctx, const unsigned char key[32], struct
    view sealed, unsigned char *out)
{
	struct view nonce = view_sub(sealed, sizeof(seal_magic), SEAL_NONCE);
	struct view in = view_sub(sealed, SEAL_HEAD,
	    sealed.n - SEAL_HEAD - SEAL_TAG);
	unsigned char tag[SEAL_TAG];
	int n, final;

	memcpy(tag, sealed.p + sealed.n - SEAL_TAG, SEAL_TAG);
	if (EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), key, nonce.p, NULL)
	    != 1 || EVP_DecryptUpdate(ctx, NULL, &n, seal_magic,
	    sizeof(seal_magic)) != 1 ||
	    EVP_DecryptUpdate(ctx, out, &n, in.p, (int)in.n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG, tag)
	    != 1 || EVP_DecryptFinal_ex(ctx, out + n, &final) != 1)
		return -1;
	return 0;
}

static int unseal(struct view sealed, const unsigned char key[32], struct buf
    *out, struct err *e)
{
	EVP_CIPHER_CTX *ctx;
	unsigned char *body;
	size_t n;
	int rc = -1;

	if (sealed.n <= SEAL_HEAD + SEAL_TAG ||
	    sealed.n > SEAL_HEAD + SEAL_MAX + SEAL_TAG ||
	    memcmp(sealed.p, seal_magic, sizeof(seal_magic)) != 0)
		return err_set(e, FAIL_CONFIG,
		    "private key: not sealed in a form that we know");
	n = sealed.n - SEAL_HEAD - SEAL_TAG;
	body = buf_room(out, n);
	if (body == NULL)
		return buf_ok(out, e);
	ossl_clear();
	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL)
		(void)err_ossl(e, FAIL_TEMP, "private key");
	else if (gcm_unseal(ctx, key, sealed, body) != 0)
		(void)err_set(e, FAIL_CONFIG,
		    "private key: does not open with this secret");
	else
		rc = 0;
	if (rc == 0)
		out->n += n;
	else
		ossl_wipe(body, n);
	EVP_CIPHER_CTX_free(ctx);
	ossl_clear();
	return rc;
}

int keyring_unseal_key(struct view sealed, struct view secret, struct buf
    *out_secret, struct err *e)
{
	unsigned char key[32];
	int rc;

	if (seal_key(secret, key, e) != 0)
		return -1;
	rc = unseal(sealed, key, out_secret, e);
	ossl_wipe(key, sizeof(key));
	return rc;
}

/* ---- PKCS#8 ---- */

int key_from_pkcs8(EVP_PKEY **out, struct view pkcs8, struct err *e)
{
	const unsigned char *p = pkcs8.p;
	PKCS8_PRIV_KEY_INFO *p8;
	EVP_PKEY *pkey = NULL;
	int len;

	*out = NULL;
	if (ossl_len(pkcs8.n, &len, e) != 0)
		return -1;
	ossl_clear();
	p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, len);
	if (p8 != NULL && p == pkcs8.p + pkcs8.n)
		pkey = EVP_PKCS82PKEY(p8);
	PKCS8_PRIV_KEY_INFO_free(p8);
	if (pkey == NULL)
		return err_ossl(e, FAIL_INPUT, "private key: not PKCS#8, or "
		    "of a kind that we do not know");
	*out = pkey;
	return 0;
}

int key_to_pkcs8(EVP_PKEY *pkey, struct buf *out_secret, struct err *e)
{
	PKCS8_PRIV_KEY_INFO *p8;
	unsigned char *der = NULL;
	int n = -1;

	ossl_clear();
	p8 = EVP_PKEY2PKCS8(pkey);
	if (p8 != NULL)
		n = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
	PKCS8_PRIV_KEY_INFO_free(p8);
	if (n <= 0)
		return err_ossl(e, FAIL_TEMP, "private key: PKCS#8");
	buf_put(out_secret, der, (size_t)n);
	OPENSSL_clear_free(der, (size_t)n);
	return buf_ok(out_secret, e);
}

bool key_matches(EVP_PKEY *pkey, const struct cert *c)
{
	EVP_PKEY *pub = X509_get0_pubkey(cert_x509(c));
	bool same;

	same = pub != NULL && EVP_PKEY_eq(pub, pkey) == 1;
	ossl_clear();
	return same;
}

int key_store(struct keystore *ks, struct view secret, EVP_PKEY *pkey, const
    struct cert *c, struct err *e)
{
	struct buf pkcs8, sealed;
	int rc;

	buf_init_secret(&pkcs8, SEAL_MAX);
	buf_init(&sealed, SEAL_MAX + SEAL_HEAD + SEAL_TAG);
	rc = key_to_pkcs8(pkey, &pkcs8, e);
	if (rc == 0)
		rc = keyring_seal_key(buf_view(&pkcs8), secret, &sealed, e);
	if (rc == 0)
		rc = keystore_add_key(ks, cert_spki_sha256(c),
		    buf_view(&sealed), e);
	buf_free(&pkcs8);
	buf_free(&sealed);
	return rc;
}

/* ---- the ring ---- */

void keyring_free(struct keyring **kr)
{
	struct keyring *k = *kr;
	size_t i;

	if (k == NULL)
		return;
	for (i = 0; i < k->n; i++) {
		cert_free(&k->key[i].cert);
		EVP_PKEY_free(k->key[i].pkey);
	}
	if (k->key != NULL)
		ossl_wipe(k->key, k->size * sizeof(*k->key));
	free(k->key);
	free(k);
	*kr = NULL;
}

static struct ring_key *new_ring_key(struct keyring *kr, struct err *e)
{
	struct ring_key *bigger;
	size_t size = kr->size == 0 ? 16 : 2 * kr->size;

	if (kr->n < kr->size)
		return &kr->key[kr->n];
	/* Not realloc: what it leaves behind holds secrets. */
	bigger = calloc(size, sizeof(*bigger));
	if (bigger == NULL) {
		(void)err_set(e, FAIL_TEMP, "keyring: out of memory");
		return NULL;
	}
	if (kr->n > 0) {
		memcpy(bigger, kr->key, kr->n * sizeof(*bigger));
		ossl_wipe(kr->key, kr->n * sizeof(*bigger));
	}
	free(kr->key);
	kr->key = bigger;
	kr->size = size;
	return &kr->key[kr->n];
}

/*
 * Several certificates may have the same key; they come one after the other
 * and share it.
 */
static int add_row(struct keyring *kr, const struct ks_row *r, struct view
    sealed, const unsigned char seal[32], struct err *e)
{
	struct ring_key *k = new_ring_key(kr, e);
	struct ring_key *last;
	struct buf pkcs8;
	int rc;

	if (k == NULL)
		return -1;
	memset(k, 0, sizeof(*k));
	last = kr->n > 0 ? k - 1 : NULL;
	if (last != NULL && memcmp(cert_spki_sha256(last->cert),
	    cert_spki_sha256(r->cert), 32) == 0) {
		*k = *last;
		if (EVP_PKEY_up_ref(k->pkey) != 1)
			return err_set(e, FAIL_TEMP, "keyring");
		k->cert = cert_ref(r->cert);
		kr->n++;
		return 0;
	}
	buf_init_secret(&pkcs8, SEAL_MAX);
	rc = unseal(sealed, seal, &pkcs8, e);
	if (rc == 0)
		rc = key_from_pkcs8(&k->pkey, buf_view(&pkcs8), e);
	if (rc == 0 && !key_matches(k->pkey, r->cert))
		rc = err_set(e, FAIL_CONFIG, "private key: belongs to "
		    "another certificate");
	if (rc == 0)
		rc = derive(pkcs8.p, pkcs8.n, "postseal substitute 1",
		    k->reject, e);
	buf_free(&pkcs8);
	if (rc != 0) {
		EVP_PKEY_free(k->pkey);
		ossl_wipe(k, sizeof(*k));
		return -1;
	}
	k->cert = cert_ref(r->cert);
	kr->n++;
	kr->keys++;
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct ring_key *x = a, *y = b;

	return memcmp(cert_sha256(x->cert), cert_sha256(y->cert), 32);
}

static int load_rows(struct keyring *kr, struct keystore *ks, sqlite3_stmt *st,
    const unsigned char seal[32], struct err *e)
{
	struct err why = { 0 };
	struct ks_row r;
	size_t failed = 0;
	int rc;

	while ((rc = ks_step(ks, st, e)) == 1) {
		err_clear(&why);
		rc = ks_row_read(ks, st, &r, &why);
		if (rc == 0)
			rc = add_row(kr, &r, ks_column(st, COL_HAS_KEY + 1),
			    seal, &why);
		if (rc != 0 && why.kind == FAIL_TEMP) {
			ks_row_free(&r);
			sqlite3_reset(st);
			return err_set(e, why.kind, "%s", why.msg);
		}
		if (rc != 0) {
			failed++;
			log_err("event=key-left-out cert=%.16s error=\"%s\"",
			    r.cert != NULL ? cert_sha256_hex(r.cert) : "?",
			    why.msg);
		}
		ks_row_free(&r);
	}
	if (rc == 0 && kr->n == 0 && failed > 0)
		return err_set(e, FAIL_CONFIG, "none of %zu private keys "
		    "opens: wrong secret? (%s)", failed, why.msg);
	return rc;
}

int keyring_load(struct keyring **out, struct keystore *ks, struct view secret,
    struct err *e)
{
	struct keyring *kr = calloc(1, sizeof(*kr));
	unsigned char seal[32];
	sqlite3_stmt *st;
	int rc = -1;

	*out = NULL;
	if (kr == NULL)
		return err_set(e, FAIL_TEMP, "keyring: out of memory");
	if (seal_key(secret, seal, e) != 0)
		goto out;
	st = ks_stmt(ks, ST_KEY_CERTS, e);
	if (st == NULL || load_rows(kr, ks, st, seal, e) != 0)
		goto out;
	if (kr->n > 0)
		qsort(kr->key, kr->n, sizeof(*kr->key), compare_keys);
	*out = kr;
	kr = NULL;
	rc = 0;
out:
	ossl_wipe(seal, sizeof(seal));
	keyring_free(&kr);
	return rc;
}

size_t keyring_keys(const struct keyring *kr)
{
	return kr->keys;
}

static int compare_sha(const void *key, const void *element)
{
	const struct ring_key *k = element;

	return memcmp(key, cert_sha256(k->cert), 32);
}

const struct ring_key *ring_find(const struct keyring *kr, const unsigned char
    cert_sha256[32])
{
	if (kr->n == 0)
		return NULL;
	return bsearch(cert_sha256, kr->key, kr->n, sizeof(*kr->key),
	    compare_sha);
}

const struct cert *keyring_cert(const struct keyring *kr, const unsigned char
    cert_sha256[32])
{
	const struct ring_key *k = ring_find(kr, cert_sha256);

	return k != NULL ? k->cert : NULL;
}

/* ---- signing ---- */

/* What an algorithm is made of; md NULL: there is no such one. */
struct suite {
	enum cert_key key;
	const EVP_MD *md;
	bool pss;
};

static struct suite suite_of(enum sig_alg alg)
{
	switch (alg) {
	case SIG_RSA_SHA256:
		return (struct suite){CERT_KEY_RSA, EVP_sha256(), false};
	case SIG_RSA_SHA384:
		return (struct suite){CERT_KEY_RSA, EVP_sha384(), false};
	case SIG_RSA_SHA512:
		return (struct suite){CERT_KEY_RSA, EVP_sha512(), false};
	case SIG_ECDSA_SHA256:
		return (struct suite){CERT_KEY_EC, EVP_sha256(), false};
	case SIG_ECDSA_SHA384:
		return (struct suite){CERT_KEY_EC, EVP_sha384(), false};
	case SIG_ECDSA_SHA512:
		return (struct suite){CERT_KEY_EC, EVP_sha512(), false};
	case SIG_RSA_PSS_SHA256:
		return (struct suite){CERT_KEY_RSA, EVP_sha256(), true};
	case SIG_RSA_PSS_SHA384:
		return (struct suite){CERT_KEY_RSA, EVP_sha384(), true};
	case SIG_RSA_PSS_SHA512:
		return (struct suite){CERT_KEY_RSA, EVP_sha512(), true};
	}
	return (struct suite){CERT_KEY_OTHER, NULL, false};
}

/* RFC 4056 3: the salt as long as the digest. MGF1 follows the digest. */
static int set_pss(EVP_PKEY_CTX *pc)
{
	return EVP_PKEY_CTX_set_rsa_padding(pc, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(pc, RSA_PSS_SALTLEN_DIGEST) == 1;
}

/*
 * A SET OF Attribute with contentType and messageDigest (RFC 5652 5.3, 11),
 * nothing else: these keys sign mail, not whatever octets somebody sends.
 */
static int check_attrs(struct view attrs, struct err *e)
{
	static const unsigned char content_type[] = {
		0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03
	};
	static const unsigned char message_digest[] = {
		0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04
	};
	struct der set, attr, oid;
	int types = 0, digests = 0;

	if (attrs.n > CAP_KEY_REQUEST / 2 ||
	    der_get(&attrs, DER_SET, &set) != 0 || attrs.n != 0)
		goto bad;
	while (set.val.n > 0) {
		if (der_get(&set.val, DER_SEQUENCE, &attr) != 0 ||
		    der_get(&attr.val, DER_OID, &oid) != 0)
			goto bad;
		types += view_eq(oid.val, view_make(content_type,
		    sizeof(content_type)));
		digests += view_eq(oid.val, view_make(message_digest,
		    sizeof(message_digest)));
	}
	if (types == 1 && digests == 1)
		return 0;
bad:
	return err_set(e, FAIL_INPUT, "signature: not the signed attributes "
	    "of a message (RFC 5652 5.3)");
}

static int make_signature(EVP_PKEY *pkey, const struct suite *s,
    struct view attrs, struct buf *sig, struct err *e)
{
	EVP_PKEY_CTX *pc = NULL; /* ctx owns it */
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *room = buf_room(sig, CAP_SIGNATURE);
	size_t n = CAP_SIGNATURE;
	int rc = -1;

	ossl_clear();
	if (ctx == NULL || room == NULL)
		(void)err_set(e, FAIL_TEMP, "signature: out of memory");
	else if (EVP_DigestSignInit(ctx, &pc, s->md, NULL, pkey) != 1 ||
	    (s->pss && !set_pss(pc)) ||
	    EVP_DigestSign(ctx, room, &n, attrs.p, attrs.n) != 1)
		(void)err_ossl(e, FAIL_TEMP, "signature");
	else
		rc = 0;
	if (rc == 0)
		sig->n += n;
	EVP_MD_CTX_free(ctx);
	return rc;
}

int keyring_sign(const struct keyring *kr, const unsigned char cert_sha256[32],
    enum sig_alg alg, struct view attrs, struct buf *sig, struct err *e)
{
	const struct ring_key *k = ring_find(kr, cert_sha256);
	struct suite s = suite_of(alg);

	if (k == NULL)
		return err_set(e, FAIL_INPUT, "signature: no such key");
	if (s.md == NULL || cert_key_type(k->cert) != s.key)
		return err_set(e, FAIL_INPUT, "signature: algorithm does not "
		    "fit the key (%s)", cert_key_name(k->cert));
	if (check_attrs(attrs, e) != 0)
		return -1;
	return make_signature(k->pkey, &s, attrs, sig, e);
}
