/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Keys that wait for a certificate of somebody else's CA: made here with a
 * request (PKCS#10), matched when the certificate comes; and who of the local
 * addresses lacks what.
 */
#ifndef KEYSTORE_REQUEST_H
#define KEYSTORE_REQUEST_H

#include "keystore/keyring.h"

#define REQUEST_NAME 64 /* characters of a name: ub-common-name, RFC 5280 A.1 */

/* A key with its request that is in no store yet. */
struct request_new {
	/* wanted, borrowed */
	const struct addr *email;
	const char *name;      /* of a person, UTF-8; "": the address */
	const char *algorithm; /* as in struct ca_request */
	unsigned use;	       /* KS_SIGN | KS_ENCRYPT: goes into KU */
	/* made by request_make */
	unsigned char spki[32]; /* SHA-256 of the public key */
	struct buf csr;		/* DER, owned */
	struct buf sealed;	/* private key, owned */
};

/*
 * Make the key, seal it under the secret, write its request. Slow (RSA), so
 * outside of transactions. r: wanted set, the rest zero; free it always.
 * FAIL_INPUT: algorithm, or a name that RFC 5280 A.1 does not allow.
 */
int request_make(struct request_new *r, struct view secret, struct err *e)
    MUST_CHECK;
void request_free(struct request_new *r);
/* Can this be a common name? FAIL_INPUT says why not. */
int request_check_name(struct view name, struct err *e) MUST_CHECK;
/* Is it one that keys are made of? FAIL_INPUT lists them. */
int request_check_algorithm(const char *algorithm, struct err *e) MUST_CHECK;
/* Store key and request. */
int request_add(struct keystore *ks, const struct request_new *r,
    struct err *e) MUST_CHECK;

/* One that is stored; borrowed for the call. */
struct request {
	unsigned char spki[32];
	struct addr email; /* in lower case but for UTF-8 local parts */
	const char *name;
	unsigned use;
	struct view csr; /* DER */
	int64_t added;	 /* seconds UTC */
};
typedef int request_visit(void *arg, const struct request *r, struct err *e);
/* By address, oldest first. what: NULL for all, or an address, a domain
 * "@d", or at least 8 hex digits of the public key's SHA-256. visit may not
 * change the store. */
int request_list(struct keystore *ks, const char *what,
    request_visit *visit, void *arg, struct err *e) MUST_CHECK;

/* The request and its key go for good. FAIL_INPUT: there is none. */
int request_drop(struct keystore *ks, const unsigned char spki[32],
    struct err *e) MUST_CHECK;

/* PEM of a request, appended. */
int request_pem(struct view csr, struct buf *out, struct err *e) MUST_CHECK;

/*
 * A certificate comes, is its key one that waits? Inside a change, before
 * the certificate is added. NONE: no. MATCHED: it names the address that was
 * asked for, the request is gone. OTHER: it names another one, so it must not
 * be taken; the request stays. address is that of the request, else "".
 */
enum request_found { REQUEST_NONE, REQUEST_MATCHED, REQUEST_OTHER };
struct request_answer {
	enum request_found found;
	struct addr email;
};
int request_match(struct keystore *ks, const struct cert *c,
    struct request_answer *out, struct err *e) MUST_CHECK;

/* ---- who lacks what: lacking.c ---- */

/* Addresses of a domain (lower-case A-labels) that certificates of any state
 * name, in order, in lower case. visit may not change the store. */
typedef int address_visit(void *arg, const char *address, struct err *e);
int keystore_addresses(struct keystore *ks, const char *domain,
    address_visit *visit, void *arg, struct err *e) MUST_CHECK;

struct lacking {
	const char *address;   /* in lower case */
	int64_t waiting;       /* since then a key waits; 0: none does */
	char sign[160];	       /* why no certificate signs; "": one does */
	char encrypt[160];     /* why none encrypts; "": one does */
	bool no_key;	       /* mail is encrypted for a key not here */
	int64_t ends;	       /* a certificate in use ends then, within the
				* days, and nothing follows; 0: none */
};
typedef int lacking_visit(void *arg, const struct lacking *l,
    struct err *e);
/*
 * Visit every address of the domains (lower-case A-labels) that the store
 * knows, by certificate or request, and that lacks something, in order. One
 * that lacks nothing is only counted: *seen of them all. soon_s: how long
 * before its end a certificate needs a successor. visit may not change the
 * store.
 */
struct lacking_query {
	char *const *domain;
	size_t domains;
	int64_t now;
	int64_t soon_s;
};
int keystore_lacking(struct keystore *ks, const struct lacking_query *q,
    lacking_visit *visit, void *arg, size_t *seen, struct err *e) MUST_CHECK;

#endif
