/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * TLS with a peer that floods, stops, cuts, half-closes or reads nothing.
 */
#include "relay_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/clock.h"

static struct event_base *base;
static struct peer_id mx;
static struct pki pki;
static struct relay_config config = { .pki = &pki, .pkis = 1 };
static struct tls_server *server;
static SSL_CTX *ctx;
static char alerts[200];
static bool alert_sent;

static void on_alert(bool is_sent, const char *name)
{
	text_set(alerts, sizeof(alerts), name);
	alert_sent = is_sent;
}

static int once(void **state)
{
	const struct peer_leaf m = { .name = "mx",
		.san = "DNS:mx.a.example" };
	static char name[1][RELAY_NAME] = { "mx" };
	const struct listener l = { .name = "x", .protocol = RELAY_SMTP,
		.pki = name, .pkis = 1 };
	const unsigned char secret[32] = "s";

	(void)state;
	peer_make(&mx, &m);
	text_set(pki.name, sizeof(pki.name), "mx");
	pki.cert = mx.cert_file;
	pki.key = mx.key_file;
	base = event_base_new();
	ctx = SSL_CTX_new(TLS_client_method());
	tls_on_alert(on_alert);
	return base == NULL || ctx == NULL ||
	    tls_server_new(&server, &config, &l, NULL, secret, NULL) < 0;
}

static int finally(void **state)
{
	(void)state;
	tls_server_free(&server);
	SSL_CTX_free(ctx);
	peer_id_free(&mx);
	peer_folder_remove();
	event_base_free(base);
	return 0;
}

struct talk {
	struct owner o;
	struct peer p;
};

static void start(struct talk *t)
{
	int fd;

	memset(t, 0, sizeof(*t));
	alerts[0] = '\0';
	peer_pair(&t->p, &fd);
	owner_new(&t->o, base, fd);
	assert_int_equal(conn_tls_server(t->o.c, server, &t->o.e), 0);
}

static void open_at(struct talk *t, int version)
{
	start(t);
	peer_tls(&t->p, ctx, false);
	if (version != 0)
		SSL_set_max_proto_version(t->p.ssl, version);
	assert_true(peer_until(base, &t->p, &t->o.tls));
	peer_while(base, &t->p, 2);
	assert_true(t->p.is_open);
}

static void stop(struct talk *t)
{
	owner_free(&t->o);
	peer_free(&t->p);
}

/* Handshakes without end in one connection:
 * the first attempt ends it */
static void T15_renegotiation_ends_the_connection(void **state)
{
	struct talk t;

	(void)state;
	open_at(&t, TLS1_2_VERSION);
	assert_int_equal(SSL_renegotiate(t.p.ssl), 1);
	(void)SSL_do_handshake(t.p.ssl);
	t.p.is_silent = true;
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_int_equal(t.o.how, CONN_CUT);
	assert_string_equal(t.o.why, "TLS: renegotiation");
	stop(&t);
}

static bool update(struct peer *p, int type)
{
	return SSL_key_update(p->ssl, type) == 1 &&
	    SSL_do_handshake(p->ssl) == 1;
}

/* KeyUpdate after KeyUpdate, each costs us a new key:
 * a few are good, a flood ends the connection */
static void T15_a_flood_of_KeyUpdates_ends_the_connection(void **state)
{
	struct talk t;
	int i;

	(void)state;
	open_at(&t, 0);
	for (i = 0; i < 10; i++) {
		assert_true(update(&t.p, i % 2 == 0 ?
		    SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED));
		peer_while(base, &t.p, 1);
	}
	peer_say(&t.p, "NOOP\r\n");
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	conn_write(t.o.c, view_of("250 ok\r\n"));
	assert_true(peer_hears(base, &t.p, 8));
	assert_int_equal(t.o.ends, 0);
	for (i = 0; i < 40 && update(&t.p, SSL_KEY_UPDATE_NOT_REQUESTED); i++)
		;
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_int_equal(t.o.how, CONN_CUT);
	assert_string_equal(t.o.why, "TLS: too many handshake messages after "
	    "the handshake");
	stop(&t);
}

static void close_notify_is_an_end_and_a_bare_end_is_a_cut(void **state)
{
	static const int version[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct talk t;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_at(&t, version[i]);
		peer_say(&t.p, "QUIT\r\n");
		assert_int_equal(SSL_shutdown(t.p.ssl), 0);
		assert_true(peer_until(base, &t.p, &t.o.ends));
		assert_string_equal(buf_str(&t.o.in), "QUIT\r\n");
		assert_int_equal(t.o.how, CONN_EOF);
		stop(&t);
		open_at(&t, version[i]);
		peer_say(&t.p, "DATA\r\n");
		(void)shutdown(t.p.fd, SHUT_WR);
		assert_true(peer_until(base, &t.p, &t.o.ends));
		assert_string_equal(buf_str(&t.o.in), "DATA\r\n");
		assert_int_equal(t.o.how, CONN_CUT);
		assert_string_equal(t.o.why,
		    "TLS: it ended without close_notify");
		stop(&t);
	}
}

static void T12_half_close_of_TLS_still_answers_and_says_close_notify(
    void **state)
{
	struct talk t;

	(void)state;
	open_at(&t, 0);
	peer_say(&t.p, "QUIT\r\n");
	assert_int_equal(SSL_shutdown(t.p.ssl), 0);
	assert_true(peer_until(base, &t.p, &t.o.ends));
	conn_write(t.o.c, view_of("221 bye\r\n"));
	conn_finish(&t.o.c, 1000);
	assert_true(peer_hears(base, &t.p, 9));
	peer_while(base, &t.p, 5);
	assert_string_equal(t.p.error, "close_notify");
	assert_int_equal(conn_finishing(), 0);
	stop(&t);
	/* ours first */
	open_at(&t, 0);
	conn_write(t.o.c, view_of("last"));
	conn_end_output(t.o.c);
	assert_true(peer_hears(base, &t.p, 4));
	peer_while(base, &t.p, 5);
	assert_string_equal(t.p.error, "close_notify");
	peer_say(&t.p, "answer");
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	assert_string_equal(buf_str(&t.o.in), "answer");
	stop(&t);
}

/* A cut at every octet of the handshake:
 * no TLS, no data, and nothing else happens */
static void T10_a_cut_at_each_octet_of_the_handshake(void **state)
{
	unsigned char hello[4096];
	SSL *s = SSL_new(ctx);
	BIO *out = BIO_new(BIO_s_mem());
	struct talk t;
	int n, i;

	(void)state;
	REQUIRE(s != NULL && out != NULL);
	SSL_set_bio(s, BIO_new(BIO_s_mem()), out);
	SSL_set_connect_state(s);
	assert_int_equal(SSL_do_handshake(s), -1);
	n = BIO_read(out, hello, sizeof(hello));
	assert_true(n > 100);
	for (i = 0; i <= n; i++) {
		start(&t);
		REQUIRE(i == 0 || send(t.p.fd, hello, (size_t)i, 0) == i);
		(void)shutdown(t.p.fd, SHUT_WR);
		assert_true(peer_until(base, NULL, &t.o.ends));
		assert_int_equal(t.o.how, CONN_NO_TLS);
		assert_int_equal(t.o.tls, 0);
		assert_null(conn_tls(t.o.c));
		stop(&t);
	}
	SSL_free(s);
}

static void no_ClientHello_but_words(void **state)
{
	static const char *const said[] = { "GET / HTTP/1.1\r\n\r\n",
		"EHLO a.example\r\n", "\200\056\001\003\001", "\026\003\001" };
	struct talk t;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(said); i++) {
		start(&t);
		peer_say(&t.p, said[i]);
		(void)shutdown(t.p.fd, SHUT_WR);
		assert_true(peer_until(base, &t.p, &t.o.ends));
		assert_int_equal(t.o.how, CONN_NO_TLS);
		assert_int_equal(t.o.in.n, 0);
		stop(&t);
	}
}

/* A handshake that never goes on:
 * its deadline ends it */
static void T11_a_handshake_that_stands_still_is_late(void **state)
{
	struct talk t;

	(void)state;
	start(&t);
	peer_say_n(&t.p, "\026\003\001\002", 4);
	conn_deadline(t.o.c, clock_ms() + 40);
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_int_equal(t.o.how, CONN_LATE);
	stop(&t);
}

static void alerts_are_told_by_name_and_direction(void **state)
{
	struct talk t;

	(void)state;
	start(&t);
	peer_tls(&t.p, ctx, false);
	SSL_set_max_proto_version(t.p.ssl, TLS1_1_VERSION);
	SSL_set_min_proto_version(t.p.ssl, TLS1_VERSION);
	SSL_set_security_level(t.p.ssl, 0);
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_string_equal(alerts, "protocol_version");
	assert_true(alert_sent);
	stop(&t);
	start(&t);
	peer_tls(&t.p, ctx, false);
	SSL_set_verify(t.p.ssl, SSL_VERIFY_PEER, NULL); /* nobody trusted */
	SSL_set_max_proto_version(t.p.ssl, TLS1_2_VERSION);
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_string_equal(alerts, "unknown_ca");
	assert_false(alert_sent);
	stop(&t);
}

static void free_is_allowed_in_on_tls(void **state)
{
	struct talk t;

	(void)state;
	start(&t);
	t.o.frees_in_tls = true;
	peer_tls(&t.p, ctx, false);
	assert_true(peer_until(base, &t.p, &t.o.tls));
	peer_while(base, &t.p, 5);
	assert_true(t.p.is_over);
	stop(&t);
}

static unsigned char *pattern(size_t n)
{
	unsigned char *p = malloc(n);
	size_t i;

	REQUIRE(p != NULL);
	for (i = 0; i < n; i++)
		p[i] = (unsigned char)(i * 2654435761u >> 24);
	return p;
}

static void much_output_over_a_small_pipe_and_a_KeyUpdate_in_it(void **state)
{
	enum { N = 2 << 20 };
	unsigned char *big = pattern(N);
	int small = 4096;
	struct talk t;
	size_t i;

	(void)state;
	open_at(&t, 0);
	(void)setsockopt(conn_fd(t.o.c), SOL_SOCKET, SO_SNDBUF, &small,
	    sizeof(small));
	t.p.is_silent = true;
	for (i = 0; i < N; i += 777 * (1 + i % 11)) {
		size_t n = 777 * (1 + i % 11);

		conn_write(t.o.c, view_make(big + i, n < N - i ? n : N - i));
		if (i % 3 == 0)
			peer_while(base, &t.p, 0);
	}
	peer_while(base, &t.p, 5);
	assert_true(conn_is_full(t.o.c));
	/* It must answer with its own, but cannot write now. */
	assert_true(update(&t.p, SSL_KEY_UPDATE_REQUESTED));
	peer_while(base, &t.p, 5);
	peer_say(&t.p, "still here");
	peer_while(base, &t.p, 5);
	t.p.is_silent = false;
	assert_true(peer_hears(base, &t.p, N));
	assert_int_equal(t.p.in.n, N);
	assert_memory_equal(t.p.in.p, big, N);
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	assert_string_equal(buf_str(&t.o.in), "still here");
	assert_int_equal(t.o.ends, 0);
	stop(&t);
	free(big);
}

/* What OpenSSL holds, no socket tells. */
static void records_that_wait_in_OpenSSL_are_not_forgotten(void **state)
{
	enum { N = 200000 };
	unsigned char *big = pattern(N);
	struct talk t;
	struct buf all;
	size_t said = 0;
	int rounds;

	(void)state;
	buf_init(&all, N);
	open_at(&t, 0);
	t.o.keeps = true;
	for (rounds = 0; rounds < 2000 && all.n < N; rounds++) {
		struct view v = conn_input(t.o.c);
		int n = said == N ? 0 : SSL_write(t.p.ssl, big + said,
		    (int)(N - said));

		if (n > 0)
			said += (size_t)n;
		peer_while(base, &t.p, 0);
		v = conn_input(t.o.c);
		if (said < N && v.n < CONN_INPUT)
			continue;
		v.n = v.n > 5000 ? 5000 : v.n;
		buf_putv(&all, v);
		conn_used(t.o.c, v.n);
	}
	assert_int_equal(all.n, N);
	assert_memory_equal(all.p, big, N);
	buf_free(&all);
	stop(&t);
	free(big);
}

static void a_pause_holds_for_TLS_and_resume_finds_what_waits(void **state)
{
	struct talk t;

	(void)state;
	open_at(&t, 0);
	t.o.pauses = true;
	peer_say(&t.p, "one");
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	peer_say(&t.p, "two");
	peer_say(&t.p, "three");
	peer_while(base, &t.p, 10);
	assert_string_equal(buf_str(&t.o.in), "one");
	t.o.pauses = false;
	t.o.inputs = 0;
	conn_resume(t.o.c);
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	peer_while(base, &t.p, 5);
	assert_string_equal(buf_str(&t.o.in), "onetwothree");
	stop(&t);
}

static void an_end_in_the_same_record_waits_for_the_pause(void **state)
{
	struct talk t;

	(void)state;
	open_at(&t, 0);
	t.o.keeps = t.o.pauses = true;
	peer_say(&t.p, "QUIT\r\n");
	assert_int_equal(SSL_shutdown(t.p.ssl), 0);
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	peer_while(base, &t.p, 10);
	assert_int_equal(t.o.ends, 0);
	t.o.keeps = t.o.pauses = false;
	conn_resume(t.o.c);
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_string_equal(buf_str(&t.o.in), "QUIT\r\n");
	assert_int_equal(t.o.how, CONN_EOF);
	stop(&t);
}

static void data_with_the_last_flight_is_not_lost(void **state)
{
	struct talk t;
	int i, r = -1;

	(void)state;
	start(&t);
	peer_tls(&t.p, ctx, false);
	t.p.is_silent = true;
	for (i = 0; i < 1000 && r != 1; i++) {
		r = SSL_do_handshake(t.p.ssl);
		if (r == 1)
			peer_say(&t.p, "EHLO a.example\r\n");
		peer_while(base, &t.p, 0);
	}
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	assert_string_equal(buf_str(&t.o.in), "EHLO a.example\r\n");
	assert_int_equal(t.o.tls, 1);
	stop(&t);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(T15_renegotiation_ends_the_connection),
		T(T15_a_flood_of_KeyUpdates_ends_the_connection),
		T(close_notify_is_an_end_and_a_bare_end_is_a_cut),
		T(T12_half_close_of_TLS_still_answers_and_says_close_notify),
		T(T10_a_cut_at_each_octet_of_the_handshake),
		T(no_ClientHello_but_words),
		T(T11_a_handshake_that_stands_still_is_late),
		T(alerts_are_told_by_name_and_direction),
		T(free_is_allowed_in_on_tls),
		T(much_output_over_a_small_pipe_and_a_KeyUpdate_in_it),
		T(records_that_wait_in_OpenSSL_are_not_forgotten),
		T(a_pause_holds_for_TLS_and_resume_finds_what_waits),
		T(an_end_in_the_same_record_waits_for_the_pause),
		T(data_with_the_last_flight_is_not_lost),
	};

	return cmocka_run_group_tests_name("relay_tls_flood", tests, once,
	    finally);
}
