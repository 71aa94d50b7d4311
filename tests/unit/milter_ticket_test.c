/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tickets: hostile packets, order, age, caps, and who may do what.
 */
#include "milter/ticket.h"

#include "gateway_world.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "milter/child.h"

static struct world w;
static struct tickets *table;
static int sock[2]; /* the front's and keys' end */
static struct cert *alice, *bob;

static const unsigned char id1[TICKET_ID] = "ticket number 1";
static const unsigned char id2[TICKET_ID] = "ticket number 2";

static int setup(void **state)
{
	(void)state;
	assert_int_equal(tickets_new(&table, NULL), 0);
	assert_int_equal(child_pair(SOCK_SEQPACKET, sock, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tickets_free(&table);
	close(sock[0]);
	if (sock[1] >= 0)
		close(sock[1]);
	return 0;
}

static int setup_world(void **state)
{
	(void)state;
	world_make(&w);
	alice = world_issue(&w, "alice@example.com", "ec:p256", KS_SIGN |
	    KS_ENCRYPT, 0, 10);
	bob = world_issue(&w, "bob@example.com", "ec:p256", KS_SIGN |
	    KS_ENCRYPT, 0, 10);
	return 0;
}

static int teardown_world(void **state)
{
	(void)state;
	cert_free(&alice);
	cert_free(&bob);
	world_end(&w);
	return 0;
}

static void issue(const unsigned char *id, uint32_t worker, const char *login,
    const char *to)
{
	const char *rcpt[] = { to };
	struct envelope env = { .id = "i", .client_ip = "192.0.2.1",
		.mail_from = "<x@example.com>", .rcpt = rcpt, .rcpts = 1 };

	env.login = login;
	env.auth = login == NULL ? ENV_AUTH_NONE : ENV_AUTH_LOGIN;
	assert_int_equal(ticket_send(sock[0], id, worker, &env, NULL), 0);
}

/* 0, or the kind of failure */
static int ask(const unsigned char *id, uint32_t worker, enum ticket_use use,
    const struct cert *c)
{
	const struct authority au = { w.config, NULL };
	struct err e = { 0 };

	(void)tickets_drain(table, sock[1], 1000);
	if (tickets_ask(table, id, worker, use, &au, c, &e) == 0)
		return 0;
	return (int)e.kind;
}

static void malformed_packets_change_nothing(void **state)
{
	static const struct {
		const char *what;
		const char *octets;
		size_t n;
	} row[] = {
		{ "empty", "", 0 },
		{ "kind alone", "\1", 1 },
		{ "no such kind", "\7aaaaaaaaaaaaaaaa", 17 },
		{ "short id", "\1aaaaaaaaaaaaaaa", 16 },
		{ "open without worker", "\1aaaaaaaaaaaaaaaa", 17 },
		{ "open, login cut", "\1aaaaaaaaaaaaaaaa\0\0\0\1\1\0\0", 24 },
		{ "open, login of NUL", "\1aaaaaaaaaaaaaaaa\0\0\0\1\1\0\0\0\1"
		    "\0\0", 28 },
		{ "open, more after it", "\1aaaaaaaaaaaaaaaa\0\0\0\1\0\0x",
		    24 },
		{ "open without recipients", "\1aaaaaaaaaaaaaaaa\0\0\0\1"
		    "\0\0", 23 },
		{ "open, recipients cut", "\1aaaaaaaaaaaaaaaa\0\0\0\1\0\0"
		    "\0\0\0\5\0\0\0\1", 31 },
		{ "open, recipient beyond its list", "\1aaaaaaaaaaaaaaaa"
		    "\0\0\0\1\0\0\0\0\0\4\0\0\0\1x", 32 },
		{ "recipient of no ticket", "\2aaaaaaaaaaaaaaaa"
		    "\0\0\0\5\0\0\0\1x", 26 },
		{ "close of no ticket", "\3aaaaaaaaaaaaaaaa", 17 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		tickets_packet(table, view_make(row[i].octets, row[i].n), 1);
		if (tickets_alive(table) != 0)
			fail_msg("%s: a ticket", row[i].what);
	}
}

static void every_cut_of_a_ticket_is_harmless(void **state)
{
	unsigned char p[4096], *copy;
	ssize_t n;
	size_t i;

	(void)state;
	issue(id1, 1, "alice", "<bob@example.com>");
	n = recv(sock[1], p, sizeof(p), 0);
	assert_true(n > 0);
	for (i = 0; i < (size_t)n; i++) {
		copy = malloc(i + 1);
		assert_non_null(copy);
		memcpy(copy, p, i);
		tickets_packet(table, view_make(copy, i), 1);
		assert_int_equal(tickets_alive(table), 0);
		free(copy);
	}
	tickets_packet(table, view_make(p, (size_t)n), 1);
	assert_int_equal(tickets_alive(table), 1);
}

static void A35_only_the_login_of_the_ticket_may_sign(void **state)
{
	(void)state;
	issue(id1, 1, "alice", "<bob@example.com>");
	assert_int_equal(ask(id1, 1, TICKET_SIGN, alice), 0);
	assert_int_equal(ask(id1, 1, TICKET_SIGN, bob), FAIL_POLICY);
	issue(id2, 1, NULL, "<bob@example.com>");
	assert_int_equal(ask(id2, 1, TICKET_SIGN, alice), FAIL_POLICY);
}

static void A9_only_for_recipients_is_opened(void **state)
{
	(void)state;
	issue(id1, 1, "alice", "<bob@example.com>");
	assert_int_equal(ask(id1, 1, TICKET_OPEN, bob), 0);
	assert_int_equal(ask(id1, 1, TICKET_OPEN, alice), FAIL_POLICY);
}

static void ticket_of_another_worker_or_none(void **state)
{
	(void)state;
	assert_int_equal(ask(id1, 1, TICKET_SIGN, alice), FAIL_TEMP);
	issue(id1, 1, "alice", "<bob@example.com>");
	assert_int_equal(ask(id1, 2, TICKET_SIGN, alice), FAIL_TEMP);
	assert_int_equal(ask(id2, 1, TICKET_SIGN, alice), FAIL_TEMP);
	assert_int_equal(ask(id1, 1, TICKET_SIGN, alice), 0);
}

/* A second ticket of the same id must not change the first one. */
static void ticket_cannot_be_replaced(void **state)
{
	(void)state;
	issue(id1, 1, "alice", "<bob@example.com>");
	issue(id1, 1, "bob", "<alice@example.com>");
	assert_int_equal(tickets_drain(table, sock[1], 1000), 0);
	assert_int_equal(tickets_alive(table), 1);
	assert_int_equal(ask(id1, 1, TICKET_SIGN, bob), FAIL_POLICY);
	assert_int_equal(ask(id1, 1, TICKET_SIGN, alice), 0);
}

static void closed_ticket_gives_no_right(void **state)
{
	(void)state;
	issue(id1, 1, "alice", "<bob@example.com>");
	assert_int_equal(ask(id1, 1, TICKET_SIGN, alice), 0);
	ticket_close(sock[0], id1);
	assert_int_equal(ask(id1, 1, TICKET_SIGN, alice), FAIL_TEMP);
	assert_int_equal(tickets_alive(table), 0);
}

static void S97_operations_at_the_cap(void **state)
{
	int i;

	(void)state;
	issue(id1, 1, "alice", "<alice@example.com>");
	for (i = 0; i < CAP_KEY_OPS; i++)
		assert_int_equal(ask(id1, 1, TICKET_OPEN, alice), 0);
	assert_int_equal(ask(id1, 1, TICKET_OPEN, alice), FAIL_LIMIT);
	for (i = 0; i < CAP_KEY_OPS; i++)
		assert_int_equal(ask(id1, 1, TICKET_SIGN, alice), 0);
	assert_int_equal(ask(id1, 1, TICKET_SIGN, alice), FAIL_LIMIT);
}

static void refused_attempts_count_too(void **state)
{
	int i;

	(void)state;
	issue(id1, 1, "alice", "<bob@example.com>");
	for (i = 0; i < CAP_KEY_OPS; i++)
		assert_int_equal(ask(id1, 1, TICKET_SIGN, bob), FAIL_POLICY);
	assert_int_equal(ask(id1, 1, TICKET_SIGN, alice), FAIL_LIMIT);
}

/* attack A35: a worker keeps the ticket of a message that it has answered
 * verdict: the ticket ends at the latest when the next message comes */
static void A35_the_next_ticket_of_a_worker_ends_the_one_before(void **state)
{
	(void)state;
	issue(id1, 1, "alice", "<bob@example.com>");
	assert_int_equal(ask(id1, 1, TICKET_SIGN, alice), 0);
	issue(id2, 1, "bob", "<bob@example.com>");
	assert_int_equal(ask(id2, 1, TICKET_SIGN, bob), 0);
	assert_int_equal(ask(id1, 1, TICKET_SIGN, alice), FAIL_TEMP);
	assert_int_equal(tickets_alive(table), 1);
	/* those of other workers stay */
	issue(id1, 2, "alice", "<bob@example.com>");
	assert_int_equal(ask(id1, 2, TICKET_SIGN, alice), 0);
	assert_int_equal(ask(id2, 1, TICKET_SIGN, bob), 0);
}

static void old_tickets_are_forgotten(void **state)
{
	(void)state;
	issue(id1, 1, "alice", "<bob@example.com>");
	assert_int_equal(tickets_drain(table, sock[1], 1000), 0);
	issue(id2, 2, "alice", "<bob@example.com>");
	assert_int_equal(tickets_drain(table, sock[1], 1000 + TICKET_LIFE_S),
	    0);
	assert_int_equal(tickets_alive(table), 2);
	assert_int_equal(tickets_drain(table, sock[1],
	    1001 + TICKET_LIFE_S), 0);
	assert_int_equal(tickets_alive(table), 1);
	assert_int_equal(ask(id1, 1, TICKET_SIGN, alice), FAIL_TEMP);
}

static void tickets_at_the_cap(void **state)
{
	unsigned char p[1 + TICKET_ID + 4 + 2 + 4];
	size_t i;

	(void)state;
	memset(p, 0, sizeof(p));
	p[0] = 1;
	for (i = 0; i < TICKETS_MAX + 1; i++) {
		p[1] = (unsigned char)(i >> 8);
		p[2] = (unsigned char)i;
		memcpy(p + 1 + TICKET_ID, p + 1, 2); /* the worker */
		tickets_packet(table, view_make(p, sizeof(p)), 1);
		if (i + 1 <= TICKETS_MAX)
			assert_int_equal(tickets_alive(table), i + 1);
	}
	assert_int_equal(tickets_alive(table), TICKETS_MAX);
}

static void many_recipients_in_several_packets(void **state)
{
	const char **rcpt = calloc(CAP_RECIPIENTS, sizeof(*rcpt));
	struct envelope env = { .id = "i", .mail_from = "<>", .rcpt = rcpt,
		.rcpts = CAP_RECIPIENTS };
	size_t i;

	(void)state;
	assert_non_null(rcpt);
	for (i = 0; i < CAP_RECIPIENTS; i++)
		rcpt[i] = "<somebody.with.a.name@other.example>";
	rcpt[CAP_RECIPIENTS - 1] = "<Bob@EXAMPLE.com>";
	/* keys drains when asked; so much does not wait in a socket */
	assert_int_equal(fcntl(sock[0], F_SETFL, O_NONBLOCK), 0);
	env.rcpts = 2000;
	env.rcpt = rcpt + CAP_RECIPIENTS - 2000;
	assert_int_equal(ticket_send(sock[0], id1, 7, &env, NULL), 0);
	assert_int_equal(ask(id1, 7, TICKET_OPEN, bob), 0);
	assert_int_equal(ask(id1, 7, TICKET_OPEN, alice), FAIL_POLICY);
	free(rcpt);
}

/* No address is so long; the others still count. */
static void recipient_larger_than_a_packet(void **state)
{
	char *huge = malloc(TICKET_PACKET + 1);
	const char *rcpt[3] = { "<x@other.example>", huge,
		"<bob@example.com>" };
	struct envelope env = { .id = "i", .mail_from = "<>", .rcpt = rcpt,
		.rcpts = 3 };

	(void)state;
	assert_non_null(huge);
	memset(huge, 'x', TICKET_PACKET);
	huge[TICKET_PACKET] = '\0';
	assert_int_equal(ticket_send(sock[0], id1, 7, &env, NULL), 0);
	assert_int_equal(ask(id1, 7, TICKET_OPEN, bob), 0);
	free(huge);
}

static void the_other_end_is_gone(void **state)
{
	struct envelope env = { .id = "i", .mail_from = "<>" };
	struct err e = { 0 };

	(void)state;
	close(sock[1]);
	sock[1] = -1;
	assert_int_equal(ticket_send(sock[0], id1, 1, &env, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	ticket_close(sock[0], id1); /* no signal, no fault */
}

static void drain_says_when_the_front_is_gone(void **state)
{
	(void)state;
	issue(id1, 1, "alice", "<bob@example.com>");
	assert_int_equal(tickets_drain(table, sock[1], 1), 0);
	assert_int_equal(shutdown(sock[0], SHUT_RDWR), 0);
	assert_int_equal(tickets_drain(table, sock[1], 1), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(malformed_packets_change_nothing),
		T(every_cut_of_a_ticket_is_harmless),
		T(A35_only_the_login_of_the_ticket_may_sign),
		T(A9_only_for_recipients_is_opened),
		T(ticket_of_another_worker_or_none),
		T(ticket_cannot_be_replaced),
		T(closed_ticket_gives_no_right),
		T(S97_operations_at_the_cap),
		T(refused_attempts_count_too),
		T(A35_the_next_ticket_of_a_worker_ends_the_one_before),
		T(old_tickets_are_forgotten),
		T(tickets_at_the_cap),
		T(many_recipients_in_several_packets),
		T(recipient_larger_than_a_packet),
		T(the_other_end_is_gone),
		T(drain_says_when_the_front_is_gone),
	};

	return cmocka_run_group_tests_name("milter_ticket", tests,
	    setup_world, teardown_world);
}
