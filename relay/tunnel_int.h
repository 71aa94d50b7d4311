/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A tunnel as its files share it: relay/tunnel.c begins and ends it,
 * tunnel_open.c reaches the backend, tunnel_flow.c carries.
 */
#ifndef RELAY_TUNNEL_INT_H
#define RELAY_TUNNEL_INT_H

#include "relay/tunnel_dial.h"
#include "relay/tunnel_gate.h"
#include "relay/tunnel_watch.h"

#define TUNNEL_TLS_MS 60000	/* until the client has TLS (T11) */
#define TUNNEL_DIAL_MS 30000	/* until the backend is ready */
#define TUNNEL_HALF_MS 60000	/* without octets, when one side is over */
#define TUNNEL_FINISH_MS 10000	/* for what is still to be sent */

struct event;
struct tunnel;

struct side {
	struct tunnel *t;
	struct conn *c;
	struct conn_use use;
	bool is_ready;	/* the backend's: connected, and TLS if it is to be */
	bool has_ended; /* it says no more */
	bool was_told;	/* that the other one says no more */
	bool is_paused;
	uint64_t octets; /* that it sent */
};

enum tunnel_state {
	TUNNEL_TLS,  /* the client's handshake */
	TUNNEL_DIAL, /* the backend is made ready */
	TUNNEL_GATE, /* commands and answers */
	TUNNEL_OPEN  /* octets */
};

struct tunnel {
	struct tunnel *next, **at; /* of all of this process */
	struct worker *w;
	struct worker_listener *l;
	enum listen_tls tls;
	struct client who;
	enum tunnel_state state;
	struct side client, server;
	bool has_gate, is_logged;
	bool is_watched; /* when it is open */
	struct watch watch;
	struct gate gate;
	struct dial dial;
	struct event *timer;
	int64_t deadline; /* of CLOCK_MONOTONIC, ms */
	int64_t began;
	int local_port; /* of our connection to the backend */
	char peer_tls[96]; /* of the client, for logs */
};

/* ---- tunnel.c ---- */

/* Log why, send what waits, free it all. */
void tunnel_end(struct tunnel *t, const char *how, const char *why);
/* The client is told in words of its protocol, too. */
void tunnel_fail(struct tunnel *t, const char *how, const char *why);
void tunnel_deadline(struct tunnel *t, int64_t within_ms);
/* The only entry of all callbacks: as far as it goes now. t may be gone
 * afterwards. */
void tunnel_go_on(struct tunnel *t);

/* ---- tunnel_open.c ---- */

/* Connect to the backend, or start it. -1: t is gone. */
int tunnel_dial(struct tunnel *t);
/* It is connected, or has TLS. */
void tunnel_reached(struct tunnel *t);
void tunnel_secured(struct tunnel *t);
/* What happened in tunnel_step_*(). */
enum tunnel_next { TUNNEL_WAITS, TUNNEL_AGAIN, TUNNEL_GONE };
enum tunnel_next tunnel_step_dial(struct tunnel *t);
/* One line for each tunnel, when it is known what it is. */
void tunnel_log(struct tunnel *t);

/* ---- tunnel_flow.c ---- */

enum tunnel_next tunnel_step_gate(struct tunnel *t);
enum tunnel_next tunnel_step_open(struct tunnel *t);
/* The other side of s may be read again, if it was not. */
void tunnel_drained(struct side *s);
int64_t tunnel_idle_ms(const struct tunnel *t);
/* Is a backend another one after the client's STARTTLS? */
bool tunnel_needs_fresh(const struct listener *l);

#endif
