/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Questions to the fetch process and answers of it, as octets.
 */
#include "milter/fetch_wire.h"

#include <stdlib.h>
#include <string.h>

static int malformed(struct err *e)
{
	return err_set(e, FAIL_BUG, "fetch process: malformed");
}

static void put_why(struct buf *head, const struct err *why)
{
	ipc_put_u8(head, (uint8_t)why->kind);
	ipc_put_view(head, view_of(why->msg));
}

/* What the other side says; its text is for a log line. */
static int get_why(struct rd *r, struct err *why)
{
	char q[ERR_QUOTED];
	struct view text;
	uint8_t kind;

	if (rd_u8(r, &kind) != 0 || kind > FAIL_BUG ||
	    ipc_get_view(r, &text) != 0)
		return -1;
	if (kind != 0)
		(void)err_set(why, (enum fail)kind, "%s", err_quote(q,
		    sizeof(q), text.p, text.n));
	return 0;
}

/* ---- lookups ---- */

void wire_put_lookup(struct buf *head, const struct lookup_request *r)
{
	ipc_put_u32(head, r->seq);
	ipc_put_u64(head, (uint64_t)r->until_ms);
	ipc_put_view(head, view_of(r->addr.text));
}

int wire_get_lookup(struct lookup_request *r, struct view head,
    struct err *e)
{
	struct view text;
	uint64_t until;
	struct rd rd;

	rd_init(&rd, head);
	if (rd_u32(&rd, &r->seq) != 0 || rd_u64(&rd, &until) != 0 ||
	    until > INT64_MAX || ipc_get_view(&rd, &text) != 0 ||
	    rd_left(&rd) != 0 || addr_parse(&r->addr, text, NULL) != 0)
		return malformed(e);
	r->until_ms = (int64_t)until;
	return 0;
}

void wire_put_found(struct buf *head, struct buf *octets, uint32_t seq,
    const struct found_certs *found, const struct err *why)
{
	size_t i;

	ipc_put_u32(head, seq);
	put_why(head, why);
	if (why->kind != 0)
		return;
	ipc_put_u8(head, (uint8_t)found->source);
	ipc_put_view(head, view_of(found->from));
	ipc_put_view(head, view_of(found->warning));
	ipc_put_u8(head, (uint8_t)found->n);
	for (i = 0; i < found->n; i++)
		ipc_put_u8(head, found->is_vouched[i]);
	for (i = 0; i < found->n; i++)
		ipc_put_view(octets, buf_view(&found->der[i]));
}

static int get_certs(struct found_certs *found, size_t n, struct view octets,
    struct err *e)
{
	struct view der;
	struct rd rd;

	rd_init(&rd, octets);
	for (found->n = 0; found->n < n; found->n++) {
		if (ipc_get_view(&rd, &der) != 0 || der.n > FIND_CERT_MAX)
			return malformed(e);
		buf_clear(&found->der[found->n]);
		buf_putv(&found->der[found->n], der);
		if (buf_ok(&found->der[found->n], e) != 0)
			return -1;
	}
	return rd_left(&rd) == 0 ? 0 : malformed(e);
}

int wire_get_found(uint32_t *seq, struct found_certs *found,
    struct view head, struct view octets, struct err *e)
{
	struct err why = { 0 };
	struct view from, warning;
	uint8_t source, n, vouched;
	struct rd rd;

	rd_init(&rd, head);
	if (rd_u32(&rd, seq) != 0 || get_why(&rd, &why) != 0)
		return malformed(e);
	if (why.kind != 0)
		return err_set(e, why.kind, "%s", why.msg);
	if (rd_u8(&rd, &source) != 0 || source > FIND_SMIMEA ||
	    ipc_get_view(&rd, &from) != 0 ||
	    view_cstr(from, found->from, sizeof(found->from)) != 0 ||
	    ipc_get_view(&rd, &warning) != 0 ||
	    view_cstr(warning, found->warning, sizeof(found->warning)) != 0 ||
	    rd_u8(&rd, &n) != 0 || n > FIND_CERTS)
		return malformed(e);
	for (uint8_t i = 0; i < n; i++) {
		if (rd_u8(&rd, &vouched) != 0 || vouched > 1)
			return malformed(e);
		found->is_vouched[i] = vouched == 1;
	}
	if (rd_left(&rd) != 0)
		return malformed(e);
	found->source = (enum find_source)source;
	if (get_certs(found, n, octets, e) == 0)
		return 0;
	found->n = 0;
	return -1;
}

/* ---- URLs ---- */

void wire_put_fetch(struct buf *head, uint32_t seq,
    const struct fetch_job *j)
{
	ipc_put_u32(head, seq);
	ipc_put_u8(head, (uint8_t)j->kind);
	ipc_put_view(head, view_of(j->url));
	ipc_put_view(head, buf_view(&j->request));
}

int wire_get_fetch(uint32_t *seq, struct fetch_job *j, struct view head,
    struct err *e)
{
	struct view url, request;
	struct rd rd;
	uint8_t kind;

	rd_init(&rd, head);
	if (rd_u32(&rd, seq) != 0 || rd_u8(&rd, &kind) != 0 ||
	    kind < FETCH_CRL || kind > FETCH_LIST ||
	    ipc_get_view(&rd, &url) != 0 ||
	    view_cstr(url, j->url, sizeof(j->url)) != 0 ||
	    ipc_get_view(&rd, &request) != 0 || rd_left(&rd) != 0)
		return malformed(e);
	j->kind = (enum fetch_kind)kind;
	buf_clear(&j->request);
	buf_putv(&j->request, request);
	return buf_ok(&j->request, e);
}

void wire_put_fetched(struct buf *head, uint32_t seq, const struct err *why)
{
	ipc_put_u32(head, seq);
	put_why(head, why);
}

int wire_get_fetched(uint32_t *seq, struct err *why, struct view head,
    struct err *e)
{
	struct rd rd;

	rd_init(&rd, head);
	if (rd_u32(&rd, seq) != 0 || get_why(&rd, why) != 0 ||
	    rd_left(&rd) != 0)
		return malformed(e);
	return 0;
}
