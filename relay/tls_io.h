/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * TLS over a socket that does not block, for relay/conn.c, which sees nothing
 * of OpenSSL. No events, no queues.
 */
#ifndef RELAY_TLS_IO_H
#define RELAY_TLS_IO_H

#include "relay/tls.h"
#include "util/buf.h"

struct tls_io;

enum tls_io_state {
	TLS_IO_DONE,
	TLS_IO_READ,  /* again when the socket can be read */
	TLS_IO_WRITE, /* again when it can be written to */
	TLS_IO_END,   /* close_notify came */
	TLS_IO_CUT    /* it is over: tls_io_why() */
};

/* fd is borrowed. FAIL_CONFIG (no certificate), FAIL_TEMP. */
int tls_io_server(struct tls_io **out, const struct tls_server *t, int fd,
    struct err *e) MUST_CHECK;
int tls_io_client(struct tls_io **out, struct tls_clients *t,
    const struct tls_want *w, int fd, struct err *e) MUST_CHECK;
void tls_io_free(struct tls_io **t);

/* The socket can be read: an event came. What one event may cost is bounded;
 * the socket is left readable then. */
void tls_io_ready(struct tls_io *t);
/* Never TLS_IO_END. A client's peer that is not as wanted: TLS_IO_CUT. */
enum tls_io_state tls_io_handshake(struct tls_io *t);
enum tls_io_state tls_io_read(struct tls_io *t, void *p, size_t n,
    size_t *got);
/* When it says TLS_IO_READ or TLS_IO_WRITE, the next call must begin with
 * the same octets. */
enum tls_io_state tls_io_write(struct tls_io *t, struct view v,
    size_t *sent);
/* close_notify; only when nothing waits. */
void tls_io_close(struct tls_io *t);
/* Are there octets in it that the socket does not have any more? */
bool tls_io_has_more(const struct tls_io *t);

const char *tls_io_why(const struct tls_io *t);
/* NULL until the handshake is done, and at a client's side. */
const struct tls_facts *tls_io_facts(const struct tls_io *t);
/* NULL at a server's side. */
const struct tls_got *tls_io_got(const struct tls_io *t);

#endif
