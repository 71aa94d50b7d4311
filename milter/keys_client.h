/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The two key operations over a socket to the keys process, as a worker has
 * them. One request in flight; not for two threads.
 */
#ifndef MILTER_KEYS_CLIENT_H
#define MILTER_KEYS_CLIENT_H

#include "milter/ticket.h"
#include "util/keyops.h"

/* Layout of a request: u32 sequence number, u8 operation, ticket, SHA-256 of
 * the certificate, u8 algorithm or key length, u32 length + octets. Of an
 * answer: u32 sequence number, u8 0 or enum fail, u32 length + octets (the
 * result, or the error in words). */
enum keys_op { KEYS_SIGN = 1, KEYS_OPEN };

struct keys_client {
	int sock; /* SOCK_SEQPACKET; borrowed */
	uint32_t seq;
	int timeout_ms;
	bool is_lost; /* the socket is of no more use */
	unsigned char ticket[TICKET_ID]; /* of the message at hand */
};

#define KEYS_TIMEOUT_MS 20000

void keys_client_init(struct keys_client *c, int sock);
struct key_ops keys_client_ops(struct keys_client *c);

#endif
