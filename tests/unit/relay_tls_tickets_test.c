/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Whom a listener knows again by a session ticket: all workers the same, no
 * other rules, not for long, and nobody where certificates are asked for.
 */
#include "relay_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "relay/tls_tickets.h"

static struct event_base *base;
static struct peer_id mx, root;
static struct pki pki;
static struct ca_block ca;
static struct relay_config config = { .pki = &pki, .pkis = 1, .ca = &ca,
	.cas = 1 };
static const unsigned char secret[32] = "of all workers";

static int once(void **state)
{
	const struct peer_leaf m = { .name = "mx",
		.san = "DNS:mx.a.example" };
	const struct peer_leaf r = { .name = "root", .is_ca = true };

	(void)state;
	peer_make(&mx, &m);
	peer_make(&root, &r);
	text_set(pki.name, sizeof(pki.name), "mx");
	pki.cert = mx.cert_file;
	pki.key = mx.key_file;
	text_set(ca.name, sizeof(ca.name), "corp");
	ca.file = root.cert_file;
	base = event_base_new();
	return base == NULL;
}

static int finally(void **state)
{
	(void)state;
	peer_id_free(&mx);
	peer_id_free(&root);
	peer_folder_remove();
	event_base_free(base);
	return 0;
}

static char names[1][RELAY_NAME] = { "mx" };
static struct listener listener(const char *name)
{
	struct listener l = { .protocol = RELAY_SUBMISSION, .pki = names,
		.pkis = 1 };

	text_set(l.name, sizeof(l.name), name);
	return l;
}

static struct tls_server *server_of(const struct listener *l,
    const unsigned char *with)
{
	struct tls_server *t = NULL;
	struct err e;

	if (tls_server_new(&t, &config, l, NULL, with, &e) < 0)
		fail_msg("%s", e.msg);
	return t;
}

struct talk {
	struct owner o;
	struct peer p;
};

static SSL_SESSION *ticket;

static int on_new(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	SSL_SESSION_free(ticket);
	ticket = s;
	return 1;
}

/* Connect with the ticket that is there; was it taken? */
static bool resumes(const struct tls_server *s, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct talk t;
	bool is;
	int fd;

	REQUIRE(ctx != NULL);
	SSL_CTX_set_max_proto_version(ctx, version);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_new);
	memset(&t, 0, sizeof(t));
	peer_pair(&t.p, &fd);
	owner_new(&t.o, base, fd);
	assert_int_equal(conn_tls_server(t.o.c, s, &t.o.e), 0);
	peer_tls(&t.p, ctx, false);
	if (ticket != NULL)
		REQUIRE(SSL_set_session(t.p.ssl, ticket) == 1);
	assert_true(peer_until(base, &t.p, &t.o.tls));
	conn_write(t.o.c, view_of("x"));
	assert_true(peer_hears(base, &t.p, 1));
	is = SSL_session_reused(t.p.ssl) == 1;
	assert_int_equal(conn_tls(t.o.c)->is_resumed, is);
	SSL_set_shutdown(t.p.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	owner_free(&t.o);
	peer_free(&t.p);
	SSL_CTX_free(ctx);
	return is;
}

static void forget(void)
{
	SSL_SESSION_free(ticket);
	ticket = NULL;
}

static void T16_all_workers_know_a_ticket_and_no_other_listener(void **state)
{
	static const int version[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	static const unsigned char another[32] = "after a restart";
	struct listener l = listener("sub");
	struct listener m = listener("pop");
	struct tls_server *s = server_of(&l, secret);
	struct tls_server *worker = server_of(&l, secret);
	struct tls_server *pop = server_of(&m, secret);
	struct tls_server *restarted = server_of(&l, another);
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		forget();
		assert_false(resumes(s, version[i]));
		assert_non_null(ticket);
		assert_int_equal(SSL_SESSION_get_max_early_data(ticket), 0);
		assert_true(resumes(s, version[i]));
		assert_true(resumes(worker, version[i]));
		assert_false(resumes(pop, version[i]));
		assert_true(resumes(pop, version[i]));
		assert_false(resumes(s, version[i]));
		assert_false(resumes(restarted, version[i]));
	}
	forget();
	tls_server_free(&s);
	tls_server_free(&worker);
	tls_server_free(&pop);
	tls_server_free(&restarted);
}

static void T16_ticket_keys_change_with_the_hour(void **state)
{
	struct listener l = listener("sub");
	struct tls_server *s = server_of(&l, secret);
	struct tls_server *later = server_of(&l, secret);
	struct tls_server *day = server_of(&l, secret);
	int64_t now = (int64_t)time(NULL);

	(void)state;
	forget();
	tls_tickets_at(tls_server_tickets(s), now + 3600);
	tls_tickets_at(tls_server_tickets(later), now + 7200);
	tls_tickets_at(tls_server_tickets(later), now); /* never back */
	assert_false(resumes(s, TLS1_3_VERSION));
	assert_true(resumes(later, TLS1_3_VERSION)); /* the hour before */
	/* two hours on: what s gives now is too old there */
	forget();
	tls_tickets_at(tls_server_tickets(later), now + 3 * 3600);
	assert_false(resumes(s, TLS1_3_VERSION));
	assert_false(resumes(later, TLS1_3_VERSION));
	/* days later the chains of two workers are still the same */
	forget();
	for (int64_t h = 0; h < 60; h++)
		tls_tickets_at(tls_server_tickets(day), now + h * 3600);
	tls_tickets_at(tls_server_tickets(later), now + 59 * 3600);
	assert_false(resumes(day, TLS1_3_VERSION));
	assert_true(resumes(later, TLS1_3_VERSION));
	forget();
	tls_server_free(&s);
	tls_server_free(&later);
	tls_server_free(&day);
}

static void T16_no_ticket_where_certificates_are_asked_for(void **state)
{
	static const int version[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct listener l = listener("sub");
	struct listener open = listener("sub");
	struct tls_server *s, *without = server_of(&open, secret);
	size_t i;

	(void)state;
	l.client_cert = CLIENT_CERT_OPTIONAL;
	text_set(l.client_ca, sizeof(l.client_ca), "corp");
	s = server_of(&l, secret);
	assert_null(tls_server_tickets(s));
	for (i = 0; i < 2; i++) {
		forget();
		assert_false(resumes(s, version[i]));
		assert_false(resumes(s, version[i]));
		/* nor one of a listener of that name without certificates */
		forget();
		assert_false(resumes(without, version[i]));
		assert_false(resumes(s, version[i]));
	}
	forget();
	tls_server_free(&s);
	tls_server_free(&without);
}

static void T16_networks_with_other_rules_have_other_tickets(void **state)
{
	struct source_match m[2] = { { .client_cert = -1 },
		{ .client_cert = CLIENT_CERT_MUST } };
	struct listener l = listener("sub");
	const struct tls_server *inner, *certs;
	struct tls_server *s;

	(void)state;
	REQUIRE(net_parse(&m[0].net, "10.0.0.0/8", NULL) == 0);
	REQUIRE(net_parse(&m[1].net, "::1/128", NULL) == 0);
	text_set(m[0].pki, sizeof(m[0].pki), "mx");
	text_set(m[1].client_ca, sizeof(m[1].client_ca), "corp");
	l.match = m;
	l.matches = 2;
	s = server_of(&l, secret);
	inner = tls_server_for(s, "10.1.2.3");
	certs = tls_server_for(s, "::1");
	forget();
	assert_false(resumes(s, TLS1_3_VERSION));
	assert_false(resumes(inner, TLS1_3_VERSION));
	assert_true(resumes(inner, TLS1_3_VERSION));
	assert_false(resumes(certs, TLS1_3_VERSION));
	forget();
	tls_server_free(&s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(T16_all_workers_know_a_ticket_and_no_other_listener),
		T(T16_ticket_keys_change_with_the_hour),
		T(T16_no_ticket_where_certificates_are_asked_for),
		T(T16_networks_with_other_rules_have_other_tickets),
	};

	return cmocka_run_group_tests_name("relay_tls_tickets", tests, once,
	    finally);
}
