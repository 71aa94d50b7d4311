/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Connections to doors: a thread accepts for each door and starts one for
 * each connection, up to the door's limit. A connection that says nothing,
 * or too slowly, is closed.
 */
#include "milter/door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "util/clock.h"
#include "milter/door_int.h"
#include "util/log.h"

#define STACK ((size_t)1 << 20)
#define READ_SIZE 16384
#define IDLE_MS 300000	/* RFC 5321 4.5.3.2.7 */
#define DATA_MS 900000	/* a whole message */
#define SEND_TIMEOUT_S 60
#define LINGER_MS 2000
#define LINGER_OCTETS (1u << 20)
#define ACCEPT_PAUSE_MS 100 /* when descriptors are out */

/* What all doors of this process share; one front a process. */
static struct {
	struct front *front;
	const struct config *config;
	char own_name[300];
	int stop; /* readable when we stop */
	atomic_bool is_stopping;
	pthread_mutex_t lock;
	size_t running; /* connections */
	pthread_attr_t attr;
} doors;

struct listener {
	const struct door *d;
	int fd;
	int running; /* connections, under doors.lock */
};

static struct listener listener[DOORS_MAX];

/* ---- octets ---- */

bool door_flush(struct door_conn *c)
{
	struct view v = smtp_server_output(c->s);
	ssize_t n;

	while (v.n > 0) {
		n = send(c->fd, v.p, v.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		v = view_sub(v, (size_t)n, v.n - (size_t)n);
	}
	smtp_server_sent(c->s);
	return true;
}

bool door_is_there(const struct door_conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 0;
}

enum came { CAME_OCTETS, CAME_END, CAME_NOTHING, CAME_STOP };

static enum came read_some(struct door_conn *c, unsigned char *p, size_t size,
    struct view *in)
{
	struct pollfd fd[2] = { { c->fd, POLLIN, 0 },
		{ doors.stop, POLLIN, 0 } };
	int64_t left = c->until_ms - clock_ms();
	ssize_t n;
	int rc;

	rc = left <= 0 ? 0 : poll(fd, 2, (int)left);
	if (rc < 0 && errno != EINTR)
		return CAME_END;
	if (rc <= 0)
		return clock_ms() >= c->until_ms ? CAME_NOTHING : CAME_OCTETS;
	if (fd[1].revents != 0)
		return CAME_STOP;
	n = recv(c->fd, p, size, 0);
	if (n < 0 && errno == EINTR)
		return CAME_OCTETS;
	if (n <= 0)
		return CAME_END;
	*in = view_make(p, (size_t)n);
	return CAME_OCTETS;
}

/* The last reply must not be lost because we did not read all that came. */
static void linger(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t until = clock_ms() + LINGER_MS, left;
	unsigned char waste[4096];
	size_t all = 0;
	ssize_t n;

	(void)shutdown(fd, SHUT_WR);
	while (all < LINGER_OCTETS && (left = until - clock_ms()) > 0 &&
	    poll(&p, 1, (int)left) > 0) {
		n = recv(fd, waste, sizeof(waste), MSG_DONTWAIT);
		if (n <= 0)
			return;
		all += (size_t)n;
	}
}

/* ---- a connection ---- */

/* The next octets; false: it is over, and why was said. */
static bool wait_more(struct door_conn *c, unsigned char *p, struct view *in)
{
	if (smtp_server_output(c->s).n > 0)
		c->until_ms = clock_ms() + IDLE_MS;
	if (!door_flush(c))
		return false;
	switch (read_some(c, p, READ_SIZE, in)) {
	case CAME_OCTETS:
		return true;
	case CAME_NOTHING:
		smtp_server_quit(c->s, "Too slow, closing");
		break;
	case CAME_STOP:
		smtp_server_quit(c->s, "Service is going away");
		break;
	case CAME_END:
		break;
	}
	return false;
}

static void put_chunk(struct door_conn *c, struct view v)
{
	door_mail_put(c, v);
	c->until_ms = clock_ms() + IDLE_MS;
	if (c->until_ms > c->data_until_ms)
		c->until_ms = c->data_until_ms;
}

static void converse(struct door_conn *c)
{
	unsigned char p[READ_SIZE];
	struct view in = { NULL, 0 }, chunk;

	for (;;) {
		switch (smtp_server_next(c->s, &in, &chunk)) {
		case SMTP_MORE:
			if (!wait_more(c, p, &in))
				return;
			break;
		case SMTP_FLUSH:
			if (!door_flush(c))
				return;
			break;
		case SMTP_BEGIN:
			c->data_until_ms = clock_ms() + DATA_MS;
			door_mail_begin(c);
			break;
		case SMTP_CHUNK:
			put_chunk(c, chunk);
			break;
		case SMTP_MAIL:
			door_mail_finish(c);
			c->until_ms = clock_ms() + IDLE_MS;
			break;
		default: /* the others are for relays */
			return;
		}
	}
}

static void read_peer(struct door_conn *c)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	const void *ip = NULL;

	if (getpeername(c->fd, (struct sockaddr *)(void *)&sa, &n) != 0)
		return;
	if (sa.ss_family == AF_INET)
		ip = &((struct sockaddr_in *)(void *)&sa)->sin_addr;
	else if (sa.ss_family == AF_INET6)
		ip = &((struct sockaddr_in6 *)(void *)&sa)->sin6_addr;
	if (ip == NULL || inet_ntop(sa.ss_family, ip, c->peer,
	    sizeof(c->peer)) == NULL)
		c->peer[0] = '\0';
}

/* A unix socket's mode says who may; over TCP, the address. */
static bool is_welcome(const struct door_conn *c)
{
	size_t i;

	if (strncmp(c->d->listen, "unix:", 5) == 0)
		return true;
	for (i = 0; i < c->d->clients; i++)
		if (net_has(&c->d->client[i], c->peer))
			return true;
	return false;
}

static void turn_away(int fd, const char *reply)
{
	(void)send(fd, reply, strlen(reply), MSG_NOSIGNAL | MSG_DONTWAIT);
	linger(fd);
}

static void serve(struct door_conn *c)
{
	struct smtp_server_setup setup = {
		.name = c->own_name,
		.lmtp = c->d->lmtp,
		.require_tls = c->d->require_tls,
		.dsn = c->d->dsn,
		.max_size = pool_max_message(c->f->pool),
		.max_rcpts = c->d->lmtp ? CAP_DOOR_LMTP : CAP_DOOR_SMTP,
		.xforward = true
	};
	struct err e = { 0 };
	char octet;

	read_peer(c);
	if (!is_welcome(c)) {
		log_warn("event=door door=%s client=%s refused=yes "
		    "reason=\"not in clients\"", c->d->name, c->peer);
		turn_away(c->fd, "554 5.7.1 Not for you\r\n");
		return;
	}
	if (smtp_server_new(&c->s, &setup, &e) != 0) {
		log_err("event=door door=%s error=\"%s\"", c->d->name, e.msg);
		turn_away(c->fd, "421 4.3.0 Out of memory\r\n");
		return;
	}
	c->until_ms = clock_ms() + IDLE_MS;
	/* A46: a server's greeting is waited for */
	if (recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		smtp_server_early(c->s);
	converse(c);
	if (door_flush(c))
		linger(c->fd);
	txn_reset(&c->txn);
	smtp_server_free(&c->s);
}

/* ---- threads ---- */

struct arrival {
	struct listener *l;
	int fd;
};

static void count(struct listener *l, int by)
{
	(void)pthread_mutex_lock(&doors.lock);
	l->running += by;
	doors.running += (size_t)by;
	(void)pthread_mutex_unlock(&doors.lock);
}

static void *connection(void *arg)
{
	struct arrival *a = arg;
	struct listener *l = a->l;
	struct door_conn *c = calloc(1, sizeof(*c));
	const struct timeval out = { .tv_sec = SEND_TIMEOUT_S };

	if (c != NULL) {
		(void)setsockopt(a->fd, SOL_SOCKET, SO_SNDTIMEO, &out,
		    sizeof(out));
		c->f = doors.front;
		c->config = doors.config;
		c->d = l->d;
		c->own_name = doors.own_name;
		c->fd = a->fd;
		serve(c);
	}
	close(a->fd);
	free(c);
	free(a);
	count(l, -1);
	return NULL;
}

static bool has_room(const struct listener *l)
{
	bool is;

	(void)pthread_mutex_lock(&doors.lock);
	is = l->running < l->d->limit;
	(void)pthread_mutex_unlock(&doors.lock);
	return is;
}

static void begin_connection(struct listener *l, int fd)
{
	static const char busy[] = "421 4.3.2 Too many connections\r\n";
	struct arrival *a;
	pthread_t t;

	if (!has_room(l)) {
		log_warn("event=door door=%s refused=yes reason=\"more than "
		    "%d connections\"", l->d->name, l->d->limit);
		(void)send(fd, busy, sizeof(busy) - 1,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
		return;
	}
	a = malloc(sizeof(*a));
	if (a != NULL) {
		*a = (struct arrival){ l, fd };
		count(l, 1);
		if (pthread_create(&t, &doors.attr, connection, a) == 0)
			return;
		count(l, -1);
	}
	log_err("event=door door=%s error=\"no thread for a connection\"",
	    l->d->name);
	free(a);
	close(fd);
}

static void *accept_all(void *arg)
{
	struct listener *l = arg;
	struct pollfd p[2] = { { l->fd, POLLIN, 0 },
		{ doors.stop, POLLIN, 0 } };
	int fd;

	while (!atomic_load(&doors.is_stopping)) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[1].revents != 0)
			break;
		fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			begin_connection(l, fd);
		else if (errno == EMFILE || errno == ENFILE ||
		    errno == ENOMEM || errno == ENOBUFS)
			(void)poll(NULL, 0, ACCEPT_PAUSE_MS);
	}
	return NULL;
}

static int find_sock(const struct door_socks *s, const char *spec)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (strcmp(s->sock[i].listen, spec) == 0)
			return s->sock[i].fd;
	return -1;
}

static int start_shared(struct front *f, const struct config *c,
    struct err *e)
{
	struct buf name;
	int rc;

	doors.front = f;
	doors.config = c;
	buf_init(&name, sizeof(doors.own_name) - 1);
	buf_printf(&name, "postseal.%s", c->authserv_id);
	rc = buf_ok(&name, e);
	if (rc == 0)
		memcpy(doors.own_name, buf_str(&name), name.n + 1);
	buf_free(&name);
	doors.stop = eventfd(0, EFD_CLOEXEC);
	(void)pthread_mutex_init(&doors.lock, NULL);
	if (doors.stop < 0 || pthread_attr_init(&doors.attr) != 0 ||
	    pthread_attr_setstacksize(&doors.attr, STACK) != 0 ||
	    pthread_attr_setdetachstate(&doors.attr,
	    PTHREAD_CREATE_DETACHED) != 0)
		return err_sys(e, FAIL_TEMP, "doors");
	return rc;
}

int doors_start(struct front *f, const struct config *c,
    const struct door_socks *s, struct err *e)
{
	size_t i;
	pthread_t t;
	int fd;

	if (start_shared(f, c, e) != 0)
		return -1;
	for (i = 0; i < c->doors && i < DOORS_MAX; i++) {
		fd = find_sock(s, c->door[i].listen);
		if (fd < 0) {
			log_warn("event=door door=%s warning=\"a new listen "
			    "needs a restart\"", c->door[i].name);
			continue;
		}
		listener[i] = (struct listener){ &c->door[i], fd, 0 };
		if (pthread_create(&t, &doors.attr, accept_all, &listener[i])
		    != 0)
			return err_set(e, FAIL_TEMP, "door %s: no thread",
			    c->door[i].name);
	}
	return 0;
}

bool doors_stop(int64_t until_ms)
{
	const uint64_t one = 1;
	int64_t left;
	bool is_done = false;

	if (doors.front == NULL)
		return true;
	atomic_store(&doors.is_stopping, true);
	(void)!write(doors.stop, &one, sizeof(one));
	while (!is_done && (left = until_ms - clock_ms()) > 0) {
		(void)pthread_mutex_lock(&doors.lock);
		is_done = doors.running == 0;
		(void)pthread_mutex_unlock(&doors.lock);
		if (!is_done)
			(void)poll(NULL, 0, left < 20 ? (int)left : 20);
	}
	return is_done;
}
