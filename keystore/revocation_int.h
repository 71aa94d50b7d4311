/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the readers of CRLs and of OCSP responses share.
 */
#ifndef KEYSTORE_REVOCATION_INT_H
#define KEYSTORE_REVOCATION_INT_H

#include <openssl/x509v3.h>

#include "keystore/keystore_int.h"
#include "keystore/revocation.h"
#include "util/der.h"

#define REV_SKEW_S 300		  /* clocks differ by this much */
#define REV_OCSP_AGE_S (7 * 86400) /* A59: older ones say nothing */
#define REV_SERIAL_MAX 64	  /* octets; RFC 5280 4.1.2.2 has 20 */

#define DER_ENUMERATED 0x0a

enum { REASON_HOLD = 6, REASON_REMOVE = 8 };

/* ---- revocation_import.c ---- */

/* One object on its way in. */
struct rev_import {
	struct keystore *ks;
	int64_t now;
	struct view der; /* the object, exactly */
	unsigned char sha256[32];
	struct revocation_item *item; /* what, text and added to be filled */
};

/* SIGNED{} of X.509 (RFC 5280 4.1.1): octets, algorithm, signature, each
 * whole; and what follows (empty in certificates and CRLs). */
struct rev_signed {
	struct view tbs, alg, signature, rest;
};
int rev_split(struct rev_signed *s, struct view content) MUST_CHECK;
/* By this certificate's key, with a digest of today? FAIL_POLICY, FAIL_TEMP;
 * what, unless NULL, names a part. */
int rev_verify(const struct rev_signed *s, const struct cert *signer,
    const char *what, struct err *e) MUST_CHECK;

struct rev_ext {
	struct view oid;
	bool critical;
	struct view value;
};
/* Take the next Extension off a list; -1 malformed. */
int rev_next_ext(struct view *list, struct rev_ext *x) MUST_CHECK;
/* n of the OID { id-ce n }, or -1. */
int rev_id_ce(struct view oid);
/* Refuse a critical extension that is not known (RFC 5280 5.2); what as
 * above. */
int rev_refuse_ext(const struct rev_ext *x, const char *what, struct err *e)
    MUST_CHECK;

/* Content octets of an INTEGER without idle zeros in front. */
struct view rev_integer(struct view content);
/* Not from the future? FAIL_INPUT. */
int rev_check_time(const struct rev_import *im, int64_t this_update,
    struct err *e) MUST_CHECK;
/* A name for people, ASCII. */
void rev_name_text(const X509_NAME *name, char *dst, size_t size);
const char *rev_reason_str(int reason);

/* ---- crl_scope.c ---- */

enum { COVERS_ALL, COVERS_USERS, COVERS_CAS }; /* numbers of the table */
#define SCOPE_POINTS 4096 /* octets of all URLs of one list */

struct crl_scope {
	int covers;
	struct buf points; /* URLs, one a line; empty: wherever it lies */
};
void crl_scope_init(struct crl_scope *s);
void crl_scope_free(struct crl_scope *s);
/* issuingDistributionPoint. FAIL_INPUT: not of whole certificates' whole
 * status by their own issuer. */
int crl_scope_read(struct crl_scope *s, struct view value, struct err *e)
    MUST_CHECK;
bool crl_scope_is_all(const struct crl_scope *s);
/* What the list is kept under: the issuer's key, with the scope if it has
 * one. */
void crl_scope_key(const struct crl_scope *s, const unsigned char spki[32],
    unsigned char key[32]);
/* Does not to be on it say that c is good? */
bool crl_scope_has(int covers, struct view points, const struct cert *c);

/* ---- crl.c, ocsp.c ---- */

/* Check and store. FAIL_INPUT and FAIL_POLICY: refused, by name. */
int crl_import(struct rev_import *im, struct err *e) MUST_CHECK;
int ocsp_import(struct rev_import *im, struct err *e) MUST_CHECK;

#endif
