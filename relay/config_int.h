/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the files that read relay { } share.
 */
#ifndef RELAY_CONFIG_INT_H
#define RELAY_CONFIG_INT_H

#include "relay/config.h"
#include "util/conf_walk.h"

/* Blocks listen, route. arg is the struct relay_config. */
void relay_config_listen(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce);
void relay_config_route(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce);
/* backend ... of a tunnel; arg is the struct listener. */
void relay_config_backend(void *arg, const struct conf_stmt *st,
    struct conf_errors *ce);
/* What can be said only when everything is read. */
void relay_config_check(const struct relay_config *c,
    const struct conf_stmt *relay, struct conf_errors *ce);
void relay_config_free_listener(struct listener *l);
void relay_config_free_route(struct relay_route *r);

/* NAME of a block or of a reference to one: letters, digits, - and _. */
void relay_config_name(char name[RELAY_NAME], const struct conf_stmt *st,
    size_t w, struct conf_errors *ce);
/* "example.com" with what is in front of it ("", ".", "@", "alice@"), in the
 * one form in which domains are compared. */
void relay_config_domain(char **out, const struct conf_stmt *st, size_t w,
    struct conf_errors *ce);
/* All words from w on are networks. */
void relay_config_nets(struct net **n, size_t *count,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce);
/* "ADDRESS:PORT", "[ADDRESS]:PORT", numeric, or "unix:/PATH". */
bool relay_place_ok(const char *where);
/* "ADDRESS@PORT" or "ADDRESS", as libunbound wants it. */
bool relay_forward_ok(const char *forward);
/* sha256:HEX, with or without colons. */
int relay_config_pin(unsigned char sha256[32], const struct conf_stmt *st,
    size_t w, struct conf_errors *ce);

#endif
