/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal relay import: files of qmail, Postfix and stunnel to our
 * configuration. What a reader of a form finds is put in here, line by line;
 * each line of ours was read by our own parser before it is printed, and
 * what cannot be kept becomes a comment that says so. Mail that such a line
 * was for is held: it must not leave by a weaker line, or by the default.
 */
#ifndef CLI_RELAY_IMPORT_H
#define CLI_RELAY_IMPORT_H

#include "smtp/tls_policy.h"
#include "util/buf.h"

#define IMPORT_LINES 20000 /* of one file */
#define IMPORT_NAME 33	   /* of a block, with NUL */

/* A line of theirs and what became of it. */
struct import_item {
	size_t line;
	char *source; /* as it stood there; no secret */
	char *rule;   /* of tls-policy, or NULL */
	char *to, *from; /* of the rule, as the parser has them */
	char *notes;  /* lines */
	size_t why;   /* where in notes it is said why it is lost */
	int order;    /* of two for the same mail the lower one holds */
	bool is_lost; /* it could not be kept */
	bool is_held; /* and rule holds its mail instead */
};

/* A file or folder that was given a name. */
struct import_name {
	char name[IMPORT_NAME];
	char *path, *second; /* of CAs, CRL or NULL; or certificate, key */
	bool is_dir, is_pki;
};

/* A host with an old fingerprint is tried: the SHA-256 of what has this
 * digest there. 1: found, is_key: of the public key; 0: it shows another one;
 * -1: no answer. */
typedef int import_probe(void *arg, const char *dest, int port,
    struct view digest, unsigned char sha256[32], struct err *e);

struct relay_import {
	struct import_item *item;
	size_t items;
	struct import_name *name;
	size_t names;
	struct buf blocks; /* statements beside tls-policy { } */
	bool has_policy;   /* the form is about destinations */
	size_t lost, held;
	import_probe *probe; /* NULL: nothing is tried */
	void *probe_arg;
	/* the line that is being read */
	struct buf note;
	size_t why;
	struct view to, from; /* borrowed; to NULL: not known */
	bool wants_none;
	bool is_losing;
	bool no_memory;
};
void import_init(struct relay_import *im);
void import_free(struct relay_import *im);

/* ---- for readers of forms ---- */

/* What cannot be kept, or has another meaning, of the line being read. */
void import_note(struct relay_import *im, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
/* The same; and the line as a whole is not kept. -1. */
int import_lose(struct relay_import *im, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
/* Whom the line is for, before anything else of it is read: if it is lost, its
 * mail is held, and all mail where this is not said. to "": the default; from
 * "": any sender, or a domain with or without "@", or an address. */
void import_aim(struct relay_import *im, struct view to, struct view from);
/* It asks for no TLS: lost, it holds nothing. */
void import_wants_none(struct relay_import *im);
/* The line is over. rule NULL: it has none. */
void import_finish(struct relay_import *im, size_t line, struct view source,
    const struct buf *rule, int order);
/* Name of the block for a file or folder with CAs; crl may be NULL. NULL: it
 * is no path; the line is lost. */
const char *import_ca(struct relay_import *im, struct view path,
    const char *crl);
/* The same for a certificate and its key (p NULL: in the same file). */
const char *import_pki(struct relay_import *im, struct view cert,
    struct view key);
/* s in quotes where our language wants them; -1: it cannot be written. */
int import_word(struct buf *b, struct view s) MUST_CHECK;
/* One fingerprint, hex digits with or without colons: " sha256:..." is
 * appended, or the line is lost. */
int import_pin(struct relay_import *im, struct buf *b, struct view hex,
    const char *dest, int port);
/* The next line of v without its end; false: there is none. */
bool import_line(struct view *v, struct view *line);

/* ---- for them alone ---- */

/* The rule by our parser, which has the last word; to and from of t are as it
 * has them. text NULL: nobody wants to know what is wrong. -1: it is no line
 * of ours. */
int import_check_rule(struct relay_import *im, struct import_item *t,
    struct buf *text) MUST_CHECK;
/* A rule for t that no certificate satisfies, and the notes that tell. */
void import_hold(struct relay_import *im, struct import_item *t);

/* ---- forms ---- */

void import_tlsdestinations(struct relay_import *im, struct view text);
void import_domaincerts(struct relay_import *im, struct view text);
void import_tls_policy(struct relay_import *im, struct view text);
void import_stunnel(struct relay_import *im, struct view text);
/* A folder: FAIL_INPUT. */
int import_tlshosts(struct relay_import *im, const char *dir, struct err *e)
    MUST_CHECK;

/* What is lost and what is held, a line each, to say(). */
void import_tell(const struct relay_import *im,
    void (*say)(void *arg, const char *line), void *arg);
/* For the end of a sentence "... WAITS". */
const char *import_until(const struct relay_import *im);
/* All of it; appended. from: name of the file, for a comment. */
void import_print(const struct relay_import *im, const char *from,
    struct buf *out);
void import_print_json(const struct relay_import *im, const char *from,
    struct buf *out);

#endif
