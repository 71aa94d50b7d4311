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

#include "gateway/reply.h"
#include "milter/keys_client.h"
#include "milter/wire.h"
#include "util/log.h"

/* After a message of this size memory goes back to the system. */
#define TRIM_ABOVE (4u << 20)

struct worker {
	struct gateway *g;
	struct keys_client keys;
	int jobs;
	struct buf in, out;
};

static void take_fd(struct spool **msg, int fds[IPC_FDS], struct err *e)
{
	size_t i;

	if (fds[0] < 0)
		(void)err_set(e, FAIL_BUG, "job without a message");
	else if (spool_from_fd(msg, fds[0], UINT64_MAX, e) != 0)
		*msg = NULL;
	for (i = 1; i < IPC_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void decide(struct worker *w, const struct job *j, struct spool *msg,
    struct verdict *v)
{
	struct err e = { 0 };

	memcpy(w->keys.ticket, j->ticket, sizeof(w->keys.ticket));
	if (j->kind == JOB_POISONED)
		gateway_poisoned(w->g->config, &j->env, v);
	else
		gateway_run(w->g, &j->env, msg, v, &e);
	if (e.kind != 0)
		log_err("id=%s qid=%s error=\"%s\"", j->env.id,
		    j->env.queue_id == NULL ? "-" : j->env.queue_id, e.msg);
}

static void cannot_read(const struct job *j, struct verdict *v,
    const struct err *e)
{
	log_err("id=%s error=\"%s\"", j->env.id, e == NULL ? "no message" :
	    e->msg);
	if (view_cstr(view_of(j->env.id), v->id, sizeof(v->id)) != 0)
		v->id[0] = '\0';
	reply_set(v, REPLY_INTERNAL, NULL);
}

static int send_answer(struct worker *w, struct verdict *v,
    const char *queue_id, struct err *e)
{
	struct err why = { 0 };
	int fd = -1;

	if (v->body != NULL && spool_fd(v->body, &fd, &why) != 0) {
		log_err("id=%s error=\"%s\"", v->id, why.msg);
		spool_free(&v->body);
		reply_set(v, REPLY_INTERNAL, NULL);
		v->edits = 0;
	}
	buf_clear(&w->out);
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
	uint64_t size;
	bool has_fd;
	int rc;

	verdict_init(&v);
	has_fd = fds[0] >= 0;
	take_fd(&msg, fds, e);
	rc = wire_get_job(&j, buf_view(&w->in), e);
	if (rc != 0 || !has_fd) {
		rc = -1;
		goto out;
	}
	if (msg != NULL)
		decide(w, &j, msg, &v);
	else /* memory or disk: no reason to die over it */
		cannot_read(&j, &v, e);
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

int worker_loop(struct gateway *g, int jobs, int keys, struct err *e)
{
	struct worker w = { .g = g, .jobs = jobs };
	struct key_ops ops;
	int fds[IPC_FDS];
	int rc;

	keys_client_init(&w.keys, keys);
	ops = keys_client_ops(&w.keys);
	g->keys = &ops;
	buf_init(&w.in, CAP_IPC);
	buf_init(&w.out, CAP_IPC);
	while ((rc = ipc_recv(jobs, &w.in, fds, e)) == 1)
		if ((rc = work(&w, fds, e)) != 0)
			break;
	g->keys = NULL;
	buf_free(&w.in);
	buf_free(&w.out);
	return rc;
}

void worker_proc(const struct worker_start *s)
{
	struct gateway g = { s->config, s->rules, NULL, NULL };
	struct err e = { 0 };

	child_drop(&s->ids);
	if (s->config->spool != NULL &&
	    spool_set_dir(s->config->spool, &e) != 0) {
		log_err("event=start process=worker error=\"%s\"", e.msg);
		_exit(EX_CONFIG);
	}
	/* before the keystore: no descriptor that could write to it */
	child_sandbox(SANDBOX_WORKER);
	if (keystore_open(&g.ks, s->config->keystore, KS_READ, &e) != 0) {
		log_err("event=start process=worker error=\"%s\"", e.msg);
		_exit(e.kind == FAIL_TEMP ? EX_TEMPFAIL : EX_CONFIG);
	}
	child_ready(s->ctl);
	if (worker_loop(&g, s->jobs, s->keys, &e) != 0)
		log_err("event=worker error=\"%s\"", e.msg);
	keystore_close(&g.ks);
	_exit(e.kind == 0 ? 0 : EX_SOFTWARE);
}
