/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The policy: a recipient's route, MX hosts, addresses, DANE, MTA-STS and the
 * lines of tls-policy { } to one struct route. Blocking, any thread: used by
 * the policy process and by postseal policy explain.
 */
#ifndef RELAY_ENGINE_H
#define RELAY_ENGINE_H

#include "relay/route.h"

struct engine;
int engine_new(struct engine **out, const struct relay_config *c,
    struct err *e) MUST_CHECK;
void engine_free(struct engine **g);

/* Never fails: what is wrong is in the route. story, if not NULL: sentences
 * and facts for postseal policy explain, one "key<TAB>value" a line. */
void engine_route(struct engine *g, const struct route_query *q,
    struct route **out, struct buf *story);

/* For struct service: questions of relay/route.h. */
int engine_answer(void *engine, struct view question, struct buf *reply,
    struct err *e) MUST_CHECK;
/* A connection of Postfix's socketmap client, until it ends. */
void engine_socketmap(void *engine, int fd);
/* Housekeeping: STS refresh, announcements, state to disk. */
void engine_second(void *engine);
/* Another one keeps house from now on; questions are answered as before. */
void engine_retired(void *engine);

#endif
