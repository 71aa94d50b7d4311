/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the files of the small CA share.
 */
#ifndef KEYSTORE_CA_INT_H
#define KEYSTORE_CA_INT_H

#include "keystore/ca.h"
#include "keystore/make_int.h"

#define CA_DAYS 3652
#define CA_DAY_S 86400

/* Rows of the meta table: SHA-256 of the CA that issues, of the root above
 * it (no row: itself), number of the last CRL of each, URL of the list. */
#define CA_META "ca"
#define CA_META_ROOT "ca-root"
#define CA_META_CRL "ca-crl"
#define CA_META_ROOT_CRL "ca-root-crl"
#define CA_META_URL "ca-crl-url"

struct ca {
	struct keystore *ks; /* borrowed */
	struct view secret;  /* borrowed */
	struct cert *cert;
	struct cert *root; /* the same when the root issues */
	EVP_PKEY *key;
	struct buf passphrase; /* empty: the keys are under the secret */
	struct buf crl_url;
};

/* ---- ca_seal.c ---- */

/* The key of a CA into the store, under the passphrase or, when it is NULL,
 * under the secret. */
int ca_key_store(struct keystore *ks, struct view secret,
    const char *passphrase, EVP_PKEY *key, const struct cert *c,
    struct err *e) MUST_CHECK;
int ca_key_load(struct keystore *ks, struct view secret,
    const char *passphrase, const struct cert *c, EVP_PKEY **key,
    struct err *e) MUST_CHECK;
/* FAIL_INPUT: too short to protect anything, or too long. */
int ca_check_passphrase(const char *passphrase, struct err *e) MUST_CHECK;

/* ---- ca_build.c ---- */

/* A certificate with version, serial, validity and key, to be freed. */
int ca_begin(X509 **out, EVP_PKEY *key, int64_t from, int64_t until,
    struct err *e) MUST_CHECK;
/* 1 done, 0 not, as OpenSSL has it. */
int ca_add_ext(X509 *x, X509 *issuer, int nid, const char *constant);
int ca_add_crl_url(X509 *x, const char *url);
/* Sign, and read back what was made. */
int ca_finish(X509 *x, EVP_PKEY *signer, struct cert **out, struct err *e)
    MUST_CHECK;

/* ---- ca_names.c ---- */

/* Permitted names as of --permit; *out owned, NULL when there are none. */
int ca_constraints(NAME_CONSTRAINTS **out, const char *const *permit,
    size_t n, struct err *e) MUST_CHECK;
bool ca_is_ip(const char *text);
/* The domains that a CA's constraints permit, for people. */
void ca_permitted(const struct cert *ca, char *dst, size_t size);
/* A host, "*.domain" or IP address, appended. FAIL_INPUT. */
int ca_name_tls(GENERAL_NAMES *names, const char *text, struct err *e)
    MUST_CHECK;

/* ---- ca_csr.c ---- */

/* The key of a request whose signature is good. FAIL_INPUT: it is none, or
 * names another address than want. */
int ca_csr_key(struct view csr, const struct addr *want, EVP_PKEY **key,
    struct err *e) MUST_CHECK;

/* ---- ca_issue.c ---- */

/* What a certificate shall be, from a request or from an older one. */
struct ca_leaf {
	enum ca_kind kind;
	unsigned use; /* KS_*, 0 for TLS */
	EVP_PKEY *key; /* owned */
	bool own_key; /* made here, so it is kept or handed out */
	const char *cn; /* borrowed, or the next */
	char host[64];
	GENERAL_NAMES *names; /* owned */
	int64_t from, until;
	struct buf *key_out;
};
void ca_leaf_free(struct ca_leaf *l);
/* Make, verify, store, note. Inside a change. */
int ca_leaf_make(struct ca *ca, const struct ca_leaf *l, const char *action,
    struct cert **out, struct err *e) MUST_CHECK;
/* Would everybody accept it? FAIL_POLICY says why not. */
int ca_verify(const struct ca *ca, const struct cert *c, struct err *e)
    MUST_CHECK;

/* ---- ca_list.c ---- */

struct ca_state {
	bool known;
	enum ca_kind kind;
	bool revoked;
};
int ca_state_get(struct keystore *ks, const struct cert *c,
    struct ca_state *out, struct err *e) MUST_CHECK;
int ca_issued_add(struct keystore *ks, const struct cert *c,
    enum ca_kind kind, struct err *e) MUST_CHECK;
/* Is it one of this CA's? Then it has a row from here on, which one of
 * before there were rows had not. FAIL_INPUT. */
int ca_adopt(struct ca *ca, const struct cert *c, struct ca_state *st,
    struct err *e) MUST_CHECK;

/* ---- ca_crl.c ---- */

/* Inside a change. */
int ca_crl_make(struct ca *ca, bool root, int days, struct buf *der,
    struct err *e) MUST_CHECK;

#endif
