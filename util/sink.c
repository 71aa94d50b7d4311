/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The helpers of the one interface between producers and consumers.
 */
#include "util/sink.h"

#include <string.h>

int sink_put(const struct sink *s, const void *p, size_t n, struct err *e)
{
	return n == 0 ? 0 : s->put(s->arg, p, n, e);
}

int sink_puts(const struct sink *s, const char *str, struct err *e)
{
	return sink_put(s, str, strlen(str), e);
}

static int put_in_buf(void *arg, const void *p, size_t n, struct err *e)
{
	struct buf *b = arg;

	buf_put(b, p, n);
	return buf_ok(b, e);
}

struct sink sink_to_buf(struct buf *b)
{
	struct sink s = { put_in_buf, b };

	return s;
}
