/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The processes of the relay: each function is the whole life of one, after
 * its fork, and does not return.
 */
#ifndef RELAY_PROCS_H
#define RELAY_PROCS_H

#include "relay/config.h"
#include "relay/ledger.h"
#include "relay/stats.h"
#include "util/child.h"

#define RELAY_WORKERS_MAX 256
#define RELAY_SOCKS_MAX 256

/* A listening socket of the parent. */
struct relay_sock {
	int fd;
	size_t listener, on; /* which on of which listener */
};

struct proc_start {
	const struct relay_config *config;
	struct relay_stats *stats;
	struct ids ids;
	int ctl; /* a byte is sent when ready; at its end: stop */
	const int *sock; /* services: one of each worker */
	size_t socks;
};

struct worker_start {
	struct proc_start p;
	unsigned char secret[32]; /* of ticket keys; wiped when used */
	struct ledger *ledger;	  /* NULL: none */
	int keys, policy, auth, exec; /* exec -1: none */
	const struct relay_sock *listen;
	size_t listens;
};

void relay_worker_proc(struct worker_start *s) NORETURN;
void relay_keys_proc(const struct proc_start *s) NORETURN;
void relay_policy_proc(const struct proc_start *s, int socketmap) NORETURN;
void relay_auth_proc(const struct proc_start *s) NORETURN;
void relay_exec_proc(const struct proc_start *s) NORETURN;
void relay_metrics_proc(const struct proc_start *s, int listen) NORETURN;

/* Tell the parent; it cannot start: log and end. */
void proc_ready(int ctl);
void proc_cannot(const char *process, const struct err *e) NORETURN;

#endif
