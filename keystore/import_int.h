/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the readers of import*.c hand to each other: the objects found in
 * one file, before anything is stored.
 */
#ifndef KEYSTORE_IMPORT_INT_H
#define KEYSTORE_IMPORT_INT_H

#include "keystore/import.h"
#include "keystore/keystore_int.h"

#define IMPORT_OBJECTS 200000 /* in one file; beyond: FAIL_LIMIT */

/* A certificate, a key, or (neither) something that was passed over. */
struct found {
	const char *kind;
	struct cert *cert;
	EVP_PKEY *key;
	char skipped[200];
};

struct batch {
	struct found *item; /* owned */
	size_t n;
	size_t size;
	const char *password; /* borrowed; NULL = none */
};

/* Each 0, or -1 with FAIL_TEMP or FAIL_LIMIT; a broken object is no
 * failure but an item with a reason. */
int batch_cert(struct batch *b, struct view der, struct err *e) MUST_CHECK;
int batch_key(struct batch *b, EVP_PKEY *take_key, struct err *e) MUST_CHECK;
int batch_skip(struct batch *b, const char *kind, const struct err *why,
    struct err *e) MUST_CHECK;

/* DER (or BER) objects one after the other. */
int import_der(struct batch *b, struct view der, struct err *e) MUST_CHECK;
int import_pem(struct batch *b, struct view text, struct err *e) MUST_CHECK;
int import_ldif(struct batch *b, struct view text, struct err *e) MUST_CHECK;
int import_p12(struct batch *b, struct view der, struct err *e) MUST_CHECK;

bool import_is_pem(struct view data);
bool import_is_ldif(struct view data);
/* Base64 text with nothing else but white space, appended decoded; false
 * when it is not that. */
bool import_base64(struct view text, struct buf *out);

#endif
