/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The two kinds of question to the fetch process and their answers, as
 * packets.
 */
#ifndef MILTER_FETCH_WIRE_H
#define MILTER_FETCH_WIRE_H

#include "fetch/find.h"
#include "gateway/fetching.h"
#include "milter/packet.h"

/* Octets beside an answer with certificates. */
#define FOUND_MAX (FIND_CERTS * (FIND_CERT_MAX + 4))

/* A worker's: certificates of an address, by a moment of clock_ms(). */
struct lookup_request {
	uint32_t seq;
	int64_t until_ms;
	struct addr addr;
};
void wire_put_lookup(struct buf *head, const struct lookup_request *r);
int wire_get_lookup(struct lookup_request *r, struct view head,
    struct err *e) MUST_CHECK;

/* found, or why->kind not 0; the certificates are the octets beside it. */
void wire_put_found(struct buf *head, struct buf *octets, uint32_t seq,
    const struct found_certs *found, const struct err *why);
/* 0: found is filled (initialised by the caller); -1: what the other side
 * says went wrong, or FAIL_BUG. seq is set whenever it can be read. */
int wire_get_found(uint32_t *seq, struct found_certs *found,
    struct view head, struct view octets, struct err *e) MUST_CHECK;

/* The store's: a URL, or a notice, whose mail is the octets beside it. */
void wire_put_fetch(struct buf *head, uint32_t seq,
    const struct fetch_job *j);
int wire_get_fetch(uint32_t *seq, struct fetch_job *j, struct view head,
    struct err *e) MUST_CHECK;
/* The answer's body is the octets beside it. */
void wire_put_fetched(struct buf *head, uint32_t seq, const struct err *why);
/* 0 even when why says that it failed; -1: FAIL_BUG. */
int wire_get_fetched(uint32_t *seq, struct err *why, struct view head,
    struct err *e) MUST_CHECK;

#endif
