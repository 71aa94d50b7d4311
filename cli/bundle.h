/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal cert export --bundle: what partners need of us, and no more.
 */
#ifndef CLI_BUNDLE_H
#define CLI_BUNDLE_H

#include "cli/cli.h"

struct bundle {
	const char *what;   /* address, "@domain"; NULL: all local domains */
	const char *format; /* NULL (pem), pem, p7b, ldif, der */
	const char *out;    /* file, folder; NULL: standard output */
};

/*
 * The certificates in use now, with the CAs above them each once (PEM and
 * PKCS#7 only). Into a folder: a file each. An exit code.
 */
int bundle_export(struct cli *c, const struct bundle *b);

#endif
