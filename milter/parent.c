/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The supervisor's loop: signals, readiness, reload, the beginning and the
 * end. What a generation is made of is in generation.c, starting in
 * starting.c, what follows a death in deaths.c.
 */
#include "milter/parent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "util/clock.h"
#include "milter/ctl.h"
#include "milter/fetch_proc.h"
#include "milter/front.h"
#include "milter/listen.h"
#include "util/notify.h"
#include "milter/parent_int.h"
#include "util/log.h"

#define STOP_FRONT_MS 20000
#define STOP_REST_MS 5000
#define LIVE_FDS (2 * WORKERS_MAX + 8)

/* ---- readiness ---- */

/* Hand over what is ready to a front that is. */
static void hand_over(struct parent *p)
{
	struct ctl store = { .kind = CTL_STORE, .fd = p->records };
	struct err e = { 0 };

	if (!p->front.is_ready)
		return;
	if (p->store.is_ready && p->records >= 0) {
		if (ctl_send(p->front.ctl, &store, &e) != 0)
			parent_log("hand-over", &e);
		close_fd(&p->records);
		store.kind = CTL_REQUESTS;
		store.fd = p->requests;
		if (store.fd >= 0 &&
		    ctl_send(p->front.ctl, &store, &e) != 0)
			parent_log("hand-over", &e);
		close_fd(&p->requests);
	}
	if (p->starting == NULL || !generation_is_ready(p->starting))
		return;
	if (generation_go_live(p, &e) != 0) {
		parent_log("hand-over", &e); /* the front died: see reap */
		return;
	}
	log_notice("event=generation id=%u workers=%zu", p->live->id,
	    p->live->workers);
	if (p->is_reloading) {
		p->is_reloading = false;
		stats_add(&p->stats->reloads);
		notify_send("READY=1");
	}
}

static void check_started(struct parent *p)
{
	if (p->has_started || p->live == NULL || !p->store.is_ready ||
	    (p->setup->config->metrics != NULL && !p->metrics.is_ready) ||
	    (fetch_is_wanted(p->setup->config) && !p->fetch.is_ready))
		return;
	p->has_started = true;
	log_notice("event=started listen=%s doors=%zu",
	    p->setup->config->listen == NULL ? "-" :
	    p->setup->config->listen, p->doors.n);
	notify_send("READY=1");
}

/* The front wants a worker ended. */
static void kill_worker(struct parent *p, const struct ctl *m)
{
	struct generation *g[3] = { p->live, p->starting, p->old };
	struct generation *x;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(g); i++)
		for (x = g[i]; x != NULL; x = i == 2 ? x->next : NULL)
			for (k = 0; k < x->workers; k++)
				if (x->id == m->generation &&
				    x->worker[k].number == m->number &&
				    x->worker[k].c.pid > 0)
					(void)kill(x->worker[k].c.pid,
					    SIGKILL);
}

/* A control socket is readable. */
static void on_control(struct parent *p, struct child *c)
{
	struct err e = { 0 };
	struct ctl m;
	int rc = ctl_recv(c->ctl, &m, &e);

	if (rc <= 0) {
		close_fd(&c->ctl); /* it ends: see reap */
		return;
	}
	close_fd(&m.fd);
	if (m.kind == CTL_READY)
		c->is_ready = true;
	else if (m.kind == CTL_KILL && c == &p->front)
		kill_worker(p, &m);
	else if (m.kind == CTL_LISTS && c == &p->store)
		p->is_stale = true;
}

/* ---- reload ---- */

/* What was bound, and what the front has of doors, stays as it is. */
static bool listens_otherwise(const struct config *was,
    const struct config *is)
{
	const char *a = was->listen == NULL ? "" : was->listen;
	const char *b = is->listen == NULL ? "" : is->listen;
	struct buf x, y;
	bool differs;

	buf_init(&x, 1u << 20);
	buf_init(&y, 1u << 20);
	config_print_doors(was, &x);
	config_print_doors(is, &y);
	differs = strcmp(a, b) != 0 || !view_eq(buf_view(&x), buf_view(&y));
	buf_free(&x);
	buf_free(&y);
	return differs;
}

static void reload(struct parent *p)
{
	struct conf_errors ce;
	struct setup *s = NULL;
	struct err e = { 0 };

	notify_reloading();
	conf_errors_init(&ce);
	if (setup_read(&s, p->config_path, &ce) != 0) {
		log_sentences(LOG_L_ERR, "reload", "error",
		    buf_str(&ce.text));
		log_err("event=reload errors=%zu kept=old", ce.n);
		goto fail;
	}
	if (listens_otherwise(p->setup->config, s->config))
		log_warn("event=reload warning=\"another listen or door "
		    "needs a restart\"");
	if (p->starting != NULL) {
		generation_kill(p->starting, SIGKILL);
		generation_retire(p, &p->starting);
	}
	if (generation_start(p, s, &e) != 0) {
		parent_log("reload", &e);
		goto fail;
	}
	p->is_reloading = true;
	setup_release(&p->setup);
	p->setup = s;
	/* they end by themselves: the store when the front lets go of it,
	 * metrics and fetch at once, which then are started anew; fetch first,
	 * so that the new store is not told by the old one what is allowed */
	if (p->fetch.pid > 0)
		close_fd(&p->fetch.ctl);
	else
		p->fetch_at_ms = 1;
	if (start_store(p, &e) != 0)
		parent_log("reload", &e);
	if (p->metrics.pid > 0)
		close_fd(&p->metrics.ctl);
	else
		p->metrics_at_ms = 1;
	conf_errors_free(&ce);
	return;
fail:
	stats_add(&p->stats->reloads_failed);
	setup_release(&s);
	conf_errors_free(&ce);
	notify_send("READY=1");
}

/* ---- the loop ---- */

/* Children to listen to: those not ready yet; front and store always. */
static size_t watch(struct parent *p, struct pollfd *fd, struct child **who)
{
	struct child *c[LIVE_FDS] = { &p->front, &p->store, &p->metrics,
		&p->fetch };
	struct generation *g[2] = { p->starting, p->live };
	size_t n = 4, k = 0, i, x;

	for (x = 0; x < 2; x++) {
		if (g[x] == NULL)
			continue;
		c[n++] = &g[x]->keys;
		for (i = 0; i < g[x]->workers; i++)
			c[n++] = &g[x]->worker[i].c;
	}
	for (i = 0; i < n; i++) {
		if (c[i]->ctl < 0 || (c[i]->is_ready && c[i] != &p->front &&
		    c[i] != &p->store))
			continue;
		who[k] = c[i];
		fd[k].fd = c[i]->ctl;
		fd[k].events = POLLIN;
		k++;
	}
	return k;
}

static void hand_new_workers(struct parent *p)
{
	struct generation *g = p->live;
	struct err e = { 0 };
	size_t i;

	if (g == NULL || !p->front.is_ready)
		return;
	for (i = 0; i < g->workers; i++)
		if (g->worker[i].c.is_ready &&
		    generation_hand_worker(p, g, &g->worker[i], &e) != 0)
			parent_log("hand-over", &e);
}

/* One round. -1 go on, else the exit code; *stop: a signal said so. */
static int step(struct parent *p, bool *stop)
{
	struct pollfd fd[LIVE_FDS + 1];
	struct child *who[LIVE_FDS];
	size_t n = watch(p, fd, who), i;
	int sig, code = 0;

	fd[n].fd = p->signals;
	fd[n].events = POLLIN;
	if (poll(fd, n + 1, parent_next_due(p)) < 0 && errno != EINTR)
		return EX_OSERR;
	for (i = 0; i < n; i++)
		if ((fd[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
		    who[i]->ctl == fd[i].fd)
			on_control(p, who[i]);
	while ((sig = child_next_signal(p->signals)) != 0) {
		if (sig == SIGTERM || sig == SIGINT)
			*stop = true;
		else if (sig == SIGHUP)
			p->wants_reload = true;
	}
	code = parent_reap(p);
	if (code != 0)
		return code;
	parent_start_due(p);
	hand_over(p);
	hand_new_workers(p);
	check_started(p);
	/* what just starts is not disturbed: a death would count */
	if (p->wants_reload && p->has_started) {
		p->wants_reload = false;
		reload(p);
	}
	return -1;
}

/* ---- the end ---- */

static bool any_left(const struct parent *p)
{
	return p->front.pid > 0 || p->store.pid > 0 || p->metrics.pid > 0 ||
	    p->fetch.pid > 0 || p->old != NULL;
}

/* Reap until the front, or all, are gone. */
static void wait_gone(struct parent *p, bool all, int64_t ms)
{
	int64_t until = clock_ms() + ms;
	int status;
	pid_t pid;

	while (all ? any_left(p) : p->front.pid > 0) {
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			struct child *c[] = { &p->front, &p->store,
				&p->metrics, &p->fetch };
			size_t i;

			for (i = 0; i < ARRAY_LEN(c); i++)
				if (c[i]->pid == pid)
					child_gone(c[i]);
			on_old_death(p, pid);
		}
		if (clock_ms() >= until)
			return;
		(void)poll(NULL, 0, 10);
	}
}

static void stop_all(struct parent *p)
{
	struct ctl m = { .kind = CTL_STOP, .fd = -1 };
	struct generation *g;
	bool live = p->live != NULL;

	notify_send("STOPPING=1");
	log_notice("event=stop");
	if (p->front.pid > 0 && (!live || p->front.ctl < 0 ||
	    ctl_send(p->front.ctl, &m, NULL) != 0))
		(void)kill(p->front.pid, SIGKILL);
	generation_retire(p, &p->starting);
	if (live) { /* keep its pids: reaping below looks at old ones */
		g = p->live;
		g->next = p->old;
		p->old = g;
		p->live = NULL;
	}
	wait_gone(p, false, STOP_FRONT_MS);
	if (p->front.pid > 0)
		(void)kill(p->front.pid, SIGKILL);
	for (g = p->old; g != NULL; g = g->next)
		close_fd(&g->keys.ctl);
	close_fd(&p->store.ctl);
	close_fd(&p->records);
	close_fd(&p->requests);
	close_fd(&p->metrics.ctl);
	close_fd(&p->fetch.ctl);
	wait_gone(p, true, STOP_REST_MS);
	for (g = p->old; g != NULL; g = g->next)
		generation_kill(g, SIGKILL);
	if (p->store.pid > 0)
		(void)kill(p->store.pid, SIGKILL);
	if (p->metrics.pid > 0)
		(void)kill(p->metrics.pid, SIGKILL);
	if (p->fetch.pid > 0)
		(void)kill(p->fetch.pid, SIGKILL);
	listen_remove(p->setup->config);
	doors_remove(&p->doors);
}

/* ---- the beginning ---- */

static bool can_read_secret(const struct config *c, const struct ids *ids)
{
	struct buf b;
	int rc = -1;

	buf_init_secret(&b, 4096);
	if (setegid(ids->gid) == 0 && seteuid(ids->uid) == 0)
		rc = io_read_secret(c->secret, &b, NULL);
	if (seteuid(0) != 0 || setegid(0) != 0)
		log_fatal("event=start error=\"seteuid\"");
	buf_free(&b);
	return rc == 0;
}

/* See parent.h for when root is kept. */
static int drop(const struct config *c, struct err *e)
{
	struct ids ids, keys, fetch;

	if (child_ids(c, ROLE_FRONT, &ids, e) != 0 ||
	    child_ids(c, ROLE_KEYS, &keys, e) != 0 ||
	    child_ids(c, ROLE_FETCH, &fetch, e) != 0)
		return -1;
	if (geteuid() != 0) {
		if (keys.uid != ids.uid)
			log_warn("event=start warning=\"keys-user needs a "
			    "start by root\"");
		return 0;
	}
	if (keys.uid != ids.uid || fetch.uid != ids.uid ||
	    !can_read_secret(c, &ids))
		return 0;
	return proc_drop(ids.uid, ids.gid, e);
}

static int begin(struct parent *p, struct err *e)
{
	const struct config *c = p->setup->config;
	struct smfiDesc d;
	struct ids ids;

	if (c->listen == NULL && c->doors == 0)
		return err_set(e, FAIL_CONFIG, "%s: milter { listen } is "
		    "missing, and there is no door", p->config_path);
	if (child_ids(c, ROLE_FRONT, &ids, e) != 0)
		return -1;
	front_describe(NULL, &d);
	if (c->listen != NULL && smfi_register(d) != MI_SUCCESS)
		return err_set(e, FAIL_BUG, "libmilter: cannot register");
	if (child_signals(&p->signals, e) != 0 ||
	    stats_new(&p->stats, e) != 0 ||
	    (c->listen != NULL &&
	    listen_open(c, &ids, &p->listen, e) != 0) ||
	    doors_open(c, &ids, &p->doors, e) != 0 || drop(c, e) != 0)
		return -1;
	proc_no_core();
	if (start_front(p, e) != 0 || start_store(p, e) != 0 ||
	    start_metrics(p, e) != 0 || start_fetch(p, e) != 0)
		return -1;
	return generation_start(p, p->setup, e);
}

int parent_run(const char *config_path, struct setup *take_s)
{
	struct parent p = { .config_path = config_path, .setup = take_s,
		.listen = -1, .signals = -1, .records = -1,
		.requests = -1 };
	struct err e = { 0 };
	bool stop = false;
	int code = -1;

	p.front.ctl = p.store.ctl = p.metrics.ctl = p.fetch.ctl = -1;
	if (begin(&p, &e) != 0) {
		parent_log("start", &e);
		code = e.kind == FAIL_CONFIG ? EX_CONFIG : EX_TEMPFAIL;
	}
	while (code < 0 && !stop)
		code = step(&p, &stop);
	stop_all(&p);
	generation_sweep(&p);
	setup_release(&p.setup);
	return code < 0 ? EX_OK : code;
}
