/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Life of the keys process: load, give up rights, a thread for each worker.
 */
#include "milter/keys_proc.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "gateway/held.h"
#include "milter/child.h"
#include "util/clock.h"
#include "milter/ctl.h"
#include "milter/keys_serve.h"
#include "util/log.h"

/* Between two looks at the ticket socket: one wake-up for many messages.
 * Requests empty it themselves; this only keeps it from filling up. */
#define DRAIN_PAUSE_NS 5000000
#define STACK_SIZE (256u << 10)

static struct {
	pthread_mutex_t lock;
	pthread_cond_t gone;
	int serving;
} threads = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };

struct serve {
	struct keys_service *service;
	int sock;
	uint32_t worker;
};

static void fail_start(const struct err *e)
{
	log_err("event=start process=keys error=\"%s\"", e->msg);
	_exit(e->kind == FAIL_TEMP ? EX_TEMPFAIL : EX_CONFIG);
}

/* Root looks at files as somebody else; no-op for others. */
static void look_as(const struct ids *ids)
{
	if (geteuid() != 0 || ids->uid == (uid_t)-1)
		return;
	if (setegid(ids->gid) != 0 || seteuid(ids->uid) != 0)
		log_fatal("event=start process=keys error=\"seteuid\"");
}

static void look_as_root(void)
{
	if (getuid() != 0)
		return;
	if (seteuid(0) != 0 || setegid(0) != 0)
		log_fatal("event=start process=keys error=\"seteuid\"");
}

/* The secret may belong to the user of keys or to root. */
static int read_secret(const struct config *c, const struct ids *keys_ids,
    struct buf *secret, struct err *e)
{
	int rc;

	look_as(keys_ids);
	rc = io_read_secret(c->secret, secret, e);
	look_as_root();
	if (rc == 0 || geteuid() != 0)
		return rc;
	buf_clear(secret);
	return io_read_secret(c->secret, secret, e);
}

static int load_once(const struct config *c, struct keyring **kr,
    struct list_snapshot **lists, struct err *e)
{
	struct ids store_ids, keys_ids;
	struct keystore *ks = NULL;
	struct buf secret;
	int rc = -1;

	buf_init_secret(&secret, 4096);
	if (child_ids(c, ROLE_WORKER, &store_ids, e) != 0 ||
	    child_ids(c, ROLE_KEYS, &keys_ids, e) != 0 ||
	    read_secret(c, &keys_ids, &secret, e) != 0)
		goto out;
	/* The database and its companions stay its owner's files. */
	look_as(&store_ids);
	if (keystore_open(&ks, c->keystore, KS_READ, e) == 0 &&
	    held_check(ks, c, e) == 0)
		rc = keyring_load(kr, ks, buf_view(&secret), e);
	if (rc == 0) {
		list_snapshot_free(lists);
		rc = list_snapshot_new(lists, c, ks, e);
	}
	if (rc != 0)
		keyring_free(kr);
	keystore_close(&ks);
	look_as_root();
out:
	buf_free(&secret);
	return rc;
}

/* Once more when no key opens: the secret may have been changed between the
 * look at the file and the look at the store. */
int keys_load(const struct config *c, struct keyring **kr,
    struct list_snapshot **lists, struct err *e)
{
	*kr = NULL;
	*lists = NULL;
	if (load_once(c, kr, lists, e) == 0)
		return 0;
	if (e->kind != FAIL_CONFIG)
		return -1;
	err_clear(e);
	return load_once(c, kr, lists, e);
}

static void *serve_worker(void *arg)
{
	struct serve *s = arg;

	keys_serve(s->service, s->sock, s->worker);
	close(s->sock);
	free(s);
	(void)pthread_mutex_lock(&threads.lock);
	threads.serving--;
	(void)pthread_cond_signal(&threads.gone);
	(void)pthread_mutex_unlock(&threads.lock);
	return NULL;
}

static void *take_tickets(void *arg)
{
	const struct timespec pause = { 0, DRAIN_PAUSE_NS };
	struct keys_service *s = arg;
	struct pollfd p = { .fd = s->ticket_sock, .events = POLLIN };

	for (;;) {
		if (poll(&p, 1, 60000) < 0)
			continue;
		if (tickets_drain(s->tickets, s->ticket_sock,
		    clock_ms() / 1000) != 0)
			return NULL;
		(void)nanosleep(&pause, NULL);
	}
}

static void start_thread(void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t t;
	int rc;

	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	rc = pthread_create(&t, &attr, run, arg);
	(void)pthread_attr_destroy(&attr);
	if (rc != 0)
		log_fatal("event=keys error=\"no thread: %s\"", strerror(rc));
}

static void add_worker(struct keys_service *service, const struct ctl *m)
{
	struct serve *s = malloc(sizeof(*s));

	if (s == NULL || m->fd < 0)
		log_fatal("event=keys error=\"no socket for a worker\"");
	s->service = service;
	s->sock = m->fd;
	s->worker = m->number;
	(void)pthread_mutex_lock(&threads.lock);
	threads.serving++;
	(void)pthread_mutex_unlock(&threads.lock);
	start_thread(serve_worker, s);
}

void keys_proc(const struct config *c, int ctl, int tickets)
{
	struct keys_service service = { .config = c, .ticket_sock = tickets };
	struct list_snapshot *snapshot = NULL;
	struct keyring *keyring = NULL;
	struct list_reader lists;
	struct err e = { 0 };
	struct ids ids;
	struct ctl m;

	if (child_ids(c, ROLE_KEYS, &ids, &e) != 0 ||
	    keys_load(c, &keyring, &snapshot, &e) != 0 ||
	    tickets_new(&service.tickets, &e) != 0)
		fail_start(&e);
	lists = list_reader_of_snapshot(snapshot);
	service.lists = &lists;
	service.keyring = keyring;
	child_drop(&ids);
	child_sandbox(SANDBOX_KEYS);
	start_thread(take_tickets, &service);
	log_info("event=start process=keys keys=%zu", keyring_keys(keyring));
	child_ready(ctl);
	while (ctl_recv(ctl, &m, &e) == 1)
		if (m.kind == CTL_WORKER)
			add_worker(&service, &m);
	/* Retired, or the parent is gone: workers finish their message. */
	(void)pthread_mutex_lock(&threads.lock);
	while (threads.serving > 0)
		(void)pthread_cond_wait(&threads.gone, &threads.lock);
	(void)pthread_mutex_unlock(&threads.lock);
	keyring_free(&keyring);
	list_snapshot_free(&snapshot);
	_exit(0);
}
