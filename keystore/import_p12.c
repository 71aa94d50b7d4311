/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * PKCS#12 (RFC 7292) of an import, with all its keys and certificates, not
 * only the first pair. Old files are encrypted with RC2: they are read in
 * the library context that has the legacy algorithms (util/ossl.h), where
 * there is one.
 */
#include "keystore/import_int.h"

#include <string.h>

#include <openssl/pkcs12.h>

#include "util/ossl.h"

struct p12 {
	OSSL_LIB_CTX *lib; /* NULL: the ordinary one */
	PKCS12 *pfx;
	const char *password; /* that opened it; may be NULL */
	struct batch *b;
};

static int skip_as(struct batch *b, const char *why, struct err *e)
{
	struct err text = { 0 };

	(void)err_set(&text, FAIL_INPUT, "%s", why);
	return batch_skip(b, "PKCS#12", &text, e);
}

static void close_p12(struct p12 *p)
{
	PKCS12_free(p->pfx);
	ossl_clear();
}

static int password_n(const char *password)
{
	return password != NULL ? (int)strlen(password) : 0;
}

/* ---- bags ---- */

static int take_cert(struct p12 *p, PKCS12_SAFEBAG *bag, struct err *e)
{
	unsigned char *der = NULL;
	X509 *x = PKCS12_SAFEBAG_get1_cert(bag);
	int n = -1, rc;

	if (x != NULL)
		n = i2d_X509(x, &der);
	X509_free(x);
	if (n <= 0)
		return skip_as(p->b, "an object in it is no certificate", e);
	rc = batch_cert(p->b, view_make(der, (size_t)n), e);
	OPENSSL_free(der);
	return rc;
}

/* Through DER into the ordinary library context. */
static int take_key(struct p12 *p, const PKCS8_PRIV_KEY_INFO *p8, struct err *e)
{
	struct err why = { 0 };
	unsigned char *der = NULL;
	EVP_PKEY *key = NULL;
	int n = -1, rc;

	if (p8 != NULL)
		n = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
	if (n <= 0)
		return skip_as(p->b, "a private key in it does not open", e);
	rc = key_from_pkcs8(&key, view_make(der, (size_t)n), &why);
	OPENSSL_clear_free(der, (size_t)n);
	if (rc != 0)
		return batch_skip(p->b, "private key", &why, e);
	return batch_key(p->b, key, e);
}

static int take_bag(struct p12 *p, PKCS12_SAFEBAG *bag, struct err *e)
{
	PKCS8_PRIV_KEY_INFO *p8;
	int rc;

	switch (PKCS12_SAFEBAG_get_nid(bag)) {
	case NID_certBag:
		if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
			return 0;
		return take_cert(p, bag, e);
	case NID_keyBag:
		return take_key(p, PKCS12_SAFEBAG_get0_p8inf(bag), e);
	case NID_pkcs8ShroudedKeyBag:
		p8 = PKCS12_decrypt_skey_ex(bag, p->password,
		    password_n(p->password), p->lib, NULL);
		rc = take_key(p, p8, e);
		PKCS8_PRIV_KEY_INFO_free(p8);
		return rc;
	default:
		return 0; /* CRLs, secrets, safes in safes */
	}
}

static int take_safe(struct p12 *p, PKCS7 *safe, struct err *e)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
	int i, rc = 0;

	if (PKCS7_type_is_data(safe))
		bags = PKCS12_unpack_p7data(safe);
	else if (PKCS7_type_is_encrypted(safe))
		bags = PKCS12_unpack_p7encdata(safe, p->password,
		    password_n(p->password));
	if (bags == NULL)
		return skip_as(p->b, p->lib == NULL ? "a part of it does "
		    "not open: perhaps an old cipher that needs OpenSSL's "
		    "legacy provider" : "a part of it does not open", e);
	for (i = 0; rc == 0 && i < sk_PKCS12_SAFEBAG_num(bags); i++)
		rc = take_bag(p, sk_PKCS12_SAFEBAG_value(bags, i), e);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	return rc;
}

/* ---- the file ---- */

static int open_p12(struct p12 *p, struct view der, struct err *e)
{
	const unsigned char *in = der.p;
	PKCS12 *pfx;
	int n;

	if (ossl_len(der.n, &n, e) != 0)
		return -1;
	ossl_clear();
	if (ossl_legacy_load(NULL) == 0)
		p->lib = ossl_legacy();
	p->pfx = PKCS12_init_ex(NID_pkcs7_data, p->lib, NULL);
	if (p->pfx == NULL)
		return err_ossl(e, FAIL_TEMP, "PKCS#12");
	pfx = d2i_PKCS12(&p->pfx, &in, n);
	ossl_clear();
	if (pfx == NULL)
		p->pfx = NULL; /* d2i has freed it */
	return 0;
}

/* The MAC tells whether the password is right; without one given, both
 * forms of the empty password are tried. */
static bool unlock(struct p12 *p, const char *password)
{
	if (!PKCS12_mac_present(p->pfx)) {
		p->password = password;
		return true;
	}
	if (password != NULL && password[0] != '\0') {
		p->password = password;
		return PKCS12_verify_mac(p->pfx, password, -1) == 1;
	}
	p->password = NULL;
	if (PKCS12_verify_mac(p->pfx, NULL, 0) == 1)
		return true;
	p->password = "";
	return PKCS12_verify_mac(p->pfx, "", 0) == 1;
}

static int read_p12(struct p12 *p, struct err *e)
{
	STACK_OF(PKCS7) *safes;
	int i, rc = 0;

	if (p->pfx == NULL)
		return skip_as(p->b, "malformed (RFC 7292)", e);
	if (!unlock(p, p->b->password))
		return skip_as(p->b, p->b->password == NULL ?
		    "encrypted; give its password" :
		    "does not open with this password", e);
	safes = PKCS12_unpack_authsafes(p->pfx);
	if (safes == NULL)
		return skip_as(p->b, "malformed (RFC 7292)", e);
	for (i = 0; rc == 0 && i < sk_PKCS7_num(safes); i++)
		rc = take_safe(p, sk_PKCS7_value(safes, i), e);
	sk_PKCS7_pop_free(safes, PKCS7_free);
	return rc;
}

int import_p12(struct batch *b, struct view der, struct err *e)
{
	struct p12 p = { .b = b };
	int rc;

	rc = open_p12(&p, der, e);
	if (rc == 0)
		rc = read_p12(&p, e);
	close_p12(&p);
	return rc;
}
