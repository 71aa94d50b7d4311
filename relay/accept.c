/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Who may come in: deny, allow, how many at a time in all and from one client
 * (one IPv4 address, one IPv6 /64), and who must say PROXY first.
 */
#include "relay/accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "relay/proxy.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/ossl.h"

#define AT_ONCE 64	/* connections taken in one round */
#define PROXY_MS 5000	/* T66 */
#define PEEK_MS 20	/* until a part of a header is looked at again */
#define PROXY_MAX 536
#define REST_MS 100	/* without descriptors or memory */
#define GUESTS 4096	/* slots; a power of two */

struct door_fd {
	struct acceptor *a;
	struct event *event;
	struct worker_listener *l;
	const struct listen_on *on;
	int fd;
};

/* Of one client: how many are open. By hash; a slot that others have is
 * shared, which only makes the limit stricter for both. */
struct guest {
	uint32_t open;
};

/* A connection whose PROXY header is awaited. */
struct waiting {
	struct waiting *next;
	struct door_fd *d;
	struct event *readable, *again;
	int fd;
	int64_t until_ms;
	struct client who;
};

struct acceptor {
	struct worker *w;
	struct door_fd *door;
	size_t doors;
	struct waiting *waiting;
	struct event *rest;
	int reserve; /* a descriptor to be given up (pitfall: EMFILE) */
	size_t open;
	bool is_stopped;
	uint64_t salt;
	struct guest guest[GUESTS];
};

/* worker_gone() has no other way to it: one a process. */
static struct acceptor *the_acceptor;

/* ---- clients ---- */

static struct guest *guest_of(struct acceptor *a, const char *ip)
{
	unsigned char key[24] = { 0 };
	struct in6_addr six;
	uint64_t h = a->salt;
	size_t i;

	if (inet_pton(AF_INET6, ip, &six) == 1)
		memcpy(key, &six, 8);
	else
		text_set((char *)key, sizeof(key), ip);
	for (i = 0; i < sizeof(key); i++)
		h = (h ^ key[i]) * 0x100000001b3u;
	return &a->guest[(h ^ h >> 32) & (GUESTS - 1)];
}

static int limit_of(const struct listener *l, const char *ip)
{
	const struct source_match *m = relay_match(l, ip);

	return m != NULL && m->per_client >= 0 ? m->per_client :
	    l->per_client;
}

/* NULL: come in; else why not. */
static const char *refusal(struct acceptor *a, const struct worker_listener *l,
    const struct client *who)
{
	bool is_unix = strcmp(who->ip, "unix") == 0;

	if (!is_unix && nets_have(l->l->deny, l->l->denies, who->ip))
		return "deny";
	if (!is_unix && l->l->allows != 0 &&
	    !nets_have(l->l->allow, l->l->allows, who->ip))
		return "not in allow";
	if (l->open >= l->l->connections)
		return "connections";
	if (!is_unix && guest_of(a, who->ip)->open >=
	    (uint32_t)limit_of(l->l, who->ip))
		return "per-client";
	return NULL;
}

static void come_in(struct door_fd *d, struct conn *take_conn,
    const struct client *who)
{
	const char *why = refusal(d->a, d->l, who);
	struct conn *c = take_conn;

	if (why != NULL) {
		relay_stats_add(d->a->w->stats, COUNT_CONNECTIONS_REFUSED);
		log_info("event=refused id=%s listen=%s client=%s "
		    "reason=\"%s\"", who->id, d->l->l->name, who->ip, why);
		/* mail clients wait and come again; others see the end */
		if (!relay_is_tunnel(d->l->l->protocol) &&
		    d->on->tls != LISTEN_IMPLICIT)
			conn_write(c, view_of("421 4.7.0 Too many "
			    "connections or not for you\r\n"));
		conn_finish(&c, 1000);
		return;
	}
	relay_stats_add(d->a->w->stats, COUNT_CONNECTIONS);
	d->l->open++;
	d->a->open++;
	guest_of(d->a, who->ip)->open++;
	if (relay_is_tunnel(d->l->l->protocol))
		tunnel_start(d->a->w, d->l, d->on->tls, c, who);
	else
		session_start(d->a->w, d->l, d->on->tls, c, who);
}

void worker_gone(struct worker *w UNUSED, struct worker_listener *l,
    const struct client *who)
{
	struct acceptor *a = the_acceptor;

	l->open--;
	if (a == NULL)
		return;
	a->open--;
	guest_of(a, who->ip)->open--;
}

/* ---- taken ---- */

static void make_conn(struct door_fd *d, int take_fd,
    const struct client *who)
{
	static const struct conn_use nobody;
	struct err e = { 0 };
	struct conn *c;

	if (conn_new(&c, d->a->w->base, take_fd, &nobody, &e) != 0)
		log_warn("event=accept listen=%s error=\"%s\"",
		    d->l->l->name, e.msg);
	else
		come_in(d, c, who);
}

/* ---- PROXY ---- */

/* What follows the header may be TLS, which is not ours to read: it is
 * looked at before it is taken. */

static void forget(struct waiting *x)
{
	struct waiting **at = &x->d->a->waiting;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	x->d->a->open--;
	event_free(x->readable);
	event_free(x->again);
	if (x->fd >= 0)
		close(x->fd);
	free(x);
}

static void turn_away(struct waiting *x, const char *why)
{
	log_info("event=refused id=%s listen=%s client=%s reason=\"%s\"",
	    x->who.id, x->d->l->l->name, x->who.ip, why);
	relay_stats_add(x->d->a->w->stats, COUNT_CONNECTIONS_REFUSED);
	forget(x);
}

/* IPv4 in the clothes of IPv6 is IPv4: one client, whatever it is called. */
static void unmap(char *ip)
{
	if (strncmp(ip, "::ffff:", 7) == 0 && strchr(ip, '.') != NULL)
		memmove(ip, ip + 7, strlen(ip + 7) + 1);
}

/* The header is whole and was taken. */
static void on_whole(struct waiting *x, const struct proxy_header *h)
{
	struct client who = x->who;
	struct door_fd *d = x->d;
	int fd = x->fd;

	x->fd = -1;
	forget(x);
	if (!h->is_local) {
		text_set(who.ip, sizeof(who.ip), h->ip);
		text_set(who.local_ip, sizeof(who.local_ip), h->local_ip);
		unmap(who.ip);
		unmap(who.local_ip);
		who.port = h->port;
		who.local_port = h->local_port;
		who.proxy_tls = h->has_tls;
	}
	make_conn(d, fd, &who);
}

static void on_header(evutil_socket_t fd, short what UNUSED, void *arg)
{
	static const struct timeval soon = { 0, PEEK_MS * 1000 };
	unsigned char octets[PROXY_MAX];
	struct waiting *x = arg;
	struct proxy_header h;
	struct err e = { 0 };
	size_t used = 0;
	ssize_t n;
	int rc;

	n = recv(fd, octets, sizeof(octets), MSG_PEEK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR) &&
	    clock_ms() < x->until_ms) {
		(void)event_add(x->again, &soon);
		return;
	}
	if (n <= 0 || clock_ms() >= x->until_ms) {
		turn_away(x, "no PROXY header came");
		return;
	}
	rc = proxy_read(&h, view_make(octets, (size_t)n), &used, &e);
	if (rc == 0)
		(void)event_add(x->again, &soon);
	else if (rc < 0 || recv(fd, octets, used, 0) != (ssize_t)used)
		turn_away(x, rc < 0 ? e.msg : "the PROXY header went away");
	else
		on_whole(x, &h);
}

static void on_again(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct waiting *x = arg;

	on_header(x->fd, EV_READ, x);
}

static void await_header(struct door_fd *d, int take_fd,
    const struct client *who)
{
	static const struct timeval most = { PROXY_MS / 1000, 0 };
	struct waiting *x = calloc(1, sizeof(*x));

	if (x == NULL) {
		close(take_fd);
		return;
	}
	x->d = d;
	x->fd = take_fd;
	x->who = *who;
	x->until_ms = clock_ms() + PROXY_MS;
	x->next = d->a->waiting;
	d->a->waiting = x;
	d->a->open++;
	x->readable = event_new(d->a->w->base, take_fd, EV_READ, on_header,
	    x);
	x->again = event_new(d->a->w->base, -1, 0, on_again, x);
	if (x->readable == NULL || x->again == NULL)
		log_fatal("event=accept error=\"out of memory\"");
	if (!nets_have(d->l->l->proxy_from, d->l->l->proxy_froms, who->ip))
		turn_away(x, "not in proxy-from");
	else
		(void)event_add(x->readable, &most);
}

/* ---- taking ---- */

static void put_address(char *ip, size_t size, int *port,
    const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *six = (const void *)ss;
	const struct sockaddr_in *four = (const void *)ss;

	*port = 0;
	if (ss->ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &four->sin_addr, ip, (socklen_t)size);
		*port = ntohs(four->sin_port);
	} else if (ss->ss_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &six->sin6_addr, ip,
		    (socklen_t)size);
		*port = ntohs(six->sin6_port);
		unmap(ip);
	} else {
		text_set(ip, size, "unix");
	}
}

static void take_one(struct door_fd *d, int take_fd,
    const struct sockaddr_storage *peer)
{
	struct sockaddr_storage own = { 0 };
	struct client who = { .port = 0 };
	socklen_t n = sizeof(own);
	unsigned char id[8];
	char hex[17];

	put_address(who.ip, sizeof(who.ip), &who.port, peer);
	if (getsockname(take_fd, (struct sockaddr *)(void *)&own, &n) == 0)
		put_address(who.local_ip, sizeof(who.local_ip),
		    &who.local_port, &own);
	ossl_random(id, sizeof(id));
	text_set(who.id, sizeof(who.id), hex_encode(hex, id, sizeof(id)));
	if (d->on->proxy)
		await_header(d, take_fd, &who);
	else
		make_conn(d, take_fd, &who);
}

static void rest(struct acceptor *a, bool is_short)
{
	struct timeval tv = { 0, REST_MS * 1000 };
	size_t i;

	for (i = 0; i < a->doors && !a->is_stopped; i++) {
		if (is_short)
			(void)event_del(a->door[i].event);
		else
			(void)event_add(a->door[i].event, NULL);
	}
	if (is_short)
		(void)event_add(a->rest, &tv);
}

/* No descriptor is left: the one that waits is taken with the reserve and
 * closed, so that it does not wake us for ever. */
static void out_of_fds(struct acceptor *a, int listening)
{
	int fd;

	log_warn("event=accept error=\"no descriptors left\"");
	close(a->reserve);
	fd = accept(listening, NULL, NULL);
	if (fd >= 0)
		close(fd);
	a->reserve = fcntl(listening, F_DUPFD_CLOEXEC, 0);
	rest(a, true);
}

static void on_rested(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	rest(arg, false);
}

static void on_listen(evutil_socket_t fd, short what UNUSED, void *arg)
{
	struct door_fd *d = arg;
	struct sockaddr_storage ss;
	socklen_t n;
	int got, i;

	for (i = 0; i < AT_ONCE && !d->a->is_stopped; i++) {
		memset(&ss, 0, sizeof(ss));
		n = sizeof(ss);
		got = accept4(fd, (struct sockaddr *)(void *)&ss, &n,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (got >= 0) {
			take_one(d, got, &ss);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE)
			out_of_fds(d->a, fd);
		else if (errno == ENOMEM || errno == ENOBUFS)
			rest(d->a, true);
		else if (errno == EINTR || errno == ECONNABORTED)
			continue;
		return;
	}
}

/* ---- life ---- */

int acceptor_new(struct acceptor **out, struct worker *w,
    const struct relay_sock *listen, size_t n, struct err *e)
{
	struct acceptor *a = calloc(1, sizeof(*a));
	size_t i;

	*out = NULL;
	if (a == NULL || (a->door = calloc(n + 1, sizeof(*a->door))) == NULL) {
		free(a);
		return err_set(e, FAIL_TEMP, "accept: out of memory");
	}
	a->w = w;
	a->doors = n;
	a->reserve = dup(0);
	a->rest = event_new(w->base, -1, 0, on_rested, a);
	ossl_random(&a->salt, sizeof(a->salt));
	for (i = 0; i < n; i++) {
		struct door_fd *d = &a->door[i];

		d->a = a;
		d->l = &w->listener[listen[i].listener];
		d->on = &d->l->l->on[listen[i].on];
		d->fd = listen[i].fd;
		d->event = event_new(w->base, d->fd, EV_READ | EV_PERSIST,
		    on_listen, d);
		if (a->rest == NULL || d->event == NULL ||
		    event_add(d->event, NULL) != 0) {
			acceptor_free(&a);
			return err_set(e, FAIL_TEMP, "accept: no event");
		}
	}
	the_acceptor = a;
	*out = a;
	return 0;
}

void acceptor_stop(struct acceptor *a)
{
	size_t i;

	a->is_stopped = true;
	for (i = 0; i < a->doors; i++)
		(void)event_del(a->door[i].event);
	/* it may be one of the listening ones: out_of_fds() */
	if (a->reserve >= 0)
		close(a->reserve);
	a->reserve = -1;
}

size_t acceptor_open(const struct acceptor *a)
{
	return a->open;
}

void acceptor_free(struct acceptor **ap)
{
	struct acceptor *a = *ap;
	size_t i;

	if (a == NULL)
		return;
	while (a->waiting != NULL)
		turn_away(a->waiting, "we go away");
	for (i = 0; i < a->doors; i++)
		if (a->door[i].event != NULL)
			event_free(a->door[i].event);
	if (a->rest != NULL)
		event_free(a->rest);
	if (a->reserve >= 0)
		close(a->reserve);
	the_acceptor = NULL;
	free(a->door);
	free(a);
	*ap = NULL;
}
