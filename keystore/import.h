/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Import of certificates and keys, told apart by parsing, never by name.
 */
#ifndef KEYSTORE_IMPORT_H
#define KEYSTORE_IMPORT_H

#include "keystore/keyring.h"

/* What one object in a file was, for the report. */
struct import_item {
	const char *kind;  /* "certificate", "private key", "CRL" ... */
	char what[200];	   /* subject or address */
	char sha256[65];   /* of a certificate, else "" */
	bool added;	   /* false: known before */
	char skipped[200]; /* reason; "" when imported */
	const char *note;  /* a word about it, or "" */
};

/* The reason when a password is missing. */
#define IMPORT_LOCKED "encrypted; give its password"

struct import_opts {
	struct view secret;   /* for keys; empty: keys are refused */
	const char *password; /* PKCS#12 and encrypted keys; NULL = none */
	unsigned use;	      /* KS_* bits allowed, 0 = by KU and EKU */
	bool anchor;	      /* cert trust: self-signed CAs become anchors */
	const struct ks_scope *scope; /* of those; scopes 0: everything */
	size_t scopes;
	const char *address;  /* key import: must be in the certificate */
	uint64_t kdf;	      /* iterations that one file may cost; 0:
			       * CAP_IMPORT_KDF_FILE */
	int (*report)(void *arg, const char *file,
	    const struct import_item *item);
	void *arg;
};

/*
 * Import one file's content: PEM (any mix), DER certificate, PKCS#7
 * certs-only or signed (DER/PEM/BER), PKCS#12, LDIF (userCertificate), CMS
 * of a signed mail is handed in by the caller as PKCS#7 DER. name is for
 * messages. *good counts imported or known objects. All of it is stored or
 * nothing. FAIL_INPUT when it holds nothing importable: the text says what
 * libmagic thinks it really is; or when report() said stop (not 0).
 */
int import_data(struct keystore *ks, const char *name, struct view data,
    const struct import_opts *o, size_t *good, struct err *e) MUST_CHECK;

/*
 * The same in pieces, for what is larger than memory should hold: PEM and
 * LDIF are taken object by object, anything else only once it is whole.
 * import_feed says how many octets from the start it is done with: the rest
 * is handed in again with more behind it. last: no more comes. After a
 * failure, or without import_keep, import_end takes everything back. name, o
 * and what they point to must live until then.
 */
struct import;
int import_begin(struct import **out, struct keystore *ks, const char *name,
    const struct import_opts *o, struct err *e) MUST_CHECK;
int import_feed(struct import *im, struct view data, bool last, size_t *used,
    struct err *e) MUST_CHECK;
/* As import_data at its end. */
int import_keep(struct import *im, size_t *good, struct err *e) MUST_CHECK;
void import_end(struct import **im);

/* "JPEG image data": libmagic's words for data, never NULL. */
const char *import_magic(struct view data, char *dst, size_t size);

#endif
