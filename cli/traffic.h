/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What postseal report counts: one record after the other, in bounded memory.
 */
#ifndef CLI_TRAFFIC_H
#define CLI_TRAFFIC_H

#include "cli/tally.h"
#include "util/json_read.h"

/* Recipients by what became of them, or would have. */
enum traffic_fate {
	FATE_SEALED,
	FATE_TLS, /* only over a TLS hop that proves itself */
	FATE_SIGNED,
	FATE_PLAIN,
	FATE_REFUSED, /* and deferred, quarantined */
	FATE_OPENED,
	FATE_OTHER,
	FATES
};

/* Counts of a row by domain, partner, user: */
enum traffic_column {
	COLUMN_ALL,
	COLUMN_SEALED,
	COLUMN_TLS,
	COLUMN_CLEAR, /* signed or not */
	COLUMN_REFUSED,
	COLUMN_LACKING /* no certificate was found */
};

struct traffic {
	uint64_t messages, observed, unreadable;
	uint64_t fate[FATES];
	struct tally flow;	/* "outbound replaced"; n[1]: only observed */
	struct tally class;
	struct tally domain;	/* recipients of outgoing mail */
	struct tally partner;	/* addresses without a certificate */
	struct tally user;	/* messages by who sent them */
	struct tally reason;	/* why not: messages */
	struct tally signature; /* why it failed: messages */
	struct json_tree tree;
};

/* Count one verdict. What is none is unreadable, and is counted. -1 only when
 * memory is out. */
int traffic_count(struct traffic *r, const char *id, struct view json,
    struct err *e) MUST_CHECK;
/* Everything in order, once, when all is counted. */
void traffic_sort(struct traffic *r);
void traffic_free(struct traffic *r);

#endif
