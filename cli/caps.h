/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What is known of the software behind a certificate's addresses, for people
 * and programs.
 */
#ifndef CLI_CAPS_H
#define CLI_CAPS_H

#include "keystore/keystore.h"
#include "util/json.h"

/* Lines of the long form, one for each address of which something is known.
 * FAIL_TEMP. */
int caps_show(struct keystore *ks, const struct cert *c, struct buf *b,
    struct err *e) MUST_CHECK;
/* An array "capabilities", one object for each such address. FAIL_TEMP. */
int caps_json(struct keystore *ks, const struct cert *c, struct json *j,
    struct err *e) MUST_CHECK;

#endif
