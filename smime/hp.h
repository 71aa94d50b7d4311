/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Header protection on reading (RFC 9788 4): which fields of the header
 * section inside a signed or encrypted layer may stand in for those outside.
 * Compares and judges; edits nothing, and believes only what the caller
 * says about signature and encryption.
 */
#ifndef SMIME_HP_H
#define SMIME_HP_H

#include "smime/ctype.h"
#include "util/addr.h"

enum hp_mode {
	HP_NONE,   /* no protected fields */
	HP_CLEAR,  /* hp="clear": signed only */
	HP_CIPHER  /* hp="cipher": encrypted */
};

/* Everything is borrowed. */
struct hp_input {
	/* The root of the payload: the entity that is left when all layers
	 * are off, or the signed part of multipart/signed. */
	const struct header *inner;
	const struct ctype *ct;
	const struct header *outer; /* of the message */
	bool is_encrypted;
	/* Whose valid signature covers the payload: an address of its
	 * certificate, hp_author()'s if it has that one. NULL: nobody's. */
	const struct addr *signer;
	/* The envelope's, without details; n 0: not asked. */
	const struct addr *rcpt;
	size_t rcpts;
};

/* A field to restore: it replaces every field of its name outside. Fields
 * of one name follow each other. */
struct hp_field {
	const char *name;
	char *value; /* " text", folds as LF, fit for a header (M4) */
};

/* Comments and Keywords may be repeated (RFC 5322 3.6), up to this. */
#define HP_REPEATED 8
#define HP_FIELDS_MAX (8 + 2 * HP_REPEATED)
/* Of more recipients, none is looked for in To and Cc: a mailing. */
#define HP_RCPTS 100

struct hp {
	enum hp_mode mode;
	struct hp_field field[HP_FIELDS_MAX];
	size_t n;
	bool has_author;    /* From is among them */
	bool is_author_out; /* From differs inside, and stays there (S155) */
	bool is_for_others; /* To and Cc inside name no recipient (A10) */
	struct buf remarks; /* sentences, a line each, names only of ours */
};

/*
 * Read the protected fields. Whatever is wrong with them is a remark and
 * leaves the field outside as it is. hp is initialised by this and freed by
 * hp_free even on failure. FAIL_TEMP.
 */
int hp_read(struct hp *hp, const struct hp_input *in, struct err *e)
    MUST_CHECK;
void hp_free(struct hp *hp);

/* The one mailbox of the one From inside, if it could be restored. */
bool hp_author(const struct header *inner, struct addr *author);

#endif
