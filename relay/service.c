/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A reader and a queue for each worker's socket, and threads that answer, in
 * turn. A worker that was taken over can send what it likes: it fills its own
 * queue alone, never has all threads, and what it does not read is dropped
 * with its socket.
 */
#include "relay/service.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "util/caps.h"
#include "util/log.h"
#include "util/proc.h"

#define SEND_S 5 /* a worker takes its answers within so long */
#define LISTENS 2
#define THREADS_MAX 256
#define QUESTION_MAX (64u << 10)

struct job {
	struct job *next;
	struct buf question;
};

struct line { /* a worker's socket */
	struct run *run;
	int sock;
	bool is_over; /* its reader is at the end */
	bool is_cut;  /* answers are not taken */
	pthread_mutex_t sending;
	pthread_t reader;
	/* with the lock of run */
	struct job *first, **last;
	int waiting, running;
};

struct desk { /* a thread for connections of the process itself */
	struct run *run;
	size_t listen;
	int fd; /* -1: nobody is there */
	pthread_t thread;
};

struct run {
	const struct service *s;
	pthread_mutex_t lock;
	pthread_cond_t more;
	bool is_over;
	bool is_retired; /* nobody new comes in */
	struct line *line;
	size_t turn; /* whose question is next */
	pthread_t *thread;
	size_t threads;
	struct desk *desk;
	size_t desks;
};

/* ---- answers ---- */

/* kind 0: an answer; else that of the failure. */
static void put_answer(struct line *l, struct view number, int kind,
    struct view text)
{
	struct err e = { 0 };
	struct buf b;

	buf_init_secret(&b, CAP_IPC);
	buf_putv(&b, number);
	ipc_put_u8(&b, (uint8_t)kind);
	buf_putv(&b, text);
	(void)pthread_mutex_lock(&l->sending);
	if (!l->is_cut && (buf_ok(&b, &e) != 0 ||
	    ipc_send(l->sock, buf_view(&b), NULL, 0, &e) != 0)) {
		l->is_cut = true;
		(void)shutdown(l->sock, SHUT_RDWR);
	}
	(void)pthread_mutex_unlock(&l->sending);
	buf_free(&b);
}

static void do_job(const struct run *r, struct line *l, struct job *j)
{
	struct view q = buf_view(&j->question), number = view_sub(q, 0, 4);
	struct err e = { 0 };
	struct buf reply;
	int rc;

	buf_init_secret(&reply, CAP_IPC - 16);
	rc = r->s->answer(r->s->arg, view_sub(q, 4, q.n), &reply, &e);
	if (rc == 0)
		rc = buf_ok(&reply, &e);
	if (rc == 0)
		put_answer(l, number, 0, buf_view(&reply));
	else
		put_answer(l, number, e.kind == 0 ? FAIL_BUG :
		    (int)e.kind, view_of(e.msg));
	buf_free(&reply);
}

static void free_job(struct job *j)
{
	buf_free(&j->question);
	free(j);
}

/* So much of what there is for all one worker may have: threads, room. */
static int share(const struct service *s, int all)
{
	return s->socks < 2 || all < 2 ? all : all - (all + 3) / 4;
}

/* Of the workers with a question that may be worked on, whose turn it is;
 * NULL: there is none. */
static struct line *next_line(const struct run *r)
{
	int most = share(r->s, r->s->threads);
	struct line *l;
	size_t i;

	for (i = 0; i < r->s->socks; i++) {
		l = &r->line[(r->turn + i) % r->s->socks];
		if (l->first != NULL && (l->running < most || r->is_over))
			return l;
	}
	return NULL;
}

static struct line *take_job(struct run *r, struct job **out)
{
	struct line *l = next_line(r);

	if (l == NULL)
		return NULL;
	*out = l->first;
	l->first = l->first->next;
	if (l->first == NULL)
		l->last = &l->first;
	l->waiting--;
	l->running++;
	r->turn = (size_t)(l - r->line) + 1;
	return l;
}

static void *answer_all(void *arg)
{
	struct run *r = arg;
	struct line *l = NULL;
	struct job *j;
	bool has_more;

	for (;;) {
		(void)pthread_mutex_lock(&r->lock);
		if (l != NULL)
			l->running--;
		while ((l = take_job(r, &j)) == NULL && !r->is_over)
			(void)pthread_cond_wait(&r->more, &r->lock);
		/* one that had to wait for its share may go on now */
		has_more = l != NULL && next_line(r) != NULL;
		(void)pthread_mutex_unlock(&r->lock);
		if (has_more)
			(void)pthread_cond_signal(&r->more);
		if (l == NULL)
			return NULL;
		do_job(r, l, j);
		free_job(j);
	}
}

/* ---- questions ---- */

/* false: there are too many. */
static bool queue_job(struct run *r, struct line *l, struct job *j)
{
	bool ok;

	(void)pthread_mutex_lock(&r->lock);
	ok = l->waiting < share(r->s, r->s->waiting);
	if (ok) {
		*l->last = j;
		l->last = &j->next;
		l->waiting++;
	}
	(void)pthread_mutex_unlock(&r->lock);
	if (ok)
		(void)pthread_cond_signal(&r->more);
	return ok;
}

static void *read_all(void *arg)
{
	struct line *l = arg;
	struct err e = { 0 };
	int fds[IPC_FDS];
	struct job *j;

	for (;;) {
		j = calloc(1, sizeof(*j));
		if (j == NULL)
			break;
		buf_init_secret(&j->question, QUESTION_MAX);
		if (ipc_recv(l->sock, &j->question, fds, &e) != 1 ||
		    j->question.n < 4) {
			free_job(j);
			break;
		}
		for (size_t i = 0; i < IPC_FDS; i++)
			if (fds[i] >= 0)
				close(fds[i]);
		if (!queue_job(l->run, l, j)) {
			put_answer(l, view_sub(buf_view(&j->question), 0, 4),
			    FAIL_TEMP, view_of("too many questions"));
			free_job(j);
		}
	}
	(void)pthread_mutex_lock(&l->run->lock);
	l->is_over = true;
	(void)pthread_mutex_unlock(&l->run->lock);
	return NULL;
}

/* ---- connections of its own ---- */

static bool is_open(struct run *r)
{
	bool is;

	(void)pthread_mutex_lock(&r->lock);
	is = !r->is_over && !r->is_retired;
	(void)pthread_mutex_unlock(&r->lock);
	return is;
}

/* With the lock: what it asked before is answered, if there is time. */
static void end_desk(const struct desk *d)
{
	if (d->fd >= 0 && (d->run->is_over || d->run->is_retired))
		(void)shutdown(d->fd, d->run->is_over ? SHUT_RDWR : SHUT_RD);
}

static void set_fd(struct desk *d, int fd)
{
	(void)pthread_mutex_lock(&d->run->lock);
	d->fd = fd;
	end_desk(d);
	(void)pthread_mutex_unlock(&d->run->lock);
}

static void *serve_desk(void *arg)
{
	struct desk *d = arg;
	const struct service *s = d->run->s;
	struct pollfd p = { .fd = s->listen[d->listen].fd, .events = POLLIN };
	int fd;

	while (is_open(d->run)) {
		if (poll(&p, 1, 500) <= 0)
			continue;
		fd = accept4(p.fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno != EAGAIN && errno != EINTR)
				(void)poll(NULL, 0, 100);
			continue;
		}
		set_fd(d, fd);
		s->listen[d->listen].talk(s->arg, fd);
		set_fd(d, -1);
		close(fd);
	}
	return NULL;
}

/* ---- the whole ---- */

static bool all_over(struct run *r)
{
	bool over = true;
	size_t i;

	(void)pthread_mutex_lock(&r->lock);
	for (i = 0; i < r->s->socks; i++)
		over = over && r->line[i].is_over;
	(void)pthread_mutex_unlock(&r->lock);
	return over;
}

static int start(pthread_t *t, void *(*f)(void *), void *arg, struct err *e)
{
	pthread_t made; /* a failure may leave in it what is no thread */

	if (pthread_create(&made, NULL, f, arg) != 0)
		return err_set(e, FAIL_TEMP, "service: no thread");
	*t = made;
	return 0;
}

static int start_lines(struct run *r, struct err *e)
{
	struct timeval tv = { SEND_S, 0 };
	size_t i;

	for (i = 0; i < r->s->socks; i++) {
		struct line *l = &r->line[i];

		l->run = r;
		l->last = &l->first;
		l->sock = r->s->sock[i];
		(void)pthread_mutex_init(&l->sending, NULL);
		(void)setsockopt(l->sock, SOL_SOCKET, SO_SNDTIMEO, &tv,
		    sizeof(tv));
		if (start(&l->reader, read_all, l, e) != 0)
			return -1;
	}
	return 0;
}

static int start_threads(struct run *r, struct err *e)
{
	size_t i, k;

	for (; r->threads < (size_t)r->s->threads; r->threads++)
		if (start(&r->thread[r->threads], answer_all, r, e) != 0)
			return -1;
	for (i = 0; i < LISTENS; i++)
		for (k = 0; r->s->listen[i].fd >= 0 &&
		    k < (size_t)r->s->listen[i].threads; k++) {
			struct desk *d = &r->desk[r->desks];

			d->run = r;
			d->listen = i;
			d->fd = -1;
			if (start(&d->thread, serve_desk, d, e) != 0)
				return -1;
			r->desks++;
		}
	return start_lines(r, e);
}

static void stop(struct run *r)
{
	size_t i;

	(void)pthread_mutex_lock(&r->lock);
	r->is_over = true;
	for (i = 0; i < r->desks; i++)
		end_desk(&r->desk[i]);
	(void)pthread_cond_broadcast(&r->more);
	(void)pthread_mutex_unlock(&r->lock);
	for (i = 0; i < r->s->socks; i++)
		(void)shutdown(r->line[i].sock, SHUT_RDWR);
	for (i = 0; i < r->s->socks; i++)
		if (r->line[i].run != NULL && r->line[i].reader != 0)
			(void)pthread_join(r->line[i].reader, NULL);
	for (i = 0; i < r->threads; i++)
		(void)pthread_join(r->thread[i], NULL);
	for (i = 0; i < r->desks; i++)
		(void)pthread_join(r->desk[i].thread, NULL);
	for (i = 0; i < r->s->socks; i++)
		close(r->s->sock[i]);
}

/* The parent let go of us. */
static void retire(struct run *r)
{
	size_t i;

	(void)pthread_mutex_lock(&r->lock);
	r->is_retired = true;
	for (i = 0; i < LISTENS; i++)
		if (r->s->listen[i].fd >= 0)
			close(r->s->listen[i].fd);
	for (i = 0; i < r->desks; i++)
		end_desk(&r->desk[i]);
	(void)pthread_mutex_unlock(&r->lock);
}

static void serve(struct run *r)
{
	const struct service *s = r->s;
	struct pollfd p = { .fd = s->ctl == NULL ? -1 : *s->ctl,
		.events = POLLIN };

	while (!all_over(r)) {
		if (poll(&p, 1, 1000) == 1) {
			retire(r);
			p.fd = -1;
			if (s->retired != NULL)
				s->retired(s->arg);
		} else if (s->each_second != NULL) {
			s->each_second(s->arg);
		}
	}
}

int service_run(const struct service *s, struct err *e)
{
	struct run r = { .s = s, .lock = PTHREAD_MUTEX_INITIALIZER,
		.more = PTHREAD_COND_INITIALIZER };
	int rc = -1;

	r.line = calloc(s->socks, sizeof(*r.line));
	r.thread = calloc(THREADS_MAX, sizeof(*r.thread));
	r.desk = calloc(LISTENS * THREADS_MAX, sizeof(*r.desk));
	if (r.line == NULL || r.thread == NULL || r.desk == NULL)
		(void)err_set(e, FAIL_TEMP, "service: out of memory");
	else
		rc = start_threads(&r, e);
	if (rc == 0)
		serve(&r);
	if (r.line != NULL)
		stop(&r);
	free(r.line);
	free(r.thread);
	free(r.desk);
	return rc;
}
