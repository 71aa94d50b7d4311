/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates and keys on their way out: PEM, and PKCS#12 in the form of
 * today (RFC 7292, PBES2 of RFC 8018).
 */
#include "keystore/ca.h"

#include <string.h>
#include <time.h>

#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "keystore/keystore_int.h"
#include "util/ossl.h"

#define P12_ITERATIONS 100000

/* The chain as it was or will be valid: a certificate that has expired
 * still had one. */
static int find_chain(struct keystore *ks, const struct cert *c, struct path
    *path, struct cert **anchor, struct err *e)
{
	int64_t at = (int64_t)time(NULL);

	if (at > cert_not_after(c))
		at = cert_not_after(c);
	if (at < cert_not_before(c))
		at = cert_not_before(c);
	return ks_path_anchor(ks, c, at, path, anchor, e);
}

static int put_pem(const struct cert *c, struct buf *out, struct err *e)
{
	BIO *bio;
	char *text;
	long n;
	int rc = -1;

	ossl_clear();
	bio = BIO_new(BIO_s_mem());
	if (bio != NULL && PEM_write_bio_X509(bio, cert_x509(c)) == 1 &&
	    (n = BIO_get_mem_data(bio, &text)) > 0) {
		buf_put(out, text, (size_t)n);
		rc = buf_ok(out, e);
	} else
		(void)err_ossl(e, FAIL_TEMP, "PEM");
	BIO_free(bio);
	return rc;
}

int export_pem(struct keystore *ks, const struct cert *c, bool with_chain,
    struct buf *out, struct err *e)
{
	struct path path = { 0 };
	struct cert *anchor = NULL;
	size_t i;
	int rc;

	rc = put_pem(c, out, e);
	if (rc == 0 && with_chain && ks != NULL)
		rc = find_chain(ks, c, &path, &anchor, e);
	for (i = 0; rc == 0 && i < path.chain_n; i++)
		rc = put_pem(path.chain[i], out, e);
	if (rc == 0 && anchor != NULL &&
	    memcmp(cert_sha256(anchor), cert_sha256(c), 32) != 0)
		rc = put_pem(anchor, out, e);
	path_free(&path);
	cert_free(&anchor);
	return rc;
}

static int load_key(struct keystore *ks, struct view secret, const struct cert
    *c, EVP_PKEY **key, struct err *e)
{
	struct buf sealed, pkcs8;
	int rc;

	buf_init(&sealed, 1u << 20);
	buf_init_secret(&pkcs8, 1u << 20);
	rc = keystore_get_key(ks, cert_spki_sha256(c), &sealed, e);
	if (rc == 0)
		rc = keyring_unseal_key(buf_view(&sealed), secret, &pkcs8, e);
	if (rc == 0)
		rc = key_from_pkcs8(key, buf_view(&pkcs8), e);
	buf_free(&sealed);
	buf_free(&pkcs8);
	return rc;
}

/* Intermediates and the root: who imports the file wants to trust it. */
static STACK_OF(X509) *
make_chain(const struct path *path, const struct cert *anchor)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	size_t i;

	if (chain == NULL)
		return NULL;
	for (i = 0; i < path->chain_n; i++)
		if (sk_X509_push(chain, cert_x509(path->chain[i])) <= 0)
			goto fail;
	if (anchor != NULL && sk_X509_push(chain, cert_x509(anchor)) <= 0)
		goto fail;
	return chain;
fail:
	sk_X509_free(chain);
	return NULL;
}

static int put_p12(PKCS12 *p12, struct buf *out, struct err *e)
{
	unsigned char *der = NULL;
	int n = i2d_PKCS12(p12, &der);

	if (n <= 0)
		return err_ossl(e, FAIL_TEMP, "PKCS#12");
	buf_put(out, der, (size_t)n);
	OPENSSL_clear_free(der, (size_t)n);
	return buf_ok(out, e);
}

static int make_p12(EVP_PKEY *key, const struct cert *c, STACK_OF(X509) *chain,
    const char *password, struct buf *out, struct err *e)
{
	const char *name = cert_addresses(c) > 0 ? cert_address(c, 0)->text :
	    NULL;
	PKCS12 *p12;
	int rc = -1;

	ossl_clear();
	p12 = PKCS12_create(password, name, key, cert_x509(c), chain,
	    NID_aes_256_cbc, NID_aes_256_cbc, P12_ITERATIONS, -1, 0);
	if (p12 == NULL || PKCS12_set_mac(p12, password, -1, NULL, 0,
	    P12_ITERATIONS, EVP_sha256()) != 1)
		(void)err_ossl(e, FAIL_TEMP, "PKCS#12");
	else
		rc = put_p12(p12, out, e);
	PKCS12_free(p12);
	return rc;
}

int export_p12(struct keystore *ks, struct view secret, const struct cert *c,
    const char *password, struct buf *out_secret, struct err *e)
{
	struct path path = { 0 };
	struct cert *anchor = NULL;
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *key = NULL;
	int rc = -1;

	if (password == NULL || password[0] == '\0')
		return err_set(e, FAIL_INPUT,
		    "PKCS#12: an empty password protects nothing");
	if (load_key(ks, secret, c, &key, e) != 0 ||
	    find_chain(ks, c, &path, &anchor, e) != 0)
		goto out;
	chain = make_chain(&path, anchor);
	if (chain == NULL) {
		(void)err_set(e, FAIL_TEMP, "PKCS#12: out of memory");
		goto out;
	}
	rc = make_p12(key, c, chain, password, out_secret, e);
out:
	sk_X509_free(chain);
	EVP_PKEY_free(key);
	path_free(&path);
	cert_free(&anchor);
	return rc;
}
