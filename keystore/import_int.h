/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the readers of import*.c hand to each other: the objects found in
 * one file, before they are stored.
 */
#ifndef KEYSTORE_IMPORT_INT_H
#define KEYSTORE_IMPORT_INT_H

#include "keystore/import.h"
#include "keystore/keystore_int.h"

#define IMPORT_BATCH 256 /* objects read before they are stored */

/* A certificate, one that the store has, a key, or (none of these) something
 * that was passed over. */
struct found {
	const char *kind;
	struct cert *cert;
	EVP_PKEY *key;
	bool known;
	char what[200];
	char sha256[65];
	const char *note;
	char skipped[200];
};

struct batch {
	struct keystore *ks;
	const struct import_opts *o;
	const char *name; /* of the file */
	struct found *item; /* owned; keys stay to the end of the file */
	size_t n;
	size_t size;
	size_t keys;	/* among the items */
	size_t total;	/* objects of the file so far */
	size_t good;	/* stored or known */
	uint64_t work;	/* iterations of key derivations that are left */
	struct found first_skipped;
};

/* Each 0, or -1 with FAIL_TEMP or FAIL_LIMIT, or what storing says; a broken
 * object is no failure but an item with a reason. */
int batch_cert(struct batch *b, struct view der, struct err *e) MUST_CHECK;
int batch_key(struct batch *b, EVP_PKEY *take_key, struct err *e) MUST_CHECK;
int batch_skip(struct batch *b, const char *kind, const struct err *why,
    struct err *e) MUST_CHECK;
int batch_skip_as(struct batch *b, const char *kind, const char *why,
    struct err *e) MUST_CHECK;
/* Store what was read; with last, the keys too. */
int batch_store(struct batch *b, bool last, struct err *e) MUST_CHECK;
void batch_free(struct batch *b);

/* ---- import_store.c ---- */

/* What the store knows of it: *known, and then its address or "". */
int import_is_known(struct keystore *ks, const unsigned char sha256[32],
    bool *known, struct found *f, struct err *e) MUST_CHECK;
int import_store(struct batch *b, struct found *f, struct err *e) MUST_CHECK;

/* ---- readers ---- */

/* DER (or BER) objects one after the other. */
int import_der(struct batch *b, struct view der, struct err *e) MUST_CHECK;
/* The same from inside of something, which is said when there are none. */
int import_der_named(struct batch *b, const char *what, struct view der,
    struct err *e) MUST_CHECK;
/* Of these two *used is as import_feed() says. */
int import_pem(struct batch *b, struct view text, bool last, size_t *used,
    struct err *e) MUST_CHECK;
int import_ldif(struct batch *b, struct view text, bool last, size_t *used,
    struct err *e) MUST_CHECK;
int import_p12(struct batch *b, struct view der, struct err *e) MUST_CHECK;
/* EncryptedPrivateKeyInfo (RFC 5208 6). */
int import_encrypted_key(struct batch *b, struct view der, struct err *e)
    MUST_CHECK;

bool import_is_pem(struct view data);
bool import_is_ldif(struct view data);
/* Base64 text with nothing else but white space, appended decoded; false
 * when it is not that. */
bool import_base64(struct view text, struct buf *out);

/* ---- import_cost.c ---- */

typedef struct X509_algor_st X509_ALGOR;
/*
 * May a key be derived from a password as this algorithm says? Counts what
 * that costs. FAIL_LIMIT, with iterations or salt: nothing was derived yet.
 */
int import_cost_pbe(struct batch *b, const X509_ALGOR *alg, struct err *e)
    MUST_CHECK;
int import_cost(struct batch *b, uint64_t iterations, size_t salt,
    struct err *e) MUST_CHECK;
/* What the algorithm is called, with the cipher of PBES2 in it. */
const char *import_pbe_name(const X509_ALGOR *alg, char *dst, size_t size);

#endif
