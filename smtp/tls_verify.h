/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Whether a TLS peer is whom a policy asks for: set up before the handshake,
 * looked at after it. The one place where peers of outgoing connections are
 * judged; no I/O.
 */
#ifndef SMTP_TLS_VERIFY_H
#define SMTP_TLS_VERIFY_H

#include <openssl/ssl.h>

#include "smtp/tls_policy.h"

/*
 * A context for connections that want the same versions, ciphers and CAs
 * (want's sni, names, tlsa and pins are of the connection). store: the CAs;
 * its own reference is taken. No compression, no renegotiation, no tickets
 * shared with another want. FAIL_CONFIG: ciphers.
 */
int tls_want_context(SSL_CTX **out, const struct tls_want *w,
    X509_STORE *store, struct err *e) MUST_CHECK;
/* CAs: file and dir may be NULL, both: the system's. crl: file of CRLs of
 * leaf issuers, or NULL. FAIL_CONFIG names the file. Before the sandbox. */
int tls_store_load(X509_STORE **out, const char *file, const char *dir,
    const char *crl, struct err *e) MUST_CHECK;

/* Before the handshake; w must outlive it. FAIL_TEMP. */
int tls_want_begin(SSL *ssl, const struct tls_want *w, struct err *e)
    MUST_CHECK;
/*
 * After the handshake; never sends anything. 0: what w asks is there. -1
 * FAIL_POLICY: it is not; got->result and got->reason say why. got is filled
 * in both cases.
 */
int tls_want_check(SSL *ssl, const struct tls_want *w, struct tls_got *got,
    struct err *e) MUST_CHECK;

/* Do a DNS-ID and a name of the policy agree (RFC 9525 6.3, T40)? Names are
 * lower-case A-labels; pattern ".a.example" is what lies below. */
bool tls_name_matches(struct view dns_id, const char *pattern);

#endif
