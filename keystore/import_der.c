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

static int skip_as(struct batch *b, const char *kind, const char *why, struct
    err *e)
{
	struct err text = { 0 };

	(void)err_set(&text, FAIL_INPUT, "%s", why);
	return batch_skip(b, kind, &text, e);
}

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
		return skip_as(b, "PKCS#7", "malformed SignedData", e);
	rc = der_opt(&seq.val, DER_CTX0, &certs);
	if (rc < 0)
		return skip_as(b, "PKCS#7", "malformed SignedData", e);
	while (rc == 1 && certs.val.n > 0) {
		if (der_next(&certs.val, &one) != 0)
			return skip_as(b, "PKCS#7", "malformed SignedData", e);
		if (one.tag != DER_SEQUENCE)
			continue;
		if (batch_cert(b, one.whole, e) != 0)
			return -1;
		n++;
	}
	return n > 0 ? 0 : skip_as(b, "PKCS#7", "no certificate in it", e);
}

static int read_content_info(struct batch *b, struct view ci, struct err *e)
{
	static const unsigned char signed_data[] = {
		0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2
	};
	struct der oid, content;

	if (der_get(&ci, DER_OID, &oid) != 0)
		return skip_as(b, "PKCS#7", "malformed", e);
	if (!view_eq(oid.val, view_make(signed_data, sizeof(signed_data))))
		return skip_as(b, "PKCS#7", "not SignedData, so there is no "
		    "certificate in it", e);
	if (der_get(&ci, DER_CTX0, &content) != 0)
		return skip_as(b, "PKCS#7", "malformed", e);
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

static int read_encrypted_key(struct batch *b, struct view der, struct err *e)
{
	const unsigned char *p = der.p;
	PKCS8_PRIV_KEY_INFO *p8 = NULL;
	EVP_PKEY *key = NULL;
	X509_SIG *sig;
	int n;

	if (b->password == NULL)
		return skip_as(b, "private key", "encrypted; give its "
		    "password", e);
	if (ossl_len(der.n, &n, e) != 0)
		return -1;
	sig = d2i_X509_SIG(NULL, &p, n);
	if (sig != NULL)
		p8 = PKCS8_decrypt(sig, b->password,
		    (int)strlen(b->password));
	if (p8 != NULL)
		key = EVP_PKCS82PKEY(p8);
	X509_SIG_free(sig);
	PKCS8_PRIV_KEY_INFO_free(p8);
	ossl_clear();
	if (key == NULL)
		return skip_as(b, "private key", "does not open with this "
		    "password", e);
	return batch_key(b, key, e);
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
	LOOK_ENCRYPTED_KEY
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
		return read_encrypted_key(b, d->whole, e);
	case LOOK_CRL:
		return skip_as(b, "CRL", "\"postseal crl import\" takes "
		    "revocation lists", e);
	case LOOK_REQUEST:
		return skip_as(b, "certificate request",
		    "a request, not yet a certificate", e);
	case LOOK_OTHER:
		break;
	}
	return skip_as(b, "ASN.1 object", "not one of certificate, private "
	    "key, PKCS#7, PKCS#12", e);
}

int import_der(struct batch *b, struct view der, struct err *e)
{
	struct der d;

	while (der.n > 0) {
		if (der_get(&der, DER_SEQUENCE, &d) != 0) {
			/* Nothing at all: let libmagic say what it is. */
			if (b->n == 0 || view_trim(der).n == 0)
				return 0;
			return skip_as(b, "octets", "after the last object",
			    e);
		}
		if (read_object(b, &d, e) != 0)
			return -1;
	}
	return 0;
}
