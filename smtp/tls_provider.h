/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Keys for libssl whose private half is somewhere else: a provider, built in,
 * that makes an EVP_PKEY of a public key and a number, and asks a function
 * for each signature. Nothing private is here, so nothing can be exported.
 */
#ifndef SMTP_TLS_PROVIDER_H
#define SMTP_TLS_PROVIDER_H

#include <openssl/evp.h>

#include "util/buf.h"

/* What TLS 1.2 and 1.3 sign with. PSS: salt as long as the digest, which is
 * MGF1's as well (RFC 8446 4.2.3). */
enum tls_sig {
	TLS_SIG_RSA_SHA256 = 1,
	TLS_SIG_RSA_SHA384,
	TLS_SIG_RSA_SHA512,
	TLS_SIG_PSS_SHA256,
	TLS_SIG_PSS_SHA384,
	TLS_SIG_PSS_SHA512,
	TLS_SIG_ECDSA_SHA256,
	TLS_SIG_ECDSA_SHA384,
	TLS_SIG_ECDSA_SHA512,
	TLS_SIG_ED25519
};

enum tls_key_kind { TLS_KEY_RSA, TLS_KEY_EC, TLS_KEY_ED25519 };
/* RSA of a size that we take, EC on P-256 or P-384, Ed25519; whether k has a
 * private half or not. FAIL_POLICY says which they are. */
int tls_key_kind(const EVP_PKEY *k, enum tls_key_kind *out, struct err *e)
    MUST_CHECK;
bool tls_sig_fits(enum tls_sig s, enum tls_key_kind k);
/* "SHA256"; NULL: Ed25519 has its own. */
const char *tls_sig_digest(enum tls_sig s);
bool tls_sig_is_pss(enum tls_sig s);

/* Sign tbs (not its digest) with key number; sig is appended to. */
typedef int tls_sign_there(void *arg, uint32_t number, enum tls_sig s,
    struct view tbs, struct buf *sig, struct err *e);

/*
 * Once in a process, before its sandbox; sign is called from within
 * handshakes, in their thread. FAIL_TEMP. Afterwards keys are made of the
 * public ones; pub gets one more reference.
 */
int tls_provider_load(tls_sign_there *sign, void *arg, struct err *e)
    MUST_CHECK;
/* When no key of it is in use any more. */
void tls_provider_unload(void);
int tls_provider_key(EVP_PKEY **out, EVP_PKEY *pub, uint32_t number,
    struct err *e) MUST_CHECK;

#endif
