/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * For tests of sessions: a worker whose next hops, routes and auth process are
 * scripted, and a client on a socket, with real TLS. For inclusion by one test
 * program at a time.
 */
#ifndef TESTS_UNIT_RELAY_SESSION_H
#define TESTS_UNIT_RELAY_SESSION_H

#include "relay_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "relay/session_int.h"
#include "relay_fakes.h"
#include "util/clock.h"

#define EHLO "EHLO a.example\r\n"
#define LHLO "LHLO a.example\r\n"
#define MAIL "MAIL FROM:<alice@a.example>\r\n"
#define RCPT "RCPT TO:<bob@b.example>\r\n"
#define TEXT "Subject: x\r\n\r\ntext\r\n"

static struct peer_id mx, alice;
static struct pki pki[1];
static struct relay_config config = { .pki = pki, .pkis = 1 };
static char hostname[] = "mx.a.example";

static struct world {
	struct worker w;
	struct listener l;
	struct worker_listener wl;
	struct peer p;
	size_t gone;
	/* the auth process */
	struct auth_reply verdict;
	auth_done *done;
	void *done_arg;
	struct buf asked; /* "PLAIN[...]" */
	size_t talks;
	char may_send[200];
} x;

/* ---- what the worker has beside sessions ---- */

void worker_gone(struct worker *w, struct worker_listener *l,
    const struct client *who)
{
	assert_ptr_equal(w, &x.w);
	assert_ptr_equal(l, &x.wl);
	assert_string_equal(who->id, "s1");
	x.gone++;
}

static int auth_dummy;

void auth_mechanisms(const struct listener *l, bool is_tls,
    bool has_cert_identity, char *out, size_t size)
{
	text_set(out, size, l->auth.kind == AUTH_NONE || !is_tls ? "" :
	    has_cert_identity ? "PLAIN EXTERNAL" : "PLAIN");
}

int auth_begin(struct auth_talk **out, struct auth_talks *t,
    const struct auth_who *who, const char *mechanism, struct view initial,
    auth_done *done, void *arg, struct err *e)
{
	(void)t;
	(void)e;
	*out = (struct auth_talk *)(void *)&auth_dummy;
	x.talks++;
	x.done = done;
	x.done_arg = arg;
	buf_printf(&x.asked, "%s %s[", who->client_ip, mechanism);
	buf_putv(&x.asked, initial);
	buf_puts(&x.asked, "]");
	return 0;
}

void auth_go_on(struct auth_talk *t, struct view decoded)
{
	(void)t;
	buf_puts(&x.asked, "[");
	buf_putv(&x.asked, decoded);
	buf_puts(&x.asked, "]");
}

void auth_free(struct auth_talk **t)
{
	if (*t != NULL)
		x.talks--;
	*t = NULL;
}

bool auth_may_send(const struct auth_senders *s, const char *login,
    const char *const *identity, size_t identities, const char *from)
{
	(void)s;
	return (*login != '\0' && strcmp(from, x.may_send) == 0) ||
	    (identities > 0 && strcmp(from, identity[0]) == 0);
}

/* ---- the world ---- */

static UNUSED int once(void **state)
{
	const struct peer_leaf m = { .name = "mx", .san = "DNS:mx.a.example" };
	const struct peer_leaf a = { .name = "alice", .eku = "clientAuth" };

	(void)state;
	peer_make(&mx, &m);
	peer_make(&alice, &a);
	pki[0] = (struct pki){ .name = "mx", .cert = mx.cert_file,
		.key = mx.key_file };
	config.hostname = hostname;
	return 0;
}

static UNUSED int at_end(void **state)
{
	(void)state;
	peer_id_free(&mx);
	peer_id_free(&alice);
	peer_folder_remove();
	return 0;
}

static char listener_pki[1][RELAY_NAME] = { "mx" };

static UNUSED int setup(void **state)
{
	(void)state;
	memset(&x, 0, sizeof(x));
	x.w.base = event_base_new();
	x.w.config = &config;
	assert_int_equal(relay_stats_new(&x.w.stats, NULL), 0);
	assert_int_equal(ledger_open(&x.w.ledger, NULL, 100, NULL), 0);
	x.l.protocol = RELAY_LMTP;
	x.l.max_message = 10000;
	x.l.max_rcpts = 50;
	x.l.ledger = true;
	x.l.pki = listener_pki;
	x.l.pkis = 1;
	text_set(x.l.name, sizeof(x.l.name), "egress");
	x.wl.l = &x.l;
	x.wl.senders = (struct auth_senders *)(void *)&auth_dummy;
	buf_init(&x.asked, 10000);
	x.p.fd = -1;
	return 0;
}

static UNUSED int teardown(void **state)
{
	(void)state;
	peer_free(&x.p);
	peer_while(x.w.base, NULL, 5);
	fakes_finish();
	peer_while(x.w.base, NULL, 5); /* last words */
	assert_int_equal(x.gone, 1);
	assert_int_equal(x.talks, 0);
	assert_int_equal(txn_orphans(), 0);
	assert_int_equal(fakes_open(), 0);
	fakes_reset();
	tls_server_free(&x.wl.tls);
	ledger_free(&x.w.ledger);
	event_base_free(x.w.base);
	buf_free(&x.asked);
	return 0;
}

static UNUSED void connect_as(enum listen_tls tls, const char *ip)
{
	static const unsigned char secret[32] = "of all workers";
	static const struct conn_use nobody;
	struct client who = { .id = "s1" };
	struct conn *c;
	int fd;

	if (tls != LISTEN_PLAIN)
		assert_int_equal(tls_server_new(&x.wl.tls, &config, &x.l,
		    NULL, secret, NULL), 0);
	text_set(who.ip, sizeof(who.ip), ip);
	peer_pair(&x.p, &fd);
	assert_int_equal(conn_new(&c, x.w.base, fd, &nobody, NULL), 0);
	session_start(&x.w, &x.wl, tls, c, &who);
}

static UNUSED void use_tls(const struct peer_id *id)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (id != NULL)
		assert_int_equal(SSL_CTX_use_certificate(ctx, id->x) == 1 &&
		    SSL_CTX_use_PrivateKey(ctx, id->key) == 1, 1);
	peer_tls(&x.p, ctx, false);
	SSL_CTX_free(ctx);
	assert_true(peer_shakes(x.w.base, &x.p));
	peer_while(x.w.base, &x.p, 15);
}

static UNUSED void run(void)
{
	peer_while(x.w.base, &x.p, 15);
}

static UNUSED void greeted(void)
{
	assert_int_equal(strncmp(buf_str(&x.p.in), "220 mx.a.example", 16), 0);
}

/* What comes in reply begins so. */
static UNUSED void say(const char *text, const char *begins)
{
	int64_t end = clock_ms() + 30000;

	buf_clear(&x.p.in);
	if (*text != '\0')
		peer_say(&x.p, text);
	do
		peer_while(x.w.base, &x.p, 2);
	while (x.p.in.n < strlen(begins) && clock_ms() < end &&
	    !x.p.is_over);
	if (strncmp(buf_str(&x.p.in), begins, strlen(begins)) != 0)
		fail_msg("to %s: %s, wanted %s", text, buf_str(&x.p.in),
		    begins);
}

static UNUSED void envelope(const char *hello)
{
	say("", "220 mx.a.example");
	say(hello, "250-");
	say(MAIL, "250 2.1.0");
	buf_clear(&x.p.in);
	peer_say(&x.p, RCPT);
	run();
	assert_int_equal(x.p.in.n, 0); /* nobody has answered */
	fake_answer_routes();
	fake_take_all();
	say("", "250 2.1.5");
}

static UNUSED void is_closed(void)
{
	peer_while(x.w.base, &x.p, 30);
	assert_true(x.p.is_over);
	assert_int_equal(x.gone, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
