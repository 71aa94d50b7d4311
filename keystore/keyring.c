/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Private keys as a ring in memory that signs. At rest: sealing.c; opening
 * RecipientInfos: keyopen.c. Parses no mail.
 */
#include "keystore/keyring.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "keystore/held.h"
#include "keystore/sealing.h"
#include "util/der.h"
#include "util/log.h"
#include "util/ossl.h"

#define SEALED_MAX (SEAL_MAX + 256)

struct keyring {
	struct ring_key *key; /* sorted by SHA-256 of the certificate */
	size_t n;
	size_t size;
	size_t keys; /* different private keys */
};

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
	buf_init(&sealed, SEALED_MAX);
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
    sealed, const struct seal_keys *seal, struct err *e)
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
	rc = seal_open(seal, sealed, &pkcs8, NULL, e);
	if (rc == 0)
		rc = key_from_pkcs8(&k->pkey, buf_view(&pkcs8), e);
	if (rc == 0 && !key_matches(k->pkey, r->cert))
		rc = err_set(e, FAIL_CONFIG, "private key: belongs to "
		    "another certificate");
	if (rc == 0)
		rc = seal_derive(pkcs8.p, pkcs8.n, "postseal substitute 1",
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
    const struct seal_keys *seal, struct err *e)
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
	/* a key that only memory was missing for is no bad key */
	if (memory_lacked())
		return err_set(e, FAIL_TEMP, "keyring: out of memory");
	if (rc == 0 && kr->n == 0 && failed > 0)
		return err_set(e, FAIL_CONFIG, "none of %zu private keys "
		    "opens: wrong secret? (%s)", failed, why.msg);
	return rc;
}

static int load(struct keyring **out, struct keystore *ks,
    enum ks_stmt which, struct view secret, struct err *e)
{
	struct keyring *kr = calloc(1, sizeof(*kr));
	struct seal_keys seal;
	sqlite3_stmt *st;
	int rc = -1;

	*out = NULL;
	if (kr == NULL)
		return err_set(e, FAIL_TEMP, "keyring: out of memory");
	if (seal_keys_read(&seal, secret, e) != 0)
		goto out;
	st = ks_stmt(ks, which, e);
	if (st == NULL || load_rows(kr, ks, st, &seal, e) != 0)
		goto out;
	if (kr->n > 0)
		qsort(kr->key, kr->n, sizeof(*kr->key), compare_keys);
	*out = kr;
	kr = NULL;
	rc = 0;
out:
	seal_keys_wipe(&seal);
	keyring_free(&kr);
	return rc;
}

int keyring_load(struct keyring **out, struct keystore *ks, struct view secret,
    struct err *e)
{
	return load(out, ks, ST_KEY_CERTS, secret, e);
}

int keyring_load_held(struct keyring **out, struct keystore *ks,
    struct view secret, struct err *e)
{
	*out = NULL;
	if (ks->schema < KS_SCHEMA_TRAFFIC)
		return err_set(e, FAIL_CONFIG, "nothing is held in this "
		    "keystore");
	return load(out, ks, ST_HELD_KEYS, secret, e);
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

const struct cert *keyring_named(const struct keyring *kr, struct view ias)
{
	for (size_t i = 0; i < kr->n; i++)
		if (view_eq(cert_ias(kr->key[i].cert), ias))
			return kr->key[i].cert;
	return NULL;
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
