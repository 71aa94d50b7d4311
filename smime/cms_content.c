/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The content octets of a CMS object as a stream: chunks of constructed
 * strings are joined, however small they are.
 */
#include "smime/cms.h"

#include <stdlib.h>

#include "smime/cms_int.h"

struct cms_content {
	struct walk w;
	struct walk_str str;
	uint64_t off, end; /* rest of the current segment */
	unsigned char chunk[SPOOL_CHUNK];
};

int cms_content_open(struct cms_content **out, const struct cms *c,
    struct err *e)
{
	struct cms_content *cc;

	*out = NULL;
	if (!c->has_content)
		return err_set(e, FAIL_INPUT, "CMS: no content inside");
	if ((cc = malloc(sizeof(*cc))) == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	walk_init_octets(&cc->w, &c->der);
	walk_str_init(&cc->str, &c->content);
	cc->off = cc->end = 0;
	*out = cc;
	return 0;
}

int cms_content_next(struct cms_content *cc, struct view *chunk, struct err *e)
{
	size_t n = 0, k;
	int r;

	while (n < sizeof(cc->chunk)) {
		if (cc->off == cc->end) {
			r = walk_str_next(&cc->str, &cc->w, &cc->off,
			    &cc->end, e);
			if (r == -1)
				return -1;
			if (r == 0)
				break;
		}
		k = sizeof(cc->chunk) - n;
		if (k > cc->end - cc->off)
			k = (size_t)(cc->end - cc->off);
		if (walk_read(&cc->w, cc->off, cc->chunk + n, k, e) == -1)
			return -1;
		cc->off += k;
		n += k;
	}
	*chunk = view_make(cc->chunk, n);
	return 0;
}

void cms_content_free(struct cms_content **cc)
{
	free(*cc);
	*cc = NULL;
}
