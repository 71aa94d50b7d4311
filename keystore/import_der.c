/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * DER and BER objects of an import: certificates, PKCS#7 or CMS with
 * certificates (walked by ourselves, nothing of it is verified), private
 * keys; the rest is named and passed over. PKCS#12 is in import_p12.c.
 */
#include "keystore/import_int.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "util/der.h"
#include "util/ossl.h"

/* ---- PKCS#7 ---- */

/* SignedData (RFC 5652 5.1): only its certificates are of interest. Other
 * choices than Certificate are stepped over (RFC 8550 2.2). */
static int read_signed_data(struct batch *b, struct view sd, struct err *e)
{
	struct der seq, version, algorithms, content, certs, one;
	int rc, n = 0;

	if (der_get(&sd, DER_SEQUENCE, &seq) != 0 ||
	    der_get(&seq.val, DER_INTEGER, &version) != 0 ||
	    der_get(&seq.val, DER_SET, &algorithms) != 0 ||
	    der_get(&seq.val, DER_SEQUENCE, &content) != 0)
		return batch_skip_as(b, "PKCS#7", "malformed SignedData", e);
	rc = der_opt(&seq.val, DER_CTX0, &certs);
	if (rc < 0)
		return batch_skip_as(b, "PKCS#7", "malformed SignedData", e);
	while (rc == 1 && certs.val.n > 0) {
		if (der_next(&certs.val, &one) != 0)
			return batch_skip_as(b, "PKCS#7",
			    "malformed SignedData", e);
		if (one.tag != DER_SEQUENCE)
			continue;
		if (batch_cert(b, one.whole, e) != 0)
			return -1;
		n++;
	}
	return n > 0 ? 0 : batch_skip_as(b, "PKCS#7",
	    "no certificate in it", e);
}

static int read_content_info(struct batch *b, struct view ci, struct err *e)
{
	static const unsigned char signed_data[] = {
		0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2
	};
	struct der oid, content;

	if (der_get(&ci, DER_OID, &oid) != 0)
		return batch_skip_as(b, "PKCS#7", "malformed", e);
	if (!view_eq(oid.val, view_make(signed_data, sizeof(signed_data))))
		return batch_skip_as(b, "PKCS#7", "not SignedData, so there "
		    "is no certificate in it", e);
	if (der_get(&ci, DER_CTX0, &content) != 0)
		return batch_skip_as(b, "PKCS#7", "malformed", e);
	return read_signed_data(b, content.val, e);
}

/* ---- keys ---- */

static int read_key(struct batch *b, struct view der, struct err *e)
{
	const unsigned char *p = der.p;
	EVP_PKEY *key;
	int n;

	if (ossl_len(der.n, &n, e) != 0)
		return -1;
	ossl_clear();
	key = d2i_AutoPrivateKey(NULL, &p, n);
	if (key == NULL) {
		struct err why = { 0 };

		(void)err_ossl(&why, FAIL_INPUT, "not a key of a kind that "
		    "we know");
		return batch_skip(b, "private key", &why, e);
	}
	return batch_key(b, key, e);
}

/* Keys under old ciphers open in the context that has them. */
static EVP_PKEY *open_key(const X509_SIG *sig, const char *password)
{
	PKCS8_PRIV_KEY_INFO *p8;
	EVP_PKEY *key = NULL;
	OSSL_LIB_CTX *old = NULL;
	int n = (int)strlen(password);

	p8 = PKCS8_decrypt(sig, password, n);
	if (p8 == NULL && ossl_legacy_load(NULL) == 0)
		old = ossl_legacy();
	if (old != NULL)
		p8 = PKCS8_decrypt_ex(sig, password, n, old, NULL);
	if (p8 != NULL)
		key = EVP_PKCS82PKEY(p8);
	PKCS8_PRIV_KEY_INFO_free(p8);
	ossl_clear();
	return key;
}

static int read_locked(struct batch *b, const X509_SIG *sig, struct err *e)
{
	const X509_ALGOR *alg = NULL;
	struct err why = { 0 };
	char name[128];
	EVP_PKEY *key;

	X509_SIG_get0(sig, &alg, NULL);
	if (import_cost_pbe(b, alg, &why) != 0)
		return batch_skip(b, "private key", &why, e);
	key = open_key(sig, b->o->password);
	if (key != NULL)
		return batch_key(b, key, e);
	(void)err_set(&why, FAIL_INPUT, "does not open with this password "
	    "(encrypted with %s)", import_pbe_name(alg, name, sizeof(name)));
	return batch_skip(b, "private key", &why, e);
}

int import_encrypted_key(struct batch *b, struct view der, struct err *e)
{
	const unsigned char *p = der.p;
	X509_SIG *sig;
	int n, rc;

	if (b->o->password == NULL)
		return batch_skip_as(b, "private key", IMPORT_LOCKED, e);
	if (ossl_len(der.n, &n, e) != 0)
		return -1;
	sig = d2i_X509_SIG(NULL, &p, n);
	ossl_clear();
	if (sig == NULL)
		return batch_skip_as(b, "private key",
		    "malformed (RFC 5208 6)", e);
	rc = read_locked(b, sig, e);
	X509_SIG_free(sig);
	return rc;
}

/* ---- which is it ---- */

enum look {
	LOOK_OTHER,
	LOOK_CERT,
	LOOK_REQUEST,
	LOOK_CRL,
	LOOK_CONTENT_INFO,
	LOOK_P12,
	LOOK_KEY,
	LOOK_ENCRYPTED_KEY,
	LOOK_PAIR
};

/* SEQUENCE { SEQUENCE tbs, AlgorithmIdentifier, BIT STRING }: certificate,
 * request or CRL, told by what the first one begins with. */
static enum look look_signed(struct view tbs)
{
	struct der d;

	if (der_next(&tbs, &d) != 0)
		return LOOK_OTHER;
	if (d.tag == DER_CTX0)
		return LOOK_CERT;
	if (d.tag == DER_SEQUENCE)
		return LOOK_CRL; /* version 1 */
	if (d.tag != DER_INTEGER || der_next(&tbs, &d) != 0 ||
	    d.tag != DER_SEQUENCE || der_next(&tbs, &d) != 0)
		return LOOK_OTHER;
	/* All begin INTEGER, SEQUENCE, SEQUENCE; what comes then differs. */
	if (der_next(&tbs, &d) != 0 || d.tag == DER_CTX0)
		return LOOK_REQUEST;
	return d.tag == DER_UTCTIME || d.tag == DER_GENTIME ? LOOK_CRL :
	    LOOK_CERT;
}

static enum look look_at(struct view in)
{
	struct der first, second;

	if (der_next(&in, &first) != 0)
		return LOOK_OTHER;
	if (first.tag == DER_OID)
		return LOOK_CONTENT_INFO;
	if (first.tag == DER_CTX0 || first.tag == DER_CTX0 + 1)
		return LOOK_PAIR;
	if (der_next(&in, &second) != 0)
		return LOOK_OTHER;
	if (first.tag == DER_INTEGER) {
		/* PFX has version 3 (RFC 7292 4), keys have 0 or 1. */
		if (second.tag == DER_SEQUENCE && first.val.n == 1 &&
		    first.val.p[0] == 3)
			return LOOK_P12;
		return LOOK_KEY;
	}
	if (first.tag != DER_SEQUENCE)
		return LOOK_OTHER;
	if (second.tag == DER_OCTET_STRING && in.n == 0)
		return LOOK_ENCRYPTED_KEY;
	return second.tag == DER_SEQUENCE ? look_signed(first.val) :
	    LOOK_OTHER;
}

/* CertificatePair of two CAs (RFC 4523 2.3). */
static int read_pair(struct batch *b, struct view pair, struct err *e)
{
	struct der side, c;

	while (pair.n > 0) {
		if (der_next(&pair, &side) != 0 ||
		    der_get(&side.val, DER_SEQUENCE, &c) != 0)
			return batch_skip_as(b, "pair of certificates",
			    "malformed (RFC 4523 2.3)", e);
		if (batch_cert(b, c.whole, e) != 0)
			return -1;
	}
	return 0;
}

static int read_object(struct batch *b, const struct der *d, struct err *e)
{
	switch (look_at(d->val)) {
	case LOOK_CERT:
		return batch_cert(b, d->whole, e);
	case LOOK_CONTENT_INFO:
		return read_content_info(b, d->val, e);
	case LOOK_P12:
		return import_p12(b, d->whole, e);
	case LOOK_KEY:
		return read_key(b, d->whole, e);
	case LOOK_ENCRYPTED_KEY:
		return import_encrypted_key(b, d->whole, e);
	case LOOK_PAIR:
		return read_pair(b, d->val, e);
	case LOOK_CRL:
		return batch_skip_as(b, "CRL", "\"postseal crl import\" takes "
		    "revocation lists", e);
	case LOOK_REQUEST:
		return batch_skip_as(b, "certificate request",
		    "a request, not yet a certificate", e);
	case LOOK_OTHER:
		break;
	}
	return batch_skip_as(b, "ASN.1 object", "not one of certificate, "
	    "private key, PKCS#7, PKCS#12", e);
}

int import_der(struct batch *b, struct view der, struct err *e)
{
	struct der d;

	while (der.n > 0) {
		if (der_get(&der, DER_SEQUENCE, &d) != 0) {
			/* Nothing at all: let libmagic say what it is. */
			if (b->total == 0 || view_trim(der).n == 0)
				return 0;
			return batch_skip_as(b, "octets",
			    "after the last object", e);
		}
		if (read_object(b, &d, e) != 0)
			return -1;
	}
	return 0;
}

int import_der_named(struct batch *b, const char *what, struct view der,
    struct err *e)
{
	size_t before = b->total;

	if (import_der(b, der, e) != 0)
		return -1;
	return b->total > before ? 0 : batch_skip_as(b, what,
	    "holds nothing that we know", e);
}
