/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Object identifiers that smime/ knows, as content octets with a name for
 * logs. What an identifier is allowed to do is decided by its users.
 */
#ifndef SMIME_OID_H
#define SMIME_OID_H

#include "util/buf.h"

enum oid {
	OID_UNKNOWN,
	/* content types (RFC 5652, 5083, 3274) */
	OID_DATA,
	OID_SIGNED_DATA,
	OID_ENVELOPED_DATA,
	OID_AUTH_ENVELOPED_DATA,
	OID_COMPRESSED_DATA,
	/* attributes (RFC 5652 11, 8551 2.5, 5035, 6211) */
	OID_A_CONTENT_TYPE,
	OID_A_MESSAGE_DIGEST,
	OID_A_SIGNING_TIME,
	OID_A_SMIME_CAPS,
	OID_A_ENC_KEY_PREF,
	OID_A_SIGNING_CERT,
	OID_A_SIGNING_CERT_V2,
	OID_A_ALG_PROTECT,
	OID_A_RECEIPT_REQUEST,
	OID_A_SECURITY_LABEL,
	OID_A_CONTENT_HINTS,
	OID_A_ML_HISTORY,     /* RFC 2634 4.2 */
	OID_A_SIGNATURE_TYPE, /* RFC 3183 3.1.2 */
	/* digests */
	OID_MD5,
	OID_SHA1,
	OID_SHA256,
	OID_SHA384,
	OID_SHA512,
	/* signatures */
	OID_RSA,
	OID_RSA_MD5,
	OID_RSA_SHA1,
	OID_RSA_SHA256,
	OID_RSA_SHA384,
	OID_RSA_SHA512,
	OID_RSA_PSS,
	OID_MGF1,
	OID_RSA_OAEP, /* key transport (RFC 4055 4.1) */
	OID_P_SPECIFIED,
	OID_CEK_HKDF, /* RFC 9709 3 */
	OID_ECDSA_SHA1,
	OID_ECDSA_SHA256,
	OID_ECDSA_SHA384,
	OID_ECDSA_SHA512,
	OID_ED25519,
	OID_ED448,
	/* ciphers */
	OID_AES128_CBC,
	OID_AES192_CBC,
	OID_AES256_CBC,
	OID_AES128_GCM,
	OID_AES192_GCM,
	OID_AES256_GCM,
	OID_DES3_CBC,
	OID_DES_CBC,
	OID_RC2_CBC,
	OID_ZLIB, /* RFC 3274 2 */
	OID_N
};

/* content octets to identifier; OID_UNKNOWN when we do not know it. */
enum oid oid_find(struct view content);
/* Content octets; empty for OID_UNKNOWN. */
struct view oid_view(enum oid o);
/* Name for logs ("sha-256", "AES-256-GCM"). */
const char *oid_name(enum oid o);
/* Are these content octets an OBJECT IDENTIFIER at all (X.690 8.19)? */
bool oid_is_valid(struct view content);

#endif
