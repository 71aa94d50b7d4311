/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A worker: one thread on libevent, with what its sessions and tunnels need.
 */
#ifndef RELAY_WORKER_H
#define RELAY_WORKER_H

#include "relay/auth.h"
#include "relay/config.h"
#include "relay/conn.h"
#include "relay/hop.h"
#include "relay/ledger.h"
#include "relay/stats.h"

/* Who connected. */
struct client {
	char ip[64];	     /* text; "unix" for a unix socket */
	int port;
	char local_ip[64];   /* where he connected to */
	int local_port;
	bool proxy_tls;	     /* the proxy had TLS with him */
	char id[20];	     /* ours, in each log line of the session */
};

struct worker_listener {
	const struct listener *l;
	struct tls_server *tls; /* NULL: no certificate */
	struct auth_senders *senders; /* NULL: no AUTH there */
	int open;	    /* sessions now */
};

struct worker {
	struct event_base *base;
	const struct relay_config *config;
	struct relay_stats *stats;
	struct hops *hops;
	struct routes *routes;
	struct auth_talks *auth;
	struct tls_clients *tls;
	const struct tls_keys *keys; /* NULL: no private keys */
	struct ledger *ledger;
	struct worker_listener *listener; /* by listener.index */
	int exec; /* socket to the process that starts backends; -1: none */
	bool is_stopping; /* sessions end at the next chance */
};

/*
 * A new connection; fd is taken, each ends by itself and then calls
 * worker_gone(). tls: how this address of the listener does it.
 * session: LMTP, SMTP, submission. tunnel: the rest.
 */
void session_start(struct worker *w, struct worker_listener *l,
    enum listen_tls tls, struct conn *take_conn, const struct client *who);
void tunnel_start(struct worker *w, struct worker_listener *l,
    enum listen_tls tls, struct conn *take_conn, const struct client *who);
void worker_gone(struct worker *w, struct worker_listener *l,
    const struct client *who);
/* w->is_stopping was set: idle ones end now, others after their message; who
 * has just come may begin one first.
 * Tunnels go on until their own end or that of the grace. */
void sessions_stop(struct worker *w);
/* The grace is over: each gets its line in the log. */
void tunnels_cut(struct worker *w);

#endif
