/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Keys of session tickets, which change with the hour and are the same in all
 * workers.
 */
#ifndef RELAY_TLS_TICKETS_H
#define RELAY_TLS_TICKETS_H

#include <openssl/ssl.h>

#include "relay/tls.h"
#include "util/err.h"

struct tls_tickets;

/* label: no two sets of rules about who may come in have the same. */
int tls_tickets_new(struct tls_tickets **out, const unsigned char secret[32],
    const char *label, struct err *e) MUST_CHECK;
void tls_tickets_free(struct tls_tickets **t);
/* To the key of that hour, seconds since 1970; never back. It is done at each
 * ticket. */
void tls_tickets_at(struct tls_tickets *t, int64_t now_s);
/* The context's tickets are of the server of the connection. */
int tls_tickets_attach(SSL_CTX *ctx, struct err *e) MUST_CHECK;
/* NULL: none, because client certificates are asked for. */
struct tls_tickets *tls_server_tickets(const struct tls_server *t);

#endif
