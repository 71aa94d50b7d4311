/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The process that holds the private keys.
 */
#ifndef MILTER_KEYS_PROC_H
#define MILTER_KEYS_PROC_H

#include "gateway/address_map.h"
#include "keystore/keyring.h"

/*
 * May: sign and open for a live ticket. May not: files and network after
 * its start, parse mail. Ends when: the parent closed ctl and the last
 * worker is gone.
 *
 * ctl     to the parent: says ready, brings the workers' sockets
 * tickets from the front (SOCK_SEQPACKET)
 */
void keys_proc(const struct config *c, int ctl, int tickets) NORETURN;

/*
 * Load all keys, and a copy of the lists that say who may use which: they are
 * the store process's word, never a worker's, and hold until another keys
 * process takes our place. Started by root, the files are looked at as their
 * owners: the secret as keys' user or as root, the store as the milter's
 * user. FAIL_CONFIG, FAIL_TEMP.
 */
int keys_load(const struct config *c, struct keyring **kr,
    struct list_snapshot **lists, struct err *e) MUST_CHECK;

#endif
