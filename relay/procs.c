/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The processes beside the workers: keys, policy, auth, exec, metrics.
 */
#include "relay/procs.h"

#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "fetch/resolver.h"
#include "relay/auth.h"
#include "relay/engine.h"
#include "relay/exec.h"
#include "relay/keys.h"
#include "relay/tls_files.h"
#include "util/log.h"
#include "util/metrics_http.h"

#define POLICY_THREADS 16
#define AUTH_THREADS 32 /* Dovecot holds one for 2 s with each failure */
#define WAITING 2000
#define MAP_THREADS 32 /* connections of Postfix */

void proc_ready(int ctl)
{
	if (send(ctl, "R", 1, MSG_NOSIGNAL) != 1)
		_exit(EX_TEMPFAIL);
}

void proc_cannot(const char *process, const struct err *e)
{
	log_err("event=start process=%s error=\"%s\"", process, e->msg);
	_exit(e->kind == FAIL_TEMP ? EX_TEMPFAIL : EX_CONFIG);
}

/* It served until nobody was left. */
static void end(const char *process, int rc, const struct err *e) NORETURN;

static void end(const char *process, int rc, const struct err *e)
{
	if (rc != 0)
		log_err("event=%s error=\"%s\"", process, e->msg);
	_exit(rc == 0 ? EX_OK : e->kind == FAIL_CONFIG ? EX_CONFIG :
	    EX_SOFTWARE);
}

void relay_keys_proc(const struct proc_start *s)
{
	struct keys_held *k = NULL;
	struct err e = { 0 };
	int rc;

	if (keys_load(&k, s->config, &e) != 0 ||
	    keys_refuse_shared(k, s->config->keystore, &e) != 0)
		proc_cannot("keys", &e);
	child_drop(&s->ids);
	child_sandbox(SANDBOX_KEYS);
	proc_ready(s->ctl);
	rc = keys_serve(k, s->sock, s->socks, &e);
	end("keys", rc, &e);
}

void relay_policy_proc(const struct proc_start *s, int socketmap)
{
	struct service v = { .sock = s->sock, .socks = s->socks,
		.threads = POLICY_THREADS, .waiting = WAITING,
		.answer = engine_answer, .each_second = engine_second,
		.retired = engine_retired };
	struct engine *g = NULL;
	struct err e = { 0 };
	int rc;

	child_drop(&s->ids);
	resolver_load_modules();
	if (relay_policy_files_check(s->config, &e) != 0 ||
	    engine_new(&g, s->config, &e) != 0)
		proc_cannot("policy", &e);
	v.arg = g;
	v.listen[0].fd = socketmap;
	v.listen[0].threads = MAP_THREADS;
	v.listen[0].talk = engine_socketmap;
	v.listen[1].fd = -1;
	v.ctl = &s->ctl;
	child_sandbox(SANDBOX_POLICY);
	proc_ready(s->ctl);
	rc = service_run(&v, &e);
	end("policy", rc, &e);
}

void relay_auth_proc(const struct proc_start *s)
{
	struct service v = { .sock = s->sock, .socks = s->socks,
		.threads = AUTH_THREADS, .waiting = WAITING,
		.answer = auth_server_answer,
		.each_second = auth_server_second };
	struct auth_server *a = NULL;
	struct err e = { 0 };
	int rc;

	if (auth_server_new(&a, s->config, &e) != 0)
		proc_cannot("auth", &e);
	child_drop(&s->ids);
	v.arg = a;
	v.listen[0].fd = v.listen[1].fd = -1;
	child_sandbox(SANDBOX_AUTH);
	proc_ready(s->ctl);
	rc = service_run(&v, &e);
	end("auth", rc, &e);
}

/* No sandbox: what it is for is starting programs. */
void relay_exec_proc(const struct proc_start *s)
{
	struct err e = { 0 };
	int rc;

	proc_no_core();
	proc_die_with_parent();
	proc_ready(s->ctl);
	rc = exec_run(s->config, s->sock, s->socks, &e);
	end("exec", rc, &e);
}

/* ---- metrics ---- */

static void print_stats(void *arg, struct buf *out)
{
	relay_stats_print(arg, out);
}

void relay_metrics_proc(const struct proc_start *s, int listen)
{
	const struct metrics_http m = { .listen = listen, .parent = s->ctl,
		.print = print_stats, .arg = s->stats };
	struct err e = { 0 };
	int rc;

	child_drop(&s->ids);
	child_sandbox(SANDBOX_RELAY);
	proc_ready(s->ctl);
	rc = metrics_serve(&m, &e);
	end("metrics", rc, &e);
}
