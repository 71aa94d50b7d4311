/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A small CA of one's own (a root and one issuing CA under it).
 * The CA's keys are sealed under a passphrase of their own, which no daemon
 * has; nothing here is linked into the message path.
 */
#ifndef KEYSTORE_CA_H
#define KEYSTORE_CA_H

#include "keystore/keyring.h"

/* ---- making one ---- */

struct ca_options {
	const char *name;      /* 1 to 54 octets; of a root alone 64 */
	const char *algorithm; /* NULL: ec:p256; rsa from 3072 on */
	int days;	       /* 0: ten years */
	int depth; /* further CAs that the issuing CA may have under it */
	bool only_root;	       /* no issuing CA: the root issues */
	bool replace;	       /* the CA that is there issues no more */
	const char *crl_url;   /* http: into what is issued; NULL: none */
	/* "@example.com", "@*.example.com", "192.0.2.0/24": names outside are
	 * refused (RFC 5280 4.2.1.10); none: nothing is. */
	const char *const *permit;
	size_t permit_n;
};

/*
 * Root and issuing CA into the store, with their keys; the root is an
 * anchor. The keys are sealed under the passphrase, or under the secret when
 * it is NULL (for trying out). FAIL_CONFIG: there is a CA already;
 * FAIL_INPUT: a name, algorithm or number is wrong.
 */
int ca_create(struct keystore *ks, struct view secret, const char *passphrase,
    const struct ca_options *o, struct err *e) MUST_CHECK;

/* ---- using it ---- */

struct ca;

/* Is there a CA, and is its key under a passphrase? FAIL_CONFIG: there is
 * none. */
int ca_is_locked(struct keystore *ks, bool *locked, struct err *e) MUST_CHECK;
/*
 * The CA with its key, for any number of certificates. passphrase: NULL when
 * it has none. The secret (content of the secret file) seals the keys of who
 * is certified; it and ks must outlive the CA. FAIL_CONFIG: there is no CA;
 * FAIL_POLICY: the passphrase is wrong or missing.
 */
int ca_open(struct ca **out, struct keystore *ks, struct view secret,
    const char *passphrase, struct err *e) MUST_CHECK;
void ca_close(struct ca **ca); /* wipes; NULL allowed */
/* The CA's own certificate, borrowed. */
const struct cert *ca_cert(const struct ca *ca);
/* A sentence when the CA ends within so many days, else "". */
void ca_expiry(const struct ca *ca, int64_t now, int days, char *dst,
    size_t size);

enum ca_kind { CA_MAIL, CA_TLS_SERVER, CA_TLS_CLIENT, CA_AUTHORITY };
const char *ca_kind_str(enum ca_kind k);

#define CA_NAMES 32 /* TLS names in one certificate */

struct ca_request {
	enum ca_kind kind; /* CA_MAIL is 0 */
	struct addr email; /* mail; TLS client: may be empty */
	/* TLS: host names, "*.example.com", IP addresses. */
	const char *const *tls;
	size_t tls_n;
	const char *name;      /* common name; NULL: address or first name */
	const char *algorithm; /* rsa:2048 rsa:3072 rsa:4096 ec:p256 ec:p384 */
	unsigned use;	       /* KS_SIGN | KS_ENCRYPT: goes into KU */
	int days;	       /* 0: 730 for mail, 397 for TLS */
	int64_t not_before;    /* 0 = now; tests make expired ones */
	/*
	 * PKCS#10 in PEM or DER, or empty: a key is made. Only the key is
	 * taken from it; an address in it must be that of email.
	 */
	struct view csr;
	/* TLS without csr: the new key as PEM is appended; else NULL. */
	struct buf *key_out;
};

/*
 * Certify. The certificate goes into the store; so does a mail key that was
 * made here. *out owned. FAIL_INPUT: bad algorithm, days or request;
 * FAIL_POLICY: outside the CA's name constraints, or a key that is certified
 * for the other of mail and TLS (A62). A transaction of its own or the
 * caller's.
 */
int ca_certify(struct ca *ca, const struct ca_request *rq, struct cert **out,
    struct err *e) MUST_CHECK;

/* The same in one call, for a CA without a passphrase. */
int ca_issue(struct keystore *ks, struct view secret,
    const struct ca_request *rq, struct cert **out, struct err *e) MUST_CHECK;
/* ca_create() of a root alone, without passphrase and constraints. */
int ca_init(struct keystore *ks, struct view secret, const char *name,
    struct err *e) MUST_CHECK;

/* ---- what was issued ---- */

struct ca_issued {
	const char *serial;	 /* hex */
	const char *sha256;	 /* of the certificate, hex */
	const struct cert *cert; /* NULL: no more in the store */
	enum ca_kind kind;
	int64_t not_after;
	bool revoked;
	int64_t revoked_at;
	const char *reason; /* when revoked */
};
typedef int ca_visit(void *arg, const struct ca_issued *i, struct err *e);
/* Called for each, borrowed; -1 stops with e set. */
int ca_list(struct keystore *ks, ca_visit *visit, void *arg, struct err *e)
    MUST_CHECK;

struct ca_renewal {
	int days;	     /* 0: as many as the old one had */
	bool new_key;
	bool replace;	     /* the old one is superseded at once */
	struct buf *key_out; /* as in ca_request */
};
/*
 * Another certificate with the names, use and kind of one that this CA
 * issued. The old one is superseded when it has expired. *out owned.
 * FAIL_INPUT: not issued here; FAIL_POLICY: it is revoked.
 */
int ca_renew(struct ca *ca, const struct cert *old,
    const struct ca_renewal *how, struct cert **out, struct err *e) MUST_CHECK;

/* "keyCompromise" ... as in RFC 5280 5.3.1; -1 FAIL_INPUT lists them. */
int ca_reason_parse(const char *text, int *reason, struct err *e) MUST_CHECK;
/* Revoked as of now, and a new CRL in the store, so that it counts here at
 * once. FAIL_INPUT: not issued here, or revoked before. */
int ca_revoke(struct ca *ca, const struct cert *c, int reason, struct err *e)
    MUST_CHECK;

#define CA_CRL_DAYS 30

/*
 * A new CRL of the issuing CA (root: of the root), good for so many days,
 * into the store. der: appended, or NULL.
 */
int ca_crl(struct ca *ca, bool root, int days, struct buf *der, struct err *e)
    MUST_CHECK;

/* The same as PEM, appended. */
int ca_crl_pem(struct view der, struct buf *out, struct err *e) MUST_CHECK;

/* ---- passphrase ---- */

/* Seal the CA's keys anew; NULL: under the secret. Needs what ca_open()
 * needed. */
int ca_set_passphrase(struct ca *ca, const char *passphrase, struct err *e)
    MUST_CHECK;

#endif
