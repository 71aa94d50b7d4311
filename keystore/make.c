/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * New keys, and the parts of a certificate or request that say whose they
 * are and what for.
 */
#include "keystore/make_int.h"

#include <string.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "util/ossl.h"

/* ---- keys ---- */

struct algorithm {
	const char *name;
	const char *curve; /* or RSA bits */
	unsigned bits;
};

static const struct algorithm algorithms[] = {
	{ "rsa:2048", NULL, 2048 },
	{ "rsa:3072", NULL, 3072 },
	{ "rsa:4096", NULL, 4096 },
	{ "ec:p256", "P-256", 0 },
	{ "ec:p384", "P-384", 0 },
};

static const struct algorithm *find_algorithm(const char *name, struct err *e)
{
	char quoted[ERR_QUOTED];
	size_t i;

	for (i = 0; i < ARRAY_LEN(algorithms); i++)
		if (strcmp(algorithms[i].name, name) == 0)
			return &algorithms[i];
	(void)err_set(e, FAIL_INPUT, "algorithm %s: want rsa:2048, rsa:3072, "
	    "rsa:4096, ec:p256 or ec:p384", err_quote(quoted, sizeof(quoted),
	    name, strlen(name)));
	return NULL;
}

int make_check_algorithm(const char *algorithm, struct err *e)
{
	return find_algorithm(algorithm, e) != NULL ? 0 : -1;
}

int make_key(EVP_PKEY **out, const char *algorithm, struct err *e)
{
	const struct algorithm *a = find_algorithm(algorithm, e);

	*out = NULL;
	if (a == NULL)
		return -1;
	ossl_clear();
	*out = a->curve != NULL ? EVP_EC_gen(a->curve) :
	    EVP_RSA_gen((size_t)a->bits);
	if (*out == NULL)
		return err_ossl(e, FAIL_TEMP, "key generation");
	return 0;
}

const EVP_MD *make_digest(EVP_PKEY *signer)
{
	return EVP_PKEY_get_bits(signer) == 384 ? EVP_sha384() :
	    EVP_sha256();
}

/* ---- names ---- */

int make_common_name(X509_NAME *name, const char *cn)
{
	return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
	    (const unsigned char *)cn, -1, -1, 0);
}

static int set_smtp_utf8(GENERAL_NAME *gn, const char *address)
{
	ASN1_OBJECT *oid = OBJ_nid2obj(NID_id_on_SmtpUTF8Mailbox);
	ASN1_UTF8STRING *s = ASN1_UTF8STRING_new();
	ASN1_TYPE *t = ASN1_TYPE_new();

	if (oid == NULL || s == NULL || t == NULL ||
	    ASN1_STRING_set(s, address, -1) != 1) {
		ASN1_UTF8STRING_free(s);
		ASN1_TYPE_free(t);
		return 0;
	}
	ASN1_TYPE_set(t, V_ASN1_UTF8STRING, s);
	if (GENERAL_NAME_set0_othername(gn, oid, t) == 1)
		return 1;
	ASN1_TYPE_free(t);
	return 0;
}

static int set_rfc822(GENERAL_NAME *gn, const char *address)
{
	ASN1_IA5STRING *s = ASN1_IA5STRING_new();

	if (s == NULL || ASN1_STRING_set(s, address, -1) != 1) {
		ASN1_IA5STRING_free(s);
		return 0;
	}
	GENERAL_NAME_set0_value(gn, GEN_EMAIL, s);
	return 1;
}

GENERAL_NAMES *make_san(const struct addr *a)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *gn = GENERAL_NAME_new();

	if (names != NULL && gn != NULL &&
	    (a->utf8 ? set_smtp_utf8(gn, a->text) :
	    set_rfc822(gn, a->text)) == 1 &&
	    sk_GENERAL_NAME_push(names, gn) > 0)
		return names;
	GENERAL_NAME_free(gn);
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	return NULL;
}

/* ---- key usage ---- */

const char *make_key_usage(unsigned use, bool is_ec)
{
	switch (use & (KS_SIGN | KS_ENCRYPT)) {
	case KS_SIGN:
		return "critical,digitalSignature";
	case KS_ENCRYPT:
		return is_ec ? "critical,keyAgreement" :
		    "critical,keyEncipherment";
	default:
		return is_ec ? "critical,digitalSignature,keyAgreement" :
		    "critical,digitalSignature,keyEncipherment";
	}
}
