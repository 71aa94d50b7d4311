/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Observing: everything is decided, nothing is done. The last thing that
 * happens to a verdict, wherever it was made.
 */
#ifndef GATEWAY_OBSERVE_H
#define GATEWAY_OBSERVE_H

#include "gateway/gateway.h"

/* What a verdict keeps of the envelope: id, time, sender, login. */
void verdict_note_envelope(struct verdict *v, const struct envelope *env);

/*
 * Where the envelope says observe: the message goes on as it came, whatever
 * was decided or failed, and nothing is learned or remembered. What would
 * have been stays in the verdict, recipient for recipient.
 */
void verdict_observe(struct verdict *v, const struct envelope *env);

#endif
