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

/* A copy, its octets in the answer's body. */
struct answer_copy {
	struct copy copy;
	char reason[256]; /* why it is held */
};

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
	/* put here by the receiver; owned: the copies, and from body_at on
	 * the new body */
	struct spool *body;
	uint64_t body_at;
	/* as in the verdict */
	struct answer_copy *copy; /* owned */
	size_t copies;
	int here;
	int *group; /* of each recipient; owned; NULL without copies */
	size_t groups;
	bool may_tell;
	/* of every message with copies, and where the envelope asked for the
	 * whole; else 0 */
	unsigned char content[32];
	bool has_message_id;
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

/* ---- wire_copies.c ---- */

void wire_put_copies(struct buf *b, const struct verdict *v);
/* Where the octets of the last copy end: there the body's begin. */
uint64_t wire_copies_end(const struct verdict *v);
int wire_get_copies(struct answer *a, struct rd *r, struct err *e) MUST_CHECK;
/*
 * With its octets in a->body: is everything there, and every one of so many
 * recipients either here or in exactly one copy? FAIL_BUG.
 */
int answer_check(const struct answer *a, size_t rcpts, struct err *e)
    MUST_CHECK;
/* Whatever a worker says: no answer has more octets than this for a message
 * of max_message. */
uint64_t answer_most(uint64_t max_message);

/* An answer of the front itself, by the table of replies. */
void answer_reply(struct answer *a, const struct envelope *env, int reply_case,
    const char *detail);
/* The same where the words are another server's. */
void answer_refuse(struct answer *a, const struct envelope *env, int code,
    const char *enhanced, const char *text);

#endif
