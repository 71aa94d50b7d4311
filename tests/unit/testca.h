/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates and keys for tests: a root, an intermediate and leaves made
 * on the spot, and a key_ops over them in plain EVP. Whatever fails here is
 * a broken test, so it aborts.
 */
#ifndef TESTS_UNIT_TESTCA_H
#define TESTS_UNIT_TESTCA_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "util/cert.h"
#include "util/keyops.h"

/* Somebody with a certificate and its private key. */
struct testca_id {
	struct cert *cert;
	EVP_PKEY *key;
};

/* 2026-01-01: before all dates that tests have fixed. */
#define TESTCA_SINCE 1767225600

struct testca {
	struct testca_id root;
	struct testca_id sub; /* the intermediate, which issues the leaves */
};

struct testca_leaf {
	const char *key;  /* "rsa:2048", "ec:P-256", "ed25519", "x25519" */
	const char *mail; /* SAN rfc822Name, or NULL */
	const char *ku;	  /* as in openssl.cnf; NULL: no extension */
	const char *eku;  /* NULL: emailProtection; "": no extension */
	const char *basic; /* NULL: "CA:FALSE" */
	bool no_ski;
	const EVP_PKEY *ski_of; /* the SKI of this key instead of its own */
	EVP_PKEY *use_key;	/* this key instead of a new one */
	long serial;		/* 0: the next free one */
	int64_t not_before;	/* 0: TESTCA_SINCE */
	int64_t not_after;	/* 0: in a year */
	bool self_signed;
};

void testca_init(struct testca *ca);
void testca_free(struct testca *ca);
void testca_issue(struct testca *ca, const struct testca_leaf *leaf,
    struct testca_id *out);
void testca_id_free(struct testca_id *id);

/* key_ops over some ids; fail makes every call fail with this kind. */
struct testca_keys {
	const struct testca_id *id[8];
	size_t n;
	enum fail fail;
	size_t signs;
	size_t opens;
};
struct key_ops testca_key_ops(struct testca_keys *k);

#endif
