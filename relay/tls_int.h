/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the TLS files of the relay share.
 */
#ifndef RELAY_TLS_INT_H
#define RELAY_TLS_INT_H

#include <openssl/ssl.h>

#include "relay/tls_io.h"
#include "relay/tls_tickets.h"

struct tls_client_side;

struct tls_io {
	SSL *ssl;
	int fd;
	int sock_errno;	    /* of the socket call that failed last; 0: none */
	bool is_at_eof;	    /* of the socket */
	bool is_drained;    /* the socket had no more */
	bool is_open;	    /* the handshake is done */
	size_t budget;	    /* octets that this event may still read */
	uint64_t since;	    /* octets read since the last one of data */
	uint64_t data;	    /* octets of data, all */
	unsigned messages;  /* of the handshake protocol, after it */
	const char *misuse; /* what nobody honest does; NULL: nothing */
	char why[300];
	struct tls_facts *facts;
	/* a server's side: */
	const struct tls_server *server;
	bool cert_is_good;
	char cert_error[120];
	const char *pinned_as; /* address that a pin stands for, or NULL */
	bool by_path;	       /* good because of its issuer */
	/* a client's side: */
	struct tls_client_side *client;
};

/* Of an SSL that tls_io_*() made. */
struct tls_io *tls_io_of(const SSL *ssl);
/* What every context has: modes, options, alerts told. */
void tls_context_common(SSL_CTX *ctx);

/* ---- a server's side: tls_server.c ---- */

/* The context to begin with; FAIL_CONFIG: there is no certificate. */
int tls_server_context(const struct tls_server *t, SSL_CTX **out,
    struct err *e) MUST_CHECK;
/* tls_facts.c, after the handshake. FAIL_TEMP. */
int tls_facts_read(struct tls_io *t, struct err *e) MUST_CHECK;

/* ---- a client's side: tls_client.c ---- */

/* The system's CAs; without any (logged) nobody is verified. NULL: memory. */
X509_STORE *tls_system_store(void);
/* Sets t->ssl and t->client. */
int tls_client_begin(struct tls_io *t, struct tls_clients *c,
    const struct tls_want *w, struct err *e) MUST_CHECK;
/* After the handshake: is it what was wanted? FAIL_POLICY. */
int tls_client_check(struct tls_io *t, struct err *e) MUST_CHECK;
/* The handshake failed; t->why says how. */
void tls_client_failed(struct tls_io *t);
const struct tls_got *tls_client_got(const struct tls_io *t);
void tls_client_end(struct tls_io *t);

#endif
