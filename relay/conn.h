/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A connection of a worker: octets in, octets out, TLS when it was begun,
 * deadlines. Not blocking; on libevent. No private key is here.
 */
#ifndef RELAY_CONN_H
#define RELAY_CONN_H

#include "relay/tls.h"
#include "util/buf.h"

struct event_base; /* libevent's */
struct conn;

enum conn_end {
	CONN_EOF,     /* the peer ended its side in order */
	CONN_CUT,     /* reset, or TLS without close_notify */
	CONN_LATE,    /* a deadline passed */
	CONN_NO_TLS,  /* the handshake failed, or who is there is not wanted */
	CONN_FAULT    /* ours: memory */
};

/*
 * Callbacks; never from within a call of conn.h by the owner, always from the
 * loop. conn_free() is allowed in each. After on_end none comes any more.
 */
struct conn_use {
	void (*on_connected)(void *arg); /* conn_connect() only */
	void (*on_tls)(void *arg);  /* the handshake is done: conn_tls() */
	/* more in conn_input(); again after conn_resume() when there is some */
	void (*on_input)(void *arg);
	void (*on_drained)(void *arg); /* all output was handed to the kernel;
					  NULL: not wanted */
	/* why has the details for a log; for CONN_NO_TLS conn_tls() has result
	 * and reason */
	void (*on_end)(void *arg, enum conn_end how, const char *why);
	void *arg;
};

#define CONN_INPUT 65536  /* octets that wait to be used; then it is paused */
#define CONN_OUTPUT (1u << 20) /* octets that wait to be sent: conn_full() */

/* Takes fd (made non-blocking, TCP_NODELAY). FAIL_TEMP, fd closed. */
int conn_new(struct conn **out, struct event_base *base, int take_fd,
    const struct conn_use *use, struct err *e) MUST_CHECK;
/* Connect; on_connected or on_end follows. sa: AF_INET, AF_INET6, AF_UNIX.
 * source NULL: any. */
struct sockaddr;
int conn_connect(struct conn **out, struct event_base *base,
    const struct sockaddr *sa, unsigned sa_len,
    const struct conn_use *use, struct err *e) MUST_CHECK;
/* Other callbacks from now on: a connection that goes on to its next owner. */
void conn_use(struct conn *c, const struct conn_use *use);
/* Close at once, unsent output is lost: for a message that is not complete. */
void conn_free(struct conn **c);
/* Send what there is, close_notify, then close; within so long. */
void conn_finish(struct conn **c, int64_t within_ms);
/* How many of this process are still at that: a worker ends when none is. */
unsigned conn_finishing(void);
/*
 * In on_end(CONN_EOF): the other direction goes on. on_drained comes further
 * on, deadlines hold, and on_end comes once more when it is over by itself
 * (CONN_CUT, CONN_LATE, CONN_FAULT).
 */
void conn_half_open(struct conn *c);
/*
 * In on_end(CONN_LATE): conn_write() and then conn_finish() still send what
 * the peer is to know (RFC 5321 3.8: 421); else there is no time for it.
 */
void conn_last_words(struct conn *c);

/* What came and was not used. conn_used(): n octets of it were. */
struct view conn_input(const struct conn *c);
void conn_used(struct conn *c, size_t n);
/* No reading for a while; what is in conn_input() stays. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

/* Queue octets; memory lacking shows as on_end. */
void conn_write(struct conn *c, struct view v);
/* The same, for octets that more follow at once: they go together. */
void conn_gather(struct conn *c, struct view v);
/* Is so much waiting that its owner should wait for on_drained? */
bool conn_is_full(const struct conn *c);
size_t conn_waiting(const struct conn *c);
/* Our side is over (shutdown of writing, close_notify) after what waits. */
void conn_end_output(struct conn *c);

/*
 * on_end(CONN_LATE) at that time of CLOCK_MONOTONIC, milliseconds; 0: never.
 * conn_min_rate(): each octet read moves the deadline by 1000/octets_per_s
 * ms, never beyond most_ms from now (T11, slow clients).
 */
void conn_deadline(struct conn *c, int64_t at_ms);
void conn_min_rate(struct conn *c, unsigned octets_per_s, int64_t most_ms);

/*
 * Begin TLS; queued output is sent before. Input that was not used is
 * an injection (T7, T36): conn_tls_server and conn_tls_client then fail with
 * FAIL_POLICY and do nothing. on_tls or on_end(CONN_NO_TLS) follows.
 * want is copied.
 */
int conn_tls_server(struct conn *c, const struct tls_server *t,
    struct err *e) MUST_CHECK;
int conn_tls_client(struct conn *c, struct tls_clients *t,
    const struct tls_want *w, struct err *e) MUST_CHECK;
/* Facts of a server's side, after on_tls; NULL: no TLS. */
const struct tls_facts *conn_tls(const struct conn *c);
/* Facts of a client's side, after on_tls or on_end(CONN_NO_TLS). */
const struct tls_got *conn_tls_got(const struct conn *c);

/* The descriptor, for getpeername() and passing on; borrowed. */
int conn_fd(const struct conn *c);

#endif
