/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A job for a worker and its answer as octets. The message and the new body
 * travel beside them as descriptors. Both decoders take what the other side
 * may have made up: everything is capped and checked, nothing is trusted.
 */
#ifndef MILTER_WIRE_H
#define MILTER_WIRE_H

#include "gateway/gateway.h"

#define WIRE_TICKET 16
/* The audit record; a larger one is left out, and the answer says so. */
#define WIRE_JSON_MAX (1u << 20)
#define WIRE_LOG_MAX 4000
#define WIRE_EDITS_MAX (2 * CAP_HEADER_FIELDS + 100)

/* How a worker is to treat a message. */
enum job_kind {
	JOB_RUN = 1,
	JOB_POISONED /* it killed two workers: decide without looking */
};

struct job {
	enum job_kind kind;
	unsigned char ticket[WIRE_TICKET];
	struct envelope env; /* strings owned by the job */
	char **rcpt;	     /* env.rcpt; owned */
};

void wire_put_job(struct buf *b, enum job_kind kind,
    const unsigned char ticket[WIRE_TICKET], const struct envelope *env);
/* FAIL_BUG: malformed; FAIL_TEMP: memory. j is to be freed in any case. */
int wire_get_job(struct job *j, struct view v, struct err *e) MUST_CHECK;
void job_free(struct job *j);

/* What the front needs to know of a verdict. */
struct answer {
	enum action action;
	enum direction direction; /* 0: mixed */
	int code;		  /* 0: none */
	char enhanced[12];
	char text[1024];
	bool ret_hdrs;
	bool has_body;
	bool has_opened; /* as in the verdict */
	unsigned char opened[32];
	struct learned learned;
	struct harvested harvested; /* address and der only */
	struct edit *edit; /* owned */
	size_t edits;
	char *log;	    /* one line; owned, or NULL */
	struct buf json;    /* audit record; empty: none */
	struct spool *body; /* put here by the receiver; owned */
};

/* What was learned, empty or not; nobody on the way looks at it, but the
 * sizes are right. -1: malformed. */
void wire_put_learned(struct buf *b, const struct learned *l);
int wire_get_learned(struct learned *l, struct rd *r) MUST_CHECK;

/* A certificate for the store, the same way. h->der is begun, and to be
 * freed. */
void wire_put_harvested(struct buf *b, const struct harvested *h);
int wire_get_harvested(struct harvested *h, struct rd *r) MUST_CHECK;

void answer_init(struct answer *a);
void answer_free(struct answer *a); /* may be repeated */

/* json and log line are made here. */
void wire_put_answer(struct buf *b, const struct verdict *v,
    const char *queue_id);
/*
 * FAIL_BUG also for what must never reach the MTA: header names or values
 * that may not stand in a header (M4), a reply that does not fit its action
 * or holds control octets (M9), a body without a change.
 */
int wire_get_answer(struct answer *a, struct view v, struct err *e) MUST_CHECK;

/* An answer of the front itself, by the table of replies. */
void answer_reply(struct answer *a, const struct envelope *env, int reply_case,
    const char *detail);

#endif
