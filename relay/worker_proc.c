/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A worker's life: everything that needs a file is loaded, rights are given
 * up, connections are served; when the parent says so no new ones are taken,
 * and it ends when the last one has.
 */
#include "relay/procs.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "relay/accept.h"
#include "relay/keys.h"
#include "relay/tls.h"
#include "relay/txn.h"
#include "relay/worker.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/ossl.h"

#define SPOOL_EACH (256u << 10)	    /* octets of one in memory */
#define SPOOL_TOGETHER (64u << 20) /* of all */
#define LOOK_MS 200		    /* while it ends: is anybody left? */

struct life {
	const struct worker_start *s;
	struct worker w;
	struct acceptor *acceptor;
	struct event *ctl, *look;
	int64_t until_ms; /* while it ends: all are cut then */
};

static struct relay_stats *alert_stats;

static void on_alert(bool is_sent, const char *name)
{
	relay_stats_add(alert_stats, is_sent ? COUNT_ALERTS_SENT :
	    COUNT_ALERTS_RECEIVED);
	if (strcmp(name, "close_notify") != 0)
		log_info("event=tls-alert direction=%s name=%s", is_sent ?
		    "sent" : "received", name);
}

/* ---- what it needs ---- */

static int load_listeners(struct life *f, struct tls_keys *keys,
    struct err *e)
{
	const struct relay_config *c = f->w.config;
	size_t i;

	f->w.listener = calloc(c->listeners + 1, sizeof(*f->w.listener));
	if (f->w.listener == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	for (i = 0; i < c->listeners; i++) {
		struct worker_listener *l = &f->w.listener[i];

		l->l = &c->listener[i];
		if (tls_server_new(&l->tls, c, l->l, keys, f->s->secret, e)
		    != 0)
			return err_add(e, "listen %s", l->l->name);
		if (!relay_is_tunnel(l->l->protocol) &&
		    auth_senders_load(&l->senders, l->l, e) != 0)
			return err_add(e, "listen %s", l->l->name);
	}
	return 0;
}

static int load(struct life *f, struct err *e)
{
	const struct worker_start *s = f->s;
	struct ask *policy = NULL, *auth = NULL;
	struct tls_keys *keys = NULL;
	struct hops_setup h = { f->w.base, NULL, NULL, s->p.stats,
		s->p.config->hostname };

	alert_stats = s->p.stats;
	tls_on_alert(on_alert);
	if (tls_keys_new(&keys, s->keys, e) != 0 ||
	    load_listeners(f, keys, e) != 0 ||
	    tls_clients_new(&f->w.tls, s->p.config, keys, e) != 0 ||
	    ask_new(&policy, f->w.base, s->policy, "policy", e) != 0 ||
	    ask_new(&auth, f->w.base, s->auth, "auth", e) != 0 ||
	    routes_new(&f->w.routes, policy, s->p.config, s->p.stats, e)
	    != 0 ||
	    auth_talks_new(&f->w.auth, auth, e) != 0)
		return -1;
	f->w.keys = keys;
	h.tls = f->w.tls;
	h.routes = f->w.routes;
	return hops_new(&f->w.hops, &h, e);
}

static bool is_unix(const char *where)
{
	return where != NULL && strncmp(where, "unix:", 5) == 0;
}

/* Unix sockets are found by their names. */
static bool needs_names(const struct relay_config *c)
{
	bool needs = c->log_syslog;
	size_t i;

	for (i = 0; i < c->routes; i++)
		needs = needs || is_unix(c->route[i].host);
	for (i = 0; i < c->listeners; i++)
		needs = needs || is_unix(c->listener[i].backend.where);
	return needs;
}

/* Of the file system a worker needs the spool alone; the spool then. */
static const char *enter_spool(const struct relay_config *c)
{
	if (c->spool != NULL && !needs_names(c) && child_chroot(c->spool))
		return "/";
	return c->spool;
}

/* As the user who will write into it: root may everywhere. */
static void set_spool(const char *dir)
{
	struct err e = { 0 };

	if (dir != NULL && spool_set_dir(dir, &e) != 0)
		proc_cannot("worker", &e);
	spool_set_memory(SPOOL_EACH, SPOOL_TOGETHER, SPOOL_EACH);
}

/* ---- the end ---- */

static void on_look(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct life *f = arg;
	bool is_late = clock_ms() >= f->until_ms;
	/* messages whose client is gone count as well */
	size_t open = acceptor_open(f->acceptor) + txn_orphans();

	if (open == 0 || is_late)
		hops_stop(f->w.hops);
	open += conn_finishing(); /* last words, and QUIT to next hops */
	if (open != 0 && !is_late)
		return;
	if (open != 0) {
		log_notice("event=worker-end cut=%zu", open);
		tunnels_cut(&f->w);
	}
	(void)event_base_loopbreak(f->w.base);
}

/* The parent closed its end. */
static void on_ctl(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	static const struct timeval tv = { 0, LOOK_MS * 1000 };
	struct life *f = arg;
	size_t i;

	(void)event_del(f->ctl);
	f->until_ms = clock_ms() + f->w.config->grace_ms;
	f->w.is_stopping = true;
	acceptor_stop(f->acceptor);
	/* whoever connects there is to be heard by the next ones, or refused:
	 * the place may be wanted no more, or by somebody else */
	for (i = 0; i < f->s->listens; i++)
		close(f->s->listen[i].fd);
	sessions_stop(&f->w);
	(void)event_add(f->look, &tv);
	on_look(-1, 0, f);
}

static void raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

void relay_worker_proc(struct worker_start *s)
{
	struct life f = { .s = s };
	struct err e = { 0 };
	const char *spool;

	raise_limit();
	f.w.config = s->p.config;
	f.w.stats = s->p.stats;
	f.w.ledger = s->ledger;
	f.w.exec = s->exec;
	f.w.base = event_base_new();
	if (f.w.base == NULL)
		log_fatal("event=start process=worker error=\"libevent\"");
	if (load(&f, &e) != 0)
		proc_cannot("worker", &e);
	/* all keys of tickets that ever were could be made of it */
	ossl_wipe(s->secret, sizeof(s->secret));
	spool = enter_spool(s->p.config);
	child_drop(&s->p.ids);
	set_spool(spool);
	child_sandbox(SANDBOX_RELAY);
	f.ctl = event_new(f.w.base, s->p.ctl, EV_READ, on_ctl, &f);
	f.look = event_new(f.w.base, -1, EV_PERSIST, on_look, &f);
	if (f.ctl == NULL || f.look == NULL || event_add(f.ctl, NULL) != 0 ||
	    acceptor_new(&f.acceptor, &f.w, s->listen, s->listens, &e) != 0)
		proc_cannot("worker", &e);
	proc_ready(s->p.ctl);
	(void)event_base_dispatch(f.w.base);
	_exit(EX_OK);
}
