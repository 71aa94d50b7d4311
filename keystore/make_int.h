/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Parts that certificates of our own CA and requests to another have in
 * common: new keys, names, key usage. Nothing is stored here.
 */
#ifndef KEYSTORE_MAKE_INT_H
#define KEYSTORE_MAKE_INT_H

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "keystore/keystore_int.h"

/* rsa:2048 rsa:3072 rsa:4096 ec:p256 ec:p384. FAIL_INPUT, FAIL_TEMP. */
int make_key(EVP_PKEY **out, const char *algorithm, struct err *e)
    MUST_CHECK;
/* Is it one of them? */
int make_check_algorithm(const char *algorithm, struct err *e) MUST_CHECK;
/* The digest that goes with a key that signs. */
const EVP_MD *make_digest(EVP_PKEY *signer);
/* A subject of one common name, UTF-8; 1 or 0. */
int make_common_name(X509_NAME *name, const char *cn);
/* subjectAltName of one address: rfc822Name, or SmtpUTF8Mailbox when the
 * local part needs it (RFC 9598 3). Owned; NULL on failure. */
GENERAL_NAMES *make_san(const struct addr *a);
/* The text of KU for X509V3_EXT_conf_nid, by use and kind of key (RFC 8550
 * 4.4.2). */
const char *make_key_usage(unsigned use, bool is_ec);

#endif
