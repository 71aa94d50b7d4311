/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: a header of the PROXY protocol. What is taken says where it
 * ends, in each of its parts more is asked for, and what it says is written
 * and read again the same way.
 */
#include "relay/proxy.h"
#include "tests/fuzz/fuzz.h"

#define MOST 536

static void same(const struct proxy_header *a, const struct proxy_header *b)
{
	MUST(a->is_local == b->is_local);
	MUST(strcmp(a->ip, b->ip) == 0);
	MUST(strcmp(a->local_ip, b->local_ip) == 0);
	MUST(a->port == b->port && a->local_port == b->local_port);
}

static void write_and_read(const struct proxy_header *h, int version)
{
	struct proxy_header again;
	struct buf b;
	struct err e;
	size_t used;

	buf_init(&b, MOST);
	proxy_write(&b, version, h, h->has_tls ? "TLSv1.3" : NULL, "x");
	MUST(!b.failed);
	MUST(proxy_read(&again, buf_view(&b), &used, &e) == 1);
	MUST(used == b.n);
	same(h, &again);
	if (version == 2 && !h->is_local)
		MUST(again.has_tls == h->has_tls);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct proxy_header h, part;
	size_t used, k;
	struct err e;
	int rc = proxy_read(&h, view_make(data, n), &used, &e);

	MUST(rc >= -1 && rc <= 1);
	MUST(rc == 1 ? used > 0 && used <= n && used <= MOST : used == 0);
	if (rc == 0)
		MUST(n < MOST);
	if (rc == -1)
		MUST(e.kind == FAIL_INPUT && h.ip[0] == '\0');
	if (rc != 1)
		return 0;
	MUST(h.port >= 0 && h.port <= 65535);
	MUST(h.local_port >= 0 && h.local_port <= 65535);
	MUST(h.is_local == (h.ip[0] == '\0'));
	for (size_t i = 0; i < used; i++)
		MUST(proxy_read(&part, view_make(data, i), &k, &e) == 0);
	MUST(proxy_read(&part, view_make(data, used), &k, &e) == 1);
	MUST(k == used);
	same(&h, &part);
	write_and_read(&h, 1);
	write_and_read(&h, 2);
	return 0;
}
