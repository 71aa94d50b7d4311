/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * For tests of hops: next hops are threads that say what a test tells them,
 * on loopback; the world is a worker's loop with nothing else in it. For
 * inclusion by one test program at a time.
 */
#ifndef TESTS_UNIT_RELAY_HOP_H
#define TESTS_UNIT_RELAY_HOP_H

#include "relay/hop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/conn.h"
#include "relay/stats.h"
#include "relay/tls.h"
#include "testca.h"
#include "util/clock.h"

/* ---- the next hops ---- */

/*
 * What one says in a connection. NULL: what a good one says. '|' is between
 * what is said the first time, the second time ...; the last one is repeated.
 * Instead of a reply: "-" close, "!" reset, "~" nothing any more, "*" lines
 * without end, "#" a line without end; "\1" behind a reply: then close.
 */
struct talk {
	const char *greeting, *ehlo, *starttls, *ehlo_tls, *xclient, *mail,
	    *rcpt, *data, *end;
	size_t body_most; /* read so much of a message, then say .end */
	bool dozes; /* reads the rest when it is let go */
	bool implicit;
};

#define OFFERS "250-next\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
#define WITH_TLS OFFERS "250-STARTTLS\r\n250 SIZE 50000000\r\n"
#define NO_TLS OFFERS "250 SIZE 50000000\r\n"

#define SINKS 3
#define HELD_AT 100
struct next_hop {
	pthread_t thread;
	int sock, port;
	const struct talk *talk; /* of each connection, in turn */
	size_t talks;
	bool is_split; /* octet by octet */
	/* it says no more than HELD_AT octets at a time, nor reads on where it
	 * dozes, until the test lets it go */
	_Atomic bool is_held;
	pthread_mutex_t lock;
	struct buf plain, tls; /* commands, before and within TLS */
	struct buf mails;
	struct buf told; /* a copy of the above for the test */
	_Atomic int connections, dots, open;
};
static struct next_hop sink[SINKS];
static SSL_CTX *sink_ctx;
static struct testca sink_ca;
static struct testca_id sink_id;

struct line {
	struct next_hop *s;
	int fd;
	SSL *ssl;
	const struct talk *talk;
	unsigned char in[4096];
	size_t at, n;
	int mails, rcpts, ehlos;
	bool is_over;
};

static int line_octet(struct line *l)
{
	ssize_t n;

	if (l->at < l->n)
		return l->in[l->at++];
	n = l->ssl != NULL ? SSL_read(l->ssl, l->in, sizeof(l->in)) :
	    recv(l->fd, l->in, sizeof(l->in), 0);
	if (n <= 0)
		return -1;
	l->n = (size_t)n;
	l->at = 0;
	return l->in[l->at++];
}

static void line_wait(const struct line *l)
{
	while (l->s->is_held)
		usleep(1000);
}

static int line_send(struct line *l, const char *p, size_t n)
{
	ssize_t got;

	for (size_t i = 0; i < n; i += (size_t)got) {
		size_t some = l->s->is_split ? 1 : n - i;

		if (i >= HELD_AT)
			line_wait(l);
		else if (l->s->is_held && some > HELD_AT - i)
			some = HELD_AT - i;
		got = l->ssl != NULL ? SSL_write(l->ssl, p + i, (int)some) :
		    send(l->fd, p + i, some, MSG_NOSIGNAL);
		if (got <= 0)
			return -1;
		if (l->s->is_split)
			usleep(200);
	}
	return 0;
}

static void line_close(struct line *l, bool is_hard)
{
	const struct linger now = {1, 0};

	l->is_over = true;
	if (is_hard)
		setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	else if (l->ssl != NULL)
		SSL_shutdown(l->ssl);
}

static void without_end(struct line *l, const char *what)
{
	struct buf much;

	buf_init(&much, 1u << 20);
	while (much.n < 60000)
		buf_puts(&much, what);
	/* a gigabyte, if somebody takes it */
	for (int i = 0; i < 16384; i++)
		if (line_send(l, buf_str(&much), much.n) != 0)
			break;
	buf_free(&much);
	l->is_over = true;
}

/* The n-th of what is apart by '|'. */
static struct view nth(const char *all, int n)
{
	struct view v = view_of(all);
	size_t bar;

	while (n-- > 0 && (bar = view_chr(v, '|', 0)) != (size_t)-1)
		v = view_sub(v, bar + 1, v.n);
	return view_sub(v, 0, view_chr(v, '|', 0));
}

/* false: it was something else than a reply */
static bool line_say(struct line *l, const char *all, const char *good, int n)
{
	struct view v = nth(all != NULL ? all : good, n);
	bool closes = v.n > 0 && v.p[v.n - 1] == '\1';

	switch (v.n == 1 ? v.p[0] : 0) {
	case '-':
		line_close(l, false);
		return false;
	case '!':
		line_close(l, true);
		return false;
	case '~':
		while (line_octet(l) >= 0)
			;
		l->is_over = true;
		return false;
	case '*':
		without_end(l, "250-x\r\n");
		return false;
	case '#':
		without_end(l, "2222222222");
		return false;
	default:
		break;
	}
	if (line_send(l, (const char *)v.p, v.n - closes) != 0)
		l->is_over = true;
	if (closes)
		line_close(l, false);
	return !l->is_over;
}

static bool line_tls(struct line *l)
{
	l->ssl = SSL_new(sink_ctx);
	SSL_set_fd(l->ssl, l->fd);
	return SSL_accept(l->ssl) == 1;
}

static void line_body(struct line *l, size_t most)
{
	struct buf got;
	int c;

	buf_init(&got, 64u << 20);
	while ((most == 0 || got.n < most) && (c = line_octet(l)) >= 0) {
		buf_putc(&got, c);
		if (got.n < 5 || memcmp(got.p + got.n - 5, "\r\n.\r\n", 5) !=
		    0)
			continue;
		pthread_mutex_lock(&l->s->lock);
		l->s->dots++;
		buf_putv(&l->s->mails, buf_view(&got));
		pthread_mutex_unlock(&l->s->lock);
		break;
	}
	buf_free(&got);
}

static void line_command(struct line *l, const char *verb)
{
	const struct talk *t = l->talk;
	bool in_tls = l->ssl != NULL;

	if (strncasecmp(verb, "EHLO", 4) == 0 ||
	    strncasecmp(verb, "LHLO", 4) == 0)
		line_say(l, in_tls && !t->implicit ? t->ehlo_tls : t->ehlo,
		    in_tls ? NO_TLS : WITH_TLS, 0);
	else if (strncasecmp(verb, "STARTTLS", 8) == 0) {
		if (line_say(l, t->starttls, "220 go\r\n", 0) &&
		    (t->starttls == NULL || t->starttls[1] == '2') &&
		    !line_tls(l))
			l->is_over = true;
	} else if (strncasecmp(verb, "XCLIENT", 7) == 0)
		line_say(l, t->xclient, "220 again\r\n", 0);
	else if (strncasecmp(verb, "MAIL", 4) == 0)
		line_say(l, t->mail, "250 2.1.0 ok\r\n", l->mails++);
	else if (strncasecmp(verb, "RCPT", 4) == 0)
		line_say(l, t->rcpt, "250 2.1.5 ok\r\n", l->rcpts++);
	else if (strncasecmp(verb, "DATA", 4) == 0) {
		if (line_say(l, t->data, "354 go\r\n", 0)) {
			line_body(l, t->body_most);
			if (t->dozes) {
				line_wait(l);
				line_body(l, 0);
			}
			line_say(l, t->end, "250 2.0.0 queued\r\n",
			    l->mails - 1);
		}
	} else if (strncasecmp(verb, "QUIT", 4) == 0)
		line_say(l, NULL, "221 bye\r\n\1", 0);
	else
		line_say(l, NULL, "250 ok\r\n", 0);
}

static void line_talk(struct line *l)
{
	struct buf b;
	int c;

	if (l->talk->implicit && !line_tls(l))
		return;
	line_say(l, l->talk->greeting, "220 next ESMTP\r\n", 0);
	buf_init(&b, 65536);
	while (!l->is_over && (c = line_octet(l)) >= 0) {
		buf_putc(&b, c);
		if (c != '\n')
			continue;
		pthread_mutex_lock(&l->s->lock);
		buf_putv(l->ssl != NULL ? &l->s->tls : &l->s->plain,
		    buf_view(&b));
		pthread_mutex_unlock(&l->s->lock);
		line_command(l, buf_str(&b));
		buf_clear(&b);
	}
	buf_free(&b);
}

static void *serve(void *arg)
{
	struct line *l = arg;
	sigset_t pipe;
	int on = 1;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	line_talk(l);
	SSL_free(l->ssl);
	close(l->fd);
	pthread_mutex_lock(&l->s->lock);
	l->s->open--;
	pthread_mutex_unlock(&l->s->lock);
	free(l);
	return NULL;
}

static void *listen_on(void *arg)
{
	struct next_hop *s = arg;
	pthread_t t;
	int fd;

	while ((fd = accept(s->sock, NULL, NULL)) >= 0) {
		struct line *l = calloc(1, sizeof(*l));
		size_t n;

		pthread_mutex_lock(&s->lock);
		n = (size_t)s->connections++;
		l->talk = &s->talk[n < s->talks ? n : s->talks - 1];
		s->open++;
		pthread_mutex_unlock(&s->lock);
		l->s = s;
		l->fd = fd;
		if (pthread_create(&t, NULL, serve, l) != 0)
			abort();
		pthread_detach(t);
	}
	return NULL;
}

static int bound(int *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t n = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, n) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &n) != 0)
		abort();
	*port = ntohs(sa.sin_port);
	return fd;
}

static void sink_start(size_t i, const struct talk *t, size_t n)
{
	struct next_hop *s = &sink[i];

	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	buf_init(&s->plain, 64u << 20);
	buf_init(&s->tls, 64u << 20);
	buf_init(&s->mails, 64u << 20);
	buf_init(&s->told, 64u << 20);
	s->talk = t;
	s->talks = n;
	s->sock = bound(&s->port);
	if (listen(s->sock, 20) != 0 ||
	    pthread_create(&s->thread, NULL, listen_on, s) != 0)
		abort();
}

static void sink_stop(size_t i)
{
	struct next_hop *s = &sink[i];
	int open = 1;

	if (s->port == 0)
		return;
	shutdown(s->sock, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->sock);
	s->is_held = false;
	for (int tries = 0; open > 0 && tries < 12000; tries++) {
		pthread_mutex_lock(&s->lock);
		open = s->open;
		pthread_mutex_unlock(&s->lock);
		if (open > 0)
			usleep(5000);
	}
	assert_int_equal(open, 0);
	buf_free(&s->plain);
	buf_free(&s->tls);
	buf_free(&s->mails);
	buf_free(&s->told);
	s->port = 0;
}

/* ---- the world ---- */

static struct {
	struct event_base *base;
	struct event *tick;
	struct hops *hops;
	struct tls_clients *tls;
	struct relay_stats *stats;
	struct spool *spool;
	int ticks;
} world;

#define RCPTS 4
struct seen {
	struct hop *h;
	int rcpts, results, lates;
	struct hop_reply rcpt[RCPTS], result[RCPTS];
	bool accepted; /* late */
	bool frees; /* when the last result came */
};

static void count_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	world.ticks++;
}

static int world_start(void **state)
{
	static const struct timeval tick = {0, 10000};
	static const struct relay_config none;
	struct hops_setup setup = {.helo = "me.example"};
	struct err e = {0};

	(void)state;
	memset(&world, 0, sizeof(world));
	world.base = event_base_new();
	world.tick = event_new(world.base, -1, EV_PERSIST, count_tick, NULL);
	event_add(world.tick, &tick);
	if (tls_clients_new(&world.tls, &none, NULL, &e) != 0 ||
	    relay_stats_new(&world.stats, &e) != 0)
		return -1;
	setup.base = world.base;
	setup.tls = world.tls;
	setup.stats = world.stats;
	return hops_new(&world.hops, &setup, &e);
}

static int world_stop(void **state)
{
	(void)state;
	hops_free(&world.hops);
	/* what is closed in order is still being said */
	while (conn_finishing() > 0)
		event_base_loop(world.base, EVLOOP_ONCE);
	tls_clients_free(&world.tls);
	spool_free(&world.spool);
	event_free(world.tick);
	event_base_free(world.base);
	for (size_t i = 0; i < SINKS; i++)
		sink_stop(i);
	return 0;
}

static int sinks_begin(void **state)
{
	const struct testca_leaf leaf = {.key = "ec:P-256", .eku = "",
	    .self_signed = true};

	(void)state;
	testca_init(&sink_ca);
	testca_issue(&sink_ca, &leaf, &sink_id);
	sink_ctx = SSL_CTX_new(TLS_server_method());
	return SSL_CTX_use_certificate(sink_ctx, cert_x509(sink_id.cert)) ==
	    1 && SSL_CTX_use_PrivateKey(sink_ctx, sink_id.key) == 1 ? 0 : -1;
}

static int sinks_end(void **state)
{
	(void)state;
	SSL_CTX_free(sink_ctx);
	testca_id_free(&sink_id);
	testca_free(&sink_ca);
	return 0;
}

/* Until *what is n; a loop that has nothing to do any more is told by time
 * alone, which is long. */
static void until(const int *what, int n)
{
	int end = world.ticks + 1500;

	while (*what < n && world.ticks < end)
		event_base_loop(world.base, EVLOOP_ONCE);
	if (*what < n)
		fail_msg("waited for %d, got %d", n, *what);
}

static UNUSED void turn_ms(int ms)
{
	int end = world.ticks + ms / 10 + 1;

	while (world.ticks < end)
		event_base_loop(world.base, EVLOOP_ONCE);
}

static void on_rcpt(void *arg, size_t i, const struct hop_reply *r)
{
	struct seen *s = arg;

	assert_true(i < RCPTS && r->reply.code >= 200);
	assert_int_equal(s->rcpt[i].reply.code, 0);
	s->rcpt[i] = *r;
	s->rcpts++;
}

static void on_result(void *arg, size_t i, const struct hop_reply *r)
{
	struct seen *s = arg;

	assert_true(i < RCPTS && r->reply.code >= 200);
	assert_int_equal(s->rcpt[i].reply.code / 100, 2);
	assert_int_equal(s->result[i].reply.code, 0);
	s->result[i] = *r;
	s->results++;
	if (s->frees)
		hop_free(&s->h);
}

static struct route *route_to(size_t hosts, enum tls_level level)
{
	struct route *r = calloc(1, sizeof(*r));

	text_set(r->nexthop, sizeof(r->nexthop), "b.example");
	text_set(r->name, sizeof(r->name), "egress");
	r->rest_ms = 60000;
	r->host = calloc(hosts, sizeof(*r->host));
	r->hosts = hosts;
	for (size_t i = 0; i < hosts; i++) {
		struct route_host *h = &r->host[i];
		struct sockaddr_in *sa = (struct sockaddr_in *)&h->sa;

		text_set(h->name, sizeof(h->name), i == 0 ? "mx0.b.example" :
		    i == 1 ? "mx1.b.example" : "mx2.b.example");
		sa->sin_family = AF_INET;
		sa->sin_port = htons((uint16_t)sink[i].port);
		sa->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		h->sa_len = sizeof(*sa);
		h->want.level = h->want.asked = level;
		text_set(h->want.because, sizeof(h->want.because),
		    "postseal.conf:12");
		if (level == TLS_FINGERPRINT) {
			h->want.pins = 1;
			memcpy(h->want.pin[0].sha256,
			    cert_sha256(sink_id.cert), 32);
		}
	}
	return r;
}

static const struct hop_envelope plain_env = {.from = "<a@a.example>",
    .id = "t1", .auth = "<>"};

static void begin(struct seen *s, struct route *r,
    const struct hop_envelope *env)
{
	const struct hop_use use = {on_rcpt, on_result, s};
	struct err e = {0};

	memset(s, 0, sizeof(*s));
	assert_int_equal(hop_begin(&s->h, world.hops, r, env, &use, &e), 0);
}

static void add_rcpts(struct seen *s, int n)
{
	static const char *const path[] = {"<b@b.example>", "<c@b.example>",
	    "<d@b.example>", "<e@b.example>"};

	for (int i = 0; i < n; i++)
		assert_int_equal(hop_rcpt(s->h, path[i], NULL, NULL), i);
}

static void fill(const char *text, size_t times)
{
	struct err e = {0};

	spool_free(&world.spool);
	assert_int_equal(spool_new(&world.spool, 64u << 20, &e), 0);
	for (size_t i = 0; i < times; i++)
		assert_int_equal(spool_write(world.spool, text, strlen(text),
		    &e), 0);
}

#define MAIL "Subject: x\r\n\r\n.\r\n..two\r\nCANARY\r\n"

static void send_data(struct seen *s, int ms)
{
	hop_data(s->h, world.spool, 0, spool_size(world.spool),
	    clock_ms() + ms);
}

/* All of it, for so many recipients. */
static UNUSED void deliver(struct seen *s, struct route *r,
    const struct hop_envelope *env, int rcpts)
{
	int taken = 0;

	if (world.spool == NULL)
		fill(MAIL, 1);
	begin(s, r, env);
	add_rcpts(s, rcpts);
	until(&s->rcpts, rcpts);
	for (int i = 0; i < rcpts; i++)
		taken += s->rcpt[i].reply.code / 100 == 2;
	if (taken > 0)
		send_data(s, 20000);
	until(&s->results, taken);
}

/* What will be heard is known when nobody is connected any more. */
static UNUSED void until_closed(size_t i)
{
	int end = world.ticks + 1500;

	while (sink[i].open > 0 && world.ticks < end)
		event_base_loop(world.base, EVLOOP_ONCE);
	assert_int_equal(sink[i].open, 0);
}

/* Until the next call; the thread may go on writing. */
static UNUSED const char *told(struct next_hop *s, const struct buf *all)
{
	pthread_mutex_lock(&s->lock);
	buf_clear(&s->told);
	buf_putv(&s->told, buf_view(all));
	pthread_mutex_unlock(&s->lock);
	return buf_str(&s->told);
}

static UNUSED const char *seen_plain(size_t i)
{
	return told(&sink[i], &sink[i].plain);
}

static UNUSED const char *seen_tls(size_t i)
{
	return told(&sink[i], &sink[i].tls);
}

static UNUSED const char *seen_mails(size_t i)
{
	return told(&sink[i], &sink[i].mails);
}

#define TALK(i, ...)                                                      \
	static const struct talk talk_##i[] = {__VA_ARGS__};              \
	sink_start(i, talk_##i, ARRAY_LEN(talk_##i))

#endif
