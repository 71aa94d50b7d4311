/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Starting the children that are not of a generation, and starting again what
 * died: when, and how often.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/clock.h"
#include "milter/ctl.h"
#include "milter/fetch_proc.h"
#include "milter/front_proc.h"
#include "milter/metrics_proc.h"
#include "milter/packet.h"
#include "milter/parent_int.h"
#include "milter/store_proc.h"
#include "util/log.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 10000
/* Between two generations that lists ask for. */
#define RENEW_MS 5000
/* Who lived this long did not die of its start. */
#define BACKOFF_FORGET_MS 10000

void parent_log(const char *what, const struct err *e)
{
	log_sentence(LOG_L_ERR, what, "error", e->msg);
}

void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void child_gone(struct child *c)
{
	c->pid = 0;
	c->is_ready = false;
	close_fd(&c->ctl);
}

int64_t backoff_next(struct backoff *b, int64_t born_ms)
{
	int64_t wait;

	if (clock_ms() - born_ms >= BACKOFF_FORGET_MS)
		b->delay_ms = 0;
	wait = b->delay_ms;
	b->delay_ms = wait == 0 ? BACKOFF_FIRST_MS : wait * 2;
	if (b->delay_ms > BACKOFF_MAX_MS)
		b->delay_ms = BACKOFF_MAX_MS;
	return wait;
}

void again_at(int64_t *at, struct backoff *b, const struct child *c)
{
	*at = clock_ms() + backoff_next(b, c->born_ms);
	if (*at == 0)
		*at = 1;
}

/* ---- one each ---- */

int start_front(struct parent *p, struct err *e)
{
	struct front_start s = { .config = p->setup->config,
		.stats = p->stats, .listen = p->listen,
		.doors = &p->doors };
	int keep[2 + DOORS_MAX];
	size_t n = 0, i;
	pid_t pid;

	if (child_ids(s.config, ROLE_FRONT, &s.ids, e) != 0)
		return -1;
	pid = parent_fork(&p->front, &s.ctl, e);
	if (pid == 0) {
		keep[n++] = s.ctl;
		if (p->listen >= 0)
			keep[n++] = p->listen;
		for (i = 0; i < p->doors.n; i++)
			keep[n++] = p->doors.sock[i].fd;
		child_begin(ROLE_FRONT, keep, n);
		front_proc(&s);
	}
	return pid < 0 ? -1 : 0;
}

/* A new socket between store and fetch, whichever of the two is new. */
static void link_fetch(struct parent *p)
{
	struct ctl m = { .kind = CTL_FETCH };
	struct err e = { 0 };
	int pair[2];

	if (p->store.ctl < 0 || p->fetch.ctl < 0)
		return;
	if (packet_pair(pair, &e) != 0) {
		parent_log("start", &e);
		return;
	}
	m.fd = pair[0];
	if (ctl_send(p->store.ctl, &m, &e) != 0)
		parent_log("start", &e);
	m.fd = pair[1];
	if (ctl_send(p->fetch.ctl, &m, &e) != 0)
		parent_log("start", &e);
	close(pair[0]);
	close(pair[1]);
}

/* In the child. */
static void run_store(struct parent *p, const struct store_start *s) NORETURN;

static void run_store(struct parent *p, const struct store_start *s)
{
	const int keep[3] = { s->ctl, s->records, s->requests };

	child_begin(ROLE_STORE, keep, 3);
	stats_drop(&p->stats);
	store_proc(s);
}

int start_store(struct parent *p, struct err *e)
{
	struct store_start s = { .config = p->setup->config,
		.rules = p->setup->rules };
	int records[2] = { -1, -1 }, requests[2] = { -1, -1 };
	pid_t pid = -1;

	if (child_ids(s.config, ROLE_STORE, &s.ids, e) != 0 ||
	    child_pair(SOCK_STREAM, records, e) != 0 ||
	    child_pair(SOCK_SEQPACKET, requests, e) != 0)
		goto out;
	close_fd(&p->store.ctl);
	pid = parent_fork(&p->store, &s.ctl, e);
	if (pid == 0) {
		s.records = records[1];
		s.requests = requests[1];
		run_store(p, &s);
	}
	if (pid < 0)
		goto out;
	close_fd(&p->records);
	close_fd(&p->requests);
	p->records = records[0];
	p->requests = requests[0];
	records[0] = requests[0] = -1;
	link_fetch(p);
out:
	close_fd(&records[0]);
	close_fd(&records[1]);
	close_fd(&requests[0]);
	close_fd(&requests[1]);
	return pid < 0 ? -1 : 0;
}

int start_metrics(struct parent *p, struct err *e)
{
	struct metrics_start s = { .config = p->setup->config,
		.stats = p->stats };
	pid_t pid;

	if (s.config->metrics == NULL)
		return 0;
	if (child_ids(s.config, ROLE_METRICS, &s.ids, e) != 0)
		return -1;
	pid = parent_fork(&p->metrics, &s.ctl, e);
	if (pid == 0) {
		child_begin(ROLE_METRICS, &s.ctl, 1);
		metrics_proc(&s);
	}
	return pid < 0 ? -1 : 0;
}

static void hand_lookups(struct parent *p, const struct generation *g)
{
	struct ctl m = { .kind = CTL_WORKER };
	struct err e = { 0 };
	size_t i;

	for (i = 0; g != NULL && i < g->workers; i++) {
		m.fd = g->worker[i].lookups;
		if (m.fd >= 0 && ctl_send(p->fetch.ctl, &m, &e) != 0)
			parent_log("start", &e);
	}
}

int start_fetch(struct parent *p, struct err *e)
{
	struct fetch_start s = { .config = p->setup->config };
	pid_t pid;

	if (!fetch_is_wanted(s.config))
		return 0;
	if (child_ids(s.config, ROLE_FETCH, &s.ids, e) != 0)
		return -1;
	pid = parent_fork(&p->fetch, &s.ctl, e);
	if (pid == 0) {
		child_begin(ROLE_FETCH, &s.ctl, 1);
		stats_drop(&p->stats);
		fetch_proc(&s);
	}
	if (pid < 0)
		return -1;
	hand_lookups(p, p->live);
	hand_lookups(p, p->starting);
	link_fetch(p);
	return 0;
}

/* ---- starting again ---- */

static bool is_due(int64_t *at)
{
	if (*at == 0 || clock_ms() < *at)
		return false;
	*at = 0;
	return true;
}

static void start_due_workers(struct parent *p)
{
	struct generation *g = p->live;
	struct parent_worker *w;
	struct err e = { 0 };
	size_t i;

	for (i = 0; g != NULL && i < g->workers; i++) {
		w = &g->worker[i];
		/* without keys the whole generation is started anew */
		if (g->keys.pid <= 0 || w->c.pid > 0 ||
		    !is_due(&w->start_at_ms))
			continue;
		if (generation_worker(p, g, w, &e) != 0) {
			parent_log("start", &e);
			again_at(&w->start_at_ms, &p->worker_wait, &w->c);
		}
	}
}

static bool can_renew(const struct parent *p)
{
	return p->is_stale && p->starting == NULL && p->live != NULL &&
	    p->generation_at_ms == 0;
}

/* A keys process has what lists say from its start, and no way to more: a
 * new one takes its place, not too often. */
static void renew_generation(struct parent *p)
{
	int64_t at;

	if (!can_renew(p))
		return;
	p->is_stale = false;
	at = p->live->keys.born_ms + RENEW_MS;
	p->generation_at_ms = at > clock_ms() ? at : clock_ms();
	log_notice("event=lists-changed generation=%u", p->live->id);
}

void parent_start_due(struct parent *p)
{
	struct err e = { 0 };

	renew_generation(p);
	if (is_due(&p->front_at_ms) && start_front(p, &e) != 0) {
		parent_log("start", &e);
		again_at(&p->front_at_ms, &p->front_wait, &p->front);
	}
	if (is_due(&p->generation_at_ms) && p->starting == NULL &&
	    generation_start(p, p->setup, &e) != 0) {
		parent_log("start", &e);
		again_at(&p->generation_at_ms, &p->generation_wait,
		    &p->front);
	}
	if (is_due(&p->store_at_ms) && start_store(p, &e) != 0) {
		parent_log("start", &e);
		again_at(&p->store_at_ms, &p->store_wait, &p->store);
	}
	if (is_due(&p->metrics_at_ms) && start_metrics(p, &e) != 0) {
		parent_log("start", &e);
		again_at(&p->metrics_at_ms, &p->metrics_wait, &p->metrics);
	}
	if (is_due(&p->fetch_at_ms) && start_fetch(p, &e) != 0) {
		parent_log("start", &e);
		again_at(&p->fetch_at_ms, &p->fetch_wait, &p->fetch);
	}
	start_due_workers(p);
}

static void sooner(int64_t *until, int64_t at)
{
	if (at != 0 && (*until == 0 || at < *until))
		*until = at;
}

/* For poll: -1, or milliseconds to the next start. */
int parent_next_due(const struct parent *p)
{
	int64_t until = 0, left;
	size_t i;

	if (can_renew(p))
		return 0;
	sooner(&until, p->generation_at_ms);
	sooner(&until, p->front_at_ms);
	sooner(&until, p->store_at_ms);
	sooner(&until, p->metrics_at_ms);
	sooner(&until, p->fetch_at_ms);
	for (i = 0; p->live != NULL && p->live->keys.pid > 0 &&
	    i < p->live->workers; i++)
		if (p->live->worker[i].c.pid <= 0)
			sooner(&until, p->live->worker[i].start_at_ms);
	if (until == 0)
		return -1;
	left = until - clock_ms();
	return left < 0 ? 0 : (int)left;
}

