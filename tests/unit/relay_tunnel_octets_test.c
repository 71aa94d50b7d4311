/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of relay/tunnel_flow.c: octets both ways, slow readers, ends, programs,
 * and the end of a worker.
 */
#include "relay_tunnel.h"

#include <sys/wait.h>

#include "relay/exec.h"
#include "util/clock.h"

/* ---- octets ---- */

/* As much as goes, without waiting. */
static size_t push(struct peer *p, unsigned char *octet, size_t n)
{
	unsigned char some[8192];
	size_t total = 0;
	ssize_t k;

	while (total < n) {
		size_t want = n - total < sizeof(some) ? n - total :
		    sizeof(some);

		for (size_t i = 0; i < want; i++)
			some[i] = (unsigned char)(*octet + i * 7);
		k = p->ssl != NULL ? SSL_write(p->ssl, some, (int)want) :
		    send(p->fd, some, want, MSG_NOSIGNAL);
		if (k <= 0)
			break;
		total += (size_t)k;
		*octet = (unsigned char)(*octet + (size_t)k * 7);
	}
	return total;
}

static void check_octets(const struct buf *b)
{
	unsigned char octet = 0;

	for (size_t i = 0; i < b->n; i++) {
		if (b->p[i] != octet)
			fail_msg("octet %zu", i);
		octet = (unsigned char)(octet + 7);
	}
}

/* from says n octets, to does not listen for a while. */
static void flood(struct peer *from, struct peer *to, size_t n)
{
	int64_t end = clock_ms() + 4 * WAIT_MS;
	unsigned char octet = 0;
	size_t sent = 0, stuck;

	buf_clear(&to->in);
	to->is_silent = true;
	for (int i = 0; i < 300; i++) {
		sent += push(from, &octet, n - sent);
		one_turn();
	}
	stuck = sent;
	/* a slow reader does not fill our memory: 1 MiB and the kernel's */
	assert_true(stuck < n);
	to->is_silent = false;
	while (to->in.n < n && clock_ms() < end) {
		sent += push(from, &octet, n - sent);
		one_turn();
	}
	assert_int_equal(to->in.n, n);
	check_octets(&to->in);
	buf_clear(&to->in);
}

static void small_buffers(void)
{
	int n = 65536;

	(void)setsockopt(x.backend.fd, SOL_SOCKET, SO_RCVBUF, &n, sizeof(n));
	(void)setsockopt(x.backend.fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n));
}

static void a_slow_reader_holds_up_the_writer_alone(void **state)
{
	(void)state;
	begin(RELAY_ANY);
	come(LISTEN_IMPLICIT);
	until(backend_is_there, "the backend");
	small_buffers();
	SSL_set_mode(x.client.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	flood(&x.backend, &x.client, 24u << 20);
	flood(&x.client, &x.backend, 24u << 20);
	say_bye();
	finish();
}

/* Pitfall 25, both directions, with TLS and without. */
static void half_closed(enum listen_tls tls, bool client_first)
{
	struct peer *first, *second;

	begin(RELAY_ANY);
	come(tls);
	until(backend_is_there, "the backend");
	first = client_first ? &x.client : &x.backend;
	second = client_first ? &x.backend : &x.client;
	peer_say(first, "last words");
	if (first->ssl != NULL)
		(void)SSL_shutdown(first->ssl);
	else
		(void)shutdown(first->fd, SHUT_WR);
	until(client_first ? backend_is_over : client_is_over, "its end");
	assert_string_equal(buf_str(&second->in), "last words");
	assert_int_equal(x.gone, 0);
	peer_say(second, "an answer");
	wanted = "an answer";
	until(client_first ? client_ends_in : backend_ends_in, "the answer");
	assert_int_equal(x.gone, 0);
	if (second->ssl != NULL)
		(void)SSL_shutdown(second->ssl);
	(void)shutdown(second->fd, SHUT_WR);
	until(is_gone, "the end");
	finish();
}

static void each_direction_has_its_own_end(void **state)
{
	(void)state;
	half_closed(LISTEN_PLAIN, true);
	half_closed(LISTEN_PLAIN, false);
	half_closed(LISTEN_IMPLICIT, true);
	half_closed(LISTEN_IMPLICIT, false);
}

static void a_slow_reader_that_says_no_more(void **state)
{
	(void)state;
	begin(RELAY_ANY);
	come(LISTEN_IMPLICIT);
	until(backend_is_there, "the backend");
	small_buffers();
	until(client_has_tls, "TLS");
	(void)SSL_shutdown(x.client.ssl);
	until(backend_is_over, "its end");
	x.backend.is_over = false;
	x.backend.is_silent = true;
	flood(&x.backend, &x.client, 24u << 20);
	(void)shutdown(x.backend.fd, SHUT_WR);
	until(is_gone, "the end");
	finish();
}

static void the_client_is_cut_off(void **state)
{
	const struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	(void)state;
	begin(RELAY_ANY);
	come(LISTEN_IMPLICIT);
	until(backend_is_there, "the backend");
	peer_say(&x.backend, "half of");
	client_hears("half of");
	(void)setsockopt(x.backend.fd, SOL_SOCKET, SO_LINGER, &hard,
	    sizeof(hard));
	close(x.backend.fd);
	x.backend.fd = -1;
	buf_free(&x.backend.in);
	until(client_is_over, "the end");
	/* what is not whole does not end as if it were */
	assert_string_not_equal(x.client.error, "close_notify");
	finish();
}

/* ---- programs ---- */

static void T69_a_program_behind_tls(void **state)
{
	static char sh[] = "/bin/sh", c[] = "-c", user[] = "nobody",
	    script[] = "printf \"+OK $TCPREMOTEIP $SSL_PROTOCOL\\r\\n\"; "
	    "read a; printf \"+OK $a\\n\"";
	char *argv[] = { sh, c, script, NULL };
	struct err e;
	int pair[2];
	pid_t pid;

	(void)state;
	begin(RELAY_POP3);
	x.l.backend.where = NULL;
	x.l.backend.argv = argv;
	x.l.backend.user = geteuid() == 0 ? user : NULL;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		_exit(exec_run(&x.config, &pair[1], 1, &e) != 0);
	}
	close(pair[1]);
	x.w.exec = pair[0];
	come(LISTEN_IMPLICIT);
	client_hears("+OK 192.0.2.7 TLSv1.3\r\n");
	peer_say(&x.client, "STAT\r\n");
	client_hears("+OK STAT\r\n");
	until(is_gone, "the program's end");
	close(pair[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	finish();
}

/* ---- the end of a worker ---- */

static void a_reload_drops_nobody(void **state)
{
	(void)state;
	begin(RELAY_ANY);
	come(LISTEN_IMPLICIT);
	until(backend_is_there, "the backend");
	x.w.is_stopping = true;
	a_while();
	peer_say(&x.backend, "still here");
	client_hears("still here");
	assert_int_equal(x.gone, 0);
	tunnels_cut(&x.w);
	assert_int_equal(x.gone, 1);
	until(client_is_over, "the end");
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slow_reader_holds_up_the_writer_alone),
		cmocka_unit_test(each_direction_has_its_own_end),
		cmocka_unit_test(a_slow_reader_that_says_no_more),
		cmocka_unit_test(the_client_is_cut_off),
		cmocka_unit_test(T69_a_program_behind_tls),
		cmocka_unit_test(a_reload_drops_nobody),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	log_init("relay_tunnel_octets_test", LOG_L_ERR, 0);
	return cmocka_run_group_tests_name("relay_tunnel_octets", tests,
	    make_all, free_all);
}
