/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The table of object identifiers.
 */
#include "smime/oid.h"

#include <string.h>

struct entry {
	const char *name;
	unsigned char n;
	unsigned char b[11];
};

#define PKCS 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1
#define NIST 0x60, 0x86, 0x48, 1, 0x65, 3, 4

static const struct entry table[OID_N] = {
	[OID_DATA] = { "data", 9, { PKCS, 7, 1 } },
	[OID_SIGNED_DATA] = { "signed-data", 9, { PKCS, 7, 2 } },
	[OID_ENVELOPED_DATA] = { "enveloped-data", 9, { PKCS, 7, 3 } },
	[OID_AUTH_ENVELOPED_DATA] = { "authEnveloped-data", 11,
		{ PKCS, 9, 16, 1, 23 } },
	[OID_COMPRESSED_DATA] = { "compressed-data", 11,
		{ PKCS, 9, 16, 1, 9 } },
	[OID_A_CONTENT_TYPE] = { "contentType", 9, { PKCS, 9, 3 } },
	[OID_A_MESSAGE_DIGEST] = { "messageDigest", 9, { PKCS, 9, 4 } },
	[OID_A_SIGNING_TIME] = { "signingTime", 9, { PKCS, 9, 5 } },
	[OID_A_SMIME_CAPS] = { "SMIMECapabilities", 9, { PKCS, 9, 15 } },
	[OID_A_ENC_KEY_PREF] = { "SMIMEEncryptionKeyPreference", 11,
		{ PKCS, 9, 16, 2, 11 } },
	[OID_A_SIGNING_CERT] = { "signingCertificate", 11,
		{ PKCS, 9, 16, 2, 12 } },
	[OID_A_SIGNING_CERT_V2] = { "signingCertificateV2", 11,
		{ PKCS, 9, 16, 2, 47 } },
	[OID_A_ALG_PROTECT] = { "CMSAlgorithmProtection", 9,
		{ PKCS, 9, 52 } },
	[OID_A_RECEIPT_REQUEST] = { "receiptRequest", 11,
		{ PKCS, 9, 16, 2, 1 } },
	[OID_A_SECURITY_LABEL] = { "eSSSecurityLabel", 11,
		{ PKCS, 9, 16, 2, 2 } },
	[OID_A_CONTENT_HINTS] = { "contentHints", 11,
		{ PKCS, 9, 16, 2, 4 } },
	[OID_A_ML_HISTORY] = { "mlExpansionHistory", 11,
		{ PKCS, 9, 16, 2, 3 } },
	[OID_A_SIGNATURE_TYPE] = { "signatureType", 11,
		{ PKCS, 9, 16, 2, 28 } },
	[OID_MD5] = { "md5", 8, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5 } },
	[OID_SHA1] = { "sha-1", 5, { 0x2b, 0x0e, 3, 2, 0x1a } },
	[OID_SHA256] = { "sha-256", 9, { NIST, 2, 1 } },
	[OID_SHA384] = { "sha-384", 9, { NIST, 2, 2 } },
	[OID_SHA512] = { "sha-512", 9, { NIST, 2, 3 } },
	[OID_RSA] = { "rsaEncryption", 9, { PKCS, 1, 1 } },
	[OID_RSA_MD5] = { "md5WithRSAEncryption", 9, { PKCS, 1, 4 } },
	[OID_RSA_SHA1] = { "sha1WithRSAEncryption", 9, { PKCS, 1, 5 } },
	[OID_RSA_SHA256] = { "sha256WithRSAEncryption", 9, { PKCS, 1, 11 } },
	[OID_RSA_SHA384] = { "sha384WithRSAEncryption", 9, { PKCS, 1, 12 } },
	[OID_RSA_SHA512] = { "sha512WithRSAEncryption", 9, { PKCS, 1, 13 } },
	[OID_RSA_PSS] = { "rsassa-pss", 9, { PKCS, 1, 10 } },
	[OID_MGF1] = { "mgf1", 9, { PKCS, 1, 8 } },
	[OID_RSA_OAEP] = { "rsaes-oaep", 9, { PKCS, 1, 7 } },
	[OID_P_SPECIFIED] = { "pSpecified", 9, { PKCS, 1, 9 } },
	[OID_CEK_HKDF] = { "cek-hkdf-sha256", 11, { PKCS, 9, 16, 3, 31 } },
	[OID_ECDSA_SHA1] = { "ecdsa-with-SHA1", 7,
		{ 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1 } },
	[OID_ECDSA_SHA256] = { "ecdsa-with-SHA256", 8,
		{ 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2 } },
	[OID_ECDSA_SHA384] = { "ecdsa-with-SHA384", 8,
		{ 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3 } },
	[OID_ECDSA_SHA512] = { "ecdsa-with-SHA512", 8,
		{ 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4 } },
	[OID_ED25519] = { "ed25519", 3, { 0x2b, 0x65, 0x70 } },
	[OID_ED448] = { "ed448", 3, { 0x2b, 0x65, 0x71 } },
	[OID_AES128_CBC] = { "AES-128-CBC", 9, { NIST, 1, 2 } },
	[OID_AES192_CBC] = { "AES-192-CBC", 9, { NIST, 1, 22 } },
	[OID_AES256_CBC] = { "AES-256-CBC", 9, { NIST, 1, 42 } },
	[OID_AES128_GCM] = { "AES-128-GCM", 9, { NIST, 1, 6 } },
	[OID_AES192_GCM] = { "AES-192-GCM", 9, { NIST, 1, 26 } },
	[OID_AES256_GCM] = { "AES-256-GCM", 9, { NIST, 1, 46 } },
	[OID_DES3_CBC] = { "3DES-CBC", 8,
		{ 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7 } },
	[OID_DES_CBC] = { "DES-CBC", 5, { 0x2b, 0x0e, 3, 2, 7 } },
	[OID_RC2_CBC] = { "RC2-CBC", 8,
		{ 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 2 } },
	[OID_ZLIB] = { "zlib", 11, { PKCS, 9, 16, 3, 8 } },
};

enum oid oid_find(struct view content)
{
	for (int i = 1; i < OID_N; i++)
		if (content.n == table[i].n &&
		    memcmp(content.p, table[i].b, content.n) == 0)
			return (enum oid)i;
	return OID_UNKNOWN;
}

struct view oid_view(enum oid o)
{
	return view_make(table[o].b, table[o].n);
}

const char *oid_name(enum oid o)
{
	return table[o].name == NULL ? "unknown" : table[o].name;
}

bool oid_is_valid(struct view content)
{
	bool at_start = true;

	if (content.n == 0 || (content.p[content.n - 1] & 0x80) != 0)
		return false;
	for (size_t i = 0; i < content.n; i++) {
		if (at_start && content.p[i] == 0x80)
			return false; /* padded subidentifier */
		at_start = (content.p[i] & 0x80) == 0;
	}
	return true;
}
