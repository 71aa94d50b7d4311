/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * For tests of relay/tunnel*.c: a worker made by hand, a client and a backend
 * that do what the test says. For inclusion by one test program at a time.
 */
#ifndef TESTS_UNIT_RELAY_TUNNEL_H
#define TESTS_UNIT_RELAY_TUNNEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/tunnel_int.h"
#include "relay_peer.h"
#include "util/clock.h"
#include "util/log.h"

#define WAIT_MS 30000

static struct peer_id root, server_id;
static struct relay_stats *stats;

static struct world {
	struct event_base *base;
	struct relay_config config;
	struct listener l;
	struct pki pki;
	struct ca_block ca;
	struct worker w;
	struct worker_listener wl;
	char pki_name[1][RELAY_NAME];
	char where[64], backend_name[64];
	int listening;
	struct peer client, backend;
	int backends; /* connections that it got */
	SSL_CTX *client_ctx, *server_ctx;
	bool backend_has_tls; /* from its first octet */
	const char *backend_header; /* before it, in clear */
	int gone;
} x;

void worker_gone(struct worker *w, struct worker_listener *l,
    const struct client *who)
{
	assert_ptr_equal(w, &x.w);
	assert_ptr_equal(l, &x.wl);
	assert_string_equal(who->ip, "192.0.2.7");
	x.gone++;
}

/* ---- the world ---- */

UNUSED static int listen_at_all(void)
{
	struct sockaddr_in in;
	socklen_t n = sizeof(in);
	struct buf b;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);

	memset(&in, 0, sizeof(in));
	in.sin_family = AF_INET;
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, n), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
	buf_init(&b, 60);
	buf_printf(&b, "127.0.0.1:%d", ntohs(in.sin_port));
	text_set(x.where, sizeof(x.where), buf_str(&b));
	buf_free(&b);
	return fd;
}

static SSL_CTX *context(bool is_server)
{
	SSL_CTX *c = SSL_CTX_new(is_server ? TLS_server_method() :
	    TLS_client_method());

	assert_non_null(c);
	if (is_server) {
		assert_int_equal(SSL_CTX_use_certificate(c, server_id.x), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(c, server_id.key),
		    1);
	}
	return c;
}

UNUSED static void begin(enum relay_protocol p)
{
	static char hostname[] = "r.example";

	memset(&x, 0, sizeof(x));
	x.base = event_base_new();
	x.listening = listen_at_all();
	text_set(x.pki.name, sizeof(x.pki.name), "mx");
	x.pki.cert = server_id.cert_file;
	x.pki.key = server_id.key_file;
	text_set(x.ca.name, sizeof(x.ca.name), "corp");
	x.ca.file = root.cert_file;
	x.config.hostname = hostname;
	x.config.pki = &x.pki;
	x.config.pkis = 1;
	x.config.ca = &x.ca;
	x.config.cas = 1;
	x.config.listener = &x.l;
	x.config.listeners = 1;
	text_set(x.l.name, sizeof(x.l.name), "box");
	x.l.protocol = p;
	text_set(x.pki_name[0], RELAY_NAME, "mx");
	x.l.pki = x.pki_name;
	x.l.pkis = 1;
	x.l.min_rate = 100;
	x.l.backend.where = x.where;
	x.w.base = x.base;
	x.w.config = &x.config;
	x.w.stats = stats;
	x.w.exec = -1;
	x.w.listener = &x.wl;
	x.wl.l = &x.l;
	x.client.fd = x.backend.fd = -1;
	x.client_ctx = context(false);
	x.server_ctx = context(true);
}

/* The client connects; tls: how. */
UNUSED static void come(enum listen_tls tls)
{
	static const unsigned char secret[32];
	static const struct conn_use nobody;
	struct client who = { .ip = "192.0.2.7", .port = 50000,
		.local_ip = "198.51.100.1", .local_port = 995, .id = "1" };
	struct conn *c = NULL;
	struct err e;
	int ours;

	if (tls_server_new(&x.wl.tls, &x.config, &x.l, NULL, secret,
	    &e) != 0 || tls_clients_new(&x.w.tls, &x.config, NULL, &e) != 0)
		fail_msg("%s", e.msg);
	peer_pair(&x.client, &ours);
	if (tls == LISTEN_IMPLICIT)
		peer_tls(&x.client, x.client_ctx, false);
	assert_int_equal(conn_new(&c, x.base, ours, &nobody, &e), 0);
	tunnel_start(&x.w, &x.wl, tls, c, &who);
}

UNUSED static void read_header(int fd)
{
	size_t n = strlen(x.backend_header);
	char got[200] = "";

	for (size_t i = 0; i < n; i++)
		while (recv(fd, got + i, 1, 0) != 1)
			(void)event_base_loop(x.base, EVLOOP_NONBLOCK);
	assert_string_equal(got, x.backend_header);
}

UNUSED static void take_backend(void)
{
	int fd = accept4(x.listening, NULL, NULL, SOCK_NONBLOCK |
	    SOCK_CLOEXEC);

	if (fd < 0)
		return;
	x.backends++;
	if (x.backend.fd >= 0)
		peer_free(&x.backend);
	memset(&x.backend, 0, sizeof(x.backend));
	buf_init(&x.backend.in, 64u << 20);
	x.backend.fd = fd;
	if (x.backend_header != NULL)
		read_header(fd);
	if (x.backend_has_tls)
		peer_tls(&x.backend, x.server_ctx, true);
}

UNUSED static void one_turn(void)
{
	(void)event_base_loop(x.base, EVLOOP_NONBLOCK);
	take_backend();
	if (x.client.fd >= 0)
		peer_step(&x.client);
	if (x.backend.fd >= 0)
		peer_step(&x.backend);
	(void)usleep(100);
}

UNUSED static void until(bool (*is_so)(void), const char *what)
{
	int64_t end = clock_ms() + WAIT_MS;

	while (!is_so() && clock_ms() < end)
		one_turn();
	if (!is_so())
		fail_msg("waited for: %s; client heard \"%s\", backend \"%s\"",
		    what, buf_str(&x.client.in), buf_str(&x.backend.in));
}

UNUSED static void a_while(void)
{
	for (int i = 0; i < 50; i++)
		one_turn();
}

UNUSED static bool is_gone(void)
{
	return x.gone > 0;
}
UNUSED static bool client_is_over(void)
{
	return x.client.is_over;
}
UNUSED static bool client_has_tls(void)
{
	return x.client.is_open;
}
UNUSED static bool backend_is_over(void)
{
	return x.backend.is_over;
}
UNUSED static bool backend_is_there(void)
{
	return x.backends > 0;
}
UNUSED static bool backend_is_new(void)
{
	return x.backends > 1;
}
UNUSED static bool backend_has_tls(void)
{
	return x.backend.is_open;
}

static const char *wanted;
UNUSED static bool client_ends_in(void)
{
	size_t n = strlen(wanted);

	return x.client.in.n >= n && memcmp(x.client.in.p + x.client.in.n -
	    n, wanted, n) == 0;
}
UNUSED static bool backend_ends_in(void)
{
	size_t n = strlen(wanted);

	return x.backend.in.n >= n && memcmp(x.backend.in.p + x.backend.in.n
	    - n, wanted, n) == 0;
}

UNUSED static void client_hears(const char *text)
{
	wanted = text;
	until(client_ends_in, text);
	buf_clear(&x.client.in);
}

UNUSED static void backend_hears(const char *text)
{
	wanted = text;
	until(backend_ends_in, text);
	buf_clear(&x.backend.in);
}

/* Nothing of it is left, and nothing leaks. */
UNUSED static void finish(void)
{
	tunnels_cut(&x.w);
	peer_free(&x.client);
	if (x.backend.fd >= 0)
		peer_free(&x.backend);
	for (int i = 0; i < 20000 && conn_finishing() > 0; i++) {
		(void)event_base_loop(x.base, EVLOOP_NONBLOCK);
		(void)usleep(1000);
	}
	assert_int_equal(conn_finishing(), 0);
	assert_int_equal(x.gone, 1);
	tls_server_free(&x.wl.tls);
	tls_clients_free(&x.w.tls);
	SSL_CTX_free(x.client_ctx);
	SSL_CTX_free(x.server_ctx);
	close(x.listening);
	event_base_free(x.base);
}

/* Everybody closes, in order. */
UNUSED static void say_bye(void)
{
	if (x.client.ssl != NULL)
		(void)SSL_shutdown(x.client.ssl);
	else
		(void)shutdown(x.client.fd, SHUT_WR);
	until(backend_is_over, "the end at the backend");
	if (x.backend.ssl != NULL)
		(void)SSL_shutdown(x.backend.ssl);
	(void)shutdown(x.backend.fd, SHUT_WR);
	until(client_is_over, "the end at the client");
	until(is_gone, "the tunnel's end");
}

UNUSED static int make_all(void **state)
{
	const struct peer_leaf ca = { .name = "root", .is_ca = true };
	struct peer_leaf leaf = { .name = "mx", .san = "DNS:mx.a.example" };
	struct err e;

	(void)state;
	peer_make(&root, &ca);
	leaf.issuer = &root;
	peer_make(&server_id, &leaf);
	return relay_stats_new(&stats, &e);
}

UNUSED static int free_all(void **state)
{
	(void)state;
	peer_id_free(&server_id);
	peer_id_free(&root);
	peer_folder_remove();
	return 0;
}

#endif
