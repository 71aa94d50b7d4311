/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Answering requests for key operations: rights by ticket, then the keyring.
 * keys_proc.c puts a process around it; tests run it in threads.
 */
#ifndef MILTER_KEYS_SERVE_H
#define MILTER_KEYS_SERVE_H

#include "keystore/keyring.h"
#include "milter/ticket.h"

/* What all threads of keys share; nothing changes but the tickets. */
struct keys_service {
	const struct config *config;
	const struct list_reader *lists; /* copied at the start; NULL: none */
	const struct keyring *keyring;
	struct tickets *tickets;
	int ticket_sock;
};

/*
 * Serve one worker until its end of the socket (SOCK_SEQPACKET) closes.
 * worker is the number that its tickets must name.
 */
void keys_serve(struct keys_service *s, int sock, uint32_t worker);

/*
 * Is this what a signer of messages signs: DER of a SET OF Attribute (tag
 * 0x31) with one contentType and one messageDigest (RFC 5652 5.3)? Keeps a
 * worker that was taken over from getting signatures of anything else.
 * FAIL_POLICY.
 */
int keys_check_attrs(struct view attrs, struct err *e) MUST_CHECK;

#endif
