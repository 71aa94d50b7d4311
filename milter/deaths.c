/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the parent does when a child is gone.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "util/clock.h"
#include "util/notify.h"
#include "milter/parent_int.h"
#include "util/log.h"

static const char *how(int status, struct buf *b)
{
	if (WIFSIGNALED(status))
		buf_printf(b, "signal %d", WTERMSIG(status));
	else
		buf_printf(b, "status %d", WEXITSTATUS(status));
	return buf_str(b);
}

static void say_death(const char *role, pid_t pid, int status)
{
	struct buf b;

	buf_init(&b, 64);
	log_err("event=death process=%s pid=%ld reason=\"%s\"", role,
	    (long)pid, how(status, &b));
	buf_free(&b);
}

static struct parent_worker *find_worker(struct generation *g, pid_t pid)
{
	size_t i;

	for (i = 0; g != NULL && i < g->workers; i++)
		if (g->worker[i].c.pid == pid)
			return &g->worker[i];
	return NULL;
}

/* A generation that cannot start: the one before it stays. */
static void give_up_starting(struct parent *p, const struct child *died)
{
	generation_kill(p->starting, SIGKILL);
	generation_retire(p, &p->starting);
	if (p->is_reloading) {
		p->is_reloading = false;
		stats_add(&p->stats->reloads_failed);
		log_err("event=reload error=\"the new processes do not "
		    "start, the old ones go on\"");
		notify_send("READY=1");
		if (p->live != NULL) {
			setup_release(&p->setup);
			p->setup = setup_ref(p->live->setup);
			return;
		}
	}
	again_at(&p->generation_at_ms, &p->generation_wait, died);
}

void on_old_death(struct parent *p, pid_t pid)
{
	struct generation *g;
	struct parent_worker *w;

	for (g = p->old; g != NULL; g = g->next) {
		if (g->keys.pid == pid)
			child_gone(&g->keys);
		w = find_worker(g, pid);
		if (w != NULL)
			child_gone(&w->c);
	}
	generation_sweep(p);
}

/* keys or a worker, of the live generation or the starting one? */
static bool on_generation_death(struct parent *p, pid_t pid, int status)
{
	struct generation *s = p->starting, *l = p->live;
	struct parent_worker *w;
	struct child died;

	if (s != NULL && (s->keys.pid == pid || find_worker(s, pid) != NULL)) {
		w = find_worker(s, pid);
		say_death(w == NULL ? "keys" : "worker", pid, status);
		died = w == NULL ? s->keys : w->c;
		child_gone(w == NULL ? &s->keys : &w->c);
		give_up_starting(p, &died);
		return true;
	}
	if (l == NULL)
		return false;
	if (l->keys.pid == pid) {
		say_death("keys", pid, status);
		stats_add(&p->stats->keys_deaths);
		child_gone(&l->keys);
		if (s == NULL)
			again_at(&p->generation_at_ms, &p->generation_wait,
			    &l->keys);
		return true;
	}
	w = find_worker(l, pid);
	if (w == NULL)
		return false;
	say_death("worker", pid, status);
	child_gone(&w->c);
	again_at(&w->start_at_ms, &p->worker_wait, &w->c);
	return true;
}

static void on_front_death(struct parent *p, pid_t pid, int status)
{
	say_death("front", pid, status);
	stats_add(&p->stats->front_deaths);
	atomic_store(&p->stats->workers, 0);
	atomic_store(&p->stats->busy, 0);
	atomic_store(&p->stats->waiting, 0);
	child_gone(&p->front);
	/* It ended in order though nobody said so: a signal. libmilter has
	 * then closed the listening socket, and a new front could do nothing
	 * with it. */
	p->has_lost_socket = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	again_at(&p->front_at_ms, &p->front_wait, &p->front);
	/* its workers saw their sockets close and end; so does the store */
	generation_retire(p, &p->live);
	if (p->starting == NULL)
		p->generation_at_ms = p->front_at_ms;
}

static void on_death(struct parent *p, pid_t pid, int status)
{
	if (pid == p->front.pid) {
		on_front_death(p, pid, status);
	} else if (pid == p->store.pid) {
		if (status != 0)
			say_death("store", pid, status);
		child_gone(&p->store);
		again_at(&p->store_at_ms, &p->store_wait, &p->store);
	} else if (pid == p->metrics.pid) {
		if (status != 0)
			say_death("metrics", pid, status);
		child_gone(&p->metrics);
		again_at(&p->metrics_at_ms, &p->metrics_wait, &p->metrics);
	} else if (pid == p->fetch.pid) {
		if (status != 0)
			say_death("fetch", pid, status);
		child_gone(&p->fetch);
		again_at(&p->fetch_at_ms, &p->fetch_wait, &p->fetch);
	} else if (!on_generation_death(p, pid, status)) {
		on_old_death(p, pid);
	}
}

/* 0, or an exit code: a child died before all had started, or there is no
 * way to go on. */
int parent_reap(struct parent *p)
{
	int status, code = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!p->has_started && code == 0)
			code = WIFEXITED(status) && WEXITSTATUS(status) != 0 ?
			    WEXITSTATUS(status) : EX_SOFTWARE;
		on_death(p, pid, status);
	}
	if (p->has_lost_socket) {
		log_err("event=front error=\"it was told to end by somebody "
		    "else\"");
		return EX_TEMPFAIL;
	}
	return code;
}

