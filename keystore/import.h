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
};

struct import_opts {
	struct view secret;   /* for keys; empty: keys are refused */
	const char *password; /* PKCS#12 and encrypted keys; NULL = none */
	unsigned use;	      /* KS_* bits allowed, 0 = by KU and EKU */
	bool anchor;	      /* cert trust: self-signed CAs become anchors */
	const char *address;  /* key import: must be in the certificate */
	int (*report)(void *arg, const char *file,
	    const struct import_item *item);
	void *arg;
};

/*
 * Import one file's content: PEM (any mix), DER certificate, PKCS#7
 * certs-only or signed (DER/PEM/BER), PKCS#12, LDIF (userCertificate), CMS
 * of a signed mail is handed in by the caller as PKCS#7 DER. name is for
 * messages. *good counts imported or known objects. FAIL_INPUT when it holds
 * nothing importable: the text says what libmagic thinks it really is.
 */
int import_data(struct keystore *ks, const char *name, struct view data,
    const struct import_opts *o, size_t *good, struct err *e) MUST_CHECK;

/* "JPEG image data": libmagic's words for data, never NULL. */
const char *import_magic(struct view data, char *dst, size_t size);

#endif
