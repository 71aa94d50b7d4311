/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Shared by cert.c (libcrypto's view) and cert_der.c (our own reading of the
 * octets); nobody else's.
 */
#ifndef UTIL_CERT_INT_H
#define UTIL_CERT_INT_H

#include "util/cert.h"
#include "util/der.h"

/* Parts of a certificate, views into its DER (RFC 5280 4.1). */
struct cert_parts {
	struct view serial;  /* content octets */
	struct view serial_whole;
	struct view issuer;  /* whole elements */
	struct view subject;
	struct view spki;
	struct view san;     /* GeneralNames, content; empty when absent */
	bool has_san;
	bool san_twice;	     /* RFC 5280 4.2: at most one */
	struct view caps;    /* SMIMECapabilities, whole; empty when absent */
	bool has_caps;
	bool caps_ignored;   /* critical, or twice */
	int64_t not_before;
	int64_t not_after;
};

/* The public key (RFC 3279 2.3, RFC 5480 2). */
struct cert_spki {
	enum cert_key type;
	int bits;	  /* 0 when type is CERT_KEY_OTHER */
	int exponent_bits; /* RSA */
	const char *name; /* without the bits: "rsa", "ec:p256" ... */
};

int cert_der_parts(struct cert_parts *p, struct view der, struct err *e)
    MUST_CHECK;
/* An elliptic curve written out as numbers instead of named? */
bool cert_der_has_own_curve(struct view spki);
/* Unknown and malformed keys give CERT_KEY_OTHER. */
void cert_der_spki(struct cert_spki *k, struct view spki);
/*
 * Addresses of RFC 8550 3 into a (owned by the caller, *n of them); *bad
 * counts those that are no strict addresses. FAIL_TEMP.
 */
int cert_der_addresses(const struct cert_parts *p, struct addr **a, size_t *n,
    size_t *bad, struct err *e) MUST_CHECK;

#endif
