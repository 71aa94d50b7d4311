/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Directories asked by this process itself, and the choice among what any
 * of them gave.
 */
#include "gateway/lookup.h"

#include <string.h>

static int find_here(void *ctx, const struct addr *a, struct found_certs *out,
    struct err *e)
{
	return finder_find(ctx, a, CAP_LOOKUP_MS, out, e);
}

struct lookup_ops lookup_direct(struct finder *f)
{
	struct lookup_ops ops = {f, find_here};

	return ops;
}

int lookup_select(struct keystore *ks, const struct addr *a,
    const struct found_certs *f, bool must_know, int64_t now,
    struct selection *out, struct err *e)
{
	struct cert *from[FIND_CERTS] = {NULL};
	bool is_vouched[FIND_CERTS];
	struct ks_strangers all = {from, is_vouched, 0, must_know};
	int rc = -1;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < f->n && i < FIND_CERTS; i++) {
		is_vouched[all.n] = f->is_vouched[i];
		if (keystore_parse_cert(ks, buf_view(&f->der[i]),
		    &from[all.n], e) == 0)
			all.n++;
		else if (err_is_ours(e))
			goto out;
		else
			err_clear(e);
	}
	rc = keystore_select_strangers(ks, a, &all, now, out, e);
out:
	for (size_t i = 0; i < all.n; i++)
		cert_free(&from[i]);
	return rc;
}

void lookup_source(const struct found_certs *f, char *dst, size_t size)
{
	struct buf b;

	buf_init(&b, 1024);
	buf_printf(&b, "%s %s", find_source_str(f->source), f->from);
	text_set(dst, size, buf_str(&b));
	buf_free(&b);
}
