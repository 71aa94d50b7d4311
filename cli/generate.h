/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Verbs of postseal key about keys that wait for a certificate.
 */
#ifndef CLI_GENERATE_H
#define CLI_GENERATE_H

#include "cli/cli.h"

cli_function generate_verb, csr_verb, requests_verb, drop_verb;

#endif
