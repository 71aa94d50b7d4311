/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One message on its way through a worker, seen from the front.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "gateway/reply.h"
#include "util/clock.h"
#include "milter/ctl.h"
#include "milter/front.h"
#include "milter/parcel.h"
#include "milter/ticket.h"
#include "util/log.h"
#include "util/ossl.h"

struct run {
	struct front *f;
	const struct envelope *env;
	struct txn *t;
	struct pool_wait wait; /* deadline and tick of the whole message */
	enum job_kind kind;
};

/* Below what a client waits, and enough for any message. */
#define OBSERVE_MS 20000

enum result {
	RESULT_OK,
	RESULT_GONE,    /* the worker was dead before it began: try another */
	RESULT_DEAD,    /* it died, hung or talked nonsense over this one */
	RESULT_FAULT    /* not the worker's fault */
};

/* Readable before the deadline? Ticks while waiting. */
static bool wait_answer(const struct run *r, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left;
	int n;

	while ((left = r->wait.until_ms - clock_ms()) > 0) {
		if (left > r->wait.tick_ms)
			left = r->wait.tick_ms;
		n = poll(&p, 1, (int)left);
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
		r->wait.tick(r->wait.arg);
	}
	return false;
}

/* Only the parent may end a worker that hangs. */
static void ask_to_kill(struct front *f, const struct pool_worker *w)
{
	struct ctl m = { .kind = CTL_KILL, .number = w->number, .fd = -1 };

	m.generation = w->gen->id;
	(void)pthread_mutex_lock(&f->parent.lock);
	if (ctl_send(f->parent.fd, &m, NULL) != 0)
		log_err("event=front error=\"the parent is gone\"");
	(void)pthread_mutex_unlock(&f->parent.lock);
}

static int receive(int fd, struct answer *a, struct err *e)
{
	struct buf in;
	struct spool *body = NULL;
	struct view payload;
	int fds[IPC_FDS], rc;

	buf_init(&in, CAP_IPC);
	rc = ipc_recv_only(fd, &in, fds, e);
	if (rc <= 0) {
		buf_free(&in);
		return rc == 0 ? err_set(e, FAIL_TEMP, "it ended") : -1;
	}
	rc = parcel_get(buf_view(&in), fds, &payload, &body, e);
	if (rc == 0)
		rc = wire_get_answer(a, payload, e);
	buf_free(&in);
	a->body = body;
	return rc;
}

static bool can_be_done(const struct envelope *env, const struct copy *c)
{
	if (c->kind == COPY_HELD)
		return env->can_hold;
	return c->by_tls ? env->can_tls : env->can_split;
}

/* What must not be believed. */
static int check(const struct run *r, const struct pool_gen *g,
    const struct answer *a, struct err *e)
{
	size_t i;

	if (a->body != NULL &&
	    spool_size(a->body) > answer_most(g->max_message))
		return err_set(e, FAIL_BUG, "an answer of %llu octets",
		    (unsigned long long)spool_size(a->body));
	for (i = 0; i < a->copies; i++)
		if (!can_be_done(r->env, &a->copy[i].copy))
			return err_set(e, FAIL_BUG, "a copy that nobody can "
			    "send or keep");
	return answer_check(a, r->env->rcpts, e);
}

static enum result send_job(const struct run *r, struct pool_worker *w,
    const unsigned char ticket[TICKET_ID], struct err *e)
{
	enum result rc = RESULT_FAULT;
	struct buf out;
	int fd;

	buf_init(&out, CAP_IPC);
	if (parcel_put(&out, r->t->msg, &fd, e) != 0)
		goto out;
	wire_put_job(&out, r->kind, ticket, r->env);
	if (buf_ok(&out, e) != 0)
		goto out;
	rc = ipc_send(w->fd, buf_view(&out), &fd, fd >= 0, e) == 0 ? RESULT_OK :
	    RESULT_GONE;
out:
	buf_free(&out);
	return rc;
}

static enum result use_worker(const struct run *r, struct pool_worker *w,
    struct answer *a, struct err *e)
{
	unsigned char ticket[TICKET_ID];
	enum result rc;

	ossl_random(ticket, sizeof(ticket));
	if (ticket_send(w->gen->tickets, ticket, w->number, r->env, e) != 0)
		return RESULT_GONE; /* keys is gone, and with it this worker */
	rc = send_job(r, w, ticket, e);
	if (rc != RESULT_OK)
		goto out;
	if (!wait_answer(r, w->fd)) {
		(void)err_set(e, FAIL_TEMP, "no answer in time");
		stats_add(&r->f->stats->worker_timeouts);
		rc = RESULT_DEAD;
	} else if (receive(w->fd, a, e) != 0 ||
	    check(r, w->gen, a, e) != 0) {
		rc = RESULT_DEAD;
	}
	if (rc == RESULT_DEAD)
		ask_to_kill(r->f, w);
out:
	/* The next ticket of a worker ends this one; one will follow at once
	 * where somebody waits. */
	if (rc != RESULT_OK || !pool_is_wanted(r->f->pool))
		ticket_close(w->gen->tickets, ticket);
	return rc;
}

/* Take workers until one takes the job. */
static enum result attempt(const struct run *r, struct answer *a,
    struct err *e)
{
	struct pool_worker *w;
	enum result rc;

	do {
		err_clear(e);
		if (pool_take(r->f->pool, &r->wait, &w, e) != 0) {
			answer_reply(a, r->env, e->kind == FAIL_LIMIT ?
			    REPLY_OVERLOAD : REPLY_INTERNAL, NULL);
			return RESULT_FAULT;
		}
		rc = use_worker(r, w, a, e);
		if (rc == RESULT_OK || rc == RESULT_FAULT)
			pool_give(r->f->pool, &w);
		else
			pool_drop(r->f->pool, &w);
	} while (rc == RESULT_GONE);
	if (rc == RESULT_FAULT)
		answer_reply(a, r->env, REPLY_INTERNAL, NULL);
	return rc;
}

/* A worker died over it. How often was that so with these octets? */
static unsigned count_death(const struct run *r, const struct err *e)
{
	unsigned char hash[32];
	char hex[65];
	struct err why = { 0 };
	unsigned deaths = 1;

	stats_add(&r->f->stats->worker_deaths);
	if (poison_hash(r->t->msg, hash, &why) == 0) {
		deaths = poison_death(r->f->poison, hash,
		    spool_size(r->t->msg));
		(void)hex_encode(hex, hash, sizeof(hash));
	} else {
		hex[0] = '\0';
	}
	log_err("id=%s qid=%s event=worker-death deaths=%u sha256=%s "
	    "reason=\"%s\"", r->env->id, r->env->queue_id == NULL ? "-" :
	    r->env->queue_id, deaths, hex, e->msg);
	return deaths;
}

static bool is_poisoned(const struct run *r)
{
	unsigned char hash[32];

	return poison_maybe(r->f->poison, spool_size(r->t->msg)) &&
	    poison_hash(r->t->msg, hash, NULL) == 0 &&
	    poison_is(r->f->poison, hash);
}

static void run_poisoned(struct run *r, struct answer *a)
{
	struct err e = { 0 };

	r->kind = JOB_POISONED;
	stats_add(&r->f->stats->poisoned);
	log_err("id=%s qid=%s event=poisoned", r->env->id,
	    r->env->queue_id == NULL ? "-" : r->env->queue_id);
	if (attempt(r, a, &e) == RESULT_DEAD)
		answer_reply(a, r->env, REPLY_INTERNAL, NULL);
}

void front_run(struct front *f, const struct envelope *env, struct txn *t,
    void (*tick)(void *arg), void *arg, struct answer *a)
{
	struct run r = { f, env, t, { 0, f->progress_ms, tick, arg },
	    JOB_RUN };
	struct err e = { 0 };
	enum result rc;

	r.wait.until_ms = clock_ms() + f->deadline_ms;
	if (env->observe) /* mail that nothing is done to must not wait */
		r.wait.until_ms = clock_ms() + OBSERVE_MS;
	if (is_poisoned(&r)) {
		run_poisoned(&r, a);
		return;
	}
	rc = attempt(&r, a, &e);
	if (rc == RESULT_FAULT)
		log_err("id=%s error=\"%s\"", env->id, e.msg);
	if (rc != RESULT_DEAD)
		return;
	if (count_death(&r, &e) < 2) {
		answer_reply(a, env, REPLY_INTERNAL, NULL);
		return;
	}
	/* the deadline was perhaps what killed it */
	r.wait.until_ms = clock_ms() + f->progress_ms;
	run_poisoned(&r, a);
}
