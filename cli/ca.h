/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What verbs that certify share.
 */
#ifndef CLI_CA_H
#define CLI_CA_H

#include "cli/cli.h"
#include "keystore/ca.h"

/*
 * Open the keystore for writing, the secret and the CA in it. The passphrase
 * is read from the file while we may still be root, or asked for when the CA
 * has one. Says when the CA ends soon. 0, or an exit code with the reason
 * printed. The caller closes it with ca_close() before cli_done().
 */
int cli_ca(struct cli *c, const char *password_file, struct ca **out);

#endif
