/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What others would refuse of a certificate, printed.
 */
#ifndef CLI_ADVICE_H
#define CLI_ADVICE_H

#include "keystore/advice.h"
#include "util/json.h"

/* A line each, indented, below the certificate's own. */
void advice_lines(struct buf *out, const struct cert *c,
    const struct path *path);
/* The array "warnings". */
void advice_json(struct json *j, const struct cert *c,
    const struct path *path);

#endif
