/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A keys process and its workers: start, hand over, end.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/clock.h"
#include "milter/ctl.h"
#include "milter/keys_proc.h"
#include "milter/packet.h"
#include "milter/parent_int.h"
#include "milter/worker_proc.h"
#include "util/log.h"

/* Room for the tickets of many messages between two looks of keys. */
#define TICKET_BUFFER (1 << 20)

pid_t parent_fork(struct child *c, int *ctl, struct err *e)
{
	pid_t pid = child_fork(ctl, e);

	if (pid <= 0)
		return pid;
	c->pid = pid;
	c->ctl = *ctl;
	c->is_ready = false;
	c->born_ms = clock_ms();
	return pid;
}

static int start_keys(struct generation *g, struct stats *stats,
    struct err *e)
{
	int pair[2], keep[2], size = TICKET_BUFFER;
	pid_t pid;

	if (child_pair(SOCK_SEQPACKET, pair, e) != 0)
		return -1;
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	pid = parent_fork(&g->keys, &keep[0], e);
	if (pid == 0) {
		keep[1] = pair[1];
		child_begin(ROLE_KEYS, keep, 2);
		stats_drop(&stats);
		keys_proc(g->setup->config, keep[0], pair[1]);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return -1;
	}
	g->tickets = pair[0];
	return 0;
}

/* In the child. */
static void run_worker(struct parent *p, const struct generation *g,
    struct worker_start *s) NORETURN;

static void run_worker(struct parent *p, const struct generation *g,
    struct worker_start *s)
{
	int keep[4] = { s->ctl, s->jobs, s->keys, s->lookups };

	child_begin(ROLE_WORKER, keep, s->lookups >= 0 ? 4 : 3);
	stats_drop(&p->stats);
	s->config = g->setup->config;
	s->rules = g->setup->rules;
	worker_proc(s);
}

/* To the fetch process that runs; kept, because the next one needs it, too.
 * Without one a lookup finds nobody, which the worker says. */
static void hand_lookups(struct parent *p, struct parent_worker *w,
    int *take_fd)
{
	struct ctl m = { .kind = CTL_WORKER, .number = w->number,
		.fd = *take_fd };
	struct err e = { 0 };

	close_fd(&w->lookups);
	w->lookups = *take_fd;
	*take_fd = -1;
	if (m.fd >= 0 && p->fetch.ctl >= 0 &&
	    ctl_send(p->fetch.ctl, &m, &e) != 0)
		parent_log("start", &e);
}

int generation_worker(struct parent *p, struct generation *g,
    struct parent_worker *w, struct err *e)
{
	struct ctl m = { .kind = CTL_WORKER };
	struct worker_start s = { 0 };
	int jobs[2] = { -1, -1 }, keys[2] = { -1, -1 };
	int lookups[2] = { -1, -1 };
	pid_t pid;
	int rc = -1;

	if (child_ids(g->setup->config, ROLE_WORKER, &s.ids, e) != 0 ||
	    child_pair(SOCK_STREAM, jobs, e) != 0 ||
	    child_pair(SOCK_SEQPACKET, keys, e) != 0 ||
	    (g->setup->config->directories > 0 &&
	    packet_pair(lookups, e) != 0))
		goto out;
	s.jobs = jobs[1];
	s.keys = keys[1];
	s.lookups = lookups[1];
	pid = parent_fork(&w->c, &s.ctl, e);
	if (pid == 0)
		run_worker(p, g, &s);
	if (pid < 0)
		goto out;
	w->number = ++g->last_number;
	close_fd(&w->jobs);
	w->jobs = jobs[0];
	jobs[0] = -1;
	m.number = w->number;
	m.fd = keys[0];
	rc = ctl_send(g->keys.ctl, &m, e);
	hand_lookups(p, w, &lookups[0]);
out:
	close_fd(&jobs[0]);
	close_fd(&jobs[1]);
	close_fd(&keys[0]);
	close_fd(&keys[1]);
	close_fd(&lookups[0]);
	close_fd(&lookups[1]);
	return rc;
}

int generation_start(struct parent *p, struct setup *s, struct err *e)
{
	struct generation *g = calloc(1, sizeof(*g));
	size_t i;

	if (g == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	g->id = ++p->last_generation;
	g->setup = setup_ref(s);
	g->tickets = -1;
	g->keys.ctl = -1;
	g->workers = (size_t)s->config->workers;
	if (g->workers > WORKERS_MAX)
		g->workers = WORKERS_MAX;
	for (i = 0; i < g->workers; i++) {
		g->worker[i].jobs = -1;
		g->worker[i].lookups = -1;
		g->worker[i].c.ctl = -1;
	}
	if (start_keys(g, p->stats, e) != 0)
		goto fail;
	for (i = 0; i < g->workers; i++)
		if (generation_worker(p, g, &g->worker[i], e) != 0)
			goto fail;
	p->starting = g;
	return 0;
fail:
	generation_kill(g, SIGKILL);
	generation_retire(p, &g);
	return -1;
}

bool generation_is_ready(const struct generation *g)
{
	size_t i;

	for (i = 0; i < g->workers; i++)
		if (!g->worker[i].c.is_ready)
			return false;
	return g->keys.is_ready;
}

int generation_hand_worker(struct parent *p, struct generation *g,
    struct parent_worker *w, struct err *e)
{
	struct ctl m = { .kind = CTL_WORKER, .generation = g->id,
		.number = w->number, .fd = w->jobs };
	int rc;

	if (w->jobs < 0)
		return 0;
	rc = ctl_send(p->front.ctl, &m, e);
	close_fd(&w->jobs);
	return rc;
}

int generation_go_live(struct parent *p, struct err *e)
{
	struct generation *g = p->starting;
	const struct config *c = g->setup->config;
	struct ctl m = { .kind = CTL_GENERATION, .generation = g->id,
		.waiting = (uint32_t)c->waiting,
		.max_message = c->max_message, .observe = c->observe,
		.can_hold = c->quarantine.is_set, .fd = g->tickets };
	size_t i;

	if (c->reinject != NULL)
		text_set(m.reinject, sizeof(m.reinject), c->reinject);
	if (c->tls_route != NULL)
		text_set(m.tls_route, sizeof(m.tls_route), c->tls_route);
	if (ctl_send(p->front.ctl, &m, e) != 0)
		return -1;
	close_fd(&g->tickets);
	generation_retire(p, &p->live);
	p->live = g;
	p->starting = NULL;
	g->is_live = true;
	for (i = 0; i < g->workers; i++)
		if (generation_hand_worker(p, g, &g->worker[i], e) != 0)
			return -1;
	return 0;
}

void generation_retire(struct parent *p, struct generation **pg)
{
	struct generation *g = *pg;
	size_t i;

	if (g == NULL)
		return;
	close_fd(&g->tickets);
	close_fd(&g->keys.ctl);
	for (i = 0; i < g->workers; i++) {
		close_fd(&g->worker[i].jobs);
		close_fd(&g->worker[i].lookups);
		close_fd(&g->worker[i].c.ctl);
	}
	g->is_live = false;
	g->next = p->old;
	p->old = g;
	*pg = NULL;
}

void generation_kill(const struct generation *g, int sig)
{
	size_t i;

	if (g->keys.pid > 0)
		(void)kill(g->keys.pid, sig);
	for (i = 0; i < g->workers; i++)
		if (g->worker[i].c.pid > 0)
			(void)kill(g->worker[i].c.pid, sig);
}

static bool is_gone(const struct generation *g)
{
	size_t i;

	for (i = 0; i < g->workers; i++)
		if (g->worker[i].c.pid > 0)
			return false;
	return g->keys.pid <= 0;
}

void generation_sweep(struct parent *p)
{
	struct generation **at = &p->old, *g;

	while ((g = *at) != NULL) {
		if (!is_gone(g)) {
			at = &g->next;
			continue;
		}
		*at = g->next;
		setup_release(&g->setup);
		free(g);
	}
}
