/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * S/MIME below the root of an entity (S161): signatures that say nothing
 * about the whole message, and ciphertext that is never opened there (A1,
 * A7). Attached messages are not entered (S42).
 */
#ifndef GATEWAY_NESTED_H
#define GATEWAY_NESTED_H

#include "smime/cms.h"
#include "smime/shape.h"

/* Signatures that are looked at. More: is_more. */
#define NESTED_MAX 4

struct nested_part {
	char number[64];     /* IMAP section number of the part */
	uint64_t start, end; /* its header to its last octet */
	/* CLEAR_SIGNED, PKCS7, or BROKEN (S23). A defect of the whole
	 * structure makes all of them broken. */
	struct shape sh;
	struct cms *cms; /* PKCS7 that can be read: SignedData; owned */
	struct err why;	 /* PKCS7 that cannot; no kind if it can */
};

struct nested {
	struct nested_part part[NESTED_MAX];
	size_t n;
	bool is_more;
	bool has_encrypted; /* CMS ciphertext, by its label or by itself */
	bool is_beyond;	    /* parts, depth or headers beyond the caps */
};

/*
 * Look through the entity at [off, end) of s once. Parts of type octet-stream
 * are none of ours below the root, whatever their names are (S28). What is
 * wrong with the mail is in the parts: FAIL_TEMP only. out is freed by
 * nested_free also on failure.
 */
int nested_find(const struct spool *s, uint64_t off, uint64_t end,
    struct nested *out, struct err *e) MUST_CHECK;
void nested_free(struct nested *n);

#endif
