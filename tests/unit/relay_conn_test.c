/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A connection and a peer that is slow, rude, gone or malicious: in clear.
 * With TLS: relay_tls_server_test.c and relay_tls_client_test.c.
 */
#include "relay_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/conn_int.h"
#include "util/clock.h"

static struct event_base *base;

static int set_up(void **state)
{
	(void)state;
	base = event_base_new();
	return base == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	event_base_free(base);
	return 0;
}

struct pair {
	struct owner o;
	struct peer p;
};

static void begin(struct pair *t)
{
	int fd;

	memset(t, 0, sizeof(*t));
	peer_pair(&t->p, &fd);
	owner_new(&t->o, base, fd);
}

static void end(struct pair *t)
{
	owner_free(&t->o);
	peer_free(&t->p);
}

static void octets_go_both_ways(void **state)
{
	struct pair t;

	(void)state;
	begin(&t);
	peer_say(&t.p, "EHLO a.example\r\n");
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	assert_string_equal(buf_str(&t.o.in), "EHLO a.example\r\n");
	conn_write(t.o.c, view_of("250 "));
	conn_write(t.o.c, view_of("ok\r\n"));
	assert_int_equal(t.p.in.n, 0); /* nothing but from the loop */
	assert_true(peer_hears(base, &t.p, 8));
	assert_string_equal(buf_str(&t.p.in), "250 ok\r\n");
	assert_int_equal(t.o.drained, 1);
	assert_int_equal(t.o.ends, 0);
	end(&t);
}

static void what_is_not_used_stays(void **state)
{
	struct pair t;
	struct view v;

	(void)state;
	begin(&t);
	t.o.keeps = true;
	peer_say(&t.p, "MAIL FROM:<a");
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	peer_say(&t.p, "@a.example>\r\n");
	peer_while(base, &t.p, 20);
	v = conn_input(t.o.c);
	assert_true(view_eq_str(v, "MAIL FROM:<a@a.example>\r\n"));
	conn_used(t.o.c, 5);
	assert_true(view_eq_str(conn_input(t.o.c), "FROM:<a@a.example>\r\n"));
	conn_used(t.o.c, 1000); /* more than there is: all */
	assert_int_equal(conn_input(t.o.c).n, 0);
	end(&t);
}

static void input_has_a_ceiling(void **state)
{
	static char b[CONN_INPUT];
	struct pair t;
	int i;

	(void)state;
	begin(&t);
	t.o.keeps = true;
	memset(b, 'x', sizeof(b));
	for (i = 0; i < 3; i++) {
		(void)send(t.p.fd, b, sizeof(b), MSG_DONTWAIT | MSG_NOSIGNAL);
		peer_while(base, &t.p, 10);
	}
	assert_int_equal(conn_input(t.o.c).n, CONN_INPUT);
	t.o.keeps = false;
	t.o.inputs = 0;
	conn_used(t.o.c, CONN_INPUT);
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	end(&t);
}

static void a_pause_stops_reading_and_resume_tells_again(void **state)
{
	struct pair t;

	(void)state;
	begin(&t);
	t.o.keeps = t.o.pauses = true;
	peer_say(&t.p, "one\n");
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	peer_say(&t.p, "two\n");
	peer_while(base, &t.p, 20);
	assert_int_equal(t.o.inputs, 1);
	assert_int_equal(conn_input(t.o.c).n, 4);
	t.o.pauses = t.o.keeps = false;
	t.o.inputs = 0;
	conn_resume(t.o.c);
	assert_int_equal(t.o.inputs, 0);
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	peer_while(base, &t.p, 20);
	assert_string_equal(buf_str(&t.o.in), "one\ntwo\n");
	end(&t);
}

/* What waits in the socket must not keep the loop busy. */
static void a_long_pause_lets_the_loop_rest(void **state)
{
	struct timeval most = { 0, 50000 };
	int64_t start, i;
	struct pair t;

	(void)state;
	begin(&t);
	conn_pause(t.o.c);
	peer_while(base, &t.p, 5);
	peer_say(&t.p, "one\n");
	start = clock_ms();
	for (i = 0; clock_ms() < start + 40; i++) {
		(void)event_base_loopexit(base, &most);
		(void)event_base_loop(base, EVLOOP_ONCE);
	}
	assert_true(i < 10);
	assert_int_equal(t.o.inputs, 0);
	conn_resume(t.o.c);
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	end(&t);
}

static void an_end_waits_while_paused_with_input(void **state)
{
	struct pair t;

	(void)state;
	begin(&t);
	t.o.keeps = t.o.pauses = true;
	peer_say(&t.p, "QUIT\r\n");
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	(void)shutdown(t.p.fd, SHUT_WR);
	peer_while(base, &t.p, 20);
	assert_int_equal(t.o.ends, 0);
	t.o.pauses = t.o.keeps = false;
	conn_resume(t.o.c);
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_string_equal(buf_str(&t.o.in), "QUIT\r\n");
	assert_int_equal(t.o.how, CONN_EOF);
	end(&t);
}

static void half_close_is_an_end_that_still_answers(void **state)
{
	struct pair t;

	(void)state;
	begin(&t);
	peer_say(&t.p, "QUIT\r\n");
	(void)shutdown(t.p.fd, SHUT_WR);
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_int_equal(t.o.how, CONN_EOF);
	assert_string_equal(buf_str(&t.o.in), "QUIT\r\n");
	conn_write(t.o.c, view_of("221 bye\r\n"));
	conn_finish(&t.o.c, 1000);
	assert_null(t.o.c);
	assert_true(peer_hears(base, &t.p, 9));
	assert_string_equal(buf_str(&t.p.in), "221 bye\r\n");
	assert_int_equal(t.o.ends, 1);
	peer_while(base, &t.p, 10);
	assert_int_equal(conn_finishing(), 0);
	end(&t);
}

static void half_open_goes_on_and_tells_the_second_end(void **state)
{
	static char b[65536];
	struct pair t;
	int i;

	(void)state;
	begin(&t);
	t.o.half_opens = true;
	(void)shutdown(t.p.fd, SHUT_WR);
	assert_true(peer_until(base, &t.p, &t.o.ends));
	conn_write(t.o.c, view_of("more"));
	assert_true(peer_until(base, &t.p, &t.o.drained));
	(void)close(t.p.fd);
	t.p.fd = -1;
	t.p.is_over = true;
	for (i = 0; i < 10 && t.o.ends < 2; i++) {
		conn_write(t.o.c, view_make(b, sizeof(b)));
		peer_while(base, &t.p, 5);
	}
	assert_int_equal(t.o.ends, 2);
	assert_int_equal(t.o.how, CONN_CUT);
	end(&t);
}

static void without_half_open_nothing_follows_an_end(void **state)
{
	static char b[65536];
	struct pair t;

	(void)state;
	begin(&t);
	conn_deadline(t.o.c, clock_ms() + 1000);
	(void)shutdown(t.p.fd, SHUT_WR);
	assert_true(peer_until(base, &t.p, &t.o.ends));
	conn_write(t.o.c, view_of("250 ok\r\n"));
	assert_true(peer_hears(base, &t.p, 8));
	(void)close(t.p.fd);
	t.p.fd = -1;
	t.p.is_over = true;
	conn_write(t.o.c, view_make(b, sizeof(b)));
	peer_while(base, &t.p, 1100);
	assert_int_equal(t.o.ends, 1);
	assert_int_equal(t.o.drained, 0);
	end(&t);
}

/* A socket of TCP, because only there a peer can send a reset. */
static void tcp_pair(struct peer *p, int *ours)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int l = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t n = sizeof(a);

	memset(p, 0, sizeof(*p));
	buf_init(&p->in, 64u << 20);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	REQUIRE(l >= 0 && bind(l, (struct sockaddr *)&a, n) == 0);
	REQUIRE(listen(l, 1) == 0);
	REQUIRE(getsockname(l, (struct sockaddr *)&a, &n) == 0);
	p->fd = socket(AF_INET, SOCK_STREAM, 0);
	REQUIRE(connect(p->fd, (struct sockaddr *)&a, n) == 0);
	*ours = accept(l, NULL, NULL);
	REQUIRE(*ours >= 0);
	(void)close(l);
	REQUIRE(evutil_make_socket_nonblocking(p->fd) == 0);
}

static void reset(struct peer *p)
{
	struct linger l = { 1, 0 };

	(void)setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	(void)close(p->fd);
	p->fd = -1;
	p->is_over = true;
}

static void a_reset_is_a_cut(void **state)
{
	struct pair t;
	int fd;

	(void)state;
	memset(&t, 0, sizeof(t));
	tcp_pair(&t.p, &fd);
	owner_new(&t.o, base, fd);
	reset(&t.p);
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_int_equal(t.o.how, CONN_CUT);
	assert_string_equal(t.o.why, strerror(ECONNRESET));
	end(&t);
}

static void nagle_is_off(void **state)
{
	struct pair t;
	socklen_t n = sizeof(int);
	int fd, on = 0;

	(void)state;
	memset(&t, 0, sizeof(t));
	tcp_pair(&t.p, &fd);
	owner_new(&t.o, base, fd);
	assert_int_equal(getsockopt(conn_fd(t.o.c), IPPROTO_TCP, TCP_NODELAY,
	    &on, &n), 0);
	assert_int_not_equal(on, 0);
	end(&t);
}

/* "421" and a close, while we write: what was said is heard, then the cut. */
static void last_words_are_heard_before_the_cut(void **state)
{
	static char b[65536];
	struct pair t;
	int fd;

	(void)state;
	memset(&t, 0, sizeof(t));
	tcp_pair(&t.p, &fd);
	owner_new(&t.o, base, fd);
	conn_write(t.o.c, view_of("MAIL FROM:<a@a.example>\r\n"));
	peer_say(&t.p, "421 go away\r\n");
	reset(&t.p);
	(void)usleep(20000);
	conn_write(t.o.c, view_make(b, sizeof(b)));
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_string_equal(buf_str(&t.o.in), "421 go away\r\n");
	assert_int_equal(t.o.how, CONN_CUT);
	assert_int_equal(t.o.ends, 1);
	end(&t);
}

static void a_pipe_that_breaks_is_no_signal(void **state)
{
	struct pair t;

	(void)state;
	begin(&t);
	(void)close(t.p.fd);
	t.p.fd = -1;
	t.p.is_over = true;
	conn_pause(t.o.c);
	conn_write(t.o.c, view_of("250 ok\r\n"));
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_int_equal(t.o.how, CONN_CUT);
	assert_string_equal(t.o.why, strerror(EPIPE));
	end(&t);
}

static void much_output_waits_and_arrives_in_order(void **state)
{
	enum { N = 3 << 20 };
	unsigned char *big = malloc(N);
	struct pair t;
	size_t i;
	int small = 4096;

	(void)state;
	REQUIRE(big != NULL);
	for (i = 0; i < N; i++)
		big[i] = (unsigned char)(i * 2654435761u >> 24);
	begin(&t);
	(void)setsockopt(conn_fd(t.o.c), SOL_SOCKET, SO_SNDBUF, &small,
	    sizeof(small));
	t.p.is_silent = true;
	for (i = 0; i < N; i += 1000 * (1 + i % 7)) {
		size_t n = 1000 * (1 + i % 7);

		conn_write(t.o.c, view_make(big + i, n < N - i ? n : N - i));
		if (i % 5 == 0)
			peer_while(base, &t.p, 0);
	}
	assert_true(conn_is_full(t.o.c));
	t.o.drained = 0; /* of the first ones */
	t.p.is_silent = false;
	assert_true(peer_hears(base, &t.p, N));
	assert_int_equal(t.p.in.n, N);
	assert_memory_equal(t.p.in.p, big, N);
	assert_true(peer_until(base, &t.p, &t.o.drained));
	assert_int_equal(conn_waiting(t.o.c), 0);
	assert_false(conn_is_full(t.o.c));
	end(&t);
	free(big);
}

static void output_that_moves_up_stays_in_order(void **state)
{
	enum { N = 6 << 20, CHUNK = 50000 };
	unsigned char *big = malloc(N);
	struct pair t;
	size_t i, said = 0;

	(void)state;
	REQUIRE(big != NULL);
	for (i = 0; i < N; i++)
		big[i] = (unsigned char)(i * 2654435761u >> 24);
	begin(&t);
	while (said < N) {
		size_t n = CHUNK < N - said ? CHUNK : N - said;

		if (!conn_is_full(t.o.c)) {
			conn_write(t.o.c, view_make(big + said, n));
			said += n;
			continue;
		}
		/* a part of it goes, but never all */
		peer_while(base, &t.p, 0);
	}
	assert_true(peer_hears(base, &t.p, N));
	assert_memory_equal(t.p.in.p, big, N);
	end(&t);
	free(big);
}

/* Nobody reads our replies, and commands go on:
 * memory ends at a ceiling, and so does the connection */
static void output_has_a_ceiling(void **state)
{
	static char b[1 << 20];
	struct pair t;
	int i;

	(void)state;
	begin(&t);
	t.p.is_silent = true;
	for (i = 0; i < 12; i++)
		conn_write(t.o.c, view_make(b, sizeof(b)));
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_int_equal(t.o.how, CONN_FAULT);
	assert_string_equal(t.o.why, "too much output waits");
	end(&t);
}

static void a_deadline_passes(void **state)
{
	struct pair t;
	int64_t start = clock_ms();

	(void)state;
	begin(&t);
	conn_deadline(t.o.c, start + 50);
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_int_equal(t.o.how, CONN_LATE);
	assert_true(clock_ms() >= start + 50);
	end(&t);
}

static void a_deadline_moves_both_ways(void **state)
{
	struct pair t;

	(void)state;
	begin(&t);
	conn_deadline(t.o.c, clock_ms() + 30);
	conn_deadline(t.o.c, clock_ms() + 60000);
	peer_while(base, &t.p, 60);
	assert_int_equal(t.o.ends, 0);
	conn_deadline(t.o.c, clock_ms() + 30);
	conn_deadline(t.o.c, 0);
	peer_while(base, &t.p, 60);
	assert_int_equal(t.o.ends, 0);
	conn_deadline(t.o.c, clock_ms() + 60000);
	conn_deadline(t.o.c, clock_ms() + 10);
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_int_equal(t.o.how, CONN_LATE);
	end(&t);
}

/* An octet now and then keeps the connection busy:
 * octets earn time at the rate that is asked for, no more */
static void T11_an_octet_now_and_then_is_too_slow(void **state)
{
	struct pair t;
	int i;

	(void)state;
	begin(&t);
	conn_deadline(t.o.c, clock_ms() + 60);
	conn_min_rate(t.o.c, 1000, 1000);
	for (i = 0; i < 100 && t.o.ends == 0; i++) {
		peer_say(&t.p, "x"); /* one ms each, ten ms apart */
		peer_while(base, &t.p, 10);
	}
	assert_int_equal(t.o.ends, 1);
	assert_int_equal(t.o.how, CONN_LATE);
	assert_true(i < 30);
	end(&t);
}

static void T11_who_is_fast_enough_goes_on_but_not_for_ever(void **state)
{
	static char b[4000];
	struct pair t;
	int64_t start;
	int i;

	(void)state;
	begin(&t);
	conn_min_rate(t.o.c, 1000, 60000);
	conn_deadline(t.o.c, clock_ms() + 1500);
	for (i = 0; i < 32; i++) { /* a second of time in 50 ms, each time */
		peer_say_n(&t.p, b, 1000);
		peer_while(base, &t.p, 50);
	}
	assert_int_equal(t.o.ends, 0);
	conn_deadline(t.o.c, clock_ms() + 100);
	conn_min_rate(t.o.c, 1000, 200);
	peer_say_n(&t.p, b, sizeof(b)); /* four seconds; 200 ms are the most */
	start = clock_ms();
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_int_equal(t.o.how, CONN_LATE);
	assert_true(clock_ms() - start < 4000);
	end(&t);
}

static void more_than_rate_of_octets_a_ms_counts(void **state)
{
	struct pair t;
	int64_t deadline;
	size_t i;

	(void)state;
	begin(&t);
	deadline = clock_ms() + 60000;
	conn_deadline(t.o.c, deadline);
	/* 1800 octets one by one are 600 ms, though each alone is none */
	conn_min_rate(t.o.c, 3000, 600000);
	for (i = 1; i <= 1800; i++) {
		peer_say(&t.p, "x");
		while (t.o.in.n < i && clock_ms() < deadline)
			peer_while(base, &t.p, 0);
	}
	assert_int_equal(t.o.c->deadline, deadline + 600);
	end(&t);
}

static void free_in(struct owner *o)
{
	conn_free(&o->c);
}

static void finish_in(struct owner *o)
{
	conn_write(o->c, view_of("221 bye\r\n"));
	conn_finish(&o->c, 1000);
}

static void free_is_allowed_in_each_callback(void **state)
{
	struct pair t;

	(void)state;
	begin(&t);
	t.o.on_more = free_in;
	peer_say(&t.p, "x");
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	peer_while(base, &t.p, 10);
	assert_true(t.p.is_over);
	end(&t);
	begin(&t);
	t.o.frees_in_drained = true;
	conn_write(t.o.c, view_of("x"));
	assert_true(peer_until(base, &t.p, &t.o.drained));
	peer_while(base, &t.p, 10);
	assert_true(t.p.is_over);
	end(&t);
	begin(&t);
	t.o.frees_in_end = true;
	(void)shutdown(t.p.fd, SHUT_WR);
	assert_true(peer_until(base, &t.p, &t.o.ends));
	end(&t);
	begin(&t);
	t.o.on_more = finish_in;
	peer_say(&t.p, "QUIT\r\n");
	assert_true(peer_hears(base, &t.p, 9));
	(void)shutdown(t.p.fd, SHUT_WR);
	peer_while(base, &t.p, 10);
	assert_int_equal(conn_finishing(), 0);
	end(&t);
}

static void finish_sends_all_and_waits_for_the_reader(void **state)
{
	static char b[1 << 20];
	struct pair t;

	(void)state;
	begin(&t);
	t.p.is_silent = true;
	conn_write(t.o.c, view_make(b, sizeof(b)));
	conn_finish(&t.o.c, 5000);
	peer_while(base, &t.p, 30);
	assert_int_equal(conn_finishing(), 1);
	t.p.is_silent = false;
	assert_true(peer_hears(base, &t.p, sizeof(b)));
	peer_while(base, &t.p, 10);
	assert_true(t.p.is_over); /* our side ended */
	assert_int_equal(conn_finishing(), 1);
	(void)close(t.p.fd);
	t.p.fd = -1;
	peer_while(base, &t.p, 10);
	assert_int_equal(conn_finishing(), 0);
	end(&t);
}

static void finish_does_not_wait_for_ever(void **state)
{
	static char b[1 << 20];
	struct pair t;

	(void)state;
	begin(&t);
	t.p.is_silent = true;
	conn_write(t.o.c, view_make(b, sizeof(b)));
	conn_finish(&t.o.c, 50);
	for (int i = 0; i < 5000 && conn_finishing() > 0; i++)
		peer_while(base, &t.p, 1);
	assert_int_equal(conn_finishing(), 0);
	end(&t);
}

static void free_sends_nothing_that_waits(void **state)
{
	struct pair t;

	(void)state;
	begin(&t);
	conn_write(t.o.c, view_of(".\r\n"));
	conn_free(&t.o.c);
	peer_while(base, &t.p, 20);
	assert_int_equal(t.p.in.n, 0);
	assert_true(t.p.is_over);
	end(&t);
}

static void our_side_ends_after_what_waits(void **state)
{
	struct pair t;

	(void)state;
	begin(&t);
	conn_write(t.o.c, view_of("last"));
	conn_end_output(t.o.c);
	conn_write(t.o.c, view_of("too late"));
	assert_true(peer_hears(base, &t.p, 4));
	peer_while(base, &t.p, 10);
	assert_true(t.p.is_over);
	assert_string_equal(buf_str(&t.p.in), "last");
	assert_int_equal(t.o.ends, 0);
	peer_say(&t.p, "answer");
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	assert_string_equal(buf_str(&t.o.in), "answer");
	end(&t);
}

static int listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	text_set(a.sun_path, sizeof(a.sun_path), path);
	REQUIRE(fd >= 0);
	REQUIRE(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	REQUIRE(listen(fd, 1) == 0);
	return fd;
}

static void connect_says_when_it_is_there(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct owner o = { 0 };
	struct conn_use u = owner_of(&o);
	struct peer p = { .fd = -1 };
	struct buf path;
	int l;

	(void)state;
	buf_init(&path, 100);
	buf_init(&o.in, 1000);
	buf_init(&p.in, 1000);
	buf_printf(&path, "%s/s", peer_folder());
	l = listen_at(buf_str(&path));
	text_set(a.sun_path, sizeof(a.sun_path), buf_str(&path));
	assert_int_equal(conn_connect(&o.c, base, (struct sockaddr *)&a,
	    sizeof(a), &u, NULL), 0);
	conn_write(o.c, view_of("EHLO a.example\r\n"));
	assert_int_equal(o.connected, 0);
	assert_true(peer_until(base, NULL, &o.connected));
	p.fd = accept(l, NULL, NULL);
	REQUIRE(evutil_make_socket_nonblocking(p.fd) == 0);
	assert_true(peer_hears(base, &p, 16));
	assert_string_equal(buf_str(&p.in), "EHLO a.example\r\n");
	(void)close(l);
	(void)unlink(buf_str(&path));
	owner_free(&o);
	/* and when it is not */
	o = (struct owner){ 0 };
	buf_init(&o.in, 1000);
	assert_int_equal(conn_connect(&o.c, base, (struct sockaddr *)&a,
	    sizeof(a), &u, NULL), 0);
	assert_int_equal(o.ends, 0);
	assert_true(peer_until(base, NULL, &o.ends));
	assert_int_equal(o.how, CONN_CUT);
	assert_string_equal(o.why, strerror(ENOENT));
	owner_free(&o);
	peer_free(&p);
	buf_free(&path);
}

static void connect_to_nobody_is_a_cut(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	struct owner o = { 0 };
	struct conn_use u = owner_of(&o);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	REQUIRE(bind(fd, (struct sockaddr *)&a, n) == 0);
	REQUIRE(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	buf_init(&o.in, 1000);
	assert_int_equal(conn_connect(&o.c, base, (struct sockaddr *)&a, n,
	    &u, NULL), 0);
	assert_true(peer_until(base, NULL, &o.ends));
	assert_int_equal(o.connected, 0);
	assert_int_equal(o.how, CONN_CUT);
	assert_string_equal(o.why, strerror(ECONNREFUSED));
	owner_free(&o);
	(void)close(fd);
}

static int tidy(void **state)
{
	(void)state;
	peer_folder_remove();
	return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(octets_go_both_ways),
		T(what_is_not_used_stays),
		T(input_has_a_ceiling),
		T(a_pause_stops_reading_and_resume_tells_again),
		T(a_long_pause_lets_the_loop_rest),
		T(an_end_waits_while_paused_with_input),
		T(half_close_is_an_end_that_still_answers),
		T(half_open_goes_on_and_tells_the_second_end),
		T(without_half_open_nothing_follows_an_end),
		T(a_reset_is_a_cut),
		T(nagle_is_off),
		T(last_words_are_heard_before_the_cut),
		T(a_pipe_that_breaks_is_no_signal),
		T(much_output_waits_and_arrives_in_order),
		T(output_that_moves_up_stays_in_order),
		T(output_has_a_ceiling),
		T(a_deadline_passes),
		T(a_deadline_moves_both_ways),
		T(T11_an_octet_now_and_then_is_too_slow),
		T(T11_who_is_fast_enough_goes_on_but_not_for_ever),
		T(more_than_rate_of_octets_a_ms_counts),
		T(free_is_allowed_in_each_callback),
		T(finish_sends_all_and_waits_for_the_reader),
		T(finish_does_not_wait_for_ever),
		T(free_sends_nothing_that_waits),
		T(our_side_ends_after_what_waits),
		T(connect_says_when_it_is_there),
		T(connect_to_nobody_is_a_cut),
	};

	return cmocka_run_group_tests_name("relay_conn", tests, NULL, tidy);
}
