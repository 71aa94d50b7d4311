/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What other mail programs would refuse of a certificate that we take: the
 * rules of CA/B's S/MIME baseline requirements, and what single programs are
 * known for. Advice, no verdict: nothing in the message path asks here.
 */
#ifndef KEYSTORE_ADVICE_H
#define KEYSTORE_ADVICE_H

#include "keystore/keystore.h"

#define ADVICE_MAX 32 /* more than there are kinds */

struct advice {
	const char *code; /* "no-key-usage" */
	const char *who;  /* "Apple Mail" */
	char text[200];	  /* one sentence, no final dot */
};

/*
 * Of one's own certificate or a partner's, with what keystore_path() found,
 * or NULL. Returns how many; of a CA's certificate only what concerns CAs.
 */
size_t advice_find(const struct cert *c, const struct path *path,
    struct advice out[ADVICE_MAX]);

#endif
