/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of relay/tunnel.c and tunnel_open.c: the ways of clients in, with TLS
 * and without, and those to a backend.
 */
#include "relay_tunnel.h"

#include <errno.h>
#include <fcntl.h>

#include "relay/proxy.h"

/* ---- the ways of a client ---- */

static void T66_implicit_tls_with_the_real_client_in_front(void **state)
{
	struct proxy_header h;
	struct err e;
	size_t used;

	(void)state;
	begin(RELAY_POP3);
	x.l.backend.real = REAL_PROXY_V2;
	come(LISTEN_IMPLICIT);
	a_while();
	until(backend_is_there, "the backend");
	a_while();
	assert_true(x.client.is_open);
	assert_int_equal(proxy_read(&h, buf_view(&x.backend.in), &used, &e),
	    1);
	assert_int_equal(used, x.backend.in.n);
	assert_string_equal(h.ip, "192.0.2.7");
	assert_string_equal(h.local_ip, "198.51.100.1");
	assert_int_equal(h.port, 50000);
	assert_int_equal(h.local_port, 995);
	assert_true(h.has_tls);
	peer_say(&x.backend, "+OK <1@h> ready\r\n");
	client_hears("+OK <1@h> ready\r\n");
	peer_say(&x.client, "USER alice\r\nPASS \xff\r\n");
	backend_hears("USER alice\r\nPASS \xff\r\n");
	peer_say(&x.backend, "+OK\r\n+OK\r\n");
	client_hears("+OK\r\n+OK\r\n");
	say_bye();
	assert_string_equal(x.client.error, "close_notify");
	finish();
}

static void no_tls_no_backend(void **state)
{
	(void)state;
	begin(RELAY_POP3);
	come(LISTEN_IMPLICIT);
	SSL_free(x.client.ssl);
	x.client.ssl = NULL;
	peer_say(&x.client, "USER alice\r\n");
	until(is_gone, "the end");
	a_while();
	assert_int_equal(x.backends, 0);
	finish();
}

static void begin_tls(const char *command, const char *answer)
{
	peer_say(&x.client, command);
	client_hears(answer);
	peer_tls(&x.client, x.client_ctx, false);
	until(client_has_tls, "TLS");
}

static void T4_T8_stls_and_then_the_same_backend(void **state)
{
	(void)state;
	begin(RELAY_POP3);
	come(LISTEN_STARTTLS_MUST);
	until(backend_is_there, "the backend");
	peer_say(&x.backend, "+OK <1@h> ready\r\n");
	client_hears("+OK <1@h> ready\r\n");
	peer_say(&x.client, "USER alice\r\n");
	client_hears("-ERR TLS is required, begin it with STLS\r\n");
	peer_say(&x.client, "CAPA\r\n");
	backend_hears("CAPA\r\n");
	peer_say(&x.backend, "+OK\r\nUSER\r\n.\r\n");
	client_hears("+OK\r\nSTLS\r\n.\r\n");
	begin_tls("STLS\r\n", "+OK begin TLS\r\n");
	peer_say(&x.client, "CAPA\r\n");
	backend_hears("CAPA\r\n");
	peer_say(&x.backend, "+OK\r\nUSER\r\n.\r\n");
	client_hears("+OK\r\nUSER\r\n.\r\n");
	peer_say(&x.client, "USER alice\r\n");
	backend_hears("USER alice\r\n");
	assert_int_equal(x.backends, 1);
	say_bye();
	finish();
}

/* attack A65: whoever is in the middle says EHLO in clear, and leaves the rest
 * to the client
 * verdict: the backend after TLS is another one */
static void T8_A65_what_was_said_in_clear_is_forgotten(void **state)
{
	(void)state;
	begin(RELAY_SMTP_TUNNEL);
	x.l.backend.real = REAL_PROXY_V1;
	come(LISTEN_STARTTLS);
	backend_hears("PROXY TCP4 192.0.2.7 198.51.100.1 50000 995\r\n");
	peer_say(&x.backend, "220 h\r\n");
	client_hears("220 h\r\n");
	peer_say(&x.client, "EHLO mallory\r\n");
	backend_hears("EHLO mallory\r\n");
	peer_say(&x.backend, "250-h\r\n250-AUTH PLAIN\r\n250 SIZE\r\n");
	client_hears("250-h\r\n250-AUTH PLAIN\r\n250-SIZE\r\n"
	    "250 STARTTLS\r\n");
	begin_tls("STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n");
	until(backend_is_new, "another backend");
	backend_hears("PROXY TCP4 192.0.2.7 198.51.100.1 50000 995\r\n");
	peer_say(&x.backend, "220-h\r\n220 h\r\n");
	a_while();
	assert_int_equal(x.client.in.n, 0);
	peer_say(&x.client, "EHLO c\r\n");
	backend_hears("EHLO c\r\n");
	peer_say(&x.backend, "250-h\r\n250 STARTTLS\r\n");
	client_hears("250 h\r\n");
	peer_say(&x.client, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
	backend_hears("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
	say_bye();
	finish();
}

static void T71_imap_literals_go_through_after_tls(void **state)
{
	(void)state;
	begin(RELAY_IMAP);
	come(LISTEN_STARTTLS_MUST);
	until(backend_is_there, "the backend");
	peer_say(&x.backend, "* OK hi\r\n");
	client_hears("* OK hi\r\n");
	begin_tls("a STARTTLS\r\n", "a OK begin TLS\r\n");
	peer_say(&x.client, "b LOGIN {5}\r\n");
	backend_hears("b LOGIN {5}\r\n");
	peer_say(&x.backend, "+ go\r\n");
	client_hears("+ go\r\n");
	peer_say(&x.client, "al\nce {3}\r\n");
	backend_hears("al\nce {3}\r\n");
	say_bye();
	finish();
}

/* attack A68: the backend of an IMAP tunnel greets with PREAUTH before TLS
 * verdict: BYE, and no command reaches it */
static void T71_A68_preauth_before_tls(void **state)
{
	(void)state;
	begin(RELAY_IMAP);
	come(LISTEN_STARTTLS);
	until(backend_is_there, "the backend");
	peer_say(&x.backend, "* PREAUTH hi\r\n* 5 EXISTS\r\n");
	client_hears("* BYE the backend wants no login\r\n");
	until(client_is_over, "the end");
	finish();
}

/* attack A65: commands behind STLS, in the same segment or the next one, cut
 * at each octet
 * verdict: no TLS, no answer to them, nothing at the backend */
static void T7_A65_injection_behind_stls(void **state)
{
	static const char all[] = "STLS\r\nUSER mallory\r\n";

	(void)state;
	for (size_t cut = 1; cut < sizeof(all) - 1; cut++) {
		begin(RELAY_POP3);
		come(LISTEN_STARTTLS_MUST);
		until(backend_is_there, "the backend");
		peer_say(&x.backend, "+OK hi\r\n");
		client_hears("+OK hi\r\n");
		peer_say_n(&x.client, all, cut);
		for (int i = 0; i < 5; i++)
			one_turn();
		if (send(x.client.fd, all + cut, sizeof(all) - 1 - cut,
		    MSG_NOSIGNAL) < 0)
			assert_int_equal(errno, EPIPE);
		until(is_gone, "the end");
		until(client_is_over, "the end at the client");
		assert_null(memmem(x.client.in.p == NULL ? (unsigned char *)""
		    : x.client.in.p, x.client.in.n, "mallory", 7));
		if (cut == 6) /* the command came alone: TLS was begun */
			assert_memory_equal(x.client.in.p, "+OK begin", 9);
		else
			assert_string_equal(buf_str(&x.client.in),
			    "-ERR that is no command\r\n");
		assert_int_equal(x.backend.in.n, 0);
		finish();
	}
}

static void a_client_in_clear_where_it_may(void **state)
{
	(void)state;
	begin(RELAY_POP3);
	come(LISTEN_STARTTLS);
	until(backend_is_there, "the backend");
	peer_say(&x.client, "USER alice\r\n"); /* before the greeting */
	a_while();
	assert_int_equal(x.backend.in.n, 0);
	peer_say(&x.backend, "+OK hi\r\n");
	client_hears("+OK hi\r\n");
	backend_hears("USER alice\r\n");
	say_bye();
	finish();
}

/* ---- the ways to a backend ---- */

static void sorry(enum relay_protocol p, const char *text)
{
	begin(p);
	close(x.listening);
	x.listening = open("/dev/null", O_RDONLY);
	come(LISTEN_IMPLICIT);
	until(client_is_over, "the end");
	assert_string_equal(buf_str(&x.client.in), text);
	assert_string_equal(x.client.error, "close_notify");
	finish();
}

static void a_backend_that_is_away(void **state)
{
	(void)state;
	sorry(RELAY_POP3, "-ERR [SYS/TEMP] try again later\r\n");
	sorry(RELAY_IMAP, "* BYE [UNAVAILABLE] try again later\r\n");
	sorry(RELAY_SMTP_TUNNEL, "421 4.3.2 r.example try again later\r\n");
	sorry(RELAY_ANY, "");
}

static void backend_tls(enum tls_level level, const char *name)
{
	x.l.backend.tls = true;
	x.l.backend.level = level;
	text_set(x.backend_name, sizeof(x.backend_name), name);
	x.l.backend.name = x.backend_name;
	text_set(x.l.backend.ca, RELAY_NAME, "corp");
}

static void plain_clients_of_a_server_that_has_tls_alone(void **state)
{
	(void)state;
	begin(RELAY_POP3);
	backend_tls(TLS_VERIFY, "mx.a.example");
	x.l.backend.implicit = x.backend_has_tls = true;
	x.l.backend.real = REAL_PROXY_V1;
	x.backend_header = "PROXY TCP4 192.0.2.7 198.51.100.1 50000 995\r\n";
	come(LISTEN_PLAIN);
	until(backend_has_tls, "TLS with the backend");
	peer_say(&x.backend, "+OK hi\r\n");
	client_hears("+OK hi\r\n");
	peer_say(&x.client, "STLS\r\n"); /* octets */
	backend_hears("STLS\r\n");
	say_bye();
	finish();
}

/* attack A66: a backend with the certificate of another, or of an issuer that
 * is not trusted
 * verdict: an error in the client's words, nothing of it in clear */
static void T34_A66_a_backend_that_is_another(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		begin(RELAY_POP3);
		backend_tls(TLS_VERIFY, i == 0 ? "other.example" :
		    "mx.a.example");
		x.l.backend.implicit = x.backend_has_tls = true;
		if (i == 1)
			x.l.backend.ca[0] = '\0'; /* the system's */
		come(LISTEN_PLAIN);
		peer_say(&x.client, "USER alice\r\n");
		until(client_is_over, "the end");
		assert_string_equal(buf_str(&x.client.in),
		    "-ERR [SYS/TEMP] try again later\r\n");
		a_while();
		assert_int_equal(x.backend.in.n, 0);
		finish();
	}
}

static void starttls_to_a_backend(void **state)
{
	(void)state;
	begin(RELAY_SMTP_TUNNEL);
	backend_tls(TLS_SECURE, "mx.a.example");
	x.l.backend.real = REAL_XCLIENT;
	come(LISTEN_PLAIN);
	until(backend_is_there, "the backend");
	peer_say(&x.backend, "220 h\r\n");
	backend_hears("EHLO r.example\r\n");
	peer_say(&x.backend, "250-h\r\n250 STARTTLS\r\n");
	backend_hears("STARTTLS\r\n");
	peer_say(&x.backend, "220 go\r\n");
	peer_tls(&x.backend, x.server_ctx, true);
	until(backend_has_tls, "TLS with the backend");
	backend_hears("EHLO r.example\r\n");
	peer_say(&x.backend, "250-h\r\n250 XCLIENT NAME ADDR PORT\r\n");
	backend_hears("XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 "
	    "PORT=50000\r\n");
	peer_say(&x.backend, "220 inside\r\n");
	client_hears("220 inside\r\n");
	peer_say(&x.client, "EHLO c\r\n");
	backend_hears("EHLO c\r\n");
	say_bye();
	finish();
}

/* attack A66: octets behind the answer that begins TLS
 * verdict: the end; the client hears nothing of them */
static void T36_A66_octets_behind_the_backends_answer(void **state)
{
	(void)state;
	begin(RELAY_IMAP);
	backend_tls(TLS_VERIFY, "mx.a.example");
	come(LISTEN_PLAIN);
	until(backend_is_there, "the backend");
	peer_say(&x.backend, "* OK hi\r\n");
	backend_hears("tls STARTTLS\r\n");
	peer_say(&x.backend, "tls OK go\r\n* OK [ALERT] come to me\r\n");
	until(client_is_over, "the end");
	assert_string_equal(buf_str(&x.client.in),
	    "* BYE [UNAVAILABLE] try again later\r\n");
	finish();
}

/* attack A73: a certificate is a must, of all or of a network, and the client
 * does without TLS, where that could be left out
 * verdict: no word of it reaches the backend before TLS; without any TLS it is
 * over at once
 */
static void T6_A73_no_tls_is_no_way_around_a_certificate(void **state)
{
	static const enum listen_tls ways[] = { LISTEN_STARTTLS,
		LISTEN_PLAIN, LISTEN_EXTERNAL };
	struct source_match m;
	size_t i;

	(void)state;
	for (i = 0; i < 2 * ARRAY_LEN(ways); i++) {
		begin(RELAY_POP3);
		memset(&m, 0, sizeof(m));
		assert_int_equal(net_parse(&m.net, "192.0.2.0/24", NULL), 0);
		m.client_cert = CLIENT_CERT_MUST;
		m.per_client = -1;
		text_set(x.l.client_ca, sizeof(x.l.client_ca), "corp");
		if (i % 2 == 0) {
			x.l.client_cert = CLIENT_CERT_MUST;
		} else {
			x.l.match = &m;
			x.l.matches = 1;
		}
		come(ways[i / 2]);
		if (ways[i / 2] != LISTEN_STARTTLS) {
			client_hears("-ERR [AUTH] Command refused due to lack "
			    "of security: a client certificate is "
			    "required\r\n");
			a_while();
			assert_int_equal(x.backends, 0);
			finish();
			continue;
		}
		until(backend_is_there, "the backend");
		peer_say(&x.backend, "+OK hi\r\n");
		client_hears("+OK hi\r\n");
		peer_say(&x.client, "USER alice\r\n");
		client_hears("-ERR TLS is required, begin it with STLS\r\n");
		a_while();
		assert_int_equal(x.backend.in.n, 0);
		finish();
	}
}

/* The TLS of a client is that of the first network that has it, so what it
 * must show is as well. */
static void T6_the_first_match_counts_and_no_other(void **state)
{
	struct source_match m[2];
	size_t i;

	(void)state;
	begin(RELAY_POP3);
	memset(m, 0, sizeof(m));
	for (i = 0; i < ARRAY_LEN(m); i++)
		m[i].client_cert = m[i].per_client = -1;
	assert_int_equal(net_parse(&m[0].net, "192.0.2.0/24", NULL), 0);
	assert_int_equal(net_parse(&m[1].net, "192.0.2.7", NULL), 0);
	m[1].client_cert = CLIENT_CERT_NONE;
	m[1].per_client = 3;
	x.l.client_cert = CLIENT_CERT_MUST;
	text_set(x.l.client_ca, sizeof(x.l.client_ca), "corp");
	x.l.match = m;
	x.l.matches = 2;
	assert_ptr_equal(relay_match(&x.l, "192.0.2.7"), &m[0]);
	assert_null(relay_match(&x.l, "192.0.3.7"));
	assert_null(relay_match(&x.l, "unix"));
	come(LISTEN_PLAIN);
	client_hears("-ERR [AUTH] Command refused due to lack of security: a "
	    "client certificate is required\r\n");
	a_while();
	assert_int_equal(x.backends, 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T6_the_first_match_counts_and_no_other),
		cmocka_unit_test(T6_A73_no_tls_is_no_way_around_a_certificate),
		cmocka_unit_test(
		    T66_implicit_tls_with_the_real_client_in_front),
		cmocka_unit_test(no_tls_no_backend),
		cmocka_unit_test(T4_T8_stls_and_then_the_same_backend),
		cmocka_unit_test(T8_A65_what_was_said_in_clear_is_forgotten),
		cmocka_unit_test(T71_imap_literals_go_through_after_tls),
		cmocka_unit_test(T71_A68_preauth_before_tls),
		cmocka_unit_test(T7_A65_injection_behind_stls),
		cmocka_unit_test(a_client_in_clear_where_it_may),
		cmocka_unit_test(a_backend_that_is_away),
		cmocka_unit_test(plain_clients_of_a_server_that_has_tls_alone),
		cmocka_unit_test(T34_A66_a_backend_that_is_another),
		cmocka_unit_test(starttls_to_a_backend),
		cmocka_unit_test(T36_A66_octets_behind_the_backends_answer),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	log_init("relay_tunnel_test", LOG_L_ERR, 0);
	return cmocka_run_group_tests_name("relay_tunnel", tests, make_all,
	    free_all);
}
