/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The supervisor's loop: signals, readiness, reload, deaths, the end.
 */
#include "relay/parent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "relay/flock.h"
#include "relay/tls.h"
#include "relay/tls_files.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/notify.h"
#include "util/ossl.h"

#define STOP_MS 30000	    /* at most, whatever the grace is */
#define EXTRA_MS 5000	    /* over the grace that workers keep themselves */
#define BACKOFF_FIRST_MS 500
#define BACKOFF_MOST_MS 30000
#define LONG_LIFE_MS 60000 /* a flock that lived so long was no bad start */
#define START_MS 10000 /* so long a reload waits for the one before it */
#define LEDGER_ENTRIES 65536

struct relay_parent {
	char *path;
	struct relay_flock *live, *starting, *old; /* old: a list */
	struct flock_common common;
	struct places places;
	int signals;
	bool wants_reload, is_reload, has_started;
	bool is_hurt; /* somebody of the live flock died */
	int64_t again_at_ms; /* a flock is to be started; 0: no */
	int64_t delay_ms, live_since_ms, starting_since_ms;
	int exit_code; /* of the first flock, when it could not start */
};

static void log_failure(const char *what, const struct err *e)
{
	log_sentence(LOG_L_ERR, what, "error", e->msg);
}

static void log_warning(void *arg, const char *s)
{
	const char *const *event = arg;

	log_sentence(LOG_L_WARN, *event, "warning", s);
}

static void log_fault(void *arg, enum cert_fault f,
    const struct pki *p UNUSED, const char *s)
{
	if (f != CERT_UNKNOWN) /* many have a CA of their own */
		log_warning(arg, s);
}

void relay_log_warnings(const struct relay_config *c, const char *event)
{
	relay_config_warn(c, log_warning, &event);
	relay_files_warn(c, log_warning, &event);
	relay_certs_check(c, (int64_t)time(NULL), log_fault, &event);
}

/* ---- beginning a flock ---- */

static void make_old(struct relay_parent *p, struct relay_flock *f)
{
	f->next = p->old;
	p->old = f;
}

static int begin_flock(struct relay_parent *p, struct relay_config *take,
    struct err *e)
{
	struct relay_config *c = take;
	struct relay_flock *f = NULL;
	struct ids ids;

	if (child_user(c->user, "relay { }", &ids, e) != 0 ||
	    relay_state_check(c, &ids, e) != 0 ||
	    places_open(&p->places, c, &ids, e) != 0) {
		relay_config_free(&c);
		return -1;
	}
	p->common.places = &p->places;
	if (flock_start(&f, c, &p->common, e) != 0) {
		if (f != NULL)
			make_old(p, f);
		return -1;
	}
	p->starting = f;
	p->starting_since_ms = clock_ms();
	return 0;
}

static int read_and_begin(struct relay_parent *p)
{
	struct relay_config *c = NULL;
	struct conf_errors ce;
	struct err e = { 0 };
	int rc;

	conf_errors_init(&ce);
	rc = relay_config_read(&c, p->path, &ce);
	if (rc != 0)
		log_sentences(LOG_L_ERR, "reload", "error",
		    buf_str(&ce.text));
	else if ((rc = begin_flock(p, c, &e)) != 0)
		log_failure("reload", &e);
	if (rc != 0 && p->live != NULL)
		places_sweep(&p->places, p->live->config);
	conf_errors_free(&ce);
	return rc;
}

/* Its workers may have taken clients before all of it was ready: they have
 * their time, if a configuration is live. */
static void give_up_starting(struct relay_parent *p)
{
	struct relay_flock *f = p->starting;

	if (f == NULL)
		return;
	p->starting = NULL;
	flock_retire(f, p->live == NULL ? 0 : f->config->grace_ms + EXTRA_MS);
	if (p->live == NULL)
		flock_kill(f);
	make_old(p, f);
}

/* One after the other: reloads without end would all come to nothing. */
static bool may_reload(const struct relay_parent *p)
{
	return p->wants_reload && p->has_started && (p->starting == NULL ||
	    clock_ms() - p->starting_since_ms > START_MS);
}

static void reload(struct relay_parent *p)
{
	notify_reloading();
	give_up_starting(p);
	p->is_reload = read_and_begin(p) == 0;
	if (p->is_reload) {
		relay_log_warnings(p->starting->config, "reload");
		return;
	}
	log_err("event=reload kept=old");
	notify_send("READY=1");
}

/* ---- what children say ---- */

/* Those of the live configuration, and of no other. */
static void note_certificates(struct relay_parent *p,
    const struct relay_flock *was)
{
	const struct relay_config *c = p->live->config;
	size_t i;

	for (i = 0; was != NULL && i < was->config->pkis; i++)
		if (relay_pki(c, was->config->pki[i].name) == NULL)
			relay_stats_cert(p->common.stats,
			    was->config->pki[i].name, 0);
	for (i = 0; i < c->pkis; i++)
		relay_stats_cert(p->common.stats, c->pki[i].name,
		    tls_pki_not_after(&c->pki[i]));
}

static void go_live(struct relay_parent *p)
{
	struct relay_flock *was = p->live;

	p->live = p->starting;
	p->starting = NULL;
	p->live_since_ms = clock_ms();
	places_sweep(&p->places, p->live->config);
	if (p->has_started)
		places_own(&p->places, p->live->config, &p->live->ids);
	note_certificates(p, was);
	log_notice("event=%s id=%u workers=%d listeners=%zu",
	    p->has_started ? "reloaded" : "started", p->live->id,
	    p->live->config->workers, p->live->config->listeners);
	if (p->has_started)
		relay_stats_add(p->common.stats, COUNT_RELOADS);
	p->has_started = true;
	p->is_reload = p->is_hurt = false;
	p->again_at_ms = 0;
	notify_send("READY=1");
	if (was == NULL)
		return;
	flock_retire(was, was->config->grace_ms + EXTRA_MS);
	make_old(p, was);
}

/* A death: the next flock takes over, after a while if it is not the first
 * time. */
static void plan_again(struct relay_parent *p)
{
	if (p->again_at_ms != 0)
		return; /* who dies takes others along: once for all */
	if (clock_ms() - p->live_since_ms > LONG_LIFE_MS)
		p->delay_ms = 0;
	p->delay_ms = p->delay_ms == 0 ? BACKOFF_FIRST_MS : p->delay_ms * 2;
	if (p->delay_ms > BACKOFF_MOST_MS)
		p->delay_ms = BACKOFF_MOST_MS;
	p->again_at_ms = clock_ms() + p->delay_ms;
}

/* The first to end need not be the one that could not start: keys ends when
 * its workers have. */
static void note_exit(struct relay_parent *p, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;

	if (!p->has_started && code != 0 &&
	    (p->exit_code == 0 || p->exit_code == EX_SOFTWARE))
		p->exit_code = code;
}

static void on_death(struct relay_parent *p, struct relay_flock *f,
    const struct flock_member *m, int status)
{
	note_exit(p, status);
	if (f->is_retired)
		return;
	log_err("event=death process=%s pid=%ld status=%d signal=%d",
	    m->what, (long)m->pid, WIFEXITED(status) ? WEXITSTATUS(status) :
	    -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	relay_stats_add(p->common.stats, COUNT_WORKER_DEATHS);
	if (f == p->live) {
		p->is_hurt = true;
		if (p->starting == NULL)
			plan_again(p);
		return;
	}
	give_up_starting(p);
	if (p->live != NULL) {
		places_sweep(&p->places, p->live->config);
		log_err("event=reload kept=old");
		if (!p->is_reload || p->is_hurt)
			plan_again(p);
		p->is_reload = false;
		notify_send("READY=1");
	} else if (p->exit_code == 0) {
		p->exit_code = EX_SOFTWARE;
	}
}

static void reap(struct relay_parent *p)
{
	struct relay_flock *head[2] = { p->live, p->starting }, *f = NULL;
	struct flock_member *m;
	struct relay_flock **at;
	int status;
	size_t i;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		m = NULL;
		head[0] = p->live;
		head[1] = p->starting;
		for (i = 0; i < 2 && m == NULL; i++)
			if ((f = head[i]) != NULL)
				m = flock_find(f, pid);
		if (m == NULL)
			for (f = p->old; f != NULL && m == NULL; f = f->next)
				if ((m = flock_find(f, pid)) != NULL)
					break;
		if (m == NULL)
			continue;
		on_death(p, f, m, status);
		flock_gone(m);
	}
	for (at = &p->old; *at != NULL;) {
		f = *at;
		if (!flock_is_gone(f)) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		flock_free(&f);
	}
}

static void kill_late(struct relay_parent *p)
{
	struct relay_flock *f;

	for (f = p->old; f != NULL; f = f->next)
		if (clock_ms() > f->kill_at_ms)
			flock_kill(f);
}

/* ---- the loop ---- */

/* Who is not ready yet. */
static size_t watch(struct relay_parent *p, struct pollfd *fd,
    struct flock_member **who)
{
	struct relay_flock *f = p->starting;
	size_t n = 0, i;

	for (i = 0; f != NULL && i < f->n; i++)
		if (!f->m[i].is_ready && f->m[i].ctl >= 0) {
			fd[n].fd = f->m[i].ctl;
			fd[n].events = POLLIN;
			who[n++] = &f->m[i];
		}
	return n;
}

/* true: a signal says stop. */
static bool step(struct relay_parent *p)
{
	static struct pollfd fd[FLOCK_SERVICES + RELAY_WORKERS_MAX + 1];
	static struct flock_member *who[FLOCK_SERVICES + RELAY_WORKERS_MAX];
	size_t n = watch(p, fd, who), i;
	bool stop = false;
	char c;
	int sig;

	fd[n].fd = p->signals;
	fd[n].events = POLLIN;
	(void)poll(fd, n + 1, p->again_at_ms != 0 || p->old != NULL ||
	    p->wants_reload ? 200 : -1);
	for (i = 0; i < n; i++)
		if ((fd[i].revents & POLLIN) != 0 &&
		    read(fd[i].fd, &c, 1) == 1)
			who[i]->is_ready = true;
	while ((sig = child_next_signal(p->signals)) != 0) {
		stop = stop || sig == SIGTERM || sig == SIGINT;
		p->wants_reload = p->wants_reload || sig == SIGHUP;
	}
	reap(p);
	kill_late(p);
	if (p->starting != NULL && flock_is_ready(p->starting))
		go_live(p);
	if (may_reload(p)) {
		p->wants_reload = false;
		p->again_at_ms = 0;
		reload(p);
		if (p->starting == NULL && p->is_hurt)
			plan_again(p);
	}
	if (p->again_at_ms != 0 && clock_ms() >= p->again_at_ms) {
		p->again_at_ms = 0;
		if (p->starting == NULL && read_and_begin(p) != 0)
			plan_again(p);
	}
	return stop;
}

static void stop_all(struct relay_parent *p)
{
	int64_t ms = p->live == NULL ? 0 : p->live->config->grace_ms, until;

	notify_send("STOPPING=1");
	log_notice("event=stop");
	give_up_starting(p);
	if (ms > STOP_MS)
		ms = STOP_MS;
	if (p->live != NULL) {
		flock_retire(p->live, ms);
		make_old(p, p->live);
		p->live = NULL;
	}
	places_close(&p->places);
	until = clock_ms() + ms;
	while (p->old != NULL && clock_ms() < until) {
		reap(p);
		if (p->old != NULL)
			(void)poll(NULL, 0, 20);
	}
	while (p->old != NULL) {
		struct relay_flock *f = p->old;

		p->old = f->next;
		flock_kill(f);
		flock_free(&f);
	}
}

/* ---- the beginning ---- */

/* As the user of the workers, whose file it is. */
static int open_ledger(struct relay_parent *p, const struct relay_config *c,
    struct err *e)
{
	struct ids ids;
	struct buf path;
	bool is_root = geteuid() == 0;
	int rc;

	if (child_user(c->user, "relay { }", &ids, e) != 0 ||
	    relay_state_check(c, &ids, e) != 0)
		return -1;
	buf_init(&path, 4096);
	if (c->state != NULL)
		buf_printf(&path, "%s/ledger", c->state);
	if (is_root && (setegid(ids.gid) != 0 || seteuid(ids.uid) != 0))
		rc = err_sys(e, FAIL_TEMP, "seteuid");
	else
		rc = ledger_open(&p->common.ledger, c->state == NULL ? NULL :
		    buf_str(&path), LEDGER_ENTRIES, e);
	if (is_root && (seteuid(0) != 0 || setegid(0) != 0))
		log_fatal("event=start error=\"seteuid\"");
	buf_free(&path);
	return rc;
}

static int start(struct relay_parent *p, struct relay_config *take,
    struct err *e)
{
	struct rlimit r;

	/* sockets of all workers to all services, while a reload is on */
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
	ossl_random(p->common.secret, sizeof(p->common.secret));
	p->path = strdup(take->path);
	if (p->path == NULL || child_signals(&p->signals, e) != 0 ||
	    relay_stats_new(&p->common.stats, e) != 0 ||
	    open_ledger(p, take, e) != 0) {
		relay_config_free(&take);
		return -1;
	}
	return begin_flock(p, take, e);
}

int relay_parent_run(struct relay_config *take_config)
{
	static struct relay_parent p; /* large */
	struct err e = { 0 };

	p.signals = -1;
	proc_title("postseal-relay: parent");
	if (start(&p, take_config, &e) != 0) {
		log_failure("start", &e);
		p.exit_code = e.kind == FAIL_TEMP ? EX_TEMPFAIL : EX_CONFIG;
	}
	while (p.exit_code == 0 && !step(&p))
		;
	stop_all(&p);
	ledger_free(&p.common.ledger);
	free(p.path);
	return p.exit_code;
}
