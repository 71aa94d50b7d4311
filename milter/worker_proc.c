/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Receive a job, run the pipeline, send the verdict. What to do with a
 * message is decided in gateway/.
 */
#include "milter/worker_proc.h"

#include <malloc.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway/kinds.h"
#include "gateway/observe.h"
#include "gateway/reply.h"
#include "milter/fetch_client.h"
#include "milter/keys_client.h"
#include "milter/parcel.h"
#include "milter/wire.h"
#include "util/log.h"
#include "util/ossl.h"

/* A spool, and all spools of a message together, in memory: what a message
 * of a megabyte needs on its way, and no more for a larger one. */
#define SPOOL_EACH (4u << 20)
#define SPOOL_TOGETHER (8u << 20)
/* After a message of this size memory goes back to the system. */
#define TRIM_ABOVE (4u << 20)

/* Nobody says more: what made it has a limit of its own. */
#define WHOLE_MAX (UINT64_MAX / 2)

struct worker {
	struct gateway *g;
	struct keys_client keys;
	int jobs;
	struct buf in, out;
};

static void decide(struct worker *w, const struct job *j, struct spool *msg,
    struct verdict *v)
{
	struct err e = { 0 };

	memcpy(w->keys.ticket, j->ticket, sizeof(w->keys.ticket));
	if (j->kind == JOB_POISONED)
		gateway_poisoned(w->g, &j->env, msg, v);
	else
		gateway_run(w->g, &j->env, msg, v, &e);
	if (j->env.whole && (v->action == ACT_REPLACED ||
	    v->action == ACT_SPLIT) &&
	    verdict_whole(v, msg, WHOLE_MAX, &e) != 0)
		reply_from_err(v, &e);
	if (e.kind != 0)
		log_err("id=%s qid=%s error=\"%s\"", j->env.id,
		    j->env.queue_id == NULL ? "-" : j->env.queue_id, e.msg);
}

static void cannot_read(const struct job *j, struct verdict *v,
    const struct err *e)
{
	log_err("id=%s error=\"%s\"", j->env.id, e->msg);
	verdict_note_envelope(v, &j->env);
	reply_set(v, REPLY_INTERNAL, NULL);
	verdict_observe(v, &j->env);
}

/* One file for all: the copies, then the body. */
static int join_octets(const struct verdict *v, struct spool **octets,
    struct err *e)
{
	struct sink to;

	if (v->copies == NULL || v->copy_n == 0)
		return 0;
	*octets = v->copies;
	if (wire_copies_end(v) != spool_size(v->copies))
		return err_set(e, FAIL_BUG, "copies end before their octets");
	if (v->body == NULL)
		return 0;
	to = spool_sink(v->copies);
	return spool_copy(v->body, 0, spool_size(v->body), &to, e);
}

static void drop_changes(struct verdict *v)
{
	spool_free(&v->body);
	spool_free(&v->copies);
	v->copy_n = 0;
	v->edits = 0;
}

static int send_answer(struct worker *w, struct verdict *v,
    const char *queue_id, struct err *e)
{
	struct err why = { 0 };
	struct spool *octets = v->body;
	int fd = -1;

	if (join_octets(v, &octets, &why) != 0 ||
	    parcel_put(&w->out, octets, &fd, &why) != 0) {
		log_err("id=%s error=\"%s\"", v->id, why.msg);
		drop_changes(v);
		reply_set(v, REPLY_INTERNAL, NULL);
		if (parcel_put(&w->out, NULL, &fd, e) != 0)
			return -1;
	}
	wire_put_answer(&w->out, v, queue_id);
	if (buf_ok(&w->out, e) != 0)
		return -1;
	return ipc_send(w->jobs, buf_view(&w->out), &fd, fd >= 0, e);
}

static int work(struct worker *w, int fds[IPC_FDS], struct err *e)
{
	struct spool *msg = NULL;
	struct verdict v;
	struct job j;
	struct err why = { 0 };
	struct view payload;
	uint64_t size;
	int got, rc;

	verdict_init(&v);
	got = parcel_get(buf_view(&w->in), fds, &payload, &msg, &why);
	rc = wire_get_job(&j, payload, e);
	if (rc == 0 && got == 0 && msg == NULL)
		rc = err_set(e, FAIL_BUG, "job without a message");
	if (rc == 0 && got != 0 && why.kind == FAIL_BUG)
		rc = err_set(e, FAIL_BUG, "%s", why.msg);
	if (rc != 0)
		goto out;
	if (msg != NULL)
		decide(w, &j, msg, &v);
	else /* memory or disk: no reason to die over it */
		cannot_read(&j, &v, &why);
	rc = send_answer(w, &v, j.env.queue_id, e);
out:
	size = msg == NULL ? 0 : spool_size(msg);
	job_free(&j);
	verdict_free(&v);
	spool_free(&msg);
	if (size > TRIM_ABOVE)
		(void)malloc_trim(0);
	return rc;
}

/* Its answer was a deferral; the next message gets another process. */
static int check_health(const struct worker *w, struct err *e)
{
	if (memory_lacked())
		return err_set(e, FAIL_TEMP, "out of memory");
	if (w->keys.is_lost)
		return err_set(e, FAIL_TEMP, "no way to the keys process");
	return 0;
}

int worker_loop(struct gateway *g, int jobs, int keys, struct err *e)
{
	struct worker w = { .g = g, .jobs = jobs };
	struct key_ops ops;
	int fds[IPC_FDS];
	int rc;

	/* Memory of one message serves the next: else every message asks the
	 * system for it and gives it back. */
	(void)mallopt(M_TRIM_THRESHOLD, TRIM_ABOVE);
	(void)mallopt(M_TOP_PAD, 1 << 20);
	keys_client_init(&w.keys, keys);
	ops = keys_client_ops(&w.keys);
	g->keys = &ops;
	buf_init(&w.in, CAP_IPC);
	buf_init(&w.out, CAP_IPC);
	while ((rc = ipc_recv_only(jobs, &w.in, fds, e)) == 1) {
		rc = work(&w, fds, e);
		if (rc == 0)
			rc = check_health(&w, e);
		if (rc != 0)
			break;
	}
	g->keys = NULL;
	buf_free(&w.in);
	buf_free(&w.out);
	return rc;
}

void worker_proc(const struct worker_start *s)
{
	struct gateway g = { s->config, s->rules, NULL, NULL, NULL };
	struct lookup_ops lookup;
	struct fetch_client fetch;
	struct err e = { 0 };

	child_drop(&s->ids);
	spool_set_memory(SPOOL_EACH, SPOOL_TOGETHER, SPOOL_TOGETHER);
	if (s->config->spool != NULL &&
	    spool_set_dir(s->config->spool, &e) != 0) {
		log_err("event=start process=worker error=\"%s\"", e.msg);
		_exit(EX_CONFIG);
	}
	/* a provider is a file that is opened by the dynamic linker */
	if (s->config->legacy_ciphers && ossl_legacy_load(&e) != 0) {
		log_err("event=start process=worker error=\"%s\"", e.msg);
		_exit(EX_CONFIG);
	}
	/* libmagic's database is read once, and mail comes later */
	if (rules_look_inside(s->rules) && kinds_open(&e) != 0) {
		log_err("event=start process=worker error=\"%s\"", e.msg);
		_exit(EX_CONFIG);
	}
	/* before the keystore: no descriptor that could write to it */
	child_sandbox(SANDBOX_WORKER);
	if (keystore_open(&g.ks, s->config->keystore, KS_READ, &e) != 0) {
		log_err("event=start process=worker error=\"%s\"", e.msg);
		_exit(e.kind == FAIL_TEMP ? EX_TEMPFAIL : EX_CONFIG);
	}
	fetch_client_init(&fetch, s->lookups);
	lookup = fetch_client_ops(&fetch);
	if (s->config->directories > 0)
		g.lookup = &lookup;
	child_ready(s->ctl);
	if (worker_loop(&g, s->jobs, s->keys, &e) != 0)
		log_err("event=worker error=\"%s\"", e.msg);
	keystore_close(&g.ks);
	_exit(e.kind == 0 ? 0 : EX_SOFTWARE);
}
