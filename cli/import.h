/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Bringing files into the keystore: what cert import, cert trust and key
 * import share.
 */
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include "cli/cli.h"
#include "keystore/import.h"

struct import_job {
	const struct cli_list *path; /* files, folders, "-" */
	bool strict;		     /* all or nothing */
	bool dry_run;		     /* nothing, but say what would be */
	bool quiet;		     /* say only what is wrong */
	bool json;		     /* the sum for programs */
	const char *password_file;   /* or NULL */
	const char *password_list;   /* or NULL */
	bool with_keys; /* the secret is read, keys are taken */
	bool only_keys; /* nothing but keys counts as success */
	unsigned use;
	bool anchor;
	const struct ks_scope *scope; /* of anchors; scopes 0: everything */
	size_t scopes;
	const char *address;
};

/* The options that both verbs have. */
#define IMPORT_USAGE                                                      \
	"[--strict|--dry-run] [--quiet|--json] "                          \
	"[--password-file F|--password-list F]"

cli_function import_cert_verb; /* cert import */
cli_function import_key_verb;  /* key import */
/* The bits of --use. 0, or EX_USAGE. */
int import_read_use(struct cli *c, const char *text, unsigned *use);

/* Runs it and reports; an exit code. */
int import_run(struct cli *c, const struct import_job *job);

/* Mail as a file has it, with LF or CRLF, into a spool with CRLF. */
struct spool;
int mail_to_spool(struct spool *s, struct view mail, struct err *e)
    MUST_CHECK;
/*
 * The CMS object of a signed mail, decoded, appended to der. 1 it is one, 0
 * it is no signed mail, -1 FAIL_TEMP.
 */
int mail_signature(struct view mail, struct buf *der, struct err *e)
    MUST_CHECK;

#endif
