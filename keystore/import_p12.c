/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * PKCS#12 (RFC 7292) of an import, with all its keys and certificates, not
 * only the first pair. Old files are encrypted with RC2: they are read in
 * the library context that has the legacy algorithms (util/ossl.h), where
 * there is one. Names and other attributes of bags are not looked at.
 */
#include "keystore/import_int.h"

#include <string.h>

#include <openssl/objects.h>
#include <openssl/pkcs12.h>

#include "util/der.h"
#include "util/ossl.h"

#define OID_PBMAC1 "1.2.840.113549.1.5.14" /* RFC 9579 */

struct p12 {
	OSSL_LIB_CTX *lib; /* NULL: the ordinary one */
	PKCS12 *pfx;
	const char *password; /* that opened it; may be NULL */
	bool mac; /* there is one, so the password is known to be right */
	struct batch *b;
};

static int skip_as(struct batch *b, const char *why, struct err *e)
{
	return batch_skip_as(b, "PKCS#12", why, e);
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

/* Something encrypted with alg did not open: say what that is. */
static int skip_closed(struct p12 *p, const char *part, const X509_ALGOR *alg,
    struct err *e)
{
	struct err why = { 0 };
	char name[128];

	(void)import_pbe_name(alg, name, sizeof(name));
	if (!p->mac)
		(void)err_set(&why, FAIL_INPUT, "%s, encrypted with %s, does "
		    "not open with this password", part, name);
	else if (p->lib == NULL)
		(void)err_set(&why, FAIL_INPUT, "%s is encrypted with %s, "
		    "which OpenSSL %s does not do without its legacy "
		    "provider; since Debian 13 that is in the package "
		    "openssl-provider-legacy", part, name, ossl_version());
	else
		(void)err_set(&why, FAIL_INPUT, "%s is encrypted with %s, "
		    "which OpenSSL %s cannot open", part, name,
		    ossl_version());
	return batch_skip(p->b, "PKCS#12", &why, e);
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
		return skip_as(p->b, "a private key in it is malformed", e);
	rc = key_from_pkcs8(&key, view_make(der, (size_t)n), &why);
	OPENSSL_clear_free(der, (size_t)n);
	if (rc != 0)
		return batch_skip(p->b, "private key", &why, e);
	return batch_key(p->b, key, e);
}

static int take_shrouded(struct p12 *p, PKCS12_SAFEBAG *bag, struct err *e)
{
	const X509_SIG *sig = PKCS12_SAFEBAG_get0_pkcs8(bag);
	const X509_ALGOR *alg = NULL;
	PKCS8_PRIV_KEY_INFO *p8;
	struct err why = { 0 };
	int rc;

	if (sig == NULL)
		return skip_as(p->b, "a private key in it is malformed", e);
	X509_SIG_get0(sig, &alg, NULL);
	if (import_cost_pbe(p->b, alg, &why) != 0)
		return batch_skip(p->b, "PKCS#12", &why, e);
	p8 = PKCS12_decrypt_skey_ex(bag, p->password,
	    password_n(p->password), p->lib, NULL);
	if (p8 == NULL)
		return skip_closed(p, "a private key in it", alg, e);
	rc = take_key(p, p8, e);
	PKCS8_PRIV_KEY_INFO_free(p8);
	return rc;
}

static int take_bag(struct p12 *p, PKCS12_SAFEBAG *bag, struct err *e)
{
	switch (PKCS12_SAFEBAG_get_nid(bag)) {
	case NID_certBag:
		if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
			return 0;
		return take_cert(p, bag, e);
	case NID_keyBag:
		return take_key(p, PKCS12_SAFEBAG_get0_p8inf(bag), e);
	case NID_pkcs8ShroudedKeyBag:
		return take_shrouded(p, bag, e);
	default:
		return 0; /* CRLs, secrets, safes in safes */
	}
}

static int take_bags(struct p12 *p, STACK_OF(PKCS12_SAFEBAG) *bags, struct err
    *e)
{
	int i, rc = 0;

	for (i = 0; rc == 0 && i < sk_PKCS12_SAFEBAG_num(bags); i++)
		rc = take_bag(p, sk_PKCS12_SAFEBAG_value(bags, i), e);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	return rc;
}

static int take_encrypted(struct p12 *p, PKCS7 *safe, struct err *e)
{
	STACK_OF(PKCS12_SAFEBAG) *bags;
	const X509_ALGOR *alg;
	struct err why = { 0 };

	/* CVE-2025-69421: content that is announced and not there. */
	if (safe->d.encrypted == NULL ||
	    safe->d.encrypted->enc_data == NULL ||
	    safe->d.encrypted->enc_data->enc_data == NULL ||
	    safe->d.encrypted->enc_data->algorithm == NULL)
		return skip_as(p->b, "a part of it has no content (RFC 7292 "
		    "4.1)", e);
	alg = safe->d.encrypted->enc_data->algorithm;
	if (import_cost_pbe(p->b, alg, &why) != 0)
		return batch_skip(p->b, "PKCS#12", &why, e);
	bags = PKCS12_unpack_p7encdata(safe, p->password,
	    password_n(p->password));
	if (bags == NULL)
		return skip_closed(p, "a part of it", alg, e);
	return take_bags(p, bags, e);
}

static int take_safe(struct p12 *p, PKCS7 *safe, struct err *e)
{
	STACK_OF(PKCS12_SAFEBAG) *bags;

	if (safe->d.ptr == NULL) /* CVE-2024-0727 */
		return skip_as(p->b, "a part of it has no content (RFC 7292 "
		    "4.1)", e);
	if (PKCS7_type_is_encrypted(safe))
		return take_encrypted(p, safe, e);
	if (!PKCS7_type_is_data(safe))
		return skip_as(p->b, "a part of it is encrypted for a key, "
		    "not with a password (RFC 7292 4), which is not read", e);
	bags = PKCS12_unpack_p7data(safe);
	return bags != NULL ? take_bags(p, bags, e) :
	    skip_as(p->b, "a part of it is malformed (RFC 7292 4.2)", e);
}

/* ---- the file ---- */

/* PFX: version, authSafe, MAC. Is there data in authSafe (CVE-2024-0727)? */
static bool has_content(struct view der)
{
	struct der pfx, version, safe, oid, content, data;

	return der_get(&der, DER_SEQUENCE, &pfx) == 0 &&
	    der_get(&pfx.val, DER_INTEGER, &version) == 0 &&
	    der_get(&pfx.val, DER_SEQUENCE, &safe) == 0 &&
	    der_get(&safe.val, DER_OID, &oid) == 0 &&
	    der_get(&safe.val, DER_CTX0, &content) == 0 &&
	    der_next(&content.val, &data) == 0 && data.val.n > 0;
}

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

/* PBMAC1-params (RFC 9579 4): the key derivation is its first element. */
static int cost_of_pbmac1(struct p12 *p, const X509_ALGOR *alg, struct err *e)
{
	const void *value = NULL;
	const unsigned char *in;
	struct der seq, kdf;
	struct view v;
	X509_ALGOR *inner;
	int type, rc;

	X509_ALGOR_get0(NULL, &type, &value, alg);
	if (type != V_ASN1_SEQUENCE || value == NULL)
		return err_set(e, FAIL_INPUT, "malformed PBMAC1-params (RFC "
		    "9579 4)");
	v = view_make(ASN1_STRING_get0_data(value),
	    (size_t)ASN1_STRING_length(value));
	if (der_get(&v, DER_SEQUENCE, &seq) != 0 ||
	    der_get(&seq.val, DER_SEQUENCE, &kdf) != 0)
		return err_set(e, FAIL_INPUT, "malformed PBMAC1-params (RFC "
		    "9579 4)");
	in = kdf.whole.p;
	inner = d2i_X509_ALGOR(NULL, &in, (long)kdf.whole.n);
	if (inner == NULL)
		return err_set(e, FAIL_INPUT, "malformed PBMAC1-params (RFC "
		    "9579 4)");
	rc = import_cost_pbe(p->b, inner, e);
	X509_ALGOR_free(inner);
	return rc;
}

static bool is_pbmac1(const X509_ALGOR *alg)
{
	const ASN1_OBJECT *oid = NULL;
	char text[64];

	X509_ALGOR_get0(&oid, NULL, NULL, alg);
	return OBJ_obj2txt(text, sizeof(text), oid, 1) > 0 &&
	    strcmp(text, OID_PBMAC1) == 0;
}

/* What the MAC costs. */
static int cost_of_mac(struct p12 *p, bool *pbmac1, struct err *e)
{
	const ASN1_INTEGER *iter = NULL;
	const ASN1_OCTET_STRING *salt = NULL;
	const X509_ALGOR *alg = NULL;
	uint64_t n = 1; /* RFC 7292 4: the default */

	PKCS12_get0_mac(NULL, &alg, &salt, &iter, p->pfx);
	*pbmac1 = alg != NULL && is_pbmac1(alg);
	if (*pbmac1)
		return cost_of_pbmac1(p, alg, e);
	if (iter != NULL && ASN1_INTEGER_get_uint64(&n, iter) != 1)
		n = UINT64_MAX;
	ossl_clear();
	return import_cost(p->b, n, salt == NULL ? 0 :
	    (size_t)ASN1_STRING_length(salt), e);
}

/* The MAC tells whether the password is right; the empty one has two forms,
 * and a file that has it opens whatever was given. */
static bool unlock(struct p12 *p, const char *password)
{
	static const char *const empty[] = { NULL, "" };
	size_t i;

	p->password = password;
	if (!p->mac)
		return true;
	if (password != NULL && password[0] != '\0' &&
	    PKCS12_verify_mac(p->pfx, password, -1) == 1)
		return true;
	for (i = 0; i < ARRAY_LEN(empty); i++) {
		p->password = empty[i];
		if (PKCS12_verify_mac(p->pfx, empty[i], 0) == 1)
			return true;
	}
	return false;
}

static int read_safes(struct p12 *p, struct err *e)
{
	STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(p->pfx);
	int i, rc = 0;

	if (safes == NULL)
		return skip_as(p->b, "malformed (RFC 7292)", e);
	for (i = 0; rc == 0 && i < sk_PKCS7_num(safes); i++)
		rc = take_safe(p, sk_PKCS7_value(safes, i), e);
	sk_PKCS7_pop_free(safes, PKCS7_free);
	return rc;
}

static int read_p12(struct p12 *p, struct err *e)
{
	struct err why = { 0 };
	bool pbmac1 = false;

	if (p->pfx == NULL)
		return skip_as(p->b, "malformed (RFC 7292)", e);
	p->mac = PKCS12_mac_present(p->pfx) == 1;
	if (p->mac && cost_of_mac(p, &pbmac1, &why) != 0)
		return batch_skip(p->b, "PKCS#12", &why, e);
	if (pbmac1 && !ossl_has_pbmac1()) {
		(void)err_set(&why, FAIL_INPUT, "its MAC is PBMAC1 (RFC "
		    "9579), which OpenSSL %s cannot check; 3.4 and later can",
		    ossl_version());
		return batch_skip(p->b, "PKCS#12", &why, e);
	}
	if (!unlock(p, p->b->o->password))
		return skip_as(p->b, p->b->o->password == NULL ?
		    IMPORT_LOCKED : "does not open with this password", e);
	return read_safes(p, e);
}

int import_p12(struct batch *b, struct view der, struct err *e)
{
	struct p12 p = { .b = b };
	int rc;

	if (!has_content(der))
		return skip_as(b, "malformed: no content (RFC 7292 4)", e);
	rc = open_p12(&p, der, e);
	if (rc == 0)
		rc = read_p12(&p, e);
	close_p12(&p);
	return rc;
}
