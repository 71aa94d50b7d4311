/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Sessions over a socket: messages, clients that go, TLS, Received.
 */
#include "relay_session.h"

/* ---- in clear ---- */

static void a_message_goes_through(void **state)
{
	const char *body;

	(void)state;
	connect_as(LISTEN_PLAIN, "unix");
	envelope(LHLO);
	say("DATA\r\n", "354 ");
	buf_clear(&x.p.in);
	peer_say(&x.p, TEXT "..x\r\n.\r\n");
	run();
	assert_int_equal(x.p.in.n, 0);
	body = fake_hop[0]->body;
	assert_non_null(strstr(body, "Received: from a.example (local)\r\n\t"
	    "by mx.a.example (postseal) with LMTP id s1.1;\r\n\t"));
	assert_non_null(strstr(body, "\r\n" TEXT ".x\r\n"));
	fake_result(0, 0, HOP_ANSWERED, 250);
	say("", "250 2.0.0 so it is\r\n");
	say("QUIT\r\n", "221 ");
	is_closed();
}

static void a_group_is_answered_in_order(void **state)
{
	(void)state;
	connect_as(LISTEN_PLAIN, "unix");
	say("", "220 ");
	say(LHLO, "250-");
	buf_clear(&x.p.in);
	peer_say(&x.p, MAIL RCPT "RCPT TO:<carol@c.example>\r\nDATA\r\n");
	run();
	assert_int_equal(fake_routes, 2); /* both at once */
	fake_answer_routes();
	fake_say_rcpt(1, 0, 550, "5.1.1");
	run();
	assert_string_equal(buf_str(&x.p.in), "250 2.1.0 Ok\r\n");
	fake_say_rcpt(0, 0, 250, "2.1.5");
	run();
	assert_string_equal(buf_str(&x.p.in), "250 2.1.0 Ok\r\n"
	    "250 2.1.5 so it is\r\n550 5.1.1 so it is\r\n"
	    "354 End with CRLF.CRLF\r\n");
}

static void what_is_reset_reaches_no_hop(void **state)
{
	(void)state;
	connect_as(LISTEN_PLAIN, "unix");
	envelope(LHLO);
	/* in one segment, so that nothing is seen in between */
	peer_say(&x.p, "RSET\r\nMAIL FROM:<carol@a.example>\r\n" RCPT);
	run();
	assert_true(fake_hop[0]->is_freed);
	fake_answer_routes();
	assert_string_equal(fake_hop[1]->from, "<carol@a.example>");
	say(LHLO, ""); /* waits for RCPT */
	fake_say_rcpt(1, 0, 550, "5.1.1");
	run();
	assert_true(fake_hop[1]->is_freed);
}

/* attack A46: commands before the greeting
 * verdict: 521, and the connection is closed */
static void A46_who_speaks_first_is_sent_away(void **state)
{
	static const struct conn_use nobody;
	struct client who = { .id = "s1", .ip = "192.0.2.1" };
	struct conn *c;
	int fd;

	(void)state;
	peer_pair(&x.p, &fd);
	peer_say(&x.p, LHLO MAIL);
	assert_int_equal(conn_new(&c, x.w.base, fd, &nobody, NULL), 0);
	session_start(&x.w, &x.wl, LISTEN_PLAIN, c, &who);
	say("", "521 5.5.0");
	is_closed();
}

/* ---- clients that go ---- */

static void T12_a_client_that_goes_in_the_data_sends_nothing(void **state)
{
	(void)state;
	connect_as(LISTEN_PLAIN, "unix");
	envelope(LHLO);
	say("DATA\r\n", "354 ");
	peer_say(&x.p, TEXT "half of a line");
	run();
	(void)shutdown(x.p.fd, SHUT_RDWR);
	is_closed();
	assert_true(fake_hop[0]->is_freed);
	assert_false(fake_hop[0]->has_data);
}

static void take_to_the_dot(void)
{
	envelope(LHLO);
	say("DATA\r\n", "354 ");
	peer_say(&x.p, TEXT ".\r\n");
	run();
	assert_true(fake_hop[0]->has_data);
}

static void who_ends_his_side_still_hears_the_answer(void **state)
{
	(void)state;
	connect_as(LISTEN_PLAIN, "unix");
	take_to_the_dot();
	(void)shutdown(x.p.fd, SHUT_WR);
	run();
	assert_int_equal(x.gone, 0);
	fake_result(0, 0, HOP_ANSWERED, 250);
	say("", "250 2.0.0 so it is\r\n");
	is_closed();
}

static void M24_a_client_lost_after_the_dot_is_remembered(void **state)
{
	(void)state;
	connect_as(LISTEN_PLAIN, "unix");
	take_to_the_dot();
	(void)close(x.p.fd);
	x.p.fd = -1;
	x.p.is_over = true;
	run();
	fake_result(0, 0, HOP_ANSWERED, 250);
	run();
	assert_int_equal(x.gone, 1);
	x.gone = 0;
	peer_free(&x.p);
	connect_as(LISTEN_PLAIN, "unix");
	say("", "220 ");
	say(LHLO MAIL, "503"); /* no group with LHLO */
	x.gone = 0;
	peer_free(&x.p);
	connect_as(LISTEN_PLAIN, "unix");
	say("", "220 ");
	say(LHLO, "250-");
	say(MAIL, "250 ");
	peer_say(&x.p, RCPT);
	run();
	fake_answer_routes();
	fake_say_rcpt(1, 0, 250, "2.1.5");
	say("", "250 2.1.5");
	say("DATA\r\n", "354 ");
	say(TEXT ".\r\n", "250 2.0.0 Taken by the next hop when");
	assert_false(fake_hop[1]->has_data);
}

/* The message comes again, on a connection of its own. */
static void comes_again(bool is_known)
{
	run();
	assert_int_equal(x.gone, 1);
	x.gone = 0;
	peer_free(&x.p);
	connect_as(LISTEN_PLAIN, "unix");
	say("", "220 ");
	say(LHLO, "250-");
	say(MAIL, "250 ");
	peer_say(&x.p, RCPT);
	run();
	fake_answer_routes();
	fake_say_rcpt(1, 0, 250, "2.1.5");
	say("", "250 2.1.5");
	say("DATA\r\n", "354 ");
	peer_say(&x.p, TEXT ".\r\n");
	run();
	assert_int_equal(fake_hop[1]->has_data, !is_known);
}

static void M24_who_read_the_answer_and_left_is_not_remembered(void **state)
{
	(void)state;
	connect_as(LISTEN_PLAIN, "unix");
	take_to_the_dot();
	fake_result(0, 0, HOP_ANSWERED, 250);
	say("", "250 2.0.0 so it is\r\n");
	(void)close(x.p.fd);
	x.p.fd = -1;
	comes_again(false);
}

static void M24_who_left_the_answer_unread_is_remembered(void **state)
{
	(void)state;
	connect_as(LISTEN_PLAIN, "unix");
	take_to_the_dot();
	x.p.is_silent = true;
	fake_result(0, 0, HOP_ANSWERED, 250);
	run();
	(void)close(x.p.fd);
	x.p.fd = -1;
	comes_again(true);
}

static void idle_sessions_end_when_the_worker_does(void **state)
{
	(void)state;
	connect_as(LISTEN_PLAIN, "unix");
	say("", "220 ");
	x.w.is_stopping = true;
	sessions_stop(&x.w);
	say("", "421 4.3.2");
	is_closed();
}

static void busy_sessions_end_after_their_message(void **state)
{
	(void)state;
	connect_as(LISTEN_PLAIN, "unix");
	envelope(LHLO);
	x.w.is_stopping = true;
	sessions_stop(&x.w);
	say("DATA\r\n", "354 ");
	peer_say(&x.p, TEXT ".\r\n");
	run();
	fake_result(0, 0, HOP_ANSWERED, 250);
	say("", "250 2.0.0 so it is\r\n421 4.3.2");
	is_closed();
}

static void too_large_messages_are_cut(void **state)
{
	char lines[32768];
	size_t i;

	(void)state;
	memset(lines, 'x', sizeof(lines));
	for (i = 100; i < sizeof(lines); i += 100)
		memcpy(lines + i, "\r\n", 2);
	connect_as(LISTEN_PLAIN, "unix");
	envelope(LHLO);
	say("DATA\r\n", "354 ");
	for (i = 0; i < 600 && x.gone == 0; i++) {
		(void)send(x.p.fd, lines, sizeof(lines), MSG_NOSIGNAL);
		(void)event_base_loop(x.w.base, EVLOOP_NONBLOCK);
	}
	assert_in_range(i, 500, 599);
	say("", "552 5.3.4");
	assert_false(fake_hop[0]->has_data);
}

/* ---- TLS ---- */

static void T8_T17_STARTTLS_and_a_message(void **state)
{
	(void)state;
	x.l.protocol = RELAY_SMTP;
	connect_as(LISTEN_STARTTLS_MUST, "192.0.2.1");
	say("", "220 ");
	say(EHLO, "250-");
	assert_non_null(strstr(buf_str(&x.p.in), "250-STARTTLS\r\n"));
	say(MAIL, "530 5.7.0 Must issue a STARTTLS command first\r\n");
	say("STARTTLS\r\n", "220 2.0.0");
	use_tls(NULL);
	say(MAIL, "503 5.5.1");
	say(EHLO, "250-");
	assert_null(strstr(buf_str(&x.p.in), "STARTTLS"));
	say(MAIL, "250 ");
	peer_say(&x.p, RCPT);
	run();
	fake_answer_routes();
	fake_take_all();
	say("", "250 ");
	say("DATA\r\n", "354 ");
	peer_say(&x.p, TEXT ".\r\n");
	run();
	assert_non_null(strstr(fake_hop[0]->body, "Received: from a.example "
	    "([192.0.2.1])\r\n\tby mx.a.example (postseal) with ESMTPS id "
	    "s1.1\r\n\ttls TLS_AES_"));
	assert_non_null(strstr(fake_hop[0]->body, " (TLSv1.3);\r\n"));
	fake_result(0, 0, HOP_ANSWERED, 250);
	say("", "250 ");
	assert_int_equal(relay_stats_get(x.w.stats, COUNT_TLS_IN) > 0, 1);
}

/* attack A65: what stands behind STARTTLS in the same segment
 * verdict: 501 5.5.0, closed; what comes a moment later is no TLS, and the
 *   connection ends without a word */
static void T7_T10_A65_plaintext_behind_STARTTLS(void **state)
{
	(void)state;
	x.l.protocol = RELAY_SMTP;
	connect_as(LISTEN_STARTTLS_MUST, "192.0.2.1");
	say("", "220 ");
	say(EHLO, "250-");
	say("STARTTLS\r\n" EHLO MAIL, "501 5.5.0");
	is_closed();
	peer_free(&x.p);
	tls_server_free(&x.wl.tls);
	x.gone = 0;
	connect_as(LISTEN_STARTTLS_MUST, "192.0.2.1");
	say("", "220 ");
	say(EHLO, "250-");
	say("STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n");
	buf_clear(&x.p.in);
	peer_say(&x.p, EHLO MAIL);
	is_closed();
	assert_null(strstr(buf_str(&x.p.in), "250"));
	assert_int_equal(fake_routes, 0);
}

static void T2_no_certificate_no_STARTTLS(void **state)
{
	(void)state;
	x.l.protocol = RELAY_SMTP;
	connect_as(LISTEN_PLAIN, "192.0.2.1");
	tls_server_free(&x.wl.tls);
	peer_free(&x.p);
	run();
	x.gone = 0;
	assert_null(x.wl.tls);
	{
		static const struct conn_use nobody;
		struct client who = { .id = "s1", .ip = "192.0.2.1" };
		struct conn *c;
		int fd;

		peer_pair(&x.p, &fd);
		assert_int_equal(conn_new(&c, x.w.base, fd, &nobody, NULL), 0);
		session_start(&x.w, &x.wl, LISTEN_STARTTLS, c, &who);
	}
	say("", "220 ");
	say(EHLO, "250-");
	assert_null(strstr(buf_str(&x.p.in), "STARTTLS"));
	say("STARTTLS\r\n", "454 4.7.0 TLS not available");
}

/* ---- Received ---- */

/* attack A46: a certificate's subject and a HELO with line ends and brackets,
 *   to put fields of the client's own into the header
 * verdict: they become question marks, or "unknown" */
static void T17_T33_Received_has_no_octet_of_the_clients_choice(
    void **state)
{
	struct tls_facts f = { .has_cert = true, .cipher = "TLS_X (evil)",
		.version = "TLSv1.3)\r\nX: y",
		.subject = "CN=a)\r\nBcc: evil@evil.example\r\n(\\\"" };
	struct session s = { .w = &x.w, .l = &x.wl, .facts = &f,
		.ip = "192.0.2.1", .id = "i.1" };
	const struct smtp_server_setup setup_of = { .name = "mx" };
	struct view in = view_of("HELO a)\"\\(b\r\n"), chunk;
	struct buf b;

	(void)state;
	x.gone = 1;
	assert_int_equal(smtp_server_new(&s.s, &setup_of, NULL), 0);
	assert_int_equal(smtp_server_next(s.s, &in, &chunk), SMTP_MORE);
	buf_init(&b, 4096);
	session_received(&s, 1767225600, &b);
	assert_string_equal(buf_str(&b),
	    "Received: from unknown ([192.0.2.1])\r\n"
	    "\t(client certificate \"CN=a???Bcc: evil@evil.example?????\" "
	    "not verified)\r\n"
	    "\tby mx.a.example (postseal) with SMTP id i.1\r\n"
	    "\ttls unknown (TLSv1.3???X: y);\r\n"
	    "\tThu, 01 Jan 2026 00:00:00 +0000\r\n");
	buf_clear(&b);
	x.l.hide_client = true;
	session_received(&s, 1767225600, &b);
	assert_string_equal(buf_str(&b),
	    "Received: by mx.a.example (postseal) with SMTP id i.1\r\n"
	    "\ttls unknown (TLSv1.3???X: y);\r\n"
	    "\tThu, 01 Jan 2026 00:00:00 +0000\r\n");
	buf_free(&b);
	smtp_server_free(&s.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_message_goes_through),
		T(a_group_is_answered_in_order),
		T(what_is_reset_reaches_no_hop),
		T(A46_who_speaks_first_is_sent_away),
		T(T12_a_client_that_goes_in_the_data_sends_nothing),
		T(who_ends_his_side_still_hears_the_answer),
		T(M24_a_client_lost_after_the_dot_is_remembered),
		T(M24_who_read_the_answer_and_left_is_not_remembered),
		T(M24_who_left_the_answer_unread_is_remembered),
		T(idle_sessions_end_when_the_worker_does),
		T(busy_sessions_end_after_their_message),
		T(too_large_messages_are_cut),
		T(T8_T17_STARTTLS_and_a_message),
		T(T7_T10_A65_plaintext_behind_STARTTLS),
		T(T2_no_certificate_no_STARTTLS),
		T(T17_T33_Received_has_no_octet_of_the_clients_choice),
	};

	return cmocka_run_group_tests_name("relay_session", tests, once,
	    at_end);
}
