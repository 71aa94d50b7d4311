/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Configuration and rules as one counted thing: generations share it, a
 * reload makes another.
 */
#ifndef MILTER_SETUP_H
#define MILTER_SETUP_H

#include "gateway/rules.h"

struct setup {
	struct config *config;
	struct rules *rules;
	int refs;
};

/* Read both; every error is logged or printed by the caller from ce. */
int setup_read(struct setup **out, const char *path, struct conf_errors *ce)
    MUST_CHECK;
struct setup *setup_ref(struct setup *s);
void setup_release(struct setup **s);

#endif
