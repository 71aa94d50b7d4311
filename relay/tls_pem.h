/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * PEM files of a pki { } block. Nothing is ever asked on a terminal.
 */
#ifndef RELAY_TLS_PEM_H
#define RELAY_TLS_PEM_H

#include <openssl/x509.h>

#include "util/buf.h"

/* Certificates in their order, at least one, at most TLS_PEM_CHAIN; other
 * kinds of blocks are not wanted. FAIL_CONFIG names the file. */
#define TLS_PEM_CHAIN 20
int tls_pem_chain(STACK_OF(X509) **out, const char *path, struct err *e)
    MUST_CHECK;
/* The one private key of a file that is a secret. FAIL_CONFIG names it. */
int tls_pem_key(EVP_PKEY **out, const char *path, struct err *e) MUST_CHECK;
/* SHA-256 of the SubjectPublicKeyInfo. FAIL_TEMP. */
int tls_pem_spki(const EVP_PKEY *k, unsigned char out[32], struct err *e)
    MUST_CHECK;

#endif
