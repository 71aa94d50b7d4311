/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the files of smtp/tls_verify.h share.
 */
#ifndef SMTP_TLS_VERIFY_INT_H
#define SMTP_TLS_VERIFY_INT_H

#include "smtp/tls_verify.h"

struct tls_names {
	const char *name[TLS_NAMES + 1];
	size_t n;
};

/* Is the certificate in one of the names? matched: which of its own. */
bool tls_cert_has_name(X509 *x, const struct tls_names *n, bool allow_cn,
    char matched[TLS_NAME_MAX]) MUST_CHECK;

/* What a peer showed in its handshake, or a test says that it did. */
struct tls_shown {
	X509 *cert; /* NULL: none */
	STACK_OF(X509) *chain;
};
/* The part of tls_want_check() that is about certificates. */
int tls_judge_chain(SSL *ssl, const struct tls_want *w,
    const struct tls_shown *shown, struct tls_got *got, struct err *e)
    MUST_CHECK;

#endif
