/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of relay/tunnel_dial.c and tunnel_backend.c: what is said to a backend
 * before a tunnel carries octets, and what it is told of a client.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "relay/proxy.h"
#include "relay/tunnel_dial.h"

static const struct client who4 = { .ip = "192.0.2.7", .port = 50000,
	.local_ip = "198.51.100.1", .local_port = 465, .id = "1" };
static const struct client who6 = { .ip = "2001:db8::7", .port = 50000 };
static const struct client who_unix = { .ip = "unix" };

struct way {
	const char *name;
	enum relay_protocol p;
	bool tls, xclient;
	const struct client *who;
	const char *says; /* the backend, up to TLS */
	const char *said; /* to it */
	enum dial_step last;
	const char *error; /* part of it */
	/* after TLS */
	const char *says_2, *said_2;
	const char *greeting;
};

static const struct way ways[] = {
	{ "POP3 STLS", RELAY_POP3, true, false, &who4,
	    "+OK <1@h>\r\n+OK go\r\n", "STLS\r\n", DIAL_TLS, NULL, "", "",
	    "+OK ready\r\n" },
	{ "POP3 no greeting", RELAY_POP3, true, false, &who4, "-ERR no\r\n",
	    "", DIAL_FAILED, "no greeting +OK, it says \"-ERR no\"", "", "",
	    "" },
	{ "POP3 STLS is refused", RELAY_POP3, true, false, &who4,
	    "+OK\r\n-ERR what\r\n", "STLS\r\n", DIAL_FAILED,
	    "STLS is refused", "", "", "" },
	{ "POP3 nonsense", RELAY_POP3, true, false, &who4, "220 hi\r\n", "",
	    DIAL_FAILED, "does not speak the protocol", "", "", "" },
	{ "IMAP STARTTLS", RELAY_IMAP, true, false, &who4,
	    "* OK [CAPABILITY AUTH=PLAIN] hi\r\n* CAPABILITY X\r\n"
	    "tls OK go\r\n", "tls STARTTLS\r\n", DIAL_TLS, NULL, "", "",
	    "* OK ready\r\n" },
	{ "IMAP PREAUTH", RELAY_IMAP, true, false, &who4,
	    "* PREAUTH hi\r\n", "", DIAL_FAILED, "no greeting * OK", "", "",
	    "" },
	{ "IMAP BYE", RELAY_IMAP, true, false, &who4, "* BYE x\r\n", "",
	    DIAL_FAILED, "no greeting * OK", "", "", "" },
	{ "IMAP STARTTLS is refused", RELAY_IMAP, true, false, &who4,
	    "* OK hi\r\ntls NO what\r\n", "tls STARTTLS\r\n", DIAL_FAILED,
	    "STARTTLS is refused", "", "", "" },
	{ "IMAP another tag", RELAY_IMAP, true, false, &who4,
	    "* OK hi\r\na1 OK go\r\n", "tls STARTTLS\r\n", DIAL_FAILED,
	    "does not speak the protocol", "", "", "" },
	{ "SMTP STARTTLS", RELAY_SMTP_TUNNEL, true, false, &who4,
	    "220-h\r\n220 hi\r\n250-h\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n"
	    "220 go\r\n", "EHLO r.example\r\nSTARTTLS\r\n", DIAL_TLS, NULL,
	    "", "", "220 r.example ESMTP\r\n" },
	{ "SMTP T34 STARTTLS is not offered", RELAY_SMTP_TUNNEL, true, false,
	    &who4, "220 hi\r\n250-h\r\n250-XSTARTTLS\r\n250 XXXXXXXA\r\n",
	    "EHLO r.example\r\n", DIAL_FAILED, "STARTTLS is not offered", "",
	    "", "" },
	{ "SMTP T34 STARTTLS in its name", RELAY_SMTP_TUNNEL, true, false,
	    &who4, "220 hi\r\n250 STARTTLS\r\n", "EHLO r.example\r\n",
	    DIAL_FAILED, "STARTTLS is not offered", "", "", "" },
	{ "SMTP T34 454", RELAY_SMTP_TUNNEL, true, false, &who4,
	    "220 hi\r\n250-h\r\n250 STARTTLS\r\n454 no\r\n",
	    "EHLO r.example\r\nSTARTTLS\r\n", DIAL_FAILED,
	    "STARTTLS is refused", "", "", "" },
	{ "SMTP T37 250 is no 220", RELAY_SMTP_TUNNEL, true, false, &who4,
	    "220 hi\r\n250-h\r\n250 STARTTLS\r\n250 go\r\n",
	    "EHLO r.example\r\nSTARTTLS\r\n", DIAL_FAILED,
	    "STARTTLS is refused", "", "", "" },
	{ "SMTP T37 220 on two lines", RELAY_SMTP_TUNNEL, true, false, &who4,
	    "220 hi\r\n250-h\r\n250 STARTTLS\r\n220-go\r\n220 go\r\n",
	    "EHLO r.example\r\nSTARTTLS\r\n", DIAL_FAILED,
	    "STARTTLS is refused", "", "", "" },
	{ "SMTP XCLIENT", RELAY_SMTP_TUNNEL, false, true, &who4,
	    "220 hi\r\n250-h\r\n250 XCLIENT NAME ADDR PORT\r\n220 again\r\n",
	    "EHLO r.example\r\nXCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 "
	    "PORT=50000\r\n", DIAL_DONE, NULL, "", "", "220 again\r\n" },
	{ "SMTP XCLIENT of IPv6", RELAY_SMTP_TUNNEL, false, true, &who6,
	    "220 hi\r\n250-h\r\n250 XCLIENT NAME ADDR PORT\r\n220 again\r\n",
	    "EHLO r.example\r\nXCLIENT NAME=[UNAVAILABLE] "
	    "ADDR=IPV6:2001:db8::7 PORT=50000\r\n", DIAL_DONE, NULL, "", "",
	    "220 again\r\n" },
	{ "SMTP XCLIENT of nobody", RELAY_SMTP_TUNNEL, false, true,
	    &who_unix,
	    "220 hi\r\n250-h\r\n250 XCLIENT NAME ADDR\r\n220 again\r\n",
	    "EHLO r.example\r\nXCLIENT NAME=[UNAVAILABLE] "
	    "ADDR=[UNAVAILABLE]\r\n", DIAL_DONE, NULL, "", "",
	    "220 again\r\n" },
	{ "SMTP XCLIENT is not offered", RELAY_SMTP_TUNNEL, false, true,
	    &who4, "220 hi\r\n250 h\r\n", "EHLO r.example\r\n", DIAL_FAILED,
	    "XCLIENT is not offered", "", "", "" },
	{ "SMTP XCLIENT is refused", RELAY_SMTP_TUNNEL, false, true, &who4,
	    "220 hi\r\n250-h\r\n250 XCLIENT NAME ADDR PORT\r\n550 no\r\n",
	    "EHLO r.example\r\nXCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 "
	    "PORT=50000\r\n", DIAL_FAILED, "XCLIENT is refused", "", "",
	    "" },
	{ "SMTP T35 XCLIENT only of inside", RELAY_SMTP_TUNNEL, true, true,
	    &who4, "220 hi\r\n250-h\r\n250-XCLIENT ADDR\r\n250 STARTTLS\r\n"
	    "220 go\r\n", "EHLO r.example\r\nSTARTTLS\r\n", DIAL_TLS,
	    "XCLIENT is not offered", "250 h\r\n", "EHLO r.example\r\n",
	    NULL },
	{ "SMTP XCLIENT inside", RELAY_SMTP_TUNNEL, true, true, &who4,
	    "220 hi\r\n250-h\r\n250 STARTTLS\r\n220 go\r\n",
	    "EHLO r.example\r\nSTARTTLS\r\n", DIAL_TLS, NULL,
	    "250-h\r\n250 XCLIENT ADDR\r\n220 again\r\n",
	    "EHLO r.example\r\nXCLIENT ADDR=192.0.2.7\r\n",
	    "220 again\r\n" },
	{ "SMTP XCLIENT with all that it knows", RELAY_SMTP_TUNNEL, false,
	    true, &who4, "220 hi\r\n250-h\r\n250 xclient name addr proto "
	    "port login destaddr destport\r\n220 again\r\n",
	    "EHLO r.example\r\nXCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 "
	    "PORT=50000 DESTADDR=198.51.100.1 DESTPORT=465\r\n", DIAL_DONE,
	    NULL, "", "", "220 again\r\n" },
	{ "SMTP XCLIENT without an address", RELAY_SMTP_TUNNEL, false, true,
	    &who4, "220 hi\r\n250-h\r\n250 XCLIENT NAME\r\n",
	    "EHLO r.example\r\n", DIAL_FAILED, "XCLIENT is not offered", "",
	    "", "" },
};

/* Octet by octet, until it stops or there is no more. */
static enum dial_step feed(struct dial *d, const char *says, struct buf *out,
    struct err *e)
{
	size_t n = strlen(says), from = 0, to = 0, used;
	enum dial_step step = DIAL_MORE;

	while (step == DIAL_MORE && to < n) {
		to++;
		step = dial_server(d, view_make(says + from, to - from),
		    &used, out, e);
		from += used;
	}
	assert_int_equal(from, n);
	return step;
}

static void check_way(const struct way *w)
{
	struct listener l = { .name = "x", .protocol = w->p };
	enum dial_step step;
	struct dial d;
	struct buf out;
	struct err e = { 0 };

	l.backend.tls = w->tls;
	l.backend.real = w->xclient ? REAL_XCLIENT : REAL_NONE;
	buf_init(&out, 10000);
	dial_init(&d, &l, w->who, "r.example");
	assert_true(dial_is_needed(&d));
	step = feed(&d, w->says, &out, &e);
	if (step != w->last || strcmp(buf_str(&out), w->said) != 0)
		fail_msg("%s: step %d, said %s, %s", w->name, step,
		    buf_str(&out), e.msg);
	buf_clear(&out);
	if (step == DIAL_TLS) {
		step = dial_tls(&d, &out);
		if (step == DIAL_MORE)
			step = feed(&d, w->says_2, &out, &e);
		if (strcmp(buf_str(&out), w->said_2) != 0)
			fail_msg("%s: said %s", w->name, buf_str(&out));
	}
	if (w->error != NULL && (step != DIAL_FAILED ||
	    e.kind != FAIL_POLICY || strstr(e.msg, w->error) == NULL))
		fail_msg("%s: %s", w->name, e.msg);
	if (w->error == NULL) {
		assert_int_equal(step, DIAL_DONE);
		assert_false(dial_is_needed(&d));
		assert_string_equal(buf_str(&d.greeting), w->greeting);
	}
	dial_free(&d);
	buf_free(&out);
}

/* attack A66: a backend, or who sits before it, offers things in clear,
 * strips STARTTLS, or lies about it
 * verdict: the tunnel fails, or what was said in clear is forgotten */
static void T34_T35_T37_T71_A66_each_way_to_a_backend(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		check_way(&ways[i]);
}

static void nothing_is_said_where_nothing_is_wanted(void **state)
{
	struct listener l = { .name = "x", .protocol = RELAY_POP3 };
	struct dial d;

	(void)state;
	dial_init(&d, &l, &who4, "r.example");
	assert_false(dial_is_needed(&d));
	l.backend.tls = l.backend.implicit = true;
	dial_init(&d, &l, &who4, "r.example");
	assert_false(dial_is_needed(&d));
	l.backend.implicit = false;
	l.protocol = RELAY_ANY; /* has no STARTTLS */
	dial_init(&d, &l, &who4, "r.example");
	assert_false(dial_is_needed(&d));
}

/* attack A66: an answer of a backend without an end, or a line without one
 * verdict: the tunnel fails */
static void A66_an_answer_has_an_end(void **state)
{
	struct listener l = { .name = "x", .protocol = RELAY_SMTP_TUNNEL,
		.backend = { .tls = true } };
	char line[DIAL_LINE + 1];
	struct dial d;
	struct buf out;
	struct err e;
	size_t used, i;

	(void)state;
	memset(line, '2', sizeof(line));
	buf_init(&out, 1000);
	dial_init(&d, &l, &who4, "r.example");
	assert_int_equal(dial_server(&d, view_make(line, DIAL_LINE), &used,
	    &out, &e), DIAL_MORE);
	assert_int_equal(dial_server(&d, view_make(line, DIAL_LINE + 1),
	    &used, &out, &e), DIAL_FAILED);
	for (i = 0; i < DIAL_LINES; i++)
		assert_int_equal(dial_server(&d, view_of("220-x\r\n"), &used,
		    &out, &e), DIAL_MORE);
	assert_int_equal(dial_server(&d, view_of("220 x\r\n"), &used, &out,
	    &e), DIAL_FAILED);
	assert_non_null(strstr(e.msg, "has no end"));
	dial_free(&d);
	buf_free(&out);
}

/* ---- addresses ---- */

static void addresses_are_digits(void **state)
{
	static const char *const bad[] = { "", ":", "127.0.0.1", "110",
		"127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
		"127.0.0.1:1x", "localhost:110", "127.1:110", "[::1]",
		"[::1:110", "unix:", "127.0.0.1:-1", "[127.0.0.1:110",
		"unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct sockaddr_storage sa;
	struct sockaddr_in6 in6;
	struct sockaddr_in in;
	struct sockaddr_un un;
	struct err e;
	socklen_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(dial_address(bad[i], &sa, &n, &e), -1);
		assert_int_equal(e.kind, FAIL_CONFIG);
	}
	assert_int_equal(dial_address("127.0.0.1:110", &sa, &n, &e), 0);
	assert_int_equal(n, sizeof(in));
	memcpy(&in, &sa, sizeof(in));
	assert_int_equal(in.sin_family, AF_INET);
	assert_int_equal(in.sin_port, htons(110));
	assert_int_equal(in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_int_equal(dial_address("[::1]:65535", &sa, &n, &e), 0);
	assert_int_equal(n, sizeof(in6));
	memcpy(&in6, &sa, sizeof(in6));
	assert_int_equal(in6.sin6_family, AF_INET6);
	assert_int_equal(in6.sin6_port, htons(65535));
	assert_int_equal(dial_address("unix:/run/x", &sa, &n, &e), 0);
	memcpy(&un, &sa, sizeof(un));
	assert_string_equal(un.sun_path, "/run/x");
}

/* ---- what it must show ---- */

static void a_want_is_what_the_configuration_says(void **state)
{
	char where[] = "192.0.2.1:995", name[] = "box.a.example";
	struct listener l = { .name = "box", .protocol = RELAY_POP3 };
	struct tls_want w;
	struct err e;

	(void)state;
	l.backend.where = where;
	l.backend.tls = l.backend.implicit = true;
	l.backend.level = TLS_VERIFY;
	text_set(l.backend.ca, sizeof(l.backend.ca), "corp");
	text_set(l.backend.pki, sizeof(l.backend.pki), "me");
	assert_int_equal(dial_want(&w, &l, &e), 0);
	assert_int_equal(w.level, TLS_VERIFY);
	assert_int_equal(w.asked, TLS_VERIFY);
	assert_true(w.implicit);
	assert_int_equal(w.names, 1);
	assert_string_equal(w.name[0], "192.0.2.1");
	assert_string_equal(w.sni, "");
	assert_string_equal(w.ca, "corp");
	assert_string_equal(w.pki, "me");
	assert_string_equal(w.because, "listen box, backend");
	assert_int_equal(w.pins, 0);
	l.backend.name = name;
	l.backend.level = TLS_FINGERPRINT;
	l.backend.has_pin = true;
	memset(l.backend.pin.sha256, 7, 32);
	assert_int_equal(dial_want(&w, &l, &e), 0);
	assert_string_equal(w.name[0], name);
	assert_string_equal(w.sni, name);
	assert_int_equal(w.pins, 1);
	assert_memory_equal(w.pin[0].sha256, l.backend.pin.sha256, 32);
}

/* ---- what it is told ---- */

static void the_header_says_whether_the_client_had_tls(void **state)
{
	struct tls_facts f = { .version = "TLSv1.3", .cipher = "x" };
	struct backend b = { .real = REAL_PROXY_V2 };
	struct client in_front = who4;
	struct proxy_header h;
	struct buf out;
	struct err e;
	size_t used;

	(void)state;
	in_front.proxy_tls = true;
	buf_init(&out, 1000);
	for (int i = 0; i < 3; i++) {
		buf_clear(&out);
		dial_proxy(&out, &b, i == 2 ? &in_front : &who4, i == 1 ?
		    &f : NULL);
		assert_int_equal(proxy_read(&h, buf_view(&out), &used, &e),
		    1);
		assert_string_equal(h.ip, "192.0.2.7");
		assert_string_equal(h.local_ip, "198.51.100.1");
		assert_int_equal(h.port, 50000);
		assert_int_equal(h.local_port, 465);
		assert_int_equal(h.has_tls, i > 0);
	}
	b.real = REAL_PROXY_V1;
	buf_clear(&out);
	dial_proxy(&out, &b, &who4, &f);
	assert_string_equal(buf_str(&out),
	    "PROXY TCP4 192.0.2.7 198.51.100.1 50000 465\r\n");
	b.real = REAL_XCLIENT;
	buf_clear(&out);
	dial_proxy(&out, &b, &who4, &f);
	assert_int_equal(out.n, 0);
	buf_free(&out);
}

static const char *value(const struct buf *b, const char *name)
{
	const char *p = (const char *)b->p, *end = p + b->n;

	for (; p < end; p += strlen(p) + 1)
		if (strncmp(p, name, strlen(name)) == 0 &&
		    p[strlen(name)] == '=')
			return p + strlen(name) + 1;
	return NULL;
}

/* Names in a certificate that are commands of a shell, lines of a log, or
 * longer than a program expects. */
static void T69_an_environment_is_clean(void **state)
{
	struct tls_facts f = { .version = "TLSv1.3", .cipher = "c",
		.bits = 256, .has_cert = true, .cert_is_good = true,
		.emails = 1 };
	struct buf b;

	(void)state;
	text_set(f.subject, sizeof(f.subject),
	    "CN=() { :; }; rm -rf `x`\nA=\x1b[2J$(id)|\xc3\xa4");
	memset(f.issuer, 'i', sizeof(f.issuer) - 1);
	text_set(f.email[0], sizeof(f.email[0]), "alice@a.example");
	buf_init(&b, 10000);
	dial_environment(&b, &who4, &f);
	assert_string_equal(value(&b, "PROTO"), "TCP");
	assert_string_equal(value(&b, "TCPREMOTEIP"), "192.0.2.7");
	assert_string_equal(value(&b, "TCPREMOTEPORT"), "50000");
	assert_string_equal(value(&b, "TCPLOCALIP"), "198.51.100.1");
	assert_string_equal(value(&b, "TCPLOCALPORT"), "465");
	assert_string_equal(value(&b, "REMOTE_HOST"), "192.0.2.7");
	assert_string_equal(value(&b, "SSL_PROTOCOL"), "TLSv1.3");
	assert_string_equal(value(&b, "SSL_CIPHER"), "c");
	assert_string_equal(value(&b, "SSL_CLIENT_S_DN"),
	    "CN=__ _ :_ __ rm -rf _x__A=_[2J__id____");
	assert_int_equal(strlen(value(&b, "SSL_CLIENT_I_DN")), 255);
	assert_string_equal(value(&b, "SSL_CLIENT_S_DN_Email"),
	    "alice@a.example");
	f.cert_is_good = false;
	buf_clear(&b);
	dial_environment(&b, &who6, &f);
	assert_string_equal(value(&b, "PROTO"), "TCP6");
	assert_null(value(&b, "SSL_CLIENT_S_DN"));
	assert_null(value(&b, "SSL_CLIENT_S_DN_Email"));
	assert_null(value(&b, "SSL_CLIENT_VERIFY"));
	buf_clear(&b);
	dial_environment(&b, &who_unix, NULL);
	assert_null(value(&b, "SSL_PROTOCOL"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T34_T35_T37_T71_A66_each_way_to_a_backend),
		cmocka_unit_test(nothing_is_said_where_nothing_is_wanted),
		cmocka_unit_test(A66_an_answer_has_an_end),
		cmocka_unit_test(addresses_are_digits),
		cmocka_unit_test(a_want_is_what_the_configuration_says),
		cmocka_unit_test(the_header_says_whether_the_client_had_tls),
		cmocka_unit_test(T69_an_environment_is_clean),
	};

	return cmocka_run_group_tests_name("relay_tunnel_dial", tests, NULL,
	    NULL);
}
