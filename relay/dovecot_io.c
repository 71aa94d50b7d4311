/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One connection to Dovecot for all threads. Who waits for an answer reads,
 * if nobody else does, and hands to the others what is theirs. Whatever is
 * not as the protocol says ends the connection, and every request on it.
 */
#include "relay/dovecot.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "smtp/base64.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/ossl.h"

#define CONNECT_MS 5000
#define ANSWER_MS 30000
#define REST_MS 1000 /* after a failure nobody tries for so long */
#define MECHS_MAX 32

struct dovecot_talk {
	struct dovecot_talk *next;
	struct dovecot *d;
	uint32_t id;
	bool has_reply, is_lost;
	struct dovecot_reply reply;
};

struct dovecot {
	char *path;
	int connect_ms, answer_ms;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t news;
	int fd; /* -1: none */
	uint32_t last_id;
	bool is_read;	     /* a thread waits for input */
	bool is_dead;	     /* given up; who waits there closes it */
	int64_t heard_ms;    /* when something came */
	struct buf in;
	struct dovecot_talk *first; /* that wait, or go on later */
	char mech[MECHS_MAX][40];
	size_t mechs;
	int64_t rest_until;
	struct err why; /* of the last failure */
};

int dovecot_new(struct dovecot **out, const char *path, int connect_ms,
    int answer_ms, struct err *e)
{
	struct dovecot *d = calloc(1, sizeof(*d));
	pthread_condattr_t a;

	if (d == NULL || (d->path = strdup(path)) == NULL) {
		free(d);
		return err_set(e, FAIL_TEMP, "out of memory");
	}
	d->fd = -1;
	d->connect_ms = connect_ms > 0 ? connect_ms : CONNECT_MS;
	d->answer_ms = answer_ms > 0 ? answer_ms : ANSWER_MS;
	buf_init_secret(&d->in, DOVECOT_LINE + 1);
	(void)pthread_mutex_init(&d->lock, NULL);
	(void)pthread_condattr_init(&a);
	(void)pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&d->news, &a);
	(void)pthread_condattr_destroy(&a);
	*out = d;
	return 0;
}

void dovecot_free(struct dovecot **d)
{
	if (*d == NULL)
		return;
	if ((*d)->fd >= 0)
		close((*d)->fd);
	buf_free(&(*d)->in);
	(void)pthread_mutex_destroy(&(*d)->lock);
	(void)pthread_cond_destroy(&(*d)->news);
	free((*d)->path);
	free(*d);
	*d = NULL;
}

/* ---- the connection; all with the lock ---- */

/* It is of no use any more: everybody on it is told. */
static void give_up(struct dovecot *d, const struct err *why)
{
	struct dovecot_talk *t;

	if (d->is_read) {
		d->is_dead = true;
		(void)shutdown(d->fd, SHUT_RDWR); /* wakes him */
	} else if (d->fd >= 0) {
		close(d->fd);
		d->fd = -1;
	}
	d->why = *why;
	d->why.kind = FAIL_TEMP;
	buf_clear(&d->in);
	for (t = d->first; t != NULL; t = t->next)
		t->is_lost = true;
	(void)pthread_cond_broadcast(&d->news);
}

/* One recv; -1: it is over. */
static int read_some(int fd, struct buf *in, struct err *e)
{
	unsigned char *p;
	size_t room;
	ssize_t n;

	room = in->max - in->n;
	p = room == 0 ? NULL : buf_room(in, room);
	if (p == NULL)
		return err_set(e, FAIL_TEMP, "Dovecot: a line of more than "
		    "%d octets", DOVECOT_LINE);
	n = recv(fd, p, room, MSG_DONTWAIT);
	if (n > 0) {
		in->n += (size_t)n;
		return 0;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n == 0 ? err_set(e, FAIL_TEMP, "Dovecot closed the "
	    "connection") : err_sys(e, FAIL_TEMP, "Dovecot");
}

/* The first line of what was read: 1, 0: there is none yet, -1. */
static int next_line(struct buf *in, struct dovecot_reply *r, struct err *e)
{
	size_t end = view_chr(buf_view(in), '\n', 0);
	int rc;

	if (end == (size_t)-1 && in->n < DOVECOT_LINE)
		return 0;
	if (end == (size_t)-1 || end >= DOVECOT_LINE)
		return err_set(e, FAIL_TEMP, "Dovecot: a line of more than "
		    "%d octets", DOVECOT_LINE);
	rc = dovecot_reply_parse(r, view_sub(buf_view(in), 0, end), e);
	memmove(in->p, in->p + end + 1, in->n - end - 1);
	in->n -= end + 1;
	return rc == 0 ? 1 : -1;
}

static int send_line(int fd, struct view v, struct err *e)
{
	ssize_t n = send(fd, v.p, v.n, MSG_NOSIGNAL | MSG_DONTWAIT);

	/* a peer that leaves its buffer full is as good as away */
	if (n < 0)
		return err_sys(e, FAIL_TEMP, "Dovecot");
	return (size_t)n == v.n ? 0 : err_set(e, FAIL_TEMP, "Dovecot does "
	    "not read");
}

static int open_socket(const struct dovecot *d, int *fd, struct err *e)
{
	struct sockaddr_un a;

	memset(&a, 0, sizeof(a));
	a.sun_family = AF_UNIX;
	if (strlen(d->path) >= sizeof(a.sun_path))
		return err_set(e, FAIL_CONFIG, "%s: path too long for a "
		    "socket", d->path);
	text_set(a.sun_path, sizeof(a.sun_path), d->path);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return err_sys(e, FAIL_TEMP, "socket");
	if (connect(*fd, (const struct sockaddr *)&a, sizeof(a)) != 0) {
		(void)err_sys(e, FAIL_TEMP, "%s", d->path);
		close(*fd);
		*fd = -1;
		return -1;
	}
	return 0;
}

static int say_hello(int fd, struct err *e)
{
	uint32_t pid;
	struct buf b;
	int rc;

	/* Dovecot wants a number that no other client has. After a reload
	 * there are two of us, and it may see the end of a connection later
	 * than the beginning of the next one: no process id. */
	ossl_random(&pid, sizeof(pid));
	buf_init(&b, 100);
	buf_printf(&b, "VERSION\t1\t1\nCPID\t%lu\n",
	    (unsigned long)(pid & 0x7fffffff) | 1);
	rc = buf_ok(&b, e) != 0 ? -1 : send_line(fd, buf_view(&b), e);
	buf_free(&b);
	return rc;
}

/* What comes before DONE: 1 it is done, 0 more, -1. */
static int take_hello(struct dovecot *d, const struct dovecot_reply *r,
    bool *has_version, struct err *e)
{
	switch (r->word) {
	case DOVECOT_VERSION:
		if (r->version != 1)
			return err_set(e, FAIL_TEMP, "Dovecot: version %u of "
			    "the protocol, wanted 1", r->version);
		*has_version = true;
		return 0;
	case DOVECOT_MECH:
		if (d->mechs < MECHS_MAX)
			text_set(d->mech[d->mechs++], sizeof(d->mech[0]),
			    r->mech);
		return 0;
	case DOVECOT_DONE:
		if (!*has_version)
			return err_set(e, FAIL_TEMP, "Dovecot: no VERSION");
		return 1;
	case DOVECOT_OK:
	case DOVECOT_CONT:
	case DOVECOT_FAIL:
		return err_set(e, FAIL_TEMP, "Dovecot: an answer before "
		    "there was a request");
	default:
		return 0;
	}
}

static int wait_input(int fd, int64_t until, struct err *e)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left = until - clock_ms();
	int rc;

	rc = left <= 0 ? 0 : poll(&p, 1, (int)left);
	if (rc > 0 || (rc < 0 && errno == EINTR))
		return 0;
	return err_set(e, FAIL_TEMP, "Dovecot: no answer in time");
}

static int shake_hands(struct dovecot *d, int fd, struct err *e)
{
	int64_t until = clock_ms() + d->connect_ms;
	bool has_version = false;
	struct dovecot_reply r;
	size_t lines = 0;
	int rc = say_hello(fd, e);

	dovecot_reply_init(&r);
	while (rc == 0) {
		rc = next_line(&d->in, &r, e);
		if (rc == 1)
			rc = ++lines > 1000 ? err_set(e, FAIL_TEMP,
			    "Dovecot: endless greeting") :
			    take_hello(d, &r, &has_version, e);
		else if (rc == 0 && wait_input(fd, until, e) == 0)
			rc = read_some(fd, &d->in, e);
		else if (rc == 0)
			rc = -1;
	}
	dovecot_reply_free(&r);
	return rc == 1 ? 0 : -1;
}

/* A connection that is good, as far as one can know. */
static int have_connection(struct dovecot *d, struct err *e)
{
	struct err why = { 0 };
	int fd = -1;

	while (d->is_dead)
		(void)pthread_cond_wait(&d->news, &d->lock);
	if (d->fd >= 0)
		return 0;
	if (clock_ms() < d->rest_until) {
		*e = d->why;
		return -1;
	}
	d->mechs = 0;
	buf_clear(&d->in);
	if (open_socket(d, &fd, &why) != 0 ||
	    shake_hands(d, fd, &why) != 0) {
		if (fd >= 0)
			close(fd);
		buf_clear(&d->in);
		d->rest_until = clock_ms() + REST_MS;
		why.kind = FAIL_TEMP;
		d->why = why;
		*e = why;
		return -1;
	}
	d->fd = fd;
	d->heard_ms = clock_ms();
	return 0;
}

/* ---- answers; with the lock ---- */

static void hand_out(struct dovecot *d, struct dovecot_reply *r)
{
	struct dovecot_talk *t;

	for (t = d->first; t != NULL; t = t->next)
		if (t->id == r->id)
			break;
	if (t == NULL || t->has_reply)
		return; /* it was given up */
	dovecot_reply_free(&t->reply);
	t->reply = *r;
	dovecot_reply_init(r);
	t->has_reply = true;
}

static int take_lines(struct dovecot *d, struct err *e)
{
	struct dovecot_reply r;
	int rc;

	dovecot_reply_init(&r);
	while ((rc = next_line(&d->in, &r, e)) == 1)
		if (r.word == DOVECOT_OK || r.word == DOVECOT_CONT ||
		    r.word == DOVECOT_FAIL)
			hand_out(d, &r);
	dovecot_reply_free(&r);
	return rc;
}

/* Read once for everybody; the lock is let go meanwhile. */
static void read_for_all(struct dovecot *d, int64_t until)
{
	struct err e = { 0 };
	int fd = d->fd, rc;

	d->is_read = true;
	(void)pthread_mutex_unlock(&d->lock);
	rc = wait_input(fd, until, NULL);
	(void)pthread_mutex_lock(&d->lock);
	d->is_read = false;
	if (d->is_dead) {
		close(d->fd);
		d->fd = -1;
		d->is_dead = false;
	} else if (rc == 0 && (read_some(d->fd, &d->in, &e) != 0 ||
	    take_lines(d, &e) != 0)) {
		log_warn("event=dovecot-lost error=\"%s\"", e.msg);
		give_up(d, &e);
	} else if (rc == 0)
		d->heard_ms = clock_ms();
	(void)pthread_cond_broadcast(&d->news);
}

static void wait_until(struct dovecot *d, int64_t until)
{
	struct timespec t = {
		.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000
	};

	(void)pthread_cond_timedwait(&d->news, &d->lock, &t);
}

static void send_cancel(const struct dovecot_talk *t)
{
	struct buf b;

	buf_init(&b, 40);
	buf_printf(&b, "CANCEL\t%lu\n", (unsigned long)t->id);
	if (t->d->fd >= 0 && !t->d->is_dead)
		(void)send_line(t->d->fd, buf_view(&b), NULL);
	buf_free(&b);
}

/* Until t has its reply, or has none. */
static int wait_reply(struct dovecot *d, struct dovecot_talk *t,
    struct err *e)
{
	int64_t begin = clock_ms(), until = begin + d->answer_ms;

	while (!t->has_reply && !t->is_lost && clock_ms() < until) {
		if (d->is_read)
			wait_until(d, until);
		else
			read_for_all(d, until);
	}
	if (t->has_reply)
		return 0;
	if (t->is_lost) {
		*e = d->why;
		return -1;
	}
	(void)err_set(e, FAIL_TEMP, "Dovecot: no answer in time");
	if (d->heard_ms < begin) { /* it hangs: nobody else waits so long */
		d->rest_until = clock_ms() + REST_MS;
		give_up(d, e);
	} else
		send_cancel(t);
	return -1;
}

/* ---- requests ---- */

static void unlink_talk(struct dovecot *d, const struct dovecot_talk *t)
{
	struct dovecot_talk **at = &d->first;

	while (*at != NULL && *at != t)
		at = &(*at)->next;
	if (*at != NULL)
		*at = t->next;
}

static void free_talk(struct dovecot_talk **t)
{
	dovecot_reply_free(&(*t)->reply);
	free(*t);
	*t = NULL;
}

static bool has_mech(const struct dovecot *d, const char *mech)
{
	size_t i;

	for (i = 0; i < d->mechs; i++)
		if (view_ieq_str(view_of(d->mech[i]), mech))
			return true;
	return false;
}

static int send_on(struct dovecot *d, struct view line, struct err *e)
{
	if (send_line(d->fd, line, e) == 0)
		return 0;
	give_up(d, e);
	return -1;
}

static int try_begin(struct dovecot *d, struct dovecot_talk *t,
    struct view line, struct err *e)
{
	int rc;

	t->has_reply = t->is_lost = false;
	if (have_connection(d, e) != 0)
		return -1;
	t->next = d->first;
	d->first = t;
	rc = send_on(d, line, e);
	if (rc == 0)
		rc = wait_reply(d, t, e);
	if (rc != 0)
		unlink_talk(d, t);
	return rc;
}

static int begin(struct dovecot *d, struct dovecot_talk *t, const char *mech,
    struct view line, struct err *e)
{
	bool was_there = d->fd >= 0;

	if (have_connection(d, e) != 0)
		return -1;
	if (!has_mech(d, mech))
		return err_set(e, FAIL_TEMP, "Dovecot does not offer %s",
		    mech);
	if (try_begin(d, t, line, e) == 0)
		return 0;
	/* Dovecot may have been restarted since that connection was made */
	if (!was_there || !t->is_lost)
		return -1;
	err_clear(e);
	return try_begin(d, t, line, e);
}

static void take_reply(struct dovecot_talk *t, struct dovecot_reply *reply)
{
	dovecot_reply_free(reply);
	*reply = t->reply;
	dovecot_reply_init(&t->reply);
	t->has_reply = false;
}

int dovecot_begin(struct dovecot *d, const char *mech,
    const struct dovecot_who *who, const struct view *initial,
    struct dovecot_talk **talk, struct dovecot_reply *reply, struct err *e)
{
	struct dovecot_talk *t = calloc(1, sizeof(*t));
	struct buf line;
	int rc;

	*talk = NULL;
	if (t == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	t->d = d;
	dovecot_reply_init(&t->reply);
	buf_init_secret(&line, 2 * DOVECOT_LINE);
	(void)pthread_mutex_lock(&d->lock);
	t->id = ++d->last_id == 0 ? ++d->last_id : d->last_id;
	rc = dovecot_put_auth(&line, t->id, mech, who, initial, e);
	if (rc == 0)
		rc = begin(d, t, mech, buf_view(&line), e);
	if (rc == 0)
		take_reply(t, reply);
	if (rc == 0 && reply->word == DOVECOT_CONT) {
		*talk = t;
		t = NULL;
	} else if (rc == 0)
		unlink_talk(d, t);
	(void)pthread_mutex_unlock(&d->lock);
	buf_free(&line);
	if (t != NULL)
		free_talk(&t);
	return rc;
}

static int go_on(struct dovecot_talk *t, struct view data, struct err *e)
{
	struct buf line;
	int rc;

	if (t->is_lost) {
		*e = t->d->why;
		return -1;
	}
	buf_init_secret(&line, 2 * DOVECOT_LINE);
	buf_printf(&line, "CONT\t%lu\t", (unsigned long)t->id);
	base64_encode(&line, data);
	buf_putc(&line, '\n');
	rc = buf_ok(&line, e);
	if (rc == 0 && line.n > DOVECOT_SENT)
		rc = err_set(e, FAIL_LIMIT, "Dovecot: %zu octets, at most "
		    "%d", line.n, DOVECOT_SENT);
	if (rc == 0)
		rc = send_on(t->d, buf_view(&line), e);
	buf_free(&line);
	return rc == 0 ? wait_reply(t->d, t, e) : -1;
}

int dovecot_go_on(struct dovecot_talk **talk, struct view data,
    struct dovecot_reply *reply, struct err *e)
{
	struct dovecot_talk *t = *talk;
	struct dovecot *d = t->d;
	int rc;

	(void)pthread_mutex_lock(&d->lock);
	rc = go_on(t, data, e);
	if (rc == 0)
		take_reply(t, reply);
	if (rc != 0 || reply->word != DOVECOT_CONT) {
		unlink_talk(d, t);
		free_talk(talk);
	}
	(void)pthread_mutex_unlock(&d->lock);
	return rc;
}

void dovecot_cancel(struct dovecot_talk **talk)
{
	struct dovecot *d;

	if (*talk == NULL)
		return;
	d = (*talk)->d;
	(void)pthread_mutex_lock(&d->lock);
	if (!(*talk)->is_lost)
		send_cancel(*talk);
	unlink_talk(d, *talk);
	free_talk(talk);
	(void)pthread_mutex_unlock(&d->lock);
}
