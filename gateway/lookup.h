/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Asking directories for certificates that the keystore has not. The gateway
 * knows no network: in the milter a worker asks the fetch process, in the
 * command and in tests a finder is called directly.
 */
#ifndef GATEWAY_LOOKUP_H
#define GATEWAY_LOOKUP_H

#include "fetch/find.h"
#include "keystore/keystore.h"

struct lookup_ops {
	void *ctx;
	/* As finder_find(), the time limit being the other side's. */
	int (*find)(void *ctx, const struct addr *a, struct found_certs *out,
	    struct err *e);
};

/* Those of a finder in this process. */
struct lookup_ops lookup_direct(struct finder *f);

/*
 * Choose among what was found for a, as keystore_select_strangers() does.
 * must_know: whether it is revoked. FAIL_TEMP.
 */
int lookup_select(struct keystore *ks, const struct addr *a,
    const struct found_certs *f, bool must_know, int64_t now,
    struct selection *out, struct err *e) MUST_CHECK;
/* "ldap ldaps://ldap.example": where it is from. */
void lookup_source(const struct found_certs *f, char *dst, size_t size);

#endif
