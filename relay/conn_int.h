/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Inside of a connection: conn.c has its life, conn_io.c its octets.
 */
#ifndef RELAY_CONN_INT_H
#define RELAY_CONN_INT_H

#include <event2/event_struct.h>

#include "relay/conn.h"
#include "relay/tls_io.h"

#define CONN_OUTPUT_MAX (8 * CONN_OUTPUT) /* an owner that does not look */

enum conn_step {
	STEP_CONNECT,
	STEP_OPEN,	 /* plain, or TLS when there is one */
	STEP_FLUSH,	 /* what was queued goes first, then TLS begins */
	STEP_HANDSHAKE,
	STEP_LINGER,	 /* all sent: until the peer has read it */
	STEP_OVER	 /* on_end was told */
};

struct conn {
	struct event_base *base;
	int fd;
	enum conn_step step;
	struct conn_use use;
	struct tls_io *tls;
	struct event readable, writable, timer, soon;
	bool has_readable, has_writable; /* as events that were added */
	unsigned turns;	      /* turn() is in it */
	bool is_freed;	      /* in a callback: turn() frees it */
	bool is_finishing;
	bool is_paused;
	bool is_resumed;      /* on_input is due */
	bool is_ignored;      /* it could be read, but nobody wanted it */
	bool has_eof;	      /* of input */
	bool eof_told;
	bool is_mute;	      /* on_end was told: no callback any more */
	bool may_speak;	      /* only the time is over */
	bool try_read;	      /* without an event: something may be there */
	bool try_write;
	bool read_wants_write, write_wants_read; /* TLS */
	bool end_output, output_ended;
	bool was_busy;	      /* there was output: on_drained is due */
	bool is_over;	      /* how and why are set */
	enum conn_end how;
	char why[300];
	/* input: in the shared room during a turn, else in own */
	struct view in;
	unsigned char *own;
	size_t own_size;
	struct buf out;
	size_t clear;	      /* octets of out that go before TLS begins */
	size_t sent;	      /* of out */
	int64_t deadline, armed; /* ms; 0: none */
	unsigned min_rate;
	int64_t min_most, min_rest;
};

/* The first one counts. */
void conn_over(struct conn *c, enum conn_end how, const char *why);
/* A turn, soon; not when this is one. */
void conn_soon(struct conn *c);

/* ---- conn_io.c ---- */

bool conn_is_reading(const struct conn *c);
bool conn_has_output(const struct conn *c);
void conn_drop_input(struct conn *c);
/* One look at the socket, and its owner's at what came; octets. */
size_t conn_take_input(struct conn *c);
void conn_read_on(struct conn *c);
void conn_flush(struct conn *c);
void conn_write_on(struct conn *c);
/* Read and forget. false: the peer has ended it. */
bool conn_linger(struct conn *c);

#endif
