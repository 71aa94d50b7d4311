/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The CA's keys at rest: PKCS#8 under a passphrase (PBES2 of RFC 8018 with
 * scrypt of RFC 7914 and AES-256), behind a magic of their own, so that
 * neither the keystore's secret nor a process that has it opens them.
 */
#include "keystore/ca_int.h"

#include <string.h>

#include <openssl/pkcs12.h>

#include "keystore/sealing.h"
#include "util/ossl.h"

#define SEALED_MAX 65536
#define MAGIC_N (sizeof(KS_PASSPHRASE_MAGIC) - 1)
#define SALT_N 16
/* 16 MiB five times over: some 0.2 s for us, and libcrypto takes no more
 * than 32 MiB by itself. */
#define SCRYPT_N 16384
#define SCRYPT_R 8
#define SCRYPT_P 5
#define PASSPHRASE_MIN 8
#define PASSPHRASE_MAX 1023

int ca_check_passphrase(const char *passphrase, struct err *e)
{
	size_t n = strlen(passphrase);

	if (n >= PASSPHRASE_MIN && n <= PASSPHRASE_MAX)
		return 0;
	return err_set(e, FAIL_INPUT, "passphrase of the CA: want %d to %d "
	    "octets", PASSPHRASE_MIN, PASSPHRASE_MAX);
}

static X509_SIG *encrypt(PKCS8_PRIV_KEY_INFO *p8, const char *passphrase)
{
	unsigned char salt[SALT_N];
	X509_ALGOR *pbe;
	X509_SIG *sig;

	ossl_random(salt, sizeof(salt));
	pbe = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), salt, sizeof(salt),
	    NULL, SCRYPT_N, SCRYPT_R, SCRYPT_P);
	if (pbe == NULL)
		return NULL;
	sig = PKCS8_set0_pbe(passphrase, (int)strlen(passphrase), p8, pbe);
	if (sig == NULL)
		X509_ALGOR_free(pbe);
	return sig;
}

static int seal(EVP_PKEY *key, const char *passphrase, struct buf *out,
    struct err *e)
{
	PKCS8_PRIV_KEY_INFO *p8;
	X509_SIG *sig = NULL;
	unsigned char *der = NULL;
	int n = -1;

	ossl_clear();
	p8 = EVP_PKEY2PKCS8(key);
	if (p8 != NULL)
		sig = encrypt(p8, passphrase);
	if (sig != NULL)
		n = i2d_X509_SIG(sig, &der);
	PKCS8_PRIV_KEY_INFO_free(p8);
	X509_SIG_free(sig);
	if (n <= 0)
		return err_ossl(e, FAIL_TEMP, "CA's key: sealing");
	buf_put(out, KS_PASSPHRASE_MAGIC, MAGIC_N);
	buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_ok(out, e);
}

/* A wrong passphrase shows in the padding or, one time in 256, in what is
 * no PKCS#8; the caller compares with the certificate besides. */
static int unseal(struct view sealed, const char *passphrase, EVP_PKEY **key,
    struct err *e)
{
	struct view der = view_sub(sealed, MAGIC_N, sealed.n);
	const unsigned char *p = der.p;
	PKCS8_PRIV_KEY_INFO *p8 = NULL;
	X509_SIG *sig;
	int n;

	if (ossl_len(der.n, &n, e) != 0)
		return -1;
	ossl_clear();
	sig = d2i_X509_SIG(NULL, &p, n);
	if (sig != NULL)
		p8 = PKCS8_decrypt(sig, passphrase, (int)strlen(passphrase));
	if (p8 != NULL)
		*key = EVP_PKCS82PKEY(p8);
	X509_SIG_free(sig);
	PKCS8_PRIV_KEY_INFO_free(p8);
	ossl_clear();
	return *key != NULL ? 0 : err_set(e, FAIL_POLICY,
	    "CA's key: does not open with this passphrase");
}

int ca_key_store(struct keystore *ks, struct view secret,
    const char *passphrase, EVP_PKEY *key, const struct cert *c,
    struct err *e)
{
	struct buf sealed;
	int rc;

	if (passphrase == NULL)
		return key_store(ks, secret, key, c, e);
	buf_init(&sealed, SEALED_MAX);
	rc = seal(key, passphrase, &sealed, e);
	if (rc == 0)
		rc = keystore_add_key(ks, cert_spki_sha256(c),
		    buf_view(&sealed), e);
	buf_free(&sealed);
	return rc;
}

static int open_by_secret(struct view sealed, struct view secret,
    EVP_PKEY **key, struct err *e)
{
	struct buf pkcs8;
	int rc;

	buf_init_secret(&pkcs8, SEALED_MAX);
	rc = keyring_unseal_key(sealed, secret, &pkcs8, e);
	if (rc == 0)
		rc = key_from_pkcs8(key, buf_view(&pkcs8), e);
	buf_free(&pkcs8);
	return rc;
}

int ca_key_load(struct keystore *ks, struct view secret,
    const char *passphrase, const struct cert *c, EVP_PKEY **key,
    struct err *e)
{
	struct buf sealed;
	int rc;

	*key = NULL;
	buf_init(&sealed, SEALED_MAX);
	rc = keystore_get_key(ks, cert_spki_sha256(c), &sealed, e);
	if (rc == 0 && seal_form(buf_view(&sealed)) != SEAL_PASSPHRASE)
		rc = open_by_secret(buf_view(&sealed), secret, key, e);
	else if (rc == 0 && passphrase == NULL)
		rc = err_set(e, FAIL_POLICY, "CA's key: is under a passphrase,"
		    " and none was given");
	else if (rc == 0)
		rc = unseal(buf_view(&sealed), passphrase, key, e);
	buf_free(&sealed);
	if (rc == 0 && !key_matches(*key, c))
		rc = err_set(e, FAIL_CONFIG, "CA's key: belongs to another "
		    "certificate than %s", cert_subject(c));
	if (rc != 0) {
		EVP_PKEY_free(*key);
		*key = NULL;
	}
	return rc;
}
