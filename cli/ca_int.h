/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the two files of postseal ca share.
 */
#ifndef CLI_CA_INT_H
#define CLI_CA_INT_H

#include "cli/ca.h"

/* ---- ca.c ---- */

/* A number, or a number of days, of an option; *out unchanged when text is
 * NULL. 0 or EX_USAGE. */
int ca_number(struct cli *c, const char *option, const char *text, int *out);
int ca_days(struct cli *c, const char *text, int *out);

/* ---- ca_issue.c ---- */

#define CA_ISSUE_USAGE                                                     \
	"ca issue --email A [--out DIR] | "                                \
	"--tls-server NAME... --out DIR | "                                \
	"--tls-client A|NAME --out DIR [--name N] "                        \
	"[--algorithm rsa:2048|rsa:3072|rsa:4096|ec:p256|ec:p384] "        \
	"[--use both|sign|encrypt] [--days N] [--csr FILE] "               \
	"[--password-file F]"
#define CA_RENEW_USAGE                                                     \
	"ca renew SHA256 | --email A [--days N] [--new-key] [--replace] "  \
	"[--out DIR] [--password-file F]"
cli_function ca_issue_verb, ca_renew_verb;

/* The one certificate that WHAT names; row to be freed. */
int ca_find_one(struct cli *c, const char *what, struct ks_row *row);

#endif
