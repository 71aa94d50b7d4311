/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Life of the front: libmilter in the main thread, the parent's orders in
 * another.
 */
#include "milter/front_proc.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

#include "util/clock.h"
#include "milter/ctl.h"
#include "milter/front.h"
#include "util/log.h"

/* Messages that are with a worker when we are told to stop. */
#define STOP_WAIT_MS 15000
/* For a neighbour that does not take what we send. */
#define SEND_TIMEOUT_S 5
/* For the rest of an answer once it began. */
#define RECV_TIMEOUT_S 60
#define MAX_DATA 1048575 /* MILTER_MDS_1M (M15) */
/* Octets of freed spools in memory that the next ones get. */
#define SPOOL_KEPT ((size_t)4 << 20)

static struct front front;
static const struct front_start *start;
static atomic_bool has_ended; /* smfi_main returned */

static void set_timeouts(int fd)
{
	const struct timeval out = { .tv_sec = SEND_TIMEOUT_S };
	const struct timeval in = { .tv_sec = RECV_TIMEOUT_S };

	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &out, sizeof(out));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &in, sizeof(in));
}

static void order(const struct ctl *m)
{
	struct pool_gen g = { .id = m->generation, .tickets = m->fd,
		.max_message = m->max_message, .waiting = (int)m->waiting,
		.observe = m->observe, .can_hold = m->can_hold };
	struct err e = { 0 };
	int rc = 0;

	memcpy(g.reinject, m->reinject, sizeof(g.reinject));
	memcpy(g.tls_route, m->tls_route, sizeof(g.tls_route));
	set_timeouts(m->fd);
	if (m->kind == CTL_GENERATION && m->fd >= 0)
		rc = pool_generation(front.pool, &g, &e);
	else if (m->kind == CTL_WORKER && m->fd >= 0)
		rc = pool_add(front.pool, m->generation, m->number, m->fd, &e);
	else if (m->kind == CTL_STORE)
		front_set_store(&front, m->fd);
	else if (m->kind == CTL_REQUESTS)
		store_client_set(&front.requests, m->fd);
	if (rc != 0)
		log_fatal("event=front error=\"%s\"", e.msg);
}

/* Running messages, answers that threads are about to write, the end. */
static void leave(void) NORETURN;

static void leave(void)
{
	int64_t until = clock_ms() + STOP_WAIT_MS;
	bool is_done = doors_stop(until);

	while (atomic_load(&front.finishing) > 0 && clock_ms() < until)
		(void)usleep(20000);
	if (!pool_idle(front.pool, until) || !is_done ||
	    atomic_load(&front.finishing) > 0)
		log_warn("event=stop messages=unfinished");
	(void)usleep(200000);
	_exit(0);
}

/*
 * No new connections. libmilter holds its lock while it waits for
 * connections, five seconds at a time; shutting the socket down wakes it,
 * and only then smfi_stop gets the lock. Not after smfi_main returned: the
 * lock is gone then.
 */
static void stop(void) NORETURN;

static void stop(void)
{
	if (start->listen >= 0) {
		(void)shutdown(start->listen, SHUT_RDWR);
		if (!atomic_load(&has_ended))
			(void)smfi_stop();
	}
	leave();
}

static void *follow_orders(void *arg)
{
	struct err e = { 0 };
	struct ctl m;
	int rc;

	(void)arg;
	while ((rc = ctl_recv(start->ctl, &m, &e)) == 1) {
		if (m.kind == CTL_STOP)
			break;
		order(&m);
	}
	if (rc < 0)
		log_err("event=front error=\"%s\"", e.msg);
	stop();
}

void front_proc(const struct front_start *s)
{
	struct err e = { 0 };
	struct smfiDesc d;
	sigset_t own;
	pthread_t t;
	int rc;

	child_drop(&s->ids);
	/* Few arenas: a thread for each connection would get one of its own,
	 * and each keeps the memory of the largest message it saw. */
	(void)mallopt(M_ARENA_MAX, 4);
	(void)mallopt(M_MMAP_THRESHOLD, 65536);
	start = s;
	spool_set_memory(SPOOL_MEMORY, SIZE_MAX, SPOOL_KEPT);
	if ((s->config->spool != NULL &&
	    spool_set_dir(s->config->spool, &e) != 0) ||
	    front_init(&front, s->stats, s->ctl, &e) != 0) {
		log_err("event=start process=front error=\"%s\"", e.msg);
		_exit(EX_CONFIG);
	}
	front.observe = s->config->observe;
	front.copies.can_hold = s->config->quarantine.is_set;
	if (s->config->reinject != NULL)
		text_set(front.copies.reinject, sizeof(front.copies.reinject),
		    s->config->reinject);
	if (s->config->tls_route != NULL)
		text_set(front.copies.tls_route,
		    sizeof(front.copies.tls_route), s->config->tls_route);
	front_describe(&front, &d);
	(void)smfi_setmaxdatasize(MAX_DATA);
	/* libmilter's own thread takes these three */
	(void)sigemptyset(&own);
	(void)sigaddset(&own, SIGHUP);
	(void)sigaddset(&own, SIGINT);
	(void)sigaddset(&own, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &own, NULL);
	if (doors_start(&front, s->config, s->doors, &e) != 0) {
		log_err("event=start process=front error=\"%s\"", e.msg);
		_exit(EX_OSERR);
	}
	if (pthread_create(&t, NULL, follow_orders, NULL) != 0)
		_exit(EX_OSERR);
	child_ready(s->ctl);
	while (s->listen < 0)
		(void)pause();
	rc = smfi_main();
	atomic_store(&has_ended, true);
	if (rc == MI_SUCCESS)
		leave(); /* told so, or by a signal to this process */
	log_err("event=front error=\"libmilter gave up\"");
	_exit(EX_SOFTWARE);
}
