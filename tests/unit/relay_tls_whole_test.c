/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Both sides of the relay's TLS with each other, and with the process that
 * holds the keys: of every kind, with a client's certificate.
 */
#include "relay_keys.h"

#include <event2/event.h>

#include "relay/conn.h"
#include "util/clock.h"

struct side {
	struct conn *c;
	int tls, ends;
	char why[300];
	struct buf in;
};

static void on_tls(void *arg)
{
	struct side *s = arg;

	s->tls++;
}

static void on_input(void *arg)
{
	struct side *s = arg;
	struct view v = conn_input(s->c);

	buf_putv(&s->in, v);
	conn_used(s->c, v.n);
}

static void on_end(void *arg, enum conn_end how, const char *why)
{
	struct side *s = arg;

	(void)how;
	s->ends++;
	text_set(s->why, sizeof(s->why), why);
}

static void put_side(struct side *s, struct event_base *base, int fd)
{
	struct conn_use u = { NULL, on_tls, on_input, NULL, on_end, s };

	memset(s, 0, sizeof(*s));
	buf_init(&s->in, 1u << 20);
	assert_int_equal(conn_new(&s->c, base, fd, &u, NULL), 0);
}

struct both {
	struct event_base *base;
	struct there keys;
	struct side server, client;
};

static void run(struct both *b, const struct side *s, size_t octets)
{
	int64_t until = clock_ms() + 30000;

	while (clock_ms() < until && b->server.ends + b->client.ends == 0 &&
	    (b->server.tls == 0 || b->client.tls == 0 || s->in.n < octets)) {
		(void)event_base_loop(b->base, EVLOOP_NONBLOCK);
		(void)usleep(200);
	}
	if (b->server.ends + b->client.ends > 0)
		fail_msg("%s%s", b->server.why, b->client.why);
}

/* A conversation where server shows kind, and client another. */
static void talk(struct both *b, struct tls_server *server,
    struct tls_clients *clients, const struct tls_want *want, bool resumed)
{
	const struct tls_facts *f;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	put_side(&b->server, b->base, fd[0]);
	put_side(&b->client, b->base, fd[1]);
	assert_int_equal(conn_tls_server(b->server.c, server, NULL), 0);
	assert_int_equal(conn_tls_client(b->client.c, clients, want, NULL),
	    0);
	conn_write(b->client.c, view_of("EHLO a.example\r\n"));
	run(b, &b->server, 16);
	conn_write(b->server.c, view_of("250 ok\r\n"));
	run(b, &b->client, 8);
	assert_string_equal(buf_str(&b->client.in), "250 ok\r\n");
	f = conn_tls(b->server.c);
	assert_non_null(f);
	assert_int_equal(f->is_resumed, resumed);
	assert_int_equal(f->has_cert, *want->pki != '\0');
	assert_int_equal(f->cert_is_good, *want->pki != '\0');
	if (*want->pki != '\0')
		assert_string_equal(f->email[0], "alice@a.example");
	assert_true(conn_tls_got(b->client.c)->is_verified);
	conn_free(&b->server.c);
	conn_free(&b->client.c);
	buf_free(&b->server.in);
	buf_free(&b->client.in);
}

static struct tls_want want_of(size_t kind)
{
	struct tls_want wanted = { .level = TLS_FINGERPRINT,
		.asked = TLS_FINGERPRINT, .pins = 1 };

	memcpy(wanted.pin[0].sha256, cert_sha256(w.id[kind].cert), 32);
	return wanted;
}

static void one_kind(struct both *b, size_t kind, struct listener *l)
{
	const unsigned char secret[32] = "s";
	struct tls_want wanted = want_of(kind);
	struct tls_clients *clients = NULL;
	struct tls_server *server = NULL;
	struct err e;

	text_set(l->pki[0], sizeof(l->pki[0]), w.pki[kind].name);
	if (tls_server_new(&server, &w.config, l, b->keys.keys, secret,
	    &e) < 0 || tls_clients_new(&clients, &w.config, b->keys.keys,
	    &e) < 0)
		fail_msg("%s", e.msg);
	if (l->client_cert == CLIENT_CERT_NONE) {
		talk(b, server, clients, &wanted, false);
		talk(b, server, clients, &wanted, true);
		wanted.max = TLS_V_1_2;
		talk(b, server, clients, &wanted, false);
		talk(b, server, clients, &wanted, true);
	} else {
		/* of another kind than the server's */
		text_set(wanted.pki, sizeof(wanted.pki),
		    w.pki[(kind + 1) % KINDS].name);
		talk(b, server, clients, &wanted, false);
		wanted.max = TLS_V_1_2;
		talk(b, server, clients, &wanted, false);
	}
	tls_server_free(&server);
	tls_clients_free(&clients);
}

static void begin(struct both *b)
{
	memset(b, 0, sizeof(*b));
	b->keys = start(serve, false);
	b->base = event_base_new();
	assert_non_null(b->base);
}

static void stop(struct both *b)
{
	end(&b->keys);
	event_base_free(b->base);
}

static void T16_keys_of_each_kind_stay_in_their_process(void **state)
{
	char name[1][RELAY_NAME];
	struct listener l = { .name = "x", .protocol = RELAY_SMTP,
		.pki = name, .pkis = 1 };
	struct both b;
	size_t i;

	(void)state;
	begin(&b);
	for (i = 0; i < KINDS; i++)
		one_kind(&b, i, &l);
	stop(&b);
}

static void T31_T43_a_certificate_of_ours_is_good_at_our_listener(
    void **state)
{
	static struct sender_cert from[KINDS];
	struct client_pin pin[KINDS];
	char name[1][RELAY_NAME], as[] = "alice@a.example";
	struct listener l = { .name = "x", .protocol = RELAY_POP3,
		.pki = name, .pkis = 1, .client_cert = CLIENT_CERT_MUST,
		.pin = pin, .pins = KINDS };
	struct both b;
	size_t i;

	(void)state;
	begin(&b);
	for (i = 0; i < KINDS; i++) {
		memcpy(pin[i].sha256, cert_sha256(w.id[i].cert), 32);
		pin[i].as = as;
		text_set(from[i].pki, sizeof(from[i].pki), w.pki[i].name);
	}
	w.config.sender_cert = from;
	w.config.sender_certs = KINDS;
	for (i = 0; i < KINDS; i++)
		one_kind(&b, i, &l);
	stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T16_keys_of_each_kind_stay_in_their_process),
		cmocka_unit_test(
		    T31_T43_a_certificate_of_ours_is_good_at_our_listener),
	};

	return cmocka_run_group_tests_name("relay_tls_whole", tests,
	    make_world, end_world);
}
