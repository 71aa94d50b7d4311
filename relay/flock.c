/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Forking a flock, with a socket from each worker to each service.
 */
#include "relay/flock.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/exec.h"
#include "relay/keys.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/ossl.h"

enum service_kind {
	KEYS,
	POLICY,
	AUTH,
	EXEC,
	METRICS
};
#define PAIRS 4 /* services that workers talk to */

static const char *const service_name[FLOCK_SERVICES] = {
	"keys", "policy", "auth", "exec", "metrics"
};

struct forking {
	struct relay_flock *f;
	struct flock_common *c;
	struct ids ids, keys_ids;
	/* [worker][service][0 its, 1 the service's] */
	int pair[RELAY_WORKERS_MAX][PAIRS][2];
	struct relay_sock sock[RELAY_SOCKS_MAX];
	size_t socks;
};

static bool is_needed(const struct relay_config *c, enum service_kind k)
{
	if (k == EXEC)
		return exec_is_needed(c);
	return k != METRICS || c->metrics != NULL;
}

static void close_pairs(struct forking *k)
{
	int w, s, i;

	for (w = 0; w < k->f->config->workers; w++)
		for (s = 0; s < PAIRS; s++)
			for (i = 0; i < 2; i++)
				if (k->pair[w][s][i] >= 0)
					close(k->pair[w][s][i]);
}

static int make_pair(enum service_kind s, int pair[2], struct err *e)
{
	return s == KEYS ? keys_pair(pair, e) :
	    child_pair(SOCK_STREAM, pair, e);
}

static int make_pairs(struct forking *k, struct err *e)
{
	int w, s;

	for (w = 0; w < k->f->config->workers; w++)
		for (s = 0; s < PAIRS; s++)
			if (is_needed(k->f->config, (enum service_kind)s) &&
			    make_pair((enum service_kind)s, k->pair[w][s],
			    e) != 0)
				return -1;
	return 0;
}

/* Fork; in the child *ctl is its end and 0 comes back. */
static pid_t fork_member(struct forking *k, const char *what, int *ctl,
    struct err *e)
{
	struct flock_member *m = &k->f->m[k->f->n];
	pid_t pid = child_fork(ctl, e);

	if (pid <= 0)
		return pid;
	m->pid = pid;
	m->ctl = *ctl;
	text_set(m->what, sizeof(m->what), what);
	k->f->n++;
	return pid;
}

static void run_service(struct forking *k, enum service_kind s, int ctl)
    NORETURN;

static void run_service(struct forking *k, enum service_kind s, int ctl)
{
	static int keep[RELAY_WORKERS_MAX + 2];
	const struct relay_config *c = k->f->config;
	struct proc_start p = { c, k->c->stats, s == KEYS ? k->keys_ids :
		k->ids, ctl, keep, 0 };
	int listen = places_fd(k->c->places, s == METRICS ? c->metrics :
		c->socketmap);

	if (s != METRICS)
		for (; p.socks < (size_t)c->workers; p.socks++)
			keep[p.socks] = k->pair[p.socks][s][1];
	keep[p.socks] = ctl;
	keep[p.socks + 1] = s == METRICS || s == POLICY ? listen : -1;
	ossl_wipe(k->c->secret, sizeof(k->c->secret));
	child_start(&(struct child_start){ "postseal-relay", service_name[s],
	    false, keep, p.socks + 2 });
	switch (s) {
	case KEYS:
		relay_keys_proc(&p);
	case POLICY:
		relay_policy_proc(&p, listen);
	case AUTH:
		relay_auth_proc(&p);
	case EXEC:
		relay_exec_proc(&p);
	case METRICS:
		relay_metrics_proc(&p, listen);
	}
	_exit(1);
}

static void run_worker(struct forking *k, int w, int ctl) NORETURN;

static void run_worker(struct forking *k, int w, int ctl)
{
	static int keep[RELAY_SOCKS_MAX + PAIRS + 1];
	struct worker_start s = { .p = { k->f->config, k->c->stats, k->ids,
		ctl, NULL, 0 }, .ledger = k->c->ledger,
		.keys = k->pair[w][KEYS][0], .policy = k->pair[w][POLICY][0],
		.auth = k->pair[w][AUTH][0], .exec = k->pair[w][EXEC][0],
		.listen = k->sock, .listens = k->socks };
	size_t n, i;

	memcpy(s.secret, k->c->secret, sizeof(s.secret));
	ossl_wipe(k->c->secret, sizeof(k->c->secret));
	for (n = 0; n < PAIRS; n++)
		keep[n] = k->pair[w][n][0];
	keep[n++] = ctl;
	for (i = 0; i < k->socks; i++)
		keep[n++] = k->sock[i].fd;
	child_start(&(struct child_start){ "postseal-relay", "worker", false,
	    keep, n });
	relay_worker_proc(&s);
}

static int fork_all(struct forking *k, struct err *e)
{
	pid_t pid;
	int ctl, i;

	for (i = 0; i < FLOCK_SERVICES; i++) {
		if (!is_needed(k->f->config, (enum service_kind)i))
			continue;
		pid = fork_member(k, service_name[i], &ctl, e);
		if (pid == 0)
			run_service(k, (enum service_kind)i, ctl);
		if (pid < 0)
			return -1;
	}
	for (i = 0; i < k->f->config->workers; i++) {
		pid = fork_member(k, "worker", &ctl, e);
		if (pid == 0)
			run_worker(k, i, ctl);
		if (pid < 0)
			return -1;
	}
	return 0;
}

int flock_start(struct relay_flock **out, struct relay_config *take_config,
    struct flock_common *c, struct err *e)
{
	static struct forking k; /* large */
	static uint32_t last;
	const char *keys_user = take_config->keys_user == NULL ?
	    take_config->user : take_config->keys_user;
	int rc;

	*out = NULL;
	memset(&k, 0, sizeof(k));
	memset(k.pair, -1, sizeof(k.pair));
	k.c = c;
	k.f = calloc(1, sizeof(*k.f));
	if (k.f == NULL) {
		relay_config_free(&take_config);
		return err_set(e, FAIL_TEMP, "out of memory");
	}
	k.f->id = ++last;
	k.f->config = take_config;
	k.socks = places_socks(c->places, take_config, k.sock);
	rc = child_user(take_config->user, "relay { }", &k.ids, e);
	if (rc == 0)
		rc = child_user(keys_user, "relay { }", &k.keys_ids, e);
	k.f->ids = k.ids;
	if (rc == 0)
		rc = make_pairs(&k, e);
	if (rc == 0)
		rc = fork_all(&k, e);
	close_pairs(&k);
	*out = k.f;
	if (rc == 0)
		return 0;
	flock_kill(*out);
	flock_retire(*out, 0);
	return -1;
}

bool flock_is_ready(const struct relay_flock *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (!f->m[i].is_ready)
			return false;
	return true;
}

bool flock_is_gone(const struct relay_flock *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (f->m[i].pid > 0)
			return false;
	return true;
}

void flock_retire(struct relay_flock *f, int64_t within_ms)
{
	size_t i;

	f->is_retired = true;
	f->kill_at_ms = clock_ms() + within_ms;
	for (i = 0; i < f->n; i++)
		if (f->m[i].ctl >= 0) {
			close(f->m[i].ctl);
			f->m[i].ctl = -1;
		}
}

void flock_kill(const struct relay_flock *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (f->m[i].pid > 0)
			(void)kill(f->m[i].pid, SIGKILL);
}

struct flock_member *flock_find(struct relay_flock *f, pid_t pid)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (f->m[i].pid == pid)
			return &f->m[i];
	return NULL;
}

void flock_gone(struct flock_member *m)
{
	m->pid = 0;
	if (m->ctl >= 0)
		close(m->ctl);
	m->ctl = -1;
}

void flock_free(struct relay_flock **f)
{
	size_t i;

	if (*f == NULL)
		return;
	for (i = 0; i < (*f)->n; i++)
		if ((*f)->m[i].ctl >= 0)
			close((*f)->m[i].ctl);
	relay_config_free(&(*f)->config);
	free(*f);
	*f = NULL;
}
