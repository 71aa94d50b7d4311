/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One loop over the questions of workers, the jobs of the store, and the
 * transfer that runs.
 */
#include "milter/fetch_proc.h"

#include <poll.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "fetch/resolver.h"
#include "fetch/submit.h"
#include "gateway/notice.h"
#include "milter/ctl.h"
#include "milter/fetch_client.h"
#include "milter/fetch_list.h"
#include "milter/fetch_wire.h"
#include "milter/parent_int.h"
#include "util/clock.h"
#include "util/log.h"

#define ASKERS_MAX (2 * WORKERS_MAX)
#define IDLE_MS 60000

struct fetch {
	const struct config *config;
	const struct finder_ops *find; /* NULL: no directories */
	struct http *http;
	int ctl;
	int store; /* -1: not there */
	int asker[ASKERS_MAX];
	size_t askers;
	size_t turn; /* who is asked first */
	struct fetch_list *list;
	bool is_fetching;
	bool is_listing; /* and it is a list */
	uint32_t seq; /* of the store's job */
	struct buf in;
};

bool fetch_is_wanted(const struct config *c)
{
	return c->fetch.is_set || c->directories > 0 ||
	    c->notice_to != NULL;
}

/* ---- lookups ---- */

static int do_lookup(struct fetch *f, const struct lookup_request *r,
    struct found_certs *found, struct err *e)
{
	int64_t left = r->until_ms - clock_ms();

	if (f->find == NULL)
		return err_set(e, FAIL_TEMP, "no directory is configured "
		    "(any more)");
	if (left <= 0)
		return err_set(e, FAIL_TEMP, "directories: others were asked "
		    "for so long that no time was left");
	if (left > LOOKUP_MS) /* whatever the worker says */
		left = LOOKUP_MS;
	return f->find->find(f->find->ctx, &r->addr, left, found, e);
}

static int answer_lookup(struct fetch *f, int sock,
    const struct lookup_request *r, struct err *e)
{
	struct found_certs found;
	struct err why = { 0 };
	struct buf head, octets;
	int rc;

	found_certs_init(&found);
	buf_init(&head, PACKET_MAX);
	buf_init(&octets, FOUND_MAX);
	if (do_lookup(f, r, &found, &why) != 0 && why.kind == 0)
		(void)err_set(&why, FAIL_TEMP, "directories");
	wire_put_found(&head, &octets, r->seq, &found, &why);
	rc = buf_ok(&head, e);
	if (rc == 0)
		rc = buf_ok(&octets, e);
	if (rc == 0)
		rc = packet_send(sock, buf_view(&head), buf_view(&octets), e);
	buf_free(&head);
	buf_free(&octets);
	found_certs_free(&found);
	return rc;
}

/* A worker asks, or is gone (then false). */
static bool serve_asker(struct fetch *f, int sock)
{
	struct lookup_request r;
	struct err e = { 0 };
	int rc;

	rc = packet_recv(sock, &f->in, NULL, &e);
	if (rc == 1 && wire_get_lookup(&r, buf_view(&f->in), &e) == 0 &&
	    answer_lookup(f, sock, &r, &e) == 0)
		return true;
	if (rc != 0)
		log_warn("event=lookup error=\"%s\"", e.msg);
	return false;
}

/* One question, then a look at the transfer: whose turn it was comes last
 * next time. */
static void serve_askers(struct fetch *f, const struct pollfd *fd)
{
	size_t i, k;

	for (k = 0; k < f->askers; k++) {
		i = (f->turn + k) % f->askers;
		if (fd[i].revents == 0)
			continue;
		f->turn = i + 1;
		if (!serve_asker(f, f->asker[i])) {
			close(f->asker[i]);
			f->asker[i] = f->asker[--f->askers];
		}
		return;
	}
}

/* ---- jobs of the store ---- */

static void drop_store(struct fetch *f)
{
	close_fd(&f->store);
	http_cancel(f->http);
	f->is_fetching = false;
	f->is_listing = false; /* nobody waits for the thread's answer */
}

static void answer_store(struct fetch *f, struct view body,
    const struct err *why)
{
	struct err e = { 0 };
	struct buf head;

	f->is_fetching = false;
	f->is_listing = false;
	buf_init(&head, PACKET_MAX);
	wire_put_fetched(&head, f->seq, why);
	if (buf_ok(&head, &e) != 0 || packet_send(f->store, buf_view(&head),
	    why->kind != 0 ? view_make(NULL, 0) : body, &e) != 0) {
		log_warn("event=fetch error=\"%s\"", e.msg);
		drop_store(f);
	}
	buf_free(&head);
}

/* Ours, or named in the configuration? */
static bool may_be_told(const struct config *c, const char *to)
{
	const char *notify = c->quarantine.notify;
	struct addr a;

	if (notify != NULL && strcmp(to, notify) == 0)
		return true;
	return addr_parse(&a, view_of(to), NULL) == 0 && !a.utf8 &&
	    config_is_local(c, &a);
}

/* Where to is our own configuration's to say. to "": the administrator. */
static int begin_notice(struct fetch *f, const char *to, struct view mail,
    struct err *e)
{
	struct submission s = { f->config->notice_via,
		f->config->authserv_id, f->config->notice_to, mail };

	if (s.to == NULL)
		return err_set(e, FAIL_POLICY, "no notices { } (any more)");
	if (*to != '\0' && !may_be_told(f->config, to))
		return err_set(e, FAIL_POLICY, "no local address");
	if (*to != '\0')
		s.to = to;
	return submit_begin(f->http, &s, e);
}

/* Who asks is not believed either: the list is looked at here, too. */
static int begin_job(struct fetch *f, const struct fetch_job *j,
    struct view octets, struct err *e)
{
	struct http_request r = { .url = j->url, .max = fetch_max(j->kind),
		.post = buf_view(&j->request),
		.type = "application/ocsp-request" };

	if (j->kind == FETCH_NOTICE)
		return begin_notice(f, j->url, octets, e);
	if (j->kind == FETCH_LIST) {
		f->is_listing = fetch_list_begin(f->list, j, e) == 0;
		return f->is_listing ? 0 : -1;
	}
	if (fetch_is_allowed(f->config, j->url, e) != 0)
		return -1;
	return http_begin(f->http, &r, e);
}

static void serve_store(struct fetch *f)
{
	struct fetch_job j;
	struct err e = { 0 };
	struct buf octets;
	int rc;

	fetch_job_init(&j);
	buf_init(&octets, NOTICE_MAX);
	rc = packet_recv(f->store, &f->in, &octets, &e);
	if (rc == 1)
		rc = wire_get_fetch(&f->seq, &j, buf_view(&f->in), &e) == 0 ?
		    1 : -1;
	if (rc < 0)
		log_warn("event=fetch error=\"%s\"", e.msg);
	if (rc <= 0)
		drop_store(f);
	else if (begin_job(f, &j, buf_view(&octets), &e) != 0)
		answer_store(f, view_make(NULL, 0), &e);
	else
		f->is_fetching = true;
	buf_free(&octets);
	fetch_job_free(&j);
}

static void end_job(struct fetch *f)
{
	struct err why = { 0 };
	struct view body = { NULL, 0 };

	if (fetch_list_result(f->list, &body, &why) == 1 && f->is_listing)
		answer_store(f, body, &why);
	else if (f->is_fetching && !f->is_listing && http_result(f->http,
	    &body, &why) != 0)
		answer_store(f, body, &why);
}

/* ---- the loop ---- */

/* -1: the parent is gone or wants us gone. */
static int on_parent(struct fetch *f)
{
	struct err e = { 0 };
	struct ctl m;

	if (ctl_recv(f->ctl, &m, &e) <= 0)
		return -1;
	if (m.kind == CTL_WORKER && m.fd >= 0 && f->askers < ASKERS_MAX) {
		f->asker[f->askers++] = m.fd;
	} else if (m.kind == CTL_FETCH && m.fd >= 0) {
		drop_store(f);
		f->store = m.fd;
	} else {
		close_fd(&m.fd);
	}
	return 0;
}

static size_t watch(const struct fetch *f, struct pollfd *fd)
{
	size_t n = 0, i;

	fd[n++] = (struct pollfd) { f->ctl, POLLIN, 0 };
	for (i = 0; i < f->askers; i++)
		fd[n++] = (struct pollfd) { f->asker[i], POLLIN, 0 };
	fd[n++] = (struct pollfd) { fetch_list_fd(f->list), POLLIN, 0 };
	/* one job at a time: the next one waits in the socket */
	if (f->store >= 0 && !f->is_fetching)
		fd[n++] = (struct pollfd) { f->store, POLLIN, 0 };
	return n;
}

static void run(struct fetch *f)
{
	struct pollfd fd[ASKERS_MAX + 3];
	bool is_idle;
	size_t n;

	for (;;) {
		is_idle = f->store >= 0 && !f->is_fetching;
		n = watch(f, fd);
		http_wait(f->http, fd, n, IDLE_MS);
		end_job(f);
		if (fd[0].revents != 0) {
			if (on_parent(f) != 0)
				return;
			continue; /* the others may not be who they were */
		}
		if (is_idle && fd[n - 1].revents != 0)
			serve_store(f);
		serve_askers(f, fd + 1);
	}
}

int fetch_loop(const struct config *c, int ctl,
    const struct finder_ops *find, struct err *e)
{
	struct http_policy policy = { c->fetch.nearby, c->fetch.nearbys,
		c->fetch.timeout_s * 1000, c->fetch.ca_file };
	struct fetch f = { .config = c, .find = find, .ctl = ctl,
		.store = -1 };
	size_t i;

	if (http_new(&f.http, &policy, e) != 0)
		return -1;
	if (fetch_list_new(&f.list, find, e) != 0) {
		http_free(&f.http);
		return -1;
	}
	buf_init(&f.in, CAP_IPC);
	run(&f);
	for (i = 0; i < f.askers; i++)
		close(f.asker[i]);
	close_fd(&f.store);
	http_free(&f.http);
	buf_free(&f.in);
	return fetch_list_free(&f.list) ? 0 : 1;
}

static int find_here(void *ctx, const struct addr *a, int64_t ms,
    struct found_certs *out, struct err *e)
{
	return finder_find(ctx, a, ms, out, e);
}

static int list_here(void *ctx, const char *directory,
    const struct ldap_list *q, int64_t within_ms, struct buf *out,
    struct err *e)
{
	return finder_list(ctx, directory, q, within_ms, out, e);
}

static void cannot_start(const struct err *e) NORETURN;

static void cannot_start(const struct err *e)
{
	log_err("event=start process=fetch error=\"%s\"", e->msg);
	_exit(e->kind == FAIL_TEMP ? EX_TEMPFAIL : EX_CONFIG);
}

void fetch_proc(const struct fetch_start *s)
{
	struct finder_ops ops = { NULL, find_here, list_here };
	struct finder *finder = NULL;
	struct http *http = NULL;
	struct err e = { 0 };

	/* passwords may be for root alone */
	if (s->config->directories > 0 && finder_new(&finder,
	    s->config->directory, s->config->directories, &e) != 0)
		cannot_start(&e);
	child_drop(&s->ids);
	resolver_load_modules();
	/* what libraries open at their beginning */
	if (http_new(&http, &(struct http_policy) { 0 }, &e) != 0)
		cannot_start(&e);
	http_free(&http);
	ops.ctx = finder;
	child_sandbox(SANDBOX_FETCH);
	child_ready(s->ctl);
	if (fetch_loop(s->config, s->ctl, finder == NULL ? NULL : &ops,
	    &e) == 1)
		_exit(0); /* the finder is still in use */
	if (e.kind != 0)
		log_err("event=fetch error=\"%s\"", e.msg);
	finder_free(&finder);
	_exit(e.kind == 0 ? 0 : EX_SOFTWARE);
}
