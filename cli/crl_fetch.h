/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal crl fetch.
 */
#ifndef CLI_CRL_FETCH_H
#define CLI_CRL_FETCH_H

#include "cli/cli.h"

cli_function crl_fetch;

#endif
